// The one connection of the page: an EventSource on /v1/events, which carries the answers of all chats.
//
//	idle ──watch()──▶ connecting ──▶ open ⇄ away (EventSource comes back by itself, or recover() sees to it)
//	  ▲                                │
//	  └──────── nobody is left ────────┘
//
// EventSource repeats the id of its last event by itself. That id packs the positions of all streams, `a.12,b.7`; when a
// stream comes or goes a new EventSource begins with `last_event_id`, so that every stream goes on where it was.

import {newTicket, probe} from './api.js';
import {parse} from './dom.js';

const MOST = 32;          // streams on one connection
const CUT_MS = 1200;      // how long a cut connection stays away: a network needs its time as well
const AGAIN_MS = 1000;    // before another try after a refusal, twice as long each time
const AGAIN_MOST_MS = 15_000;
const PASSING = new Set([408, 429, 500, 502, 503, 504]);

export class Wire {
	#watched = new Map(); // stream → {ticket, handle, cursor, begun}
	#source = null;
	#id = '';             // of the last event of this source
	#ids = false;         // has this server ever sent one?
	#held = [];           // events of an entry whose last one, which has the id, is still to come
	#timer = 0;
	#tries = 0;
	state = 'idle';
	onstate = () => {};

	get size() { return this.#watched.size; }
	get full() { return this.size >= MOST; }

	// handle(type, data) as the server sends them; type `restart` tells that all comes again from the start.
	watch(stream, ticket, handle) {
		this.#watched.set(stream, {ticket, handle, cursor: 0, begun: false});
		this.#openIn(0);
	}

	unwatch(stream) {
		if (!this.#watched.delete(stream)) return;
		if (!this.size) this.#close();
		this.#become(this.size ? this.state : 'idle');
	}

	// As if the network had dropped it.
	cut() {
		if (!this.size) return;
		this.#close();
		this.#become('away');
		this.#openIn(CUT_MS);
	}

	#become(state) {
		this.state = state;
		this.onstate(state);
	}

	// Several streams that are watched at once, as after a reload, are one opening.
	#openIn(ms) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#open(), ms);
	}

	#close() {
		clearTimeout(this.#timer);
		this.#source?.close();
		this.#source = null;
		this.#noteCursors();
		this.#held = [];
	}

	#noteCursors() {
		for (const at of this.#id.split(',')) {
			const dot = at.lastIndexOf('.'), watched = this.#watched.get(at.slice(0, dot));
			if (watched) watched.cursor = Number(at.slice(dot + 1)) || watched.cursor;
		}
		this.#id = '';
	}

	#path({tickets = true} = {}) {
		const streams = [...this.#watched.keys()].slice(0, MOST);
		const all = streams.map(stream => this.#watched.get(stream).ticket);
		const ticket = tickets && all.some(Boolean) ? '&ticket=' + encodeURIComponent(all.join(',')) : '';
		return `/v1/events?streams=${streams.join(',')}${ticket}`;
	}

	#lastId() {
		return [...this.#watched].filter(([, {cursor}]) => cursor)
			.map(([stream, {cursor}]) => `${stream}.${cursor}`).join(',');
	}

	#open() {
		this.#close();
		if (!this.size) return;
		this.#become('connecting');
		const lastId = this.#lastId();
		const source = this.#source =
			new EventSource(this.#path() + (lastId && '&last_event_id=' + encodeURIComponent(lastId)));
		source.onopen = () => {
			this.#tries = 0;
			this.#held = [];
			this.#restartLost();
			this.#become('open');
		};
		source.onmessage = event => this.#take(event);
		source.onerror = () => {
			this.#become('away');
			if (source.readyState === EventSource.CLOSED) this.#recover();
		};
	}

	// Who has no position gets everything again. (A server can be told to send no ids.)
	#restartLost() {
		for (const watched of this.#watched.values()) {
			if (!watched.begun || watched.cursor || this.#id) continue;
			watched.begun = false;
			watched.handle('restart');
		}
	}

	#take({data, lastEventId}) {
		const event = parse(data);
		const content = ['text', 'reasoning', 'tool_call', 'usage'].includes(event.type);
		this.#ids = this.#ids || lastEventId !== '';
		const whole = !this.#ids || !content || lastEventId !== this.#id;
		this.#id = lastEventId;
		this.#held.push(event);
		if (!whole) return; // the entry would come again as a whole if the connection broke here
		for (const {stream, type, data} of this.#held.splice(0)) {
			const watched = this.#watched.get(stream);
			if (!watched) continue;
			watched.begun = true;
			watched.handle(type, data);
		}
	}

	#endAll(type, data) {
		for (const {handle} of [...this.#watched.values()]) handle(type, data);
	}

	// EventSource has given up, as it does on anything but 200.
	async #recover() {
		this.#close();
		const watched = this.#watched.size;
		let seen;
		try {
			seen = await probe(this.#path({tickets: false}), this.#lastId());
		} catch (why) {
			seen = {status: 503, why};
		}
		if (this.#source || !this.size) return; // somebody has opened it again, or wants nothing any more
		const {status, why} = seen;
		if (this.size !== watched) return this.#openIn(0);
		if (status === 204) return this.#endAll('seen');
		if (status !== 200 && !PASSING.has(status)) {
			const code = status === 404 ? 'stream_not_found' : why.code;
			return this.#endAll('failed', {error: {code, message: why.message, status}});
		}
		if (status === 200) await this.#renewTickets();
		this.#openIn(Math.min(AGAIN_MOST_MS, AGAIN_MS * 2 ** this.#tries++));
	}

	// The key opened what the tickets did not: they have expired.
	#renewTickets() {
		return Promise.all([...this.#watched].filter(([, {ticket}]) => ticket).map(async ([stream, watched]) => {
			try {
				watched.ticket = await newTicket(stream);
			} catch { /* the next try tells */ }
		}));
	}
}
