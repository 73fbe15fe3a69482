/*
 * An HTTP response, read piece by piece; any cut of the input gives the same.
 *
 *	HEAD ─▶ BODY ─▶ DONE      (a head without a body goes to DONE at once)
 *	  └───────┴──▶ BAD
 */
#ifndef LOAD_RESPONSE_H
#define LOAD_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "chunked.h"

#define RESPONSE_HEAD_MAX 4096

/* Zeroes are a new one. */
struct response {
	enum { RESPONSE_HEAD, RESPONSE_BODY, RESPONSE_DONE, RESPONSE_BAD } state;
	int status;
	bool is_chunked, until_close;
	uint64_t body_left;
	struct chunked chunked;
	char type[40]; /* Content-Type without parameters */
	char stream_id[40];
	size_t head_len;
	char head[RESPONSE_HEAD_MAX];
};

/*
 * Takes bytes from [in, in + len) up to the end of the next piece of body; answers how many and
 * sets *body, *body_len to that piece (length 0: none). Call again until all is taken. What comes
 * after DONE is BAD.
 */
size_t response_next(struct response *r, const char *in, size_t len, const char **body,
		     size_t *body_len);

#endif
