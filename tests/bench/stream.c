/* HTTP and SSE as a strict client reads them. Failures are counted and the first is told; nothing
 * is repaired. */
#include "stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clock.h"
#include "token.h"

#define HELD_MAX 262144 /* a head or a line longer than this is a failure */

void stream_close(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	free(s->held);
	s->held = NULL;
	s->held_len = s->held_room = 0;
}

__attribute__((format(printf, 2, 3))) static void fail(struct stream *s, const char *format, ...)
{
	if (s->state == STREAM_FAILED)
		return;
	if (!s->tally->failed++) {
		va_list args;
		va_start(args, format);
		vsnprintf(s->tally->first_failure, sizeof(s->tally->first_failure), format, args);
		va_end(args);
	}
	s->state = STREAM_FAILED;
	stream_close(s);
}

static void hold(struct stream *s, const char *at, size_t len)
{
	if (s->held_len + len > HELD_MAX) {
		fail(s, "a head or line longer than %d bytes", HELD_MAX);
		return;
	}
	if (s->held_len + len > s->held_room) {
		size_t room = s->held_len + len + 1024;
		char *held = realloc(s->held, room);
		if (!held)
			abort();
		s->held = held;
		s->held_room = room;
	}
	memcpy(s->held + s->held_len, at, len);
	s->held_len += len;
}

static void ask(struct stream *s)
{
	static uint64_t last_id;
	char text[QUESTION_TEXT_MAX];
	s->id = s->question->watched ? s->question->watched : ++last_id;
	s->next_seq = s->holes = 0;
	s->began = s->finished = s->done = false;
	s->chunked = (struct chunked){0};
	s->state = STREAM_ASKED;
	size_t len = question_write(s->question, s->id, text);
	s->asked_ns = now_ns();
	ssize_t n = send(s->fd, text, len, MSG_NOSIGNAL);
	if (n != (ssize_t)len)
		fail(s, "request not sent: %s", n < 0 ? strerror(errno) : "socket full");
}

bool stream_open(struct stream *s, int epoll_fd, const struct sockaddr_in *to)
{
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		fail(s, "socket: %s", strerror(errno));
		return false;
	}
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s};
	if ((connect(s->fd, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
	     errno != EINPROGRESS) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &e) < 0) {
		fail(s, "connect: %s", strerror(errno));
		return false;
	}
	return true;
}

static void take_token(struct stream *s, const struct token *t, uint64_t now)
{
	struct tally *all = s->tally;
	if (t->stream != s->id) {
		all->foreign++;
		return;
	}
	bool is_first = !s->began;
	s->began = true;
	if (is_first && s->question->kind == QUESTION_CHANNEL)
		s->next_seq = t->seq;
	if (t->seq > s->next_seq) {
		s->holes += t->seq - s->next_seq;
		all->lost += t->seq - s->next_seq;
	} else if (t->seq < s->next_seq) {
		/* It fills a hole, or there was none. */
		if (s->holes) {
			s->holes--;
			all->lost--;
			all->reordered++;
		} else {
			all->doubled++;
		}
		return;
	}
	s->next_seq = t->seq + 1;
	if (is_first)
		histogram_add(&all->first_token, now - s->asked_ns);
	all->tokens_ever++;
	if (all->in_window) {
		all->tokens++;
		histogram_add(&all->latency, now - t->sent_ns);
	}
}

/* All tokens should have come. */
static void count_end(struct stream *s)
{
	struct tally *all = s->tally;
	if (s->next_seq < s->question->tokens)
		all->lost += s->question->tokens - s->next_seq;
	all->requests_ever++;
	if (all->in_window)
		all->requests++;
	s->state = STREAM_ENDED;
}

/* A channel does not end by itself: its viewer leaves at this word. */
static void take_done(struct stream *s)
{
	s->done = true;
	if (s->question->kind != QUESTION_CHANNEL)
		return;
	count_end(s);
	stream_close(s);
}

static bool line_has(const char *line, size_t len, const char *what)
{
	return memmem(line, len, what, strlen(what)) != NULL;
}

static void take_data(struct stream *s, const char *line, size_t len, uint64_t now)
{
	struct token t;
	const char *at = line, *end = line + len;
	bool any = false;
	while (token_read(&at, end, &t)) {
		any = true;
		take_token(s, &t, now);
	}
	if (any || s->question->silent)
		s->open = true;
	if (any && s->done)
		fail(s, "a token after %s", question_done(s->question));
	if (any)
		return;
	if (line_has(line, len, question_done(s->question)))
		take_done(s);
	else if (line_has(line, len, question_finish(s->question)) ||
		 line_has(line, len, "\"finish_reason\": \"stop\""))
		s->finished = true;
	else if (line_has(line, len, "\"error\""))
		fail(s, "error in the stream: %.*s", (int)(len < 120 ? len : 120), line);
}

static void take_line(struct stream *s, const char *line, size_t len, uint64_t now)
{
	if (len && line[len - 1] == '\r')
		len--;
	if (len >= 5 && memcmp(line, "data:", 5) == 0)
		take_data(s, line + 5, len - 5, now);
	else if (len && line[0] == ':')
		s->tally->comments++;
	/* id:, retry:, event: and unknown fields are fine and mean nothing here */
}

