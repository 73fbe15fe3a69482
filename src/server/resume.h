/* Positions: a request that names one goes on there, and never starts anything. */
#ifndef SERVER_RESUME_H
#define SERVER_RESUME_H

#include "server/watch.h"

/* The position that a request names, by its header Last-Event-ID or by ?last_event_id=; NULL. */
const char *resume_position(const struct exchange *x);

/* Whether the request names a position. Then *s is its stream, with a reference for the caller, or
 * NULL when an error was answered. */
bool resume_find(struct exchange *x, struct stream **s);

/* A request that names a position ("{stream}.{seq}") goes on there. False: it names none. */
bool resume_by_position(struct exchange *x, struct watch_options *o);

/* Watches that stream, which is the caller's to watch, from the position that the request names
 * (?starting_after={seq} counts too), else from its start. */
void resume_stream(struct exchange *x, struct stream *s, struct watch_options *o);

/* Whoever comes back to a position that is no longer held, in a format that has no word for it. */
void resume_refuse_lost(struct exchange *x, const struct stream *s);

/* ?starting_after= and the position in *seq, which stays as it is where there is none. False: it is
 * malformed, of another stream or not reached yet; a 400 was answered. */
bool resume_read_seq(struct exchange *x, const struct stream *s, uint64_t *seq);

#endif
