// What a model writes, shown as Markdown: what it may look like, and what it must never become.
//
//	cd ../sdk && npm ci && node --test ../browser/markdown.test.mjs

import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {barrier, startRig, within} from '../sdk/rig.mjs';
import {done, failure, finish, reasoning, role, text, tool} from '../sdk/upstream.mjs';
import {startBrowser} from './chromium.mjs';
import {Visit} from './page.mjs';

// Each would set `hacked`, send a request, or become a live element if any of it were taken for what it says.
const ATTACKS = [
	'<img src=x onerror=hacked=1>',
	'<img src="http://127.0.0.1:9/leak.png">',
	'</script><script>hacked=1</script>',
	'<script src="/x.js"></script>',
	'text <script>hacked=1</script> text',
	'<svg onload=hacked=1><script>hacked=1</script></svg>',
	'<svg><a xlink:href="javascript:hacked=1"><text>x</text></a></svg>',
	'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=hacked=1&gt;">',
	'<iframe src="javascript:hacked=1"></iframe>',
	'<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>',
	'<style>body { display: none } @import "/x.css";</style>',
	'<link rel=stylesheet href="/x.css">',
	'<base href="http://127.0.0.1:9/">',
	'<meta http-equiv=refresh content="0;url=/x">',
	'<form action="/x"><button autofocus onfocus=hacked=1>go</button></form>',
	'<input onfocus=hacked=1 autofocus>',
	'<video><source onerror=hacked=1></video>',
	'<details open ontoggle=hacked=1><summary>x</summary></details>',
	'<object data="/x"></object><embed src="/x">',
	'<template><img src=x onerror=hacked=1></template>',
	'<a href="javascript:hacked=1">a</a>',
	'<div style="position:fixed;inset:0;background:url(/x)">over all</div>',
	'[a](javascript:hacked=1)',
	'[a](JaVaScRiPt:hacked=1)',
	'[a](java\tscript:hacked=1)',
	'[a](<java\tscript:hacked=1>)',
	'[a](javascript&colon;hacked=1)',
	'[a](&#x6A;avascript:hacked=1)',
	'[a](&#106;&#97;vascript&#58;hacked=1)',
	'[a](\\javascript:hacked=1)',
	'[a]( \u0001javascript:hacked=1)',
	'[a](data:text/html,<script>hacked=1</script>)',
	'[a](data:text/html;base64,PHNjcmlwdD5oYWNrZWQ9MTwvc2NyaXB0Pg==)',
	'[a](vbscript:hacked=1)',
	'[a](file:///etc/passwd)',
	'[a](/v1/streams "title\\" onmouseover=hacked=1 x=\\"")',
	'[a](https://127.0.0.1:9/"onmouseover="hacked=1)',
	'![a](http://127.0.0.1:9/leak.png)',
	'![a](x.png)',
	'![a](data:image/svg+xml,<svg/onload=hacked=1>)',
	'![" onerror="hacked=1](x.png)',
	'![[a](javascript:hacked=1)](javascript:hacked=1)',
	'<javascript:hacked=1>',
	'<http://127.0.0.1:9/?<script>hacked=1</script>>',
	'[ref]\n\n[ref]: javascript:hacked=1 "t"',
	'```"><img src=x onerror=hacked=1>\ncode\n```',
	'```js\n</code></pre><script>hacked=1</script>\n```',
	'`</code><img src=x onerror=hacked=1>`',
	'    <script>hacked=1</script>',
	'- <img src=x onerror=hacked=1>\n  > <script>hacked=1</script>',
	'| <img src=x onerror=hacked=1> | b |\n|:-:|---|\n| </td><script>hacked=1</script> | x |',
	'# <img src=x onerror=hacked=1>',
	'<!-- --><img src=x onerror=hacked=1><!-- -->',
	'<![CDATA[<img src=x onerror=hacked=1>]]>',
	'<noscript><p title="</noscript><img src=x onerror=hacked=1>"></noscript>',
	'<x:script xmlns:x="http://www.w3.org/1999/xhtml">hacked=1</x:script>',
	'&lt;img src=x onerror=hacked=1&gt;',
	'${hacked=1} {{hacked=1}} <%= hacked=1 %>',
];

const ELEMENTS = new Set([
	'A', 'ARTICLE', 'BLOCKQUOTE', 'BR', 'BUTTON', 'CANVAS', 'CODE', 'DEL', 'DETAILS', 'DIV', 'EM', 'H3', 'H4', 'H5', 'H6', 'HR',
	'LI', 'OL', 'P', 'PRE', 'SPAN', 'STRONG', 'SUMMARY', 'TABLE', 'TBODY', 'TD', 'TH', 'THEAD', 'TR', 'UL',
]);
const ATTRIBUTES = new Set([
	'align', 'aria-label', 'aria-live', 'class', 'height', 'href', 'open', 'rel', 'role', 'start', 'style', 'tabindex', 'target',
	'type', 'width',
]);

