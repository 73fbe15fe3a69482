/*
 * Anthropic's Messages: an answer is a row of numbered blocks (text, thinking, calls, tools of the
 * provider's own), told one after the other, each between its start and its stop.
 */
#ifndef CODEC_DIALECTS_ANTHROPIC_H
#define CODEC_DIALECTS_ANTHROPIC_H

#include <stdbool.h>
#include <stdint.h>
#include "codec/dialect.h"

/* So many blocks can be open at a time. One would do, did not some servers tell several calls at
 * once, and others never say when a block ends. */
#define ANTHROPIC_OPEN_MAX 8

struct anthropic_block {
	int64_t number;          /* as the upstream counts; -1: it did not say */
	uint32_t place;          /* as we count: from 0, without gaps */
	enum sl_event_kind kind; /* of its deltas; 0: it means nothing to us */
	uint32_t call;           /* a call's index */
	uint32_t half;           /* of a surrogate pair at the end of the last delta */
	bool has_arguments;      /* the call had a fragment of them */
	struct sl_buf input; /* the arguments that came with a call's start, if there were any */
};

/* As the upstream counts; -1: not known yet. */
struct anthropic_counts {
	int64_t input, output, cache_read, cache_creation, thinking;
};

struct anthropic {
	bool client_key;
	bool begun; /* there was a message_start, or we have made it up */
	bool meta_given;
	bool finished; /* there was a reason to stop */
	uint64_t seed; /* made of the message's id */
	struct anthropic_counts counts;
	uint32_t n_blocks, n_calls; /* so far */
	struct anthropic_block open[ANTHROPIC_OPEN_MAX];
	size_t n_open;
};

/* As struct dialect wants them. */
void anthropic_init(void *state, const struct sl_reader_options *o);
void anthropic_fini(void *state);
int anthropic_decode(void *state, const struct message *m, struct decoded *d);
bool anthropic_is_complete(const void *state);
int anthropic_unfold(struct json body, struct sl_buf *chunk, struct sl_buf *usage);
int anthropic_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		     struct request_fault *fault);

/* What other APIs for the same models share with it. */

/* The members of a request beside model and stream, into an object that is open. Results as encode
 * of struct dialect. */
int anthropic_put_request(struct prompt *p, struct json_writer *w, struct request_fault *fault);
/* Sets *budget: how many tokens may be spent thinking, 0: none. Drops what cannot stand beside it.
 * 0 or -SL_E_NOMEM. */
int anthropic_settle_thinking(struct prompt *p, int64_t *budget);

#endif
