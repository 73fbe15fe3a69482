/* The routes, in one table. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include <sluice/reader.h>
#include "server/conn.h"

enum {
	ROUTE_F_JSON = 1 << 0, /* the body must be JSON */
	ROUTE_F_SPENDS =
		1 << 1, /* starts something that costs money: never for a page of another site */
	ROUTE_F_DRAINING = 1 << 2, /* answered also while the process drains */
	ROUTE_F_METRICS =
		1 << 3, /* served on the metrics listener, and to this machine without a key */
	ROUTE_F_OPEN = 1 << 4,   /* needs no key */
	ROUTE_F_TICKET = 1 << 5, /* takes tickets (ticket.h) instead of a key */
};

struct route {
	const char *method, *path; /* a segment "*" of the path is the exchange's param */
	void (*handle)(struct exchange *
			       x); /* the request is complete: queue a response, or start to wait */
	unsigned flags;
	enum sl_dialect dialect; /* of handle_completion's routes */
	const char *upstream_path;
};

/* Whether `path` is of the form `pattern`; the segment in the place of "*" goes to param when it
 * fits. */
bool route_matches(const char *pattern, const char *path, char *param, size_t size);

/* The route of a request; *param is set when its path has one. NULL: 404, or 405 when *allowed was
 * set to the methods that the path has.
 */
const struct route *route_find(const char *method, const char *path, char *param, size_t size,
			       const char **allowed);

/* The document format of s as the answer (streams.c). */
void respond_document(struct exchange *x, struct stream *s);

/* The handlers; each in the file of that name. */
void handle_completion(struct exchange *x); /* completion.c: POST /v1/chat/completions,
					       /v1/completions, /v1/embeddings */
void handle_ask(struct exchange *x);        /* ask.c */
void handle_begin(struct exchange *x);      /* collection.c: POST /v1/streams */
void handle_list(struct exchange *x);       /* GET /v1/streams */
void handle_events(struct exchange *x);     /* events.c: GET /v1/events */
void handle_stream(struct exchange *x);     /* streams.c: GET /v1/streams/{id} */
void handle_ticket(struct exchange *x);     /* tickets.c: POST /v1/streams/{id}/ticket */
void handle_stop(struct exchange *x);     /* POST /v1/streams/{id}/stop, DELETE /v1/streams/{id} */
void handle_response(struct exchange *x); /* responses.c: GET /v1/responses/{id} */
void handle_response_cancel(struct exchange *x); /* POST /v1/responses/{id}/cancel */
void handle_response_delete(struct exchange *x); /* DELETE /v1/responses/{id} */
void handle_publish(struct exchange *x);         /* channels.c: POST /v1/channels/{name} */
void handle_channel(struct exchange *x);         /* GET /v1/channels/{name} */
void handle_feed(struct exchange *x);            /* GET /v1/feeds/{log,stats} */
void handle_models(struct exchange *x);          /* completion.c */
void handle_health(struct exchange *x);          /* misc.c */
void handle_ready(struct exchange *x);
void handle_metrics(struct exchange *x);
void handle_page(struct exchange *x);

#endif
