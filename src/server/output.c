/* Chunks, by libmicrohttpd or past it. */
#include "server/output.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "server/server_private.h"

#define BLOCK_SIZE       64 /* allocated, and not used for chunked answers */
#define WHOLE_BLOCK_SIZE 4096
#define SENDS_MAX        8 /* in one go; then others have their turn */

/* A chunk stands in the server's buffer: its length, its bytes, and a line end. */
#define CHUNK_HEAD 8 /* "4000\r\n" and some room */
#define CHUNK_MAX  (SERVER_CHUNK_BYTES - CHUNK_HEAD - 2)

/* What there is to say, a heartbeat first when it is due. */
static size_t take(struct exchange *x, char *buf, size_t max)
{
	struct output *o = &x->out;
	size_t n = 0;
	if (o->finished)
		return 0; /* no heartbeat behind the end */
	if (o->heartbeat_due && o->skip == 0 && max > strlen(o->heartbeat)) {
		n = strlen(o->heartbeat);
		memcpy(buf, o->heartbeat, n);
	}
	o->heartbeat_due = false;
	n += o->source->fill(x, buf + n, max - n);
	if (n > 0 && o->heartbeat_ms)
		exchange_set_time(x, o->heartbeat_ms);
	return n;
}

/*
 * Before the first silence of a response: libmicrohttpd has cleared its whole pool while it wrote
 * the head, so that all of it is resident, and what it offers us to write to is nearly all of that.
 * Untouched pages cost a silent stream nothing.
 */
static void release_pages(struct output *o, char *buf, size_t max)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)buf + page - 1) & ~(page - 1),
		  to = ((uintptr_t)buf + max) & ~(page - 1);
	if (!o->pages_released && to > from)
		madvise((void *)from, to - from, MADV_DONTNEED);
	o->pages_released = true;
}

/* libmicrohttpd wants bytes. */
static ssize_t read_body(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct exchange *x = cls;
	struct output *o = &x->out;
	(void)pos;
	for (;;) {
		if (x->conn->gone || o->broken)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		size_t n = take(x, buf, max);
		if (n > 0)
			return (ssize_t)n;
		if (o->finished)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (!o->broken && o->source->arm(x)) {
			release_pages(o, buf, max);
			exchange_suspend(x);
			return 0;
		}
	}
}

struct MHD_Response *output_response(struct exchange *x, const struct output_source *source,
				     uint64_t size)
{
	bool chunked = size == MHD_SIZE_UNKNOWN && !x->http_1_0;
	x->out.source = source;
	x->out.direct = chunked && !x->server->shared->tls_cert;
	if (x->out.heartbeat_ms)
		exchange_set_time(x, x->out.heartbeat_ms);
	return MHD_create_response_from_callback(size, chunked ? BLOCK_SIZE : WHOLE_BLOCK_SIZE,
						 read_body, x, NULL);
}

static void watch_socket(struct exchange *x, bool for_room)
{
	loop_change_io(x->server->loop, &x->conn->io,
		       EPOLLRDHUP | EPOLLET | (for_room ? EPOLLOUT : 0u));
}

/* Whether the client has taken anything since the last look, or since the socket was full. The socket
 * is writable only when much of its buffer is free; this sees each byte. */
static bool is_taken(struct exchange *x)
{
	struct output *o = &x->out;
	int was = o->unread;
	return ioctl(x->conn->io.fd, SIOCOUTQ, &o->unread) == 0 && o->unread < was;
}

/* The socket is full. */
static void wait_for_room(struct exchange *x)
{
	x->out.unread = INT_MAX;
	is_taken(x);
	exchange_set_time(x, x->config->set.options->idle_ms);
}

/* 1: all of it is sent. 0: the rest waits for the socket. -1: the client is gone. */
static int send_bytes(struct exchange *x, const char *p, size_t n)
{
	struct output *o = &x->out;
	ssize_t sent;
	do
		sent = send(x->conn->io.fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)n)
		return 1;
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return -1;
	o->rest_at = 0;
	o->rest_n = n - (sent > 0 ? (size_t)sent : 0);
	o->rest = malloc(o->rest_n);
	if (!o->rest)
		return -1;
	memcpy(o->rest, p + (n - o->rest_n), o->rest_n);
	watch_socket(x, true);
	wait_for_room(x);
	return 0;
}

static int send_chunk(struct exchange *x, char *data, size_t n)
{
	char head[CHUNK_HEAD + 1];
	int head_n = snprintf(head, sizeof(head), "%zx\r\n", n);
	memcpy(data - head_n, head, (size_t)head_n);
	memcpy(data + n, "\r\n", 2);
	return send_bytes(x, data - head_n, (size_t)head_n + n + 2);
}

/* Whatever made a write fail: the client will not read any more. */
static bool give_up(struct exchange *x)
{
	x->conn->gone = true;
	exchange_end(x);
	return false;
}

bool output_send(struct exchange *x)
{
	struct output *o = &x->out;
	char *data = x->server->chunk + CHUNK_HEAD;
	if (!o->direct || x->conn->gone)
		return false;
	if (o->rest)
		return true;
	for (int i = 0; i < SENDS_MAX; i++) {
		if (o->broken)
			return false;
		size_t n = take(x, data, CHUNK_MAX);
		if (n > 0) {
			int sent = send_chunk(x, data, n);
			if (sent <= 0)
				return sent == 0 ? true : give_up(x);
		} else if (o->finished || o->broken) {
			return false;
		} else if (o->source->arm(x)) {
			return true;
		}
	}
	exchange_resume(x);
	return true;
}

void output_writable(struct exchange *x)
{
	struct output *o = &x->out;
	if (!o->rest || x->conn->gone)
		return;
	while (o->rest_at < o->rest_n) {
		ssize_t n = send(x->conn->io.fd, o->rest + o->rest_at, o->rest_n - o->rest_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			wait_for_room(x);
			return; /* the next edge comes */
		}
		if (n < 0) {
			give_up(x);
			exchange_resume(x);
			return;
		}
		o->rest_at += (size_t)n;
	}
	output_fini(o);
	watch_socket(x, false);
	if (o->heartbeat_ms)
		exchange_set_time(x, o->heartbeat_ms);
	exchange_resume(x);
}

void output_tick(struct exchange *x)
{
	struct output *o = &x->out;
	if (!o->rest) {
		o->heartbeat_due = o->heartbeat_ms > 0;
		return;
	}
	if (is_taken(x)) {
		exchange_set_time(x, x->config->set.options->idle_ms);
		return;
	}
	log_event(LOG_DEBUG, "client_stalled", {"request", LOG_STR(x->request_id)});
	give_up(x);
	shutdown(x->conn->io.fd, SHUT_RDWR);
}

void output_fini(struct output *o)
{
	free(o->rest);
	o->rest = NULL;
}
