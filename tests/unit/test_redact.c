/* The provider's secrets stay out of errors. */
#include <string.h>
#include "unit.h"
#include "upstream/redact.h"

#define KEY     "sk-secret-0123456789"
#define ID      "AKIA0123456789"
#define SECRET  "wJalr/XUtn+FEMI"
#define SESSION "IQoJb3JpZ2luX2VjE" KEY

static struct upstream_options with_key = {.key = KEY}, without,
			       signing = {.access_key = ID,
					  .secret_key = SECRET,
					  .session_token = SESSION},
			       mixed = {.key = KEY, .session_token = SESSION},
			       with_short_key = {.key = "plain"};

static struct sl_buf room;
static struct sl_event covered;

static void setup(void)
{
	sl_buf_init(&room, 1 << 20);
}

static void teardown(void)
{
	sl_buf_fini(&room);
}

static struct sl_entry failed(const struct sl_event *e)
{
	return (struct sl_entry){.flags = SL_ENTRY_FAILED, .events = e, .n_events = 1};
}

START_TEST(the_key_is_covered_wherever_it_stands)
{
	struct sl_event error = {.kind = SL_EVENT_ERROR,
				 .n0 = 400,
				 .s = {SL_LIT("Bearer " KEY ", yes " KEY), SL_LIT("t"), SL_LIT(KEY),
				       SL_LIT("{\"a\":\"" KEY "\"}")}};
	struct sl_entry e = failed(&error);
	redact_error(&e, &with_key, &covered, &room);
	ck_assert_ptr_eq(e.events, &covered);
	ck_assert_int_eq(covered.n0, 400);
	ck_assert(sl_slice_is(covered.s[0], "Bearer [key], yes [key]"));
	ck_assert(sl_slice_is(covered.s[1], "t"));
	ck_assert(sl_slice_is(covered.s[2], "[key]"));
	ck_assert(sl_slice_is(covered.s[3], "{\"a\":\"[key]\"}"));
}
END_TEST

START_TEST(all_that_signs_is_covered)
{
	struct sl_event error = {.kind = SL_EVENT_ERROR,
				 .s = {SL_LIT("x-amz-security-token:" SESSION "\n" SECRET),
				       SL_LIT("Credential=" ID "/20250101")}};
	struct sl_entry e = failed(&error);
	redact_error(&e, &signing, &covered, &room);
	ck_assert(sl_slice_is(covered.s[0], "x-amz-security-token:[key]\n[key]"));
	ck_assert(sl_slice_is(covered.s[1], "Credential=[key]/20250101"));
	ck_assert(redact_finds(SL_LIT("x-request-id: " SECRET), &signing));
	ck_assert(!redact_finds(SL_LIT("x-request-id: 1"), &signing));
	ck_assert(!redact_finds((struct sl_slice){0}, &signing));
}
END_TEST

START_TEST(a_secret_that_holds_another_is_covered_whole)
{
	struct sl_event error = {.kind = SL_EVENT_ERROR, .s = {SL_LIT("a " SESSION " b " KEY)}};
	struct sl_entry e = failed(&error);
	redact_error(&e, &mixed, &covered, &room);
	ck_assert(sl_slice_is(covered.s[0], "a [key] b [key]"));
}
END_TEST

START_TEST(what_a_cut_has_left_of_a_secret_is_covered)
{
	static const struct {
		struct sl_slice text;
		const char *covered;
	} cuts[] = {
		{SL_LIT_INIT("it was wJalr/XUtn+FEM"), "it was [key]"},
		{SL_LIT_INIT("it was wJalr/XUtn+F"), "it was [key]"},
		{SL_LIT_INIT("wJalr/XUtn+F"), "[key]"},
		{SL_LIT_INIT(SECRET " and wJalr/XUtn+F"), "[key] and [key]"},
		{SL_LIT_INIT("wJalr/XUtn+F and " SECRET), "wJalr/XUtn+F and [key]"},
		{SL_LIT_INIT("of " ID " and wJalr/XUtn+F"), "of [key] and [key]"},
	};
	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
		struct sl_event error = {.kind = SL_EVENT_ERROR, .s = {cuts[i].text}};
		struct sl_entry e = failed(&error);
		redact_error(&e, &signing, &covered, &room);
		ck_assert(sl_slice_is(covered.s[0], cuts[i].covered));
	}
	ck_assert(!redact_finds(SL_LIT("it was wJalr/XUtn+"), &signing)); /* 11 characters */
	ck_assert(!redact_finds(SL_LIT("it was wJalr/XUtn+F."), &signing));
}
END_TEST

START_TEST(what_has_no_key_is_left_alone)
{
	struct sl_event error = {.kind = SL_EVENT_ERROR, .s = {SL_LIT("plain sk-secret")}};
	struct sl_entry e = failed(&error);
	redact_error(&e, &with_key, &covered, &room);
	ck_assert_ptr_eq(e.events, &error);
	redact_error(&e, &without, &covered, &room);
	ck_assert_ptr_eq(e.events, &error);
	redact_error(&e, &with_short_key, &covered, &room); /* too short to be a secret */
	ck_assert_ptr_eq(e.events, &error);
}
END_TEST

START_TEST(only_errors_are_looked_at)
{
	struct sl_event text = {.kind = SL_EVENT_TEXT, .s = {SL_LIT(KEY)}};
	struct sl_entry e = {.flags = SL_ENTRY_CONTENT, .events = &text, .n_events = 1};
	redact_error(&e, &with_key, &covered, &room);
	ck_assert_ptr_eq(e.events, &text);
}
END_TEST

START_TEST(without_room_nothing_is_said_rather_than_the_key)
{
	struct sl_event error = {.kind = SL_EVENT_ERROR, .s = {SL_LIT("it is " KEY)}};
	struct sl_entry e = failed(&error);
	struct sl_buf none;
	sl_buf_init(&none, 4);
	redact_error(&e, &with_key, &covered, &none);
	ck_assert_ptr_eq(e.events, &covered);
	ck_assert_uint_eq(covered.s[0].n, 0);
	sl_buf_fini(&none);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redact");
	TCase *t = tcase_create("redact");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_key_is_covered_wherever_it_stands);
	tcase_add_test(t, all_that_signs_is_covered);
	tcase_add_test(t, a_secret_that_holds_another_is_covered_whole);
	tcase_add_test(t, what_a_cut_has_left_of_a_secret_is_covered);
	tcase_add_test(t, what_has_no_key_is_left_alone);
	tcase_add_test(t, only_errors_are_looked_at);
	tcase_add_test(t, without_room_nothing_is_said_rather_than_the_key);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
