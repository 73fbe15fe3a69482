/*
 * From a stream's log to a client's socket.
 *
 *	log ─peek─▶ encoder ─▶ window over libmicrohttpd's buffer ─▶ chunk
 *
 * The status line waits for the first content, so that an early error is a real HTTP status; but
 *not longer than open_after.
 */
#include "server/watch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sluice/error.h>
#include "base/log.h"
#include "server/access.h"
#include "server/respond.h"
#include "server/routes.h"
#include "server/server_private.h"

#define RETRY_MIN_MS     1000
#define RETRY_SPREAD_MS  4001
#define HEARTBEAT        ": hb\n" /* no empty line: it stands at the head of the next block */
#define BLOCK_SIZE       64       /* allocated, and not used for chunked answers */
#define WHOLE_BLOCK_SIZE 4096

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static void viewer_ready(struct viewer *v)
{
	exchange_resume(FROM(v, struct exchange, viewer));
}

static void tick(struct timer *t)
{
	struct exchange *x = FROM(t, struct exchange, tick);
	if (x->state == X_WAITING)
		x->open_now = true;
	else
		x->heartbeat_due = true;
	exchange_resume(x);
}

static bool is_sse(enum format f)
{
	return f == FORMAT_OPENAI || f == FORMAT_EVENTS;
}

struct stream *watch_new_stream(struct exchange *x, struct leave leave)
{
	struct stream_options o = *x->config->set.streams;
	const char *wanted = exchange_header(x, "X-Sluice-Client-Leaves");
	int error;
	o.when_client_leaves = leave;
	if (wanted && leave_parse(sl_slice_str(wanted), &o.when_client_leaves) < 0) {
		respond_refusal(x, 400, "invalid_request_error", "invalid_header",
				"X-Sluice-Client-Leaves is cancel, drain or detach with a time, as "
				"in \"detach 30s\"");
		return NULL;
	}
	struct stream *s =
		stream_new(x->server->table, x->server->loop, &o, access_owner(x), &error);
	if (!s)
		respond_refusal(x, 503, "server_error", "too_many_streams",
				"the server holds as many streams as it may");
	return s;
}

/* An entry as encoders want it; good until the next one is unpacked on this worker. */
static void unpack(struct exchange *x, const struct log_entry *e, struct encoder_entry *out)
{
	struct server *s = x->server;
	*out = (struct encoder_entry){.entry = {.flags = e->flags & ~(unsigned)LOG_ENTRY_STOPPED,
						.frame = log_entry_frame(e)},
				      .seq = e->seq,
				      .stopped = e->flags & LOG_ENTRY_STOPPED};
	if (e->n_events > s->events_max) {
		struct sl_event *more = realloc(s->events, e->n_events * sizeof(*more));
		if (!more)
			return;
		s->events = more;
		s->events_max = e->n_events;
	}
	out->entry.events = s->events;
	out->entry.n_events = log_entry_events(e, s->events, s->events_max);
}

/*
 * What this client would read next is no longer held. An EventSource is told where the rest begins
 * and gets that; the other formats have no word for a hole, so they end with an error.
 */
static size_t write_lost(struct exchange *x, char *buf, size_t max)
{
	struct stream *s = x->viewer.stream;
	char block[160];
	uint64_t first = atomic_load(&s->log.first_seq);
	if (x->encoder.format != FORMAT_EVENTS) {
		struct sl_event error =
			stream_error(410, "invalid_request_error", "position_lost",
				     "entries that were not read in time are no longer held");
		struct encoder_entry in = {
			.entry = {.flags = SL_ENTRY_FAILED, .events = &error, .n_events = 1},
			.seq = first - 1};
		struct sl_window w = sl_window(buf, max, x->skip);
		encoder_write(&x->encoder, &in, &w);
		x->skip += w.written;
		x->finished = !w.cut;
		return w.written;
	}
	int n = snprintf(block, sizeof(block), "event: lost\ndata: {\"first_id\":\"%s.%llu\"}\n\n",
			 s->id, (unsigned long long)first);
	if ((size_t)n > max)
		return 0; /* the window is never so small twice */
	memcpy(buf, block, (size_t)n);
	log_cursor_fini(&x->viewer.cursor);
	log_cursor_init(&x->viewer.cursor, &s->log, first);
	x->skip = 0;
	x->lost = false;
	return (size_t)n;
}

/* Writes as much of the log as fits. The number of bytes. */
static size_t write_entries(struct exchange *x, char *buf, size_t max)
{
	const struct log_entry *e;
	size_t n = 0;
	while (n < max && !x->finished) {
		int r = viewer_peek(&x->viewer, &e);
		if (r == 0)
			break;
		if (r < 0 || x->lost) {
			x->lost = true;
			size_t said = write_lost(x, buf + n, max - n);
			n += said;
			if (said == 0)
				break;
			continue;
		}
		struct encoder_entry in;
		struct sl_window w = sl_window(buf + n, max - n, x->skip);
		unpack(x, e, &in);
		encoder_write(&x->encoder, &in, &w);
		n += w.written;
		if (w.cut) {
			x->skip += w.written;
			break;
		}
		encoder_done(&x->encoder, &in);
		x->skip = 0;
		x->finished = in.entry.flags & (SL_ENTRY_END | SL_ENTRY_FAILED);
		viewer_advance(&x->viewer, e);
	}
	return n;
}

