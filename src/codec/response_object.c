/* Prints a response. What a client's request said is not repeated in it: an encoder does not know
 * it, and no SDK looks for it there. */
#include "codec/response_object.h"

#include <sluice/error.h>
#include "codec/encode_block.h"
#include "codec/window_json.h"

static const struct response_part_words message_words[] = {
	{"msg_", "output_text", "text", "content_index", "response.content_part.added",
	 "response.output_text.delta", "response.output_text.done", "response.content_part.done"},
	{"msg_", "refusal", "refusal", "content_index", "response.content_part.added",
	 "response.refusal.delta", "response.refusal.done", "response.content_part.done"},
};

static const struct response_part_words reasoning_words = {"rs_",
							   "summary_text",
							   "text",
							   "summary_index",
							   "response.reasoning_summary_part.added",
							   "response.reasoning_summary_text.delta",
							   "response.reasoning_summary_text.done",
							   "response.reasoning_summary_part.done"};

static const struct response_part_words call_words = {"fc_",
						      NULL,
						      "arguments",
						      NULL,
						      NULL,
						      "response.function_call_arguments.delta",
						      "response.function_call_arguments.done",
						      NULL};

const struct response_part_words *response_part_words(int64_t kind)
{
	switch (kind) {
	case SL_EVENT_TEXT:
		return &message_words[0];
	case SL_EVENT_REFUSAL:
		return &message_words[1];
	case SL_EVENT_REASONING:
		return &reasoning_words;
	case SL_EVENT_TOOL_ARGS:
		return &call_words;
	default:
		return NULL;
	}
}

struct response_part response_part_of(const struct sl_event *event)
{
	struct response_part part = {.kind = event->n0, .number = event->part};

	if (event->kind == SL_EVENT_TOOL_START) {
		part.kind = SL_EVENT_TOOL_ARGS;
		part.id = event->s[0];
		part.name = event->s[1];
		part.signature = event->s[2];
	} else if (event->kind == SL_EVENT_PART_END || event->kind == SL_EVENT_PART_WHOLE) {
		part.text = event->s[0];
		part.id = event->s[1];
		part.name = event->s[2];
		part.signature = event->s[3];
	} else if (event->kind != SL_EVENT_PART_START) {
		part.kind = event->kind; /* a delta */
		part.text = event->s[0];
	}
	return part;
}

/* ---- Items */

static const char *status_name(enum response_item_status status)
{
	static const char *const names[] = {[ITEM_IN_PROGRESS] = "in_progress",
					    [ITEM_COMPLETED] = "completed",
					    [ITEM_INCOMPLETE] = "incomplete"};

	return names[status];
}

void response_put_item_id(const char *stream_id, const struct response_part *part,
			  struct sl_window *w)
{
	window_put_str(w, "\"");
	window_put_str(w, response_part_words(part->kind)->id_prefix);
	window_put_str(w, stream_id);
	window_put_str(w, "_");
	window_put_int(w, part->number);
	window_put_str(w, "\"");
}

void response_put_piece(const struct response_part *part, struct sl_window *w)
{
	const struct response_part_words *words = response_part_words(part->kind);

	window_put_str(w, "{\"type\":\"");
	window_put_str(w, words->type);
	window_put_str(w, part->kind == SL_EVENT_TEXT ? "\",\"annotations\":[],\"logprobs\":[],\""
						      : "\",\"");
	window_put_str(w, words->text);
	window_put_str(w, "\":");
	window_put_json_string(w, part->text);
	window_put_str(w, "}");
}

static void put_message(const struct response_part *part, enum response_item_status status,
			struct sl_window *w)
{
	window_put_str(w, ",\"type\":\"message\",\"status\":\"");
	window_put_str(w, status_name(status));
	window_put_str(w, "\",\"role\":\"assistant\",\"content\":[");
	if (status != ITEM_IN_PROGRESS)
		response_put_piece(part, w);
	window_put_str(w, "]");
}

/* Without a text it is only what the upstream wants back. */
static void put_reasoning(const struct response_part *part, struct sl_window *w)
{
	window_put_str(w, ",\"type\":\"reasoning\",\"summary\":[");
	if (part->text.n)
		response_put_piece(part, w);
	window_put_str(w, "],\"encrypted_content\":");
	if (part->signature.n)
		window_put_json_string(w, part->signature);
	else
		window_put_str(w, "null");
}

