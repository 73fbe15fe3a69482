/* A start without a file: the variables that the providers' own tools use say where to go. */
#include "app/config_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "app/config_schema.h"

#define OPENAI_URL  "https://api.openai.com/v1"
#define OLLAMA_PORT "11434"

/* Set to something. Empty is what scripts write for "not set". */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* A value that came from a variable, taken as it is: nothing in it is filled in. */
static void lay(struct config_reading *rd, const char *path, const char *value, const char *origin)
{
	const struct config_node like = {.literal = true, .origin = origin, .base = path};
	struct config_node *node = config_tree_text(rd->tree, &like, value);

	if (node)
		config_tree_lay(rd->tree, path, node, rd->report);
	else
		config_complain_memory(rd->report);
}

/* Where a provider's key alone says who is to be asked. */
static const struct {
	const char *variable, *api, *key_path, *api_path;
} providers[] = {
	{"ANTHROPIC_API_KEY", "anthropic", "upstreams.anthropic.key", "upstreams.anthropic.api"},
	{"GEMINI_API_KEY", "gemini", "upstreams.gemini.key", "upstreams.gemini.api"},
};

static bool lay_openai(struct config_reading *rd)
{
	const char *key = variable("OPENAI_API_KEY"), *url = variable("OPENAI_BASE_URL");

	if (!key && !url)
		return false;
	lay(rd, "upstreams.openai.url", url ? url : OPENAI_URL, "OPENAI_BASE_URL");
	if (key)
		lay(rd, "upstreams.openai.key", key, "OPENAI_API_KEY");
	return true;
}

/* host, host:port or a URL; 0.0.0.0 is what its server listens on, and reached as loopback. */
static bool lay_ollama(struct config_reading *rd)
{
	const char *host = variable("OLLAMA_HOST"), *any = "0.0.0.0", *port = "";
	char url[512];

	if (!host)
		return false;
	if (strstr(host, "://")) {
		lay(rd, "upstreams.ollama.url", host, "OLLAMA_HOST");
	} else {
		bool is_any = strncmp(host, any, strlen(any)) == 0;

		if (!strchr(host, ':'))
			port = ":" OLLAMA_PORT;
		snprintf(url, sizeof(url), "http://%s%s%s", is_any ? "127.0.0.1" : "",
			 is_any ? host + strlen(any) : host, port);
		lay(rd, "upstreams.ollama.url", url, "OLLAMA_HOST");
	}
	lay(rd, "upstreams.ollama.api", "ollama", "OLLAMA_HOST");
	return true;
}

void config_env_upstreams(struct config_reading *rd)
{
	bool any = lay_openai(rd);

	for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
		const char *key = variable(providers[i].variable);

		if (!key)
			continue;
		lay(rd, providers[i].api_path, providers[i].api, providers[i].variable);
		lay(rd, providers[i].key_path, key, providers[i].variable);
		any = true;
	}
	any |= lay_ollama(rd);
	if (any)
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
