/* Cohere. The functions are as struct dialect wants them. */
#ifndef CODEC_DIALECTS_COHERE_H
#define CODEC_DIALECTS_COHERE_H

#include <stdbool.h>
#include <stdint.h>
#include "codec/dialect.h"

struct cohere {
	bool client_key;
	bool finished; /* message-end was seen */
	uint64_t seed; /* made of the message's id */
	uint32_t n_calls;
	/* The part that is being told; they come one after the other. */
	enum sl_event_kind open; /* of its deltas; 0: none is */
	bool has_arguments;      /* a call: some have come */
	uint32_t half;           /* of a surrogate pair at the end of the last delta */
};

void cohere_init(void *state, const struct sl_reader_options *o);
void cohere_fini(void *state);
int cohere_decode(void *state, const struct message *m, struct decoded *d);
bool cohere_is_complete(const void *state);
int cohere_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		  struct request_fault *fault);

#endif
