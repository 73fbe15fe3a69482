/* A start without a file: the variables that the providers' own tools use say where to go. */
#include "app/config_read.h"

#include <stdlib.h>
#include "app/config_schema.h"

#define OPENAI_URL "https://api.openai.com/v1"

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

/* Variables of providers whose APIs are still missing here, and what works today. */
static const struct {
	const char *name, *provider, *instead;
} not_yet[] = {
	{"OLLAMA_HOST", "Ollama's own API", "sluice --upstream http://127.0.0.1:11434/v1"},
	{"ANTHROPIC_API_KEY", "the Anthropic API",
	 "sluice --upstream https://api.anthropic.com/v1 "
	 "--set 'upstreams.upstream.key=${env:ANTHROPIC_API_KEY}'"},
	{"GEMINI_API_KEY", "the Gemini API",
	 "sluice --upstream https://generativelanguage.googleapis.com/v1beta/openai "
	 "--set 'upstreams.upstream.key=${env:GEMINI_API_KEY}'"},
};

void config_env_upstreams(struct config_reading *rd)
{
	const char *key = variable("OPENAI_API_KEY"), *url = variable("OPENAI_BASE_URL");

	if (key || url) {
		lay(rd, "upstreams.openai.url", url ? url : OPENAI_URL, "OPENAI_BASE_URL");
		if (key)
			lay(rd, "upstreams.openai.key", key, "OPENAI_API_KEY");
		return;
	}
	if (rd->tree->root->line) { /* there is a file: that is where it is missing */
		config_complain(rd->report, rd->tree->root, "upstreams",
				"is missing, and the environment has no OPENAI_API_KEY either");
		return;
	}
	for (size_t i = 0; i < sizeof(not_yet) / sizeof(not_yet[0]); i++) {
		if (!variable(not_yet[i].name))
			continue;
		config_complain_plainly(rd->report,
					"no upstream: %s is set, but %s is not supported yet; "
					"its OpenAI-compatible side is: %s",
					not_yet[i].name, not_yet[i].provider, not_yet[i].instead);
		return;
	}
	config_complain_plainly(rd->report,
				"no upstream: type `OPENAI_API_KEY=... sluice`, "
				"`sluice --upstream URL`, or `sluice demo` to try it without one");
}
