/* Connections of viewers. */
#include "viewer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clock.h"
#include "dial.h"

#define MS_NS     1000000ull
#define JOIN_MS   200
#define READ_SIZE 65536
#define SLOW_MAX  32768 /* a slow one that has got so much hurries up */

static char buffer[READ_SIZE];

void viewer_describe(const struct viewer *v, char *out, size_t size)
{
	const struct tale *t = &v->crowd->tale;
	snprintf(out, size,
		 "story %llu (%s, %u tokens, %u a second, stream %s), viewer %u, by %s as %s after "
		 "position %llu, %llu bytes in",
		 (unsigned long long)t->number, route_names[t->route], t->tokens, t->rate,
		 t->id[0] ? t->id : "not known", v->number, way_names[v->plan.way],
		 format_names[v->plan.format], (unsigned long long)v->position,
		 (unsigned long long)v->bytes);
}

static void drop(struct viewer *v)
{
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
	heap_remove(&v->run->timers, &v->timer);
	events_fini(&v->events);
	v->run->news_ns = now_ns();
}

static void over(struct viewer *v)
{
	drop(v);
	v->state = VIEWER_OVER;
	v->crowd->over++;
}

/* After v->reading has said no. */
static void fail(struct viewer *v)
{
	struct run *run = v->run;
	char where[400];
	run->faults[v->reading.fault] += v->reading.faults;
	if (!run->failures++) {
		viewer_describe(v, where, sizeof(where));
		snprintf(run->first_failure, sizeof(run->first_failure), "%s: %s", where,
			 v->reading.why);
	}
	over(v);
}

/* A next connection, by a new plan. */
static void plan(struct viewer *v, uint32_t more_ms)
{
	struct run *run = v->run;
	v->plan = plan_make(&v->rng, &v->crowd->tale, v->position,
			    v->leaves && run->cuts < run->cuts_wanted);
	v->state = VIEWER_WAITING;
	heap_add(&run->timers, &v->timer, now_ns() + (v->plan.wait_ms + more_ms) * MS_NS);
}

void crowd_start(struct crowd *c, struct run *run)
{
	c->viewers = calloc(c->n, sizeof(*c->viewers));
	if (!c->viewers)
		abort();
	run->viewers += c->n;
	for (unsigned i = 0; i < c->n; i++) {
		struct viewer *v = &c->viewers[i];
		*v = (struct viewer){.run = run,
				     .crowd = c,
				     .number = i,
				     .fd = -1,
				     .rng = rng_for(run->seed, c->tale.number, i + 1)};
		v->leaves = rng_is(&v->rng, run->leavers);
		if (i == 0 || (c->tale.keyed && rng_is(&v->rng, 50)))
			plan(v, 0);
	}
}

void crowd_fini(struct crowd *c)
{
	for (unsigned i = 0; c->viewers && i < c->n; i++)
		drop(&c->viewers[i]);
	free(c->viewers);
	c->viewers = NULL;
}

/* The first response has told which stream it is. */
static void learn_id(struct viewer *v)
{
	struct crowd *c = v->crowd;
	if (c->tale.id[0])
		return;
	memcpy(c->tale.id, v->response.stream_id, sizeof(c->tale.id));
	for (unsigned i = 0; i < c->n; i++)
		if (c->viewers[i].state == VIEWER_NEW)
			plan(&c->viewers[i], rng_between(&c->viewers[i].rng, 0, JOIN_MS));
}

static void leave(struct viewer *v)
{
	struct run *run = v->run;
	if (v->plan.cut == CUT_RESET) {
		setsockopt(v->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
			   sizeof(struct linger));
	} else {
		/* What is not read would turn the FIN into a RST. */
		while (recv(v->fd, buffer, sizeof(buffer), 0) == READ_SIZE)
			;
	}
	run->cuts++;
	run->cuts_by[v->plan.cut]++;
	drop(v);
	plan(v, 0);
}

/* Leaves if it is time to: not before it can name the stream, or it would begin another. */
static bool leave_in_time(struct viewer *v)
{
	const struct plan *p = &v->plan;
	bool due = p->cut && (v->bytes >= p->cut_bytes || (p->cut_ms && now_ns() >= v->cut_ns));
	bool can_come_back = v->crowd->tale.id[0] || v->crowd->tale.keyed;
	if (!due || !can_come_back || v->run->cuts >= v->run->cuts_wanted)
		return false;
	leave(v);
	return true;
}

static void interest(struct viewer *v, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = v};
	epoll_ctl(v->run->epoll_fd, EPOLL_CTL_MOD, v->fd, &e);
}

/* The next time to look: to read on, to leave. */
static void set_timer(struct viewer *v, bool rests)
{
	uint64_t due = v->plan.cut && v->plan.cut_ms ? v->cut_ns : UINT64_MAX;
	uint64_t rested = now_ns() + v->plan.slow_ms * MS_NS;
	heap_remove(&v->run->timers, &v->timer);
	if (rests && rested < due)
		due = rested;
	if (due != UINT64_MAX)
		heap_add(&v->run->timers, &v->timer, due);
}

