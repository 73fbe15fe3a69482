/*
 * Reads the events of a response, and writes requests for one.
 *
 * The same text comes up to four times, and not every server sends all of them. So what was told of
 * each part is remembered by its length and a hash: where a later event has more of it, with the
 * same beginning, the rest is told; else nothing.
 *
 *	….delta ─▶ told at once ──────────╮
 *	….done, output_item.done,         ├─▶ part: n bytes told, their hash
 *	response.completed: all of it ─▶ rest ╯
 *
 * Events, and items, that are not known here have no counterpart elsewhere. Their frames pass.
 */
#include "codec/dialects/responses.h"

#include <stdlib.h>
#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/tool_calls.h"

/* More than this of one response is not read. */
#define ITEMS_MAX 1024
#define PARTS_MAX 4096

#define COUNT(a)    (sizeof(a) / sizeof(*(a)))
#define REPLACEMENT SL_LIT("\xef\xbf\xbd")

enum item_kind { ITEM_OTHER, ITEM_MESSAGE, ITEM_REASONING, ITEM_CALL, ITEM_CUSTOM_CALL };

/* Reasoning comes as it is or as a summary; where both come the first one is told. */
enum source { SOURCE_NONE, SOURCE_TEXT, SOURCE_SUMMARY };

/* What an event, or the response, says of which item it means. Servers make up new ids from event
 * to event, or leave them out, or number everything 0. */
struct item_key {
	uint64_t id, call_id; /* hashes; 0: none */
	int64_t place;        /* output_index; -1: none */
};

struct responses_item {
	enum item_kind kind;
	struct item_key key;
	enum source source;
	uint32_t call;           /* a call's index */
	bool started;            /* the call was told of */
	bool ended;              /* nothing more will be told of it */
	enum sl_event_kind told; /* the kind of its last delta; 0: there was none */
};

struct responses_part {
	size_t item; /* its index */
	enum sl_event_kind kind;
	int64_t index; /* among the item's content, or summaries */
	size_t n;      /* bytes told … */
	uint64_t hash; /* … and their hash */
	uint32_t half; /* of a surrogate pair at the end of the last delta */
	bool closed;   /* all of it has come */
};

/* The members of an event that mean something to us. */
struct response_event {
	struct sl_slice type;
	struct json type_value, item, response, error;
	struct json text; /* a fragment, or all of it: what the event is about */
	int64_t part;     /* content_index or summary_index */
	struct item_key key;
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

/* ---- Items and their parts */

/* The array with room for one more; NULL (noted) without. */
static void *with_room(void *array, size_t n, size_t *cap, size_t max, size_t size,
		       struct decoded *d)
{
	size_t more = *cap ? 2 * *cap : 4;

	if (n < *cap)
		return array;
	if (n == max) {
		decoded_note(d, -SL_E_LIMIT);
		return NULL;
	}
	array = realloc(array, more * size);
	if (!array)
		decoded_note(d, -SL_E_NOMEM);
	else
		*cap = more;
	return array;
}

static struct responses_item *add_item(struct responses *s, enum item_kind kind,
				       struct item_key key, struct decoded *d)
{
	struct responses_item *items =
		with_room(s->items, s->n_items, &s->cap_items, ITEMS_MAX, sizeof(*items), d);

	if (!items)
		return NULL;
	s->items = items;
	s->items[s->n_items] = (struct responses_item){.kind = kind, .key = key};
	return &s->items[s->n_items++];
}

static uint64_t hash_of(struct json id)
{
	return id.type == JSON_STRING && id.raw.n > 2 ? tool_calls_hash(0, id.raw) : 0;
}

static struct item_key key_of(struct json item, int64_t place)
{
	return (struct item_key){
		.id = hash_of(json_get(item, "id")),
		.call_id = hash_of(json_get(item, "call_id")),
		.place = place,
	};
}

/* The newest item that fits best; NULL. A call's own id decides, then id, then place. */
static struct responses_item *find_item(const struct responses *s, enum item_kind kind,
					struct item_key key)
{
	struct responses_item *best = NULL;
	int best_fit = 0;

