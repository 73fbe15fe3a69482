/*
 * OpenAI's Responses: an answer is a row of items (messages, reasoning, calls, tools of the
 * provider's own), and each item's parts are told in deltas, then again whole, then again with the
 * item, then again with the response.
 */
#ifndef CODEC_DIALECTS_RESPONSES_H
#define CODEC_DIALECTS_RESPONSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "codec/dialect.h"

struct responses_item;
struct responses_part;

struct responses {
	bool client_key;
	bool meta_given;
	bool finished; /* the response is complete, or as complete as it gets */
	uint64_t seed; /* made of the response's id */
	uint32_t n_calls;
	struct responses_item *items;
	struct responses_part *parts; /* of all items */
	size_t n_items, cap_items, n_parts, cap_parts;
};

/* As struct dialect wants them. */
void responses_init(void *state, const struct sl_reader_options *o);
void responses_fini(void *state);
int responses_decode(void *state, const struct message *m, struct decoded *d);
bool responses_is_complete(const void *state);
int responses_unfold(struct json body, struct sl_buf *chunk, struct sl_buf *usage);
int responses_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		     struct request_fault *fault);

#endif
