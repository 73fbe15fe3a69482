/* Writes the events that a browser's EventSource reads: text bare, everything else named. */
#include <sluice/error.h>
#include "codec/encode_block.h"
#include "codec/window_json.h"

static bool is_shown(const struct sl_event *event)
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
		return true;
	case SL_EVENT_META:
	case SL_EVENT_FINISH:
	case SL_EVENT_ERROR:
		break;
	}
	return false;
}

unsigned encode_events_count(const struct encoder *e, const struct encoder_entry *in)
{
	unsigned n = 0;

	(void)e;
	if (in->entry.flags & (SL_ENTRY_END | SL_ENTRY_FAILED))
		return 1;
	for (size_t i = 0; i < in->entry.n_events; i++)
		n += is_shown(&in->entry.events[i]);
	return n;
}

static void put_count(struct sl_window *w, const char *name, int64_t n, bool *first)
{
	if (n < 0)
		return;
	window_put_str(w, *first ? "{\"" : ",\"");
	window_put_str(w, name);
	window_put_str(w, "\":");
	window_put_int(w, n);
	*first = false;
}

static void put_usage(struct sl_window *w, const struct sl_usage *u)
{
	bool first = true;

	put_count(w, "prompt_tokens", u->prompt, &first);
	put_count(w, "completion_tokens", u->completion, &first);
	put_count(w, "total_tokens", u->total, &first);
	put_count(w, "cached_tokens", u->cached, &first);
	put_count(w, "reasoning_tokens", u->reasoning, &first);
	window_put_str(w, first ? "null" : "}");
}

static void put_tool_start(struct sl_window *w, const struct sl_event *event)
{
	window_put_str(w, "data: {\"index\":");
	window_put_int(w, event->index);
	window_put_str(w, ",\"id\":");
	window_put_json_string(w, event->s[0]);
	window_put_str(w, ",\"name\":");
	window_put_json_string(w, event->s[1]);
	window_put_str(w, ",\"arguments\":\"\"}\n");
}

static void put_tool_arguments(struct sl_window *w, const struct sl_event *event)
{
	window_put_str(w, "data: {\"index\":");
	window_put_int(w, event->index);
	window_put_str(w, ",\"arguments\":");
	window_put_json_string(w, event->s[0]);
	window_put_str(w, "}\n");
}

static const char *name_of(const struct sl_event *event)
{
	switch (event->kind) {
	case SL_EVENT_REASONING:
		return "reasoning";
	case SL_EVENT_TOOL_START:
	case SL_EVENT_TOOL_ARGS:
		return "tool_call";
	case SL_EVENT_USAGE:
		return "usage";
	default:
		return NULL;
	}
}

static void put_event(const struct sl_event *event, const struct sl_usage *usage,
		      struct sl_window *w)
{
	switch (event->kind) {
	case SL_EVENT_TOOL_START:
		put_tool_start(w, event);
		break;
	case SL_EVENT_TOOL_ARGS:
		put_tool_arguments(w, event);
		break;
	case SL_EVENT_USAGE:
		window_put_str(w, "data: ");
		put_usage(w, usage);
		window_put_str(w, "\n");
		break;
	default:
		sl_sse_put_data(w, event->s[0]);
	}
	window_put_str(w, "\n");
}

static void put_end(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	struct sl_slice finish = sl_slice_str(e->finish);

	if (!finish.n && in->stopped)
		finish = SL_LIT("stop");
	encode_block(e, in, 0, 1, "done", w);
	window_put_str(w, "data: {\"finish_reason\":");
	if (finish.n)
		window_put_json_string(w, finish);
	else
		window_put_str(w, "null");
	window_put_str(w, ",\"usage\":");
	put_usage(w, &e->usage);
	window_put_str(w, in->stopped ? ",\"stopped\":true}\n\n" : "}\n\n");
}

static void put_failed(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	const struct sl_event *error = in->entry.events;

	encode_block(e, in, 0, 1, "failed", w);
	window_put_str(w, "data: {\"error\":{\"code\":");
	window_put_json_string(w, error->s[2].n ? error->s[2] : SL_LIT(SL_CODE_ERROR));
	window_put_str(w, ",\"message\":");
	window_put_json_string(w, error->s[0].n ? error->s[0] : SL_LIT("the upstream failed"));
	window_put_str(w, e->content_seen ? "},\"partial\":true}\n\n" : "},\"partial\":false}\n\n");
}

void encode_events(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	unsigned at = 0, of = encode_events_count(e, in);
	struct sl_usage usage = e->usage;

	if (in->entry.flags & SL_ENTRY_FAILED) {
		put_failed(e, in, w);
		return;
	}
	if (in->entry.flags & SL_ENTRY_END) {
		put_end(e, in, w);
		return;
	}
	for (size_t i = 0; i < in->entry.n_events && !w->cut; i++) {
		const struct sl_event *event = &in->entry.events[i];

		if (!is_shown(event))
			continue;
		if (event->kind == SL_EVENT_USAGE)
			sl_usage_merge(&usage, &event->usage);
		encode_block(e, in, at++, of, name_of(event), w);
		put_event(event, &usage, w);
	}
}
