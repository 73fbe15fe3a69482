/*
 * Reads the events of a response: by their type, which stands in the data.
 *
 *	text_events ─▶ a part's text ────────────────╮
 *	output_item.added, .done ─▶ an item ─────────┼─▶ responses_items.c ─▶ events
 *	response.completed, .incomplete ─▶ all items ╯
 *
 * Events, and items, that are not known here have no counterpart elsewhere. Their frames pass.
 */
#include "codec/dialects/responses.h"

#include <stdlib.h>
#include <sluice/error.h>
#include "codec/dialects/responses_items.h"
#include "codec/json_writer.h"
#include "codec/tool_calls.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* The members of an event that mean something to us. */
struct response_event {
	struct sl_slice type;
	struct json type_value, item, response, error;
	struct json text; /* a fragment, or all of it: what the event is about */
	int64_t part;     /* content_index or summary_index */
	struct responses_key key;
};

void responses_init(void *state, const struct sl_reader_options *o)
{
	struct responses *s = state;

	*s = (struct responses){.client_key = o->client_key};
}

void responses_fini(void *state)
{
	struct responses *s = state;

	free(s->items);
	free(s->parts);
	*s = (struct responses){0};
}

bool responses_is_complete(const void *state)
{
	const struct responses *s = state;

	return s->finished;
}

static int64_t index_of(struct json v, int64_t unknown)
{
	int64_t n;

	return json_int(v, &n) == 0 && n >= 0 ? n : unknown;
}

static void read_members(struct response_event *e, struct json object)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;

	*e = (struct response_event){.key.place = -1};
	json_walk_init(&w, object);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_is(key, "type"))
			e->type_value = value;
		else if (sl_slice_is(key, "delta") || sl_slice_is(key, "text") ||
			 sl_slice_is(key, "refusal") || sl_slice_is(key, "arguments"))
			e->text = value;
		else if (sl_slice_is(key, "item_id"))
			e->key.id = responses_hash(value);
		else if (sl_slice_is(key, "output_index"))
			e->key.place = index_of(value, -1);
		else if (sl_slice_is(key, "content_index") || sl_slice_is(key, "summary_index"))
			e->part = index_of(value, 0);
		else if (sl_slice_is(key, "item"))
			e->item = value;
		else if (sl_slice_is(key, "response"))
			e->response = value;
		else if (sl_slice_is(key, "error") && upstream_error_is_set(value))
			e->error = value;
	}
	if (e->type_value.type == JSON_STRING)
		e->type = sl_slice(e->type_value.raw.p + 1, e->type_value.raw.n - 2);
}

/* The events that hold a part's text. */
static const struct text_event {
	const char *type;
	enum responses_kind item;
	enum sl_event_kind kind;
	enum responses_source source;
	bool whole;
} text_events[] = {
	{"response.output_text.delta", ITEM_MESSAGE, SL_EVENT_TEXT, SOURCE_NONE, false},
	{"response.function_call_arguments.delta", ITEM_CALL, SL_EVENT_TOOL_ARGS, SOURCE_NONE,
	 false},
	{"response.reasoning_summary_text.delta", ITEM_REASONING, SL_EVENT_REASONING,
	 SOURCE_SUMMARY, false},
	{"response.reasoning_text.delta", ITEM_REASONING, SL_EVENT_REASONING, SOURCE_TEXT, false},
	{"response.refusal.delta", ITEM_MESSAGE, SL_EVENT_REFUSAL, SOURCE_NONE, false},
	{"response.output_text.done", ITEM_MESSAGE, SL_EVENT_TEXT, SOURCE_NONE, true},
	{"response.function_call_arguments.done", ITEM_CALL, SL_EVENT_TOOL_ARGS, SOURCE_NONE, true},
	{"response.reasoning_summary_text.done", ITEM_REASONING, SL_EVENT_REASONING, SOURCE_SUMMARY,
	 true},
	{"response.reasoning_text.done", ITEM_REASONING, SL_EVENT_REASONING, SOURCE_TEXT, true},
	{"response.refusal.done", ITEM_MESSAGE, SL_EVENT_REFUSAL, SOURCE_NONE, true},
};

