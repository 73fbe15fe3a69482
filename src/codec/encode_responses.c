/*
 * Writes the events of OpenAI's Responses: numbered over the whole answer, so that a client can ask
 * for what comes behind a number.
 *
 *	META        created, in_progress
 *	PART_START  output_item.added, and content_part or reasoning_summary_part.added
 *	deltas      one each
 *	PART_END    …done of the text, of the piece of content and of the item
 *	END         completed, or incomplete
 *	FAILED      error, failed
 *
 * The numbers follow from the log alone: an entry knows how many come before it, and what it makes
 * itself does not depend on who reads it.
 */
#include "codec/encode_responses.h"

#include "codec/encode_block.h"
#include "codec/json.h"
#include "codec/response_object.h"
#include "codec/window_json.h"

/* What one event of a log makes. */
enum message {
	CREATED,
	IN_PROGRESS,
	ITEM_ADDED,
	PIECE_ADDED,
	DELTA,
	TEXT_DONE,
	PIECE_DONE,
	ITEM_DONE,
	ERROR,
	ENDED
};

/* One pass over an entry: it counts, and with a window it writes too. */
struct telling {
	const struct encoder *e; /* NULL: counts everything */
	const struct encoder_entry *in;
	struct sl_window *w;            /* NULL: only counts */
	enum response_item_status done; /* what a part is that ends here */
	int64_t number;                 /* of the next one */
	unsigned told, shown;
	unsigned of; /* with a window: how many will be shown */
};

static bool is_shown(const struct telling *t, enum message message)
{
	if (t->e && t->number <= t->e->after_ordinal)
		return false;
	return !t->in->starts_only || message <= PIECE_ADDED;
}

/* A stopped stream ends well: who reads it need not know that it would have gone on. */
static const char *end_status(const struct encoder_entry *in)
{
	const char *status = response_end_status(in);

	return strcmp(status, "cancelled") == 0 ? "completed" : status;
}

static const char *name_of(const struct telling *t, enum message message,
			   const struct response_part_words *words)
{
	switch (message) {
	case CREATED:
		return "response.created";
	case IN_PROGRESS:
		return "response.in_progress";
	case ITEM_ADDED:
		return "response.output_item.added";
	case PIECE_ADDED:
		return words->added;
	case DELTA:
		return words->delta;
	case TEXT_DONE:
		return words->done;
	case PIECE_DONE:
		return words->piece_done;
	case ITEM_DONE:
		return "response.output_item.done";
	case ERROR:
		return "error";
	case ENDED:
		break;
	}
	if (t->in->entry.flags & SL_ENTRY_FAILED)
		return "response.failed";
	return strcmp(end_status(t->in), "incomplete") == 0 ? "response.incomplete"
							    : "response.completed";
}

static void put_place(const struct telling *t, const struct response_part *part,
		      struct sl_window *w)
{
	const struct response_part_words *words = response_part_words(part->kind);

	window_put_str(w, ",\"item_id\":");
	response_put_item_id(t->e->stream_id, part, w);
	window_put_str(w, ",\"output_index\":");
	window_put_int(w, part->number);
	if (words->index) {
		window_put_str(w, ",\"");
		window_put_str(w, words->index);
		window_put_str(w, "\":0");
	}
}

static void put_item(const struct telling *t, const struct response_part *part,
		     enum response_item_status status, struct sl_window *w)
{
	window_put_str(w, ",\"output_index\":");
	window_put_int(w, part->number);
	window_put_str(w, ",\"item\":");
	response_put_item(t->e->stream_id, part, status, w);
}

static void put_piece(const struct telling *t, const struct response_part *part,
		      struct sl_window *w)
{
	put_place(t, part, w);
	window_put_str(w, ",\"part\":");
	response_put_piece(part, w);
}

