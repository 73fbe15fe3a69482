// The providers' own packages, without the proxy, as judges of what these tests take for granted: they read the
// recordings that upstreams play, and what the proxy asks of an upstream is what they ask.
//
//	node --test truth.test.mjs

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {after, before, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';
import {GoogleGenAI} from '@google/genai';
import {Ollama} from 'ollama';
import {anthropicClients, clients, openai, responsesClients} from './clients.mjs';
import {Sluice} from './rig.mjs';

const SCRIPT = fileURLToPath(new URL('../integration/apis.py', import.meta.url));
const APIS = JSON.parse(execFileSync('python3', [SCRIPT], {maxBuffer: 1 << 26}));
const TEXT = 'Hello w\u00f6rld \u{1f600}';
const CALLS = [{name: 'get_weather', args: {city: 'Oslo'}}, {name: 'get_time', args: {zone: 'UTC'}}];
const TOOLS = CALLS.map(({name}) => name);

// Plays the recordings of an API, whatever the path; `asked` is what the last request was.
class Recorded {
	static async start(api) {
		const self = new Recorded();
		self.server = createServer(async (request, response) => {
			const parts = [];
			for await (const part of request) parts.push(part);
			self.asked = {path: request.url, headers: request.headers, body: JSON.parse(Buffer.concat(parts))};
			response.writeHead(200, {'content-type': APIS[api].type});
			for (const piece of APIS[api].say[self.scenario]) response.write(Buffer.from(piece, 'base64'));
			if (self.scenario === 'cut') response.socket.end();
			else response.end();
		});
		self.server.listen(0, '127.0.0.1');
		await once(self.server, 'listening');
		self.url = `http://127.0.0.1:${self.server.address().port}`;
		return self;
	}

	stop() {
		this.server.close();
		this.server.closeAllConnections();
	}
}

const google = url => new GoogleGenAI({apiKey: 'k', apiVersion: 'v1beta', httpOptions: {baseUrl: url, retryOptions: {attempts: 1}}});

async function readGoogle(url) {
	const out = {text: '', reasoning: '', tools: []};
	for await (const chunk of await google(url).models.generateContentStream({model: 'm', contents: 'hi'})) {
		for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
			if (part.text) out[part.thought ? 'reasoning' : 'text'] += part.text;
			if (part.functionCall) out.tools.push({name: part.functionCall.name, args: part.functionCall.args});
		}
		out.finish = chunk.candidates?.[0]?.finishReason ?? out.finish;
		out.usage = chunk.usageMetadata ?? out.usage;
	}
	return {...out, usage: [out.usage.promptTokenCount, out.usage.candidatesTokenCount]};
}

async function readOllama(url) {
	const out = {text: '', reasoning: '', tools: []};
	for await (const part of await new Ollama({host: url}).chat({
		model: 'm', messages: [{role: 'user', content: 'hi'}], stream: true,
	})) {
		out.text += part.message.content ?? '';
		out.reasoning += part.message.thinking ?? '';
		for (const {function: f} of part.message.tool_calls ?? []) out.tools.push({name: f.name, args: f.arguments});
		out.finish = part.done_reason ?? out.finish;
		out.usage = [part.prompt_eval_count, part.eval_count];
	}
	return out;
}

const own = client => async (url, scenario) => {
	const got = await client.ask({url, model: 'm', ...scenario === 'tools' && {tools: TOOLS}});
	return {
		...got, tools: got.tools.map(({name, args}) => ({name, args: JSON.parse(args)})),
		usage: [got.usage.prompt_tokens, got.usage.completion_tokens],
	};
};

const readers = {
	openai: own(clients[0]),
	openai_responses: own(responsesClients[1]),
	anthropic: own(anthropicClients[1]),
	gemini: readGoogle,
	ollama: readOllama,
};

for (const [api, read] of Object.entries(readers)) {
	describe(`the recordings of ${api}, read by its own package`, {timeout: 300_000}, () => {
		let upstream;
		before(async () => { upstream = await Recorded.start(api); });
		after(() => upstream.stop());
		const play = scenario => {
			upstream.scenario = scenario;
			return read(upstream.url, scenario);
		};

		it('say what they are to say', async () => {
			const text = await play('text');
			assert.equal(text.text, TEXT);
			assert.deepEqual(text.usage, [11, 7]);
			const tools = await play('tools');
			assert.deepEqual(tools.tools, CALLS);
			assert.equal(tools.text, 'Let me look.');
			const thought = await play('reasoning');
			assert.deepEqual([thought.reasoning, thought.text], ['Hmm, two.', '2']);
			assert.ok((await play('long')).finish);
		});

		it('fail as they are to fail', async () => {
			await assert.rejects(play('error'), /Overloaded for now/);
		});
	});
}

