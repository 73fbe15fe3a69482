/* JSON, written piece by piece into a window. Any JSON that is not in a buffer already is written
 * with these. */
#ifndef CODEC_WINDOW_JSON_H
#define CODEC_WINDOW_JSON_H

#include <stdint.h>
#include <sluice/sse.h>

/* A string with its quotes, without line ends or other control characters. Invalid UTF-8 becomes
 * U+FFFD. */
void window_put_json_string(struct sl_window *w, struct sl_slice s);
/* The same without its quotes: a piece of a string. */
void window_put_json_chars(struct sl_window *w, struct sl_slice s);
void window_put_int(struct sl_window *w, int64_t n);

static inline void window_put_str(struct sl_window *w, const char *s)
{
	sl_window_put(w, sl_slice_str(s));
}

#endif
