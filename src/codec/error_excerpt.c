/* No HTML parser: tags go, with what scripts and styles hold; entities stay. It is for a line in an
 * error message. */
#include "codec/error_excerpt.h"

#include <stdbool.h>
#include <strings.h>

/* White space and control characters, those of Latin-1 too. */
static bool is_blank(struct sl_slice s)
{
	unsigned char c = (unsigned char)*s.p;

	return c <= 0x20 || c == 0x7f || (c == 0xc2 && s.n > 1 && (unsigned char)s.p[1] < 0xa1);
}

static bool tag_is(struct sl_slice s, const char *name)
{
	size_t n = strlen(name);

	return s.n > n && strncasecmp(s.p + 1, name, n) == 0;
}

static struct sl_slice skip_to(struct sl_slice s, const char *what)
{
	const char *at = s.n ? memmem(s.p, s.n, what, strlen(what)) : NULL;

	if (!at)
		return (struct sl_slice){0};
	at += strlen(what);
	return sl_slice(at, s.n - (size_t)(at - s.p));
}

/* What follows the tag at the start of s. */
static struct sl_slice skip_tag(struct sl_slice s)
{
	if (tag_is(s, "script") || tag_is(s, "style"))
		s = skip_to(s, "</");
	else if (tag_is(s, "!--"))
		return skip_to(s, "-->");
	return skip_to(s, ">");
}

/* The length of the character at the start of s. */
static size_t character(struct sl_slice s)
{
	size_t n = 1;

	while (n < s.n && (s.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

struct sl_slice error_excerpt(struct sl_slice s, char out[ERROR_EXCERPT_MAX])
{
	bool html = false, blank = false;
	size_t len = 0;

	for (int chars = 0; s.n > 0 && chars < ERROR_EXCERPT_CHARS;) {
		size_t n = character(s);

		if (len == 0 && *s.p == '<')
			html = true;
		if (html && *s.p == '<') {
			s = skip_tag(s);
			blank = true;
			continue;
		}
		if (is_blank(s)) {
			blank = true;
		} else if (blank && len > 0) {
			out[len++] = ' ';
			chars++;
			blank = false;
			continue;
		} else {
			memcpy(out + len, s.p, n);
			len += n;
			chars++;
			blank = false;
		}
		s = sl_slice(s.p + n, s.n - n);
	}
	if (len > 0 && out[len - 1] == ' ')
		len--;
	return sl_slice(out, len);
}
