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

static void complete_url(struct config_reading *rd, const struct config_node *node,
			 struct upstream_options *up)
{
	const struct api *api = api_of(up->api);
	char *full = NULL;

	if (!up->url && child(node, "url"))
		return; /* it is wrong, and that was said */
	if (!up->url)
		up->url = usual_url(up, api);
	if (!up->url) {
		config_complain(rd->report, node, "url", "is missing");
		return;
	}
	if (config_base_url(up->url, api->version, &full)) {
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
		if (child(node, only[i].key) && up->api != only[i].api)
			config_complain(rd->report, node, only[i].key, "is for api: %s only",
					api_of(only[i].api)->name);
	}
	if (up->api != UPSTREAM_API_BEDROCK)
		return;
	if (child(node, "key") && child(node, "access_key"))
		config_complain(rd->report, node, "access_key",
				"cannot be set beside key: one of them says who asks");
	else if (!child(node, "key") && (!child(node, "access_key") || !child(node, "secret_key")))
		config_complain(rd->report, node, NULL,
				"needs a key, or access_key and secret_key");
	if (!child(node, "key") && !child(node, "region"))
		config_complain(rd->report, node, "region", "is missing");
}

static void check_upstream(struct config_reading *rd, const struct config_node *node,
			   struct upstream_options *up)
{
	const struct config_node *headers = child(node, "headers");
	const struct api *api = api_of(up->api);
	const char *own = api->auth == API_AUTH_HEADER ? api->auth_header : "Authorization";

	if (!is_name(node->key))
		config_complain(rd->report, node, NULL,
				"a name has at most 64 letters, digits, \"-\" and \"_\"");
	complete_url(rd, node, up);
	check_api_keys(rd, node, up);
	for (size_t i = 0; i < up->n_headers; i++) {
		if (strcasecmp(up->headers[i].name, own) == 0 && child(node, "key"))
			config_complain(rd->report, headers, up->headers[i].name,
					"cannot be set beside key, which makes the same header");
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
