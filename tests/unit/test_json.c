/* JSON in place: what the gate lets through, what the lenient reader reads, and what walks and
 * accessors find. */
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <sluice/error.h>
#include "unit.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define EVERYTHING   ((struct json_limits){JSON_DEPTH_MAX, UINT32_MAX})
#define TEXT_MAX     (64u << 20)

/* The text in memory of its own size, so that a byte read behind it is noticed. */
static struct sl_slice copy_of(struct sl_slice s)
{
	char *p = malloc(s.n ? s.n : 1);

	memcpy(p, s.p, s.n);
	return sl_slice(p, s.n);
}

static int check(struct sl_slice text, struct json_limits limits, struct json_fault *fault)
{
	struct sl_slice copy = copy_of(text);
	int r;

	*fault = (struct json_fault){0};
	r = json_check(copy, limits, fault);
	ck_assert((r < 0) == (fault->code != NULL));
	ck_assert((r < 0) == (fault->what != NULL));
	ck_assert_uint_le(fault->offset, text.n);
	free((char *)copy.p);
	return r;
}

/* The value of a text that stays. */
static struct json parse(const char *text)
{
	struct json v = {0};

	ck_assert_msg(json_parse(sl_slice_str(text), &v) == 0, "'%s' is not read", text);
	return v;
}

/* --- the gate and the lenient reader --- */

static const struct sl_slice valid[] = {
	SL_LIT_INIT("{}"),
	SL_LIT_INIT("[]"),
	SL_LIT_INIT("\"\""),
	SL_LIT_INIT("0"),
	SL_LIT_INIT("-0"),
	SL_LIT_INIT("true"),
	SL_LIT_INIT("false"),
	SL_LIT_INIT("null"),
	SL_LIT_INIT(" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n"),
	SL_LIT_INIT("[-1,0.5,1e5,1E+5,1e-5,-0.0e0,123456789012345678901234567890,1e999]"),
	SL_LIT_INIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uABCD\\uabcd\""),
	SL_LIT_INIT("\"\\ud83d\\ude00\""),
	SL_LIT_INIT("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\""),
	SL_LIT_INIT("[[[[]]],{},[{}]]"),
	SL_LIT_INIT("{\"a\":1,\"A\":2,\"\":3,\"a \":4,\"aa\":{\"a\":5}}"),
	SL_LIT_INIT("[{\"a\":1},{\"a\":1}]"),
	SL_LIT_INIT("{\"a\":{\"b\":1},\"b\":{\"a\":1}}"),
	SL_LIT_INIT("{\"a long key of more than sixteen bytes\":\"a long string of more than "
		    "sixteen bytes\"}"),
	SL_LIT_INIT("{\"a long key of more than sixteen "
		    "bytes\\n\":\"\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"\"}"),
};

START_TEST(valid_texts_pass_the_gate_and_are_read)
{
	struct json_fault fault;
	struct json v;

	ck_assert_msg(check(valid[_i], EVERYTHING, &fault) == 0, "'%.*s': %s at %zu",
		      (int)valid[_i].n, valid[_i].p, fault.what, fault.offset);
	ck_assert_int_eq(json_parse(valid[_i], &v), 0);
	ck_assert_int_ne(v.type, JSON_NONE);
}
END_TEST

START_TEST(what_is_cut_off_a_text_makes_it_invalid)
{
	const char *rest = valid[_i].p + valid[_i].n;
	bool number = memchr("-0", valid[_i].p[0], 2);
	struct json_fault fault;
	struct json v;

	while (rest[-1] == ' ' || rest[-1] == '\n')
		rest--;

	for (size_t n = 0; n < valid[_i].n; n++) {
		struct sl_slice copy = copy_of(sl_slice(valid[_i].p, n));
		int r = check(copy, EVERYTHING, &fault);

		ck_assert_int_eq(json_parse(copy, &v), r);
		ck_assert(r < 0 || valid[_i].p + n >= rest || number);
		free((char *)copy.p);
	}
}
END_TEST

