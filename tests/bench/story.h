/*
 * A text that the upstream and its readers both know, so that it can be held against every byte
 * that comes: token n of story s is always the same, begins with its stamp (token.h, time 0) and
 * goes on with what text is made of: blanks, quotes, line ends, letters of two and four bytes.
 */
#ifndef BENCH_STORY_H
#define BENCH_STORY_H

#include <stddef.h>
#include <stdint.h>

#define STORY_TOKEN_MAX 96

/* Writes a token, no NUL; answers its length. */
size_t story_token(uint64_t story, uint32_t seq, char *out);

#endif
