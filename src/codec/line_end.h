/* Finding where a line of server-sent events ends. LF and CR are looked for together: with two
 * memchr() a stream that never uses the one is read over and over again. */
#ifndef CODEC_LINE_END_H
#define CODEC_LINE_END_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LINE_END_ONES  0x0101010101010101u
#define LINE_END_HIGHS 0x8080808080808080u

/* The high bit of each byte of `word` that is zero; exact up to the first such byte, counted from
 * the lowest. */
static inline uint64_t line_end_zeroes(uint64_t word)
{
	return (word - LINE_END_ONES) & ~word & LINE_END_HIGHS;
}

/* The first LF or CR in [p, end), or end. */
static inline const char *line_end_find(const char *p, const char *end)
{
	while (end - p >= 8) {
		uint64_t word, hits;

		memcpy(&word, p, 8);
		word = le64toh(word);
		hits = line_end_zeroes(word ^ LINE_END_ONES * '\n') |
		       line_end_zeroes(word ^ LINE_END_ONES * '\r');
		if (hits)
			return p + __builtin_ctzll(hits) / 8;
		p += 8;
	}
	while (p < end && *p != '\n' && *p != '\r')
		p++;
	return p;
}

#endif
