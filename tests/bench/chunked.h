/*
 * The chunked transfer coding, read piece by piece; any cut of the input gives the same body.
 *
 *	size line ─▶ data ─▶ CRLF ─▶ size line … ─▶ last (0) ─▶ trailer lines ─▶ done
 */
#ifndef BENCH_CHUNKED_H
#define BENCH_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroes are a new one. */
struct chunked {
	enum { CHUNKED_SIZE, CHUNKED_DATA, CHUNKED_DATA_END, CHUNKED_TRAILER, CHUNKED_DONE } state;
	uint64_t left; /* of this chunk */
	bool in_extension, trailer_line_full;
};

/*
 * Takes from [in, in + len) what comes before the next piece of body and that piece; answers how
 * many bytes were taken and sets *body, *body_len to the piece inside `in` (length 0: none in
 * here). Call again until all is taken or the state is CHUNKED_DONE. -1: this is no chunked body.
 */
long chunked_next(struct chunked *c, const char *in, size_t len, const char **body,
		  size_t *body_len);

#endif
