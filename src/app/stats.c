/* Printing figures. */
#include "app/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "server/shared.h"

void stats_forget(struct stats *s)
{
	s->looked_us = 0;
	s->looks = 0;
}

/* Of the process. It is no file on a disk: reading it waits for nothing. */
static uint64_t resident_bytes(void)
{
	unsigned long long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	int n = fscanf(f, "%llu %llu", &size, &pages);
	fclose(f);
	return n == 2 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void put_rate(struct sl_buf *out, const char *name, uint64_t was, uint64_t is,
		     double seconds)
{
	double rate = seconds > 0 ? (double)(is - was) / seconds : 0;
	sl_buf_printf(out, ",\"%s\":%.1f", name, rate);
}

static void put_quantiles(struct sl_buf *out, const char *name,
			  const struct histogram_snapshot *from,
			  const struct histogram_snapshot *to)
{
	static const struct {
		const char *name;
		double q;
	} wanted[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}};
	sl_buf_printf(out, ",\"%s\":{", name);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		double ms = histogram_quantile(from, to, wanted[i].q);
		sl_buf_printf(out, ms < 0 ? "%s\"%s\":null" : "%s\"%s\":%.1f", i ? "," : "",
			      wanted[i].name, ms);
	}
	sl_buf_putc(out, '}');
}

static void put_upstreams(struct stats *s, double seconds, struct sl_buf *out)
{
	struct upstream_metrics *u;
	sl_buf_put_str(out, ",\"upstreams\":{");
	for (size_t i = 0; (u = metrics_upstream_at(i)); i++) {
		struct histogram_snapshot now;
		uint64_t tokens = u->tokens;
		histogram_snapshot(&u->ttft, &now);
		if (s->looks == 0)
			s->upstream_ttft[i] = now;
		sl_buf_put_str(out, i ? "," : "");
		sl_buf_put_json_string(out, sl_slice_str(u->name));
		sl_buf_printf(
			out, ":{\"active\":%" PRIu32 ",\"streams\":%" PRIu64 ",\"failed\":%" PRIu64,
			u->active, u->streams, u->failed);
		put_rate(out, "tokens_per_s", s->upstream_tokens[i], tokens, seconds);
		put_quantiles(out, "ttft_ms", &s->upstream_ttft[i], &now);
		sl_buf_putc(out, '}');
		s->upstream_tokens[i] = tokens;
	}
	sl_buf_putc(out, '}');
}

int stats_print(struct stats *s, struct worker_shared *shared, struct sl_buf *out)
{
	struct stream_table_figures f = stream_table_figures(&shared->table);
	uint64_t now_us = clock_us();
	uint64_t entries = metrics_get(METRIC_TOKENS), requests = metrics_get(METRIC_REQUESTS);
	double seconds = s->looked_us ? (double)(now_us - s->looked_us) / 1e6 : 0;
	unsigned at = s->looks % STATS_WINDOW;
	/* The oldest look that is kept; at the first one, this one. */
	unsigned oldest = s->looks < STATS_WINDOW ? 0 : at;
	struct histogram_snapshot ttft, inter_token;
	metrics_snapshot(METRIC_TTFT, &ttft);
	metrics_snapshot(METRIC_INTER_TOKEN, &inter_token);
	if (s->looks == 0) {
		s->past[0].ttft = ttft;
		s->past[0].inter_token = inter_token;
	}
	sl_buf_printf(out,
		      "{\"time_ms\":%" PRId64 ",\"streams\":{\"live\":%" PRIu32 ",\"kept\":%" PRIu32
		      "},\"viewers\":%" PRIu32 ",\"connections\":%" PRIu32,
		      clock_unix_ms(), f.live, f.ended, f.viewers, shared->server->connections);
	put_rate(out, "requests_per_s", s->requests, requests, seconds);
	put_rate(out, "tokens_per_s", s->entries, entries, seconds);
	put_quantiles(out, "ttft_ms", &s->past[oldest].ttft, &ttft);
	put_quantiles(out, "inter_token_ms", &s->past[oldest].inter_token, &inter_token);
	sl_buf_printf(out,
		      ",\"memory\":{\"log_bytes\":%zu,\"log_bytes_max\":%zu,\"channel_bytes\":%zu,"
		      "\"rss_bytes\":%" PRIu64 "}",
		      f.bytes, f.bytes_max, (size_t)shared->channels.budget.used, resident_bytes());
	put_upstreams(s, seconds, out);
	s->past[at].ttft = ttft;
	s->past[at].inter_token = inter_token;
	s->entries = entries;
	s->requests = requests;
	s->looked_us = now_us;
	s->looks++;
	return sl_buf_putc(out, '}');
}
