/*
 * Server-sent events: an incremental parser by the WHATWG rules (HTML, 9.2.5 and 9.2.6) and the
 * pieces of a writer.
 *
 * The parser is fed bytes in any cuts and asked for events until it has none:
 *
 *	sl_sse_parser_feed(&p, bytes, n);
 *	while ((r = sl_sse_parser_next(&p, &event)) == 1)
 *		...
 *
 * Any cut of the same bytes gives the same events. One thread at a time.
 */
#ifndef SLUICE_SSE_H
#define SLUICE_SSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/buf.h>
#include <sluice/slice.h>

/* The slices hold bytes as they came: there may be NUL and invalid UTF-8 among them. */
struct sl_sse_event {
	struct sl_slice type; /* "message" where the stream named none */
	struct sl_slice data; /* lines joined by LF */
	struct sl_slice id;   /* the last event id so far */
	bool stray;           /* data is a line with an unknown field name, type is empty */
};

struct sl_sse_parser {
	/* set by init */
	size_t max_event_bytes;
	bool want_stray; /* also report lines with unknown field names, which the standard ignores;
			    some LLM servers put their errors there */
	/* what the stream has said so far */
	int64_t retry_ms; /* the last accepted `retry:`, -1 when there was none (saturates) */
	/* private */
	struct sl_buf line, data, type, id;
	struct sl_slice held_data, held_type; /* in the fed bytes, while these last */
	const char *in;
	size_t in_len;
	int failure;
	uint8_t bom_seen;
	bool after_cr, in_comment, line_used, has_data, event_given, ended;
};

/* max_event_bytes bounds a line (with its field name), and the data of one event; comments of any
 * length are passed over. Allocates nothing: a parser needs memory only for what a feed leaves
 * unfinished, for data of several lines and for the id, and gives it back (but the id's) when it
 * has no unfinished event. */
void sl_sse_parser_init(struct sl_sse_parser *p, size_t max_event_bytes);
void sl_sse_parser_fini(struct sl_sse_parser *p);

/* Hands the parser the next n bytes, which must stay valid and unchanged until _next() has returned
 * 0 or a failure. To be called only when all that was fed before is used up. A parser that has
 * failed takes nothing. */
void sl_sse_parser_feed(struct sl_sse_parser *p, const char *bytes, size_t n);

/* 1: *event is the next event. Its slices are good until the next call on p; they may lie in the
 * fed bytes, and then last no longer than these. 0: all bytes are used up. -SL_E_LIMIT: a line or
 * an event is longer than the maximum; -SL_E_NOMEM. After a failure the parser stays failed. */
int sl_sse_parser_next(struct sl_sse_parser *p, struct sl_sse_event *event);

/* The bytes have ended, and _next() has used them up. 1 and the event that stands there without its
 * empty line, which the standard discards (the last line counts although its line end is missing);
 * else 0, or the failure of _next(). LLM readers salvage it, EventSource does not. To be called
 * until it gives no more: with want_stray the last line can come first. */
int sl_sse_parser_finish(struct sl_sse_parser *p, struct sl_sse_event *event);

/*
 * The writer puts blocks into a window: a run of output bytes of which the first `skip` were
 * written earlier and at most `room` fit now. So a block larger than the client's buffer is written
 * piece by piece without keeping a copy: write it again with a larger skip.
 */
struct sl_window {
	char *dst;      /* where to write; moves on */
	size_t room;    /* bytes that still fit */
	size_t skip;    /* bytes still to be passed over */
	size_t written; /* bytes that were put to dst */
	bool cut;       /* something did not fit: write again with skip grown by `written` */
};

static inline struct sl_window sl_window(char *dst, size_t room, size_t skip)
{
	return (struct sl_window){.dst = dst, .room = room, .skip = skip};
}

/* Puts what of `s` lies behind skip and still fits. */
void sl_window_put(struct sl_window *w, struct sl_slice s);

/* "data: <line>\n" for each line of `data`, split at LF, CR and CRLF, so that no byte of it can
 * forge a field. */
void sl_sse_put_data(struct sl_window *w, struct sl_slice data);

/* "name: value\n"; value must hold no CR, LF or NUL (checked by assert: it is ours). */
void sl_sse_put_field(struct sl_window *w, const char *name, struct sl_slice value);

#endif
