// The chats of this browser, in localStorage: the tabs of one browser show the same ones, and a reload finds them again.
//
//	sluice.chats         [id, …] in their order on the page
//	sluice.chat.{id}     {id, model, system, turns: [turn, …]}
//	sluice.part.{turn}   a record of an answer that is coming, for when the server has lost it by the time of a reload
//
// A turn is {id, question, at, stream, ticket, first, answer}: `stream` is there once the server has taken the question,
// `first` (ms from `at` to the first token) with that token, `answer` (a record, see answer.js) at the end. Every change
// reads, changes and writes, as another tab may have written in between.

import {parse, randomId, storage} from './dom.js';

const ORDER = 'sluice.chats';
const CHAT = 'sluice.chat.';
const PART = 'sluice.part.';

let whenFull = () => {};
export const onFull = handle => { whenFull = handle; };

const {get: read, set, remove} = storage('localStorage');

function write(key, value) {
	if (!set(key, JSON.stringify(value))) whenFull();
}

function order() {
	const ids = parse(read(ORDER));
	return Array.isArray(ids) ? ids.filter(id => typeof id === 'string' && read(CHAT + id)) : [];
}

export function chatOf(id) {
	const chat = parse(read(CHAT + id));
	return Array.isArray(chat.turns) ? chat : null;
}

export const allChats = () => order().map(chatOf).filter(Boolean);

export function newChat({model = ''} = {}) {
	const chat = {id: randomId(), model, system: '', turns: []};
	write(CHAT + chat.id, chat);
	write(ORDER, [...order(), chat.id]);
	return chat;
}

export function removeChat(id) {
	for (const turn of chatOf(id)?.turns || []) dropPart(turn.id);
	remove(CHAT + id);
	write(ORDER, order());
}

// The chat as it is now, or null where another tab has closed it.
export function changeChat(id, change) {
	const chat = chatOf(id);
	if (!chat) return null;
	change(chat);
	write(CHAT + id, chat);
	return chat;
}

export const changeTurn = (chatId, turnId, change) => changeChat(chatId, chat => {
	const turn = chat.turns.find(({id}) => id === turnId);
	if (turn) change(turn);
});

export const partOf = turnId => {
	const part = parse(read(PART + turnId));
	return Array.isArray(part.parts) ? part : null;
};
export const savePart = (turnId, record) => write(PART + turnId, record);
export const dropPart = turnId => remove(PART + turnId);

// Another tab changed one chat (its id), or which chats there are (null).
export const onChange = handle => addEventListener('storage', ({key}) => {
	if (key === null || key === ORDER) handle(null);
	else if (key.startsWith(CHAT)) handle(key.slice(CHAT.length));
});
