/*
 * The upstream side of a worker: takes generations from the server, asks an LLM API, and fills
 * their streams.
 *
 *	generation ─▶ route ─▶ transfer ─▶ reader ─▶ stream_append
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "stream/generation.h"
#include "stream/options.h"
#include "stream/route.h"
#include "upstream/options.h"

/* One snapshot of the configuration. Immutable; whoever works with it holds a reference to its
 * holder. */
struct upstream_set {
	const struct upstream_options *list;
	size_t n;
	const struct route_table *routes;
	struct upstream_timeouts timeouts;
	size_t frame_bytes;
	void *holder; /* what keeps all this alive */
	void *(*ref)(void *holder);
	void (*unref)(void *holder);
};

struct upstreams;

/* One a worker. Takes a reference to set's holder. NULL without memory. */
struct upstreams *upstreams_new(struct loop *loop, const struct upstream_set *set);
/* All streams of this worker must have ended. */
void upstreams_free(struct upstreams *u);

/* From now on requests go by this set; those under way keep theirs. */
void upstreams_configure(struct upstreams *u, const struct upstream_set *set);

struct generator *upstreams_generator(struct upstreams *u);

#endif
