/*
 * Reads a body that is no stream, once it is complete:
 *
 *	BODY_ERROR ─▶ FAILED
 *	BODY_WHOLE ─▶ the body as it came ─▶ END
 *	BODY_JSON ──▶ chunks ─▶ their usage, if there is one ─▶ END
 */
#include <sluice/error.h>
#include "codec/reader_impl.h"

/* Adds what was fed to the body. 0, or -SL_E_NOMEM. */
static int collect(struct sl_reader *r)
{
	size_t n = r->in_len;
	int result;

	if (r->mode == MODE_BODY_ERROR && n > r->body.max - r->body.len)
		n = r->body.max - r->body.len;
	result = sl_buf_put(&r->body, r->in, n);
	r->in_len = 0;
	if (result == -SL_E_LIMIT)
		r->too_long = true;
	return result == -SL_E_NOMEM ? result : 0;
}

static int give_error_body(struct sl_reader *r, struct sl_entry *entry)
{
	struct upstream_error *error = &r->decoded.error;
	int result =
		upstream_error_take_body(error, r->status, sl_buf_slice(&r->body), r->client_key);

	return result < 0 ? result : reader_give_failed(r, error, entry);
}

static int give_bad_body(struct sl_reader *r, struct sl_entry *entry)
{
	if (r->faulty)
		return reader_give_fault(r, entry);
	if (r->body.len == 0)
		return reader_say_failed(r, SL_CODE_INCOMPLETE,
					 "the upstream answered with nothing", entry);
	return reader_say_failed(r, SL_CODE_BAD_FRAME,
				 "the upstream answered with something that is no answer", entry);
}

static bool has_failed(int verdict)
{
	return verdict == VERDICT_FAILED || verdict == VERDICT_ENTRY_FAILED;
}

/* The events of a complete body are those of the chunks that it unfolds to. */
static int decode_whole(struct sl_reader *r, struct json object)
{
	struct message m;
	int result = 0;

	if (r->dialect->unfold)
		result = r->dialect->unfold(object, &r->chunk, NULL);
	if (result < 0)
		return result;
	if (result == 0)
		return reader_decode(r, &(struct message){.data = sl_buf_slice(&r->body)});
	decoded_reset(&r->decoded);
	while (result >= 0 && !has_failed(result) && reader_next_line(r, &m))
		result = r->dialect->decode(r->state, &m, &r->decoded);
	return result;
}

static int give_whole(struct sl_reader *r, struct sl_entry *entry)
{
	struct json object;
	int result;

	if (r->step++ == 1)
		return reader_give_end(r, entry);
	decoded_reset(&r->decoded);
	result = decoded_line(&r->decoded, sl_buf_slice(&r->body), &object);
	if (result == 0)
		return give_bad_body(r, entry);
	if (result == 1)
		result = decode_whole(r, object);
	if (result < 0 || has_failed(result))
		return reader_give(r, result, entry);
	r->decoded.flags &= (unsigned)~SL_ENTRY_USAGE_ONLY;
	r->decoded.flags |= SL_ENTRY_WHOLE;
	r->decoded.frame = sl_buf_slice(&r->body);
	return reader_give(r, VERDICT_ENTRY, entry);
}

/* An error in a 2xx body, or something unknown. */
static int give_refusal(struct sl_reader *r, struct json object, struct sl_entry *entry)
{
	struct upstream_error *error = &r->decoded.error;
	struct json found = json_get(object, "error");
	int result;

	if (upstream_error_is_set(found))
		found = upstream_error_described(found, object);
	else
		found = upstream_error_find(object);
	if (found.type == JSON_NONE)
		return give_bad_body(r, entry);
	result = upstream_error_take(error, found, r->client_key);
	return result < 0 ? result : reader_give_failed(r, error, entry);
}

/* 1: r->chunk holds the body's lines; 0: it is no answer. */
static int unfold(struct sl_reader *r, struct json object)
{
	int result = r->dialect->unfold ? r->dialect->unfold(object, &r->chunk, &r->usage) : 0;

	if (result == 1 && r->usage.len > 0) {
		result = sl_buf_putc(&r->chunk, '\n');
		if (result == 0)
			result = sl_buf_put_slice(&r->chunk, sl_buf_slice(&r->usage));
		return result < 0 ? result : 1;
	}
	return result;
}

/* A JSON body where a stream was asked for: chunks, the usage, the end. */
static int give_json(struct sl_reader *r, struct sl_entry *entry)
{
	struct json object;
	struct message m;
	int result;

	if (r->step == 0) {
		decoded_reset(&r->decoded);
		result = decoded_line(&r->decoded, decoded_unwrap(sl_buf_slice(&r->body)), &object);
		if (result == 0)
			return give_bad_body(r, entry);
		if (result == 1 && upstream_error_is_set(json_get(object, "error")))
			return give_refusal(r, object, entry);
		if (result == 1)
			result = unfold(r, object);
		if (result == 0)
			return give_refusal(r, object, entry);
		if (result < 0)
			return result;
		r->step = 1;
	}
	while (reader_next_line(r, &m)) {
		result = reader_give(r, reader_decode(r, &m), entry);
		if (result != 0)
			return result;
	}
	return reader_give_end(r, entry);
}

int reader_next_of_body(struct sl_reader *r, struct sl_entry *entry)
{
	int result = collect(r);

	if (result < 0)
		return result;
	if (r->too_long)
		return reader_say_failed(r, SL_CODE_FRAME_TOO_BIG,
					 "the upstream sent a body larger than the limit", entry);
	if (!r->finished)
		return 0;
	if (r->mode == MODE_BODY_ERROR)
		return give_error_body(r, entry);
	return r->mode == MODE_BODY_WHOLE ? give_whole(r, entry) : give_json(r, entry);
}
