/*
 * An upstream for the benchmark: OpenAI chat completion streams of any rate and length, one thread,
 * one write a token.
 *
 *	idle ──request──▶ streaming ──last token──▶ idle (keep-alive)
 *	                    │   ▲
 *	              socket full, taken again: blocked, the rest of that one write is kept
 *
 * A stream that is streaming stands in one place of three: in the heap (its next token is due at a
 * time), in the ring (flat out: a few tokens each in turn) or in neither (silent, or blocked).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clock.h"
#include "completion.h"
#include "heap.h"
#include "histogram.h"
#include "request.h"

#define TURN_TOKENS 16 /* of one flat-out stream before the next one's turn */

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct conn {
	int fd;
	bool streaming, opened, blocked;
	struct heap_node next_token;
	uint64_t unblocked_ns;      /* the last time */
	struct conn *prev, *next;   /* the ring of flat-out streams */
	struct conn *older, **link; /* all connections */
	struct request request;
	struct completion completion;
	char *in; /* what has come of a request; NULL: nothing */
	size_t in_len, out_at, out_len;
	char out[COMPLETION_OUT_MAX];
};

static int epoll_fd, listen_fd;
static struct heap heap;
static struct conn *ring, *newest;
static volatile sig_atomic_t stopping;

static struct {
	uint64_t connections, requests, finished, left, tokens, writes_blocked;
	struct histogram late; /* a token's write after its due time */
} seen;

static void ring_add(struct conn *c)
{
	c->next = ring ? ring : c;
	c->prev = ring ? ring->prev : c;
	c->prev->next = c->next->prev = c;
	ring = c;
}

static void ring_remove(struct conn *c)
{
	if (!c->next)
		return;
	if (ring == c)
		ring = c->next == c ? NULL : c->next;
	c->prev->next = c->next;
	c->next->prev = c->prev;
	c->next = c->prev = NULL;
}

static void conn_close(struct conn *c)
{
	if (c->streaming)
		seen.left++;
	heap_remove(&heap, &c->next_token);
	ring_remove(c);
	*c->link = c->older;
	if (c->older)
		c->older->link = c->link;
	close(c->fd);
	free(c->in);
	free(c);
}

/* Writes what is in out. False: not all of it went; then the stream waits for EPOLLOUT. */
static bool conn_flush(struct conn *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				shutdown(c->fd, SHUT_RDWR); /* epoll brings the end */
			seen.writes_blocked++;
			c->blocked = true;
			heap_remove(&heap, &c->next_token);
			ring_remove(c);
			return false;
		}
		c->out_at += (size_t)n;
	}
	return true;
}

/* Sends the `len` bytes that were put into out. */
static bool conn_send(struct conn *c, size_t len)
{
	c->out_at = 0;
	c->out_len = len;
	return conn_flush(c);
}

static void conn_read_requests(struct conn *c);

/* The head and role, the next token, or the end. False: the stream has ended or is blocked. */
static bool stream_step(struct conn *c, uint64_t stamp_ns)
{
	if (!c->opened) {
		c->opened = true;
		return conn_send(c, completion_opening(&c->completion, c->out));
	}
	if (c->completion.next_seq < c->completion.tokens) {
		seen.tokens++;
		return conn_send(c, completion_token(&c->completion, stamp_ns, c->out));
	}
	c->streaming = false;
	heap_remove(&heap, &c->next_token);
	ring_remove(c);
	seen.finished++;
	if (conn_send(c, completion_ending(&c->completion, c->out)))
		conn_read_requests(c);
	return false;
}

/* When the next token is due. The first comes at once; the others tick in a phase of the stream's
 * own, so that streams which were opened together do not tick together. */
static void stream_schedule(struct conn *c)
{
	uint64_t interval = SECOND_NS / c->request.shape.rate;
	uint64_t due = c->completion.next_seq ? c->next_token.due_ns + interval : now_ns();
	if (c->completion.next_seq == 1)
		due += interval * (seen.requests * 2654435769u & UINT32_MAX) >> 32;
	heap_add(&heap, &c->next_token, due);
}

static void stream_continue(struct conn *c)
{
	if (c->request.shape.silent && c->opened)
		return;
	if (!c->opened)
		heap_add(&heap, &c->next_token,
			 now_ns() + c->request.shape.delay_ms * (SECOND_NS / 1000));
	else if (c->request.shape.rate)
		stream_schedule(c);
	else
		ring_add(c);
}

static void stream_start(struct conn *c)
{
	completion_init(&c->completion, &c->request);
	c->streaming = true;
	c->opened = false;
	if (c->request.shape.delay_ms || stream_step(c, 0))
		stream_continue(c);
}

static void conn_send_json(struct conn *c, const char *status, const char *body)
{
	conn_send(c, (size_t)sprintf(c->out,
				     "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
				     "Content-Length: %zu\r\n\r\n%s",
				     status, strlen(body), body));
}

static void conn_answer(struct conn *c)
{
	seen.requests++;
	if (c->request.is_completion)
		stream_start(c);
	else if (c->request.is_models)
		conn_send_json(c, "200 OK",
			       "{\"object\":\"list\",\"data\":[{\"id\":\"bench:rate=50\","
			       "\"object\":\"model\"}]}");
	else
		conn_send_json(c, "404 Not Found",
			       "{\"error\":{\"message\":\"no such endpoint\"}}");
}

/* Answers requests that have come, as long as no stream stands before them. */
static void conn_read_requests(struct conn *c)
{
	while (c->in_len && !c->streaming && !c->blocked) {
		long took = request_read(&c->request, c->in, c->in_len);
		if (took < 0)
			shutdown(c->fd, SHUT_RDWR);
		if (took == 0 && c->request.wants_continue)
			conn_send(c, (size_t)sprintf(c->out, "HTTP/1.1 100 Continue\r\n\r\n"));
		if (took <= 0)
			return;
		c->in_len -= (size_t)took;
		memmove(c->in, c->in + took, c->in_len);
		if (!c->in_len) {
			free(c->in);
			c->in = NULL;
		}
		conn_answer(c);
	}
}