static const struct text_event *text_event_of(struct sl_slice type)
{
	for (size_t i = 0; i < COUNT(text_events); i++) {
		if (sl_slice_is(type, text_events[i].type))
			return &text_events[i];
	}
	return NULL;
}

static void read_text(struct responses *s, const struct text_event *row,
		      const struct response_event *e, struct decoded *d)
{
	struct responses_item *item = responses_item_of(s, row->item, e->key, d);

	if (item && item->ended && !row->whole) /* a new one that was not announced */
		item = responses_add_item(s, row->item, e->key, d);
	if (!item || item->ended || e->text.type != JSON_STRING)
		return;
	/* A call without id and name cannot be told of: they come with its item, and all of its
	 * arguments again. */
	if (row->item == ITEM_CALL && !item->started)
		return;
	if (item->source == SOURCE_NONE && e->text.raw.n > 2)
		item->source = row->source;
	if (item->source != row->source)
		return;
	if (row->whole)
		responses_tell_whole(s, item, row->kind, e->part, e->text, d);
	else
		responses_tell_delta(s, item, row->kind, e->part, e->text, d);
}

static void read_added(struct responses *s, const struct response_event *e, struct decoded *d)
{
	struct responses_key key = responses_key_of(e->item, e->key.place);
	enum responses_kind kind = responses_kind_of(e->item);
	struct json name = json_get(e->item, "name");
	struct responses_item *item;

	if (kind == ITEM_OTHER)
		return;
	item = responses_find_item(s, kind, key);
	if (!item || item->ended || item->key.id != key.id || item->key.place != key.place)
		item = responses_add_item(s, kind, key, d);
	if (item && kind >= ITEM_CALL && !item->started && name.type == JSON_STRING &&
	    name.raw.n > 2)
		responses_start_call(s, item, e->item, d);
}

static void read_done(struct responses *s, const struct response_event *e, struct decoded *d)
{
	enum responses_kind kind = responses_kind_of(e->item);
	struct responses_item *item;

	if (kind == ITEM_OTHER)
		return;
	item = responses_item_of(s, kind, responses_key_of(e->item, e->key.place), d);
	if (item)
		responses_finish_item(s, item, e->item, d);
}

/* The n-th item of that kind. Calls that have ids are known by them. */
static struct responses_item *nth_item(const struct responses *s, enum responses_kind kind,
				       struct responses_key key, size_t n)
{
	for (size_t i = 0; i < s->n_items; i++) {
		struct responses_item *item = &s->items[i];

		if (item->kind == kind && n-- == 0)
			return key.call_id && item->key.call_id ? NULL : item;
	}
	return NULL;
}

/* The response's items are not in the places where they were in the stream: some are left out. */
static void read_output(struct responses *s, struct json output, struct decoded *d)
{
	size_t seen[ITEM_CUSTOM_CALL + 1] = {0};
	struct json_walk w;
	struct json object;
	struct sl_slice no_key;

	json_walk_init(&w, output);
	while (d->failure == 0 && json_walk_next(&w, &no_key, &object) == 1) {
		enum responses_kind kind = responses_kind_of(object);
		struct responses_key key = responses_key_of(object, -1);
		struct responses_item *item;

		if (kind == ITEM_OTHER)
			continue;
		item = responses_find_item(s, kind, key);
		if (!item)
			item = nth_item(s, kind, key, seen[kind]);
		if (!item)
			item = responses_add_item(s, kind, key, d);
		seen[kind]++;
		if (item)
			responses_finish_item(s, item, object, d);
	}
}