/* Arguments are JSON, also where the upstream has nothing to say about none. */
struct sl_slice response_full_text(const struct response_part *part,
				   enum response_item_status status)
{
	bool is_empty_call = part->kind == SL_EVENT_TOOL_ARGS && part->text.n == 0;

	return is_empty_call && status == ITEM_COMPLETED ? SL_LIT("{}") : part->text;
}

static void put_call(const struct response_part *part, enum response_item_status status,
		     struct sl_window *w)
{
	window_put_str(w, ",\"type\":\"function_call\",\"status\":\"");
	window_put_str(w, status_name(status));
	window_put_str(w, "\",\"call_id\":");
	window_put_json_string(w, part->id);
	window_put_str(w, ",\"name\":");
	window_put_json_string(w, part->name);
	window_put_str(w, ",\"arguments\":");
	window_put_json_string(w, response_full_text(part, status));
	if (part->signature.n) {
		window_put_str(w, ",\"extra_content\":{\"google\":{\"thought_signature\":");
		window_put_json_string(w, part->signature);
		window_put_str(w, "}}");
	}
}

void response_put_item(const char *stream_id, const struct response_part *part,
		       enum response_item_status status, struct sl_window *w)
{
	window_put_str(w, "{\"id\":");
	response_put_item_id(stream_id, part, w);
	if (part->kind == SL_EVENT_TOOL_ARGS)
		put_call(part, status, w);
	else if (part->kind == SL_EVENT_REASONING)
		put_reasoning(part, w);
	else
		put_message(part, status, w);
	window_put_str(w, "}");
}

/* ---- How it ended */

/* Why it is not complete, in Responses' words; NULL: it is. */
static const char *incomplete_reason(const struct encoder_entry *in)
{
	const struct sl_event *finish = encode_find(in, SL_EVENT_FINISH);

	if (in->entry.flags & SL_ENTRY_FAILED || !finish)
		return NULL;
	if (sl_slice_is(finish->s[0], "length"))
		return "max_output_tokens";
	if (sl_slice_is(finish->s[0], "content_filter"))
		return "content_filter";
	return sl_slice_is(finish->s[0], "error") ? "error" : NULL;
}

const char *response_end_status(const struct encoder_entry *in)
{
	if (in->entry.flags & SL_ENTRY_FAILED)
		return "failed";
	if (incomplete_reason(in))
		return "incomplete";
	return in->stopped && !encode_find(in, SL_EVENT_FINISH) ? "cancelled" : "completed";
}

enum response_item_status response_last_status(const struct encoder_entry *in)
{
	return strcmp(response_end_status(in), "completed") == 0 ? ITEM_COMPLETED : ITEM_INCOMPLETE;
}

/* ---- The response */

void response_put_error(const struct encoder_entry *in, struct sl_window *w)
{
	const struct sl_event *error = encode_find(in, SL_EVENT_ERROR);
	struct sl_slice code = error ? error->s[2] : SL_LIT("");
	struct sl_slice message = error ? error->s[0] : SL_LIT("");

	window_put_str(w, "\"code\":");
	window_put_json_string(w, code.n ? code : SL_LIT(SL_CODE_ERROR));
	window_put_str(w, ",\"message\":");
	window_put_json_string(w, message.n ? message : SL_LIT("the upstream failed"));
}

static void put_count(const char *before, int64_t n, struct sl_window *w)
{
	window_put_str(w, before);
	window_put_int(w, encode_count(n));
}

static void put_usage(const struct sl_usage *u, struct sl_window *w)
{
	int64_t input = encode_count(u->prompt), output = encode_count(u->completion);

	put_count("{\"input_tokens\":", input, w);
	put_count(",\"input_tokens_details\":{\"cached_tokens\":", u->cached, w);
	put_count(",\"cache_write_tokens\":", u->cache_write, w);
	put_count("},\"output_tokens\":", output, w);
	put_count(",\"output_tokens_details\":{\"reasoning_tokens\":", u->reasoning, w);
	put_count("},\"total_tokens\":", u->total < 0 ? input + output : u->total, w);
	window_put_str(w, "}");
}

static void put_own_id(const char *stream_id, struct sl_window *w)
{
	window_put_str(w, "\"resp_");
	window_put_str(w, stream_id);
	window_put_str(w, "\"");
}

