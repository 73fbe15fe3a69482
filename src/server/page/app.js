// The chat page of sluice: chats side by side, whose answers all come over one connection (wire.js), kept in the
// browser (store.js) so that a reload or a second tab goes on with what is running.

import {listModels} from './api.js';
import {Column} from './column.js';
import {byId, make, say} from './dom.js';
import * as store from './store.js';
import {Wire} from './wire.js';

const STATES = {
	idle: 'No answer is coming',
	connecting: 'Connecting…',
	open: 'Connected',
	away: 'Reconnecting…',
};

const wire = new Wire();
const columns = new Map(); // chat id → Column, in their order
let shown = null;          // the one that a narrow screen shows

const page = {
	wire,
	models: [],

	close(column) {
		const ids = [...columns.keys()], at = ids.indexOf(column.id);
		column.remove({stop: true});
		columns.delete(column.id);
		store.removeChat(column.id);
		say('The chat is closed.');
		if (!columns.size) addChat();
		show(columns.get(ids[at + 1]) || [...columns.values()].at(-1));
		shown.input.focus();
	},

	focused(column) {
		if (column !== shown) show(column);
	},

	changed() {
		paintTabs();
		document.body.classList.toggle('streaming', [...columns.values()].some(({current}) => current));
	},
};

function addChat(chat = store.newChat({model: shown?.model.value})) {
	const column = new Column(byId('columns'), chat, page);
	columns.set(chat.id, column);
	return column;
}

function show(column) {
	shown = column;
	for (const other of columns.values()) other.element.classList.toggle('shown', other === column);
	paintTabs();
}

function paintTabs() {
	document.body.classList.toggle('many', columns.size > 1);
	const tabs = byId('tabs'), hadFocus = tabs.contains(document.activeElement);
	tabs.replaceChildren();
	for (const column of columns.values()) {
		const tab = make(tabs, 'button', 'tab', column.name);
		tab.type = 'button';
		tab.classList.toggle('streaming', Boolean(column.current));
		if (column === shown) tab.setAttribute('aria-current', 'true');
		tab.onclick = () => {
			show(column);
			column.element.scrollIntoView({inline: 'nearest', block: 'nearest'});
		};
		if (column === shown && hadFocus) tab.focus();
	}
}

wire.onstate = state => {
	byId('wire').className = `wire ${state}`;
	byId('wire-state').textContent = state === 'open' && wire.size
		? `${wire.size} ${wire.size === 1 ? 'answer' : 'answers'} on one connection` : STATES[state];
	byId('cut').hidden = state === 'idle';
	byId('cut').disabled = state !== 'open';
	if (state === 'away') say('The connection is lost. Reconnecting.');
	for (const column of columns.values()) column.wireIs(state);
};

byId('cut').onclick = () => wire.cut();

byId('new').onclick = () => {
	const column = addChat();
	show(column);
	column.element.scrollIntoView({inline: 'end', block: 'nearest'});
	column.input.focus();
	say('New chat.');
};

store.onFull(() => {
	byId('full').hidden = false;
});

store.onChange(id => {
	if (id) return columns.get(id)?.sync();
	const chats = store.allChats(), ids = new Set(chats.map(chat => chat.id));
	for (const column of [...columns.values()]) {
		if (ids.has(column.id)) continue;
		column.remove();
		columns.delete(column.id);
	}
	for (const chat of chats) if (!columns.has(chat.id)) addChat(chat);
	if (!columns.size) addChat();
	show(columns.get(shown?.id) || [...columns.values()].at(-1));
});

addEventListener('pagehide', () => {
	for (const column of columns.values()) column.savePart();
});

addEventListener('resize', () => {
	for (const column of columns.values()) column.review();
});

wire.onstate('idle');
for (const chat of store.allChats()) addChat(chat);
if (!columns.size) addChat();
show([...columns.values()].at(-1));
shown.input.focus();

listModels().then(models => {
	page.models = models;
	for (const column of columns.values()) column.setModels(models);
});
