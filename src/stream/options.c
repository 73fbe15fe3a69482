/* Reads the two little languages that clients may also send in headers: durations and what leaving
 * means. */
#include "stream/options.h"

#include <sluice/error.h>

#define DETACH_DEFAULT_MS 30000

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int duration_parse(struct sl_slice text, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < text.n && is_digit(text.p[i]); i++) {
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (unsigned)(text.p[i] - '0'), &n))
			return -SL_E_SYNTAX;
	}
	if (i == 0)
		return -SL_E_SYNTAX;
	text.p += i;
	text.n -= i;
	if (text.n == 0 && n == 0) { /* zero of whatever unit */
		*ms = 0;
		return 0;
	}
	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		if (!sl_slice_is(text, units[u].unit))
			continue;
		if (__builtin_mul_overflow(n, units[u].ms, &n))
			return -SL_E_SYNTAX;
		*ms = n;
		return 0;
	}
	return -SL_E_SYNTAX;
}

int leave_parse(struct sl_slice text, struct leave *out)
{
	struct leave leave = {LEAVE_DETACH, DETACH_DEFAULT_MS};
	int r;

	while (text.n && is_blank(text.p[text.n - 1]))
		text.n--;
	while (text.n && is_blank(text.p[0])) {
		text.p++;
		text.n--;
	}
	if (sl_slice_is(text, "cancel")) {
		*out = (struct leave){LEAVE_CANCEL, 0};
		return 0;
	}
	if (sl_slice_is(text, "drain")) {
		*out = (struct leave){LEAVE_DRAIN, 0};
		return 0;
	}
	if (!sl_slice_starts(text, "detach"))
		return -SL_E_SYNTAX;
	text.p += strlen("detach");
	text.n -= strlen("detach");
	if (text.n) {
		if (!is_blank(text.p[0]))
			return -SL_E_SYNTAX;
		while (is_blank(text.p[0])) { /* ends: the last byte is no blank */
			text.p++;
			text.n--;
		}
		r = duration_parse(text, &leave.grace_ms);
		if (r < 0)
			return r;
	}
	*out = leave;
	return 0;
}
