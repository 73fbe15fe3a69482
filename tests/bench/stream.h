/*
 * One client connection: asks for a stream, reads it and holds every token against what must come
 * next.
 *
 *	new ──connect──▶ asked ──status, headers──▶ reading ──last chunk──▶ ended
 *	                 │  ▲                          │                      │
 *	                 │  └──────────────────────────┼───── ask again ──────┘
 *	                 └────── anything else ────────┴──▶ failed
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "chunked.h"
#include "histogram.h"
#include "question.h"

#define STREAM_NAME_MAX 48

/* What all streams have seen. Tokens and their latency count only while `in_window`. */
struct tally {
	bool in_window;
	uint64_t tokens, requests; /* in the window; a request counts when it ends */
	uint64_t tokens_ever, requests_ever, comments, bytes;
	uint64_t lost, doubled, reordered, foreign; /* foreign: a token of another stream */
	uint64_t failed;
	char first_failure[160];
	struct histogram latency, first_token;
};

struct stream {
	int fd; /* -1: closed */
	const struct question *question;
	struct tally *tally;
	enum { STREAM_NEW, STREAM_ASKED, STREAM_READING, STREAM_ENDED, STREAM_FAILED } state;
	bool ask_again; /* on the same connection, until somebody sets this to false */
	bool open;      /* it has had its first event (of a silent stream the role chunk) */
	uint64_t id;    /* what its tokens are stamped with */
	char name[STREAM_NAME_MAX]; /* X-Stream-Id; "": none has come */
	uint64_t asked_ns;
	bool began; /* its first token was here */
	uint32_t next_seq, holes;
	bool finished, done; /* finish_reason and [DONE] were seen */
	bool is_chunked, is_event_stream, keeps_alive;
	uint64_t body_left; /* when not chunked */
	struct chunked chunked;
	char *held; /* a part of a head or a line, until the rest comes */
	size_t held_len, held_room;
	int status;
};

/* Connects and registers with epoll (edge-triggered, data.ptr = s). The zeroed stream's question
 * and tally are set. False: see failed. */
bool stream_open(struct stream *s, int epoll_fd, const struct sockaddr_in *to);

/* After epoll said something about its fd. */
void stream_ready(struct stream *s, uint32_t events);

/* The client leaves. Idempotent. */
void stream_close(struct stream *s);

static inline bool stream_is_over(const struct stream *s)
{
	return s->state == STREAM_FAILED || (s->state == STREAM_ENDED && !s->ask_again);
}

#endif