	for (size_t i = s->n_items; i-- > 0 && best_fit < 3;) {
		struct responses_item *item = &s->items[i];
		int fit;

		if (item->kind != kind)
			continue;
		if (key.call_id && item->key.call_id) {
			if (key.call_id == item->key.call_id)
				return item;
			continue;
		}
		fit = (key.id && key.id == item->key.id ? 2 : 0) +
		      (key.place >= 0 && key.place == item->key.place ? 1 : 0);
		if (fit > best_fit) {
			best = item;
			best_fit = fit;
		}
	}
	return best;
}

/* The item that an event of a stream means. */
static struct responses_item *item_of(struct responses *s, enum item_kind kind, struct item_key key,
				      struct decoded *d)
{
	struct responses_item *item = find_item(s, kind, key);

	for (size_t i = s->n_items; !item && !key.id && key.place < 0 && i-- > 0;) {
		if (s->items[i].kind == kind && !s->items[i].ended)
			item = &s->items[i];
	}
	return item ? item : add_item(s, kind, key, d);
}

static struct responses_part *part_of(struct responses *s, const struct responses_item *item,
				      enum sl_event_kind kind, int64_t index, struct decoded *d)
{
	size_t owner = (size_t)(item - s->items);
	struct responses_part *parts;

	for (size_t i = s->n_parts; i-- > 0;) {
		if (s->parts[i].item == owner && s->parts[i].kind == kind &&
		    s->parts[i].index == index)
			return &s->parts[i];
	}
	parts = with_room(s->parts, s->n_parts, &s->cap_parts, PARTS_MAX, sizeof(*parts), d);
	if (!parts)
		return NULL;
	s->parts = parts;
	parts[s->n_parts] = (struct responses_part){.item = owner, .kind = kind, .index = index};
	return &parts[s->n_parts++];
}

/* ---- What is told of a part */

static void tell(struct responses_item *item, struct responses_part *part, struct sl_slice text,
		 struct decoded *d)
{
	if (!text.n)
		return;
	if (part->kind == SL_EVENT_REASONING && part->n == 0 && item->told)
		decoded_add_text(d, SL_EVENT_REASONING, 0, SL_LIT("\n\n"));
	part->hash = tool_calls_hash(part->hash, text);
	part->n += text.n;
	item->told = part->kind;
	decoded_add(d, &(struct sl_event){.kind = part->kind, .index = item->call, .s[0] = text});
}

static bool begins_as_told(const struct responses_part *part, struct sl_slice all)
{
	return all.n >= part->n &&
	       (part->n == 0 || tool_calls_hash(0, sl_slice(all.p, part->n)) == part->hash);
}

/* No more comes of it: a half of a pair stays one. */
static void close_part(struct responses_item *item, struct responses_part *part, struct decoded *d)
{
	if (part->half)
		tell(item, part, REPLACEMENT, d);
	part->half = 0;
	part->closed = true;
}

static void tell_rest(struct responses_item *item, struct responses_part *part, struct json whole,
		      struct decoded *d)
{
	struct sl_slice all;

	if (part->closed)
		return;
	all = decoded_string(d, whole, NULL);
	if (!all.n) /* left out, as likely as not: a later event may have it */
		return;
	if (begins_as_told(part, all)) {
		part->half = 0;
		tell(item, part, sl_slice(all.p + part->n, all.n - part->n), d);
	}
	close_part(item, part, d);
}

static void tell_whole_part(struct responses *s, struct responses_item *item,
			    enum sl_event_kind kind, int64_t index, struct json whole,
			    struct decoded *d)
{
	struct responses_part *part = part_of(s, item, kind, index, d);

	if (part)
		tell_rest(item, part, whole, d);
}

static void close_parts(struct responses *s, struct responses_item *item, struct decoded *d)
{
	for (size_t i = 0; i < s->n_parts; i++) {
		if (s->parts[i].item == (size_t)(item - s->items))
			close_part(item, &s->parts[i], d);
	}
}

/* ---- Items that are complete */

static void start_call(struct responses *s, struct responses_item *item, struct json call,
		       struct decoded *d)
{
	struct sl_slice id = decoded_string(d, json_get(call, "call_id"), NULL);
	struct sl_slice name = decoded_string(d, json_get(call, "name"), NULL);

	if (s->n_calls == TOOL_CALLS_MAX) {
		decoded_note(d, -SL_E_LIMIT);
		return;
	}
	item->call = s->n_calls++;
	item->started = true;
	if (!id.n)
		id = decoded_string(d, json_get(call, "id"), NULL);
	if (!id.n)
		id = tool_calls_make_id(s->seed, 0, item->call, d);
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_TOOL_START, .index = item->call, .s = {id, name}});
}

