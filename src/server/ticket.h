/*
 * Tickets: URLs that can be read without a key, for a while. EventSource sends no headers, and a
 * link is clicked without any.
 *
 *	/v1/streams/{id}?ticket={expires}.{base64url(HMAC-SHA256(secret, id, expires))}
 *
 * A ticket opens one stream for reading and nothing else. Nobody keeps it: it is good when we made
 * it, which only who has the secret of this process can have done.
 */
#ifndef SERVER_TICKET_H
#define SERVER_TICKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/buf.h>
#include <sluice/slice.h>
#include "server/shared.h"

/* Appends the ticket of that stream. 0 or -SL_E_x. */
int ticket_print(const struct server_shared *s, const char *stream_id, int64_t expires_unix,
		 struct sl_buf *out);

/* Whether that is a ticket of that stream which has not expired. The signature is compared in
 * constant time. */
bool ticket_is_good(const struct server_shared *s, struct sl_slice stream_id,
		    struct sl_slice ticket, int64_t now_unix);

#endif
