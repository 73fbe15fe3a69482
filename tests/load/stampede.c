/*
 * Clients as browsers have them (EventSource), all on one URL, whose server goes away and comes
 * back: do they come back spread over time, and are all of them served?
 *
 *	AWAY ──its time──▶ CONNECTING ──▶ ASKED ──head──▶ OPEN ──event with id and retry──▶ …
 *	  ▲                    │            │              │
 *	  └──── retry: ────────┴────────────┴── the end ───┘
 *
 * Each phase is told in a line, for whoever runs this has something to do then:
 *
 *	open      all have got their head: now something may be published
 *	armed     all have had an event with an id and a retry: now the server may go
 *	back      all have lost it, come back and got a head: something may be published again
 *	served    all have had an event after that; the report follows
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clock.h"
#include "dial.h"
#include "events.h"
#include "heap.h"
#include "response.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define MS_NS       1000000ull
#define OPENING_MAX 256  /* at once, in the beginning */
#define SLOTS       300  /* of 100 ms: when clients came back */
#define PATIENCE_S  60   /* for a phase */
#define RETRY_MS    3000 /* of a server that names none; browsers have about that */

struct client {
	struct heap_node timer;
	int fd;
	enum { AWAY, CONNECTING, ASKED, OPEN } state;
	uint32_t retry_ms; /* 0: none came yet */
	char last_id[80];
	bool armed, was_cut, is_back, served;
	uint64_t due_ns; /* when this connection was to begin: what the server has asked for, and
			    not when a busy machine came to it */
	struct response response;
	struct events events;
};

static struct {
	struct sockaddr_in to;
	const char *path;
	unsigned clients;
} opt = {.path = "/v1/channels/news", .clients = 1000};

static int epoll_fd;
static struct heap timers;
static struct client *clients;
static uint64_t cut_ns; /* the first end of a connection */
static unsigned opening, next_new;
static struct {
	unsigned open, armed, cut, back, served;
	uint64_t refused, lost, failed, slots[SLOTS];
	char first_failure[200];
} seen;

static void wait_for(struct client *c, uint32_t ms)
{
	c->state = AWAY;
	heap_add(&timers, &c->timer, now_ns() + ms * MS_NS);
}

static void disconnect(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	events_fini(&c->events);
	opening -= c->state == CONNECTING || c->state == ASKED;
	seen.open -= c->state == OPEN;
}

/* As a browser: waits, and tries again. */
static void lose(struct client *c)
{
	if (c->state == OPEN && !c->was_cut) {
		c->was_cut = true;
		seen.cut++;
		cut_ns = cut_ns ? cut_ns : now_ns();
	}
	seen.refused += c->state != OPEN;
	disconnect(c);
	wait_for(c, c->retry_ms ? c->retry_ms : RETRY_MS);
}

/* As a browser: for good. */
static void fail(struct client *c, const char *why)
{
	if (!seen.failed++)
		snprintf(seen.first_failure, sizeof(seen.first_failure), "%s: status %d", why,
			 c->response.status);
	disconnect(c);
	c->state = AWAY;
}

static void begin(struct client *c)
{
	heap_remove(&timers, &c->timer);
	c->due_ns = c->timer.due_ns;
	c->response = (struct response){0};
	c->fd = dial(&opt.to);
	struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};
	c->state = CONNECTING;
	opening++;
	if (c->fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
		lose(c);
}

static void ask(struct client *c)
{
	char request[512];
	int n = snprintf(request, sizeof(request),
			 "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
			 "Cache-Control: no-cache\r\n%s%s%s\r\n",
			 opt.path, c->last_id[0] ? "Last-Event-ID: " : "", c->last_id,
			 c->last_id[0] ? "\r\n" : "");
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	c->state = ASKED;
	if (send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e) < 0)
		lose(c);
}

static void take_head(struct client *c)
{
	if (c->response.status != 200 || strcmp(c->response.type, "text/event-stream") != 0) {
		fail(c, "a head after which a browser never comes back");
		return;
	}
	c->state = OPEN;
	opening--;
	seen.open++;
	if (!c->was_cut || c->is_back)
		return;
	c->is_back = true;
	seen.back++;
	uint64_t slot = (c->due_ns - cut_ns) / (100 * MS_NS);
	seen.slots[slot < SLOTS ? slot : SLOTS - 1]++;
}

static void take_event(struct client *c, const struct event *e)
{
	if (strcmp(e->type, "lost") == 0)
		seen.lost++;
	else if (c->is_back && !c->served) {
		c->served = true;
		seen.served++;
	}
	if (e->id[0])
		snprintf(c->last_id, sizeof(c->last_id), "%s", e->id);
	if (c->events.retry_ms)
		c->retry_ms = c->events.retry_ms;
	if (!c->armed && c->last_id[0] && c->retry_ms) {
		c->armed = true;
		seen.armed++;
	}
}

