/*
 * What a token's text says: ~stream~seq~sent_ns~ and then filler. The upstream writes it, the
 * client reads it back and so knows, whatever stands between them, which token of which stream this
 * is and how long it was on its way. The tilde stands nowhere else in a chunk, and no JSON writer
 * escapes it.
 */
#ifndef BENCH_TOKEN_H
#define BENCH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_STAMP_MAX 64 /* 20 + 10 + 20 digits and four tildes */

struct token {
	uint64_t stream;
	uint32_t seq; /* from 0 */
	uint64_t sent_ns;
};

/* Writes the stamp, at most TOKEN_STAMP_MAX bytes, no NUL; answers how many. */
size_t token_write(char *out, const struct token *t);

/* Looks for the next stamp in [*at, end) and moves *at behind it. False: there is none. */
bool token_read(const char **at, const char *end, struct token *t);

#endif
