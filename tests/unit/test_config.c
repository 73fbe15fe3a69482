/* Configurations as wholes: defaults, what a file can say, what wins, and the exact text of each
 * kind of error. */
#include "unit.h"
#include "config_helper.h"

#include "app/config_value.h"

/* Each pair: a file, and all it must be blamed for. */
static const struct {
	const char *yaml, *errors;
} wrong[] = {
#define UP          "upstreams: {a: {url: 'http://h/v1'}}\n"
#define SIXTY_THREE "0123456789abcdefABCDEF6789abcdef0123456789abcdef0123456789abcde"
#define SIXTY_FOUR  SIXTY_THREE "f"
#define SK_2_HASHED "bbaae8c99d8c9710a6792d27c9e3b6f65987175efc8e6600ad0da28da597f110"
#define SK_2_UPPER  "BBAAE8C99D8C9710A6792D27C9E3B6F65987175EFC8E6600AD0DA28DA597F110"
	/* keys */
	{UP "lisen: x", "c.yaml:2: lisen: unknown key \"lisen\" (did you mean \"listen\"?)\n"},
	{UP "xyzzy: x", "c.yaml:2: xyzzy: unknown key \"xyzzy\"\n"},
	{UP "timeouts:\n  conect: 1s",
	 "c.yaml:3: timeouts.conect: unknown key \"conect\" (did you mean \"connect\"?)\n"},
	{UP "heartbeat: 1s",
	 "c.yaml:2: heartbeat: unknown key \"heartbeat\" (did you mean \"streams.heartbeat\"?)\n"},
	{UP "workers: 1\nworkers: 2", "c.yaml:3: workers: given twice, first in line 2\n"},
	{"upstreams:\n  a: {URL: 'http://h'}",
	 "c.yaml:2: upstreams.a.URL: unknown key \"URL\" (did you mean \"url\"?)\n"
	 "c.yaml:2: upstreams.a.url: is missing\n"},
	/* types */
	{UP "timeouts: 5s", "c.yaml:2: timeouts: expected a mapping, found text\n"},
	{UP "workers: [1]", "c.yaml:2: workers: expected workers, found a list\n"},
	{UP "listen: {a: b}", "c.yaml:2: listen: expected addresses, found a mapping\n"},
	{UP "hosts: [{a: b}, [c]]", "c.yaml:2: hosts[0]: expected text, found a mapping\n"
				    "c.yaml:2: hosts[1]: expected text, found a list\n"},
	{"upstreams: [a]", "c.yaml:1: upstreams: expected a mapping, found a list\n"},
	{"upstreams: {a: {url: 'http://h', headers: [x]}}",
	 "c.yaml:1: upstreams.a.headers: expected headers, found a list\n"},
	/* values out of range */
	{UP "workers: 0", "c.yaml:2: workers: must be between 1 and 512, not 0\n"},
	{UP "workers: many", "c.yaml:2: workers: \"many\": neither auto nor a whole number\n"},
	{UP "limits: {connections: 0, per_address: -1, json_depth: 1e3}",
	 "c.yaml:2: limits.connections: must be between 1 and 1000000, not 0\n"
	 "c.yaml:2: limits.per_address: must be between 1 and 1000000, not -1\n"
	 "c.yaml:2: limits.json_depth: \"1e3\": no whole number\n"},
	{UP "limits: {body: 10, frame: 99999999999999999999GiB, uri: 1B}",
	 "c.yaml:2: limits.body: \"10\": no size: a number with B, KiB, MiB or GiB\n"
	 "c.yaml:2: limits.frame: must be between 1KiB and 1GiB, not 99999999999999999999GiB\n"
	 "c.yaml:2: limits.uri: must be between 128B and 1MiB, not 1B\n"},
	{UP "timeouts: {idle: 999ms, total: 10, drain: -1s, connect: 2h}",
	 "c.yaml:2: timeouts.idle: must be between 1s and 24h, not 999ms\n"
	 "c.yaml:2: timeouts.total: \"10\": no duration: a number with ms, s, m or h\n"
	 "c.yaml:2: timeouts.drain: must be between 0 and 24h, not -1s\n"
	 "c.yaml:2: timeouts.connect: must be between 0 and 1h, not 2h\n"},
	{UP "streams: {heartbeat: 999ms}",
	 "c.yaml:2: streams.heartbeat: must be off, or between 1s and 1h, not 999ms\n"},
	{UP "streams: {memory: 1MiB, per_stream: 2MiB}",
	 "c.yaml:2: streams.per_stream: must not be more than streams.memory, which is 1MiB\n"},
	{UP "streams: {per_stream: 1GiB}",
	 "c.yaml:2: streams.per_stream: must not be more than streams.memory, which is 256MiB\n"},
	{UP "streams: {memory: 1MiB}",
	 "c.yaml:2: streams.memory: must not be less than streams.per_stream, which is 2MiB\n"},
	{UP "streams: {event_ids: maybe, when_client_leaves: stay}",
	 "c.yaml:2: streams.event_ids: \"maybe\": neither on nor off\n"
	 "c.yaml:2: streams.when_client_leaves: \"stay\": must be cancel, drain or detach with a "
	 "time, as in detach 30s\n"},
	{UP "log: {level: warning, format: xml, file: ''}",
	 "c.yaml:2: log.level: must be debug, info, warn, error or off, not \"warning\"\n"
	 "c.yaml:2: log.format: must be json or text, not \"xml\"\n"
	 "c.yaml:2: log.file: is empty\n"},
	/* addresses */
	{UP "listen: []", "c.yaml:2: listen: needs one address at least\n"},
	{UP "listen:\n- 127.0.0.1:1\n- 0.0.0.0:1",
	 "c.yaml:4: listen[1]: \"0.0.0.0:1\": other machines can reach it, which needs `keys` that "
	 "say who may call: add some, or listen on 127.0.0.1\n"},
	{UP "listen: [127.0.0.1:1, 127.0.0.1:1, 127.0.0.1:0, 127.0.0.1:0]",
	 "c.yaml:2: listen[1]: \"127.0.0.1:1\": stands there twice\n"},
	{UP "metrics: {listen: '[::]:1'}\nkeys: []",
	 "c.yaml:2: metrics.listen: \"[::]:1\": other machines can reach it, which needs `keys` "
	 "that say who may call: add some, or listen on 127.0.0.1\n"},
	{UP "metrics: {listen: '127.0.0.1:8080'}",
	 "c.yaml:2: metrics.listen: must be another address than those of listen\n"},
	{UP "cors: {origins: ['*', 'https://a/']}", "c.yaml:2: cors.origins[0]: \"*\": \"*\" would "
						    "let every page on the web call this server: "
						    "name the origins\n"
						    "c.yaml:2: cors.origins[1]: \"https://a/\": an "
						    "origin has no path and no slash at its end\n"},
	/* TLS */
	{UP "tls: {cert: /dev/null}", "c.yaml:2: tls.key: is missing: a certificate needs it\n"},
	{UP "tls: {key: /dev/null}", "c.yaml:2: tls.cert: is missing\n"},
	{UP "tls: {cert: /nowhere, key: /dev/null}",
	 "c.yaml:2: tls.cert: \"/nowhere\": no file that can be read\n"},
	/* upstreams */
	{"upstreams: {}", "c.yaml:1: upstreams: needs one upstream at least\n"},
	{"listen: '127.0.0.1:1'", "c.yaml:1: upstreams: is missing, and the environment names none "
				  "either (OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, "
				  "OLLAMA_HOST)\n"},
	{"upstreams:\n  a:\n    api: openai", "c.yaml:2: upstreams.a.url: is missing\n"},
	{"upstreams:\n  a/b: {url: 'http://h'}",
	 "c.yaml:2: upstreams.a/b: a name has at most 64 letters, digits, \"-\" and \"_\"\n"},
	{"upstreams: {a: {api: antropic}}",
	 "c.yaml:1: upstreams.a.api: unknown api \"antropic\" (did you mean \"anthropic\"?)\n"},
	/* what such an upstream needs, and what belongs to another API, nobody knows */
	{"upstreams:\n  a: {api: bedrok, region: x, key: k, headers: {Authorization: a}}\n"
	 "  b: {api: [azure], api_version: '1'}\n  c: {api: '', url: http://h}",
	 "c.yaml:2: upstreams.a.api: unknown api \"bedrok\" (did you mean \"bedrock\"?)\n"
	 "c.yaml:3: upstreams.b.api: expected api, found a list\n"
	 "c.yaml:4: upstreams.c.api: unknown api \"\"\n"},
	{"upstreams:\n  a: {api: azure}\n  b: {api: }", "c.yaml:2: upstreams.a.url: is missing\n"
							"c.yaml:3: upstreams.b.url: is missing\n"},
	{"upstreams:\n  a:\n    url: http://h\n    api_version: '1'\n    region: x\n"
	 "    access_key: sk-1\n    secret_key: sk-2\n    session_token: sk-3\n"
	 "    operation: invoke",
	 "c.yaml:4: upstreams.a.api_version: is for api: azure only\n"
	 "c.yaml:5: upstreams.a.region: is for api: bedrock only\n"
	 "c.yaml:6: upstreams.a.access_key: is for api: bedrock only\n"
	 "c.yaml:7: upstreams.a.secret_key: is for api: bedrock only\n"
	 "c.yaml:8: upstreams.a.session_token: is for api: bedrock only\n"
	 "c.yaml:9: upstreams.a.operation: is for api: bedrock only\n"},
	{"upstreams:\n  a: {api: bedrock}\n  b: {api: bedrock, key: sk-1}\n"
	 "  c: {api: bedrock, url: http://h, access_key: sk-1}\n"
	 "  d: {api: bedrock, region: x, secret_key: sk-1, session_token: sk-2}",
	 "c.yaml:2: upstreams.a: needs a key, or access_key and secret_key\n"
	 "c.yaml:2: upstreams.a.region: is missing\n"
	 "c.yaml:3: upstreams.b.region: is missing\n"
	 "c.yaml:4: upstreams.c: needs a key, or access_key and secret_key\n"
	 "c.yaml:4: upstreams.c.region: is missing\n"
	 "c.yaml:5: upstreams.d: needs a key, or access_key and secret_key\n"},
	{"upstreams:\n  a:\n    api: bedrock\n    region: EU\n    operation: stream\n"
	 "    key: sk-1\n    access_key: sk-2\n    secret_key: sk-3\n    session_token: \"sk\\n4\"",
	 "c.yaml:4: upstreams.a.region: \"EU\": no region of AWS, which is a word like "
	 "eu-central-1\n"
	 "c.yaml:5: upstreams.a.operation: \"stream\": neither converse nor invoke\n"
	 "c.yaml:7: upstreams.a.access_key: cannot be set beside key, with which nothing is "
	 "signed\n"
	 "c.yaml:8: upstreams.a.secret_key: cannot be set beside key, with which nothing is "
	 "signed\n"
	 "c.yaml:9: upstreams.a.session_token: has a line break or another control character in "
	 "it\n"
	 "c.yaml:9: upstreams.a.session_token: cannot be set beside key, with which nothing is "
	 "signed\n"},
	{"upstreams: {a: {api: bedrock, region: x, access_key: '', secret_key: [sk-1]}}",
	 "c.yaml:1: upstreams.a.access_key: is empty: leave it out where none is needed\n"
	 "c.yaml:1: upstreams.a.secret_key: expected secret, found a list\n"},
	{"upstreams:\n  a: {api: ollama, url: 'http://h:11434/v1/'}\n"
	 "  b: {api: ollama, url: https://h/api}\n  c: {api: azure, url: https://h/openai}\n"
	 "  d: {api: gemini, url: https://h/v1beta/openai}\n  e: {api: cohere, url: https://h/v1}\n"
	 "  f: {api: bedrock, region: x, key: sk-1, url: https://h/openai/v1}",
	 "c.yaml:2: upstreams.a.url: Ollama's own API has no /v1: leave it out, or set api: openai "
	 "for the one that has\n"
	 "c.yaml:3: upstreams.b.url: the base is what stands before /api\n"
	 "c.yaml:4: upstreams.c.url: the base is what stands before /openai\n"
	 "c.yaml:5: upstreams.d.url: Gemini's own API has no /openai: leave it out, or set api: "
	 "openai for the one that has\n"
	 "c.yaml:6: upstreams.e.url: Cohere's own API is /v2: leave /v1 out, or set api: openai "
	 "for its /compatibility/v1\n"
	 "c.yaml:7: upstreams.f.url: Bedrock's own API has no /v1: leave /openai/v1 out, or set "
	 "api: openai for it\n"},
	{"upstreams: {a: {url: 'http://me:sk-1@h'}}",
	 "c.yaml:1: upstreams.a.url: no credentials in the URL: they belong to key or headers\n"},
	{"upstreams: {a: {url: 'http://h', key: \"sk\\n1\"}}",
	 "c.yaml:1: upstreams.a.key: has a line break or another control character in it\n"},
	{"upstreams: {a: {url: 'http://h', key: ''}}",
	 "c.yaml:1: upstreams.a.key: is empty: leave it out where no key is needed\n"},
	{"upstreams: {a: {url: 'http://h', headers: {hOST: x, X-A: \"sk\\r\", 'b c': x, x-a: "
	 "'y'}}}",
	 "c.yaml:1: upstreams.a.headers.hOST: cannot be set: it belongs to the connection\n"
	 "c.yaml:1: upstreams.a.headers.X-A: has a line break or another control character in it\n"
	 "c.yaml:1: upstreams.a.headers.b c: no name of a header\n"},
	{"upstreams: {a: {url: 'http://h', key: sk-1, headers: {authorization: sk-2}}}",
	 "c.yaml:1: upstreams.a.headers.authorization: cannot be set beside key, which makes the "
	 "same header\n"},
	{"upstreams:\n  a: {api: anthropic, key: sk-1, headers: {X-Api-Key: sk-2}}\n"
	 "  b: {api: azure, url: http://h, key: sk-1, headers: {Api-Key: sk-2}}\n"
	 "  c: {api: gemini, key: sk-1, headers: {X-Goog-Api-Key: sk-2}}\n"
	 "  d: {api: bedrock, region: x, access_key: sk-1, secret_key: sk-2,\n"
	 "    headers: {Authorization: sk-3}}\n"
	 "  e: {api: anthropic, key: sk-1, headers: {Authorization: sk-2}}",
	 "c.yaml:2: upstreams.a.headers.X-Api-Key: cannot be set beside key, which makes the same "
	 "header\n"
	 "c.yaml:3: upstreams.b.headers.Api-Key: cannot be set beside key, which makes the same "
	 "header\n"
	 "c.yaml:4: upstreams.c.headers.X-Goog-Api-Key: cannot be set beside key, which makes the "
	 "same header\n"
	 "c.yaml:6: upstreams.d.headers.Authorization: cannot be set beside access_key, which "
	 "makes "
	 "the same header\n"},
	{"upstreams: {a: {url: 'http://h', forward_headers: [Authorization, TE, A, a]}}",
	 "c.yaml:1: upstreams.a.forward_headers[0]: \"Authorization\": is the caller's secret: "
	 "with "
	 "key: client their key goes upstream\n"
	 "c.yaml:1: upstreams.a.forward_headers[1]: \"TE\": belongs to one connection and cannot "
	 "go "
	 "on\n"
	 "c.yaml:1: upstreams.a.forward_headers[3]: \"a\": stands there twice\n"},
	{"upstreams: {a: {url: 'http://h', proxy: 'ftp://me:sk-1@h'}}",
	 "c.yaml:1: upstreams.a.proxy: no http://, https://, socks5:// or socks5h:// URL\n"},
	/* who may call */
	{UP "keys: {name: x, key: sk-1}", "c.yaml:2: keys: expected a list, found a mapping\n"},
	{UP "keys: sk-1", "c.yaml:2: keys: expected a list, found text\n"},
	{UP "keys:\n- sk-1\n- {}\n- name: a\n- key: sk-1",
	 "c.yaml:3: keys[0]: expected a mapping, found text\n"
	 "c.yaml:4: keys[1].name: is missing\n"
	 "c.yaml:4: keys[1].sha256: is missing: it, or key, says which key this is\n"
	 "c.yaml:5: keys[2].sha256: is missing: it, or key, says which key this is\n"
	 "c.yaml:6: keys[3].name: is missing\n"},
	{UP
	 "keys:\n- {name: a b, key: ''}\n- {name: '', sha256: sk-1}\n- {name: [a], key: 'sk-1 '}\n"
	 "- {name: ok, key: \"sk-\\n1\"}\n- {name: long" SIXTY_FOUR ", sha256: " SIXTY_FOUR "}\n"
	 "- {name: d, sha256: g" SIXTY_THREE "}",
	 "c.yaml:3: keys[0].name: a name has 1 to 64 letters, digits, \".\", \"-\" and \"_\"\n"
	 "c.yaml:3: keys[0].key: is empty\n"
	 "c.yaml:4: keys[1].name: a name has 1 to 64 letters, digits, \".\", \"-\" and \"_\"\n"
	 "c.yaml:4: keys[1].sha256: must be 64 hexadecimal digits, as sha256sum prints them\n"
	 "c.yaml:5: keys[2].name: expected key name, found a list\n"
	 "c.yaml:5: keys[2].key: begins or ends with a space\n"
	 "c.yaml:6: keys[3].key: has a line break or another control character in it\n"
	 "c.yaml:7: keys[4].name: a name has 1 to 64 letters, digits, \".\", \"-\" and \"_\"\n"
	 "c.yaml:8: keys[5].sha256: must be 64 hexadecimal digits, as sha256sum prints them\n"},
	{UP "keys:\n- {name: a, key: sk-1, sha256: " SIXTY_FOUR "}\n- {name: a, key: sk-2}\n"
	    "- {name: b, key: sk-2}\n- {name: c, sha256: " SK_2_HASHED "}",
	 "c.yaml:3: keys[0].key: stands beside sha256: one of them is enough\n"
	 "c.yaml:4: keys[1].name: \"a\" is another key's name\n"
	 "c.yaml:5: keys[2].key: is the same as that of keys[1]\n"
	 "c.yaml:6: keys[3].sha256: is the same as that of keys[1]\n"
	 "c.yaml:6: keys[3].sha256: is the same as that of keys[2]\n"},
	{UP
	 "keys:\n- name: a\n  key: '${env:NOT_SET_AT_ALL}'\n  modles: [m]\n  models: [m, m, '']\n"
	 "  heartbeat: 1ms\n  event_ids: maybe\n  when_client_leaves: stay\n  admin: 7\n  rpm: 1\n"
	 "  tpm: 1\n  concurrent: 1",
	 "c.yaml:4: keys[0].key: the environment variable NOT_SET_AT_ALL is not set\n"
	 "c.yaml:5: keys[0].modles: unknown key \"modles\" (did you mean \"models\"?)\n"
	 "c.yaml:6: keys[0].models[1]: \"m\": stands there twice\n"
	 "c.yaml:6: keys[0].models[2]: \"\": no name of a model\n"
	 "c.yaml:7: keys[0].heartbeat: must be off, or between 1s and 1h, not 1ms\n"
	 "c.yaml:8: keys[0].event_ids: \"maybe\": neither on nor off\n"
	 "c.yaml:9: keys[0].when_client_leaves: \"stay\": must be cancel, drain or detach with a "
	 "time, as in detach 30s\n"
	 "c.yaml:10: keys[0].admin: \"7\": neither on nor off\n"
	 "c.yaml:11: keys[0].rpm: is not supported yet\n"
	 "c.yaml:12: keys[0].tpm: is not supported yet\n"
	 "c.yaml:13: keys[0].concurrent: is not supported yet\n"},
	/* not yet */
	{UP "channels: {count: 0, keep: 1}",
	 "c.yaml:2: channels.count: must be between 1 and 1000000, not 0\n"
	 "c.yaml:2: channels.keep: \"1\": no duration: a number with ms, s, m or h\n"},
	{"upstreams:\n  a:\n    url: http://h\n    keys: [sk-1]\n    max_concurrent: 1\n    queue: "
	 "{length: 1}\n"
	 "    breaker: {open: 1s}",
	 "c.yaml:4: upstreams.a.keys: is not supported yet\n"
	 "c.yaml:5: upstreams.a.max_concurrent: is not supported yet\n"
	 "c.yaml:6: upstreams.a.queue: is not supported yet\n"
	 "c.yaml:7: upstreams.a.breaker: is not supported yet\n"},
	{UP "models: {x: [a/b, a/c], y: {balance: [a], retry: 1, blance: 2}}",
	 "c.yaml:2: models.y.balance: is not supported yet\n"
	 "c.yaml:2: models.y.retry: is not supported yet\n"
	 "c.yaml:2: models.y.blance: unknown key \"blance\" (did you mean \"balance\"?)\n"
	 "c.yaml:2: models.x: more than one target is not supported yet\n"},
	/* models */
	{"upstreams: {local: {url: 'http://h'}}\nmodels:\n  x: locl/m\n  y: local/\n  z:\n  '': "
	 "local\n  v: {}",
	 "c.yaml:3: models.x: unknown upstream \"locl\" (did you mean \"local\"?)\n"
	 "c.yaml:4: models.y: no name of a model behind the slash\n"
	 "c.yaml:5: models.z: has no target\n"
	 "c.yaml:6: models.: no name of a model\n"
	 "c.yaml:7: models.v: has no target\n"},
	/* what is filled in */
	{UP "log: {file: '${env:NOT_SET_AT_ALL}'}",
	 "c.yaml:2: log.file: the environment variable NOT_SET_AT_ALL is not set\n"},
	{UP "log: {file: '${file:/nowhere}'}",
	 "c.yaml:2: log.file: the file /nowhere cannot be used: No such file or directory\n"},
	{UP "log: {file: '${file:/dev/zero}'}",
	 "c.yaml:2: log.file: the file /dev/zero cannot be used: no regular file\n"},
	{UP "log: {file: '${file:relative}'}",
	 "c.yaml:2: log.file: ${file:/path} wants an absolute path\n"},
	{UP "log: {file: '${env:}'}",
	 "c.yaml:2: log.file: ${env:NAME} wants the name of a variable\n"},
	{UP "log: {file: '${HOME}'}",
	 "c.yaml:2: log.file: only ${env:NAME} and ${file:/path} are filled in; $${ stands for ${ "
	 "itself\n"},
	{UP "log: {file: '${env:HOME'}",
	 "c.yaml:2: log.file: ${ without its }; $${ stands for ${ itself\n"},
	/* YAML */
	{"a: [", "c.yaml:2: while parsing a flow node, did not find expected node content\n"},
	{"a: b: c", "c.yaml:1: mapping values are not allowed in this context\n"},
	{"x", "c.yaml:1: expected keys with values, found text\n"},
	{"a: \xff", "c.yaml:1: invalid leading UTF-8 octet\n"},
	{"a: b\n\xff", "c.yaml:2: invalid leading UTF-8 octet\n"},
	{"a: \"\\0\"", "c.yaml:1: a NUL byte in a text\n"},
	{"a: b\n--- \nc: d", "c.yaml:2: a second document: there must be one only\n"},
	{"a: *b", "c.yaml:1: an alias of what is not there before it\n"},
	{"a: &b [*b]", "c.yaml:1: an alias of what is not there before it\n"},
	{"a: !!binary aGk=", "c.yaml:1: tags are not understood here\n"},
	{"[a]: b", "c.yaml:1: a key must be a text\n"},
	{"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "c.yaml:1: nested too deep\n"},
};

START_TEST(each_mistake_is_told_with_its_place)
{
	char *errors;
	struct config *c = helper_load_text(wrong[_i].yaml, strlen(wrong[_i].yaml), &errors);

	ck_assert_ptr_null(c);
	ck_assert_str_eq(errors, wrong[_i].errors);
	ck_assert_ptr_null(strstr(errors, "sk-"));
	free(errors);
}
END_TEST

START_TEST(the_defaults_are_those_of_the_manual)
{
	static const char yaml[] = "upstreams: {a: {url: 'http://h'}}";
	struct config *c = helper_load_text(yaml, strlen(yaml), NULL);

	ck_assert_uint_eq(c->workers, config_cores());
	ck_assert_uint_eq(c->server.n_listen, 1);
	ck_assert_str_eq(c->server.listen[0].text, "127.0.0.1:8080");
	ck_assert_str_eq(c->server.listen[0].host, "127.0.0.1");
	ck_assert_uint_eq(c->server.listen[0].port, 8080);
	ck_assert(c->server.listen[0].loopback && !c->server.listen[0].is_unix);
	ck_assert(!c->server.tls_cert && !c->server.tls_key && !c->server.tls_client_ca);
	ck_assert_uint_eq(c->server.n_hosts + c->server.n_cors_origins, 0);
	ck_assert_uint_eq(c->timeouts.connect_ms, 5000);
	ck_assert_uint_eq(c->timeouts.first_token_ms, 60000);
	ck_assert_uint_eq(c->timeouts.between_tokens_ms, 30000);
	ck_assert_uint_eq(c->timeouts.total_ms, 900000);
	ck_assert_uint_eq(c->server.request_headers_ms, 10000);
	ck_assert_uint_eq(c->server.request_body_ms, 30000);
	ck_assert_uint_eq(c->server.idle_ms, 75000);
	ck_assert_uint_eq(c->server.drain_ms, 30000);
	ck_assert_uint_eq(c->server.body_bytes, 10 << 20);
	ck_assert_uint_eq(c->streams.frame_bytes, 16 << 20);
	ck_assert_uint_eq(c->server.header_bytes, 16 << 10);
	ck_assert_uint_eq(c->server.uri_bytes, 8 << 10);
	ck_assert_uint_eq(c->server.json_depth, 64);
	ck_assert_uint_eq(c->server.json_values, 100000);
	ck_assert_uint_eq(c->server.connections, 4096);
	ck_assert_uint_eq(c->server.per_address, 256);
	ck_assert_int_eq(c->streams.when_client_leaves.what, LEAVE_CANCEL);
	ck_assert_uint_eq(c->streams.open_after_ms, 5000);
	ck_assert_uint_eq(c->streams.keep_ms, 300000);
	ck_assert_uint_eq(c->streams.memory_bytes, 256 << 20);
	ck_assert_uint_eq(c->streams.per_stream_bytes, 2 << 20);
	ck_assert_uint_eq(c->streams.count, 10000);
	ck_assert_uint_eq(c->streams.viewers, 64);
	ck_assert_uint_eq(c->streams.heartbeat_ms, 10000);
	ck_assert(c->streams.event_ids);
	ck_assert_uint_eq(c->streams.idempotency_keep_ms, 600000);
	ck_assert_int_eq(c->log.level, LOG_INFO);
	ck_assert_int_eq(c->log.format, LOG_JSON);
	ck_assert_str_eq(c->log.file, "stderr");
	ck_assert_str_eq(c->metrics_listen, "");
	ck_assert_uint_eq(c->n_upstreams, 1);
	ck_assert_int_eq(c->upstreams[0].api, UPSTREAM_API_OPENAI);
	ck_assert(!c->upstreams[0].key && !c->upstreams[0].key_from_client);
	ck_assert(!c->upstreams[0].http2 && !c->upstreams[0].ca && !c->upstreams[0].proxy);
	ck_assert_uint_eq(c->upstreams[0].n_headers + c->upstreams[0].n_forward_headers, 0);
	ck_assert_uint_eq(c->routes.n_models, 0);
	ck_assert_uint_eq(c->routes.n_upstreams, 1);
	ck_assert_ptr_eq(config_ref(c), c);
	config_unref(c);
	config_unref(c);
	config_unref(NULL);
}
END_TEST

START_TEST(a_file_sets_everything)
{
	static const char yaml[] =
		"listen: [\"[::1]:0\", unix:/run/s.sock]\n"
		"tls: {cert: /dev/null, key: /dev/null, client_ca: /dev/null}\n"
		"workers: 3\n"
		"hosts: chat.example.com\n"
		"cors: {origins: [https://a.example, 'http://b.example:81']}\n"
		"upstreams:\n"
		"  one: &base {url: https://h.example/openai/, key: client, http2: yes, proxy: "
		"'http://p:1',\n"
		"    ca: /dev/null, forward_headers: [X-A, X-B], headers: {X-C: 'a "
		"${env:TEST_WORD} b', X-D: '$${env}'}}\n"
		"  two: *base\n"
		"models: {fast: two/org/m, same: [one], \"*\": two}\n"
		"streams: {when_client_leaves: detach 45s, heartbeat: off, event_ids: no}\n"
		"log: {level: off, format: TEXT, file: '${env:TEST_WORD}'}\n"
		"metrics: {listen: 'localhost:9'}\n"
		"keys: []\nchannels:\n";
	struct upstream_options *two;
	struct config *c;

	setenv("TEST_WORD", "wo:rd", 1);
	c = helper_load_text(yaml, strlen(yaml), NULL);
	two = &c->upstreams[1];
	ck_assert_uint_eq(c->server.n_listen, 2);
	ck_assert_str_eq(c->server.listen[0].host, "::1");
	ck_assert(c->server.listen[1].is_unix && c->server.listen[1].loopback);
	ck_assert_str_eq(c->server.listen[1].host, "/run/s.sock");
	ck_assert_str_eq(c->server.tls_client_ca, "/dev/null");
	ck_assert_uint_eq(c->workers, 3);
	ck_assert_str_eq(c->server.hosts[0], "chat.example.com");
	ck_assert_str_eq(c->server.cors_origins[1], "http://b.example:81");
	ck_assert_str_eq(two->name, "two");
	ck_assert_str_eq(two->url, "https://h.example/openai/v1");
	ck_assert(!two->key && two->key_from_client && two->http2);
	ck_assert_str_eq(two->proxy, "http://p:1");
	ck_assert_str_eq(two->forward_headers[1], "X-B");
	ck_assert_uint_eq(two->n_headers, 2);
	ck_assert_str_eq(two->headers[0].value, "a wo:rd b");
	ck_assert_str_eq(two->headers[1].value, "${env}");
	ck_assert_uint_eq(c->routes.n_models, 3);
	ck_assert_str_eq(c->routes.models[0].name, "fast");
	ck_assert_str_eq(c->routes.models[0].targets[0].model, "org/m");
	ck_assert_uint_eq(c->routes.models[0].targets[0].upstream, 1);
	ck_assert_ptr_null(c->routes.models[1].targets[0].model);
	ck_assert_uint_eq(c->routes.models[1].targets[0].upstream, 0);
	ck_assert_int_eq(c->streams.when_client_leaves.what, LEAVE_DETACH);
	ck_assert_uint_eq(c->streams.when_client_leaves.grace_ms, 45000);
	ck_assert_uint_eq(c->streams.heartbeat_ms, 0);
	ck_assert(!c->streams.event_ids);
	ck_assert_int_eq(c->log.level, LOG_OFF);
	ck_assert_int_eq(c->log.format, LOG_TEXT);
	ck_assert_str_eq(c->log.file, "wo:rd");
	ck_assert_str_eq(c->metrics_listen, "localhost:9");
	config_unref(c);
}
END_TEST

START_TEST(each_api_has_an_address_and_what_it_needs)
{
	static const char yaml[] =
		"upstreams:\n"
		"  responses: {api: openai_responses}\n"
		"  azure: {api: azure, url: 'https://n.openai.azure.com/', key: sk-1}\n"
		"  dated: {api: azure, url: 'https://n.openai.azure.com', api_version: "
		"2025-01-01}\n"
		"  anthropic: {api: anthropic, key: client}\n"
		"  gemini: {api: gemini, key: sk-1}\n"
		"  ollama: {api: ollama}\n"
		"  cohere: {api: cohere, key: sk-1}\n"
		"  bedrock: {api: bedrock, region: eu-central-1, access_key: AK, secret_key: SK,\n"
		"    session_token: ST, operation: invoke}\n"
		"  bearer: {api: bedrock, key: sk-1, url: 'https://gw/aws/'}\n";
	static const char *const urls[] = {
		"https://api.openai.com/v1",
		"https://n.openai.azure.com",
		"https://n.openai.azure.com",
		"https://api.anthropic.com/v1",
		"https://generativelanguage.googleapis.com/v1beta",
		"http://127.0.0.1:11434",
		"https://api.cohere.com/v2",
		"https://bedrock-runtime.eu-central-1.amazonaws.com",
		"https://gw/aws",
	};
	struct config *c = helper_load_text(yaml, strlen(yaml), NULL);
	const struct upstream_options *up = c->upstreams;

	ck_assert_uint_eq(c->n_upstreams, sizeof(urls) / sizeof(urls[0]));
	for (size_t i = 0; i < c->n_upstreams; i++)
		ck_assert_str_eq(up[i].url, urls[i]);
	ck_assert_int_eq(up[0].api, UPSTREAM_API_OPENAI_RESPONSES);
	ck_assert_str_eq(up[1].api_version, "2024-10-21");
	ck_assert_str_eq(up[2].api_version, "2025-01-01");
	ck_assert(up[3].api == UPSTREAM_API_ANTHROPIC && up[3].key_from_client);
	ck_assert(up[7].api == UPSTREAM_API_BEDROCK && up[7].bedrock_invoke && !up[7].key);
	ck_assert_str_eq(up[7].region, "eu-central-1");
	ck_assert_str_eq(up[7].access_key, "AK");
	ck_assert_str_eq(up[7].secret_key, "SK");
	ck_assert_str_eq(up[7].session_token, "ST");
	ck_assert_str_eq(up[8].key, "sk-1");
	ck_assert(!up[8].bedrock_invoke && !up[8].access_key && !up[8].session_token);
	config_unref(c);
}
END_TEST

START_TEST(keys_say_who_may_call)
{
	/* Where they stand is all the same to the addresses. */
	static const char yaml[] =
		"listen: 0.0.0.0:1\nmetrics: {listen: '[::]:2'}\n"
		"upstreams: {a: {url: 'http://h'}}\n"
		"keys:\n- {name: A.b-c_1, sha256: '" SK_2_UPPER "'}\n"
		"- name: b\n  key: sk-${env:TEST_WORD}\n  models: [m, n]\n"
		"  heartbeat: off\n  event_ids: off\n  admin: yes\n"
		"  when_client_leaves: detach 5s\n"
		"- {name: c, key: sk-3, models: m, heartbeat: 2s, event_ids: }\n";
	struct access_key *k;
	struct config *c;
	char *errors;

	setenv("TEST_WORD", "2", 1);
	c = helper_load_text(yaml, strlen(yaml), &errors);
	ck_assert_ptr_null(c);
	ck_assert_str_eq(errors, "c.yaml:7: keys[1].key: is the same as that of keys[0]\n");
	free(errors);
	setenv("TEST_WORD", "4", 1);
	c = helper_load_text(yaml, strlen(yaml), NULL);
	k = c->server.keys;
	ck_assert_uint_eq(c->server.n_keys, 3);
	ck_assert_str_eq(k[0].name, "A.b-c_1");
	ck_assert(!k[0].leave_is_set && !k[0].heartbeat_is_set && !k[0].event_ids_is_set);
	ck_assert(!k[0].models && !k[0].n_models && !k[0].admin);
	ck_assert_str_eq(k[1].models[1], "n");
	ck_assert_uint_eq(k[1].n_models, 2);
	ck_assert(k[1].heartbeat_is_set && k[1].heartbeat_ms == 0);
	ck_assert(k[1].event_ids_is_set && !k[1].event_ids && k[1].admin);
	ck_assert(k[1].leave_is_set && k[1].when_client_leaves.what == LEAVE_DETACH);
	ck_assert_uint_eq(k[1].when_client_leaves.grace_ms, 5000);
	ck_assert_uint_eq(k[2].n_models, 1);
	ck_assert(k[2].heartbeat_is_set && k[2].heartbeat_ms == 2000 && !k[2].event_ids_is_set);
	config_unref(c);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("files");

	tcase_add_checked_fixture(t, helper_clear_environment, NULL);
	tcase_add_test(t, the_defaults_are_those_of_the_manual);
	tcase_add_test(t, a_file_sets_everything);
	tcase_add_test(t, each_api_has_an_address_and_what_it_needs);
	tcase_add_test(t, keys_say_who_may_call);
	tcase_add_loop_test(t, each_mistake_is_told_with_its_place, 0,
			    sizeof(wrong) / sizeof(wrong[0]));
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
