/*
 * The parser of server-sent events. Bytes become lines, lines become fields, an empty line makes
 * an event of them:
 *
 *	fed bytes ──▶ take_line() ──▶ take_field() ──▶ give_event()
 *	     │             │ line           │ data, type, id
 *	     ╰─ what is no whole line or event when the bytes are used up is copied there
 *
 * Values are slices of the fed bytes (held_data, held_type) as long as that is possible. For an
 * event that comes in one read this is always: nothing is copied then, and nothing allocated.
 */
#include <sluice/sse.h>

#include <assert.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/line_end.h"

/* A buffer that has grown larger than this is not kept for the next event. */
#define KEEP_BYTES 4096

static const char bom[3] = {'\xef', '\xbb', '\xbf'};
#define BOM_DONE 4 /* bom_seen: looked for, found or not */

void sl_sse_parser_init(struct sl_sse_parser *p, size_t max_event_bytes)
{
	*p = (struct sl_sse_parser){.max_event_bytes = max_event_bytes, .retry_ms = -1};
	sl_buf_init(&p->line, max_event_bytes);
	sl_buf_init(&p->data, max_event_bytes);
	sl_buf_init(&p->type, max_event_bytes);
	sl_buf_init(&p->id, max_event_bytes);
}

void sl_sse_parser_fini(struct sl_sse_parser *p)
{
	sl_buf_fini(&p->line);
	sl_buf_fini(&p->data);
	sl_buf_fini(&p->type);
	sl_buf_fini(&p->id);
}

void sl_sse_parser_feed(struct sl_sse_parser *p, const char *bytes, size_t n)
{
	assert(p->in_len == 0 && !p->ended);
	if (p->failure)
		return;
	p->in = bytes;
	p->in_len = n;
}

static int fail(struct sl_sse_parser *p, int failure)
{
	sl_sse_parser_fini(p);
	p->in_len = 0;
	p->failure = failure;
	return failure;
}

static void empty(struct sl_buf *b)
{
	b->len = 0;
	if (b->cap > KEEP_BYTES)
		sl_buf_fini(b);
}

static void advance(struct sl_sse_parser *p, size_t n)
{
	p->in += n;
	p->in_len -= n;
}

static int keep_bom_as_text(struct sl_sse_parser *p)
{
	size_t n = p->bom_seen;

	p->bom_seen = BOM_DONE;
	return sl_buf_put(&p->line, bom, n);
}

/* Exactly one byte order mark is passed over. A part of one belongs to the first line. */
static int skip_bom(struct sl_sse_parser *p)
{
	while (p->in_len > 0 && p->bom_seen < sizeof(bom)) {
		if (*p->in != bom[p->bom_seen])
			return keep_bom_as_text(p);
		p->bom_seen++;
		advance(p, 1);
	}
	if (p->bom_seen == sizeof(bom))
		p->bom_seen = BOM_DONE;
	return 0;
}

/* A CR has ended its line at once; an LF behind it belongs to it, in whichever read it comes. */
static void skip_lf_of_crlf(struct sl_sse_parser *p)
{
	if (!p->after_cr || p->in_len == 0)
		return;
	p->after_cr = false;
	if (*p->in == '\n')
		advance(p, 1);
}

static int keep_rest(struct sl_sse_parser *p)
{
	int r = p->in_comment ? 0 : sl_buf_put(&p->line, p->in, p->in_len);

	p->in_len = 0;
	return r;
}

/* 1 and the next line that is no comment, without its end; good until the next call. 0 when the
 * bytes are used up. */
static int take_line(struct sl_sse_parser *p, struct sl_slice *line)
{
	const char *end;
	int r;

	if (p->line_used) {
		empty(&p->line);
		p->line_used = false;
	}
	if (p->bom_seen != BOM_DONE) {
		r = skip_bom(p);
		if (r < 0)
			return r;
	}
	for (;;) {
		skip_lf_of_crlf(p);
		if (p->in_len == 0)
			return 0;
		if (p->line.len == 0 && *p->in == ':')
			p->in_comment = true;
		end = line_end_find(p->in, p->in + p->in_len);
		if (end == p->in + p->in_len)
			return keep_rest(p);
		*line = sl_slice(p->in, (size_t)(end - p->in));
		p->after_cr = *end == '\r';
		advance(p, line->n + 1);
		if (!p->in_comment)
			break;
		p->in_comment = false;
	}
	if (p->line.len == 0)
		return line->n <= p->max_event_bytes ? 1 : -SL_E_LIMIT;

	r = sl_buf_put_slice(&p->line, *line);
	if (r < 0)
		return r;
	p->line_used = true;
	*line = sl_buf_slice(&p->line);
	return 1;
}

static int copy_held(struct sl_slice *held, struct sl_buf *into)
{
	int r = sl_buf_put_slice(into, *held);

	*held = (struct sl_slice){0};
	return r;
}

