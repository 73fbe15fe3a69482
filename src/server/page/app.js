// The chat page of sluice: one question, one stream. It asks GET /ask through EventSource, which reconnects by itself
// and goes on where it was, and shows what comes. Model output is only ever text, never HTML, and is painted once a
// frame however fast it comes.
'use strict';

const URL_LIMIT = 7 * 1024; // bytes of one /ask URL; servers take 8 KiB with everything around it
const BLOCK = 2000;         // characters after which text goes on in a new block: a frame lays out only the last one
const USUAL_HINT = 'Enter sends · Shift+Enter starts a line · Esc stops';

// What a code or a status means, for people. The server's own message stands below it.
const PLAIN_WORDS = {
	401: 'This server asks for a key, and a page like this one cannot send it.',
	403: 'That is not allowed here.',
	404: 'The server does not know this model.',
	414: 'The question is too long for this server.',
	429: 'Too many requests at the moment.',
	502: 'The model’s server gave no answer.',
	503: 'The server cannot take more questions right now.',
	504: 'The model took too long to begin.',
	upstream_incomplete: 'The answer broke off before its end.',
	upstream_auth: 'The model’s server refuses the key of this proxy.',
	client_gone: 'This page was away for too long, so the answer was given up.',
};

const byId = id => document.getElementById(id);
const [log, empty, input, model, system] = ['log', 'empty', 'input', 'model', 'system'].map(byId);
const [toggle, hint, send, stop, latest] = ['system-toggle', 'hint', 'send', 'stop', 'latest'].map(byId);

let current = null; // the Answer that is coming
let sticky = true;  // follow the text; off when the reader scrolls up

function make(parent, tag, className, textContent = '') {
	return parent.appendChild(Object.assign(document.createElement(tag), {className, textContent}));
}

function parse(json) {
	try { return Object(JSON.parse(json)); } catch { return {}; }
}

const say = text => { byId('status').textContent = text; }; // to screen readers

/* ---- Painting: whatever changed, once a frame */

const unpainted = new Set();
let frame = 0;

function paintSoon(thing) {
	unpainted.add(thing);
	frame = frame || requestAnimationFrame(paintNow);
}

function paintNow() {
	cancelAnimationFrame(frame);
	frame = 0;
	for (const thing of unpainted) thing.paint();
	unpainted.clear();
	follow();
}

function follow(again) {
	sticky = sticky || again === true;
	if (sticky) log.scrollTop = empty.hidden ? log.scrollHeight : 0;
	latest.hidden = sticky || !empty.hidden;
}

class Flow { // text that grows
	constructor(parent) {
		this.element = make(parent, 'div', 'text');
		this.pending = '';
		this.last = null; // the Text of the last block, while it has room
	}

	add(text) {
		this.pending += text;
		paintSoon(this);
	}

	paint() {
		for (let rest = this.pending; rest;) {
			this.last = this.last || make(this.element, 'div', '').appendChild(new Text());
			const line = rest.indexOf('\n', Math.max(0, BLOCK - this.last.length)) + 1;
			const cut = line || rest.length;
			this.last.appendData(rest.slice(0, cut));
			if (line) this.last = null;
			rest = rest.slice(cut);
		}
		this.pending = '';
	}
}

/* ---- A question and its answer, which ends once: by `done`, `failed`, a refusal or the reader */

class Answer {
	constructor(question, url) {
		Object.assign(this, {question, url, text: '', note: '', mark: '', ended: false, events: 0});
		this.started = performance.now();
		this.firstAt = this.lastAt = 0; // of content
		this.tools = new Map();         // index → Flow of its arguments
		this.part = null;               // {kind, flow} that text goes to now

		this.turn = make(log, 'article', 'turn running');
		const asked = make(this.turn, 'p', 'question');
		make(asked, 'span', 'unseen', 'You: ');
		asked.append(question);
		this.body = make(this.turn, 'div', 'answer');
		this.facts = make(this.turn, 'div', 'facts');
		this.facts.setAttribute('aria-live', 'off');
		this.open();
	}

	open() {
		const at = this.lastId ? '&last_event_id=' + encodeURIComponent(this.lastId) : '';
		const source = this.source = new EventSource(this.url + at);
		const on = (type, handle) => source.addEventListener(type, event => {
			this.lastId = event.lastEventId || this.lastId;
			handle(event.data);
		});
		on('message', data => this.write('text', data));
		on('reasoning', data => this.write('thinking', data));
		on('tool_call', data => this.callTool(parse(data)));
		on('usage', data => { this.usage = parse(data); });
		on('lost', () => this.leaveGap());
		on('done', data => this.end(parse(data)));
		on('failed', data => this.fail(parse(data).error || {}));
		source.onopen = () => this.setNote('');
		const closed = () => source.readyState === EventSource.CLOSED;
		source.onerror = () => closed() ? this.probe() : this.setNote('reconnecting…');
	}

