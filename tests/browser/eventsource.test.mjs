// The browser's own EventSource against GET /ask, in a page of three lines.
//
//	cd ../sdk && npm ci && node --test ../browser/eventsource.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {Forwarder} from '../sdk/forwarder.mjs';
import {barrier, startRig, within} from '../sdk/rig.mjs';
import {answer, done, finish, role, text} from '../sdk/upstream.mjs';
import {EXPECTED, openPage, startBrowser} from './chromium.mjs';

const CUTS = 15;
const PIECE = 100; // words between two cuts: more than one connection takes, less in all than the log holds
const RECONNECT_MS = 15_000; // `retry` is 1 to 5 s
const CLOSED = 2;

const threeLines = model => `<!doctype html><pre id="out"></pre><script>
	const es = new EventSource('/ask?q=why&model=${model}');
	es.onmessage = e => out.textContent += e.data;
	es.addEventListener('done', () => es.close());
</script>`;

// Without the last line: the server has to stop it.
const twoLines = model => threeLines(model).replace(/^.*'done'.*\n/m, '');

describe('a page of three lines', {timeout: 600_000, concurrency: true}, () => {
	let rig, browser;
	before(async () => {
		rig = await startRig();
		browser = await startBrowser();
	});
	after(async () => {
		await browser?.close();
		await rig?.stop();
	});

	const visit = async (t, html, url = rig.url) => {
		const page = await openPage(t, browser, url);
		page.setDefaultTimeout(60_000);
		await page.route(`${url}/page`, route => route.fulfill({contentType: 'text/html', body: html}));
		await page.goto(`${url}/page`);
		return page;
	};
	const closed = page => page.waitForFunction('es.readyState === 2');
	const textOf = page => page.locator('#out').textContent();

	it('shows the whole answer', async t => {
		rig.upstream.on('whole', async call => call.end(answer('Be', 'cause\n', ' <b>', '光')));
		const page = await visit(t, threeLines('whole'));
		await closed(page);
		assert.equal(await textOf(page), 'Because\n <b>光');
		assert.deepEqual(page.complaints, []);
		assert.equal(rig.upstream.of('whole').length, 1);
	});

	it('shows each token as it comes', async t => {
		const steps = [barrier(), barrier(), barrier()];
		rig.upstream.on('steps', async call => {
			call.send(role());
			for (const [i, {opened}] of steps.entries()) {
				call.send(text(`${i}`));
				await opened;
			}
			call.end(finish() + done);
		});
		const page = await visit(t, threeLines('steps'));
		for (const [i, {open}] of steps.entries()) {
			await page.waitForFunction(wanted => out.textContent === wanted, '012'.slice(0, i + 1));
			open();
		}
		await closed(page);
	});

	for (const [name, html] of [['closes itself', threeLines], ['is stopped by a 204', twoLines]])
		it(`loses and doubles nothing over ${CUTS} cuts, and ${name} at the end`, async t => {
			const model = name.replaceAll(' ', '-'), forwarder = await Forwarder.start(rig.port);
			t.after(() => forwarder.stop());
			const words = Array.from({length: PIECE * (CUTS + 1)}, (_, i) => `${i} `);
			const go = Array.from({length: CUTS + 1}, barrier);
			rig.upstream.on(model, async call => {
				call.send(role() + text('first '));
				for (const [i, {opened}] of go.entries()) {
					await opened; // later ones while nobody listens
					call.send(words.slice(PIECE * i, PIECE * (i + 1)).map(text).join(''));
				}
				call.end(finish() + done);
			});
			const page = await visit(t, html(model), forwarder.url);
			await page.waitForFunction('out.textContent === "first "'); // now it knows a position
			for (let i = 0; i < CUTS; i++) {
				// In the middle of an event, most likely; by a reset and by an end in turn.
				const cut = forwarder.cutAfter(1200 + 7 * i, {gently: i % 2 > 0});
				go[i].open();
				await within(RECONNECT_MS, `cut ${i}`, cut);
			}
			go[CUTS].open();
			await closed(page);
			assert.equal(await textOf(page), 'first ' + words.join(''));
			assert.equal(await page.evaluate(() => es.readyState), CLOSED);
			assert.equal(rig.upstream.of(model).length, 1);
			const asked = forwarder.requests.filter(head => head.startsWith('GET /ask'));
			assert.equal(asked.length, 1 + CUTS + (html === twoLines ? 1 : 0));
			assert.ok(asked.slice(1).every(head => /^last-event-id: \S+\.\d+\r$/im.test(head)));
			assert.deepEqual(page.complaints.filter(complaint => !EXPECTED.test(complaint)), []);
		});

	it('is not asked again when the model is refused', async t => {
		rig.upstream.on('refused', async call => call.reply(400, {error: {message: 'no'}}));
		const page = await visit(t, threeLines('refused'));
		await closed(page);
		assert.equal(rig.upstream.of('refused').length, 1);
	});
});
