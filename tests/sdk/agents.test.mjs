// What agents do with their packages, before every API that upstreams speak: the loops that call tools and go on
// with the results, and answers that are data of a schema. Each package keeps the conversation by itself, so that
// what it gives back of an answer is all that the upstream is told the next time.
//
//	node --test agents.test.mjs

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {after, before, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';
import {createAnthropic} from '@ai-sdk/anthropic';
import {createOpenAI} from '@ai-sdk/openai';
import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {betaZodTool} from '@anthropic-ai/sdk/helpers/beta/zod';
import {zodOutputFormat} from '@anthropic-ai/sdk/helpers/zod';
import {tool as langchainTool} from '@langchain/core/tools';
import {HumanMessage} from '@langchain/core/messages';
import {ChatOpenAI} from '@langchain/openai';
import {Output, stepCountIs, streamText, tool} from 'ai';
import {zodFunction, zodResponseFormat, zodTextFormat} from 'openai/helpers/zod';
import {z} from 'zod';
import {anthropic, openai} from './clients.mjs';
import {Sluice, startRig} from './rig.mjs';

const SCRIPT = fileURLToPath(new URL('../integration/apis.py', import.meta.url));
const APIS = JSON.parse(execFileSync('python3', [SCRIPT], {maxBuffer: 1 << 26}));
const TEXT = 'Hello w\u00f6rld \u{1f600}'; // of the scenario "text"
const OBJECT = {city: 'Oslo', days: [1, 2]}; // of the scenario "object"
const CALLS = [['get_weather', {city: 'Oslo'}], ['get_time', {zone: 'UTC'}]];

const schema = z.object({city: z.string(), days: z.array(z.number())});
const prompt = 'How is it?';
const messages = [{role: 'user', content: prompt}];
const description = 'tells how it is';
const inputs = {get_weather: z.object({city: z.string()}), get_time: z.object({zone: z.string()})};

// One run of an agent: its tools note what they were asked, and say so.
class Run {
	called = [];
	run(name) {
		return asked => {
			this.called.push([name, asked]);
			return `result of ${name}`;
		};
	}
	// A list of what `make` makes of each tool.
	tools(make) {
		return Object.entries(inputs).map(([name, input]) => make(name, input, this.run(name)));
	}
	aiTools() {
		return Object.fromEntries(this.tools((name, inputSchema, execute) =>
			[name, tool({description, inputSchema, execute: async asked => execute(asked)})]));
	}
}

// An upstream that calls tools when it is offered some and has no results yet.
async function play({type, say}) {
	const server = createServer(async (request, response) => {
		const parts = [];
		for await (const part of request) parts.push(part);
		const body = Buffer.concat(parts).toString();
		server.asked.push(body);
		const scenario = body.includes('result of get_time') ? 'text' : body.includes(description) ? 'tools' : 'object';
		response.writeHead(200, {'content-type': type});
		for (const piece of say[scenario]) response.write(Buffer.from(piece, 'base64'));
		response.end();
	});
	server.asked = [];
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return server;
}

const models = {
	'AI SDK openai': url => createOpenAI({apiKey: 'k', baseURL: `${url}/v1`}).chat,
	'AI SDK openai-compatible': url => createOpenAICompatible({
		name: 'sluice', apiKey: 'k', baseURL: `${url}/v1`, includeUsage: true, supportsStructuredOutputs: true}),
	'AI SDK openai responses': url => createOpenAI({apiKey: 'k', baseURL: `${url}/v1`}).responses,
	'AI SDK anthropic': url => createAnthropic({apiKey: 'k', baseURL: `${url}/v1`}),
};
const chat = (url, model) =>
	new ChatOpenAI({model, apiKey: 'k', maxRetries: 0, configuration: {baseURL: `${url}/v1`}});
const fail = ({error}) => { throw error; };
const ofAi = ({inputTokens, outputTokens}) => [inputTokens, outputTokens];

// Loops: the text at the end, and the tokens of both rounds together where the package counts them.
const loops = {
	'openai runTools()': async (url, model, run) => {
		const runner = openai(url).chat.completions.runTools({model, messages, tools: run.tools((name, parameters, f) =>
			zodFunction({name, parameters, function: f, description}))});
		const {prompt_tokens: i, completion_tokens: o} = await runner.totalUsage();
		return {text: await runner.finalContent(), usage: [i, o]};
	},
	'openai runTools(), streaming': async (url, model, run) => {
		const runner = openai(url).chat.completions.runTools({model, messages, stream: true,
			stream_options: {include_usage: true}, tools: run.tools((name, parameters, f) =>
				zodFunction({name, parameters, function: f, description}))});
		const {prompt_tokens: i, completion_tokens: o} = await runner.totalUsage();
		return {text: await runner.finalContent(), usage: [i, o]};
	},
	'@anthropic-ai/sdk toolRunner()': async (url, model, run) => {
		const {content} = await anthropic(url).beta.messages.toolRunner({model, max_tokens: 100, messages,
			tools: run.tools((name, inputSchema, f) => betaZodTool({name, inputSchema, description, run: f}))});
		return {text: content.map(block => block.text ?? '').join('')};
	},
	'@anthropic-ai/sdk toolRunner(), streaming': async (url, model, run) => {
		const runner = anthropic(url).beta.messages.toolRunner({model, max_tokens: 100, messages, stream: true,
			tools: run.tools((name, inputSchema, f) => betaZodTool({name, inputSchema, description, run: f}))});
		const usage = [0, 0];
		let text;
		for await (const stream of runner) {
			const {content, usage: u} = await stream.finalMessage();
			text = content.map(block => block.text ?? '').join('');
			usage[0] += u.input_tokens;
			usage[1] += u.output_tokens;
		}
		return {text, usage};
	},
	'LangChain bindTools()': async (url, model, run) => {
		const tools = run.tools((name, s, f) => langchainTool(async asked => f(asked), {name, description, schema: s}));
		const bound = chat(url, model).bindTools(tools), talk = [new HumanMessage(prompt)], usage = [0, 0];
		for (;;) {
			let said;
			for await (const piece of await bound.stream(talk)) said = said ? said.concat(piece) : piece;
			usage[0] += said.usage_metadata.input_tokens;
			usage[1] += said.usage_metadata.output_tokens;
			talk.push(said);
			if (!said.tool_calls.length) return {text: said.text, usage};
			for (const call of said.tool_calls) talk.push(await tools.find(t => t.name === call.name).invoke(call));
		}
	},
	...Object.fromEntries(Object.entries(models).map(([name, of]) => (
		[`${name} streamText()`, async (url, model, run) => {
			const result = streamText({model: of(url)(model), prompt, maxRetries: 0, onError: fail,
				tools: run.aiTools(), stopWhen: stepCountIs(3)});
			return {text: await result.text, usage: ofAi(await result.totalUsage)};
		}]
	))),
};

// Data of a schema.
const extractions = {
	'openai parse()': async (url, model) => (await openai(url).chat.completions.parse({
		model, messages, response_format: zodResponseFormat(schema, 'weather')})).choices[0].message.parsed,
	'openai .stream()': async (url, model) => (await openai(url).chat.completions.stream({
		model, messages, response_format: zodResponseFormat(schema, 'weather')}).finalChatCompletion())
		.choices[0].message.parsed,
	'openai responses.parse()': async (url, model) => (await openai(url).responses.parse({
		model, input: prompt, text: {format: zodTextFormat(schema, 'weather')}})).output_parsed,
	'openai responses.stream()': async (url, model) => (await openai(url).responses.stream({
		model, input: prompt, text: {format: zodTextFormat(schema, 'weather')}}).finalResponse()).output_parsed,
	'@anthropic-ai/sdk messages.parse()': async (url, model) => (await anthropic(url).messages.parse({
		model, max_tokens: 100, messages, output_config: {format: zodOutputFormat(schema)}})).parsed_output,
	'@anthropic-ai/sdk messages.stream()': async (url, model) => (await anthropic(url).messages.stream({
		model, max_tokens: 100, messages, output_config: {format: zodOutputFormat(schema)}}).finalMessage()).parsed_output,
	'LangChain withStructuredOutput()': (url, model) =>
		chat(url, model).withStructuredOutput(schema, {method: 'jsonSchema', name: 'weather'}).invoke(prompt),
	...Object.fromEntries(Object.entries(models).map(([name, of]) => (
		[`${name} Output.object(), streaming`, async (url, model) => {
			const result = streamText({
				model: of(url)(model), prompt, maxRetries: 0, onError: fail, output: Output.object({schema})});
			let last;
			for await (const part of result.partialOutputStream) last = part;
			assert.deepEqual(last, OBJECT);
			return result.output;
		}]
	))),
};

// Which requests go on as they are: then a recording is no answer to what asks for no stream, and what the server
// of an API is said to hold it is not told again.
const isOwn = {
	openai: name => !/responses|anthropic/.test(name),
	openai_responses: name => /responses/.test(name),
	anthropic: name => /anthropic/.test(name),
	bedrock_invoke: name => /anthropic/.test(name),
};
const streams = /stream|bindTools/i;
const APART = ['azure', 'gemini_array']; // no different from their kin here

describe('agents', {timeout: 60_000, concurrency: 3}, () => {
	const servers = {};
	let proxy;
	before(async () => {
		const upstreams = {};
		for (const [name, api] of Object.entries(APIS)) {
			const server = servers[name] = await play(api);
			const key = api.options.access_key ? {} : {key: 'provider-key'};
			upstreams[name] = {url: `http://127.0.0.1:${server.address().port}`, ...key, ...api.options};
		}
		proxy = await Sluice.start({config: {upstreams}});
	});
	after(async () => {
		await proxy?.stop();
		for (const server of Object.values(servers)) {
			server.close();
			server.closeAllConnections();
		}
	});

	for (const api of Object.keys(APIS).filter(name => !APART.includes(name))) {
		const isSkipped = name => isOwn[api]?.(name) && !streams.test(name);
		describe(`before ${api}`, {concurrency: 1}, () => {
			for (const [name, loop] of Object.entries(loops)) {
				if (isSkipped(name)) continue;
				it(`${name} ends with the answer`, async () => {
					servers[api].asked = [];
					const run = new Run();
					const {text, usage} = await loop(proxy.url, `${api}/m`, run);
					assert.equal(text, TEXT);
					assert.deepEqual(run.called, CALLS);
					if (usage) assert.deepEqual(usage, [22, 14]);
					assert.equal(servers[api].asked.length, 2);
					const told = api !== 'bedrock_invoke' && isOwn[api]?.(name) ? [] : ['Oslo', 'UTC', 'Let me look.'];
					for (const word of ['result of get_weather', 'result of get_time', ...told])
						assert.ok(servers[api].asked[1].includes(word), `${word} in ${servers[api].asked[1]}`);
				});
			}
			for (const [name, extract] of Object.entries(extractions)) {
				if (isSkipped(name)) continue;
				it(`${name} has its object`, async () => {
					servers[api].asked = [];
					assert.deepEqual(await extract(proxy.url, `${api}/m`), OBJECT);
					if (api !== 'bedrock') // which has no schema
						assert.match(servers[api].asked[0], /"days"/);
				});
			}
		});
	}

	it('a thread of Anthropic\u2019s goes on before a server that holds none', async () => {
		servers.azure.asked = [];
		const thread = anthropic(proxy.url).beta.messages.thread({model: 'azure/m', max_tokens: 100});
		for (const content of ['First.', 'Second.', 'Third.'])
			await thread.stream({role: 'user', content}).finalMessage();
		const {asked} = servers.azure;
		assert.equal(asked.length, 3);
		assert.deepEqual(JSON.parse(asked[2]).messages.map(m => m.role), ['user', 'assistant', 'user', 'assistant', 'user']);
		assert.ok(!asked.join('').includes('thread'));
	});
});

describe('a thread of Anthropic\u2019s before its own API', {timeout: 30_000}, () => {
	it('is told again where its server has lost it', async () => {
		const rig = await startRig({upstreams: {up: {api: 'anthropic'}}});
		const lost = {type: 'error', error: {
			type: 'not_found_error', message: 'No such thread', details: {error_code: 'thread_not_found'}}};
		rig.upstream.on('m', (call, n) => {
			if (n === 2) return call.reply(404, lost);
			for (const piece of APIS.anthropic.say.text) call.send(Buffer.from(piece, 'base64'));
			return call.end();
		});
		const thread = anthropic(rig.url).beta.messages.thread({model: 'm', max_tokens: 100});
		for (const content of ['First.', 'Second.'])
			await thread.stream({role: 'user', content}).finalMessage();
		const asked = rig.upstream.of('m').map(({json}) => [json.thread.type, json.messages.length]);
		assert.deepEqual(asked, [['create', 1], ['continue', 1], ['create', 3]]);
		assert.match(rig.upstream.of('m')[0].headers['anthropic-beta'], /threads/);
		await rig.stop();
	});
});
