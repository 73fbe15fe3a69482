/* AWS Bedrock. The functions are as struct dialect wants them. */
#ifndef CODEC_DIALECTS_BEDROCK_H
#define CODEC_DIALECTS_BEDROCK_H

#include <stdbool.h>
#include "codec/dialect.h"
#include "codec/dialects/anthropic.h"

/* More blocks at one time are not read; the API has one. */
#define BEDROCK_BLOCKS_MAX 32

struct bedrock_block {
	int64_t number;          /* the upstream's */
	enum sl_event_kind kind; /* of its deltas */
	uint32_t call;           /* TOOL_ARGS: its index */
	bool any;                /* TOOL_ARGS: some have come */
	uint32_t half;           /* of a surrogate pair */
};

struct bedrock_converse {
	bool client_key;
	bool stopped; /* messageStop was seen */
	struct bedrock_block open[BEDROCK_BLOCKS_MAX];
	size_t n_open;
	uint32_t n_calls;
};

struct bedrock_invoke {
	struct anthropic anthropic;
	bool ended; /* the last event was seen */
	/* the event that is told: as it was wrapped, and without what is Bedrock's in it */
	struct sl_buf event, clean;
};

void bedrock_converse_init(void *state, const struct sl_reader_options *o);
void bedrock_converse_fini(void *state);
int bedrock_converse_decode(void *state, const struct message *m, struct decoded *d);
bool bedrock_converse_is_complete(const void *state);
int bedrock_converse_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
			    struct request_fault *fault);

void bedrock_invoke_init(void *state, const struct sl_reader_options *o);
void bedrock_invoke_fini(void *state);
int bedrock_invoke_decode(void *state, const struct message *m, struct decoded *d);
bool bedrock_invoke_is_complete(const void *state);
int bedrock_invoke_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
			  struct request_fault *fault);

#endif