/* Refused by both, at the same byte. */
static const struct {
	struct sl_slice text;
	size_t offset;
} invalid[] = {
	{SL_LIT_INIT(""), 0},
	{SL_LIT_INIT("  "), 2},
	{SL_LIT_INIT("{"), 1},
	{SL_LIT_INIT("["), 1},
	{SL_LIT_INIT("]"), 0},
	{SL_LIT_INIT("[}"), 1},
	{SL_LIT_INIT("{]"), 1},
	{SL_LIT_INIT("[1}"), 2},
	{SL_LIT_INIT("[1,]"), 3},
	{SL_LIT_INIT("[,1]"), 1},
	{SL_LIT_INIT("[1 2]"), 3},
	{SL_LIT_INIT("[1,,2]"), 3},
	{SL_LIT_INIT("{\"a\"}"), 4},
	{SL_LIT_INIT("{\"a\":}"), 5},
	{SL_LIT_INIT("{\"a\":1,}"), 7},
	{SL_LIT_INIT("{\"a\" 1}"), 5},
	{SL_LIT_INIT("{a:1}"), 1},
	{SL_LIT_INIT("{1:1}"), 1},
	{SL_LIT_INIT("{\"a\":1 \"b\":2}"), 7},
	{SL_LIT_INIT("{\"a\":1}}"), 7},
	{SL_LIT_INIT("{} {}"), 3},
	{SL_LIT_INIT("1,"), 1},
	{SL_LIT_INIT("01"), 1},
	{SL_LIT_INIT("-"), 1},
	{SL_LIT_INIT("-a"), 1},
	{SL_LIT_INIT("+1"), 0},
	{SL_LIT_INIT(".5"), 0},
	{SL_LIT_INIT("1."), 2},
	{SL_LIT_INIT("1.e5"), 2},
	{SL_LIT_INIT("1e"), 2},
	{SL_LIT_INIT("1e+"), 3},
	{SL_LIT_INIT("0x10"), 1},
	{SL_LIT_INIT("NaN"), 0},
	{SL_LIT_INIT("Infinity"), 0},
	{SL_LIT_INIT("tru"), 0},
	{SL_LIT_INIT("trues"), 4},
	{SL_LIT_INIT("True"), 0},
	{SL_LIT_INIT("nul"), 0},
	{SL_LIT_INIT("'a'"), 0},
	{SL_LIT_INIT("\""), 1},
	{SL_LIT_INIT("\"a"), 2},
	{SL_LIT_INIT("\"\\\""), 3},
	{SL_LIT_INIT("\"\\"), 1},
	{SL_LIT_INIT("\"\\x\""), 1},
	{SL_LIT_INIT("\"\\u12\""), 1},
	{SL_LIT_INIT("\"\\u12g4\""), 1},
	{SL_LIT_INIT("\"\\U0041\""), 1},
	{SL_LIT_INIT("\"a\nb\""), 2},
	{SL_LIT_INIT("\"a\tb\""), 2},
	{SL_LIT_INIT("\"\037\""), 1},
	{SL_LIT_INIT("/**/1"), 0},
	{SL_LIT_INIT("1//"), 1},
	{SL_LIT_INIT("\v1"), 0},
	{SL_LIT_INIT("\xef\xbb\xbf{}"), 0},
	{SL_LIT_INIT("\xc2\xa0{}"), 0},
};

START_TEST(invalid_texts_are_refused_with_the_offset)
{
	struct json_fault fault;
	struct json v;

	ck_assert_int_eq(check(invalid[_i].text, EVERYTHING, &fault), -SL_E_SYNTAX);
	ck_assert_str_eq(fault.code, "invalid_json");
	ck_assert_uint_eq(fault.offset, invalid[_i].offset);
	ck_assert_int_eq(json_parse(invalid[_i].text, &v), -SL_E_SYNTAX);
}
END_TEST

