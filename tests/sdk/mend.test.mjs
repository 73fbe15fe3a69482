// What upstreams do wrong, seen through the clients that it breaks: each defect, each client, the
// right answer.
//
//	node --test mend.test.mjs              the proxy mends all of it
//	DIRECT=1 node --test mend.test.mjs     without the proxy: shows which client needs which

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {clients} from './clients.mjs';
import {Forwarder} from './forwarder.mjs';
import {startRig, within} from './rig.mjs';
import {answer, chunk, done, failure, finish, frame, role, text, tool, usage} from './upstream.mjs';

const DIRECT = process.env.DIRECT === '1';
const AB = {text: 'ab', finish: 'stop', tools: []};
const CALL = {text: '', finish: 'tool_calls', tools: [{name: 'f', args: '{"city":"Rome"}'}]};

const with_ = (member, choice = {delta: {content: 'a'}}) => frame(chunk(choice, member));
const around = middle => role() + middle + text('b') + finish() + done;
const delta = members => frame(chunk({delta: members}));
const without = (choice, name, frameOf = chunk) => {
	const whole = frameOf(choice);
	delete (name in whole ? whole : whole.choices[0])[name];
	return frame(whole);
};
const call = (...calls) => role() + calls.map(tool).join('') + finish('tool_calls') + done;
const args = (one, two) => [{arguments: one}, {arguments: two}].map(f => ({function: f}));
const [first, second] = args('{"city"', ':"Rome"}');
const opening = {index: 0, id: 'call_1', type: 'function', function: {name: 'f', arguments: ''}};

// A name, what the upstream sends, and what each client's user shall get if it is not "ab".
const mended = [
	['nothing wrong', answer('a', 'b')],
	['an empty role', around(delta({role: '', content: 'a'})).slice(role().length)],
	['a null role', around(delta({role: null, content: 'a'})).slice(role().length)],
	['an empty role in every chunk',
		delta({role: '', content: 'a'}) + delta({role: '', content: 'b'}) + finish() + done],
	['a choice without index', around(without({delta: {content: 'a'}}, 'index'))],
	['no choice with an index', [{role: 'assistant'}, {content: 'a'}, {content: 'b'}]
		.map(d => without({delta: d}, 'index')).join('') +
		without({finish_reason: 'stop'}, 'index') + done],
	['choices null', around(text('a') + with_({choices: null}))],
	['choices null, with usage',
		role() + text('a') + text('b') + finish() +
		with_({choices: null, usage: {prompt_tokens: 1, completion_tokens: 2, total_tokens: 3}}) + done],
	['no choices', around(text('a') + without({}, 'choices'))],
	['choices empty first, as Azure sends', with_({choices: [], model: '', id: ''}) + answer('a', 'b')],
	['a delta that is missing', around(text('a') + without({}, 'delta'))],
	['a delta that is null', around(text('a') + frame(chunk({delta: null})))],
	['content null', around(text('a') + delta({content: null}))],
	['content as an array', around(delta({content: [{type: 'text', text: 'a'}]}))],
	['content as an array of two', around(
		delta({content: [{type: 'text', text: ''}, {type: 'text', text: 'a'}]}))],
	['created as a string', around(with_({created: '1762512000'}))],
	['created as a word', around(with_({created: 'now'}))],
	['created with a fraction', around(with_({created: 1762512000.5}))],
	['error null', around(with_({error: null}))],
	['logprobs without top_logprobs', around(frame(chunk({
		delta: {content: 'a'}, logprobs: {content: [{token: 'a', logprob: -1, bytes: [97]}]},
	})))],
	['unknown members', around(with_({x: {y: [1]}, provider: 'p'}))],
	['an empty finish reason', around(frame(chunk({delta: {content: 'a'}, finish_reason: ''})))],
	['an empty data line', around(text('a') + 'data:\n\n')],
	['an empty data line with a space', around(text('a') + 'data: \n\n')],
	['an event without data', around(text('a') + 'event: ping\n\n')],
	['a ping with data', around(text('a') + 'event: ping\ndata: {"type":"ping"}\n\n')],
	['a ping with a text', around(text('a') + 'event: ping\ndata: ""\n\nevent: ping\ndata: now\n\n')],
	['every event named "message"', answer('a', 'b').replaceAll('data:', 'event: message\ndata:')],
	['comments', around(': one\n\n' + text('a') + ':\n\n: two\n')],
	['ids and comments', answer('a', 'b').replaceAll('data:', ': c\n\nid: 7\ndata:')],
	['a block with only retry', 'retry: 10\n\n' + answer('a', 'b')],
	['a byte order mark', '\uFEFF' + answer('a', 'b')],
	['CRLF', answer('a', 'b').replaceAll('\n', '\r\n')],
	['CR', answer('a', 'b').replaceAll('\n', '\r')],
	['data without a space', answer('a', 'b').replaceAll('data: ', 'data:')],
	['data over several lines', around(
		JSON.stringify(chunk({delta: {content: 'a'}}), null, 1).replace(/^/gm, 'data: ') + '\n\n')],
	['[DONE] with a space behind', answer('a', 'b').replace('[DONE]', '[DONE] ')],
	['[DONE] twice', answer('a', 'b') + done],
	['[DONE] without its empty line', answer('a', 'b').trimEnd()],
	['data after [DONE]', answer('a', 'b') + text('X') + done],
	['no [DONE]', answer('a', 'b').replace(done, '')],
	['usage in its own chunk', around(text('a')).replace(done, usage(3, 2) + done),
		{...AB, usage: {prompt_tokens: 3, completion_tokens: 2}}],

	['a tool call', call(opening, {index: 0, ...first}, {index: 0, ...second}), CALL],
	['a tool call without index', call({...opening, index: undefined}, first, second), CALL],
	['tool indexes from 1',
		call({...opening, index: 1}, {index: 1, ...first}, {index: 1, ...second}), CALL],
	['a tool call without type',
		call({...opening, type: undefined}, {index: 0, ...first}, {index: 0, ...second}), CALL],
	['a tool call with an empty type',
		call({...opening, type: ''}, {index: 0, ...first}, {index: 0, ...second}), CALL],
	['a tool call without id',
		call({...opening, id: undefined}, {index: 0, ...first}, {index: 0, ...second}), CALL],
	['a tool name null on later pieces', call(opening,
		{index: 0, function: {name: null, ...first.function}},
		{index: 0, function: {name: null, ...second.function}}), CALL],
	['a tool call in one piece', call(
		{...opening, function: {name: 'f', arguments: '{"city":"Rome"}'}}), CALL],
];

