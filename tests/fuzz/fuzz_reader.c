/*
 * Any bytes as an upstream's response. However they are cut the entries are the same; frames are
 * lines of JSON in UTF-8; there is exactly one last entry; and what was mended means the same when
 * it is read again, and needs no mending.
 *
 * The first byte chooses the options, the second one the dialect and the cuts, the rest is the body.
 * Event streams of AWS have checksums that no fuzzer finds: with a bit in the second byte each line is
 * made a message of one.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/reader.h>
#include "codec/dialect.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "../unit/eventstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(what)             \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

struct reading {
	struct sl_buf trace;  /* every entry in full */
	struct sl_buf frames; /* as an event stream */
	struct sl_buf events;
	bool last, ended;
};

static struct reading nothing(void)
{
	return (struct reading){
		.trace.max = SIZE_MAX, .frames.max = SIZE_MAX, .events.max = SIZE_MAX};
}

static void forget(struct reading *r)
{
	sl_buf_fini(&r->trace);
	sl_buf_fini(&r->frames);
	sl_buf_fini(&r->events);
}

static void put_event(struct sl_buf *out, const struct sl_event *e)
{
	DEMAND(sl_buf_printf(out, "%d %u %u %lld", (int)e->kind, e->choice, e->index,
			     (long long)e->n0) == 0);
	for (int i = 0; i < 4; i++) {
		DEMAND(utf8_valid_prefix(e->s[i]) == e->s[i].n);
		sl_buf_putc(out, '|');
		DEMAND(sl_buf_put_slice(out, e->s[i]) == 0);
	}
	if (e->kind == SL_EVENT_USAGE)
		sl_buf_printf(out, "%lld %lld %lld", (long long)e->usage.prompt,
			      (long long)e->usage.completion, (long long)e->usage.total);
	if (e->kind == SL_EVENT_TOOL_START)
		DEMAND(e->s[0].n > 0);
	if (e->kind == SL_EVENT_ERROR)
		DEMAND(e->s[0].n <= 4096 && e->s[3].n <= 4096 && e->n0 >= 400 && e->n0 <= 599);
	sl_buf_putc(out, '\n');
}

static void take(struct reading *r, const struct sl_entry *e)
{
	struct json json;

	DEMAND(!r->last);
	r->ended = e->flags & SL_ENTRY_END;
	r->last = e->flags & (SL_ENTRY_END | SL_ENTRY_FAILED);
	sl_buf_printf(&r->trace, "%u ", e->flags);
	DEMAND(sl_buf_put_slice(&r->trace, e->frame) == 0);
	sl_buf_putc(&r->trace, '\n');
	if (e->frame.n > 0 && !(e->flags & SL_ENTRY_WHOLE)) {
		DEMAND(!memchr(e->frame.p, '\n', e->frame.n) &&
		       !memchr(e->frame.p, '\r', e->frame.n));
		DEMAND(utf8_valid_prefix(e->frame) == e->frame.n);
		DEMAND(json_parse(e->frame, &json) == 0 && json.type == JSON_OBJECT);
		sl_buf_put_str(&r->frames, "data: ");
		DEMAND(sl_buf_put_slice(&r->frames, e->frame) == 0);
		sl_buf_put_str(&r->frames, "\n\n");
	}
	for (size_t i = 0; i < e->n_events; i++) {
		put_event(&r->trace, &e->events[i]);
		if (!r->last)
			put_event(&r->events, &e->events[i]);
	}
}

static void drain(struct reading *r, struct sl_reader *reader)
{
	struct sl_entry entry;
	int result;

	while ((result = sl_reader_next(reader, &entry)) == 1)
		take(r, &entry);
	DEMAND(result == 0 && sl_reader_ended(reader) == r->last);
}

/* Each piece is a copy in memory of its own, so that nothing can be kept of it. seed 0: in one
 * piece. */
static struct reading read_body(const struct sl_reader_options *o, const struct sl_event *fault,
				struct sl_slice body, uint32_t seed)
{
	struct sl_reader *reader = sl_reader_new(o);
	struct reading r = nothing();

	DEMAND(reader);
	while (body.n > 0) {
		size_t n = body.n;
		char *piece;

		if (seed) {
			seed = seed * 1664525 + 1013904223;
			n = 1 + (seed >> 16) % (seed & 0x8000 ? 3 : 40);
			n = n < body.n ? n : body.n;
		}
		piece = malloc(n);
		DEMAND(piece);
		memcpy(piece, body.p, n);
		sl_reader_feed(reader, piece, n);
		drain(&r, reader);
		free(piece);
		body = sl_slice(body.p + n, body.n - n);
	}
	sl_reader_finish(reader, fault);
	drain(&r, reader);
	DEMAND(r.last);
	sl_reader_free(reader);
	return r;
}

