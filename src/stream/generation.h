/*
 * What a client asked for, on its way from the server to whoever can answer it. The server fills
 * one in and hands it to a generator; from then on it only looks at the stream. The two know
 * nothing else of each other.
 */
#ifndef STREAM_GENERATION_H
#define STREAM_GENERATION_H

#include <stdbool.h>
#include <sluice/buf.h>
#include "codec/request.h"
#include "stream/stream.h"

enum generation_kind {
	GENERATION_POST,   /* body goes to `path` of the upstream that the model names */
	GENERATION_MODELS, /* the list of all models; one WHOLE entry */
};

struct generation {
	enum generation_kind kind;
	enum sl_dialect dialect;
	const char *path;            /* behind the upstream's base: "/chat/completions"; static */
	bool whole;                  /* the answer is one JSON document, no stream */
	struct sl_buf body;          /* the request's JSON */
	struct request_info request; /* read from body */
	struct sl_buf headers;       /* the client's headers that may go on: "Name: value\n"… */
	struct sl_buf models; /* names of those that a list may show, "name\n"…; empty: all */
	char *client_key;     /* the key that the client sent; NULL */
};

struct generation *generation_new(enum generation_kind kind, enum sl_dialect dialect,
				  const char *path);
void generation_free(struct generation *g); /* accepts NULL */

struct generator {
	/* Owner's thread of s. Takes g. Everything that follows, also a refusal, happens in the
	 * stream: a FAILED entry carries the status for a client that has got nothing yet. May
	 * append before it returns. */
	void (*start)(struct generator *self, struct stream *s, struct generation *g);
};

#endif
