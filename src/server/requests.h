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

/* What a route answers with once its stream is there; `fresh`: it has just begun. */
typedef void request_answer(struct exchange *x, struct stream *s, bool fresh, void *arg);

/* The generation that the request's body asks for, which is one of that API. NULL: an error was
 * answered. */
struct generation *request_of_body(struct exchange *x, enum sl_dialect dialect);

struct request_plan {
	struct leave leave; /* where the client, its key or an Idempotency-Key says nothing else */
	/* The client repeats its request by itself when it is cut off, and cannot say that it does:
	 * it takes over what the same request has begun and nobody has read a word of. */
	bool adopts;
	request_answer *answer;
	void *arg;
};

/* A new stream for g (taken), begun; or, with an Idempotency-Key that was used before, the stream
 * of that key. Then the plan's answer, unless an error was answered. */
void request_start(struct exchange *x, struct generation *g, const struct request_plan *plan);

/* The answer that watches the stream from its start; arg: struct watch_options. */
request_answer request_watch;

/* Changes the plan for a Responses request that goes on in the background (responses.c). */
void responses_plan(struct generation *g, struct request_plan *plan);

#endif