/* Takes what is in the socket. False: the client has left. */
static bool conn_receive(struct conn *c)
{
	for (;;) {
		if (!c->in)
			c->in = malloc(REQUEST_MAX);
		if (!c->in)
			abort();
		if (c->in_len == REQUEST_MAX)
			return false;
		ssize_t n = recv(c->fd, c->in + c->in_len, REQUEST_MAX - c->in_len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		if (n < 0)
			return true;
		c->in_len += (size_t)n;
	}
}

static void conn_writable(struct conn *c)
{
	if (!c->blocked)
		return;
	c->blocked = false;
	if (!conn_flush(c))
		return;
	c->unblocked_ns = now_ns();
	if (c->streaming)
		stream_continue(c);
	else
		conn_read_requests(c);
}

static void conn_event(struct conn *c, uint32_t events)
{
	if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
		conn_close(c);
		return;
	}
	if (events & EPOLLIN) {
		if (!conn_receive(c)) {
			conn_close(c);
			return;
		}
		conn_read_requests(c);
	}
	if (events & EPOLLOUT)
		conn_writable(c);
}

static void accept_all(void)
{
	int fd;
	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		if (!c)
			abort();
		c->fd = fd;
		c->older = newest;
		c->link = &newest;
		if (newest)
			newest->link = &c->older;
		newest = c;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
		struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
					.data.ptr = c};
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
			abort();
		seen.connections++;
	}
	if (errno == EMFILE || errno == ENFILE) {
		fputs("mock_upstream: out of file descriptors; raise ulimit -n\n", stderr);
		exit(1);
	}
}

/*
 * Sends every token that is due. The stamp is the time of the write, but for a stream that was
 * blocked when its token was due: then it is that due time, so that an upstream which was held up
 * does not hide the wait (coordinated omission).
 */
static void send_due(void)
{
	uint64_t now = now_ns();
	for (struct heap_node *n; (n = heap_first(&heap)) && n->due_ns <= now; now = now_ns()) {
		struct conn *c = FROM(n, struct conn, next_token);
		heap_remove(&heap, n);
		bool was_held_up = n->due_ns < c->unblocked_ns;
		if (!was_held_up)
			histogram_add(&seen.late, now - n->due_ns);
		if (stream_step(c, was_held_up ? n->due_ns : now))
			stream_continue(c);
	}
}

static void send_flat_out(void)
{
	struct conn *last = ring ? ring->prev : NULL;
	while (ring) {
		struct conn *c = ring;
		ring = c->next;
		for (int i = 0; i < TURN_TOKENS && stream_step(c, now_ns()); i++)
			;
		if (c == last)
			break;
	}
}

static void run(void)
{
	sigset_t none;
	sigemptyset(&none);
	while (!stopping) {
		struct epoll_event events[256];
		struct timespec wait = {0}, *timeout = &wait;
		uint64_t now = now_ns();
		struct heap_node *first = heap_first(&heap);
		if (!ring && !first)
			timeout = NULL;
		else if (!ring && first->due_ns > now)
			wait.tv_nsec = (long)(first->due_ns - now);
		if (wait.tv_nsec >= (long)SECOND_NS)
			wait.tv_nsec = (long)SECOND_NS - 1;
		int n = epoll_pwait2(epoll_fd, events, 256, timeout, &none);
		if (n < 0 && errno != EINTR) {
			perror("mock_upstream: epoll_pwait2");
			exit(1);
		}
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				conn_event(events[i].data.ptr, events[i].events);
			else
				accept_all();
		}
		send_due();
		send_flat_out();
	}
}

static void listen_on(const char *host, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	socklen_t len = sizeof(a);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
	    bind(listen_fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listen_fd, 4096) < 0 ||
	    getsockname(listen_fd, (struct sockaddr *)&a, &len) < 0) {
		fprintf(stderr, "mock_upstream: cannot listen on %s:%d: %s\n", host, port,
			strerror(errno));
		exit(1);
	}
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &e) < 0)
		abort();
	printf("{\"event\":\"listening\",\"port\":%d}\n", ntohs(a.sin_port));
	fflush(stdout);
}

static void stop(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"host", required_argument, NULL, 'h'},
						{"port", required_argument, NULL, 'p'},
						{0}};
	const char *host = "127.0.0.1";
	int port = 0, option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			host = optarg;
		else if (option == 'p')
			port = atoi(optarg);
		else
			goto usage;
	}
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* The signals come only while epoll waits. */
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
	sigaction(SIGINT, &(struct sigaction){.sa_handler = stop}, NULL);
	prctl(PR_SET_TIMERSLACK, 1ul);
	listen_on(host, port);
	run();
	printf("{\"connections\":%llu,\"requests\":%llu,\"finished\":%llu,\"left\":%llu,\"tokens\":"
	       "%llu,"
	       "\"writes_blocked\":%llu,\"late_us\":",
	       (unsigned long long)seen.connections, (unsigned long long)seen.requests,
	       (unsigned long long)seen.finished, (unsigned long long)seen.left,
	       (unsigned long long)seen.tokens, (unsigned long long)seen.writes_blocked);
	histogram_print(&seen.late, stdout);
	puts("}");
	while (newest)
		conn_close(newest);
	heap_fini(&heap);
	return 0;
usage:
	fputs("usage: mock_upstream [--host 127.0.0.1] [--port 0]\n", stderr);
	return 2;
}