static void read_meta(struct responses *s, struct json response, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_META};

	if (s->meta_given || response.type != JSON_OBJECT)
		return;
	e.s[0] = decoded_string(d, json_get(response, "id"), NULL);
	e.s[1] = decoded_string(d, json_get(response, "model"), NULL);
	if (!e.s[0].n && !e.s[1].n)
		return;
	e.n0 = index_of(json_get(response, "created_at"), 0);
	s->meta_given = true;
	s->seed = tool_calls_hash(0, e.s[0]);
	decoded_add(d, &e);
}

static void read_usage(struct json usage, struct decoded *d)
{
	struct json in = json_get(usage, "input_tokens_details");
	struct json out = json_get(usage, "output_tokens_details");
	struct sl_event e = {
		.kind = SL_EVENT_USAGE,
		.usage =
			{
				.prompt = index_of(json_get(usage, "input_tokens"), -1),
				.completion = index_of(json_get(usage, "output_tokens"), -1),
				.total = index_of(json_get(usage, "total_tokens"), -1),
				.cached = index_of(json_get(in, "cached_tokens"), -1),
				.cache_write = index_of(json_get(in, "cache_write_tokens"), -1),
				.reasoning = index_of(json_get(out, "reasoning_tokens"), -1),
			},
	};

	if (sl_usage_known(&e.usage))
		decoded_add(d, &e);
}

static void read_end(struct responses *s, struct json response, bool complete, struct decoded *d)
{
	struct sl_slice native =
		decoded_string(d, json_get2(response, "incomplete_details", "reason"), NULL);
	struct sl_slice reason = s->n_calls ? SL_LIT("tool_calls") : SL_LIT("stop");

	if (native.n || !complete)
		reason = sl_slice_is(native, "content_filter") ? native : SL_LIT("length");
	if (!native.n)
		native = complete ? SL_LIT("completed") : SL_LIT("incomplete");
	decoded_add(d, &(struct sl_event){.kind = SL_EVENT_FINISH, .s = {reason, native}});
	s->finished = true;
}

static void read_terminal(struct responses *s, struct json response, bool complete,
			  struct decoded *d)
{
	read_output(s, json_get(response, "output"), d);
	for (size_t i = 0; i < s->n_items; i++)
		responses_close_parts(s, &s->items[i], d);
	read_usage(json_get(response, "usage"), d);
	read_end(s, response, complete, d);
}

static void read_event(struct responses *s, const struct response_event *e, struct decoded *d)
{
	const struct text_event *row = text_event_of(e->type);

	if (row) {
		read_text(s, row, e, d);
		return;
	}
	read_meta(s, e->response, d);
	if (sl_slice_is(e->type, "response.output_item.added"))
		read_added(s, e, d);
	else if (sl_slice_is(e->type, "response.output_item.done"))
		read_done(s, e, d);
	else if (sl_slice_is(e->type, "response.completed"))
		read_terminal(s, e->response, true, d);
	else if (sl_slice_is(e->type, "response.incomplete"))
		read_terminal(s, e->response, false, d);
}

/* ---- Failures */

static int fail_with(struct responses *s, struct json error, struct decoded *d)
{
	int r = upstream_error_take(&d->error, error, s->client_key);

	return r < 0 ? r : VERDICT_FAILED;
}

/* An event that is the error itself: without what belongs to the event. */
static struct json error_of_event(struct json event, struct decoded *d)
{
	static const char *const names[] = {"code", "message", "param"};
	struct json_writer w;
	struct json error = {JSON_OBJECT, {0}};

	if (json_get(event, "message").type != JSON_STRING)
		return event;
	d->piece.len = 0;
	json_writer_init(&w, &d->piece);
	json_writer_object(&w);
	for (size_t i = 0; i < COUNT(names); i++)
		json_writer_member(&w, names[i], json_get(event, names[i]));
	json_writer_close(&w);
	decoded_note(d, w.failure);
	error.raw = decoded_keep_piece(d);
	return error;
}

