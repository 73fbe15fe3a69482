/*
 * Reading values in place. A value is where its bytes are; a walk finds the next one by skipping
 * this one, which costs little because json_parse has seen that everything closes.
 */
#include "codec/json.h"

#include <sluice/error.h>
#include "codec/json_lex.h"

/* From a quote to behind the other; at most to end. */
static inline const char *skip_string(const char *p, const char *end)
{
	for (p++;;) {
		p = json_skip_plain(p, end);
		if (p == end)
			return end;
		if (*p == '"')
			return p + 1;
		p += *p == '\\' && end - p > 1 ? 2 : 1;
	}
}

/* The bytes between a string's quotes. */
static inline struct sl_slice inside(struct sl_slice raw)
{
	return raw.n < 2 ? sl_slice(raw.p, 0) : sl_slice(raw.p + 1, raw.n - 2);
}

/* From a bracket to behind the one that closes it; at most to end. */
static const char *skip_container(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && --depth == 0)
			return p + 1;
		p++;
	}
	return end;
}

static inline const char *skip_plain_scalar(const char *p, const char *end)
{
	while (p < end && *p != ',' && *p != '}' && *p != ']' && !json_is_space(*p))
		p++;
	return p;
}

void json_walk_init(struct json_walk *w, struct json value)
{
	*w = (struct json_walk){.first = true, .object = value.type == JSON_OBJECT};
	if ((value.type == JSON_OBJECT || value.type == JSON_ARRAY) && value.raw.n >= 2) {
		w->p = value.raw.p + 1;
		w->end = value.raw.p + value.raw.n - 1;
	}
}

int json_walk_next(struct json_walk *w, struct sl_slice *key, struct json *value)
{
	const char *p = json_skip_space(w->p, w->end), *end = w->end, *begin;

	if (!w->first && p < end)
		p = json_skip_space(p + 1, end); /* the comma */
	w->first = false;
	if (p < end && w->object) {
		begin = p;
		p = skip_string(p, end);
		*key = inside(sl_slice(begin, (size_t)(p - begin)));
		p = json_skip_space(p, end);
		if (p < end)
			p = json_skip_space(p + 1, end); /* the colon */
	}
	if (p >= end) {
		w->p = end;
		return 0;
	}
	begin = p;
	if (*p == '"')
		p = skip_string(p, end);
	else if (*p == '{' || *p == '[')
		p = skip_container(p, end);
	else
		p = skip_plain_scalar(p, end);
	value->type = json_type_of(*begin);
	value->raw = sl_slice(begin, (size_t)(p - begin));
	w->p = p;
	return 1;
}

struct json json_get(struct json object, const char *name)
{
	struct sl_slice wanted = sl_slice_str(name), key;
	struct json found = {0}, value;
	struct json_walk w;

	if (object.type != JSON_OBJECT)
		return found;
	json_walk_init(&w, object);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_eq(key, wanted))
			found = value;
	}
	return found;
}

struct json json_get2(struct json object, const char *name, const char *name2)
{
	return json_get(json_get(object, name), name2);
}

/* Reads the escape at the start of `s`, as a UTF-16 unit, and takes it off. */
static uint32_t take_escape(struct sl_slice *s)
{
	size_t n = 2;
	int unit;

	if (s->n < 2) {
		*s = (struct sl_slice){0};
		return 0xfffd;
	}
	switch (s->p[1]) {
	case 'b':
		unit = '\b';
		break;
	case 'f':
		unit = '\f';
		break;
	case 'n':
		unit = '\n';
		break;
	case 'r':
		unit = '\r';
		break;
	case 't':
		unit = '\t';
		break;
	case 'u':
		n = s->n < 6 ? s->n : 6;
		unit = n == 6 ? json_hex4(s->p + 2) : 0xfffd;
		break;
	default:
		unit = (unsigned char)s->p[1];
	}
	*s = sl_slice(s->p + n, s->n - n);
	return (uint32_t)unit;
}

