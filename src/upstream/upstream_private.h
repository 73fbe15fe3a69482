/* Between the files of this folder. */
#ifndef UPSTREAM_UPSTREAM_PRIVATE_H
#define UPSTREAM_UPSTREAM_PRIVATE_H

#include "upstream/transfer.h"
#include "upstream/upstream.h"

/* A snapshot, counted by those who use it on this worker. */
struct snapshot {
	unsigned refs;
	struct upstream_set set;
};

struct snapshot *snapshot_new(const struct upstream_set *set);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);

struct model_lists;

struct upstreams {
	struct generator generator;
	struct loop *loop;
	struct multi *multi;
	struct snapshot *now;
	struct model_lists *lists; /* of `now` */
	struct answer *answers;    /* all that are under way, lingering ones included */
};

/*
 * The lists of models of the upstreams of one snapshot, fetched when somebody asks and remembered
 * for a minute.
 */
struct model_wait {
	/* The lists are there, as far as they could be had. */
	void (*ready)(struct model_wait *w, struct model_lists *lists);
	struct model_wait *next, **link;
};

struct model_lists *model_lists_new(struct loop *loop, struct multi *multi, struct snapshot *s);
void model_lists_unref(struct model_lists *l);
struct model_lists *model_lists_ref(struct model_lists *l);

/* w->ready is called once, perhaps before this returns. client_key as in struct generation. */
void model_lists_wait(struct model_lists *l, struct model_wait *w, const char *client_key);
void model_lists_forget(struct model_wait *w); /* idempotent */

/* The upstream that lists `model`: 1 and its index; 0 when none does; an upstream that could not be
 * asked counts as one that may, if none other does. */
int model_lists_find(const struct model_lists *l, struct sl_slice model, size_t *upstream);
/* Appends the first model of all to `model`, and gives its upstream. False when there is none. */
bool model_lists_first(const struct model_lists *l, struct sl_buf *model, size_t *upstream);
/* Appends {"object":"list","data":[…]}: the configured names, then what the open upstreams list; of
 * them those in `only` ("name\n"…; empty: all). 0; -SL_E_MISSING when no upstream could be asked
 * and nothing is configured; -SL_E_LIMIT, -SL_E_NOMEM. */
int model_lists_print(const struct model_lists *l, struct sl_slice only, struct sl_buf *out);

/* Which headers of the client reach this upstream; appends them to `out`. */
int forwarded_headers(const struct upstream_options *u, struct sl_slice all, struct sl_buf *out);

/* Starts to answer g (taken) into s from the upstream with that index, asking it for `model`. */
void answer_start(struct upstreams *u, struct stream *s, struct generation *g, size_t upstream,
		  struct sl_slice model);

/* Lets go of the lingering ones; no stream is waiting for an answer any more. */
void answers_end(struct upstreams *u);

#endif
