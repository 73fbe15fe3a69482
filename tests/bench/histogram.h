/* Durations counted in buckets that are never wider than 1/64 of their value (as HdrHistogram
 * does). */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_BUCKETS 2304 /* up to 2^41 ns, 36 minutes; what is longer counts as that */

/* Zeroes are an empty histogram. */
struct histogram {
	uint64_t count, sum_ns, max_ns;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);

/* The value that `share` (0..1) of all are not above; the middle of its bucket. 0 when empty. */
uint64_t histogram_at(const struct histogram *h, double share);

/* {"count":…,"mean":…,"p50":…,"p90":…,"p99":…,"p999":…,"max":…} in microseconds. */
void histogram_print(const struct histogram *h, FILE *out);

#endif
