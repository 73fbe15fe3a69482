/*
 * From a source of bytes to a client's socket.
 *
 *	source ─fill─▶ chunk ─▶ socket
 *
 * The response is libmicrohttpd's: it writes the head, asks for the first bytes, and writes the
 * end. In between, while the connection is suspended, chunks go to the socket past it, one send()
 * each: a resume would cost a walk over its suspended connections and two passes of its state
 * machine for each token. Through TLS, for HTTP/1.0 and for bodies of known length every byte goes
 * through libmicrohttpd.
 *
 *	read_body ─ nothing now: arm, suspend ─▶ SUSPENDED ─ woken ─▶ output_send
 *	    ▲                                        ▲                    │
 *	    │                                        ├── all sent: arm ───┤
 *	    │                                        ├── socket is full ──┤ the rest waits for EPOLLOUT,
 *	    │                                        │                    │ at most timeouts.idle
 *	    └────────────── resume ──────────────────┴── finished, broken ┘
 */
#ifndef SERVER_OUTPUT_H
#define SERVER_OUTPUT_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange;

/* Signs of life. No empty line behind the comment: it stands at the head of the next block. */
#define HEARTBEAT_COMMENT ": hb\n"
#define HEARTBEAT_PING    "event: ping\ndata: {\"type\": \"ping\"}\n\n"

/* Where the bytes come from. */
struct output_source {
	/* Writes what there is, at most max bytes. 0: nothing now; or nothing more ever, and it
	 * has set output.finished or output.broken. */
	size_t (*fill)(struct exchange *x, char *buf, size_t max);
	/* Asks to be woken by exchange_resume() when there is something. False: there is already.
	 */
	bool (*arm)(struct exchange *x);
};

struct output {
	const struct output_source *source;
	size_t skip;   /* bytes of the block at hand that are written: it must not be broken into */
	bool finished; /* the last byte has been given */
	bool broken;   /* nothing more can come, and this is no end: cut the connection */
	bool direct;   /* chunks may go past libmicrohttpd */
	bool heartbeat_due, pages_released;
	uint64_t heartbeat_ms; /* a sign of life in every silence of that length; 0: none */
	const char *heartbeat; /* what that is */
	char *rest;            /* what the socket has not taken of a chunk; NULL */
	size_t rest_n, rest_at;
	int unread; /* bytes in the socket's buffer when that was last looked at */
};

/* A response that streams from `source`; NULL without memory. size: MHD_SIZE_UNKNOWN, or how long
 * the body is. The caller sets its headers and queues it. */
struct MHD_Response *output_response(struct exchange *x, const struct output_source *source,
				     uint64_t size);

/* A suspended exchange was woken: sends what there is. False: libmicrohttpd must go on with it. */
bool output_send(struct exchange *x);

/* The socket takes bytes again. */
void output_writable(struct exchange *x);

/* Time has passed: a heartbeat is due; or the client has taken nothing of what waits for it, and is
 * cut. */
void output_tick(struct exchange *x);

/* Idempotent. */
void output_fini(struct output *o);

#endif
