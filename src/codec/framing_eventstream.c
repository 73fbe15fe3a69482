/*
 * AWS's event streams, application/vnd.amazon.eventstream: binary messages with checksums.
 *
 *	u32 length | u32 length of headers | u32 CRC of these 8 bytes   the prelude
 *	headers | payload
 *	u32 CRC of all before
 *
 * A message that lies whole in the bytes fed is given as it lies there; what is cut is collected:
 *
 *	nothing held ─whole message──▶ given
 *	      ╰───────start of one───▶ held ─▶ prelude checked ─▶ complete, given ─▶ nothing held
 *
 * Nothing can be found again behind a message that is damaged: the first fault ends it all.
 */
#include "codec/framing.h"

#include <sluice/error.h>
#include "codec/crc32.h"

#define PRELUDE     12
#define OVERHEAD    16 /* the prelude, and the checksum at the end */
#define HEADERS_MAX (128u << 10)
#define MESSAGE_MAX (16u << 20)
#define KEEP_BYTES  16384

struct eventstream {
	const char *in; /* fed, not yet used */
	size_t in_len;
	struct sl_buf held; /* the start of a message, or one that was given last */
	size_t max_payload;
	size_t total; /* of the message that is held; 0: its prelude was not seen yet */
	bool given;
	int failure;
};

static void init(void *state, size_t max_bytes)
{
	struct eventstream *s = state;

	*s = (struct eventstream){.max_payload = max_bytes};
	sl_buf_init(&s->held, MESSAGE_MAX);
}

static void fini(void *state)
{
	struct eventstream *s = state;

	sl_buf_fini(&s->held);
}

static void feed(void *state, const char *bytes, size_t n)
{
	struct eventstream *s = state;

	s->in = bytes;
	s->in_len = n;
}

static uint32_t u16(const char *p)
{
	return (uint32_t)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static uint32_t u32(const char *p)
{
	return u16(p) << 16 | u16(p + 2);
}

/* 0 and the message's length; -SL_E_SYNTAX, -SL_E_LIMIT. */
static int read_prelude(const struct eventstream *s, const char *p, size_t *total)
{
	size_t length = u32(p), headers = u32(p + 4);

	if (crc32_of(sl_slice(p, 8)) != u32(p + 8))
		return -SL_E_SYNTAX;
	if (headers > HEADERS_MAX || length < OVERHEAD + headers)
		return -SL_E_SYNTAX;
	if (length > MESSAGE_MAX || length - OVERHEAD - headers > s->max_payload)
		return -SL_E_LIMIT;
	*total = length;
	return 0;
}

/* What of a header's value stands in front of its bytes, and how many these are; false when there
 * is no such type. */
static bool measure_value(struct sl_slice rest, size_t *before, size_t *n)
{
	static const unsigned char fixed[] = {0, 0, 1, 2, 4, 8, [8] = 8, [9] = 16};
	unsigned char type = (unsigned char)*rest.p;

	if (type >= sizeof(fixed))
		return false;
	*before = 1;
	*n = fixed[type];
	if (type == 6 || type == 7) { /* bytes, a string: their length comes first */
		if (rest.n < 3)
			return false;
		*before = 3;
		*n = u16(rest.p + 1);
	}
	return rest.n >= *before + *n;
}

/* Takes a header from the front of *rest. `value` is empty when it is no string. False: there is
 * none. */
static bool take_header(struct sl_slice *rest, struct sl_slice *name, struct sl_slice *value)
{
	size_t name_len = (unsigned char)*rest->p, before, n;
	struct sl_slice typed;

	if (name_len == 0 || rest->n < name_len + 2)
		return false;
	*name = sl_slice(rest->p + 1, name_len);
	typed = sl_slice(rest->p + 1 + name_len, rest->n - 1 - name_len);
	if (!measure_value(typed, &before, &n))
		return false;
	*value = *typed.p == 7 ? sl_slice(typed.p + before, n) : (struct sl_slice){0};
	*rest = sl_slice(typed.p + before + n, typed.n - before - n);
	return true;
}

struct headers {
	struct sl_slice message_type, event_type, exception_type, error_code, error_message;
};

static int read_headers(struct sl_slice rest, struct headers *h)
{
	const struct {
		const char *name;
		struct sl_slice *value;
	} known[] = {
		{":message-type", &h->message_type},     {":event-type", &h->event_type},
		{":exception-type", &h->exception_type}, {":error-code", &h->error_code},
		{":error-message", &h->error_message},
	};
	struct sl_slice name, value;

	*h = (struct headers){0};
	while (rest.n > 0) {
		if (!take_header(&rest, &name, &value))
			return -SL_E_SYNTAX;
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
			if (sl_slice_is(name, known[i].name))
				*known[i].value = value;
		}
	}
	return 0;
}

