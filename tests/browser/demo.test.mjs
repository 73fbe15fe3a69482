// What somebody sees who types `sluice demo` and opens the page: each example on it.
//
//	cd ../sdk && npm ci && node --test ../browser/demo.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {Sluice} from '../sdk/rig.mjs';
import {screenshot, startBrowser} from './chromium.mjs';
import {Visit} from './page.mjs';

describe('the page of sluice demo', {timeout: 600_000}, () => {
	let demo, browser;
	before(async () => {
		demo = await Sluice.start({command: ['demo']});
		browser = await startBrowser();
	});
	after(async () => {
		await browser?.close();
		await demo?.stop();
	});

	const visit = t => Visit.to(t, browser, demo.url);
	// Clicks the example with that in its name; with a model that needs no patience.
	const example = async (chat, name, model = 'demo-fast') => {
		await chat.model.locator(`option[value="${model}"]`).waitFor({state: 'attached'});
		await chat.model.selectOption(model);
		await chat.column.getByRole('button', {name}).click();
	};

	it('answers a question at the pace of a model', async t => {
		const it = await visit(t), chat = it.chat(), lengths = new Set();
		await it.page.exposeFunction('grown', length => { lengths.add(length); });
		await example(chat, 'Why is the sky blue?', 'demo');
		await it.page.evaluate(() => {
			const answer = document.querySelector('.turn .answer');
			new MutationObserver(() => globalThis.grown(answer.textContent.length))
				.observe(answer, {subtree: true, childList: true, characterData: true});
		});
		await chat.ended();
		assert.match(await chat.text(), /Rayleigh/);
		assert.ok(lengths.size > 10, `it grew in ${lengths.size} steps`);
		const figures = await chat.figures();
		assert.match(figures[0], /^first token \d+\.\d+ s$/);
		assert.match(figures[1], /^\d+\.\d tokens\/s$/);
		assert.match(figures[2], /^\d+ tokens$/);
		assert.equal(await chat.turn.locator('.plot canvas').count(), 1);
		await screenshot(it.page, 'demo');
		assert.deepEqual(it.complaints, []);
	});

	it('thinks, folded away', async t => {
		const it = await visit(t), chat = it.chat();
		await example(chat, /think/i);
		await chat.ended();
		assert.equal(await chat.turn.locator('details.thinking:not([open])').count(), 1);
		assert.ok((await chat.text()).length > 0);
		assert.deepEqual(it.complaints, []);
	});

	it('uses a tool', async t => {
		const it = await visit(t), chat = it.chat();
		await example(chat, /tool/i);
		await chat.ended();
		assert.ok((await chat.turn.locator('.tool-name').textContent()).length > 0);
		assert.equal(typeof JSON.parse(await chat.turn.locator('.tool .text').textContent()), 'object');
		assert.deepEqual(it.complaints, []);
	});

	it('shows Markdown', async t => {
		const it = await visit(t), chat = it.chat();
		await example(chat, /markdown/i);
		await chat.ended();
		for (const selector of ['h5', 'li strong', 'li a', 'td', 'blockquote', '.code-block pre'])
			assert.ok(await chat.turn.locator(`.md ${selector}`).count() > 0, selector);
		assert.match(await chat.text(), /<b>/);
		assert.deepEqual(it.complaints, []);
	});

	it('fails in plain words', async t => {
		const it = await visit(t), chat = it.chat();
		await example(chat, 'fail');
		await chat.ended();
		assert.match(await chat.turn.locator('.error strong').textContent(), /^[A-Z][^{}]+\.$/);
		assert.equal(await chat.mark(), 'interrupted');
		assert.deepEqual(it.unexpected, []);
	});

	it('stalls, until it is stopped', async t => {
		const it = await visit(t), chat = it.chat();
		await example(chat, 'stall');
		await chat.turn.locator('.figure', {hasText: /^≈ \d+ token/}).waitFor();
		await chat.stop.click();
		await chat.ended();
		assert.equal(await chat.mark(), 'stopped');
		assert.deepEqual(it.complaints, []);
	});

	it('cuts its connection, and nothing is missing', async t => {
		const it = await visit(t), chat = it.chat();
		await example(chat, 'Why is the sky blue?', 'demo');
		await chat.turn.locator('.md p').first().waitFor();
		await it.page.locator('#cut').click();
		await it.wire('away');
		await chat.turn.locator('.note', {hasText: 'reconnecting'}).waitFor();
		await it.wire('open');
		await chat.ended();
		const whole = await chat.text();
		await chat.ask('Why is the sky blue?');
		await chat.ended();
		assert.equal(await chat.text(), whole);
		assert.deepEqual(it.complaints, []);
	});
});
