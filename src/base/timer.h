/*
 * Timers in a heap. A timer may be set again and again at next to no cost: a later due time only
 * changes a field, and the heap learns of it when the old time comes (a token re-arms one; silence
 * pays).
 */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	void (*fire)(
		struct timer *t); /* on the loop's thread; may set or stop any timer, also itself */
	uint64_t due_ms;          /* 0: not set */
	uint64_t key_ms;          /* where it stands in the heap; <= due_ms */
	size_t slot;              /* 1 + place in the heap; 0: not in it */
};

struct timer_heap {
	struct timer **at;
	size_t n, cap;
};

void timer_heap_init(struct timer_heap *h);
void timer_heap_fini(struct timer_heap *h); /* timers still in it are forgotten, not fired */

/* Sets t to fire at due_ms (> 0), whether or not it was set before. 0 or -SL_E_NOMEM (then it is
 * not set). */
int timer_set(struct timer_heap *h, struct timer *t, uint64_t due_ms);

/* After it t does not fire and may be freed. Accepts a timer that is not set. */
void timer_stop(struct timer_heap *h, struct timer *t);

/* Fires all that is due at now_ms. */
void timer_run(struct timer_heap *h, uint64_t now_ms);

/* The time to wake up for the next one; 0 when there is none. It may be early (see above), never
 * late. */
uint64_t timer_next(const struct timer_heap *h);

static inline bool timer_is_set(const struct timer *t)
{
	return t->due_ms != 0;
}

#endif
