/*
 * HTTP/1.1 requests read off a connection, one after the other:
 *
 *	start line ─▶ headers ─┬─▶ body of known length ──────────┬─▶ complete ─reset─▶ start line
 *	                       ├─▶ chunk size ⇄ chunk ─▶ trailers ─┤
 *	                       └───────────── no body ─────────────┘
 *
 * Refused, from anywhere, is for good.
 */
#ifndef APP_DEMO_HTTP_H
#define APP_DEMO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sluice/buf.h>

enum demo_part {
	DEMO_START,
	DEMO_HEADERS,
	DEMO_BODY,
	DEMO_CHUNK_SIZE,
	DEMO_CHUNK,
	DEMO_CHUNK_END,
	DEMO_TRAILERS,
	DEMO_COMPLETE,
	DEMO_REFUSED
};

struct demo_request {
	/* Of a complete request, until the next reset. */
	char method[16];
	char path[256]; /* without the query */
	bool keep_alive;
	struct sl_buf body;

	int status;            /* of a refused one: 400, 413, 431, 501 or 505 */
	bool expects_continue; /* the body waits for "100 Continue"; whoever sends it clears this */

	enum demo_part part;
	bool has_length, chunked;
	size_t head_left; /* bytes that the lines of the head may still have */
	uint64_t left;    /* of the body, or of the chunk */
	struct sl_buf line;
};

void demo_request_init(struct demo_request *r);
void demo_request_fini(struct demo_request *r);

/* Ready for the next request of the connection. */
void demo_request_reset(struct demo_request *r);

/* Takes bytes, *used of the n, never more than belong to this request. 1: complete; 0: more is
 * needed; -SL_E_SYNTAX: refused, the connection cannot go on after the answer. */
int demo_request_feed(struct demo_request *r, const char *p, size_t n, size_t *used);

#endif
