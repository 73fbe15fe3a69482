/* Ollama. The functions are as struct dialect wants them. */
#ifndef CODEC_DIALECTS_OLLAMA_H
#define CODEC_DIALECTS_OLLAMA_H

#include <stdbool.h>
#include <stdint.h>
#include "codec/dialect.h"

struct ollama {
	bool client_key;
	bool meta_given;
	bool finished; /* done was seen */
	uint64_t seed; /* made of the first line */
	uint32_t n_calls;
	struct decoded_tail tail;
};

void ollama_init(void *state, const struct sl_reader_options *o);
void ollama_fini(void *state);
int ollama_decode(void *state, const struct message *m, struct decoded *d);
bool ollama_is_complete(const void *state);
int ollama_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		  struct request_fault *fault);

#endif
