/* Bucket i < 128 holds the value i; after that each doubling of the value has 64 buckets. */
#include "histogram.h"

static unsigned bucket_of(uint64_t ns)
{
	if (ns < 128)
		return (unsigned)ns;
	unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - 6;
	unsigned i = shift * 64 + (unsigned)(ns >> shift);
	return i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1;
}

static uint64_t middle_of(unsigned i)
{
	if (i < 128)
		return i;
	unsigned shift = i / 64 - 1;
	uint64_t low = (uint64_t)(i - shift * 64) << shift;
	return low + (1ull << shift) / 2;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->count++;
	h->sum_ns += ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->bucket[bucket_of(ns)]++;
}

uint64_t histogram_at(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)((double)h->count * share), seen = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > wanted || (seen && seen == h->count))
			return middle_of(i) < h->max_ns ? middle_of(i) : h->max_ns;
	}
	return 0;
}

void histogram_print(const struct histogram *h, FILE *out)
{
	fprintf(out, "{\"count\":%llu,\"mean\":%.1f", (unsigned long long)h->count,
		h->count ? (double)h->sum_ns / (double)h->count / 1e3 : 0.0);
	static const struct {
		const char *name;
		double share;
	} points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		fprintf(out, ",\"%s\":%.1f", points[i].name,
			(double)histogram_at(h, points[i].share) / 1e3);
	fprintf(out, ",\"max\":%.1f}", (double)h->max_ns / 1e3);
}
