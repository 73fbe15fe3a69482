/*
 * Reading JSON in place: a validating walk that knows offsets and allocates nothing.
 *
 * Why not cJSON here: the first of two equal keys wins there, big integers are damaged, a NUL ends
 * strings, trailing bytes pass, and it allocates a tree for every token. Bodies that clients send
 * are checked (json_check), then only looked into; changes are spliced into the bytes (splice.h),
 * so that what we need not change is not changed. cJSON serves where a tree is built.
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/buf.h>
#include <sluice/slice.h>

/* Nothing that is nested deeper is read: of what clients send, and of what upstreams do. */
#define JSON_DEPTH_MAX       256
#define JSON_PARSE_DEPTH_MAX 2048

struct json_limits {
	uint32_t depth;  /* nesting, the top-level array or object is 1; at most JSON_DEPTH_MAX */
	uint32_t values; /* all values, keys not counted */
};

struct json_fault {
	size_t offset;    /* byte at which it was noticed, from 0 */
	const char *code; /* machine word: "invalid_json", "duplicate_key", "too_deep",
			     "too_many_values", "invalid_utf8", "nul_character", "too_long" (2 GiB
			     or more), "no_memory" */
	const char *what; /* English, e.g. "a string is not closed" */
};

/* The strict gate for what clients send: exactly one JSON value with nothing but white space around
 * it, valid UTF-8, no raw control character, no NUL (raw or \u0000), no lone surrogate escape, no
 * two equal keys in one object (compared unescaped), RFC 8259 numbers, within the limits. 0, or
 * -SL_E_SYNTAX / -SL_E_LIMIT / -SL_E_NOMEM with *fault filled. Does not recurse. Time is linear;
 * keys made to collide cost a factor of log n. Memory: some 16 bytes for each key of the objects
 * that are open at one time, so 48 * limits.values at the most, and the keys that have escapes. */
int json_check(struct sl_slice text, struct json_limits limits, struct json_fault *fault);

enum json_type {
	JSON_NONE,
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL
};

/* A value within a text: the bytes from its first to its last one. For strings with the quotes. */
struct json {
	enum json_type type;
	struct sl_slice raw;
};

/* Reads the value that `text` consists of (white space around it allowed). Validates all of it,
 * leniently where upstreams are sloppy: equal keys, any UTF-8, lone surrogates and \u0000 pass. 0,
 * -SL_E_SYNTAX, or -SL_E_LIMIT when nested deeper than JSON_PARSE_DEPTH_MAX. */
int json_parse(struct sl_slice text, struct json *out);

/* Walks over the members of an object, or the elements of an array, that json_parse (or a walk)
 * gave; over nothing when it is neither. What json_parse has validated is not validated again: a
 * walk over other bytes stays within them, and that is all. */
struct json_walk {
	const char *p, *end;
	bool object, first;
};
void json_walk_init(struct json_walk *w, struct json value);
/* 1 and the next member (key: raw bytes without quotes, still escaped; not set for arrays); 0 at
 * the end. */
int json_walk_next(struct json_walk *w, struct sl_slice *key, struct json *value);

/* The member of that name (compared with the raw key, names without escapes); type JSON_NONE when
 * there is none. The last of equal keys wins. */
struct json json_get(struct json object, const char *name);
/* The same along a path of names. */
struct json json_get2(struct json object, const char *name, const char *name2);

/* Appends the unescaped string to `out`, all or nothing; bytes that were not escaped as they came.
 * A lone surrogate becomes U+FFFD, unless `half` is given: then a high surrogate at the very end is
 * kept there (0 = none) for the next piece, and one that was kept is joined with a low surrogate at
 * the start. An empty string changes nothing; who has no next piece and still keeps one owes a
 * U+FFFD. 0, -SL_E_TYPE when v is no string, -SL_E_LIMIT, -SL_E_NOMEM. */
int json_string(struct json v, struct sl_buf *out, uint32_t *half);

/* True when v is a string that, unescaped, equals s (s: printable ASCII). */
bool json_is(struct json v, const char *s);

/* The number as an integer. 0; -SL_E_TYPE when v is no number; -SL_E_LIMIT when it has a fraction
 * other than zeroes, or an exponent, or does not fit. */
int json_int(struct json v, int64_t *out);
int json_bool(struct json v, bool *out); /* 0 or -SL_E_TYPE */

#endif
