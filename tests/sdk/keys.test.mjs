// Who has a key comes in; everybody else hears from their SDK that it was the key.
//
//	node --test keys.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import OpenAI from 'openai';
import {openai} from './clients.mjs';
import {startRig} from './rig.mjs';
import {answer} from './upstream.mjs';

const messages = [{role: 'user', content: 'hi'}];
const ask = (client, model = 'm') => client.chat.completions.create({model, messages, stream: true});

describe('keys', () => {
	let rig;
	before(async () => {
		rig = await startRig({
			keys: [{name: 'sdk', key: 'the-right-key', models: ['m']}], models: {'*': 'up'},
		});
	});
	after(() => rig.stop());

	it('lets the right one in', async () => {
		rig.upstream.on('m', async call => call.end(answer('hel', 'lo')));
		let said = '';
		for await (const chunk of await ask(openai(rig.url, {apiKey: 'the-right-key'})))
			said += chunk.choices[0]?.delta?.content ?? '';
		assert.equal(said, 'hello');
	});

	it('makes an AuthenticationError of a wrong one', async () => {
		await assert.rejects(ask(openai(rig.url, {apiKey: 'wrong'})), error => {
			assert.ok(error instanceof OpenAI.AuthenticationError);
			assert.equal(error.status, 401);
			assert.equal(error.code, 'invalid_api_key');
			assert.match(error.message, /key/);
			return true;
		});
	});

	it('makes a PermissionDeniedError of a model that is not the key’s', async () => {
		await assert.rejects(ask(openai(rig.url, {apiKey: 'the-right-key'}), 'other'), error => {
			assert.ok(error instanceof OpenAI.PermissionDeniedError);
			assert.equal(error.code, 'model_not_allowed');
			return true;
		});
	});
});
