// A question and its answer, as they are shown. An answer ends once: by `done` or `failed`.
//
// What has come is kept as a record, which is what a reload shows again:
//	{parts: [{kind: text | thinking | gap, text} | {kind: tool, index, name, text}], tokens, last, gaps,
//	 finish, usage, stopped, error}
// `last` is the ms from the question to the last token, `gaps` are those of plot.js.

import {copyButton, make, paintNow, paintSoon, say} from './dom.js';
import {Flow} from './flow.js';
import {Markdown} from './markdown.js';
import {addGap, Plot} from './plot.js';
import {plainly} from './words.js';

const ONE = 40; // characters of an event that is more than one token: those of a replay are merged

const seconds = ms => (ms / 1000).toFixed(ms < 9950 ? 2 : 1) + ' s';

export class Answer {
	// `turn` is that of store.js; `area` is told when something was painted.
	constructor(parent, turn, area) {
		Object.assign(this, {turn, area, ended: false, note: '', onend() {}, onfirst() {}, onretry() {}});
		this.element = make(parent, 'article', 'turn running');
		const asked = make(this.element, 'p', 'question');
		make(asked, 'span', 'unseen', 'You: ');
		asked.append(turn.question);
		this.body = make(this.element, 'div', 'answer');
		this.facts = make(this.element, 'div', 'facts');
		this.facts.setAttribute('aria-live', 'off');
		this.reset();
	}

	// Everything comes again from the start.
	reset() {
		this.record = {parts: [], tokens: 0, last: 0, gaps: []};
		this.flows = new Map(); // part → what shows it
		this.tools = new Map(); // index → part
		this.skip = 0;          // characters that have been counted before a reload
		this.body.replaceChildren();
		this.plot?.remove();
		this.plot = null;
		paintSoon(this);
	}

	get text() {
		return this.record.parts.filter(({kind}) => kind === 'text').map(({text}) => text).join('');
	}

	// One event, as the server sends it.
	take(type, data) {
		if (this.ended) return;
		if (type === 'text') this.write('text', data);
		else if (type === 'reasoning') this.write('thinking', data);
		else if (type === 'tool_call') this.callTool(data);
		else if (type === 'usage') this.record.usage = data;
		else if (type === 'lost') this.gap();
		else if (type === 'done') this.end(data);
		else if (type === 'failed') this.fail(data.error || {});
		else if (type === 'restart') this.reset();
	}

	// What had been counted and measured when the page was left; the same text comes again now.
	remember({tokens, last, gaps, parts}) {
		Object.assign(this.record, {tokens, last, gaps});
		this.skip = parts.reduce((sum, {text}) => sum + text.length, 0);
	}

	count(text) {
		paintSoon(this);
		const fresh = text.length - this.skip;
		this.skip = Math.max(0, -fresh);
		if (fresh <= 0 && text) return;
		const {record, turn} = this, now = Date.now() - turn.at;
		if (turn.first === undefined) {
			turn.first = now;
			this.onfirst(now);
		} else if (record.last) {
			addGap(record.gaps, now - turn.first, Math.max(0, now - record.last));
			this.showPlot();
		}
		record.last = now;
		record.tokens += fresh > ONE ? Math.ceil(fresh / 4) : 1;
	}

	showPlot() {
		if (!this.plot && this.record.gaps.length > 2) this.plot = new Plot(this.element, this.record.gaps);
	}

	// The part that goes on, or a new one.
	part(kind, rest = {}) {
		const last = this.record.parts.at(-1);
		if (last?.kind === kind && kind !== 'tool') return last;
		const part = {kind, text: '', ...rest};
		this.flows.get(last)?.end();
		if (last?.kind === 'thinking') this.flows.get(last).element.parentElement.open = false;
		this.record.parts.push(part);
		return part;
	}

	flow(part) {
		if (!this.flows.has(part)) this.flows.set(part, this.makeFlow(part));
		return this.flows.get(part);
	}

	makeFlow({kind, name}) {
		if (kind === 'text') return new Markdown(this.body, this.area);
		if (kind === 'tool') {
			const card = make(this.body, 'div', 'tool');
			make(card, 'div', 'tool-name', name || 'tool');
			return new Flow(card, this.area);
		}
		const thinking = make(this.body, 'details', 'thinking');
		make(thinking, 'summary', '', 'Thinking');
		return new Flow(thinking, this.area);
	}

