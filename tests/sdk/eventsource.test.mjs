// EventSource of npm against GET /ask: a whole chat client in three lines, which survives a bad
// network by itself.
//
//	node --test eventsource.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {EventSource} from 'eventsource';
import {Forwarder} from './forwarder.mjs';
import {barrier, startRig, within} from './rig.mjs';
import {answer, done, failure, finish, reasoning, role, text, tool, usage}
	from './upstream.mjs';

const NAMED = ['reasoning', 'tool_call', 'usage', 'lost', 'done', 'failed'];
const RECONNECT_MS = 10_000; // `retry` is 1 to 5 s

// What an EventSource has heard, and a way to wait for it.
class Listener {
	#waiting = new Set();
	text = '';
	events = []; // [type, data] of the named ones
	errors = []; // status, or undefined for a lost connection
	opened = 0;

	constructor(url, {closeAtEnd = false} = {}) {
		const source = this.source = new EventSource(url);
		source.onopen = () => this.#note(() => { this.opened++; });
		source.onmessage = event => this.#note(() => {
			this.text += event.data;
			this.lastId = event.lastEventId;
		});
		for (const type of NAMED)
			source.addEventListener(type, ({data, lastEventId}) => this.#note(() => {
				this.events.push([type, type === 'reasoning' ? data : JSON.parse(data)]);
				this.lastId = lastEventId;
				if (closeAtEnd && (type === 'done' || type === 'failed')) source.close();
			}));
		source.onerror = ({code}) => this.#note(() => { this.errors.push(code); });
	}

	#note(change) {
		change();
		for (const check of this.#waiting) check();
	}

	until(what, holds) {
		return within(RECONNECT_MS, what, new Promise(resolve => {
			const check = () => {
				if (!holds(this)) return;
				this.#waiting.delete(check);
				resolve();
			};
			this.#waiting.add(check);
			check();
		}));
	}

	untilText(wanted) {
		return this.until(`the text "${wanted}"`, () => this.text === wanted)
			.catch(error => { throw new Error(`${error.message}, but "${this.text}"`); });
	}

	untilEnd() {
		return this.until('an end', () => this.of('done') || this.of('failed'));
	}

	of(type) {
		return this.events.find(([t]) => t === type)?.[1];
	}
}

