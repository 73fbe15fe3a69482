/*
 * The bytes of what is generated, in OpenAI's words. All functions append to `out` and give 0, or
 * -SL_E_NOMEM or -SL_E_LIMIT; then a part may have been written, and the connection is of no use
 * any more.
 */
#ifndef APP_DEMO_ANSWER_H
#define APP_DEMO_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/buf.h>
#include "app/demo/ask.h"
#include "app/demo/script.h"
#include "base/random.h"

/* What all chunks of one answer share. */
struct demo_answer {
	enum demo_api api;
	bool include_usage;
	char id[RANDOM_ID_LEN + 1];
	int64_t created_s;
	struct sl_buf model; /* a JSON string */
	struct sl_buf frame; /* the one that is being written */
};

/* Zeroes may be given to fini. */
int demo_answer_init(struct demo_answer *a, const struct demo_ask *ask);
void demo_answer_fini(struct demo_answer *a);

/* A stream: its HTTP head, the chunk with the role, one for a step that has a piece, the end. Each
 * chunk is one of HTTP. */
int demo_answer_open(struct sl_buf *out, bool keep_alive);
int demo_answer_put_role(struct demo_answer *a, struct sl_buf *out);
int demo_answer_put_step(struct demo_answer *a, struct sl_buf *out, const struct demo_script *s,
			 const struct demo_step *step);
int demo_answer_finish(struct demo_answer *a, struct sl_buf *out, const struct demo_script *s);
/* The end of a stream that fails: an error frame and nothing behind it. */
int demo_answer_fail(struct demo_answer *a, struct sl_buf *out, const struct demo_refusal *why);

/* An answer that is no stream: everything in one. */
int demo_answer_put_whole(struct demo_answer *a, struct sl_buf *out, const struct demo_script *s,
			  bool keep_alive);

#endif
