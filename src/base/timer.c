/* A binary heap of timers, smallest key first. */
#include "base/timer.h"

#include <assert.h>
#include <stdlib.h>
#include <sluice/error.h>

void timer_heap_init(struct timer_heap *h)
{
	*h = (struct timer_heap){0};
}

void timer_heap_fini(struct timer_heap *h)
{
	for (size_t i = 0; i < h->n; i++) {
		h->at[i]->slot = 0;
		h->at[i]->due_ms = 0;
	}
	free(h->at);
	*h = (struct timer_heap){0};
}

static void place(struct timer_heap *h, size_t i, struct timer *t)
{
	h->at[i] = t;
	t->slot = i + 1;
}

static void sift_up(struct timer_heap *h, size_t i)
{
	struct timer *t = h->at[i];
	while (i > 0) {
		size_t parent = (i - 1) / 2;
		if (h->at[parent]->key_ms <= t->key_ms)
			break;
		place(h, i, h->at[parent]);
		i = parent;
	}
	place(h, i, t);
}

static void sift_down(struct timer_heap *h, size_t i)
{
	struct timer *t = h->at[i];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= h->n)
			break;
		if (child + 1 < h->n && h->at[child + 1]->key_ms < h->at[child]->key_ms)
			child++;
		if (t->key_ms <= h->at[child]->key_ms)
			break;
		place(h, i, h->at[child]);
		i = child;
	}
	place(h, i, t);
}

static void take_out(struct timer_heap *h, struct timer *t)
{
	size_t i = t->slot - 1;
	assert(i < h->n && h->at[i] == t);
	t->slot = 0;
	struct timer *last = h->at[--h->n];
	if (last == t)
		return;
	place(h, i, last);
	sift_up(h, i);
	sift_down(h, last->slot - 1);
}

int timer_set(struct timer_heap *h, struct timer *t, uint64_t due_ms)
{
	assert(due_ms > 0);
	if (t->slot) {
		t->due_ms = due_ms;
		if (due_ms < t->key_ms) {
			t->key_ms = due_ms;
			sift_up(h, t->slot - 1);
		}
		return 0;
	}
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 64;
		struct timer **at = realloc(h->at, cap * sizeof(*at));
		if (!at)
			return -SL_E_NOMEM;
		h->at = at;
		h->cap = cap;
	}
	t->due_ms = t->key_ms = due_ms;
	place(h, h->n++, t);
	sift_up(h, h->n - 1);
	return 0;
}

void timer_stop(struct timer_heap *h, struct timer *t)
{
	t->due_ms = 0;
	if (t->slot)
		take_out(h, t);
}

void timer_run(struct timer_heap *h, uint64_t now_ms)
{
	while (h->n > 0 && h->at[0]->key_ms <= now_ms) {
		struct timer *t = h->at[0];
		if (t->due_ms > now_ms) { /* was set again in the meantime */
			t->key_ms = t->due_ms;
			sift_down(h, 0);
			continue;
		}
		take_out(h, t);
		t->due_ms = 0;
		t->fire(t);
	}
}

uint64_t timer_next(const struct timer_heap *h)
{
	return h->n ? h->at[0]->key_ms : 0;
}