/* Free text, which has to become JSON to be arguments: {"input":"…"}. */
static struct sl_slice arguments_of_custom(struct json input, struct decoded *d)
{
	struct sl_slice begin = SL_LIT("{\"input\":");
	char *p = decoded_alloc(d, begin.n + input.raw.n + 1);

	if (!p)
		return (struct sl_slice){0};
	memcpy(p, begin.p, begin.n);
	memcpy(p + begin.n, input.raw.p, input.raw.n);
	p[begin.n + input.raw.n] = '}';
	return sl_slice(p, begin.n + input.raw.n + 1);
}

static void finish_call(struct responses *s, struct responses_item *item, struct json call,
			struct decoded *d)
{
	struct json input = json_get(call, "input");

	if (!item->started)
		start_call(s, item, call, d);
	if (item->kind == ITEM_CALL)
		tell_whole_part(s, item, SL_EVENT_TOOL_ARGS, 0, json_get(call, "arguments"), d);
	else if (input.type == JSON_STRING)
		decoded_add(d, &(struct sl_event){.kind = SL_EVENT_TOOL_ARGS,
						  .index = item->call,
						  .s[0] = arguments_of_custom(input, d)});
	item->told = SL_EVENT_TOOL_ARGS;
}

static void finish_message(struct responses *s, struct responses_item *item, struct json message,
			   struct decoded *d)
{
	struct json_walk w;
	struct json part;
	struct sl_slice key;

	json_walk_init(&w, json_get(message, "content"));
	for (int64_t i = 0; json_walk_next(&w, &key, &part) == 1; i++) {
		if (json_is(json_get(part, "type"), "refusal"))
			tell_whole_part(s, item, SL_EVENT_REFUSAL, i, json_get(part, "refusal"), d);
		else
			tell_whole_part(s, item, SL_EVENT_TEXT, i, json_get(part, "text"), d);
	}
}

static bool has_text(struct json texts)
{
	struct json_walk w;
	struct json text;
	struct sl_slice key;

	json_walk_init(&w, texts);
	while (json_walk_next(&w, &key, &text) == 1) {
		struct json string = json_get(text, "text");

		if (string.type == JSON_STRING && string.raw.n > 2)
			return true;
	}
	return false;
}

static void finish_reasoning(struct responses *s, struct responses_item *item,
			     struct json reasoning, struct decoded *d)
{
	struct json texts = json_get(reasoning, "content"), text;
	struct sl_slice signature =
		decoded_string(d, json_get(reasoning, "encrypted_content"), NULL);
	struct json_walk w;
	struct sl_slice key;

	if (item->source == SOURCE_SUMMARY || (item->source == SOURCE_NONE && !has_text(texts)))
		texts = json_get(reasoning, "summary");
	json_walk_init(&w, texts);
	for (int64_t i = 0; json_walk_next(&w, &key, &text) == 1; i++)
		tell_whole_part(s, item, SL_EVENT_REASONING, i, json_get(text, "text"), d);
	close_parts(s, item, d);
	if (!signature.n)
		return;
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_SIGNATURE, .n0 = !item->told, .s[0] = signature});
	item->told = SL_EVENT_REASONING;
}

static void learn_key(struct responses_item *item, struct item_key key)
{
	if (!item->key.id)
		item->key.id = key.id;
	if (!item->key.call_id)
		item->key.call_id = key.call_id;
}

/* Tells what was not told of an item that is complete, and that it is. */
static void finish_item(struct responses *s, struct responses_item *item, struct json object,
			struct decoded *d)
{
	if (item->ended)
		return;
	item->ended = true;
	learn_key(item, key_of(object, -1));
	if (item->kind == ITEM_MESSAGE)
		finish_message(s, item, object, d);
	else if (item->kind == ITEM_REASONING)
		finish_reasoning(s, item, object, d);
	else
		finish_call(s, item, object, d);
	close_parts(s, item, d);
	if (item->told)
		decoded_add(d, &(struct sl_event){.kind = SL_EVENT_PART_END,
						  .index = item->call,
						  .n0 = item->told});
}

/* ---- Events */

static enum item_kind kind_of(struct json item)
{
	struct json type = json_get(item, "type");

