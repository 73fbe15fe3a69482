/* Events: usage that comes in parts, and what counts as content. */
#include <sluice/event.h>

#include "unit.h"

START_TEST(usage_is_replaced_field_by_field_and_never_added)
{
	struct sl_usage u = SL_USAGE_NONE;

	ck_assert(!sl_usage_known(&u));
	sl_usage_merge(&u, &(struct sl_usage){10, 1, 11, -1, -1, -1});
	sl_usage_merge(&u, &(struct sl_usage){-1, 5, 15, 0, -1, -1});
	ck_assert(sl_usage_known(&u));
	ck_assert_int_eq(u.prompt, 10);
	ck_assert_int_eq(u.completion, 5);
	ck_assert_int_eq(u.total, 15);
	ck_assert_int_eq(u.cached, 0);
	ck_assert_int_eq(u.cache_write, -1);
	ck_assert_int_eq(u.reasoning, -1);
}
END_TEST

START_TEST(an_unknown_field_never_erases_a_known_one)
{
	struct sl_usage u = {1, 2, 3, 4, 5, 6}, none = SL_USAGE_NONE;

	sl_usage_merge(&u, &none);
	ck_assert_int_eq(u.prompt, 1);
	ck_assert_int_eq(u.reasoning, 6);
}
END_TEST

START_TEST(each_single_field_makes_usage_known)
{
	for (int i = 0; i < 6; i++) {
		struct sl_usage u = SL_USAGE_NONE;
		int64_t *const field[] = {&u.prompt, &u.completion,  &u.total,
					  &u.cached, &u.cache_write, &u.reasoning};

		*field[i] = 0;
		ck_assert(sl_usage_known(&u));
	}
}
END_TEST

START_TEST(content_is_what_a_reader_would_call_the_first_token)
{
	const struct {
		struct sl_event event;
		bool content;
	} cases[] = {
		{{.kind = SL_EVENT_META, .s[0] = SL_LIT("id")}, false},
		{{.kind = SL_EVENT_TEXT, .s[0] = SL_LIT("a")}, true},
		{{.kind = SL_EVENT_TEXT}, false},
		{{.kind = SL_EVENT_REASONING, .s[0] = SL_LIT("a")}, true},
		{{.kind = SL_EVENT_REASONING}, false},
		{{.kind = SL_EVENT_REFUSAL, .s[0] = SL_LIT("a")}, true},
		{{.kind = SL_EVENT_TOOL_START}, true},
		{{.kind = SL_EVENT_TOOL_ARGS}, true},
		{{.kind = SL_EVENT_USAGE}, false},
		{{.kind = SL_EVENT_FINISH}, true},
		{{.kind = SL_EVENT_ERROR, .s[0] = SL_LIT("a")}, false},
	};

	ck_assert_int_eq(sl_event_is_content(&cases[_i].event), cases[_i].content);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event");
	TCase *tc = tcase_create("event");

	tcase_add_test(tc, usage_is_replaced_field_by_field_and_never_added);
	tcase_add_test(tc, an_unknown_field_never_erases_a_known_one);
	tcase_add_test(tc, each_single_field_makes_usage_known);
	tcase_add_loop_test(tc, content_is_what_a_reader_would_call_the_first_token, 0, 11);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
