/* A stream as one document. */
#include <cjson/cJSON.h>
#include <string.h>
#include "codec/document.h"
#include "unit.h"

static struct document d;

static void setup(void)
{
	document_init(&d, 1 << 20);
}

static void teardown(void)
{
	document_fini(&d);
}

static void add(struct sl_event event, uint64_t seq)
{
	document_add(&d, &(struct sl_entry){.events = &event, .n_events = 1}, seq);
}

static cJSON *printed(const char *state)
{
	struct sl_buf out;
	struct document_frame f = {.id = "stream",
				   .state = state,
				   .model = "asked",
				   .first_token_ms = 12,
				   .total_ms = -1};
	sl_buf_init(&out, 1 << 20);
	ck_assert_int_eq(document_print(&d, &f, &out), 0);
	cJSON *j = cJSON_ParseWithLength(out.p, out.len);
	ck_assert_ptr_nonnull(j);
	sl_buf_fini(&out);
	return j;
}

static const char *text_of(const cJSON *j, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(j, name)->valuestring;
}

START_TEST(what_came_in_pieces_is_joined)
{
	add((struct sl_event){.kind = SL_EVENT_META, .s = {SL_LIT("id"), SL_LIT("served")}}, 1);
	add((struct sl_event){.kind = SL_EVENT_REASONING, .s = {SL_LIT("h")}}, 2);
	add((struct sl_event){.kind = SL_EVENT_REASONING, .s = {SL_LIT("m")}}, 3);
	add((struct sl_event){.kind = SL_EVENT_TEXT, .s = {SL_LIT("a\"\n")}}, 4);
	add((struct sl_event){.kind = SL_EVENT_TEXT, .choice = 1, .s = {SL_LIT("another choice")}},
	    5);
	add((struct sl_event){.kind = SL_EVENT_REFUSAL, .s = {SL_LIT("no")}}, 6);
	add((struct sl_event){.kind = SL_EVENT_TOOL_START,
			      .index = 1,
			      .s = {SL_LIT("c2"), SL_LIT("g")}},
	    7);
	add((struct sl_event){.kind = SL_EVENT_TOOL_START,
			      .index = 0,
			      .s = {SL_LIT("c1"), SL_LIT("f")}},
	    8);
	add((struct sl_event){.kind = SL_EVENT_TOOL_ARGS, .index = 1, .s = {SL_LIT("{\"x\"")}}, 9);
	add((struct sl_event){.kind = SL_EVENT_TOOL_ARGS, .index = 1, .s = {SL_LIT(":1}")}}, 10);
	add((struct sl_event){.kind = SL_EVENT_FINISH,
			      .s = {SL_LIT("tool_calls"), SL_LIT("tool_use")}},
	    11);
	struct sl_usage usage = SL_USAGE_NONE;
	usage.prompt = 3;
	usage.completion = 4;
	add((struct sl_event){.kind = SL_EVENT_USAGE, .usage = usage}, 12);
	cJSON *j = printed("done");
	ck_assert_str_eq(text_of(j, "text"), "a\"\nno");
	ck_assert_str_eq(text_of(j, "reasoning"), "hm");
	ck_assert_str_eq(text_of(j, "finish_reason"), "tool_calls");
	ck_assert_str_eq(text_of(j, "last_event_id"), "stream.12");
	ck_assert_str_eq(text_of(j, "model"), "served");
	ck_assert_str_eq(text_of(j, "state"), "done");
	cJSON *calls = cJSON_GetObjectItem(j, "tool_calls");
	ck_assert_int_eq(cJSON_GetArraySize(calls), 2);
	ck_assert_str_eq(text_of(cJSON_GetArrayItem(calls, 0), "name"), "f");
	ck_assert_str_eq(text_of(cJSON_GetArrayItem(calls, 1), "arguments"), "{\"x\":1}");
	cJSON *u = cJSON_GetObjectItem(j, "usage");
	ck_assert_int_eq(cJSON_GetObjectItem(u, "completion_tokens")->valueint, 4);
	ck_assert_ptr_null(cJSON_GetObjectItem(u, "cached_tokens"));
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(j, "error")));
	cJSON_Delete(j);
}
END_TEST

START_TEST(nothing_yet_is_a_document_too)
{
	cJSON *j = printed("waiting");
	ck_assert_str_eq(text_of(j, "text"), "");
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(j, "finish_reason")));
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(j, "usage")));
	ck_assert_str_eq(text_of(j, "last_event_id"), "stream.0");
	ck_assert_str_eq(text_of(j, "model"), "asked");
	cJSON *t = cJSON_GetObjectItem(j, "timings");
	ck_assert_int_eq(cJSON_GetObjectItem(t, "first_token_ms")->valueint, 12);
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(t, "total_ms")));
	cJSON_Delete(j);
}
END_TEST

START_TEST(a_failure_says_what_and_keeps_the_text)
{
	add((struct sl_event){.kind = SL_EVENT_TEXT, .s = {SL_LIT("half")}}, 1);
	add((struct sl_event){.kind = SL_EVENT_ERROR,
			      .s = {SL_LIT("it broke"), SL_LIT("t"), SL_LIT("c")}},
	    2);
	cJSON *j = printed("failed");
	cJSON *error = cJSON_GetObjectItem(j, "error");
	ck_assert_str_eq(text_of(error, "code"), "c");
	ck_assert_str_eq(text_of(error, "message"), "it broke");
	ck_assert_str_eq(text_of(j, "text"), "half");
	cJSON_Delete(j);
}
END_TEST

START_TEST(a_call_of_an_absurd_index_is_passed_over)
{
	add((struct sl_event){.kind = SL_EVENT_TOOL_START,
			      .index = 4000000000u,
			      .s = {SL_LIT("c"), SL_LIT("f")}},
	    1);
	cJSON *j = printed("running");
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(j, "tool_calls")), 0);
	cJSON_Delete(j);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("document");
	TCase *t = tcase_create("document");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_came_in_pieces_is_joined);
	tcase_add_test(t, nothing_yet_is_a_document_too);
	tcase_add_test(t, a_failure_says_what_and_keeps_the_text);
	tcase_add_test(t, a_call_of_an_absurd_index_is_passed_over);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
