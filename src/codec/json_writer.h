/*
 * Writes JSON into a buffer; commas come by themselves. Failures are kept: one look at `failure`
 * at the end is enough.
 *
 *	json_writer_object(&w);
 *	json_writer_key(&w, "model");
 *	json_writer_string(&w, model);
 *	json_writer_close(&w);
 */
#ifndef CODEC_JSON_WRITER_H
#define CODEC_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/buf.h>
#include "codec/json.h"

#define JSON_WRITER_DEPTH 32

struct json_writer {
	struct sl_buf *out; /* appended to */
	int failure;        /* 0, -SL_E_LIMIT or -SL_E_NOMEM: the first one */
	/* private */
	unsigned depth;
	bool after_key;
	char close[JSON_WRITER_DEPTH]; /* } or ] */
	bool any[JSON_WRITER_DEPTH];   /* something stands there already */
};

void json_writer_init(struct json_writer *w, struct sl_buf *out);

/* Each of these is a value: an element of the open array, or what belongs to the key before. */
void json_writer_object(struct json_writer *w); /* opens one */
void json_writer_array(struct json_writer *w);
void json_writer_raw(struct json_writer *w, struct sl_slice json);
void json_writer_token(struct json_writer *w, struct json token);     /* NONE: null */
void json_writer_string(struct json_writer *w, struct sl_slice text); /* escapes it */
void json_writer_int(struct json_writer *w, int64_t n);
void json_writer_bool(struct json_writer *w, bool b);

void json_writer_close(struct json_writer *w); /* the innermost that is open */

void json_writer_key(struct json_writer *w, const char *name);        /* needs no escapes */
void json_writer_raw_key(struct json_writer *w, struct sl_slice key); /* escaped already */

/* A string in pieces, which are escaped already: chars as they stand within JSON strings. */
void json_writer_open_string(struct json_writer *w);
void json_writer_chars(struct json_writer *w, struct sl_slice chars);
void json_writer_close_string(struct json_writer *w);

/* Members: key and value; nothing when there is no token. */
void json_writer_member(struct json_writer *w, const char *name, struct json token);
void json_writer_member_string(struct json_writer *w, const char *name, struct sl_slice text);

#endif
