/* Chunks as api.openai.com writes them, about 250 bytes each. */
#include "completion.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "token.h"

static const char content[] = "\"content\":\"";
static const char choice[] = "{\"index\":0,\"delta\":{";
static const char tail[] = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";

void completion_init(struct completion *c, const struct request *r)
{
	*c = (struct completion){.stream = r->stream,
				 .tokens = r->shape.tokens,
				 .size = r->shape.size,
				 .wants_usage = r->wants_usage};
	int n = snprintf(
		c->head, sizeof(c->head),
		"data: {\"id\":\"chatcmpl-B%08llxQk3wXh7TzN\",\"object\":\"chat.completion.chunk\","
		"\"created\":1735689600,\"model\":\"%s\",\"system_fingerprint\":\"fp_50cad350e4\","
		"\"choices\":[%s%s",
		(unsigned long long)r->stream, r->model, choice, content);
	assert(n > 0 && (size_t)n < sizeof(c->head));
	c->head_len = (size_t)n;
}

/* One event as one HTTP chunk. */
static size_t put_chunk(char *out, const char *event, int len)
{
	return (size_t)sprintf(out, "%x\r\n%.*s\r\n", (unsigned)len, len, event);
}

size_t completion_opening(const struct completion *c, char *out)
{
	size_t at = (size_t)sprintf(
		out, "HTTP/1.1 200 OK\r\nServer: mock\r\nContent-Type: text/event-stream\r\n"
		     "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
	char event[480];
	int len = snprintf(event, sizeof(event), "%.*s\"role\":\"assistant\",%s%s",
			   (int)(c->head_len - strlen(content)), c->head, content, tail);
	return at + put_chunk(out + at, event, len);
}

static char *put(char *out, const char *text, size_t len)
{
	memcpy(out, text, len);
	return out + len;
}

static char *put_filler(char *out, size_t len)
{
	static const char words[] = " lorem ipsum dolor sit amet consectetur";
	while (len) {
		size_t n = len < sizeof(words) - 1 ? len : sizeof(words) - 1;
		out = put(out, words, n);
		len -= n;
	}
	return out;
}

/* The hot one: no printf. */
size_t completion_token(struct completion *c, uint64_t stamp_ns, char *out)
{
	char stamp[TOKEN_STAMP_MAX];
	size_t stamp_len = token_write(stamp, &(struct token){c->stream, c->next_seq++, stamp_ns});
	size_t size = c->head_len + stamp_len + c->size + sizeof(tail) - 1;
	static const char hex[] = "0123456789abcdef";
	char *p = out;
	for (int shift = size > 0xfff ? 12 : size > 0xff ? 8 : 4; shift >= 0; shift -= 4)
		*p++ = hex[size >> shift & 15];
	p = put(p, "\r\n", 2);
	p = put(p, c->head, c->head_len);
	p = put(p, stamp, stamp_len);
	p = put_filler(p, c->size);
	p = put(p, tail, sizeof(tail) - 1);
	p = put(p, "\r\n", 2);
	return (size_t)(p - out);
}

size_t completion_ending(const struct completion *c, char *out)
{
	char event[480];
	int common = (int)(c->head_len - strlen(content));
	int len = snprintf(event, sizeof(event),
			   "%.*s},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n", common,
			   c->head);
	size_t at = put_chunk(out, event, len);
	if (c->wants_usage) {
		common -= (int)strlen(choice);
		len = snprintf(event, sizeof(event),
			       "%.*s],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":%u,"
			       "\"total_tokens\":%u}}\n\n",
			       common, c->head, c->next_seq, 20 + c->next_seq);
		at += put_chunk(out + at, event, len);
	}
	at += put_chunk(out + at, "data: [DONE]\n\n", 14);
	return at + (size_t)sprintf(out + at, "0\r\n\r\n");
}
