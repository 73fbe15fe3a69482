// The chat page in Chromium, with a scripted upstream behind the proxy.
//
//	cd ../sdk && npm ci && node --test ../browser/page.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {Forwarder} from '../sdk/forwarder.mjs';
import {barrier, startRig, within} from '../sdk/rig.mjs';
import {
	answer, done, failure, finish, reasoning, role, text, tool, usage,
} from '../sdk/upstream.mjs';
import {EXPECTED, openPage, screenshot, startBrowser, WAIT_MS} from './chromium.mjs';

const MODELS = ['first', 'second', '<img src=x onerror=hacked=1>'];
const HOSTILE = '<img src=x onerror="hacked=1"> </script><script>hacked=1</script> ' +
	'<a href="javascript:hacked=1">x</a> [y](javascript:hacked=1) &lt;b&gt; <b>bold</b> ${1+1}';

describe('the chat page', {timeout: 180_000}, () => {
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

	const visit = async (t, {url = rig.url, ...options} = {}) => {
		const page = await openPage(t, browser, url, options);
		await page.goto(`${url}/`);
		return page;
	};
	const ask = async (page, question) => {
		await page.locator('#input').fill(question);
		await page.locator('#send').click();
	};
	const last = page => page.locator('.turn').last();
	const textOf = page => last(page).locator('.answer > .text').allTextContents()
		.then(parts => parts.join(''));
	// Until the answer's text is that, exactly.
	const shows = (page, wanted) => page.waitForFunction(
		expected => [...document.querySelectorAll('.turn:last-of-type .answer > .text')]
			.map(e => e.textContent).join('') === expected, wanted);
	const ended = page => page.locator('.turn:last-of-type:not(.running)').waitFor();
	const unexpected = page => page.complaints.filter(complaint => !EXPECTED.test(complaint));
	// Figures are about time, so time has to go by.
	const moment = page => page.evaluate(() => performance.now()).then(now =>
		page.waitForFunction(then => performance.now() - then > 120, now));

	it('shows an answer step by step, with its figures, and complains of nothing', async t => {
		const question = 'Why is the sky blue?', steps = ['Be', 'cause ', 'of\n\n', '光 ', '🌅'];
		const shown = steps.map(barrier);
		whenAsked(question, async call => {
			call.send(role());
			for (const [i, step] of steps.entries()) {
				call.send(text(step));
				await shown[i].opened;
			}
			call.end(finish() + usage(5, 5) + done);
		});
		const page = await visit(t);
		await ask(page, question);
		assert.equal(await last(page).locator('.question').textContent(), `You: ${question}`);
		for (const [i] of steps.entries()) {
			await shows(page, steps.slice(0, i + 1).join(''));
			if (i === 0) assert.equal(await page.locator('body.streaming #stop').isVisible(), true);
			if (i === 0) await moment(page);
			shown[i].open();
		}
		await ended(page);
		const figures = await last(page).locator('.figure').allTextContents();
		assert.match(figures[0], /^first token \d+\.\d+ s$/);
		assert.match(figures[1], /^\d+\.\d tokens\/s$/);
		assert.equal(figures[2], '5 tokens');
		assert.equal(await page.locator('#stop').isVisible(), false);
		assert.equal(await page.locator('#send').isVisible(), true);
		assert.equal(await page.locator('#status').textContent(), 'The answer is complete.');
		assert.deepEqual(page.complaints, []);
		assert.equal(asked(question).length, 1);
	});

	it('shows thinking folded, and unfolds it', async t => {
		whenAsked('think', role() + reasoning('Let me ') + reasoning('see.') + text('Yes.') +
			finish() + done);
		const page = await visit(t);
		await ask(page, 'think');
		await ended(page);
		const thinking = last(page).locator('details.thinking');
		assert.equal(await thinking.getAttribute('open'), null);
		assert.equal(await thinking.locator('.text').isVisible(), false);
		await thinking.locator('summary').click();
		assert.equal(await thinking.locator('.text').innerText(), 'Let me see.');
		assert.equal(await textOf(page), 'Yes.');
		assert.deepEqual(page.complaints, []);
	});

	it('shows each tool call as a card', async t => {
		const call = (index, name) => tool({index, id: `c${index}`, type: 'function',
			function: {name, arguments: ''}});
		const args = (index, piece) => tool({index, function: {arguments: piece}});
		whenAsked('use a tool', role() + text('Looking.') + call(0, 'weather') + args(0, '{"city":') +
			args(0, '"Rome"}') + call(1, 'clock') + args(1, '{}') + finish('tool_calls') + done);
		const page = await visit(t);
		await ask(page, 'use a tool');
		await ended(page);
		assert.deepEqual(await last(page).locator('.tool-name').allTextContents(), ['weather', 'clock']);
		assert.deepEqual(await last(page).locator('.tool .text').allTextContents(),
			['{"city":"Rome"}', '{}']);
		assert.match(await last(page).locator('.mark').textContent(), /tool_calls/);
		assert.deepEqual(page.complaints, []);
	});

	it('tells of a failure in plain words, keeps what came, and asks again', async t => {
		let broken = true;
		whenAsked('fail', async call => call.end(broken
			? role() + text('half') + failure({message: 'The GPU melted.', code: 'melted'})
			: answer('whole')));
		const page = await visit(t);
		await ask(page, 'fail');
		const box = last(page).locator('.error');
		assert.match(await box.innerText(), /The GPU melted\./);
		assert.match(await box.locator('strong').textContent(), /^[A-Z][^{}]+\.$/);
		assert.equal(await textOf(page), 'half');
		assert.equal(await last(page).locator('.mark').textContent(), 'interrupted');
		broken = false;
		await last(page).getByRole('button', {name: 'Ask again'}).click();
		await shows(page, 'whole');
		assert.deepEqual(page.complaints, []);
	});

	it('tells of an answer that broke off', async t => {
		whenAsked('cut', role() + text('half'));
		const page = await visit(t);
		await ask(page, 'cut');
		assert.match(await last(page).locator('.error').innerText(), /broke off/);
		assert.match(await last(page).locator('.error').innerText(), /upstream_incomplete/);
		assert.deepEqual(page.complaints, []);
	});

	it('tells of a refusal in plain words, with the time to wait', async t => {
		whenAsked('busy', async call =>
			call.reply(429, {error: {message: 'Slow down.'}}, {'retry-after': '7'}));
		const page = await visit(t);
		await ask(page, 'busy');
		const told = await last(page).locator('.error').innerText();
		assert.match(told, /Too many requests/);
		assert.match(told, /Slow down\./);
		assert.match(told, /7 s/);
		assert.doesNotMatch(told, /[{}]/);
		assert.deepEqual(unexpected(page), []);
	});

	it('stops when it is told, and takes the next question', async t => {
		whenAsked('endless', async call => {
			call.send(role() + text('on and on'));
			await call.closed;
		});
		whenAsked('next', answer('here'));
		const page = await visit(t);
		await ask(page, 'endless');
		await shows(page, 'on and on');
		await page.locator('#stop').click();
		await ended(page);
		assert.equal(await last(page).locator('.mark').textContent(), 'stopped');
		assert.equal(await textOf(page), 'on and on');
		assert.equal(await page.locator('#send').isVisible(), true);
		await ask(page, 'next');
		await shows(page, 'here');
		assert.deepEqual(page.complaints, []);
	});

	it('ends the upstream\'s work when it is stopped', async t => {
		const question = 'endless and paid for';
		whenAsked(question, async call => {
			call.send(role() + text('on and on'));
			await call.closed;
		});
		const page = await visit(t);
		await ask(page, question);
		await shows(page, 'on and on');
		await page.locator('#stop').click();
		await within(5000, 'the upstream is closed', asked(question)[0].closed);
	});

	it('can be used with the keyboard alone', async t => {
		whenAsked('first line\nsecond line', async call => {
			call.send(role() + text('typed'));
			await call.closed;
		});
		whenAsked('again', answer('well'));
		const page = await visit(t);
		const focused = () => page.evaluate(() =>
			document.activeElement.id || document.activeElement.textContent.trim());
		assert.equal(await focused(), 'input');
		await page.keyboard.press('Enter'); // nothing to send
		await page.keyboard.type('first line');
		await page.keyboard.press('Shift+Enter');
		await page.keyboard.type('second line');
		await page.keyboard.press('Enter');
		await shows(page, 'typed');
		assert.equal(await page.locator('.turn').count(), 1);
		await page.keyboard.press('Escape');
		await ended(page);
		assert.equal(await last(page).locator('.mark').textContent(), 'stopped');
		assert.equal(await focused(), 'input');

		await page.keyboard.press('Tab');
		assert.equal(await focused(), 'model');
		await page.keyboard.press('ArrowDown');
		await page.keyboard.press('ArrowDown');
		assert.equal(await page.locator('#model').inputValue(), 'second');
		await page.keyboard.press('Shift+Tab');
		assert.equal(await focused(), 'input');
		await page.keyboard.type('again');
		await page.keyboard.press('Enter');
		await shows(page, 'well');
		assert.equal(asked('again')[0].model, 'second');
		assert.deepEqual(page.complaints, []);
	});

	it('reaches everything with Tab, and shows where the focus is', async t => {
		whenAsked('tab', async call => {
			call.send(role() + text('typed'));
			await call.closed;
		});
		const page = await visit(t);
		await page.evaluate(() => {
			globalThis.reached = new Set([document.activeElement]);
			document.addEventListener('focusin', ({target}) => reached.add(target));
		});
		for (let i = 0; i < 10; i++) await page.keyboard.press('Tab');
		assert.deepEqual(await page.evaluate(() =>
			[...document.querySelectorAll('button, select, textarea')]
				.filter(e => e.checkVisibility() && !e.disabled && !reached.has(e)).map(e => e.id)), []);
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
			return [...reached].filter(same).map(e => e.id);
		}), []);
		await page.locator('#input').focus();
		await page.keyboard.type('tab');
		await page.keyboard.press('Enter');
		await shows(page, 'typed');
		for (const id of ['model', 'system-toggle', 'stop']) {
			await page.keyboard.press('Tab');
			assert.equal(await page.evaluate(() => document.activeElement.id), id);
		}
		await page.keyboard.press('Enter');
		await ended(page);
		assert.deepEqual(page.complaints, []);
	});

	it('asks the model that is picked, and the default one otherwise', async t => {
		const page = await visit(t);
		await page.locator('#model option').nth(MODELS.length).waitFor({state: 'attached'});
		assert.deepEqual(await page.locator('#model option').allTextContents(),
			['Default model', ...MODELS]);
		whenAsked('which?', async call => call.end(answer(call.model)));
		await ask(page, 'which?');
		await shows(page, 'first');
		await page.locator('#model').selectOption('second');
		await ask(page, 'which?');
		await shows(page, 'second');
		assert.deepEqual(page.complaints, []);
	});

	it('sends the system prompt along', async t => {
		whenAsked('who are you?', answer('a pirate'));
		const page = await visit(t);
		await page.locator('#system-toggle').click();
		await page.locator('#system').fill('Be a pirate.');
		await ask(page, 'who are you?');
		await shows(page, 'a pirate');
		assert.deepEqual(asked('who are you?')[0].json.messages, [
			{role: 'system', content: 'Be a pirate.'}, {role: 'user', content: 'who are you?'},
		]);
		assert.deepEqual(page.complaints, []);
	});

	it('shows what the model writes as text, whatever it is', async t => {
		whenAsked(HOSTILE, role() + reasoning(HOSTILE) + text(HOSTILE.slice(0, 9)) +
			text(HOSTILE.slice(9)) + tool({index: 0, id: 'c', type: 'function',
				function: {name: HOSTILE, arguments: HOSTILE}}) +
			failure({message: HOSTILE, code: HOSTILE}));
		const page = await visit(t);
		await page.locator('#model').selectOption(MODELS[2]);
		await ask(page, HOSTILE);
		await last(page).locator('.error').waitFor();
		assert.equal(await textOf(page), HOSTILE);
		assert.equal(await last(page).locator('.thinking .text').textContent(), HOSTILE);
		assert.equal(await last(page).locator('.tool-name').textContent(), HOSTILE);
		assert.equal(await last(page).locator('.tool .text').textContent(), HOSTILE);
		assert.ok((await last(page).locator('.error').textContent()).includes(HOSTILE));
		assert.equal(await last(page).locator('.question').textContent(), `You: ${HOSTILE}`);
		assert.equal(await last(page).locator('img, script, a, b, iframe').count(), 0);
		assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
		assert.ok(!page.requested.includes('/x'), page.requested.join());
		assert.deepEqual(page.complaints, []);
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
		const page = await visit(t, {url: forwarder.url});
		await ask(page, question);
		await shows(page, 'one ');
		forwarder.cut();
		await last(page).locator('.note', {hasText: 'reconnecting'}).waitFor();
		away.open();
		await shows(page, 'one two ');
		await last(page).locator('.note').waitFor({state: 'detached'});
		back.open();
		await ended(page);
		assert.equal(await textOf(page), 'one two three');
		assert.equal(asked(question).length, 1);
		assert.deepEqual(unexpected(page), []);
	});

	it('stays quick under a flood of tokens', async t => {
		const words = Array.from({length: 10_000}, (_, i) => `${i}${i % 20 ? ' ' : '\n'}`);
		whenAsked('flood', async call => call.end(answer(...words)));
		const page = await visit(t);
		await ask(page, 'flood');
		await within(WAIT_MS, 'an end', ended(page));
		assert.equal(await textOf(page), words.join(''));
		assert.deepEqual(page.complaints, []);
	});

	for (const colorScheme of ['light', 'dark'])
		it(`looks ${colorScheme} where that is wished, on a wide and on a narrow screen`, async t => {
			const question = `Paint it ${colorScheme}`;
			whenAsked(question, role() + reasoning('A short thought.') +
				text('Some text of an answer.\n\nAnd a second paragraph, with `code`.') +
				tool({index: 0, id: 'c', type: 'function',
					function: {name: 'weather', arguments: '{"city":"Rome"}'}}) +
				failure({message: 'And then it failed.', code: 'upstream_error'}));
			const page = await visit(t, {colorScheme});
			await screenshot(page, `page-${colorScheme}-empty`);
			await ask(page, question);
			await last(page).locator('.error').waitFor();
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
			assert.deepEqual(page.complaints, []);
		});
});
