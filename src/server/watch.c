/*
 * From a stream's log to a client: an exchange with one viewer.
 *
 *	log ─peek─▶ encoder ─▶ window ─▶ output
 *
 * The status line waits for the first content, so that an early error is a real HTTP status; but
 * not longer than open_after.
 */
#include "server/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/log.h"
#include "codec/error_status.h"
#include "server/access.h"
#include "server/respond.h"
#include "server/routes.h"
#include "server/server_private.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static void viewer_ready(struct viewer *v)
{
	exchange_resume(FROM(v, struct exchange, viewer));
}

struct stream *watch_new_stream(struct exchange *x, struct leave leave, struct sl_slice name)
{
	struct stream_options o = *x->config->set.streams;
	const char *wanted = exchange_header(x, "X-Sluice-Client-Leaves");
	int error;
	o.when_client_leaves = access_leave(x, leave);
	if (wanted && leave_parse(sl_slice_str(wanted), &o.when_client_leaves) < 0) {
		respond_refusal(x, 400, "invalid_request_error", "invalid_header",
				"X-Sluice-Client-Leaves is cancel, drain or detach with a time, as "
				"in \"detach 30s\"");
		return NULL;
	}
	struct stream *s =
		stream_new(x->server->table, x->server->loop, &o, access_owner(x), name, &error);
	if (!s)
		respond_refusal(x, 503, "server_error", "too_many_streams",
				"the server holds as many streams as it may");
	return s;
}

/* Whether frames of that API are what the encoder's client reads. */
static bool is_native(const struct encoder *e, int frames)
{
	switch (e->format) {
	case FORMAT_OPENAI:
		return frames == SL_DIALECT_OPENAI_CHAT || frames == SL_DIALECT_OPENAI_COMPLETIONS;
	case FORMAT_ANTHROPIC:
		return frames == SL_DIALECT_ANTHROPIC;
	case FORMAT_RESPONSES:
		return frames == SL_DIALECT_RESPONSES;
	default:
		return frames != STREAM_NO_FRAMES;
	}
}

