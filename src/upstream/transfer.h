/*
 * HTTP to upstreams: libcurl's multi interface on a worker's loop. A transfer is one request and
 * its response.
 *
 *	transfer_start ─▶ head() ─▶ body()* ─▶ done()
 *	        └───────────────────────────────▶ done()      refused, unreachable, broken
 *	transfer_cancel: nothing more is called, the connection is closed at once
 *
 * One POST goes out for one transfer, whatever happens to a reused connection: libcurl would send
 * it again by itself, and it would be paid twice. Redirects are not followed, the environment's
 * proxies are not looked at, only http and https are spoken.
 */
#ifndef UPSTREAM_TRANSFER_H
#define UPSTREAM_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sluice/slice.h>
#include "base/loop.h"
#include "upstream/options.h"

struct multi; /* one a worker */

struct multi *multi_new(struct loop *loop);
/* All transfers must be done or cancelled. */
void multi_free(struct multi *m);

enum transfer_result {
	TRANSFER_OK,
	TRANSFER_UNREACHABLE, /* no connection: nothing was sent */
	TRANSFER_TLS,         /* the server could not be verified; nothing was sent */
	TRANSFER_TIMEOUT,     /* no connection in time; nothing was sent */
	TRANSFER_CLOSED,      /* the connection ended without an answer */
	TRANSFER_CUT,         /* … in the middle of one */
	TRANSFER_BAD,         /* what came is not HTTP, or too much of it */
};

struct transfer;

struct transfer_handler {
	/* The response's head is complete. */
	void (*head)(struct transfer_handler *h, struct transfer *t);
	/* Body bytes, decoded from any transfer or content encoding. */
	void (*body)(struct transfer_handler *h, struct transfer *t, const char *bytes, size_t n);
	/* The last call: the transfer is freed when it returns. `why` is for our own log: it can
	 * name addresses. */
	void (*done)(struct transfer_handler *h, struct transfer *t, enum transfer_result result,
		     const char *why);
};

struct transfer_request {
	const struct upstream_options *upstream; /* must outlive the transfer */
	const char *path;                        /* behind the base URL, with its query */
	bool post;
	struct sl_slice body;    /* must stay until the transfer has ended */
	struct sl_slice headers; /* "Name: value\n"…, besides those of the upstream's options */
	const char *key;         /* goes out as the upstream's API wants it; NULL: none */
	bool stream;             /* a stream is asked for */
	uint64_t connect_ms;
};

/* NULL without memory. No handler function is called before it returns. */
struct transfer *transfer_start(struct multi *m, const struct transfer_request *r,
				struct transfer_handler *h);

/* May be called from a handler function, also for the transfer at hand. */
void transfer_cancel(struct transfer *t);

/* Stops reading from the upstream; TCP holds it back. Not from within a handler function. */
void transfer_pause(struct transfer *t, bool on);

/* Valid from head() on. */
int transfer_status(const struct transfer *t);
struct sl_slice transfer_content_type(const struct transfer *t);
/* Response headers that may go on to the client: "Name: value\n"…. */
struct sl_slice transfer_headers(const struct transfer *t);

#endif
