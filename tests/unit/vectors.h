/*
 * The conformance vectors of tests/vectors (README.md there says what they look like), as test
 * cases of any module read them: documents, byte strings in their three shapes, and ways of cutting
 * them.
 *
 * cJSON ends a string at \u0000. The loader therefore puts U+FDD0 in the place of every NUL, and
 * vectors_bytes() and vectors_text() put the NUL back: read strings that may hold one with these.
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>
#include <sluice/buf.h>

/* The document `file`, a path within the vectors directory; the caller frees it with
 * cJSON_Delete(). A vector file that cannot be read is a broken checkout: the program ends with a
 * message. */
cJSON *vectors_load(const char *file);

/* The array `cases` of a document, and how many there are. */
const cJSON *vectors_cases(const cJSON *document);
int vectors_count(const cJSON *document);
const cJSON *vectors_case(const cJSON *document, int index);

/* Appends the byte string `key` of a case to `out`: `key` as text or {parts}, `key` with
 * `encoding`, or `key`_parts. 0; -SL_E_MISSING when there is none, -SL_E_SYNTAX when it is not in
 * the notation, or as sl_buf_put(). */
int vectors_bytes(const cJSON *object, const char *key, struct sl_buf *out);

/* The same for one JSON value: a string, or {parts: [...]}. */
int vectors_text(const cJSON *value, struct sl_buf *out);

/* The ways in which every case has to give the same result: whole, byte by byte, by the case's own
 * `chunks` (whole again where it has none), and at random places, the same in every run. */
#define VECTORS_RANDOM_WAYS 24
#define VECTORS_WAYS        (3 + VECTORS_RANDOM_WAYS)

struct vectors_cuts {
	int way;
	const cJSON *chunks;
	int at;
	uint64_t state;
};

void vectors_cuts_init(struct vectors_cuts *c, const cJSON *test_case, int way);

/* The size of the next read when `left` bytes are left: 1 to left, or 0 when left is 0. */
size_t vectors_cuts_next(struct vectors_cuts *c, size_t left);

#endif
