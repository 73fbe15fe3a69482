/*
 * Lists of models: each upstream is asked at most once a minute, all at once, and whoever waits is
 * told when the last has answered.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/clock.h"
#include "base/log.h"
#include "codec/json.h"
#include "upstream/api.h"
#include "upstream/upstream_private.h"

#define FRESH_MS       60000
#define TIMEOUT_MS     10000
#define LIST_MAX       (4u << 20)
#define NAME_MAX_BYTES 512

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct list {
	struct transfer_handler handler;
	struct model_lists *all;
	struct transfer *transfer; /* under way; NULL */
	struct sl_buf body, fresh; /* what is known; what is being read */
	bool known;
};

struct model_lists {
	unsigned refs;
	struct loop *loop;
	struct multi *multi;
	struct snapshot *config;
	struct timer timeout;
	struct model_wait *waiting;
	uint64_t fetched_ms; /* 0: never */
	unsigned under_way;
	struct list list[];
};

static void give_up(struct timer *t);

struct model_lists *model_lists_new(struct loop *loop, struct multi *multi, struct snapshot *s)
{
	struct model_lists *l = calloc(1, sizeof(*l) + s->set.n * sizeof(l->list[0]));
	if (!l)
		return NULL;
	*l = (struct model_lists){.refs = 1,
				  .loop = loop,
				  .multi = multi,
				  .config = snapshot_ref(s),
				  .timeout.fire = give_up};
	for (size_t i = 0; i < s->set.n; i++) {
		l->list[i].all = l;
		sl_buf_init(&l->list[i].body, LIST_MAX);
		sl_buf_init(&l->list[i].fresh, LIST_MAX);
	}
	return l;
}

struct model_lists *model_lists_ref(struct model_lists *l)
{
	l->refs++;
	return l;
}

static void stop_asking(struct model_lists *l)
{
	for (size_t i = 0; i < l->config->set.n; i++) {
		if (l->list[i].transfer)
			transfer_cancel(l->list[i].transfer);
		l->list[i].transfer = NULL;
	}
	l->under_way = 0;
	loop_stop_timer(l->loop, &l->timeout);
}

void model_lists_unref(struct model_lists *l)
{
	if (!l || --l->refs > 0)
		return;
	assert(!l->waiting);
	stop_asking(l);
	for (size_t i = 0; i < l->config->set.n; i++) {
		sl_buf_fini(&l->list[i].body);
		sl_buf_fini(&l->list[i].fresh);
	}
	snapshot_unref(l->config);
	free(l);
}

static void tell_waiting(struct model_lists *l)
{
	loop_stop_timer(l->loop, &l->timeout);
	model_lists_ref(l);
	while (l->waiting) {
		struct model_wait *w = l->waiting;
		model_lists_forget(w);
		w->ready(w, l);
	}
	model_lists_unref(l);
}

static void one_less(struct model_lists *l)
{
	if (--l->under_way > 0)
		return;
	l->fetched_ms = l->loop->now_ms;
	tell_waiting(l);
}

static void give_up(struct timer *t)
{
	struct model_lists *l = FROM(t, struct model_lists, timeout);
	stop_asking(l);
	l->fetched_ms = l->loop->now_ms;
	tell_waiting(l);
}

static void head(struct transfer_handler *h, struct transfer *t)
{
	(void)h, (void)t;
}

static void body(struct transfer_handler *h, struct transfer *t, const char *bytes, size_t n)
{
	struct list *one = FROM(h, struct list, handler);
	if (sl_buf_put(&one->fresh, bytes, n) < 0) {
		one->transfer = NULL;
		transfer_cancel(t);
		one_less(one->all);
	}
}

/* The array of models in an upstream's answer: {"data":[…]}, {"models":[…]} or a bare array;
 * JSON_NONE when it is no list. */
static struct json models_of(const struct sl_buf *body)
{
	struct json top;
	if (body->len == 0 || json_parse(sl_buf_slice(body), &top) < 0)
		return (struct json){0};
	struct json data = top;
	if (top.type == JSON_OBJECT)
		data = json_get(top, "data");
	if (data.type == JSON_NONE)
		data = json_get(top, "models");
	return data.type == JSON_ARRAY ? data : (struct json){0};
}