describe('an answer in Markdown', {timeout: 600_000}, () => {
	let rig, browser;
	const answers = new Map();

	before(async () => {
		rig = await startRig({models: {one: 'up'}});
		rig.upstream.on('one', call => answers.get(call.words)(call));
		browser = await startBrowser();
	});
	after(async () => {
		await browser?.close();
		await rig?.stop();
	});

	const visit = t => Visit.to(t, browser, rig.url);
	let asked = 0;
	const write = async (chat, ...texts) => {
		const question = `write ${asked++}`;
		answers.set(question, async call => call.end(role() + texts.map(text).join('') + finish() + done));
		await chat.ask(question);
		await chat.ended();
		return chat.turn.locator('.answer > .md');
	};

	it('has headings, lists, tables, code and links', async t => {
		const it = await visit(t), md = await write(it.chat(), '# One\n\nA **bold** and *slanted* `word`,\nand a line.\n\n' +
			'1. one\n2. two\n   - inner\n\n- [x] done\n- [ ] open\n\n> quoted\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n---\n\n' +
			'```python\nif a:\n\tprint("<b>")\n```\n\nSee [here](https://example.com/a?b=c&d) or https://example.org/x.\n');
		for (const [selector, wanted] of Object.entries({
			'h3': 'One', 'strong': 'bold', 'em': 'slanted', 'p > code': 'word', 'ol > li:nth-child(1)': 'one',
			'ol ul > li': 'inner', 'blockquote': 'quoted', 'td:nth-child(2)': '2', 'pre code': 'if a:\n\tprint("<b>")\n',
			'.lang': 'python',
		})) assert.equal((await md.locator(selector).first().textContent()).trim(), wanted.trim(), selector);
		assert.equal(await md.locator('hr').count(), 1);
		assert.match(await md.locator('ul').nth(1).innerText(), /☑ done\s+☐ open/);
		assert.equal(await md.locator('p').nth(0).innerText(), 'A bold and slanted word,\nand a line.');
		const links = await md.locator('a').evaluateAll(all => all.map(({href, rel, target}) => [href, rel, target]));
		assert.deepEqual(links, ['https://example.com/a?b=c&d', 'https://example.org/x'].map(href =>
			[href, 'noopener noreferrer nofollow', '_blank']));
		assert.deepEqual(it.complaints, []);
	});

	it('gives code to copy as it is', async t => {
		const it = await visit(t);
		await it.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
		const code = 'all:\n\tcc -o "<x>" x.c\n\n\techo `done`\n';
		const md = await write(it.chat(), '```make\n' + code + '```\n');
		await md.locator('.code-block .copy').click();
		assert.equal(await it.page.evaluate(() => navigator.clipboard.readText()), code);
	});

	it('looks the same however it was cut', async t => {
		const it = await visit(t), chat = it.chat();
		const source = 'Text\n===\n\nwith *two\nlines* and\ttabs\n\n- a\n\n  b\n- c\n\n```js\nlet x = `1`;\n\n```\nafter\n' +
			'1. x\n   ```sh\n   ls\n   ```\n2. y\n\n| a | b |\n|--|--|\n| `1` | **2** |\n\n[late] and ~~gone~~\r\n\r\n~~~\n```\n~~~\n\n' +
			'[late]: https://example.com\n\nThe *end';
		const shape = async md => md.evaluate(e => e.innerHTML);
		const whole = await shape(await write(chat, source));
		assert.match(whole, /<h3>Text<\/h3>.*\[late\] and <del>gone<\/del>.*<a href="https:\/\/example.com\/".*The \*end/s);
		assert.equal(await shape(await write(chat, ...source)), whole);
		for (const size of [2, 3, 7, 11])
			assert.equal(await shape(await write(chat, ...source.match(new RegExp(`[^]{1,${size}}`, 'g')))), whole, `by ${size}`);
		await it.page.reload();
		assert.equal(await shape(chat.turn.locator('.answer > .md')), whole);
		assert.deepEqual(it.complaints, []);
	});

	it('shows what it is in the middle, painted once a frame', async t => {
		const steps = [barrier(), barrier(), barrier()];
		answers.set('middle', async call => {
			call.send(role() + text('some **bo'));
			await steps[0].opened;
			call.send(text('ld** text\n\n```c\nint '));
			await steps[1].opened;
			call.send(text('x;\n``'));
			await steps[2].opened;
			call.end(text('`\nend') + finish() + done);
		});
		const it = await visit(t), chat = await it.chat().ask('middle'), md = chat.turn.locator('.md');
		const shows = wanted => it.page.waitForFunction(wanted =>
			document.querySelector('.md')?.innerText.trim().replace(/\s*\n+\s*/g, '|') === wanted, wanted);
		await shows('some **bo');
		steps[0].open();
		await shows('some bold text|c|Copy|int');
		steps[1].open();
		await shows('some bold text|c|Copy|int x;');
		steps[2].open();
		await shows('some bold text|c|Copy|int x;|end');
		assert.equal(await md.locator('strong').textContent(), 'bold');
	});

	// What is in the page that should not be.
	const intruders = page => page.evaluate(([elements, attributes]) => {
		const found = [];
		for (const e of document.querySelectorAll('.turn, .turn *')) {
			if (!elements.includes(e.tagName)) found.push(e.outerHTML);
			for (const {name} of e.attributes) if (!attributes.includes(name)) found.push(`${name} in ${e.outerHTML}`);
			if (e.style.cssText && e.tagName !== 'CANVAS') found.push(e.outerHTML);
			if (e.matches('.md *[class]') && !e.closest('.code-block, .table, .plain')) found.push(e.outerHTML);
			if (e.tagName === 'A' && !/^(https?|mailto):/.test(e.href)) found.push(e.outerHTML);
			if (e.tagName === 'A' && (e.rel !== 'noopener noreferrer nofollow' || e.target !== '_blank')) found.push(e.outerHTML);
		}
		if (globalThis.hacked) found.push('a script ran');
		return found;
	}, [[...ELEMENTS], [...ATTRIBUTES]]);

	it('never becomes HTML or script, and fetches nothing', async t => {
		const it = await visit(t), chat = it.chat(), before = new Set(it.page.requested);
		const question = ATTACKS.join('\n');
		answers.set(question, async call => call.end(role() + ATTACKS.map(reasoning).join('') +
			ATTACKS.map(attack => text(`${attack}\n\n`)).join('') +
			tool({index: 0, id: ATTACKS[0], type: 'function', function: {name: ATTACKS[0], arguments: ATTACKS.join('')}}) +
			failure({message: ATTACKS.join('\n'), code: ATTACKS[0]})));
		await chat.ask(question);
		await chat.turn.locator('.error').waitFor();
		assert.deepEqual(await intruders(it.page), []);
		for (const attack of ATTACKS) { // and by itself, letter by letter
			await write(chat, ...attack);
			assert.deepEqual(await intruders(it.page), [], attack);
		}
		await it.page.reload();
		await chat.ended();
		assert.deepEqual(await intruders(it.page), []);
		const requested = it.page.requested.filter(path => !before.has(path) && !/^\/v1\/(events|streams)/.test(path));
		assert.deepEqual(requested.filter(path => path !== '/page/chartjs.js'), []);
		assert.deepEqual(it.complaints, []);
	});

	it('shows HTML as the text that it is', async t => {
		const it = await visit(t), html = '<b>bold</b> <script>x</script> &amp; <img src=x>';
		await write(it.chat(), html);
		assert.equal(await it.chat().text(), '<b>bold</b> <script>x</script> & <img src=x>');
	});

	it('makes a link of an image', async t => {
		const it = await visit(t), md = await write(it.chat(), '![a cat](https://example.com/cat.png) ![](https://example.com/dog.png)');
		assert.deepEqual(await md.locator('a').evaluateAll(all => all.map(e => [e.textContent, e.href])), [
			['a cat', 'https://example.com/cat.png'], ['https://example.com/dog.png', 'https://example.com/dog.png']]);
		assert.equal(await md.locator('img').count(), 0);
		assert.deepEqual(it.complaints, []);
	});

	// Texts for which Markdown parsers take a time that grows with the square, or more.
	for (const [name, piece] of Object.entries({
		'emphasis': '*a ', 'brackets': '[', 'images': '![', 'links': '[a](', 'quotes': '> ', 'ticks': '`', 'pointed': '<', 'lists': '- ',
		'one long line': 'word ', 'lines': 'a line\n', 'items': '- an item\n', 'rows': '| a | b |\n',
	}))
		it(`stays quick with 200 KB of ${name}`, async t => {
			const it = await visit(t), chat = it.chat(), source = piece.repeat(200_000 / piece.length);
			const chunks = source.match(/[^]{1,400}/g);
			await within(40_000, 'an end', write(chat, ...chunks));
			const wanted = source.length * .9;
			if (/word|line|item/.test(piece)) assert.ok((await chat.text()).length > wanted * .7);
			assert.deepEqual(await intruders(it.page), []);
			assert.deepEqual(it.complaints, []);
		});

	it('paints a code block of 10 000 lines line by line', async t => {
		const it = await visit(t), lines = Array.from({length: 10_000}, (_, i) => `line ${i};\n`);
		const md = await within(20_000, 'an end', write(it.chat(), '```c\n', ...lines, '```\n'));
		assert.ok(await md.locator('pre code').textContent() === lines.join(''));
		assert.deepEqual(it.complaints, []);
	});
});
