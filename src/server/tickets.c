/* POST /v1/streams/{id}/ticket: the caller's own stream, for somebody who has no key. */
#include <inttypes.h>
#include <sluice/error.h>
#include "base/clock.h"
#include "codec/json.h"
#include "server/access.h"
#include "server/guard.h"
#include "server/respond.h"
#include "server/routes.h"
#include "server/server_private.h"
#include "stream/options.h"

#define TTL_DEFAULT_MS (5 * 60 * 1000)
#define TTL_MIN_MS     1000
#define TTL_MAX_MS     (24 * 60 * 60 * 1000)
#define TTL_CHARS_MAX  32

static bool refuse(struct exchange *x, int status, const char *code, const char *message,
		   struct sl_slice param)
{
	struct sl_event error = stream_error(status, "invalid_request_error", code, message);
	respond_error(x, &error, param, SL_LIT(""), 0);
	return false;
}

static bool read_duration(struct json value, uint64_t *ms)
{
	struct sl_buf text;
	sl_buf_init(&text, TTL_CHARS_MAX);
	bool good = json_string(value, &text, NULL) == 0 &&
		    duration_parse(sl_buf_slice(&text), ms) == 0 && *ms >= TTL_MIN_MS &&
		    *ms <= TTL_MAX_MS;
	sl_buf_fini(&text);
	return good;
}

/* {"ttl":"5m"}, or nothing at all. False: an error was answered. */
static bool read_ttl(struct exchange *x, uint64_t *ms)
{
	const struct server_options *o = x->config->set.options;
	struct json_fault fault;
	struct json body, ttl;
	*ms = TTL_DEFAULT_MS;
	if (x->body.len == 0)
		return true;
	if (!guard_has_json_type(x))
		return refuse(x, 415, "unsupported_media_type",
			      "send JSON with the header Content-Type: application/json",
			      SL_LIT(""));
	if (json_check(sl_buf_slice(&x->body),
		       (struct json_limits){.depth = o->json_depth, .values = o->json_values},
		       &fault) < 0)
		return refuse(x, 400, fault.code, fault.what, SL_LIT(""));
	if (json_parse(sl_buf_slice(&x->body), &body) < 0 || body.type != JSON_OBJECT)
		return refuse(x, 400, "invalid_type",
			      "the body is a JSON object, as in {\"ttl\":\"5m\"}", SL_LIT(""));
	ttl = json_get(body, "ttl");
	if (ttl.type == JSON_NONE || read_duration(ttl, ms))
		return true;
	return refuse(x, 400, "invalid_ttl",
		      "ttl is a duration from 1s to 24h, as in {\"ttl\":\"5m\"}", SL_LIT("ttl"));
}

void handle_ticket(struct exchange *x)
{
	uint64_t ttl_ms;
	int64_t expires;
	struct sl_buf out;
	struct stream *s = access_stream(x, sl_slice_str(x->param));
	if (!s) {
		access_refuse_stream(x);
		return;
	}
	if (!read_ttl(x, &ttl_ms)) {
		stream_unref(s);
		return;
	}
	sl_buf_init(&out, 1024);
	sl_buf_put_str(&out, "{\"url\":\"");
	int r = access_print_ticketed_url(x, s->id, ttl_ms, &expires, &out);
	if (r == 0)
		r = sl_buf_printf(&out, "\",\"expires_at\":%" PRId64 "}\n", expires);
	if (r == 0)
		respond_bytes(x, 200, "application/json", sl_buf_slice(&out));
	else
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
	sl_buf_fini(&out);
	stream_unref(s);
}
