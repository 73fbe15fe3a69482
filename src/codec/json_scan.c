/*
 * The grammar of JSON, in one pass without recursion. It is compiled twice: lenient, for what
 * upstreams send a hundred times a second, and strict, for what clients send.
 *
 *	value ─▶ scalar ─────────────────────────────╮
 *	  ▲  ╰─▶ { or [ ─▶ empty? ─▶ closes with it ─┤
 *	  │        ╰─▶ (key :) value                 ▼
 *	  ╰────────── , (key :) ◀──────────── behind a value ─▶ } or ] closes ─▶ behind a value
 */
#include "codec/json.h"

#include <sluice/error.h>
#include "codec/json_keys.h"
#include "codec/json_lex.h"
#include "codec/utf8.h"

/* What only the gate counts and remembers. */
struct gate {
	struct json_limits limits;
	uint32_t values;
	struct json_keys keys;
	struct json_keys_mark mark[JSON_DEPTH_MAX];
};

struct scan {
	const char *p, *start, *end;
	struct gate *gate; /* NULL: lenient */
	struct json_fault fault;
	uint32_t depth;
	char closer[JSON_PARSE_DEPTH_MAX]; /* the bracket that closes the container at each depth */
};

/* Everything that knows whether it is lenient has to be inlined into its two uses. */
#define BOTH static inline __attribute__((always_inline))

BOTH int refuse_at(struct scan *s, const char *at, int error, const char *code, const char *what)
{
	s->fault = (struct json_fault){(size_t)(at - s->start), code, what};
	return error;
}

BOTH int refuse(struct scan *s, const char *what)
{
	if (s->p < s->end && *s->p == 0)
		return refuse_at(s, s->p, -SL_E_SYNTAX, "nul_character", "a NUL byte");
	return refuse_at(s, s->p, -SL_E_SYNTAX, "invalid_json", what);
}

static int refuse_memory(struct scan *s)
{
	return refuse_at(s, s->p, -SL_E_NOMEM, "no_memory", "there is no memory to read this");
}

/* A \u escape whose digits are valid; moves on behind it, or behind the pair that it begins. */
static int strict_unicode(struct scan *s, uint32_t unit)
{
	const char *next = s->p + 6;
	uint32_t low = 0;

	if (unit == 0)
		return refuse_at(s, s->p, -SL_E_SYNTAX, "nul_character", "an escaped NUL");
	if (json_is_high_half(unit)) {
		if (s->end - next >= 6 && next[0] == '\\' && next[1] == 'u')
			low = (uint32_t)json_hex4(next + 2);
		if (!json_is_low_half(low))
			return refuse(s, "half of a surrogate pair without the other");
		next += 6;
	} else if (json_is_low_half(unit)) {
		return refuse(s, "half of a surrogate pair without the other");
	}
	s->p = next;
	return 0;
}

BOTH int take_escape(struct scan *s)
{
	int unit;

	if (s->end - s->p < 2)
		return refuse(s, "a string is not closed");
	switch (s->p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		s->p += 2;
		return 0;
	case 'u':
		unit = s->end - s->p >= 6 ? json_hex4(s->p + 2) : -1;
		if (unit < 0)
			return refuse(s, "\\u without four hexadecimal digits");
		if (s->gate)
			return strict_unicode(s, (uint32_t)unit);
		s->p += 6;
		return 0;
	default:
		return refuse(s, "an unknown escape");
	}
}

/* From one quote to behind the other. */
BOTH int take_string(struct scan *s)
{
	int r;

	s->p++;
	for (;;) {
		s->p = json_skip_plain(s->p, s->end);
		if (s->p == s->end)
			return refuse(s, "a string is not closed");
		if (*s->p == '"') {
			s->p++;
			return 0;
		}
		if (*s->p != '\\')
			return refuse(s, "a raw control character in a string");
		r = take_escape(s);
		if (r < 0)
			return r;
	}
}

BOTH bool skip_digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from;
}

BOTH int take_number(struct scan *s)
{
	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!skip_digits(s))
		return refuse(s, "a digit is missing");
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!skip_digits(s))
			return refuse(s, "a digit is missing");
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!skip_digits(s))
			return refuse(s, "a digit is missing");
	}
	return 0;
}

BOTH int take_word(struct scan *s, struct sl_slice word)
{
	if ((size_t)(s->end - s->p) < word.n || memcmp(s->p, word.p, word.n) != 0)
		return refuse(s, "an unknown word");
	s->p += word.n;
	return 0;
}

BOTH int take_scalar(struct scan *s)
{
	if (s->p == s->end)
		return refuse(s, "the text ends where a value should be");
	switch (*s->p) {
	case '"':
		return take_string(s);
	case 't':
		return take_word(s, SL_LIT("true"));
	case 'f':
		return take_word(s, SL_LIT("false"));
	case 'n':
		return take_word(s, SL_LIT("null"));
	default:
		if (*s->p != '-' && (*s->p < '0' || *s->p > '9'))
			return refuse(s, "a value is missing");
		return take_number(s);
	}
}

