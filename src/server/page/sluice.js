// stream(prompt, onText, options): a promise of {text, finish_reason, usage, id}, with stop(). See docs/browser.md.
export function stream(prompt, onText, {url = import.meta.url, key, model, system, signal, onReasoning} = {}) {
	let id, path = '/v1/streams', stopped, text = '';
	const call = async (rest, body) => {
		const answer = await fetch(new URL(path + rest, url), {
			method: body ? 'POST' : 'GET',
			body: JSON.stringify(body),
			headers: {'Content-Type': 'application/json', ...key && {Authorization: 'Bearer ' + key}},
		});
		const json = await answer.json();
		if (answer.ok) return json;
		throw {status: answer.status, ...json.error};
	};
	const stop = async () => {
		stopped = true;
		if (id) await call('/stop', {});
	};
	const add = more => {
		text += more;
		if (more) onText?.(more);
	};
	// How it ended; nothing where EventSource was refused (cuts it mends).
	const watch = at => new Promise(resolve => {
		const source = new EventSource(at);
		const on = (type, take) => source.addEventListener(type, event => take?.(event.data));
		const end = data => {
			source.close();
			resolve(data && JSON.parse(data));
		};
		on('message', add);
		on('reasoning', onReasoning);
		on('done', end);
		on('failed', end);
		source.onerror = () => source.readyState > 1 && end();
	});
	const run = async () => {
		const messages = prompt.trim ? [{role: 'user', content: prompt}] : [...prompt];
		if (system) messages.unshift({role: 'system', content: system});
		const made = await call('', {model, messages, stream: true});
		path += '/' + (id = made.id);
		if (stopped) stop();
		let end = await watch(new URL(made.read_url, url));
		while (!end || /ing/.test(end.state)) {
			await new Promise(go => setTimeout(go, 1e3));
			end = await call('?format=json');
			add(end.text.slice(text.length));
		}
		if (end.error) throw end.error;
		return {...end, text, id};
	};
	signal?.addEventListener('abort', stop);
	return Object.assign(run().catch(e => {
		throw Object.assign(Error(e.message), e, {text, id});
	}), {stop});
}
