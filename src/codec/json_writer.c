/* JSON text, value by value. */
#include "codec/json_writer.h"

#include <assert.h>
#include <inttypes.h>

void json_writer_init(struct json_writer *w, struct sl_buf *out)
{
	*w = (struct json_writer){.out = out};
}

static void note(struct json_writer *w, int r)
{
	if (r < 0 && w->failure == 0)
		w->failure = r;
}

static void put(struct json_writer *w, struct sl_slice s)
{
	note(w, sl_buf_put_slice(w->out, s));
}

/* What stands between the last value and the next one. */
static void begin(struct json_writer *w)
{
	if (w->after_key)
		w->after_key = false;
	else if (w->depth > 0) {
		if (w->any[w->depth - 1])
			put(w, SL_LIT(","));
		w->any[w->depth - 1] = true;
	}
}

static void open(struct json_writer *w, struct sl_slice bracket, char close)
{
	begin(w);
	put(w, bracket);
	assert(w->depth < JSON_WRITER_DEPTH);
	w->close[w->depth] = close;
	w->any[w->depth++] = false;
}

void json_writer_object(struct json_writer *w)
{
	open(w, SL_LIT("{"), '}');
}

void json_writer_array(struct json_writer *w)
{
	open(w, SL_LIT("["), ']');
}

void json_writer_close(struct json_writer *w)
{
	assert(w->depth > 0);
	w->depth--;
	put(w, sl_slice(&w->close[w->depth], 1));
}

void json_writer_raw(struct json_writer *w, struct sl_slice json)
{
	begin(w);
	put(w, json);
}

void json_writer_token(struct json_writer *w, struct json token)
{
	json_writer_raw(w, token.type == JSON_NONE ? SL_LIT("null") : token.raw);
}

void json_writer_string(struct json_writer *w, struct sl_slice text)
{
	begin(w);
	note(w, sl_buf_put_json_string(w->out, text));
}

void json_writer_int(struct json_writer *w, int64_t n)
{
	begin(w);
	note(w, sl_buf_printf(w->out, "%" PRId64, n));
}

void json_writer_bool(struct json_writer *w, bool b)
{
	json_writer_raw(w, b ? SL_LIT("true") : SL_LIT("false"));
}

void json_writer_raw_key(struct json_writer *w, struct sl_slice key)
{
	begin(w);
	put(w, SL_LIT("\""));
	put(w, key);
	put(w, SL_LIT("\":"));
	w->after_key = true;
}

void json_writer_key(struct json_writer *w, const char *name)
{
	json_writer_raw_key(w, sl_slice_str(name));
}

void json_writer_open_string(struct json_writer *w)
{
	json_writer_raw(w, SL_LIT("\""));
}

void json_writer_chars(struct json_writer *w, struct sl_slice chars)
{
	put(w, chars);
}

void json_writer_close_string(struct json_writer *w)
{
	put(w, SL_LIT("\""));
}

void json_writer_member(struct json_writer *w, const char *name, struct json token)
{
	if (token.type == JSON_NONE)
		return;
	json_writer_key(w, name);
	json_writer_token(w, token);
}

void json_writer_member_string(struct json_writer *w, const char *name, struct sl_slice text)
{
	json_writer_key(w, name);
	json_writer_string(w, text);
}
