/* The figures of /v1/feeds/stats: what there is, and what happened since the last look. One thread.
 */
#ifndef APP_STATS_H
#define APP_STATS_H

#include "app/worker.h"
#include "base/metrics.h"

#define STATS_WINDOW 60 /* looks that percentiles reach back */

struct stats {
	uint64_t looked_us; /* 0: never */
	uint64_t entries, requests;
	struct {
		struct histogram_snapshot ttft, inter_token;
	} past[STATS_WINDOW];
	unsigned looks; /* so far */
	uint64_t upstream_tokens[UPSTREAM_METRICS_MAX];
	struct histogram_snapshot upstream_ttft[UPSTREAM_METRICS_MAX]; /* at the first look */
};

/* Appends the figures as one JSON object and remembers them for the next look. Results as
 * sl_buf_put. */
int stats_print(struct stats *s, struct worker_shared *shared, struct sl_buf *out);

/* Nobody looks: the next look is the first. */
void stats_forget(struct stats *s);

#endif
