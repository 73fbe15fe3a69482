/* UTF-8 as the WHATWG decoder reads it: nothing is an error, what is ill-formed becomes U+FFFD. */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include <stddef.h>
#include <sluice/buf.h>
#include <sluice/slice.h>

/* How many bytes from the start are well-formed; s.n when all are. A sequence that is cut by the
 * end is not. */
size_t utf8_valid_prefix(struct sl_slice s);

/* Appends `in` to `out` with each maximal ill-formed subpart replaced by U+FFFD: at most three
 * times as long. 0, or as sl_buf_put(): all or nothing. */
int utf8_clean(struct sl_slice in, struct sl_buf *out);

#endif
