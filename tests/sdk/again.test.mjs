// The openai package, its fetch wrapped so that a POST whose answer is cut is sent again with
// Last-Event-ID: the generation goes on, and is paid for once.
//
//	node --test again.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {openai} from './clients.mjs';
import {Forwarder} from './forwarder.mjs';
import {barrier, startRig, within} from './rig.mjs';
import {done, finish, role, text, usage} from './upstream.mjs';

const messages = [{role: 'user', content: 'hi'}];
const words = Array.from({length: 600}, (_, i) => `${i} `);

// Hands on whole events only, so that what is sent again begins right behind them.
const resuming = (posts, onCut) => async (url, init) => {
	const post = id => {
		posts.push(id);
		const headers = new Headers(init.headers);
		if (id) headers.set('Last-Event-ID', id);
		return fetch(url, {...init, headers});
	};
	const response = await post();
	let reader = response.body.getReader(), rest = '', id;
	let decoder = new TextDecoder();
	const body = new ReadableStream({
		async pull(controller) {
			for (;;) {
				let read;
				try {
					read = await reader.read();
				} catch {
					onCut(posts.length);
					const again = await post(id);
					assert.equal(again.status, 200);
					[reader, rest, decoder] = [again.body.getReader(), '', new TextDecoder()];
					continue;
				}
				if (read.done) return controller.close();
				rest += decoder.decode(read.value, {stream: true});
				const end = rest.lastIndexOf('\n\n') + 2;
				if (end < 2) continue;
				const whole = rest.slice(0, end);
				rest = rest.slice(end);
				id = [...whole.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? id;
				return controller.enqueue(new TextEncoder().encode(whole));
			}
		},
	});
	return new Response(body, response);
};

describe('the openai package, and a POST that is sent again', {timeout: 300_000, concurrency: true}, () => {
	let rig;
	before(async () => { rig = await startRig(); });
	after(() => rig.stop());

	const ways = {
		async create(client, asked) {
			let got = '', end;
			for await (const part of await client.chat.completions.create({...asked, stream: true})) {
				got += part.choices[0]?.delta.content ?? '';
				end = part.choices[0]?.finish_reason ?? end;
			}
			return [got, end];
		},
		async stream(client, asked) {
			const {choices: [{message, finish_reason: end}]} =
				await client.chat.completions.stream(asked).finalChatCompletion();
			return [message.content, end];
		},
	};
	const leaves = {
		'detach': {'X-Sluice-Client-Leaves': 'detach 30s'},
		'an Idempotency-Key': {'Idempotency-Key': 'a key'},
	};

	for (const [way, ask] of Object.entries(ways))
		for (const [announced, headers] of Object.entries(leaves))
			it(`${way} with ${announced} gets the whole text through cuts`, async t => {
				const model = `${way}-${announced.length}`, parts = [barrier(), barrier()];
				rig.upstream.on(model, async call => {
					call.send(role());
					for (let i = 0; i < 3; i++) {
						for (const word of words.slice(i * 200, (i + 1) * 200)) call.send(text(word));
						await parts[i]?.opened;
					}
					call.end(finish() + usage(1, 600) + done);
				});
				const forwarder = await Forwarder.start(rig.port);
				t.after(() => forwarder.stop());
				const posts = [];
				let next = forwarder.cutAfter(9_876);
				const client = openai(forwarder.url, {
					defaultHeaders: {...headers, ...headers['Idempotency-Key'] && {'Idempotency-Key': model}},
					fetch: resuming(posts, n => {
						if (n === 1) next = forwarder.cutAfter(12_345, {gently: true});
						parts[n - 1].open();
					}),
				});
				const got = await within(30_000, 'the answer', ask(client, {model, messages}));
				await next;
				assert.deepEqual(got, [words.join(''), 'stop']);
				assert.equal(forwarder.cuts, 2);
				assert.equal(posts.length, 3);
				assert.equal(rig.upstream.of(model).length, 1);
			});
});
