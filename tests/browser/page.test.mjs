// The chat page in Chromium, with a scripted upstream behind the proxy: one chat, from the question to its figures.
//
//	cd ../sdk && npm ci && node --test ../browser/page.test.mjs

import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {after, before, describe, it} from 'node:test';
import {Forwarder} from '../sdk/forwarder.mjs';
import {barrier, startRig, within} from '../sdk/rig.mjs';
import {
	answer, chunk, done, failure, finish, frame, reasoning, role, text, tool, usage,
} from '../sdk/upstream.mjs';
import {screenshot, startBrowser, WAIT_MS} from './chromium.mjs';
import {Visit} from './page.mjs';

const MODELS = ['first', 'second', '<img src=x onerror=hacked=1>'];

describe('the chat page', {timeout: 600_000}, () => {
	let rig, browser;
	const answers = new Map(); // question → script

	before(async () => {
		rig = await startRig();
		rig.upstream.on('GET /v1/models', async call => call.reply(200, {
			object: 'list', data: MODELS.map(id => ({id, object: 'model', created: 1, owned_by: 'x'})),
		}));
		for (const model of MODELS)
			rig.upstream.on(model, call => answers.get(call.words)(call));
		browser = await startBrowser();
	});
	after(async () => {
		await browser?.close();
		await rig?.stop();
	});

	const whenAsked = (question, script) => answers.set(question,
		typeof script === 'string' ? async call => call.end(script) : script);
	const asked = question => rig.upstream.calls.filter(call => call.words === question);
	const visit = (t, {url = rig.url, ...options} = {}) => Visit.to(t, browser, url, options);
	// Figures are about time, so time has to go by.
	const moment = ({page}) => page.evaluate(() => performance.now()).then(now =>
		page.waitForFunction(then => performance.now() - then > 120, now));

	it('shows an answer step by step, with its figures, and complains of nothing', async t => {
		const question = 'Why is the sky blue?', steps = ['Be', 'cause ', 'of\n\n', '光 ', '🌅'];
		const seen = ['Be', 'Because', 'Because of', 'Because of光', 'Because of光 🌅'];
		const shown = steps.map(barrier);
		whenAsked(question, async call => {
			call.send(role());
			for (const [i, step] of steps.entries()) {
				call.send(text(step));
				await shown[i].opened;
			}
			call.end(finish() + usage(5, 5) + done);
		});
		const it = await visit(t), chat = it.chat();
		await chat.ask(question);
		assert.equal(await chat.turn.locator('.question').textContent(), `You: ${question}`);
		for (const [i] of steps.entries()) {
			await it.page.waitForFunction(wanted =>
				document.querySelector('.answer').innerText.replace(/\s*\n+\s*/g, '').trim() === wanted, seen[i]);
			if (i === 0) assert.equal(await chat.stop.isVisible(), true);
			if (i === 0) await moment(chat);
			shown[i].open();
		}
		await chat.ended();
		const figures = await chat.figures();
		assert.match(figures[0], /^first token \d+\.\d+ s$/);
		assert.match(figures[1], /^\d+\.\d tokens\/s$/);
		assert.equal(figures[2], '5 tokens');
		assert.equal(await chat.stop.isVisible(), false);
		assert.equal(await chat.send.isVisible(), true);
		assert.equal(await it.status(), 'The answer is complete.');
		assert.equal(await it.page.locator('#wire.idle').count(), 1);
		assert.deepEqual(it.complaints, []);
		assert.equal(asked(question).length, 1);
	});

	it('plots the time between tokens while they come, in colours of the page', async t => {
		const steps = Array.from({length: 4}, barrier);
		whenAsked('plot', async call => {
			call.send(role());
			for (const [i, {opened}] of steps.entries()) {
				call.send(text(`${i} `));
				await opened;
			}
			call.end(text('last') + finish() + done);
		});
		const it = await visit(t), chat = await it.chat().ask('plot');
		for (const [i, {open}] of steps.entries()) {
			await chat.shows('0 1 2 3'.slice(0, 2 * i + 1));
			if (i === 2) await moment(chat);
			open();
		}
		await chat.ended();
		const plot = chat.turn.locator('.plot'), canvas = plot.locator('canvas');
		await canvas.waitFor();
		const [, longest] = /at most (\d+) ms/.exec(await plot.getAttribute('aria-label'));
		assert.ok(longest >= 100, `${longest} ms`);
		assert.ok(await canvas.evaluate(canvas => {
			const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
			return data.some(byte => byte > 0);
		}), 'nothing is drawn');
		assert.deepEqual(it.complaints, []);
	});

	it('sends the whole chat along, but for what was not answered', async t => {
		whenAsked('my name is Ada', answer('Hello *Ada*.'));
		whenAsked('say nothing', role() + failure({message: 'no', code: 'no'}));
		whenAsked('what is my name?', answer('Ada'));
		const it = await visit(t), chat = await it.chat().ask('my name is Ada');
		await chat.ended();
		await chat.ask('say nothing');
		await chat.turn.locator('.error').waitFor();
		await it.page.reload();
		await chat.ask('what is my name?');
		await chat.shows('Ada');
		assert.deepEqual(asked('what is my name?')[0].json.messages, [
			{role: 'user', content: 'my name is Ada'},
			{role: 'assistant', content: 'Hello *Ada*.'},
			{role: 'user', content: 'what is my name?'},
		]);
	});

	it('shows thinking folded, and unfolds it', async t => {
		whenAsked('think', role() + reasoning('Let me ') + reasoning('see.') + text('Yes.') +
			finish() + done);
		const it = await visit(t), chat = await it.chat().ask('think');
		await chat.ended();
		const thinking = chat.turn.locator('details.thinking');
		assert.equal(await thinking.getAttribute('open'), null);
		assert.equal(await thinking.locator('.text').isVisible(), false);
		await thinking.locator('summary').click();
		assert.equal(await thinking.locator('.text').innerText(), 'Let me see.');
		assert.equal(await chat.text(), 'Yes.');
		assert.deepEqual(it.complaints, []);
	});

	it('shows both halves of a frame that has thinking and text, at once', async t => {
		const end = barrier();
		whenAsked('both', async call => {
			call.send(role() + text('first '));
			await end.opened;
			call.send(frame(chunk({delta: {reasoning_content: 'hm', content: 'second'}})));
			await call.closed;
		});
		const it = await visit(t), chat = await it.chat().ask('both');
		await chat.shows('first');
		end.open();
		await chat.turn.locator('.md', {hasText: 'second'}).waitFor();
		assert.equal(await chat.turn.locator('.thinking .text').textContent(), 'hm');
		await chat.stop.click();
		await chat.ended();
	});

	it('has a strict policy, and no files but its own', async () => {
		const served = async path => (await fetch(rig.url + path)).headers.get('content-security-policy');
		for (const path of ['/', '/page/app.js', '/page/style.css', '/favicon.svg', '/sluice.js']) {
			const policy = await served(path);
			assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
			assert.match(policy, /require-trusted-types-for 'script'/);
			assert.doesNotMatch(policy, /unsafe|data:|blob:|https?:|\*/);
		}
		for (const path of ['/page/', '/page/nonesuch.js', '/page/..%2fapp.js', '/app.js'])
			assert.equal((await fetch(rig.url + path)).status, 404, path);
	});

	it('shows each tool call as a card', async t => {
		const call = (index, name) => tool({index, id: `c${index}`, type: 'function',
			function: {name, arguments: ''}});
		const args = (index, piece) => tool({index, function: {arguments: piece}});
		whenAsked('use a tool', role() + text('Looking.') + call(0, 'weather') + args(0, '{"city":') +
			args(0, '"Rome"}') + call(1, 'clock') + args(1, '{}') + finish('tool_calls') + done);
		const it = await visit(t), chat = await it.chat().ask('use a tool');
		const check = async () => {
			await chat.ended();
			assert.deepEqual(await chat.turn.locator('.tool-name').allTextContents(), ['weather', 'clock']);
			assert.deepEqual(await chat.turn.locator('.tool .text').allTextContents(),
				['{"city":"Rome"}', '{}']);
			assert.match(await chat.mark(), /tool_calls/);
		};
		await check();
		await it.page.reload();
		await check();
		assert.deepEqual(it.complaints, []);
	});

	it('tells of a failure in plain words, keeps what came, and asks again', async t => {
		let broken = true;
		whenAsked('fail', async call => call.end(broken
			? role() + text('half') + failure({message: 'The GPU melted.', code: 'melted'})
			: answer('whole')));
		const it = await visit(t), chat = await it.chat().ask('fail');
		await chat.turn.locator('.error').waitFor();
		assert.equal(await chat.text(), 'half');
		assert.match(await chat.turn.locator('.error strong').textContent(), /^[A-Z][^{}]+\.$/);
		assert.match(await chat.error(), /The GPU melted\./);
		assert.equal(await chat.mark(), 'interrupted');
		broken = false;
		await chat.turn.getByRole('button', {name: 'Ask again'}).click();
		await chat.shows('whole');
		assert.equal(await chat.column.locator('.turn').count(), 1);
		assert.deepEqual(it.complaints, []);
	});

	it('tells of an answer that broke off', async t => {
		whenAsked('cut', role() + text('half'));
		const it = await visit(t), chat = await it.chat().ask('cut');
		assert.match(await chat.error(), /broke off/);
		assert.match(await chat.error(), /upstream_incomplete/);
		assert.deepEqual(it.complaints, []);
	});

	it('tells of a refusal in plain words', async t => {
		whenAsked('busy', async call => call.reply(429,
			{error: {message: 'Slow down.', code: 'rate_limit_exceeded'}}, {'retry-after': '7'}));
		const it = await visit(t), chat = await it.chat().ask('busy');
		const told = await chat.error();
		assert.match(told, /Too many requests/);
		assert.match(told, /Slow down\./);
		assert.doesNotMatch(told, /[{}]/);
		assert.deepEqual(it.unexpected, []);
	});

	it('has plain words for every code that docs/api.md names', async () => {
		const {plainly} = await import(`data:text/javascript,${encodeURIComponent(
			await (await fetch(`${rig.url}/page/words.js`)).text())}`);
		const docs = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
		const [, table] = /\n\| code \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)/.exec(docs);
		const codes = table.split('\n').flatMap(row => row.split('|')[1]?.match(/[a-z_]+/g) ?? []);
		assert.ok(codes.length > 15, codes.join());
		assert.deepEqual(codes.filter(code => plainly({code}) === plainly({code: 'nonesuch'})), []);
	});

	it('tells that the server is not there, and asks again when it is', async t => {
		whenAsked('hello?', answer('here'));
		const it = await visit(t), chat = it.chat();
		await it.page.route('**/v1/streams', route => route.abort('connectionrefused'));
		await chat.ask('hello?');
		assert.match(await chat.error(), /cannot be reached/);
		await it.page.unroute('**/v1/streams');
		await chat.turn.getByRole('button', {name: 'Ask again'}).click();
		await chat.shows('here');
		assert.deepEqual(it.unexpected, []);
	});

	it('stops when it is told, ends the upstream\'s work, and takes the next question', async t => {
		whenAsked('endless', async call => {
			call.send(role() + text('on and on'));
			await call.closed;
		});
		whenAsked('next', answer('here'));
		const it = await visit(t), chat = await it.chat().ask('endless');
		await chat.shows('on and on');
		await chat.stop.click();
		await chat.ended();
		await within(5000, 'the upstream is closed', asked('endless')[0].closed);
		assert.equal(await chat.mark(), 'stopped');
		assert.equal(await chat.text(), 'on and on');
		await chat.ask('next');
		await chat.shows('here');
		assert.deepEqual(it.complaints, []);
	});

	it('stops before the first token', async t => {
		whenAsked('silence', async call => { await call.closed; });
		const it = await visit(t), chat = await it.chat().ask('silence');
		await it.wire('open');
		await chat.stop.click();
		await chat.ended();
		await within(5000, 'the upstream is closed', asked('silence')[0].closed);
		assert.equal(await chat.mark(), 'stopped');
		assert.equal(await chat.turn.locator('.gap').textContent(), 'Stopped before the first token.');
		assert.equal(asked('silence').length, 1);
		assert.deepEqual(it.complaints, []);
	});

	it('stops even before the server has taken the question', async t => {
		whenAsked('too late', async call => { await call.closed; });
		const held = barrier(), it = await visit(t), chat = it.chat();
		await it.page.route('**/v1/streams', async route => {
			await held.opened;
			await route.continue();
		});
		await chat.ask('too late');
		await chat.stop.click();
		held.open();
		await chat.ended();
		assert.equal(await chat.mark(), 'stopped');
		assert.deepEqual(it.complaints, []);
	});

	it('can be used with the keyboard alone', async t => {
		whenAsked('first line\nsecond line', async call => {
			call.send(role() + text('typed'));
			await call.closed;
		});
		whenAsked('again', answer('well'));
		const it = await visit(t), chat = it.chat(), {keyboard} = it.page;
		const focused = () => it.page.evaluate(() => document.activeElement.className.split(' ')[0]);
		assert.equal(await focused(), 'input');
		await keyboard.press('Enter'); // nothing to send
		await keyboard.type('first line');
		await keyboard.press('Shift+Enter');
		await keyboard.type('second line');
		await keyboard.press('Enter');
		await chat.shows('typed');
		assert.equal(await chat.column.locator('.turn').count(), 1);
		await keyboard.press('Escape');
		await chat.ended();
		assert.equal(await chat.mark(), 'stopped');
		assert.equal(await focused(), 'input');

		await keyboard.press('Tab');
		assert.equal(await focused(), 'model');
		await keyboard.press('ArrowDown');
		await keyboard.press('ArrowDown');
		assert.equal(await chat.model.inputValue(), 'second');
		await keyboard.press('Shift+Tab');
		assert.equal(await focused(), 'input');
		await keyboard.type('again');
		await keyboard.press('Enter');
		await chat.shows('well');
		assert.equal(asked('again')[0].model, 'second');
		assert.deepEqual(it.complaints, []);
	});

	it('reaches everything with Tab, and shows where the focus is', async t => {
		whenAsked('tab', async call => {
			call.send(role() + text('typed'));
			await call.closed;
		});
		const it = await visit(t), chat = it.chat(), {page} = it;
		await page.evaluate(() => {
			globalThis.reached = new Set([document.activeElement]);
			document.addEventListener('focusin', ({target}) => reached.add(target));
		});
		for (let i = 0; i < 16; i++) await page.keyboard.press('Tab');
		assert.deepEqual(await page.evaluate(() =>
			[...document.querySelectorAll('button, select, textarea')]
				.filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled && !reached.has(e))
				.map(e => e.className || e.textContent)), []);
		assert.deepEqual(await page.evaluate(() => {
			const looks = e => [e, e.closest('.card'), e.parentElement].filter(Boolean)
				.map(getComputedStyle)
				.map(({outline, boxShadow, borderColor}) => [outline, boxShadow, borderColor].join())
				.join();
			const same = e => {
				document.activeElement.blur();
				const before = looks(e);
				e.focus({focusVisible: true});
				return looks(e) === before;
			};
			return [...reached].filter(same).map(e => e.className);
		}), []);
		await chat.input.focus();
		await page.keyboard.type('tab');
		await page.keyboard.press('Enter');
		await chat.shows('typed');
		for (const name of ['model', 'system-toggle', 'stop']) {
			await page.keyboard.press('Tab');
			assert.ok(await page.evaluate(name => document.activeElement.classList.contains(name), name), name);
		}
		await page.keyboard.press('Enter');
		await chat.ended();
		assert.deepEqual(it.complaints, []);
	});

	it('asks the model that is picked, and the default one otherwise', async t => {
		const it = await visit(t), chat = it.chat();
		await chat.model.locator('option').nth(MODELS.length).waitFor({state: 'attached'});
		assert.deepEqual(await chat.model.locator('option').allTextContents(),
			['Default model', ...MODELS]);
		whenAsked('which?', async call => call.end(answer(call.model)));
		await chat.ask('which?');
		await chat.shows('first');
		await chat.model.selectOption('second');
		await chat.ask('which?');
		await chat.shows('second');
		await it.page.reload();
		assert.equal(await chat.model.inputValue(), 'second');
		assert.deepEqual(it.complaints, []);
	});

	it('sends the system prompt along', async t => {
		whenAsked('who are you?', answer('a pirate'));
		const it = await visit(t), chat = it.chat();
		await chat.column.locator('.system-toggle').click();
		await chat.system.fill('Be a pirate.');
		await chat.ask('who are you?');
		await chat.shows('a pirate');
		assert.deepEqual(asked('who are you?')[0].json.messages, [
			{role: 'system', content: 'Be a pirate.'}, {role: 'user', content: 'who are you?'},
		]);
		assert.deepEqual(it.complaints, []);
	});

	it('goes on where it was when the connection breaks', async t => {
		const question = 'over a bad line', forwarder = await Forwarder.start(rig.port);
		t.after(() => forwarder.stop());
		const [away, back] = [barrier(), barrier()];
		whenAsked(question, async call => {
			call.send(role() + text('one '));
			await away.opened;
			call.send(text('two '));
			await back.opened;
			call.end(text('three') + finish() + done);
		});
		const it = await visit(t, {url: forwarder.url}), chat = await it.chat().ask(question);
		await chat.shows('one');
		forwarder.cut();
		await chat.turn.locator('.note', {hasText: 'reconnecting'}).waitFor();
		away.open();
		await chat.shows('one two');
		await chat.turn.locator('.note').waitFor({state: 'detached'});
		back.open();
		await chat.ended();
		assert.equal(await chat.text(), 'one two three');
		assert.equal(asked(question).length, 1);
		assert.deepEqual(it.unexpected, []);
	});

	it('stays quick under a flood of tokens', async t => {
		const words = Array.from({length: 10_000}, (_, i) => `${i}${i % 20 ? ' ' : '\n\n'}`);
		whenAsked('flood', async call => call.end(answer(...words)));
		const it = await visit(t), chat = await it.chat().ask('flood');
		await within(WAIT_MS, 'an end', chat.ended());
		const shown = await chat.turn.locator('.answer > .text').innerText();
		assert.ok(shown.trim().split(/\s+/).join() === words.join('').trim().split(/\s+/).join(), 'another text');
		assert.deepEqual(it.complaints, []);
	});

	for (const colorScheme of ['light', 'dark'])
		it(`looks ${colorScheme} where that is wished, on a wide and on a narrow screen`, async t => {
			const question = `Paint it ${colorScheme}`;
			whenAsked(question, role() + reasoning('A short thought.') +
				text('Some text of an answer.\n\nAnd a second paragraph, with `code`.\n\n' +
					'| a | b |\n|--|--|\n| 1 | 2 |\n\n```c\nint main(void) { return 0; } /* ' + 'long '.repeat(30) +
					'*/\n```\n\n- one\n- two\n') +
				tool({index: 0, id: 'c', type: 'function',
					function: {name: 'weather', arguments: '{"city":"Rome"}'}}) +
				failure({message: 'And then it failed.', code: 'upstream_error'}));
			const it = await visit(t, {colorScheme}), {page} = it;
			await screenshot(page, `page-${colorScheme}-empty`);
			await it.chat().ask(question);
			await it.chat().turn.locator('.error').waitFor();
			await screenshot(page, `page-${colorScheme}`);
			const brightness = await page.evaluate(() => {
				const {backgroundColor, color} = getComputedStyle(document.body);
				return [backgroundColor, color].map(rgb =>
					rgb.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0));
			});
			assert.equal(brightness[0] > brightness[1], colorScheme === 'light', brightness.join());
			await page.setViewportSize({width: 360, height: 640});
			await screenshot(page, `page-${colorScheme}-narrow`);
			assert.ok(await page.evaluate(() =>
				document.documentElement.scrollWidth <= innerWidth), 'wider than the screen');
			assert.deepEqual(it.complaints, []);
		});
});