static void take(struct client *c, const char *in, size_t len)
{
	while (len && c->fd >= 0) {
		const char *body;
		size_t body_len, n = response_next(&c->response, in, len, &body, &body_len);
		if (c->response.state == RESPONSE_BAD) {
			fail(c, "no HTTP");
			return;
		}
		if (c->state == ASKED && c->response.state != RESPONSE_HEAD)
			take_head(c);
		while (body_len && c->fd >= 0) {
			struct event e;
			bool found;
			size_t took = events_next(&c->events, body, body_len, &e, &found);
			if (found)
				take_event(c, &e);
			body += took;
			body_len -= took;
		}
		in += n;
		len -= n;
	}
	if (c->fd >= 0 && c->response.state == RESPONSE_DONE)
		lose(c);
}

static void on_ready(struct client *c)
{
	static char buffer[65536];
	if (c->fd < 0)
		return;
	if (c->state == CONNECTING) {
		if (dial_result(c->fd))
			lose(c);
		else
			ask(c);
		return;
	}
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);
	if (n > 0)
		take(c, buffer, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		lose(c);
}

static void turn(void)
{
	struct epoll_event events[512];
	struct heap_node *first = heap_first(&timers);
	uint64_t now = now_ns(), wait = SECOND_NS / 10;
	while (next_new < opt.clients && opening < OPENING_MAX)
		begin(&clients[next_new++]);
	if (first && first->due_ns < now + wait)
		wait = first->due_ns < now ? 0 : first->due_ns - now;
	struct timespec timeout = {.tv_nsec = (long)wait};
	int n = epoll_pwait2(epoll_fd, events, 512, &timeout, NULL);
	for (int i = 0; i < n; i++)
		on_ready(events[i].data.ptr);
	now = now_ns();
	while ((first = heap_first(&timers)) && first->due_ns <= now)
		begin(FROM(first, struct client, timer));
}

/* Until all clients have come so far. False: they do not. */
static bool phase(const char *name, const unsigned *count)
{
	uint64_t limit = now_ns() + PATIENCE_S * SECOND_NS;
	while (*count < opt.clients) {
		turn();
		if (seen.failed || now_ns() > limit) {
			fprintf(stderr, "stampede: not %s: %u of %u, %s\n", name, *count,
				opt.clients, seen.failed ? seen.first_failure : "time is up");
			return false;
		}
	}
	printf("{\"event\":\"%s\"}\n", name);
	fflush(stdout);
	return true;
}

static void report(void)
{
	unsigned last = 0;
	printf("{\"clients\":%u,\"open\":%u,\"refused\":%llu,\"lost\":%llu,\"failed\":%llu,"
	       "\"retries\":[",
	       opt.clients, seen.open, (unsigned long long)seen.refused,
	       (unsigned long long)seen.lost, (unsigned long long)seen.failed);
	for (unsigned i = 0; i < opt.clients; i++)
		printf("%s%u", i ? "," : "", clients[i].retry_ms);
	printf("],\"came_back\":["); /* in each 100 ms after the first end of a connection */
	for (unsigned i = 0; i < SLOTS; i++)
		last = seen.slots[i] ? i : last;
	for (unsigned i = 0; i <= last; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)seen.slots[i]);
	puts("]}");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"port", required_argument, NULL, 'p'},
						{"path", required_argument, NULL, 'u'},
						{"clients", required_argument, NULL, 'c'},
						{0}};
	int o;
	opt.to = (struct sockaddr_in){.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'p')
			opt.to.sin_port = htons((uint16_t)atoi(optarg));
		else if (o == 'u')
			opt.path = optarg;
		else if (o == 'c')
			opt.clients = (unsigned)strtoul(optarg, NULL, 10);
		else
			opt.clients = 0;
	}
	if (!opt.to.sin_port || !opt.clients) {
		fputs("usage: stampede --port PORT [--path /v1/channels/news] [--clients 1000]\n",
		      stderr);
		return 2;
	}
	dial_prepare();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	clients = calloc(opt.clients, sizeof(*clients));
	if (epoll_fd < 0 || !clients)
		abort();
	for (unsigned i = 0; i < opt.clients; i++)
		clients[i].fd = -1;
	bool good = phase("open", &seen.open) && phase("armed", &seen.armed) &&
		    phase("back", &seen.back) && phase("served", &seen.served);
	report();
	for (unsigned i = 0; i < opt.clients; i++)
		disconnect(&clients[i]);
	heap_fini(&timers);
	free(clients);
	close(epoll_fd);
	return good ? 0 : 1;
}
