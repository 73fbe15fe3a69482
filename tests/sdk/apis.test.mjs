// Every API that upstreams speak, through the SDKs of every API that clients speak: each gets the same
// answer, and raises an error where there is none.
//
//	node --test apis.test.mjs

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {after, before, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';
import {anthropicClients, clients, responsesClients} from './clients.mjs';
import {Sluice} from './rig.mjs';

const SCRIPT = fileURLToPath(new URL('../integration/apis.py', import.meta.url));
const APIS = JSON.parse(execFileSync('python3', [SCRIPT], {maxBuffer: 1 << 26}));
const SCENARIOS = Object.keys(APIS.openai.say);
const TOOLS = ['get_weather', 'get_time'];
const CALLS = [{name: 'get_weather', args: {city: 'Oslo'}}, {name: 'get_time', args: {zone: 'UTC'}}];

// An upstream that says what was recorded; the model that it is asked for is the scenario.
async function play({type, say}) {
	const server = createServer(async (request, response) => {
		const parts = [];
		for await (const part of request) parts.push(part);
		const asked = request.url + Buffer.concat(parts).toString();
		const scenario = SCENARIOS.find(name => asked.includes(`scenario-${name}`));
		response.writeHead(200, {'content-type': type});
		for (const piece of say[scenario]) response.write(Buffer.from(piece, 'base64'));
		if (scenario === 'cut') response.socket.end();
		else response.end();
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return server;
}

describe('each SDK with each upstream', {timeout: 300_000}, () => {
	let proxy;
	const servers = [];
	before(async () => {
		const upstreams = {}, models = {};
		for (const [name, api] of Object.entries(APIS)) {
			const server = await play(api);
			servers.push(server);
			const key = api.options.access_key ? {} : {key: 'provider-key'};
			upstreams[name] = {url: `http://127.0.0.1:${server.address().port}`, ...key, ...api.options};
			for (const scenario of SCENARIOS)
				models[`${name}-${scenario}`] = `${name}/scenario-${scenario}`;
		}
		proxy = await Sluice.start({config: {upstreams, models}});
	});
	after(async () => {
		await proxy?.stop();
		for (const server of servers) {
			server.close();
			server.closeAllConnections();
		}
	});

	const ask = (client, api, scenario) => client.ask({
		url: proxy.url, model: `${api}-${scenario}`, ...scenario === 'tools' && {tools: TOOLS},
	});

	for (const api of Object.keys(APIS)) {
		for (const client of [...clients, ...anthropicClients, ...responsesClients]) {
			it(`${client.name} reads ${api}`, async () => {
				const text = await ask(client, api, 'text');
				assert.equal(text.text, 'Hello w\u00f6rld \u{1f600}');
				assert.equal(text.finish, 'stop');
				assert.deepEqual([text.usage?.prompt_tokens, text.usage?.completion_tokens], [11, 7]);

				const tools = await ask(client, api, 'tools');
				assert.equal(tools.text, 'Let me look.');
				assert.deepEqual(tools.tools.map(({name, args}) => ({name, args: JSON.parse(args)})), CALLS);
				assert.equal(tools.finish, 'tool_calls');

				const thought = await ask(client, api, 'reasoning');
				assert.equal(thought.text, '2');
				if (!['LangChain', 'AI SDK openai', 'openai .stream()'].includes(client.name)) // these do not gather it
					assert.equal(thought.reasoning, 'Hmm, two.');

				assert.equal((await ask(client, api, 'long')).finish, 'length');
			});

			it(`${client.name} raises what ${api} fails with`, async () => {
				await assert.rejects(ask(client, api, 'error'), /Overloaded for now/);
				await assert.rejects(ask(client, api, 'cut'));
			});
		}
	}
});
