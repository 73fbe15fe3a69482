// Markdown that grows, made safe. Text becomes elements on one way only: marked knows no HTML here, so tags are text;
// DOMPurify lets through a short list of elements; links are then looked at once more. Images become links.
//
// A frame looks at the last block alone: blocks before it are settled and never touched again, lines of a code block are
// appended as they are. A slow block is painted less often, so that a long one costs no more than a fifth of the time.

import '/page/marked.js';
import '/page/dompurify.js';
import {copyButton, make, paintSoon} from './dom.js';

const {marked, DOMPurify} = globalThis;
const MOST = 24 * 1024;  // characters of one block, and marks in it: marked takes seconds for some texts that are longer,
const MOST_MARKS = 1500; // and those are shown as they are
const REST = 4;          // times as long as it took to paint

// Debian's patches to DOMPurify 2.4.1 read the depth of a variable that is not there, and all of it fails: here it is, without one.
globalThis.shadowNode ??= Object.freeze({});

const escape = text => text.replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);

class Tokenizer extends marked.Tokenizer {
	// Not known: text. (A definition could change what is settled above it.)
	html() {}
	tag() {}
	def() {}
}

class Renderer extends marked.Renderer {
	heading(text, level) { return `<h${Math.min(6, level + 2)}>${text}</h${Math.min(6, level + 2)}>`; }
	image(href, title, text) { return `<a href="${escape(href || '')}">${escape(text || href || '')}</a>`; }
	checkbox(checked) { return checked ? '☑ ' : '☐ '; }
}

const OPTIONS = {
	...marked.getDefaults(), breaks: true, headerIds: false, mangle: false,
	renderer: new Renderer(), tokenizer: new Tokenizer(),
};

const PURE = {
	ALLOWED_TAGS: [
		'a', 'blockquote', 'br', 'code', 'del', 'em', 'h3', 'h4', 'h5', 'h6', 'hr', 'li', 'ol', 'p', 'pre', 'strong',
		'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul', '#text',
	],
	ALLOWED_ATTR: ['align', 'class', 'href', 'start'],
	ALLOW_ARIA_ATTR: false,
	ALLOW_DATA_ATTR: false,
	RETURN_DOM_FRAGMENT: true,
};

const SCHEMES = new Set(['http:', 'https:', 'mailto:']);

function safeUrl(href) {
	try {
		const url = new URL(href); // no base: a model's relative link leads nowhere
		return SCHEMES.has(url.protocol) ? url.href : null;
	} catch {
		return null;
	}
}

function dressLink(link) {
	const href = safeUrl(link.getAttribute('href'));
	if (!href || !link.hasChildNodes()) return link.replaceWith(...link.childNodes);
	Object.assign(link, {href, rel: 'noopener noreferrer nofollow', target: '_blank'});
}

// A code block: what it is written in, a button, the code. Returns the element with the code.
function makeCode(parent, lang) {
	const block = make(parent, 'div', 'code-block'), head = make(block, 'div', 'code-head');
	make(head, 'span', 'lang', lang);
	const code = make(make(block, 'pre', ''), 'code', '');
	code.parentElement.tabIndex = 0; // it may need scrolling, also by the keyboard
	copyButton(head, () => code.textContent);
	return code;
}

const lengthOf = tokens => tokens.reduce((sum, {raw}) => sum + raw.length, 0);