static void put_delta(const struct telling *t, const struct response_part *part,
		      struct sl_window *w)
{
	put_place(t, part, w);
	window_put_str(w, ",\"delta\":");
	window_put_json_string(w, part->text);
	if (part->kind == SL_EVENT_TEXT)
		window_put_str(w, ",\"logprobs\":[]");
}

static void put_text_done(const struct telling *t, const struct response_part *part,
			  struct sl_window *w)
{
	put_place(t, part, w);
	if (part->kind == SL_EVENT_TOOL_ARGS) {
		window_put_str(w, ",\"name\":");
		window_put_json_string(w, part->name);
	}
	window_put_str(w, ",\"");
	window_put_str(w, response_part_words(part->kind)->text);
	window_put_str(w, "\":");
	window_put_json_string(w, response_full_text(part, t->done));
	if (part->kind == SL_EVENT_TEXT)
		window_put_str(w, ",\"logprobs\":[]");
}

/* The error twice: where the API's documents have it, and where the SDKs look for one that they
 * raise. They pass over a response.failed, which comes behind it all the same: some know only that.
 */
static void put_error(const struct telling *t, struct sl_window *w)
{
	const struct sl_event *error = encode_find(t->in, SL_EVENT_ERROR);
	struct sl_slice type = error && error->s[1].n ? error->s[1] : SL_LIT("server_error");

	window_put_str(w, ",");
	response_put_error(t->in, w);
	window_put_str(w, ",\"param\":null,\"error\":{\"type\":");
	window_put_json_string(w, type);
	window_put_str(w, ",");
	response_put_error(t->in, w);
	window_put_str(w, ",\"param\":null}");
}

static void put_members(const struct telling *t, enum message message,
			const struct response_part *part, struct sl_window *w)
{
	switch (message) {
	case CREATED:
	case IN_PROGRESS:
		window_put_str(w, ",\"response\":");
		response_put_begun(t->e->stream_id, response_model(t->in), t->in->created,
				   "in_progress", w);
		break;
	case ITEM_ADDED:
		put_item(t, part, ITEM_IN_PROGRESS, w);
		break;
	case PIECE_ADDED:
	case PIECE_DONE:
		put_piece(t, part, w);
		break;
	case DELTA:
		put_delta(t, part, w);
		break;
	case TEXT_DONE:
		put_text_done(t, part, w);
		break;
	case ITEM_DONE:
		put_item(t, part, t->done, w);
		break;
	case ERROR:
		put_error(t, w);
		break;
	case ENDED:
		window_put_str(w, ",\"response\":");
		response_put_ended(t->e->stream_id, t->in, end_status(t->in), w);
		break;
	}
}

static void put_message(const struct telling *t, enum message message,
			const struct response_part *part)
{
	const char *name = name_of(t, message, response_part_words(part->kind));

	encode_block(t->e, t->shown, sl_slice_str(name), t->w);
	window_put_str(t->w, "data: {\"type\":\"");
	window_put_str(t->w, name);
	window_put_str(t->w, "\",\"sequence_number\":");
	window_put_int(t->w, t->number);
	put_members(t, message, part, t->w);
	window_put_str(t->w, "}\n");
	encode_block_end(t->e, t->in, t->shown, t->of, t->w);
}

static void tell(struct telling *t, enum message message, const struct response_part *part)
{
	if (is_shown(t, message)) {
		if (t->w && !t->w->cut)
			put_message(t, message, part);
		t->shown++;
	}
	t->told++;
	t->number++;
}

static void tell_start(struct telling *t)
{
	tell(t, CREATED, &(struct response_part){0});
	tell(t, IN_PROGRESS, &(struct response_part){0});
}

/* Such a part has no end: SDKs call what a call's end names, whatever its status is. */
static bool is_broken_off(const struct telling *t, const struct response_part *part)
{
	return t->in->entry.flags & SL_ENTRY_FAILED ||
	       (part->kind == SL_EVENT_TOOL_ARGS && t->done == ITEM_INCOMPLETE);
}

