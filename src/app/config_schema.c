/*
 * The option table: everything that can be configured, once. Reading, defaults, ranges, --help, the
 * errors and the tests of sample and manual come from here. Rows of one section stand together.
 */
#include "app/config_schema.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define IN(member)      .at = offsetof(struct config, member)
#define UP(member)      .at = offsetof(struct upstream_options, member)
#define KEY(member)     .at = offsetof(struct access_key, member)
#define RANGE(from, to) .low = (from), .high = (to)

const struct config_option config_options[] = {
	{"listen", "addresses", "127.0.0.1:8080", "host:port, [::1]:port or unix:/path", "--listen",
	 IN(server.listen)},
	{"tls.cert", "file", "", "certificate chain (PEM): serve HTTPS", "--tls-cert",
	 IN(server.tls_cert)},
	{"tls.key", "file", "", "private key of the certificate (PEM)", "--tls-key",
	 IN(server.tls_key)},
	{"tls.client_ca", "file", "", "clients must show a certificate of this CA (PEM)",
	 IN(server.tls_client_ca)},
	{"workers", "workers", "auto", "event loops; auto: one for each core", "--workers",
	 RANGE("1", "512"), IN(workers)},
	{"hosts", "hosts", "[]", "allowed Host headers besides the loopback names",
	 IN(server.hosts)},
	{"cors.origins", "origins", "[]", "web origins whose pages may call this server, exact",
	 IN(server.cors_origins)},

	{"upstreams.*.api", "api", "openai", "the API that this upstream speaks", UP(api)},
	{"upstreams.*.url", "url", "",
	 "base URL, as the provider's SDK takes it; a missing version path is added", UP(url)},
	{"upstreams.*.key", "key", "", "API key, or client: the caller's own goes upstream",
	 UP(key)},
	{"upstreams.*.headers", "headers", "{}", "headers that are added to each request",
	 UP(headers)},
	{"upstreams.*.forward_headers", "header names", "[]", "headers of the client that go on",
	 UP(forward_headers)},
	{"upstreams.*.http2", "on/off", "off", "HTTP/2 towards this upstream", UP(http2)},
	{"upstreams.*.ca", "file", "", "CA that verifies it instead of the system's (PEM)", UP(ca)},
	{"upstreams.*.proxy", "proxy", "",
	 "proxy on the way to it; never taken from the environment", UP(proxy)},
	{"upstreams.*.keys", "list", "[]", "several keys, rotated", .not_yet = true},
	{"upstreams.*.max_concurrent", "count", "", "requests under way at once", .not_yet = true},
	{"upstreams.*.queue", "section", "", "requests that wait for their turn", .not_yet = true},
	{"upstreams.*.queue.length", "count", "100", "how many may wait", .not_yet = true},
	{"upstreams.*.queue.timeout", "duration", "10s", "how long they may wait", .not_yet = true},
	{"upstreams.*.breaker", "section", "", "pause for an upstream that keeps failing",
	 .not_yet = true},
	{"upstreams.*.breaker.failures", "count", "5", "failures that open it", .not_yet = true},
	{"upstreams.*.breaker.window", "duration", "30s", "within this time", .not_yet = true},
	{"upstreams.*.breaker.open", "duration", "10s", "how long it stays open", .not_yet = true},
	{"upstreams.*.api_version", "text", "2024-10-21", "azure: API version", UP(api_version)},
	{"upstreams.*.region", "region", "", "bedrock: region of AWS", UP(region)},
	{"upstreams.*.access_key", "secret", "", "bedrock: access key id, where there is no key",
	 UP(access_key)},
	{"upstreams.*.secret_key", "secret", "", "bedrock: its secret", UP(secret_key)},
	{"upstreams.*.session_token", "secret", "", "bedrock: of temporary credentials",
	 UP(session_token)},
	{"upstreams.*.operation", "operation", "converse",
	 "bedrock: converse, or invoke (models of Anthropic)", UP(bedrock_invoke)},

	{"models.*", "target", "", "what clients ask for: upstream, or upstream/model"},
	{"models.*.balance", "list", "[]", "weighted targets", .not_yet = true},
	{"models.*.retry", "count", "1", "tries on another target", .not_yet = true},

	{"timeouts.connect", "duration", "5s", "until an upstream is connected", RANGE("0", "1h"),
	 IN(timeouts.connect_ms)},
	{"timeouts.first_token", "duration", "60s", "until its first token", RANGE("0", "24h"),
	 IN(timeouts.first_token_ms)},
	{"timeouts.between_tokens", "duration", "30s", "from one of its tokens to the next",
	 RANGE("0", "24h"), IN(timeouts.between_tokens_ms)},
	{"timeouts.total", "duration", "15m", "for a whole generation", RANGE("0", "168h"),
	 IN(timeouts.total_ms)},
	{"timeouts.request_headers", "duration", "10s", "for a client to send its headers",
	 RANGE("10ms", "1h"), IN(server.request_headers_ms)},
	{"timeouts.request_body", "duration", "30s", "for a client to send its body",
	 RANGE("10ms", "1h"), IN(server.request_body_ms)},
	{"timeouts.idle", "duration", "75s",
	 "for a client that neither asks nor takes what is there", RANGE("1s", "24h"),
	 IN(server.idle_ms)},
	{"timeouts.drain", "duration", "30s", "for running streams to end after SIGTERM",
	 RANGE("0", "24h"), IN(server.drain_ms)},

	{"limits.body", "size", "10MiB", "request body", RANGE("1KiB", "1GiB"),
	 IN(server.body_bytes)},
	{"limits.frame", "size", "16MiB", "one frame of an upstream", RANGE("1KiB", "1GiB"),
	 IN(streams.frame_bytes)},
	{"limits.headers", "size", "16KiB", "request headers together", RANGE("1KiB", "1MiB"),
	 IN(server.header_bytes)},
	{"limits.uri", "size", "8KiB", "request target", RANGE("128B", "1MiB"),
	 IN(server.uri_bytes)},
	{"limits.json_depth", "count", "64", "nesting of a request's JSON", RANGE("1", "1000"),
	 IN(server.json_depth)},
	{"limits.json_values", "count", "100000", "values in a request's JSON",
	 RANGE("1", "10000000"), IN(server.json_values)},
	{"limits.connections", "count", "4096", "client connections at once", RANGE("1", "1000000"),
	 IN(server.connections)},
	{"limits.per_address", "count", "256", "of one client address", RANGE("1", "1000000"),
	 IN(server.per_address)},

	{"streams.when_client_leaves", "leave", "cancel", "cancel, drain or detach 30s",
	 IN(streams.when_client_leaves)},
	{"streams.open_after", "duration", "5s", "200 is sent this late at the most, token or not",
	 RANGE("0", "1h"), IN(streams.open_after_ms)},
	{"streams.keep", "duration", "5m", "how long an ended stream can be read",
	 RANGE("0", "168h"), IN(streams.keep_ms)},
	{"streams.memory", "size", "256MiB", "all streams together", RANGE("64KiB", "1024GiB"),
	 IN(streams.memory_bytes)},
	{"streams.per_stream", "size", "2MiB", "one stream", RANGE("4KiB", "1GiB"),
	 IN(streams.per_stream_bytes)},
	{"streams.count", "count", "10000", "streams, running and kept", RANGE("1", "10000000"),
	 IN(streams.count)},
	{"streams.viewers", "count", "64", "viewers of one stream", RANGE("1", "1000000"),
	 IN(streams.viewers)},
	{"streams.heartbeat", "duration or off", "10s", "comment that keeps a silent stream open",
	 RANGE("1s", "1h"), IN(streams.heartbeat_ms)},
	{"streams.event_ids", "on/off", "on", "id: lines, without which nobody can resume",
	 IN(streams.event_ids)},
	{"streams.idempotency_keep", "duration", "10m", "how long an Idempotency-Key is remembered",
	 RANGE("0", "168h"), IN(streams.idempotency_keep_ms)},

	{"channels.count", "count", "1000", "channels", RANGE("1", "1000000"), IN(channels.count)},
	{"channels.history", "count", "1000", "messages kept of one channel", RANGE("1", "1000000"),
	 IN(channels.history)},
	{"channels.memory", "size", "1MiB", "bytes kept of one channel", RANGE("4KiB", "1GiB"),
	 IN(channels.memory_bytes)},
	{"channels.keep", "duration", "1h", "how long a message is kept", RANGE("1s", "168h"),
	 IN(channels.keep_ms)},

	{"keys", "list", "[]", "who may call; none: nobody is asked"},
	{"keys.*.name", "key name", "", "what its streams belong to; stands in the log", KEY(name)},
	{"keys.*.sha256", "sha256", "", "SHA-256 of the key, hex", KEY(sha256)},
	{"keys.*.key", "caller key", "", "the key itself, instead of sha256", KEY(sha256)},
	{"keys.*.models", "model names", "[]", "models that it may ask for; none: all",
	 KEY(models)},
	{"keys.*.rpm", "count", "", "requests a minute", .not_yet = true},
	{"keys.*.tpm", "count", "", "tokens a minute", .not_yet = true},
	{"keys.*.concurrent", "count", "", "requests at once", .not_yet = true},
	{"keys.*.heartbeat", "duration or off", "", "instead of streams.heartbeat",
	 RANGE("1s", "1h"), KEY(heartbeat_ms)},
	{"keys.*.event_ids", "on/off", "", "instead of streams.event_ids", KEY(event_ids)},
	{"keys.*.when_client_leaves", "leave", "", "instead of streams.when_client_leaves",
	 KEY(when_client_leaves)},
	{"keys.*.admin", "on/off", "off", "may read /v1/feeds", KEY(admin)},

	{"log.level", "level", "info", "debug, info, warn, error or off", "--log-level",
	 IN(log.level)},
	{"log.format", "format", "json", "json or text", "--log-format", IN(log.format)},
	{"log.file", "text", "stderr", "stderr, stdout or a path", "--log-file", IN(log.file)},
	{"metrics.listen", "address or nothing", "\"\"", "another address for /metrics",
	 "--metrics-listen", IN(metrics_listen)},
};
const size_t config_options_count = sizeof(config_options) / sizeof(config_options[0]);

