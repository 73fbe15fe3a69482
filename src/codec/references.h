/*
 * Requests for a response that refer to what is kept of earlier ones: all that they refer to is put in
 * its place, and who reads them finds a whole conversation.
 *
 *	{"type":"item_reference","id"} in `input` ─▶ the item
 *	previous_response_id ─▶ the items of that conversation, in front of those of `input`
 */
#ifndef CODEC_REFERENCES_H
#define CODEC_REFERENCES_H

#include "codec/encode.h"
#include "codec/request.h"

/* A request with more of them is refused. */
#define REFERENCES_MAX 1024

/* The item of a request's input is a reference to another one. */
bool reference_is_one(struct json item);

/* Who knows what is kept. Both append: 1; or 0 and nothing, for what is not there; or, negative,
 * they have failed, with what they have appended so far. */
struct reference_source {
	/* The item of that id. */
	int (*put_item)(void *arg, struct sl_slice item_id, struct sl_buf *out);
	/* All items up to the end of that response, with commas between them. */
	int (*put_conversation)(void *arg, struct sl_slice response_id, struct sl_buf *out);
	void *arg;
};

/* Appends the body with what it refers to. References to what is not there stay as they are. 1; 0:
 * nothing of it was found, and nothing was appended; -SL_E_LIMIT (too many, or out is full),
 * -SL_E_NOMEM. */
int references_resolve(const struct request_info *request, const struct reference_source *source,
		       struct sl_buf *out);

/* Appends the items of an `input`, an array or a text, with commas between them. Results as
 * sl_buf_put. */
int references_put_input(struct json input, struct sl_buf *out);

/* The id of an item that we have made, "fc_<stream>_<part>". */
struct reference_id {
	struct sl_slice prefix, stream;
	uint32_t part;
};
/* False: it is none of ours. */
bool reference_id_parse(struct sl_slice item_id, struct reference_id *id);

/* For sources: what the END or FAILED entry of a composed log says, as in the response's output: one
 * item (0: it has none of that id), or all of them with commas between. 1, -SL_E_LIMIT,
 * -SL_E_NOMEM. */
int reference_put_item(const char *stream_id, const struct encoder_entry *end,
		       const struct reference_id *id, struct sl_buf *out);
int reference_put_output(const char *stream_id, const struct encoder_entry *end,
			 struct sl_buf *out);

#endif
