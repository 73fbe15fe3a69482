/* The error body of the Anthropic routes, before a stream and within one. */
#include <sluice/error.h>
#include "codec/encode.h"
#include "codec/error_status.h"
#include "codec/prompt.h"
#include "codec/window_json.h"

static const struct {
	const char *type;
	int status;
} types[] = {
	{"invalid_request_error", 400}, {"authentication_error", 401},
	{"billing_error", 402},         {"permission_error", 403},
	{"not_found_error", 404},       {"timeout_error", 408},
	{"conflict_error", 409},        {"request_too_large", 413},
	{"rate_limit_error", 429},      {"api_error", 500},
	{"overloaded_error", 503},      {"timeout_error", 504},
	{"overloaded_error", 529},
};
#define N_TYPES (sizeof(types) / sizeof(*types))

static bool is_known(int64_t status)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (types[i].status == status)
			return true;
	}
	return false;
}

/* Its own words stay where they mean the status (one of them is everybody's); all else is told by the
 * status. */
static struct sl_slice type_of(const struct sl_event *error)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (sl_slice_is(error->s[1], types[i].type) &&
		    (error->n0 == types[i].status || !is_known(error->n0)))
			return error->s[1];
	}
	for (size_t i = 0; i < N_TYPES; i++) {
		if (error->n0 == types[i].status)
			return sl_slice_str(types[i].type);
	}
	return error->n0 >= 400 && error->n0 < 500 ? SL_LIT("invalid_request_error")
						   : SL_LIT("api_error");
}

/* By these its packages know what they can mend themselves. */
static void put_details(const struct sl_event *error, struct sl_window *w)
{
	struct json theirs, details = {0};

	if (error->s[3].n > 0 && json_parse(error->s[3], &theirs) == 0)
		details = json_get(theirs, "details");
	if (sl_slice_is(error->s[2], PROMPT_THREAD_NOT_FOUND))
		details = (struct json){JSON_OBJECT,
					SL_LIT("{\"error_code\":\"" PROMPT_THREAD_NOT_FOUND "\"}")};
	if (details.type != JSON_OBJECT)
		return;
	window_put_str(w, ",\"details\":");
	sl_window_put(w, details.raw);
}

void anthropic_put_error(const struct sl_event *error, struct sl_slice request_id, bool partial,
			 struct sl_window *w)
{
	window_put_str(w, "{\"type\":\"error\",\"error\":{\"type\":");
	window_put_json_string(w, type_of(error));
	window_put_str(w, ",\"message\":");
	window_put_json_string(w, error->s[0].n ? error->s[0] : SL_LIT("the upstream failed"));
	if (error->s[2].n) {
		window_put_str(w, ",\"code\":");
		window_put_json_string(w, error->s[2]);
	}
	put_details(error, w);
	window_put_str(w, partial ? ",\"partial\":true}" : "}");
	if (request_id.n) {
		window_put_str(w, ",\"request_id\":");
		window_put_json_string(w, request_id);
	}
	window_put_str(w, "}");
}
