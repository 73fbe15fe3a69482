/*
 * All streams of the process by their id: the live ones, and the ended ones that are kept for those
 * who come back. Any thread; one lock, held for a few instructions.
 */
#ifndef STREAM_TABLE_H
#define STREAM_TABLE_H

#include <pthread.h>
#include "stream/stream.h"

#define STREAM_TABLE_BUCKETS 4096

struct stream_table {
	pthread_mutex_t lock;
	struct stream *bucket[STREAM_TABLE_BUCKETS];
	struct stream *key_bucket[STREAM_TABLE_BUCKETS]; /* those with an idempotency key */
	struct stream *oldest, *newest;                  /* ended ones */
	uint32_t n_live, n_ended;
	uint32_t count_max;
	_Atomic uint64_t keep_ms, idempotency_keep_ms;
	_Atomic uint32_t watching; /* viewers of all streams, also of channels */
	struct log_budget budget;
};

void stream_table_init(struct stream_table *t, const struct stream_options *o);
/* All streams must have ended and nobody may hold a reference any more. */
void stream_table_fini(struct stream_table *t);

/* Takes over changed limits. What exceeds them now is evicted as far as it has ended. */
void stream_table_configure(struct stream_table *t, const struct stream_options *o);

/* A new stream that runs on `loop`, in the table; the caller holds a reference. `owner` (copied;
 * NULL: nobody) is whose it is, `name` (copied) what it is called in logs and lists: the model as
 * the client named it; NULL: it is in no list. Ended streams make room, oldest first. NULL with
 * *error: -SL_E_BUSY when live ones alone fill the count or the memory, -SL_E_NOMEM. */
struct stream *stream_new(struct stream_table *t, struct loop *loop, const struct stream_options *o,
			  const char *owner, struct sl_slice name, int *error);

/* The stream of that id with a reference for the caller, or NULL. Whether it may be shown is the
 * caller's to ask (stream->owner). */
struct stream *stream_find(struct stream_table *t, struct sl_slice id);

/*
 * One answer for one idempotency key: makes `fresh`, which has not begun, the stream of `key`,
 * unless there is one already. NULL: fresh is it now. Else the one that is there, with a reference
 * for the caller; *same tells whether the same was asked, and fresh has left the table (the caller
 * gives back its own reference). Atomic: of two at once one wins. Without memory the key is not
 * remembered.
 */
struct stream *stream_table_claim(struct stream_table *t, struct stream *fresh, const char *key,
				  uint64_t request_hash, bool *same);

/*
 * For clients that come back without having learned the name of what they began: they were cut off
 * before the first word of it. label: what was asked, and by whom; no idempotency key is like it.
 */
/* s, which has just been made, can be found by that label; any number of streams may have the same.
 */
void stream_table_label(struct stream_table *t, struct stream *s, const char *label);
/* One of those that nobody watches and nobody has read a word of, unless it failed, with a
 * reference for the caller, who attaches a viewer and then says so; NULL. Nobody else gets it in
 * between. */
struct stream *stream_table_adopt(struct stream_table *t, const char *label);
void stream_table_adopted(struct stream_table *t, struct stream *s);

/* All streams of that owner (NULL: nobody's) that are called something, each with a reference for
 * the caller, as an array for free(). NULL without memory. */
struct stream **stream_table_all(struct stream_table *t, const char *owner, size_t *n);

/* Any stream of this owner that has not ended, with a reference for the caller; NULL when there is
 * none. Slow: for shutting down. */
struct stream *stream_table_any_live(struct stream_table *t, const struct loop *loop);

/* For stream.c: s has just ended; it is kept for keep_ms. */
void stream_table_ended(struct stream_table *t, struct stream *s);

/* Evicts what has been kept long enough, and, oldest first, what exceeds the budgets. Cheap; called
 * once in a while and when memory is short. True when the memory is within its limit. */
bool stream_table_sweep(struct stream_table *t, uint64_t now_ms);

struct stream_table_figures {
	uint32_t live, ended, viewers;
	size_t bytes, bytes_max;
};
struct stream_table_figures stream_table_figures(struct stream_table *t);

/* Parses a sequence number: decimal digits, at most 19. 0 or -SL_E_SYNTAX. */
int stream_seq_parse(struct sl_slice text, uint64_t *seq);

/* Parses "{id}.{seq}". 0 or -SL_E_SYNTAX. */
int stream_position_parse(struct sl_slice text, struct sl_slice *id, uint64_t *seq);

#endif
