// Every way in which it can go wrong reaches the user of an SDK as an error of that SDK, and never
// as a short answer that looks whole.
//
//	node --test errors.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import OpenAI from 'openai';
import {clients, openai} from './clients.mjs';
import {startRig, within} from './rig.mjs';
import {chunk, done, failure, finish, role, text} from './upstream.mjs';

const messages = [{role: 'user', content: 'hi'}];

// Before the first token: what the upstream answers, and the error that the SDK makes of it.
const refusals = [
	{
		name: 'a rate limit', upstream: [429, {error: {
			message: 'slow down', type: 'requests', code: 'rate_limit_exceeded', param: null,
		}}, {'retry-after': '7'}],
		error: OpenAI.RateLimitError, status: 429, code: 'rate_limit_exceeded', message: /slow down/,
		headers: {'retry-after': '7'},
	},
	{
		name: 'our key being refused', upstream: [401, {error: {
			message: 'Incorrect API key provided: provider-key', type: 'invalid_request_error',
			code: 'invalid_api_key', param: null,
		}}],
		error: OpenAI.InternalServerError, status: 502, code: 'upstream_auth', message: /./,
	},
	{
		name: 'our key being forbidden', upstream: [403, {error: {message: 'not for you'}}],
		error: OpenAI.InternalServerError, status: 502, code: 'upstream_auth', message: /./,
	},
	{
		name: 'a bad request', upstream: [400, {error: {
			message: 'too long', type: 'invalid_request_error', code: 'context_length_exceeded',
			param: 'messages',
		}}],
		error: OpenAI.BadRequestError, status: 400, code: 'context_length_exceeded', param: 'messages',
		message: /too long/,
	},
	{
		name: 'an upstream without that model', upstream: [404, {error: {
			message: 'no such model', type: 'invalid_request_error', code: 'model_not_found',
			param: null,
		}}],
		error: OpenAI.NotFoundError, status: 404, code: 'model_not_found', message: /no such model/,
	},
	{
		name: 'an overloaded upstream', upstream: [503, {error: {message: 'overloaded'}}],
		error: OpenAI.InternalServerError, status: 503, message: /overloaded/,
	},
	{
		name: 'a page of HTML', upstream: [502, '<h1>Bad gateway</h1>', {'content-type': 'text/html'}],
		error: OpenAI.InternalServerError, status: 502, message: /./,
	},
	{
		name: 'an error with a numeric code', upstream: [400, {error: {message: 'no', code: 400}}],
		error: OpenAI.BadRequestError, status: 400, message: /no/,
	},
	{
		name: 'an error as the first frame', upstream: [200, failure({
			message: 'at once', type: 'server_error',
		}), {'content-type': 'text/event-stream'}],
		error: OpenAI.APIError, message: /at once/, streamOnly: true,
	},
	{
		name: 'an error as JSON with status 200', upstream: [200, {error: {message: 'hidden'}}],
		error: OpenAI.APIError, message: /hidden/,
	},
];

// After the first token: every client must raise.
const failures = [
	['an error', async call => call.end(role() + text('a') + failure({message: 'boom'}) + done), /boom/],
	['a reset connection', async call => {
		call.send(role() + text('a'));
		await call.taken.opened;
		call.cut();
	}, /./],
	['a clean end before the finish reason', async call => call.end(role() + text('a')), /./],
	['a silence that is too long', async call => {
		call.send(role() + text('a'));
		await call.closed;
	}, /./],
];

