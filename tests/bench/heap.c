/* A binary heap. */
#include "heap.h"

#include <stdlib.h>

static void set(struct heap *h, size_t place, struct heap_node *n)
{
	h->at[place] = n;
	n->place = place;
}

static void up(struct heap *h, size_t place, struct heap_node *n)
{
	for (; place > 1 && h->at[place / 2]->due_ns > n->due_ns; place /= 2)
		set(h, place, h->at[place / 2]);
	set(h, place, n);
}

static void down(struct heap *h, size_t place, struct heap_node *n)
{
	for (;;) {
		size_t child = 2 * place;
		if (child < h->n && h->at[child + 1]->due_ns < h->at[child]->due_ns)
			child++;
		if (child > h->n || h->at[child]->due_ns >= n->due_ns)
			break;
		set(h, place, h->at[child]);
		place = child;
	}
	set(h, place, n);
}

void heap_add(struct heap *h, struct heap_node *n, uint64_t due_ns)
{
	if (h->n + 1 >= h->room) {
		h->room = h->room ? 2 * h->room : 256;
		h->at = realloc(h->at, h->room * sizeof(*h->at));
		if (!h->at)
			abort();
	}
	n->due_ns = due_ns;
	up(h, ++h->n, n);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	size_t place = n->place;
	if (!place)
		return;
	n->place = 0;
	struct heap_node *last = h->at[h->n--];
	if (last == n)
		return;
	up(h, place, last);
	down(h, last->place, last);
}

void heap_fini(struct heap *h)
{
	free(h->at);
	*h = (struct heap){0};
}
