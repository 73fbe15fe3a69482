/*
 * The benchmark's client: opens streams, checks and times every token, and watches what the
 * processes under test use.
 *
 *	before ─▶ opening ──all are open──▶ settling ─▶ window ─▶ finishing ─▶ report
 *	 memory                                       cpu    cpu, memory (all streams still open)
 *
 * CPU and cores are read at both edges of the window, and only tokens of the window count, so
 * neither opening nor ending is in the figures.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include "clock.h"
#include "stream.h"
#include "usage.h"

#define WATCHED_MAX 16
#define CORES_MAX   8

struct watched {
	const char *label;
	pid_t pid;
	struct memory before, after;
	uint64_t cpu_start_ns, cpu_ns;
};

struct watched_core {
	int number;
	struct core start, end;
};

static struct {
	struct sockaddr_in to;
	const char *host, *path, *key;
	unsigned streams, silent;
	uint32_t rate, tokens, size;
	bool repeat;
	double ramp, settle_s, window_s, open_s, grace_s;
} opt = {.host = "127.0.0.1",
	 .path = "/v1/chat/completions",
	 .streams = 1,
	 .rate = 50,
	 .size = 4,
	 .ramp = 1000,
	 .settle_s = 1,
	 .window_s = 10,
	 .open_s = 30,
	 .grace_s = 15};

static struct watched watched[WATCHED_MAX];
static struct watched_core cores[CORES_MAX];
static int watched_n, cores_n, epoll_fd;
static struct stream *streams; /* the silent ones first */
static unsigned opened;
static struct tally tally;
static struct question hot, silent;

static const char help[] =
	"usage: load --port PORT [options]\n"
	"  --host ADDRESS        127.0.0.1\n"
	"  --path PATH           /v1/chat/completions\n"
	"  --key KEY             sent as Authorization: Bearer\n"
	"  --streams N           streams with tokens: 1\n"
	"  --rate R              tokens a second of each, 0 = flat out: 50\n"
	"  --tokens N            of each; 0 = enough for the whole run (needs a rate): 0\n"
	"  --size BYTES          of filler in a token: 4\n"
	"  --silent M            and M streams that stay silent: 0\n"
	"  --repeat              ask again on the same connection when a stream has ended\n"
	"  --ramp N              streams opened a second: 1000\n"
	"  --settle S --window S seconds before and in the measurement: 1, 10; window 0: only "
	"check\n"
	"  --open S --grace S    seconds to wait until all are open, and have ended: 30, 15\n"
	"  --watch LABEL=PID     report CPU and memory of this process (repeatable)\n"
	"  --core N              report how busy this core is (repeatable)\n"
	"Prints one JSON object. Exit status: 0 good, 1 a token was lost, doubled, reordered or of "
	"another stream,\n"
	"2 wrong command line, 3 a stream failed or did not end.\n";

static void on_ready(int timeout_ms)
{
	struct epoll_event events[512];
	int n = epoll_wait(epoll_fd, events, 512, timeout_ms);
	for (int i = 0; i < n; i++)
		stream_ready(events[i].data.ptr, events[i].events);
}

static uint64_t seconds(double s)
{
	return (uint64_t)(s * (double)SECOND_NS);
}

static unsigned count_open(unsigned from, unsigned to)
{
	unsigned n = 0;
	for (unsigned i = from; i < to; i++)
		n += streams[i].open && streams[i].fd >= 0;
	return n;
}

static bool all_had_an_event(void)
{
	for (unsigned i = 0; i < opened; i++) {
		if (!streams[i].open && streams[i].state != STREAM_FAILED)
			return false;
	}
	return true;
}

/* Opens the next `count` streams at the given ramp, and waits until each has had its first event.
 */
static void open_next(unsigned count, const struct question *question)
{
	unsigned first = opened, end = opened + count;
	uint64_t start = now_ns(), limit = start + seconds(count / opt.ramp + opt.open_s);
	for (uint64_t now = start; now < limit; now = now_ns()) {
		uint64_t allowed = first + 1 + (uint64_t)((double)(now - start) / 1e9 * opt.ramp);
		while (opened < end && opened < allowed) {
			struct stream *s = &streams[opened++];
			s->question = question;
			s->ask_again = opt.repeat && !question->silent;
			s->tally = &tally;
			stream_open(s, epoll_fd, &opt.to);
		}
		on_ready(1);
		if (opened == end && all_had_an_event())
			return;
	}
}

static void run_for(double s)
{
	uint64_t until = now_ns() + seconds(s);
	for (uint64_t now = now_ns(); now < until; now = now_ns())
		on_ready((int)((until - now) / 1000000 + 1));
}

