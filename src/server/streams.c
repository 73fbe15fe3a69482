/* /v1/streams/{id}: watching a stream that is there, and ending it. */
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "codec/document.h"
#include "server/access.h"
#include "server/format.h"
#include "server/respond.h"
#include "server/routes.h"
#include "server/server_private.h"
#include "server/resume.h"

#define DOCUMENT_MAX ((size_t)64 << 20)
#define WAIT_MAX_MS  300000

static void add_entry(struct document *d, const struct log_entry *e)
{
	struct sl_event *events = calloc(e->n_events + 1u, sizeof(*events));
	if (!events) {
		d->no_memory = true;
		return;
	}
	struct sl_entry entry = {.flags = e->flags, .events = events};
	entry.n_events = log_entry_events(e, events, e->n_events);
	document_add(d, &entry, e->seq);
	free(events);
}

/* The state that an entry brings; its stream gets there a moment later. */
static enum stream_state state_after(const struct log_entry *e, enum stream_state state)
{
	if (e->flags & SL_ENTRY_FAILED)
		return STREAM_FAILED;
	if (e->flags & SL_ENTRY_END)
		return e->flags & LOG_ENTRY_STOPPED ? STREAM_STOPPED : STREAM_DONE;
	return state;
}

/* Folds in all that the log still holds, and what it says of the state. False: what was to come next was evicted meanwhile. */
static bool try_to_fold(struct document *d, struct stream *s, enum stream_state *state)
{
	struct log_cursor c;
	const struct log_entry *e;
	int r;
	d->first_seq = s->log.first_seq;
	log_cursor_init(&c, &s->log, d->first_seq);
	while ((r = log_cursor_peek(&c, &e)) == 1 && !d->no_memory) {
		add_entry(d, e);
		*state = state_after(e, *state);
		log_cursor_advance(&c, e);
	}
	log_cursor_fini(&c);
	return r >= 0;
}

/* Who reads a document has read all that is in it: a stream that is only ever asked for those must
 * not wait for another reader when its log is full. */
static void fold(struct document *d, struct stream *s, enum stream_state *state)
{
	document_init(d, DOCUMENT_MAX);
	while (!try_to_fold(d, s, state)) {
		document_fini(d);
		document_init(d, DOCUMENT_MAX);
	}
	stream_was_read(s, d->last_seq);
}

void respond_document(struct exchange *x, struct stream *s)
{
	struct document d;
	struct sl_buf out;
	enum stream_state state = s->state;
	snprintf(x->encoder.stream_id, sizeof(x->encoder.stream_id), "%s", s->id);
	sl_buf_init(&out, DOCUMENT_MAX);
	fold(&d, s, &state);
	struct document_frame f = {.id = s->id,
				   .state = stream_state_name(state),
				   .model = s->name,
				   .upstream = s->upstream,
				   .first_token_ms = -1,
				   .total_ms = -1};
	/* These two are the owner's; after the end they do not change any more. */
	if (stream_state_ended(s->state)) {
		if (s->first_content_us)
			f.first_token_ms = (int64_t)(s->first_content_us - s->born_us) / 1000;
		f.total_ms = (int64_t)(s->ended_us - s->born_us) / 1000;
	}
	if (document_print(&d, &f, &out) == 0)
		respond_bytes(x, 200, "application/json", sl_buf_slice(&out));
	else
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
	sl_buf_fini(&out);
	document_fini(&d);
}

static struct stream *named_stream(struct exchange *x)
{
	struct stream *s = access_stream(x, sl_slice_str(x->param));
	if (!s)
		access_refuse_stream(x);
	return s;
}

/* The twin of a stream for paths that buffer: a document when there is news behind a position. */
static void wait_for_news(struct exchange *x, struct stream *s, const char *wait)
{
	struct watch_options o = {.format = FORMAT_DOCUMENT, .newer = true, .any_end = true};
	if (duration_parse(sl_slice_str(wait), &o.wait_ms) < 0 || o.wait_ms > WAIT_MAX_MS)
		respond_refusal(x, 400, "invalid_request_error", "invalid_wait",
				"wait is a duration of up to 5m, as in wait=20s");
	else if (!resume_read_seq(x, s, &o.after_seq))
		return;
	else if (o.after_seq > 0 && o.after_seq + 1 < s->log.first_seq)
		resume_refuse_lost(x, s);
	else
		watch_start(x, s, &o);
}

void handle_stream(struct exchange *x)
{
	/* The stream is there, however it ended: a failure stands in it, where an EventSource can
	 * read it, and not in the status. */
	struct watch_options o = {.any_end = true};
	const char *wait = exchange_query(x, "wait");
	if (!format_choose(x, &o.format))
		return;
	struct stream *s = access_stream_to_read(x, sl_slice_str(x->param),
						 sl_slice_str(exchange_query(x, "ticket")));
	if (!s) {
		access_refuse_stream(x);
		return;
	}
	o.hide_usage = o.format == FORMAT_OPENAI;
	if (o.format != FORMAT_DOCUMENT) {
		resume_stream(x, s, &o);
	} else if (wait) {
		wait_for_news(x, s, wait);
	} else {
		stream_touch(s, x->server->loop);
		respond_document(x, s);
	}
	stream_unref(s);
}

/* The order is on its way to the stream's owner; the answer is what the stream was when it ended.
 */
void handle_stop(struct exchange *x)
{
	struct stream *s = named_stream(x);
	if (!s)
		return;
	stream_stop(s);
	watch_start(x, s,
		    &(struct watch_options){
			    .format = FORMAT_DOCUMENT, .any_end = true, .always = true});
	stream_unref(s);
}
