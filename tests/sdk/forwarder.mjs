// The network between a client and the proxy, with scissors: forwards TCP to a port, shows what
// passes towards the client, and cuts.

import {once} from 'node:events';
import {connect, createServer} from 'node:net';

export class Forwarder {
	#server = createServer(client => this.#join(client));
	#pairs = new Set();
	#waiting = []; // {pattern, resolve}
	seen = '';     // all that went to clients
	requests = []; // head of each request
	cuts = 0;
	#limit = null; // {left, gently, resolve}

	static async start(port) {
		const self = new Forwarder();
		self.target = port;
		self.#server.listen(0, '127.0.0.1');
		await once(self.#server, 'listening');
		self.port = self.#server.address().port;
		self.url = `http://127.0.0.1:${self.port}`;
		return self;
	}

	#join(client) {
		const server = connect(this.target, '127.0.0.1');
		const pair = [client, server];
		this.#pairs.add(pair);
		const part = () => {
			this.#pairs.delete(pair);
			client.destroy();
			server.destroy();
		};
		for (const socket of pair) {
			socket.on('error', part);
			socket.on('close', part);
		}
		client.on('data', bytes => {
			const head = bytes.toString('latin1');
			if (/^[A-Z]+ \//.test(head)) this.requests.push(head);
			server.write(bytes);
		});
		server.on('data', bytes => {
			const limit = this.#limit;
			const passing = limit ? bytes.subarray(0, limit.left) : bytes;
			client.write(passing);
			this.#show(passing.toString('latin1'));
			if (!limit || (limit.left -= passing.length) > 0) return;
			this.#limit = null;
			this.cut(limit);
			limit.resolve();
		});
	}

	#show(bytes) {
		this.seen += bytes;
		this.#waiting = this.#waiting.filter(({pattern, resolve}) => {
			if (!pattern.test(this.seen)) return true;
			resolve();
			return false;
		});
	}

	// Resolves once this has passed towards a client.
	passed(pattern) {
		return pattern.test(this.seen) ? Promise.resolve()
			: new Promise(resolve => { this.#waiting.push({pattern, resolve}); });
	}

	// Every connection, now; a client sees a reset, or after `gently` an end.
	cut({gently = false} = {}) {
		this.cuts++;
		for (const [client, server] of [...this.#pairs]) {
			if (gently) client.end();
			else client.resetAndDestroy();
			server.destroy();
		}
	}

	// After that many more bytes towards clients, which may be in the middle of an event. Resolves then.
	cutAfter(bytes, {gently = false} = {}) {
		return new Promise(resolve => { this.#limit = {left: bytes, gently, resolve}; });
	}

	async stop() {
		this.cut();
		this.#server.close();
		await once(this.#server, 'close');
	}
}