static void tell_part(struct telling *t, const struct sl_event *event)
{
	struct response_part part = response_part_of(event);
	const struct response_part_words *words = response_part_words(part.kind);

	if (!words)
		return;
	switch (event->kind) {
	case SL_EVENT_PART_START:
	case SL_EVENT_TOOL_START:
		tell(t, ITEM_ADDED, &part);
		if (words->index)
			tell(t, PIECE_ADDED, &part);
		break;
	case SL_EVENT_PART_END:
		if (is_broken_off(t, &part))
			break;
		tell(t, TEXT_DONE, &part);
		if (words->index)
			tell(t, PIECE_DONE, &part);
		tell(t, ITEM_DONE, &part);
		break;
	default:
		if (part.text.n)
			tell(t, DELTA, &part);
		break;
	}
}

static void tell_event(struct telling *t, const struct sl_event *event, bool last)
{
	if (event->choice != 0)
		return;
	switch (event->kind) {
	case SL_EVENT_META:
		if (!last) /* there it is told again */
			tell_start(t);
		break;
	case SL_EVENT_PART_START:
	case SL_EVENT_TOOL_START:
	case SL_EVENT_TEXT:
	case SL_EVENT_REASONING:
	case SL_EVENT_REFUSAL:
	case SL_EVENT_TOOL_ARGS:
	case SL_EVENT_PART_END:
		tell_part(t, event);
		break;
	default:
		break;
	}
}

static void tell_entry(struct telling *t)
{
	const struct sl_entry *entry = &t->in->entry;
	bool last = entry->flags & (SL_ENTRY_END | SL_ENTRY_FAILED);

	if (last && t->number == 0)
		tell_start(t); /* it ended before anything was said */
	for (size_t i = 0; i < entry->n_events && !(t->w && t->w->cut); i++)
		tell_event(t, &entry->events[i], last);
	if (entry->flags & SL_ENTRY_FAILED)
		tell(t, ERROR, &(struct response_part){0});
	if (last)
		tell(t, ENDED, &(struct response_part){0});
}

static struct telling telling(const struct encoder *e, const struct encoder_entry *in)
{
	return (struct telling){.e = e,
				.in = in,
				.number = in->entry.ordinal,
				.done = in->entry.flags & SL_ENTRY_END ? response_last_status(in)
								       : ITEM_COMPLETED};
}

unsigned encode_responses_events(const struct encoder_entry *in)
{
	struct telling t = telling(NULL, in);

	tell_entry(&t);
	return t.told;
}

/* ---- Where the upstream speaks Responses itself */

/* Our own end there: how many events the upstream has sent is not known, but that it numbers them
 * from 0, and that each of them was an entry. Nobody has seen it before. */
static struct telling native_end(const struct encoder_entry *in)
{
	return (struct telling){.in = in, .number = in->seq > 0 ? (int64_t)in->seq - 1 : 0};
}

static bool needs_native_end(const struct encoder_entry *in)
{
	if (in->entry.flags & SL_ENTRY_FAILED)
		return true;
	return in->entry.flags & SL_ENTRY_END && in->stopped && !encode_find(in, SL_EVENT_FINISH);
}

static bool is_native_frame_shown(const struct encoder *e, const struct encoder_entry *in)
{
	int64_t number;

	if (in->entry.frame.n == 0 || in->starts_only)
		return false;
	if (e->after_ordinal < 0 || in->entry.flags & SL_ENTRY_WHOLE)
		return true;
	/* The reader has checked it: a walk will do. */
	struct json n = json_get((struct json){JSON_OBJECT, in->entry.frame}, "sequence_number");

	return json_int(n, &number) < 0 || number > e->after_ordinal;
}

/* The frame's type as the name of an event; empty where it is none. */
static struct sl_slice native_name(struct sl_slice frame)
{
	struct json type = json_get((struct json){JSON_OBJECT, frame}, "type");

