// An LLM API that does what a test tells it. Each model has a script of its own, so that tests can
// share one server; a request is a Call, which the script answers and the test can watch.

import {once} from 'node:events';
import {createServer} from 'node:http';

const SSE = {'content-type': 'text/event-stream'};
const CREATED = 1762512000;

// A chunk as the OpenAI API sends it, and the frame around it.
export const chunk = (choice, rest = {}) => ({
	id: 'chatcmpl-1', object: 'chat.completion.chunk', created: CREATED, model: 'm',
	choices: [{index: 0, delta: {}, finish_reason: null, ...choice}], ...rest,
});
export const frame = data => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
export const role = () => frame(chunk({delta: {role: 'assistant', content: ''}}));
export const text = content => frame(chunk({delta: {content}}));
export const reasoning = reasoning_content => frame(chunk({delta: {reasoning_content}}));
export const tool = call => frame(chunk({delta: {tool_calls: [call]}}));
export const finish = (finish_reason = 'stop') => frame(chunk({finish_reason}));
export const usage = (prompt_tokens, completion_tokens) => frame(chunk({}, {
	choices: [],
	usage: {prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens},
}));
export const done = frame('[DONE]');
export const failure = error => frame({error});

// A whole answer of these words, one a frame.
export const answer = (...words) => [role(), ...words.map(text), finish(), done].join('');

class Call {
	constructor(request, response, body) {
		this.request = request;
		this.response = response;
		this.method = request.method;
		this.path = request.url;
		this.headers = request.headers;
		this.body = body;
		try { this.json = JSON.parse(body); } catch { this.json = {}; }
		this.words = this.json.messages?.at(-1)?.content ?? this.json.prompt ?? this.json.input;
		// Over, by whichever side: `complete` when all of the answer was given away before.
		this.closed = once(response, 'close').then(() => ({
			complete: response.writableFinished,
			at: performance.now(),
		}));
	}

	// Opens a stream and sends that; once it is open, sends more.
	send(bytes, {status = 200, headers = SSE} = {}) {
		if (!this.response.headersSent) {
			this.response.writeHead(status, headers);
			this.response.flushHeaders();
		}
		if (bytes) this.response.write(bytes);
	}

	end(bytes) {
		this.send(bytes);
		this.response.end();
	}

	// A whole answer that is no stream.
	reply(status, body, headers = {}) {
		const bytes = typeof body === 'string' ? body : JSON.stringify(body);
		this.response.writeHead(status, {'content-type': 'application/json', ...headers});
		this.response.end(bytes);
	}

	// Resets the connection, behind what has been sent.
	cut() {
		this.request.socket.resetAndDestroy();
	}
}

export class Upstream {
	#server = createServer((request, response) => this.#take(request, response));
	#scripts = new Map();
	#waiting = []; // {model, n, resolve}
	calls = [];
	surprises = []; // what no test expected; a rig asserts that there is none

	static async start() {
		const self = new Upstream();
		self.#server.listen(0, '127.0.0.1');
		await once(self.#server, 'listening');
		self.url = `http://127.0.0.1:${self.#server.address().port}`;
		return self;
	}

	// What it does when asked for this model, or "GET /path".
	on(model, script) {
		this.#scripts.set(model, script);
	}

	of(model) {
		return this.calls.filter(call => call.model === model);
	}

	// The nth request for this model, once it is there.
	called(model, n = 1) {
		const call = this.of(model)[n - 1];
		return call ? Promise.resolve(call)
			: new Promise(resolve => { this.#waiting.push({model, n, resolve}); });
	}

	async #take(request, response) {
		const parts = [];
		try {
			for await (const part of request) parts.push(part);
		} catch {
			return; // the proxy went away in the middle of its request
		}
		const call = new Call(request, response, Buffer.concat(parts).toString());
		call.model = call.json.model ?? `${request.method} ${request.url}`;
		this.calls.push(call);
		const n = this.of(call.model).length;
		this.#waiting = this.#waiting.filter(waiting => {
			if (waiting.model !== call.model || waiting.n !== n) return true;
			waiting.resolve(call);
			return false;
		});
		const script = this.#scripts.get(call.model);
		if (!script) {
			this.surprises.push(call.model);
			call.reply(500, {error: {message: `no script for ${call.model}`}});
			return;
		}
		try {
			await script(call, n);
		} catch (error) {
			this.surprises.push(`${call.model}: ${error.stack}`);
			response.destroy();
		}
	}

	async stop() {
		this.#server.close();
		this.#server.closeAllConnections();
		await once(this.#server, 'close');
	}
}