/* Refused by the gate only. */
static const struct {
	struct sl_slice text;
	const char *code;
	size_t offset;
} sloppy[] = {
	{SL_LIT_INIT("{\"a\":1,\"a\":1}"), "duplicate_key", 7},
	{SL_LIT_INIT("{\"a\":1,\"b\":2,\"a\":1,\"b\":2}"), "duplicate_key", 13},
	{SL_LIT_INIT("{\"\":1,\"\":1}"), "duplicate_key", 6},
	{SL_LIT_INIT("{\"a\":1,\"\\u0061\":1}"), "duplicate_key", 7},
	{SL_LIT_INIT("{\"\\u0061\":1,\"a\":1}"), "duplicate_key", 12},
	{SL_LIT_INIT("{\"\\/\":1,\"\\u002F\":1}"), "duplicate_key", 8},
	{SL_LIT_INIT("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":1}"), "duplicate_key", 10},
	{SL_LIT_INIT("{\"a\":{\"b\":[{\"c\":1,\"c\":1}]},\"a\":1}"), "duplicate_key", 18},
	{SL_LIT_INIT("{\"a\":{\"a\":[]},\"b\":{},\"a\":1}"), "duplicate_key", 21},
	{SL_LIT_INIT("\"\\ud83d\""), "invalid_json", 1},
	{SL_LIT_INIT("\"\\ud83d\\n\""), "invalid_json", 1},
	{SL_LIT_INIT("\"\\ud83d\\u0041\""), "invalid_json", 1},
	{SL_LIT_INIT("\"\\ud83d\\ud83d\\ude00\""), "invalid_json", 1},
	{SL_LIT_INIT("\"\\ude00\""), "invalid_json", 1},
	{SL_LIT_INIT("\"\\ud83d\\ude00\\ude00\""), "invalid_json", 13},
	{SL_LIT_INIT("{\"\\ud83d\":1}"), "invalid_json", 2},
	{SL_LIT_INIT("\"\xff\""), "invalid_utf8", 1},
	{SL_LIT_INIT("\"\xed\xa0\x80\""), "invalid_utf8", 1},
	{SL_LIT_INIT("\"\xe2\x82\""), "invalid_utf8", 1},
	{SL_LIT_INIT("\"a\\u0000\""), "nul_character", 2},
};

START_TEST(what_upstreams_may_send_and_clients_may_not)
{
	struct json_fault fault;
	struct json v;

	ck_assert_int_eq(check(sloppy[_i].text, EVERYTHING, &fault), -SL_E_SYNTAX);
	ck_assert_str_eq(fault.code, sloppy[_i].code);
	ck_assert_uint_eq(fault.offset, sloppy[_i].offset);
	ck_assert_int_eq(json_parse(sloppy[_i].text, &v), 0);
}
END_TEST

START_TEST(a_raw_nul_is_named_wherever_it_stands)
{
	static const struct sl_slice texts[] = {SL_LIT_INIT("\0"), SL_LIT_INIT("[\0]"),
						SL_LIT_INIT("\"\0\""), SL_LIT_INIT("{}\0"),
						SL_LIT_INIT("{\"a\"\0:1}")};
	struct json_fault fault;
	struct json v;

	for (size_t i = 0; i < COUNT(texts); i++) {
		ck_assert_int_eq(check(texts[i], EVERYTHING, &fault), -SL_E_SYNTAX);
		ck_assert_str_eq(fault.code, "nul_character");
		ck_assert_int_eq(json_parse(texts[i], &v), -SL_E_SYNTAX);
	}
}
END_TEST

static const struct {
	const char *text;
	struct json_limits limits;
	const char *code; /* NULL: passes */
	size_t offset;
} limited[] = {
	{"1", {0, 1}, NULL, 0},
	{"1", {0, 0}, "too_many_values", 0},
	{"[]", {0, 9}, "too_deep", 0},
	{"[{}]", {2, 9}, NULL, 0},
	{"[{}]", {1, 9}, "too_deep", 1},
	{"[[],[],[]]", {2, 4}, NULL, 0},
	{"[[],[],[]]", {2, 3}, "too_many_values", 7},
	{"{\"a\":1,\"b\":2}", {1, 3}, NULL, 0},
	{"{\"a\":1,\"b\":2}", {1, 2}, "too_many_values", 11},
};

START_TEST(texts_are_held_to_the_limits)
{
	struct json_fault fault;
	int r = check(sl_slice_str(limited[_i].text), limited[_i].limits, &fault);

	if (!limited[_i].code) {
		ck_assert_int_eq(r, 0);
		return;
	}
	ck_assert_int_eq(r, -SL_E_LIMIT);
	ck_assert_str_eq(fault.code, limited[_i].code);
	ck_assert_uint_eq(fault.offset, limited[_i].offset);
}
END_TEST

/* The brackets of n arrays, one within the other; at most JSON_PARSE_DEPTH_MAX + 1. */
static struct sl_slice nested(size_t n)
{
	static char text[2 * (JSON_PARSE_DEPTH_MAX + 1)];

	memset(text, '[', n);
	memset(text + n, ']', n);
	return sl_slice(text, 2 * n);
}

START_TEST(nesting_ends_at_a_depth_for_each)
{
	struct json_limits limits = {UINT32_MAX, UINT32_MAX};
	struct json_fault fault;
	struct json v;

	ck_assert_int_eq(check(nested(JSON_DEPTH_MAX + 1), limits, &fault), -SL_E_LIMIT);
	ck_assert_str_eq(fault.code, "too_deep");
	ck_assert_uint_eq(fault.offset, JSON_DEPTH_MAX);
	ck_assert_int_eq(check(nested(JSON_DEPTH_MAX), limits, &fault), 0);
	ck_assert_int_eq(json_parse(nested(JSON_PARSE_DEPTH_MAX + 1), &v), -SL_E_LIMIT);
	ck_assert_int_eq(json_parse(nested(JSON_PARSE_DEPTH_MAX), &v), 0);
}
END_TEST

/* --- many keys --- */

/* An object with the keys k0 to k<n-1>, and key `repeat` once more unless it is negative. */
static struct sl_buf object_of(int n, int repeat, const char *repeat_k)
{
	struct sl_buf b;
	int r = 0;

	sl_buf_init(&b, TEXT_MAX);
	for (int i = 0; i < n; i++)
		r |= sl_buf_printf(&b, "%c\"k%d\":%d", i ? ',' : '{', i, i);
	if (repeat >= 0)
		r |= sl_buf_printf(&b, ",\"%s%d\":0", repeat_k, repeat);
	ck_assert_int_eq(r | sl_buf_putc(&b, '}'), 0);
	return b;
}

START_TEST(an_equal_key_is_found_among_many)
{
	static const int sizes[] = {2, 15, 16, 17, 18, 255, 256, 257, 1000, 100000};
	static const char *const ways_to_write_k[] = {"k", "\\u006b"};
	int n = sizes[_i];
	struct json_fault fault;
	struct sl_buf b = object_of(n, -1, NULL);

	ck_assert_int_eq(check(sl_buf_slice(&b), EVERYTHING, &fault), 0);
	sl_buf_fini(&b);
	for (int repeat = 0; repeat < n; repeat += 1 + n / 4) {
		for (size_t k = 0; k < COUNT(ways_to_write_k); k++) {
			size_t offset;

			b = object_of(n, repeat, ways_to_write_k[k]);
			offset = (size_t)((char *)memrchr(b.p, ',', b.len) + 1 - b.p);
			ck_assert_int_eq(check(sl_buf_slice(&b), EVERYTHING, &fault), -SL_E_SYNTAX);
			ck_assert_str_eq(fault.code, "duplicate_key");
			ck_assert_uint_eq(fault.offset, offset);
			sl_buf_fini(&b);
		}
	}
}
END_TEST

START_TEST(the_first_of_many_repetitions_is_named)
{
	for (int n = 2; n < 100; n++) {
		struct json_fault fault;
		struct sl_buf b;

		sl_buf_init(&b, TEXT_MAX);
		ck_assert_int_eq(sl_buf_put_str(&b, "{\"x\":1"), 0);
		for (int i = 0; i < n; i++)
			ck_assert_int_eq(sl_buf_put_str(&b, i & 1 ? ",\"a\":1" : ",\"b\":1"), 0);
		ck_assert_int_eq(sl_buf_put_str(&b, ",\"a\":1}"), 0);
		ck_assert_int_eq(check(sl_buf_slice(&b), EVERYTHING, &fault), -SL_E_SYNTAX);
		ck_assert_str_eq(fault.code, "duplicate_key");
		ck_assert_uint_eq(fault.offset, 7 + 2 * 6);
		sl_buf_fini(&b);
	}
}
END_TEST

START_TEST(many_objects_with_keys_of_their_own_pass)
{
	struct json_fault fault;
	struct sl_buf b, inner = object_of(40, -1, NULL);

	sl_buf_init(&b, TEXT_MAX);
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(sl_buf_printf(&b, "%c\"k\\u003%d%d\":", i ? ',' : '{', i % 10, i),
				 0);
		ck_assert_int_eq(sl_buf_put_slice(&b, sl_buf_slice(&inner)), 0);
	}
	ck_assert_int_eq(sl_buf_putc(&b, '}'), 0);
	ck_assert_int_eq(check(sl_buf_slice(&b), EVERYTHING, &fault), 0);
	sl_buf_fini(&b);
	sl_buf_fini(&inner);
}
END_TEST

