/* Puts server-sent events into a window. Each piece passes sl_window_put(), so a block can be cut
 * anywhere. */
#include <sluice/sse.h>

#include <assert.h>
#include <string.h>
#include "codec/line_end.h"

void sl_window_put(struct sl_window *w, struct sl_slice s)
{
	size_t n;

	if (s.n <= w->skip) {
		w->skip -= s.n;
		return;
	}
	s = sl_slice(s.p + w->skip, s.n - w->skip);
	w->skip = 0;
	n = s.n < w->room ? s.n : w->room;
	if (n < s.n)
		w->cut = true;
	if (n == 0)
		return;
	memcpy(w->dst, s.p, n);
	w->dst += n;
	w->room -= n;
	w->written += n;
}

void sl_sse_put_data(struct sl_window *w, struct sl_slice data)
{
	const char *p = data.p, *end, *line_end;

	if (data.n == 0) {
		sl_window_put(w, SL_LIT("data: \n"));
		return;
	}
	end = data.p + data.n;
	/* A line end as the last byte has an empty line behind it, hence the turn with p == end. */
	for (;;) {
		line_end = line_end_find(p, end);
		sl_window_put(w, SL_LIT("data: "));
		sl_window_put(w, sl_slice(p, (size_t)(line_end - p)));
		sl_window_put(w, SL_LIT("\n"));
		if (line_end == end || w->cut)
			return;
		p = line_end + 1;
		if (*line_end == '\r' && p < end && *p == '\n')
			p++;
	}
}

void sl_sse_put_field(struct sl_window *w, const char *name, struct sl_slice value)
{
	for (size_t i = 0; i < value.n; i++)
		assert(value.p[i] != '\n' && value.p[i] != '\r' && value.p[i] != 0);
	sl_window_put(w, sl_slice_str(name));
	sl_window_put(w, SL_LIT(": "));
	sl_window_put(w, value);
	sl_window_put(w, SL_LIT("\n"));
}
