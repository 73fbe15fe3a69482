/* Runs: the text of several entries in one event, for who comes late. */
#include "codec/encode_block.h"
#include "codec/line_end.h"
#include "codec/window_json.h"

bool encoder_merges(const struct encoder *e)
{
	return format_is_sse(e->format) && e->format != FORMAT_RESPONSES;
}

static bool is_text(enum sl_event_kind kind)
{
	return kind == SL_EVENT_TEXT || kind == SL_EVENT_REASONING || kind == SL_EVENT_REFUSAL;
}

/* Whether the format says something of the event. */
static bool is_said(const struct encoder *e, const struct sl_event *event)
{
	switch (event->kind) {
	case SL_EVENT_USAGE:
	case SL_EVENT_FINISH:
		return encode_events_is_shown(event) && e->format != FORMAT_OPENAI &&
		       e->format != FORMAT_ANTHROPIC;
	case SL_EVENT_PART_START:
	case SL_EVENT_PART_END:
		return e->format == FORMAT_ANTHROPIC;
	case SL_EVENT_REASONING:
		return event->s[0].n > 0 && e->client != SL_DIALECT_OPENAI_COMPLETIONS;
	case SL_EVENT_META:
	case SL_EVENT_SIGNATURE:
		return e->format == FORMAT_OPENAI || e->format == FORMAT_ANTHROPIC;
	default:
		return encode_events_is_shown(event);
	}
}

/* What the entry would show, if that is one piece of text; NULL. */
static const struct sl_event *only_text(const struct encoder *e, const struct encoder_entry *in)
{
	const struct sl_event *found = NULL;

	if (in->entry.flags & (SL_ENTRY_END | SL_ENTRY_FAILED))
		return NULL;
	if (in->native && (e->format == FORMAT_OPENAI || e->format == FORMAT_ANTHROPIC))
		return NULL;
	for (size_t i = 0; i < in->entry.n_events; i++) {
		const struct sl_event *event = &in->entry.events[i];

		if (!is_said(e, event))
			continue;
		if (found || !is_text(event->kind) || event->choice != 0)
			return NULL;
		found = event;
	}
	return found;
}

/* A piece of a text whose line is open: a line end in it opens the next one. */
static void put_lines(struct sl_slice s, struct sl_window *w)
{
	const char *p = s.p, *end = s.p + s.n;

	while (!w->cut) {
		const char *line_end = line_end_find(p, end);

		sl_window_put(w, sl_slice(p, (size_t)(line_end - p)));
		if (line_end == end)
			return;
		window_put_str(w, "\ndata: ");
		p = line_end + 1;
		if (*line_end == '\r' && p < end && *p == '\n')
			p++;
	}
}

static void put_start(const struct encoder *e, const struct encoder_entry *in,
		      const struct sl_event *event, struct sl_window *w)
{
	if (e->format == FORMAT_OPENAI)
		encode_chat_run_start(e, in, event, w);
	else if (e->format == FORMAT_ANTHROPIC)
		encode_anthropic_run_start(e, event, w);
	else
		encode_events_run_start(e, event, w);
}

static void put_end(const struct encoder *e, struct sl_window *w)
{
	switch (e->format) {
	case FORMAT_OPENAI:
		encode_chat_run_end(e, w);
		break;
	case FORMAT_ANTHROPIC:
		encode_anthropic_run_end(w);
		break;
	case FORMAT_MULTIPLEX:
		window_put_str(w, "\"}\n");
		break;
	default:
		window_put_str(w, "\n");
		break;
	}
}

/* How many bytes encoder_run_end() writes at the most. */
static size_t end_bytes(const struct encoder *e)
{
	struct sl_window w = sl_window(NULL, 0, SIZE_MAX);

	put_end(e, &w);
	encode_id(e, UINT64_MAX / 2, &w);
	return SIZE_MAX - w.skip + 2;
}

bool encoder_run_add(const struct encoder *e, struct encoder_run *run,
		     const struct encoder_entry *in, struct sl_window *w)
{
	const struct sl_event *event = only_text(e, in);
	struct sl_window try = *w;
	size_t end = end_bytes(e);

	if (!event || (run->kind && (run->kind != event->kind || run->part != event->part)) ||
	    w->room < end)
		return false;
	try.room -= end;
	if (!run->kind)
		put_start(e, in, event, &try);
	if (e->format == FORMAT_EVENTS)
		put_lines(event->s[0], &try);
	else
		window_put_json_chars(&try, event->s[0]);
	if (try.cut)
		return false;
	try.room += end;
	*w = try;
	*run = (struct encoder_run){event->kind, event->part, in->seq};
	return true;
}

void encoder_run_end(struct encoder *e, const struct encoder_run *run, struct sl_window *w)
{
	put_end(e, w);
	encode_id(e, run->seq, w);
	window_put_str(w, "\n");
	e->retry_ms = 0;
}
