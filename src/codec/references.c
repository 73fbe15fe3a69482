/* The new input is made as a whole, then spliced into the body: where nothing is found the body stays
 * the client's own. */
#include "codec/references.h"

#include <sluice/error.h>
#include "codec/prompt_read.h"
#include "codec/response_object.h"
#include "codec/splice.h"

bool reference_is_one(struct json item)
{
	struct json type = json_get(item, "type");

	if (item.type != JSON_OBJECT)
		return false;
	return json_is(type, "item_reference") ||
	       (prompt_is_absent(type) && json_get(item, "role").type == JSON_NONE);
}

/* ---- Ids */

bool reference_id_parse(struct sl_slice item_id, struct reference_id *id)
{
	const char *first = item_id.n ? memchr(item_id.p, '_', item_id.n) : NULL;
	const char *end = item_id.p + item_id.n, *digits = end;
	uint32_t part = 0;

	while (first && digits - 1 > first && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	if (!first || digits == end || end - digits > 9 || digits - 1 <= first || digits[-1] != '_')
		return false;
	for (const char *p = digits; p < end; p++)
		part = part * 10 + (uint32_t)(*p - '0');
	id->prefix = sl_slice(item_id.p, (size_t)(first + 1 - item_id.p));
	id->stream = sl_slice(first + 1, (size_t)(digits - 1 - (first + 1)));
	id->part = part;
	return true;
}

/* A string as it stands, without its quotes: no id of ours has anything in it to be escaped. */
static struct sl_slice id_in(struct json string)
{
	return string.type == JSON_STRING ? sl_slice(string.raw.p + 1, string.raw.n - 2)
					  : SL_LIT("");
}

/* ---- What is referred to */

struct output {
	const char *stream_id;
	const struct encoder_entry *end;
	const struct sl_event *only; /* NULL: all parts */
};

static void put_output(const struct output *o, struct sl_window *w)
{
	if (o->only)
		response_put_output_item(o->stream_id, o->end, o->only, w);
	else
		response_put_output(o->stream_id, o->end, w);
}

static int append_output(const struct output *o, struct sl_buf *out)
{
	struct sl_window w = sl_window(NULL, 0, SIZE_MAX);
	size_t n;
	int r;

	put_output(o, &w);
	n = SIZE_MAX - w.skip;
	r = sl_buf_reserve(out, n);
	if (r < 0)
		return r;
	w = sl_window(out->p + out->len, n, 0);
	put_output(o, &w);
	out->len += w.written;
	return 1;
}

int reference_put_item(const char *stream_id, const struct encoder_entry *end,
		       const struct reference_id *id, struct sl_buf *out)
{
	for (size_t i = 0; i < end->entry.n_events; i++) {
		const struct sl_event *event = &end->entry.events[i];
		const struct response_part_words *words = response_output_words(event);

		if (words && event->part == id->part && sl_slice_is(id->prefix, words->id_prefix))
			return append_output(&(struct output){stream_id, end, event}, out);
	}
	return 0;
}

int reference_put_output(const char *stream_id, const struct encoder_entry *end, struct sl_buf *out)
{
	return append_output(&(struct output){stream_id, end, NULL}, out);
}

/* ---- Requests */

#define BEFORE_TEXT "{\"role\":\"user\",\"content\":"
#define AROUND_TEXT sizeof(BEFORE_TEXT "}")

struct resolving {
	const struct reference_source *source;
	struct sl_buf items; /* the new input */
	size_t n, found;
};

/* A reference becomes what it refers to, or stays as it is. */
static int put_referred(struct resolving *s, struct json item)
{
	struct sl_slice id = id_in(json_get(item, "id"));
	int r;

	if (++s->n > REFERENCES_MAX)
		return -SL_E_LIMIT;
	r = s->source->put_item(s->source->arg, id, &s->items);
	if (r == 0)
		return sl_buf_put_slice(&s->items, item.raw);
	s->found++;
	return r < 0 ? r : 0;
}

/* Behind an item, in front of the next. */
static int put_comma(struct sl_buf *out)
{
	return out->len && out->p[out->len - 1] != '[' ? sl_buf_putc(out, ',') : 0;
}

/* Appends the items of an input; with `s`, what they refer to. */
static int put_input(struct resolving *s, struct json input, struct sl_buf *out)
{
	struct sl_slice key;
	struct json_walk walk;
	struct json item;
	int r = 0;

	if (input.type == JSON_STRING) {
		r = put_comma(out);
		if (r == 0)
			r = sl_buf_put_str(out, BEFORE_TEXT);
		if (r == 0)
			r = sl_buf_put_slice(out, input.raw);
		return r == 0 ? sl_buf_putc(out, '}') : r;
	}
	json_walk_init(&walk, input);
	while (r == 0 && json_walk_next(&walk, &key, &item) == 1) {
		r = put_comma(out);
		if (r == 0)
			r = s && reference_is_one(item) ? put_referred(s, item)
							: sl_buf_put_slice(out, item.raw);
	}
	return r;
}

int references_put_input(struct json input, struct sl_buf *out)
{
	/* At once, for what is kept is to be no larger than need be. */
	int r = sl_buf_reserve(out, input.raw.n + AROUND_TEXT);

	return r == 0 ? put_input(NULL, input, out) : r;
}

static bool refers(struct json input, struct json previous)
{
	struct sl_slice key;
	struct json_walk walk;
	struct json item;

	if (previous.type == JSON_STRING)
		return true;
	if (input.type != JSON_ARRAY)
		return false;
	json_walk_init(&walk, input);
	while (json_walk_next(&walk, &key, &item) == 1) {
		if (reference_is_one(item))
			return true;
	}
	return false;
}

/* 1: the response was found. */
static int put_previous(struct resolving *s, struct json previous)
{
	int r = previous.type != JSON_STRING
			? 0
			: s->source->put_conversation(s->source->arg, id_in(previous), &s->items);

	if (r == 1)
		s->found++;
	return r;
}

static void replace(struct splice *splice, const struct request_info *request, struct json value,
		    struct sl_slice by)
{
	splice_add(splice, (size_t)(value.raw.p - request->text.p), value.raw.n, by);
}

int references_resolve(const struct request_info *request, const struct reference_source *source,
		       struct sl_buf *out)
{
	struct json input = json_get(request->body, "input");
	struct json previous = json_get(request->body, "previous_response_id");
	struct resolving s = {.source = source, .items.max = out->max};
	struct splice splice;
	int r, found_previous;

	if (!refers(input, previous))
		return 0;
	splice_init(&splice);
	r = sl_buf_putc(&s.items, '[');
	if (r == 0)
		r = put_previous(&s, previous);
	found_previous = r;
	if (r >= 0)
		r = put_input(&s, input, &s.items);
	if (r == 0)
		r = sl_buf_putc(&s.items, ']');
	if (r == 0 && s.found) {
		replace(&splice, request, input, sl_buf_slice(&s.items));
		if (found_previous)
			replace(&splice, request, previous, SL_LIT("null"));
		r = splice_apply(&splice, request->text, out);
		r = r == 0 ? 1 : r;
	}
	sl_buf_fini(&s.items);
	return r;
}
