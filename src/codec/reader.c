/*
 * Decides what a response is, and turns a stream into entries.
 *
 *	not 2xx ──────────────▶ BODY_ERROR ─┐
 *	no stream asked for ──▶ BODY_WHOLE ─┤ collected; read when it has ended (reader_body.c)
 *	{ or [ ───────────────▶ BODY_JSON ──┘
 *	a page ───────────────▶ FAILED at once
 *	else ─────────────────▶ STREAM: framing ─▶ dialect ─▶ entry, message by message
 *	                        (and { or [ where the dialect has a framing for it)
 *
 * In a 2xx response the first byte decides (OPEN until it comes), because content types are often
 * wrong.
 */
#include <sluice/reader.h>

#include <stdlib.h>
#include <strings.h>
#include <sluice/error.h>
#include "codec/reader_impl.h"

static size_t aligned(size_t n)
{
	return (n + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
}

static bool type_is(struct sl_slice type, const char *name)
{
	size_t n = strlen(name);

	return type.n >= n && strncasecmp(type.p, name, n) == 0;
}

static enum mode mode_of(const struct sl_reader_options *o, const struct dialect *dialect)
{
	if (o->status < 200 || o->status > 299)
		return MODE_BODY_ERROR;
	if (o->whole || !dialect->framing)
		return MODE_BODY_WHOLE;
	return MODE_OPEN;
}

/* What the larger of the dialect's framings remembers. */
static size_t size_of_framed(const struct dialect *dialect)
{
	const struct framing *one = dialect->framing, *other = dialect->json_framing;
	size_t n = one ? one->size : 0;

	return other && other->size > n ? other->size : n;
}

struct sl_reader *sl_reader_new(const struct sl_reader_options *o)
{
	const struct dialect *dialect = dialect_of(o->dialect);
	size_t framed_size = aligned(size_of_framed(dialect));
	struct sl_reader *r = calloc(1, aligned(sizeof(*r)) + framed_size + dialect->state_size);

	if (!r)
		return NULL;
	r->dialect = dialect;
	r->status = o->status;
	r->client_key = o->client_key;
	r->names = o->names;
	r->page_type = type_is(o->content_type, "text/html") ||
		       type_is(o->content_type, "application/xhtml");
	r->json_type = type_is(o->content_type, "application/json");
	r->mode = mode_of(o, dialect);
	r->framing = dialect->framing;
	r->framed = (char *)r + aligned(sizeof(*r));
	r->state = (char *)r->framed + framed_size;
	r->max_frame_bytes = o->max_frame_bytes;
	decoded_init(&r->decoded, o->max_frame_bytes);
	sl_buf_init(&r->body, r->mode == MODE_BODY_ERROR ? ERROR_BODY_MAX : o->max_frame_bytes);
	sl_buf_init(&r->chunk, SIZE_MAX); /* hold little more than the body */
	sl_buf_init(&r->usage, SIZE_MAX);
	if (r->framing)
		r->framing->init(r->framed, o->max_frame_bytes);
	dialect->init(r->state, o);
	return r;
}

void sl_reader_free(struct sl_reader *r)
{
	if (!r)
		return;
	if (r->framing)
		r->framing->fini(r->framed);
	r->dialect->fini(r->state);
	decoded_fini(&r->decoded);
	upstream_error_fini(&r->fault);
	sl_buf_fini(&r->body);
	sl_buf_fini(&r->chunk);
	sl_buf_fini(&r->usage);
	free(r);
}

void sl_reader_feed(struct sl_reader *r, const char *bytes, size_t n)
{
	if (r->ended || r->finished)
		return;
	r->in = bytes;
	r->in_len = n;
	if (r->mode == MODE_STREAM)
		r->framing->feed(r->framed, bytes, n);
}

void sl_reader_finish(struct sl_reader *r, const struct sl_event *fault)
{
	if (r->finished)
		return;
	r->finished = true;
	r->faulty = fault != NULL;
	/* Without memory for it the fault is one without words, which _next reports as -SL_E_NOMEM.
	 */
	if (fault && upstream_error_copy(&r->fault, fault) < 0)
		r->fault.event.kind = 0;
}

bool sl_reader_ended(const struct sl_reader *r)
{
	return r->ended;
}

int reader_give_end(struct sl_reader *r, struct sl_entry *entry)
{
	*entry = (struct sl_entry){.flags = SL_ENTRY_END};
	r->ended = true;
	return 1;
}

int reader_give_failed(struct sl_reader *r, const struct upstream_error *error,
		       struct sl_entry *entry)
{
	*entry = (struct sl_entry){
		.flags = SL_ENTRY_FAILED,
		.events = &error->event,
		.n_events = 1,
	};
	r->ended = true;
	return 1;
}

int reader_say_failed(struct sl_reader *r, const char *code, const char *message,
		      struct sl_entry *entry)
{
	int result = upstream_error_say(&r->decoded.error, code, message);

	return result < 0 ? result : reader_give_failed(r, &r->decoded.error, entry);
}

/* Calls go by the names that the client gave its tools. */
static void restore_names(const struct sl_reader *r)
{
	for (size_t i = 0; i < r->decoded.n_events; i++) {
		struct sl_event *e = &r->decoded.events[i];

		if (e->kind == SL_EVENT_TOOL_START)
			e->s[1] = tool_names_restore(r->names, e->s[1]);
	}
}

/* A decoder's verdict, or its failure, as a result of _next; 0 for a message that was skipped. */
int reader_give(struct sl_reader *r, int verdict, struct sl_entry *entry)
{
	r->failing = verdict == VERDICT_ENTRY_FAILED;
	switch (r->failing ? VERDICT_ENTRY : verdict) {
	case VERDICT_SKIP:
		return 0;
	case VERDICT_ENTRY:
		if (r->names)
			restore_names(r);
		*entry = (struct sl_entry){
			.flags = r->decoded.flags,
			.frame = r->decoded.frame,
			.events = r->decoded.events,
			.n_events = r->decoded.n_events,
		};
		return 1;
	case VERDICT_END:
		return reader_give_end(r, entry);
	case VERDICT_FAILED:
		return reader_give_failed(r, &r->decoded.error, entry);
	default:
		return verdict;
	}
}

int reader_decode(struct sl_reader *r, const struct message *m)
{
	decoded_reset(&r->decoded);
	return r->dialect->decode(r->state, m, &r->decoded);
}

bool reader_next_line(struct sl_reader *r, struct message *m)
{
	struct sl_slice left = sl_slice(r->chunk.p + r->at, r->chunk.len - r->at);
	const char *end;

	if (left.n == 0)
		return false;
	end = memchr(left.p, '\n', left.n);
	if (end)
		left.n = (size_t)(end - left.p);
	r->at += left.n + (end != NULL);
	*m = (struct message){.data = left};
	return true;
}

int reader_give_fault(struct sl_reader *r, struct sl_entry *entry)
{
	return r->fault.event.kind ? reader_give_failed(r, &r->fault, entry) : -SL_E_NOMEM;
}

/* The body has ended and there was no end mark: what was read decides. */
static int conclude(struct sl_reader *r, struct sl_entry *entry)
{
	if (r->dialect->is_complete(r->state))
		return reader_give_end(r, entry);
	if (r->faulty)
		return reader_give_fault(r, entry);
	return reader_say_failed(r, SL_CODE_INCOMPLETE,
				 "the upstream closed before the answer was complete", entry);
}

/* What stands unfinished at the end of a body counts when it is complete all the same. */
static bool is_cut_off(const struct message *m)
{
	struct sl_slice data = m->data;
	struct json json;

	while (data.n > 0 && *data.p == ' ')
		data = sl_slice(data.p + 1, data.n - 1);
	return !sl_slice_starts(data, "[DONE]") && json_parse(data, &json) < 0;
}

/* What the decoder has put behind the last message: 1, and the next of it. 0; -SL_E_NOMEM. */
static int next_behind(struct sl_reader *r, struct message *m)
{
	struct sl_buf *behind = &r->decoded.behind;
	int result = 0;

	if (r->at == r->chunk.len)
		r->at = r->chunk.len = 0;
	if (behind->len)
		result = sl_buf_put_slice(&r->chunk, sl_buf_slice(behind));
	behind->len = 0;
	if (result < 0 || !reader_next_line(r, m))
		return result;
	m->again = true;
	return 1;
}

static int next_of_stream(struct sl_reader *r, struct sl_entry *entry)
{
	const struct framing *framing = r->framing;
	struct message m;
	int result, given;

	for (;;) {
		bool last = false;

		result = next_behind(r, &m);
		if (result == 0)
			result = framing->next(r->framed, &m);
		if (result == 0) {
			r->in_len = 0;
			if (!r->finished)
				return 0;
			last = true;
			result = framing->finish(r->framed, &m);
		}
		if (result == 0)
			return conclude(r, entry);
		if (result == -SL_E_LIMIT)
			return reader_say_failed(r, SL_CODE_FRAME_TOO_BIG,
						 "the upstream sent a frame larger than the limit",
						 entry);
		if (result == -SL_E_SYNTAX)
			return reader_say_failed(r, SL_CODE_BAD_FRAME,
						 "the upstream sent a damaged frame", entry);
		if (result < 0)
			return result;
		if (last && is_cut_off(&m))
			continue;
		given = reader_give(r, reader_decode(r, &m), entry);
		if (given != 0)
			return given;
	}
}

static bool opens_json(char c)
{
	return c == '{' || c == '[';
}

/* What a first byte that is no space means. */
static enum mode mode_of_byte(const struct sl_reader *r, char c)
{
	if (r->page_type || c == '<')
		return MODE_PAGE;
	if (opens_json(c))
		return r->dialect->json_framing ? MODE_STREAM : MODE_BODY_JSON;
	/* Called JSON, and no field of an event stream either, nor the length of a binary
	 * message. */
	if (r->json_type && !memchr("deir:", c, 5) && (unsigned char)c > 1)
		return MODE_BODY_JSON;
	return MODE_STREAM;
}

/* The body is a stream that begins as JSON does. What stood before that is nothing to it. */
static void begin_json_stream(struct sl_reader *r)
{
	r->framing->fini(r->framed);
	r->framing = r->dialect->json_framing;
	r->framing->init(r->framed, r->max_frame_bytes);
	r->framing->feed(r->framed, r->in, r->in_len);
}

/* Looks for the byte that decides. Space and byte order mark before it go to the framing, in case
 * it is that. */
static int open_mode(struct sl_reader *r)
{
	const struct framing *framing = r->framing;
	bool is_json;
	size_t n = 0;
	struct message m;

	while (n < r->in_len && memchr(" \t\r\n\xef\xbb\xbf", r->in[n], 7))
		n++;
	is_json = n < r->in_len && opens_json(r->in[n]);
	if (n < r->in_len)
		r->mode = mode_of_byte(r, r->in[n]);
	else if (r->finished)
		r->mode = MODE_STREAM;
	if (!is_json && (r->mode == MODE_OPEN || r->mode == MODE_STREAM)) {
		framing->feed(r->framed, r->in, r->in_len);
		if (r->mode == MODE_OPEN) {
			int result = framing->next(r->framed, &m);

			r->in_len = 0;
			return result == -SL_E_NOMEM ? result : 0;
		}
	} else {
		r->in += n;
		r->in_len -= n;
		if (r->mode == MODE_STREAM)
			begin_json_stream(r);
	}
	return 0;
}

int sl_reader_next(struct sl_reader *r, struct sl_entry *entry)
{
	if (r->ended)
		return 0;
	if (r->failing)
		return reader_give_failed(r, &r->decoded.error, entry);
	if (r->mode == MODE_OPEN) {
		int result = open_mode(r);

		if (result < 0)
			return result;
	}
	switch (r->mode) {
	case MODE_OPEN:
		return 0;
	case MODE_STREAM:
		return next_of_stream(r, entry);
	case MODE_PAGE:
		return reader_say_failed(r, SL_CODE_BAD_FRAME,
					 "the upstream answered with a page instead of an answer",
					 entry);
	default:
		return reader_next_of_body(r, entry);
	}
}
