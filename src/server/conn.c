/* Connections and their requests: from libmicrohttpd's callbacks to a handler. */
#include "server/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "server/gate.h"
#include "server/guard.h"
#include "server/respond.h"
#include "server/routes.h"
#include "server/server_private.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* The client has closed its side, or takes bytes again. */
static void client_ready(struct loop_io *io, uint32_t events)
{
	struct conn *c = FROM(io, struct conn, io);
	struct exchange *x = c->x;
	if (c->gone)
		return;
	if (!(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
		if (x)
			output_writable(x);
		return;
	}
	c->gone = true;
	if (x && (x->state == X_WAITING || x->state == X_STREAMING)) {
		exchange_end(x);
		exchange_resume(x);
		/* It may have closed its sending side only, and read nothing: do not wait for room
		 * to write. */
		shutdown(c->io.fd, SHUT_RDWR);
	}
}

/* A head or a body takes too long. libmicrohttpd's own timeout starts anew with each byte. */
static void too_slow(struct timer *t)
{
	shutdown(FROM(t, struct conn, deadline)->io.fd, SHUT_RDWR);
}

static void conn_end(struct conn *c)
{
	struct server *s = c->server;
	loop_remove_io(s->loop, &c->io);
	loop_stop_timer(s->loop, &c->deadline);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	if (c->shard)
		shard_closed(c->shard);
	shared_release(s->shared, &c->address);
	free(c);
}

void conn_drop(struct conn *c)
{
	int fd = c->io.fd;
	conn_end(c);
	close(fd);
}

static void drop_late(struct timer *t)
{
	conn_drop(FROM(t, struct conn, deadline));
}

/* Gives the connection to libmicrohttpd, which reads from the start. */
static void hand_over(struct conn *c)
{
	struct server *s = c->server;
	c->io.ready = client_ready;
	c->deadline.fire = too_slow;
	loop_change_io(s->loop, &c->io, EPOLLRDHUP | EPOLLET);
	if (!shard_add(s, c)) /* it has closed the descriptor */
		conn_end(c);
}

/* Answers a first head that is none, past libmicrohttpd. */
static void refuse_head(struct conn *c, enum gate result, const char *why)
{
	char answer[512], rest[4096];
	bool large = result == GATE_TOO_LARGE;
	struct sl_event error = stream_error(large ? 413 : 400, "invalid_request_error",
					     large ? "request_too_large" : "bad_request", why);
	struct sl_buf body;
	sl_buf_init(&body, sizeof(answer));
	openai_error_body(&error, SL_LIT(""), false, &body);
	int n = snprintf(answer, sizeof(answer),
			 "HTTP/1.1 %s\r\nContent-Type: application/json\r\nX-Content-Type-Options: "
			 "nosniff\r\n"
			 "Connection: close\r\nContent-Length: %zu\r\n\r\n%.*s",
			 large ? "413 Content Too Large" : "400 Bad Request", body.len,
			 (int)body.len, body.p);
	sl_buf_fini(&body);
	metrics_add(METRIC_REFUSED, 1);
	ssize_t sent = send(c->io.fd, answer, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent;
	shutdown(c->io.fd, SHUT_WR);
	/* What stays unread when a socket is closed makes the kernel throw away what was sent. */
	for (int i = 0; i < 64 && recv(c->io.fd, rest, sizeof(rest), MSG_DONTWAIT) > 0; i++)
		;
	conn_drop(c);
}

/* Bytes have come, and nobody has read them yet: is there a whole head? */
static void look_at_head(struct loop_io *io, uint32_t events)
{
	struct conn *c = FROM(io, struct conn, io);
	struct server *s = c->server;
	const char *why = "";
	size_t limit = s->peek_bytes;
	ssize_t n = recv(io->fd, s->peeked, limit, MSG_PEEK | MSG_DONTWAIT);
	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		conn_drop(c);
		return;
	}
	enum gate result =
		n < 0 ? GATE_INCOMPLETE : gate_check(sl_slice(s->peeked, (size_t)n), &why);
	if (result == GATE_BAD_REQUEST || result == GATE_TOO_LARGE)
		refuse_head(c, result, why);
	else if (result == GATE_GOOD ||
		 (size_t)(n < 0 ? 0 : n) == limit) /* too long: libmicrohttpd says so */
		hand_over(c);
	else if (events & EPOLLRDHUP)
		conn_drop(c);
}

struct conn *conn_new(struct server *s, int fd, const struct client_address *a, bool is_unix,
		      bool metrics_only)
{
	struct conn *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct conn){.io = {fd, look_at_head},
			   .server = s,
			   .address = *a,
			   .deadline.fire = drop_late,
			   .is_unix = is_unix,
			   .metrics_only = metrics_only};
	if (loop_add_io(s->loop, &c->io, EPOLLIN | EPOLLRDHUP | EPOLLET) < 0) {
		free(c);
		return NULL;
	}
	c->next = s->conns;
	c->link = &s->conns;
	if (c->next)
		c->next->link = &c->next;
	s->conns = c;
	loop_set_timer(s->loop, &c->deadline, s->config->set.options->request_headers_ms);
	if (s->shared->tls_cert)
		hand_over(c);
	return c;
}

