/* The buffer keeps to its maximum and changes nothing when it fails; and what it writes as JSON is
 * JSON. */
#include <sluice/buf.h>

#include <limits.h>
#include <sluice/error.h>
#include "unit.h"

/* The address sanitizer ends the program where malloc would return NULL. */
#ifdef __SANITIZE_ADDRESS__
#define MALLOC_CAN_FAIL 0
#elif defined(__has_feature)
#define MALLOC_CAN_FAIL !__has_feature(address_sanitizer)
#else
#define MALLOC_CAN_FAIL 1
#endif

static void assert_holds(const struct sl_buf *b, struct sl_slice wanted)
{
	ck_assert_uint_eq(b->len, wanted.n);
	ck_assert(sl_slice_eq(sl_buf_slice(b), wanted));
}

START_TEST(zeroes_with_a_maximum_are_an_empty_buffer)
{
	struct sl_buf b = {.max = 10};

	sl_buf_consume(&b, 0);
	ck_assert_int_eq(sl_buf_put(&b, NULL, 0), 0);
	ck_assert_ptr_null(b.p);
	ck_assert_int_eq(sl_buf_put_str(&b, "0123456789"), 0);
	assert_holds(&b, SL_LIT("0123456789"));
	sl_buf_fini(&b);
	sl_buf_fini(&(struct sl_buf){0});
}
END_TEST

