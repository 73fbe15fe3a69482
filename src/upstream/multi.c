/* libcurl's multi interface driven by socket actions: descriptors and one timer on the loop. */
#include "upstream/multi.h"

#include <assert.h>
#include <stdlib.h>
#include "base/log.h"

#define EASY_POOL  64
#define CACHED_MAX 256L

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct multi {
	struct loop *loop;
	CURLM *curlm;
	struct loop_stage stage;
	struct timer timer;
	int inside; /* depth of handler calls */
	bool acted; /* something happened: look for finished transfers */
	struct transfer *all;
	struct transfer *dirty;
	struct socket_watch *unused; /* freed at the end of the turn */
	CURL *pool[EASY_POOL];
	int pool_n;
};

struct socket_watch {
	struct loop_io io;
	struct multi *multi;
	struct socket_watch *next_unused;
};

void multi_enter(struct multi *m)
{
	m->inside++;
}

void multi_leave(struct multi *m)
{
	m->inside--;
}

bool multi_is_inside(const struct multi *m)
{
	return m->inside > 0;
}

static void act(struct multi *m, curl_socket_t fd, int what)
{
	int running;
	m->inside++;
	curl_multi_socket_action(m->curlm, fd, what, &running);
	m->inside--;
	m->acted = true;
}

static void socket_ready(struct loop_io *io, uint32_t events)
{
	struct socket_watch *w = FROM(io, struct socket_watch, io);
	int what = 0;
	if (events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
	act(w->multi, io->fd, what);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *multi_arg, void *watch_arg)
{
	(void)easy;
	struct multi *m = multi_arg;
	struct socket_watch *w = watch_arg;
	if (what == CURL_POLL_REMOVE) {
		if (w) {
			loop_remove_io(m->loop, &w->io);
			w->next_unused = m->unused;
			m->unused = w;
			curl_multi_assign(m->curlm, fd, NULL);
		}
		return 0;
	}
	uint32_t events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
			  (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	if (w) {
		loop_change_io(m->loop, &w->io, events);
		return 0;
	}
	w = malloc(sizeof(*w));
	if (!w)
		return -1;
	*w = (struct socket_watch){.io = {fd, socket_ready}, .multi = m};
	if (loop_add_io(m->loop, &w->io, events) < 0) {
		free(w);
		return -1;
	}
	curl_multi_assign(m->curlm, fd, w);
	return 0;
}

static int on_timer(CURLM *curlm, long timeout_ms, void *arg)
{
	(void)curlm;
	struct multi *m = arg;
	if (timeout_ms < 0)
		loop_stop_timer(m->loop, &m->timer);
	else
		loop_set_timer(m->loop, &m->timer, (uint64_t)timeout_ms);
	return 0;
}

static void timer_fired(struct timer *t)
{
	act(FROM(t, struct multi, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void unlink_transfer(struct transfer *t)
{
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
}

static void forget_dirty(struct multi *m, struct transfer *t)
{
	if (!t->dirty)
		return;
	struct transfer **at = &m->dirty;
	while (*at != t)
		at = &(*at)->dirty_next;
	*at = t->dirty_next;
	t->dirty = false;
}

static void mark_dirty(struct multi *m, struct transfer *t)
{
	if (t->dirty)
		return;
	t->dirty = true;
	t->dirty_next = m->dirty;
	m->dirty = t;
}

void multi_remove(struct multi *m, struct transfer *t)
{
	assert(m->inside == 0);
	forget_dirty(m, t);
	unlink_transfer(t);
	curl_multi_remove_handle(m->curlm, t->easy);
	if (m->pool_n < EASY_POOL) {
		curl_easy_reset(t->easy);
		m->pool[m->pool_n++] = t->easy;
	} else {
		curl_easy_cleanup(t->easy);
	}
	transfer_free(t);
	m->acted = true;
}

/* Finished transfers: first all are collected, since a handler may start and cancel others. */
static bool collect_finished(struct multi *m)
{
	bool any = false;
	int left;
	CURLMsg *msg;
	while ((msg = curl_multi_info_read(m->curlm, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		CURLcode code = msg->data.result;
		struct transfer *t = NULL;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
		m->inside++;
		transfer_finish(t, code);
		m->inside--;
		multi_remove(m, t);
		any = true;
	}
	return any;
}

static bool settle_dirty(struct multi *m)
{
	bool any = false;
	while (m->dirty) {
		struct transfer *t = m->dirty;
		m->dirty = t->dirty_next;
		t->dirty = false;
		any = true;
		if (t->cancelled) {
			multi_remove(m, t);
		} else if (t->want_pause != t->paused) {
			t->paused = t->want_pause;
			m->inside++; /* may call on_body at once */
			curl_easy_pause(t->easy, t->paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
			m->inside--;
		}
	}
	return any;
}

static bool run_stage(struct loop_stage *s)
{
	struct multi *m = FROM(s, struct multi, stage);
	if (!m->acted && !m->dirty)
		return false;
	m->acted = false;
	bool any;
	do {
		any = collect_finished(m);
		any |= settle_dirty(m);
	} while (any);
	while (m->unused) {
		struct socket_watch *w = m->unused;
		m->unused = w->next_unused;
		free(w);
	}
	return false;
}

CURL *multi_take_easy(struct multi *m)
{
	return m->pool_n > 0 ? m->pool[--m->pool_n] : curl_easy_init();
}

bool multi_add(struct multi *m, struct transfer *t)
{
	if (curl_multi_add_handle(m->curlm, t->easy) != CURLM_OK)
		return false;
	t->next = m->all;
	t->link = &m->all;
	if (t->next)
		t->next->link = &t->next;
	m->all = t;
	return true;
}

void multi_pause(struct multi *m, struct transfer *t, bool on)
{
	t->want_pause = on;
	mark_dirty(m, t);
}

void multi_cancel_later(struct multi *m, struct transfer *t)
{
	mark_dirty(m, t);
}

struct multi *multi_new(struct loop *loop)
{
	struct multi *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->loop = loop;
	m->timer.fire = timer_fired;
	m->stage.run = run_stage;
	m->curlm = curl_multi_init();
	if (!m->curlm) {
		free(m);
		return NULL;
	}
	curl_multi_setopt(m->curlm, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(m->curlm, CURLMOPT_SOCKETDATA, m);
	curl_multi_setopt(m->curlm, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(m->curlm, CURLMOPT_TIMERDATA, m);
	curl_multi_setopt(m->curlm, CURLMOPT_MAXCONNECTS, CACHED_MAX);
	loop_add_stage(loop, &m->stage);
	return m;
}

void multi_free(struct multi *m)
{
	if (!m)
		return;
	assert(!m->all);
	for (int i = 0; i < m->pool_n; i++)
		curl_easy_cleanup(m->pool[i]);
	curl_multi_cleanup(m->curlm);
	loop_stop_timer(m->loop, &m->timer);
	while (m->unused) {
		struct socket_watch *w = m->unused;
		m->unused = w->next_unused;
		free(w);
	}
	free(m);
}
