/* Upstreams and models, once all of them are known: what a whole upstream lacks, and where each
 * model goes. */
#include "app/config_read.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "app/config_value.h"
#include "upstream/api.h"

#define NAME_MAX_BYTES 64

/* Names stand in targets ("name/model"), in dotted paths, in logs and in labels of metrics. */
static bool is_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= NAME_MAX_BYTES &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static const struct config_node *child(const struct config_node *map, const char *key)
{
	const struct config_node *node = config_node_child(map, key);

	return node && node->kind != CONFIG_NULL ? node : NULL;
}

/* The URL that an upstream has without one: the provider's own. NULL: it must be named. */
static char *usual_url(const struct upstream_options *up, const struct api *api)
{
	char *url = NULL;

	if (api->url)
		return strdup(api->url);
	if (up->api == UPSTREAM_API_BEDROCK && up->region &&
	    asprintf(&url, "https://bedrock-runtime.%s.amazonaws.com", up->region) < 0)
		return NULL;
	return url;
}

/* Addresses that another API of the same provider has, and what is meant where they stand. */
static const char *url_mistake(const struct upstream_options *up)
{
	static const struct {
		enum upstream_api api;
		const char *end, *why;
	} mistakes[] = {
		{UPSTREAM_API_OLLAMA, "/v1",
		 "Ollama's own API has no /v1: leave it out, or set api: openai for the one that "
		 "has"},
		{UPSTREAM_API_OLLAMA, "/api", "the base is what stands before /api"},
		{UPSTREAM_API_AZURE, "/openai", "the base is what stands before /openai"},
		{UPSTREAM_API_GEMINI, "/openai",
		 "Gemini's own API has no /openai: leave it out, or set api: openai for the one "
		 "that has"},
		{UPSTREAM_API_COHERE, "/v1",
		 "Cohere's own API is /v2: leave /v1 out, or set api: openai for its "
		 "/compatibility/v1"},
		{UPSTREAM_API_BEDROCK, "/v1",
		 "Bedrock's own API has no /v1: leave /openai/v1 out, or set api: openai for it"},
	};
	size_t n = strlen(up->url);

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		size_t k = strlen(mistakes[i].end);

		if (up->api == mistakes[i].api && n >= k &&
		    strcmp(up->url + n - k, mistakes[i].end) == 0)
			return mistakes[i].why;
	}
	return NULL;
}

static void complete_url(struct config_reading *rd, const struct config_node *node,
			 struct upstream_options *up)
{
	const struct api *api = api_of(up->api);
	const char *why;
	char *full = NULL;

	if (!up->url && child(node, "url"))
		return; /* it is wrong, and that was said */
	if (!up->url)
		up->url = usual_url(up, api);
	if (!up->url) {
		if (up->api != UPSTREAM_API_BEDROCK) /* which has one where it has a region */
			config_complain(rd->report, node, "url", "is missing");
		return;
	}
	why = url_mistake(up);
	if (why) {
		config_complain(rd->report, child(node, "url"), NULL, "%s", why);
		return;
	}
	if (config_base_url(up->url, api->version, api->base_goes_on, &full)) {
		config_complain_memory(rd->report);
		return;
	}
	free(up->url);
	up->url = full;
}

/* What only one API has a use for. */
static void check_api_keys(struct config_reading *rd, const struct config_node *node,
			   const struct upstream_options *up)
{
	static const struct {
		const char *key;
		enum upstream_api api;
	} only[] = {
		{"api_version", UPSTREAM_API_AZURE},     {"region", UPSTREAM_API_BEDROCK},
		{"access_key", UPSTREAM_API_BEDROCK},    {"secret_key", UPSTREAM_API_BEDROCK},
		{"session_token", UPSTREAM_API_BEDROCK}, {"operation", UPSTREAM_API_BEDROCK},
	};

	for (size_t i = 0; i < sizeof(only) / sizeof(*only); i++) {
		const struct config_node *set = child(node, only[i].key);

		if (set && up->api != only[i].api)
			config_complain(rd->report, set, NULL, "is for api: %s only",
					api_of(only[i].api)->name);
	}
}

/* Who asks, and where: signatures have the region in them, the usual address too. */
static void check_bedrock(struct config_reading *rd, const struct config_node *node)
{
	static const char *const signing[] = {"access_key", "secret_key", "session_token"};
	bool key = child(node, "key");

	for (size_t i = 0; key && i < sizeof(signing) / sizeof(*signing); i++) {
		const struct config_node *set = child(node, signing[i]);

		if (set)
			config_complain(rd->report, set, NULL,
					"cannot be set beside key, with which nothing is signed");
	}
	if (!key && (!child(node, "access_key") || !child(node, "secret_key")))
		config_complain(rd->report, node, NULL,
				"needs a key, or access_key and secret_key");
	if (!child(node, "region") && (!key || !child(node, "url")))
		config_complain(rd->report, node, "region", "is missing");
}

static void check_upstream(struct config_reading *rd, const struct config_node *node,
			   struct upstream_options *up)
{
	const struct config_node *headers = child(node, "headers"), *maker = child(node, "key");
	const struct api *api;
	const char *own;