	setNote(note) {
		if (note) say(note);
		this.note = note;
		paintSoon(this);
	}

	count() {
		this.events++;
		this.lastAt = performance.now();
		this.firstAt = this.firstAt || this.lastAt;
		paintSoon(this);
	}

	write(kind, text) {
		this.count();
		if (!this.part || this.part.kind !== kind) {
			let parent = this.body;
			if (kind === 'thinking') {
				parent = make(parent, 'details', 'thinking');
				make(parent, 'summary', '', 'Thinking');
			}
			this.part = {kind, flow: new Flow(parent)};
		}
		this.part.flow.add(text);
		if (kind === 'text') this.text += text;
	}

	callTool({index = 0, name, arguments: args}) {
		this.count();
		this.part = null;
		if (!this.tools.has(index)) {
			const card = make(this.body, 'div', 'tool');
			make(card, 'div', 'tool-name', name || 'tool');
			this.tools.set(index, new Flow(card));
		}
		if (args) this.tools.get(index).add(args);
	}

	leaveGap() {
		this.part = null;
		this.text += '\n[…]\n';
		make(this.body, 'div', 'gap', 'A part of the answer is missing here.');
	}

	// EventSource is closed for good and cannot say why; fetch can. Should it be let in, EventSource tries again.
	async probe() {
		let error = {message: 'The server’s answer is not a stream that this page understands.'};
		if (this.probing) return this.fail(error);
		const {signal} = this.probing = new AbortController();
		try {
			const headers = {Accept: 'text/event-stream', ...this.lastId && {'Last-Event-ID': this.lastId}};
			const response = await fetch(this.url, {headers, signal, cache: 'no-store'});
			if (response.status === 200) {
				this.probing.abort();
				return this.open();
			}
			if (response.status === 204) return this.end({}); // it had all been here
			const told = parse(await response.text()).error;
			error = {...error, ...told, status: response.status, wait: response.headers.get('Retry-After')};
		} catch {
			error.message = 'The server cannot be reached.';
		}
		this.fail(error);
	}

	fail({code, message, status, wait}) {
		if (this.ended) return;
		const gone = this.lastId && status === 404 && 'The server does not keep this answer any longer.';
		const words = gone || PLAIN_WORDS[code] || PLAIN_WORDS[status] || 'Something went wrong.';
		const codes = [code, status && 'HTTP ' + status].filter(Boolean).join(' · ');
		const box = make(this.body, 'div', 'error');
		make(box, 'strong', '', words);
		make(box, 'p', '', (message || 'No reason was given.') + (/^\d+$/.test(wait) ? ` Try again in ${wait} s.` : ''));
		if (codes) make(box, 'p', 'code', codes);
		this.end({failed: words});
	}

	end({finish_reason: reason, usage, stopped, failed}) {
		if (this.ended) return;
		Object.assign(this, {ended: true, failed, note: '', usage: usage || this.usage});
		this.source.close();
		if (this.probing) this.probing.abort();
		if (failed) this.mark = this.events ? 'interrupted' : '';
		else if (stopped) this.mark = 'stopped';
		else if (reason && reason !== 'stop') this.mark = 'finish reason: ' + reason;
		if (!this.body.hasChildNodes())
			make(this.body, 'div', 'gap', stopped ? 'Stopped before the first token.' : 'The answer is empty.');
		this.turn.classList.remove('running');
		paintSoon(this);
		paintNow();
		setCurrent(null);
		say(failed ? 'The answer failed: ' + failed : stopped ? 'Stopped.' : 'The answer is complete.');
	}

	paint() { // the line of figures, four times a second while they change
		const now = performance.now(), state = `${this.note} ${this.ended} ${!this.firstAt}`;
		if (state === this.paintedState && now - this.paintedAt < 250) return;
		[this.paintedState, this.paintedAt] = [state, now];

		const seconds = ms => (ms / 1000).toFixed(ms < 9950 ? 2 : 1) + ' s';
		const known = this.ended && this.usage && this.usage.completion_tokens;
		const tokens = known || this.events, span = this.lastAt - this.firstAt;
		const figures = [];
		if (this.firstAt) figures.push('first token ' + seconds(this.firstAt - this.started));
		if (span > 50 && tokens > 1) figures.push(((tokens - 1) * 1000 / span).toFixed(1) + ' tokens/s');
		if (tokens) figures.push(`${known ? '' : '≈ '}${tokens} token${tokens === 1 ? '' : 's'}`);

		this.facts.replaceChildren();
		const line = make(this.facts, 'div', 'line'), buttons = make(this.facts, 'div', 'buttons');
		for (const figure of figures) make(line, 'span', 'figure', figure);
		if (this.note) make(line, 'span', 'note', this.note);
		if (this.mark) make(line, 'span', this.failed ? 'mark bad' : 'mark', this.mark);
		if (!this.ended) return;
		if (this.failed) make(buttons, 'button', 'quiet', 'Ask again').onclick = () => ask(this.question);
		if (this.text) make(buttons, 'button', 'quiet', 'Copy').onclick = event => copy(this.text, event.target);
	}
}