static int put_utf8(struct sl_buf *out, uint32_t c)
{
	char b[4];

	if (c < 0x80)
		return sl_buf_putc(out, (char)c);
	if (c < 0x800) {
		b[0] = (char)(0xc0 | c >> 6);
		b[1] = (char)(0x80 | (c & 0x3f));
		return sl_buf_put(out, b, 2);
	}
	if (c < 0x10000) {
		b[0] = (char)(0xe0 | c >> 12);
		b[1] = (char)(0x80 | (c >> 6 & 0x3f));
		b[2] = (char)(0x80 | (c & 0x3f));
		return sl_buf_put(out, b, 3);
	}
	b[0] = (char)(0xf0 | c >> 18);
	b[1] = (char)(0x80 | (c >> 12 & 0x3f));
	b[2] = (char)(0x80 | (c >> 6 & 0x3f));
	b[3] = (char)(0x80 | (c & 0x3f));
	return sl_buf_put(out, b, 4);
}

/* One UTF-16 unit. *high is the high half that came just before, or 0. */
static int put_unit(struct sl_buf *out, uint32_t unit, uint32_t *high)
{
	uint32_t before = *high;
	int r = 0;

	*high = 0;
	if (before && json_is_low_half(unit))
		return put_utf8(out, 0x10000 + ((before - 0xd800) << 10) + (unit - 0xdc00));
	if (before)
		r = put_utf8(out, 0xfffd);
	if (r < 0)
		return r;
	if (json_is_high_half(unit)) {
		*high = unit;
		return 0;
	}
	return put_utf8(out, json_is_low_half(unit) ? 0xfffd : unit);
}

static int put_unescaped(struct sl_buf *out, struct sl_slice s, uint32_t *high)
{
	int r = 0;

	while (s.n > 0 && r == 0) {
		const char *escape = memchr(s.p, '\\', s.n);
		size_t plain = escape ? (size_t)(escape - s.p) : s.n;

		if (plain == 0) {
			r = put_unit(out, take_escape(&s), high);
			continue;
		}
		if (*high)
			r = put_utf8(out, 0xfffd);
		*high = 0;
		if (r == 0)
			r = sl_buf_put(out, s.p, plain);
		s = sl_slice(s.p + plain, s.n - plain);
	}
	return r;
}

int json_string(struct json v, struct sl_buf *out, uint32_t *half)
{
	size_t start = out->len;
	uint32_t high = half ? *half : 0;
	int r;

	if (v.type != JSON_STRING)
		return -SL_E_TYPE;
	r = put_unescaped(out, inside(v.raw), &high);
	if (r == 0 && high && !half)
		r = put_utf8(out, 0xfffd);
	if (r < 0) {
		out->len = start;
		return r;
	}
	if (half)
		*half = high;
	return 0;
}

bool json_is(struct json v, const char *s)
{
	struct sl_slice left = inside(v.raw);

	if (v.type != JSON_STRING)
		return false;
	while (left.n > 0) {
		uint32_t unit = (unsigned char)*left.p;

		if (*left.p == '\\')
			unit = take_escape(&left);
		else
			left = sl_slice(left.p + 1, left.n - 1);
		if (*s == 0 || unit != (unsigned char)*s++)
			return false;
	}
	return *s == 0;
}

int json_int(struct json v, int64_t *out)
{
	const char *p = v.raw.p, *end;
	uint64_t value = 0, max = INT64_MAX;
	bool negative;

	if (v.type != JSON_NUMBER || v.raw.n == 0)
		return -SL_E_TYPE;
	end = p + v.raw.n;
	negative = *p == '-';
	if (negative) {
		max++;
		p++;
	}
	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (value > (max - digit) / 10)
			return -SL_E_LIMIT;
		value = 10 * value + digit;
	}
	if (p < end && *p == '.') {
		for (p++; p < end && *p == '0';)
			p++;
	}
	if (p < end)
		return -SL_E_LIMIT;
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return 0;
}

int json_bool(struct json v, bool *out)
{
	if (v.type != JSON_TRUE && v.type != JSON_FALSE)
		return -SL_E_TYPE;
	*out = v.type == JSON_TRUE;
	return 0;
}
