/* Whether a request may come in at all: what libmicrohttpd's lenient parser lets through, and whom
 * browsers send. Pure but for reading headers. */
#ifndef SERVER_GUARD_H
#define SERVER_GUARD_H

#include "server/conn.h"
#include "server/routes.h"

struct refusal {
	int status; /* 0: come in */
	const char *type, *code, *message;
	bool close;
};

/* On the first call for a request, its headers complete and nothing of its body read. */
struct refusal guard_check(struct exchange *x);

/* Whether the header Content-Type names JSON. */
bool guard_has_json_type(const struct exchange *x);

/* The origin if it is one of those that the configuration allows, else NULL. */
const char *guard_allowed_origin(const struct exchange *x);

#endif
