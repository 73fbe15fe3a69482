/* Random numbers that are the same for the same seed on every machine (splitmix64). */
#ifndef LOAD_RNG_H
#define LOAD_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* One of its own for each number: the choices of one do not depend on how often the others draw. */
static inline struct rng rng_for(uint64_t seed, uint64_t a, uint64_t b)
{
	struct rng r = {seed};
	r.state = rng_next(&r) ^ a;
	r.state = rng_next(&r) ^ b;
	rng_next(&r);
	return r;
}

/* from <= it < to */
static inline uint32_t rng_between(struct rng *r, uint32_t from, uint32_t to)
{
	return from + (uint32_t)(rng_next(r) % (to - from));
}

/* True in `percent` of 100 cases. */
static inline bool rng_is(struct rng *r, unsigned percent)
{
	return rng_next(r) % 100 < percent;
}

#endif