static int add_data(struct sl_sse_parser *p, struct sl_slice value)
{
	int r;

	if (p->has_data) {
		r = copy_held(&p->held_data, &p->data);
		if (r == 0)
			r = sl_buf_putc(&p->data, '\n');
		if (r == 0)
			r = sl_buf_put_slice(&p->data, value);
		return r;
	}
	p->has_data = true;
	if (p->line_used) {
		/* The line had to be collected: its buffer becomes the data's, so that a large one
		 * is not there twice. */
		struct sl_buf line = p->line;

		p->line = p->data;
		p->data = line;
		sl_buf_consume(&p->data, (size_t)(value.p - line.p));
	} else {
		p->held_data = value;
	}
	return 0;
}

static int set_type(struct sl_sse_parser *p, struct sl_slice value)
{
	empty(&p->type);
	p->held_type = (struct sl_slice){0};
	if (p->line_used)
		return sl_buf_put_slice(&p->type, value);
	p->held_type = value;
	return 0;
}

static int set_id(struct sl_sse_parser *p, struct sl_slice value)
{
	if (value.n > 0 && memchr(value.p, 0, value.n))
		return 0;
	empty(&p->id);
	return sl_buf_put_slice(&p->id, value);
}

static void set_retry(struct sl_sse_parser *p, struct sl_slice value)
{
	int64_t ms = 0;

	if (value.n == 0)
		return;
	for (size_t i = 0; i < value.n; i++) {
		int digit = value.p[i] - '0';

		if (digit < 0 || digit > 9)
			return;
		ms = ms <= (INT64_MAX - digit) / 10 ? 10 * ms + digit : INT64_MAX;
	}
	p->retry_ms = ms;
}

/* 1 and *event for a stray line that is wanted, 0, or a failure. */
static int take_field(struct sl_sse_parser *p, struct sl_slice line, struct sl_sse_event *event)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct sl_slice name = line, value = sl_slice(line.p + line.n, 0);

	if (colon) {
		name.n = (size_t)(colon - line.p);
		value = sl_slice(colon + 1, line.n - name.n - 1);
		if (value.n > 0 && *value.p == ' ')
			value = sl_slice(value.p + 1, value.n - 1);
	}
	if (sl_slice_is(name, "data"))
		return add_data(p, value);
	if (sl_slice_is(name, "event"))
		return set_type(p, value);
	if (sl_slice_is(name, "id"))
		return set_id(p, value);
	if (sl_slice_is(name, "retry")) {
		set_retry(p, value);
		return 0;
	}
	if (!p->want_stray)
		return 0;
	*event = (struct sl_sse_event){.data = line, .id = sl_buf_slice(&p->id), .stray = true};
	return 1;
}

static void forget_event(struct sl_sse_parser *p)
{
	empty(&p->data);
	empty(&p->type);
	p->held_data = p->held_type = (struct sl_slice){0};
	p->has_data = p->event_given = false;
}

/* 1 and the event that the fields since the last empty line make; 0 when they make none. */
static int give_event(struct sl_sse_parser *p, struct sl_sse_event *event)
{
	if (!p->has_data) {
		forget_event(p);
		return 0;
	}
	*event = (struct sl_sse_event){
		.type = p->held_type.n ? p->held_type : sl_buf_slice(&p->type),
		.data = p->held_data.n ? p->held_data : sl_buf_slice(&p->data),
		.id = sl_buf_slice(&p->id),
	};
	if (event->type.n == 0)
		event->type = SL_LIT("message");
	p->event_given = true;
	return 1;
}

/* The fed bytes are about to go: copy what is still needed of them, and give back what stands
 * empty. */
static int settle(struct sl_sse_parser *p)
{
	int r = copy_held(&p->held_data, &p->data);

	if (r == 0)
		r = copy_held(&p->held_type, &p->type);
	if (r < 0)
		return r;
	if (p->line.len == 0)
		sl_buf_fini(&p->line);
	if (p->data.len == 0)
		sl_buf_fini(&p->data);
	if (p->type.len == 0)
		sl_buf_fini(&p->type);
	return 0;
}

int sl_sse_parser_next(struct sl_sse_parser *p, struct sl_sse_event *event)
{
	struct sl_slice line;
	int r;

	if (p->failure)
		return p->failure;
	if (p->event_given)
		forget_event(p);
	while ((r = take_line(p, &line)) == 1) {
		r = line.n > 0 ? take_field(p, line, event) : give_event(p, event);
		if (r != 0)
			break;
	}
	if (r == 0)
		r = settle(p);
	return r < 0 ? fail(p, r) : r;
}

/* Makes a line of what the last read left unfinished. Results as take_field(). */
static int take_last_line(struct sl_sse_parser *p, struct sl_sse_event *event)
{
	int r;

	p->ended = true;
	if (p->bom_seen != BOM_DONE) {
		r = keep_bom_as_text(p);
		if (r < 0)
			return r;
	}
	if (p->line_used || p->line.len == 0)
		return 0;
	p->line_used = true;
	return take_field(p, sl_buf_slice(&p->line), event);
}

int sl_sse_parser_finish(struct sl_sse_parser *p, struct sl_sse_event *event)
{
	int r = 0;

	assert(p->in_len == 0);
	if (p->failure)
		return p->failure;
	if (p->event_given)
		forget_event(p);
	if (!p->ended)
		r = take_last_line(p, event);
	if (r == 0)
		r = give_event(p, event);
	return r < 0 ? fail(p, r) : r;
}
