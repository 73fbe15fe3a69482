// /sluice.js, the helper for pages of one's own, and the example in docs/.
//
//	cd ../sdk && npm ci && node --test ../browser/sluice-js.test.mjs

import assert from 'node:assert/strict';
import {once} from 'node:events';
import {readFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import {after, before, describe, it} from 'node:test';
import {Forwarder} from '../sdk/forwarder.mjs';
import {barrier, startRig, within} from '../sdk/rig.mjs';
import {answer, done, failure, finish, reasoning, role, text, usage} from '../sdk/upstream.mjs';
import {EXPECTED, openPage, startBrowser} from './chromium.mjs';

const MOST = 2048; // bytes
const CUTS = 4;
const EMPTY = '<!doctype html><pre id="out"></pre>';

const threeLines = `<!doctype html><pre id="out"></pre><script type="module">
	import {stream} from '/sluice.js';
	globalThis.end = stream('why is the sky blue', text => out.textContent += text);
</script>`;

describe('sluice.js', {timeout: 600_000}, () => {
	let rig, browser, abroad; // abroad: a server of another origin
	const answers = new Map(); // question → script

	before(async () => {
		abroad = createServer((request, response) => {
			response.writeHead(200, {'content-type': 'text/html'});
			response.end(EMPTY);
		}).listen(0, '127.0.0.1');
		await once(abroad, 'listening');
		abroad.origin = `http://127.0.0.1:${abroad.address().port}`;
		rig = await startRig({models: {one: 'up', two: 'up'}, cors: {origins: [abroad.origin]}});
		for (const model of ['one', 'two']) rig.upstream.on(model, call => answers.get(call.words)(call));
		browser = await startBrowser();
	});
	after(async () => {
		await browser?.close();
		abroad?.close();
		await rig?.stop();
	});

	const whenAsked = (question, script) => answers.set(question,
		typeof script === 'string' ? async call => call.end(script) : script);
	const asked = question => rig.upstream.calls.filter(call => call.words === question);
	const visit = async (t, {html = EMPTY, url = rig.url} = {}) => {
		const page = await openPage(t, browser, url);
		page.setDefaultTimeout(60_000);
		await page.route(`${url}/own`, route => route.fulfill({contentType: 'text/html', body: html}));
		await page.goto(`${url}/own`);
		return page;
	};
	// Begins one, as globalThis.asked, whose end is globalThis.end: {ok} or {error}.
	const begin = (page, question, options = {}, from = '/sluice.js') => page.evaluate(async ([question, options, from]) => {
		const {stream} = await import(from);
		globalThis.thoughts = '';
		globalThis.leave = new AbortController();
		if (options.thoughts) options.onReasoning = text => { thoughts += text; };
		if (options.leave) options.signal = leave.signal;
		globalThis.asked = stream(question, text => { out.textContent += text; }, options);
		globalThis.end = asked.then(ok => ({ok}), error => ({
			isError: error instanceof Error, error: {...error, message: error.message},
		}));
	}, [question, options, from]);
	const endOf = page => page.evaluate(() => globalThis.end);
	const shows = (page, wanted) => page.waitForFunction(wanted => out.textContent === wanted, wanted);

	it(`has at most ${MOST} bytes, and is a module`, async () => {
		const response = await fetch(`${rig.url}/sluice.js`);
		assert.equal(response.status, 200);
		assert.match(response.headers.get('content-type'), /^text\/javascript/);
		const {byteLength} = await response.arrayBuffer();
		assert.ok(byteLength <= MOST, `${byteLength} bytes`);
	});

	it('streams in three lines, and tells the end', async t => {
		whenAsked('why is the sky blue', role() + text('Be') + text('cause') + finish() + usage(4, 2) + done);
		const page = await visit(t, {html: threeLines}), end = await endOf(page);
		assert.equal(await page.locator('#out').textContent(), 'Because');
		assert.equal(end.text, 'Because');
		assert.equal(end.finish_reason, 'stop');
		assert.equal(end.usage.completion_tokens, 2);
		assert.match(end.id, /^[\w-]{22}$/);
		assert.deepEqual(page.complaints, []);
	});

	it('takes a model, a system prompt, or a whole chat; and hands on the reasoning', async t => {
		whenAsked('who?', role() + reasoning('hm ') + reasoning('so') + text('me') + finish() + done);
		const page = await visit(t);
		await begin(page, 'who?', {model: 'two', system: 'Be brief.', thoughts: true});
		assert.equal((await endOf(page)).ok.text, 'me');
		assert.equal(await page.evaluate(() => thoughts), 'hm so');
		const [{json}] = asked('who?');
		assert.equal(json.model, 'two');
		assert.deepEqual(json.messages, [{role: 'system', content: 'Be brief.'}, {role: 'user', content: 'who?'}]);
		const messages = [{role: 'user', content: 'a'}, {role: 'assistant', content: 'b'}, {role: 'user', content: 'who?'}];
		await begin(page, messages, {system: 'x'});
		assert.equal((await endOf(page)).ok.text, 'me');
		assert.deepEqual(asked('who?')[1].json.messages, [{role: 'system', content: 'x'}, ...messages]);
	});

	it(`comes through ${CUTS} cuts, and the upstream is asked once`, async t => {
		const forwarder = await Forwarder.start(rig.port);
		t.after(() => forwarder.stop());
		const words = Array.from({length: 300 * (CUTS + 1)}, (_, i) => `${i} `), go = Array.from({length: CUTS + 1}, barrier);
		whenAsked('cut', async call => {
			call.send(role() + text('first '));
			for (const [i, {opened}] of go.entries()) {
				await opened;
				call.send(words.slice(300 * i, 300 * (i + 1)).map(text).join(''));
			}
			call.end(finish() + done);
		});
		const page = await visit(t, {url: forwarder.url});
		await begin(page, 'cut');
		await shows(page, 'first ');
		for (let i = 0; i < CUTS; i++) {
			const cut = forwarder.cutAfter(700 + 7 * i, {gently: i % 2 > 0});
			go[i].open();
			await within(15_000, `cut ${i}`, cut);
		}
		go[CUTS].open();
		assert.equal((await endOf(page)).ok.text, 'first ' + words.join(''));
		assert.equal(await page.locator('#out').textContent(), 'first ' + words.join(''));
		assert.equal(asked('cut').length, 1);
		assert.deepEqual(page.complaints.filter(complaint => !EXPECTED.test(complaint)), []);
	});

	it('reads on where EventSource is refused', async t => {
		const half = barrier();
		whenAsked('refused', async call => {
			call.send(role() + text('one '));
			await half.opened;
			call.end(text('two') + finish() + done);
		});
		const page = await visit(t);
		await page.route(/\/v1\/streams\/[\w-]+$/, route => route.fulfill({status: 503, body: ''}));
		await begin(page, 'refused');
		await shows(page, 'one ');
		half.open();
		assert.equal((await endOf(page)).ok.text, 'one two');
		assert.equal(await page.locator('#out').textContent(), 'one two');
		assert.equal(asked('refused').length, 1);
	});

	it('stops, also before the first token', async t => {
		whenAsked('endless', async call => {
			call.send(role() + text('on '));
			await call.closed;
		});
		whenAsked('silence', async call => { await call.closed; });
		const page = await visit(t);
		await begin(page, 'endless');
		await shows(page, 'on ');
		await page.evaluate(() => asked.stop());
		const {ok} = await endOf(page);
		assert.deepEqual([ok.text, ok.stopped], ['on ', true]);
		await within(5000, 'the upstream is closed', asked('endless')[0].closed);
		await begin(page, 'silence', {leave: true});
		await page.evaluate(() => leave.abort());
		assert.equal((await endOf(page)).ok.text, '');
		assert.deepEqual(page.complaints, []);
	});

	it('fails with an Error that has a code, and the text so far', async t => {
		whenAsked('fail', role() + text('half') + failure({message: 'The GPU melted.', code: 'melted'}));
		const page = await visit(t);
		await begin(page, 'fail');
		const {isError, error} = await endOf(page);
		assert.equal(isError, true);
		assert.deepEqual([error.message, error.code, error.text], ['The GPU melted.', 'melted', 'half']);
		await begin(page, 'no', {model: 'nonesuch'});
		assert.equal((await endOf(page)).error.code, 'model_not_found');
		await begin(page, 'not even begun', {model: 5});
		assert.equal((await endOf(page)).error.status, 400);
	});

	it('sends the key to a server with keys, and reads by the ticket that it gets', async t => {
		const locked = await startRig({models: {one: 'up'}, keys: [{name: 'ada', key: 'the right key'}]});
		t.after(() => locked.stop());
		locked.upstream.on('one', async call => call.end(answer('open')));
		const page = await visit(t, {url: locked.url});
		await begin(page, 'key', {key: 'the right key'});
		assert.equal((await endOf(page)).ok.text, 'open');
		await begin(page, 'no key');
		assert.equal((await endOf(page)).error.code, 'invalid_api_key');
	});

	it('can be used by pages of other origins that the server allows', async t => {
		whenAsked('abroad', answer('here ', 'too'));
		const page = await openPage(t, browser, abroad.origin);
		await page.goto(abroad.origin);
		await begin(page, 'abroad', {}, `${rig.url}/sluice.js`);
		assert.equal((await endOf(page)).ok.text, 'here too');
		assert.equal(await page.locator('#out').textContent(), 'here too');
	});

	it('does in docs/sluice-js.html what it is said to do', async t => {
		const go = barrier();
		whenAsked('why is the sky blue', async call => {
			call.send(role() + reasoning('thinking') + text('Because'));
			await go.opened;
			call.end(text(' of it.') + finish() + usage(1, 2) + done);
		});
		const html = await readFile(new URL('../../docs/sluice-js.html', import.meta.url), 'utf8');
		const page = await visit(t, {html});
		await page.locator('button[type=submit]').click();
		await page.waitForFunction(() => document.querySelector('#out').textContent === 'Because');
		go.open();
		await page.waitForFunction(() => /stop/.test(document.querySelector('#end').textContent));
		assert.equal(await page.locator('#out').textContent(), 'Because of it.');
		assert.deepEqual(page.complaints, []);
	});
});
