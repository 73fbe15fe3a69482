/* Which upstream answers: from a generation to an answer, with a look at the lists of models where
 * only they can tell. */
#include "upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sluice/error.h>
#include "base/log.h"
#include "upstream/upstream_private.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* These of the client's headers reach every upstream; what else does stands in its forward_headers.
 */
static const char *const always_forwarded[] = {
	"OpenAI-Organization", "OpenAI-Project", "OpenAI-Beta",
	"anthropic-version",   "anthropic-beta", "traceparent",
};

static bool named(struct sl_slice name, const char *what)
{
	return name.n == strlen(what) && strncasecmp(name.p, what, name.n) == 0;
}

static bool is_forwarded(const struct upstream_options *u, struct sl_slice name)
{
	for (size_t i = 0; i < sizeof(always_forwarded) / sizeof(*always_forwarded); i++)
		if (named(name, always_forwarded[i]))
			return true;
	for (size_t i = 0; i < u->n_forward_headers; i++)
		if (named(name, u->forward_headers[i]))
			return true;
	return false;
}

int forwarded_headers(const struct upstream_options *u, struct sl_slice all, struct sl_buf *out)
{
	while (all.n) {
		const char *lf = memchr(all.p, '\n', all.n);
		size_t n = lf ? (size_t)(lf - all.p) + 1 : all.n;
		const char *colon = memchr(all.p, ':', n);
		if (colon && is_forwarded(u, sl_slice(all.p, (size_t)(colon - all.p)))) {
			int r = sl_buf_put(out, all.p, n);
			if (r < 0)
				return r;
		}
		all = sl_slice(all.p + n, all.n - n);
	}
	return 0;
}

struct snapshot *snapshot_new(const struct upstream_set *set)
{
	struct snapshot *s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct snapshot){.refs = 1, .set = *set};
	s->set.holder = set->ref(set->holder);
	return s;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	s->refs++;
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (!s || --s->refs > 0)
		return;
	s->set.unref(s->set.holder);
	free(s);
}

/* A generation that waits for the lists. */
struct pending {
	struct producer producer;
	struct model_wait wait;
	struct upstreams *upstreams;
	struct model_lists *lists;
	struct stream *stream;
	struct generation *generation;
};

static void pending_free(struct pending *p)
{
	model_lists_forget(&p->wait);
	model_lists_unref(p->lists);
	generation_free(p->generation);
	stream_unref(p->stream);
	free(p);
}

static void pending_stop(struct producer *producer)
{
	pending_free(FROM(producer, struct pending, producer));
}

static void pending_pause(struct producer *producer, bool on)
{
	(void)producer, (void)on;
}

static void fail(struct stream *s, int status, const char *type, const char *code,
		 const char *message)
{
	struct sl_event error = stream_error(status, type, code, message);
	stream_fail(s, &error);
}

static void no_such_model(struct stream *s, struct sl_slice model)
{
	char message[256];
	snprintf(message, sizeof(message), "the model '%.*s' does not exist",
		 (int)(model.n < 200 ? model.n : 200), model.p);
	fail(s, 404, "invalid_request_error", "model_not_found", message);
}

static void list_models(struct stream *s, const struct model_lists *lists, struct sl_slice only)
{
	struct sl_buf body;
	sl_buf_init(&body, 16u << 20);
	int r = model_lists_print(lists, only, &body);
	if (r == -SL_E_MISSING) {
		fail(s, 502, "server_error", "upstream_error",
		     "no upstream could be asked for its models");
	} else if (r < 0) {
		fail(s, 500, "server_error", "out_of_memory", "the list of models is too long");
	} else {
		stream_set_frames(s, SL_DIALECT_OPENAI_JSON);
		stream_append(s, &(struct sl_entry){.flags = SL_ENTRY_WHOLE | SL_ENTRY_CONTENT,
						    .frame = sl_buf_slice(&body)});
		stream_append(s, &(struct sl_entry){.flags = SL_ENTRY_END});
	}
	sl_buf_fini(&body);
}

