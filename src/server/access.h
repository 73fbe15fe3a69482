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

/* The same for reading only: with a ticket (empty: there is none), which is all that counts then,
 * somebody else's too. */
struct stream *access_stream_to_read(const struct exchange *x, struct sl_slice id,
				     struct sl_slice ticket);

/* Whether that stream is the caller's. Asked again while it is read: a channel gets its owner late.
 */
bool access_owns(const struct exchange *x, const struct stream *s);

/* Whether the caller may ask for that model. */
bool access_model(const struct exchange *x, struct sl_slice model);

/* What the caller's key says instead of `otherwise`, or of the configuration's streams:. */
struct leave access_leave(const struct exchange *x, struct leave otherwise);
uint64_t access_heartbeat_ms(const struct exchange *x);
bool access_event_ids(const struct exchange *x);

/* Appends a URL under which that stream can be read without a key: for an hour, or as long as it is
 * there where nobody is asked for one. 0 or -SL_E_x. */
int access_print_read_url(const struct exchange *x, const char *stream_id, struct sl_buf *out);

/* The same for ttl_ms, which is over at *expires_unix at the earliest, in any case by a ticket. */
int access_print_ticketed_url(const struct exchange *x, const char *stream_id, uint64_t ttl_ms,
			      int64_t *expires_unix, struct sl_buf *out);

/* 404, the same for every stream that the caller cannot see. */
void access_refuse_stream(struct exchange *x);

#endif
