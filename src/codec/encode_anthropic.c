/*
 * What Anthropic's clients read. An upstream of the same API has its frames passed on; of any other,
 * events are made of ours:
 *
 *	META ─▶ message_start
 *	start of a part ─▶ content_block_start ─▶ deltas ─▶ content_block_stop    one after the other
 *	END ─▶ message_delta ─▶ message_stop        FAILED ─▶ error
 *
 * A block's index is its part's number. Blocks whose data stands in their start (redacted thinking)
 * are started by what brings the data.
 */
#include "codec/encode_block.h"
#include "codec/json.h"
#include "codec/window_json.h"

/* ---- What is written, event by event */

/* The last delta of the part that this event begins, if all of it is withheld; NULL. */
static const struct sl_event *withheld_by(const struct encoder_entry *in, size_t at)
{
	const struct sl_event *next =
		at + 1 < in->entry.n_events ? &in->entry.events[at + 1] : NULL;

	return next && next->kind == SL_EVENT_SIGNATURE && next->n0 == 1 ? next : NULL;
}

/* The type of what is made of an event; empty: nothing. */
static struct sl_slice type_of(const struct sl_event *event)
{
	if (event->choice != 0)
		return SL_LIT("");
	switch (event->kind) {
	case SL_EVENT_META:
		return SL_LIT("message_start");
	case SL_EVENT_PART_START:
	case SL_EVENT_TOOL_START:
		return SL_LIT("content_block_start");
	case SL_EVENT_TEXT:
	case SL_EVENT_REASONING:
	case SL_EVENT_REFUSAL:
	case SL_EVENT_TOOL_ARGS:
		return event->s[0].n ? SL_LIT("content_block_delta") : SL_LIT("");
	case SL_EVENT_SIGNATURE:
		return event->n0 == 1 ? SL_LIT("") : SL_LIT("content_block_delta");
	case SL_EVENT_PART_END:
		return SL_LIT("content_block_stop");
	default:
		return SL_LIT("");
	}
}

static bool is_start(struct sl_slice type)
{
	return sl_slice_is(type, "message_start") || sl_slice_is(type, "content_block_start");
}

static bool is_shown(const struct encoder_entry *in, struct sl_slice type)
{
	return type.n && (!in->starts_only || is_start(type));
}

static void put_usage(const struct sl_event *usage, struct sl_window *w)
{
	static const struct sl_usage none = {-1, -1, -1, -1, -1, -1};
	const struct sl_usage *u = usage ? &usage->usage : &none;
	int64_t cached = encode_count(u->cached), written = encode_count(u->cache_write);

	window_put_str(w, "{\"input_tokens\":");
	window_put_int(w, encode_count(encode_count(u->prompt) - cached - written));
	/* Clients add these up: what is missing would make it no number. */
	window_put_str(w, ",\"cache_creation_input_tokens\":");
	window_put_int(w, written);
	window_put_str(w, ",\"cache_read_input_tokens\":");
	window_put_int(w, cached);
	window_put_str(w, ",\"output_tokens\":");
	window_put_int(w, encode_count(u->completion));
	window_put_str(w, "}");
}

