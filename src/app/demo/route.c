/* From a request to whoever answers it, and errors for the others. */
#include "app/demo/route.h"

#include <string.h>
#include <sluice/error.h>
#include "app/demo/reply.h"

static const struct json_limits body_limits = {.depth = 128, .values = 1000000};

enum action { GENERATE_CHAT, GENERATE_COMPLETION, EMBED, LIST_MODELS };

static const struct route {
	const char *path, *method;
	enum action action;
} routes[] = {{"/v1/chat/completions", "POST", GENERATE_CHAT},
	      {"/v1/completions", "POST", GENERATE_COMPLETION},
	      {"/v1/embeddings", "POST", EMBED},
	      {"/v1/models", "GET", LIST_MODELS}};

static int refuse(const struct demo_request *request, int status, const char *message,
		  const char *allow, struct sl_buf *out)
{
	struct demo_refusal why = {.status = status,
				   .type = "invalid_request_error",
				   .message = message,
				   .allow = allow};
	bool keep_alive = request->keep_alive && request->part == DEMO_COMPLETE;

	return demo_reply_refusal(out, &why, keep_alive);
}

static int generate(const struct demo_request *request, enum demo_api api, struct json body,
		    uint64_t now_us, struct demo_generation *g, struct sl_buf *out)
{
	struct demo_ask ask;
	struct demo_refusal why;

	int r = demo_ask_read(&ask, api, body, &why);
	if (r == 0)
		r = demo_generation_start(g, &ask, request->keep_alive, now_us, out, &why);
	demo_ask_fini(&ask);
	if (r == -SL_E_SYNTAX)
		return demo_reply_refusal(out, &why, request->keep_alive);
	return r < 0 ? r : 1;
}

static int answer_body(const struct demo_request *request, enum action action, uint64_t now_us,
		       struct demo_generation *g, struct sl_buf *out)
{
	struct sl_slice text = sl_buf_slice(&request->body);
	struct json_fault fault;
	struct json body;

	if (json_check(text, body_limits, &fault) < 0 || json_parse(text, &body) < 0)
		return refuse(request, 400, "the body is not valid JSON", NULL, out);
	if (body.type != JSON_OBJECT)
		return refuse(request, 400, "the body must be a JSON object", NULL, out);
	if (action == EMBED)
		return demo_reply_embeddings(out, body, request->keep_alive);
	return generate(request, action == GENERATE_CHAT ? DEMO_CHAT : DEMO_COMPLETION, body,
			now_us, g, out);
}

int demo_route(const struct demo_request *request, uint64_t now_us, struct demo_generation *g,
	       struct sl_buf *out)
{
	if (request->part == DEMO_REFUSED)
		return refuse(request, request->status, "this is not a request that can be read",
			      NULL, out);
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *route = &routes[i];

		if (strcmp(request->path, route->path) != 0)
			continue;
		if (strcmp(request->method, route->method) != 0)
			return refuse(request, 405, "not with this method", route->method, out);
		if (route->action == LIST_MODELS)
			return demo_reply_models(out, request->keep_alive);
		return answer_body(request, route->action, now_us, g, out);
	}
	return refuse(request, 404, "there is nothing at this path", NULL, out);
}