void watch_unpack(struct server *s, struct stream *from, const struct encoder *for_encoder,
		  const struct log_entry *e, struct encoder_entry *out)
{
	const char *model = from->model;
	*out = (struct encoder_entry){
		.entry = {.flags = e->flags & ~(unsigned)LOG_ENTRY_FLAGS,
			  .frame = log_entry_frame(e),
			  .ordinal = e->ordinal},
		.seq = e->seq,
		.stopped = e->flags & LOG_ENTRY_STOPPED,
		.partial = e->flags & LOG_ENTRY_PARTIAL,
		.native = is_native(for_encoder, from->frames),
		.model = sl_slice_str(model ? model : from->name),
		.created = from->created,
	};
	if (out->created == 0)
		out->created = from->born_unix_s;
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

size_t watch_write_run(struct server *s, struct viewer *v, struct encoder *e, uint64_t backlog,
		       char *buf, size_t max)
{
	struct sl_window w = sl_window(buf, max, 0);
	struct encoder_run run = {0};
	const struct log_entry *entry;
	while (v->cursor.seq <= backlog && viewer_peek(v, &entry) == 1) {
		struct encoder_entry in;
		watch_unpack(s, v->stream, e, entry, &in);
		if (!encoder_run_add(e, &run, &in, &w))
			break;
		viewer_advance(v, entry);
	}
	if (run.kind)
		encoder_run_end(e, &run, &w);
	assert(!w.cut);
	return w.written;
}

uint32_t watch_ordinal(struct stream *s, uint64_t seq)
{
	struct log_cursor c;
	const struct log_entry *e;
	/* An upstream that speaks Responses numbers its own frames, each of which is an entry. */
	uint32_t ordinal = (uint32_t)(seq - 1);
	log_cursor_init(&c, &s->log, seq);
	if (s->frames == STREAM_NO_FRAMES && log_cursor_peek(&c, &e) == 1)
		ordinal = e->ordinal;
	log_cursor_fini(&c);
	return ordinal;
}

/*
 * What this client would read next is no longer held. An EventSource is told where the rest begins
 * and gets that; the other formats have no word for a hole, so they end with an error.
 */
static size_t write_lost(struct exchange *x, char *buf, size_t max)
{
	struct stream *s = x->viewer.stream;
	if (x->out.skip == 0) /* else it is under way, and must not change */
		x->lost_first = atomic_load(&s->log.first_seq);
	struct sl_window w = sl_window(buf, max, x->out.skip);
	if (x->encoder.format != FORMAT_EVENTS) {
		struct sl_event error =
			stream_error(410, "invalid_request_error", "position_lost",
				     "entries that were not read in time are no longer held");
		struct encoder_entry in = {.entry = {.flags = SL_ENTRY_FAILED,
						     .events = &error,
						     .n_events = 1,
						     .ordinal = watch_ordinal(s, x->lost_first)},
					   .seq = x->lost_first - 1,
					   .partial = true};
		encoder_write(&x->encoder, &in, &w);
		x->out.skip += w.written;
		x->out.finished = !w.cut;
		return w.written;
	}
	encoder_write_lost(&x->encoder, x->lost_first, &w);
	if (w.cut) {
		x->out.skip += w.written;
		return w.written;
	}
	log_cursor_fini(&x->viewer.cursor);
	log_cursor_init(&x->viewer.cursor, &s->log, x->lost_first);
	x->out.skip = 0;
	x->lost = false;
	return w.written;
}

static bool is_passed_over(const struct exchange *x, const struct encoder_entry *in)
{
	return x->level && in->entry.n_events && in->entry.events[0].kind == SL_EVENT_MESSAGE &&
	       in->entry.events[0].n0 < x->level;
}

/* What is made of an entry is made once when it is more than one piece: to make it again for each
 * would take time by the square of its length. A frame that goes on as it came is only looked at. */
static void make_whole(struct exchange *x, const struct encoder_entry *in)
{
	size_t n = in->native ? 0 : encoder_measure(&x->encoder, in);
	char *made = n ? malloc(n) : NULL;
	if (!made)
		return;
	struct sl_window all = sl_window(made, n, 0);
	encoder_write(&x->encoder, in, &all);
	x->made = made;
	x->made_n = n;
}

static void forget_made(struct exchange *x)
{
	free(x->made);
	x->made = NULL;
}

static void write_blocks(struct exchange *x, const struct encoder_entry *in, struct sl_window *w)
{
	if (x->made) {
		sl_window_put(w, sl_slice(x->made, x->made_n));
		return;
	}
	encoder_write(&x->encoder, in, w);
	if (w->cut && x->out.skip == 0)
		make_whole(x, in);
}

/* Writes the entry at the cursor, or as much of it as there is room for. */
static size_t write_entry(struct exchange *x, const struct log_entry *e, char *buf, size_t max)
{
	struct encoder_entry in;
	struct sl_window w = sl_window(buf, max, x->out.skip);
	watch_unpack(x->server, x->viewer.stream, &x->encoder, e, &in);
	if (!is_passed_over(x, &in))
		write_blocks(x, &in, &w);
	x->out.skip += w.written;
	if (w.cut)
		return w.written;
	forget_made(x);
	encoder_done(&x->encoder, &in);
	x->out.skip = 0;
	x->out.finished = in.entry.flags & (SL_ENTRY_END | SL_ENTRY_FAILED);
	viewer_advance(&x->viewer, e);
	return w.written;
}

/* A channel may have become somebody else's since this client began to watch it. */
static bool may_read_on(const struct exchange *x)
{
	const struct stream *s = x->viewer.stream;
	return !x->endless || !s->owner || access_owns(x, s);
}

static bool is_merged(const struct exchange *x, const struct log_entry *e)
{
	return encoder_merges(&x->encoder) && e->seq <= x->backlog && x->out.skip == 0;
}

/* Where the parts begin that are open at that position, and the message itself: who comes back into
 * the middle of it must be told of them again. */
static void find_starts(struct exchange *x, uint64_t position)
{
	struct stream_log *log = &x->viewer.stream->log;
	struct log_cursor c;
	const struct log_entry *e;
	log_cursor_init(&c, log, log->first_seq);
	while (log_cursor_peek(&c, &e) == 1 && e->seq <= position) {
		struct encoder_entry in;
		watch_unpack(x->server, x->viewer.stream, &x->encoder, e, &in);
		for (size_t i = 0; i < in.entry.n_events; i++) {
			enum sl_event_kind kind = in.entry.events[i].kind;
			if (kind == SL_EVENT_META)
				x->starts[0] = e->seq;
			else if (kind == SL_EVENT_PART_START || kind == SL_EVENT_TOOL_START)
				x->starts[1] = e->seq;
			else if (kind == SL_EVENT_PART_END)
				x->starts[1] = 0;
		}
		log_cursor_advance(&c, e);
	}
	log_cursor_fini(&c);
	if (x->starts[1] == x->starts[0])
		x->starts[1] = 0; /* one look at it will do */
}

/* Writes the start of what goes on behind the position. `which` is done when all of it is written. */
static size_t write_start(struct exchange *x, uint64_t *which, char *buf, size_t max)
{
	struct log_cursor c;
	const struct log_entry *e;
	struct sl_window w = sl_window(buf, max, x->out.skip);
	log_cursor_init(&c, &x->viewer.stream->log, *which);
	if (log_cursor_peek(&c, &e) == 1) {
		struct encoder_entry in;
		watch_unpack(x->server, x->viewer.stream, &x->encoder, e, &in);
		in.starts_only = true;
		in.seq = x->viewer.cursor.seq - 1; /* the client's position stays where it is */
		encoder_write(&x->encoder, &in, &w);
		if (!w.cut)
			encoder_done(&x->encoder, &in);
	}
	log_cursor_fini(&c);
	x->out.skip = w.cut ? x->out.skip + w.written : 0;
	if (!w.cut)
		*which = 0;
	return w.written;
}

/* Writes what the viewer reads next. 0: nothing, or there is no room for more. */
static size_t write_next(struct exchange *x, char *buf, size_t max)
{
	const struct log_entry *e;
	int r = viewer_peek(&x->viewer, &e);
	if (r < 0)
		x->lost = true;
	if (x->lost)
		return write_lost(x, buf, max);
	for (size_t i = 0; i < 2; i++)
		if (x->starts[i])
			return write_start(x, &x->starts[i], buf, max);
	if (r == 0)
		return 0;
	if (!may_read_on(x)) {
		x->out.finished = true;
		return 0;
	}
	if (is_merged(x, e)) {
		size_t n =
			watch_write_run(x->server, &x->viewer, &x->encoder, x->backlog, buf, max);
		if (n > 0)
			return n;
	}
	return write_entry(x, e, buf, max);
}

static size_t fill(struct exchange *x, char *buf, size_t max)
{
	size_t n = 0;
	uint64_t seq;
	if (!x->viewer.stream) {
		x->out.broken = true;
		return 0;
	}
	do { /* an entry that shows nothing is no reason to stop */
		seq = x->viewer.cursor.seq;
		size_t more = write_next(x, buf + n, max - n);
		n += more;
		if (more == 0 && x->viewer.cursor.seq == seq && !x->starts[0] && !x->starts[1])
			break;
	} while (n < max && !x->out.finished && x->out.skip == 0);
	return n;
}

static bool arm(struct exchange *x)
{
	bool ended = stream_state_ended(x->viewer.stream->state);
	if (!viewer_arm(&x->viewer))
		return false;
	if (!ended)
		return true;
	/* The end is no entry of its log: there was no memory for it, or it is endless. */
	x->out.broken = !x->endless;
	x->out.finished = x->endless;
	return false;
}

static const struct output_source source = {fill, arm};

static void stream_headers(struct exchange *x, struct MHD_Response *r)
{
	static const char *const type[] = {[FORMAT_OPENAI] = "text/event-stream",
					   [FORMAT_ANTHROPIC] = "text/event-stream",
					   [FORMAT_RESPONSES] = "text/event-stream",
					   [FORMAT_EVENTS] = "text/event-stream",
					   [FORMAT_TEXT] = "text/plain; charset=utf-8",
					   [FORMAT_WHOLE] = "application/json"};
	respond_stream_headers(x, r, type[x->encoder.format]);
	MHD_add_response_header(r, "X-Stream-Id", x->encoder.stream_id);
	/* They are complete, for every thread, once the log has an entry. */
	if (atomic_load(&x->viewer.stream->log.next_seq) > 1)
		respond_add_lines(r, sl_buf_slice(&x->viewer.stream->head));
}

static void open_response(struct exchange *x, uint64_t size)
{
	x->state = X_STREAMING;
	struct MHD_Response *r = output_response(x, &source, size);
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
	error.n0 = error_status_for(respond_is_anthropic(x), (int)error.n0);
	/* Its own Retry-After comes with the upstream's headers. */
	struct sl_slice param =
		sl_slice_is(error.s[2], "model_not_found") ? SL_LIT("model") : SL_LIT("");
	respond_error(x, &error, param, sl_buf_slice(&x->viewer.stream->head), 0);
	exchange_end(x);
}

/* What it is that the client waits for. */
static bool waits_for_end(const struct exchange *x)
{
	return x->encoder.format == FORMAT_WHOLE ||
	       (x->encoder.format == FORMAT_DOCUMENT && !x->newer);
}

/* The body in one piece: as it came, or what the end makes of the answer. */
static void answer_whole(struct exchange *x, const struct log_entry *e)
{
	struct encoder_entry in;
	watch_unpack(x->server, x->viewer.stream, &x->encoder, e, &in);
	size_t n = encoder_measure(&x->encoder, &in);
	if (n > 0)
		open_response(x, n);
}

/* Looks ahead what there is to say: an error before any content, or a whole body, is answered with.
 */
static void answer_ahead(struct exchange *x)
{
	struct log_cursor ahead;
	const struct log_entry *e;
	enum format format = x->encoder.format;
	if (format == FORMAT_WHOLE && x->viewer.cursor.seq < x->viewer.stream->log.first_seq) {
		/* What came before has made room for the end. */
		log_cursor_fini(&x->viewer.cursor);
		log_cursor_init(&x->viewer.cursor, &x->viewer.stream->log,
				x->viewer.stream->log.first_seq);
	}
	log_cursor_init(&ahead, &x->viewer.stream->log, x->viewer.cursor.seq);
	while (log_cursor_peek(&ahead, &e) == 1) {
		if (e->flags & SL_ENTRY_FAILED) {
			answer_failure(x, e);
			break;
		}
		if (format == FORMAT_WHOLE && e->flags & (SL_ENTRY_WHOLE | SL_ENTRY_END)) {
			answer_whole(x, e);
			break;
		}
		if (format != FORMAT_WHOLE && e->flags & SL_ENTRY_CONTENT)
			break;
		log_cursor_advance(&ahead, e);
	}
	log_cursor_fini(&ahead);
}

/* Something can be said. */
static void answer(struct exchange *x)
{
	enum format format = x->encoder.format;
	loop_stop_timer(x->server->loop, &x->tick);
	if (!x->any_end && !x->at_once)
		answer_ahead(x);
	if (x->state != X_WAITING)
		return;
	if (format == FORMAT_DOCUMENT) {
		struct stream *s = stream_ref(x->viewer.stream);
		exchange_end(x);
		x->document(x, s);
		stream_unref(s);
	} else if (format == FORMAT_WHOLE) {
		exchange_end(x);
		respond_refusal(x, 502, "server_error", SL_CODE_INCOMPLETE,
				"the upstream gave no answer");
	} else {
		open_response(x, MHD_SIZE_UNKNOWN);
	}
}

/* Asks to be woken when there is what the client waits for. False: there is. */
static bool arm_waiting(struct exchange *x)
{
	if (x->time_up)
		return false;
	if (!x->newer)
		return viewer_arm_state(&x->viewer, waits_for_end(x));
	return !stream_state_ended(x->viewer.stream->state) && viewer_arm(&x->viewer);
}

static bool proceed(struct exchange *x)
{
	if (!x->viewer.stream)
		return false;
	if (arm_waiting(x))
		exchange_suspend(x);
	else
		answer(x);
	return true;
}

static void end(struct exchange *x)
{
	forget_made(x);
	viewer_detach(&x->viewer);
}

static const struct exchange_role role = {proceed, end};

void watch_start(struct exchange *x, struct stream *s, const struct watch_options *o)
{
	const struct stream_options *config = x->config->set.streams;
	x->viewer.ready = viewer_ready;
	x->viewer.always = o->always;
	encoder_init(&x->encoder, o->format, s->id);
	x->encoder.ids = access_event_ids(x);
	x->encoder.hide_usage = o->hide_usage;
	if (o->by_ordinal)
		x->encoder.after_ordinal = o->after_ordinal;
	x->encoder.client = x->route->dialect;
	if (format_is_sse(o->format)) {
		x->encoder.retry_ms = respond_retry_ms();
		x->out.heartbeat_ms = access_heartbeat_ms(x);
		x->out.heartbeat =
			o->format == FORMAT_ANTHROPIC ? HEARTBEAT_PING : HEARTBEAT_COMMENT;
	}
	uint64_t there = atomic_load(&s->log.next_seq) - 1;
	if (viewer_attach(&x->viewer, s, x->server->loop, o->after_seq) < 0) {
		respond_refusal(x, 429, "rate_limit_error", "too_many_viewers",
				"the stream has as many viewers as it may");
		return;
	}
	x->role = &role;
	x->state = X_WAITING;
	x->starts[0] = x->starts[1] = 0;
	bool has_parts =
		o->format == FORMAT_ANTHROPIC || (o->format == FORMAT_RESPONSES && !o->by_ordinal);
	if (has_parts && o->after_seq > 0)
		find_starts(x, o->after_seq);
	x->backlog = o->after_seq == 0 ? there : 0;
	x->level = o->level;
	x->at_once = o->at_once && !waits_for_end(x);
	x->any_end = o->any_end;
	x->newer = o->newer;
	x->endless = o->endless;
	x->document = o->document ? o->document : respond_document;
	x->lost = o->lost;
	x->time_up = x->at_once;
	if (x->conn->gone) { /* left while the request was read */
		exchange_end(x);
		x->state = X_READING;
		return;
	}
	if (o->newer)
		exchange_set_time(x, o->wait_ms);
	else if (!x->at_once && !waits_for_end(x))
		exchange_set_time(x, config->open_after_ms);
	proceed(x);
}
