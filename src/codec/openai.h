/*
 * OpenAI's chat and legacy completion chunks, and those of the many servers that speak almost the
 * same.
 *
 *	chunk (openai.c) ─▶ choices ─▶ delta (openai_delta.c) ─▶ tool calls (tool_calls.c)
 *	                ╰─▶ usage (openai_usage.c)
 *
 * Mended is what tests/sdk shows to break a client; all else reaches the client as it came.
 */
#ifndef CODEC_OPENAI_H
#define CODEC_OPENAI_H

#include <stdbool.h>
#include "codec/dialect.h"
#include "codec/relatives.h"
#include "codec/tool_calls.h"

/* More choices than this are not read. */
#define OPENAI_CHOICES_MAX 128

struct openai_choice {
	uint32_t index;
	bool role_given;
	bool begun;    /* there was a delta */
	bool finished; /* … and a finish reason */
	/* first halves of surrogate pairs that wait for their second one */
	uint32_t text_half, reasoning_half, refusal_half;
	struct tool_calls tools;
};

struct openai {
	bool client_key;
	bool meta_given;
	uint64_t seed; /* made of the response's id */
	struct openai_choice *choices;
	size_t n_choices, cap_choices;
};

/* As struct dialect wants them. */
void openai_init(void *state, const struct sl_reader_options *o);
void openai_fini(void *state);
int openai_decode(void *state, const struct message *m, struct decoded *d);
bool openai_is_complete(const void *state);
int openai_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		  struct request_fault *fault);

/* Adds the events of a delta and mends it. */
void openai_read_delta(struct openai_choice *c, struct json delta, uint64_t seed,
		       struct decoded *d);

/* Adds an event for the counts in a chunk's `usage` and Groq's `x_groq`. True when there were any.
 */
bool openai_read_usage(struct json usage, struct json x_groq, struct decoded *d);

/* Gives each token of `logprobs` the list of alternatives that one SDK insists on. */
void openai_mend_logprobs(struct json logprobs, struct decoded *d);

#endif