START_TEST(a_finished_buffer_is_empty_and_usable_again)
{
	struct sl_buf b;

	sl_buf_init(&b, 4);
	ck_assert_int_eq(sl_buf_put_str(&b, "abcd"), 0);
	sl_buf_fini(&b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_null(b.p);
	ck_assert_int_eq(sl_buf_put_str(&b, "efgh"), 0);
	ck_assert_int_eq(sl_buf_putc(&b, 'i'), -SL_E_LIMIT);
	assert_holds(&b, SL_LIT("efgh"));
	sl_buf_fini(&b);
}
END_TEST

START_TEST(a_wiped_buffer_is_empty_and_usable_again)
{
	struct sl_buf b;

	sl_buf_wipe(&(struct sl_buf){0});
	sl_buf_init(&b, 4);
	ck_assert_int_eq(sl_buf_put_str(&b, "abcd"), 0);
	sl_buf_wipe(&b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_null(b.p);
	ck_assert_int_eq(sl_buf_put_str(&b, "efgh"), 0);
	assert_holds(&b, SL_LIT("efgh"));
	sl_buf_wipe(&b);
}
END_TEST

START_TEST(growing_ends_at_the_maximum)
{
	struct sl_buf b;

	sl_buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(sl_buf_putc(&b, (char)i), 0);
		ck_assert_uint_le(b.cap, 1000);
	}
	ck_assert_int_eq(sl_buf_putc(&b, 'x'), -SL_E_LIMIT);
	ck_assert_uint_eq(b.len, 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(b.p[i], (char)i);
	sl_buf_fini(&b);
}
END_TEST

START_TEST(an_append_that_does_not_fit_appends_nothing)
{
	struct sl_buf b;

	sl_buf_init(&b, 6);
	ck_assert_int_eq(sl_buf_put_str(&b, "abcd"), 0);
	ck_assert_int_eq(sl_buf_put_str(&b, "efg"), -SL_E_LIMIT);
	ck_assert_int_eq(sl_buf_printf(&b, "%d", 123), -SL_E_LIMIT);
	ck_assert_int_eq(sl_buf_put_json_string(&b, SL_LIT("e")), -SL_E_LIMIT);
	ck_assert_int_eq(sl_buf_reserve(&b, 3), -SL_E_LIMIT);
	ck_assert_int_eq(sl_buf_reserve(&b, SIZE_MAX), -SL_E_LIMIT);
	assert_holds(&b, SL_LIT("abcd"));
	ck_assert_int_eq(sl_buf_printf(&b, "%d", 12), 0);
	assert_holds(&b, SL_LIT("abcd12"));
	sl_buf_fini(&b);
}
END_TEST

START_TEST(more_memory_than_there_is_fails_and_changes_nothing)
{
	struct sl_buf b;

	sl_buf_init(&b, SIZE_MAX);
	ck_assert_int_eq(sl_buf_put_str(&b, "abc"), 0);
	ck_assert_int_eq(sl_buf_reserve(&b, SIZE_MAX), -SL_E_LIMIT);
#if MALLOC_CAN_FAIL
	ck_assert_int_eq(sl_buf_reserve(&b, SIZE_MAX / 2), -SL_E_NOMEM);
#endif
	assert_holds(&b, SL_LIT("abc"));
	sl_buf_fini(&b);
}
END_TEST

START_TEST(printf_needs_no_room_for_its_nul_within_the_maximum)
{
	for (size_t max = 0; max < 200; max++) {
		struct sl_buf b;
		char text[201];

		memset(text, 'x', sizeof(text));
		sl_buf_init(&b, max);
		ck_assert_int_eq(sl_buf_printf(&b, "%.*s", (int)max + 1, text), -SL_E_LIMIT);
		ck_assert_uint_eq(b.len, 0);
		ck_assert_int_eq(sl_buf_printf(&b, "%.*s", (int)max, text), 0);
		assert_holds(&b, sl_slice(text, max));
		ck_assert_int_eq(sl_buf_putc(&b, 'x'), -SL_E_LIMIT);
		sl_buf_fini(&b);
	}
}
END_TEST

START_TEST(consuming_drops_the_first_bytes)
{
	struct sl_buf b;

	sl_buf_init(&b, 100);
	ck_assert_int_eq(sl_buf_put_str(&b, "abcdef"), 0);
	sl_buf_consume(&b, 2);
	assert_holds(&b, SL_LIT("cdef"));
	sl_buf_consume(&b, 0);
	assert_holds(&b, SL_LIT("cdef"));
	sl_buf_consume(&b, 4);
	assert_holds(&b, SL_LIT(""));
	ck_assert_int_eq(sl_buf_put_slice(&b, SL_LIT("gh")), 0);
	assert_holds(&b, SL_LIT("gh"));
	sl_buf_fini(&b);
}
END_TEST

static const struct {
	struct sl_slice text, json;
} json_strings[] = {
	{SL_LIT_INIT(""), SL_LIT_INIT("\"\"")},
	{SL_LIT_INIT("plain /text/"), SL_LIT_INIT("\"plain /text/\"")},
	{SL_LIT_INIT("\"\\"), SL_LIT_INIT("\"\\\"\\\\\"")},
	{SL_LIT_INIT("\b\t\n\f\r"), SL_LIT_INIT("\"\\b\\t\\n\\f\\r\"")},
	{SL_LIT_INIT("\0\001\037 \177"), SL_LIT_INIT("\"\\u0000\\u0001\\u001f \177\"")},
	{SL_LIT_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
	 SL_LIT_INIT("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"")},
	{SL_LIT_INIT("a\377b"), SL_LIT_INIT("\"a\357\277\275b\"")},
	{SL_LIT_INIT("\xed\xa0\x80"), SL_LIT_INIT("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"")},
	{SL_LIT_INIT("\xf0\x9f\x98"), SL_LIT_INIT("\"\xef\xbf\xbd\"")},
	{SL_LIT_INIT("\xe2\x82\""), SL_LIT_INIT("\"\xef\xbf\xbd\\\"\"")},
};

START_TEST(strings_are_written_as_json)
{
	struct sl_buf b;

	sl_buf_init(&b, 1000);
	ck_assert_int_eq(sl_buf_put_str(&b, "["), 0);
	ck_assert_int_eq(sl_buf_put_json_string(&b, json_strings[_i].text), 0);
	sl_buf_consume(&b, 1);
	assert_holds(&b, json_strings[_i].json);
	sl_buf_fini(&b);
}
END_TEST

START_TEST(a_json_string_is_written_whole_or_not_at_all)
{
	for (size_t max = 0; max <= json_strings[_i].json.n; max++) {
		bool fits = max == json_strings[_i].json.n;
		struct sl_buf b;

		sl_buf_init(&b, max);
		ck_assert_int_eq(sl_buf_put_json_string(&b, json_strings[_i].text),
				 fits ? 0 : -SL_E_LIMIT);
		ck_assert_uint_eq(b.len, fits ? max : 0);
		sl_buf_fini(&b);
	}
}
END_TEST

START_TEST(every_error_has_a_name_with_either_sign)
{
	for (int e = 0; e <= SL_E_UNSUPPORTED; e++) {
		ck_assert_str_ne(sl_error_name(e), "unknown error");
		ck_assert_str_eq(sl_error_name(e), sl_error_name(-e));
	}
	ck_assert_str_eq(sl_error_name(SL_E_UNSUPPORTED + 1), "unknown error");
	ck_assert_str_eq(sl_error_name(INT_MIN), "unknown error");
	ck_assert_str_eq(sl_error_name(INT_MAX), "unknown error");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("buf");
	TCase *tc = tcase_create("buf");
	int n_strings = sizeof(json_strings) / sizeof(*json_strings);

	tcase_add_test(tc, zeroes_with_a_maximum_are_an_empty_buffer);
	tcase_add_test(tc, a_finished_buffer_is_empty_and_usable_again);
	tcase_add_test(tc, a_wiped_buffer_is_empty_and_usable_again);
	tcase_add_test(tc, growing_ends_at_the_maximum);
	tcase_add_test(tc, an_append_that_does_not_fit_appends_nothing);
	tcase_add_test(tc, more_memory_than_there_is_fails_and_changes_nothing);
	tcase_add_test(tc, printf_needs_no_room_for_its_nul_within_the_maximum);
	tcase_add_test(tc, consuming_drops_the_first_bytes);
	tcase_add_loop_test(tc, strings_are_written_as_json, 0, n_strings);
	tcase_add_loop_test(tc, a_json_string_is_written_whole_or_not_at_all, 0, n_strings);
	tcase_add_test(tc, every_error_has_a_name_with_either_sign);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
