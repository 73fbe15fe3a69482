/* The routes of LLM APIs: from a body to a generation, and on to watching it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "server/access.h"
#include "server/auth.h"
#include "server/references.h"
#include "server/requests.h"
#include "server/respond.h"
#include "server/resume.h"
#include "server/routes.h"
#include "server/server_private.h"
#include "server/watch.h"

#define IDEMPOTENCY_KEY_MAX 255

const struct leave request_comes_back = {.what = LEAVE_DETACH, .grace_ms = 30000};

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
	"idempotency-key",
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
	struct sl_slice key = auth_sent_key(x);
	return key.n ? strndup(key.p, key.n) : NULL;
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

/* Route, API and body: what one idempotency key stands for. */
static uint64_t hash_of(const struct exchange *x, const struct generation *g)
{
	uint64_t h = 14695981039346656037u ^ (uint64_t)g->dialect;
	for (const char *p = x->route->path; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	for (size_t i = 0; i < g->body.len; i++)
		h = (h ^ (unsigned char)g->body.p[i]) * 1099511628211u;
	return h;
}

/* Attaches a repeated request to the stream of its key. True when that is done, or an error was
 * answered. */
static bool attach_by_key(struct exchange *x, struct stream *fresh, const struct generation *g,
			  const char *key, const struct request_plan *plan)
{
	bool same = false;
	/* Each owner has keys of their own; a header's value has no line end. */
	struct sl_buf scoped;
	sl_buf_init(&scoped, 1024);
	sl_buf_printf(&scoped, "%s\n%s", fresh->owner ? fresh->owner : "", key);
	struct stream *there = scoped.p ? stream_table_claim(x->server->table, fresh, scoped.p,
							     hash_of(x, g), &same)
					: NULL;
	sl_buf_fini(&scoped);
	if (!there)
		return false;
	if (same)
		plan->answer(x, there, false, plan->arg);
	else
		respond_refusal(x, 422, "invalid_request_error", "idempotency_key_reused",
				"this Idempotency-Key was used for another request");
	stream_unref(there);
	return true;
}

/* What was asked, and by whom. */
static void put_label(const struct exchange *x, const struct generation *g, struct sl_buf *out)
{
	const char *owner = access_owner(x);
	sl_buf_init(out, 256);
	sl_buf_printf(out, "%s\n\n%" PRIx64, owner ? owner : "", hash_of(x, g));
}

/* True when there is a stream to take over, and it was answered with. */
static bool adopt(struct exchange *x, const struct generation *g, const struct request_plan *plan)
{
	struct sl_buf label;
	put_label(x, g, &label);
	struct stream *s = label.p ? stream_table_adopt(x->server->table, label.p) : NULL;
	sl_buf_fini(&label);
	if (!s)
		return false;
	plan->answer(x, s, false, plan->arg);
	stream_table_adopted(x->server->table, s);
	stream_unref(s);
	return true;
}

void request_watch(struct exchange *x, struct stream *s, bool fresh, void *arg)
{
	(void)fresh;
	watch_start(x, s, arg);
}

/* The model that the request names, or the first of those that its caller may ask for. False: an
 * error was answered. */
static bool choose_model(struct exchange *x, struct generation *g)
{
	const struct access_key *key = x->key;
	if (!key || key->n_models == 0)
		return true;
	if (g->request.model.n == 0) {
		if (request_choose_model(&g->request, sl_slice_str(key->models[0])) == 0)
			return true;
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
		return false;
	}
	if (access_model(x, g->request.model))
		return true;
	struct sl_event error = stream_error(
		403, "invalid_request_error", "model_not_allowed",
		"this key may not ask for that model; GET /v1/models lists those that it may");
	respond_error(x, &error, SL_LIT("model"), SL_LIT(""), 0);
	return false;
}

void request_start(struct exchange *x, struct generation *g, const struct request_plan *plan)
{
	struct leave leave = plan->leave;
	const char *key =
		strcmp(x->method, "POST") == 0 ? exchange_header(x, "Idempotency-Key") : NULL;
	if (key && (!*key || strlen(key) > IDEMPOTENCY_KEY_MAX)) {
		generation_free(g);
		respond_refusal(x, 400, "invalid_request_error", "invalid_header",
				"an Idempotency-Key has 1 to 255 characters");
		return;
	}
	bool adopts = plan->adopts && !key;
	if ((g->kind == GENERATION_POST && !choose_model(x, g)) || (adopts && adopt(x, g, plan))) {
		generation_free(g);
		return;
	}
	/* A key announces a client that comes back. */
	if (key && !x->config->set.streams->leave_is_set)
		leave = request_comes_back;
	struct sl_slice model = g->request.model, none = {0};
	struct stream *s = watch_new_stream(x, leave,
					    g->kind == GENERATION_MODELS ? none
					    : model.p                    ? model
									 : SL_LIT(""));
	if (!s || (key && attach_by_key(x, s, g, key, plan))) {
		generation_free(g);
		stream_unref(s);
		return;
	}
	struct sl_buf label = {0};
	if (adopts && s->leave.what == LEAVE_DETACH)
		put_label(x, g, &label);
	s->client = (int)g->dialect;
	if (references_put(x, s, g))
		x->server->generator->start(x->server->generator, s, g);
	else
		generation_free(g);
	plan->answer(x, s, true, plan->arg);
	/* Not before its own viewer is there: others may ask the same at this moment. */
	if (label.p)
		stream_table_label(x->server->table, s, label.p);
	sl_buf_fini(&label);
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

struct generation *request_of_body(struct exchange *x, enum sl_dialect dialect)
{
	struct generation *g =
		request_generation(x, GENERATION_POST, dialect, x->route->upstream_path);
	if (!g)
		return NULL;
	sl_buf_fini(&g->body);
	g->body = x->body; /* it moves on */
	sl_buf_init(&x->body, g->body.max);
	if (request_read_body(x, g))
		return g;
	generation_free(g);
	return NULL;
}

/* What the clients of an API read. */
static enum format format_of(enum sl_dialect dialect)
{
	switch (dialect) {
	case SL_DIALECT_ANTHROPIC:
		return FORMAT_ANTHROPIC;
	case SL_DIALECT_RESPONSES:
		return FORMAT_RESPONSES;
	case SL_DIALECT_OPENAI_JSON:
	case SL_DIALECT_ANTHROPIC_JSON:
		return FORMAT_WHOLE;
	default:
		return FORMAT_OPENAI;
	}
}

void handle_completion(struct exchange *x)
{
	struct watch_options o = {.format = format_of(x->route->dialect)};
	if (exchange_header(x, "Last-Event-ID"))
		o.hide_usage = !wants_usage(x);
	if (resume_by_position(x, &o))
		return;
	struct generation *g = request_of_body(x, x->route->dialect);
	if (!g)
		return;
	g->whole = !g->request.stream || o.format == FORMAT_WHOLE;
	if (g->whole)
		o.format = FORMAT_WHOLE;
	o.hide_usage = !g->request.include_usage;
	struct request_plan plan = {.leave = x->config->set.streams->when_client_leaves,
				    .answer = request_watch,
				    .arg = &o};
	responses_plan(g, &plan);
	request_start(x, g, &plan);
}

void handle_models(struct exchange *x)
{
	struct generation *g =
		request_generation(x, GENERATION_MODELS, SL_DIALECT_OPENAI_JSON, "/models");
	if (!g)
		return;
	for (size_t i = 0; x->key && i < x->key->n_models; i++) {
		if (sl_buf_printf(&g->models, "%s\n", x->key->models[i]) == 0)
			continue;
		generation_free(g);
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
		return;
	}
	g->whole = true;
	request_start(
		x, g,
		&(struct request_plan){.leave.what = LEAVE_CANCEL,
				       .answer = request_watch,
				       .arg = &(struct watch_options){.format = FORMAT_WHOLE}});
}
