/*
 * Writes the events that a browser's EventSource reads: text bare, everything else named. Or, for
 * several streams on one connection, the same in an envelope of JSON.
 */
#include <sluice/error.h>
#include "codec/encode_block.h"
#include "codec/encode_json.h"
#include "codec/window_json.h"

static bool is_bare(enum sl_event_kind kind)
{
	return kind == SL_EVENT_TEXT || kind == SL_EVENT_REASONING || kind == SL_EVENT_REFUSAL ||
	       kind == SL_EVENT_MESSAGE;
}

bool encode_events_is_shown(const struct sl_event *event)
{
	switch (event->kind) {
	case SL_EVENT_TEXT:
	case SL_EVENT_REASONING:
	case SL_EVENT_REFUSAL:
	case SL_EVENT_TOOL_ARGS:
		return event->choice == 0 && event->s[0].n > 0;
	case SL_EVENT_TOOL_START:
		return event->choice == 0;
	case SL_EVENT_USAGE:
	case SL_EVENT_MESSAGE:
		return true;
	default:
		return false;
	}
}

unsigned encode_events_count(const struct encoder_entry *in)
{
	unsigned n = 0;

	if (in->entry.flags & (SL_ENTRY_END | SL_ENTRY_FAILED))
		return 1;
	for (size_t i = 0; i < in->entry.n_events; i++)
		n += encode_events_is_shown(&in->entry.events[i]);
	return n;
}

/* Empty: unnamed. */
static struct sl_slice name_of(const struct sl_event *event)
{
	switch (event->kind) {
	case SL_EVENT_REASONING:
		return SL_LIT("reasoning");
	case SL_EVENT_TOOL_START:
	case SL_EVENT_TOOL_ARGS:
		return SL_LIT("tool_call");
	case SL_EVENT_USAGE:
		return SL_LIT("usage");
	case SL_EVENT_MESSAGE:
		return event->s[1];
	default:
		return SL_LIT("");
	}
}

static void put_envelope(const struct encoder *e, struct sl_slice name, struct sl_window *w)
{
	window_put_str(w, "{\"stream\":\"");
	window_put_str(w, e->stream_id);
	window_put_str(w, "\",\"type\":");
	window_put_json_string(w, name.n ? name : SL_LIT("text"));
	window_put_str(w, ",\"data\":");
}

/* The block of one event, up to where its JSON begins … */
static void open_json(const struct encoder *e, unsigned at, struct sl_slice name,
		      struct sl_window *w)
{
	bool enveloped = e->format == FORMAT_MULTIPLEX;

	encode_block(e, at, enveloped ? SL_LIT("") : name, w);
	window_put_str(w, "data: ");
	if (enveloped)
		put_envelope(e, name, w);
}

/* … and from where it ends, up to the block's end. */
static void close_json(const struct encoder *e, struct sl_window *w)
{
	window_put_str(w, e->format == FORMAT_MULTIPLEX ? "}\n" : "\n");
}

static void put_event(const struct encoder *e, const struct encoder_entry *in, unsigned at,
		      unsigned of, const struct sl_event *event, struct sl_window *w)
{
	struct sl_slice name = name_of(event);

	if (is_bare(event->kind) && e->format == FORMAT_EVENTS) {
		encode_block(e, at, name, w);
		sl_sse_put_data(w, event->s[0]);
		encode_block_end(e, in, at, of, w);
		return;
	}
	open_json(e, at, name, w);
	if (event->kind == SL_EVENT_TOOL_START)
		encode_json_tool_start(event, w);
	else if (event->kind == SL_EVENT_TOOL_ARGS)
		encode_json_tool_arguments(event, w);
	else if (event->kind == SL_EVENT_USAGE)
		encode_json_usage(&event->usage, w);
	else
		window_put_json_string(w, event->s[0]);
	close_json(e, w);
	encode_block_end(e, in, at, of, w);
}

void encode_events(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	unsigned at = 0, of = encode_events_count(in);

	if (in->entry.flags & SL_ENTRY_FAILED) {
		open_json(e, 0, SL_LIT("failed"), w);
		encode_json_failed(in, w);
		close_json(e, w);
		encode_block_end(e, in, 0, 1, w);
		return;
	}
	if (in->entry.flags & SL_ENTRY_END) {
		open_json(e, 0, SL_LIT("done"), w);
		encode_json_done(in, w);
		close_json(e, w);
		encode_block_end(e, in, 0, 1, w);
		return;
	}
	for (size_t i = 0; i < in->entry.n_events && !w->cut; i++) {
		if (encode_events_is_shown(&in->entry.events[i]))
			put_event(e, in, at++, of, &in->entry.events[i], w);
	}
}

void encoder_write_lost(const struct encoder *e, uint64_t first_seq, struct sl_window *w)
{
	bool enveloped = e->format == FORMAT_MULTIPLEX;

	window_put_str(w, enveloped ? "data: " : "event: lost\ndata: ");
	if (enveloped)
		put_envelope(e, SL_LIT("lost"), w);
	window_put_str(w, "{\"first_id\":\"");
	window_put_str(w, e->stream_id);
	window_put_str(w, ".");
	window_put_int(w, (int64_t)first_seq);
	window_put_str(w, "\"}");
	close_json(e, w);
	window_put_str(w, "\n");
}

void encode_events_run_start(const struct encoder *e, const struct sl_event *event,
			     struct sl_window *w)
{
	struct sl_slice name = name_of(event);

	encode_block(e, 0, e->format == FORMAT_EVENTS ? name : SL_LIT(""), w);
	window_put_str(w, "data: ");
	if (e->format == FORMAT_MULTIPLEX) {
		put_envelope(e, name, w);
		window_put_str(w, "\"");
	}
}
