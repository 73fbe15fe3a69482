/*
 * One answer: the producer that fills a stream from one upstream response.
 *
 *	bytes ─▶ sl_reader_feed ─▶ sl_reader_next ─▶ stream_append
 *
 *	ASKING ─head─▶ READING ─end mark─▶ LINGERING ─end of body─▶ freed
 *	   └── refused, silent, broken: the stream fails ────────────▶ freed
 *
 * Lingering: the answer is complete and its viewers know; the rest of the response is read so that
 * the connection can serve again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sluice/error.h>
#include <sluice/reader.h>
#include "base/log.h"
#include "base/metrics.h"
#include "codec/dialect.h"
#include "codec/error_status.h"
#include "codec/json_writer.h"
#include "codec/references.h"
#include "upstream/api.h"
#include "upstream/redact.h"
#include "upstream/upstream_private.h"

#define LINGER_MS      1000
#define ERROR_TEXT_MAX 65536
#define PATH_MAX_BYTES 2048
#define AFTER_FINISH_MS \
	5000 /* a finish reason was read: how long its usage and [DONE] may take \
	      */

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct answer {
	struct producer producer;
	struct transfer_handler handler;
	struct answer *next, **link; /* all of this worker */
	struct loop *loop;
	struct stream *stream;
	struct snapshot *config;
	const struct upstream_options *upstream;
	struct transfer *transfer;
	struct sl_reader *reader;
	struct sl_buf body;      /* what we send; gone once the upstream answers */
	struct tool_names names; /* that the upstream knows by shorter ones */
	struct timer silence;    /* first token, then between tokens */
	struct timer total;      /* then the linger */
	enum sl_dialect dialect; /* that the upstream speaks */
	bool native;             /* the client speaks it too: frames go on */
	bool whole, client_key, paused;
	bool content_seen, finish_seen;
	bool broken_off; /* the upstream's last reason to finish is that it could not go on */
};

static void answer_free(struct answer *a)
{
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	loop_stop_timer(a->loop, &a->silence);
	loop_stop_timer(a->loop, &a->total);
	if (a->transfer)
		transfer_cancel(a->transfer);
	sl_reader_free(a->reader);
	sl_buf_fini(&a->body);
	tool_names_fini(&a->names);
	snapshot_unref(a->config);
	stream_unref(a->stream);
	free(a);
}

static void stop(struct producer *p)
{
	answer_free(FROM(p, struct answer, producer));
}

static void pause_upstream(struct producer *p, bool on);

/* How long the upstream may be silent from now on; 0: as long as it likes. */
static uint64_t silence_allowed(const struct answer *a)
{
	const struct upstream_timeouts *t = &a->config->set.timeouts;
	if (a->whole) /* nothing is to be seen until all of it is there: the total limits it */
		return 0;
	if (!a->content_seen)
		return t->first_token_ms;
	uint64_t ms = t->between_tokens_ms;
	if (a->finish_seen && (ms == 0 || ms > AFTER_FINISH_MS))
		ms = AFTER_FINISH_MS;
	return ms;
}

static void watch_silence(struct answer *a)
{
	uint64_t ms = a->paused ? 0 : silence_allowed(a);
	if (ms)
		loop_set_timer(a->loop, &a->silence, ms);
	else
		loop_stop_timer(a->loop, &a->silence);
}

static void pause_upstream(struct producer *p, bool on)
{
	struct answer *a = FROM(p, struct answer, producer);
	a->paused = on;
	if (a->transfer)
		transfer_pause(a->transfer, on);
	watch_silence(a);
}

static void note(struct answer *a, const struct sl_entry *e)
{
	if (e->flags & SL_ENTRY_CONTENT)
		a->content_seen = true;
	for (size_t i = 0; i < e->n_events; i++) {
		if (e->events[i].kind != SL_EVENT_FINISH)
			continue;
		a->finish_seen = true;
		a->broken_off = sl_slice_is(e->events[i].s[0], "error");
	}
}

/* An answer that ends so is a failure where the client's API has no word for it: it would be taken
 * for a complete one. */
static void fail_broken_off(struct answer *a)
{
	struct sl_event error = stream_error(502, "server_error", SL_CODE_INCOMPLETE,
					     "the upstream broke off in the middle of the answer");
	metrics_add(METRIC_UPSTREAM_ERRORS, 1);
	stream_fail(a->stream, &error);
}

/* Moves what the reader has understood into the stream. False when the stream has ended and `a` may
 * be gone. */