describe('EventSource on /ask', {timeout: 300_000, concurrency: true}, () => {
	let rig;
	before(async () => { rig = await startRig(); });
	after(() => rig.stop());

	const ask = (t, model, {url = rig.url, ...options} = {}) => {
		const listener = new Listener(`${url}/ask?q=why&model=${model}`, options);
		t.after(() => listener.source.close());
		return listener;
	};

	const network = async t => {
		const forwarder = await Forwarder.start(rig.port);
		t.after(() => forwarder.stop());
		return forwarder;
	};

	it('gets the text and the end', async t => {
		rig.upstream.on('plain', async call => call.end(
			role() + text('Be') + text('cause') + finish() + usage(3, 2) + done));
		const heard = ask(t, 'plain', {closeAtEnd: true});
		await heard.untilEnd();
		assert.equal(heard.text, 'Because');
		assert.equal(heard.of('done').finish_reason, 'stop');
		assert.equal(heard.of('done').usage.completion_tokens, 2);
		const [call] = rig.upstream.of('plain');
		assert.deepEqual(call.json.messages, [{role: 'user', content: 'why'}]);
		assert.equal(call.json.stream, true);
	});

	it('gets each token when the upstream has sent it', async t => {
		const steps = [barrier(), barrier(), barrier()];
		rig.upstream.on('steps', async call => {
			call.send(role());
			for (const [i, {opened}] of steps.entries()) {
				call.send(text(`${i}`));
				await opened;
			}
			call.end(finish() + done);
		});
		const heard = ask(t, 'steps', {closeAtEnd: true});
		for (const [i, {open}] of steps.entries()) {
			await heard.untilText('012'.slice(0, i + 1));
			open();
		}
		await heard.untilEnd();
	});

	it('gets every byte of a text that is hard to frame', async t => {
		// What EventSource cannot keep is a CR: its lines end there.
		const words = ['\n', 'a', '\n\n', ' lead', '  two', 'id: 5', '\nevent: done\n', ':c', '\uFEFF',
			'\u2028', '😀', 'data: [DONE]', '</script>', '\t', 'end\n'];
		rig.upstream.on('bytes', async call => call.end(answer(...words)));
		const heard = ask(t, 'bytes', {closeAtEnd: true});
		await heard.untilEnd();
		assert.equal(heard.text, words.join(''));
		assert.deepEqual(heard.events.map(([type]) => type), ['done']);
	});

	it('gets reasoning, tool calls and refusals as events of their own', async t => {
		rig.upstream.on('named', async call => call.end(role() + reasoning('hm ') + reasoning('ok') +
			tool({index: 0, id: 'c0', type: 'function', function: {name: 'f', arguments: ''}}) +
			tool({index: 0, function: {arguments: '{"a":1}'}}) + finish('tool_calls') + done));
		const heard = ask(t, 'named', {closeAtEnd: true});
		await heard.untilEnd();
		const calls = heard.events.filter(([type]) => type === 'tool_call').map(([, data]) => data);
		assert.equal(heard.events.filter(([type]) => type === 'reasoning')
			.map(([, data]) => data).join(''), 'hm ok');
		assert.deepEqual([calls[0].index, calls[0].id, calls[0].name], [0, 'c0', 'f']);
		assert.equal(calls.map(call => call.arguments ?? '').join(''), '{"a":1}');
		assert.equal(heard.text, '');
		assert.equal(heard.of('done').finish_reason, 'tool_calls');
	});

	it('hears of a failure after the first token', async t => {
		rig.upstream.on('fails', async call => call.end(
			role() + text('half') + failure({message: 'boom', code: 'overloaded'})));
		const heard = ask(t, 'fails', {closeAtEnd: true});
		await heard.untilEnd();
		assert.equal(heard.text, 'half');
		assert.equal(heard.of('failed').partial, true);
		assert.match(heard.of('failed').error.message, /boom/);
		assert.equal(heard.of('failed').error.code, 'overloaded');
	});

	it('hears of a cut upstream', async t => {
		rig.upstream.on('cut', async call => call.end(role() + text('half')));
		const heard = ask(t, 'cut', {closeAtEnd: true});
		await heard.untilEnd();
		assert.equal(heard.of('failed').error.code, 'upstream_incomplete');
		assert.equal(heard.of('done'), undefined);
	});

	it('does not come back after a refusal', async t => {
		rig.upstream.on('refused', async call => call.reply(400, {error: {message: 'no'}}));
		const heard = ask(t, 'refused');
		await heard.until('an error', () => heard.errors.length > 0);
		assert.deepEqual(heard.errors, [400]);
		assert.equal(heard.source.readyState, EventSource.CLOSED);
	});

	for (const gently of [false, true])
		it(`goes on after ${gently ? 'an end' : 'a reset'} of its connection`, async t => {
			const model = `broken-${gently}`, forwarder = await network(t);
			const [away, back] = [barrier(), barrier()];
			rig.upstream.on(model, async call => {
				call.send(role() + text('one '));
				await away.opened;
				call.send(text('two '));
				await back.opened;
				call.end(text('three') + finish() + usage(3, 3) + done);
			});
			const heard = ask(t, model, {url: forwarder.url});
			await heard.untilText('one ');
			forwarder.cut({gently});
			await heard.until('a lost connection', () => heard.errors.length === 1);
			away.open();
			await heard.untilText('one two ');
			assert.equal(heard.opened, 2);
			back.open();
			await heard.untilEnd();
			assert.equal(heard.text, 'one two three');
			assert.equal(heard.of('done').usage.completion_tokens, 3);
			assert.equal(rig.upstream.of(model).length, 1);
			// It was not told to close, so it comes back once more, and is sent away for good.
			await heard.until('the last answer', () => heard.errors.at(-1) === 204);
			assert.equal(heard.source.readyState, EventSource.CLOSED);
			assert.equal(heard.text, 'one two three');
			assert.deepEqual(heard.events.map(([type]) => type), ['usage', 'done']);
			assert.equal(rig.upstream.of(model).length, 1);
		});

	it('loses nothing when it is cut in the middle of events, while tokens pour in', async t => {
		const forwarder = await network(t);
		const words = Array.from({length: 3000}, (_, i) => `${i} `);
		const parts = [0, 1, 2].map(i => words.slice(i * 1000, (i + 1) * 1000));
		const cuts = [barrier(), barrier()];
		rig.upstream.on('pouring', async call => {
			call.send(role());
			for (const [i, part] of parts.entries()) {
				for (const word of part) call.send(text(word));
				await cuts[i]?.opened;
			}
			call.end(finish() + done);
		});
		const cut = forwarder.cutAfter(2_503);
		const heard = ask(t, 'pouring', {url: forwarder.url, closeAtEnd: true});
		await within(RECONNECT_MS, 'a cut', cut);
		const another = forwarder.cutAfter(3_001, {gently: true});
		cuts[0].open();
		await within(RECONNECT_MS, 'another cut', another);
		cuts[1].open();
		await heard.untilEnd();
		assert.equal(heard.text, words.join(''));
		assert.equal(forwarder.cuts, 2);
		assert.equal(rig.upstream.of('pouring').length, 1);
	});

	it('comes back after the end, gets what it missed, then 204', async t => {
		const forwarder = await network(t);
		const away = barrier();
		rig.upstream.on('late', async call => {
			call.send(role() + text('one '));
			await away.opened;
			call.end(text('two') + finish() + done);
		});
		const heard = ask(t, 'late', {url: forwarder.url});
		await heard.untilText('one ');
		forwarder.cut();
		away.open();
		assert.equal((await (await rig.upstream.called('late')).closed).complete, true);
		await heard.untilEnd();
		assert.equal(heard.text, 'one two');
		await heard.until('the last answer', () => heard.errors.at(-1) === 204);
		assert.equal(heard.source.readyState, EventSource.CLOSED);
		assert.equal(rig.upstream.of('late').length, 1);
	});

	it('comes back after a failure, and is told to stop', async t => {
		rig.upstream.on('failed-back', async call => call.end(
			role() + text('half') + failure({message: 'boom'})));
		const heard = ask(t, 'failed-back');
		await heard.until('the last answer', () => heard.errors.at(-1) === 204);
		assert.equal(heard.source.readyState, EventSource.CLOSED);
		assert.deepEqual([heard.text, heard.events.length], ['half', 1]);
		assert.equal(rig.upstream.of('failed-back').length, 1);
	});
});
