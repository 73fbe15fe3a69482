/* Random plans, and the requests that they begin with. */
#include "plan.h"

#include <stdio.h>
#include <string.h>

const char *const way_names[WAYS] = {"begin",          "key", "fresh", "header", "query",
				     "starting_after", "same"};

static bool is_post(const struct tale *t)
{
	return t->route != ROUTE_ASK_GET;
}

static enum way choose_way(struct rng *r, const struct tale *t, uint64_t position)
{
	static const enum way back[] = {WAY_HEADER, WAY_QUERY, WAY_SAME, WAY_STARTING_AFTER};
	if (!t->id[0])
		return WAY_BEGIN;
	if (position == 0 && t->keyed && rng_is(r, 30))
		return WAY_KEY;
	if (position == 0 && rng_is(r, 30))
		return WAY_FRESH;
	return back[rng_between(r, 0, 4)];
}

static enum format choose_format(struct rng *r, const struct tale *t, enum way way)
{
	bool is_first_route = way == WAY_BEGIN || way == WAY_KEY || way == WAY_SAME;
	if (is_first_route && (t->route == ROUTE_CHAT || t->route == ROUTE_COMPLETIONS))
		return FORMAT_OPENAI;
	uint32_t n = rng_between(r, 0, 100);
	return n < 60 ? FORMAT_EVENTS : n < 85 ? FORMAT_OPENAI : FORMAT_TEXT;
}

static void choose_cut(struct rng *r, struct plan *p)
{
	uint32_t n = rng_between(r, 0, 100);
	p->cut = rng_is(r, 50) ? CUT_FIN : CUT_RESET;
	p->cut_bytes = UINT64_MAX;
	if (n < 3) /* so that each gets on at last, however little it reads otherwise */
		p->cut = CUT_NONE;
	else if (n < 14)
		p->cut_bytes = 0; /* at once */
	else if (n < 24)
		p->cut_ms = rng_between(r, 1, 40);
	else if (n < 34)
		p->cut_bytes = rng_between(r, 1, 400); /* in the head */
	else if (n < 70)
		p->cut_bytes = rng_between(r, 400, 1500);
	else if (n < 90)
		p->cut_bytes = rng_between(r, 1500, 6000);
	else
		p->cut_bytes = rng_between(r, 6000, 30000);
}

struct plan plan_make(struct rng *r, const struct tale *t, uint64_t position, bool may_cut)
{
	struct plan p = {.way = choose_way(r, t, position)};
	p.format = choose_format(r, t, p.way);
	p.shows_usage =
		t->shows_usage && (p.way == WAY_BEGIN || p.way == WAY_KEY || p.way == WAY_SAME);
	p.wait_ms = rng_is(r, 60) ? 0 : rng_between(r, 1, 20);
	choose_cut(r, &p);
	if (rng_is(r, 20)) { /* it is not to take seconds either */
		p.slow_bytes =
			p.cut_bytes > 1500 ? rng_between(r, 4096, 16384) : rng_between(r, 32, 1024);
		p.slow_ms = rng_between(r, 1, 8);
	}
	if (!may_cut)
		p.cut = CUT_NONE;
	return p;
}

/* The request that began the stream. */
static int put_first(const struct plan *p, const struct tale *t, const char *headers, char *out,
		     size_t size)
{
	char model[96], body[512];
	snprintf(model, sizeof(model), "bench:story,stream=%llu,tokens=%u,rate=%u,delay=%u",
		 (unsigned long long)t->number, t->tokens, t->rate, t->delay_ms);
	const char *accept = p->format == FORMAT_TEXT ? "text/plain" : "text/event-stream";
	const char *query = p->format == FORMAT_OPENAI ? "&format=openai" : "";
	if (t->route == ROUTE_ASK_GET)
		return snprintf(out, size,
				"GET /ask?q=why&model=%s%s HTTP/1.1\r\nHost: localhost\r\n"
				"Accept: %s\r\n%s\r\n",
				model, query, accept, headers);
	if (t->route == ROUTE_ASK_POST)
		return snprintf(out, size,
				"POST /ask?model=%s%s HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\n"
				"Content-Type: text/plain\r\n%sContent-Length: 3\r\n\r\nwhy",
				model, query, accept, headers);
	bool chat = t->route == ROUTE_CHAT;
	int n = snprintf(body, sizeof(body), "{\"model\":\"%s\",\"stream\":true,%s%s}", model,
			 t->shows_usage ? "\"stream_options\":{\"include_usage\":true}," : "",
			 chat ? "\"messages\":[{\"role\":\"user\",\"content\":\"why\"}]"
			      : "\"prompt\":\"why\"");
	return snprintf(out, size,
			"POST /v1/%scompletions HTTP/1.1\r\nHost: localhost\r\n"
			"Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
			chat ? "chat/" : "", headers, n, body);
}

size_t plan_request(const struct plan *p, const struct tale *t, uint64_t position, uint64_t seed,
		    char *out, size_t size)
{
	char headers[256], query[96] = "";
	unsigned long long seq = position;
	int n = snprintf(headers, sizeof(headers), "X-Sluice-Client-Leaves: detach 30s\r\n");
	if (t->keyed && is_post(t))
		n += snprintf(headers + n, sizeof(headers) - (size_t)n,
			      "Idempotency-Key: cuts-%llu-%llu\r\n", (unsigned long long)seed,
			      (unsigned long long)t->number);
	if (p->way == WAY_HEADER)
		n = 0; /* not the first request's */
	if (p->way == WAY_HEADER || p->way == WAY_SAME)
		snprintf(headers + n, sizeof(headers) - (size_t)n, "Last-Event-ID: %s.%llu\r\n",
			 t->id, seq);
	int len;
	if (p->way == WAY_BEGIN || p->way == WAY_KEY || p->way == WAY_SAME) {
		len = put_first(p, t, headers, out, size);
	} else {
		if (p->way == WAY_QUERY)
			snprintf(query, sizeof(query), "&last_event_id=%s.%llu", t->id, seq);
		else if (p->way == WAY_STARTING_AFTER)
			snprintf(query, sizeof(query), "&starting_after=%llu", seq);
		len = snprintf(
			out, size,
			"GET /v1/streams/%s?format=%s%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
			t->id, format_names[p->format], query, p->way == WAY_HEADER ? headers : "");
	}
	return (size_t)len;
}
