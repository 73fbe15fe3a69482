/* /ask, the shortest way in: a prompt as it stands, by curl or EventSource. */
#include <string.h>
#include <strings.h>
#include "server/format.h"
#include "server/requests.h"
#include "server/respond.h"
#include "server/resume.h"
#include "server/routes.h"
#include "server/server_private.h"

/* The prompt: the body as it stands (curl -d sends it as a form, which it is not), or ?q=. */
static struct sl_slice prompt_of(const struct exchange *x)
{
	return x->body.len ? sl_buf_slice(&x->body) : sl_slice_str(exchange_query(x, "q"));
}

void handle_ask(struct exchange *x)
{
	struct watch_options o = {0};
	const char *type = exchange_header(x, "Content-Type");
	if (!format_choose(x, &o.format))
		return;
	o.hide_usage = o.format == FORMAT_OPENAI; /* nobody asked for that chunk */
	if (resume_by_position(x, &o))
		return;
	if (type && strncasecmp(type, "multipart/", 10) == 0) {
		respond_refusal(x, 415, "invalid_request_error", "unsupported_media_type",
				"send the question as plain text: curl -d 'why is the sky blue'");
		return;
	}
	struct sl_slice prompt = prompt_of(x);
	if (prompt.n == 0) {
		respond_refusal(
			x, 400, "invalid_request_error", "missing_prompt",
			"ask something: curl -N HOST/ask -d 'why is the sky blue', or /ask?q=…");
		return;
	}
	struct generation *g =
		request_generation(x, GENERATION_POST, x->route->dialect, x->route->upstream_path);
	if (!g)
		return;
	if (request_for_prompt(sl_slice_str(exchange_query(x, "model")),
			       sl_slice_str(exchange_query(x, "system")), prompt, &g->body) < 0) {
		generation_free(g);
		respond_refusal(x, 413, "invalid_request_error", "request_too_large",
				"the question is too long");
		return;
	}
	if (!request_read_body(x, g)) {
		generation_free(g);
		return;
	}
	const struct stream_options *streams = x->config->set.streams;
	bool waits = o.format == FORMAT_EVENTS && !streams->leave_is_set;
	request_start(x, g,
		      &(struct request_plan){.leave = waits ? request_comes_back
							    : streams->when_client_leaves,
					     .adopts = o.format == FORMAT_EVENTS,
					     .answer = request_watch,
					     .arg = &o});
}