void conn_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
		 enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		/* Called from within MHD_add_connection(), on the thread that called it. */
		struct conn *c = shard_adding(cls);
		c->mhd = mhd;
		c->server->adding = NULL;
		*socket_context = c;
	} else if (*socket_context) {
		conn_end(*socket_context);
		*socket_context = NULL;
	}
}

static struct conn *conn_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* A request line has come. What is returned is the request's context from the first call of
 * conn_request on. */
void *conn_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	(void)cls;
	struct conn *c = conn_of(mhd);
	struct exchange *x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->conn = c;
	x->server = c->server;
	x->config = snapshot_hold(c->server->config);
	x->uri_bytes = strlen(uri);
	/* libmicrohttpd decodes the path, and a decoded NUL would end it. */
	const char *nul = strstr(uri, "%00");
	x->nul_in_path = nul && nul < uri + strcspn(uri, "?");
	x->born_us = clock_us();
	sl_buf_init(&x->body, x->config->set.options->body_bytes);
	random_id(x->request_id);
	c->x = x;
	c->server->busy++;
	if (!timer_is_set(&c->deadline))
		loop_set_timer(c->server->loop, &c->deadline,
			       x->config->set.options->request_headers_ms);
	return x;
}

static void refuse(struct exchange *x, const struct refusal *r)
{
	x->refused = true;
	x->state = X_ANSWERED;
	respond_refusal(x, r->status, r->type, r->code, r->message);
}

/* With metrics.listen, /metrics is there and nowhere else, and nothing else is there. */
static bool is_served_here(const struct exchange *x)
{
	bool metrics = x->route->flags & ROUTE_F_METRICS;
	return x->conn->metrics_only ? metrics
				     : !metrics || !x->config->set.options->metrics_elsewhere;
}

/* The head is complete: is it a request that we serve? */
static enum MHD_Result begin(struct exchange *x, const char *method, const char *url)
{
	static const struct refusal nothing_here = {.status = 404,
						    .type = "invalid_request_error",
						    .code = "not_found",
						    .message = "there is nothing at this path"};
	const char *allowed = NULL;
	metrics_add(METRIC_REQUESTS, 1);
	x->started = true;
	x->path = strdup(url);
	snprintf(x->method, sizeof(x->method), "%s", method);
	if (!x->nul_in_path)
		x->route = route_find(method, url, x->param, sizeof(x->param), &allowed);
	struct refusal r = guard_check(x);
	if (r.status == 0 && x->route && !is_served_here(x))
		r = nothing_here;
	if (r.status == 0 && !x->route) {
		if (strcmp(method, "OPTIONS") == 0 && x->origin) { /* a preflight */
			x->state = X_ANSWERED;
			respond_bytes(x, 204, NULL, SL_LIT(""));
			return MHD_YES;
		}
		r = nothing_here;
		if (allowed)
			r = (struct refusal){.status = 405,
					     .type = "invalid_request_error",
					     .code = "method_not_allowed",
					     .message = "this path does not have that method"};
	}
	loop_set_timer(x->server->loop, &x->conn->deadline,
		       x->config->set.options->request_body_ms);
	if (r.status)
		refuse(x, &r);
	return MHD_YES;
}

