/* Edits by offset: in whatever order they are added, the bytes between them stay. */
#include "codec/splice.h"

#include <sluice/error.h>
#include "unit.h"

static const struct {
	const char *source, *result;
	struct {
		size_t at, remove;
		const char *insert;
	} edit[4];
	size_t n;
} cases[] = {
	{"abcdef", "abcdef", {{0}}, 0},
	{"", "", {{0}}, 0},
	{"", "new", {{0, 0, "new"}}, 1},
	{"abcdef", "XYcdef", {{0, 2, "XY"}}, 1},
	{"abcdef", "abcdXYZ", {{4, 2, "XYZ"}}, 1},
	{"abcdef", "abcdefXYZ", {{6, 0, "XYZ"}}, 1},
	{"abcdef", "XYZabcdef", {{0, 0, "XYZ"}}, 1},
	{"abcdef", "", {{0, 6, ""}}, 1},
	{"abcdef", "1bc2ef3", {{6, 0, "3"}, {0, 1, "1"}, {3, 1, "2"}}, 3},
	{"abcdef", "1f", {{0, 2, "1"}, {2, 3, ""}}, 2},
	/* at one place: insertions in the order in which they came, before what replaces */
	{"abcdef", "ab12cdef", {{2, 0, "1"}, {2, 0, "2"}}, 2},
	{"abcdef", "ab12Xdef", {{2, 1, "X"}, {2, 0, "1"}, {2, 0, "2"}}, 3},
	{"abcdef", "X1def", {{0, 2, "X"}, {2, 1, "1"}}, 2},
	{"abcdef", "X1cdef", {{2, 0, "1"}, {0, 2, "X"}}, 2},
};

static void splice_case(struct splice *s, int i)
{
	splice_init(s);
	for (size_t e = 0; e < cases[i].n; e++)
		splice_add(s, cases[i].edit[e].at, cases[i].edit[e].remove,
			   sl_slice_str(cases[i].edit[e].insert));
}

START_TEST(edits_are_applied_in_the_order_of_the_text)
{
	struct sl_buf out;
	struct splice s;

	splice_case(&s, _i);
	sl_buf_init(&out, 100);
	ck_assert_int_eq(sl_buf_put_str(&out, "> "), 0);
	ck_assert_int_eq(splice_apply(&s, sl_slice_str(cases[_i].source), &out), 0);
	sl_buf_consume(&out, 2);
	ck_assert(sl_slice_is(sl_buf_slice(&out), cases[_i].result));

	out.len = 0;
	ck_assert_int_eq(splice_apply(&s, sl_slice_str(cases[_i].source), &out), 0);
	ck_assert(sl_slice_is(sl_buf_slice(&out), cases[_i].result));
	sl_buf_fini(&out);
}
END_TEST

START_TEST(a_result_that_does_not_fit_is_not_written)
{
	size_t n = strlen(cases[_i].result);
	struct sl_buf out;
	struct splice s;

	if (n == 0)
		return;
	splice_case(&s, _i);
	sl_buf_init(&out, n - 1);
	ck_assert_int_eq(splice_apply(&s, sl_slice_str(cases[_i].source), &out), -SL_E_LIMIT);
	ck_assert_uint_eq(out.len, 0);
	sl_buf_fini(&out);
	sl_buf_init(&out, n);
	ck_assert_int_eq(splice_apply(&s, sl_slice_str(cases[_i].source), &out), 0);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(more_edits_than_fit_are_refused_and_none_is_lost_silently)
{
	struct sl_buf out;
	struct splice s;

	splice_init(&s);
	sl_buf_init(&out, 1000);
	for (int i = 0; i < SPLICE_MAX; i++)
		splice_add(&s, 0, 0, SL_LIT("x"));
	ck_assert_int_eq(splice_apply(&s, SL_LIT("abc"), &out), 0);
	ck_assert_uint_eq(out.len, SPLICE_MAX + 3);
	splice_add(&s, 0, 0, SL_LIT("x"));
	ck_assert(s.overflow);
	ck_assert_int_eq(splice_apply(&s, SL_LIT("abc"), &out), -SL_E_LIMIT);
	ck_assert_uint_eq(out.len, SPLICE_MAX + 3);
	sl_buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("splice");
	TCase *tc = tcase_create("splice");
	int n_cases = sizeof(cases) / sizeof(*cases);

	tcase_add_loop_test(tc, edits_are_applied_in_the_order_of_the_text, 0, n_cases);
	tcase_add_loop_test(tc, a_result_that_does_not_fit_is_not_written, 0, n_cases);
	tcase_add_test(tc, more_edits_than_fit_are_refused_and_none_is_lost_silently);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
