/*
 * Many viewers of many streams that are cut at random and come back, until each has seen the end of
 * its stream. What they get is held against what the upstream (tests/bench/mock_upstream.c, story)
 * was to say: nothing lost, nothing twice, in order, each id in its place.
 *
 * The choices are the seed's; when things happen is the machine's.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "clock.h"
#include "dial.h"
#include "viewer.h"

#define LIVE_MAX   1024
#define PATIENCE_S 20 /* without any news */

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static const char help[] =
	"usage: cuts --port PORT [options]\n"
	"  --cuts N         until so many cuts were made: 1000\n"
	"  --streams N      begins so many streams, whatever the cuts; 0: until all cuts are made: "
	"0\n"
	"  --live N         streams at once: 80\n"
	"  --viewers N      of a stream, at most: 5\n"
	"  --leavers N      of 100 viewers so many cut: 100\n"
	"  --rate R         tokens a second of each stream; without it: flat out, 1000 or 50\n"
	"  --tokens N       of each stream; without it: up to 800\n"
	"  --route NAME     how streams begin: chat, completions, ask_get, ask_post; without it: "
	"any\n"
	"  --seed N         1\n"
	"Prints one JSON object. Exit status: 0 good, 1 something came that must not, 2 wrong "
	"command "
	"line,\n"
	"3 nothing came any more.\n";

static struct {
	unsigned streams, live, viewers;
	long rate;
	unsigned tokens;
	unsigned route; /* ROUTES: any */
} opt = {.live = 80, .viewers = 5, .rate = -1, .route = ROUTES};

static struct run run = {.seed = 1, .cuts_wanted = 1000, .leavers = 100};
static struct crowd crowds[LIVE_MAX];
static uint64_t begun;

static void choose_tale(struct rng *r, struct tale *t)
{
	static const uint32_t rates[] = {0, 0, 0, 1000, 1000, 1000, 50};
	t->route = (enum route)rng_between(r, 0, ROUTES);
	if (opt.route < ROUTES)
		t->route = (enum route)opt.route;
	t->rate = opt.rate >= 0 ? (uint32_t)opt.rate : rates[rng_between(r, 0, 7)];
	t->tokens = opt.tokens ? opt.tokens : rng_between(r, 1, t->rate == 50 ? 60 : 800);
	if (!opt.tokens && rng_is(r, 2) && t->rate != 50)
		t->tokens *= 5;
	t->delay_ms = rng_is(r, 30) ? rng_between(r, 1, 60) : 0;
	t->keyed = t->route != ROUTE_ASK_GET && rng_is(r, 50);
	t->shows_usage = t->route < ROUTE_ASK_GET && rng_is(r, 50);
}

static bool wants_more(void)
{
	return opt.streams ? begun < opt.streams : run.cuts < run.cuts_wanted;
}

/* A new stream in the place of one that is over. */
static void begin(struct crowd *c)
{
	struct rng r = rng_for(run.seed, ++begun, 0);
	*c = (struct crowd){.tale.number = begun};
	choose_tale(&r, &c->tale);
	c->n = rng_between(&r, 1, opt.viewers + 1);
	crowd_start(c, &run);
}

/* Frees what is over and begins anew. The number of streams that are there then. */
static unsigned replace_crowds(void)
{
	unsigned live = 0;
	for (unsigned i = 0; i < opt.live; i++) {
		struct crowd *c = &crowds[i];
		/* Whoever fails before the stream is known leaves the others where they are. */
		if (c->viewers && c->over && !c->tale.id[0] && !c->tale.keyed)
			c->over = c->n;
		if (c->viewers && c->over == c->n)
			crowd_fini(c);
		if (!c->viewers && wants_more())
			begin(c);
		live += c->viewers != NULL;
	}
	return live;
}

static void turn(void)
{
	struct epoll_event events[256];
	struct heap_node *first = heap_first(&run.timers);
	uint64_t now = now_ns(), wait = SECOND_NS / 10;
	if (first)
		wait = first->due_ns <= now         ? 0
		       : first->due_ns - now < wait ? first->due_ns - now
						    : wait;
	struct timespec timeout = {.tv_nsec = (long)wait};
	int n = epoll_pwait2(run.epoll_fd, events, 256, &timeout, NULL);
	for (int i = 0; i < n; i++)
		viewer_ready(events[i].data.ptr);
	now = now_ns();
	while ((first = heap_first(&run.timers)) && first->due_ns <= now)
		viewer_timer(FROM(first, struct viewer, timer));
}

