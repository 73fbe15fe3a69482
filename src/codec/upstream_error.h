/*
 * What an upstream says when it refuses or fails, in whatever shape, as one SL_EVENT_ERROR.
 *
 *	{"error":{…}}  {"error":"…"}  {"detail":…}  {"message","code"}  {"object":"error",…}
 *	text  HTML  nothing
 */
#ifndef CODEC_UPSTREAM_ERROR_H
#define CODEC_UPSTREAM_ERROR_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/event.h>
#include "codec/json.h"

/* Bounds on what of an upstream's words goes on; a message is cut at the end of a character. */
#define UPSTREAM_ERROR_MESSAGE_MAX 4096
#define UPSTREAM_ERROR_WORD_MAX    128  /* type, code: a longer one is left out */
#define UPSTREAM_ERROR_OBJECT_MAX  4096 /* s[3]: a longer object is left out */

/* Zeroes are a valid empty one. */
struct upstream_error {
	struct sl_event event; /* its slices lie in text */
	struct sl_buf text;
};

void upstream_error_fini(struct upstream_error *e);

/* All of the following fill in e->event anew. 0, or -SL_E_NOMEM. */

/* In the proxy's own words: type "upstream_error", status 502. */
int upstream_error_say(struct upstream_error *e, const char *code, const char *message);

/* Somebody else's SL_EVENT_ERROR, within our bounds. */
int upstream_error_copy(struct upstream_error *e, const struct sl_event *from);

/* An error that was found in a 2xx response: `value` is the object or string that describes it. It
 * must be valid UTF-8. */
int upstream_error_take(struct upstream_error *e, struct json value, bool client_key);

/* The same for an error whose type stands outside of it, as a word; any bytes. `text` is an object
 * that describes it, or bare text. */
int upstream_error_take_named(struct upstream_error *e, struct sl_slice type, struct sl_slice text,
			      bool client_key);

/* The body of a response with another status than 2xx; any bytes, also none. */
int upstream_error_take_body(struct upstream_error *e, int http_status, struct sl_slice body,
			     bool client_key);

/* An error in a 2xx response that is bare text; any bytes. */
int upstream_error_take_text(struct upstream_error *e, struct sl_slice text);

/* Whether an `error` member means one: JavaScript clients ask `if (data.error)`. */
bool upstream_error_is_set(struct json value);

/* What describes an error that stands set in a member of `object`: true and numbers say only that
 * there is one, its words stand beside them. */
struct json upstream_error_described(struct json error, struct json object);

/* Finds in an object without `error` what else is known to describe one: {"object":"error"},
 * {"detail":…} or a flat {"message"}. Type JSON_NONE when there is nothing of the kind. */
struct json upstream_error_find(struct json object);

#endif
