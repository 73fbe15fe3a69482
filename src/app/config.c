/*
 * The life of a configuration, and how it comes about:
 *
 *	file ─┐
 *	environment ─┼─▶ tree ─▶ checked against the option table ─▶ struct config
 *	command line ─┘
 */
#include "app/config.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "app/config_read.h"
#include "app/config_schema.h"
#include "app/config_value.h"

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void upstream_fini(struct upstream_options *up)
{
	for (size_t i = 0; i < up->n_headers; i++) {
		free(up->headers[i].name);
		free(up->headers[i].value);
	}
	free(up->headers);
	free_texts(up->forward_headers, up->n_forward_headers);
	free(up->key);
	free(up->proxy);
	free(up->api_version);
	free(up->region);
	free(up->access_key);
	free(up->secret_key);
	free(up->session_token);
	free(up->name);
	free(up->url);
	free(up->ca);
}

static void server_fini(struct server_options *o)
{
	for (size_t i = 0; i < o->n_keys; i++) {
		free(o->keys[i].name);
		free_texts(o->keys[i].models, o->keys[i].n_models);
	}
	free(o->keys);
	for (size_t i = 0; i < o->n_listen; i++)
		config_address_fini(&o->listen[i]);
	free(o->listen);
	free_texts(o->hosts, o->n_hosts);
	free_texts(o->cors_origins, o->n_cors_origins);
	free(o->tls_cert);
	free(o->tls_key);
	free(o->tls_client_ca);
}

struct config *config_ref(struct config *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void config_unref(struct config *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
		return;
	server_fini(&c->server);
	for (size_t i = 0; i < c->n_upstreams; i++)
		upstream_fini(&c->upstreams[i]);
	free(c->upstreams);
	route_table_fini(&c->routes);
	free(c->log.file);
	free(c->metrics_listen);
	free(c);
}

/* false after an error that leaves nothing to check. */
static bool plant(struct config_reading *rd, const struct config_source *source)
{
	const struct config_node like = {.origin = source->file ? source->file : "command line",
					 .line = source->file ? 1 : 0};
	struct config_node *root;

	if (source->file)
		root = config_yaml_read(rd->tree, source->file, rd->report);
	else
		root = config_tree_node(rd->tree, &like, CONFIG_MAP);
	if (root && root->kind == CONFIG_NULL)
		root->kind = CONFIG_MAP; /* an empty file is all defaults */
	if (!root) {
		if (!rd->report->count)
			config_complain_memory(rd->report);
		return false;
	}
	if (root->kind != CONFIG_MAP) {
		config_complain(rd->report, root, NULL, "expected keys with values, found %s",
				config_kind_name(root->kind));
		return false;
	}
	rd->tree->root = root;
	return true;
}

/* --upstream: the only upstream, whatever the file says. Its address is taken as it is, and no key
 * goes with it: the one in the environment was meant for somebody else. */
static void lay_upstream(struct config_reading *rd, const char *url)
{
	const struct config_node like = {
		.literal = true, .origin = "--upstream", .base = "upstreams.upstream.url"};
	struct config_node *nothing = config_tree_node(rd->tree, &like, CONFIG_NULL);
	struct config_node *node = config_tree_text(rd->tree, &like, url);

	if (!nothing || !node) {
		config_complain_memory(rd->report);
		return;
	}
	config_tree_lay(rd->tree, "upstreams", nothing, rd->report);
	config_tree_lay(rd->tree, "upstreams.upstream.url", node, rd->report);
}

static void lay_override(struct config_reading *rd, const struct config_override *o)
{
	const struct config_option *row = config_schema_row(o->key);
	struct config_node like = {.base = o->key}, *node;
	char origin[128];

	if (row && row->flag)
		snprintf(origin, sizeof(origin), "%s", row->flag);
	else
		snprintf(origin, sizeof(origin), "--set %.100s", o->key);
	like.origin = config_tree_copy(rd->tree, origin, strlen(origin));
	if (!like.origin) {
		config_complain_memory(rd->report);
		return;
	}
	node = config_yaml_parse(rd->tree, sl_slice_str(o->value), &like, rd->report);
	if (node)
		config_tree_lay(rd->tree, o->key, node, rd->report);
}

static void read_all(struct config_reading *rd, const struct config_source *source)
{
	const struct config_node *upstreams;

	if (!plant(rd, source))
		return;
	if (source->upstream_url)
		lay_upstream(rd, source->upstream_url);
	for (size_t i = 0; i < source->n_overrides; i++)
		lay_override(rd, &source->overrides[i]);
	upstreams = config_node_child(rd->tree->root, "upstreams");
	if ((!upstreams || upstreams->kind == CONFIG_NULL) && !source->demo)
		config_env_upstreams(rd);
	config_check(rd);
}

struct config *config_load(const struct config_source *source, FILE *errors)
{
	struct config_report report = {0};
	struct config_tree tree = {0};
	struct config *c = calloc(1, sizeof(*c));

	if (!c) {
		fputs("not enough memory\n", errors);
		return NULL;
	}
	atomic_init(&c->refs, 1);
	read_all(&(struct config_reading){&tree, &report, c, source->demo}, source);
	config_tree_fini(&tree);
	if (report.count > 0) {
		config_unref(c);
		c = NULL;
	}
	config_report_flush(&report, errors);
	return c;
}