static bool move_entries(struct answer *a)
{
	struct sl_entry e;
	struct sl_event covered, translated;
	struct sl_buf room;
	int r;
	bool any = false;
	sl_buf_init(&room, ERROR_TEXT_MAX);
	while ((r = sl_reader_next(a->reader, &e)) == 1) {
		any = true;
		note(a, &e);
		if (!a->native)
			e.frame = (struct sl_slice){0};
		if (e.n_events == 0 && e.frame.n == 0 &&
		    !(e.flags & (SL_ENTRY_END | SL_ENTRY_FAILED)))
			continue; /* there is nothing in it for a client of another API */
		if (!a->native && a->broken_off && e.flags & SL_ENTRY_END) {
			fail_broken_off(a);
			return false;
		}
		redact_error(&e, a->upstream, &covered, &room);
		if (!a->native && e.flags & SL_ENTRY_FAILED) {
			translated = *e.events;
			error_translate(&translated);
			e.events = &translated;
		}
		int appended = stream_append(a->stream, &e);
		sl_buf_fini(&room);
		if (appended < 0)
			return false; /* it has stopped us */
		if (e.flags & SL_ENTRY_FAILED) {
			metrics_add(METRIC_UPSTREAM_ERRORS, 1);
			answer_free(a);
			return false;
		}
		if (e.flags & SL_ENTRY_END) {
			loop_stop_timer(a->loop, &a->silence);
			if (a->transfer)
				loop_set_timer(a->loop, &a->total, LINGER_MS);
			else
				answer_free(a);
			return false;
		}
	}
	if (r < 0) {
		struct sl_event error =
			stream_error(500, "server_error", "out_of_memory", "out of memory");
		stream_fail(a->stream, &error);
		return false;
	}
	if (any && a->content_seen) /* the first token's time runs from the start */
		watch_silence(a);
	return true;
}

/* The response is over, in whatever way: what was read decides whether that is a good end. */
static void finish(struct answer *a, const struct sl_event *fault)
{
	if (sl_reader_ended(a->reader)) {
		answer_free(a);
		return;
	}
	sl_reader_finish(a->reader, fault);
	move_entries(a);
}

static void head(struct transfer_handler *h, struct transfer *t)
{
	struct answer *a = FROM(h, struct answer, handler);
	sl_buf_fini(&a->body);
	struct sl_slice passed = transfer_headers(t);
	if (passed.n && !redact_finds(passed, a->upstream))
		sl_buf_put_slice(&a->stream->head, passed);
	a->reader = sl_reader_new(&(struct sl_reader_options){
		.dialect = a->dialect,
		.status = transfer_status(t),
		.content_type = transfer_content_type(t),
		.whole = a->whole,
		.client_key = a->client_key,
		.max_frame_bytes = a->config->set.frame_bytes,
		.names = a->names.list ? &a->names : NULL,
	});
	if (!a->reader) {
		struct sl_event error =
			stream_error(500, "server_error", "out_of_memory", "out of memory");
		stream_fail(a->stream, &error);
	}
}

static void body(struct transfer_handler *h, struct transfer *t, const char *bytes, size_t n)
{
	struct answer *a = FROM(h, struct answer, handler);
	(void)t;
	if (sl_reader_ended(a->reader))
		return; /* lingering */
	sl_reader_feed(a->reader, bytes, n);
	move_entries(a);
}

struct fault {
	int status;
	const char *code, *message;
};

/* In the words of the client; what exactly happened stands in our own log. */
static const struct fault faults[] = {
	[TRANSFER_UNREACHABLE] = {502, "upstream_unreachable", "the upstream cannot be reached"},
	[TRANSFER_TLS] = {502, "upstream_tls", "the upstream's certificate could not be verified"},
	[TRANSFER_TIMEOUT] = {504, "upstream_timeout",
			      "the upstream did not accept a connection in time"},
	[TRANSFER_CLOSED] = {502, "upstream_closed",
			     "the upstream closed the connection without an answer"},
	[TRANSFER_CUT] = {502, SL_CODE_INCOMPLETE,
			  "the connection to the upstream broke before the answer was complete"},
	[TRANSFER_BAD] = {502, "upstream_bad_response",
			  "the upstream's response is not usable HTTP"},
};

static struct sl_event fault_event(const struct fault *f)
{
	return stream_error(f->status, f->status == 504 ? "timeout" : "server_error", f->code,
			    f->message);
}

static void done(struct transfer_handler *h, struct transfer *t, enum transfer_result result,
		 const char *why)
{
	struct answer *a = FROM(h, struct answer, handler);
	(void)t;
	a->transfer = NULL; /* freed when we return */
	struct sl_event fault;
	if (result != TRANSFER_OK) {
		fault = fault_event(&faults[result]);
		if (!a->reader || !sl_reader_ended(a->reader))
			log_event(LOG_WARN, "upstream_fault",
				  {"upstream", LOG_STR(a->upstream->name)},
				  {"stream", LOG_STR(a->stream->id)},
				  {"code", LOG_STR(faults[result].code)}, {"why", LOG_STR(why)});
	}
	if (a->reader) {
		finish(a, result == TRANSFER_OK ? NULL : &fault);
		return;
	}
	metrics_add(METRIC_UPSTREAM_ERRORS, 1);
	stream_fail(a->stream, &fault); /* and with it `a` */
}