	if (type.type != JSON_STRING || type.raw.n < 2 || type.raw.n > 128)
		return SL_LIT("");
	for (size_t i = 1; i + 1 < type.raw.n; i++)
		if (type.raw.p[i] <= ' ' || type.raw.p[i] > '~' || type.raw.p[i] == '\\')
			return SL_LIT("");
	return sl_slice(type.raw.p + 1, type.raw.n - 2);
}

/* A body that is no stream, where a stream was asked for: as the shortest one that there is. */
static void put_native_whole(const struct encoder *e, const struct encoder_entry *in,
			     struct sl_window *w)
{
	static const char *const names[] = {"response.created", "response.completed"};

	for (unsigned i = 0; i < 2; i++) {
		encode_block(e, i, sl_slice_str(names[i]), w);
		window_put_str(w, "data: {\"type\":\"");
		window_put_str(w, names[i]);
		window_put_str(w, "\",\"sequence_number\":");
		window_put_int(w, i);
		window_put_str(w, ",\"response\":\n");
		sl_sse_put_data(w, in->entry.frame);
		window_put_str(w, "data: }\n");
		encode_block_end(e, in, i, 2, w);
	}
}

static unsigned native_end_count(const struct encoder_entry *in)
{
	return in->entry.flags & SL_ENTRY_FAILED ? 2 : 1;
}

static unsigned count_native(const struct encoder *e, const struct encoder_entry *in)
{
	if (in->entry.flags & (SL_ENTRY_END | SL_ENTRY_FAILED))
		return needs_native_end(in) ? native_end_count(in) : 0;
	if (!is_native_frame_shown(e, in))
		return 0;
	return in->entry.flags & SL_ENTRY_WHOLE ? 2 : 1;
}

static void write_native(const struct encoder *e, const struct encoder_entry *in,
			 struct sl_window *w)
{
	if (count_native(e, in) == 0)
		return;
	if (in->entry.flags & SL_ENTRY_WHOLE) {
		put_native_whole(e, in, w);
	} else if (!(in->entry.flags & (SL_ENTRY_END | SL_ENTRY_FAILED))) {
		encode_frame(e, in, native_name(in->entry.frame), w);
	} else {
		struct telling t = native_end(in);
		struct encoder all = *e;

		all.after_ordinal = -1;
		t.e = &all;
		t.w = w;
		t.of = native_end_count(in);
		if (in->entry.flags & SL_ENTRY_FAILED)
			tell(&t, ERROR, &(struct response_part){0});
		tell(&t, ENDED, &(struct response_part){0});
	}
}

/* ---- The encoder */

unsigned encode_responses_count(const struct encoder *e, const struct encoder_entry *in)
{
	struct telling t = telling(e, in);

	if (in->native)
		return count_native(e, in);
	tell_entry(&t);
	return t.shown;
}

void encode_responses(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	struct telling t = telling(e, in);

	if (in->native) {
		write_native(e, in, w);
		return;
	}
	t.of = encode_responses_count(e, in);
	t.w = w;
	if (t.of > 0)
		tell_entry(&t);
}

void encode_responses_whole(const struct encoder *e, const struct encoder_entry *in,
			    struct sl_window *w)
{
	if (in->entry.flags & (SL_ENTRY_END | SL_ENTRY_FAILED))
		response_put_ended(e->stream_id, in, response_end_status(in), w);
}

void encode_responses_pending(const struct encoder *e, struct sl_slice model, int64_t created,
			      const char *status, struct sl_window *w)
{
	response_put_begun(e->stream_id, model, created, status, w);
}

bool responses_stream_id(const char *response_id, char *out, size_t size)
{
	static const char prefix[] = "resp_";
	size_t n = strlen(response_id);

	if (strncmp(response_id, prefix, sizeof(prefix) - 1) != 0)
		return false;
	n -= sizeof(prefix) - 1;
	if (n == 0 || n >= size)
		return false;
	memcpy(out, response_id + sizeof(prefix) - 1, n + 1);
	return true;
}
