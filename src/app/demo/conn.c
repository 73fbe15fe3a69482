/* One connection: bytes in, a request, its answer, bytes out. */
#include "app/demo/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <sluice/error.h>
#include "app/demo/route.h"
#include "base/clock.h"

#define READ_BYTES (16u << 10)
#define OUT_MAX    (32u << 20) /* a whole answer; of a stream only what one turn says */
#define LINGER_MS  1000

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

enum conn_state { CONN_READING, CONN_ANSWERING, CONN_FLUSHING, CONN_LINGERING, CONN_CLOSED };

struct demo_conn {
	struct demo_conns *all;
	struct demo_conn *next, **link;             /* in `all` or `dead` */
	struct demo_conn *ready_next, **ready_link; /* in `ready`; NULL: not in it */
	struct loop_io io;
	uint32_t watched;
	enum conn_state state;
	bool keep_alive;
	struct timer timer; /* the next token; the end of lingering */
	struct demo_request request;
	struct demo_generation generation;
	struct sl_buf in, out; /* read and not taken; written and not sent */
	size_t out_at;
};

static void link_conn(struct demo_conn *c, struct demo_conn **list)
{
	c->next = *list;
	c->link = list;
	if (c->next)
		c->next->link = &c->next;
	*list = c;
}

static void unlink_conn(struct demo_conn *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
}

static void make_ready(struct demo_conn *c)
{
	if (c->ready_link)
		return;
	c->ready_next = c->all->ready;
	c->ready_link = &c->all->ready;
	if (c->ready_next)
		c->ready_next->ready_link = &c->ready_next;
	c->all->ready = c;
}

static void make_unready(struct demo_conn *c)
{
	if (!c->ready_link)
		return;
	*c->ready_link = c->ready_next;
	if (c->ready_next)
		c->ready_next->ready_link = c->ready_link;
	c->ready_link = NULL;
}

static void set_state(struct demo_conn *c, enum conn_state state)
{
	if (c->state == CONN_ANSWERING && state != CONN_ANSWERING) {
		demo_generation_fini(&c->generation);
		c->all->answering--;
	}
	if (c->state != CONN_ANSWERING && state == CONN_ANSWERING)
		c->all->answering++;
	c->state = state;
}

static void close_conn(struct demo_conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	set_state(c, CONN_CLOSED);
	make_unready(c);
	loop_stop_timer(c->all->loop, &c->timer);
	loop_remove_io(c->all->loop, &c->io);
	close(c->io.fd);
	unlink_conn(c);
	link_conn(c, &c->all->dead);
	c->all->n--;
}

/* A client that leaves, or shuts its side, is noticed in every state. */
static void watch(struct demo_conn *c, uint32_t events)
{
	events |= EPOLLRDHUP;
	if (events == c->watched)
		return;
	c->watched = events;
	if (loop_change_io(c->all->loop, &c->io, events) < 0)
		close_conn(c);
}

