/* A request that watches a stream: waits for its first content, then streams it. */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include "server/conn.h"

struct watch_options {
	enum format format;
	bool hide_usage; /* see struct encoder */
	/* The status line does not wait for content, and is 200: somebody comes (back) to a stream
	 * that is there, and is told in it how it ended. */
	bool at_once;
	bool any_end; /* a stream that failed is answered like any other, with status 200 */
	bool newer;   /* FORMAT_DOCUMENT: answers when there is more than after_seq, or after
			 wait_ms; else when the stream has ended */
	bool endless; /* the stream is no answer: when it ends, the response does, without a word */
	bool always;  /* however many watch the stream */
	bool lost;    /* say that entries are gone before anything else */
	/* FORMAT_DOCUMENT: what answers with the document; NULL: respond_document */
	void (*document)(struct exchange *x, struct stream *s);
	uint64_t wait_ms;
	uint64_t after_seq; /* begin behind this entry */
	/* FORMAT_RESPONSES: begin behind the event of that number, if `by_ordinal` */
	bool by_ordinal;
	int64_t after_ordinal;
	int64_t level; /* pass over messages below it */
};

/* A new stream of that name (stream_new) for this request, with what the header
 * X-Sluice-Client-Leaves says, else `leave`. NULL: an error was answered. The caller holds a
 * reference. */
struct stream *watch_new_stream(struct exchange *x, struct leave leave, struct sl_slice name);

/* Attaches the exchange to s and answers, now or when there is something to answer with. */
void watch_start(struct exchange *x, struct stream *s, const struct watch_options *o);

/* An entry of `from` as that encoder wants it; good until the next one is unpacked on this worker. */
void watch_unpack(struct server *s, struct stream *from, const struct encoder *for_encoder,
		  const struct log_entry *e, struct encoder_entry *out);

/* The number of the first event of the Responses format in that entry or behind it, as far as it is
 * known. */
uint32_t watch_ordinal(struct stream *s, uint64_t seq);

/* Writes one event for as many of the entries up to `backlog` that v would read next as fit, if
 * these are text, and moves v behind them. The number of bytes; 0: there is no such run. */
size_t watch_write_run(struct server *s, struct viewer *v, struct encoder *e, uint64_t backlog,
		       char *buf, size_t max);

#endif