/* Nothing moves: says who waits for what. */
static void give_up(void)
{
	char where[400];
	for (unsigned i = 0; i < opt.live; i++) {
		for (unsigned k = 0; crowds[i].viewers && k < crowds[i].n; k++) {
			struct viewer *v = &crowds[i].viewers[k];
			if (v->state == VIEWER_OVER)
				continue;
			run.faults[FAULT_ERROR]++;
			viewer_describe(v, where, sizeof(where));
			if (!run.failures++)
				snprintf(run.first_failure, sizeof(run.first_failure),
					 "%s: nothing came for %d s, state %d", where, PATIENCE_S,
					 (int)v->state);
		}
	}
}

static void print_counts(const char *name, const uint64_t *n, const char *const *names, int count)
{
	printf(",\"%s\":{", name);
	for (int i = 0; i < count; i++)
		printf("%s\"%s\":%llu", i ? "," : "", names[i], (unsigned long long)n[i]);
	printf("}");
}

static void print_text(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || (unsigned char)*s < 0x20)
			printf("\\u%04x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void report(double seconds)
{
	static const char *const fault_names[] = {"lost", "doubled", "disordered", "gaps",
						  "errors"};
	static const char *const cut_names[] = {"fin", "reset"};
	printf("{\"cuts\":%llu,\"streams\":%llu,\"viewers\":%llu,\"connections\":%llu",
	       (unsigned long long)run.cuts, (unsigned long long)begun,
	       (unsigned long long)run.viewers, (unsigned long long)run.connections);
	printf(",\"ends\":%llu,\"gone\":%llu,\"bytes\":%llu,\"seconds\":%.1f",
	       (unsigned long long)run.ends, (unsigned long long)run.gone,
	       (unsigned long long)run.bytes, seconds);
	print_counts("cut_by", run.cuts_by + 1, cut_names, CUTS - 1);
	print_counts("ways", run.ways, way_names, WAYS);
	print_counts("formats", run.formats, format_names, FORMATS);
	for (int i = 1; i < FAULTS; i++)
		printf(",\"%s\":%llu", fault_names[i - 1], (unsigned long long)run.faults[i]);
	printf(",\"failed\":%llu,\"first_failure\":", (unsigned long long)run.failures);
	print_text(run.first_failure);
	puts("}");
}

static unsigned route_named(const char *name)
{
	unsigned i = 0;
	while (i < ROUTES && strcmp(name, route_names[i]) != 0)
		i++;
	return i;
}

static int read_options(int argc, char **argv)
{
	static const struct option options[] = {{"port", required_argument, NULL, 'p'},
						{"cuts", required_argument, NULL, 'c'},
						{"streams", required_argument, NULL, 's'},
						{"live", required_argument, NULL, 'l'},
						{"viewers", required_argument, NULL, 'v'},
						{"leavers", required_argument, NULL, 'a'},
						{"rate", required_argument, NULL, 'r'},
						{"tokens", required_argument, NULL, 't'},
						{"seed", required_argument, NULL, 'S'},
						{"route", required_argument, NULL, 'R'},
						{0}};
	int o;
	run.to = (struct sockaddr_in){.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long n = optarg ? strtoul(optarg, NULL, 10) : 0;
		if (o == 'p')
			run.to.sin_port = htons((uint16_t)n);
		else if (o == 'c')
			run.cuts_wanted = n;
		else if (o == 's')
			opt.streams = (unsigned)n;
		else if (o == 'l')
			opt.live = (unsigned)n;
		else if (o == 'v')
			opt.viewers = (unsigned)n;
		else if (o == 'a')
			run.leavers = (unsigned)n;
		else if (o == 'r')
			opt.rate = (long)n;
		else if (o == 't')
			opt.tokens = (unsigned)n;
		else if (o == 'S')
			run.seed = n;
		else if (o == 'R')
			opt.route = route_named(optarg);
		else
			return -1;
	}
	return run.to.sin_port && opt.live && opt.live <= LIVE_MAX && opt.viewers ? 0 : -1;
}

int main(int argc, char **argv)
{
	if (read_options(argc, argv) < 0) {
		fputs(help, stderr);
		return 2;
	}
	dial_prepare();
	run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uint64_t start = run.news_ns = now_ns();
	bool stuck = false;
	while (replace_crowds() && !stuck) {
		turn();
		stuck = now_ns() - run.news_ns > PATIENCE_S * SECOND_NS;
	}
	if (stuck)
		give_up();
	for (unsigned i = 0; i < opt.live; i++)
		crowd_fini(&crowds[i]);
	heap_fini(&run.timers);
	close(run.epoll_fd);
	report((double)(now_ns() - start) / 1e9);
	return stuck ? 3 : run.failures ? 1 : 0;
}
