/*
 * YAML (and so JSON) into the tree, by libyaml's events. Bounded in bytes, depth and nodes; an
 * alias becomes a copy; what a configuration has no use for (tags, keys that are no text, several
 * documents) is refused where it stands.
 */
#include "app/config_tree.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>
#include <sluice/buf.h>
#include "app/config_report.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define DEPTH_MAX      32

struct anchor {
	struct anchor *next;
	const char *name;
	const struct config_node *node;
};

struct reading {
	struct config_tree *tree;
	struct config_report *report;
	const struct config_node *like;
	struct sl_slice text;
	yaml_parser_t parser;
	yaml_event_t event;
	struct anchor *anchors;
};

/* A node to complain about, standing where the event does. */
static struct config_node here(const struct reading *y, yaml_mark_t mark)
{
	struct config_node node = *y->like;

	if (node.line)
		node.line = (unsigned)mark.line + 1;
	return node;
}

/* libyaml names no line where the bytes themselves are wrong. */
static void complain_syntax(struct reading *y)
{
	yaml_mark_t mark = y->parser.problem_mark;
	const char *problem = y->parser.problem ? y->parser.problem : "is no YAML";
	struct config_node at;

	if (y->parser.error == YAML_MEMORY_ERROR) {
		config_complain_memory(y->report);
		return;
	}
	if (y->parser.error == YAML_READER_ERROR) {
		mark.line = 0;
		for (size_t i = 0; i < y->parser.problem_offset && i < y->text.n; i++)
			mark.line += y->text.p[i] == '\n';
	}
	at = here(y, mark);
	if (y->parser.context)
		config_complain(y->report, &at, NULL, "%s, %s", y->parser.context, problem);
	else
		config_complain(y->report, &at, NULL, "%s", problem);
}

/* The next event in y->event. false after an error. */
static bool step(struct reading *y)
{
	yaml_event_delete(&y->event);
	if (yaml_parser_parse(&y->parser, &y->event))
		return true;
	memset(&y->event, 0, sizeof(y->event));
	complain_syntax(y);
	return false;
}

static struct config_node *refuse(struct reading *y, const char *why)
{
	struct config_node at = here(y, y->event.start_mark);

	config_complain(y->report, &at, NULL, "%s", why);
	return NULL;
}

static struct config_node *no_memory(struct reading *y)
{
	config_complain_memory(y->report);
	return NULL;
}

static bool is_plain_tag(const yaml_char_t *tag)
{
	static const char *const known[] = {"str", "int", "float", "bool", "null", "seq", "map"};
	static const char prefix[] = "tag:yaml.org,2002:";
	const char *t = (const char *)tag;

	if (!t || strcmp(t, "!") == 0)
		return true;
	if (strncmp(t, prefix, strlen(prefix)) != 0)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(t + strlen(prefix), known[i]) == 0)
			return true;
	}
	return false;
}

static bool remember(struct reading *y, const char *name, const struct config_node *node)
{
	struct anchor *a;

	if (!name)
		return true;
	a = config_tree_alloc(y->tree, sizeof(*a));
	if (!a)
		return false;
	*a = (struct anchor){y->anchors, name, node};
	y->anchors = a;
	return true;
}

static struct config_node *read_alias(struct reading *y)
{
	const char *name = (const char *)y->event.data.alias.anchor;

	for (const struct anchor *a = y->anchors; a; a = a->next) {
		struct config_node *copy;

		if (strcmp(a->name, name) != 0)
			continue;
		copy = config_tree_clone(y->tree, a->node);
		return copy ? copy : no_memory(y);
	}
	return refuse(y, "an alias of what is not there before it");
}

static bool means_nothing(const yaml_event_t *e)
{
	const char *v = (const char *)e->data.scalar.value;

	return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (v[0] == 0 || strcmp(v, "~") == 0 || strcmp(v, "null") == 0);
}

static struct config_node *read_scalar(struct reading *y)
{
	const char *value = (const char *)y->event.data.scalar.value;
	size_t n = y->event.data.scalar.length;
	struct config_node like = here(y, y->event.start_mark), *node;

	if (!is_plain_tag(y->event.data.scalar.tag))
		return refuse(y, "tags are not understood here");
	if (memchr(value, 0, n))
		return refuse(y, "a NUL byte in a text");
	if (means_nothing(&y->event))
		node = config_tree_node(y->tree, &like, CONFIG_NULL);
	else
		node = config_tree_text(y->tree, &like, value);
	return node ? node : no_memory(y);
}

static struct config_node *read_value(struct reading *y, unsigned depth);

static bool read_list(struct reading *y, struct config_node *list, unsigned depth)
{
	while (step(y)) {
		struct config_node *item;

		if (y->event.type == YAML_SEQUENCE_END_EVENT)
			return true;
		item = read_value(y, depth);
		if (!item)
			return false;
		config_node_append(list, NULL, item);
	}
	return false;
}

static const char *read_key(struct reading *y)
{
	const char *key = (const char *)y->event.data.scalar.value;
	size_t n = y->event.data.scalar.length;

	if (y->event.type != YAML_SCALAR_EVENT || memchr(key, 0, n)) {
		refuse(y, "a key must be a text");
		return NULL;
	}
	key = config_tree_copy(y->tree, key, n);
	if (!key)
		no_memory(y);
	return key;
}

