/* A request, read from a buffer anew each time more of it has come: ours are small and come at
 * once. */
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "chunked.h"

struct text {
	const char *at;
	size_t len;
};

static bool text_starts(struct text t, const char *with)
{
	return t.len >= strlen(with) && memcmp(t.at, with, strlen(with)) == 0;
}

static bool text_ends(struct text t, const char *with)
{
	size_t n = strlen(with);
	return t.len >= n && memcmp(t.at + t.len - n, with, n) == 0;
}

static uint64_t number_at(const char *p, const char *end)
{
	uint64_t n = 0;
	while (p < end && *p >= '0' && *p <= '9')
		n = n * 10 + (uint64_t)(*p++ - '0');
	return n;
}

/* One word of a shape, "rate=50" or "silent". Unknown ones are left alone. */
static void read_word(struct request *r, struct text word)
{
	struct shape *s = &r->shape;
	const char *end = word.at + word.len;
	if (text_starts(word, "rate="))
		s->rate = (uint32_t)number_at(word.at + 5, end);
	else if (text_starts(word, "tokens="))
		s->tokens = (uint32_t)number_at(word.at + 7, end);
	else if (text_starts(word, "size="))
		s->size = (uint32_t)number_at(word.at + 5, end);
	else if (text_starts(word, "delay="))
		s->delay_ms = (uint32_t)number_at(word.at + 6, end);
	else if (text_starts(word, "stream="))
		r->stream = number_at(word.at + 7, end);
	else if (text_starts(word, "silent"))
		s->silent = true;
	else if (text_starts(word, "story"))
		s->story = true;
	if (s->size > REQUEST_SIZE_MAX)
		s->size = REQUEST_SIZE_MAX;
}

static void read_shape(struct request *r, struct text words)
{
	const char *end = words.at + words.len;
	for (const char *p = words.at; p < end;) {
		const char *q = p;
		while (q < end && *q != ',' && *q != '&')
			q++;
		read_word(r, (struct text){p, (size_t)(q - p)});
		p = q + 1;
	}
}

/* The value of a member, from its first byte (behind a quote, if there is one) on. No JSON parser:
 * the body is our own client's, possibly printed anew by a proxy, with or without blanks. */
static struct text member(struct text json, const char *quoted_name)
{
	const char *end = json.at + json.len;
	const char *p = memmem(json.at, json.len, quoted_name, strlen(quoted_name));
	if (!p)
		return (struct text){end, 0};
	p += strlen(quoted_name);
	while (p < end && (*p == ' ' || *p == ':' || *p == '"'))
		p++;
	return (struct text){p, (size_t)(end - p)};
}

static void read_body(struct request *r, struct text body)
{
	struct text model = member(body, "\"model\"");
	const char *quote = memchr(model.at, '"', model.len);
	if (quote)
		model.len = (size_t)(quote - model.at);
	if (model.len >= sizeof(r->model))
		model.len = sizeof(r->model) - 1;
	memcpy(r->model, model.at, model.len);
	r->model[model.len] = '\0';
	if (text_starts(model, "bench:"))
		read_shape(r, (struct text){model.at + 6, model.len - 6});

	/* It is a role's name, too. */
	struct text user = member(body, "\"user\"");
	while (user.len && (*user.at < '0' || *user.at > '9'))
		user = member(user, "\"user\"");
	if (user.len)
		r->stream = number_at(user.at, user.at + user.len);
	r->wants_usage = text_starts(member(body, "\"include_usage\""), "true");
}

static void read_target(struct request *r, struct text method, struct text target)
{
	const char *query = memchr(target.at, '?', target.len);
	if (query) {
		read_shape(r,
			   (struct text){query + 1, (size_t)(target.at + target.len - query - 1)});
		target.len = (size_t)(query - target.at);
	}
	r->is_completion = text_starts(method, "POST") && text_ends(target, "/completions");
	r->is_legacy = !text_ends(target, "/chat/completions");
	r->is_models = text_starts(method, "GET") && text_ends(target, "/models");
}

/* The value of a header field, "" when it is not there. `head` starts behind the request line. */
static struct text header(struct text head, const char *name)
{
	const char *end = head.at + head.len;
	size_t n = strlen(name);
	for (const char *line = head.at; line < end;) {
		const char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);
		if (!stop)
			stop = end;
		if ((size_t)(stop - line) > n && line[n] == ':' &&
		    strncasecmp(line, name, n) == 0) {
			const char *value = line + n + 1;
			while (value < stop && *value == ' ')
				value++;
			return (struct text){value, (size_t)(stop - value)};
		}
		line = stop + 2;
	}
	return (struct text){"", 0};
}

/* A chunked body: its length on the wire, 0 when more is needed, -1. The pieces are put together in
 * `out`. */
static long join_chunks(struct text in, char *out, size_t *out_len)
{
	struct chunked c = {0};
	size_t at = 0;
	*out_len = 0;
	while (at < in.len && c.state != CHUNKED_DONE) {
		const char *piece;
		size_t n;
		long took = chunked_next(&c, in.at + at, in.len - at, &piece, &n);
		if (took < 0)
			return -1;
		if (n)
			memcpy(out + *out_len, piece, n);
		*out_len += n;
		at += (size_t)took;
	}
	return c.state == CHUNKED_DONE ? (long)at : 0;
}

long request_read(struct request *r, const char *buf, size_t len)
{
	*r = (struct request){.shape = SHAPE_DEFAULT};
	const char *blank = memmem(buf, len, "\r\n\r\n", 4);
	if (!blank)
		return len < REQUEST_MAX ? 0 : -1;
	const char *line_end = memmem(buf, len, "\r\n", 2);
	const char *method_end = memchr(buf, ' ', (size_t)(line_end - buf));
	const char *target_end =
		method_end ? memchr(method_end + 1, ' ', (size_t)(line_end - method_end - 1))
			   : NULL;
	if (!target_end)
		return -1;
	read_target(r, (struct text){buf, (size_t)(method_end - buf)},
		    (struct text){method_end + 1, (size_t)(target_end - method_end - 1)});

	struct text head = {line_end + 2, blank > line_end ? (size_t)(blank - line_end - 2) : 0};
	struct text coding = header(head, "Transfer-Encoding");
	struct text length = header(head, "Content-Length");
	size_t head_len = (size_t)(blank + 4 - buf);
	struct text rest = {blank + 4, len - head_len};

	if (coding.len) {
		static char joined[REQUEST_MAX];
		size_t joined_len;
		long took = join_chunks(rest, joined, &joined_len);
		if (took > 0) {
			read_body(r, (struct text){joined, joined_len});
			return (long)head_len + took;
		}
		if (took < 0)
			return -1;
	} else {
		uint64_t want = number_at(length.at, length.at + length.len);
		if (want > REQUEST_MAX - 1024)
			return -1;
		if (rest.len >= want) {
			read_body(r, (struct text){rest.at, (size_t)want});
			return (long)(head_len + want);
		}
	}
	r->wants_continue = rest.len == 0 && header(head, "Expect").len;
	return len < REQUEST_MAX ? 0 : -1;
}
