// The proxy under test, run as a user runs it: a process with a configuration file. No test file
// by itself; the binary is $SLUICE or build/sluice of this checkout.
//
//	const rig = await startRig({streams: {heartbeat: '1s'}});
//	rig.upstream.on('model', async call => { ... });     what the LLM API behind it does
//	... requests to rig.url ...
//	await rig.stop();                                     asserts that both ended well

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {rmSync} from 'node:fs';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {createInterface} from 'node:readline';
import {setTimeout as pass} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {Upstream} from './upstream.mjs';

const BINARY = resolve(process.env.SLUICE ||
	fileURLToPath(new URL('../../build/sluice', import.meta.url)));
const START_MS = 10_000;
const STOP_MS = 15_000; // longer than the drain below
const SANITIZER = /Sanitizer|runtime error:/;

// Tests that are interrupted take their proxies with them (`orphaned` below).
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// The promise's result; an error once that long has passed without one.
export async function within(ms, what, promise) {
	const timer = new AbortController();
	const late = pass(ms, undefined, {signal: timer.signal}).then(() => {
		throw new Error(`${what}: not within ${ms} ms`);
	});
	late.catch(() => {});
	try {
		return await Promise.race([promise, late]);
	} finally {
		timer.abort();
	}
}

// A promise that the test resolves: `open()`, then whoever awaits `opened` goes on.
export function barrier() {
	const self = {};
	self.opened = new Promise(resolve => { self.open = resolve; });
	return self;
}

const merge = (a, b) => {
	const out = {...a};
	for (const [key, value] of Object.entries(b))
		out[key] = value?.constructor === Object && a[key]?.constructor === Object
			? merge(a[key], value) : value;
	return out;
};

export class Sluice {
	// `config` is laid over what every test wants; JSON is YAML.
	static async start({command = [], config = {}} = {}) {
		const self = new Sluice();
		self.dir = await mkdtemp(join(tmpdir(), 'sluice-sdk-'));
		const file = join(self.dir, 'sluice.yaml');
		await writeFile(file, JSON.stringify(merge({
			listen: ['127.0.0.1:0'],
			workers: 2,
			timeouts: {drain: '1s'},
		}, config)));
		const child = self.child = spawn(BINARY, [...command, '--config', file], {
			cwd: self.dir,
			env: {PATH: process.env.PATH, ...sanitizerOptions()},
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		child.stdout.resume();
		process.once('exit', self.orphaned = () => {
			child.kill('SIGKILL');
			rmSync(self.dir, {recursive: true, force: true});
		});
		self.exited = once(child, 'exit');
		self.exited.catch(() => {});
		self.stderr = [];
		try {
			const address = await within(START_MS, 'sluice listens', self.#listening());
			self.port = Number(address.split(':').at(-1));
			self.url = `http://127.0.0.1:${self.port}`;
		} catch (error) {
			await self.#kill();
			throw error;
		}
		return self;
	}

	#listening() {
		return new Promise((resolve, reject) => {
			const lines = createInterface({input: this.child.stderr});
			this.read = once(lines, 'close');
			lines.on('line', line => {
				this.stderr.push(line);
				if (!line.startsWith('{') || !line.includes('"listening"')) return;
				const {event, address} = JSON.parse(line);
				if (event === 'listening') resolve(address);
			});
			this.exited.then(
				([code, signal]) => reject(new Error(
					`sluice ended (${code ?? signal}):\n${this.stderr.join('\n')}`)),
				reject);
		});
	}

	async #kill() {
		process.off('exit', this.orphaned);
		if (this.child.pid && this.child.exitCode === null && this.child.signalCode === null) {
			process.kill(this.child.pid, 'SIGKILL');
			await this.exited;
		}
		await rm(this.dir, {recursive: true, force: true});
	}

	async stop() {
		if (!this.child) return;
		this.child.kill('SIGTERM');
		try {
			const [code, signal] = await within(STOP_MS, 'sluice ends after SIGTERM', this.exited);
			await this.read;
			const said = this.stderr.join('\n');
			assert.ok(!SANITIZER.test(said), said);
			assert.equal(signal, null, said);
			assert.equal(code, 0, said);
		} finally {
			await this.#kill();
			this.child = null;
		}
	}
}

// What a run under sanitizers needs, and nothing else: no key of the tester's environment.
function sanitizerOptions() {
	const names = Object.keys(process.env).filter(name => /^(A|L|T|UB)SAN_OPTIONS$/.test(name));
	return Object.fromEntries(names.map(name => [name, process.env[name]]));
}

// A proxy with one scripted upstream behind it.
export async function startRig(config = {}) {
	const upstream = await Upstream.start();
	let proxy;
	try {
		proxy = await Sluice.start({config: merge({
			upstreams: {up: {api: 'openai', url: `${upstream.url}/v1`, key: 'provider-key'}},
		}, config)});
	} catch (error) {
		await upstream.stop();
		throw error;
	}
	return {
		proxy,
		upstream,
		url: proxy.url,
		port: proxy.port,
		async stop() {
			try {
				await proxy.stop();
			} finally {
				await upstream.stop();
			}
			assert.deepEqual(upstream.surprises, []);
		},
	};
}
