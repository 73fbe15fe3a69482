// Conversations of several steps and turns, of which clients of the Responses API send only the new
// part: AI SDK names the items of earlier steps by their ids, OpenAI's SDK the response before. The
// upstreams behind the proxy are told all of it.
//
//	node --test references.test.mjs

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {after, before, beforeEach, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';
import {createOpenAI} from '@ai-sdk/openai';
import {generateText, jsonSchema, stepCountIs, streamText, tool} from 'ai';
import {openai} from './clients.mjs';
import {Sluice} from './rig.mjs';

const SCRIPT = fileURLToPath(new URL('../integration/apis.py', import.meta.url));
const APIS = JSON.parse(execFileSync('python3', [SCRIPT], {maxBuffer: 1 << 26}));
const ANSWER = 'Hello w\u00f6rld \u{1f600}'; // of the scenario "text"

// The calls' arguments are not looked at: each returns what it was asked.
const tools = Object.fromEntries(['get_weather', 'get_time'].map(name => [name, tool({
	inputSchema: jsonSchema({type: 'object', additionalProperties: true}),
	execute: async asked => ({name, asked}),
})]));

// An upstream that plays the scenarios one after the other.
async function play({type, say}) {
	const server = createServer(async (request, response) => {
		const parts = [];
		for await (const part of request) parts.push(part);
		server.asked.push(JSON.parse(Buffer.concat(parts).toString()));
		response.writeHead(200, {'content-type': type});
		for (const piece of say[server.scenarios.shift()]) response.write(Buffer.from(piece, 'base64'));
		response.end();
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return server;
}

for (const api of ['openai', 'anthropic']) {
	describe(`conversations before an upstream of ${api}`, {timeout: 300_000}, () => {
		let proxy, server;
		before(async () => {
			server = await play(APIS[api]);
			proxy = await Sluice.start({config: {
				upstreams: {up: {url: `http://127.0.0.1:${server.address().port}`, key: 'k', ...APIS[api].options}},
				models: {'*': 'up'},
			}});
		});
		after(async () => {
			await proxy?.stop();
			server?.close();
			server?.closeAllConnections();
		});
		let sent; // by the SDK
		beforeEach(() => {
			server.asked = [];
			sent = [];
		});

		const model = () => createOpenAI({
			apiKey: 'k',
			baseURL: `${proxy.url}/v1`,
			fetch: (url, init) => {
				sent.push(init.body);
				return fetch(url, init);
			},
		}).responses('m');
		const loop = {tools, stopWhen: stepCountIs(3)};
		const read = async result => ({
			text: await result.text, steps: await result.steps,
			messages: await result.responseMessages,
		});
		const ways = {
			generateText: async options => read(await generateText(options)),
			streamText: async options => read(streamText({...options, onError: ({error}) => { throw error; }})),
		};

		for (const [name, run] of Object.entries(ways)) {
			it(`${name} of AI SDK ends a tool loop with its answer`, async () => {
				server.scenarios = ['tools', 'text'];
				const {text, steps} = await run({model: model(), prompt: 'how is it?', ...loop});
				assert.equal(text, ANSWER);
				assert.deepEqual(steps.map(step => step.finishReason), ['tool-calls', 'stop']);
				assert.match(sent[1], /item_reference/); // else nothing is tested here
				const asked = JSON.stringify(server.asked[1]);
				for (const word of ['Let me look.', 'Oslo', 'UTC', 'get_weather', 'get_time'])
					assert.ok(asked.includes(word), `${word} in ${asked}`);
			});
		}

		it('AI SDK goes on with a second turn', async () => {
			server.scenarios = ['reasoning', 'tools', 'text', 'text'];
			const question = {role: 'user', content: 'how is it?'};
			const thought = await ways.generateText({model: model(), messages: [question], ...loop});
			const looked = await ways.generateText({
				model: model(), messages: [question, ...thought.messages, question], ...loop,
			});
			assert.equal(looked.text, ANSWER);
			const last = await ways.streamText({
				model: model(), ...loop,
				messages: [question, ...thought.messages, question, ...looked.messages, question],
			});
			assert.equal(last.text, ANSWER);
			const roles = server.asked[3].messages.map(message => message.role);
			assert.equal(roles.filter(role => role === 'assistant').length, 3);
			assert.match(sent[3], /item_reference/);
		});

		it('OpenAI\'s SDK goes on from the response before', async () => {
			server.scenarios = ['tools', 'text'];
			const client = openai(proxy.url);
			const functions = Object.keys(tools).map(name =>
				({type: 'function', name, parameters: {type: 'object'}, strict: false}));
			const first = await client.responses.create({model: 'm', input: 'how is it?', tools: functions});
			const second = await client.responses.create({
				model: 'm', previous_response_id: first.id, tools: functions,
				input: first.output.filter(item => item.type === 'function_call')
					.map(({call_id: id}) => ({type: 'function_call_output', call_id: id, output: 'fine'})),
			});
			assert.equal(second.output_text, ANSWER);
			assert.match(JSON.stringify(server.asked[1]), /how is it\?.*Oslo.*fine/);
		});
	});
}
