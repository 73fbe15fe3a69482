/* How a streamed body is cut into messages. One row for each way; a dialect names its own. */
#ifndef CODEC_FRAMING_H
#define CODEC_FRAMING_H

#include <stddef.h>
#include "codec/decode.h"

struct framing {
	size_t size; /* of the state that the caller provides, aligned for anything */
	void (*init)(void *state, size_t max_bytes);
	void (*fini)(void *state);
	/* The bytes must stay valid until next() has returned 0. */
	void (*feed)(void *state, const char *bytes, size_t n);
	/* 1: the next message, good until the next call. 0: more bytes are needed. -SL_E_LIMIT: a
	 * message is too long. -SL_E_SYNTAX: the bytes are not of this kind, or damaged; no more
	 * comes. -SL_E_NOMEM. */
	int (*next)(void *state, struct message *m);
	/* After the last byte, until it gives no more: what stands there unfinished. It may be cut
	 * off anywhere. */
	int (*finish)(void *state, struct message *m);
};

extern const struct framing framing_sse;
extern const struct framing framing_ndjson;
extern const struct framing framing_json;        /* objects in an array, or in a row */
extern const struct framing framing_eventstream; /* of AWS */

#endif
