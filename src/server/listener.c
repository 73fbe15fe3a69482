/* Listening sockets, accepting, and the limits that hold before a byte is read. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <sluice/error.h>
#include "base/log.h"
#include "base/metrics.h"
#include "server/server_private.h"

#define BACKLOG     1024
#define ACCEPTS_MAX 64           /* in one turn */
#define SEND_BUFFER (128 * 1024) /* the kernel's share of a client that reads nothing */
#define REST_MS     100

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static int open_unix(const struct listen_address *a)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	if (strlen(a->host) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -SL_E_IO;
	}
	memcpy(un.sun_path, a->host, strlen(a->host) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -SL_E_IO;
	/* A file that nobody listens on any more is in the way of the next start: only such a one
	 * is removed. */
	struct stat st;
	if (lstat(a->host, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0 && errno == ECONNREFUSED)
		unlink(a->host);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0 && chmod(a->host, 0660) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -SL_E_IO;
}

int server_open_socket(const struct listen_address *a, uint16_t *port)
{
	if (a->is_unix)
		return open_unix(a);
	struct sockaddr_storage at = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&at;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&at;
	socklen_t len = sizeof(*v4);
	uint16_t want = *port ? *port : a->port;
	const char *host = strcmp(a->host, "localhost") == 0 ? "127.0.0.1" : a->host;
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(want);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(want);
		len = sizeof(*v6);
	} else {
		errno = EINVAL;
		return -SL_E_IO;
	}
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -SL_E_IO;
	int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	/* The first socket of an address is bound without REUSEPORT, so that another program that
	 * listens there is an error and does not silently share its clients with us. */
	if (*port != 0 || a->port == 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, len) < 0)
		goto failed;
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		goto failed;
	*port = ntohs(at.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
	return fd;
failed:;
	int error = errno;
	close(fd);
	errno = error;
	return -SL_E_IO;
}

/* No room: one line, in plain HTTP, and good-bye. (A TLS client sees its handshake fail.) */
static void refuse(const struct server *s, int fd)
{
	static const char answer[] =
		"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
		"Retry-After: 1\r\nConnection: close\r\nContent-Length: 109\r\n\r\n"
		"{\"error\":{\"message\":\"too many "
		"connections\",\"type\":\"server_error\",\"param\":null,\"code\":\"too_many_"
		"connections\"}}";
	if (!s->shared->tls_cert) {
		ssize_t n = send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)n;
		shutdown(fd, SHUT_WR);
	}
	close(fd);
	metrics_add(METRIC_REFUSED, 1);
}

static void take(struct listener *l, int fd, const struct sockaddr_storage *from)
{
	struct server *s = l->server;
	struct client_address address;
	int on = 1, room = SEND_BUFFER;
	metrics_add(METRIC_CONNECTIONS, 1);
	client_address_set(&address, from);
	if (!shared_admit(s->shared, &address)) {
		refuse(s, fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (!l->is_unix)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!conn_new(s, fd, &address, l->is_unix, l->metrics_only)) {
		shared_release(s->shared, &address);
		refuse(s, fd);
	}
}

/* Descriptors have run out: give up the spare one, answer, and keep it again, so that clients are
 * told rather than left waiting. */
static void out_of_descriptors(struct listener *l)
{
	struct server *s = l->server;
	static _Thread_local struct log_limit limit;
	if (log_allow(&limit, 1))
		log_event(LOG_ERROR, "out_of_descriptors",
			  {"hint", LOG_STR("raise the limit of open files (ulimit -n)")});
	if (s->spare_fd >= 0) {
		close(s->spare_fd);
		int fd = accept4(l->io.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			refuse(s, fd);
		s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	loop_remove_io(s->loop, &l->io);
	loop_set_timer(s->loop, &l->rest, REST_MS);
}

/* Workers share one unix socket: only one of them is woken. */
static int watch(struct listener *l)
{
	return loop_add_io(l->server->loop, &l->io, EPOLLIN | (l->is_unix ? EPOLLEXCLUSIVE : 0));
}

static void rested(struct timer *t)
{
	watch(FROM(t, struct listener, rest));
}

static void accept_ready(struct loop_io *io, uint32_t events)
{
	struct listener *l = FROM(io, struct listener, io);
	(void)events;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		int fd = accept4(io->fd, (struct sockaddr *)&from, &len,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			take(l, fd, &from);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			   errno == ENOMEM) {
			out_of_descriptors(l);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

int server_add_listener(struct server *s, int fd, bool is_unix, bool metrics_only)
{
	struct listener *l = calloc(1, sizeof(*l));
	if (!l)
		return -SL_E_NOMEM;
	*l = (struct listener){.io = {fd, accept_ready},
			       .server = s,
			       .rest.fire = rested,
			       .is_unix = is_unix,
			       .metrics_only = metrics_only,
			       .next = s->listeners};
	if (watch(l) < 0) {
		free(l);
		return -SL_E_IO;
	}
	s->listeners = l;
	return 0;
}
