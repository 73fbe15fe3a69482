/* Counters and histograms as Prometheus text. */
#include "base/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name; /* with labels */
	const char *help; /* NULL: same family as the line above */
} counters[METRIC_COUNT] = {
	[METRIC_REQUESTS] = {"sluice_requests_total", "requests that reached a handler"},
	[METRIC_REFUSED] = {"sluice_requests_refused_total",
			    "requests answered with a status of 400 or more by the proxy itself"},
	[METRIC_CONNECTIONS] = {"sluice_connections_total", "client connections accepted"},
	[METRIC_STREAMS_DONE] = {"sluice_streams_ended_total{state=\"done\"}",
				 "streams by the state in which they ended"},
	[METRIC_STREAMS_STOPPED] = {"sluice_streams_ended_total{state=\"stopped\"}", NULL},
	[METRIC_STREAMS_FAILED] = {"sluice_streams_ended_total{state=\"failed\"}", NULL},
	[METRIC_CANCELLED] = {"sluice_streams_cancelled_total",
			      "streams ended because their client left"},
	[METRIC_ENTRIES] = {"sluice_entries_total", "entries appended to stream logs"},
	[METRIC_TOKENS] = {"sluice_tokens_streamed_total",
			   "entries with content that came from upstreams"},
	[METRIC_TOKENS_PROMPT] = {"sluice_tokens_total{kind=\"prompt\"}",
				  "tokens that upstreams reported"},
	[METRIC_TOKENS_COMPLETION] = {"sluice_tokens_total{kind=\"completion\"}", NULL},
	[METRIC_UPSTREAM_REQUESTS] = {"sluice_upstream_requests_total",
				      "requests sent to upstreams"},
	[METRIC_UPSTREAM_ERRORS] = {"sluice_upstream_errors_total",
				    "upstream requests that failed before or without an answer"},
};

static const struct {
	const char *name, *help;
} histogram_names[METRIC_HISTOGRAMS] = {
	[METRIC_TTFT] = {"sluice_time_to_first_token_seconds",
			 "from the request to the first content of its stream"},
	[METRIC_INTER_TOKEN] = {"sluice_inter_token_seconds",
				"from one entry with content to the next"},
};

/* Upper ends; the last bucket has none. */
static const uint32_t bounds_ms[METRIC_BUCKETS - 1] = {
	1,   2,   3,   5,   7,    10,   15,   20,    30,    40,    50,   75,
	100, 150, 250, 500, 1000, 2500, 5000, 10000, 20000, 30000, 60000};

static _Atomic uint64_t values[METRIC_COUNT];
static struct histogram histograms[METRIC_HISTOGRAMS];

static pthread_mutex_t upstreams_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct upstream_metrics *) upstreams[UPSTREAM_METRICS_MAX];

void metrics_add(enum metric m, uint64_t n)
{
	atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
}

uint64_t metrics_get(enum metric m)
{
	return atomic_load_explicit(&values[m], memory_order_relaxed);
}