static void take_body(struct stream *s, const char *at, size_t len, uint64_t now)
{
	while (len && s->state == STREAM_READING) {
		const char *newline = memchr(at, '\n', len);
		if (!newline) {
			hold(s, at, len);
			return;
		}
		size_t n = (size_t)(newline - at);
		if (s->held_len) {
			hold(s, at, n);
			if (s->state == STREAM_READING)
				take_line(s, s->held, s->held_len, now);
			s->held_len = 0;
		} else {
			take_line(s, at, n, now);
		}
		at = newline + 1;
		len -= n + 1;
	}
}

static void take_end(struct stream *s)
{
	bool done = s->done || s->question->ends_without_done;
	if (!s->finished || !done || s->held_len) {
		fail(s, "ended without %s",
		     s->held_len ? "its last newline"
		     : done      ? "finish_reason"
				 : question_done(s->question));
		return;
	}
	count_end(s);
	if (s->ask_again && s->keeps_alive)
		ask(s);
	else if (s->ask_again)
		fail(s, "connection not kept alive");
	else
		stream_close(s);
}

/* What a header line says. */
static void take_header(struct stream *s, const char *line, size_t len)
{
	char text[256];
	snprintf(text, sizeof(text), "%.*s", (int)len, line);
	char *value = strchr(text, ':');
	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " ");
	if (strcasecmp(text, "Transfer-Encoding") == 0)
		s->is_chunked = strcasecmp(value, "chunked") == 0;
	else if (strcasecmp(text, "Content-Length") == 0)
		s->body_left = strtoull(value, NULL, 10);
	else if (strcasecmp(text, "Content-Type") == 0)
		s->is_event_stream = strncasecmp(value, "text/event-stream", 17) == 0;
	else if (strcasecmp(text, "Connection") == 0)
		s->keeps_alive = strcasecmp(value, "close") != 0;
	else if (strcasecmp(text, "X-Stream-Id") == 0)
		snprintf(s->name, sizeof(s->name), "%.*s", STREAM_NAME_MAX - 1, value);
}

/* Takes the head from the bytes, answers how many of them it was; all of them, held, when it is not
 * complete. */
static size_t take_head(struct stream *s, const char *at, size_t len)
{
	size_t before = s->held_len;
	hold(s, at, len);
	if (s->state == STREAM_FAILED)
		return len;
	const char *blank = memmem(s->held, s->held_len, "\r\n\r\n", 4);
	if (!blank)
		return len;
	size_t head_len = (size_t)(blank + 4 - s->held);
	if (head_len < 13 || memcmp(s->held, "HTTP/1.1 ", 9) != 0) {
		fail(s, "no HTTP answer");
		return len;
	}
	s->status = atoi(s->held + 9);
	s->is_chunked = s->is_event_stream = false;
	s->keeps_alive = true;
	s->body_left = UINT64_MAX;
	for (const char *line = s->held; line < blank;) {
		const char *end = memmem(line, (size_t)(blank + 2 - line), "\r\n", 2);
		take_header(s, line, (size_t)(end - line));
		line = end + 2;
	}
	if (s->status != 200 || !s->is_event_stream) {
		const char *body = blank + 4, *all_end = s->held + s->held_len;
		fail(s, "status %d%s: %.*s", s->status,
		     s->status == 200 ? ", not an event stream" : "",
		     (int)(all_end - body < 100 ? all_end - body : 100), body);
		return len;
	}
	s->held_len = 0;
	s->state = STREAM_READING;
	return head_len - before;
}

static void take_bytes(struct stream *s, const char *at, size_t len)
{
	uint64_t now = now_ns();
	s->tally->bytes += len;
	while (len && s->state != STREAM_FAILED) {
		size_t took;
		if (s->state == STREAM_ASKED) {
			took = take_head(s, at, len);
		} else if (s->state != STREAM_READING) {
			if (s->question->kind != QUESTION_CHANNEL)
				fail(s, "bytes after the end");
			return;
		} else if (s->is_chunked) {
			const char *body;
			size_t n;
			long taken = chunked_next(&s->chunked, at, len, &body, &n);
			if (taken < 0) {
				fail(s, "bad chunked coding");
				return;
			}
			took = (size_t)taken;
			if (n)
				take_body(s, body, n, now);
			if (s->state == STREAM_READING && s->chunked.state == CHUNKED_DONE)
				take_end(s);
		} else {
			took = len < s->body_left ? len : (size_t)s->body_left;
			take_body(s, at, took, now);
			s->body_left -= took;
			if (s->state == STREAM_READING && !s->body_left)
				take_end(s);
		}
		at += took;
		len -= took;
	}
}

void stream_ready(struct stream *s, uint32_t events)
{
	static char buffer[65536];
	if (s->fd < 0)
		return;
	if (s->state == STREAM_NEW && events & EPOLLOUT && !(events & (EPOLLERR | EPOLLHUP)))
		ask(s);
	if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)))
		return;
	while (s->fd >= 0) {
		ssize_t n = recv(s->fd, buffer, sizeof(buffer), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			fail(s, "connection %s after %u tokens", n < 0 ? strerror(errno) : "closed",
			     s->next_seq);
			return;
		}
		take_bytes(s, buffer, (size_t)n);
		/* A short read has emptied the socket; an end of file comes with an event of its
		 * own. */
		if ((size_t)n < sizeof(buffer) && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
			return;
	}
}
