/* Stamps of tokens, written and read. */
#include "token.h"

#include <string.h>

static char *write_number(char *out, uint64_t n)
{
	char digit[20];
	size_t i = sizeof(digit);
	do {
		digit[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(out, digit + i, sizeof(digit) - i);
	return out + sizeof(digit) - i;
}

size_t token_write(char *out, const struct token *t)
{
	char *p = out;
	*p++ = '~';
	p = write_number(p, t->stream);
	*p++ = '~';
	p = write_number(p, t->seq);
	*p++ = '~';
	p = write_number(p, t->sent_ns);
	*p++ = '~';
	return (size_t)(p - out);
}

/* A number and the tilde behind it. */
static const char *read_number(const char *p, const char *end, uint64_t *n)
{
	const char *first = p;
	uint64_t v = 0;
	while (p < end && *p >= '0' && *p <= '9')
		v = v * 10 + (uint64_t)(*p++ - '0');
	if (p == first || p == end || *p != '~')
		return NULL;
	*n = v;
	return p + 1;
}

bool token_read(const char **at, const char *end, struct token *t)
{
	const char *p = *at;
	while ((p = memchr(p, '~', (size_t)(end - p)))) {
		uint64_t stream, seq, sent;
		const char *q = read_number(p + 1, end, &stream);
		if (q)
			q = read_number(q, end, &seq);
		if (q)
			q = read_number(q, end, &sent);
		if (q) {
			*t = (struct token){stream, (uint32_t)seq, sent};
			*at = q;
			return true;
		}
		p++;
	}
	return false;
}
