/*
 * Finds equal keys when their object closes. Few are compared with each other. Many are hashed and
 * radix-sorted by the hash, so that only neighbours with the same hash remain to be compared: a
 * hash set with neither a table nor a secret, for keys that are made to collide are then sorted by
 * their bytes, and cost a factor of log n.
 */
#include "codec/json_keys.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/json.h"

#define FEW 16

void json_keys_init(struct json_keys *k, struct sl_slice text)
{
	assert(text.n <= JSON_KEYS_TEXT_MAX);
	*k = (struct json_keys){.text = text.p};
	sl_buf_init(&k->unescaped, text.n);
}

void json_keys_fini(struct json_keys *k)
{
	free(k->key);
	sl_buf_fini(&k->unescaped);
}

struct json_keys_mark json_keys_mark(const struct json_keys *k)
{
	return (struct json_keys_mark){(uint32_t)k->n, (uint32_t)k->unescaped.len};
}

static int make_room(struct json_keys *k)
{
	size_t cap = k->cap ? 2 * k->cap : FEW;
	struct json_key *key;

	if (k->n < k->cap)
		return 0;
	key = reallocarray(k->key, cap, sizeof(*key));
	if (!key)
		return -SL_E_NOMEM;
	k->key = key;
	k->cap = cap;
	return 0;
}

int json_keys_add(struct json_keys *k, struct sl_slice raw)
{
	struct json_key key = {.offset = (uint32_t)(raw.p - k->text)};
	int r = make_room(k);

	if (r < 0)
		return r;
	if (memchr(raw.p, '\\', raw.n)) {
		key.escaped = true;
		key.at = (uint32_t)k->unescaped.len;
		r = json_string((struct json){JSON_STRING, raw}, &k->unescaped, NULL);
		if (r < 0)
			return r;
		key.n = ((uint32_t)k->unescaped.len - key.at) & JSON_KEYS_TEXT_MAX;
	} else {
		key.at = key.offset + 1;
		key.n = ((uint32_t)raw.n - 2) & JSON_KEYS_TEXT_MAX;
	}
	k->key[k->n++] = key;
	return 0;
}

static struct sl_slice bytes_of(const struct json_keys *k, const struct json_key *key)
{
	return sl_slice((key->escaped ? k->unescaped.p : k->text) + key->at, key->n);
}

static bool equal(const struct json_keys *k, const struct json_key *a, const struct json_key *b)
{
	return a->n == b->n && sl_slice_eq(bytes_of(k, a), bytes_of(k, b));
}

/* The first key, in the order of the text, that repeats another; or `found`, when that comes before
 * it. The keys stand in the order of the text. */
static const struct json_key *compare_all(const struct json_keys *k, const struct json_key *key,
					  size_t n, const struct json_key *found)
{
	for (size_t later = 1; later < n; later++) {
		if (found && found->offset < key[later].offset)
			break;
		for (size_t earlier = 0; earlier < later; earlier++) {
			if (equal(k, &key[earlier], &key[later]))
				return &key[later];
		}
	}
	return found;
}

static int order(const void *va, const void *vb, void *keys)
{
	const struct json_key *a = va, *b = vb;
	struct sl_slice bytes_a = bytes_of(keys, a), bytes_b = bytes_of(keys, b);
	int diff;

	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	diff = a->n ? memcmp(bytes_a.p, bytes_b.p, a->n) : 0;
	if (diff != 0)
		return diff;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* As compare_all(), for many. */
static const struct json_key *sort_and_compare(struct json_keys *k, struct json_key *key, size_t n,
					       const struct json_key *found)
{
	qsort_r(key, n, sizeof(*key), order, k);
	for (size_t i = 1; i < n; i++) {
		if (equal(k, &key[i - 1], &key[i]) && (!found || key[i].offset < found->offset))
			found = &key[i];
	}
	return found;
}

static uint32_t hash_of(struct sl_slice s)
{
	uint64_t hash = s.n, word;

	while (s.n > 0) {
		size_t n = s.n < sizeof(word) ? s.n : sizeof(word);

		word = 0;
		memcpy(&word, s.p, n);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
		s = sl_slice(s.p + n, s.n - n);
	}
	return (uint32_t)(hash ^ hash >> 17);
}

/* By hash, a byte of it at a time from the lowest; keys with the same hash stay in their order. */
static void radix_sort(struct json_key *key, struct json_key *scratch, size_t n)
{
	for (int shift = 0; shift < 32; shift += 8) {
		size_t start[257] = {0};
		struct json_key *from = key;

		for (size_t i = 0; i < n; i++)
			start[(from[i].hash >> shift & 0xff) + 1]++;
		for (int i = 1; i < 257; i++)
			start[i] += start[i - 1];
		for (size_t i = 0; i < n; i++)
			scratch[start[from[i].hash >> shift & 0xff]++] = from[i];
		key = scratch; /* after the fourth pass they are back where they were */
		scratch = from;
	}
}

static int compare_many(struct json_keys *k, struct json_key *key, size_t n,
			const struct json_key **found)
{
	struct json_key *scratch = reallocarray(NULL, n, sizeof(*scratch));
	size_t from, to;

	if (!scratch)
		return -SL_E_NOMEM;
	for (size_t i = 0; i < n; i++)
		key[i].hash = hash_of(bytes_of(k, &key[i]));
	radix_sort(key, scratch, n);
	free(scratch);

	for (from = 0; from < n; from = to) {
		for (to = from + 1; to < n && key[to].hash == key[from].hash;)
			to++;
		if (to - from <= FEW)
			*found = compare_all(k, key + from, to - from, *found);
		else
			*found = sort_and_compare(k, key + from, to - from, *found);
	}
	return 0;
}

int json_keys_close(struct json_keys *k, struct json_keys_mark mark, size_t *offset)
{
	const struct json_key *found = NULL;
	size_t n = k->n - mark.n;
	int r = 0;

	if (n > FEW)
		r = compare_many(k, k->key + mark.n, n, &found);
	else if (n > 1)
		found = compare_all(k, k->key + mark.n, n, NULL);
	if (r < 0)
		return r;
	k->n = mark.n;
	k->unescaped.len = mark.unescaped;
	if (!found)
		return 0;
	*offset = found->offset;
	return 1;
}
