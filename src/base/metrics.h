/* The process's counters, shown at /metrics. One table (metrics.c) names them all; upstreams have a
 * set of their own each. Any thread. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>
#include <sluice/buf.h>

enum metric {
	METRIC_REQUESTS,
	METRIC_REFUSED,
	METRIC_CONNECTIONS,
	METRIC_STREAMS_DONE,
	METRIC_STREAMS_STOPPED,
	METRIC_STREAMS_FAILED,
	METRIC_CANCELLED,
	METRIC_ENTRIES,
	METRIC_TOKENS,
	METRIC_TOKENS_PROMPT,
	METRIC_TOKENS_COMPLETION,
	METRIC_UPSTREAM_REQUESTS,
	METRIC_UPSTREAM_ERRORS,
	METRIC_COUNT
};

enum metric_histogram { METRIC_TTFT, METRIC_INTER_TOKEN, METRIC_HISTOGRAMS };

/* Durations by their size. */
#define METRIC_BUCKETS 24
struct histogram {
	_Atomic uint64_t bucket[METRIC_BUCKETS], sum_us;
};

/* Of one upstream, by its name in the configuration. */
struct upstream_metrics {
	const char *name;
	_Atomic uint64_t streams, failed, tokens; /* so far; tokens: entries with content */
	_Atomic uint32_t active;                  /* streams that have not ended */
	struct histogram ttft;
};

#define UPSTREAM_METRICS_MAX 256

void metrics_add(enum metric m, uint64_t n);
uint64_t metrics_get(enum metric m);

/* Counts a duration in microseconds. */
void metrics_observe(enum metric_histogram h, uint64_t us);

/* The set of that upstream; it lives as long as the process. NULL: there are too many, or no
 * memory. */
struct upstream_metrics *metrics_upstream(const char *name);

/* The i-th set; NULL: there are no more. */
struct upstream_metrics *metrics_upstream_at(size_t i);

/* Counts a duration in a histogram of one's own. */
void histogram_observe(struct histogram *h, uint64_t us);

/* What a histogram held at some time. */
struct histogram_snapshot {
	uint64_t bucket[METRIC_BUCKETS];
};
void metrics_snapshot(enum metric_histogram h, struct histogram_snapshot *out);
void histogram_snapshot(const struct histogram *h, struct histogram_snapshot *out);

/* The q-quantile (0 to 1) in ms of what was observed between two snapshots, interpolated within a
 * bucket. -1: nothing was. */
double histogram_quantile(const struct histogram_snapshot *from,
			  const struct histogram_snapshot *to, double q);

/* Appends all of it as Prometheus text. 0, -SL_E_LIMIT, -SL_E_NOMEM. */
int metrics_print(struct sl_buf *out);

#endif