static bool same(const struct sl_buf *a, const struct sl_buf *b)
{
	return sl_slice_eq(sl_buf_slice(a), sl_buf_slice(b));
}

static void read_again(const struct reading *first, enum sl_dialect dialect)
{
	struct sl_reader_options o = {
		.dialect = dialect,
		.status = 200,
		.content_type = SL_LIT("text/event-stream"),
		.max_frame_bytes = 1 << 26,
	};
	struct reading second = read_body(&o, NULL, sl_buf_slice(&first->frames), 0);

	DEMAND(same(&second.frames, &first->frames));
	DEMAND(same(&second.events, &first->events));
	forget(&second);
}

/* One that streams, by its number. */
static enum sl_dialect dialect_of_byte(uint8_t byte)
{
	unsigned n = byte & 15;

	if (n > SL_DIALECT_BEDROCK_INVOKE || !dialect_of((enum sl_dialect)n)->framing)
		return SL_DIALECT_OPENAI_CHAT;
	return (enum sl_dialect)n;
}

/* The first letter of a line says what it is; the rest is its payload. */
static void put_message(struct sl_buf *out, struct sl_slice line)
{
	static const char *const names[][3] = {
		{"d", "event", "contentBlockDelta"},
		{"s", "event", "contentBlockStart"},
		{"e", "event", "contentBlockStop"},
		{"f", "event", "messageStop"},
		{"m", "event", "metadata"},
		{"b", "event", "chunk"},
		{"x", "exception", "validationException"},
	};
	struct sl_slice payload = sl_slice(line.p + 1, line.n - 1);

	if (*line.p == 'c')
		eventstream_put_chunk(out, payload);
	else if (*line.p == 'h')
		eventstream_put(out, payload, SL_LIT("{}"));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (*line.p == *names[i][0])
			eventstream_put_named(out, names[i][1], names[i][2], payload);
	}
}

static struct sl_buf as_messages(struct sl_slice body)
{
	struct sl_buf out = {.max = SIZE_MAX};

	while (body.n > 0) {
		const char *end = memchr(body.p, '\n', body.n);
		size_t n = end ? (size_t)(end - body.p) : body.n;

		if (n > 0)
			put_message(&out, sl_slice(body.p, n));
		n += end != NULL;
		body = sl_slice(body.p + n, body.n - n);
	}
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const short statuses[] = {200, 200, 200, 201, 400, 401, 503, 302};
	static const char *const types[] = {"text/event-stream", "application/json", "",
					    "text/html"};
	static const struct sl_event broken = {
		.kind = SL_EVENT_ERROR, .n0 = 502, .s = {{"broken", 6}, {0}, {"closed", 6}, {0}}};
	struct sl_reader_options o;
	const struct sl_event *fault;
	struct reading whole, cut;
	struct sl_buf messages = {0};
	struct sl_slice body;

	if (size < 2)
		return 0;
	o = (struct sl_reader_options){
		.dialect = dialect_of_byte(data[1]),
		.status = statuses[data[0] & 7],
		.content_type = sl_slice_str(types[data[0] >> 3 & 3]),
		.whole = (data[0] & 0xe0) == 0x20,
		.client_key = (data[0] & 0xe0) == 0x40,
		.max_frame_bytes = (data[0] & 0xe0) == 0x60 ? 300 : 1 << 24,
	};
	fault = (data[0] & 0xe0) == 0x80 ? &broken : NULL;
	body = sl_slice((const char *)data + 2, size - 2);
	if ((data[1] & 0x10) && dialect_of(o.dialect)->framing == &framing_eventstream) {
		messages = as_messages(body);
		body = sl_buf_slice(&messages);
	}
	whole = read_body(&o, fault, body, 0);
	cut = read_body(&o, fault, body, 1 + data[1]);
	DEMAND(same(&whole.trace, &cut.trace));
	/* The frames as a stream: a body that is no stream has none. */
	if (!o.whole && dialect_of(o.dialect)->framing == &framing_sse)
		read_again(&whole, o.dialect);
	forget(&whole);
	forget(&cut);
	sl_buf_fini(&messages);
	return 0;
}
