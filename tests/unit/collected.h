/*
 * What a client would have gathered from a reader's entries, for the tests of readers and encoders.
 * `trace` holds every entry in full as text: two readings were the same when their traces are.
 */
#ifndef TESTS_COLLECTED_H
#define TESTS_COLLECTED_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/reader.h>
#include "vectors.h"

#define COLLECTED_CALLS   200
#define COLLECTED_CHOICES 4

struct collected_call {
	struct sl_buf id, name, arguments;
};

struct collected {
	struct sl_buf text[COLLECTED_CHOICES];
	struct sl_buf reasoning, signature, refusal; /* of choice 0, as all that follows */
	struct collected_call call[COLLECTED_CALLS];
	size_t n_calls;
	struct sl_buf finish, native_finish;
	struct sl_usage usage;
	struct sl_buf id, model;
	int64_t created;
	/* the end */
	bool ended, failed;
	struct sl_buf message, type, code, object;
	int64_t status;
	/* all of it */
	size_t n_entries;
	unsigned flags;       /* of all entries together */
	struct sl_buf frames; /* each with an LF behind it */
	struct sl_buf trace;
	struct sl_buf events; /* the part of the trace that is about events */
};

void collected_init(struct collected *c);
void collected_fini(struct collected *c);

/* Reads `body` in the cuts of `cuts` (NULL: whole). Each piece is a copy of its own, freed once it
 * was read, so that a sanitizer sees what is kept too long. `fault` as for sl_reader_finish. Fails
 * the running test where the reader breaks its contract: a frame that is no line of valid UTF-8
 * with a JSON object, an entry behind the last one, no last one. */
void collect(struct collected *c, const struct sl_reader_options *o, struct sl_slice body,
	     struct vectors_cuts *cuts, const struct sl_event *fault);

/* For a stream that was asked for and came as one: 200, text/event-stream, frames of up to 16 MiB.
 */
struct sl_reader_options stream_options(enum sl_dialect dialect);

const char *buf_str(struct sl_buf *b);

#endif
