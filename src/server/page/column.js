// A chat: what was said, and the form to go on. The store has the chat; a column shows it, asks, and watches the answer.

import {startStream, stopStream, readStream} from './api.js';
import {Answer} from './answer.js';
import {byId, randomId, say} from './dom.js';
import {Scroll} from './scroll.js';
import * as store from './store.js';

const PART_MS = 5000; // between two savings of an answer that is coming
const HINT = 'Enter sends · Shift+Enter starts a line · Esc stops';
const NOTES = {away: 'reconnecting…', connecting: ''};

export class Column {
	#answers = new Map(); // turn id → Answer, in their order
	#savedAt = 0;

	// page: {wire, models, close(column), changed(column)}
	constructor(parent, chat, page) {
		Object.assign(this, {id: chat.id, page});
		const element = this.element = byId('column').content.firstElementChild.cloneNode(true);
		for (const name of ['title', 'log', 'empty', 'latest', 'form', 'input', 'model', 'system', 'hint', 'send', 'stop'])
			this[name] = element.querySelector(`.${name}`);
		this.toggle = element.querySelector('.system-toggle');
		this.box = element.querySelector('.system-box');
		for (const label of element.querySelectorAll('label'))
			(label.nextElementSibling || label).id = label.htmlFor = `${label.htmlFor}-${chat.id}`;
		this.box.id = `box-${chat.id}`;
		this.toggle.setAttribute('aria-controls', this.box.id);
		this.hint.id = `hint-${chat.id}`;
		this.input.setAttribute('aria-describedby', this.hint.id);
		parent.append(element);

		this.scroll = new Scroll(this.log, this.latest);
		this.system.value = chat.system;
		this.setModels(page.models, chat.model);
		this.#wire();
		this.sync({mine: true});
		this.review();
	}

	get current() {
		return [...this.#answers.values()].find(({ended}) => !ended) || null;
	}

	#wire() {
		const {form, input, system, model, toggle, box, element} = this;
		element.querySelector('.close').onclick = () => this.page.close(this);
		element.addEventListener('focusin', () => this.page.focused(this));
		element.addEventListener('keydown', event => {
			if (event.isComposing || event.keyCode === 229) return; // an input method's own keys
			if (event.key === 'Escape' && this.current) this.stopAnswer();
			if (event.key === 'Enter' && !event.shiftKey && event.target === input) form.onsubmit(event);
		});
		form.oninput = () => this.review();
		form.onsubmit = event => {
			event.preventDefault();
			this.ask(input.value);
		};
		model.onchange = system.onchange = () => store.changeChat(this.id, chat => {
			Object.assign(chat, {model: model.value, system: system.value});
		});
		this.stop.onclick = () => this.stopAnswer();
		this.empty.onclick = event => event.target.matches('button') && this.ask(event.target.textContent);
		toggle.onclick = () => {
			box.hidden = !box.hidden;
			toggle.setAttribute('aria-expanded', String(!box.hidden));
			this.review();
			(box.hidden ? input : system).focus();
		};
	}

	setModels(models, wanted = this.model.value) {
		const names = wanted && !models.includes(wanted) ? [wanted, ...models] : models;
		this.model.replaceChildren(new Option('Default model', ''), ...names.map(name => new Option(name, name)));
		this.model.value = wanted;
	}

	// Heights, the hint, whether it can be sent: after every change of what is written.
	review() {
		for (const area of [this.input, this.system]) {
			area.style.height = 'auto';
			area.style.height = area.scrollHeight + 'px';
		}
		this.hint.textContent = HINT;
		this.send.disabled = !this.input.value.trim();
		this.toggle.classList.toggle('set', Boolean(this.system.value.trim()));
	}

	// As the store has it: after a load, a change of ours, or one in another tab. A question that has no stream yet is
	// asked where it was typed, and after a reload (`mine`).
	sync({mine = false} = {}) {
		const chat = store.chatOf(this.id);
		if (!chat) return;
		const turns = new Map(chat.turns.map(turn => [turn.id, turn]));
		for (const [id, answer] of this.#answers) if (!turns.has(id)) this.#drop(answer);
		for (const turn of turns.values()) {
			const known = this.#answers.get(turn.id);
			const answer = known || this.#add(turn);
			if (answer.ended) continue;
			if (turn.answer && !answer.watching) answer.restore(turn.answer);
			else if (turn.stream && !answer.watching) this.#watch(answer, turn);
			else if (!turn.stream && mine && !known) this.#begin(answer, chat);
		}
		this.#show(chat);
	}

	#add(turn) {
		const answer = new Answer(this.log, turn, this.scroll);
		this.#answers.set(turn.id, answer);
		answer.onfirst = first => store.changeTurn(this.id, turn.id, kept => { kept.first = kept.first ?? first; });
		answer.onend = record => this.#ended(answer, record);
		answer.onretry = () => this.ask(turn.question, {instead: turn});
		return answer;
	}

