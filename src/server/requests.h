/* Making a generation of a request; shared by the routes that start one (completion.c). */
#ifndef SERVER_REQUESTS_H
#define SERVER_REQUESTS_H

#include "server/watch.h"
#include "stream/generation.h"

/* For clients that come back after a cut by themselves: their answer goes on meanwhile. */
extern const struct leave request_comes_back;

/* A generation with the client's headers and key. NULL: an error was answered. */
struct generation *request_generation(struct exchange *x, enum generation_kind kind,
				      enum sl_dialect dialect, const char *path);

/* Checks and reads g->body. False: a 400 was answered. */
bool request_read_body(struct exchange *x, struct generation *g);

/* A new stream for g (taken), watched by x; or, with an Idempotency-Key that was used before, the
 * stream of that key. */
void request_start(struct exchange *x, struct generation *g, struct leave leave,
		   struct watch_options *o);

#endif
