/* A hash for choosing among canned things: the same everywhere and always. */
#ifndef APP_DEMO_HASH_H
#define APP_DEMO_HASH_H

#include <stdint.h>
#include <sluice/slice.h>

/* Spreads the bits of a number (the finalizer of splitmix64). */
static inline uint64_t demo_mix(uint64_t h)
{
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	return h ^ h >> 31;
}

static inline uint64_t demo_hash(struct sl_slice s)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	return demo_mix(h);
}

#endif
