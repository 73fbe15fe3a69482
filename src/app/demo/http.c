/* Requests are lines and counted bytes, in turns. */
#include "app/demo/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sluice/error.h>

#define HEAD_MAX (16u << 10)
#define BODY_MAX (10u << 20)

void demo_request_init(struct demo_request *r)
{
	*r = (struct demo_request){0};
	sl_buf_init(&r->body, BODY_MAX);
	sl_buf_init(&r->line, HEAD_MAX + 1);
	demo_request_reset(r);
}

void demo_request_fini(struct demo_request *r)
{
	sl_buf_fini(&r->body);
	sl_buf_fini(&r->line);
}

void demo_request_reset(struct demo_request *r)
{
	demo_request_fini(r);
	r->part = DEMO_START;
	r->head_left = HEAD_MAX;
	r->left = 0;
	r->keep_alive = true;
	r->has_length = r->chunked = r->expects_continue = false;
	r->method[0] = r->path[0] = '\0';
}

static int refuse(struct demo_request *r, int status)
{
	r->part = DEMO_REFUSED;
	r->status = status;
	return -SL_E_SYNTAX;
}

/* "POST /v1/models?x HTTP/1.1" */
static int read_start(struct demo_request *r, const char *line)
{
	const char *target = strchr(line, ' ');
	const char *version = target ? strchr(target + 1, ' ') : NULL;

	if (!*line)
		return 0; /* an empty line before a request is passed over */
	if (!version || target == line || target[1] != '/')
		return refuse(r, 400);
	if (strcmp(version, " HTTP/1.1") != 0)
		return refuse(r, strncmp(version, " HTTP/", 6) == 0 ? 505 : 400);
	size_t method_n = (size_t)(target - line);
	size_t path_n = strcspn(++target, "? ");
	if (method_n >= sizeof(r->method) || path_n >= sizeof(r->path))
		return refuse(r, 400);
	memcpy(r->method, line, method_n);
	r->method[method_n] = '\0';
	memcpy(r->path, target, path_n);
	r->path[path_n] = '\0';
	r->part = DEMO_HEADERS;
	return 0;
}

static int read_length(struct demo_request *r, const char *value)
{
	size_t digits = strspn(value, "0123456789");

	if (digits == 0 || value[digits] || r->has_length)
		return refuse(r, 400);
	r->has_length = true;
	r->left = digits > 18 ? UINT64_MAX : strtoull(value, NULL, 10);
	return 0;
}

static int read_header(struct demo_request *r, char *line)
{
	char *colon = strchr(line, ':');

	if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line))
		return refuse(r, 400);
	*colon = '\0';
	char *value = colon + 1 + strspn(colon + 1, " \t");
	for (size_t n = strlen(value); n > 0 && strchr(" \t", value[n - 1]); n--)
		value[n - 1] = '\0';
	if (strcasecmp(line, "content-length") == 0)
		return read_length(r, value);
	if (strcasecmp(line, "transfer-encoding") == 0) {
		if (r->chunked || strcasecmp(value, "chunked") != 0)
			return refuse(r, 501);
		r->chunked = true;
	} else if (strcasecmp(line, "connection") == 0) {
		if (strcasestr(value, "close"))
			r->keep_alive = false;
	} else if (strcasecmp(line, "expect") == 0) {
		r->expects_continue = strcasecmp(value, "100-continue") == 0;
	}
	return 0;
}

static int complete(struct demo_request *r)
{
	r->part = DEMO_COMPLETE;
	r->expects_continue = false;
	return 1;
}

static int end_head(struct demo_request *r)
{
	if (r->chunked && r->has_length)
		return refuse(r, 400);
	if (r->left > BODY_MAX)
		return refuse(r, 413);
	if (!r->chunked && r->left == 0)
		return complete(r);
	r->part = r->chunked ? DEMO_CHUNK_SIZE : DEMO_BODY;
	return 0;
}

static int read_chunk_size(struct demo_request *r, const char *line)
{
	size_t digits = strspn(line, "0123456789abcdefABCDEF");

	if (digits == 0 || (line[digits] && !strchr("; \t", line[digits])))
		return refuse(r, 400);
	r->left = digits > 15 ? UINT64_MAX : strtoull(line, NULL, 16);
	if (r->left > BODY_MAX - r->body.len)
		return refuse(r, 413);
	r->part = r->left ? DEMO_CHUNK : DEMO_TRAILERS;
	return 0;
}

static int read_line(struct demo_request *r, char *line)
{
	switch (r->part) {
	case DEMO_START:
		return read_start(r, line);
	case DEMO_HEADERS:
		return *line ? read_header(r, line) : end_head(r);
	case DEMO_CHUNK_SIZE:
		return read_chunk_size(r, line);
	case DEMO_CHUNK_END:
		if (*line)
			return refuse(r, 400);
		r->part = DEMO_CHUNK_SIZE;
		return 0;
	default: /* trailers say nothing to us */
		return *line ? 0 : complete(r);
	}
}

/* Collects a line and reads it when its LF has come. */
static int take_line(struct demo_request *r, const char *p, size_t n, size_t *used)
{
	const char *lf = memchr(p, '\n', n);
	size_t take = lf ? (size_t)(lf - p) + 1 : n;
	bool in_head = r->part <= DEMO_HEADERS || r->part == DEMO_TRAILERS;

	if (take > (in_head ? r->head_left : HEAD_MAX - r->line.len))
		return refuse(r, 431);
	if (in_head)
		r->head_left -= take;
	*used = take;
	if (sl_buf_put(&r->line, p, take) < 0)
		return refuse(r, 431);
	if (!lf)
		return 0;
	struct sl_buf *line = &r->line;
	line->len--;
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	line->p[line->len] = '\0'; /* where its LF or CR was */
	if (strlen(line->p) != line->len)
		return refuse(r, 400);
	line->len = 0;
	return read_line(r, line->p);
}

static int take_body(struct demo_request *r, const char *p, size_t n, size_t *used)
{
	size_t take = n < r->left ? n : (size_t)r->left;

	if (sl_buf_put(&r->body, p, take) < 0)
		return refuse(r, 413);
	*used = take;
	r->left -= take;
	if (r->left > 0)
		return 0;
	if (r->part == DEMO_BODY)
		return complete(r);
	r->part = DEMO_CHUNK_END;
	return 0;
}

int demo_request_feed(struct demo_request *r, const char *p, size_t n, size_t *used)
{
	int result = r->part == DEMO_COMPLETE ? 1 : r->part == DEMO_REFUSED ? -SL_E_SYNTAX : 0;

	for (*used = 0; result == 0 && *used < n;) {
		size_t step = 0;
		bool counted = r->part == DEMO_BODY || r->part == DEMO_CHUNK;

		result = counted ? take_body(r, p + *used, n - *used, &step)
				 : take_line(r, p + *used, n - *used, &step);
		*used += step;
	}
	return result;
}
