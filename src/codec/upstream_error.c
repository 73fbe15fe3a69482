/* Reads errors. What an upstream says is untrusted text: it is bounded, and it must not carry the
 * proxy's key to a client. */
#include "codec/upstream_error.h"

#include <stdio.h>
#include <sluice/error.h>
#include <sluice/reader.h>
#include "codec/error_excerpt.h"
#include "codec/error_status.h"
#include "codec/utf8.h"

#define TEXT_MAX \
	(UPSTREAM_ERROR_MESSAGE_MAX + 2 * UPSTREAM_ERROR_WORD_MAX + UPSTREAM_ERROR_OBJECT_MAX)

void upstream_error_fini(struct upstream_error *e)
{
	sl_buf_fini(&e->text);
	*e = (struct upstream_error){0};
}

/* All memory is taken here, so that slices into text stay where they are and nothing later can
 * fail. */
static int begin(struct upstream_error *e, int status)
{
	if (!e->text.max)
		sl_buf_init(&e->text, TEXT_MAX);
	e->text.len = 0;
	e->event = (struct sl_event){.kind = SL_EVENT_ERROR, .n0 = status};
	return sl_buf_reserve(&e->text, TEXT_MAX) < 0 ? -SL_E_NOMEM : 0;
}

/* The longest start of s that has at most max bytes and ends with a character. */
static struct sl_slice cut(struct sl_slice s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && (s.p[max] & 0xc0) == 0x80)
		max--;
	return sl_slice(s.p, max);
}

static void set(struct upstream_error *e, int which, struct sl_slice s)
{
	static const size_t max[] = {UPSTREAM_ERROR_MESSAGE_MAX, UPSTREAM_ERROR_WORD_MAX,
				     UPSTREAM_ERROR_WORD_MAX, UPSTREAM_ERROR_OBJECT_MAX};

	if (which == 0)
		s = cut(s, max[0]);
	if (s.n > max[which])
		return;
	e->event.s[which] = sl_slice(e->text.p + e->text.len, s.n);
	sl_buf_put_slice(&e->text, s);
}

int upstream_error_say(struct upstream_error *e, const char *code, const char *message)
{
	int r = begin(e, 502);

	if (r < 0)
		return r;
	set(e, 0, sl_slice_str(message));
	set(e, 1, SL_LIT("upstream_error"));
	set(e, 2, sl_slice_str(code));
	return 0;
}

int upstream_error_copy(struct upstream_error *e, const struct sl_event *from)
{
	int r = begin(e, (int)from->n0);

	if (r < 0)
		return r;
	for (int i = 0; i < 4; i++)
		set(e, i, from->s[i]);
	return 0;
}

bool upstream_error_is_set(struct json value)
{
	switch (value.type) {
	case JSON_NONE:
	case JSON_NULL:
	case JSON_FALSE:
		return false;
	case JSON_STRING:
		return value.raw.n > 2;
	case JSON_NUMBER:
		return !sl_slice_is(value.raw, "0");
	default:
		return true;
	}
}

struct json upstream_error_described(struct json error, struct json object)
{
	bool is_flag = error.type == JSON_TRUE || error.type == JSON_NUMBER;
	struct json found = is_flag ? upstream_error_find(object) : error;

	return found.type == JSON_NONE ? object : found;
}

struct json upstream_error_find(struct json object)
{
	struct json detail = json_get(object, "detail");

	if (json_is(json_get(object, "object"), "error"))
		return object;
	if (detail.type == JSON_STRING || detail.type == JSON_ARRAY || detail.type == JSON_OBJECT)
		return detail;
	if (json_get(object, "message").type == JSON_STRING ||
	    json_get(object, "msg").type == JSON_STRING)
		return object;
	return (struct json){0};
}

/* Appends a string unescaped, any other value as it stands. */
static int put_value(struct sl_buf *out, struct json v)
{
	return v.type == JSON_STRING ? json_string(v, out, NULL) : sl_buf_put_slice(out, v.raw);
}

/* What a validator of FastAPI writes for each member that it refuses:
 * {"loc":["body","n"],"msg":"…"}. */
static int put_refusal(struct sl_buf *out, struct json refusal)
{
	struct json msg = json_get(refusal, "msg"), at;
	struct json message = json_get(refusal, "message");
	struct json_walk w;
	struct sl_slice key;
	const char *between = "";
	int r = out->len ? sl_buf_put_str(out, "; ") : 0;

	json_walk_init(&w, json_get(refusal, "loc"));
	while (r == 0 && json_walk_next(&w, &key, &at) == 1) {
		r = sl_buf_put_str(out, between);
		if (r == 0)
			r = put_value(out, at);
		between = ".";
	}
	if (r == 0 && *between)
		r = sl_buf_put_str(out, ": ");
	if (msg.type == JSON_NONE)
		msg = message.type == JSON_STRING ? message : refusal;
	return r == 0 ? put_value(out, msg) : r;
}

