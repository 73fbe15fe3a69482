/* The OpenAI routes: from a body to a generation, and on to watching it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "server/requests.h"
#include "server/respond.h"
#include "server/routes.h"
#include "server/server_private.h"
#include "server/watch.h"

/* Never kept for upstreams: what is about this connection, and credentials, which have a way of
 * their own. */
static const char *const own_headers[] = {
	"authorization",
	"x-api-key",
	"api-key",
	"cookie",
	"host",
	"connection",
	"keep-alive",
	"te",
	"trailer",
	"upgrade",
	"transfer-encoding",
	"content-length",
	"content-type",
	"content-encoding",
	"accept",
	"accept-encoding",
	"expect",
	"proxy-authorization",
	"proxy-connection",
	"last-event-id",
	"origin",
	"referer",
};

static enum MHD_Result keep_header(void *cls, enum MHD_ValueKind kind, const char *key,
				   const char *value)
{
	struct sl_buf *out = cls;
	(void)kind;
	for (size_t i = 0; i < sizeof(own_headers) / sizeof(*own_headers); i++)
		if (strcasecmp(own_headers[i], key) == 0)
			return MHD_YES;
	if (value && strlen(key) + strlen(value) < 2000)
		sl_buf_printf(out, "%s: %s\n", key, value);
	return MHD_YES;
}

static char *client_key(const struct exchange *x)
{
	const char *bearer = exchange_header(x, "Authorization");
	const char *key = exchange_header(x, "x-api-key");
	if (bearer && strncasecmp(bearer, "Bearer ", 7) == 0)
		key = bearer + 7;
	return key ? strdup(key) : NULL;
}

struct generation *request_generation(struct exchange *x, enum generation_kind kind,
				      enum sl_dialect dialect, const char *path)
{
	struct generation *g = generation_new(kind, dialect, path);
	if (!g) {
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
		return NULL;
	}
	MHD_get_connection_values(x->conn->mhd, MHD_HEADER_KIND, keep_header, &g->headers);
	g->client_key = client_key(x);
	return g;
}

bool request_read_body(struct exchange *x, struct generation *g)
{
	const struct server_options *o = x->config->set.options;
	struct request_fault fault = {0};
	int r = request_parse(
		sl_buf_slice(&g->body), g->dialect,
		(struct json_limits){.depth = o->json_depth, .values = o->json_values}, &g->request,
		&fault);
	if (r == 0)
		return true;
	struct sl_event error =
		stream_error(400, "invalid_request_error", fault.code, fault.message);
	respond_error(x, &error, sl_slice_str(fault.param), SL_LIT(""), 0);
	return false;
}

void request_start(struct exchange *x, struct generation *g, struct leave leave,
		   struct watch_options *o)
{
	struct stream *s = watch_new_stream(x, leave);
	if (!s) {
		generation_free(g);
		return;
	}
	s->name = strndup(g->request.model.p ? g->request.model.p : "", g->request.model.n);
	x->server->generator->start(x->server->generator, s, g);
	watch_start(x, s, o);
	stream_unref(s);
}

/* Whether the request asks for the usage chunk, as far as it can be read: who comes back to a
 * stream need not send it again. */
static bool wants_usage(const struct exchange *x)
{
	const struct server_options *o = x->config->set.options;
	struct request_info info = {0};
	struct request_fault fault = {0};
	bool wants = request_parse(
			     sl_buf_slice(&x->body), x->route->dialect,
			     (struct json_limits){.depth = o->json_depth, .values = o->json_values},
			     &info, &fault) == 0 &&
		     info.include_usage;
	request_info_fini(&info);
	return wants;
}

void handle_completion(struct exchange *x)
{
	struct watch_options o = {.format = FORMAT_OPENAI};
	if (exchange_header(x, "Last-Event-ID"))
		o.hide_usage = !wants_usage(x);
	if (watch_resume(x, &o))
		return;
	struct generation *g =
		request_generation(x, GENERATION_POST, x->route->dialect, x->route->upstream_path);
	if (!g)
		return;
	sl_buf_fini(&g->body);
	g->body = x->body; /* it moves on */
	sl_buf_init(&x->body, g->body.max);
	if (!request_read_body(x, g)) {
		generation_free(g);
		return;
	}
	g->whole = !g->request.stream || g->dialect == SL_DIALECT_OPENAI_JSON;
	o.format = g->whole ? FORMAT_WHOLE : FORMAT_OPENAI;
	o.hide_usage = !g->request.include_usage;
	request_start(x, g, x->config->set.streams->when_client_leaves, &o);
}

void handle_models(struct exchange *x)
{
	struct generation *g =
		request_generation(x, GENERATION_MODELS, SL_DIALECT_OPENAI_JSON, "/models");
	if (!g)
		return;
	g->whole = true;
	request_start(x, g, (struct leave){.what = LEAVE_CANCEL},
		      &(struct watch_options){.format = FORMAT_WHOLE});
}
