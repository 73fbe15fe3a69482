/* Which upstream serves which model: pure decisions, no network. Immutable once built. */
#ifndef STREAM_ROUTE_H
#define STREAM_ROUTE_H

#include <stddef.h>
#include <stdbool.h>
#include <sluice/slice.h>

struct route_target {
	size_t upstream; /* index into the configuration's upstreams */
	char *model;     /* what to ask it for; NULL: the client's name unchanged */
};

struct route_model {
	char *name;                   /* what clients ask for; "*" = everything else */
	struct route_target *targets; /* in order of preference */
	size_t n_targets;
};

struct route_table {
	struct route_model *models; /* in the order of the file */
	size_t n_models;
	char **upstreams; /* their names, by index */
	size_t n_upstreams;
};

/* Frees what the table holds. Accepts zeroes. */
void route_table_fini(struct route_table *t);

enum route_result {
	ROUTE_FOUND,
	ROUTE_UNKNOWN, /* no such model: 404 model_not_found */
	ROUTE_BY_LIST, /* no models are configured and there are several upstreams: it goes to the
			  one that lists it */
};

/* Where does `model` go? An exact name first, then "*". Without any models: the only upstream; with
 * several, "name/model" names the upstream, and anything else is ROUTE_BY_LIST. *model_out is what
 * to ask the upstream for (into the table or into `model`). */
enum route_result route_resolve(const struct route_table *t, struct sl_slice model,
				size_t *upstream, struct sl_slice *model_out);

/* The model of a request that names none: the first of models: that is not "*"; NULL where only an
 * upstream's list can tell. */
const char *route_default_model(const struct route_table *t);

/* The upstream whose list of models stands for "everything else": that of "*", or, without any
 * models, all of them
 * (*all true). false when everything that can be asked for is named in the table. */
bool route_open_upstream(const struct route_table *t, size_t *upstream, bool *all);

#endif
