/* Which format writes what; bare text. The others have a file each. */
#include "codec/encode.h"

#include <assert.h>
#include "codec/encode_block.h"
#include "codec/window_json.h"

void encoder_init(struct encoder *e, enum format format, const char *stream_id)
{
	size_t n = strlen(stream_id);

	assert(n < sizeof(e->stream_id));
	*e = (struct encoder){.format = format, .ids = true, .after_ordinal = -1};
	memcpy(e->stream_id, stream_id, n + 1);
}

void encode_id(const struct encoder *e, uint64_t seq, struct sl_window *w)
{
	if (!e->ids)
		return;
	window_put_str(w, "id: ");
	sl_window_put(w, e->id_before);
	window_put_str(w, e->stream_id);
	window_put_str(w, ".");
	window_put_int(w, (int64_t)seq);
	sl_window_put(w, e->id_behind);
	window_put_str(w, "\n");
}

void encode_retry(const struct encoder *e, struct sl_window *w)
{
	if (!e->retry_ms)
		return;
	window_put_str(w, "retry: ");
	window_put_int(w, e->retry_ms);
	window_put_str(w, "\n");
}

void encode_block(const struct encoder *e, unsigned at, struct sl_slice name, struct sl_window *w)
{
	if (name.n)
		sl_sse_put_field(w, "event", name);
	if (at == 0)
		encode_retry(e, w);
}

void encode_block_end(const struct encoder *e, const struct encoder_entry *in, unsigned at,
		      unsigned of, struct sl_window *w)
{
	if (at + 1 == of)
		encode_id(e, in->seq, w);
	window_put_str(w, "\n");
}

void encode_frame(const struct encoder *e, const struct encoder_entry *in, struct sl_slice name,
		  struct sl_window *w)
{
	encode_block(e, 0, name, w);
	if (in->entry.flags & SL_ENTRY_WHOLE) { /* a body as it came: of several lines */
		sl_sse_put_data(w, in->entry.frame);
	} else {
		window_put_str(w, "data: ");
		sl_window_put(w, in->entry.frame); /* one line: the reader has seen to it */
		window_put_str(w, "\n");
	}
	encode_block_end(e, in, 0, 1, w);
}

int64_t encode_count(int64_t n)
{
	return n > 0 ? n : 0;
}

const struct sl_event *encode_find(const struct encoder_entry *in, enum sl_event_kind kind)
{
	for (size_t i = 0; i < in->entry.n_events; i++)
		if (in->entry.events[i].kind == kind && in->entry.events[i].choice == 0)
			return &in->entry.events[i];
	return NULL;
}

static bool is_shown_text(const struct sl_event *event)
{
	return event->choice == 0 && event->s[0].n > 0 &&
	       (event->kind == SL_EVENT_TEXT || event->kind == SL_EVENT_REFUSAL);
}

/* Control characters become spaces, so that it stays one line. */
static void put_plain(struct sl_slice s, struct sl_window *w)
{
	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && (unsigned char)s.p[n] >= 0x20)
			n++;
		sl_window_put(w, sl_slice(s.p, n));
		if (n < s.n) {
			window_put_str(w, " ");
			n++;
		}
		s = sl_slice(s.p + n, s.n - n);
	}
}

static void put_failed_line(const struct sl_event *error, struct sl_window *w)
{
	window_put_str(w, "[error] ");
	put_plain(error->s[0].n ? error->s[0] : SL_LIT("the upstream failed"), w);
	window_put_str(w, " (");
	put_plain(error->s[2].n ? error->s[2] : SL_LIT(SL_CODE_ERROR), w);
	window_put_str(w, ")\n");
}

static void write_text(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	unsigned flags = in->entry.flags;

	if (flags & SL_ENTRY_FAILED) {
		if (e->line_open)
			window_put_str(w, "\n");
		put_failed_line(in->entry.events, w);
		return;
	}
	for (size_t i = 0; i < in->entry.n_events; i++) {
		const struct sl_event *event = &in->entry.events[i];

		if (is_shown_text(event) || event->kind == SL_EVENT_MESSAGE)
			sl_window_put(w, event->s[0]);
		if (event->kind == SL_EVENT_MESSAGE)
			window_put_str(w, "\n");
	}
}

/* The body as it came, or what the end of a composed log makes of the answer. */
static void write_whole(const struct encoder *e, const struct encoder_entry *in,
			struct sl_window *w)
{
	if (in->native || in->entry.flags & SL_ENTRY_WHOLE) {
		if (in->entry.flags & SL_ENTRY_WHOLE)
			sl_window_put(w, in->entry.frame);
		return;
	}
	if (!(in->entry.flags & SL_ENTRY_END))
		return;
	if (e->client == SL_DIALECT_ANTHROPIC)
		encode_anthropic_whole(e, in, w);
	else if (e->client == SL_DIALECT_RESPONSES)
		encode_responses_whole(e, in, w);
	else
		encode_chat_whole(e, in, w);
}

void encoder_write(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	switch (e->format) {
	case FORMAT_OPENAI:
		encode_chat(e, in, w);
		break;
	case FORMAT_ANTHROPIC:
		encode_anthropic(e, in, w);
		break;
	case FORMAT_RESPONSES:
		encode_responses(e, in, w);
		break;
	case FORMAT_DOCUMENT:
		break;
	case FORMAT_EVENTS:
	case FORMAT_MULTIPLEX:
		encode_events(e, in, w);
		break;
	case FORMAT_TEXT:
		write_text(e, in, w);
		break;
	case FORMAT_WHOLE:
		write_whole(e, in, w);
		break;
	}
}

size_t encoder_measure(const struct encoder *e, const struct encoder_entry *in)
{
	struct sl_window w = sl_window(NULL, 0, SIZE_MAX);

	encoder_write(e, in, &w);
	return SIZE_MAX - w.skip;
}

static unsigned count_blocks(const struct encoder *e, const struct encoder_entry *in)
{
	switch (e->format) {
	case FORMAT_OPENAI:
		return encode_chat_count(e, in);
	case FORMAT_ANTHROPIC:
		return encode_anthropic_count(e, in);
	case FORMAT_RESPONSES:
		return encode_responses_count(e, in);
	default:
		return encode_events_count(in);
	}
}

void encoder_done(struct encoder *e, const struct encoder_entry *in)
{
	if (e->retry_ms && format_is_sse(e->format) && count_blocks(e, in) > 0)
		e->retry_ms = 0;
	for (size_t i = 0; e->format == FORMAT_TEXT && i < in->entry.n_events; i++) {
		const struct sl_event *event = &in->entry.events[i];

		if (is_shown_text(event))
			e->line_open = event->s[0].p[event->s[0].n - 1] != '\n';
	}
}
