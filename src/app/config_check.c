/*
 * Walks the tree along the option table: a key that has a row is read, one with rows below is
 * walked into, any other is unknown. Then the defaults of what was not there, and what is wrong
 * only together.
 */
#include "app/config_read.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "app/config_schema.h"

#define UPSTREAMS "upstreams.*."
#define KEYS      "keys."

static void complain_unknown(struct config_reading *rd, const struct config_node *node,
			     const char *prefix)
{
	char hint[128];

	config_complain(rd->report, node, NULL, "unknown key \"%.64s\"%s", node->key,
			config_schema_hint(prefix, node->key, hint, sizeof(hint)));
}

static const struct config_node *find(const struct config_node *map, const char *path);

/* The defaults of the rows behind `prefix` that are missing in `map`: written in the table as YAML,
 * like all else. */
static void read_defaults(struct config_reading *rd, const struct config_node *map,
			  const char *prefix, void *base)
{
	static const struct config_node like = {.origin = "default"};
	size_t n = strlen(prefix);

	for (size_t i = 0; i < config_options_count; i++) {
		const struct config_option *row = &config_options[i];
		const struct config_node *node;

		if (strncmp(row->path, prefix, n) != 0 || strchr(row->path + n, '*'))
			continue;
		if (row->not_yet || !*row->initial || find(map, row->path + n))
			continue;
		node = config_yaml_parse(rd->tree, sl_slice_str(row->initial), &like, rd->report);
		if (node)
			config_read_value(rd, row, node, base);
	}
}

/* What stands at a dotted path, or NULL when that is missing or empty. */
static const struct config_node *find(const struct config_node *map, const char *path)
{
	const struct config_node *node = map;
	char key[CONFIG_PREFIX_MAX];

	while (node && *path) {
		size_t n = strcspn(path, ".");

		assert(n < sizeof(key));
		memcpy(key, path, n);
		key[n] = 0;
		node = config_node_child(node, key);
		path += path[n] ? n + 1 : n;
	}
	return node && node->kind != CONFIG_NULL ? node : NULL;
}

static void walk(struct config_reading *rd, const struct config_node *map, const char *prefix,
		 void *base);

static void read_upstream(struct config_reading *rd, const struct config_node *node)
{
	struct upstream_options *up = &rd->config->upstreams[rd->config->n_upstreams];

	up->name = config_read_copy(rd, node->key);
	if (!up->name)
		return;
	up->api = UPSTREAM_API_UNKNOWN; /* and stays it when what stands there is wrong */
	rd->config->n_upstreams++;
	walk(rd, node, UPSTREAMS, up);
	read_defaults(rd, node, UPSTREAMS, up);
}

/* A list of mappings, whose rows stand under "keys.*." */
static void read_keys(struct config_reading *rd, const struct config_node *list)
{
	struct server_options *o = &rd->config->server;

	if (list->kind != CONFIG_LIST) {
		config_complain(rd->report, list, NULL, "expected a list, found %s",
				config_kind_name(list->kind));
		return;
	}
	o->keys = calloc(list->n + 1, sizeof(*o->keys));
	if (!o->keys) {
		config_complain_memory(rd->report);
		return;
	}
	for (const struct config_node *node = list->first; node; node = node->next) {
		struct access_key *key = &o->keys[o->n_keys];

		if (node->kind != CONFIG_MAP) {
			config_complain(rd->report, node, NULL, "expected a mapping, found %s",
					config_kind_name(node->kind));
			continue;
		}
		walk(rd, node, KEYS "*.", key);
		config_check_key(rd, node, key);
		o->n_keys++;
	}
}

static void visit(struct config_reading *rd, const struct config_node *node, const char *prefix,
		  void *base)
{
	const struct config_option *row = config_schema_find(prefix, node->key);
	char below[CONFIG_PREFIX_MAX];
	bool section = config_schema_descend(prefix, node->key, below);

	if (!row && !section)
		complain_unknown(rd, node, prefix);
	else if (row && row->not_yet && !config_node_is_empty(node))
		config_complain(rd->report, node, NULL, "is not supported yet");
	else if (row && (row->not_yet || node->kind == CONFIG_NULL))
		return;
	else if (section && strcmp(below, KEYS) == 0)
		read_keys(rd, node);
	else if (row && !(section && node->kind == CONFIG_MAP))
		config_read_value(rd, row, node, base);
	else if (node->kind != CONFIG_MAP && node->kind != CONFIG_NULL)
		config_complain(rd->report, node, NULL, "expected a mapping, found %s",
				config_kind_name(node->kind));
	else if (strcmp(below, UPSTREAMS) == 0)
		read_upstream(rd, node);
	else
		walk(rd, node, below, base);
}

static void walk(struct config_reading *rd, const struct config_node *map, const char *prefix,
		 void *base)
{
	for (const struct config_node *node = map->first; node; node = node->next)
		visit(rd, node, prefix, base);
}

static void check_tls(struct config_reading *rd, const struct config_node *root)
{
	const struct config_node *tls = find(root, "tls");
	bool cert = find(root, "tls.cert"), key = find(root, "tls.key");

	if (!tls || tls->kind != CONFIG_MAP)
		return;
	if (cert && !key)
		config_complain(rd->report, tls, "key", "is missing: a certificate needs it");
	if (!cert && (key || find(root, "tls.client_ca")))
		config_complain(rd->report, tls, "cert", "is missing");
}

static void check_memory(struct config_reading *rd, const struct config_node *root)
{
	const struct config_node *one = find(root, "streams.per_stream");
	const struct config_node *all = find(root, "streams.memory");
	const struct stream_options *o = &rd->config->streams;

	if (o->per_stream_bytes <= o->memory_bytes || !o->memory_bytes)
		return;
	if (one)
		config_complain(rd->report, one, NULL,
				"must not be more than streams.memory, which is %s",
				all ? all->text : config_schema_row("streams.memory")->initial);
	else
		config_complain(rd->report, all, NULL,
				"must not be less than streams.per_stream, which is %s",
				config_schema_row("streams.per_stream")->initial);
}

static void check_metrics(struct config_reading *rd, const struct config_node *root)
{
	const struct config_node *node = find(root, "metrics.listen");
	const struct server_options *o = &rd->config->server;

	for (size_t i = 0; node && rd->config->metrics_listen && i < o->n_listen; i++) {
		if (strcmp(o->listen[i].text, rd->config->metrics_listen) == 0 &&
		    (o->listen[i].is_unix || o->listen[i].port))
			config_complain(rd->report, node, NULL,
					"must be another address than those of listen");
	}
}

void config_check(struct config_reading *rd)
{
	const struct config_node *root = rd->tree->root;
	const struct config_node *upstreams = find(root, "upstreams");

	rd->config->upstreams =
		calloc(upstreams ? upstreams->n + 1 : 1, sizeof(struct upstream_options));
	if (!rd->config->upstreams) {
		config_complain_memory(rd->report);
		return;
	}
	walk(rd, root, "", rd->config);
	rd->config->streams.leave_is_set =
		!config_node_is_empty(find(root, "streams.when_client_leaves"));
	read_defaults(rd, root, "", rd->config);
	check_tls(rd, root);
	check_memory(rd, root);
	check_metrics(rd, root);
	rd->config->server.metrics_elsewhere =
		rd->config->metrics_listen && *rd->config->metrics_listen;
	config_check_upstreams(rd);
	config_read_models(rd);
}