static void put_head(int64_t created, const char *status, struct sl_window *w)
{
	window_put_str(w, ",\"object\":\"response\",\"created_at\":");
	window_put_int(w, created);
	window_put_str(w, ",\"status\":\"");
	window_put_str(w, status);
	window_put_str(w, "\"");
}

struct sl_slice response_model(const struct encoder_entry *in)
{
	const struct sl_event *meta = encode_find(in, SL_EVENT_META);

	return meta && meta->s[1].n ? meta->s[1] : in->model;
}

static void put_model(struct sl_slice model, struct sl_window *w)
{
	window_put_str(w, ",\"instructions\":null,\"max_output_tokens\":null,\"model\":");
	window_put_json_string(w, model);
	window_put_str(w, ",\"output\":[");
}

static void put_usage_and_rest(const struct sl_event *usage, struct sl_window *w)
{
	window_put_str(w, "],\"parallel_tool_calls\":true,\"previous_response_id\":null,"
			  "\"reasoning\":{\"effort\":null,\"summary\":null},\"store\":true,"
			  "\"temperature\":null,\"text\":{\"format\":{\"type\":\"text\"}},"
			  "\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":null,"
			  "\"truncation\":\"disabled\",\"usage\":");
	if (usage)
		put_usage(&usage->usage, w);
	else
		window_put_str(w, "null");
	window_put_str(w, ",\"user\":null,\"metadata\":{}}");
}

void response_put_begun(const char *stream_id, struct sl_slice model, int64_t created,
			const char *status, struct sl_window *w)
{
	window_put_str(w, "{\"id\":");
	put_own_id(stream_id, w);
	put_head(created, status, w);
	window_put_str(w, ",\"error\":null,\"incomplete_details\":null");
	put_model(model, w);
	put_usage_and_rest(NULL, w);
}

const struct response_part_words *response_output_words(const struct sl_event *event)
{
	return event->kind == SL_EVENT_PART_WHOLE ? response_part_words(event->n0) : NULL;
}

/* From this part on they end only because all of it does. */
static uint32_t first_unended(const struct encoder_entry *in)
{
	const struct sl_event *last = encode_find(in, SL_EVENT_PART_END);

	return last ? last->part : UINT32_MAX;
}

static void put_whole(const char *stream_id, const struct encoder_entry *in,
		      const struct sl_event *event, uint32_t unended, struct sl_window *w)
{
	struct response_part part = response_part_of(event);

	response_put_item(stream_id, &part,
			  event->part >= unended ? response_last_status(in) : ITEM_COMPLETED, w);
}

void response_put_output_item(const char *stream_id, const struct encoder_entry *in,
			      const struct sl_event *event, struct sl_window *w)
{
	put_whole(stream_id, in, event, first_unended(in), w);
}

void response_put_output(const char *stream_id, const struct encoder_entry *in, struct sl_window *w)
{
	uint32_t unended = first_unended(in);
	const char *between = "";

	for (size_t i = 0; i < in->entry.n_events && !w->cut; i++) {
		const struct sl_event *event = &in->entry.events[i];

		if (!response_output_words(event))
			continue;
		window_put_str(w, between);
		put_whole(stream_id, in, event, unended, w);
		between = ",";
	}
}

void response_put_ended(const char *stream_id, const struct encoder_entry *in, const char *status,
			struct sl_window *w)
{
	const char *reason = incomplete_reason(in);
	const struct sl_event *meta = encode_find(in, SL_EVENT_META);

	window_put_str(w, "{\"id\":");
	if (in->native && meta && meta->s[0].n) /* the one that its frames have told */
		window_put_json_string(w, meta->s[0]);
	else
		put_own_id(stream_id, w);
	put_head(in->created, status, w);
	window_put_str(w, ",\"error\":");
	if (in->entry.flags & SL_ENTRY_FAILED) {
		window_put_str(w, "{");
		response_put_error(in, w);
		window_put_str(w, "}");
	} else {
		window_put_str(w, "null");
	}
	window_put_str(w, ",\"incomplete_details\":");
	if (reason) {
		window_put_str(w, "{\"reason\":\"");
		window_put_str(w, reason);
		window_put_str(w, "\"}");
	} else {
		window_put_str(w, "null");
	}
	put_model(response_model(in), w);
	response_put_output(stream_id, in, w);
	put_usage_and_rest(encode_find(in, SL_EVENT_USAGE), w);
}