const isHard = text => text.length > MOST || text.match(/[*_[<`]/g)?.length > MOST_MARKS;

function lex(text) {
	const plain = [{type: 'plain', raw: text}];
	if (isHard(text)) return plain;
	try {
		return new marked.Lexer(OPTIONS).lex(text);
	} catch {
		return plain; // a thousand quotes in each other have no room on the stack
	}
}

function render(tokens) {
	try {
		return renderMarkdown(tokens);
	} catch {
		const fragment = document.createDocumentFragment();
		make(fragment, 'div', 'plain', tokens.map(({raw}) => raw).join(''));
		return fragment;
	}
}

function renderMarkdown(tokens) {
	const fragment = DOMPurify.sanitize(marked.parser(tokens, OPTIONS), PURE);
	for (const link of fragment.querySelectorAll('a')) dressLink(link);
	for (const pre of fragment.querySelectorAll('pre')) {
		const lang = pre.firstElementChild?.className.replace('language-', '') || '';
		const box = document.createDocumentFragment();
		makeCode(box, lang).textContent = pre.textContent;
		pre.replaceWith(box);
	}
	for (const table of fragment.querySelectorAll('table')) {
		const box = document.createElement('div');
		Object.assign(box, {className: 'table', tabIndex: 0});
		table.replaceWith(box);
		box.append(table);
	}
	for (const marked of fragment.querySelectorAll('code[class]')) marked.removeAttribute('class');
	return fragment;
}

export class Markdown {
	#pending = '';  // a line without its end; what came since the last painting
	#block = '';    // lines that are not settled
	#tail = [];     // the nodes that show them
	#code = null;   // the code block that is open
	#inner = null;  // the fence of one inside of a list, which is marked's to see
	#notBefore = 0; // when it may be painted again

	constructor(parent, area) {
		this.area = area;
		this.element = make(parent, 'div', 'text md');
	}

	add(text) {
		this.#pending += text;
		paintSoon(this);
	}

	end() {
		if (this.#pending && !this.#pending.endsWith('\n')) this.#pending += '\n';
		this.#paint();
	}

	paint() {
		if (performance.now() < this.#notBefore) return paintSoon(this);
		const before = performance.now();
		this.#paint();
		const now = performance.now();
		this.#notBefore = now + REST * (now - before);
	}

	#paint() {
		for (let end; (end = this.#pending.indexOf('\n')) >= 0;) {
			const line = this.#pending.slice(0, end).replace(/\r/g, '');
			this.#pending = this.#pending.slice(end + 1);
			this.#takeLine(line);
		}
		const rest = this.#pending.replace(/\r/g, '');
		if (this.#code) this.#showCode(/^ {0,3}[`~]+$/.test(rest) ? '' : rest);
		else this.#showBlock(/^(?:`{1,2}$|~{1,2}$|`{3,}[^`]*$|~{3})/.test(rest) ? '' : rest);
	}

	#takeLine(line) {
		const [, indent, fence, info] = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$/.exec(line) || [];
		const closes = open => fence && fence.startsWith(open) && !info.trim();
		if (this.#code) {
			if (closes(this.#code.fence)) this.#endCode();
			else this.#code.lines += line + '\n';
			return;
		}
		if (this.#inner && closes(this.#inner)) this.#inner = null;
		else if (fence && !this.#inner && indent) this.#inner = fence;
		else if (fence && !this.#inner) return this.#beginCode(fence, info);
		// As marked does it, so that the lengths of its tokens are those of this text.
		this.#block += line.replace(/^( *)(\t+)/, (_, blanks, tabs) => blanks + '    '.repeat(tabs.length)) + '\n';
	}

	#beginCode(fence, info) {
		this.#settle(lex(this.#block));
		this.#tail = [];
		this.#block = '';
		const element = makeCode(this.element, info.trim().split(/\s/)[0]);
		this.#code = {fence, lines: '', text: element.appendChild(new Text()), rest: element.appendChild(new Text())};
	}

	#showCode(rest) {
		this.#code.text.appendData(this.#code.lines);
		this.#code.lines = '';
		this.#code.rest.data = rest;
	}

	#endCode() {
		this.#showCode('');
		this.#code = null;
	}

	#drop() {
		for (const node of this.#tail) node.remove();
		this.#tail = [];
	}

	// These are complete: they replace what showed them so far.
	#settle(tokens) {
		this.#drop();
		if (tokens.length) this.element.append(render(tokens));
	}

	// What a line without its end is cannot be known: only whole ones settle what stands before them.
	#showBlock(rest) {
		const tokens = lex(this.#block), isPlain = tokens[0]?.type === 'plain';
		let last = tokens.length - 1;
		while (last > 0 && tokens[last].type === 'space') last--;
		const settled = isPlain ? tokens : tokens.slice(0, Math.max(0, last));
		this.#settle(settled);
		this.#block = this.#block.slice(lengthOf(settled));
		const tail = render(rest ? lex(this.#block + rest) : tokens.slice(settled.length));
		this.#tail = [...tail.childNodes];
		this.element.append(tail);
	}
}
