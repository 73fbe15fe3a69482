/*
 * One client connection and the request on it.
 *
 * A suspended connection notices nothing in libmicrohttpd, so its descriptor stands in our own
 * epoll too: when the client leaves (FIN, also half-closed, or RST) we know at once, before the
 * first token and while the upstream is silent.
 *
 *	READING ─body complete─▶ handler ─┬─ answered at once ────────────────────────────▶ ANSWERED
 *	                                  └─▶ WAITING ─content, end, time─▶ STREAMING ─end─▶ ANSWERED
 *	                                      (suspended)                   (suspended between tokens)
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include <microhttpd.h>
#include <sluice/buf.h>
#include "base/loop.h"
#include "base/random.h"
#include "codec/encode.h"
#include "server/output.h"
#include "server/server.h"
#include "server/shared.h"
#include "stream/stream.h"

struct shard;
struct route;
struct exchange;

struct conn {
	struct loop_io io;
	struct server *server;
	struct shard *shard;
	struct MHD_Connection *mhd;
	struct client_address address;
	struct timer deadline; /* for the request's head, then its body */
	struct exchange *x;    /* the request under way; NULL */
	bool gone;             /* the client has closed its side */
	bool is_unix, metrics_only;
	struct conn *next, **link; /* all of the server's */
};

/* Who has an exchange in hand while it waits or streams. */
struct exchange_role {
	/* It was resumed while X_WAITING: answers, or suspends it again. False: close the
	 * connection. */
	bool (*proceed)(struct exchange *x);
	/* The client is gone, or the exchange is over: lets go of all it holds. Idempotent. */
	void (*end)(struct exchange *x);
};

enum exchange_state { X_READING, X_WAITING, X_STREAMING, X_ANSWERED };

struct snapshot_ref {
	unsigned refs;
	struct server_set set;
};

/* One request and its response. */
struct exchange {
	struct conn *conn;
	struct server *server;
	struct snapshot_ref *config;
	const struct route *route;
	char method[16];
	char *path;
	char param[160];   /* the segment of the path that the route leaves open; "" */
	char location[64]; /* of what was made; "" */
	size_t uri_bytes;  /* of the request line's target */
	uint64_t born_us;
	char request_id[RANDOM_ID_LEN + 1];
	const struct access_key *key; /* who calls; NULL: nobody is asked */
	const char *origin;           /* an allowed cross origin, for the CORS headers; NULL */
	enum exchange_state state;
	bool http_1_0, nul_in_path;
	bool started, refused, suspended, resume_queued;
	struct sl_buf body;
	unsigned status;

	const struct exchange_role *role; /* NULL: nobody yet */
	struct output out;
	struct timer tick; /* while WAITING: how long; then heartbeats */
	bool time_up;      /* it has waited that long */
	struct exchange *resume_next;

	union {
		struct multiplex *multiplex;   /* events.c */
		struct publishing *publishing; /* channels.c */
	};

	/* watch.c: one stream */
	struct viewer viewer;
	struct encoder encoder;
	uint64_t backlog; /* entries up to this one may be merged: it came late */
	int64_t level;    /* messages below it are passed over */
	bool at_once, any_end, newer, endless; /* see struct watch_options */
	void (*document)(struct exchange *x, struct stream *s);
	bool lost;           /* entries that this client has not read are gone: say so */
	uint64_t lost_first; /* what is being said about it */
	char *made; /* all of what the entry at hand is written as; NULL: it is written by pieces */
	size_t made_n;
	uint64_t starts[2]; /* entries whose starts are told before it goes on; 0: none */
};

/* A connection that was accepted; it is counted already, and the descriptor its own. It goes to
 * libmicrohttpd when its first head is there and good. NULL without memory: nothing was taken. */
struct conn *conn_new(struct server *s, int fd, const struct client_address *a, bool is_unix,
		      bool metrics_only);

/* Closes a connection that libmicrohttpd does not have (yet). */
void conn_drop(struct conn *c);

/* libmicrohttpd's callbacks; cls is the shard. */
void conn_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
		 enum MHD_ConnectionNotificationCode code);
void *conn_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result conn_request(void *cls, struct MHD_Connection *mhd, const char *url,
			     const char *method, const char *version, const char *upload,
			     size_t *upload_size, void **request_context);
void conn_completed(void *cls, struct MHD_Connection *mhd, void **request_context,
		    enum MHD_RequestTerminationCode code);

/* Suspends the connection; exchange_resume() wakes it at the end of the turn. */
void exchange_suspend(struct exchange *x);
void exchange_resume(struct exchange *x);

/* Lets it wait for at most `ms`; then, or at the next exchange_resume(), its role proceeds. */
void exchange_set_time(struct exchange *x, uint64_t ms);

/* Its role lets go of it. Idempotent. */
void exchange_end(struct exchange *x);

/* A request header, or NULL. */
const char *exchange_header(const struct exchange *x, const char *name);
/* A query parameter, or NULL. */
const char *exchange_query(const struct exchange *x, const char *name);

#endif