describe('what goes wrong', {timeout: 300_000}, () => {
	let rig, client;
	before(async () => {
		rig = await startRig({
			models: {known: 'up/known', '*': 'up'},
			timeouts: {between_tokens: '1s'},
		});
		client = openai(rig.url);
	});
	after(() => rig.stop());

	for (const refusal of refusals)
		for (const stream of refusal.streamOnly ? [true] : [false, true])
			it(`${refusal.name} is the SDK's error, ${stream ? 'streaming' : 'whole'}`, async () => {
				const model = `${refusal.name} ${stream}`;
				rig.upstream.on(model, async call => call.reply(...refusal.upstream));
				const error = await client.chat.completions.create({model, messages, stream})
					.then(() => assert.fail('no error'), e => e);
				assert.ok(error instanceof refusal.error, error.stack);
				assert.match(error.message, refusal.message);
				assert.ok(!error.message.includes('provider-key'), error.message);
				if (refusal.status) assert.equal(error.status, refusal.status);
				assert.ok(error.status >= 400);
				if (refusal.code) assert.equal(error.code, refusal.code);
				assert.ok(error.code === null || typeof error.code === 'string', `code ${error.code}`);
				assert.equal(typeof error.type, 'string');
				if (refusal.param) assert.equal(error.param, refusal.param);
				for (const [name, value] of Object.entries(refusal.headers ?? {}))
					assert.equal(error.headers.get(name), value);
				assert.ok(error.requestID);
				assert.match(error.headers.get('content-type'), /^application\/json/);
				assert.ok(rig.upstream.of(model).length <= 2, 'one retry at the most');
			});

	for (const {name: who, ask} of clients)
		for (const [name, script, words] of failures)
			it(`${who} raises an error after a token: ${name}`, async () => {
				const model = `${who}: ${name}`;
				let got = '', taken;
				const opened = new Promise(resolve => { taken = resolve; });
				rig.upstream.on(model, async call => {
					call.taken = {opened};
					await script(call);
				});
				const onText = text_ => {
					got = text_;
					taken();
				};
				await assert.rejects(
					within(10_000, 'an end', ask({url: rig.url, model, onText}).finally(taken)),
					error => {
						assert.match(String(error?.message ?? error), words);
						assert.doesNotMatch(String(error?.message), /not within/);
						return true;
					});
				assert.equal(got, 'a');
				assert.equal(rig.upstream.of(model).length, 1);
			});

	it('a mid-stream error is an APIError with its code', async () => {
		rig.upstream.on('coded', async call => call.end(role() + text('a') +
			failure({message: 'boom', type: 'server_error', code: 'overloaded', param: null})));
		const stream = await client.chat.completions.create({model: 'coded', messages, stream: true});
		await assert.rejects(async () => { for await (const _ of stream); }, error => {
			assert.ok(error instanceof OpenAI.APIError);
			assert.deepEqual([error.code, error.type], ['overloaded', 'server_error']);
			return true;
		});
	});

	it('a cut upstream is an APIError with the code upstream_incomplete', async () => {
		rig.upstream.on('cut', async call => call.end(role() + text('a')));
		const stream = await client.chat.completions.create({model: 'cut', messages, stream: true});
		await assert.rejects(async () => { for await (const _ of stream); }, error => {
			assert.ok(error instanceof OpenAI.APIError);
			assert.equal(error.code, 'upstream_incomplete');
			return true;
		});
	});

	it('an upstream that never answers is a 504', async t => {
		// A whole answer has no first token to wait for: the total is its limit.
		const slow = await startRig({timeouts: {first_token: '1s', total: '2s'}});
		t.after(() => slow.stop());
		slow.upstream.on('mute', async call => { await call.closed; });
		for (const stream of [false, true])
			await assert.rejects(
				within(10_000, 'an answer',
					openai(slow.url).chat.completions.create({model: 'mute', messages, stream})),
				error => error instanceof OpenAI.InternalServerError && error.status === 504);
	});

	it('an upstream that is not there is a 502', async t => {
		const gone = await startRig({});
		t.after(() => gone.proxy.stop());
		await gone.upstream.stop();
		await assert.rejects(openai(gone.url).chat.completions.create({model: 'm', messages}),
			error => error instanceof OpenAI.InternalServerError && error.status === 502 &&
				typeof error.code === 'string');
	});

	it('a connection that dies before an answer is a 502, and nobody pays twice', async () => {
		rig.upstream.on('dies', async call => call.cut());
		for (const stream of [false, true])
			await assert.rejects(client.chat.completions.create({model: 'dies', messages, stream}),
				error => error instanceof OpenAI.InternalServerError && error.status === 502 &&
					error.code === 'upstream_closed');
		assert.equal(rig.upstream.of('dies').length, 2); // two requests, each sent on once
	});

	it('a finish reason without [DONE] is a whole answer', async () => {
		rig.upstream.on('no done', async call => call.end(role() + text('a') + finish()));
		const asked = {model: 'no done', messages};
		assert.equal(await client.chat.completions.stream(asked).finalContent(), 'a');
	});

	it('the SDK tries again by itself after a rate limit', async () => {
		rig.upstream.on('once limited', async (call, n) => n <= 2
			? call.reply(429, {error: {message: 'later'}}, {'retry-after': '1'})
			: call.reply(200, {...chunk({message: {role: 'assistant', content: 'now'}})}));
		const got = await openai(rig.url, {maxRetries: 2}).chat.completions
			.create({model: 'once limited', messages});
		assert.equal(got.choices[0].message.content, 'now');
	});

	it('a body that is no JSON is a 400, one of another type a 415', async () => {
		const post = (type, body) => fetch(`${rig.url}/v1/chat/completions`, {
			method: 'POST', headers: {'content-type': type}, body,
		});
		for (const [type, body, status] of [
			['application/json', '{"model":', 400],
			['text/plain', '{"model":"known"}', 415],
		]) {
			const response = await post(type, body);
			assert.equal(response.status, status);
			const {error} = await response.json();
			assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
		}
	});

	it('an unknown model is a 404 that names the parameter', async t => {
		const strict = await startRig({models: {known: 'up/known'}});
		t.after(() => strict.stop());
		for (const stream of [false, true])
			await assert.rejects(
				openai(strict.url).chat.completions.create({model: 'unknown', messages, stream}),
				error => {
					assert.ok(error instanceof OpenAI.NotFoundError, error.stack);
					assert.deepEqual([error.status, error.code, error.param, error.type],
						[404, 'model_not_found', 'model', 'invalid_request_error']);
					assert.match(error.message, /unknown/);
					return true;
				});
		assert.equal(strict.upstream.calls.length, 0);
	});

	it('with the client\'s own key, its refusal is the client\'s 401', async t => {
		const own = await startRig({upstreams: {up: {key: 'client'}}});
		t.after(() => own.stop());
		own.upstream.on('m', async call => call.reply(401, {error: {
			message: 'Incorrect API key', type: 'invalid_request_error', code: 'invalid_api_key',
		}}));
		await assert.rejects(openai(own.url).chat.completions.create({model: 'm', messages}),
			error => error instanceof OpenAI.AuthenticationError && error.code === 'invalid_api_key');
		assert.equal(own.upstream.of('m')[0].headers.authorization, 'Bearer client-key');
	});
});
