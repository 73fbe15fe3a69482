/* Chunks as api.openai.com writes them, about 250 bytes each. */
#include "completion.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "story.h"
#include "token.h"

/* How the two routes write a choice: what stands before the text, and behind it. */
static const struct style {
	const char *object, *choice, *text, *tail, *finish;
} styles[] = {
	{.object = "chat.completion.chunk",
	 .choice = "{\"index\":0,\"delta\":{",
	 .text = "\"content\":\"",
	 .tail = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
	 .finish = "},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"},
	{.object = "text_completion",
	 .choice = "{\"index\":0,",
	 .text = "\"text\":\"",
	 .tail = "\",\"logprobs\":null,\"finish_reason\":null}]}\n\n",
	 .finish = "\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"},
};

void completion_init(struct completion *c, const struct request *r)
{
	*c = (struct completion){.stream = r->stream,
				 .tokens = r->shape.tokens,
				 .size = r->shape.size,
				 .wants_usage = r->wants_usage,
				 .story = r->shape.story,
				 .legacy = r->is_legacy};
	const struct style *style = &styles[c->legacy];
	int n = snprintf(
		c->head, sizeof(c->head),
		"data: {\"id\":\"chatcmpl-B%08llxQk3wXh7TzN\",\"object\":\"%s\","
		"\"created\":1735689600,\"model\":\"%s\",\"system_fingerprint\":\"fp_50cad350e4\","
		"\"choices\":[%s%s",
		(unsigned long long)r->stream, style->object, r->model, style->choice, style->text);
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
	if (c->legacy) /* nobody says who speaks */
		return at;
	char event[480];
	const struct style *style = &styles[c->legacy];
	int len = snprintf(event, sizeof(event), "%.*s\"role\":\"assistant\",%s%s",
			   (int)(c->head_len - strlen(style->text)), c->head, style->text,
			   style->tail);
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

/* The text of a token of a story, as it stands in a JSON string. */
static char *put_story(char *out, const struct completion *c, uint32_t seq)
{
	char text[STORY_TOKEN_MAX];
	size_t n = story_token(c->stream, seq, text);
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n' || text[i] == '"' || text[i] == '\\')
			*out++ = '\\';
		*out++ = text[i];
		if (text[i] == '\n')
			out[-1] = 'n';
	}
	return out;
}

/* The hot one: no printf. */
size_t completion_token(struct completion *c, uint64_t stamp_ns, char *out)
{
	char text[2 * STORY_TOKEN_MAX];
	uint32_t seq = c->next_seq++, filler = c->story ? 0 : c->size;
	size_t text_len = c->story ? (size_t)(put_story(text, c, seq) - text)
				   : token_write(text, &(struct token){c->stream, seq, stamp_ns});
	const char *tail = styles[c->legacy].tail;
	size_t tail_len = strlen(tail);
	size_t size = c->head_len + text_len + filler + tail_len;
	static const char hex[] = "0123456789abcdef";
	char *p = out;
	for (int shift = size > 0xfff ? 12 : size > 0xff ? 8 : 4; shift >= 0; shift -= 4)
		*p++ = hex[size >> shift & 15];
	p = put(p, "\r\n", 2);
	p = put(p, c->head, c->head_len);
	p = put(p, text, text_len);
	p = put_filler(p, filler);
	p = put(p, tail, tail_len);
	p = put(p, "\r\n", 2);
	return (size_t)(p - out);
}

size_t completion_ending(const struct completion *c, char *out)
{
	char event[480];
	const struct style *style = &styles[c->legacy];
	int common = (int)(c->head_len - strlen(style->text));
	int len = snprintf(event, sizeof(event), "%.*s%s", common, c->head, style->finish);
	size_t at = put_chunk(out, event, len);
	if (c->wants_usage) {
		common -= (int)strlen(style->choice);
		len = snprintf(event, sizeof(event),
			       "%.*s],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":%u,"
			       "\"total_tokens\":%u}}\n\n",
			       common, c->head, c->next_seq, 20 + c->next_seq);
		at += put_chunk(out + at, event, len);
	}
	at += put_chunk(out + at, "data: [DONE]\n\n", 14);
	return at + (size_t)sprintf(out + at, "0\r\n\r\n");
}