static bool read_map(struct reading *y, struct config_node *map, unsigned depth)
{
	while (step(y)) {
		struct config_node *value, at;
		const struct config_node *old;
		const char *key;

		if (y->event.type == YAML_MAPPING_END_EVENT)
			return true;
		key = read_key(y);
		if (!key)
			return false;
		at = here(y, y->event.start_mark);
		if (!step(y))
			return false;
		value = read_value(y, depth);
		if (!value)
			return false;
		if (value->kind != CONFIG_TEXT)
			value->line = at.line;
		old = config_node_child(map, key);
		if (!old) {
			config_node_append(map, key, value);
			continue;
		}
		/* Given a place for the message only: the first of the two stays. */
		value->parent = map;
		value->key = key;
		value->line = at.line;
		if (old->line)
			config_complain(y->report, value, NULL, "given twice, first in line %u",
					old->line);
		else
			config_complain(y->report, value, NULL, "given twice");
	}
	return false;
}

static struct config_node *read_collection(struct reading *y, unsigned depth, bool is_map)
{
	struct config_node like = here(y, y->event.start_mark), *node;
	const yaml_char_t *tag =
		is_map ? y->event.data.mapping_start.tag : y->event.data.sequence_start.tag;

	if (!is_plain_tag(tag))
		return refuse(y, "tags are not understood here");
	if (depth == DEPTH_MAX)
		return refuse(y, "nested too deep");
	node = config_tree_node(y->tree, &like, is_map ? CONFIG_MAP : CONFIG_LIST);
	if (!node)
		return no_memory(y);
	if (!(is_map ? read_map(y, node, depth + 1) : read_list(y, node, depth + 1)))
		return NULL;
	return node;
}

static const char *anchor_of(struct reading *y)
{
	const yaml_char_t *name = NULL;

	if (y->event.type == YAML_SCALAR_EVENT)
		name = y->event.data.scalar.anchor;
	else if (y->event.type == YAML_MAPPING_START_EVENT)
		name = y->event.data.mapping_start.anchor;
	else if (y->event.type == YAML_SEQUENCE_START_EVENT)
		name = y->event.data.sequence_start.anchor;
	return (const char *)name;
}

/* The value that begins with the present event. */
static struct config_node *read_value(struct reading *y, unsigned depth)
{
	const char *anchor = anchor_of(y);
	struct config_node *node;

	if (anchor) {
		anchor = config_tree_copy(y->tree, anchor, strlen(anchor));
		if (!anchor)
			return no_memory(y);
	}
	if (y->event.type == YAML_ALIAS_EVENT)
		node = read_alias(y);
	else if (y->event.type == YAML_SCALAR_EVENT)
		node = read_scalar(y);
	else
		node = read_collection(y, depth, y->event.type == YAML_MAPPING_START_EVENT);
	/* Known only when complete: so an alias never stands within what it names. */
	if (node && !remember(y, anchor, node))
		return no_memory(y);
	return node;
}

static struct config_node *read_stream(struct reading *y)
{
	struct config_node *node;

	if (!step(y) || !step(y)) /* the stream's start; a document's, or the end */
		return NULL;
	if (y->event.type == YAML_STREAM_END_EVENT) {
		node = config_tree_node(y->tree, y->like, CONFIG_NULL);
		return node ? node : no_memory(y);
	}
	if (!step(y))
		return NULL;
	node = read_value(y, 0);
	if (!node || !step(y) ||
	    !step(y)) /* the document's end; the stream's, or another document */
		return NULL;
	if (y->event.type != YAML_STREAM_END_EVENT)
		return refuse(y, "a second document: there must be one only");
	return node;
}

struct config_node *config_yaml_parse(struct config_tree *t, struct sl_slice text,
				      const struct config_node *like, struct config_report *report)
{
	struct reading y = {.tree = t, .report = report, .like = like, .text = text};
	struct config_node *node;

	if (!yaml_parser_initialize(&y.parser)) {
		config_complain_memory(report);
		return NULL;
	}
	yaml_parser_set_input_string(&y.parser, (const unsigned char *)text.p, text.n);
	node = read_stream(&y);
	yaml_event_delete(&y.event);
	yaml_parser_delete(&y.parser);
	return node;
}

struct config_node *config_yaml_read(struct config_tree *t, const char *file,
				     struct config_report *report)
{
	struct config_node like = {.origin = file, .line = 1}, *node = NULL;
	struct sl_buf text;
	FILE *f = fopen(file, "re");
	size_t n = 1;

	sl_buf_init(&text, FILE_MAX_BYTES + 1);
	if (!f) {
		config_complain_plainly(report, "%s: cannot be opened: %s", file, strerror(errno));
		return NULL;
	}
	while (n > 0 && text.len <= FILE_MAX_BYTES) {
		size_t room = FILE_MAX_BYTES + 1 - text.len;

		if (sl_buf_reserve(&text, room < 8192 ? room : 8192) < 0)
			break;
		n = fread(text.p + text.len, 1, text.cap - text.len, f);
		text.len += n;
	}
	if (ferror(f))
		config_complain_plainly(report, "%s: cannot be read: %s", file, strerror(errno));
	else if (text.len > FILE_MAX_BYTES)
		config_complain_plainly(report, "%s: is larger than 1 MiB", file);
	else if (n > 0)
		config_complain_memory(report);
	else
		node = config_yaml_parse(t, sl_buf_slice(&text), &like, report);
	fclose(f);
	sl_buf_fini(&text);
	return node;
}
