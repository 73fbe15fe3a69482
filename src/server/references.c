/*
 * From the id of an item or a response to what the end of its stream says.
 *
 *	fc_<stream>_<part> ─▶ the part in the last entry of that stream, as an item
 *	resp_<stream>      ─▶ stream->input, and all parts of the last entry
 */
#include "server/references.h"

#include <sluice/error.h>
#include "codec/references.h"
#include "server/access.h"
#include "server/server_private.h"
#include "server/watch.h"

/* A response that has ended, and how. */
struct ended {
	struct stream *stream;
	struct log_cursor cursor;
	struct encoder_entry entry;
};

/* The caller's response of that stream. False: there is none such, or it has not ended; or it is in
 * the words of an upstream that speaks Responses, whose ids are not ours. */
static bool find_ended(struct exchange *x, struct sl_slice id, struct ended *r)
{
	struct stream *s = access_stream(x, id);
	const struct log_entry *last;
	struct encoder e;
	if (!s)
		return false;
	log_cursor_init(&r->cursor, &s->log, s->log.next_seq - 1);
	if (s->client == SL_DIALECT_RESPONSES && s->frames == STREAM_NO_FRAMES &&
	    s->log.next_seq > 1 && log_cursor_peek(&r->cursor, &last) == 1 &&
	    last->flags & (SL_ENTRY_END | SL_ENTRY_FAILED)) {
		encoder_init(&e, FORMAT_RESPONSES, s->id);
		watch_unpack(x->server, s, &e, last, &r->entry);
		r->stream = s;
		return true;
	}
	log_cursor_fini(&r->cursor);
	stream_unref(s);
	return false;
}

static void let_go(struct ended *r)
{
	log_cursor_fini(&r->cursor);
	stream_unref(r->stream);
}

static int put_item(void *arg, struct sl_slice item_id, struct sl_buf *out)
{
	struct reference_id id;
	struct ended r;
	if (!reference_id_parse(item_id, &id) || !find_ended(arg, id.stream, &r))
		return 0;
	int result = reference_put_item(r.stream->id, &r.entry, &id, out);
	let_go(&r);
	return result;
}

/* A response that failed is nothing to go on from. */
static bool is_whole(const struct ended *r)
{
	return r->entry.entry.flags & SL_ENTRY_END && r->stream->input.len;
}

static int put_conversation(void *arg, struct sl_slice response_id, struct sl_buf *out)
{
	struct sl_slice prefix = SL_LIT("resp_");
	struct ended r;
	if (!sl_slice_starts(response_id, prefix.p) ||
	    !find_ended(arg, sl_slice(response_id.p + prefix.n, response_id.n - prefix.n), &r))
		return 0;
	int result = 0;
	if (is_whole(&r)) {
		size_t before = out->len;
		result = sl_buf_put_slice(out, sl_buf_slice(&r.stream->input));
		if (result == 0)
			result = sl_buf_putc(out, ',');
		size_t behind = out->len;
		if (result == 0)
			result = reference_put_output(r.stream->id, &r.entry, out);
		if (result == 1 && out->len == behind)
			out->len--; /* it said nothing */
		if (result < 0)
			out->len = before;
	}
	let_go(&r);
	return result;
}

/* Reads the body that g has now as one that says what it asks for. */
static int read_again(struct exchange *x, struct generation *g, struct request_fault *fault)
{
	const struct server_options *o = x->config->set.options;
	struct request_info was = g->request;
	g->request = (struct request_info){0};
	int r = request_parse(
		sl_buf_slice(&g->body), g->dialect,
		(struct json_limits){.depth = o->json_depth, .values = o->json_values}, &g->request,
		fault);
	if (r == 0 && !sl_slice_eq(was.model, g->request.model)) /* it was chosen meanwhile */
		r = request_choose_model(&g->request, was.model);
	request_info_fini(&was);
	return r;
}

static void refuse(struct stream *s, int r, const struct request_fault *fault)
{
	struct sl_event error = stream_error(500, "server_error", "out_of_memory", "out of memory");
	if (fault->code)
		error = stream_error(400, "invalid_request_error", fault->code, fault->message);
	else if (r == -SL_E_LIMIT)
		error = stream_error(
			413, "invalid_request_error", "request_too_large",
			"with all that it refers to the request is larger than it may be");
	stream_fail(s, &error);
}

bool references_put(struct exchange *x, struct stream *s, struct generation *g)
{
	struct reference_source source = {put_item, put_conversation, x};
	struct request_fault fault = {0};
	struct sl_buf body;
	if (g->kind != GENERATION_POST || g->dialect != SL_DIALECT_RESPONSES)
		return true;
	sl_buf_init(&body, g->body.max);
	int r = references_resolve(&g->request, &source, &body);
	if (r == 1) {
		struct sl_buf was = g->body;
		g->body = body;
		body = was;
		r = read_again(x, g, &fault);
	}
	sl_buf_fini(&body);
	if (r < 0)
		refuse(s, r, &fault);
	return r >= 0;
}
