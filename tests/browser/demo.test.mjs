// What somebody sees who types `sluice demo` and opens the page: each example on it.
//
//	cd ../sdk && npm ci && node --test ../browser/demo.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {Sluice} from '../sdk/rig.mjs';
import {EXPECTED, openPage, screenshot, startBrowser} from './chromium.mjs';

describe('the page of sluice demo', {timeout: 120_000}, () => {
	let demo, browser;
	before(async () => {
		demo = await Sluice.start({command: ['demo']});
		browser = await startBrowser();
	});
	after(async () => {
		await browser?.close();
		await demo?.stop();
	});

	// Clicks the example with that in its name; with a model that needs no patience.
	const example = async (t, name, model = 'demo-fast') => {
		const page = await openPage(t, browser, demo.url);
		await page.goto(`${demo.url}/`);
		await page.locator(`#model option[value="${model}"]`).waitFor({state: 'attached'});
		await page.locator('#model').selectOption(model);
		await page.getByRole('button', {name}).click();
		page.turn = page.locator('.turn');
		return page;
	};
	const ended = page => page.locator('.turn:not(.running)').waitFor();

	it('answers a question at the pace of a model', async t => {
		const page = await example(t, 'Why is the sky blue?', 'demo');
		const lengths = new Set();
		await page.exposeFunction('grown', length => { lengths.add(length); });
		await page.evaluate(() => {
			const answer = document.querySelector('.turn .answer');
			new MutationObserver(() => globalThis.grown(answer.textContent.length))
				.observe(answer, {subtree: true, childList: true, characterData: true});
		});
		await ended(page);
		assert.match(await page.turn.locator('.answer').textContent(), /Rayleigh/);
		assert.ok(lengths.size > 10, `it grew in ${lengths.size} steps`);
		const figures = await page.turn.locator('.figure').allTextContents();
		assert.match(figures[0], /^first token \d+\.\d+ s$/);
		assert.match(figures[1], /^\d+\.\d tokens\/s$/);
		assert.match(figures[2], /^\d+ tokens$/);
		await screenshot(page, 'demo');
		assert.deepEqual(page.complaints, []);
	});

	it('thinks, folded away', async t => {
		const page = await example(t, /think/i);
		await ended(page);
		assert.equal(await page.turn.locator('details.thinking:not([open])').count(), 1);
		assert.ok((await page.turn.locator('.answer > .text').textContent()).length > 0);
		assert.deepEqual(page.complaints, []);
	});

	it('uses a tool', async t => {
		const page = await example(t, /tool/i);
		await ended(page);
		assert.ok((await page.turn.locator('.tool-name').textContent()).length > 0);
		assert.equal(typeof JSON.parse(await page.turn.locator('.tool .text').textContent()), 'object');
		assert.deepEqual(page.complaints, []);
	});

	it('fails in plain words', async t => {
		const page = await example(t, 'fail');
		await ended(page);
		assert.match(await page.turn.locator('.error strong').textContent(), /^[A-Z][^{}]+\.$/);
		assert.equal(await page.turn.locator('.mark').textContent(), 'interrupted');
		assert.deepEqual(page.complaints.filter(complaint => !EXPECTED.test(complaint)), []);
	});

	it('stalls, until it is stopped', async t => {
		const page = await example(t, 'stall');
		await page.turn.locator('.figure', {hasText: '≈ 5 tokens'}).waitFor();
		await page.locator('#stop').click();
		await ended(page);
		assert.equal(await page.turn.locator('.mark').textContent(), 'stopped');
		assert.deepEqual(page.complaints, []);
	});
});