// All clients must say that something went wrong, and with these words.
const failing = [
	['an error', role() + text('a') + failure({message: 'boom', type: 'server_error'}), /boom/],
	['an error, then [DONE]', role() + text('a') + failure({message: 'boom'}) + done, /boom/],
	['an error that is a text', role() + text('a') + failure('boom') + done, /boom/],
	['an error under its event name',
		role() + text('a') + 'event: error\n' + failure({message: 'boom'}), /boom/],
	['an error event that is only a message',
		role() + text('a') + 'event: error\ndata: {"message":"boom"}\n\n', /boom/],
	['a flat error object',
		role() + text('a') + frame({object: 'error', message: 'boom', code: 500}) + done, /boom/],
	['an error without data:', role() + text('a') + '{"error":{"message":"boom"}}\n', /boom/],
	['an error in a choice', role() + text('a') + frame(chunk({error: {message: 'boom'}})), /boom/],
	['a frame that is no JSON', role() + text('a') + 'data: {"id":\n\n' + text('b') + done, /./],
	['an end without a finish reason', role() + text('a'), /./],
	['an end in the middle of a frame', role() + text('a') + text('b').slice(0, 40), /./],
];

const show = ({text, finish, tools}, {usage}, wanted) => ({
	text, finish, tools, ...wanted && {usage: {
		prompt_tokens: usage?.prompt_tokens, completion_tokens: usage?.completion_tokens,
	}},
});

describe('what upstreams do wrong', {timeout: 300_000}, () => {
	let rig;
	before(async () => {
		rig = await startRig({
			streams: {heartbeat: '1s', open_after: '1s', event_ids: true},
			timeouts: {between_tokens: '20s'},
		});
	});
	after(() => rig.stop());

	const ask = (client, model, bytes, more = {}) => {
		rig.upstream.on(model, async request => request.end(bytes));
		return client.ask({url: DIRECT ? rig.upstream.url : rig.url, model, ...more});
	};

	for (const client of clients) {
		for (const [name, bytes, wanted = AB] of mended)
			it(`${client.name} gets the right answer: ${name}`, async () => {
				const got = await ask(client, `${client.name}: ${name}`, bytes,
					{tools: wanted.tools.length > 0});
				assert.deepEqual(show(got, got, wanted.usage), wanted);
			});
		for (const [name, bytes, words] of failing)
			it(`${client.name} raises an error: ${name}`, async () => {
				await assert.rejects(ask(client, `${client.name}: ${name}`, bytes), error => {
					assert.match(String(error?.message ?? error), words);
					return true;
				});
			});
	}

	describe('silence', {concurrency: true}, () => {
		for (const client of clients)
			it(`${client.name} gets the right answer: heartbeats before and in it`, async t => {
				const model = `${client.name}: heartbeats`;
				const forwarder = await Forwarder.start(rig.port);
				t.after(() => forwarder.stop());
				rig.upstream.on(model, async request => {
					await forwarder.passed(/^: hb$/m);
					request.send(role() + text('a'));
					await forwarder.passed(/"a".*^: hb$/ms);
					request.end(text('b') + finish() + done);
				});
				const got = await within(15_000, 'an answer', client.ask({url: forwarder.url, model}));
				assert.deepEqual(show(got, got), AB);
				assert.match(forwarder.seen, /^id: \S+\.1$/m);
				assert.match(forwarder.seen, /^retry: \d+$/m);
			});
	});
});