/* --- walks --- */

START_TEST(a_value_is_its_bytes_without_the_space_around_it)
{
	static const struct {
		const char *text, *raw;
		enum json_type type;
	} cases[] = {
		{" {\"a\": 1 } ", "{\"a\": 1 }", JSON_OBJECT},
		{"\n[ ]\n", "[ ]", JSON_ARRAY},
		{"\t\"a\" ", "\"a\"", JSON_STRING},
		{" -1.5e3 ", "-1.5e3", JSON_NUMBER},
		{" true", "true", JSON_TRUE},
		{"false ", "false", JSON_FALSE},
		{"null", "null", JSON_NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json v = parse(cases[i].text);

		ck_assert_int_eq(v.type, cases[i].type);
		ck_assert(sl_slice_is(v.raw, cases[i].raw));
	}
}
END_TEST

/* What a walk visits, all levels of it, as "key=raw" or "raw", each with a blank behind it. */
static void put_visits(struct json v, struct sl_buf *out)
{
	struct json_walk w;
	struct sl_slice key;
	struct json value;

	json_walk_init(&w, v);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (v.type == JSON_OBJECT) {
			ck_assert_int_eq(sl_buf_put_slice(out, key), 0);
			ck_assert_int_eq(sl_buf_putc(out, '='), 0);
		}
		ck_assert_int_eq(sl_buf_put_slice(out, value.raw), 0);
		ck_assert_int_eq(sl_buf_putc(out, ' '), 0);
		put_visits(value, out);
	}
	ck_assert_int_eq(json_walk_next(&w, &key, &value), 0);
}

