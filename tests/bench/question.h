/* What a client connection asks for, and the words it asks with. */
#ifndef BENCH_QUESTION_H
#define BENCH_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUESTION_TEXT_MAX 2048

enum question_kind {
	QUESTION_COMPLETION, /* POST: a stream of one's own, from its first token to [DONE] */
	QUESTION_STREAM,     /* GET of somebody's stream: all of it, what has been so far first */
	QUESTION_CHANNEL,    /* GET of a channel: from any token on, to a message "[DONE]" */
};

/* The same for many connections. */
struct question {
	enum question_kind kind;
	const char *host, *path;
	const char *key;    /* Authorization: Bearer; NULL: none */
	const char *header; /* one more header line without its CRLF; NULL: none */
	uint32_t rate, tokens, size;
	bool silent;
	bool anthropic;         /* QUESTION_COMPLETION in the words of that API */
	bool ends_without_done; /* its format knows no [DONE] */
	uint64_t watched;       /* the number of the stream that is watched; 0: one's own */
};

/* What its last event has in it, and the one before. */
static inline const char *question_done(const struct question *q)
{
	return q->anthropic ? "message_stop" : "[DONE]";
}

static inline const char *question_finish(const struct question *q)
{
	return q->anthropic ? "\"stop_reason\":\"end_turn\"" : "\"finish_reason\":\"stop\"";
}

/* Writes the request of the stream with this number into out[QUESTION_TEXT_MAX]; answers its
 * length. */
size_t question_write(const struct question *q, uint64_t number, char *out);

#endif