/* 1: all is sent; 0: the socket is full; -SL_E_CLOSED. */
static int flush(struct demo_conn *c)
{
	while (c->out_at < c->out.len) {
		ssize_t n =
			send(c->io.fd, c->out.p + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -SL_E_CLOSED;
		c->out_at += (size_t)n;
	}
	c->out_at = c->out.len = 0;
	return 1;
}

/* Each of these goes on with a connection in one state: true when it came to another one, false
 * when it has to wait. */

static bool read_on(struct demo_conn *c)
{
	size_t used = 0;

	int r = demo_request_feed(&c->request, c->in.p, c->in.len, &used);
	sl_buf_consume(&c->in, used);
	if (r == 0 && c->request.expects_continue) {
		c->request.expects_continue = false;
		sl_buf_put_str(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
		if (flush(c) < 0)
			close_conn(c);
	}
	if (r == 0) {
		sl_buf_fini(&c->in);
		if (c->state != CONN_CLOSED)
			watch(c, EPOLLIN);
		return false;
	}
	c->keep_alive = r == 1 && c->request.keep_alive;
	r = demo_route(&c->request, clock_us(), &c->generation, &c->out);
	demo_request_reset(&c->request);
	if (r < 0)
		close_conn(c);
	else
		set_state(c, r == 1 ? CONN_ANSWERING : CONN_FLUSHING);
	return r >= 0;
}

static void wait_for_next_token(struct demo_conn *c, uint64_t now_us)
{
	uint64_t due_us = c->generation.due_us;

	watch(c, 0);
	if (c->state == CONN_CLOSED || due_us == UINT64_MAX)
		return;
	if (due_us <= now_us)
		make_ready(c);
	else
		loop_set_timer(c->all->loop, &c->timer, (due_us - now_us + 999) / 1000);
}

static bool answer_on(struct demo_conn *c)
{
	uint64_t now_us = clock_us();
	int r = 1, sent = flush(c);

	if (sent == 1) {
		r = demo_generation_proceed(&c->generation, now_us, &c->out);
		if (r == -SL_E_NOMEM) {
			close_conn(c);
			return false;
		}
		if (r <= 0) {
			c->keep_alive = c->keep_alive && r == 0;
			set_state(c, CONN_FLUSHING);
			return true;
		}
		sent = flush(c);
	}
	if (sent < 0)
		close_conn(c);
	else if (sent == 0)
		watch(c, EPOLLOUT); /* nothing more is said before this is gone */
	else
		wait_for_next_token(c, now_us);
	return false;
}

static bool flush_on(struct demo_conn *c)
{
	int sent = flush(c);

	if (sent < 0)
		close_conn(c);
	else if (sent == 0)
		watch(c, EPOLLOUT);
	if (sent != 1)
		return false;
	sl_buf_fini(&c->out);
	if (c->keep_alive) {
		set_state(c, CONN_READING);
		return true;
	}
	/* A close with bytes unread would be a reset, which can overtake the answer. */
	set_state(c, CONN_LINGERING);
	shutdown(c->io.fd, SHUT_WR);
	loop_set_timer(c->all->loop, &c->timer, LINGER_MS);
	watch(c, EPOLLIN);
	return false;
}

static void go_on(struct demo_conn *c)
{
	bool on = true;

	while (on) {
		on = c->state == CONN_READING     ? read_on(c)
		     : c->state == CONN_ANSWERING ? answer_on(c)
		     : c->state == CONN_FLUSHING  ? flush_on(c)
						  : false;
	}
}

static void take_bytes(struct demo_conn *c)
{
	char bytes[READ_BYTES];
	ssize_t n = read(c->io.fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n <= 0 || (c->state == CONN_READING && sl_buf_put(&c->in, bytes, (size_t)n) < 0))
		close_conn(c);
}

static void conn_ready(struct loop_io *io, uint32_t events)
{
	struct demo_conn *c = FROM(io, struct demo_conn, io);

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		close_conn(c);
		return;
	}
	if ((events & EPOLLIN) && (c->state == CONN_READING || c->state == CONN_LINGERING))
		take_bytes(c);
	go_on(c);
}

static void timer_fired(struct timer *t)
{
	struct demo_conn *c = FROM(t, struct demo_conn, timer);

	if (c->state == CONN_LINGERING)
		close_conn(c);
	else
		go_on(c);
}

/* The end of a turn: those without a pause between their tokens say some more, the dead are freed.
 */
static bool run_stage(struct loop_stage *stage)
{
	struct demo_conns *all = FROM(stage, struct demo_conns, stage);
	struct demo_conn *round = all->ready;

	all->ready = NULL;
	if (round)
		round->ready_link = &round;
	while (round) {
		struct demo_conn *c = round;

		make_unready(c);
		go_on(c);
	}
	while (all->dead) {
		struct demo_conn *c = all->dead;

		unlink_conn(c);
		demo_request_fini(&c->request);
		sl_buf_fini(&c->in);
		sl_buf_fini(&c->out);
		free(c);
	}
	return all->ready != NULL;
}

void demo_conns_init(struct demo_conns *all, struct loop *loop)
{
	*all = (struct demo_conns){.loop = loop, .stage.run = run_stage};
	loop_add_stage(loop, &all->stage);
}

void demo_conns_fini(struct demo_conns *all)
{
	while (all->all)
		close_conn(all->all);
	run_stage(&all->stage);
}

void demo_conns_add(struct demo_conns *all, int fd)
{
	struct demo_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	c->all = all;
	c->io = (struct loop_io){fd, conn_ready};
	c->watched = EPOLLIN | EPOLLRDHUP;
	c->timer.fire = timer_fired;
	demo_request_init(&c->request);
	sl_buf_init(&c->in, READ_BYTES);
	sl_buf_init(&c->out, OUT_MAX);
	link_conn(c, &all->all);
	all->n++;
	if (loop_add_io(all->loop, &c->io, c->watched) < 0)
		close_conn(c);
}