static void connect_now(struct viewer *v)
{
	struct run *run = v->run;
	reading_begin(&v->reading, &v->crowd->tale, v->plan.format, v->plan.shows_usage,
		      v->position);
	v->response = (struct response){0};
	v->bytes = 0;
	v->state = VIEWER_CONNECTING;
	v->fd = dial(&run->to);
	struct epoll_event e = {.events = EPOLLOUT, .data.ptr = v};
	if (v->fd < 0 || epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, v->fd, &e) < 0) {
		reading_fail(&v->reading, FAULT_ERROR, "connect: %s", strerror(errno));
		fail(v);
	}
}

static void ask(struct viewer *v)
{
	char request[2048];
	struct run *run = v->run;
	size_t n = plan_request(&v->plan, &v->crowd->tale, v->position, run->seed, request,
				sizeof(request));
	if (send(v->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n) {
		reading_fail(&v->reading, FAULT_ERROR, "request not sent: %s", strerror(errno));
		fail(v);
		return;
	}
	run->connections++;
	run->ways[v->plan.way]++;
	run->formats[v->plan.format]++;
	v->state = VIEWER_READING;
	v->cut_ns = now_ns() + v->plan.cut_ms * MS_NS;
	if (leave_in_time(v))
		return;
	interest(v, EPOLLIN);
	set_timer(v, false);
}

static bool take_body(struct viewer *v, const char *body, size_t len)
{
	if (v->plan.format == FORMAT_TEXT)
		return reading_text(&v->reading, body, len);
	while (len) {
		struct event e;
		bool found;
		size_t n = events_next(&v->events, body, len, &e, &found);
		if (found && !reading_event(&v->reading, &e))
			return false;
		v->position = v->reading.position;
		body += n;
		len -= n;
	}
	return true;
}

static bool take(struct viewer *v, const char *in, size_t len)
{
	while (len) {
		const char *body;
		size_t body_len;
		bool was_head = v->response.state == RESPONSE_HEAD;
		size_t n = response_next(&v->response, in, len, &body, &body_len);
		if (v->response.state == RESPONSE_BAD)
			return reading_fail(&v->reading, FAULT_ERROR, "this is no HTTP: %.*s",
					    (int)(len < 100 ? len : 100), in);
		if (was_head && v->response.state != RESPONSE_HEAD) {
			if (!reading_head(&v->reading, &v->response))
				return false;
			learn_id(v);
		}
		if (body_len && !take_body(v, body, body_len))
			return false;
		in += n;
		len -= n;
	}
	return true;
}

/* The response is complete: asks once more, to hear that there is nothing more. */
static void complete(struct viewer *v)
{
	uint64_t end = tale_end(&v->crowd->tale);
	if (!reading_over(&v->reading)) {
		fail(v);
	} else if (v->response.status == 204) {
		v->run->gone++;
		over(v);
	} else {
		v->run->ends++;
		v->position = end;
		drop(v);
		plan(v, 0);
	}
}

static void read_some(struct viewer *v)
{
	size_t most = READ_SIZE;
	bool is_slow = v->plan.slow_bytes && v->bytes < SLOW_MAX;
	if (is_slow)
		most = v->plan.slow_bytes;
	if (v->plan.cut && v->plan.cut_bytes - v->bytes < most)
		most = v->plan.cut_bytes > v->bytes ? v->plan.cut_bytes - v->bytes : 1;
	ssize_t n = recv(v->fd, buffer, most, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		reading_fail(&v->reading, FAULT_ERROR, "the connection ended: %s",
			     n ? strerror(errno) : "closed");
		fail(v);
		return;
	}
	v->run->news_ns = now_ns();
	v->run->bytes += (uint64_t)n;
	v->bytes += (uint64_t)n;
	if (!take(v, buffer, (size_t)n)) {
		fail(v);
		return;
	}
	if (leave_in_time(v))
		return;
	if (v->response.state == RESPONSE_DONE) {
		complete(v);
	} else if (is_slow) {
		interest(v, 0);
		set_timer(v, true);
	}
}

void viewer_timer(struct viewer *v)
{
	heap_remove(&v->run->timers, &v->timer);
	if (v->state == VIEWER_WAITING) {
		connect_now(v);
	} else if (!leave_in_time(v)) {
		if (v->plan.cut_ms && now_ns() >= v->cut_ns)
			v->plan.cut_ms = 0; /* it could not come back yet: reads on */
		interest(v, EPOLLIN);
		set_timer(v, false);
	}
}

void viewer_ready(struct viewer *v)
{
	if (v->state == VIEWER_READING) {
		read_some(v);
	} else if (v->state == VIEWER_CONNECTING) {
		int error = dial_result(v->fd);
		if (error) {
			reading_fail(&v->reading, FAULT_ERROR, "connect: %s", strerror(error));
			fail(v);
		} else {
			ask(v);
		}
	}
}
