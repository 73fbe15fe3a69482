/* The text of a chat completion stream, as HTTP chunks: opening, token, token …, ending. No I/O. */
#ifndef BENCH_COMPLETION_H
#define BENCH_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "request.h"

#define COMPLETION_OUT_MAX (1024 + REQUEST_SIZE_MAX) /* no part is longer */

struct completion {
	uint64_t stream;
	uint32_t next_seq, tokens, size;
	bool wants_usage, story, legacy;
	size_t head_len;
	char head[320]; /* an event up to its token's text */
};

void completion_init(struct completion *c, const struct request *r);

/* Each writes one part into out[COMPLETION_OUT_MAX] and answers its length. */
size_t completion_opening(const struct completion *c, char *out); /* status, headers, role */
size_t completion_token(struct completion *c, uint64_t stamp_ns, char *out);
size_t completion_ending(const struct completion *c, char *out); /* finish_reason, usage, [DONE] */

#endif
