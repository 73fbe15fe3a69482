/* The readers of lists. One text is a list of one; each item that is wrong is told, and the good
 * ones stay. */
#include "app/config_read.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "app/config_value.h"

/* How lists are stored, whatever they are of: a pointer with the count right behind it. */
struct list {
	void *items;
	size_t n;
} __attribute__((may_alias));
#define IS_LIST(type, first, count)                                                               \
	_Static_assert(offsetof(type, count) == offsetof(type, first) + offsetof(struct list, n), \
		       "the count stands behind the list")
IS_LIST(struct server_options, listen, n_listen);
IS_LIST(struct server_options, hosts, n_hosts);
IS_LIST(struct server_options, cors_origins, n_cors_origins);
IS_LIST(struct upstream_options, headers, n_headers);
IS_LIST(struct upstream_options, forward_headers, n_forward_headers);
IS_LIST(struct access_key, models, n_models);

/* Puts item->text to item->into. NULL, or why not; what it put is taken away again by itself then.
 */
typedef const char *item_reader(const struct config_slot *item, const struct list *before);

static bool is_collection(const struct config_slot *s, enum config_kind kind)
{
	if (s->node->kind == kind || (kind == CONFIG_LIST && s->node->kind == CONFIG_TEXT))
		return true;
	config_complain(s->rd->report, s->node, NULL, "expected %s, found %s", s->row->type,
			config_kind_name(s->node->kind));
	return false;
}

static void read_items(const struct config_slot *s, enum config_kind kind, size_t size,
		       item_reader *read)
{
	struct list *list = s->into;
	const struct config_node *node = s->node->kind == CONFIG_TEXT ? s->node : s->node->first;

	if (!is_collection(s, kind))
		return;
	list->items = calloc(s->node->n + 1, size);
	if (!list->items) {
		config_complain_memory(s->rd->report);
		return;
	}
	for (; node; node = node == s->node ? NULL : node->next) {
		struct config_slot item = *s;
		const char *why;

		item.node = node;
		item.into = (char *)list->items + list->n * size;
		item.text = config_read_text(s->rd, "text", node);
		if (!item.text)
			continue;
		why = read(&item, list);
		if (!why)
			list->n++;
		else if (kind == CONFIG_MAP) /* header values are nobody's business */
			config_complain(s->rd->report, node, NULL, "%s", why);
		else
			config_complain_shown(&item, why);
	}
}

static const char *put_copy(const struct config_slot *item, const char *why)
{
	if (!why)
		*(char **)item->into = strdup(item->text);
	return why || *(char **)item->into ? why : "not enough memory";
}

/* The tree is whole already: where in the file the keys stand does not matter. */
static const char *check_reach(const struct config_slot *s, const struct listen_address *a)
{
	if (a->loopback || !config_node_is_empty(config_node_child(s->rd->tree->root, "keys")))
		return NULL;
	return "other machines can reach it, which needs `keys` that say who may call: add some, "
	       "or listen on 127.0.0.1";
}

static const char *put_address(const struct config_slot *item, const struct list *before)
{
	const struct listen_address *others = before->items;
	struct listen_address *a = item->into;
	const char *why = config_address(item->text, a);

	if (!why)
		why = check_reach(item, a);
	for (size_t i = 0; !why && i < before->n; i++) {
		if (strcmp(others[i].text, a->text) == 0 && (a->is_unix || a->port))
			why = "stands there twice";
	}
	if (why)
		config_address_fini(a);
	return why;
}

void config_read_addresses(const struct config_slot *s)
{
	if (s->node->kind == CONFIG_LIST && !s->node->first)
		config_complain(s->rd->report, s->node, NULL, "needs one address at least");
	read_items(s, CONFIG_LIST, sizeof(struct listen_address), put_address);
}

void config_read_address(const struct config_slot *s)
{
	struct listen_address a = {0};
	const char *why = *s->text ? config_address(s->text, &a) : NULL;

	if (!why && *s->text)
		why = check_reach(s, &a);
	if (why)
		config_complain_shown(s, why);
	else
		*(char **)s->into = config_read_copy(s->rd, s->text);
	config_address_fini(&a);
}

static const char *put_host(const struct config_slot *item, const struct list *before)
{
	(void)before;
	return put_copy(item, config_host_name(item->text));
}

void config_read_hosts(const struct config_slot *s)
{
	read_items(s, CONFIG_LIST, sizeof(char *), put_host);
}

static const char *put_origin(const struct config_slot *item, const struct list *before)
{
	(void)before;
	return put_copy(item, config_origin(item->text));
}

void config_read_origins(const struct config_slot *s)
{
	read_items(s, CONFIG_LIST, sizeof(char *), put_origin);
}

static const char *put_model_name(const struct config_slot *item, const struct list *before)
{
	char *const *others = before->items;

	if (!*item->text || strlen(item->text) > CONFIG_MODEL_MAX_BYTES ||
	    !config_is_header_text(item->text))
		return "no name of a model";
	for (size_t i = 0; i < before->n; i++) {
		if (strcmp(others[i], item->text) == 0)
			return "stands there twice";
	}
	return put_copy(item, NULL);
}

void config_read_model_names(const struct config_slot *s)
{
	read_items(s, CONFIG_LIST, sizeof(char *), put_model_name);
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++) {
		if (strcasecmp(name, *names) == 0)
			return true;
	}
	return false;
}

/* What the connection itself says. */
static const char *const framing[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection",
				      NULL};

static const char *put_header_name(const struct config_slot *item, const struct list *before)
{
	static const char *const callers[] = {"Authorization",  "X-Api-Key", "Api-Key",
					      "X-Goog-Api-Key", "Cookie",    NULL};
	static const char *const hops[] = {
		"Keep-Alive", "TE", "Trailer", "Upgrade", "Expect", "Proxy-Authorization", NULL};
	char *const *others = before->items;

	if (!config_is_token(item->text))
		return "no name of a header";
	if (is_one_of(item->text, framing) || is_one_of(item->text, hops))
		return "belongs to one connection and cannot go on";
	if (is_one_of(item->text, callers))
		return "is the caller's secret: with key: client their key goes upstream";
	for (size_t i = 0; i < before->n; i++) {
		if (strcasecmp(others[i], item->text) == 0)
			return "stands there twice";
	}
	return put_copy(item, NULL);
}

void config_read_header_names(const struct config_slot *s)
{
	read_items(s, CONFIG_LIST, sizeof(char *), put_header_name);
}

static const char *put_header(const struct config_slot *item, const struct list *before)
{
	const struct upstream_header *others = before->items;
	struct upstream_header *h = item->into;

	if (!config_is_token(item->node->key))
		return "no name of a header";
	if (is_one_of(item->node->key, framing))
		return "cannot be set: it belongs to the connection";
	if (!config_is_header_text(item->text))
		return "has a line break or another control character in it";
	for (size_t i = 0; i < before->n; i++) {
		if (strcasecmp(others[i].name, item->node->key) == 0)
			return "stands there twice, in upper and lower case";
	}
	*h = (struct upstream_header){strdup(item->node->key), strdup(item->text)};
	if (h->name && h->value)
		return NULL;
	free(h->name);
	free(h->value);
	*h = (struct upstream_header){0};
	return "not enough memory";
}

void config_read_headers(const struct config_slot *s)
{
	read_items(s, CONFIG_MAP, sizeof(struct upstream_header), put_header);
}
