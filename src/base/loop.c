/* epoll, mail by eventfd, timers and stages. */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <sluice/error.h>
#include "base/clock.h"

#define BATCH_MAX 512

static void deliver_mail(struct loop *l)
{
	pthread_mutex_lock(&l->mail_lock);
	struct mail *m = l->mail;
	l->mail = NULL;
	l->mail_tail = &l->mail;
	pthread_mutex_unlock(&l->mail_lock);
	while (m) {
		struct mail *next = m->next;
		m->deliver(m);
		m = next;
	}
}

static void mail_ready(struct loop_io *io, uint32_t events)
{
	(void)events;
	struct loop *l = (struct loop *)((char *)io - offsetof(struct loop, mail_io));
	uint64_t count;
	/* Emptied before the box is taken: a letter that comes in between wakes us once more. */
	while (read(io->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	deliver_mail(l);
}

int loop_init(struct loop *l)
{
	*l = (struct loop){.now_ms = clock_ms(), .epoll_fd = -1, .mail_io.fd = -1};
	l->stages_tail = &l->stages;
	l->mail_tail = &l->mail;
	timer_heap_init(&l->timers);
	pthread_mutex_init(&l->mail_lock, NULL);
	l->batch = calloc(BATCH_MAX, sizeof(*l->batch));
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->mail_io = (struct loop_io){eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), mail_ready};
	if (!l->batch || l->epoll_fd < 0 || l->mail_io.fd < 0 ||
	    loop_add_io(l, &l->mail_io, EPOLLIN) < 0) {
		loop_fini(l);
		return -SL_E_IO;
	}
	return 0;
}

void loop_fini(struct loop *l)
{
	pthread_mutex_lock(&l->mail_lock);
	l->mail_closed = true;
	pthread_mutex_unlock(&l->mail_lock);
	deliver_mail(l);
	timer_heap_fini(&l->timers);
	if (l->mail_io.fd >= 0)
		close(l->mail_io.fd);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	free(l->batch);
	l->batch = NULL;
	l->mail_io.fd = l->epoll_fd = -1;
	pthread_mutex_destroy(&l->mail_lock);
}

static int control(struct loop *l, int op, struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};
	return epoll_ctl(l->epoll_fd, op, io->fd, &ev) == 0 ? 0 : -SL_E_IO;
}

int loop_add_io(struct loop *l, struct loop_io *io, uint32_t events)
{
	return control(l, EPOLL_CTL_ADD, io, events);
}

int loop_change_io(struct loop *l, struct loop_io *io, uint32_t events)
{
	return control(l, EPOLL_CTL_MOD, io, events);
}

void loop_remove_io(struct loop *l, struct loop_io *io)
{
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	for (int i = l->batch_at; i < l->batch_n; i++)
		if (l->batch[i].data.ptr == io)
			l->batch[i].data.ptr = NULL;
}

void loop_set_timer(struct loop *l, struct timer *t, uint64_t ms)
{
	uint64_t due = l->now_ms + ms;
	if (timer_set(&l->timers, t, due ? due : 1) < 0)
		abort(); /* no memory for one pointer: nothing that is worth going on with */
}

void loop_stop_timer(struct loop *l, struct timer *t)
{
	timer_stop(&l->timers, t);
}

void loop_add_stage(struct loop *l, struct loop_stage *s)
{
	s->next = NULL;
	*l->stages_tail = s;
	l->stages_tail = &s->next;
}

static void wake(struct loop *l)
{
	uint64_t one = 1;
	ssize_t n = write(l->mail_io.fd, &one, sizeof(one));
	(void)n; /* EAGAIN: the counter is full, so it wakes anyway */
}

bool loop_post(struct loop *l, struct mail *m)
{
	m->next = NULL;
	pthread_mutex_lock(&l->mail_lock);
	bool open = !l->mail_closed;
	bool first = open && !l->mail;
	if (open) {
		*l->mail_tail = m;
		l->mail_tail = &m->next;
	}
	pthread_mutex_unlock(&l->mail_lock);
	if (first)
		wake(l);
	return open;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
	wake(l);
}

static bool run_stages(struct loop *l)
{
	bool again = false;
	for (struct loop_stage *s = l->stages; s; s = s->next)
		if (s->run(s))
			again = true;
	return again;
}

/* How long to wait for the next timer; wait_ms is the most the caller allows, -1 for ever. */
static int wait_time(const struct loop *l, int wait_ms)
{
	uint64_t next = timer_next(&l->timers);
	if (!next)
		return wait_ms;
	uint64_t now = clock_ms();
	uint64_t left = next > now ? next - now : 0;
	if (left > 60000)
		left = 60000;
	return wait_ms >= 0 && (uint64_t)wait_ms < left ? wait_ms : (int)left;
}

void loop_turn(struct loop *l, int max_wait_ms)
{
	int n = epoll_wait(l->epoll_fd, l->batch, BATCH_MAX, wait_time(l, max_wait_ms));
	l->now_ms = clock_ms();
	l->batch_n = n > 0 ? n : 0;
	for (l->batch_at = 0; l->batch_at < l->batch_n;) {
		struct epoll_event *ev = &l->batch[l->batch_at++];
		struct loop_io *io = ev->data.ptr;
		if (io)
			io->ready(io, ev->events);
	}
	l->batch_n = 0;
	timer_run(&l->timers, l->now_ms);
	l->again = run_stages(l);
}

void loop_run(struct loop *l)
{
	while (!l->stop)
		loop_turn(l, l->again ? 0 : -1);
}
