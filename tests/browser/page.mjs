// The chat page, as a test uses it: a visit is a page with its chats. No test file by itself.

import {EXPECTED, openPage} from './chromium.mjs';

export class Visit {
	constructor(page) {
		this.page = page;
	}

	// `context` of another visit: a second tab of the same browser.
	static async to(t, browser, url, options) {
		const visit = new Visit(await openPage(t, browser, url, options));
		await visit.page.goto(`${url}/`);
		await visit.chat(0).input.waitFor();
		return visit;
	}

	chat(n = 0) {
		return new Chat(this.page, this.page.locator('.column').nth(n));
	}

	async newChat() {
		const n = await this.page.locator('.column').count();
		await this.page.locator('#new').click();
		return this.chat(n);
	}

	get complaints() {
		return this.page.complaints;
	}

	// But for what Chromium says of refusals and cuts.
	get unexpected() {
		return this.complaints.filter(complaint => !EXPECTED.test(complaint));
	}

	status() {
		return this.page.locator('#status').textContent();
	}

	wire(state) {
		return this.page.locator(`#wire.${state}`).waitFor();
	}
}

export class Chat {
	constructor(page, column) {
		Object.assign(this, {page, column});
		for (const name of ['input', 'send', 'stop', 'model', 'system', 'title', 'log'])
			this[name] = column.locator(`.${name}`);
	}

	get turn() {
		return this.column.locator('.turn').last();
	}

	async ask(question) {
		await this.input.fill(question);
		await this.send.click();
		return this;
	}

	// What the answer's text looks like, without blanks at its ends.
	text() {
		return this.turn.locator('.answer > .text').allTextContents().then(parts => parts.join('').trim());
	}

	// Until that is all of it.
	async shows(wanted) {
		const column = await this.column.elementHandle();
		return this.page.waitForFunction(([column, wanted]) =>
			[...column.querySelectorAll('.turn:last-of-type .answer > .text')]
				.map(e => e.textContent).join('').trim() === wanted, [column, wanted]);
	}

	ended() {
		return this.column.locator('.turn:last-of-type:not(.running)').waitFor();
	}

	error() {
		return this.turn.locator('.error').innerText();
	}

	mark() {
		return this.turn.locator('.mark').textContent();
	}

	figures() {
		return this.turn.locator('.figure').allTextContents();
	}
}