	write(kind, text) {
		const part = this.part(kind);
		part.text += text;
		this.flow(part).add(text);
		this.count(text);
	}

	callTool({index = 0, name, arguments: args = ''}) {
		if (!this.tools.has(index)) this.tools.set(index, this.part('tool', {index, name}));
		const part = this.tools.get(index);
		part.text += args;
		this.flow(part).add(args);
		this.count(args || name || '');
	}

	gap() {
		this.part('gap').text = '\n[…]\n';
		make(this.body, 'div', 'gap', 'A part of the answer is missing here.');
	}

	setNote(note) {
		if (note === this.note || this.ended) return;
		this.note = note;
		paintSoon(this);
	}

	// An answer that ended earlier: from its record.
	restore(record) {
		this.reset();
		this.showParts(record.parts);
		Object.assign(this.record, {...record, parts: this.record.parts});
		this.showPlot();
		if (record.error) this.showError(record.error);
		this.finish();
	}

	showParts(parts) {
		for (const {kind, text, index, name} of parts) {
			if (kind === 'gap') {
				this.gap();
				continue;
			}
			const part = this.part(kind, {index, name});
			part.text += text;
			this.flow(part).add(text);
		}
	}

	fail(error) {
		if (this.ended) return;
		this.record.error = error;
		this.showError(error);
		this.end({});
	}

	showError({code, message, status, wait}) {
		const words = this.failed = plainly({code, status});
		const codes = [code, status && 'HTTP ' + status].filter(Boolean).join(' · ');
		const box = make(this.body, 'div', 'error');
		make(box, 'strong', '', words);
		make(box, 'p', '', (message || 'No reason was given.') + (/^\d+$/.test(wait) ? ` Try again in ${wait} s.` : ''));
		if (codes) make(box, 'p', 'code', codes);
	}

	end({finish_reason, usage, stopped}) {
		if (this.ended) return;
		const {record} = this;
		if (finish_reason) record.finish = finish_reason;
		if (stopped) record.stopped = true;
		record.usage = usage || record.usage;
		this.finish();
		paintNow();
		say(this.failed ? 'The answer failed: ' + this.failed : stopped ? 'Stopped.' : 'The answer is complete.');
		this.onend(record);
	}

	finish() {
		const {record, body} = this, {finish, stopped} = record;
		Object.assign(this, {ended: true, note: '', mark: ''});
		for (const flow of this.flows.values()) flow.end();
		for (const thinking of body.querySelectorAll('details')) thinking.open = false;
		if (this.failed) this.mark = record.parts.length ? 'interrupted' : '';
		else if (stopped) this.mark = 'stopped';
		else if (finish && finish !== 'stop') this.mark = 'finish reason: ' + finish;
		if (!body.hasChildNodes())
			make(body, 'div', 'gap', stopped ? 'Stopped before the first token.' : 'The answer is empty.');
		this.element.classList.remove('running');
		paintSoon(this);
	}

	// The line of figures, and the plot: four times a second while they change.
	paint() {
		const now = performance.now(), state = `${this.note} ${this.ended} ${this.turn.first === undefined}`;
		if (state === this.paintedState && now - this.paintedAt < 250) return paintSoon(this);
		[this.paintedState, this.paintedAt] = [state, now];
		this.plot?.paint();

		const {record: {tokens: counted, last, usage}, turn: {first}} = this;
		const known = this.ended && usage?.completion_tokens;
		const tokens = known || counted, span = last - first;
		const figures = [];
		if (first !== undefined) figures.push('first token ' + seconds(first));
		if (span > 50 && tokens > 1) figures.push(((tokens - 1) * 1000 / span).toFixed(1) + ' tokens/s');
		if (tokens) figures.push(`${known ? '' : '≈ '}${tokens} token${tokens === 1 ? '' : 's'}`);

		this.facts.replaceChildren();
		const line = make(this.facts, 'div', 'line'), buttons = make(this.facts, 'div', 'buttons');
		for (const figure of figures) make(line, 'span', 'figure', figure);
		if (this.note) make(line, 'span', 'note', this.note);
		if (this.mark) make(line, 'span', this.failed ? 'mark bad' : 'mark', this.mark);
		if (!this.ended) return;
		if (this.failed) make(buttons, 'button', 'quiet', 'Ask again').onclick = () => this.onretry();
		if (this.text) copyButton(buttons, () => this.text);
	}

	remove() {
		this.plot?.remove();
		this.element.remove();
	}
}
