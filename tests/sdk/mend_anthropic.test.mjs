// What servers of Anthropic's API do wrong, seen through the clients that it breaks: each defect, each
// client, the right answer.
//
//	node --test mend_anthropic.test.mjs              the proxy mends all of it
//	DIRECT=1 node --test mend_anthropic.test.mjs     without the proxy: shows which client needs which

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {anthropicClients} from './clients.mjs';
import {startRig} from './rig.mjs';

const DIRECT = process.env.DIRECT === '1';
const AB = {text: 'ab', finish: 'stop', reasoning: '', tools: []};

const event = data => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const message = {
	id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null,
	stop_sequence: null, usage: {input_tokens: 3, output_tokens: 1},
};
const begin = (more = {}) => event({type: 'message_start', message: {...message, ...more}});
const start = (content_block, index = 0) => event({type: 'content_block_start', index, content_block});
const delta = (delta, index = 0) => event({type: 'content_block_delta', index, delta});
const text = (text, index) => delta({type: 'text_delta', text}, index);
const stop = (index = 0) => event({type: 'content_block_stop', index});
const finish = (stop_reason = 'end_turn', usage = {output_tokens: 2}) =>
	event({type: 'message_delta', delta: {stop_reason, stop_sequence: null}, usage});
const end = event({type: 'message_stop'});
const empty = start({type: 'text', text: ''});
const body = text('a') + text('b') + stop();
const whole = begin() + empty + body + finish() + end;
const calling = block => begin() + start(block) + stop() + finish('tool_use') + end;

// A name, what the upstream sends, and what each client's user shall get if it is not "ab".
const mended = [
	['nothing wrong', whole],
	['a ping', begin() + event({type: 'ping'}) + empty + body + finish() + end],
	['a ping without data', begin() + 'event: ping\n\n' + empty + body + finish() + end],
	['a ping with empty data', begin() + 'event: ping\ndata: ""\n\n' + empty + body + finish() + end],
	['an empty data line', begin() + 'data:\n\n' + empty + body + finish() + end],
	['comments', begin() + ': one\n\n: two\n' + empty + body + finish() + end],
	['events without names', whole.replaceAll(/^event: .*\n/gm, '')],
	['a byte order mark', '\uFEFF' + whole],
	['CRLF', whole.replaceAll('\n', '\r\n')],
	['[DONE] at the end', whole + 'data: [DONE]\n\n'],
	['no message_stop', begin() + empty + body + finish()],
	['no content_block_stop', begin() + empty + text('a') + text('b') + finish() + end],
	['no message_start', empty + body + finish() + end],
	['message_start without usage', begin({usage: undefined}) + empty + body + finish() + end],
	['usage without input_tokens', begin({usage: {output_tokens: 1}}) + empty + body + finish() + end],
	['message_delta without usage', begin() + empty + body + finish('end_turn', undefined) + end],
	['a gap between the numbers of blocks',
		begin() + empty + text('a') + stop() + start({type: 'text', text: ''}, 2) + text('b', 2) + stop(2) + finish() + end],
	['numbers of blocks from 1', begin() + start({type: 'text', text: ''}, 1) + text('a', 1) + text('b', 1) + stop(1) + finish() + end],
	['text in the start of a block', begin() + start({type: 'text', text: 'a'}) + text('b') + stop() + finish() + end],
	['all of the text in the start of a block', begin() + start({type: 'text', text: 'ab'}) + stop() + finish() + end],
	['thinking in the start of a block',
		begin() + start({type: 'thinking', thinking: 'hm', signature: 's'}) + stop() + start({type: 'text', text: ''}, 1) +
		text('ab', 1) + stop(1) + finish() + end, {...AB, reasoning: 'hm'}],
	['a start with text null', begin() + start({type: 'text', text: null}) + body + finish() + end],
	['a call without input', calling({type: 'tool_use', id: 't', name: 'f'}),
		{text: '', finish: 'tool_calls', reasoning: '', tools: [{name: 'f', args: {}}]}],
];

// All clients must say that something went wrong, and with these words.
const failing = [
	['an error', begin() + empty + text('a') + event({type: 'error', error: {type: 'overloaded_error', message: 'boom'}}), /boom/],
	['an error without its name',
		begin() + empty + text('a') + event({type: 'error', error: {type: 'api_error', message: 'boom'}}).replace(/^event.*\n/, ''),
		/boom/],
	['an error as OpenAI has them', begin() + empty + text('a') + 'data: {"error":{"message":"boom","type":"x"}}\n\n', /boom/],
	['an end in the middle of a block', begin() + empty + text('a'), /./],
	['a frame that is no JSON', begin() + empty + text('a') + 'data: {"id":\n\n' + finish() + end, /./],
];

const show = ({text, finish, reasoning = '', tools}) =>
	({text, finish, reasoning, tools: tools.map(({name, args}) => ({name, args: JSON.parse(args)}))});

describe('what servers of the Messages API do wrong', {timeout: 300_000}, () => {
	let rig;
	before(async () => {
		rig = await startRig({upstreams: {up: {api: 'anthropic'}}});
	});
	after(() => rig.stop());

	const ask = (client, model, bytes, more = {}) => {
		rig.upstream.on(model, async request => request.end(bytes));
		return client.ask({url: DIRECT ? rig.upstream.url : rig.url, model, ...more});
	};

	for (const client of anthropicClients) {
		for (const [name, bytes, wanted = AB] of mended)
			it(`${client.name} gets the right answer: ${name}`, async () => {
				const got = await ask(client, `${client.name}: ${name}`, bytes, {tools: wanted.tools.length > 0});
				assert.deepEqual(show(got), wanted);
			});
		for (const [name, bytes, words] of failing)
			it(`${client.name} raises an error: ${name}`, async () => {
				await assert.rejects(ask(client, `${client.name}: ${name}`, bytes), error => {
					assert.match(String(error?.message ?? error), words);
					return true;
				});
			});
	}
});
