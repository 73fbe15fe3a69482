// Several chats on one connection: reloads, tabs, cuts, keys. A forwarder counts what the page asks for.
//
//	cd ../sdk && npm ci && node --test ../browser/chats.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {Forwarder} from '../sdk/forwarder.mjs';
import {barrier, startRig} from '../sdk/rig.mjs';
import {answer, done, finish, role, text, usage} from '../sdk/upstream.mjs';
import {screenshot, startBrowser} from './chromium.mjs';
import {Visit} from './page.mjs';

const CUTS = 15;

describe('the chats of the page', {timeout: 600_000}, () => {
	let rig, browser;
	const answers = new Map(); // question → script

	before(async () => {
		rig = await startRig({models: {one: 'up'}});
		rig.upstream.on('one', call => answers.get(call.words)(call));
		browser = await startBrowser();
	});
	after(async () => {
		await browser?.close();
		await rig?.stop();
	});

	const whenAsked = (question, script) => answers.set(question, script);
	const asked = question => rig.upstream.calls.filter(call => call.words === question);
	const visit = (t, {url = rig.url, ...options} = {}) => Visit.to(t, browser, url, options);
	const network = async t => {
		const forwarder = await Forwarder.start(rig.port);
		t.after(() => forwarder.stop());
		return forwarder;
	};
	const heads = (forwarder, start) => forwarder.requests.filter(head => head.startsWith(start));

	// An answer in steps, each when the test wants it.
	const inSteps = (question, ...words) => {
		const steps = words.map(barrier);
		whenAsked(question, async call => {
			call.send(role());
			for (const [i, word] of words.entries()) {
				await steps[i].opened;
				call.send(text(word));
			}
			call.end(finish() + usage(3, words.length) + done);
		});
		return steps.map(({open}) => open);
	};

	it('share one connection, and each shows its own answer', async t => {
		const forwarder = await network(t), it = await visit(t, {url: forwarder.url}), names = ['a', 'b', 'c', 'd'];
		const steps = names.map(name => inSteps(name, `${name}1 `, `${name}2 `, `${name}3`));
		const chats = [];
		for (const [i, name] of names.entries()) {
			const chat = i ? await it.newChat() : it.chat();
			chats.push(await chat.ask(name));
			steps[i][0]();
			await chat.shows(`${name}1`);
		}
		await it.page.locator('#wire-state', {hasText: '4 answers on one connection'}).waitFor();
		const opened = heads(forwarder, 'GET /v1/events');
		assert.equal(opened.length, 4); // one at a time: each with one stream more
		assert.deepEqual(opened.map(head => /streams=([^& ]*)/.exec(head)[1].split(',').length), [1, 2, 3, 4]);
		for (const [i, chat] of chats.entries()) {
			steps[i][1]();
			await chat.shows(`${names[i]}1 ${names[i]}2`);
		}
		assert.equal(await it.page.locator('.column .running').count(), 4);
		await it.page.setViewportSize({width: 1600, height: 800});
		assert.ok(await it.page.evaluate(() => [...document.querySelectorAll('.column')].every(column => {
			const {left, right, width} = column.getBoundingClientRect();
			return left >= 0 && right <= innerWidth && width > 300;
		})), 'not all chats can be seen');
		await screenshot(it.page, 'page-four');
		for (const [i, chat] of chats.entries()) {
			steps[i][2]();
			await chat.ended();
			assert.equal(await chat.text(), `${names[i]}1 ${names[i]}2 ${names[i]}3`);
		}
		await it.wire('idle');
		assert.equal(heads(forwarder, 'GET /v1/events').length, 4); // no end opened another
		assert.equal(heads(forwarder, 'POST /v1/streams').length, 4);
		for (const name of names) assert.equal(asked(name).length, 1);
		assert.deepEqual(it.complaints, []);
	});

	it('stop one by one', async t => {
		const it = await visit(t), [one, two] = [it.chat(), await it.newChat()];
		const [first] = inSteps('keeps on', 'whole');
		whenAsked('is stopped', async call => {
			call.send(role() + text('half'));
			await call.closed;
		});
		await one.ask('keeps on');
		await two.ask('is stopped');
		await two.shows('half');
		await two.stop.click();
		await two.ended();
		assert.equal(await two.mark(), 'stopped');
		first();
		await one.shows('whole');
		await one.ended();
		assert.equal(await one.turn.locator('.mark').count(), 0);
		assert.deepEqual(it.complaints, []);
	});

	it('go on after a reload, with nothing lost and nothing twice', async t => {
		const it = await visit(t), chat = it.chat();
		const [one, two, three] = inSteps('reload', '1 ', '2 ', '3');
		await chat.ask('reload');
		one();
		await chat.shows('1');
		await it.page.reload();
		await chat.shows('1');
		assert.equal(await chat.turn.locator('.question').textContent(), 'You: reload');
		two();
		await chat.shows('1 2');
		await it.page.reload();
		three();
		await chat.ended();
		assert.equal(await chat.text(), '1 2 3');
		assert.equal(asked('reload').length, 1);
		assert.match((await chat.figures()).join(' · '), /^first token .* · 3 tokens$/);
		await it.page.reload();
		await chat.ended();
		assert.equal(await chat.text(), '1 2 3');
		assert.match((await chat.figures()).join(' · '), /^first token .* · 3 tokens$/);
		assert.deepEqual(it.unexpected, []);
	});

	it('ask once, also when the page is left before the server has answered', async t => {
		const it = await visit(t), chat = it.chat(), taken = barrier();
		const [one] = inSteps('left', 'here');
		await it.page.route('**/v1/streams', async route => {
			await route.fetch(); // it reaches the server, and nothing comes back
			taken.open();
		}, {times: 1});
		await chat.ask('left');
		await taken.opened;
		await it.page.reload();
		one();
		await chat.shows('here');
		assert.equal(asked('left').length, 1);
	});

	it('are the same in a second tab, also while an answer comes', async t => {
		const it = await visit(t), chat = it.chat();
		const [one, two, three] = inSteps('tabs', '1 ', '2 ', '3');
		const open = await visit(t, {tabOf: it.page}); // one that is there already
		await chat.ask('tabs');
		one();
		await chat.shows('1');
		await open.chat().shows('1');
		const late = await visit(t, {tabOf: it.page}); // one that comes in the middle
		await late.chat().shows('1');
		two();
		for (const tab of [it, open, late]) await tab.chat().shows('1 2');
		three();
		for (const tab of [it, open, late]) {
			await tab.chat().ended();
			assert.equal(await tab.chat().text(), '1 2 3');
		}
		assert.equal(asked('tabs').length, 1);

		const [more] = inSteps('and from there', 'too');
		more();
		await open.chat().ask('and from there');
		await chat.shows('too');
		const second = await open.newChat();
		await it.page.locator('.column').nth(1).waitFor();
		await second.column.locator('.close').click();
		await it.page.locator('.column').nth(1).waitFor({state: 'detached'});
		for (const tab of [it, open, late]) assert.deepEqual(tab.complaints, []);
	});

	it('are stopped in every tab at once', async t => {
		whenAsked('for all', async call => {
			call.send(role() + text('half'));
			await call.closed;
		});
		const it = await visit(t);
		await it.chat().ask('for all');
		const other = await visit(t, {tabOf: it.page});
		await other.chat().shows('half');
		await other.chat().stop.click();
		for (const tab of [it, other]) {
			await tab.chat().ended();
			assert.equal(await tab.chat().mark(), 'stopped');
		}
	});

	it(`come through ${CUTS} cuts, each with the page's own button`, async t => {
		const forwarder = await network(t), it = await visit(t, {url: forwarder.url});
		const [one, two] = [it.chat(), await it.newChat()];
		const words = Array.from({length: CUTS + 1}, (_, i) => `w${i} `);
		const steps = [inSteps('cut me', ...words), inSteps('and me', ...words)];
		await one.ask('cut me');
		await two.ask('and me');
		for (let i = 0; i <= CUTS; i++) {
			await it.wire('open');
			if (i === CUTS) break;
			await it.page.locator('#cut').click();
			await it.wire('away');
			for (const step of steps) step[i](); // while nobody listens
			await Promise.all([one, two].map(chat => chat.shows(words.slice(0, i + 1).join('').trim())));
		}
		for (const step of steps) step[CUTS]();
		for (const chat of [one, two]) {
			await chat.ended();
			assert.equal(await chat.text(), words.join('').trim());
		}
		for (const question of ['cut me', 'and me']) assert.equal(asked(question).length, 1);
		const [, ...again] = heads(forwarder, 'GET /v1/events');
		assert.equal(again.length, 1 + CUTS); // the second chat, and each cut
		assert.ok(again.slice(2).every(head => /last_event_id=/.test(head)));
		assert.deepEqual(it.unexpected, []);
	});

	it('come back by themselves when the network drops all of them', async t => {
		const forwarder = await network(t), it = await visit(t, {url: forwarder.url});
		const [one, two] = [it.chat(), await it.newChat()];
		const [a1, a2] = inSteps('dropped', '1 ', '2'), [b1, b2] = inSteps('dropped too', '3 ', '4');
		await one.ask('dropped');
		await two.ask('dropped too');
		a1();
		b1();
		await one.shows('1');
		await two.shows('3');
		forwarder.cut();
		await it.wire('away');
		a2();
		b2();
		await one.shows('1 2');
		await two.shows('3 4');
		for (const chat of [one, two]) await chat.ended();
		assert.ok(/^last-event-id: \S+\.\d+,\S+\.\d+\r$/im.test(heads(forwarder, 'GET /v1/events').at(-1)));
		assert.equal(asked('dropped').length + asked('dropped too').length, 2);
		assert.deepEqual(it.unexpected, []);
	});

	it('say what the server has forgotten, and keep what had come', async t => {
		const it = await visit(t), chat = it.chat();
		whenAsked('forget', async call => {
			call.send(role() + text('what had come'));
			await call.closed;
		});
		await chat.ask('forget');
		await chat.shows('what had come');
		await it.page.route('**/v1/events?*', route => route.fulfill({status: 404, json: {error: {message: 'gone'}}}));
		await it.page.reload();
		assert.match(await chat.error(), /does not keep this answer/);
		assert.equal(await chat.text(), 'what had come');
		assert.deepEqual(it.unexpected, []);
		asked('forget')[0].cut();
	});

	it('work where nothing can be stored, and say so', async t => {
		whenAsked('no room', async call => call.end(answer('here')));
		const it = await visit(t), chat = it.chat();
		await it.page.addInitScript(() => {
			Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };
		});
		await it.page.reload();
		await chat.ask('no room');
		await chat.shows('here');
		await chat.ended();
		await it.page.locator('#full:not([hidden])').waitFor();
		assert.deepEqual(it.complaints, []);
	});

	it('fit on a phone, one at a time, with a switcher', async t => {
		whenAsked('small', async call => call.end(answer('one')));
		whenAsked('smaller', async call => call.end(answer('two')));
		const it = await visit(t, {viewport: {width: 390, height: 800}}), one = await it.chat().ask('small');
		await one.shows('one');
		const two = await it.newChat();
		await two.ask('smaller');
		await two.shows('two');
		assert.equal(await one.column.isVisible(), false);
		await it.page.locator('.tab', {hasText: 'small'}).first().click();
		assert.equal(await one.column.isVisible(), true);
		assert.equal(await two.column.isVisible(), false);
		await screenshot(it.page, 'page-phone');
		assert.ok(await it.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
		assert.deepEqual(it.complaints, []);
	});
});

