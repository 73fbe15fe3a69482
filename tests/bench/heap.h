/* What is due when: a binary heap of nodes that stand inside of what they are about. */
#ifndef BENCH_HEAP_H
#define BENCH_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t due_ns;
	size_t place; /* 0: in no heap; so zeroes are a new node */
};

struct heap {
	struct heap_node **at; /* from 1 */
	size_t n, room;
};

/* `n` must be in no heap. Aborts without memory. */
void heap_add(struct heap *h, struct heap_node *n, uint64_t due_ns);

/* Idempotent. */
void heap_remove(struct heap *h, struct heap_node *n);

/* The one that is due first; NULL. */
static inline struct heap_node *heap_first(const struct heap *h)
{
	return h->n ? h->at[1] : NULL;
}

static inline bool heap_has(const struct heap_node *n)
{
	return n->place != 0;
}

void heap_fini(struct heap *h);

#endif
