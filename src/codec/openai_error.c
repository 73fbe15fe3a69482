/* The error body of the OpenAI routes, before a stream and within one. */
#include <sluice/error.h>
#include "codec/encode.h"
#include "codec/json.h"
#include "codec/window_json.h"

/* SDKs choose their exception by status, people read the type: it is never left out. */
static struct sl_slice type_of(const struct sl_event *error)
{
	if (error->s[1].n)
		return error->s[1];
	if (error->n0 == 429)
		return SL_LIT("rate_limit_error");
	if (error->n0 >= 400 && error->n0 < 500)
		return SL_LIT("invalid_request_error");
	return SL_LIT("server_error");
}

static void put_or_null(struct sl_window *w, struct sl_slice s)
{
	if (s.n)
		window_put_json_string(w, s);
	else
		window_put_str(w, "null");
}

static void put_param(struct sl_window *w, struct sl_slice ours, struct json theirs)
{
	if (!ours.n && theirs.type == JSON_STRING)
		sl_window_put(w, theirs.raw);
	else
		put_or_null(w, ours);
}

static bool is_ours(struct sl_slice key)
{
	return sl_slice_is(key, "message") || sl_slice_is(key, "type") ||
	       sl_slice_is(key, "param") || sl_slice_is(key, "code") || sl_slice_is(key, "partial");
}

static void put_others(struct sl_window *w, struct json object)
{
	struct json_walk walk;
	struct json value;
	struct sl_slice key;

	json_walk_init(&walk, object);
	while (json_walk_next(&walk, &key, &value) == 1) {
		if (is_ours(key))
			continue;
		window_put_str(w, ",\"");
		sl_window_put(w, key);
		window_put_str(w, "\":");
		sl_window_put(w, value.raw);
	}
}

void openai_put_error(const struct sl_event *error, struct sl_slice param, bool partial,
		      struct sl_window *w)
{
	struct json theirs = {0};

	if (error->s[3].n > 0 && json_parse(error->s[3], &theirs) < 0)
		theirs = (struct json){0};
	window_put_str(w, "{\"error\":{\"message\":");
	window_put_json_string(w, error->s[0].n ? error->s[0] : SL_LIT("the upstream failed"));
	window_put_str(w, ",\"type\":");
	window_put_json_string(w, type_of(error));
	window_put_str(w, ",\"param\":");
	put_param(w, param, json_get(theirs, "param"));
	window_put_str(w, ",\"code\":");
	put_or_null(w, error->s[2]);
	if (theirs.type == JSON_OBJECT)
		put_others(w, theirs);
	window_put_str(w, partial ? ",\"partial\":true}}" : "}}");
}

int openai_error_body(const struct sl_event *error, struct sl_slice param, bool partial,
		      struct sl_buf *out)
{
	size_t start = out->len, skip = 0;
	struct sl_window w;
	char piece[1024];
	int r;

	do {
		w = sl_window(piece, sizeof(piece), skip);
		openai_put_error(error, param, partial, &w);
		r = sl_buf_put(out, piece, w.written);
		if (r < 0) {
			out->len = start;
			return r;
		}
		skip += w.written;
	} while (w.cut);
	return 0;
}
