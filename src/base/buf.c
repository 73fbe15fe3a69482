/* The growable buffer: it doubles up to its maximum, and a failed append leaves it as it was. */
#include <sluice/buf.h>

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/utf8_step.h"

#define CAP_MIN 64

void sl_buf_init(struct sl_buf *b, size_t max_bytes)
{
	*b = (struct sl_buf){.max = max_bytes};
}

void sl_buf_fini(struct sl_buf *b)
{
	free(b->p);
	sl_buf_init(b, b->max);
}

void sl_buf_wipe(struct sl_buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	sl_buf_fini(b);
}

/* `need` is the wanted capacity; it may lie one above max, for the NUL of printf. */
static int grow(struct sl_buf *b, size_t need)
{
	size_t cap = b->cap <= SIZE_MAX / 2 ? 2 * b->cap : SIZE_MAX;
	char *p;

	if (cap < CAP_MIN)
		cap = CAP_MIN;
	if (cap > b->max)
		cap = b->max;
	if (cap < need)
		cap = need;
	p = realloc(b->p, cap);
	if (!p)
		return -SL_E_NOMEM;
	b->p = p;
	b->cap = cap;
	return 0;
}

int sl_buf_reserve(struct sl_buf *b, size_t more)
{
	if (b->len > b->max || more > b->max - b->len)
		return -SL_E_LIMIT;
	if (more <= b->cap - b->len)
		return 0;
	return grow(b, b->len + more);
}

int sl_buf_put(struct sl_buf *b, const char *p, size_t n)
{
	int r;

	if (n == 0)
		return 0;
	r = sl_buf_reserve(b, n);
	if (r < 0)
		return r;
	memcpy(b->p + b->len, p, n);
	b->len += n;
	return 0;
}

int sl_buf_put_slice(struct sl_buf *b, struct sl_slice s)
{
	return sl_buf_put(b, s.p, s.n);
}

int sl_buf_put_str(struct sl_buf *b, const char *s)
{
	return sl_buf_put(b, s, strlen(s));
}

int sl_buf_putc(struct sl_buf *b, char c)
{
	return sl_buf_put(b, &c, 1);
}

int sl_buf_printf(struct sl_buf *b, const char *format, ...)
{
	va_list args;
	size_t room = b->cap - b->len;
	int n, r;

	va_start(args, format);
	n = vsnprintf(room ? b->p + b->len : NULL, room, format, args);
	va_end(args);
	if (n < 0)
		return -SL_E_LIMIT; /* longer than INT_MAX */
	r = sl_buf_reserve(b, (size_t)n);
	if (r < 0)
		return r;
	if ((size_t)n >= room) {
		room = (size_t)n + 1;
		r = b->cap - b->len < room ? grow(b, b->len + room) : 0;
		if (r < 0)
			return r;
		va_start(args, format);
		n = vsnprintf(b->p + b->len, room, format, args);
		va_end(args);
		assert((size_t)n == room - 1);
	}
	b->len += (size_t)n;
	return 0;
}

static int put_escape(struct sl_buf *b, unsigned char c)
{
	static const char short_form[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	};
	char pair[2] = {'\\', (char)c};

	if (c < 0x20 && !short_form[c])
		return sl_buf_printf(b, "\\u%04x", c);
	if (c < 0x20)
		pair[1] = short_form[c];
	return sl_buf_put(b, pair, 2);
}

/* How many bytes from p on can stand in a JSON string as they are. */
static size_t plain_run(const char *p, size_t n)
{
	size_t i = 0;
	bool valid;

	while (i < n) {
		unsigned char c = (unsigned char)p[i];
		size_t step = 1;

		if (c < 0x20 || c == '"' || c == '\\')
			break;
		if (c >= 0x80) {
			step = utf8_step(p + i, n - i, &valid);
			if (!valid)
				break;
		}
		i += step;
	}
	return i;
}

static int put_json_bytes(struct sl_buf *b, const char *p, size_t n)
{
	bool valid;
	int r = 0;

	while (r == 0) {
		size_t run = plain_run(p, n);

		r = sl_buf_put(b, p, run);
		if (r < 0 || run == n)
			break;
		p += run;
		n -= run;
		run = utf8_step(p, n, &valid);
		r = valid ? put_escape(b, (unsigned char)*p) : sl_buf_put_str(b, "\xef\xbf\xbd");
		p += run;
		n -= run;
	}
	return r;
}

int sl_buf_put_json_string(struct sl_buf *b, struct sl_slice s)
{
	size_t start = b->len;
	int r;

	r = sl_buf_putc(b, '"');
	if (r == 0)
		r = put_json_bytes(b, s.p, s.n);
	if (r == 0)
		r = sl_buf_putc(b, '"');
	if (r < 0)
		b->len = start;
	return r;
}

void sl_buf_consume(struct sl_buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	if (b->len > 0 && n > 0)
		memmove(b->p, b->p + n, b->len);
}
