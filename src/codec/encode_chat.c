/*
 * What OpenAI's clients read: chat completion chunks, those of the legacy completions, and both in
 * one piece. An upstream of the same API has its frames passed on; of any other, chunks are made of
 * the events:
 *
 *	META ─▶ role    deltas, calls ─▶ delta    END ─▶ finish_reason ─▶ usage ─▶ [DONE]
 */
#include "codec/encode_block.h"
#include "codec/window_json.h"

static bool is_legacy(const struct encoder *e)
{
	return e->client == SL_DIALECT_OPENAI_COMPLETIONS;
}

/* ---- One chunk */

/* The upstream's own id where its chunks have been passed on. */
static void put_id(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	const struct sl_event *meta = in->native ? encode_find(in, SL_EVENT_META) : NULL;

	window_put_str(w, "{\"id\":");
	if (meta && meta->s[0].n) {
		window_put_json_string(w, meta->s[0]);
		return;
	}
	window_put_str(w, is_legacy(e) ? "\"cmpl-" : "\"chatcmpl-");
	window_put_str(w, e->stream_id);
	window_put_str(w, "\"");
}

static void put_head(const struct encoder *e, const struct encoder_entry *in, const char *object,
		     struct sl_window *w)
{
	put_id(e, in, w);
	window_put_str(w, ",\"object\":\"");
	window_put_str(w, object);
	window_put_str(w, "\",\"created\":");
	window_put_int(w, in->created);
	window_put_str(w, ",\"model\":");
	window_put_json_string(w, in->model);
	window_put_str(w, ",\"choices\":[");
}

static const char *chunk_object(const struct encoder *e)
{
	return is_legacy(e) ? "text_completion" : "chat.completion.chunk";
}

/* Up to where the delta, or the text, stands … */
static void open_choice(const struct encoder *e, const struct encoder_entry *in, uint32_t choice,
			struct sl_window *w)
{
	put_head(e, in, chunk_object(e), w);
	window_put_str(w, "{\"index\":");
	window_put_int(w, choice);
	window_put_str(w, is_legacy(e) ? ",\"text\":" : ",\"delta\":{");
}

/* … and from there on. */
static void close_choice(const struct encoder *e, struct sl_slice finish_reason,
			 struct sl_window *w)
{
	window_put_str(w, is_legacy(e) ? "" : "}");
	window_put_str(w, ",\"logprobs\":null,\"finish_reason\":");
	if (finish_reason.n)
		window_put_json_string(w, finish_reason);
	else
		window_put_str(w, "null");
	window_put_str(w, "}]}");
}

static void put_signature(const struct sl_event *event, struct sl_window *w)
{
	window_put_str(w, event->n0 ? "{\"type\":\"reasoning.encrypted\",\"data\":"
				    : "{\"type\":\"reasoning.text\",\"signature\":");
	window_put_json_string(w, event->s[0]);
	window_put_str(w, "}");
}

static void put_call_head(const struct sl_slice id, struct sl_slice name, struct sl_slice signature,
			  struct sl_window *w)
{
	window_put_str(w, "\"id\":");
	window_put_json_string(w, id);
	window_put_str(w, ",\"type\":\"function\"");
	if (signature.n) { /* as Google's own layer of this API has it */
		window_put_str(w, ",\"extra_content\":{\"google\":{\"thought_signature\":");
		window_put_json_string(w, signature);
		window_put_str(w, "}}");
	}
	window_put_str(w, ",\"function\":{\"name\":");
	window_put_json_string(w, name);
}

static void put_call(const struct sl_event *event, struct sl_window *w)
{
	window_put_str(w, "\"tool_calls\":[{\"index\":");
	window_put_int(w, event->index);
	window_put_str(w, ",");
	if (event->kind == SL_EVENT_TOOL_START) {
		put_call_head(event->s[0], event->s[1], event->s[2], w);
		window_put_str(w, ",\"arguments\":\"\"}}]");
		return;
	}
	window_put_str(w, "\"function\":{\"arguments\":");
	window_put_json_string(w, event->s[0]);
	window_put_str(w, "}}]");
}

