/* Google's Gemini. The functions are as struct dialect wants them. */
#ifndef CODEC_DIALECTS_GEMINI_H
#define CODEC_DIALECTS_GEMINI_H

#include <stdbool.h>
#include <stdint.h>
#include "codec/dialect.h"

/* The API gives at most 8 candidates. */
#define GEMINI_CANDIDATES_MAX 8

struct gemini_candidate {
	uint32_t n_calls;
	bool begun, finished; /* something was said, and there was a reason to finish */
	bool stopped;         /* it finished of itself: with calls that means, because of them */
	struct decoded_tail tail;
};

/* As the upstream counts; -1: not known yet. */
struct gemini_counts {
	int64_t prompt, tool_use, candidates, thoughts, cached, total;
};

struct gemini {
	bool client_key;
	bool meta_given;
	bool finished; /* some candidate is, or there will be none */
	uint64_t seed; /* made of the response's id */
	struct gemini_counts counts;
	struct gemini_candidate candidate[GEMINI_CANDIDATES_MAX];
};

void gemini_init(void *state, const struct sl_reader_options *o);
void gemini_fini(void *state);
int gemini_decode(void *state, const struct message *m, struct decoded *d);
bool gemini_is_complete(const void *state);
int gemini_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		  struct request_fault *fault);

#endif
