/* The server's log and figures, as messages. */
#include "app/feeds.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "app/stats.h"
#include "base/clock.h"
#include "base/log.h"

#define STATS_MS         1000
#define LINES_PER_SECOND 1000 /* a flood of lines must not become one of letters */
#define STATS_BYTES_MAX  65536

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct feeds {
	struct worker_shared *shared;
	struct loop *loop;
	struct stream *log, *stats;
	struct timer timer;
	struct stats figures;
};

/* The sink has no argument: there is one log, and one feed of it. */
static _Atomic(struct stream *) log_feed;
static _Atomic uint64_t line_second, lines, lines_dropped;

static void publish_dropped(struct stream *s)
{
	uint64_t n = atomic_exchange(&lines_dropped, 0);
	char text[96];
	if (n == 0)
		return;
	int len = snprintf(text, sizeof(text),
			   "{\"level\":\"warn\",\"event\":\"lines_dropped\",\"lines\":%" PRIu64 "}",
			   n);
	channel_publish(s, SL_LIT(""), sl_slice(text, (size_t)len), LOG_WARN, NULL);
}

static void sink(enum log_level level, const char *line, size_t n)
{
	struct stream *s = log_feed;
	uint64_t second = clock_ms() / 1000;
	if (!s)
		return;
	if (atomic_exchange(&line_second, second) != second) {
		lines = 0;
		publish_dropped(s);
	}
	if (lines++ < LINES_PER_SECOND)
		channel_publish(s, SL_LIT(""), sl_slice(line, n), level, NULL);
	else
		lines_dropped++;
}

static void tick(struct timer *t)
{
	struct feeds *f = FROM(t, struct feeds, timer);
	struct sl_buf out;
	loop_set_timer(f->loop, &f->timer, STATS_MS);
	if (f->stats->viewer_count == 0) {
		stats_forget(&f->figures);
		return;
	}
	sl_buf_init(&out, STATS_BYTES_MAX);
	if (stats_print(&f->figures, f->shared, &out) == 0)
		channel_publish(f->stats, SL_LIT(""), sl_buf_slice(&out), 0, NULL);
	sl_buf_fini(&out);
}

struct feeds *feeds_start(struct worker_shared *shared, struct loop *loop)
{
	struct feeds *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	*f = (struct feeds){.shared = shared, .loop = loop, .timer.fire = tick};
	f->log = channel_open_feed(&shared->channels, CHANNEL_FEED_LOG, loop);
	f->stats = channel_open_feed(&shared->channels, CHANNEL_FEED_STATS, loop);
	if (!f->log || !f->stats) {
		feeds_stop(f);
		return NULL;
	}
	loop_set_timer(loop, &f->timer, STATS_MS);
	log_feed = f->log;
	log_set_sink(sink);
	return f;
}

void feeds_stop(struct feeds *f)
{
	if (!f)
		return;
	log_set_sink(NULL);
	log_feed = NULL;
	loop_stop_timer(f->loop, &f->timer);
	stream_unref(f->log);
	stream_unref(f->stats);
	free(f);
}
