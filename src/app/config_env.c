/* A start without a file: the variables that the providers' own tools use say where to go. */
#include "app/config_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "app/config_schema.h"

/* Set to something. Empty is what scripts write for "not set". */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* One option of that upstream, its value taken as it is: nothing in it is filled in. */
static void lay(struct config_reading *rd, const char *upstream, const char *option,
		const char *value, const char *origin)
{
	struct config_node like = {.literal = true, .origin = origin}, *node = NULL;
	char path[CONFIG_PREFIX_MAX];

	snprintf(path, sizeof(path), "upstreams.%s.%s", upstream, option);
	like.base = config_tree_copy(rd->tree, path, strlen(path));
	if (like.base)
		node = config_tree_text(rd->tree, &like, value);
	if (node)
		config_tree_lay(rd->tree, like.base, node, rd->report);
	else
		config_complain_memory(rd->report);
}

/* Providers whose key alone, or address alone, says who is to be asked. Of two rows for one upstream
 * the first that is set counts: Google's own clients prefer their keys in this order. */
static const struct {
	const char *upstream, *key,
		*url;          /* upstream and api have one name; url: NULL: no variable */
	const char *usual_url; /* where the API has none of its own */
} providers[] = {
	{"openai", "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"},
	{"anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", NULL},
	{"gemini", "GOOGLE_API_KEY", NULL, NULL},
	{"gemini", "GEMINI_API_KEY", NULL, NULL},
};

static bool lay_providers(struct config_reading *rd)
{
	const char *last = "";

	for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
		const char *name = providers[i].upstream, *key = variable(providers[i].key);
		const char *url = providers[i].url ? variable(providers[i].url) : NULL;

		if ((!key && !url) || strcmp(name, last) == 0)
			continue;
		lay(rd, name, "api", name, key ? providers[i].key : providers[i].url);
		if (url)
			lay(rd, name, "url", url, providers[i].url);
		else if (providers[i].usual_url)
			lay(rd, name, "url", providers[i].usual_url, providers[i].key);
		if (key)
			lay(rd, name, "key", key, providers[i].key);
		last = name;
	}
	return *last;
}

/* Where the server of Ollama listens on all addresses, or none is named, its clients take this
 * machine's. */
static struct sl_slice ollama_host(struct sl_slice host)
{
	if (host.n == 0 || sl_slice_is(host, "0.0.0.0"))
		return SL_LIT("127.0.0.1");
	return sl_slice_is(host, "::") || sl_slice_is(host, "[::]") ? SL_LIT("[::1]") : host;
}

/* Of [scheme://][host][:port][/path], as Ollama's clients read it. IPv6 without brackets has no port
 * behind it. NULL without memory; the caller frees it. */
static char *ollama_url(const char *text)
{
	const char *mark = strstr(text, "://"), *at = mark ? mark + 3 : text;
	struct sl_slice all = sl_slice(at, strcspn(at, "/"));
	const char *first = memchr(at, ':', all.n), *last = memrchr(at, ':', all.n);
	bool brackets = *at == '[', bare6 = !brackets && first != last;
	bool has_port = last && (brackets ? last[-1] == ']' : first == last);
	struct sl_slice port = SL_LIT(":11434");
	struct sl_slice host = ollama_host(has_port ? sl_slice(at, (size_t)(last - at)) : all);
	char *url;

	if (has_port && last + 1 < at + all.n)
		port = sl_slice(last, (size_t)(at + all.n - last));
	else if (mark) /* that of the scheme */
		port = SL_LIT("");
	bare6 = bare6 && *host.p != '[';
	if (asprintf(&url, "%.*s%s%.*s%s%.*s%s", mark ? (int)(at - text) : 7,
		     mark ? text : "http://", bare6 ? "[" : "", (int)host.n, host.p,
		     bare6 ? "]" : "", (int)port.n, port.p, at + all.n) < 0)
		return NULL;
	return url;
}

static bool lay_ollama(struct config_reading *rd)
{
	const char *host = variable("OLLAMA_HOST");
	char *url = host ? ollama_url(host) : NULL;

	if (!host)
		return false;
	lay(rd, "ollama", "api", "ollama", "OLLAMA_HOST");
	if (url)
		lay(rd, "ollama", "url", url, "OLLAMA_HOST");
	else
		config_complain_memory(rd->report);
	free(url);
	return true;
}

void config_env_upstreams(struct config_reading *rd)
{
	bool providers_set = lay_providers(rd), ollama_set = lay_ollama(rd);

	if (providers_set || ollama_set)
		return;
	if (rd->tree->root->line) /* there is a file: that is where it is missing */
		config_complain(rd->report, rd->tree->root, "upstreams",
				"is missing, and the environment names none either "
				"(OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, OLLAMA_HOST)");
	else
		config_complain_plainly(
			rd->report,
			"no upstream: type `OPENAI_API_KEY=... sluice` (or "
			"ANTHROPIC_API_KEY, GEMINI_API_KEY, OLLAMA_HOST), "
			"`sluice --upstream URL`, or `sluice demo` to try it without one");
}
