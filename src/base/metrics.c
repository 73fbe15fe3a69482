/* Counters and histograms as Prometheus text. */
#include "base/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>

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
	[METRIC_TOKENS_PROMPT] = {"sluice_tokens_total{kind=\"prompt\"}",
				  "tokens that upstreams reported"},
	[METRIC_TOKENS_COMPLETION] = {"sluice_tokens_total{kind=\"completion\"}", NULL},
	[METRIC_UPSTREAM_REQUESTS] = {"sluice_upstream_requests_total",
				      "requests sent to upstreams"},
	[METRIC_UPSTREAM_ERRORS] = {"sluice_upstream_errors_total",
				    "upstream requests that failed before or without an answer"},
};

static const char *const histogram_names[METRIC_HISTOGRAMS] = {
	[METRIC_TTFT] = "sluice_time_to_first_token_seconds",
};

static const uint32_t bounds_ms[] = {1,   5,    10,   25,   50,    100,   250,
				     500, 1000, 2500, 5000, 10000, 30000, 60000};
#define BOUNDS (sizeof(bounds_ms) / sizeof(*bounds_ms))

static _Atomic uint64_t values[METRIC_COUNT];
static struct {
	_Atomic uint64_t bucket[BOUNDS + 1], sum_us;
} histograms[METRIC_HISTOGRAMS];

void metrics_add(enum metric m, uint64_t n)
{
	atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
}

uint64_t metrics_get(enum metric m)
{
	return atomic_load_explicit(&values[m], memory_order_relaxed);
}

void metrics_observe(enum metric_histogram h, uint64_t us)
{
	size_t i = 0;
	while (i < BOUNDS && us > (uint64_t)bounds_ms[i] * 1000)
		i++;
	atomic_fetch_add_explicit(&histograms[h].bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histograms[h].sum_us, us, memory_order_relaxed);
}

static int print_histogram(enum metric_histogram h, struct sl_buf *out)
{
	const char *name = histogram_names[h];
	uint64_t total = 0;
	sl_buf_printf(out, "# TYPE %s histogram\n", name);
	for (size_t i = 0; i < BOUNDS; i++) {
		total += histograms[h].bucket[i];
		sl_buf_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
			      bounds_ms[i] / 1000.0, total);
	}
	total += histograms[h].bucket[BOUNDS];
	sl_buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, total);
	sl_buf_printf(out, "%s_sum %.6f\n", name, (double)histograms[h].sum_us / 1e6);
	return sl_buf_printf(out, "%s_count %" PRIu64 "\n", name, total);
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
	return r;
}
