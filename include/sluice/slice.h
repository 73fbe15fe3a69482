/* A view of bytes that somebody else owns. Not terminated; p may be NULL when n is 0. */
#ifndef SLUICE_SLICE_H
#define SLUICE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct sl_slice {
	const char *p;
	size_t n;
};

/* A slice of a string literal. */
#define SL_LIT(s) ((struct sl_slice){(s), sizeof(s) - 1})

/* The same where an initializer has to be constant: in static tables. */
#define SL_LIT_INIT(s)             \
	{                          \
		(s), sizeof(s) - 1 \
	}

static inline struct sl_slice sl_slice(const char *p, size_t n)
{
	return (struct sl_slice){p, n};
}

/* NULL gives the empty slice. */
static inline struct sl_slice sl_slice_str(const char *s)
{
	return (struct sl_slice){s, s ? strlen(s) : 0};
}

static inline bool sl_slice_eq(struct sl_slice a, struct sl_slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool sl_slice_is(struct sl_slice a, const char *s)
{
	return sl_slice_eq(a, sl_slice_str(s));
}

static inline bool sl_slice_starts(struct sl_slice a, const char *prefix)
{
	size_t n = strlen(prefix);
	return a.n >= n && memcmp(a.p, prefix, n) == 0;
}

#endif
