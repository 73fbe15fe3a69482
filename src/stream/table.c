/* A chained hash by id, and the list of ended streams in the order in which they go. */
#include "stream/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/clock.h"
#include "stream/stream_private.h"

/* Ids are random: their own bytes are the hash. */
static size_t bucket_of(struct sl_slice id)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (unsigned char)id.p[i]) * 16777619u;
	return h % STREAM_TABLE_BUCKETS;
}

void stream_table_init(struct stream_table *t, const struct stream_options *o)
{
	*t = (struct stream_table){0};
	pthread_mutex_init(&t->lock, NULL);
	stream_table_configure(t, o);
}

void stream_table_configure(struct stream_table *t, const struct stream_options *o)
{
	pthread_mutex_lock(&t->lock);
	t->count_max = o->count;
	t->keep_ms = o->keep_ms;
	t->idempotency_keep_ms = o->idempotency_keep_ms;
	t->budget.max = o->memory_bytes;
	pthread_mutex_unlock(&t->lock);
	stream_table_sweep(t, clock_ms());
}

/* Takes s out of the hashes; under the lock. */
static void unhash(struct stream_table *t, struct stream *s)
{
	struct stream **at = &t->bucket[bucket_of(sl_slice_str(s->id))];
	while (*at != s)
		at = &(*at)->by_id;
	*at = s->by_id;
	s->listed = false;
	if (!s->key)
		return;
	at = &t->key_bucket[bucket_of(sl_slice_str(s->key))];
	while (*at != s)
		at = &(*at)->by_key;
	*at = s->by_key;
}

/* Takes s, which has ended, out of all lists; under the lock. The table's reference goes to the
 * caller. */
static void unlist(struct stream_table *t, struct stream *s)
{
	unhash(t, s);
	if (s->older)
		s->older->newer = s->newer;
	else
		t->oldest = s->newer;
	if (s->newer)
		s->newer->older = s->older;
	else
		t->newest = s->older;
	t->n_ended--;
}

/* Takes out the ended streams that must go; under the lock. They come back as a chain by `newer`.
 */
static struct stream *take_expired(struct stream_table *t, uint64_t now_ms, uint32_t room)
{
	struct stream *gone = NULL;
	size_t freed = 0;
	while (t->oldest) {
		struct stream *s = t->oldest;
		bool over = log_budget_is_short(&t->budget, freed) ||
			    t->n_live + t->n_ended + room > t->count_max;
		if (!over && s->keep_until_ms > now_ms)
			break;
		freed += s->log.bytes + s->input.cap;
		unlist(t, s);
		s->newer = gone;
		gone = s;
	}
	return gone;
}

static void unref_chain(struct stream *s)
{
	while (s) {
		struct stream *next = s->newer;
		stream_unref(s);
		s = next;
	}
}

bool stream_table_sweep(struct stream_table *t, uint64_t now_ms)
{
	pthread_mutex_lock(&t->lock);
	struct stream *gone = take_expired(t, now_ms, 0);
	pthread_mutex_unlock(&t->lock);
	unref_chain(gone);
	return t->budget.used <= t->budget.max;
}

struct stream *stream_new(struct stream_table *t, struct loop *loop, const struct stream_options *o,
			  const char *owner, struct sl_slice name, int *error)
{
	*error = -SL_E_NOMEM;
	struct stream *s = stream_alloc(&stream_generation, &t->budget, &t->watching, loop, o);
	if (!s)
		return NULL;
	s->table = t;
	if ((owner && !(s->owner = strdup(owner))) ||
	    (name.p && !(s->name = strndup(name.p, name.n)))) {
		stream_unref(s);
		return NULL;
	}
	pthread_mutex_lock(&t->lock);
	struct stream *gone = take_expired(t, loop->now_ms, 1);
	bool room = t->n_live + t->n_ended < t->count_max && t->budget.used <= t->budget.max;
	if (room) {
		struct stream **b = &t->bucket[bucket_of(sl_slice_str(s->id))];
		s->by_id = *b;
		*b = s;
		s->listed = true;
		s->refs = 2; /* the table's and the caller's */
		t->n_live++;
	}
	pthread_mutex_unlock(&t->lock);
	unref_chain(gone);
	if (!room) {
		*error = -SL_E_BUSY;
		stream_unref(s);
		return NULL;
	}
	return s;
}

/* Its time is over; the next sweep takes it. */
static bool is_expired(const struct stream *s)
{
	return stream_state_ended(s->state) && s->keep_until_ms <= clock_ms();
}

struct stream *stream_find(struct stream_table *t, struct sl_slice id)
{
	pthread_mutex_lock(&t->lock);
	struct stream *s = t->bucket[bucket_of(id)];
	while (s && !sl_slice_is(id, s->id))
		s = s->by_id;
	if (s && is_expired(s))
		s = NULL;
	if (s)
		stream_ref(s);
	pthread_mutex_unlock(&t->lock);
	return s;
}

/* The stream of that key; under the lock. */
static struct stream *by_key(struct stream_table *t, const char *key)
{
	struct stream *s = t->key_bucket[bucket_of(sl_slice_str(key))];
	while (s && strcmp(s->key, key) != 0)
		s = s->by_key;
	return s && is_expired(s) ? NULL : s;
}