/* A key with its colon, and the space around it. */
BOTH int take_key(struct scan *s)
{
	struct sl_slice raw;
	int r;

	s->p = json_skip_space(s->p, s->end);
	if (s->p == s->end || *s->p != '"')
		return refuse(s, "a key is missing");
	raw.p = s->p;
	r = take_string(s);
	if (r < 0)
		return r;
	if (s->gate) {
		raw.n = (size_t)(s->p - raw.p);
		r = json_keys_add(&s->gate->keys, raw);
		if (r < 0)
			return refuse_memory(s);
	}
	s->p = json_skip_space(s->p, s->end);
	if (s->p == s->end || *s->p != ':')
		return refuse(s, "a colon is missing");
	s->p++;
	return 0;
}

BOTH int open_container(struct scan *s)
{
	uint32_t limit = s->gate ? JSON_DEPTH_MAX : JSON_PARSE_DEPTH_MAX;

	if (s->gate && s->gate->limits.depth < limit)
		limit = s->gate->limits.depth;
	if (s->depth >= limit)
		return refuse_at(s, s->p, -SL_E_LIMIT, "too_deep",
				 "arrays and objects are nested too deep");
	if (s->gate)
		s->gate->mark[s->depth] = json_keys_mark(&s->gate->keys);
	s->closer[s->depth++] = *s->p == '{' ? '}' : ']';
	s->p++;
	return 0;
}

static int check_keys(struct scan *s)
{
	size_t offset;
	int r = json_keys_close(&s->gate->keys, s->gate->mark[s->depth - 1], &offset);

	if (r < 0)
		return refuse_memory(s);
	if (r > 0)
		return refuse_at(s, s->start + offset, -SL_E_SYNTAX, "duplicate_key",
				 "an object has two equal keys");
	return 0;
}

/* Closes what ends behind a value, which may be many at once. */
BOTH int close_containers(struct scan *s)
{
	for (; s->depth > 0; s->depth--) {
		s->p = json_skip_space(s->p, s->end);
		if (s->p == s->end || *s->p != s->closer[s->depth - 1])
			break;
		if (s->gate && *s->p == '}') {
			int r = check_keys(s);

			if (r < 0)
				return r;
		}
		s->p++;
	}
	return 0;
}

/* A scalar, or the bracket that opens a container. 1: what it holds is to follow, 0: the value has
 * ended, or only its closing bracket is missing. */
BOTH int begin_value(struct scan *s)
{
	int r;

	if (s->gate && ++s->gate->values > s->gate->limits.values)
		return refuse_at(s, s->p, -SL_E_LIMIT, "too_many_values",
				 "there are too many values");
	if (s->p == s->end || (*s->p != '{' && *s->p != '['))
		return take_scalar(s);
	r = open_container(s);
	if (r < 0)
		return r;
	s->p = json_skip_space(s->p, s->end);
	return s->p == s->end || *s->p != s->closer[s->depth - 1];
}

BOTH int scan(struct scan *s)
{
	int r;

	for (;;) {
		s->p = json_skip_space(s->p, s->end);
		r = begin_value(s);
		if (r < 0)
			return r;
		if (r == 0) {
			r = close_containers(s);
			if (r < 0)
				return r;
			if (s->depth == 0)
				break;
			if (s->p == s->end)
				return refuse(s, "an array or object is not closed");
			if (*s->p != ',')
				return refuse(s, "a comma or a closing bracket is missing");
			s->p++;
		}
		if (s->closer[s->depth - 1] == '}') {
			r = take_key(s);
			if (r < 0)
				return r;
		}
	}
	s->p = json_skip_space(s->p, s->end);
	return s->p == s->end ? 0 : refuse(s, "something follows the value");
}

static void scan_init(struct scan *s, struct sl_slice text, struct gate *gate)
{
	/* Not all of it is cleared: that would cost as much as a small frame. */
	s->p = s->start = text.n ? text.p : "";
	s->end = s->p + text.n;
	s->gate = gate;
	s->depth = 0;
}

int json_check(struct sl_slice text, struct json_limits limits, struct json_fault *fault)
{
	struct gate gate = {.limits = limits};
	struct scan s;
	size_t valid;
	int r;

	if (text.n > JSON_KEYS_TEXT_MAX) {
		*fault = (struct json_fault){0, "too_long", "the text is 2 GiB long or longer"};
		return -SL_E_LIMIT;
	}
	valid = utf8_valid_prefix(text);
	if (valid < text.n) {
		*fault = (struct json_fault){valid, "invalid_utf8", "the text is not UTF-8"};
		return -SL_E_SYNTAX;
	}
	json_keys_init(&gate.keys, text);
	scan_init(&s, text, &gate);
	r = scan(&s);
	json_keys_fini(&gate.keys);
	if (r < 0)
		*fault = s.fault;
	return r;
}

int json_parse(struct sl_slice text, struct json *out)
{
	struct scan s;
	const char *begin, *end;
	int r;

	scan_init(&s, text, NULL);
	r = scan(&s);
	if (r < 0)
		return r;
	begin = json_skip_space(s.start, s.end);
	for (end = s.end; json_is_space(end[-1]);)
		end--;
	*out = (struct json){json_type_of(*begin), sl_slice(begin, (size_t)(end - begin))};
	return 0;
}
