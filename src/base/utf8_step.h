/*
 * One step through UTF-8, by the table of well-formed sequences in the Unicode standard (3-7).
 * Where a sequence is ill-formed the step is its maximal subpart: what the WHATWG decoder replaces
 * by one U+FFFD.
 */
#ifndef BASE_UTF8_STEP_H
#define BASE_UTF8_STEP_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the sequence at p, 1 to 4 of the n > 0 bytes that are there; *valid says whether it
 * is one. A sequence that is cut by the end is not. */
static inline size_t utf8_step(const char *p, size_t n, bool *valid)
{
	const unsigned char *u = (const unsigned char *)p;
	unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
	size_t want, have;

	*valid = false;
	if (u[0] < 0x80) {
		*valid = true;
		return 1;
	}
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 1;
	want = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if (u[0] == 0xe0)
		low = 0xa0; /* below: overlong */
	else if (u[0] == 0xed)
		high = 0x9f; /* above: surrogates */
	else if (u[0] == 0xf0)
		low = 0x90; /* below: overlong */
	else if (u[0] == 0xf4)
		high = 0x8f; /* above: beyond U+10FFFF */
	for (have = 1; have < want && have < n; have++) {
		if (u[have] < low || u[have] > high)
			return have;
		low = 0x80;
		high = 0xbf;
	}
	*valid = have == want;
	return have;
}

#endif
