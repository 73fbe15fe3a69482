/* Four digits of six bits are three bytes. */
#include "codec/base64.h"

#include <stdint.h>

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

int base64_decode(struct sl_slice text, struct sl_buf *out)
{
	size_t n = text.n - text.n / 4; /* at the most */
	uint32_t bits = 0;
	unsigned n_bits = 0;
	int r = sl_buf_reserve(out, n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < text.n; i++) {
		int value = digit(text.p[i]);

		if (value < 0)
			continue;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out->p[out->len++] = (char)(bits >> n_bits);
		}
	}
	return 0;
}
