/* The smallest pieces of JSON, for the grammar (json_scan.c) and the reader (json.c): space, the
 * plain part of a string, the four digits of an escape. All work on [p, end) and read nothing
 * behind it. */
#ifndef CODEC_JSON_LEX_H
#define CODEC_JSON_LEX_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "codec/json.h"

static inline bool json_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *json_skip_space(const char *p, const char *end)
{
	while (p < end && json_is_space(*p))
		p++;
	return p;
}

#ifdef __SSE2__
/* A bit for each of 16 bytes that a string cannot hold as it is. */
static inline unsigned json_special_bytes(__m128i bytes)
{
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
	__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control));
}
#else
/* The high bit of each of 8 bytes that a string cannot hold as it is; exact up to the lowest, which
 * is the one wanted. */
static inline uint64_t json_special_bytes(uint64_t bytes)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t quote = bytes ^ ones * '"', backslash = bytes ^ ones * '\\';

	return (((bytes - ones * 0x20) & ~bytes) | ((quote - ones) & ~quote) |
		((backslash - ones) & ~backslash)) &
	       ones << 7;
}
#endif

/* The first byte in a string that is not just itself: a quote, a backslash or a control character;
 * or end. */
static inline const char *json_skip_plain(const char *p, const char *end)
{
#ifdef __SSE2__
	unsigned special;

	for (; end - p >= 16; p += 16) {
		special = json_special_bytes(_mm_loadu_si128((const __m128i *)(const void *)p));
		if (special)
			return p + __builtin_ctz(special);
	}
	if (end - p >= 8) {
		special = json_special_bytes(_mm_loadl_epi64((const __m128i *)(const void *)p));
		p += __builtin_ctz(special); /* 8 at most: the other half is zeroes */
		if (special & 0xff)
			return p;
	}
#else
	for (; end - p >= 8; p += 8) {
		uint64_t bytes, special;

		memcpy(&bytes, p, 8);
		special = json_special_bytes(le64toh(bytes));
		if (special)
			return p + __builtin_ctzll(special) / 8;
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
		p++;
	return p;
}

/* What a value is that begins with this byte. */
static inline enum json_type json_type_of(char first)
{
	switch (first) {
	case '"':
		return JSON_STRING;
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

/* The value of four hexadecimal digits, or -1. All four must be there. */
static inline int json_hex4(const char *p)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)p[i];

		value <<= 4;
		if (c >= '0' && c <= '9')
			value |= c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value |= (c | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return value;
}

static inline bool json_is_high_half(uint32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static inline bool json_is_low_half(uint32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

#endif