static bool is_response_event(struct sl_slice type)
{
	return sl_slice_starts(type, "response.");
}

/* The error that an event is about, or type JSON_NONE. */
static struct json find_error(const struct message *m, const struct response_event *e,
			      struct json object, struct decoded *d)
{
	struct json found;

	if (is_response_event(e->type))
		return (struct json){0};
	if (e->error.type != JSON_NONE)
		return upstream_error_described(e->error, object);
	if (sl_slice_is(e->type, "error") || sl_slice_is(m->name, "error"))
		return error_of_event(object, d);
	found = upstream_error_find(object);
	return m->stray || json_is(json_get(object, "object"), "error") ? found : (struct json){0};
}

/* ---- Messages */

/* A name that can stand in JSON as it is. */
static bool is_plain_name(struct sl_slice name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '.' && name.p[i] != '_' && (name.p[i] < 'a' || name.p[i] > 'z'))
			return false;
	}
	return is_response_event(name);
}

/* Clients look into the data for the type: a server that tells it in the event's name alone is
 * helped. */
static void mend_type(struct sl_slice name, struct json object, struct decoded *d)
{
	struct sl_slice begin = SL_LIT("\"type\":\"");
	struct sl_slice end = decoded_is_empty(object) ? SL_LIT("\"") : SL_LIT("\",");
	char *p = decoded_alloc(d, begin.n + name.n + end.n);

	if (!p)
		return;
	memcpy(p, begin.p, begin.n);
	memcpy(p + begin.n, name.p, name.n);
	memcpy(p + begin.n + name.n, end.p, end.n);
	decoded_edit(d, object.raw.p + 1, 0, sl_slice(p, begin.n + name.n + end.n));
}

static int read_frame(void *state, const struct message *m, struct json object, struct decoded *d)
{
	struct responses *s = state;
	struct response_event e;
	struct json error;

	read_members(&e, object);
	if (e.type_value.type == JSON_NONE && is_plain_name(m->name)) {
		e.type = m->name;
		mend_type(m->name, object, d);
	}
	error = find_error(m, &e, object, d);
	if (error.type != JSON_NONE)
		return fail_with(s, error, d);
	if (m->stray)
		return VERDICT_SKIP;
	if (sl_slice_is(e.type, "response.failed")) {
		error = json_get(e.response, "error");
		return upstream_error_is_set(error)
			       ? fail_with(s, error, d)
			       : decoded_fail(d, "", "the upstream's response failed");
	}
	read_event(s, &e, d);
	return VERDICT_ENTRY;
}

int responses_decode(void *state, const struct message *m, struct decoded *d)
{
	struct responses *s = state;

	if (s->finished)
		return m->stray ? VERDICT_SKIP : VERDICT_END;
	if (!m->stray && message_is_done(m)) /* another API's end mark: here it ends nothing */
		return VERDICT_SKIP;
	return decoded_read(d, m, read_frame, s);
}

/* A complete body is what the last event of a stream holds. */
int responses_unfold(struct json body, struct sl_buf *chunk, struct sl_buf *usage)
{
	static const char *const ends[] = {"completed", "incomplete", "failed"};
	struct json status = json_get(body, "status");
	const char *end = status.type == JSON_NONE ? "completed" : NULL;
	int r;

	(void)usage; /* it belongs to that event */
	for (size_t i = 0; i < COUNT(ends) && !end; i++)
		end = json_is(status, ends[i]) ? ends[i] : NULL;
	if (!end || json_get(body, "output").type != JSON_ARRAY)
		return 0;
	r = sl_buf_printf(chunk,
			  "{\"type\":\"response.%s\",\"sequence_number\":0,\"response\":", end);
	if (r == 0)
		r = sl_buf_put_slice(chunk, body.raw);
	if (r == 0)
		r = sl_buf_putc(chunk, '}');
	return r < 0 ? r : 1;
}
