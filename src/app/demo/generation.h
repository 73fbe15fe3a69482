/*
 * One answer in the making: a script, played by the clock. Knows no socket; who has one asks when
 * something is due and sends what comes.
 */
#ifndef APP_DEMO_GENERATION_H
#define APP_DEMO_GENERATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/buf.h>
#include "app/demo/answer.h"
#include "app/demo/script.h"

/* Zeroes are one that has not begun, also for fini. */
struct demo_generation {
	bool stream, keep_alive;
	struct demo_answer answer;
	struct demo_script script;
	size_t at;       /* the next step */
	uint64_t due_us; /* when it is due; UINT64_MAX: never */
};

/* Begins an answer and appends the head of a stream to `out`. 0; -SL_E_SYNTAX: *why is the answer;
 * -SL_E_NOMEM. */
int demo_generation_start(struct demo_generation *g, const struct demo_ask *ask, bool keep_alive,
			  uint64_t now_us, struct sl_buf *out, struct demo_refusal *why);
void demo_generation_fini(struct demo_generation *g);

/* Appends to `out` what is due, a bounded number of tokens. 1: more comes at due_us; 0: that was
 * all; -SL_E_CLOSED: the same, and the connection is to be closed behind it; -SL_E_NOMEM: to be
 * closed at once. */
int demo_generation_proceed(struct demo_generation *g, uint64_t now_us, struct sl_buf *out);

#endif