/* The client itself is among the watched, so that the report shows whether it was the bottleneck.
 */
static void watch_start(void)
{
	for (int i = 0; i < cores_n; i++)
		usage_core(cores[i].number, &cores[i].start);
	for (int i = 0; i < watched_n; i++)
		watched[i].cpu_start_ns = usage_cpu_ns(watched[i].pid);
}

static void watch_end(void)
{
	for (int i = 0; i < watched_n; i++)
		watched[i].cpu_ns = usage_cpu_ns(watched[i].pid) - watched[i].cpu_start_ns;
	for (int i = 0; i < cores_n; i++)
		usage_core(cores[i].number, &cores[i].end);
}

/* Waits until every stream with tokens has ended; those that have not are failures. */
static void finish(void)
{
	uint64_t limit = now_ns() + seconds(opt.grace_s);
	for (unsigned i = opt.silent; i < opened; i++)
		streams[i].ask_again = false;
	for (;;) {
		unsigned running = 0;
		for (unsigned i = opt.silent; i < opened; i++)
			running += !stream_is_over(&streams[i]);
		if (!running)
			break;
		if (now_ns() > limit) {
			if (!tally.failed)
				snprintf(tally.first_failure, sizeof(tally.first_failure),
					 "%u streams had not ended %.0f s after the window",
					 running, opt.grace_s);
			tally.failed += running;
			break;
		}
		on_ready(10);
	}
	for (unsigned i = 0; i < opened; i++)
		stream_close(&streams[i]);
}

static void print_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar((unsigned char)*text < 0x20 ? ' ' : *text);
	}
	putchar('"');
}

static void report(double window_s, unsigned hot_open, unsigned silent_open)
{
	struct rusage own;
	getrusage(RUSAGE_SELF, &own);
	printf("{\"window_s\":%.4f,\"hot_open\":%u,\"silent_open\":%u,\"tokens\":%llu,\"tokens_per_"
	       "s\":%.1f,"
	       "\"requests\":%llu,\"requests_per_s\":%.2f,\"tokens_ever\":%llu,\"requests_ever\":%"
	       "llu,"
	       "\"bytes_ever\":%llu,\"comments_ever\":%llu,"
	       "\"lost\":%llu,\"doubled\":%llu,\"reordered\":%llu,\"foreign\":%llu,\"failed\":%llu,"
	       "\"first_failure\":",
	       window_s, hot_open, silent_open, (unsigned long long)tally.tokens,
	       window_s > 0 ? (double)tally.tokens / window_s : 0.0,
	       (unsigned long long)tally.requests,
	       window_s > 0 ? (double)tally.requests / window_s : 0.0,
	       (unsigned long long)tally.tokens_ever, (unsigned long long)tally.requests_ever,
	       (unsigned long long)tally.bytes, (unsigned long long)tally.comments,
	       (unsigned long long)tally.lost, (unsigned long long)tally.doubled,
	       (unsigned long long)tally.reordered, (unsigned long long)tally.foreign,
	       (unsigned long long)tally.failed);
	print_text(tally.first_failure);
	printf(",\"latency_us\":");
	histogram_print(&tally.latency, stdout);
	printf(",\"first_token_us\":");
	histogram_print(&tally.first_token, stdout);
	printf(",\"processes\":[");
	for (int i = 0; i < watched_n; i++)
		printf("%s{\"label\":\"%s\",\"pid\":%ld,\"cpu_us\":%.1f,\"pss_before_kib\":%llu,"
		       "\"pss_kib\":%llu,"
		       "\"rss_before_kib\":%llu,\"rss_kib\":%llu}",
		       i ? "," : "", watched[i].label, (long)watched[i].pid,
		       (double)watched[i].cpu_ns / 1e3,
		       (unsigned long long)watched[i].before.pss_kib,
		       (unsigned long long)watched[i].after.pss_kib,
		       (unsigned long long)watched[i].before.rss_kib,
		       (unsigned long long)watched[i].after.rss_kib);
	printf("],\"cores\":[");
	for (int i = 0; i < cores_n; i++)
		printf("%s{\"core\":%d,\"busy_ms\":%llu,\"steal_ms\":%llu}", i ? "," : "",
		       cores[i].number,
		       (unsigned long long)(cores[i].end.busy_ms - cores[i].start.busy_ms),
		       (unsigned long long)(cores[i].end.steal_ms - cores[i].start.steal_ms));
	printf("]}\n");
}

