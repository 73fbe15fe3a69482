/*
 * Who calls, and which streams are theirs. A stream belongs to the key that began it, or to nobody
 * where no keys are configured. To everybody else it does not exist.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "server/conn.h"

/* The owner of what this request begins: the name of its key; NULL: nobody. */
const char *access_owner(const struct exchange *x);

/* The stream of that id, with a reference for the caller, if it is the caller's. NULL: it is
 * unknown or not theirs, which nobody can tell apart. */
struct stream *access_stream(const struct exchange *x, struct sl_slice id);

/* 404, the same for every stream that the caller cannot see. */
void access_refuse_stream(struct exchange *x);

#endif