describe('the chats of the page, on a server with keys', {timeout: 600_000}, () => {
	let rig, browser;
	const answers = new Map();

	before(async () => {
		rig = await startRig({models: {one: 'up'}, keys: [{name: 'ada', key: 'the right key'}]});
		rig.upstream.on('one', call => answers.get(call.words)(call));
		browser = await startBrowser();
	});
	after(async () => {
		await browser?.close();
		await rig?.stop();
	});

	const visit = (t, options) => Visit.to(t, browser, rig.url, options);
	const enter = async ({page}, key) => {
		await page.locator('#key-dialog[open]').waitFor();
		await page.locator('#key').fill(key);
		await page.keyboard.press('Enter');
	};
	const asked = question => rig.upstream.calls.filter(call => call.words === question);

	it('ask for a key once, and keep it for the tab', async t => {
		answers.set('locked', async call => call.end(answer('open')));
		const it = await visit(t), chat = it.chat();
		await it.page.locator('#key-dialog[open]').waitFor();
		await screenshot(it.page, 'page-key');
		await enter(it, 'a wrong key');
		await it.page.locator('#key-wrong:not([hidden])').waitFor();
		await enter(it, 'the right key');
		await chat.model.locator('option', {hasText: 'one'}).waitFor({state: 'attached'});
		for (let i = 0; i < 2; i++) {
			await chat.ask('locked');
			await chat.shows('open');
			await chat.ended();
			await it.page.reload();
		}
		await chat.model.locator('option', {hasText: 'one'}).waitFor({state: 'attached'});
		assert.equal(await it.page.locator('#key-dialog[open]').count(), 0);
		assert.equal(await it.page.evaluate(() => JSON.stringify(localStorage).includes('right')), false);
		assert.deepEqual(it.unexpected, []);
	});

	it('show a running answer in a tab that has no key, by its ticket', async t => {
		const half = barrier();
		answers.set('by ticket', async call => {
			call.send(role() + text('1 '));
			await half.opened;
			call.end(text('2') + finish() + done);
		});
		const it = await visit(t), chat = it.chat();
		await enter(it, 'the right key');
		await chat.ask('by ticket');
		await chat.shows('1');
		const other = await visit(t, {tabOf: it.page});
		await other.page.locator('#key-cancel').click();
		await other.chat().shows('1');
		half.open();
		for (const tab of [it, other]) {
			await tab.chat().shows('1 2');
			await tab.chat().ended();
		}
		assert.equal(asked('by ticket').length, 1);
	});

	it('get a new ticket when the old one has expired', async t => {
		const half = barrier();
		answers.set('expires', async call => {
			call.send(role() + text('a '));
			await half.opened;
			call.end(text('b') + finish() + done);
		});
		const it = await visit(t), chat = it.chat();
		await enter(it, 'the right key');
		await chat.ask('expires');
		await chat.shows('a');
		let renewed = 0;
		it.page.on('request', request => { renewed += request.url().endsWith('/ticket'); });
		await it.page.route(/\/v1\/events.*ticket=/, route => renewed ? route.continue()
			: route.continue({url: route.request().url().replace(/ticket=\d+/, 'ticket=1')})); // long ago
		await it.page.locator('#cut').click();
		await it.wire('away');
		half.open();
		await chat.shows('a b');
		await chat.ended();
		assert.equal(renewed, 1);
		assert.equal(asked('expires').length, 1);
		assert.deepEqual(it.unexpected, []);
	});

	it('tell in plain words that there is no key', async t => {
		const it = await visit(t), chat = it.chat();
		await it.page.locator('#key-cancel').click();
		await chat.ask('without');
		await it.page.locator('#key-cancel').click();
		assert.match(await chat.error(), /asks for a key/);
		assert.deepEqual(it.unexpected, []);
	});
});
