/* Prints the data of named events. */
#include "codec/encode_json.h"

#include "codec/encode_block.h"
#include "codec/window_json.h"

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

void encode_json_usage(const struct sl_usage *u, struct sl_window *w)
{
	bool first = true;

	put_count(w, "prompt_tokens", u->prompt, &first);
	put_count(w, "completion_tokens", u->completion, &first);
	put_count(w, "total_tokens", u->total, &first);
	put_count(w, "cached_tokens", u->cached, &first);
	put_count(w, "reasoning_tokens", u->reasoning, &first);
	window_put_str(w, first ? "null" : "}");
}

void encode_json_tool_start(const struct sl_event *event, struct sl_window *w)
{
	window_put_str(w, "{\"index\":");
	window_put_int(w, event->index);
	window_put_str(w, ",\"id\":");
	window_put_json_string(w, event->s[0]);
	window_put_str(w, ",\"name\":");
	window_put_json_string(w, event->s[1]);
	window_put_str(w, ",\"arguments\":\"\"}");
}

void encode_json_tool_arguments(const struct sl_event *event, struct sl_window *w)
{
	window_put_str(w, "{\"index\":");
	window_put_int(w, event->index);
	window_put_str(w, ",\"arguments\":");
	window_put_json_string(w, event->s[0]);
	window_put_str(w, "}");
}

void encode_json_done(const struct encoder_entry *in, struct sl_window *w)
{
	const struct sl_event *finish = encode_find(in, SL_EVENT_FINISH);
	const struct sl_event *usage = encode_find(in, SL_EVENT_USAGE);

	window_put_str(w, "{\"finish_reason\":");
	if (finish)
		window_put_json_string(w, finish->s[0]);
	else
		window_put_str(w, in->stopped ? "\"stop\"" : "null");
	window_put_str(w, ",\"usage\":");
	if (usage)
		encode_json_usage(&usage->usage, w);
	else
		window_put_str(w, "null");
	window_put_str(w, in->stopped ? ",\"stopped\":true}" : "}");
}

void encode_json_failed(const struct encoder_entry *in, struct sl_window *w)
{
	const struct sl_event *error = in->entry.events;

	window_put_str(w, "{\"error\":{\"code\":");
	window_put_json_string(w, error->s[2].n ? error->s[2] : SL_LIT(SL_CODE_ERROR));
	window_put_str(w, ",\"message\":");
	window_put_json_string(w, error->s[0].n ? error->s[0] : SL_LIT("the upstream failed"));
	window_put_str(w, in->partial ? "},\"partial\":true}" : "},\"partial\":false}");
}
