// Text that grows: plain, as it is. Blocks keep a frame's layout to the last of them.

import {make, paintSoon} from './dom.js';

const BLOCK = 2000; // characters after which text goes on in a new block

export class Flow {
	#pending = '';
	#last = null; // the Text of the last block, while it has room

	constructor(parent, area) {
		this.area = area;
		this.element = make(parent, 'div', 'text plain');
	}

	add(text) {
		this.#pending += text;
		paintSoon(this);
	}

	end() {
		this.paint();
	}

	paint() {
		for (let rest = this.#pending; rest;) {
			this.#last = this.#last || make(this.element, 'div', '').appendChild(new Text());
			const line = rest.indexOf('\n', Math.max(0, BLOCK - this.#last.length)) + 1;
			const cut = line || rest.length;
			this.#last.appendData(rest.slice(0, cut));
			if (line) this.#last = null;
			rest = rest.slice(cut);
		}
		this.#pending = '';
	}
}
