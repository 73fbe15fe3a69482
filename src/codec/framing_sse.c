/*
 * Server-sent events, and what LLM servers put between them. A standard reader ignores a line with
 * an unknown field name; here a JSON object that begins on such a line, over one line or many,
 * one in an array, and `error: {…}`, become stray messages (the latter named error).
 *
 *	stray line with { or [ at its start ─▶ gathering ─(next event, end of the body)─▶ stray message
 *	                                       ╰─ complete on that line already ────────▶ stray message
 */
#include "codec/framing.h"

#include <sluice/error.h>
#include <sluice/sse.h>

#define STRAY_MAX 65536

struct sse {
	struct sl_sse_parser parser;
	struct sl_buf stray;
	struct sl_sse_event held; /* comes after the stray message that is being given */
	bool gathering, named_error, stray_given, has_held;
};

static void init(void *state, size_t max_bytes)
{
	struct sse *s = state;

	*s = (struct sse){0};
	sl_sse_parser_init(&s->parser, max_bytes);
	s->parser.want_stray = true;
	sl_buf_init(&s->stray, STRAY_MAX);
}

static void fini(void *state)
{
	struct sse *s = state;

	sl_sse_parser_fini(&s->parser);
	sl_buf_fini(&s->stray);
}

static void feed(void *state, const char *bytes, size_t n)
{
	struct sse *s = state;

	sl_sse_parser_feed(&s->parser, bytes, n);
}

static struct sl_slice without_space(struct sl_slice s)
{
	while (s.n > 0 && (*s.p == ' ' || *s.p == '\t'))
		s = sl_slice(s.p + 1, s.n - 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* An end mark without its field is none. */
static bool begins_json(struct sl_slice line)
{
	return line.n > 0 &&
	       (*line.p == '{' || (*line.p == '[' && !sl_slice_starts(line, "[DONE")));
}

static int give_stray(const struct sse *s, struct sl_slice data, struct message *m)
{
	*m = (struct message){.data = data, .stray = true};
	if (s->named_error)
		m->name = SL_LIT("error");
	return 1;
}

static void drop_stray(struct sse *s)
{
	sl_buf_fini(&s->stray);
	s->gathering = false;
}

/* 1 and a message that is complete on this line; 0; -SL_E_NOMEM. */
static int take_stray(struct sse *s, struct sl_slice line, struct message *m)
{
	struct json json;
	int r = 0;

	line = without_space(line);
	if (!s->gathering) {
		s->named_error = sl_slice_starts(line, "error:");
		if (s->named_error)
			line = without_space(sl_slice(line.p + 6, line.n - 6));
		if (!begins_json(line))
			return 0;
		if (json_parse(line, &json) == 0)
			return give_stray(s, line, m);
		s->gathering = true;
	} else {
		r = sl_buf_putc(&s->stray, ' ');
	}
	if (r == 0)
		r = sl_buf_put_slice(&s->stray, line);
	if (r == -SL_E_LIMIT) {
		drop_stray(s); /* no error is that long */
		return 0;
	}
	return r;
}

static int give_event(const struct sl_sse_event *event, struct message *m)
{
	*m = (struct message){.name = event->type, .data = event->data};
	return 1;
}

/* The result of the parser, with *event for 1, as one of ours; 2: nothing comes of it, ask for the
 * next. */
static int pass(struct sse *s, int r, const struct sl_sse_event *event, struct message *m)
{
	if (r < 0)
		return r;
	if (r == 1 && event->stray) {
		r = take_stray(s, event->data, m);
		return r == 0 ? 2 : r;
	}
	if (r == 0 || !s->gathering)
		return r == 0 ? 0 : give_event(event, m);
	s->held = *event;
	s->has_held = true;
	s->stray_given = true;
	return give_stray(s, sl_buf_slice(&s->stray), m);
}

/* 1 and the event that waited for a stray message to be read. */
static int take_held(struct sse *s, struct message *m)
{
	if (s->stray_given)
		drop_stray(s);
	s->stray_given = false;
	if (!s->has_held)
		return 0;
	s->has_held = false;
	return give_event(&s->held, m);
}

static int next(void *state, struct message *m)
{
	struct sse *s = state;
	struct sl_sse_event event;
	int r = take_held(s, m);

	if (r == 1)
		return r;
	do {
		r = sl_sse_parser_next(&s->parser, &event);
		r = pass(s, r, &event, m);
	} while (r == 2);
	return r;
}

static int finish(void *state, struct message *m)
{
	struct sse *s = state;
	struct sl_sse_event event;
	int r = take_held(s, m);

	if (r == 1)
		return r;
	do {
		r = sl_sse_parser_finish(&s->parser, &event);
		r = pass(s, r, &event, m);
	} while (r == 2);
	if (r != 0 || !s->gathering)
		return r;
	s->stray_given = true;
	return give_stray(s, sl_buf_slice(&s->stray), m);
}

const struct framing framing_sse = {
	.size = sizeof(struct sse),
	.init = init,
	.fini = fini,
	.feed = feed,
	.next = next,
	.finish = finish,
};
