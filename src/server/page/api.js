// Requests of the page, with the key where the server asks for one, and what they come to.

import {byId, parse, storage} from './dom.js';

const KEY = 'sluice.key';
const tab = storage('sessionStorage'); // the key is of this tab only

// What the server refused, as it tells it: {code, message, status, wait}.
export class Refusal extends Error {
	constructor({code, message, status, wait}) {
		super(message || 'No reason was given.');
		Object.assign(this, {code, status, wait});
	}
}

let asking = null; // the dialog that is open, for all requests that wait for it

// A new key, or null when the reader has none.
export function askForKey() {
	const dialog = byId('key-dialog'), input = byId('key');
	byId('key-wrong').hidden = !tab.get(KEY);
	asking = asking || new Promise(resolve => {
		dialog.onclose = () => {
			asking = null;
			const key = dialog.returnValue === 'use' && input.value.trim();
			input.value = '';
			if (key) tab.set(KEY, key);
			resolve(key || null);
		};
		byId('key-form').onsubmit = event => {
			event.preventDefault();
			dialog.close('use');
		};
		byId('key-cancel').onclick = () => dialog.close('');
		dialog.returnValue = '';
		dialog.showModal();
	});
	return asking;
}

const withKey = headers => {
	const key = tab.get(KEY);
	return {Accept: 'application/json', ...headers, ...key && {Authorization: `Bearer ${key}`}};
};

// Who leaves the page cuts its requests, which is no failure of them: the next page goes on with what is stored.
let leaving = false;
addEventListener('beforeunload', () => {
	leaving = true;
	setTimeout(() => { leaving = false; }, 5000); // for who stays after all
});
addEventListener('pagehide', () => { leaving = true; });
addEventListener('pageshow', ({persisted}) => persisted && location.reload());

// A response that is no refusal of the key; `may` is false for what can do without an answer.
async function get(path, {headers, ...options}, may = true) {
	for (let sent; ; ) {
		sent = tab.get(KEY);
		let response;
		try {
			response = await fetch(path, {cache: 'no-store', ...options, headers: withKey(headers)});
		} catch (error) {
			if (error.name === 'AbortError') throw error;
			if (leaving) await new Promise(() => {});
			throw new Refusal({code: 'page_offline', message: 'The network or the server is down.'});
		}
		if (response.status !== 401 || !may) return response;
		// Another request may have asked in the meantime.
		if (tab.get(KEY) === sent && !await askForKey()) return response;
	}
}

export async function refusalOf(response) {
	const {error} = parse(await response.text().catch(() => ''));
	return new Refusal({...error, status: response.status, wait: response.headers.get('Retry-After')});
}

async function json(path, options = {}) {
	const response = await get(path, options);
	if (!response.ok) throw await refusalOf(response);
	return response.json();
}

const ticketOf = url => new URL(url, location.href).searchParams.get('ticket') || '';

// Repeated with the same turn it is the same stream: a reload in the middle costs no second answer.
export async function startStream(turn, body) {
	const {id, read_url} = await json('/v1/streams', {
		method: 'POST',
		headers: {'Content-Type': 'application/json', 'Idempotency-Key': turn.id},
		body: JSON.stringify(body),
	});
	return {stream: id, ticket: ticketOf(read_url)};
}

export const stopStream = id => json(`/v1/streams/${id}/stop`, {method: 'POST'});

// What there is of it, at once: the document.
export const readStream = id => json(`/v1/streams/${id}?format=json`);

export const newTicket = id => json(`/v1/streams/${id}/ticket`, {
	method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}',
}).then(({url}) => ticketOf(url));

// Why an EventSource was refused, which it cannot say itself; the response is closed when it is a stream.
export async function probe(path, lastId) {
	const leave = new AbortController();
	const headers = {Accept: 'text/event-stream', ...lastId && {'Last-Event-ID': lastId}};
	const response = await get(path, {headers, signal: leave.signal});
	const why = response.ok ? null : await refusalOf(response);
	leave.abort();
	return {status: response.status, why};
}

// Without the list there is still the default model.
export const listModels = () => json('/v1/models').then(({data}) => data.map(({id}) => id), () => []);
