/* Nodes and their memory. The number of nodes is bounded, so that a small file of aliases cannot
 * become a large tree. */
#include "app/config_tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "app/config_report.h"
#include "app/config_schema.h"

#define NODES_MAX 20000

struct config_block {
	struct config_block *next;
	size_t bytes;
	max_align_t data[];
};

void config_tree_fini(struct config_tree *t)
{
	struct config_block *b = t->blocks;

	while (b) {
		struct config_block *next = b->next;

		explicit_bzero(b->data, b->bytes); /* keys were among it */
		free(b);
		b = next;
	}
	*t = (struct config_tree){0};
}

void *config_tree_alloc(struct config_tree *t, size_t bytes)
{
	struct config_block *b = calloc(1, sizeof(*b) + bytes);

	if (!b)
		return NULL;
	b->bytes = bytes;
	b->next = t->blocks;
	t->blocks = b;
	return b->data;
}

char *config_tree_copy(struct config_tree *t, const char *p, size_t n)
{
	char *copy = config_tree_alloc(t, n + 1);

	if (copy && n)
		memcpy(copy, p, n);
	return copy;
}

struct config_node *config_tree_node(struct config_tree *t, const struct config_node *like,
				     enum config_kind kind)
{
	struct config_node *node;

	if (t->n_nodes == NODES_MAX)
		return NULL;
	node = config_tree_alloc(t, sizeof(*node));
	if (!node)
		return NULL;
	t->n_nodes++;
	node->kind = kind;
	node->literal = like->literal;
	node->origin = like->origin;
	node->base = like->base;
	node->line = like->line;
	return node;
}

struct config_node *config_tree_text(struct config_tree *t, const struct config_node *like,
				     const char *text)
{
	struct config_node *node = config_tree_node(t, like, CONFIG_TEXT);

	if (!node)
		return NULL;
	node->text = config_tree_copy(t, text, strlen(text));
	return node->text ? node : NULL;
}

struct config_node *config_tree_clone(struct config_tree *t, const struct config_node *node)
{
	struct config_node *copy = config_tree_node(t, node, node->kind);

	if (!copy)
		return NULL;
	copy->text = node->text;
	for (const struct config_node *c = node->first; c; c = c->next) {
		struct config_node *child = config_tree_clone(t, c);

		if (!child)
			return NULL;
		config_node_append(copy, c->key, child);
	}
	return copy;
}

void config_node_append(struct config_node *parent, const char *key, struct config_node *child)
{
	assert(!child->parent);
	child->key = key;
	child->parent = parent;
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
}

struct config_node *config_node_child(const struct config_node *map, const char *key)
{
	if (!map || map->kind != CONFIG_MAP)
		return NULL;
	for (struct config_node *c = map->first; c; c = c->next) {
		if (strcmp(c->key, key) == 0)
			return c;
	}
	return NULL;
}

bool config_node_is_empty(const struct config_node *node)
{
	return !node || node->kind == CONFIG_NULL || (node->kind != CONFIG_TEXT && !node->first);
}

const char *config_kind_name(enum config_kind kind)
{
	static const char *const names[] = {
		[CONFIG_NULL] = "nothing",
		[CONFIG_TEXT] = "text",
		[CONFIG_LIST] = "a list",
		[CONFIG_MAP] = "a mapping",
	};

	return names[kind];
}

/* Children of `from` go over to `into`, those of the same key being merged or replaced. */
static void merge(struct config_node *into, struct config_node *from);

static void put(struct config_node *map, const char *key, struct config_node *value)
{
	struct config_node *old = config_node_child(map, key);

	if (!old) {
		config_node_append(map, key, value);
		return;
	}
	if (old->kind == CONFIG_MAP && value->kind == CONFIG_MAP) {
		merge(old, value);
		return;
	}
	old->kind = value->kind;
	old->literal = value->literal;
	old->text = value->text;
	old->origin = value->origin;
	old->base = value->base;
	old->line = value->line;
	old->first = value->first;
	old->last = value->last;
	old->n = value->n;
	for (struct config_node *c = old->first; c; c = c->next)
		c->parent = old;
}

static void merge(struct config_node *into, struct config_node *from)
{
	struct config_node *next;

	for (struct config_node *c = from->first; c; c = next) {
		next = c->next;
		c->next = NULL;
		c->parent = NULL;
		put(into, c->key, c);
	}
}

static bool has_empty_segment(const char *path)
{
	const char *at = path;

	for (;;) {
		size_t n = config_schema_segment(path, at);

		if (n == 0 || at[n] == 0)
			return n == 0;
		at += n + 1;
	}
}

void config_tree_lay(struct config_tree *t, const char *path, struct config_node *value,
		     struct config_report *report)
{
	struct config_node *map = t->root, *child;
	const char *at = path;

	if (has_empty_segment(path)) {
		config_complain(report, value, NULL, "an empty name in the path");
		return;
	}
	for (;;) {
		size_t n = config_schema_segment(path, at);
		char *key = config_tree_copy(t, at, n);

		if (!key)
			break;
		if (at[n] == 0) {
			put(map, key, value);
			return;
		}
		child = config_node_child(map, key);
		if (!child || child->kind == CONFIG_NULL) {
			struct config_node *made = config_tree_node(t, value, CONFIG_MAP);

			if (!made)
				break;
			put(map, key, made);
			child = config_node_child(map, key);
		}
		if (child->kind != CONFIG_MAP) {
			config_complain(report, value, NULL, "\"%s\" is %s, not a mapping", key,
					config_kind_name(child->kind));
			return;
		}
		map = child;
		at += n + 1;
	}
	config_complain_memory(report);
}
