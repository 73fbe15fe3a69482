/*
 * The tool calls of one choice in OpenAI's stream. Servers number them from 1, or not at all, or
 * give two calls one number; here they are told apart and numbered from 0 in order of first
 * appearance, in the events and, where it differs, in the frame.
 */
#ifndef CODEC_TOOL_CALLS_H
#define CODEC_TOOL_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include "codec/decode.h"

/* More calls than this in one choice are not read. */
#define TOOL_CALLS_MAX 128

struct tool_call {
	int64_t number;   /* the upstream's index; -1 when it gave none */
	uint64_t id_hash; /* of the id as it stands in the frame */
	char *id;         /* until the call has a name and can be told of; then NULL */
	size_t id_len;
	uint32_t half; /* of a surrogate pair in the arguments */
};

/* Zeroes are a valid empty one. */
struct tool_calls {
	struct tool_call *call;
	uint32_t n, cap;
	uint32_t last;   /* the call that the last fragment belonged to */
	uint32_t legacy; /* 1: call[0] is a function_call, which frames do not count */
};

void tool_calls_fini(struct tool_calls *t);

/* Decodes a delta's `tool_calls`. `seed` makes ids that have to be made up differ from response to
 * response. */
void tool_calls_read(struct tool_calls *t, struct json array, uint32_t choice, uint64_t seed,
		     struct decoded *d);

/* The `function_call` of old: one call without number and id. Nothing when there were tool
 * calls before: some servers say the same in both ways. */
void tool_calls_read_legacy(struct tool_calls *t, struct json function, uint32_t choice,
			    uint64_t seed, struct decoded *d);

/* The choice is finished: tells of what was still held back. */
void tool_calls_finish(struct tool_calls *t, uint32_t choice, struct decoded *d);

/* "call_" and 16 characters that depend on the response and the call only, not on how the bytes
 * were cut; stays as decoded_alloc's bytes do. Empty without memory. */
struct sl_slice tool_calls_make_id(uint64_t seed, uint32_t choice, uint32_t index,
				   struct decoded *d);

/* FNV-1a, continued from `hash`; 0 begins. Never 0. */
uint64_t tool_calls_hash(uint64_t hash, struct sl_slice s);

#endif