static const struct {
	const char *text, *visits;
} walks[] = {
	{"{}", ""},
	{" [ ] ", ""},
	{"\"no container\"", ""},
	{"12", ""},
	{"[1,\"a\",true,false,null,-0.5]", "1 \"a\" true false null -0.5 "},
	{"{\"a\":1,\"b\":\"c\"}", "a=1 b=\"c\" "},
	{" { \"a\" : 1 , \"b\" : 2 } ", "a=1 b=2 "},
	{"[ 1 , [ ] , 2 ]", "1 [ ] 2 "},
	{"[[1,[2]],{\"a\":[]}]", "[1,[2]] 1 [2] 2 {\"a\":[]} a=[] "},
	{"{\"}]\":\"]}\",\"\\\"\":\"\\\\\"}", "}]=\"]}\" \\\"=\"\\\\\" "},
	{"[\"{\\\"[\",{\"a\":\"}\"},\"x\"]", "\"{\\\"[\" {\"a\":\"}\"} a=\"}\" \"x\" "},
	{"{\"a\":1,\"a\":2}", "a=1 a=2 "},
};

START_TEST(a_walk_visits_every_value_once)
{
	struct sl_buf out;

	sl_buf_init(&out, 1000);
	put_visits(parse(walks[_i].text), &out);
	ck_assert_msg(sl_slice_is(sl_buf_slice(&out), walks[_i].visits), "'%.*s'", (int)out.len,
		      out.p);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(members_are_found_by_name_and_the_last_one_wins)
{
	struct json v = parse("{\"a\":1,\"b\":{\"c\":\"x\",\"d\":[]},\"a\":2,\"A\":3,\"aa\":4}");

	ck_assert(sl_slice_is(json_get(v, "a").raw, "2"));
	ck_assert(sl_slice_is(json_get(v, "aa").raw, "4"));
	ck_assert(sl_slice_is(json_get2(v, "b", "c").raw, "\"x\""));
	ck_assert_int_eq(json_get2(v, "b", "d").type, JSON_ARRAY);
	ck_assert_int_eq(json_get(v, "c").type, JSON_NONE);
	ck_assert_int_eq(json_get(v, "").type, JSON_NONE);
	ck_assert_int_eq(json_get2(v, "a", "c").type, JSON_NONE);
	ck_assert_int_eq(json_get2(v, "z", "c").type, JSON_NONE);
	ck_assert_int_eq(json_get(parse("[{\"a\":1}]"), "a").type, JSON_NONE);
}
END_TEST

/* --- scalars --- */

static const struct {
	struct sl_slice text, string;
} strings[] = {
	{SL_LIT_INIT("\"\""), SL_LIT_INIT("")},
	{SL_LIT_INIT("\"plain\""), SL_LIT_INIT("plain")},
	{SL_LIT_INIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), SL_LIT_INIT("\"\\/\b\f\n\r\t")},
	{SL_LIT_INIT("\"a\\u0000b\""), SL_LIT_INIT("a\0b")},
	{SL_LIT_INIT("\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\""),
	 SL_LIT_INIT("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")},
	{SL_LIT_INIT("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
	 SL_LIT_INIT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf")},
	{SL_LIT_INIT("\"\\ud800\\udc00\\udbff\\udfff\""),
	 SL_LIT_INIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
	{SL_LIT_INIT("\"\\ud83d\""), SL_LIT_INIT("\xef\xbf\xbd")},
	{SL_LIT_INIT("\"\\ud83dx\""), SL_LIT_INIT("\xef\xbf\xbdx")},
	{SL_LIT_INIT("\"\\ud83d\\n\""), SL_LIT_INIT("\xef\xbf\xbd\n")},
	{SL_LIT_INIT("\"\\ud83d\\ud83d\\ude00\""), SL_LIT_INIT("\xef\xbf\xbd\xf0\x9f\x98\x80")},
	{SL_LIT_INIT("\"\\ude00\\ud83d\""), SL_LIT_INIT("\xef\xbf\xbd\xef\xbf\xbd")},
	{SL_LIT_INIT("\"bytes as \xff they came\""), SL_LIT_INIT("bytes as \xff they came")},
};

START_TEST(strings_are_unescaped)
{
	struct sl_buf out;
	struct json v;

	ck_assert_int_eq(json_parse(strings[_i].text, &v), 0);
	sl_buf_init(&out, strings[_i].string.n + 2);
	ck_assert_int_eq(sl_buf_put_str(&out, "> "), 0);
	ck_assert_int_eq(json_string(v, &out, NULL), 0);
	sl_buf_consume(&out, 2);
	ck_assert(sl_slice_eq(sl_buf_slice(&out), strings[_i].string));
	sl_buf_fini(&out);

	if (strings[_i].string.n == 0)
		return;
	sl_buf_init(&out, strings[_i].string.n - 1);
	ck_assert_int_eq(json_string(v, &out, NULL), -SL_E_LIMIT);
	ck_assert_uint_eq(out.len, 0);
	sl_buf_fini(&out);
}
END_TEST

static const struct {
	const char *pieces[4];
	const char *string;
	uint32_t half; /* that is kept behind the last piece */
} halves[] = {
	{{"\"\\ud83d\"", "\"\\ude00\""}, "\xf0\x9f\x98\x80", 0},
	{{"\"a\\ud83d\"", "\"\"", "\"\\ude00z\""}, "a\xf0\x9f\x98\x80z", 0},
	{{"\"\\ud83d\"", "\"x\""}, "\xef\xbf\xbdx", 0},
	{{"\"\\ud83d\"", "\"\\n\""}, "\xef\xbf\xbd\n", 0},
	{{"\"\\ud83d\"", "\"\\ud83d\"", "\"\\ude00\""}, "\xef\xbf\xbd\xf0\x9f\x98\x80", 0},
	{{"\"\\ude00\"", "\"\\ude00\""}, "\xef\xbf\xbd\xef\xbf\xbd", 0},
	{{"\"\\ud83d\\ude00\"", "\"\\ude00\""}, "\xf0\x9f\x98\x80\xef\xbf\xbd", 0},
	{{"\"a\"", "\"b\\ud83d\""}, "ab", 0xd83d},
	{{"\"\\ud83dx\\udbff\""}, "\xef\xbf\xbdx", 0xdbff},
};

START_TEST(a_pair_that_is_cut_between_strings_is_joined)
{
	struct sl_buf out;
	uint32_t half = 0;

	sl_buf_init(&out, 100);
	for (size_t i = 0; i < 4 && halves[_i].pieces[i]; i++)
		ck_assert_int_eq(json_string(parse(halves[_i].pieces[i]), &out, &half), 0);
	ck_assert(sl_slice_is(sl_buf_slice(&out), halves[_i].string));
	ck_assert_uint_eq(half, halves[_i].half);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(a_half_is_kept_when_a_string_does_not_fit)
{
	struct sl_buf out;
	uint32_t half = 0xd83d;

	sl_buf_init(&out, 3);
	ck_assert_int_eq(json_string(parse("\"\\ude00\""), &out, &half), -SL_E_LIMIT);
	ck_assert_uint_eq(half, 0xd83d);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(json_string(parse("1"), &out, &half), -SL_E_TYPE);
	ck_assert_uint_eq(half, 0xd83d);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(strings_are_compared_unescaped)
{
	static const struct {
		const char *text, *s;
		bool equal;
	} cases[] = {
		{"\"\"", "", true},
		{"\"\"", "a", false},
		{"\"stop\"", "stop", true},
		{"\"stop\"", "sto", false},
		{"\"stop\"", "stops", false},
		{"\"Stop\"", "stop", false},
		{"\"s\\u0074op\"", "stop", true},
		{"\"a\\/b\"", "a/b", true},
		{"\"a\\u0000\"", "a", false},
		{"\"\\u0173\"", "s", false},
		{"stop", "stop", false},
		{"null", "null", false},
		{"[\"stop\"]", "stop", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json v = {0};

		json_parse(sl_slice_str(cases[i].text), &v);
		ck_assert(json_is(v, cases[i].s) == cases[i].equal);
	}
}
END_TEST

START_TEST(numbers_are_read_as_integers_where_they_are)
{
	static const struct {
		const char *text;
		int result;
		int64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"-0", 0, 0},
		{"42", 0, 42},
		{"-42", 0, -42},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", -SL_E_LIMIT, 0},
		{"-9223372036854775808", 0, INT64_MIN},
		{"-9223372036854775809", -SL_E_LIMIT, 0},
		{"123456789012345678901234567890", -SL_E_LIMIT, 0},
		{"12.0", 0, 12},
		{"12.000", 0, 12},
		{"12.5", -SL_E_LIMIT, 0},
		{"12.05", -SL_E_LIMIT, 0},
		{"1e3", -SL_E_LIMIT, 0},
		{"\"1\"", -SL_E_TYPE, 0},
		{"true", -SL_E_TYPE, 0},
		{"null", -SL_E_TYPE, 0},
		{"[]", -SL_E_TYPE, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t value = 7;

		ck_assert_int_eq(json_int(parse(cases[i].text), &value), cases[i].result);
		ck_assert_int_eq(value, cases[i].result == 0 ? cases[i].value : 7);
	}
	ck_assert_int_eq(json_int((struct json){0}, &(int64_t){0}), -SL_E_TYPE);
}
END_TEST

START_TEST(only_true_and_false_are_booleans)
{
	bool value = false;

	ck_assert_int_eq(json_bool(parse("true"), &value), 0);
	ck_assert(value);
	ck_assert_int_eq(json_bool(parse("null"), &value), -SL_E_TYPE);
	ck_assert_int_eq(json_bool(parse("0"), &value), -SL_E_TYPE);
	ck_assert_int_eq(json_bool(parse("\"false\""), &value), -SL_E_TYPE);
	ck_assert(value);
	ck_assert_int_eq(json_bool(parse("false"), &value), 0);
	ck_assert(!value);
}
END_TEST

START_TEST(plain_runs_of_every_length_end_where_they_should)
{
	char text[80];

	for (size_t n = 0; n < sizeof(text) - 10; n++) {
		for (int c = 0; c < 256; c++) {
			bool plain = c >= 0x20 && c != '"' && c != '\\';
			struct sl_slice copy;
			struct json v;

			memset(text, 'a', sizeof(text));
			text[0] = '"';
			text[1 + n] = (char)c;
			text[sizeof(text) - 1] = '"';
			copy = copy_of(sl_slice(text, sizeof(text)));
			ck_assert_int_eq(json_parse(copy, &v), plain ? 0 : -SL_E_SYNTAX);
			free((char *)copy.p);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json");
	TCase *tc = tcase_create("json");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, valid_texts_pass_the_gate_and_are_read, 0, COUNT(valid));
	tcase_add_loop_test(tc, what_is_cut_off_a_text_makes_it_invalid, 0, COUNT(valid));
	tcase_add_loop_test(tc, invalid_texts_are_refused_with_the_offset, 0, COUNT(invalid));
	tcase_add_loop_test(tc, what_upstreams_may_send_and_clients_may_not, 0, COUNT(sloppy));
	tcase_add_test(tc, a_raw_nul_is_named_wherever_it_stands);
	tcase_add_loop_test(tc, texts_are_held_to_the_limits, 0, COUNT(limited));
	tcase_add_test(tc, nesting_ends_at_a_depth_for_each);
	tcase_add_loop_test(tc, an_equal_key_is_found_among_many, 0, 10);
	tcase_add_test(tc, the_first_of_many_repetitions_is_named);
	tcase_add_test(tc, many_objects_with_keys_of_their_own_pass);
	tcase_add_test(tc, a_value_is_its_bytes_without_the_space_around_it);
	tcase_add_loop_test(tc, a_walk_visits_every_value_once, 0, COUNT(walks));
	tcase_add_test(tc, members_are_found_by_name_and_the_last_one_wins);
	tcase_add_loop_test(tc, strings_are_unescaped, 0, COUNT(strings));
	tcase_add_loop_test(tc, a_pair_that_is_cut_between_strings_is_joined, 0, COUNT(halves));
	tcase_add_test(tc, a_half_is_kept_when_a_string_does_not_fit);
	tcase_add_test(tc, strings_are_compared_unescaped);
	tcase_add_test(tc, numbers_are_read_as_integers_where_they_are);
	tcase_add_test(tc, only_true_and_false_are_booleans);
	tcase_add_test(tc, plain_runs_of_every_length_end_where_they_should);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
