/* The process's counters, shown at /metrics. One table (metrics.c) names them all. Any thread. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

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
	METRIC_TOKENS_PROMPT,
	METRIC_TOKENS_COMPLETION,
	METRIC_UPSTREAM_REQUESTS,
	METRIC_UPSTREAM_ERRORS,
	METRIC_COUNT
};

enum metric_histogram { METRIC_TTFT, METRIC_HISTOGRAMS };

void metrics_add(enum metric m, uint64_t n);
uint64_t metrics_get(enum metric m);

/* Counts a duration in microseconds. */
void metrics_observe(enum metric_histogram h, uint64_t us);

/* Appends all of it as Prometheus text. 0, -SL_E_LIMIT, -SL_E_NOMEM. */
int metrics_print(struct sl_buf *out);

#endif