static void done(struct transfer_handler *h, struct transfer *t, enum transfer_result result,
		 const char *why)
{
	struct list *one = FROM(h, struct list, handler);
	size_t i = (size_t)(one - one->all->list);
	one->transfer = NULL;
	bool good = result == TRANSFER_OK && transfer_status(t) == 200 &&
		    models_of(&one->fresh).type == JSON_ARRAY;
	sl_buf_fini(&one->body);
	one->known = good;
	if (good) {
		one->body = one->fresh;
		sl_buf_init(&one->fresh, LIST_MAX);
	} else {
		sl_buf_fini(&one->fresh);
		log_event(LOG_WARN, "models_unknown",
			  {"upstream", LOG_STR(one->all->config->set.list[i].name)},
			  {"status", LOG_INT(result == TRANSFER_OK ? transfer_status(t) : 0)},
			  {"why", LOG_STR(why)});
	}
	one_less(one->all);
}

static bool is_open(const struct model_lists *l, size_t i)
{
	size_t upstream;
	bool all;
	if (!route_open_upstream(l->config->set.routes, &upstream, &all))
		return false;
	return all || upstream == i;
}

void model_lists_wait(struct model_lists *l, struct model_wait *w, const char *client_key)
{
	w->next = l->waiting;
	w->link = &l->waiting;
	if (w->next)
		w->next->link = &w->next;
	l->waiting = w;
	if (l->under_way)
		return;
	if (l->fetched_ms && l->loop->now_ms - l->fetched_ms < FRESH_MS) {
		tell_waiting(l);
		return;
	}
	model_lists_ref(l);
	l->under_way = 1; /* ours: nobody is told before all are asked */
	for (size_t i = 0; i < l->config->set.n; i++) {
		const struct upstream_options *o = &l->config->set.list[i];
		struct list *one = &l->list[i];
		if (!is_open(l, i) || !api_of(o->api)->models)
			continue;
		one->handler = (struct transfer_handler){head, body, done};
		one->fresh.len = 0;
		one->transfer =
			transfer_start(l->multi,
				       &(struct transfer_request){
					       .upstream = o,
					       .path = api_of(o->api)->models,
					       .key = o->key_from_client ? client_key : o->key,
					       .connect_ms = l->config->set.timeouts.connect_ms},
				       &one->handler);
		if (one->transfer)
			l->under_way++;
	}
	loop_set_timer(l->loop, &l->timeout, TIMEOUT_MS);
	one_less(l);
	model_lists_unref(l);
}

void model_lists_forget(struct model_wait *w)
{
	if (!w->link)
		return;
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->link = NULL;
}

/* What a model is asked for by: OpenAI and Anthropic call it id, Ollama model, Gemini names it
 * "models/x". Appended unescaped; false when it has none. */
static bool put_id(struct json model, struct sl_buf *out)
{
	static const char *const names[] = {"id", "model", "name"};
	struct sl_slice prefix = SL_LIT("models/");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct json name = json_get(model, names[i]);
		if (name.type != JSON_STRING || json_string(name, out, NULL) < 0 || out->len == 0)
			continue;
		if (i == 2 && sl_slice_starts(sl_buf_slice(out), prefix.p))
			sl_buf_consume(out, prefix.n);
		return out->len > 0;
	}
	return false;
}

/* Calls back for each model that is listed: (its object, its id unescaped, its upstream); true from
 * `see` ends the walk. */
static bool each_model(const struct model_lists *l,
		       bool (*see)(void *arg, struct json model, struct sl_slice id,
				   size_t upstream),
		       void *arg)
{
	struct sl_buf id;
	sl_buf_init(&id, NAME_MAX_BYTES);
	bool found = false;
	for (size_t i = 0; !found && i < l->config->set.n; i++) {
		struct json_walk w;
		struct json model;
		struct json models =
			l->list[i].known ? models_of(&l->list[i].body) : (struct json){0};
		if (models.type != JSON_ARRAY)
			continue;
		json_walk_init(&w, models);
		while (!found && json_walk_next(&w, &(struct sl_slice){0}, &model) == 1) {
			id.len = 0;
			if (model.type == JSON_OBJECT && put_id(model, &id))
				found = see(arg, model, sl_buf_slice(&id), i);
		}
	}
	sl_buf_fini(&id);
	return found;
}

struct search {
	struct sl_slice wanted; /* empty: any */
	struct sl_buf *found;   /* gets the id; NULL: it is known */
	size_t upstream;
};

