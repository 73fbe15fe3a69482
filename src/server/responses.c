/*
 * /v1/responses/{id}: a response that was begun by POST /v1/responses, as OpenAI's API has them.
 * It is a stream; its id is the stream's with "resp_" in front.
 *
 * Where the upstream speaks Responses itself, what it said goes on as it came, its own id among it: that
 * id names the response as well.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/encode_block.h"
#include "codec/encode_responses.h"
#include "codec/json.h"
#include "server/access.h"
#include "server/requests.h"
#include "server/respond.h"
#include "server/resume.h"
#include "server/routes.h"
#include "server/server_private.h"

#define OBJECT_MAX ((size_t)128 << 20)
/* Longer than any generation takes that timeouts.total does not end before. */
#define BACKGROUND_MS ((uint64_t)60 * 60 * 1000)

/* ---- The object */

/* What is known of a response when its log has been read. */
struct object {
	struct encoder encoder;
	struct sl_buf text; /* empty: the log does not tell */
	uint64_t seq;       /* of the last entry that was read */
	int failure;
};

typedef void write_object(const struct encoder *e, const struct encoder_entry *in,
			  struct sl_window *w);

static void print_with(struct object *o, write_object *write, const struct encoder_entry *in)
{
	struct sl_window w = sl_window(NULL, 0, SIZE_MAX);
	write(&o->encoder, in, &w);
	size_t n = SIZE_MAX - w.skip;
	o->text.len = 0;
	o->failure = sl_buf_reserve(&o->text, n);
	if (o->failure < 0)
		return;
	w = sl_window(o->text.p, n, 0);
	write(&o->encoder, in, &w);
	o->text.len = w.written;
}

/* A frame of an upstream that speaks Responses: as much of it as is the response. */
static struct sl_slice response_in(const struct encoder_entry *in)
{
	static const char *const types[] = {"response.created",     "response.queued",
					    "response.in_progress", "response.completed",
					    "response.incomplete",  "response.failed"};
	struct json frame = {JSON_OBJECT, in->entry.frame};
	if (in->entry.flags & SL_ENTRY_WHOLE)
		return in->entry.frame;
	struct json type = json_get(frame, "type");
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (json_is(type, types[i]))
			return json_get(frame, "response").raw;
	return SL_LIT("");
}

static void add_entry(struct object *o, const struct encoder_entry *in)
{
	o->seq = in->seq;
	if (in->native && in->entry.frame.n) {
		struct sl_slice told = response_in(in);
		if (told.n) {
			o->text.len = 0;
			o->failure = sl_buf_put_slice(&o->text, told);
		}
	} else if (in->entry.flags & SL_ENTRY_FAILED ||
		   (in->entry.flags & SL_ENTRY_END && (!in->native || in->stopped))) {
		print_with(o, encode_responses_whole, in);
	}
}

/* False: what was to be read next was evicted meanwhile. */
static bool try_to_read(struct exchange *x, struct stream *s, struct object *o)
{
	struct log_cursor c;
	const struct log_entry *e;
	struct encoder_entry in;
	int r;
	log_cursor_init(&c, &s->log, s->log.first_seq);
	while ((r = log_cursor_peek(&c, &e)) == 1 && o->failure == 0) {
		watch_unpack(x->server, s, &o->encoder, e, &in);
		add_entry(o, &in);
		log_cursor_advance(&c, e);
	}
	log_cursor_fini(&c);
	return r >= 0;
}

static void put_pending(const struct encoder *e, const struct encoder_entry *in,
			struct sl_window *w)
{
	encode_responses_pending(e, in->model, in->created, in->seq == 0 ? "queued" : "in_progress",
				 w);
}

static void print_pending(struct object *o, const struct stream *s)
{
	const char *model = s->model;
	int64_t created = s->created;
	print_with(o, put_pending,
		   &(struct encoder_entry){
			   .model = sl_slice_str(model ? model : s->name),
			   .created = created ? created : s->born_unix_s,
			   /* Only whether something has been said counts. */
			   .seq = s->state == STREAM_WAITING ? 0 : 1,
		   });
}

/* The object of a response: as it ended, or that it has not. */
static void respond_object(struct exchange *x, struct stream *s)
{
	struct object o = {.text.max = OBJECT_MAX};
	encoder_init(&o.encoder, FORMAT_RESPONSES, s->id);
	snprintf(x->encoder.stream_id, sizeof(x->encoder.stream_id), "%s", s->id);
	while (o.failure == 0 && !try_to_read(x, s, &o))
		o.text.len = 0;
	stream_was_read(s, o.seq);
	if (o.failure == 0 && o.text.len == 0)
		print_pending(&o, s);
	if (o.failure == 0)
		respond_bytes(x, 200, "application/json", sl_buf_slice(&o.text));
	else
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
	sl_buf_fini(&o.text);
}