/* Puts s into the chain of its key; under the lock. */
static void hash_key(struct stream_table *t, struct stream *s, char *key)
{
	struct stream **b = &t->key_bucket[bucket_of(sl_slice_str(key))];
	s->key = key;
	s->by_key = *b;
	*b = s;
}

struct stream *stream_table_claim(struct stream_table *t, struct stream *fresh, const char *key,
				  uint64_t request_hash, bool *same)
{
	char *copy = strdup(key);
	pthread_mutex_lock(&t->lock);
	struct stream *there = by_key(t, key);
	if (there) {
		stream_ref(there);
		*same = there->request_hash == request_hash;
		unhash(t, fresh);
		t->n_live--;
	} else if (copy) {
		fresh->request_hash = request_hash;
		hash_key(t, fresh, copy);
		copy = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	free(copy);
	if (there)
		stream_unref(fresh); /* the table's */
	return there;
}

void stream_table_label(struct stream_table *t, struct stream *s, const char *label)
{
	char *copy = strdup(label);
	pthread_mutex_lock(&t->lock);
	if (copy && s->listed && !s->key) {
		s->adoptable = true;
		hash_key(t, s, copy);
		copy = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	free(copy);
}

static bool is_orphan(const struct stream *s)
{
	enum stream_state state = s->state;
	return s->adoptable && !s->adopting && s->viewer_count == 0 && s->furthest == 0 &&
	       state != STREAM_FAILED && state != STREAM_STOPPED && !is_expired(s);
}

struct stream *stream_table_adopt(struct stream_table *t, const char *label)
{
	pthread_mutex_lock(&t->lock);
	struct stream *s = t->key_bucket[bucket_of(sl_slice_str(label))];
	while (s && (strcmp(s->key, label) != 0 || !is_orphan(s)))
		s = s->by_key;
	if (s) {
		stream_ref(s);
		s->adopting = true;
	}
	pthread_mutex_unlock(&t->lock);
	return s;
}

void stream_table_adopted(struct stream_table *t, struct stream *s)
{
	pthread_mutex_lock(&t->lock);
	s->adopting = false;
	pthread_mutex_unlock(&t->lock);
}

static bool is_owned_by(const struct stream *s, const char *owner)
{
	return s->owner && owner ? strcmp(s->owner, owner) == 0 : !s->owner && !owner;
}

struct stream **stream_table_all(struct stream_table *t, const char *owner, size_t *n)
{
	*n = 0;
	pthread_mutex_lock(&t->lock);
	struct stream **all = calloc(t->n_live + t->n_ended + 1u, sizeof(struct stream *));
	for (size_t i = 0; all && i < STREAM_TABLE_BUCKETS; i++)
		for (struct stream *s = t->bucket[i]; s; s = s->by_id)
			if (s->name && is_owned_by(s, owner) && !is_expired(s))
				all[(*n)++] = stream_ref(s);
	pthread_mutex_unlock(&t->lock);
	return all;
}

struct stream *stream_table_any_live(struct stream_table *t, const struct loop *loop)
{
	struct stream *found = NULL;
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < STREAM_TABLE_BUCKETS && !found; i++)
		for (struct stream *s = t->bucket[i]; s && !found; s = s->by_id)
			if (s->loop == loop && !stream_state_ended(s->state))
				found = stream_ref(s);
	pthread_mutex_unlock(&t->lock);
	return found;
}

void stream_table_ended(struct stream_table *t, struct stream *s)
{
	pthread_mutex_lock(&t->lock);
	assert(s->listed);
	uint64_t keep_ms = t->keep_ms;
	if (s->key && !s->adoptable && t->idempotency_keep_ms > keep_ms)
		keep_ms = t->idempotency_keep_ms;
	s->keep_until_ms = clock_ms() + keep_ms;
	s->older = t->newest;
	s->newer = NULL;
	if (t->newest)
		t->newest->newer = s;
	else
		t->oldest = s;
	t->newest = s;
	t->n_live--;
	t->n_ended++;
	pthread_mutex_unlock(&t->lock);
}

struct stream_table_figures stream_table_figures(struct stream_table *t)
{
	pthread_mutex_lock(&t->lock);
	struct stream_table_figures f = {.live = t->n_live,
					 .ended = t->n_ended,
					 .bytes = t->budget.used,
					 .bytes_max = t->budget.max,
					 .viewers = t->watching};
	pthread_mutex_unlock(&t->lock);
	return f;
}

void stream_table_fini(struct stream_table *t)
{
	assert(t->n_live == 0);
	while (t->oldest) {
		struct stream *s = t->oldest;
		unlist(t, s);
		stream_unref(s);
	}
	pthread_mutex_destroy(&t->lock);
}

int stream_seq_parse(struct sl_slice text, uint64_t *seq)
{
	uint64_t n = 0;
	if (text.n == 0 || text.n > 19)
		return -SL_E_SYNTAX;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return -SL_E_SYNTAX;
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	*seq = n;
	return 0;
}

int stream_position_parse(struct sl_slice text, struct sl_slice *id, uint64_t *seq)
{
	if (text.n < RANDOM_ID_LEN + 1 || text.p[RANDOM_ID_LEN] != '.')
		return -SL_E_SYNTAX;
	*id = sl_slice(text.p, RANDOM_ID_LEN);
	return stream_seq_parse(sl_slice(text.p + RANDOM_ID_LEN + 1, text.n - RANDOM_ID_LEN - 1),
				seq);
}
