/* A request that watches a stream: waits for its first content, then streams it through
 * libmicrohttpd. */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include "server/conn.h"

struct watch_options {
	enum format format;
	bool hide_usage; /* see struct encoder */
	bool at_once; /* the status line does not wait for content: somebody comes back to a stream
		       */
	bool any_end; /* FORMAT_DOCUMENT: a stream that failed is answered like any other */
	uint64_t after_seq; /* begin behind this entry */
	const char *stream; /* watch that stream ("{id}"), from the start unless a position is
			       named; NULL */
};

/* A new stream for this request, with what the header X-Sluice-Client-Leaves says, else `leave`.
 * NULL: an error was answered. The caller holds a reference. */
struct stream *watch_new_stream(struct exchange *x, struct leave leave);

/* Attaches the exchange to s and answers, now or when there is something to answer with. */
void watch_start(struct exchange *x, struct stream *s, const struct watch_options *o);

/* A request that names a position ("{stream}.{seq}") goes on there, and never starts anything.
 * False: it names none. */
bool watch_resume(struct exchange *x, struct watch_options *o);

/* The connection was resumed while WAITING: answer, or go on waiting. False: close the connection.
 */
bool watch_continue(struct exchange *x);

/* The client is gone, or the exchange is over. Idempotent. */
void watch_end(struct exchange *x);

#endif
