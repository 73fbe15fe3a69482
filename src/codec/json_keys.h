/*
 * The keys of the objects that are open at one point of a text, to find those that are equal. A
 * stack: the keys of an inner object lie above those of the outer one and go when it closes.
 */
#ifndef CODEC_JSON_KEYS_H
#define CODEC_JSON_KEYS_H

#include <stdint.h>
#include <sluice/buf.h>
#include <sluice/slice.h>

/* Offsets are 31 bits wide, so that a key takes 16 bytes. */
#define JSON_KEYS_TEXT_MAX 0x7fffffffu

struct json_key {
	uint32_t offset;      /* of its opening quote in the text */
	uint32_t at;          /* of its first byte, in the text or in unescaped */
	uint32_t n : 31;      /* bytes */
	uint32_t escaped : 1; /* it had escapes: its bytes are in unescaped */
	uint32_t hash;
};

struct json_keys {
	const char *text;
	struct json_key *key;
	size_t n, cap;
	struct sl_buf unescaped;
};

/* Where an object's keys begin. */
struct json_keys_mark {
	uint32_t n, unescaped;
};

/* `text`, at most JSON_KEYS_TEXT_MAX bytes, must outlive k. Allocates nothing. */
void json_keys_init(struct json_keys *k, struct sl_slice text);
void json_keys_fini(struct json_keys *k);

struct json_keys_mark json_keys_mark(const struct json_keys *k);

/* `raw`: a valid string in the text, with its quotes. 0 or -SL_E_NOMEM. */
int json_keys_add(struct json_keys *k, struct sl_slice raw);

/* Drops the keys behind the mark. 0 when no two of them were equal; 1 and the offset of the first
 * that repeats another; -SL_E_NOMEM. The time is linear in their bytes, but for keys made to
 * collide, where it takes a sort. */
int json_keys_close(struct json_keys *k, struct json_keys_mark mark, size_t *offset);

#endif
