/*
 * libcurl's multi interface driven by socket actions: descriptors and timers on the loop.
 *
 * In parts, each a multi handle with few transfers: to find a connection for a new request libcurl
 * walks all that go to the same host, also those in use. Beside thousands of silent streams that is
 * milliseconds.
 */
#include "upstream/multi.h"

#include <assert.h>
#include <stdlib.h>
#include "base/log.h"

#define EASY_POOL      64
#define PART_TRANSFERS 64
#define CONNECTIONS    (2L * PART_TRANSFERS) /* of a part, in use and idle ones together */

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct part {
	struct multi *multi;
	CURLM *curlm;
	struct timer timer;
	unsigned transfers;
	bool acted; /* something happened: look for finished transfers */
	struct part *acted_next;
	struct part *next;
};

struct multi {
	struct loop *loop;
	struct part *parts; /* the oldest first: the first with room takes the next transfer */
	struct loop_stage stage;
	int inside; /* depth of handler calls */
	struct part *acted;
	struct transfer *all;
	struct transfer *dirty;
	struct socket_watch *unused; /* freed at the end of the turn */
	CURL *pool[EASY_POOL];
	int pool_n;
};

struct socket_watch {
	struct loop_io io;
	struct part *part;
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

static void note_action(struct part *p)
{
	if (p->acted)
		return;
	p->acted = true;
	p->acted_next = p->multi->acted;
	p->multi->acted = p;
}

static void act(struct part *p, curl_socket_t fd, int what)
{
	struct multi *m = p->multi;
	int running;
	m->inside++;
	curl_multi_socket_action(p->curlm, fd, what, &running);
	m->inside--;
	note_action(p);
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
	act(w->part, io->fd, what);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *part_arg, void *watch_arg)
{
	(void)easy;
	struct part *p = part_arg;
	struct multi *m = p->multi;
	struct socket_watch *w = watch_arg;
	if (what == CURL_POLL_REMOVE) {
		if (w) {
			loop_remove_io(m->loop, &w->io);
			w->next_unused = m->unused;
			m->unused = w;
			curl_multi_assign(p->curlm, fd, NULL);
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
	*w = (struct socket_watch){.io = {fd, socket_ready}, .part = p};
	if (loop_add_io(m->loop, &w->io, events) < 0) {
		free(w);
		return -1;
	}
	curl_multi_assign(p->curlm, fd, w);
	return 0;
}

static int on_timer(CURLM *curlm, long timeout_ms, void *arg)
{
	(void)curlm;
	struct part *p = arg;
	if (timeout_ms < 0)
		loop_stop_timer(p->multi->loop, &p->timer);
	else
		loop_set_timer(p->multi->loop, &p->timer, (uint64_t)timeout_ms);
	return 0;
}

static void timer_fired(struct timer *t)
{
	act(FROM(t, struct part, timer), CURL_SOCKET_TIMEOUT, 0);
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
	curl_multi_remove_handle(t->part->curlm, t->easy);
	t->part->transfers--;
	note_action(t->part);
	if (m->pool_n < EASY_POOL) {
		curl_easy_reset(t->easy);
		m->pool[m->pool_n++] = t->easy;
	} else {
		curl_easy_cleanup(t->easy);
	}
	transfer_free(t);
}

static bool collect_finished(struct part *p)
{
	struct multi *m = p->multi;
	bool any = false;
	int left;
	CURLMsg *msg;
	while ((msg = curl_multi_info_read(p->curlm, &left))) {
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

static bool collect_all(struct multi *m)
{
	bool any = false;
	while (m->acted) {
		struct part *p = m->acted;
		m->acted = p->acted_next;
		p->acted = false;
		any |= collect_finished(p);
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
	bool any;
	do {
		any = collect_all(m);
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

static struct part *part_new(struct multi *m)
{
	struct part *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	*p = (struct part){.multi = m, .curlm = curl_multi_init(), .timer.fire = timer_fired};
	if (!p->curlm) {
		free(p);
		return NULL;
	}
	curl_multi_setopt(p->curlm, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(p->curlm, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->curlm, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(p->curlm, CURLMOPT_TIMERDATA, p);
	curl_multi_setopt(p->curlm, CURLMOPT_MAXCONNECTS, CONNECTIONS);
	return p;
}

static struct part *part_with_room(struct multi *m)
{
	struct part **at = &m->parts;
	while (*at && (*at)->transfers >= PART_TRANSFERS)
		at = &(*at)->next;
	if (!*at)
		*at = part_new(m);
	return *at;
}

bool multi_add(struct multi *m, struct transfer *t)
{
	t->part = part_with_room(m);
	if (!t->part || curl_multi_add_handle(t->part->curlm, t->easy) != CURLM_OK)
		return false;
	t->part->transfers++;
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
	m->stage.run = run_stage;
	m->parts = part_new(m);
	if (!m->parts) {
		free(m);
		return NULL;
	}
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
	while (m->parts) {
		struct part *p = m->parts;
		m->parts = p->next;
		curl_multi_cleanup(p->curlm);
		loop_stop_timer(m->loop, &p->timer);
		free(p);
	}
	while (m->unused) {
		struct socket_watch *w = m->unused;
		m->unused = w->next_unused;
		free(w);
	}
	free(m);
}
