/* The start of an error page as a person would read it. */
#ifndef CODEC_ERROR_EXCERPT_H
#define CODEC_ERROR_EXCERPT_H

#include <sluice/slice.h>

#define ERROR_EXCERPT_CHARS 200
#define ERROR_EXCERPT_MAX   (4 * ERROR_EXCERPT_CHARS)

/* At most 200 characters of `text` (valid UTF-8), written to `out`: without markup when it looks
 * like HTML, runs of white space and unprintable characters as one space. */
struct sl_slice error_excerpt(struct sl_slice text, char out[ERROR_EXCERPT_MAX]);

#endif
