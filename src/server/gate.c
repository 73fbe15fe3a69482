/* Lines of a request's head. */
#include "server/gate.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 18

static bool is_token(const char *p, const char *end)
{
	if (p == end)
		return false;
	for (; p < end; p++)
		if (!isalnum((unsigned char)*p) && (*p == '\0' || !strchr("!#$%&'*+-.^_`|~", *p)))
			return false;
	return true;
}

static bool has_control(const char *p, const char *end)
{
	for (; p < end; p++)
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
			return true;
	return false;
}

static enum gate check_length(const char *p, const char *end, const char **why)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (p < end && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*why = "Content-Length is not a number";
	for (const char *at = p; at < end; at++)
		if (*at < '0' || *at > '9')
			return GATE_BAD_REQUEST;
	if (p == end)
		return GATE_BAD_REQUEST;
	*why = "the request body is too large";
	return end - p > LENGTH_DIGITS_MAX ? GATE_TOO_LARGE : GATE_GOOD;
}

/* One line of the head without its end. */
static enum gate check_line(const char *p, const char *end, bool first, const char **why)
{
	*why = "the head of the request has a control character";
	if (has_control(p, end))
		return GATE_BAD_REQUEST;
	if (first)
		return GATE_GOOD;
	*why = "a header goes on in the next line";
	if (*p == ' ' || *p == '\t')
		return GATE_BAD_REQUEST;
	const char *colon = memchr(p, ':', (size_t)(end - p));
	*why = "a header has a name that is none";
	if (!colon || !is_token(p, colon))
		return GATE_BAD_REQUEST;
	if (colon - p == 14 && strncasecmp(p, "Content-Length", 14) == 0)
		return check_length(colon + 1, end, why);
	return GATE_GOOD;
}

enum gate gate_check(struct sl_slice bytes, const char **why)
{
	const char *p = bytes.p, *end = bytes.p + bytes.n;
	bool first = true;
	while (p < end &&
	       (*p == '\r' || *p == '\n')) /* empty lines before a request are passed over */
		p++;
	for (;;) {
		const char *lf = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
		if (!lf)
			return GATE_INCOMPLETE;
		*why = "a line does not end with CR and LF";
		if (lf == p || lf[-1] != '\r')
			return GATE_BAD_REQUEST;
		if (lf - 1 == p) /* the empty line */
			return GATE_GOOD;
		enum gate result = check_line(p, lf - 1, first, why);
		if (result != GATE_GOOD)
			return result;
		first = false;
		p = lf + 1;
	}
}
