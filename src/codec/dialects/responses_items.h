/*
 * The items of a response as far as they have come, and what was told of their parts. For the file
 * that reads the events.
 *
 * The same text comes up to four times, and not every server sends all of them. So what was told of
 * each part is remembered by its length and a hash: where a later event has more of it, with the
 * same beginning, the rest is told; else nothing.
 *
 *	….delta ───────────────────╮
 *	….done                     ├─▶ part: n bytes told, their hash ─▶ what is new
 *	output_item.done           │
 *	response.completed: all ───╯
 */
#ifndef CODEC_DIALECTS_RESPONSES_ITEMS_H
#define CODEC_DIALECTS_RESPONSES_ITEMS_H

#include "codec/dialects/responses.h"

enum responses_kind { ITEM_OTHER, ITEM_MESSAGE, ITEM_REASONING, ITEM_CALL, ITEM_CUSTOM_CALL };

/* Reasoning comes as it is or as a summary; where both come the first one is told. */
enum responses_source { SOURCE_NONE, SOURCE_TEXT, SOURCE_SUMMARY };

/* What an event, or the response, says of which item it means. Servers make up new ids from event
 * to event, or leave them out, or number everything 0. */
struct responses_key {
	uint64_t id, call_id; /* hashes; 0: none */
	int64_t place;        /* output_index; -1: none */
};

struct responses_item {
	enum responses_kind kind;
	struct responses_key key;
	enum responses_source source;
	uint32_t call;           /* a call's index */
	bool started;            /* the call was told of */
	bool ended;              /* nothing more will be told of it */
	enum sl_event_kind told; /* the kind of its last delta; 0: there was none */
};

enum responses_kind responses_kind_of(struct json item);
/* What an item's object says. */
struct responses_key responses_key_of(struct json item, int64_t place);
uint64_t responses_hash(struct json id);

/* Pointers to items are good until one is added. NULL: too many, or no memory (noted in d). */
struct responses_item *responses_add_item(struct responses *s, enum responses_kind kind,
					  struct responses_key key, struct decoded *d);
/* The newest item that fits best; NULL. A call's own id decides, then id, then place. */
struct responses_item *responses_find_item(const struct responses *s, enum responses_kind kind,
					   struct responses_key key);
/* The item that an event of a stream means; added where there is none. */
struct responses_item *responses_item_of(struct responses *s, enum responses_kind kind,
					 struct responses_key key, struct decoded *d);

/* The following add events to d. */

void responses_start_call(struct responses *s, struct responses_item *item, struct json call,
			  struct decoded *d);
/* A fragment of a part, or all of it. */
void responses_tell_delta(struct responses *s, struct responses_item *item, enum sl_event_kind kind,
			  int64_t index, struct json delta, struct decoded *d);
void responses_tell_whole(struct responses *s, struct responses_item *item, enum sl_event_kind kind,
			  int64_t index, struct json whole, struct decoded *d);
/* Tells what was not told of an item that is complete, and that it is. Once. */
void responses_finish_item(struct responses *s, struct responses_item *item, struct json object,
			   struct decoded *d);
/* Nothing more comes of the item's parts. */
void responses_close_parts(struct responses *s, struct responses_item *item, struct decoded *d);

#endif
