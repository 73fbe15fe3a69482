/*
 * Lines of JSON, application/x-ndjson: one message a line. LF ends a line, a CR before it is a part
 * of that end; the last line needs none. Empty lines are passed over.
 *
 * A line that lies whole in the bytes fed is given as it lies there; what is cut is collected:
 *
 *	nothing held ─whole line───▶ given
 *	      ╰───────start of one─▶ held ─▶ its end has come, given ─▶ nothing held
 */
#include "codec/framing.h"

#include <sluice/error.h>

#define KEEP_BYTES 16384

struct ndjson {
	const char *in; /* fed, not yet used */
	size_t in_len;
	struct sl_buf held; /* the start of a line, or one that was given last */
	bool given;
	int failure;
};

static void init(void *state, size_t max_bytes)
{
	struct ndjson *s = state;

	*s = (struct ndjson){0};
	sl_buf_init(&s->held, max_bytes);
}

static void fini(void *state)
{
	struct ndjson *s = state;

	sl_buf_fini(&s->held);
}

static void feed(void *state, const char *bytes, size_t n)
{
	struct ndjson *s = state;

	s->in = bytes;
	s->in_len = n;
}

static void drop_held(struct ndjson *s)
{
	s->held.len = 0;
	if (s->held.cap > KEEP_BYTES)
		sl_buf_fini(&s->held);
	s->given = false;
}

/* 1 and the message of a line; 0 when there is nothing on it but space, or a byte order mark. */
static int give(struct sl_slice line, struct message *m)
{
	while (line.n > 0 && memchr(" \t\r\xef\xbb\xbf", *line.p, 6))
		line = sl_slice(line.p + 1, line.n - 1);
	while (line.n > 0 && memchr(" \t\r", line.p[line.n - 1], 3))
		line.n--;
	*m = (struct message){.data = line};
	return line.n > 0;
}

/* 1 and the next line without its LF; 0 when its end has not come; -SL_E_LIMIT, -SL_E_NOMEM. */
static int take_line(struct ndjson *s, struct sl_slice *line)
{
	const char *end = s->in_len ? memchr(s->in, '\n', s->in_len) : NULL;
	struct sl_slice piece = sl_slice(s->in, end ? (size_t)(end - s->in) : s->in_len);
	int r = 0;

	if (!end || s->held.len > 0)
		r = sl_buf_put_slice(&s->held, piece);
	else if (piece.n > s->held.max)
		r = -SL_E_LIMIT;
	if (r < 0)
		return r;
	s->in += piece.n + (end != NULL);
	s->in_len -= piece.n + (end != NULL);
	if (!end)
		return 0;
	s->given = s->held.len > 0;
	*line = s->given ? sl_buf_slice(&s->held) : piece;
	return 1;
}

static int next(void *state, struct message *m)
{
	struct ndjson *s = state;
	struct sl_slice line;
	int r;

	if (s->failure)
		return s->failure;
	do {
		if (s->given)
			drop_held(s);
		r = take_line(s, &line);
		if (r == -SL_E_LIMIT)
			s->failure = r;
		if (r <= 0)
			return r;
	} while (give(line, m) == 0);
	return 1;
}

static int finish(void *state, struct message *m)
{
	struct ndjson *s = state;

	if (s->given)
		drop_held(s);
	s->given = true; /* what is left over, once */
	return give(sl_buf_slice(&s->held), m);
}

const struct framing framing_ndjson = {
	.size = sizeof(struct ndjson),
	.init = init,
	.fini = fini,
	.feed = feed,
	.next = next,
	.finish = finish,
};
