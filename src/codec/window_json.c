#include "codec/window_json.h"

#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/utf8_step.h"

/* How many bytes from the start can stand in a JSON string as they are. */
static size_t plain_run(struct sl_slice s)
{
	size_t i = 0, step;
	bool valid;

	for (; i < s.n; i += step) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == '"' || c == '\\')
			break;
		step = utf8_step(s.p + i, s.n - i, &valid);
		if (!valid)
			break;
	}
	return i;
}

static void put_escape(struct sl_window *w, unsigned char c)
{
	char text[8];

	switch (c) {
	case '"':
		window_put_str(w, "\\\"");
		break;
	case '\\':
		window_put_str(w, "\\\\");
		break;
	case '\n':
		window_put_str(w, "\\n");
		break;
	case '\r':
		window_put_str(w, "\\r");
		break;
	case '\t':
		window_put_str(w, "\\t");
		break;
	default:
		snprintf(text, sizeof(text), "\\u%04x", c);
		window_put_str(w, text);
	}
}

void window_put_json_chars(struct sl_window *w, struct sl_slice s)
{
	bool valid;

	while (s.n > 0 && !w->cut) {
		size_t n = plain_run(s);

		sl_window_put(w, sl_slice(s.p, n));
		s = sl_slice(s.p + n, s.n - n);
		if (s.n == 0)
			break;
		n = utf8_step(s.p, s.n, &valid);
		if (valid)
			put_escape(w, (unsigned char)*s.p);
		else
			window_put_str(w, "\xef\xbf\xbd");
		s = sl_slice(s.p + n, s.n - n);
	}
}

void window_put_json_string(struct sl_window *w, struct sl_slice s)
{
	window_put_str(w, "\"");
	window_put_json_chars(w, s);
	window_put_str(w, "\"");
}

void window_put_int(struct sl_window *w, int64_t n)
{
	char text[24], *end = text + sizeof(text), *p = end;
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;

	/* In every event's id: printf() takes as long as all the rest of it. */
	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (n < 0)
		*--p = '-';
	sl_window_put(w, sl_slice(p, (size_t)(end - p)));
}
