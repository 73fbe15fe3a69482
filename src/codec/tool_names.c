/* A short name: the beginning of the long one, "_", and eight digits of its hash. */
#include "codec/tool_names.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/prompt_read.h"
#include "codec/tool_calls.h"

#define HASH_LEN 9 /* "_5f0c9a1e" */

struct tool_name {
	struct tool_name *next;
	struct sl_slice name, shorter; /* in `bytes` */
	char bytes[];
};

void tool_names_fini(struct tool_names *t)
{
	while (t->list) {
		struct tool_name *next = t->list->next;

		free(t->list);
		t->list = next;
	}
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static void put_short(char *to, size_t max, struct sl_slice name)
{
	size_t n = max - HASH_LEN;
	char digits[HASH_LEN + 1];
	uint64_t hash = tool_calls_hash(0, name);

	for (size_t i = 0; i < n; i++)
		to[i] = is_plain(name.p[i]) ? name.p[i] : '_';
	snprintf(digits, sizeof(digits), "_%08" PRIx32, (uint32_t)(hash ^ hash >> 32));
	memcpy(to + n, digits, HASH_LEN);
}

static int remember(struct tool_names *t, struct sl_slice name, struct json shorter)
{
	struct sl_slice chars = sl_slice(shorter.raw.p + 1, shorter.raw.n - 2);
	struct tool_name *e = malloc(sizeof(*e) + name.n + chars.n);

	if (!e)
		return -SL_E_NOMEM;
	*e = (struct tool_name){t->list, sl_slice(e->bytes, name.n),
				sl_slice(e->bytes + name.n, chars.n)};
	memcpy(e->bytes, name.p, name.n);
	memcpy(e->bytes + name.n, chars.p, chars.n);
	t->list = e;
	return 0;
}

/* t NULL: nobody will have to know the old one. */
static int shorten(struct tool_names *t, struct prompt *p, size_t max, struct json *name)
{
	char shorter[TOOL_NAME_MAX];
	struct sl_buf text;
	int r;

	if (name->type != JSON_STRING || name->raw.n - 2 <= max)
		return 0;
	sl_buf_init(&text, SIZE_MAX);
	r = json_string(*name, &text, NULL);
	if (r == 0 && text.len > max) {
		put_short(shorter, max, sl_buf_slice(&text));
		*name = prompt_make_string(p, sl_slice(shorter, max));
		if (name->type == JSON_NONE)
			r = -SL_E_NOMEM;
		else if (t)
			r = remember(t, sl_buf_slice(&text), *name);
	}
	sl_buf_fini(&text);
	return r;
}

static int shorten_parts(struct prompt *p, size_t max, const struct prompt_message *m)
{
	int r = 0;

	for (size_t i = 0; i < m->n_parts && r == 0; i++) {
		struct prompt_part *part = &m->parts[i];

		if (part->kind == PROMPT_TOOL_CALL || part->kind == PROMPT_TOOL_RESULT)
			r = shorten(NULL, p, max, &part->name);
	}
	return r;
}

int tool_names_shorten(struct tool_names *t, struct prompt *p, size_t max)
{
	int r = 0;

	if (max == 0)
		return 0;
	assert(max > HASH_LEN && max <= TOOL_NAME_MAX);
	for (size_t i = 0; i < p->n_tools && r == 0; i++)
		r = shorten(t, p, max, &p->tools[i].name);
	if (r == 0)
		r = shorten(NULL, p, max, &p->choice_name);
	for (size_t i = 0; i < p->n_messages && r == 0; i++)
		r = shorten_parts(p, max, &p->messages[i]);
	return r;
}

struct sl_slice tool_names_restore(const struct tool_names *t, struct sl_slice name)
{
	for (const struct tool_name *e = t->list; e; e = e->next) {
		if (sl_slice_eq(e->shorter, name))
			return e->name;
	}
	return name;
}