const system = 'Be brief.', question = 'What is this?', image = 'iVBORw0KGgo=';
const strict = {
	type: 'object', properties: {city: {type: 'string'}}, required: ['city'], additionalProperties: false,
};
const chat = {
	max_tokens: 50, temperature: 0.5, top_p: 0.75, stop: ['END'], seed: 7, stream: true,
	tools: [{type: 'function', function: {name: 'f', description: 'd', parameters: strict}}],
	messages: [
		{role: 'system', content: system},
		{role: 'user', content: [
			{type: 'text', text: question}, {type: 'image_url', image_url: {url: `data:image/png;base64,${image}`}},
		]},
		{role: 'assistant', content: 'Let me ask.', tool_calls: [
			{id: 'call_1', type: 'function', function: {name: 'f', arguments: '{"city":"Oslo"}'}},
		]},
		{role: 'tool', tool_call_id: 'call_1', content: 'rain'},
	],
};

describe('what an upstream is asked', {timeout: 300_000}, () => {
	const upstreams = {};
	let proxy;
	before(async () => {
		for (const api of ['gemini', 'ollama']) {
			upstreams[api] = await Recorded.start(api);
			upstreams[api].scenario = 'text';
		}
		proxy = await Sluice.start({config: {upstreams: Object.fromEntries(
			Object.entries(upstreams).map(([api, {url}]) => [api, {api, url, key: 'k'}]))}});
	});
	after(async () => {
		await proxy.stop();
		for (const upstream of Object.values(upstreams)) upstream.stop();
	});
	const askedByProxy = async (api, model = 'm') => {
		for await (const _ of await openai(proxy.url).chat.completions.create({...chat, model: `${api}/${model}`}));
		return upstreams[api].asked;
	};

	it('is what Google\u2019s own package asks', async () => {
		const ours = await askedByProxy('gemini', 'gemini-3-pro-preview');
		for await (const _ of await google(upstreams.gemini.url).models.generateContentStream({
			model: 'gemini-3-pro-preview',
			contents: [
				{role: 'user', parts: [{text: question}, {inlineData: {mimeType: 'image/png', data: image}}]},
				{role: 'model', parts: [{text: 'Let me ask.'}, {functionCall: {id: 'call_1', name: 'f', args: {city: 'Oslo'}}}]},
				{role: 'user', parts: [{functionResponse: {id: 'call_1', name: 'f', response: {result: 'rain'}}}]},
			],
			config: {
				systemInstruction: {parts: [{text: system}]}, maxOutputTokens: 50, temperature: 0.5, topP: 0.75,
				stopSequences: ['END'], seed: 7,
				tools: [{functionDeclarations: [{name: 'f', description: 'd', parametersJsonSchema: strict}]}],
			},
		}));
		const theirs = upstreams.gemini.asked;
		assert.equal(ours.path, theirs.path);
		assert.equal(ours.headers['x-goog-api-key'], theirs.headers['x-goog-api-key']);
		// Google wants its signature with a call, or this word for one that is not its own.
		const call = ours.body.contents[1].parts.find(part => part.functionCall);
		assert.equal(call.thoughtSignature, 'skip_thought_signature_validator');
		delete call.thoughtSignature;
		assert.deepEqual(ours.body.contents, theirs.body.contents);
		assert.deepEqual(ours.body.generationConfig, theirs.body.generationConfig);
		assert.deepEqual(ours.body.tools, theirs.body.tools);
		assert.deepEqual(ours.body.systemInstruction.parts, theirs.body.systemInstruction.parts);
	});

	it('is what Ollama\u2019s own package asks', async () => {
		const ours = await askedByProxy('ollama');
		for await (const _ of await new Ollama({host: upstreams.ollama.url}).chat({
			model: 'm', stream: true, tools: chat.tools,
			messages: [
				{role: 'system', content: system},
				{role: 'user', content: question, images: [image]},
				{role: 'assistant', content: 'Let me ask.', tool_calls: [{function: {name: 'f', arguments: {city: 'Oslo'}}}]},
				{role: 'tool', tool_name: 'f', content: 'rain'},
			],
			options: {num_predict: 50, temperature: 0.5, top_p: 0.75, stop: ['END'], seed: 7},
		}));
		const theirs = upstreams.ollama.asked;
		assert.equal(ours.path, theirs.path);
		assert.deepEqual(ours.body, theirs.body);
	});
});