/* The upstream has said nothing for too long. */
static void give_up(struct answer *a, const char *message)
{
	struct sl_event fault = stream_error(504, "timeout", "upstream_timeout", message);
	log_event(LOG_WARN, "upstream_fault", {"upstream", LOG_STR(a->upstream->name)},
		  {"stream", LOG_STR(a->stream->id)}, {"code", LOG_STR("upstream_timeout")},
		  {"why", LOG_STR(message)});
	if (!a->reader) {
		metrics_add(METRIC_UPSTREAM_ERRORS, 1);
		stream_fail(a->stream, &fault);
		return;
	}
	struct transfer *t = a->transfer;
	a->transfer = NULL;
	transfer_cancel(t);
	finish(a, &fault);
}

static void silence_over(struct timer *t)
{
	struct answer *a = FROM(t, struct answer, silence);
	give_up(a, a->content_seen ? "the upstream stopped sending in the middle of the answer"
				   : "the upstream sent no token in time");
}

static void total_over(struct timer *t)
{
	struct answer *a = FROM(t, struct answer, total);
	if (a->reader && sl_reader_ended(a->reader))
		answer_free(a); /* lingered long enough */
	else
		give_up(a, "the answer took too long in all");
}

/* ---- The start */

/* Appends the request in the upstream's dialect to a->body, for a client that speaks another one. 0;
 * -SL_E_TYPE, -SL_E_MISSING with *fault filled; -SL_E_LIMIT, -SL_E_NOMEM. */
static int translate(struct answer *a, const struct generation *g, struct sl_slice model,
		     struct request_fault *fault)
{
	struct prompt prompt;
	struct json_writer w;
	int r = prompt_read(g->request.body, g->dialect, &prompt, fault);
	json_writer_init(&w, &a->body);
	if (r == 0)
		r = dialect_encode(a->dialect, &prompt,
				   &(struct prompt_target){.model = model,
							   .stream = true,
							   .relative = api_relative(a->upstream)},
				   &a->names, &w, fault);
	if (r == 0)
		r = w.failure;
	if (r == 0 && prompt.dropped.len)
		r = sl_buf_printf(&a->stream->head, "X-Sluice-Dropped: %.*s\n",
				  (int)prompt.dropped.len, prompt.dropped.p);
	prompt_fini(&prompt);
	return r;
}

/* For requests that go on from this one. Where it is too much to keep, those are refused. */
static void keep_input(struct stream *s, const struct generation *g)
{
	struct json input = json_get(g->request.body, "input");
	struct sl_buf items;
	if (g->dialect != SL_DIALECT_RESPONSES ||
	    json_get(g->request.body, "store").type == JSON_FALSE)
		return;
	sl_buf_init(&items, s->per_stream_bytes);
	if (references_put_input(input, &items) == 0)
		stream_keep_input(s, &items);
	sl_buf_fini(&items);
}

static int write_body(struct answer *a, const struct generation *g, struct sl_slice model,
		      struct request_fault *fault)
{
	bool chunks =
		a->dialect == SL_DIALECT_OPENAI_CHAT || a->dialect == SL_DIALECT_OPENAI_COMPLETIONS;
	bool refuses = api_relative(a->upstream)->no_stream_options;
	if (!a->native) {
		int r = translate(a, g, model, fault);
		if (r == 0)
			keep_input(a->stream, g);
		return r;
	}
	if (a->dialect == SL_DIALECT_BEDROCK_INVOKE) {
		int r = prompt_refuse_thread(json_get(g->request.body, "thread"), fault);
		return r == 0 ? request_encode_invoke(&g->request, &a->body) : r;
	}
	return request_encode(&g->request, model, chunks && !g->whole && !refuses, &a->body);
}

/* Terminated. Results as translate(). */
static int write_path(struct sl_buf *path, const struct answer *a, const struct generation *g,
		      struct sl_slice model, struct request_fault *fault)
{
	int r = api_path(a->upstream, a->dialect, g->path, model, path);
	if (r == 0)
		r = sl_buf_putc(path, '\0');
	return r == -SL_E_SYNTAX || r == -SL_E_LIMIT
		       ? prompt_refuse(fault, "model", "no model of this upstream has such a name")
		       : r;
}