/* What stands behind the prefix in a row's path; NULL: another section's row. */
static const char *behind(const struct config_option *row, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(row->path, prefix, n) == 0 ? row->path + n : NULL;
}

const struct config_option *config_schema_find(const char *prefix, const char *key)
{
	for (size_t i = 0; i < config_options_count; i++) {
		const char *rest = behind(&config_options[i], prefix);

		if (rest && (strcmp(rest, key) == 0 || strcmp(rest, "*") == 0))
			return &config_options[i];
	}
	return NULL;
}

bool config_schema_descend(const char *prefix, const char *key, char below[CONFIG_PREFIX_MAX])
{
	size_t n = strlen(key);

	for (size_t i = 0; i < config_options_count; i++) {
		const char *rest = behind(&config_options[i], prefix);
		size_t segment = rest ? strcspn(rest, ".") : 0;

		if (!rest || rest[segment] != '.')
			continue;
		if ((segment == n && memcmp(rest, key, n) == 0) ||
		    (segment == 1 && rest[0] == '*')) {
			snprintf(below, CONFIG_PREFIX_MAX, "%s%.*s.", prefix, (int)segment, rest);
			return true;
		}
	}
	return false;
}

size_t config_schema_segment(const char *path, const char *at)
{
	size_t before = (size_t)(at - path);

	for (size_t i = 0; i < config_options_count; i++) {
		const char *row = config_options[i].path;

		if (strlen(row) == before + 1 && row[before] == '*' &&
		    strncmp(row, path, before) == 0)
			return strlen(at);
	}
	return strcspn(at, ".");
}

const char *config_schema_hint(const char *prefix, const char *key, char *out, size_t size)
{
	struct config_nearest nearest = {.word = key};
	char segment[CONFIG_PREFIX_MAX];
	const char *elsewhere = NULL;

	for (size_t i = 0; i < config_options_count; i++) {
		const char *path = config_options[i].path, *dot = strrchr(path, '.');
		const char *rest = behind(&config_options[i], prefix);

		if (!elsewhere && strcmp(dot ? dot + 1 : path, key) == 0)
			elsewhere = path;
		if (!rest)
			continue;
		snprintf(segment, sizeof(segment), "%.*s", (int)strcspn(rest, "."), rest);
		config_nearest_offer(&nearest, segment);
	}
	if (nearest.best[0] || !elsewhere)
		return config_nearest_hint(&nearest, out, size);
	snprintf(out, size, " (did you mean \"%s\"?)", elsewhere);
	return out;
}

const struct config_option *config_schema_row(const char *path)
{
	for (size_t i = 0; i < config_options_count; i++) {
		if (strcmp(config_options[i].path, path) == 0)
			return &config_options[i];
	}
	return NULL;
}
