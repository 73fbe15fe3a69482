// Chromium, driven by playwright-core of ../sdk. No test file by itself. The browser is $CHROMIUM
// or /usr/bin/chromium; it can reach nothing but 127.0.0.1.

import {mkdirSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';

const {chromium} = createRequire(new URL('../sdk/package.json', import.meta.url))('playwright-core');

const RESULTS = resolve(process.env.TEST_RESULTS ||
	fileURLToPath(new URL('../../test-results', import.meta.url)));

export const WAIT_MS = 15_000;

export const startBrowser = () => chromium.launch({
	executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
	args: [
		'--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
		'--disable-background-networking', '--disable-component-update', '--disable-sync',
		'--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
	],
});

// A fresh page, as of a new visitor. `page.complaints` gathers what it should never do: errors and
// warnings on the console, exceptions, violations of its own policy, requests to other origins.
// `tabOf` is a page of the visitor who opens another one.
export async function openPage(t, browser, url, {tabOf, ...options} = {}) {
	const context = tabOf?.context() ??
		await browser.newContext({viewport: {width: 1000, height: 800}, ...options});
	if (!tabOf) t.after(() => context.close());
	context.setDefaultTimeout(WAIT_MS);
	const page = await context.newPage();
	const {origin} = new URL(url);
	page.complaints = [];
	page.requested = [];
	page.on('console', message => {
		if (['error', 'warning'].includes(message.type()))
			page.complaints.push(`${message.type()}: ${message.text()}`);
	});
	page.on('pageerror', error => page.complaints.push(`exception: ${error.message}`));
	page.on('dialog', dialog => {
		page.complaints.push(`dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	context.on('request', request => {
		const target = new URL(request.url());
		page.requested.push(target.pathname);
		if (target.origin !== origin) page.complaints.push(`request to ${target.origin}`);
	});
	await page.addInitScript(() => document.addEventListener('securitypolicyviolation', event =>
		console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`)));
	return page;
}

// What Chromium writes to the console when the network or the server refuses, as it should.
export const EXPECTED = /net::ERR_|responded with a status of/;

export async function screenshot(page, name) {
	mkdirSync(RESULTS, {recursive: true});
	return page.screenshot({path: join(RESULTS, `${name}.png`)});
}