static int put_message(struct sl_buf *out, struct json v)
{
	static const char *const names[] = {
		"message", "Message", "msg", "detail", "error", "title", "error_description",
	};
	struct json_walk w;
	struct json item;
	struct sl_slice key;
	int r = 0;

	if (v.type == JSON_ARRAY) {
		json_walk_init(&w, v);
		while (r == 0 && json_walk_next(&w, &key, &item) == 1)
			r = put_refusal(out, item);
		return r;
	}
	if (v.type != JSON_OBJECT)
		return put_value(out, v);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		item = json_get(v, names[i]);
		if (item.type == JSON_STRING && item.raw.n > 2)
			return put_value(out, item);
	}
	item = json_get(v, "message");
	return put_value(out, item.type == JSON_OBJECT || item.type == JSON_ARRAY ? item : v);
}

/* `type` and `code`; a number is good as its digits. */
static int set_word(struct upstream_error *e, int which, struct json v, struct sl_buf *word)
{
	int r;

	if (v.type != JSON_STRING && v.type != JSON_NUMBER)
		return 0;
	word->len = 0;
	r = put_value(word, v);
	if (r == 0)
		set(e, which, sl_buf_slice(word));
	return r;
}

/* A number among the members that stands for an HTTP status, or 0. Some write it as a string. */
static int status_of_numbers(struct json object)
{
	static const char *const names[] = {"code", "status", "status_code"};
	int64_t n;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct json number = json_get(object, names[i]);

		if (number.type == JSON_STRING && number.raw.n == 5)
			(void)json_parse(sl_slice(number.raw.p + 1, 3), &number);
		if (number.type == JSON_NUMBER && json_int(number, &n) == 0 && n >= 400 && n <= 599)
			return (int)n;
	}
	return 0;
}

/* For an error within a 2xx response: its numbers, else its words, the more special ones first. */
static int status_of_object(const struct upstream_error *e, struct json object,
			    struct sl_buf *scratch)
{
	struct json word = json_get(object, "status");
	int status = status_of_numbers(object);

	if (!status)
		status = error_status_of_word(e->event.s[2]);
	scratch->len = 0;
	if (!status && word.type == JSON_STRING && put_value(scratch, word) == 0)
		status = error_status_of_word(sl_buf_slice(scratch));
	return status ? status : error_status_of_word(e->event.s[1]);
}

/* The upstream refused a key that was the proxy's own. Its words may hold a part of that key, so
 * they end here. */
static int say_auth(struct upstream_error *e, int http_status)
{
	char message[80];

	snprintf(message, sizeof(message), "the upstream refused the proxy's key (HTTP %d)",
		 http_status);
	return upstream_error_say(e, SL_CODE_AUTH, message);
}

/* Google calls it status. */
static struct json type_of(struct json object)
{
	struct json type = json_get(object, "type"), status = json_get(object, "status");

	return type.type == JSON_NONE && status.type == JSON_STRING ? status : type;
}

/* http_status 0: not known, the error tells. */
static int take_value(struct upstream_error *e, int http_status, struct json v, bool client_key)
{
	struct json inner = json_get(v, "error");
	struct sl_buf text = {.max = SIZE_MAX};
	int r = begin(e, 0);

	if (inner.type == JSON_OBJECT && json_get(v, "message").type != JSON_STRING)
		v = inner; /* wrapped twice */
	if (r == 0)
		r = put_message(&text, v);
	if (r == 0)
		set(e, 0, sl_buf_slice(&text));
	if (r == 0 && v.type == JSON_OBJECT) {
		r = set_word(e, 1, type_of(v), &text);
		if (r == 0)
			r = set_word(e, 2, json_get(v, "code"), &text);
		if (r == 0)
			set(e, 3, v.raw);
		if (!http_status)
			http_status = status_of_object(e, v, &text);
	}
	sl_buf_fini(&text);
	if (r < 0)
		return -SL_E_NOMEM;
	if (!client_key && (http_status == 401 || http_status == 403))
		return say_auth(e, http_status);
	e->event.n0 = error_status_of_http(http_status);
	return 0;
}

int upstream_error_take(struct upstream_error *e, struct json value, bool client_key)
{
	return take_value(e, 0, value, client_key);
}

/* The text as one line of valid UTF-8. */
static int put_clean(struct sl_buf *out, struct sl_slice text)
{
	if (utf8_clean(text, out) < 0)
		return -SL_E_NOMEM;
	for (size_t i = 0; i < out->len; i++) {
		if (out->p[i] == '\n' || out->p[i] == '\r')
			out->p[i] = ' ';
	}
	return 0;
}

/* Clean text: an object that describes the error, or words. */
static int take_described(struct upstream_error *e, int http_status, struct sl_slice text,
			  bool client_key)
{
	char excerpt[ERROR_EXCERPT_MAX];
	struct json json;
	int r;

	if (json_parse(text, &json) == 0 && json.type == JSON_OBJECT)
		return take_value(e, http_status, json, client_key);
	if (!client_key && (http_status == 401 || http_status == 403))
		return say_auth(e, http_status);
	r = begin(e, error_status_of_http(http_status));
	if (r == 0)
		set(e, 0, error_excerpt(text, excerpt));
	return r;
}