async function copy(text, button) {
	const copied = navigator.clipboard && navigator.clipboard.writeText(text).then(() => true, () => false);
	say(button.textContent = await copied ? 'Copied' : 'Not allowed');
	setTimeout(() => { button.textContent = 'Copy'; }, 1500);
}

/* ---- Asking */

function urlOf(question) {
	const query = new URLSearchParams({q: question.trim()});
	if (model.value) query.set('model', model.value);
	if (system.value.trim()) query.set('system', system.value.trim());
	return '/ask?' + query.toString().replace(/\+/g, '%20');
}

function setCurrent(answer) {
	const hadFocus = document.activeElement === stop;
	current = answer;
	document.body.classList.toggle('streaming', Boolean(answer));
	log.setAttribute('aria-busy', String(Boolean(answer)));
	send.hidden = Boolean(answer);
	stop.hidden = !answer;
	if (hadFocus) input.focus();
}

function ask(question) {
	const url = urlOf(question);
	if (url.length > URL_LIMIT) return say(hint.textContent);
	if (current || !question.trim()) return;
	if (question === input.value) input.value = '';
	review();
	empty.hidden = true;
	say('Waiting for the answer.');
	setCurrent(new Answer(question.trim(), url));
	follow(true);
	input.focus();
}

// After every change of what is written: heights, the hint, whether it can be sent.
function review() {
	for (const area of [input, system]) {
		area.style.height = 'auto';
		area.style.height = area.scrollHeight + 'px';
	}
	const size = urlOf(input.value).length, long = size > URL_LIMIT;
	if (long && !send.disabled) say('Too long to send.');
	hint.textContent = size < URL_LIMIT * .8 ? USUAL_HINT
		: `${long ? 'Too long to send: ' : ''}${(size / 1024).toFixed(2)} of ${URL_LIMIT / 1024} KiB`;
	hint.classList.toggle('bad', long);
	send.disabled = long || !input.value.trim();
	toggle.classList.toggle('set', Boolean(system.value.trim()));
	follow();
}

const form = byId('form');
form.oninput = form.onchange = window.onresize = review;
form.onsubmit = event => { event.preventDefault(); ask(input.value); };

window.onkeydown = event => {
	if (event.isComposing || event.keyCode === 229) return; // an input method's own keys
	if (event.key === 'Escape' && current) stopAnswer();
	if (event.key === 'Enter' && !event.shiftKey && event.target === input) form.onsubmit(event);
};

const stopAnswer = stop.onclick = () => {
	if (current) {
		// Closing alone would let the answer go on for a while, for a page that comes back.
		const stream = current.lastId?.split('.')[0];
		if (stream) fetch(`/v1/streams/${stream}/stop`, {method: 'POST'}).catch(() => {});
		current.end({stopped: true});
	}
	input.focus();
};

empty.onclick = event => event.target.matches('button') && ask(event.target.textContent);

byId('new').onclick = () => {
	stopAnswer();
	log.replaceChildren(empty);
	empty.hidden = false;
	follow(true);
	say('New chat.');
};

toggle.onclick = () => {
	const box = byId('system-box');
	box.hidden = !box.hidden;
	toggle.setAttribute('aria-expanded', String(!box.hidden));
	review();
	(box.hidden ? input : system).focus();
};

/* ---- Scrolling: any way up lets go of the end, coming back to it holds on again */

let lastTop = 0;

log.onscroll = () => {
	const left = log.scrollHeight - log.clientHeight - log.scrollTop;
	if (log.scrollTop < lastTop) sticky = left < 2;
	else if (left < 24) sticky = true;
	lastTop = log.scrollTop;
	latest.hidden = sticky || !empty.hidden;
};

log.addEventListener('wheel', event => {
	if (event.deltaY < 0 && log.scrollTop > 0) sticky = false;
}, {passive: true});

latest.onclick = () => {
	follow(true);
	input.focus();
};

/* ---- Models: without the list there is still the default one */

fetch('/v1/models', {headers: {Accept: 'application/json'}})
	.then(response => response.ok ? response.json() : {data: []})
	.then(({data}) => model.append(...data.map(({id}) => new Option(id, id))))
	.catch(() => {});
review();
