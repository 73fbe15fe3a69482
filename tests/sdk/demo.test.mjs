// What somebody sees who types `sluice demo` and points an SDK at it.
//
//	node --test demo.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {clients, openai} from './clients.mjs';
import {Sluice} from './rig.mjs';

describe('sluice demo', {timeout: 300_000}, () => {
	let demo;
	before(async () => { demo = await Sluice.start({command: ['demo']}); });
	after(() => demo?.stop());

	const model = 'demo-fast'; // does not wait

	for (const {name, ask} of clients) {
		it(`answers ${name} with text and usage`, async () => {
			const pieces = [];
			const got = await ask({url: demo.url, model, prompt: 'Why is the sky blue?',
				onText: soFar => pieces.push(soFar)});
			assert.match(got.text, /Rayleigh/);
			assert.equal(got.finish, 'stop');
			assert.ok(pieces.length > 10, `${pieces.length} pieces`);
			assert.ok(got.usage.completion_tokens > 10);
		});

		it(`calls a tool of ${name}`, async () => {
			const got = await ask({url: demo.url, model, prompt: 'use a tool', tools: true});
			assert.equal(got.finish, 'tool_calls');
			assert.equal(got.tools.length, 1);
			assert.equal(got.tools[0].name, 'f');
			assert.equal(typeof JSON.parse(got.tools[0].args), 'object');
		});

		for (const prompt of ['fail', 'cut', 'fail first', 'rate limit'])
			it(`lets ${name} see an error: "${prompt}"`, () =>
				assert.rejects(ask({url: demo.url, model, prompt})));
	}

	it('has models, embeddings, whole answers and legacy completions', async () => {
		const client = openai(demo.url);
		const ids = [];
		for await (const {id} of client.models.list()) ids.push(id);
		assert.ok(ids.includes('demo') && ids.includes('demo-fast'), ids.join());
		const {data} = await client.embeddings.create({model, input: ['a', 'b']});
		assert.equal(data.length, 2);
		assert.ok(data.every(({embedding}) => embedding.some(n => n !== 0)));
		const chat = await client.chat.completions.create(
			{model, messages: [{role: 'user', content: 'hello'}]});
		assert.ok(chat.choices[0].message.content.length > 0);
		const legacy = await client.completions.create({model, prompt: 'hello'});
		assert.ok(legacy.choices[0].text.length > 0);
	});
});
