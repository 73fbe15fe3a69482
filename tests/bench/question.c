/* Requests as text. */
#include "question.h"

#include <assert.h>
#include <stdio.h>

#define SYSTEM "You are a helpful assistant. Answer briefly and say what you do not know."
#define PROMPT                                                                                  \
	"Why is the sky blue in the day and red in the evening? Explain it to a child of ten, " \
	"without formulas."

#define SHAPE "\"model\":\"bench:rate=%u,tokens=%u,size=%u%s\",\"stream\":true,\"temperature\":0.7,"

static int write_body(const struct question *q, uint64_t number, char *out, size_t room)
{
	const char *silent = q->silent ? ",silent" : "";
	unsigned long long user = number;
	if (q->anthropic)
		return snprintf(out, room,
				"{" SHAPE "\"metadata\":{\"user_id\":\"%llu\"},\"max_tokens\":4096,"
				"\"system\":\"" SYSTEM "\","
				"\"messages\":[{\"role\":\"user\",\"content\":\"" PROMPT "\"}]}",
				q->rate, q->tokens, q->size, silent, user);
	return snprintf(out, room,
			"{" SHAPE
			"\"user\":\"%llu\",\"messages\":[{\"role\":\"system\",\"content\":"
			"\"" SYSTEM "\"},{\"role\":\"user\",\"content\":\"" PROMPT "\"}]}",
			q->rate, q->tokens, q->size, silent, user);
}

size_t question_write(const struct question *q, uint64_t number, char *out)
{
	char body[1024] = "", about_body[80] = "";
	bool posts = q->kind == QUESTION_COMPLETION;
	if (posts) {
		int n = write_body(q, number, body, sizeof(body));
		assert(n > 0 && (size_t)n < sizeof(body));
		snprintf(about_body, sizeof(about_body),
			 "Content-Type: application/json\r\nContent-Length: %d\r\n", n);
	}
	int len = snprintf(out, QUESTION_TEXT_MAX,
			   "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sluice-bench\r\nAccept: "
			   "text/event-stream\r\n"
			   "%s%s%s%s%s%s\r\n%s",
			   posts ? "POST" : "GET", q->path, q->host,
			   q->key ? "Authorization: Bearer " : "", q->key ? q->key : "",
			   q->key ? "\r\n" : "", q->header ? q->header : "",
			   q->header ? "\r\n" : "", about_body, body);
	assert(len > 0 && len < QUESTION_TEXT_MAX);
	return (size_t)len;
}