/* ---- Routes */

/* By the id that an upstream gave its answer, which has gone on to the client as it came. Rare: all of
 * the caller's streams are looked at. */
static struct stream *stream_of_answer(struct exchange *x, const char *answer_id)
{
	size_t n = 0;
	struct stream **all = stream_table_all(x->server->table, access_owner(x), &n);
	struct stream *found = NULL;
	for (size_t i = 0; i < n; i++) {
		const char *id = all[i]->answer_id;
		if (!found && id && strcmp(id, answer_id) == 0)
			found = stream_ref(all[i]);
		stream_unref(all[i]);
	}
	free(all);
	return found;
}

/* The response that the path names, with a reference for the caller; NULL: a 404 was answered. */
static struct stream *named_response(struct exchange *x)
{
	char id[sizeof(x->param)];
	struct stream *s = responses_stream_id(x->param, id, sizeof(id))
				   ? access_stream(x, sl_slice_str(id))
				   : NULL;
	if (!s)
		s = stream_of_answer(x, x->param);
	if (s && s->client == SL_DIALECT_RESPONSES)
		return s;
	stream_unref(s);
	access_refuse_stream(x);
	return NULL;
}

/* ?starting_after= is the number of an event. False: a 400 was answered. */
static bool read_ordinal(struct exchange *x, struct watch_options *o)
{
	const char *after = exchange_query(x, "starting_after");
	uint64_t n;
	if (!after)
		return true;
	if (stream_seq_parse(sl_slice_str(after), &n) < 0 || n > UINT32_MAX) {
		respond_refusal(x, 400, "invalid_request_error", "invalid_position",
				"starting_after is the sequence_number of an event");
		return false;
	}
	o->by_ordinal = true;
	o->after_ordinal = (int64_t)n;
	return true;
}

/* Goes on behind the event that the request names. */
static void watch_response(struct exchange *x, struct stream *s)
{
	struct watch_options o = {.format = FORMAT_RESPONSES, .any_end = true, .at_once = true};
	if (resume_position(x)) {
		resume_stream(x, s, &o);
		return;
	}
	if (!read_ordinal(x, &o))
		return;
	uint64_t first = s->log.first_seq;
	int64_t seen = o.by_ordinal ? o.after_ordinal : -1;
	if (first > 1 && (int64_t)watch_ordinal(s, first) > seen + 1) {
		resume_refuse_lost(x, s);
		return;
	}
	o.after_seq = first - 1;
	watch_start(x, s, &o);
}

/* Who asks now and then is a viewer too: see stream_touch. */
void handle_response(struct exchange *x)
{
	const char *stream = exchange_query(x, "stream");
	struct stream *s = named_response(x);
	if (!s)
		return;
	if (stream && strcmp(stream, "true") == 0) {
		watch_response(x, s);
	} else {
		stream_touch(s, x->server->loop);
		respond_object(x, s);
	}
	stream_unref(s);
}

void handle_response_cancel(struct exchange *x)
{
	struct stream *s = named_response(x);
	if (!s)
		return;
	stream_stop(s);
	watch_start(x, s,
		    &(struct watch_options){.format = FORMAT_DOCUMENT,
					    .document = respond_object,
					    .any_end = true,
					    .always = true});
	stream_unref(s);
}

/* What it said stays until its time is over, as that of any stream; but as a response it is gone. */
void handle_response_delete(struct exchange *x)
{
	struct sl_buf out;
	struct stream *s = named_response(x);
	if (!s)
		return;
	s->client = STREAM_NO_FRAMES;
	stream_stop(s);
	sl_buf_init(&out, 256);
	if (sl_buf_printf(&out, "{\"id\":\"resp_%s\",\"object\":\"response\",\"deleted\":true}",
			  s->id) == 0)
		respond_bytes(x, 200, "application/json", sl_buf_slice(&out));
	else
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
	sl_buf_fini(&out);
	stream_unref(s);
}

/* ---- background: true */

static void answer_begun(struct exchange *x, struct stream *s, bool fresh, void *arg)
{
	(void)arg;
	if (fresh)
		stream_expect_viewer(s);
	respond_object(x, s);
}

void responses_plan(struct generation *g, struct request_plan *plan)
{
	struct json background = json_get(g->request.body, "background");
	if (g->dialect != SL_DIALECT_RESPONSES || background.type != JSON_TRUE)
		return;
	/* It is our background: an upstream that knew the word would answer before it has an
	 * answer. The new word is as long, so that nothing in the body moves. */
	memcpy(g->body.p + (background.raw.p - g->body.p), "null", 4);
	plan->leave = (struct leave){.what = LEAVE_DETACH, .grace_ms = BACKGROUND_MS};
	if (!g->request.stream)
		plan->answer = answer_begun;
}
