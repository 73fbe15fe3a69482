// A coding client made for Anthropic's API, in front of an upstream that speaks OpenAI's, through several
// turns with tools; and a client of OpenAI's in front of Anthropic's.
//
//	node --test coding.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {anthropic, openai} from './clients.mjs';
import {startRig} from './rig.mjs';
import {chunk, done, finish, frame, reasoning, role, text, tool, usage} from './upstream.mjs';

const named = events => events.map(e => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`).join('');

const readTool = {
	name: 'read_file', description: 'Reads a file.', cache_control: {type: 'ephemeral'},
	input_schema: {type: 'object', properties: {path: {type: 'string'}}, required: ['path']},
};
const request = messages => ({
	model: 'coder', max_tokens: 32000, temperature: 1, messages,
	system: [
		{type: 'text', text: 'You are a coding agent.', cache_control: {type: 'ephemeral'}},
		{type: 'text', text: 'Be careful.'},
	],
	thinking: {type: 'enabled', budget_tokens: 4000},
	tools: [
		...Array.from({length: 40}, (_, i) => ({
			name: `tool_${i}`, description: `Number ${i}.`,
			input_schema: {type: 'object', properties: {n: {type: 'number', minimum: 0.1}}, additionalProperties: false},
		})),
		readTool,
		{type: 'web_search_20250305', name: 'web_search', max_uses: 5},
	],
	metadata: {user_id: 'user_1'},
});

describe('a coding client of Anthropic, an upstream of OpenAI', {timeout: 300_000}, () => {
	let rig;
	before(async () => { rig = await startRig(); });
	after(() => rig.stop());

	it('goes through turns with thinking, two calls at a time and their results', async () => {
		rig.upstream.on('coder', async (call, n) => call.end(n === 1
			? role() + reasoning('I must read ') + reasoning('both.') + text('Reading.') +
				tool({index: 0, id: 'call_a', type: 'function', function: {name: 'read_file', arguments: '{"path":'}}) +
				tool({index: 1, id: 'call_b', type: 'function', function: {name: 'read_file', arguments: ''}}) +
				tool({index: 1, function: {arguments: '{"path":"b.c"}'}}) +
				tool({index: 0, function: {arguments: '"a.c"}'}}) +
				finish('tool_calls') + usage(900, 40) + done
			: role() + text('Done: ') + text('both are fine.') + finish() + usage(950, 9) + done));
		const client = anthropic(rig.url);
		const messages = [{role: 'user', content: [{type: 'text', text: 'Check a.c and b.c.'}]}];

		const stream = client.messages.stream(request(messages));
		const heard = [];
		stream.on('contentBlock', block => heard.push(block.type));
		const first = await stream.finalMessage();
		assert.deepEqual(heard, ['thinking', 'text', 'tool_use', 'tool_use']);
		assert.equal(first.stop_reason, 'tool_use');
		assert.equal(first.content[0].thinking, 'I must read both.');
		assert.deepEqual(first.content.slice(2).map(({id, input}) => [id, input]),
			[['call_a', {path: 'a.c'}], ['call_b', {path: 'b.c'}]]);
		assert.deepEqual([first.usage.input_tokens, first.usage.output_tokens], [900, 40]);

		messages.push({role: 'assistant', content: first.content}, {role: 'user', content: [
			{type: 'tool_result', tool_use_id: 'call_b', content: [{type: 'text', text: 'int b;'}]},
			{type: 'tool_result', tool_use_id: 'call_a', content: 'no such file', is_error: true},
			{type: 'text', text: 'Go on.', cache_control: {type: 'ephemeral'}},
		]});
		const last = await client.messages.stream(request(messages)).finalMessage();
		assert.equal(last.content[0].text, 'Done: both are fine.');
		assert.equal(last.stop_reason, 'end_turn');

		const [one, two] = rig.upstream.of('coder').map(call => call.json);
		assert.equal(one.tools.length, 41); // but for the one that the provider would run
		assert.deepEqual(one.tools[3].function.parameters,
			{type: 'object', properties: {n: {type: 'number', minimum: 0.1}}, additionalProperties: false});
		assert.equal(one.messages[0].role, 'system');
		assert.equal(one.user, 'user_1');
		assert.deepEqual(two.messages.map(m => m.role), ['system', 'user', 'assistant', 'tool', 'tool', 'user']);
		const [, , said, b, a, then] = two.messages;
		assert.equal(said.content, 'Reading.');
		assert.deepEqual(said.tool_calls.map(c => [c.id, JSON.parse(c.function.arguments).path]),
			[['call_a', 'a.c'], ['call_b', 'b.c']]);
		assert.deepEqual([b.tool_call_id, b.content, a.tool_call_id], ['call_b', 'int b;', 'call_a']);
		assert.match(a.content, /no such file/);
		assert.equal(then.content, 'Go on.');
		assert.ok(!JSON.stringify(two).includes('cache_control'));
	});
});

describe('a client of OpenAI, an upstream of Anthropic', {timeout: 300_000}, () => {
	let rig;
	before(async () => { rig = await startRig({upstreams: {up: {api: 'anthropic'}}}); });
	after(() => rig.stop());

	it('goes through turns with tools, and reasons with what it gives back', async () => {
		const start = {type: 'message_start', message: {
			id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', content: [], stop_reason: null,
			stop_sequence: null, usage: {input_tokens: 20, output_tokens: 1},
		}};
		const block = (index, content_block, ...deltas) => [
			{type: 'content_block_start', index, content_block},
			...deltas.map(delta => ({type: 'content_block_delta', index, delta})),
			{type: 'content_block_stop', index},
		];
		const end = stop_reason => [
			{type: 'message_delta', delta: {stop_reason, stop_sequence: null}, usage: {output_tokens: 12}},
			{type: 'message_stop'},
		];
		rig.upstream.on('coder', async (call, n) => call.end(named([start, ...n === 1 ? [
			...block(0, {type: 'thinking', thinking: '', signature: ''},
				{type: 'thinking_delta', thinking: 'Hm.'}, {type: 'signature_delta', signature: 'c2ln'}),
			...block(1, {type: 'tool_use', id: 'toolu_1', name: 'f', input: {}},
				{type: 'input_json_delta', partial_json: '{"x":'}, {type: 'input_json_delta', partial_json: '1}'}),
			...end('tool_use'),
		] : [...block(0, {type: 'text', text: ''}, {type: 'text_delta', text: 'One.'}), ...end('end_turn')]])));
		const client = openai(rig.url);
		const messages = [{role: 'system', content: 'S'}, {role: 'user', content: [
			{type: 'text', text: 'What is this?'},
			{type: 'image_url', image_url: {url: 'data:image/png;base64,iVBORw0KGgo='}},
		]}];
		const asked = {
			model: 'coder', reasoning_effort: 'low', parallel_tool_calls: false, stop: ['END'],
			tools: [{type: 'function', function: {name: 'f', parameters: {type: 'object', properties: {}}}}],
		};
		const whole = {role: 'assistant', content: null, tool_calls: [], reasoning_details: []};
		for await (const {choices: [choice]} of await client.chat.completions.create({...asked, messages, stream: true})) {
			whole.reasoning_content = (whole.reasoning_content ?? '') + (choice.delta.reasoning_content ?? '');
			whole.reasoning_details.push(...choice.delta.reasoning_details ?? []);
			for (const call of choice.delta.tool_calls ?? []) {
				whole.tool_calls[call.index] ??= {...call, function: {...call.function, arguments: ''}};
				whole.tool_calls[call.index].function.arguments += call.function.arguments ?? '';
			}
		}
		assert.equal(whole.tool_calls[0].function.arguments, '{"x":1}');
		const {index: _, ...given} = whole.tool_calls[0];
		messages.push({...whole, tool_calls: [given]}, {role: 'tool', tool_call_id: 'toolu_1', content: '1'});
		const last = await client.chat.completions.create({...asked, messages});
		assert.equal(last.choices[0].message.content, 'One.');

		const [one, two] = rig.upstream.of('coder').map(call => call.json);
		assert.equal(one.system, 'S');
		assert.deepEqual(one.messages[0].content[1], {
			type: 'image', source: {type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo='}});
		assert.equal(one.thinking.type, 'enabled');
		assert.ok(one.max_tokens > one.thinking.budget_tokens);
		assert.deepEqual(one.stop_sequences, ['END']);
		assert.deepEqual(two.messages.map(m => m.role), ['user', 'assistant', 'user']);
		assert.deepEqual(two.messages[1].content, [
			{type: 'thinking', thinking: 'Hm.', signature: 'c2ln'},
			{type: 'tool_use', id: 'toolu_1', name: 'f', input: {x: 1}},
		]);
		assert.equal(two.messages[2].content[0].tool_use_id, 'toolu_1');
	});
});
