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
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include "clock.h"
#include "options.h"
#include "stream.h"
#include "usage.h"

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

static struct options opt;
static struct watched watched[WATCHED_MAX];
static struct watched_core cores[CORES_MAX];
static int watched_n, cores_n, epoll_fd;
static struct stream *streams; /* the silent ones first, the viewers last */
static unsigned opened;
static struct tally tally;
static struct question hot, silent, view;
static char view_path[128];

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

static void report(double window_s, unsigned hot_open, unsigned silent_open, uint64_t tokens_kept)
{
	struct rusage own;
	getrusage(RUSAGE_SELF, &own);
	printf("{\"window_s\":%.4f,\"hot_open\":%u,\"silent_open\":%u,\"tokens\":%llu,\"tokens_per_"
	       "s\":%.1f,"
	       "\"requests\":%llu,\"requests_per_s\":%.2f,\"tokens_ever\":%llu,\"requests_ever\":%"
	       "llu,"
	       "\"bytes_ever\":%llu,\"comments_ever\":%llu,\"tokens_kept\":%llu,"
	       "\"lost\":%llu,\"doubled\":%llu,\"reordered\":%llu,\"foreign\":%llu,\"failed\":%llu,"
	       "\"first_failure\":",
	       window_s, hot_open, silent_open, (unsigned long long)tally.tokens,
	       window_s > 0 ? (double)tally.tokens / window_s : 0.0,
	       (unsigned long long)tally.requests,
	       window_s > 0 ? (double)tally.requests / window_s : 0.0,
	       (unsigned long long)tally.tokens_ever, (unsigned long long)tally.requests_ever,
	       (unsigned long long)tally.bytes, (unsigned long long)tally.comments,
	       (unsigned long long)tokens_kept, (unsigned long long)tally.lost,
	       (unsigned long long)tally.doubled, (unsigned long long)tally.reordered,
	       (unsigned long long)tally.foreign, (unsigned long long)tally.failed);
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

static bool raise_file_limit(unsigned need)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return false;
	files.rlim_cur = files.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur >= need;
}

/* What the three kinds of clients ask for. */
static void set_questions(void)
{
	hot = (struct question){.kind = QUESTION_COMPLETION,
				.anthropic = opt.anthropic,
				.host = opt.host,
				.path = opt.path,
				.key = opt.key,
				.header = opt.header,
				.rate = opt.rate,
				.tokens = opt.tokens,
				.size = opt.size};
	silent = hot;
	silent.silent = true;
	view = hot;
	view.kind = opt.channel ? QUESTION_CHANNEL : QUESTION_STREAM;
	view.watched = 1;
}

static void watch_these(void)
{
	for (int i = 0; i < opt.watched_n; i++)
		watched[watched_n++] =
			(struct watched){.label = opt.watched[i].label, .pid = opt.watched[i].pid};
	watched[watched_n++] = (struct watched){.label = "client", .pid = getpid()};
	for (int i = 0; i < opt.cores_n; i++)
		cores[cores_n++].number = opt.core[i];
	for (int i = 0; i < watched_n; i++)
		usage_memory(watched[i].pid, &watched[i].before);
}

static void open_viewers(void)
{
	const struct stream *first = &streams[opt.silent];
	if (!opt.channel && opt.viewers) {
		if (!first->name[0]) {
			snprintf(tally.first_failure, sizeof(tally.first_failure),
				 "no X-Stream-Id, so there is nothing to watch");
			tally.failed++;
			return;
		}
		snprintf(view_path, sizeof(view_path), "/v1/streams/%s?format=%s", first->name,
			 opt.format);
		view.path = view_path;
		view.watched = first->id;
		view.ends_without_done = strcmp(opt.format, "events") == 0;
	}
	open_next(opt.viewers, &view);
}

int main(int argc, char **argv)
{
	if (!options_read(&opt, argc, argv)) {
		fputs(options_help, stderr);
		return 2;
	}
	unsigned all = opt.silent + opt.streams + opt.viewers;
	if (!raise_file_limit(all + 32)) {
		fprintf(stderr, "load: %u streams need as many file descriptors; raise ulimit -n\n",
			all);
		return 2;
	}
	set_questions();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	streams = calloc(all, sizeof(*streams));
	if (epoll_fd < 0 || !streams)
		abort();

	watch_these();
	open_next(opt.silent, &silent);
	open_next(opt.streams, &hot);
	open_viewers();
	run_for(opt.settle_s);

	watch_start();
	uint64_t start = now_ns();
	tally.in_window = true;
	run_for(opt.window_s);
	tally.in_window = false;
	double window_s = (double)(now_ns() - start) / 1e9;
	watch_end();

	unsigned silent_open = count_open(0, opt.silent), hot_open = count_open(opt.silent, opened);
	uint64_t tokens_kept = tally.tokens_ever;
	for (int i = 0; i < watched_n; i++)
		usage_memory(watched[i].pid, &watched[i].after);
	finish();
	if (opt.window_s > 0 && hot_open + silent_open < all) {
		if (!tally.failed)
			snprintf(tally.first_failure, sizeof(tally.first_failure),
				 "%u of %u streams were open when the window ended",
				 hot_open + silent_open, all);
		tally.failed += !tally.failed;
	}
	report(window_s, hot_open, silent_open, tokens_kept);
	if (tally.lost || tally.doubled || tally.reordered || tally.foreign)
		return 1;
	return tally.failed ? 3 : 0;
}