static bool is_wanted(void *arg, struct json model, struct sl_slice id, size_t upstream)
{
	struct search *s = arg;
	(void)model;
	if (s->wanted.n && !sl_slice_eq(s->wanted, id))
		return false;
	s->upstream = upstream;
	return !s->found || sl_buf_put_slice(s->found, id) == 0;
}

int model_lists_find(const struct model_lists *l, struct sl_slice model, size_t *upstream)
{
	struct search s = {.wanted = model};
	if (model.n && each_model(l, is_wanted, &s)) {
		*upstream = s.upstream;
		return 1;
	}
	for (size_t i = 0; i < l->config->set.n; i++)
		if (is_open(l, i) && !l->list[i].known) {
			*upstream = i;
			return 1;
		}
	return 0;
}

bool model_lists_first(const struct model_lists *l, struct sl_buf *model, size_t *upstream)
{
	struct search s = {.found = model};
	if (!each_model(l, is_wanted, &s))
		return false;
	*upstream = s.upstream;
	return true;
}

struct printing {
	const struct model_lists *lists;
	struct sl_buf *out;
	struct sl_buf seen;   /* hashes of the names so far */
	struct sl_slice only; /* these names; empty: all */
	bool any;
};

/* Whether a list of "name\n"… has that name. */
static bool is_in(struct sl_slice names, struct sl_slice name)
{
	const char *end = names.p + names.n, *lf;
	for (const char *p = names.p; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (!lf)
			return false;
		if (sl_slice_eq(sl_slice(p, (size_t)(lf - p)), name))
			return true;
	}
	return false;
}

static bool is_shown(const struct printing *p, struct sl_slice name)
{
	return p->only.n == 0 || is_in(p->only, name);
}

static uint64_t hash_of(struct sl_slice s)
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
	return h;
}

/* The first upstream that has a name serves it; the others' are not to be reached and not listed.
 */
static bool is_new(struct printing *p, struct sl_slice id)
{
	uint64_t h = hash_of(id), other;
	for (size_t at = 0; at < p->seen.len; at += sizeof(h)) {
		memcpy(&other, p->seen.p + at, sizeof(h));
		if (other == h)
			return false;
	}
	return sl_buf_put(&p->seen, (const char *)&h, sizeof(h)) == 0;
}

/* A model in OpenAI's words. */
static void put_model(struct sl_buf *out, struct sl_slice id, const char *owner)
{
	sl_buf_put_str(out, "{\"id\":");
	sl_buf_put_json_string(out, id);
	sl_buf_printf(out, ",\"object\":\"model\",\"created\":%" PRId64 ",\"owned_by\":\"%s\"}",
		      clock_unix_ms() / 1000, owner);
}

static bool print_model(void *arg, struct json model, struct sl_slice id, size_t upstream)
{
	struct printing *p = arg;
	if (!is_new(p, id) || !is_shown(p, id))
		return false;
	if (p->any)
		sl_buf_putc(p->out, ',');
	if (json_get(model, "object").type == JSON_STRING)
		sl_buf_put_slice(p->out, model.raw);
	else
		put_model(p->out, id, p->lists->config->set.list[upstream].name);
	p->any = true;
	return false;
}

int model_lists_print(const struct model_lists *l, struct sl_slice only, struct sl_buf *out)
{
	const struct route_table *t = l->config->set.routes;
	struct printing p = {.lists = l, .out = out, .only = only};
	sl_buf_init(&p.seen, LIST_MAX);
	bool known = false, open = false;
	sl_buf_put_str(out, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < t->n_models; i++) {
		if (sl_slice_is(SL_LIT("*"), t->models[i].name))
			continue;
		is_new(&p, sl_slice_str(t->models[i].name));
		known = true;
		if (!is_shown(&p, sl_slice_str(t->models[i].name)))
			continue;
		if (p.any)
			sl_buf_putc(out, ',');
		put_model(out, sl_slice_str(t->models[i].name), "sluice");
		p.any = true;
	}
	for (size_t i = 0; i < l->config->set.n; i++) {
		open |= is_open(l, i) && api_of(l->config->set.list[i].api)->models;
		known |= l->list[i].known;
	}
	each_model(l, print_model, &p);
	sl_buf_fini(&p.seen);
	return open && !known ? -SL_E_MISSING : sl_buf_put_str(out, "]}");
}