static const char *text_member(enum sl_event_kind kind)
{
	return kind == SL_EVENT_REASONING ? "\"reasoning_content\":"
	       : kind == SL_EVENT_REFUSAL ? "\"refusal\":"
					  : "\"content\":";
}

static void put_delta(const struct sl_event *event, struct sl_window *w)
{
	switch (event->kind) {
	case SL_EVENT_META:
		window_put_str(w, "\"role\":\"assistant\",\"content\":\"\"");
		break;
	case SL_EVENT_TOOL_START:
	case SL_EVENT_TOOL_ARGS:
		put_call(event, w);
		break;
	case SL_EVENT_SIGNATURE:
		window_put_str(w, "\"reasoning_details\":[");
		put_signature(event, w);
		window_put_str(w, "]");
		break;
	default:
		window_put_str(w, text_member(event->kind));
		window_put_json_string(w, event->s[0]);
		break;
	}
}

static void put_usage(const struct sl_usage *u, struct sl_window *w)
{
	int64_t prompt = encode_count(u->prompt), completion = encode_count(u->completion);

	window_put_str(w, "{\"prompt_tokens\":");
	window_put_int(w, prompt);
	window_put_str(w, ",\"completion_tokens\":");
	window_put_int(w, completion);
	window_put_str(w, ",\"total_tokens\":");
	window_put_int(w, u->total >= 0 ? u->total : prompt + completion);
	if (u->cached >= 0 || u->cache_write >= 0) {
		window_put_str(w, ",\"prompt_tokens_details\":{\"cached_tokens\":");
		window_put_int(w, encode_count(u->cached));
		if (u->cache_write >= 0) {
			window_put_str(w, ",\"cache_write_tokens\":");
			window_put_int(w, u->cache_write);
		}
		window_put_str(w, "}");
	}
	if (u->reasoning >= 0) {
		window_put_str(w, ",\"completion_tokens_details\":{\"reasoning_tokens\":");
		window_put_int(w, u->reasoning);
		window_put_str(w, "}");
	}
	window_put_str(w, "}");
}

/* ---- The chunks of an entry */

/* Made of events: which of them a chunk is made of. */
static bool is_shown(const struct encoder *e, const struct sl_event *event)
{
	if (event->choice != 0)
		return false;
	switch (event->kind) {
	case SL_EVENT_TEXT:
	case SL_EVENT_REFUSAL:
		return event->s[0].n > 0;
	case SL_EVENT_REASONING:
	case SL_EVENT_TOOL_ARGS:
	case SL_EVENT_SIGNATURE:
		return !is_legacy(e) && event->s[0].n > 0;
	case SL_EVENT_META:
	case SL_EVENT_TOOL_START:
		return !is_legacy(e);
	default:
		return false;
	}
}

static bool shows_usage(const struct encoder *e, const struct encoder_entry *in)
{
	return !e->hide_usage && encode_find(in, SL_EVENT_USAGE);
}

/* A stopped stream ends with a finish reason too, or SDKs call it broken. */
static bool needs_finish(const struct encoder_entry *in)
{
	return !in->native || (in->stopped && !encode_find(in, SL_EVENT_FINISH));
}

static unsigned count_end(const struct encoder *e, const struct encoder_entry *in)
{
	return needs_finish(in) + (!in->native && shows_usage(e, in)) + 1u;
}

unsigned encode_chat_count(const struct encoder *e, const struct encoder_entry *in)
{
	unsigned n = 0;

	if (in->entry.flags & SL_ENTRY_FAILED)
		return 2;
	if (in->entry.flags & SL_ENTRY_END)
		return count_end(e, in);
	if (in->native)
		return in->entry.frame.n > 0 &&
		       !(e->hide_usage && (in->entry.flags & SL_ENTRY_USAGE_ONLY));
	for (size_t i = 0; i < in->entry.n_events; i++)
		n += is_shown(e, &in->entry.events[i]);
	return n;
}

static void put_finish_chunk(const struct encoder *e, const struct encoder_entry *in,
			     struct sl_window *w)
{
	const struct sl_event *finish = encode_find(in, SL_EVENT_FINISH);

