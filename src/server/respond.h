/* Answers that are complete at once. */
#ifndef SERVER_RESPOND_H
#define SERVER_RESPOND_H

#include <sluice/event.h>
#include "server/conn.h"

/* Whether the route is one of Anthropic's API: errors are told in its words. */
bool respond_is_anthropic(const struct exchange *x);

/* Adds what every response has: request id, nosniff, CORS; and Connection: close while draining. */
void respond_headers(struct exchange *x, struct MHD_Response *r);

/* Queues `r` (which is given up) with that status. From the access handler only. */
void respond_queue(struct exchange *x, unsigned status, struct MHD_Response *r);

/* A copy of `body`. */
void respond_bytes(struct exchange *x, unsigned status, const char *content_type,
		   struct sl_slice body);

/* The JSON error, in the words of the route's API, for an SL_EVENT_ERROR (its n0 is the status). head: upstream
 * headers to pass on, or empty. `retry_after_s` > 0 adds that header. */
void respond_error(struct exchange *x, const struct sl_event *error, struct sl_slice param,
		   struct sl_slice head, unsigned retry_after_s);

/* The same for an error of ours. */
void respond_refusal(struct exchange *x, int status, const char *type, const char *code,
		     const char *message);

/* Adds what every response has that streams, and its type. */
void respond_stream_headers(struct exchange *x, struct MHD_Response *r, const char *content_type);

/* A reconnection time for one client: spread, so that all the clients of a server that restarts do
 * not come back at once. */
uint32_t respond_retry_ms(void);

/* "Name: value\n"… as response headers. */
void respond_add_lines(struct MHD_Response *r, struct sl_slice lines);

#endif
