/* The demo model's thread: its loop, its listener, and the connections that come. */
#include "app/demo/demo.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <sluice/error.h>
#include "app/demo/conn.h"

#define CONNS_MAX    4096
#define BACKLOG      1024
#define SNDBUF_BYTES (64 << 10) /* so that a client that does not read soon stops the model */
#define PAUSE_MS     50

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct demo {
	struct loop loop;
	struct demo_conns conns;
	struct loop_io listener;
	struct timer pause; /* set: no connections are taken, for want of room or of descriptors */
	pthread_t thread;
};

static void pause_accepting(struct demo *d)
{
	loop_remove_io(&d->loop, &d->listener);
	loop_set_timer(&d->loop, &d->pause, PAUSE_MS);
}

static void accept_again(struct timer *t)
{
	struct demo *d = FROM(t, struct demo, pause);

	if (loop_add_io(&d->loop, &d->listener, EPOLLIN) < 0)
		loop_set_timer(&d->loop, &d->pause, PAUSE_MS);
}

static void accept_some(struct loop_io *io, uint32_t events)
{
	struct demo *d = FROM(io, struct demo, listener);
	const int one = 1, sndbuf = SNDBUF_BYTES;

	(void)events;
	for (;;) {
		int fd = -1;

		if (d->conns.n < CONNS_MAX)
			fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		else
			errno = EMFILE;
		if (fd >= 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
			demo_conns_add(&d->conns, fd);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno != EINTR && errno != ECONNABORTED) {
			pause_accepting(d);
			return;
		}
	}
}

/* A listening socket on a free port, or -1. */
static int listen_somewhere(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(address);

	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, n) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &n) < 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(address.sin_port);
	return fd;
}

static void *run(void *arg)
{
	loop_run(&((struct demo *)arg)->loop);
	return NULL;
}

/* Signals are for the thread that started us. */
static int start_thread(struct demo *d)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&d->thread, NULL, run, d);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

static void fini(struct demo *d)
{
	demo_conns_fini(&d->conns);
	loop_fini(&d->loop);
	close(d->listener.fd);
	free(d);
}

struct demo *demo_start(uint16_t *port)
{
	struct demo *d = calloc(1, sizeof(*d));
	uint16_t its_port;

	if (!d)
		return NULL;
	d->listener = (struct loop_io){listen_somewhere(&its_port), accept_some};
	if (d->listener.fd < 0 || loop_init(&d->loop) < 0) {
		int why = errno;

		if (d->listener.fd >= 0)
			close(d->listener.fd);
		free(d);
		errno = why;
		return NULL;
	}
	d->pause.fire = accept_again;
	demo_conns_init(&d->conns, &d->loop);
	int why = loop_add_io(&d->loop, &d->listener, EPOLLIN) < 0 ? errno : start_thread(d);
	if (why) {
		fini(d);
		errno = why;
		return NULL;
	}
	*port = its_port;
	return d;
}

void demo_stop(struct demo *d)
{
	if (!d)
		return;
	loop_stop(&d->loop);
	pthread_join(d->thread, NULL);
	fini(d);
}

unsigned demo_active(const struct demo *d)
{
	return d->conns.answering;
}