	open_choice(e, in, 0, w);
	/* The first chunk of all names the role, or SDKs stumble. */
	if (is_legacy(e))
		window_put_str(w, "\"\"");
	else if (in->seq == 1)
		window_put_str(w, "\"role\":\"assistant\"");
	close_choice(e, finish ? finish->s[0] : SL_LIT("stop"), w);
}

static void put_usage_chunk(const struct encoder *e, const struct encoder_entry *in,
			    struct sl_window *w)
{
	put_head(e, in, chunk_object(e), w);
	window_put_str(w, "],\"usage\":");
	put_usage(&encode_find(in, SL_EVENT_USAGE)->usage, w);
	window_put_str(w, "}");
}

static void open_block(const struct encoder *e, unsigned at, struct sl_window *w)
{
	encode_block(e, at, SL_LIT(""), w);
	window_put_str(w, "data: ");
}

static void close_block(const struct encoder *e, const struct encoder_entry *in, unsigned at,
			unsigned of, struct sl_window *w)
{
	window_put_str(w, "\n");
	encode_block_end(e, in, at, of, w);
}

static void put_done(const struct encoder *e, const struct encoder_entry *in, unsigned at,
		     struct sl_window *w)
{
	encode_block(e, at, SL_LIT(""), w);
	encode_id(e, in->seq, w); /* in front here: [DONE] is what a stream of chunks ends with */
	window_put_str(w, "data: [DONE]\n\n");
}

static void write_end(const struct encoder *e, const struct encoder_entry *in, unsigned of,
		      struct sl_window *w)
{
	unsigned at = 0;

	if (needs_finish(in)) {
		open_block(e, at, w);
		put_finish_chunk(e, in, w);
		close_block(e, in, at++, of, w);
	}
	if (at + 1 < of) {
		open_block(e, at, w);
		put_usage_chunk(e, in, w);
		close_block(e, in, at++, of, w);
	}
	put_done(e, in, at, w);
}

static void write_failed(const struct encoder *e, const struct encoder_entry *in,
			 struct sl_window *w)
{
	open_block(e, 0, w);
	openai_put_error(in->entry.events, (struct sl_slice){0}, in->partial, w);
	close_block(e, in, 0, 2, w);
	put_done(e, in, 1, w);
}

static void write_made(const struct encoder *e, const struct encoder_entry *in, unsigned of,
		       struct sl_window *w)
{
	unsigned at = 0;

	for (size_t i = 0; i < in->entry.n_events && !w->cut; i++) {
		const struct sl_event *event = &in->entry.events[i];

		if (!is_shown(e, event))
			continue;
		open_block(e, at, w);
		open_choice(e, in, event->choice, w);
		if (is_legacy(e))
			window_put_json_string(w, event->s[0]);
		else
			put_delta(event, w);
		close_choice(e, SL_LIT(""), w);
		close_block(e, in, at++, of, w);
	}
}

void encode_chat(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	unsigned of = encode_chat_count(e, in);

	if (of == 0)
		return;
	if (in->entry.flags & SL_ENTRY_FAILED)
		write_failed(e, in, w);
	else if (in->entry.flags & SL_ENTRY_END)
		write_end(e, in, of, w);
	else if (in->native)
		encode_frame(e, in, SL_LIT(""), w);
	else
		write_made(e, in, of, w);
}

/* ---- Runs: the text of several entries in one chunk */

void encode_chat_run_start(const struct encoder *e, const struct encoder_entry *in,
			   const struct sl_event *event, struct sl_window *w)
{
	open_block(e, 0, w);
	open_choice(e, in, 0, w);
	if (!is_legacy(e))
		window_put_str(w, text_member(event->kind));
	window_put_str(w, "\"");
}

void encode_chat_run_end(const struct encoder *e, struct sl_window *w)
{
	window_put_str(w, "\"");
	close_choice(e, SL_LIT(""), w);
	window_put_str(w, "\n");
}

/* ---- In one piece */

