/* Responses as a strict client reads them. */
#include "response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%.*s", (int)strcspn(from, "\r;"), from);
}

static void read_field(struct response *r, const char *line)
{
	const char *value = strchr(line, ':');
	size_t n = value ? (size_t)(value - line) : 0;
	if (!n)
		return;
	value += 1 + strspn(value + 1, " ");
	if (n == 17 && strncasecmp(line, "Transfer-Encoding", n) == 0)
		r->is_chunked = strncasecmp(value, "chunked", 7) == 0;
	else if (n == 14 && strncasecmp(line, "Content-Length", n) == 0)
		r->body_left = strtoull(value, NULL, 10);
	else if (n == 12 && strncasecmp(line, "Content-Type", n) == 0)
		copy(r->type, sizeof(r->type), value);
	else if (n == 11 && strncasecmp(line, "X-Stream-Id", n) == 0)
		copy(r->stream_id, sizeof(r->stream_id), value);
}

static void read_head(struct response *r)
{
	if (strncmp(r->head, "HTTP/1.1 ", 9) != 0) {
		r->state = RESPONSE_BAD;
		return;
	}
	r->status = atoi(r->head + 9);
	r->body_left = UINT64_MAX;
	for (const char *line = strstr(r->head, "\r\n") + 2; *line != '\r';
	     line = strstr(line, "\r\n") + 2)
		read_field(r, line);
	r->until_close = !r->is_chunked && r->body_left == UINT64_MAX;
	bool has_body = r->status != 204 && r->status != 304 && (r->is_chunked || r->body_left);
	r->state = has_body ? RESPONSE_BODY : RESPONSE_DONE;
}

static size_t take_head(struct response *r, const char *in, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (r->head_len + 1 == sizeof(r->head) || in[i] == '\0') {
			r->state = RESPONSE_BAD;
			return len;
		}
		r->head[r->head_len++] = in[i];
		if (in[i] == '\n' && r->head_len >= 4 &&
		    memcmp(r->head + r->head_len - 4, "\r\n\r\n", 4) == 0) {
			r->head[r->head_len] = '\0';
			read_head(r);
			return i + 1;
		}
	}
	return len;
}

size_t response_next(struct response *r, const char *in, size_t len, const char **body,
		     size_t *body_len)
{
	*body_len = 0;
	if (r->state == RESPONSE_HEAD)
		return take_head(r, in, len);
	if (r->state != RESPONSE_BODY) {
		r->state = RESPONSE_BAD;
		return len;
	}
	if (!r->is_chunked) {
		*body = in;
		*body_len = len < r->body_left ? len : (size_t)r->body_left;
		if (!r->until_close)
			r->body_left -= *body_len;
		if (!r->body_left)
			r->state = RESPONSE_DONE;
		return *body_len;
	}
	long took = chunked_next(&r->chunked, in, len, body, body_len);
	if (took < 0)
		r->state = RESPONSE_BAD;
	else if (r->chunked.state == CHUNKED_DONE)
		r->state = RESPONSE_DONE;
	return took < 0 ? len : (size_t)took;
}
