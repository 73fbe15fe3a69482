/* Unfolds a body by copying it member by member. Rare: some servers do not stream with tools, or
 * not at all. */
#include "codec/whole.h"

#include <stdbool.h>
#include <sluice/error.h>

/* "key":value with the comma that it needs behind what stands there. */
static int put_member(struct sl_buf *out, struct sl_slice key, struct sl_slice value)
{
	int r = 0;

	if (out->p[out->len - 1] != '{')
		r = sl_buf_putc(out, ',');
	if (r == 0)
		r = sl_buf_putc(out, '"');
	if (r == 0)
		r = sl_buf_put_slice(out, key);
	if (r == 0)
		r = sl_buf_put_str(out, "\":");
	return r == 0 ? sl_buf_put_slice(out, value) : r;
}

static int put_between(struct sl_buf *out, bool first)
{
	return first ? 0 : sl_buf_putc(out, ',');
}

static int put_tool_call(struct sl_buf *out, struct json call, unsigned index)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int r = sl_buf_printf(out, "{\"index\":%u", index);

	json_walk_init(&w, call);
	while (r == 0 && json_walk_next(&w, &key, &value) == 1) {
		if (!sl_slice_is(key, "index"))
			r = put_member(out, key, value.raw);
	}
	return r == 0 ? sl_buf_putc(out, '}') : r;
}

static int put_tool_calls(struct sl_buf *out, struct json calls)
{
	struct json_walk w;
	struct json call;
	struct sl_slice key;
	unsigned index = 0;
	int r = put_member(out, SL_LIT("tool_calls"), SL_LIT("["));

	json_walk_init(&w, calls);
	while (r == 0 && json_walk_next(&w, &key, &call) == 1) {
		if (call.type != JSON_OBJECT)
			continue;
		r = put_between(out, index == 0);
		if (r == 0)
			r = put_tool_call(out, call, index++);
	}
	return r == 0 ? sl_buf_putc(out, ']') : r;
}

static int put_delta(struct sl_buf *out, struct json message)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int r = put_member(out, SL_LIT("delta"), SL_LIT("{"));

	json_walk_init(&w, message);
	while (r == 0 && json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_is(key, "tool_calls") && value.type == JSON_ARRAY)
			r = put_tool_calls(out, value);
		else
			r = put_member(out, key, value.raw);
	}
	return r == 0 ? sl_buf_putc(out, '}') : r;
}

static int put_choice(struct sl_buf *out, struct json choice)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int r = sl_buf_putc(out, '{');

	json_walk_init(&w, choice);
	while (r == 0 && json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_is(key, "message") && value.type == JSON_OBJECT)
			r = put_delta(out, value);
		else
			r = put_member(out, key, value.raw);
	}
	return r == 0 ? sl_buf_putc(out, '}') : r;
}

static bool is_answer(struct json choice)
{
	return json_get(choice, "message").type == JSON_OBJECT ||
	       json_get(choice, "text").type == JSON_STRING;
}

static int put_choices(struct sl_buf *out, struct json choices)
{
	struct json_walk w;
	struct json choice;
	struct sl_slice key;
	bool first = true;
	int r = put_member(out, SL_LIT("choices"), SL_LIT("["));

	json_walk_init(&w, choices);
	while (r == 0 && json_walk_next(&w, &key, &choice) == 1) {
		if (!is_answer(choice))
			continue;
		r = put_between(out, first);
		if (r == 0)
			r = put_choice(out, choice);
		first = false;
	}
	return r == 0 ? sl_buf_putc(out, ']') : r;
}

/* The body's members as those of a chunk, but for its choices and, where it is to stand apart, its
 * usage. */
static int put_head(struct sl_buf *out, struct json body, bool with_usage)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int r = sl_buf_putc(out, '{');

	json_walk_init(&w, body);
	while (r == 0 && json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_is(key, "choices") || (sl_slice_is(key, "usage") && !with_usage))
			continue;
		if (sl_slice_is(key, "object") && json_is(value, "chat.completion"))
			value.raw = SL_LIT("\"chat.completion.chunk\"");
		r = put_member(out, key, value.raw);
	}
	return r;
}

static int put_usage_chunk(struct sl_buf *out, struct json body, struct json usage)
{
	int r = put_head(out, body, false);

	if (r == 0)
		r = put_member(out, SL_LIT("choices"), SL_LIT("[]"));
	if (r == 0)
		r = put_member(out, SL_LIT("usage"), usage.raw);
	return r == 0 ? sl_buf_putc(out, '}') : r;
}

static bool has_answer(struct json choices)
{
	struct json_walk w;
	struct json choice;
	struct sl_slice key;

	if (choices.type != JSON_ARRAY)
		return false;
	json_walk_init(&w, choices);
	while (json_walk_next(&w, &key, &choice) == 1) {
		if (is_answer(choice))
			return true;
	}
	return false;
}

int whole_unfold(struct json body, struct sl_buf *chunk, struct sl_buf *usage)
{
	struct json choices = json_get(body, "choices"), counts = json_get(body, "usage");
	int r;

	if (!has_answer(choices))
		return 0;
	r = put_head(chunk, body, !usage);
	if (r == 0)
		r = put_choices(chunk, choices);
	if (r == 0)
		r = sl_buf_putc(chunk, '}');
	if (r == 0 && usage && counts.type == JSON_OBJECT)
		r = put_usage_chunk(usage, body, counts);
	return r < 0 ? r : 1;
}
