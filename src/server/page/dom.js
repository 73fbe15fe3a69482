// Elements, painting once a frame, and words for screen readers. Nothing here takes markup: what comes from a model is text.

export const byId = id => document.getElementById(id);

export function make(parent, tag, className, textContent = '') {
	return parent.appendChild(Object.assign(document.createElement(tag), {textContent, ...className && {className}}));
}

export const say = text => { byId('status').textContent = text; };

export function parse(json) {
	try { return Object(JSON.parse(json)); } catch { return {}; }
}

// 128 random bits. (crypto.randomUUID is only there under https.)
export const randomId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)),
	part => part.toString(36).padStart(7, '0')).join('');

// Whatever changed is painted once a frame, however fast it changes. A thing has paint(), which may ask for the next
// frame again, and `area`, which is told when something in it was painted.
let unpainted = new Set();
let frame = 0;

export function paintSoon(thing) {
	unpainted.add(thing);
	frame = frame || requestAnimationFrame(paintNow);
}

export function paintNow() {
	cancelAnimationFrame(frame);
	frame = 0;
	const now = unpainted;
	unpainted = new Set();
	for (const thing of now) thing.paint();
	for (const area of new Set([...now].map(thing => thing.area))) area?.painted();
}

export function copyButton(parent, textOf) {
	const button = make(parent, 'button', 'quiet copy', 'Copy');
	button.type = 'button';
	button.onclick = async () => {
		const copied = navigator.clipboard?.writeText(textOf()).then(() => true, () => false);
		say(button.textContent = await copied ? 'Copied' : 'Not allowed');
		setTimeout(() => { button.textContent = 'Copy'; }, 1500);
	};
	return button;
}

// localStorage or sessionStorage, by name. What has no room there, or where cookies are blocked, is kept while the page is.
export function storage(name) {
	const memory = new Map();
	const attempt = what => {
		try { return what(window[name]); } catch { return undefined; }
	};
	return {
		get: key => memory.get(key) ?? attempt(kept => kept.getItem(key)) ?? null,
		set(key, value) { // false: it will not outlive the page
			const done = attempt(kept => kept.setItem(key, value) ?? true) ?? false;
			if (done) memory.delete(key);
			else memory.set(key, value);
			return done;
		},
		remove(key) {
			memory.delete(key);
			attempt(kept => kept.removeItem(key));
		},
	};
}