static void put_message_head(const struct encoder *e, const struct encoder_entry *in,
			     struct sl_window *w)
{
	window_put_str(w, "{\"id\":\"msg_");
	window_put_str(w, e->stream_id);
	window_put_str(w, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
	window_put_json_string(w, in->model);
	window_put_str(w, ",\"content\":[");
}

static void put_start(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	window_put_str(w, ",\"message\":");
	put_message_head(e, in, w);
	window_put_str(w, "],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
	put_usage(encode_find(in, SL_EVENT_USAGE), w);
	window_put_str(w, "}");
}

static void put_block_start(const struct encoder_entry *in, size_t at, struct sl_window *w)
{
	const struct sl_event *event = &in->entry.events[at], *withheld = withheld_by(in, at);

	window_put_str(w, ",\"index\":");
	window_put_int(w, event->part);
	window_put_str(w, ",\"content_block\":{\"type\":");
	if (event->kind == SL_EVENT_TOOL_START) {
		window_put_str(w, "\"tool_use\",\"id\":");
		window_put_json_string(w, event->s[0]);
		window_put_str(w, ",\"name\":");
		window_put_json_string(w, event->s[1]);
		window_put_str(w, ",\"input\":{}}");
	} else if (withheld) {
		window_put_str(w, "\"redacted_thinking\",\"data\":");
		window_put_json_string(w, withheld->s[0]);
		window_put_str(w, "}");
	} else if (event->n0 == SL_EVENT_REASONING) {
		window_put_str(w, "\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
	} else {
		window_put_str(w, "\"text\",\"text\":\"\"}");
	}
}

/* What a delta is of, up to its value. */
static const char *delta_head(enum sl_event_kind kind)
{
	switch (kind) {
	case SL_EVENT_REASONING:
		return "{\"type\":\"thinking_delta\",\"thinking\":";
	case SL_EVENT_TOOL_ARGS:
		return "{\"type\":\"input_json_delta\",\"partial_json\":";
	case SL_EVENT_SIGNATURE:
		return "{\"type\":\"signature_delta\",\"signature\":";
	default:
		return "{\"type\":\"text_delta\",\"text\":";
	}
}

static void put_delta_head(const struct sl_event *event, struct sl_window *w)
{
	window_put_str(w, ",\"index\":");
	window_put_int(w, event->part);
	window_put_str(w, ",\"delta\":");
	window_put_str(w, delta_head(event->kind));
}

/* The members behind the type. */
static void put_members(const struct encoder *e, const struct encoder_entry *in, size_t at,
			struct sl_window *w)
{
	const struct sl_event *event = &in->entry.events[at];

	switch (event->kind) {
	case SL_EVENT_META:
		put_start(e, in, w);
		break;
	case SL_EVENT_PART_START:
	case SL_EVENT_TOOL_START:
		put_block_start(in, at, w);
		break;
	case SL_EVENT_PART_END:
		window_put_str(w, ",\"index\":");
		window_put_int(w, event->part);
		break;
	default:
		put_delta_head(event, w);
		window_put_json_string(w, event->s[0]);
		window_put_str(w, "}");
		break;
	}
}

/* ---- Blocks */

static void open_block(const struct encoder *e, unsigned at, struct sl_slice type,
		       struct sl_window *w)
{
	encode_block(e, at, type, w);
	window_put_str(w, "data: {\"type\":\"");
	sl_window_put(w, type);
	window_put_str(w, "\"");
}

static void close_block(const struct encoder *e, const struct encoder_entry *in, unsigned at,
			unsigned of, struct sl_window *w)
{
	window_put_str(w, "}\n");
	encode_block_end(e, in, at, of, w);
}

/* Why it stopped, in words of this API; those that only it has stay. */
static struct sl_slice stop_reason(const struct encoder_entry *in)
{
	static const char *const own[] = {"end_turn",
					  "max_tokens",
					  "stop_sequence",
					  "tool_use",
					  "pause_turn",
					  "refusal",
					  "model_context_window_exceeded"};
	static const char *const words[][2] = {{"length", "max_tokens"},
					       {"tool_calls", "tool_use"},
					       {"content_filter", "refusal"}};
	const struct sl_event *finish = encode_find(in, SL_EVENT_FINISH);

	if (!finish)
		return SL_LIT("end_turn");
	if (finish->n0 & SL_FINISH_REFUSED) /* told as text here: this is what says what it was */
		return SL_LIT("refusal");
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		if (sl_slice_is(finish->s[1], own[i]))
			return finish->s[1];
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (sl_slice_is(finish->s[0], words[i][0]))
			return sl_slice_str(words[i][1]);
	}
	if (finish->n0 & SL_FINISH_CALLED) /* some servers stop when they have called */
		return SL_LIT("tool_use");
	return finish->s[2].n ? SL_LIT("stop_sequence") : SL_LIT("end_turn");
}

static void put_stop(const struct encoder_entry *in, struct sl_window *w)
{
	const struct sl_event *finish = encode_find(in, SL_EVENT_FINISH);

	window_put_str(w, "\"stop_reason\":");
	window_put_json_string(w, stop_reason(in));
	window_put_str(w, ",\"stop_sequence\":");
	if (finish && finish->s[2].n)
		window_put_json_string(w, finish->s[2]);
	else
		window_put_str(w, "null");
}

/* What of the end the upstream's own frames have said already. */
static bool says_stop(const struct encoder_entry *in)
{
	return !in->native || (in->stopped && !encode_find(in, SL_EVENT_FINISH));
}

/* Stopped before anything was said: a message must have begun before it can end. */
static bool is_all(const struct encoder_entry *in)
{
	return in->seq == 1;
}

static unsigned count_end(const struct encoder_entry *in)
{
	return is_all(in) + says_stop(in) * (1u + (encode_find(in, SL_EVENT_PART_END) != NULL)) +
	       1u;
}

static void write_end(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	const struct sl_event *open = encode_find(in, SL_EVENT_PART_END);
	unsigned at = 0, of = count_end(in);

	if (is_all(in)) {
		open_block(e, at, SL_LIT("message_start"), w);
		put_start(e, in, w);
		close_block(e, in, at++, of, w);
	}
	if (says_stop(in) && open) {
		open_block(e, at, SL_LIT("content_block_stop"), w);
		window_put_str(w, ",\"index\":");
		window_put_int(w, open->part);
		close_block(e, in, at++, of, w);
	}
	if (says_stop(in)) {
		open_block(e, at, SL_LIT("message_delta"), w);
		window_put_str(w, ",\"delta\":{");
		put_stop(in, w);
		window_put_str(w, "},\"usage\":");
		put_usage(encode_find(in, SL_EVENT_USAGE), w);
		close_block(e, in, at++, of, w);
	}
	open_block(e, at, SL_LIT("message_stop"), w);
	close_block(e, in, at, of, w);
}

static void write_failed(const struct encoder *e, const struct encoder_entry *in,
			 struct sl_window *w)
{
	encode_block(e, 0, SL_LIT("error"), w);
	window_put_str(w, "data: ");
	anthropic_put_error(in->entry.events, (struct sl_slice){0}, in->partial, w);
	window_put_str(w, "\n");
	encode_block_end(e, in, 0, 1, w);
}

/* The type of a frame as it came. */
static struct sl_slice frame_type(struct sl_slice frame)
{
	struct json object = {JSON_OBJECT, frame};
	struct json type = json_get(object, "type");

	return type.type == JSON_STRING ? sl_slice(type.raw.p + 1, type.raw.n - 2) : SL_LIT("");
}

unsigned encode_anthropic_count(const struct encoder *e, const struct encoder_entry *in)
{
	unsigned n = 0;

	(void)e;
	if (in->entry.flags & SL_ENTRY_FAILED)
		return 1;
	if (in->entry.flags & SL_ENTRY_END)
		return count_end(in);
	if (in->native)
		return in->entry.frame.n > 0 && is_shown(in, frame_type(in->entry.frame));
	for (size_t i = 0; i < in->entry.n_events; i++)
		n += is_shown(in, type_of(&in->entry.events[i]));
	return n;
}

static void write_made(const struct encoder *e, const struct encoder_entry *in, unsigned of,
		       struct sl_window *w)
{
	unsigned at = 0;

	for (size_t i = 0; i < in->entry.n_events && !w->cut; i++) {
		struct sl_slice type = type_of(&in->entry.events[i]);

		if (!is_shown(in, type))
			continue;
		open_block(e, at, type, w);
		put_members(e, in, i, w);
		close_block(e, in, at++, of, w);
	}
}

void encode_anthropic(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	unsigned of = encode_anthropic_count(e, in);

	if (of == 0)
		return;
	if (in->entry.flags & SL_ENTRY_FAILED)
		write_failed(e, in, w);
	else if (in->entry.flags & SL_ENTRY_END)
		write_end(e, in, w);
	else if (in->native)
		encode_frame(e, in, frame_type(in->entry.frame), w);
	else
		write_made(e, in, of, w);
}

/* ---- Runs: the text of several entries in one delta */

void encode_anthropic_run_start(const struct encoder *e, const struct sl_event *event,
				struct sl_window *w)
{
	open_block(e, 0, SL_LIT("content_block_delta"), w);
	put_delta_head(event, w);
	window_put_str(w, "\"");
}

void encode_anthropic_run_end(struct sl_window *w)
{
	window_put_str(w, "\"}}\n");
}

/* ---- In one piece */

static void put_whole_block(const struct sl_event *event, struct sl_window *w)
{
	struct json input;

	switch ((enum sl_event_kind)event->n0) {
	case SL_EVENT_TOOL_ARGS:
		window_put_str(w, "{\"type\":\"tool_use\",\"id\":");
		window_put_json_string(w, event->s[1]);
		window_put_str(w, ",\"name\":");
		window_put_json_string(w, event->s[2]);
		window_put_str(w, ",\"input\":");
		if (json_parse(event->s[0], &input) == 0 && input.type == JSON_OBJECT)
			sl_window_put(w, input.raw);
		else
			window_put_str(w, "{}");
		break;
	case SL_EVENT_REASONING:
		if (event->index == 1) {
			window_put_str(w, "{\"type\":\"redacted_thinking\",\"data\":");
		} else {
			window_put_str(w, "{\"type\":\"thinking\",\"thinking\":");
			window_put_json_string(w, event->s[0]);
			window_put_str(w, ",\"signature\":");
		}
		window_put_json_string(w, event->s[3]);
		break;
	default:
		window_put_str(w, "{\"type\":\"text\",\"text\":");
		window_put_json_string(w, event->s[0]);
		break;
	}
	window_put_str(w, "}");
}

void encode_anthropic_whole(const struct encoder *e, const struct encoder_entry *in,
			    struct sl_window *w)
{
	bool any = false;

	put_message_head(e, in, w);
	for (size_t i = 0; i < in->entry.n_events; i++) {
		if (in->entry.events[i].kind != SL_EVENT_PART_WHOLE)
			continue;
		window_put_str(w, any ? "," : "");
		put_whole_block(&in->entry.events[i], w);
		any = true;
	}
	window_put_str(w, "],");
	put_stop(in, w);
	window_put_str(w, ",\"usage\":");
	put_usage(encode_find(in, SL_EVENT_USAGE), w);
	window_put_str(w, "}");
}