	if (!is_name(node->key))
		config_complain(rd->report, node, NULL,
				"a name has at most 64 letters, digits, \"-\" and \"_\"");
	if (up->api == UPSTREAM_API_UNKNOWN)
		return; /* and so is what it needs */
	api = api_of(up->api);
	own = api->auth == API_AUTH_HEADER ? api->auth_header : "Authorization";
	complete_url(rd, node, up);
	check_api_keys(rd, node, up);
	if (up->api == UPSTREAM_API_BEDROCK) {
		check_bedrock(rd, node);
		maker = maker ? maker : child(node, "access_key");
	}
	for (size_t i = 0; i < up->n_headers; i++) {
		if (strcasecmp(up->headers[i].name, own) == 0 && maker)
			config_complain(rd->report, headers, up->headers[i].name,
					"cannot be set beside %s, which makes the same header",
					maker->key);
	}
}

void config_check_upstreams(struct config_reading *rd)
{
	const struct config_node *map = config_node_child(rd->tree->root, "upstreams"), *node;
	const struct config *c = rd->config;
	size_t i = 0;

	if (!map || map->kind != CONFIG_MAP)
		return;
	if (!map->first && !rd->demo)
		config_complain(rd->report, map, NULL, "needs one upstream at least");
	for (node = map->first; node && i < c->n_upstreams; node = node->next) {
		if (strcmp(c->upstreams[i].name, node->key) !=
		    0) /* it was no mapping, and refused */
			continue;
		check_upstream(rd, node, &c->upstreams[i++]);
	}
}

static void complain_upstream(struct config_reading *rd, const struct config_node *node,
			      const char *name)
{
	struct config_nearest nearest = {.word = name};
	char hint[128];

	for (size_t i = 0; i < rd->config->n_upstreams; i++)
		config_nearest_offer(&nearest, rd->config->upstreams[i].name);
	config_complain(rd->report, node, NULL, "unknown upstream \"%.64s\"%s",
			strstr(node->text, "${") ? node->text : name,
			config_nearest_hint(&nearest, hint, sizeof(hint)));
}

/* "upstream" or "upstream/model", the model's own name being free to have slashes. */
static void read_target(struct config_reading *rd, const struct config_node *node,
			struct route_model *model)
{
	const char *text = config_read_text(rd, "upstream or upstream/model", node), *rest;
	char *name;
	size_t i;

	if (!text)
		return;
	name = config_tree_copy(rd->tree, text, strcspn(text, "/"));
	if (!name) {
		config_complain_memory(rd->report);
		return;
	}
	for (i = 0; i < rd->config->n_upstreams; i++) {
		if (strcmp(rd->config->upstreams[i].name, name) == 0)
			break;
	}
	if (i == rd->config->n_upstreams) {
		complain_upstream(rd, node, name);
		return;
	}
	rest = strchr(text, '/');
	if (rest && (!rest[1] || strlen(rest + 1) > CONFIG_MODEL_MAX_BYTES ||
		     !config_is_header_text(rest + 1))) {
		config_complain(rd->report, node, NULL, "no name of a model behind the slash");
		return;
	}
	model->targets[0].upstream = i;
	model->targets[0].model = rest ? config_read_copy(rd, rest + 1) : NULL;
	model->n_targets = 1;
}

static void read_model(struct config_reading *rd, const struct config_node *node,
		       struct route_model *model)
{
	model->targets = calloc(1, sizeof(*model->targets));
	if (!model->targets)
		config_complain_memory(rd->report);
	else if (!*node->key || strlen(node->key) > CONFIG_MODEL_MAX_BYTES ||
		 !config_is_header_text(node->key))
		config_complain(rd->report, node, NULL, "no name of a model");
	else if (node->kind == CONFIG_LIST && node->n > 1)
		config_complain(rd->report, node, NULL,
				"more than one target is not supported yet");
	else if (config_node_is_empty(node))
		config_complain(rd->report, node, NULL, "has no target");
	else if (node->kind != CONFIG_MAP) /* what is in a mapping has been refused key by key */
		read_target(rd, node->kind == CONFIG_LIST ? node->first : node, model);
}

static void read_upstream_names(struct config_reading *rd)
{
	struct route_table *t = &rd->config->routes;

	t->upstreams = calloc(rd->config->n_upstreams + 1, sizeof(*t->upstreams));
	if (!t->upstreams) {
		config_complain_memory(rd->report);
		return;
	}
	for (size_t i = 0; i < rd->config->n_upstreams; i++) {
		t->upstreams[i] = config_read_copy(rd, rd->config->upstreams[i].name);
		t->n_upstreams++;
	}
}

void config_read_models(struct config_reading *rd)
{
	const struct config_node *map = config_node_child(rd->tree->root, "models"), *node;
	struct route_table *t = &rd->config->routes;

	read_upstream_names(rd);
	if (!map || map->kind != CONFIG_MAP)
		return;
	t->models = calloc(map->n + 1, sizeof(*t->models));
	if (!t->models) {
		config_complain_memory(rd->report);
		return;
	}
	for (node = map->first; node; node = node->next) {
		struct route_model *model = &t->models[t->n_models];

		model->name = config_read_copy(rd, node->key);
		if (!model->name)
			return;
		t->n_models++;
		read_model(rd, node, model);
	}
}
