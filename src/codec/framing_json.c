/*
 * Objects of JSON in a row: an array that is written piece by piece, [{…},{…}], or one object after
 * the other. Each is a message.
 *
 *	BETWEEN ─{─▶ in an object: how deep, in a string? ─} of the first {─▶ given ─▶ BETWEEN
 *	 ╰ space, comma, [ and ] are passed over; anything else is a fault
 *
 * Only brackets and strings are looked at here: whether an object is well-formed its reader will
 * see. One that lies whole in the bytes fed is given as it lies there; what is cut is collected.
 */
#include "codec/framing.h"

#include <sluice/error.h>
#include "codec/json_lex.h"

#define KEEP_BYTES 16384

struct objects {
	const char *in; /* fed, not yet used */
	size_t in_len;
	struct sl_buf held; /* the start of an object, or one that was given last */
	size_t depth;       /* of brackets that are open; 0: between objects */
	bool in_string, escaped;
	bool given;
};

static void init(void *state, size_t max_bytes)
{
	struct objects *s = state;

	*s = (struct objects){0};
	sl_buf_init(&s->held, max_bytes);
}

static void fini(void *state)
{
	struct objects *s = state;

	sl_buf_fini(&s->held);
}

static void feed(void *state, const char *bytes, size_t n)
{
	struct objects *s = state;

	s->in = bytes;
	s->in_len = n;
}

static void drop_held(struct objects *s)
{
	s->held.len = 0;
	if (s->held.cap > KEEP_BYTES)
		sl_buf_fini(&s->held);
	s->given = false;
}

/* Goes to the next object. 1; 0 when there is none yet; -SL_E_SYNTAX. */
static int pass_between(struct objects *s)
{
	while (s->in_len > 0 && *s->in != '{') {
		if (!memchr(" \t\r\n,[]", *s->in, 7))
			return -SL_E_SYNTAX;
		s->in++;
		s->in_len--;
	}
	return s->in_len > 0;
}

/* Where the string ends, behind its quote, or `end`. */
static const char *pass_string(struct objects *s, const char *p, const char *end)
{
	while (p < end && s->in_string) {
		if (s->escaped) {
			s->escaped = false;
			p++;
			continue;
		}
		p = json_skip_plain(p, end);
		if (p == end)
			break;
		s->in_string = *p != '"';
		s->escaped = *p == '\\';
		p++;
	}
	return p;
}

/* Where the object ends that was begun, behind its bracket (depth is 0 then), or `end`. */
static const char *pass_object(struct objects *s, const char *p, const char *end)
{
	do {
		if (s->in_string) {
			p = pass_string(s, p, end);
			continue;
		}
		s->in_string = *p == '"';
		if (*p == '{' || *p == '[')
			s->depth++;
		else if (*p == '}' || *p == ']')
			s->depth--;
		p++;
	} while (p < end && s->depth > 0);
	return p;
}

static int next(void *state, struct message *m)
{
	struct objects *s = state;
	struct sl_slice piece;
	int r = 0;

	if (s->given)
		drop_held(s);
	if (s->depth == 0)
		r = pass_between(s);
	if (r < 0 || s->in_len == 0)
		return r;
	piece.p = s->in;
	piece.n = (size_t)(pass_object(s, s->in, s->in + s->in_len) - s->in);
	s->in += piece.n;
	s->in_len -= piece.n;
	r = 0;
	if (s->depth > 0 || s->held.len > 0)
		r = sl_buf_put_slice(&s->held, piece);
	else if (piece.n > s->held.max)
		r = -SL_E_LIMIT;
	if (r < 0 || s->depth > 0)
		return r;
	s->given = s->held.len > 0;
	*m = (struct message){.data = s->given ? sl_buf_slice(&s->held) : piece};
	return 1;
}

/* An object without its end is none. */
static int finish(void *state, struct message *m)
{
	(void)state, (void)m;
	return 0;
}

const struct framing framing_json = {
	.size = sizeof(struct objects),
	.init = init,
	.fini = fini,
	.feed = feed,
	.next = next,
	.finish = finish,
};
