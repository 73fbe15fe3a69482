// The openai package against the OpenAI routes, when all goes well.
//
//	node --test openai.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {openai} from './clients.mjs';
import {barrier, startRig, within} from './rig.mjs';
import {
	answer, chunk, done, finish, frame, reasoning, role, text, tool, usage,
} from './upstream.mjs';

const messages = [{role: 'user', content: 'hi'}];
const tools = [{type: 'function', function: {
	name: 'weather', parameters: {type: 'object', properties: {city: {type: 'string'}}},
}}];

describe('the openai package', {timeout: 300_000}, () => {
	let rig, client;
	before(async () => {
		rig = await startRig();
		client = openai(rig.url);
	});
	after(() => rig.stop());

	const whenAsked = (model, bytes) => {
		rig.upstream.on(model, async call => call.end(bytes));
		return {model, messages};
	};

	it('gets each token when the upstream has sent it, not later', async () => {
		const steps = [barrier(), barrier(), barrier()];
		rig.upstream.on('stepwise', async call => {
			call.send(role());
			for (const [i, step] of steps.entries()) {
				call.send(text(`t${i} `));
				await step.opened; // the next one only when the client has this one
			}
			call.end(finish() + done);
		});
		const got = [];
		const stream = await client.chat.completions.create({model: 'stepwise', messages, stream: true});
		for await (const {choices: [{delta, finish_reason: end}]} of stream) {
			if (delta.content) {
				got.push(delta.content);
				steps[got.length - 1].open();
			}
			if (end) got.push(end);
		}
		assert.deepEqual(got, ['t0 ', 't1 ', 't2 ', 'stop']);
	});

	it('gets every byte of a text that is hard to frame', async () => {
		const words = ['\n', '\r\n', '\r', 'a\revent: x\rdata: y', ' lead', '', '\uFEFF', '\u2028',
			'😀', 'data: [DONE]', '\n\n', '"\\', '\u0000', '</script>'];
		const {model} = whenAsked('bytes', answer(...words));
		let got = '';
		for await (const part of await client.chat.completions.create({model, messages, stream: true}))
			got += part.choices[0].delta.content ?? '';
		assert.equal(got, words.join(''));
	});

	it('sends its request on as it is, with the key of the provider', async () => {
		const {model} = whenAsked('request', answer('a'));
		const asked = {
			model, messages: [{role: 'system', content: 'é😀'}, ...messages], stream: true,
			temperature: 0.1, seed: 7, stop: ['\n'], metadata: {a: 'b'},
			stream_options: {include_usage: true},
		};
		await openai(rig.url, {organization: 'org', project: 'proj'}).chat.completions
			.create(asked).then(async stream => { for await (const _ of stream); });
		const [call] = rig.upstream.of(model);
		assert.equal(call.path, '/v1/chat/completions');
		assert.deepEqual(call.json, asked);
		assert.equal(call.headers.authorization, 'Bearer provider-key');
		assert.equal(call.headers['openai-organization'], 'org');
		assert.equal(call.headers['openai-project'], 'proj');
		assert.ok(!JSON.stringify(call.headers).includes('client-key'));
		assert.ok(!Object.keys(call.headers).some(name => name.startsWith('x-stainless')));
	});

	it('sees members that nobody knows', async () => {
		const {model} = whenAsked('unknown', role() +
			frame(chunk({delta: {content: 'a', extra: {deep: [1, 2.50]}}, native: 'x'}, {vendor: '1'})) +
			frame(chunk({finish_reason: 'weird_end'})) + done);
		const got = [];
		for await (const part of await client.chat.completions.create({model, messages, stream: true}))
			got.push(part);
		assert.equal(got[1].vendor, '1');
		assert.equal(got[1].choices[0].native, 'x');
		assert.deepEqual(got[1].choices[0].delta.extra, {deep: [1, 2.5]});
		assert.equal(got[2].choices[0].finish_reason, 'weird_end');
	});

	it('gets usage when it asks for it, and is spared it otherwise', async () => {
		const {model} = whenAsked('usage', role() + text('a') + finish() + usage(5, 1) + done);
		for (const asked of [true, false]) {
			let last;
			for await (const part of await client.chat.completions.create({
				model, messages, stream: true, ...asked && {stream_options: {include_usage: true}},
			})) last = part;
			assert.deepEqual([last.choices.length, last.usage?.total_tokens],
				asked ? [0, 6] : [1, undefined]);
		}
	});

	it('reads two choices beside each other', async () => {
		const {model} = whenAsked('two', [[0, 'a'], [1, 'x'], [0, 'b'], [1, 'y']].map(
			([index, content]) => frame(chunk({index, delta: {role: 'assistant', content}}))).join('') +
			frame(chunk({index: 0, finish_reason: 'stop'})) +
			frame(chunk({index: 1, finish_reason: 'length'})) + done);
		const got = await client.chat.completions.stream({model, messages, n: 2}).finalChatCompletion();
		assert.deepEqual(got.choices.map(c => [c.message.content, c.finish_reason]),
			[['ab', 'stop'], ['xy', 'length']]);
	});

	it('collects text, events and usage with .stream()', async () => {
		const {model} = whenAsked('helper',
			role() + text('Hel') + text('lo') + finish() + usage(4, 2) + done);
		const runner = client.chat.completions.stream({
			model, messages, stream_options: {include_usage: true},
		});
		const deltas = [];
		runner.on('content', delta => deltas.push(delta));
		assert.equal(await runner.finalContent(), 'Hello');
		assert.deepEqual(deltas, ['Hel', 'lo']);
		assert.equal((await runner.totalUsage()).completion_tokens, 2);
		assert.equal((await runner.finalChatCompletion()).usage.prompt_tokens, 4);
	});

	it('collects tool calls with .stream(), two of them woven into each other', async () => {
		const call = (index, id, name) =>
			tool({index, id, type: 'function', function: {name, arguments: ''}});
		const args = (index, piece) => tool({index, function: {arguments: piece}});
		const {model} = whenAsked('tools', role() + call(0, 'c0', 'weather') + call(1, 'c1', 'weather') +
			args(0, '{"city":') + args(1, '{"city":') + args(0, '"Rome"}') + args(1, '"Oslo"}') +
			finish('tool_calls') + done);
		const runner = client.chat.completions.stream({model, messages, tools});
		const {choices: [{message, finish_reason: end}]} = await runner.finalChatCompletion();
		assert.equal(end, 'tool_calls');
		assert.deepEqual(message.tool_calls.map(
			({id, type, function: f}) => [id, type, f.name, f.arguments]), [
			['c0', 'function', 'weather', '{"city":"Rome"}'],
			['c1', 'function', 'weather', '{"city":"Oslo"}'],
		]);
	});

	it('collects a refusal with .stream()', async () => {
		const {model} = whenAsked('refusal', role() +
			frame(chunk({delta: {refusal: 'I '}})) + frame(chunk({delta: {refusal: 'cannot.'}})) +
			finish() + done);
		const message = await client.chat.completions.stream({model, messages}).finalMessage();
		assert.equal(message.refusal, 'I cannot.');
	});

	it('sees reasoning beside the text', async () => {
		const {model} = whenAsked('reasoning', role() + reasoning('hm') + text('yes') + finish() + done);
		let thought = '';
		for await (const part of await client.chat.completions.create({model, messages, stream: true}))
			thought += part.choices[0].delta.reasoning_content ?? '';
		assert.equal(thought, 'hm');
	});

	it('gets a whole answer as the upstream wrote it', async () => {
		const whole = {
			id: 'chatcmpl-2', object: 'chat.completion', created: 1, model: 'whole', vendor: {x: [1]},
			choices: [{index: 0, message: {role: 'assistant', content: 'all of it', refusal: null},
				finish_reason: 'stop', logprobs: null}],
			usage: {prompt_tokens: 1, completion_tokens: 3, total_tokens: 4},
		};
		rig.upstream.on('whole', async call => call.reply(200, whole));
		const {data, response} = await client.chat.completions
			.create({model: 'whole', messages}).withResponse();
		const {_request_id: id, ...got} = data;
		assert.deepEqual(got, whole);
		assert.equal(id ?? response.headers.get('x-request-id'), response.headers.get('x-request-id'));
		assert.ok(response.headers.get('x-request-id'));
		assert.match(response.headers.get('content-type'), /^application\/json/);
	});

	it('gets legacy completions, whole and streamed', async () => {
		const piece = (words, end = null) => ({
			id: 'cmpl-1', object: 'text_completion', created: 1, model: 'legacy',
			choices: [{text: words, index: 0, logprobs: null, finish_reason: end}],
		});
		rig.upstream.on('legacy', async call => call.json.stream
			? call.end(frame(piece('one ')) + frame(piece('two')) + frame(piece('', 'stop')) + done)
			: call.reply(200, {...piece('one two', 'stop'), usage: {total_tokens: 3}}));
		const asked = {model: 'legacy', prompt: 'count'};
		let got = '', end;
		for await (const {choices: [c]} of await client.completions.create({...asked, stream: true})) {
			got += c.text;
			end = c.finish_reason;
		}
		assert.deepEqual([got, end], ['one two', 'stop']);
		const whole = await client.completions.create(asked);
		assert.equal(whole.choices[0].text, 'one two');
		assert.deepEqual(rig.upstream.of('legacy').map(call => call.path),
			['/v1/completions', '/v1/completions']);
	});

	it('gets embeddings, as numbers and packed', async () => {
		const vector = [0.5, -0.25, 1];
		rig.upstream.on('embed', async call => call.reply(200, {
			object: 'list', model: 'embed', usage: {prompt_tokens: 1, total_tokens: 1},
			data: [{object: 'embedding', index: 0, embedding: call.json.encoding_format === 'base64'
				? Buffer.from(new Float32Array(vector).buffer).toString('base64') : vector}],
		}));
		for (const encoding_format of [undefined, 'float']) {
			const {data: [{embedding}]} = await client.embeddings.create({
				model: 'embed', input: ['a'], ...encoding_format && {encoding_format},
			});
			assert.deepEqual([...embedding], vector);
		}
		assert.equal(rig.upstream.of('embed')[0].path, '/v1/embeddings');
	});

	it('lists models', async () => {
		rig.upstream.on('GET /v1/models', async call => call.reply(200, {object: 'list', data: [
			{id: 'm1', object: 'model', created: 1, owned_by: 'somebody'},
			{id: 'm2', object: 'model', created: 2, owned_by: 'somebody'},
		]}));
		const ids = [];
		for await (const model of client.models.list()) ids.push(model.id);
		assert.deepEqual(ids, ['m1', 'm2']);
	});

	it('may ask with an Idempotency-Key twice, and the upstream is asked once', async () => {
		const both = barrier();
		rig.upstream.on('idempotent', async call => {
			call.send(role() + text('a'));
			await both.opened;
			call.end(text('b') + finish() + done);
		});
		const ask = async () => {
			let got = '';
			for await (const part of await client.chat.completions.create(
				{model: 'idempotent', messages, stream: true},
				{headers: {'Idempotency-Key': 'the-same'}})) {
				got += part.choices[0].delta.content ?? '';
				if (got === 'a' && ++seen === 2) both.open();
			}
			return got;
		};
		let seen = 0;
		const asked = Promise.all([ask(), ask()]);
		assert.deepEqual(await within(5000, 'both answers', asked).finally(both.open), ['ab', 'ab']);
		assert.equal(rig.upstream.of('idempotent').length, 1);
	});

	it('may repeat a request with Last-Event-ID, and goes on where it was', async () => {
		const {model} = whenAsked('again', answer('a', 'b', 'c'));
		const ask = headers => fetch(`${rig.url}/v1/chat/completions`, {
			method: 'POST', headers: {'content-type': 'application/json', ...headers},
			body: JSON.stringify({model, messages, stream: true}),
		});
		const first = await (await ask({'X-Sluice-Client-Leaves': 'detach 30s'})).text();
		const position = first.match(/^data: .*"content":"b".*\nid: (\S+)$/m)[1];
		const stream = await client.chat.completions.create(
			{model, messages, stream: true}, {headers: {'Last-Event-ID': position}});
		let got = '';
		for await (const part of stream) got += part.choices[0].delta.content ?? '';
		assert.equal(got, 'c');
		assert.equal(rig.upstream.of(model).length, 1);
	});
});