	#drop(answer) {
		if (answer.watching) this.page.wire.unwatch(answer.watching);
		this.#answers.delete(answer.turn.id);
		answer.remove();
	}

	#show(chat) {
		const running = Boolean(this.current), hadFocus = document.activeElement === this.stop;
		this.empty.hidden = this.#answers.size > 0;
		this.title.textContent = this.name = chat.turns[0]?.question.slice(0, 80) || 'New chat';
		this.element.setAttribute('aria-label', this.name);
		this.element.classList.toggle('streaming', running);
		this.log.setAttribute('aria-busy', String(running));
		this.send.hidden = running;
		this.stop.hidden = !running;
		if (hadFocus && !running) this.input.focus();
		this.page.changed(this);
	}

	ask(text, {instead} = {}) {
		const question = text.trim();
		if (this.current || !question) return;
		if (text === this.input.value) this.input.value = '';
		this.review();
		const turn = {id: randomId(), question, at: Date.now()};
		store.changeChat(this.id, chat => {
			Object.assign(chat, {model: this.model.value, system: this.system.value});
			chat.turns = [...chat.turns.filter(({id}) => id !== instead?.id), turn];
		});
		say('Waiting for the answer.');
		this.sync({mine: true});
		this.scroll.toEnd();
		this.input.focus();
	}

	// The chat so far, as the model is told it: only what was answered.
	#messages(chat, {id, question}) {
		const messages = chat.system.trim() ? [{role: 'system', content: chat.system.trim()}] : [];
		for (const turn of chat.turns) {
			const said = turn.id !== id && (turn.answer?.parts || [])
				.filter(({kind}) => kind === 'text').map(({text}) => text).join('');
			if (said) messages.push({role: 'user', content: turn.question}, {role: 'assistant', content: said});
		}
		return [...messages, {role: 'user', content: question}];
	}

	async #begin(answer, chat) {
		const {turn} = answer;
		if (this.page.wire.full) return answer.fail({code: 'too_many_answers', message: 'Wait until one of them has ended.'});
		let started;
		try {
			started = await startStream(turn,
				{...chat.model && {model: chat.model}, messages: this.#messages(chat, turn), stream: true});
		} catch (error) {
			return answer.fail({...error, message: error.message});
		}
		const kept = store.changeTurn(this.id, turn.id, now => Object.assign(now, started));
		if (!kept || answer.stopWanted) stopStream(started.stream).catch(() => {});
		if (kept && !answer.ended && !answer.watching) this.#watch(answer, {...turn, ...started});
	}

	#watch(answer, turn) {
		const part = store.partOf(turn.id);
		Object.assign(answer.turn, turn);
		answer.watching = turn.stream;
		if (part) answer.remember(part);
		this.page.wire.watch(turn.stream, turn.ticket, (type, data) => {
			if (type === 'seen') return this.#readEnd(answer);
			if (type === 'failed' && data.error?.code === 'stream_not_found' && part && !answer.record.parts.length)
				answer.showParts(part.parts); // the server has lost it, this page has not
			answer.take(type, data);
			if (!answer.ended && performance.now() - this.#savedAt > PART_MS) this.savePart();
		});
	}

	// The server says that it had all been here, so its end was missed.
	async #readEnd(answer) {
		this.page.wire.unwatch(answer.watching);
		try {
			const {state, error, ...end} = await readStream(answer.watching);
			if (state === 'failed') answer.fail(error);
			else answer.end({...end, stopped: state === 'stopped'});
		} catch (error) {
			answer.fail({...error, message: error.message});
		}
	}

	#ended(answer, record) {
		const {turn} = answer;
		if (answer.watching) this.page.wire.unwatch(answer.watching);
		const chat = store.changeTurn(this.id, turn.id, kept => {
			kept.answer = kept.answer || record; // another tab may have been first
			delete kept.ticket;
		});
		store.dropPart(turn.id);
		if (chat) this.#show(chat);
	}

	// Ends it for everybody; the end then comes as of any answer.
	async stopAnswer() {
		const answer = this.current;
		this.input.focus();
		if (!answer || answer.stopWanted) return;
		answer.stopWanted = true;
		answer.setNote('stopping…');
		if (!answer.watching) return; // as soon as it has a stream
		try {
			await stopStream(answer.watching);
		} catch (error) {
			answer.stopWanted = false;
			if (error.status === 404) answer.fail({code: 'stream_not_found', message: error.message, status: 404});
			else answer.setNote('could not be stopped: ' + error.message);
		}
	}

	wireIs(state) {
		const answer = this.current;
		if (answer?.watching && !answer.stopWanted) answer.setNote(NOTES[state] ?? '');
	}

	savePart() {
		const answer = this.current;
		this.#savedAt = performance.now();
		if (answer?.record.parts.length) store.savePart(answer.turn.id, answer.record);
	}

	remove({stop = false} = {}) {
		const answer = this.current;
		if (stop && answer) {
			answer.stopWanted = true;
			if (answer.watching) stopStream(answer.watching).catch(() => {});
		}
		for (const answer of [...this.#answers.values()]) this.#drop(answer);
		this.element.remove();
	}
}
