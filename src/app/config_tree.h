/*
 * The configuration as it was written: a tree of nodes, each of which knows where it stands. The
 * file, the command line and the environment all end up in the same tree, and are checked together.
 *
 * The tree owns every node and every text in it, until config_tree_fini(). One thread.
 */
#ifndef APP_CONFIG_TREE_H
#define APP_CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sluice/slice.h>

struct config_report;

enum config_kind {
	CONFIG_NULL, /* `key:` with nothing behind it: as if it were not there */
	CONFIG_TEXT, /* numbers and switches too */
	CONFIG_LIST,
	CONFIG_MAP,
};

struct config_node {
	enum config_kind kind;
	bool literal;       /* the text stands for itself: no ${...} is filled in */
	const char *key;    /* in a mapping, else NULL */
	const char *text;   /* CONFIG_TEXT, as written */
	const char *origin; /* file name, "--listen" or "OPENAI_BASE_URL" */
	const char *base;   /* the path that the origin's name stands for; NULL for a file */
	unsigned line;      /* from 1; 0: the origin has no lines */
	struct config_node *parent, *first, *last, *next;
	size_t n; /* children */
};

struct config_block;

struct config_tree {
	struct config_node *root; /* a mapping, once there is one */
	struct config_block *blocks;
	size_t n_nodes; /* bounded, see config_tree.c */
};

/* Accepts zeroes. */
void config_tree_fini(struct config_tree *t);

/* Memory that lives as long as the tree. NULL without memory. */
void *config_tree_alloc(struct config_tree *t, size_t bytes);
char *config_tree_copy(struct config_tree *t, const char *p, size_t n);

/* A node like `like` (its origin, base and line), of this kind, in no place yet. NULL without
 * memory or at the bound. */
struct config_node *config_tree_node(struct config_tree *t, const struct config_node *like,
				     enum config_kind kind);

/* The same for a text. */
struct config_node *config_tree_text(struct config_tree *t, const struct config_node *like,
				     const char *text);

/* A deep copy. */
struct config_node *config_tree_clone(struct config_tree *t, const struct config_node *node);

/* Puts `child` to the end of a list, or of a mapping under `key` (NULL: a list), which has no such
 * key yet. */
void config_node_append(struct config_node *parent, const char *key, struct config_node *child);

/* The child of that key. NULL: none, or no mapping. */
struct config_node *config_node_child(const struct config_node *map, const char *key);

/* Not there, nothing, or without children. */
bool config_node_is_empty(const struct config_node *node);

/* "text", "a list", … for messages. */
const char *config_kind_name(enum config_kind kind);

/* Lays `value` over the tree at a dotted path, making the mappings in between: mappings are merged,
 * anything else is replaced. Errors go to `report`. */
void config_tree_lay(struct config_tree *t, const char *path, struct config_node *value,
		     struct config_report *report);

/* YAML text into nodes. `like` names the origin; with lines where like->line is not 0. NULL after
 * an error, which has been reported; a text without any value gives a CONFIG_NULL. */
struct config_node *config_yaml_parse(struct config_tree *t, struct sl_slice text,
				      const struct config_node *like, struct config_report *report);

/* The same for a file of 1 MiB at the most. */
struct config_node *config_yaml_read(struct config_tree *t, const char *file,
				     struct config_report *report);

/* The value of a text with its ${env:NAME} and ${file:/path} filled in and $${ made ${. Lives as
 * long as the tree. NULL after an error, which has been reported without any of the value. */
const char *config_expand(struct config_tree *t, const struct config_node *node,
			  struct config_report *report);

#endif