int upstream_error_take_named(struct upstream_error *e, struct sl_slice type, struct sl_slice text,
			      bool client_key)
{
	struct sl_buf clean = {.max = SIZE_MAX};
	int r = put_clean(&clean, text);

	if (r == 0)
		r = take_described(e, error_status_of_word(type), sl_buf_slice(&clean), client_key);
	if (r == 0 && e->event.s[1].n == 0 && utf8_valid_prefix(type) == type.n)
		set(e, 1, type);
	if (r == 0 && e->event.s[0].n == 0)
		set(e, 0, e->event.s[1].n ? e->event.s[1] : SL_LIT("the upstream failed"));
	sl_buf_fini(&clean);
	return r;
}

/* The value that describes the error in a JSON body, whichever it is. */
static struct json error_in_body(struct json body)
{
	struct json error, item;
	struct json_walk w;
	struct sl_slice key;

	if (body.type == JSON_ARRAY) { /* Gemini wraps its error so when it was to send an array */
		json_walk_init(&w, body);
		if (json_walk_next(&w, &key, &item) == 1 && item.type == JSON_OBJECT)
			body = item;
	}
	if (body.type != JSON_OBJECT)
		return body;
	error = json_get(body, "error");
	if (upstream_error_is_set(error))
		return upstream_error_described(error, body);
	error = upstream_error_find(body);
	return error.type == JSON_NONE ? body : error;
}

static int take_excerpt(struct upstream_error *e, int http_status, struct sl_slice body)
{
	char message[64 + ERROR_EXCERPT_MAX];
	int n = snprintf(message, sizeof(message), "the upstream answered with HTTP status %d",
			 http_status);
	char excerpt[ERROR_EXCERPT_MAX];
	struct sl_slice text = error_excerpt(body, excerpt);
	int r = begin(e, error_status_of_http(http_status));

	if (r < 0)
		return r;
	if (text.n)
		n += snprintf(message + n, sizeof(message) - (size_t)n, ": %.*s", (int)text.n,
			      text.p);
	set(e, 0, sl_slice(message, (size_t)n));
	return 0;
}

/* A clean body: valid UTF-8, one line. */
static int take_clean_body(struct upstream_error *e, int http_status, struct sl_slice body,
			   bool client_key)
{
	struct json json;

	if (json_parse(body, &json) < 0)
		return take_excerpt(e, http_status, body);
	json = error_in_body(json);
	if (json.type == JSON_NULL || json.raw.n <= 2)
		return take_excerpt(e, http_status, (struct sl_slice){0});
	return take_value(e, http_status, json, client_key);
}

/* What the first event says of a body that is an event stream; else the body as it is. */
static struct sl_slice event_data(struct sl_slice body)
{
	struct sl_slice left = body;
	const char *end;
	struct json json;

	while (sl_slice_starts(left, "event:") || sl_slice_starts(left, ":") ||
	       sl_slice_starts(left, "\n")) {
		end = memchr(left.p, '\n', left.n);
		if (!end)
			return body;
		left = sl_slice(end + 1, left.n - (size_t)(end + 1 - left.p));
	}
	if (!sl_slice_starts(left, "data:"))
		return body;
	left = sl_slice(left.p + 5, left.n - 5);
	end = memchr(left.p, '\n', left.n);
	if (end && json_parse(sl_slice(left.p, (size_t)(end - left.p)), &json) == 0)
		left.n = (size_t)(end - left.p);
	return left;
}

/* Google calls a wrong key a bad request. */
static bool is_about_key(int http_status, struct sl_slice body)
{
	static const char reason[] = "\"API_KEY_INVALID\"";

	return http_status == 401 || http_status == 403 ||
	       (http_status == 400 && body.n &&
		memmem(body.p, body.n, reason, sizeof(reason) - 1) != NULL);
}

int upstream_error_take_body(struct upstream_error *e, int http_status, struct sl_slice body,
			     bool client_key)
{
	struct sl_buf clean = {.max = SIZE_MAX};
	int r;

	if (http_status >= 300 && http_status < 400)
		return upstream_error_say(e, SL_CODE_REDIRECT,
					  "the upstream answered with a redirection, which the "
					  "proxy does not follow");
	if (!client_key && is_about_key(http_status, body))
		return say_auth(e, http_status);
	r = put_clean(&clean, event_data(body));
	if (r == 0)
		r = take_clean_body(e, http_status, sl_buf_slice(&clean), client_key);
	sl_buf_fini(&clean);
	return r;
}

int upstream_error_take_text(struct upstream_error *e, struct sl_slice text)
{
	struct sl_buf clean = {.max = SIZE_MAX};
	char excerpt[ERROR_EXCERPT_MAX];
	int r = begin(e, 502);

	if (r == 0)
		r = put_clean(&clean, text);
	if (r == 0)
		set(e, 0, error_excerpt(sl_buf_slice(&clean), excerpt));
	sl_buf_fini(&clean);
	return r;
}
