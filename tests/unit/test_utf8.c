/* UTF-8: what is well-formed, and that the rest is replaced subpart by subpart as the WHATWG
 * decoder does it. */
#include "codec/utf8.h"

#include <stdint.h>
#include <sluice/error.h>
#include "unit.h"

#define R "\xef\xbf\xbd"

static const struct {
	struct sl_slice in, out;
	size_t valid;
} cases[] = {
	{SL_LIT_INIT(""), SL_LIT_INIT(""), 0},
	{SL_LIT_INIT("plain\0text"), SL_LIT_INIT("plain\0text"), 10},
	{SL_LIT_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
	 SL_LIT_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 9},
	{SL_LIT_INIT("a\x80z"), SL_LIT_INIT("a" R "z"), 1},
	{SL_LIT_INIT("\xc0\xaf"), SL_LIT_INIT(R R), 0},
	{SL_LIT_INIT("\xe0\x9f\xbf"), SL_LIT_INIT(R R R), 0},
	{SL_LIT_INIT("\xed\xa0\x80"), SL_LIT_INIT(R R R), 0},
	{SL_LIT_INIT("\xf0\x8f\xbf\xbf"), SL_LIT_INIT(R R R R), 0},
	{SL_LIT_INIT("\xf4\x90\x80\x80"), SL_LIT_INIT(R R R R), 0},
	{SL_LIT_INIT("\xf5\x80"), SL_LIT_INIT(R R), 0},
	{SL_LIT_INIT("\xff"), SL_LIT_INIT(R), 0},
	/* cut by the end, by ASCII, by the next sequence: one for what could have gone on */
	{SL_LIT_INIT("\xf0\x9f\x98"), SL_LIT_INIT(R), 0},
	{SL_LIT_INIT("a\xe2\x82"), SL_LIT_INIT("a" R), 1},
	{SL_LIT_INIT("\xe2\x82z"), SL_LIT_INIT(R "z"), 0},
	{SL_LIT_INIT("\xf0\x9f\xf0\x9f\x98\x80"), SL_LIT_INIT(R "\xf0\x9f\x98\x80"), 0},
	/* from the Unicode standard, table 3-8 to 3-11 */
	{SL_LIT_INIT("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"), SL_LIT_INIT(R R R R R R R R "A"), 0},
	{SL_LIT_INIT("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41"), SL_LIT_INIT(R R R R R R R R "A"), 0},
	{SL_LIT_INIT("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"), SL_LIT_INIT(R R R R R "A" R R "B"),
	 0},
	{SL_LIT_INIT("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), SL_LIT_INIT(R R R R "A"), 0},
};

START_TEST(ill_formed_subparts_are_replaced)
{
	struct sl_buf out;

	sl_buf_init(&out, 1000);
	ck_assert_uint_eq(utf8_valid_prefix(cases[_i].in), cases[_i].valid);
	ck_assert_int_eq(utf8_clean(cases[_i].in, &out), 0);
	ck_assert_uint_eq(out.len, cases[_i].out.n);
	ck_assert(sl_slice_eq(sl_buf_slice(&out), cases[_i].out));
	ck_assert_uint_eq(utf8_valid_prefix(sl_buf_slice(&out)), out.len);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(cleaning_is_done_whole_or_not_at_all)
{
	struct sl_buf out;

	sl_buf_init(&out, cases[_i].out.n);
	ck_assert_int_eq(utf8_clean(cases[_i].in, &out), 0);
	sl_buf_fini(&out);
	if (cases[_i].out.n == 0)
		return;
	sl_buf_init(&out, cases[_i].out.n - 1);
	ck_assert_int_eq(utf8_clean(cases[_i].in, &out), -SL_E_LIMIT);
	ck_assert_uint_eq(out.len, 0);
	sl_buf_fini(&out);
}
END_TEST

static size_t encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

START_TEST(every_character_but_surrogates_is_valid)
{
	for (uint32_t c = 0; c < 0x120000; c++) {
		bool valid = c < 0x110000 && (c < 0xd800 || c > 0xdfff);
		char text[4];
		size_t n = encode(c, text);

		if (utf8_valid_prefix(sl_slice(text, n)) != (valid ? n : 0))
			ck_abort_msg("U+%04X", c);
	}
}
END_TEST

START_TEST(a_bad_byte_is_found_at_every_place)
{
	char text[64];

	for (size_t n = 1; n <= sizeof(text); n++) {
		for (size_t at = 0; at < n; at++) {
			memset(text, 'a', n);
			text[at] = '\xfe';
			ck_assert_uint_eq(utf8_valid_prefix(sl_slice(text, n)), at);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("utf8");
	TCase *tc = tcase_create("utf8");
	int n_cases = sizeof(cases) / sizeof(*cases);

	tcase_add_loop_test(tc, ill_formed_subparts_are_replaced, 0, n_cases);
	tcase_add_loop_test(tc, cleaning_is_done_whole_or_not_at_all, 0, n_cases);
	tcase_add_test(tc, every_character_but_surrogates_is_valid);
	tcase_add_test(tc, a_bad_byte_is_found_at_every_place);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