static size_t write_heartbeat(struct exchange *x, char *buf, size_t max)
{
	size_t n = sizeof(HEARTBEAT) - 1;
	if (!x->heartbeat_due || x->skip > 0 || max < n)
		return 0;
	x->heartbeat_due = false;
	memcpy(buf, HEARTBEAT, n);
	return n;
}

static void arm_heartbeat(struct exchange *x)
{
	if (x->heartbeat_ms)
		loop_set_timer(x->server->loop, &x->tick, x->heartbeat_ms);
}

/*
 * Before the first silence of a response: libmicrohttpd has cleared its whole pool while it wrote
 * the head, so that all of it is resident, and what it offers us to write to is nearly all of that.
 * Untouched pages cost a silent stream nothing.
 */
static void release_pages(struct exchange *x, char *buf, size_t max)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)buf + page - 1) & ~(page - 1),
		  to = ((uintptr_t)buf + max) & ~(page - 1);
	if (!x->pages_released && to > from)
		madvise((void *)from, to - from, MADV_DONTNEED);
	x->pages_released = true;
}

/* libmicrohttpd wants bytes. */
static ssize_t read_stream(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct exchange *x = cls;
	(void)pos;
	for (;;) {
		if (x->conn->gone || !x->viewer.stream)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		size_t n = write_heartbeat(x, buf, max);
		n += write_entries(x, buf + n, max - n);
		if (n > 0) {
			arm_heartbeat(x);
			return (ssize_t)n;
		}
		if (x->finished)
			return MHD_CONTENT_READER_END_OF_STREAM;
		bool ended = stream_state_ended(x->viewer.stream->state);
		if (viewer_arm(&x->viewer)) {
			if (ended) /* … and yet no end in the log: there was no memory for it */
				return MHD_CONTENT_READER_END_WITH_ERROR;
			release_pages(x, buf, max);
			exchange_suspend(x);
			return 0;
		}
	}
}

static void stream_headers(struct exchange *x, struct MHD_Response *r)
{
	static const char *const type[] = {[FORMAT_OPENAI] = "text/event-stream",
					   [FORMAT_EVENTS] = "text/event-stream",
					   [FORMAT_TEXT] = "text/plain; charset=utf-8",
					   [FORMAT_WHOLE] = "application/json"};
	respond_headers(x, r);
	MHD_add_response_header(r, "Content-Type", type[x->encoder.format]);
	MHD_add_response_header(r, "Cache-Control", "no-cache, no-store, no-transform");
	MHD_add_response_header(r, "X-Accel-Buffering", "no");
	MHD_add_response_header(r, "X-Stream-Id", x->encoder.stream_id);
	/* They are complete, for every thread, once the log has an entry. */
	if (atomic_load(&x->viewer.stream->log.next_seq) > 1)
		respond_add_lines(r, sl_buf_slice(&x->viewer.stream->head));
}

static void open_response(struct exchange *x, uint64_t size)
{
	x->state = X_STREAMING;
	arm_heartbeat(x);
	struct MHD_Response *r = MHD_create_response_from_callback(
		size, size == MHD_SIZE_UNKNOWN ? BLOCK_SIZE : WHOLE_BLOCK_SIZE, read_stream, x,
		NULL);
	if (r)
		stream_headers(x, r);
	respond_queue(x, 200, r);
	log_event(LOG_DEBUG, "stream_open", {"stream", LOG_STR(x->encoder.stream_id)});
}

/* Answers an error that came before any content. */
static void answer_failure(struct exchange *x, const struct log_entry *e)
{
	struct sl_event error;
	if (log_entry_events(e, &error, 1) == 0)
		error = stream_error(502, "server_error", SL_CODE_ERROR, "the upstream failed");
	if (error.n0 < 400 || error.n0 > 599)
		error.n0 = 502;
	/* Its own Retry-After comes with the upstream's headers. */
	struct sl_slice param =
		sl_slice_is(error.s[2], "model_not_found") ? SL_LIT("model") : SL_LIT("");
	respond_error(x, &error, param, sl_buf_slice(&x->viewer.stream->head), 0);
	watch_end(x);
}

static bool waits_for_end(enum format f)
{
	return f == FORMAT_WHOLE || f == FORMAT_DOCUMENT;
}

