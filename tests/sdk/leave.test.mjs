// Who leaves does not pay on: the upstream's connection is closed within a second.
//
//	node --test leave.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import OpenAI from 'openai';
import {clients, openai} from './clients.mjs';
import {startRig, within} from './rig.mjs';
import {done, finish, role, text} from './upstream.mjs';

const messages = [{role: 'user', content: 'hi'}];

describe('a client that leaves', {timeout: 300_000}, () => {
	let rig, client;
	before(async () => {
		rig = await startRig();
		client = openai(rig.url);
	});
	after(() => rig.stop());

	// Runs `leave` and asserts that the upstream sees its connection closed within a second.
	async function leaving(call, leave) {
		const left = performance.now();
		await leave();
		const {complete, at} = await within(3000, 'the upstream is closed', call.closed);
		assert.equal(complete, false);
		assert.ok(at - left < 1000, `closed after ${Math.round(at - left)} ms`);
	}

	const silentAfter = (model, bytes) => rig.upstream.on(model, async call => {
		if (bytes) call.send(bytes);
		await call.closed;
	});

	// Every client, after its first token, while the upstream is silent.
	for (const {name, ask} of clients)
		it(`${name}: abort() after a token closes the upstream`, async () => {
			const model = `${name} aborts`;
			const controller = new AbortController();
			silentAfter(model, role() + text('a'));
			const got = new Promise(resolve => {
				ask({url: rig.url, model, signal: controller.signal, onText: resolve})
					.catch(() => {}); // most raise an AbortError, some end quietly: both are fine
			});
			assert.equal(await within(5000, 'a token', got), 'a');
			await leaving(await rig.upstream.called(model), () => controller.abort());
		});

	for (const stream of [false, true])
		for (const [when, bytes] of [['an answer', ''], ['its first token', role()]])
			it(`abort() before ${when}, ${stream ? 'streaming' : 'whole'}, closes it`, async () => {
				const model = `${when} ${stream}`;
				const controller = new AbortController();
				silentAfter(model, bytes);
				const asked = client.chat.completions
					.create({model, messages, stream}, {signal: controller.signal});
				const refused = assert.rejects(asked, OpenAI.APIUserAbortError);
				const call = await rig.upstream.called(model);
				await leaving(call, () => controller.abort());
				await refused;
			});

	it('a break out of the loop closes the upstream', async () => {
		silentAfter('break', role() + text('a'));
		const stream = await client.chat.completions.create({model: 'break', messages, stream: true});
		await leaving(await rig.upstream.called('break'), async () => {
			for await (const {choices: [{delta}]} of stream)
				if (delta.content) break;
		});
	});

	it('abort() of .stream() closes the upstream', async () => {
		silentAfter('runner', role() + text('a'));
		const runner = client.chat.completions.stream({model: 'runner', messages});
		const ended = assert.rejects(runner.done(), OpenAI.APIUserAbortError);
		await new Promise(resolve => { runner.once('content', resolve); });
		await leaving(await rig.upstream.called('runner'), () => runner.abort());
		await ended;
	});

	it('abort() while tokens pour in closes the upstream', async () => {
		rig.upstream.on('pouring', async call => {
			let open = true;
			call.closed.then(() => { open = false; });
			for (call.send(role()); open; await new Promise(setImmediate)) call.send(text('a '));
		});
		const controller = new AbortController();
		const stream = await client.chat.completions
			.create({model: 'pouring', messages, stream: true}, {signal: controller.signal});
		const call = await rig.upstream.called('pouring');
		let n = 0;
		await leaving(call, async () => {
			for await (const _ of stream) if (++n === 100) controller.abort();
		});
	});

	it('with "detach" the upstream is not closed, and the kept answer can be read', async () => {
		const model = 'detached';
		let more;
		const left = new Promise(resolve => { more = resolve; });
		rig.upstream.on(model, async call => {
			call.send(role() + text('a'));
			await left;
			call.end(text('b') + finish() + done);
		});
		const ask = headers => fetch(`${rig.url}/v1/chat/completions`, {
			method: 'POST', headers: {'content-type': 'application/json', ...headers},
			body: JSON.stringify({model, messages, stream: true}),
		});
		const first = await ask({'X-Sluice-Client-Leaves': 'detach 30s'});
		const id = first.headers.get('x-stream-id');
		await first.body.cancel();
		more();
		const {complete} = await (await rig.upstream.called(model)).closed;
		assert.equal(complete, true);
		const again = await (await ask({'Last-Event-ID': `${id}.0`})).text();
		assert.match(again, /"content":"a"/);
		assert.match(again, /"content":"b"/);
		assert.match(again, /data: \[DONE\]\n\n$/);
		assert.equal(rig.upstream.of(model).length, 1);
	});

	it('who leaves one connection does not disturb the others', async () => {
		silentAfter('leaver', role() + text('a'));
		let go;
		const gone = new Promise(resolve => { go = resolve; });
		rig.upstream.on('stayer', async call => {
			call.send(role() + text('a'));
			await gone;
			call.end(text('b') + finish() + done);
		});
		const controller = new AbortController();
		const stays = client.chat.completions.stream({model: 'stayer', messages}).finalContent();
		const leaves = await client.chat.completions.create(
			{model: 'leaver', messages, stream: true}, {signal: controller.signal});
		await leaves[Symbol.asyncIterator]().next();
		await rig.upstream.called('stayer');
		await leaving(await rig.upstream.called('leaver'), () => controller.abort());
		go();
		assert.equal(await stays, 'ab');
	});
});