static bool is_whole(const struct sl_event *event, enum sl_event_kind kind)
{
	return event->kind == SL_EVENT_PART_WHOLE && (enum sl_event_kind)event->n0 == kind;
}

/* The texts of all parts of these kinds as one string; `otherwise` where there is no such part. */
static void put_joined(const struct encoder_entry *in, enum sl_event_kind kind,
		       enum sl_event_kind also, const char *otherwise, struct sl_window *w)
{
	bool any = false;

	for (size_t i = 0; i < in->entry.n_events; i++) {
		if (!is_whole(&in->entry.events[i], kind) && !is_whole(&in->entry.events[i], also))
			continue;
		if (!any)
			window_put_str(w, "\"");
		any = true;
		window_put_json_chars(w, in->entry.events[i].s[0]);
	}
	window_put_str(w, any ? "\"" : otherwise);
}

static bool has_whole(const struct encoder_entry *in, enum sl_event_kind kind)
{
	for (size_t i = 0; i < in->entry.n_events; i++) {
		if (is_whole(&in->entry.events[i], kind))
			return true;
	}
	return false;
}

static void put_whole_calls(const struct encoder_entry *in, struct sl_window *w)
{
	const char *between = ",\"tool_calls\":[{";

	for (size_t i = 0; i < in->entry.n_events; i++) {
		const struct sl_event *event = &in->entry.events[i];

		if (!is_whole(event, SL_EVENT_TOOL_ARGS))
			continue;
		window_put_str(w, between);
		put_call_head(event->s[1], event->s[2], event->s[3], w);
		window_put_str(w, ",\"arguments\":");
		window_put_json_string(w, event->s[0]);
		window_put_str(w, "}");
		between = "},{";
	}
	window_put_str(w, has_whole(in, SL_EVENT_TOOL_ARGS) ? "}]" : "");
}

static void put_whole_signatures(const struct encoder_entry *in, struct sl_window *w)
{
	const char *between = ",\"reasoning_details\":[";
	bool any = false;

	for (size_t i = 0; i < in->entry.n_events; i++) {
		const struct sl_event *event = &in->entry.events[i];

		if (!is_whole(event, SL_EVENT_REASONING) || !event->s[3].n)
			continue;
		window_put_str(w, any ? "," : between);
		put_signature(&(struct sl_event){.n0 = event->index, .s[0] = event->s[3]}, w);
		any = true;
	}
	window_put_str(w, any ? "]" : "");
}

static void put_message(const struct encoder_entry *in, struct sl_window *w)
{
	window_put_str(w, "\"message\":{\"role\":\"assistant\",\"content\":");
	put_joined(in, SL_EVENT_TEXT, 0, "null", w);
	window_put_str(w, ",\"refusal\":");
	put_joined(in, SL_EVENT_REFUSAL, 0, "null", w);
	if (has_whole(in, SL_EVENT_REASONING)) {
		window_put_str(w, ",\"reasoning_content\":");
		put_joined(in, SL_EVENT_REASONING, 0, "", w);
		put_whole_signatures(in, w);
	}
	put_whole_calls(in, w);
	window_put_str(w, "}");
}

void encode_chat_whole(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	static const struct sl_usage none = {-1, -1, -1, -1, -1, -1};
	const struct sl_event *finish = encode_find(in, SL_EVENT_FINISH);
	const struct sl_event *usage = encode_find(in, SL_EVENT_USAGE);

	put_head(e, in, is_legacy(e) ? "text_completion" : "chat.completion", w);
	window_put_str(w, "{\"index\":0,");
	if (is_legacy(e)) {
		window_put_str(w, "\"text\":");
		put_joined(in, SL_EVENT_TEXT, SL_EVENT_REFUSAL, "\"\"", w);
	} else {
		put_message(in, w);
	}
	window_put_str(w, ",\"logprobs\":null,\"finish_reason\":");
	window_put_json_string(w, finish ? finish->s[0] : SL_LIT("stop"));
	window_put_str(w, "}],\"usage\":");
	put_usage(usage ? &usage->usage : &none, w);
	window_put_str(w, "}");
}