/* Something can be said: looks ahead what it is. */
static void answer(struct exchange *x)
{
	struct log_cursor ahead;
	const struct log_entry *e;
	enum format format = x->encoder.format;
	loop_stop_timer(x->server->loop, &x->tick);
	log_cursor_init(&ahead, &x->viewer.stream->log, x->viewer.cursor.seq);
	while (log_cursor_peek(&ahead, &e) == 1) {
		if (e->flags & SL_ENTRY_FAILED && !x->any_end) {
			answer_failure(x, e);
			break;
		}
		if (format == FORMAT_WHOLE && e->flags & SL_ENTRY_WHOLE) {
			open_response(x, e->frame_len);
			break;
		}
		if (format != FORMAT_WHOLE && e->flags & SL_ENTRY_CONTENT)
			break;
		log_cursor_advance(&ahead, e);
	}
	log_cursor_fini(&ahead);
	if (x->state != X_WAITING)
		return;
	if (format == FORMAT_DOCUMENT) {
		struct stream *s = stream_ref(x->viewer.stream);
		watch_end(x);
		respond_document(x, s);
		stream_unref(s);
	} else if (format == FORMAT_WHOLE) {
		watch_end(x);
		respond_refusal(x, 502, "server_error", SL_CODE_INCOMPLETE,
				"the upstream gave no answer");
	} else {
		open_response(x, MHD_SIZE_UNKNOWN);
	}
}

/* Waits on, or answers. */
static void wait_or_answer(struct exchange *x)
{
	if (!x->open_now && viewer_arm_state(&x->viewer, waits_for_end(x->encoder.format)))
		exchange_suspend(x);
	else
		answer(x);
}

bool watch_continue(struct exchange *x)
{
	if (x->conn->gone || !x->viewer.stream)
		return false;
	wait_or_answer(x);
	return x->state != X_READING;
}

void watch_start(struct exchange *x, struct stream *s, const struct watch_options *o)
{
	const struct stream_options *config = x->config->set.streams;
	x->viewer.ready = viewer_ready;
	x->tick.fire = tick;
	encoder_init(&x->encoder, o->format, s->id);
	x->encoder.ids = config->event_ids;
	x->encoder.hide_usage = o->hide_usage;
	x->encoder.legacy = x->route->dialect == SL_DIALECT_OPENAI_COMPLETIONS;
	if (is_sse(o->format)) {
		/* Spread, so that all the clients of a server that restarts do not come back at
		 * once. */
		x->encoder.retry_ms = RETRY_MIN_MS + random_below(RETRY_SPREAD_MS);
		x->heartbeat_ms = config->heartbeat_ms;
	}
	if (viewer_attach(&x->viewer, s, x->server->loop, o->after_seq) < 0) {
		respond_refusal(x, 429, "rate_limit_error", "too_many_viewers",
				"the stream has as many viewers as it may");
		return;
	}
	x->state = X_WAITING;
	x->open_now = o->at_once && !waits_for_end(o->format);
	x->any_end = o->any_end;
	if (x->conn->gone) { /* left while the request was read */
		watch_end(x);
		x->state = X_READING;
		return;
	}
	if (!o->at_once && !waits_for_end(o->format))
		loop_set_timer(x->server->loop, &x->tick, config->open_after_ms);
	wait_or_answer(x);
}

/* The position that a request names, by header or query; NULL. */
static const char *position_of(const struct exchange *x)
{
	const char *p = exchange_header(x, "Last-Event-ID");
	return p && *p ? p : exchange_query(x, "last_event_id");
}

/* Whoever comes back to a position that is no longer held, in a format that has no word for it. */
static void refuse_lost(struct exchange *x, const struct stream *s, uint64_t first)
{
	char extra[96];
	snprintf(extra, sizeof(extra), "{\"first_id\":\"%s.%llu\"}", s->id,
		 (unsigned long long)first);
	struct sl_event error = stream_error(410, "invalid_request_error", "position_lost",
					     "what followed that position is no longer held");
	error.s[3] = sl_slice_str(extra);
	respond_error(x, &error, SL_LIT(""), SL_LIT(""), 0);
}

static void resume_at(struct exchange *x, struct stream *s, struct watch_options *o)
{
	uint64_t last = s->log.next_seq - 1, first = s->log.first_seq;
	o->at_once = true;
	if (o->after_seq > last) {
		respond_refusal(x, 400, "invalid_request_error", "invalid_position",
				"the stream has not come to that position yet");
	} else if (stream_state_ended(s->state) && o->after_seq == last) {
		respond_bytes(x, 204, NULL,
			      SL_LIT("")); /* seen to its end: an EventSource stops for good */
	} else if (o->after_seq + 1 < first && o->format != FORMAT_EVENTS) {
		refuse_lost(x, s, first);
	} else {
		watch_start(x, s, o);
	}
}

bool watch_resume(struct exchange *x, struct watch_options *o)
{
	const char *position = position_of(x);
	struct sl_slice id = sl_slice_str(o->stream);
	if (!position && !o->stream)
		return false;
	if (position && (stream_position_parse(sl_slice_str(position), &id, &o->after_seq) < 0 ||
			 (o->stream && !sl_slice_is(id, o->stream)))) {
		respond_refusal(x, 400, "invalid_request_error", "invalid_position",
				"the last event id is no position of this stream");
		return true;
	}
	struct stream *s = access_stream(x, id);
	if (s)
		resume_at(x, s, o);
	else
		access_refuse_stream(x);
	stream_unref(s);
	return true;
}

void watch_end(struct exchange *x)
{
	loop_stop_timer(x->server->loop, &x->tick);
	viewer_detach(&x->viewer);
}
