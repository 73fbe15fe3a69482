/*
 * The benchmark's publisher: POSTs tokens to a channel at a rate, each with the time of its
 * writing, on one kept connection, and at the end a message "[DONE]".
 *
 * A token whose time comes while the server has not answered the one before carries that time: a
 * server that holds up its publisher does not hide the wait (coordinated omission).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clock.h"
#include "token.h"

#define ANSWER_MAX 8192
#define TEXT_MAX   1200 /* a stamp and its filler */

static const char help[] = "usage: publish --port PORT [--host 127.0.0.1] [--path "
			   "/v1/channels/bench]\n"
			   "               [--rate 50] [--tokens 500] [--size 4]\n"
			   "Exit status: 0 good, 1 the server refused or left, 2 wrong command "
			   "line.\n";

static struct {
	const char *host, *path;
	int port;
	uint32_t rate, tokens, size;
} opt = {.host = "127.0.0.1", .path = "/v1/channels/bench", .rate = 50, .tokens = 500, .size = 4};

static int fd;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "publish: %s: %s\n", what, why);
	exit(1);
}

static void connect_to(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
	if (inet_pton(AF_INET, opt.host, &to.sin_addr) != 1)
		die(opt.host, "no IPv4 address");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

/* Bytes of the answer's body, from its complete head. */
static size_t body_length(const char *head)
{
	const char *field = strcasestr(head, "\r\nContent-Length:");
	if (!field)
		die("the answer has no Content-Length", head);
	return strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
}

static void read_answer(void)
{
	char answer[ANSWER_MAX + 1];
	size_t got = 0;
	for (;;) {
		ssize_t n = recv(fd, answer + got, ANSWER_MAX - got, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("no answer", n < 0 ? strerror(errno) : "connection closed");
		got += (size_t)n;
		answer[got] = '\0';
		const char *blank = strstr(answer, "\r\n\r\n");
		if (!blank && got == ANSWER_MAX)
			die("no answer", "its head is too long");
		if (!blank)
			continue;
		if (strncmp(answer, "HTTP/1.1 2", 10) != 0)
			die("refused", answer);
		if (got >= (size_t)(blank + 4 - answer) + body_length(answer))
			return;
	}
}

static void post(const char *text, size_t len)
{
	char request[TEXT_MAX + 512];
	int n = snprintf(request, sizeof(request),
			 "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\n"
			 "Content-Length: %zu\r\n\r\n%.*s",
			 opt.path, opt.host, len, (int)len, text);
	if (n < 0 || (size_t)n >= sizeof(request))
		die(opt.path, "too long");
	for (int at = 0; at < n;) {
		ssize_t sent = send(fd, request + at, (size_t)(n - at), MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR)
			die("send", strerror(errno));
		at += sent > 0 ? (int)sent : 0;
	}
	read_answer();
}

static void post_token(uint32_t seq, uint64_t stamp_ns)
{
	static const char words[] = " lorem ipsum dolor sit amet consectetur";
	char text[TEXT_MAX];
	size_t len = token_write(text, &(struct token){1, seq, stamp_ns});
	for (uint32_t i = 0; i < opt.size; i++)
		text[len++] = words[i % (sizeof(words) - 1)];
	post(text, len);
}

static void wait_until(uint64_t due_ns)
{
	struct timespec t = {.tv_sec = (time_t)(due_ns / SECOND_NS),
			     .tv_nsec = (long)(due_ns % SECOND_NS)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static bool read_options(int argc, char **argv)
{
	static const struct option options[] = {{"host", 1, NULL, 'h'},
						{"port", 1, NULL, 'p'},
						{"path", 1, NULL, 'P'},
						{"rate", 1, NULL, 'r'},
						{"tokens", 1, NULL, 't'},
						{"size", 1, NULL, 's'},
						{0}};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			opt.host = optarg;
			break;
		case 'p':
			opt.port = atoi(optarg);
			break;
		case 'P':
			opt.path = optarg;
			break;
		case 'r':
			opt.rate = (uint32_t)atoi(optarg);
			break;
		case 't':
			opt.tokens = (uint32_t)atoi(optarg);
			break;
		case 's':
			opt.size = (uint32_t)atoi(optarg);
			break;
		default:
			return false;
		}
	}
	return optind == argc && opt.port > 0 && opt.rate > 0 && opt.tokens > 0 &&
	       opt.size <= TEXT_MAX - TOKEN_STAMP_MAX;
}

int main(int argc, char **argv)
{
	if (!read_options(argc, argv)) {
		fputs(help, stderr);
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1ul);
	connect_to();
	uint64_t start = now_ns(), answered = start;
	for (uint32_t seq = 0; seq < opt.tokens; seq++) {
		uint64_t due = start + seq * SECOND_NS / opt.rate;
		wait_until(due);
		post_token(seq, due < answered ? due : now_ns());
		answered = now_ns();
	}
	post("[DONE]", 6);
	close(fd);
	return 0;
}
