// Two clients of server-sent events, through a network that cuts, against each path that speaks
// them: the text comes complete, nothing twice, and each ends by itself.
//
//	node --test cuts.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {EventSource} from 'eventsource';
import fetchPackage from '@microsoft/fetch-event-source';
import {Forwarder} from './forwarder.mjs';
import {barrier, startRig, within} from './rig.mjs';
import {answer, done, finish, role, text} from './upstream.mjs';

const NAMED = ['done', 'failed', 'lost'];
const RECONNECT_MS = 15_000; // `retry` is 1 to 5 s

// What fetch-event-source takes for granted.
globalThis.window = {fetch, setTimeout, clearTimeout};
globalThis.document = {hidden: false, addEventListener() {}, removeEventListener() {}};

// Events [type, data, id] as they come, and `over` once the client has ended by itself.
class Follower {
	#waiting = new Set();
	events = [];
	lost = 0; // connections
	over = false;

	note(change) {
		change();
		for (const check of this.#waiting) check();
	}

	until(what, holds) {
		return within(RECONNECT_MS, what, new Promise(resolve => {
			const check = () => {
				if (!holds()) return;
				this.#waiting.delete(check);
				resolve();
			};
			this.#waiting.add(check);
			check();
		})).catch(error => {
			const last = this.events.slice(-3).map(event => event.join(' | ').slice(-80));
			throw new Error(`${error.message}, but ${this.events.length} events: ${last}`);
		});
	}

	untilOver() {
		return this.until('an end', () => this.over);
	}

	get text() {
		return this.events.filter(([type]) => type === 'message').map(([, data]) => data).join('');
	}

	get named() {
		return this.events.map(([type]) => type).filter(type => type !== 'message');
	}

	// What was said of one of several streams.
	of(id) {
		const said = this.events.map(([, data]) => JSON.parse(data)).filter(e => e.stream === id);
		return {
			text: said.filter(e => e.type === 'text').map(e => e.data).join(''),
			named: said.map(e => e.type).filter(type => type !== 'text'),
		};
	}
}

class BySource extends Follower {
	constructor(url) {
		super();
		const source = new EventSource(url);
		for (const type of ['message', ...NAMED])
			source.addEventListener(type, ({data, lastEventId}) =>
				this.note(() => { this.events.push([type, data, lastEventId]); }));
		source.onerror = ({code}) => this.note(() => {
			this.lost += code === undefined;
			this.over ||= code === 204 && source.readyState === EventSource.CLOSED;
		});
		this.close = () => source.close();
	}
}

// It does not come back after a proper end. A 204 it is told by its own onopen, as its
// documentation shows.
class ByFetch extends Follower {
	constructor(url) {
		super();
		const away = new AbortController();
		this.close = () => away.abort();
		class Seen extends Error {}
		fetchPackage.fetchEventSource(url, {
			signal: away.signal,
			openWhenHidden: true,
			onopen: async ({status}) => {
				if (status === 204) throw new Seen();
				assert.equal(status, 200);
			},
			onmessage: ({event, data, id}) =>
				this.note(() => { this.events.push([event || 'message', data, id]); }),
			onerror: error => {
				if (error instanceof Seen || error instanceof assert.AssertionError) throw error;
				this.note(() => { this.lost++; });
			},
		}).catch(error => assert.ok(error instanceof Seen, error))
			.then(() => this.note(() => { this.over = !away.signal.aborted; }));
	}
}

const words = Array.from({length: 900}, (_, i) => `${i} `);
const parts = [0, 1, 2].map(i => words.slice(i * 300, (i + 1) * 300));
const saidBy = i => parts.slice(0, i + 1).flat().join('');

describe('through cuts', {timeout: 300_000, concurrency: true}, () => {
	let rig;
	before(async () => { rig = await startRig(); });
	after(() => rig.stop());

	const network = async t => {
		const forwarder = await Forwarder.start(rig.port);
		t.after(() => forwarder.stop());
		return forwarder;
	};

	// A model that says a third, and the others when their barriers open.
	const speaks = model => {
		const more = [barrier(), barrier()];
		rig.upstream.on(model, async call => {
			call.send(role());
			for (const [i, part] of parts.entries()) {
				for (const word of part) call.send(text(word));
				await more[i]?.opened;
			}
			call.end(finish() + done);
		});
		return more;
	};

	const start = async model => {
		const response = await fetch(`${rig.url}/v1/streams`, {
			method: 'POST', headers: {'content-type': 'application/json'},
			body: JSON.stringify({model, messages: [{role: 'user', content: 'why'}]}),
		});
		assert.equal(response.status, 201);
		return (await response.json()).id;
	};

	// Cut, once by a reset and once by an end; what is said meanwhile is read afterwards.
	const cutTwice = async (forwarder, heard, more, hasHeard) => {
		for (const [i, {open}] of more.entries()) {
			await heard.until(`part ${i}`, () => hasHeard(saidBy(i)));
			forwarder.cut({gently: i === 1});
			await heard.until('a lost connection', () => heard.lost === i + 1);
			open();
		}
		await heard.untilOver();
		assert.equal(forwarder.cuts, 2);
	};

	const targets = [
		['/ask', async model => `/ask?q=why&format=events&model=${model}`],
		['/v1/streams/{id}', async model => `/v1/streams/${await start(model)}?format=events`],
	];
	for (const [name, Client] of [['eventsource', BySource], ['fetch-event-source', ByFetch]]) {
		const follow = (t, url) => {
			const follower = new Client(url);
			t.after(() => follower.close());
			return follower;
		};

		for (const [path, target] of targets)
			it(`${name} gets a stream of ${path} whole, once, and ends`, async t => {
				const model = `${name}-${path.length}`, more = speaks(model);
				const forwarder = await network(t);
				const heard = follow(t, forwarder.url + await target(model));
				await cutTwice(forwarder, heard, more, said => heard.text === said);
				assert.equal(heard.text, words.join(''));
				assert.deepEqual(heard.named, ['done']);
				assert.equal(rig.upstream.of(model).length, 1);
			});

		it(`${name} gets two streams of one connection whole, once, and ends`, async t => {
			const models = [`${name}-left`, `${name}-right`], all = models.map(speaks);
			const forwarder = await network(t);
			const ids = await Promise.all(models.map(start));
			const heard = follow(t, `${forwarder.url}/v1/events?streams=${ids}`);
			const more = [0, 1].map(i => ({open: () => all.forEach(barriers => barriers[i].open())}));
			await cutTwice(forwarder, heard, more,
				said => ids.every(id => heard.of(id).text === said));
			for (const id of ids)
				assert.deepEqual(heard.of(id), {text: words.join(''), named: ['done']});
			for (const model of models) assert.equal(rig.upstream.of(model).length, 1);
		});

		it(`${name} gets each message of a channel once, also of when it was away`, async t => {
			const channel = `/v1/channels/${name}`;
			const publish = async data => {
				const response = await fetch(rig.url + channel,
					{method: 'POST', headers: {'content-type': 'text/plain'}, body: data});
				assert.equal(response.status, 201);
			};
			const forwarder = await network(t);
			await publish('n0');
			const heard = follow(t, `${forwarder.url}${channel}?from=start`);
			for (let i = 1; i < 3; i++) {
				await heard.until(`n${3 * (i - 1)}`, () => heard.events.at(-1)?.[1] === `n${3 * (i - 1)}`);
				forwarder.cut({gently: i === 2});
				await heard.until('a lost connection', () => heard.lost === i);
				for (let k = 3 * i - 2; k <= 3 * i; k++) await publish(`n${k}`);
			}
			await heard.until('n6', () => heard.events.at(-1)?.[1] === 'n6');
			assert.deepEqual(heard.events.map(([, data]) => data),
				Array.from({length: 7}, (_, i) => `n${i}`));
			assert.ok(!heard.over);
		});

		it(`${name} that lost the end only is sent away for good`, async t => {
			const model = `${name}-last`;
			rig.upstream.on(model, async call => call.end(answer('a', 'b')));
			const forwarder = await network(t);
			const heard = follow(t, `${forwarder.url}/ask?q=why&format=events&model=${model}`);
			await heard.until('the end', () => heard.named[0] === 'done');
			forwarder.cut();
			await heard.untilOver();
			assert.equal(heard.text, 'ab');
			assert.deepEqual(heard.named, ['done']);
			assert.equal(rig.upstream.of(model).length, 1);
		});
	}

	// Cuts that no event is safe from, in the middle of its lines. Not for fetch-event-source: it
	// takes the id of an event before it has the event.
	for (const gently of [false, true])
		it(`eventsource misses nothing of two streams after ${gently ? 'ends' : 'resets'}`, async t => {
			const models = [`one-${gently}`, `two-${gently}`];
			const begin = barrier(), cut = barrier();
			const forwarder = await network(t);
			for (const model of models)
				rig.upstream.on(model, async call => {
					call.send(role());
					await begin.opened;
					for (const part of parts) {
						for (const word of part) call.send(text(word));
						await cut.opened;
					}
					call.end(finish() + done);
				});
			const ids = await Promise.all(models.map(start));
			const first = forwarder.cutAfter(4_321, {gently});
			const heard = new BySource(`${forwarder.url}/v1/events?streams=${ids}`);
			t.after(() => heard.close());
			await within(RECONNECT_MS, 'a head', forwarder.passed(/\r\n\r\n/));
			begin.open();
			await within(RECONNECT_MS, 'a cut', first);
			const second = forwarder.cutAfter(7_654, {gently});
			cut.open();
			await within(RECONNECT_MS, 'another cut', second);
			await heard.untilOver();
			for (const id of ids)
				assert.deepEqual(heard.of(id), {text: words.join(''), named: ['done']});
			for (const model of models) assert.equal(rig.upstream.of(model).length, 1);
		});
});