void histogram_observe(struct histogram *h, uint64_t us)
{
	size_t i = 0;
	while (i < METRIC_BUCKETS - 1 && us > (uint64_t)bounds_ms[i] * 1000)
		i++;
	atomic_fetch_add_explicit(&h->bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

void metrics_observe(enum metric_histogram h, uint64_t us)
{
	histogram_observe(&histograms[h], us);
}

void histogram_snapshot(const struct histogram *h, struct histogram_snapshot *out)
{
	for (size_t i = 0; i < METRIC_BUCKETS; i++)
		out->bucket[i] = atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
}

void metrics_snapshot(enum metric_histogram h, struct histogram_snapshot *out)
{
	histogram_snapshot(&histograms[h], out);
}

double histogram_quantile(const struct histogram_snapshot *from,
			  const struct histogram_snapshot *to, double q)
{
	uint64_t total = 0, below = 0;
	for (size_t i = 0; i < METRIC_BUCKETS; i++)
		total += to->bucket[i] - from->bucket[i];
	if (total == 0)
		return -1;
	double rank = q * (double)total;
	for (size_t i = 0; i < METRIC_BUCKETS - 1; i++) {
		uint64_t n = to->bucket[i] - from->bucket[i];
		if (n > 0 && (double)(below + n) >= rank) {
			double low = i ? bounds_ms[i - 1] : 0, high = bounds_ms[i];
			return low + (high - low) * (rank - (double)below) / (double)n;
		}
		below += n;
	}
	return bounds_ms[METRIC_BUCKETS - 2];
}

struct upstream_metrics *metrics_upstream_at(size_t i)
{
	return i < UPSTREAM_METRICS_MAX ? upstreams[i] : NULL;
}

static struct upstream_metrics *new_upstream(const char *name)
{
	struct upstream_metrics *u = calloc(1, sizeof(*u));
	if (u && !(u->name = strdup(name))) {
		free(u);
		u = NULL;
	}
	return u;
}

struct upstream_metrics *metrics_upstream(const char *name)
{
	struct upstream_metrics *u = NULL;
	size_t i = 0;
	pthread_mutex_lock(&upstreams_lock);
	while (i < UPSTREAM_METRICS_MAX && upstreams[i] && strcmp(upstreams[i]->name, name) != 0)
		i++;
	if (i < UPSTREAM_METRICS_MAX) {
		u = upstreams[i];
		if (!u)
			upstreams[i] = u = new_upstream(name);
	}
	pthread_mutex_unlock(&upstreams_lock);
	return u;
}

static int print_histogram(enum metric_histogram h, struct sl_buf *out)
{
	const char *name = histogram_names[h].name;
	uint64_t total = 0;
	sl_buf_printf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, histogram_names[h].help,
		      name);
	for (size_t i = 0; i < METRIC_BUCKETS - 1; i++) {
		total += histograms[h].bucket[i];
		sl_buf_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
			      bounds_ms[i] / 1000.0, total);
	}
	total += histograms[h].bucket[METRIC_BUCKETS - 1];
	sl_buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, total);
	sl_buf_printf(out, "%s_sum %.6f\n", name, (double)histograms[h].sum_us / 1e6);
	return sl_buf_printf(out, "%s_count %" PRIu64 "\n", name, total);
}

enum { UPSTREAM_STREAMS, UPSTREAM_FAILED, UPSTREAM_TOKENS, UPSTREAM_ACTIVE, UPSTREAM_FIGURES };

static uint64_t upstream_figure(const struct upstream_metrics *u, int which)
{
	switch (which) {
	case UPSTREAM_STREAMS:
		return u->streams;
	case UPSTREAM_FAILED:
		return u->failed;
	case UPSTREAM_TOKENS:
		return u->tokens;
	default:
		return u->active;
	}
}

static int print_upstreams(struct sl_buf *out)
{
	static const struct {
		const char *name, *type, *help;
	} figures[UPSTREAM_FIGURES] = {
		[UPSTREAM_STREAMS] = {"sluice_upstream_streams_total", "counter",
				      "streams that an upstream was asked for"},
		[UPSTREAM_FAILED] = {"sluice_upstream_failed_total", "counter",
				     "of these, those that failed on its side"},
		[UPSTREAM_TOKENS] = {"sluice_upstream_tokens_total", "counter",
				     "entries with content that it sent"},
		[UPSTREAM_ACTIVE] = {"sluice_upstream_active", "gauge",
				     "streams of it that have not ended"},
	};
	struct upstream_metrics *u;
	int r = 0;
	for (int f = 0; f < UPSTREAM_FIGURES && metrics_upstream_at(0); f++) {
		sl_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", figures[f].name, figures[f].help,
			      figures[f].name, figures[f].type);
		for (size_t i = 0; (u = metrics_upstream_at(i)); i++)
			r = sl_buf_printf(out, "%s{upstream=\"%s\"} %" PRIu64 "\n", figures[f].name,
					  u->name, upstream_figure(u, f));
	}
	return r;
}

int metrics_print(struct sl_buf *out)
{
	int r = 0;
	for (int m = 0; m < METRIC_COUNT; m++) {
		const char *name = counters[m].name;
		int family = 0;
		while (name[family] && name[family] != '{')
			family++;
		if (counters[m].help)
			sl_buf_printf(out, "# HELP %.*s %s\n# TYPE %.*s counter\n", family, name,
				      counters[m].help, family, name);
		r = sl_buf_printf(out, "%s %" PRIu64 "\n", name, metrics_get((enum metric)m));
	}
	for (int h = 0; h < METRIC_HISTOGRAMS && r == 0; h++)
		r = print_histogram((enum metric_histogram)h, out);
	return r == 0 ? print_upstreams(out) : r;
}
