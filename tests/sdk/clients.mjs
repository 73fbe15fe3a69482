// The clients that the tests look through, as a table: each asks a model and gives what its user
// gets, in one shape. An error that the client raises is thrown.
//
//	{text, reasoning, finish, tools: [{name, args}], usage}     `onText(so far)` hears of each piece
//
// `tools` names those that the model may call; true is one called f.

import {createAnthropic} from '@ai-sdk/anthropic';
import {createOpenAI} from '@ai-sdk/openai';
import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import {ChatOpenAI} from '@langchain/openai';
import {jsonSchema, streamText, tool} from 'ai';
import OpenAI from 'openai';

globalThis.AI_SDK_LOG_WARNINGS = false;

// Nothing leaves this machine, whatever a package would like to tell its makers.
const {fetch} = globalThis;
globalThis.fetch = (input, init) => {
	const {hostname} = new URL(input.url ?? input);
	if (hostname !== '127.0.0.1') throw new Error(`a request to ${hostname}`);
	return fetch(input, init);
};

const KEY = 'client-key';
const say = prompt => [{role: 'user', content: prompt}];
const parameters = {type: 'object', properties: {city: {type: 'string'}}};
const namesOf = tools => tools === true ? ['f'] : tools;
const functionsOf = tools => namesOf(tools).map(name =>
	({type: 'function', function: {name, description: name, parameters}}));
const nothing = () => ({text: '', reasoning: '', finish: null, tools: [], usage: null});

const ignore = () => {};

export const openai = (url, more = {}) =>
	new OpenAI({apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0, ...more});

async function openaiRaw({url, model, prompt = 'hi', tools, onText = ignore, signal}) {
	const out = nothing();
	const stream = await openai(url).chat.completions.create({
		model, messages: say(prompt), stream: true, stream_options: {include_usage: true},
		...tools && {tools: functionsOf(tools)},
	}, {signal});
	for await (const chunk of stream) {
		if (chunk.usage) out.usage = chunk.usage;
		for (const {delta, finish_reason: finish} of chunk.choices ?? []) {
			if (delta?.content) onText(out.text += delta.content);
			out.reasoning += delta?.reasoning_content ?? '';
			if (finish) out.finish = finish;
			for (const call of delta?.tool_calls ?? []) {
				out.tools[call.index] ??= {name: '', args: ''};
				out.tools[call.index].name += call.function?.name ?? '';
				out.tools[call.index].args += call.function?.arguments ?? '';
			}
		}
	}
	return out;
}

async function openaiStream({url, model, prompt = 'hi', tools, onText = ignore, signal}) {
	let text = '';
	const runner = openai(url).chat.completions.stream({
		model, messages: say(prompt), stream_options: {include_usage: true},
		...tools && {tools: functionsOf(tools)},
	}, {signal});
	runner.on('content', delta => onText(text += delta));
	const {choices: [{message, finish_reason: finish}], usage} = await runner.finalChatCompletion();
	return {
		text: message.content ?? '',
		reasoning: message.reasoning_content ?? '',
		finish,
		tools: (message.tool_calls ?? []).map(({function: f}) => ({name: f.name, args: f.arguments})),
		usage: usage ?? null,
	};
}

async function aiSdk(model, {prompt = 'hi', tools, onText = ignore, signal}) {
	const out = nothing();
	const {fullStream} = streamText({
		model, prompt, maxRetries: 0, abortSignal: signal, onError() {},
		...tools && {tools: Object.fromEntries(namesOf(tools).map(name =>
			[name, tool({inputSchema: jsonSchema(parameters)})]))},
	});
	for await (const part of fullStream) {
		if (part.type === 'error')
			throw part.error instanceof Error ? part.error : new Error(JSON.stringify(part.error));
		if (part.type === 'text-delta') onText(out.text += part.text);
		if (part.type === 'reasoning-delta') out.reasoning += part.text;
		if (part.type === 'tool-call')
			out.tools.push({name: part.toolName, args: JSON.stringify(part.input)});
		if (part.type !== 'finish') continue;
		out.finish = part.finishReason === 'tool-calls' ? 'tool_calls' : part.finishReason;
		out.usage = {
			prompt_tokens: part.totalUsage.inputTokens,
			completion_tokens: part.totalUsage.outputTokens,
		};
	}
	return out;
}

const aiOpenai = options =>
	aiSdk(createOpenAI({apiKey: KEY, baseURL: `${options.url}/v1`}).chat(options.model), options);

const aiCompatible = options =>
	aiSdk(createOpenAICompatible({
		name: 'sluice', apiKey: KEY, baseURL: `${options.url}/v1`, includeUsage: true,
	})(options.model), options);

async function langchain({url, model, prompt = 'hi', tools, onText = ignore, signal}) {
	const out = nothing();
	const chat = new ChatOpenAI({
		model, apiKey: KEY, maxRetries: 0, configuration: {baseURL: `${url}/v1`},
	});
	let whole;
	for await (const chunk of await chat.stream(prompt, {signal, ...tools && {tools: functionsOf(tools)}})) {
		if (typeof chunk.content !== 'string') throw new Error('content that is no text');
		if (chunk.content) onText(out.text += chunk.content);
		out.finish = chunk.response_metadata?.finish_reason ?? out.finish;
		whole = whole ? whole.concat(chunk) : chunk;
	}
	out.tools = (whole?.tool_call_chunks ?? []).map(({name, args}) => ({name, args}));
	const usage = whole?.usage_metadata;
	if (usage) out.usage = {
		prompt_tokens: usage.input_tokens, completion_tokens: usage.output_tokens,
	};
	return out;
}