/* The body has grown over its limit while it came in chunks. libmicrohttpd takes no response in the
 * middle of an upload: it is written past it (not through TLS), and the connection closed. */
static enum MHD_Result too_large(struct exchange *x)
{
	static const char answer[] = "HTTP/1.1 413 Content Too Large\r\nContent-Type: "
				     "application/json\r\nConnection: close\r\n"
				     "Content-Length: 125\r\n\r\n"
				     "{\"error\":{\"message\":\"the request body is too "
				     "large\",\"type\":\"invalid_request_error\",\"param\":null,"
				     "\"code\":\"request_too_large\"}}\n";
	_Static_assert(sizeof(answer) > 125, "the length above is that of the JSON line");
	metrics_add(METRIC_REFUSED, 1);
	if (!x->server->shared->tls_cert) {
		ssize_t n = send(x->conn->io.fd, answer, sizeof(answer) - 1,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)n;
	}
	return MHD_NO;
}

enum MHD_Result conn_request(void *cls, struct MHD_Connection *mhd, const char *url,
			     const char *method, const char *version, const char *upload,
			     size_t *upload_size, void **request_context)
{
	struct exchange *x = *request_context;
	(void)cls, (void)mhd;
	if (!x)
		return MHD_NO; /* no memory */
	x->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
	if (!x->started)
		return begin(x, method, url);
	if (*upload_size) {
		bool fits = x->refused || sl_buf_put(&x->body, upload, *upload_size) == 0;
		*upload_size = 0;
		return fits ? MHD_YES : too_large(x);
	}
	switch (x->state) {
	case X_READING:
		loop_stop_timer(x->server->loop, &x->conn->deadline);
		x->route->handle(x);
		return x->state == X_READING ? MHD_NO : MHD_YES;
	case X_WAITING:
		return !x->conn->gone && x->role->proceed(x) && x->state != X_READING ? MHD_YES
										      : MHD_NO;
	case X_STREAMING:
	case X_ANSWERED:
		return MHD_YES;
	}
	return MHD_NO;
}

void conn_completed(void *cls, struct MHD_Connection *mhd, void **request_context,
		    enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *request_context;
	(void)cls, (void)mhd, (void)code;
	if (!x)
		return;
	struct conn *c = x->conn;
	exchange_end(x);
	assert(!x->resume_queued);
	if (x->path)
		log_event(LOG_INFO, "request", {"request", LOG_STR(x->request_id)},
			  {"method", LOG_STR(x->method)},
			  {"path", LOG_STR(x->route ? x->route->path : "")},
			  {"status", LOG_INT(x->status)}, {"stream", LOG_STR(x->encoder.stream_id)},
			  {"key", LOG_STR(x->key ? x->key->name : "")},
			  {"ms", LOG_INT((clock_us() - x->born_us) / 1000)});
	/* The next request's head may take its own time beyond what an idle connection has. */
	if (x->started && !c->gone)
		loop_set_timer(x->server->loop, &c->deadline,
			       x->config->set.options->idle_ms +
				       x->config->set.options->request_headers_ms);
	c->x = NULL;
	c->server->busy--;
	snapshot_drop(x->config);
	sl_buf_fini(&x->body);
	free(x->path);
	free(x);
	*request_context = NULL;
}
