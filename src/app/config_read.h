/* From a node to a value: one reader for each type of the option table, and who calls them. */
#ifndef APP_CONFIG_READ_H
#define APP_CONFIG_READ_H

#include "app/config.h"
#include "app/config_report.h"
#include "app/config_tree.h"

/* One configuration in the making. */
struct config_reading {
	struct config_tree *tree;
	struct config_report *report;
	struct config *config;
	bool demo; /* no upstream is needed */
};

/* A value on its way to its place. */
struct config_slot {
	struct config_reading *rd;
	const struct config_option *row;
	const struct config_node *node;
	const char *text; /* filled in; NULL for lists and mappings */
	void *base;       /* struct config, struct upstream_options or struct access_key */
	void *into;       /* the member; zeroes until it has been read */
};

/* Reads `node` as the row's type into its member of `base`. What is wrong is reported. A row
 * without a reader ("models.*") is left to who knows more. */
void config_read_value(struct config_reading *rd, const struct config_option *row,
		       const struct config_node *node, void *base);

/* The text of a node with everything filled in, or NULL after a complaint. `type` is what was
 * wanted. */
const char *config_read_text(struct config_reading *rd, const char *type,
			     const struct config_node *node);

/* malloc'd copy; NULL without memory, which is reported. */
char *config_read_copy(struct config_reading *rd, const char *text);

/* Complains with the value as it was written: not for keys, headers and URLs. */
void config_complain_shown(const struct config_slot *s, const char *why);

/* The readers of lists (config_list.c). */
void config_read_addresses(const struct config_slot *s);
void config_read_address(const struct config_slot *s);
void config_read_hosts(const struct config_slot *s);
void config_read_origins(const struct config_slot *s);
void config_read_header_names(const struct config_slot *s);
void config_read_headers(const struct config_slot *s);
void config_read_model_names(const struct config_slot *s);

/* Those of callers' keys (config_keys.c), none of which shows what it read. */
void config_read_key_name(const struct config_slot *s);
void config_read_sha256(const struct config_slot *s);
void config_read_caller_key(const struct config_slot *s);

/* What one of `keys:` lacks, and whether it is another one than those before it in the list. */
void config_check_key(struct config_reading *rd, const struct config_node *node,
		      struct access_key *key);

/* The whole tree against the table, then what only several values together can be wrong about
 * (config_check.c). */
void config_check(struct config_reading *rd);

/* What follows: each upstream has what it needs; the models' targets are upstreams
 * (config_routes.c). */
void config_check_upstreams(struct config_reading *rd);
void config_read_models(struct config_reading *rd);

/* Upstreams from the environment into the tree, which has none. One line is reported when there are
 * none (config_env.c). */
void config_env_upstreams(struct config_reading *rd);

#endif