/* 1, or -SL_E_SYNTAX. `bytes` are a message whose prelude is good. */
static int read_message(struct sl_slice bytes, struct message *m)
{
	size_t headers_len = u32(bytes.p + 4);
	struct headers h;
	struct sl_slice payload;
	int r;

	if (crc32_of(sl_slice(bytes.p, bytes.n - 4)) != u32(bytes.p + bytes.n - 4))
		return -SL_E_SYNTAX;
	r = read_headers(sl_slice(bytes.p + PRELUDE, headers_len), &h);
	if (r < 0)
		return r;
	payload = sl_slice(bytes.p + PRELUDE + headers_len, bytes.n - OVERHEAD - headers_len);
	if (sl_slice_is(h.message_type, "exception"))
		*m = (struct message){.name = h.exception_type, .data = payload, .error = true};
	else if (sl_slice_is(h.message_type, "error"))
		*m = (struct message){.name = h.error_code, .data = h.error_message, .error = true};
	else
		*m = (struct message){.name = h.event_type, .data = payload};
	return 1;
}

static void drop_held(struct eventstream *s)
{
	s->held.len = 0;
	if (s->held.cap > KEEP_BYTES)
		sl_buf_fini(&s->held);
	s->total = 0;
	s->given = false;
}

/* Moves input into `held` until that has n bytes. 1; 0 when there was too little; -SL_E_NOMEM. */
static int hold(struct eventstream *s, size_t n)
{
	size_t take = n - s->held.len;
	int r;

	take = take < s->in_len ? take : s->in_len;
	if (take == 0)
		return 0;
	r = sl_buf_put(&s->held, s->in, take);
	if (r < 0)
		return r;
	s->in += take;
	s->in_len -= take;
	return s->held.len == n;
}

static int next_held(struct eventstream *s, struct message *m)
{
	int r = 1;

	if (s->total == 0) {
		r = hold(s, PRELUDE);
		if (r == 1)
			r = read_prelude(s, s->held.p, &s->total);
		if (r < 0 || s->total == 0)
			return r;
	}
	r = hold(s, s->total);
	if (r != 1)
		return r;
	s->given = true;
	return read_message(sl_buf_slice(&s->held), m);
}

/* A message that lies whole in the input; 2: there is only a part of one. */
static int next_in_place(struct eventstream *s, struct message *m)
{
	struct sl_slice bytes;
	int r;

	if (s->in_len < PRELUDE)
		return 2;
	bytes.p = s->in;
	r = read_prelude(s, s->in, &bytes.n);
	if (r < 0)
		return r;
	if (bytes.n > s->in_len)
		return 2;
	s->in += bytes.n;
	s->in_len -= bytes.n;
	return read_message(bytes, m);
}

static int next(void *state, struct message *m)
{
	struct eventstream *s = state;
	int r = 2;

	if (s->failure)
		return s->failure;
	if (s->given)
		drop_held(s);
	if (s->held.len == 0)
		r = next_in_place(s, m);
	if (r == 2)
		r = next_held(s, m);
	if (r < 0 && r != -SL_E_NOMEM)
		s->failure = r;
	return r;
}

/* What is unfinished has no checksum, and is nothing. */
static int finish(void *state, struct message *m)
{
	struct eventstream *s = state;

	(void)m;
	return s->failure;
}

const struct framing framing_eventstream = {
	.size = sizeof(struct eventstream),
	.init = init,
	.fini = fini,
	.feed = feed,
	.next = next,
	.finish = finish,
};