static void lists_ready(struct model_wait *w, struct model_lists *lists)
{
	struct pending *p = FROM(w, struct pending, wait);
	struct stream *s = stream_ref(p->stream);
	struct generation *g = p->generation;
	struct upstreams *u = p->upstreams;
	model_lists_ref(lists);
	p->generation = NULL;
	s->producer = NULL; /* the answer will be it */
	pending_free(p);

	struct sl_slice model = g->request.model;
	struct sl_buf first;
	size_t upstream;
	sl_buf_init(&first, 1024);
	if (g->kind == GENERATION_MODELS)
		list_models(s, lists, sl_buf_slice(&g->models));
	else if (model.n == 0 && model_lists_first(lists, &first, &upstream))
		answer_start(u, s, g, upstream, sl_buf_slice(&first)), g = NULL;
	else if (model.n == 0)
		fail(s, 400, "invalid_request_error", "missing_field",
		     "the request names no model, and no upstream lists one");
	else if (model_lists_find(lists, model, &upstream))
		answer_start(u, s, g, upstream, model), g = NULL;
	else
		no_such_model(s, model);
	sl_buf_fini(&first);
	generation_free(g);
	model_lists_unref(lists);
	stream_unref(s);
}

static void wait_for_lists(struct upstreams *u, struct stream *s, struct generation *g)
{
	struct pending *p = calloc(1, sizeof(*p));
	if (p && !u->lists)
		u->lists = model_lists_new(u->loop, u->multi, u->now);
	if (!p || !u->lists) {
		free(p);
		generation_free(g);
		fail(s, 500, "server_error", "out_of_memory", "out of memory");
		return;
	}
	*p = (struct pending){.producer = {pending_stop, pending_pause},
			      .wait.ready = lists_ready,
			      .upstreams = u,
			      .lists = model_lists_ref(u->lists),
			      .stream = stream_ref(s),
			      .generation = g};
	stream_set_producer(s, &p->producer);
	model_lists_wait(u->lists, &p->wait, g->client_key);
}

static void start(struct generator *self, struct stream *s, struct generation *g)
{
	struct upstreams *u = FROM(self, struct upstreams, generator);
	const struct route_table *routes = u->now->set.routes;
	struct sl_slice model = g->request.model, target;
	size_t upstream;
	if (model.n == 0 && g->kind == GENERATION_POST)
		model = sl_slice_str(route_default_model(routes));
	if (g->kind == GENERATION_MODELS || model.n == 0) {
		wait_for_lists(u, s, g);
		return;
	}
	switch (route_resolve(routes, model, &upstream, &target)) {
	case ROUTE_FOUND:
		answer_start(u, s, g, upstream, target);
		break;
	case ROUTE_BY_LIST:
		wait_for_lists(u, s, g);
		break;
	case ROUTE_UNKNOWN:
		no_such_model(s, model);
		generation_free(g);
		break;
	}
}

struct upstreams *upstreams_new(struct loop *loop, const struct upstream_set *set)
{
	struct upstreams *u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->generator.start = start;
	u->loop = loop;
	u->multi = multi_new(loop);
	u->now = snapshot_new(set);
	if (u->multi && u->now)
		return u;
	multi_free(u->multi);
	snapshot_unref(u->now);
	free(u);
	return NULL;
}

void upstreams_configure(struct upstreams *u, const struct upstream_set *set)
{
	struct snapshot *s = snapshot_new(set);
	if (!s)
		return;
	snapshot_unref(u->now);
	u->now = s;
	model_lists_unref(u->lists);
	u->lists = NULL;
}

void upstreams_free(struct upstreams *u)
{
	if (!u)
		return;
	answers_end(u);
	model_lists_unref(u->lists);
	multi_free(u->multi);
	snapshot_unref(u->now);
	free(u);
}

struct generator *upstreams_generator(struct upstreams *u)
{
	return &u->generator;
}
