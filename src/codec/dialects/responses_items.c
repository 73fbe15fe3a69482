/* Keeps the items of a response, and tells of each part once. */
#include "codec/dialects/responses_items.h"

#include <stdlib.h>
#include <sluice/error.h>
#include "codec/tool_calls.h"

/* More than this of one response is not read. */
#define ITEMS_MAX 1024
#define PARTS_MAX 4096

#define REPLACEMENT SL_LIT("\xef\xbf\xbd")

struct responses_part {
	size_t item; /* its index */
	enum sl_event_kind kind;
	int64_t index; /* among the item's content, or summaries */
	size_t n;      /* bytes told … */
	uint64_t hash; /* … and their hash */
	uint32_t half; /* of a surrogate pair at the end of the last delta */
	bool closed;   /* all of it has come */
};

enum responses_kind responses_kind_of(struct json item)
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

struct responses_item *responses_add_item(struct responses *s, enum responses_kind kind,
					  struct responses_key key, struct decoded *d)
{
	struct responses_item *items =
		with_room(s->items, s->n_items, &s->cap_items, ITEMS_MAX, sizeof(*items), d);

	if (!items)
		return NULL;
	s->items = items;
	s->items[s->n_items] = (struct responses_item){.kind = kind, .key = key};
	return &s->items[s->n_items++];
}

uint64_t responses_hash(struct json id)
{
	return id.type == JSON_STRING && id.raw.n > 2 ? tool_calls_hash(0, id.raw) : 0;
}

struct responses_key responses_key_of(struct json item, int64_t place)
{
	return (struct responses_key){
		.id = responses_hash(json_get(item, "id")),
		.call_id = responses_hash(json_get(item, "call_id")),
		.place = place,
	};
}

struct responses_item *responses_find_item(const struct responses *s, enum responses_kind kind,
					   struct responses_key key)
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

struct responses_item *responses_item_of(struct responses *s, enum responses_kind kind,
					 struct responses_key key, struct decoded *d)
{
	struct responses_item *item = responses_find_item(s, kind, key);

	for (size_t i = s->n_items; !item && !key.id && key.place < 0 && i-- > 0;) {
		if (s->items[i].kind == kind && !s->items[i].ended)
			item = &s->items[i];
	}
	return item ? item : responses_add_item(s, kind, key, d);
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

void responses_tell_delta(struct responses *s, struct responses_item *item, enum sl_event_kind kind,
			  int64_t index, struct json delta, struct decoded *d)
{
	struct responses_part *part = part_of(s, item, kind, index, d);

	if (part && !part->closed)
		tell(item, part, decoded_string(d, delta, &part->half), d);
}

void responses_tell_whole(struct responses *s, struct responses_item *item, enum sl_event_kind kind,
			  int64_t index, struct json whole, struct decoded *d)
{
	struct responses_part *part = part_of(s, item, kind, index, d);

	if (part)
		tell_rest(item, part, whole, d);
}

void responses_close_parts(struct responses *s, struct responses_item *item, struct decoded *d)
{
	for (size_t i = 0; i < s->n_parts; i++) {
		if (s->parts[i].item == (size_t)(item - s->items))
			close_part(item, &s->parts[i], d);
	}
}

/* ---- Items that are complete */

void responses_start_call(struct responses *s, struct responses_item *item, struct json call,
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
		responses_start_call(s, item, call, d);
	if (item->kind == ITEM_CALL)
		responses_tell_whole(s, item, SL_EVENT_TOOL_ARGS, 0, json_get(call, "arguments"),
				     d);
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
			responses_tell_whole(s, item, SL_EVENT_REFUSAL, i,
					     json_get(part, "refusal"), d);
		else
			responses_tell_whole(s, item, SL_EVENT_TEXT, i, json_get(part, "text"), d);
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
		responses_tell_whole(s, item, SL_EVENT_REASONING, i, json_get(text, "text"), d);
	responses_close_parts(s, item, d);
	if (!signature.n)
		return;
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_SIGNATURE, .n0 = !item->told, .s[0] = signature});
	item->told = SL_EVENT_REASONING;
}

static void learn_key(struct responses_item *item, struct responses_key key)
{
	if (!item->key.id)
		item->key.id = key.id;
	if (!item->key.call_id)
		item->key.call_id = key.call_id;
}

void responses_finish_item(struct responses *s, struct responses_item *item, struct json object,
			   struct decoded *d)
{
	if (item->ended)
		return;
	item->ended = true;
	learn_key(item, responses_key_of(object, -1));
	if (item->kind == ITEM_MESSAGE)
		finish_message(s, item, object, d);
	else if (item->kind == ITEM_REASONING)
		finish_reasoning(s, item, object, d);
	else
		finish_call(s, item, object, d);
	responses_close_parts(s, item, d);
	if (item->told)
		decoded_add(d, &(struct sl_event){.kind = SL_EVENT_PART_END,
						  .index = item->call,
						  .n0 = item->told});
}