static bool add_watched(char *text)
{
	char *pid = strchr(text, '=');
	if (!pid || watched_n == WATCHED_MAX - 1)
		return false;
	*pid++ = '\0';
	watched[watched_n++] = (struct watched){.label = text, .pid = (pid_t)atol(pid)};
	return true;
}

static bool read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"host", 1, NULL, 'h'},   {"port", 1, NULL, 'p'},    {"path", 1, NULL, 'P'},
		{"key", 1, NULL, 'k'},    {"streams", 1, NULL, 'n'}, {"rate", 1, NULL, 'r'},
		{"tokens", 1, NULL, 't'}, {"size", 1, NULL, 's'},    {"silent", 1, NULL, 'm'},
		{"repeat", 0, NULL, 'R'}, {"ramp", 1, NULL, 'a'},    {"settle", 1, NULL, 'e'},
		{"window", 1, NULL, 'w'}, {"open", 1, NULL, 'o'},    {"grace", 1, NULL, 'g'},
		{"watch", 1, NULL, 'W'},  {"core", 1, NULL, 'c'},    {0}};
	int option, port = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			opt.host = optarg;
			break;
		case 'p':
			port = atoi(optarg);
			break;
		case 'P':
			opt.path = optarg;
			break;
		case 'k':
			opt.key = optarg;
			break;
		case 'n':
			opt.streams = (unsigned)atoi(optarg);
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
		case 'm':
			opt.silent = (unsigned)atoi(optarg);
			break;
		case 'R':
			opt.repeat = true;
			break;
		case 'a':
			opt.ramp = atof(optarg);
			break;
		case 'e':
			opt.settle_s = atof(optarg);
			break;
		case 'w':
			opt.window_s = atof(optarg);
			break;
		case 'o':
			opt.open_s = atof(optarg);
			break;
		case 'g':
			opt.grace_s = atof(optarg);
			break;
		case 'W':
			if (!add_watched(optarg))
				return false;
			break;
		case 'c':
			if (cores_n == CORES_MAX)
				return false;
			cores[cores_n++].number = atoi(optarg);
			break;
		default:
			return false;
		}
	}
	opt.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (!opt.tokens && opt.rate) {
		/* So many that the first stream is still open when the window ends. */
		double life_s = opt.streams / opt.ramp + opt.settle_s + opt.window_s + 3;
		opt.tokens = (uint32_t)(life_s * opt.rate);
	}
	return port > 0 && optind == argc && inet_pton(AF_INET, opt.host, &opt.to.sin_addr) == 1 &&
	       opt.streams + opt.silent > 0 && opt.tokens && opt.ramp > 0;
}

static bool raise_file_limit(unsigned need)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return false;
	files.rlim_cur = files.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur >= need;
}

int main(int argc, char **argv)
{
	if (!read_options(argc, argv)) {
		fputs(help, stderr);
		return 2;
	}
	unsigned all = opt.silent + opt.streams;
	if (!raise_file_limit(all + 32)) {
		fprintf(stderr, "load: %u streams need as many file descriptors; raise ulimit -n\n",
			all);
		return 2;
	}
	hot = (struct question){.host = opt.host,
				.path = opt.path,
				.key = opt.key,
				.rate = opt.rate,
				.tokens = opt.tokens,
				.size = opt.size};
	silent = hot;
	silent.silent = true;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	streams = calloc(all, sizeof(*streams));
	if (epoll_fd < 0 || !streams)
		abort();

	watched[watched_n++] = (struct watched){.label = "client", .pid = getpid()};
	for (int i = 0; i < watched_n; i++)
		usage_memory(watched[i].pid, &watched[i].before);
	open_next(opt.silent, &silent);
	open_next(opt.streams, &hot);
	run_for(opt.settle_s);

	watch_start();
	uint64_t start = now_ns();
	tally.in_window = true;
	run_for(opt.window_s);
	tally.in_window = false;
	double window_s = (double)(now_ns() - start) / 1e9;
	watch_end();

	unsigned silent_open = count_open(0, opt.silent), hot_open = count_open(opt.silent, opened);
	for (int i = 0; i < watched_n; i++)
		usage_memory(watched[i].pid, &watched[i].after);
	finish();
	if (opt.window_s > 0 && (hot_open < opt.streams || silent_open < opt.silent)) {
		if (!tally.failed)
			snprintf(tally.first_failure, sizeof(tally.first_failure),
				 "%u of %u streams were open when the window ended",
				 hot_open + silent_open, all);
		tally.failed += !tally.failed;
	}
	report(window_s, hot_open, silent_open);
	if (tally.lost || tally.doubled || tally.reordered || tally.foreign)
		return 1;
	return tally.failed ? 3 : 0;
}
