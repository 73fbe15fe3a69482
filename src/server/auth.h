/*
 * Who calls. Where keys are configured, each request but those of open routes brings one, or a
 * ticket where its route takes tickets (ticket.h):
 *
 *	Authorization: Bearer KEY  |  x-api-key: KEY  |  api-key: KEY
 *
 * Where none are configured nobody is asked, and these headers are only for upstreams.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include "server/guard.h"

/* Sets x->key, or says why the request must not come in. Its route is known. */
struct refusal auth_check(struct exchange *x);

/* Whether the request brings a ticket to a route that takes tickets. Then nothing else of it says
 * who calls. */
bool auth_has_ticket(const struct exchange *x);

/* The key that came with the request, as it was sent; empty: none. Lives as long as the request. */
struct sl_slice auth_sent_key(const struct exchange *x);

/* Whether the caller sits on this machine: on loopback or a unix socket, and not for somebody else,
 * as a proxy does. */
bool auth_is_local(const struct exchange *x);

#endif
