/* What a viewer does with its next connection: how it asks, how fast it reads and when it leaves.
 */
#ifndef LOAD_PLAN_H
#define LOAD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "rng.h"
#include "tale.h"

enum way {
	WAY_BEGIN,          /* the request that begins the stream */
	WAY_KEY,            /* the same POST again, with its Idempotency-Key and no position */
	WAY_FRESH,          /* GET /v1/streams/{id}: from the start */
	WAY_HEADER,         /* the same with Last-Event-ID: {id}.{seq} */
	WAY_QUERY,          /* …?last_event_id={id}.{seq} */
	WAY_STARTING_AFTER, /* …?starting_after={seq} */
	WAY_SAME,           /* the request that began the stream again, with Last-Event-ID */
	WAYS
};

enum cut { CUT_NONE, CUT_FIN, CUT_RESET, CUTS };

extern const char *const way_names[WAYS];

struct plan {
	enum way way;
	enum format format;
	bool shows_usage;
	uint32_t wait_ms;             /* before it connects */
	uint32_t slow_bytes, slow_ms; /* reads so much, then rests; 0: reads what is there */
	enum cut cut;
	uint64_t cut_bytes; /* … after so many bytes of the response */
	uint32_t cut_ms;    /* … or, not 0, so long after its request */
};

/* `position`: what the viewer has seen. */
struct plan plan_make(struct rng *r, const struct tale *t, uint64_t position, bool may_cut);

/* Writes the request; answers its length. `seed` keeps the idempotency keys of two runs apart. */
size_t plan_request(const struct plan *p, const struct tale *t, uint64_t position, uint64_t seed,
		    char *out, size_t size);

#endif
