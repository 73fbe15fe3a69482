/* What a request for a response refers to, out of the caller's own streams that are kept. */
#ifndef SERVER_REFERENCES_H
#define SERVER_REFERENCES_H

#include "server/conn.h"
#include "stream/generation.h"

/* Puts all that the request g refers to, and is found, into it (codec/references.h). False: s, its
 * stream, which has not begun, has failed with what is wrong. */
bool references_put(struct exchange *x, struct stream *s, struct generation *g);

#endif