// ---- Anthropic's

export const anthropic = url => new Anthropic({apiKey: KEY, baseURL: url, maxRetries: 0});

const stops = {end_turn: 'stop', max_tokens: 'length', tool_use: 'tool_calls', refusal: 'content_filter'};
const asked = ({model, prompt = 'hi', tools}) => ({
	model, max_tokens: 100, messages: say(prompt),
	...tools && {tools: namesOf(tools).map(name => ({name, input_schema: parameters}))},
});
const ofAnthropic = ({input_tokens: prompt_tokens, output_tokens: completion_tokens}) =>
	({prompt_tokens, completion_tokens});

async function anthropicRaw(options) {
	const {onText = ignore} = options, out = nothing(), blocks = [];
	const stream = await anthropic(options.url).messages.create(
		{...asked(options), stream: true}, {signal: options.signal});
	let ended = false, first;
	for await (const event of stream) {
		if (event.type === 'message_start') first = event.message.usage;
		if (event.type === 'content_block_start') blocks[event.index] = {...event.content_block, json: ''};
		if (event.type === 'message_stop') ended = true;
		if (event.type === 'message_delta') {
			out.finish = stops[event.delta.stop_reason];
			out.usage = ofAnthropic({...first, ...event.usage});
		}
		if (event.type !== 'content_block_delta') continue;
		if (event.delta.type === 'text_delta') onText(out.text += event.delta.text);
		if (event.delta.type === 'thinking_delta') out.reasoning += event.delta.thinking;
		if (event.delta.type === 'input_json_delta') blocks[event.index].json += event.delta.partial_json;
	}
	if (!ended) throw new Error('no message_stop');
	out.tools = blocks.filter(b => b.type === 'tool_use').map(b => ({name: b.name, args: b.json || '{}'}));
	return out;
}

const join = (content, type, member) =>
	content.filter(b => b.type === type).map(b => b[member]).join('');

async function anthropicStream(options) {
	const stream = anthropic(options.url).messages.stream(asked(options), {signal: options.signal});
	let text = '';
	stream.on('text', delta => (options.onText ?? ignore)(text += delta));
	const {content, stop_reason: stop, usage} = await stream.finalMessage();
	return {
		text: join(content, 'text', 'text'),
		reasoning: join(content, 'thinking', 'thinking'),
		finish: stops[stop],
		tools: content.filter(b => b.type === 'tool_use')
			.map(b => ({name: b.name, args: JSON.stringify(b.input)})),
		usage: ofAnthropic(usage),
	};
}

const aiAnthropic = options =>
	aiSdk(createAnthropic({apiKey: KEY, baseURL: `${options.url}/v1`})(options.model), options);

// ---- OpenAI's Responses

const wanted = ({model, prompt = 'hi', tools}) => ({
	model, input: prompt,
	...tools && {tools: namesOf(tools).map(name => ({type: 'function', name, parameters, strict: false}))},
});

function ofResponse({output, status, incomplete_details: why, usage}) {
	const calls = output.filter(item => item.type === 'function_call');
	return {
		text: output.filter(item => item.type === 'message').flatMap(item => item.content)
			.map(part => part.text).join(''),
		reasoning: output.filter(item => item.type === 'reasoning').flatMap(item => item.summary)
			.map(part => part.text).join(''),
		finish: status === 'incomplete' ? {max_output_tokens: 'length'}[why.reason]
			: calls.length ? 'tool_calls' : 'stop',
		tools: calls.map(({name, arguments: args}) => ({name, args})),
		usage: {prompt_tokens: usage.input_tokens, completion_tokens: usage.output_tokens},
	};
}

async function responsesRaw(options) {
	const {onText = ignore} = options;
	const stream = await openai(options.url).responses.create(
		{...wanted(options), stream: true}, {signal: options.signal});
	let text = '', last;
	for await (const event of stream) {
		if (event.type === 'response.output_text.delta') onText(text += event.delta);
		if (event.type === 'response.failed') throw new Error(event.response.error.message);
		if (event.type === 'error') throw new Error(event.message);
		last = event;
	}
	if (!['response.completed', 'response.incomplete'].includes(last.type))
		throw new Error(`ends with ${last.type}`);
	return ofResponse(last.response);
}

async function responsesStream(options) {
	const stream = openai(options.url).responses.stream(wanted(options), {signal: options.signal});
	let text = '';
	stream.on('response.output_text.delta', ({delta}) => (options.onText ?? ignore)(text += delta));
	const response = await stream.finalResponse();
	if (response.status === 'failed') throw new Error(response.error.message);
	return ofResponse(response);
}

const aiResponses = options =>
	aiSdk(createOpenAI({apiKey: KEY, baseURL: `${options.url}/v1`}).responses(options.model), options);

export const anthropicClients = [
	{name: '@anthropic-ai/sdk', ask: anthropicRaw},
	{name: '@anthropic-ai/sdk .stream()', ask: anthropicStream},
	{name: 'AI SDK anthropic', ask: aiAnthropic},
];

export const responsesClients = [
	{name: 'openai responses', ask: responsesRaw},
	{name: 'openai responses.stream()', ask: responsesStream},
	{name: 'AI SDK openai responses', ask: aiResponses},
];

export const clients = [
	{name: 'openai', ask: openaiRaw},
	{name: 'openai .stream()', ask: openaiStream},
	{name: 'AI SDK openai', ask: aiOpenai},
	{name: 'AI SDK openai-compatible', ask: aiCompatible},
	{name: 'LangChain', ask: langchain},
];
