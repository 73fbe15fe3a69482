// The clients that the tests look through, as a table: each asks a model and gives what its user
// gets, in one shape. An error that the client raises is thrown.
//
//	{text, finish, tools: [{name, args}], usage}     `onText(so far)` hears of each piece

import {createOpenAI} from '@ai-sdk/openai';
import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
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
const functions = [{type: 'function', function: {name: 'f', description: 'f', parameters}}];

const ignore = () => {};

export const openai = (url, more = {}) =>
	new OpenAI({apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0, ...more});

async function openaiRaw({url, model, prompt = 'hi', tools, onText = ignore, signal}) {
	const out = {text: '', finish: null, tools: [], usage: null};
	const stream = await openai(url).chat.completions.create({
		model, messages: say(prompt), stream: true, stream_options: {include_usage: true},
		...tools && {tools: functions},
	}, {signal});
	for await (const chunk of stream) {
		if (chunk.usage) out.usage = chunk.usage;
		for (const {delta, finish_reason: finish} of chunk.choices ?? []) {
			if (delta?.content) onText(out.text += delta.content);
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
		...tools && {tools: functions},
	}, {signal});
	runner.on('content', delta => onText(text += delta));
	const {choices: [{message, finish_reason: finish}], usage} = await runner.finalChatCompletion();
	return {
		text: message.content ?? '',
		finish,
		tools: (message.tool_calls ?? []).map(({function: f}) => ({name: f.name, args: f.arguments})),
		usage: usage ?? null,
	};
}

async function aiSdk(model, {prompt = 'hi', tools, onText = ignore, signal}) {
	const out = {text: '', finish: null, tools: [], usage: null};
	const {fullStream} = streamText({
		model, prompt, maxRetries: 0, abortSignal: signal, onError() {},
		...tools && {tools: {f: tool({inputSchema: jsonSchema(parameters)})}},
	});
	for await (const part of fullStream) {
		if (part.type === 'error')
			throw part.error instanceof Error ? part.error : new Error(JSON.stringify(part.error));
		if (part.type === 'text-delta') onText(out.text += part.text);
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
	const out = {text: '', finish: null, tools: [], usage: null};
	const chat = new ChatOpenAI({
		model, apiKey: KEY, maxRetries: 0, configuration: {baseURL: `${url}/v1`},
	});
	let whole;
	for await (const chunk of await chat.stream(prompt, {signal, ...tools && {tools: functions}})) {
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

export const clients = [
	{name: 'openai', ask: openaiRaw},
	{name: 'openai .stream()', ask: openaiStream},
	{name: 'AI SDK openai', ask: aiOpenai},
	{name: 'AI SDK openai-compatible', ask: aiCompatible},
	{name: 'LangChain', ask: langchain},
];