static int begin_transfer(struct answer *a, struct upstreams *u, const struct generation *g,
			  struct sl_slice model, struct request_fault *fault)
{
	const struct upstream_options *o = a->upstream;
	struct sl_buf headers, path;
	sl_buf_init(&headers, 65536);
	sl_buf_init(&path, PATH_MAX_BYTES);
	sl_buf_init(&a->body, 2 * g->body.max);
	int r = write_body(a, g, model, fault);
	if (r == 0)
		r = write_path(&path, a, g, model, fault);
	if (r == 0)
		r = forwarded_headers(o, sl_buf_slice(&g->headers), &headers);
	if (r == 0) {
		a->transfer =
			transfer_start(u->multi,
				       &(struct transfer_request){
					       .upstream = o,
					       .path = path.p,
					       .post = true,
					       .body = sl_buf_slice(&a->body),
					       .headers = sl_buf_slice(&headers),
					       .key = o->key_from_client ? g->client_key : o->key,
					       .stream = !a->whole,
					       .connect_ms = a->config->set.timeouts.connect_ms},
				       &a->handler);
		r = a->transfer ? 0 : -SL_E_NOMEM;
	}
	sl_buf_fini(&headers);
	sl_buf_fini(&path);
	return r;
}

static void refuse(struct stream *s, int r, const struct request_fault *fault)
{
	struct sl_event error = stream_error(500, "server_error", "out_of_memory", "out of memory");
	char param[sizeof(fault->place) + 16];
	if (r == -SL_E_TYPE || r == -SL_E_MISSING) {
		error = stream_error(r == -SL_E_TYPE ? 400 : 404, "invalid_request_error",
				     fault->code, fault->message);
		if (fault->param) { /* of our own making: it has no quotes in it */
			snprintf(param, sizeof(param), "{\"param\":\"%s\"}", fault->param);
			error.s[3] = sl_slice_str(param);
		}
	}
	stream_fail(s, &error);
}

static void refuse_route(struct stream *s, const struct upstream_options *o, struct generation *g)
{
	char message[256];
	snprintf(message, sizeof(message),
		 "the upstream \"%s\" speaks the API \"%s\", which has nothing like %s", o->name,
		 api_of(o->api)->name, g->path);
	struct sl_event error =
		stream_error(404, "invalid_request_error", "not_supported_by_upstream", message);
	generation_free(g);
	stream_fail(s, &error);
}

void answer_start(struct upstreams *u, struct stream *s, struct generation *g, size_t upstream,
		  struct sl_slice model)
{
	const struct upstream_options *o = &u->now->set.list[upstream];
	struct request_fault fault = {0};
	enum sl_dialect dialect;
	if (!api_dialect(o, g->dialect, &dialect) ||
	    (dialect != g->dialect && !dialect_of(dialect)->encode)) {
		refuse_route(s, o, g);
		return;
	}
	struct answer *a = calloc(1, sizeof(*a));
	if (!a) {
		generation_free(g);
		refuse(s, -SL_E_NOMEM, &fault);
		return;
	}
	/* Bedrock streams Claude's own events, but has no body in one piece of this form. */
	bool native = dialect_is_native(dialect, g->dialect) &&
		      !(g->whole && dialect == SL_DIALECT_BEDROCK_INVOKE);
	*a = (struct answer){.producer = {stop, pause_upstream},
			     .handler = {head, body, done},
			     .next = u->answers,
			     .link = &u->answers,
			     .loop = u->loop,
			     .stream = stream_ref(s),
			     .config = snapshot_ref(u->now),
			     .upstream = o,
			     .silence.fire = silence_over,
			     .total.fire = total_over,
			     .dialect = dialect,
			     .native = native,
			     .whole = native && g->whole,
			     .client_key = o->key_from_client};
	if (a->next)
		a->next->link = &a->next;
	u->answers = a;
	stream_set_upstream(s, o->name);
	stream_set_frames(s, native ? (int)g->dialect : STREAM_NO_FRAMES);
	if (!native && (g->whole || g->dialect == SL_DIALECT_RESPONSES))
		stream_compose(s, g->whole);
	int r = begin_transfer(a, u, g, model, &fault);
	generation_free(g);
	if (r < 0) {
		answer_free(a);
		refuse(s, r, &fault);
		return;
	}
	metrics_add(METRIC_UPSTREAM_REQUESTS, 1);
	stream_set_producer(s, &a->producer);
	if (a->config->set.timeouts.total_ms)
		loop_set_timer(a->loop, &a->total, a->config->set.timeouts.total_ms);
	watch_silence(a);
	log_event(LOG_DEBUG, "upstream_request", {"stream", LOG_STR(s->id)},
		  {"upstream", LOG_STR(o->name)});
}

void answers_end(struct upstreams *u)
{
	while (u->answers)
		answer_free(u->answers);
}
