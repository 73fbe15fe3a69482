/* Decides by name alone: an exact entry of models:, then "*", then (without any models) the
 * upstreams themselves. */
#include "stream/route.h"

#include <stdlib.h>

static const struct route_model *find_model(const struct route_table *t, struct sl_slice name)
{
	for (size_t i = 0; i < t->n_models; i++) {
		if (sl_slice_is(name, t->models[i].name))
			return &t->models[i];
	}
	return NULL;
}

void route_table_fini(struct route_table *t)
{
	for (size_t i = 0; i < t->n_models; i++) {
		for (size_t k = 0; k < t->models[i].n_targets; k++)
			free(t->models[i].targets[k].model);
		free(t->models[i].targets);
		free(t->models[i].name);
	}
	free(t->models);
	for (size_t i = 0; i < t->n_upstreams; i++)
		free(t->upstreams[i]);
	free(t->upstreams);
	*t = (struct route_table){0};
}

static enum route_result resolve_without_models(const struct route_table *t, struct sl_slice model,
						size_t *upstream, struct sl_slice *model_out)
{
	const char *slash = model.n ? memchr(model.p, '/', model.n) : NULL;
	struct sl_slice name;

	if (t->n_upstreams == 0)
		return ROUTE_UNKNOWN;
	if (t->n_upstreams == 1) {
		*upstream = 0;
		*model_out = model;
		return ROUTE_FOUND;
	}
	if (!slash)
		return ROUTE_BY_LIST;
	name = sl_slice(model.p, (size_t)(slash - model.p));
	for (size_t i = 0; i < t->n_upstreams; i++) {
		if (!sl_slice_is(name, t->upstreams[i]) || name.n + 1 == model.n)
			continue;
		*upstream = i;
		*model_out = sl_slice(slash + 1, model.n - name.n - 1);
		return ROUTE_FOUND;
	}
	return ROUTE_BY_LIST; /* many models have a slash in their own names */
}

enum route_result route_resolve(const struct route_table *t, struct sl_slice model,
				size_t *upstream, struct sl_slice *model_out)
{
	const struct route_model *entry;
	const struct route_target *target;

	if (t->n_models == 0)
		return resolve_without_models(t, model, upstream, model_out);
	entry = find_model(t, model);
	if (!entry)
		entry = find_model(t, SL_LIT("*"));
	if (!entry || entry->n_targets == 0)
		return ROUTE_UNKNOWN;
	target = &entry->targets[0];
	*upstream = target->upstream;
	*model_out = target->model ? sl_slice_str(target->model) : model;
	return ROUTE_FOUND;
}

const char *route_default_model(const struct route_table *t)
{
	for (size_t i = 0; i < t->n_models; i++) {
		if (strcmp(t->models[i].name, "*") != 0)
			return t->models[i].name;
	}
	return NULL;
}

bool route_open_upstream(const struct route_table *t, size_t *upstream, bool *all)
{
	const struct route_model *rest;

	if (t->n_models == 0) {
		if (t->n_upstreams == 0)
			return false;
		*upstream = 0;
		*all = true;
		return true;
	}
	rest = find_model(t, SL_LIT("*"));
	if (!rest || rest->n_targets == 0)
		return false;
	*upstream = rest->targets[0].upstream;
	*all = false;
	return true;
}
