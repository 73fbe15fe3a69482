/*
 * The HTTP server of one worker: connections, requests, responses. The only user of libmicrohttpd.
 *
 *	listener ─accept─▶ shard (one MHD daemon, few connections) ─▶ guard ─▶ route ─▶ handler
 *	                                                                           │
 *	client ◀──────── watch: viewer ─▶ encoder ─▶ response ◀── stream ◀─────────┘
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stdio.h>
#include "base/loop.h"
#include "server/options.h"
#include "stream/channel.h"
#include "stream/generation.h"
#include "stream/options.h"
#include "stream/table.h"

/* One snapshot of the configuration; as struct upstream_set. */
struct server_set {
	const struct server_options *options;
	const struct stream_options *streams;
	const struct channel_options *channels;
	void *holder;
	void *(*ref)(void *holder);
	void (*unref)(void *holder);
};

/* What all workers' servers share. Any thread. */
struct server_shared;
struct server_shared *server_shared_new(const struct server_options *o);
void server_shared_free(struct server_shared *s);

/* Opens a socket for one address: with SO_REUSEPORT, so that each worker has its own queue (a unix
 * socket has one for all: dup it). Non-blocking, listening. The fd, or -SL_E_IO with errno. *port
 * is what was bound. An unused unix socket file is replaced. */
int server_open_socket(const struct listen_address *a, uint16_t *port);

/* Reads the TLS files that the options name and checks that they fit. 0, or -SL_E_IO / -SL_E_SYNTAX
 * with a line on `errors`. Once, before server_new. */
int server_load_tls(struct server_shared *shared, const struct server_options *o, FILE *errors);

struct server;

/* Takes a reference to set's holder. NULL without memory. */
struct server *server_new(struct loop *loop, struct server_shared *shared,
			  struct stream_table *table, struct channel_table *channels,
			  struct generator *generator, const struct server_set *set);

/* Accepts from this socket from now on; the server closes it. metrics_only: serves nothing but
 * /metrics. 0 or -SL_E_x. */
int server_add_listener(struct server *s, int fd, bool is_unix, bool metrics_only);

/* New requests go by this set. */
void server_configure(struct server *s, const struct server_set *set);

/* All servers at once, any thread. New requests, also on new connections, get 503 but for those that
 * ask how it is; running ones go on. Idempotent. */
void server_drain(struct server_shared *s);

/* Closes the listeners. Idempotent. */
void server_close(struct server *s);

/* Requests under way. */
unsigned server_busy(const struct server *s);

/* Cuts what is left. Then the loop must be turned until server_busy() is 0. */
void server_cut(struct server *s);

/* Nothing may be under way. */
void server_free(struct server *s);

#endif