	if (json_is(type, "message"))
		return ITEM_MESSAGE;
	if (json_is(type, "reasoning"))
		return ITEM_REASONING;
	if (json_is(type, "function_call"))
		return ITEM_CALL;
	return json_is(type, "custom_tool_call") ? ITEM_CUSTOM_CALL : ITEM_OTHER;
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
			e->key.id = hash_of(value);
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
	enum item_kind item;
	enum sl_event_kind kind;
	enum source source;
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
	struct responses_item *item = item_of(s, row->item, e->key, d);
	struct responses_part *part;

	if (item && item->ended && !row->whole) /* a new one that was not announced */
		item = add_item(s, row->item, e->key, d);
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
	part = part_of(s, item, row->kind, e->part, d);
	if (!part || part->closed)
		return;
	if (row->whole)
		tell_rest(item, part, e->text, d);
	else
		tell(item, part, decoded_string(d, e->text, &part->half), d);
}

static void read_added(struct responses *s, const struct response_event *e, struct decoded *d)
{
	struct item_key key = key_of(e->item, e->key.place);
	enum item_kind kind = kind_of(e->item);
	struct json name = json_get(e->item, "name");
	struct responses_item *item;

	if (kind == ITEM_OTHER)
		return;
	item = find_item(s, kind, key);
	if (!item || item->ended || item->key.id != key.id || item->key.place != key.place)
		item = add_item(s, kind, key, d);
	if (item && kind >= ITEM_CALL && !item->started && name.type == JSON_STRING &&
	    name.raw.n > 2)
		start_call(s, item, e->item, d);
}

static void read_done(struct responses *s, const struct response_event *e, struct decoded *d)
{
	enum item_kind kind = kind_of(e->item);
	struct responses_item *item;

	if (kind == ITEM_OTHER)
		return;
	item = item_of(s, kind, key_of(e->item, e->key.place), d);
	if (item)
		finish_item(s, item, e->item, d);
}

/* The n-th item of that kind. Calls that have ids are known by them. */
static struct responses_item *nth_item(const struct responses *s, enum item_kind kind,
				       struct item_key key, size_t n)
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
		enum item_kind kind = kind_of(object);
		struct item_key key = key_of(object, -1);
		struct responses_item *item;

		if (kind == ITEM_OTHER)
			continue;
		item = find_item(s, kind, key);
		if (!item)
			item = nth_item(s, kind, key, seen[kind]);
		if (!item)
			item = add_item(s, kind, key, d);
		seen[kind]++;
		if (item)
			finish_item(s, item, object, d);
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
		close_parts(s, &s->items[i], d);
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
		return e->error;
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

static int decode_event(struct responses *s, const struct message *m, struct json object,
			struct decoded *d)
{
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

static int decode_object(struct responses *s, const struct message *m, struct json object,
			 struct decoded *d)
{
	struct splice edits;
	int r;

	splice_init(&edits);
	d->edits = &edits;
	r = decode_event(s, m, object, d);
	if (r == VERDICT_ENTRY) {
		int mended = decoded_mend(d);

		if (mended < 0)
			r = mended;
		else if (mended == 0)
			r = decoded_fail(d, SL_CODE_BAD_FRAME,
					 "the upstream sent a frame with more in it than is read");
	}
	d->edits = NULL;
	return r;
}

/* Nothing, or the end mark of another API: here it ends nothing. */
static bool is_noise(struct sl_slice data)
{
	while (data.n > 0 && memchr(" \t\r\n", *data.p, 4))
		data = sl_slice(data.p + 1, data.n - 1);
	return data.n == 0 || sl_slice_starts(data, "[DONE]");
}

int responses_decode(void *state, const struct message *m, struct decoded *d)
{
	struct responses *s = state;
	struct json object;
	int r;

	if (s->finished)
		return m->stray ? VERDICT_SKIP : VERDICT_END;
	r = decoded_line(d, m->data, &object);
	if (r < 0)
		return r;
	if (r == 1)
		return decode_object(s, m, object, d);
	if (m->stray || is_noise(m->data))
		return VERDICT_SKIP;
	if (sl_slice_is(m->name, "error")) {
		r = upstream_error_take_text(&d->error, m->data);
		return r < 0 ? r : VERDICT_FAILED;
	}
	return decoded_fail(d, SL_CODE_BAD_FRAME,
			    "the upstream sent a frame that is no JSON object");
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
