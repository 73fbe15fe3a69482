/* Checks and mends UTF-8. Eight bytes at a time while they are ASCII, which JSON mostly is. */
#include "codec/utf8.h"

#include <stdint.h>
#include <string.h>
#include "base/utf8_step.h"

static size_t ascii_run(const char *p, size_t n)
{
	size_t i = 0;
	uint64_t word;

	for (; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		if (word & 0x8080808080808080u)
			break;
	}
	while (i < n && (unsigned char)p[i] < 0x80)
		i++;
	return i;
}

size_t utf8_valid_prefix(struct sl_slice s)
{
	size_t i = 0;
	bool valid;

	if (s.n == 0)
		return 0;
	for (;;) {
		size_t step;

		i += ascii_run(s.p + i, s.n - i);
		/* Scripts other than Latin come in runs too: stay here until ASCII begins again. */
		while (i < s.n && (unsigned char)s.p[i] >= 0x80) {
			step = utf8_step(s.p + i, s.n - i, &valid);
			if (!valid)
				return i;
			i += step;
		}
		if (i == s.n)
			return i;
	}
}

int utf8_clean(struct sl_slice in, struct sl_buf *out)
{
	size_t start = out->len;
	int r;

	for (;;) {
		size_t n = utf8_valid_prefix(in);
		bool valid;

		r = sl_buf_put(out, in.p, n);
		if (r < 0 || n == in.n)
			break;
		in = sl_slice(in.p + n, in.n - n);
		n = utf8_step(in.p, in.n, &valid);
		in = sl_slice(in.p + n, in.n - n);
		r = sl_buf_put_str(out, "\xef\xbf\xbd");
		if (r < 0)
			break;
	}
	if (r < 0)
		out->len = start;
	return r;
}
