/* References in a request for a response: what is found is put in their place, the rest stays. */
#include "codec/references.h"

#include <stdio.h>
#include <string.h>
#include <sluice/error.h>
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

static int calls;

/* Knows the items "known…", and the response "resp_known" of two of them. */
static int put_item(void *arg, struct sl_slice id, struct sl_buf *out)
{
	int r;

	(void)arg;
	calls++;
	if (!sl_slice_starts(id, "known"))
		return 0;
	r = sl_buf_printf(out, "<%.*s>", (int)id.n, id.p);
	return r < 0 ? r : 1;
}

static int put_conversation(void *arg, struct sl_slice id, struct sl_buf *out)
{
	int r = sl_slice_is(id, "resp_known") ? sl_buf_put_str(out, "<a>,<b>") : 0;

	(void)arg;
	return r == 0 && sl_slice_is(id, "resp_known") ? 1 : r;
}

static const struct reference_source source = {put_item, put_conversation, NULL};

static int resolve(const char *body, struct sl_buf *out)
{
	struct request_info request;
	struct request_fault fault;
	int r;

	ck_assert_int_eq(request_parse(sl_slice_str(body), SL_DIALECT_RESPONSES,
				       (struct json_limits){.depth = 64, .values = 10000}, &request,
				       &fault),
			 0);
	r = references_resolve(&request, &source, out);
	request_info_fini(&request);
	return r;
}

/* Each: a body, and what becomes of it; NULL: it stays as it is. */
static const char *const bodies[][2] = {
	{"{\"input\":\"i\"}", NULL},
	{"{\"input\":[]}", NULL},
	{"{\"input\":[{\"role\":\"user\",\"content\":\"u\",\"id\":\"known\"}]}", NULL},
	{"{\"input\":[{\"type\":\"message\",\"id\":\"known\"},7,\"known\",[{\"id\":\"known\"}]]}",
	 NULL},
	{"{\"input\":\"i\",\"previous_response_id\":null}", NULL},
	{"{\"input\":\"i\",\"previous_response_id\":\"resp_other\"}", NULL},
	{"{\"input\":\"i\",\"previous_response_id\":{\"id\":\"resp_known\"}}", NULL},
	{"{\"input\":[{\"type\":\"item_reference\",\"id\":\"other\"}]}", NULL},
	{"{\"input\":[{\"type\":\"item_reference\"},{\"type\":\"item_reference\",\"id\":7}]}",
	 NULL},
	/* items */
	{"{\"input\":[{\"type\":\"item_reference\",\"id\":\"known\"}]}", "{\"input\":[<known>]}"},
	{"{\"input\":[{\"id\":\"known\"},{\"id\":\"known2\",\"type\":null}]}",
	 "{\"input\":[<known>,<known2>]}"},
	{" { \"a\" : 1, \"input\" : [ {\"x\": 1} , { \"id\" : \"known\", \"type\" : "
	 "\"item_reference\" } , 3 ] , \"b\" : [ ] } ",
	 " { \"a\" : 1, \"input\" : [{\"x\": 1},<known>,3] , \"b\" : [ ] } "},
	{"{\"input\":[{\"id\":\"other\"},{\"id\":\"known\"}]}",
	 "{\"input\":[{\"id\":\"other\"},<known>]}"},
	/* responses */
	{"{\"input\":\"i\\n\",\"previous_response_id\":\"resp_known\"}",
	 "{\"input\":[<a>,<b>,{\"role\":\"user\",\"content\":\"i\\n\"}],"
	 "\"previous_response_id\":null}"},
	{"{\"previous_response_id\":\"resp_known\",\"input\":[{\"id\":\"known\"},{\"id\":\"other\"}"
	 "]}",
	 "{\"previous_response_id\":null,\"input\":[<a>,<b>,<known>,{\"id\":\"other\"}]}"},
	{"{\"previous_response_id\":\"resp_other\",\"input\":[{\"id\":\"known\"}]}",
	 "{\"previous_response_id\":\"resp_other\",\"input\":[<known>]}"},
	{"{\"previous_response_id\":\"resp_known\",\"input\":[]}",
	 "{\"previous_response_id\":null,\"input\":[<a>,<b>]}"},
};

START_TEST(what_is_found_stands_in_the_place_of_what_refers_to_it)
{
	const char *expected = bodies[_i][1];
	struct sl_buf out;

	sl_buf_init(&out, 1000);
	ck_assert_int_eq(resolve(bodies[_i][0], &out), expected != NULL);
	sl_buf_putc(&out, '\0');
	ck_assert_str_eq(out.p, expected ? expected : "");
	sl_buf_fini(&out);
}
END_TEST

START_TEST(what_does_not_fit_is_not_written)
{
	const char *expected = bodies[_i][1];
	struct sl_buf out;

	if (!expected)
		return;
	sl_buf_init(&out, strlen(expected) - 1);
	ck_assert_int_eq(resolve(bodies[_i][0], &out), -SL_E_LIMIT);
	ck_assert_uint_eq(out.len, 0);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(there_may_be_so_many_references_and_no_more)
{
	struct sl_buf body, out;

	for (int more = 0; more < 2; more++) {
		sl_buf_init(&body, 1 << 20);
		sl_buf_init(&out, 1 << 20);
		sl_buf_put_str(&body, "{\"input\":[");
		for (int i = 0; i < REFERENCES_MAX + more; i++)
			sl_buf_put_str(&body, i ? ",{\"id\":\"known\"}" : "{\"id\":\"known\"}");
		sl_buf_put(&body, "]}", sizeof("]}"));
		calls = 0;
		ck_assert_int_eq(resolve(body.p, &out), more ? -SL_E_LIMIT : 1);
		ck_assert_int_eq(calls, REFERENCES_MAX);
		sl_buf_fini(&body);
		sl_buf_fini(&out);
	}
}
END_TEST

static const struct {
	const char *id;
	bool ours;
	const char *prefix, *stream;
	uint32_t part;
} ids[] = {
	{"msg_AbC_0", true, "msg_", "AbC", 0},
	{"fc_a_b-_c_12", true, "fc_", "a_b-_c", 12},
	{"rs__9_999999999", true, "rs_", "_9", 999999999},
	{"msg_12_3", true, "msg_", "12", 3},
	{"msg__3", true, "msg_", "", 3},
	{"msg_a_1000000000", false, NULL, NULL, 0},
	{"msg_a_", false, NULL, NULL, 0},
	{"msg_a_1x", false, NULL, NULL, 0},
	{"msg_a1", false, NULL, NULL, 0},
	{"msg_1", false, NULL, NULL, 0},
	{"_1", false, NULL, NULL, 0},
	{"1", false, NULL, NULL, 0},
	{"_", false, NULL, NULL, 0},
	{"", false, NULL, NULL, 0},
};

START_TEST(an_id_tells_its_stream_and_its_part)
{
	struct reference_id id;

	ck_assert_int_eq(reference_id_parse(sl_slice_str(ids[_i].id), &id), ids[_i].ours);
	if (!ids[_i].ours)
		return;
	ck_assert(sl_slice_is(id.prefix, ids[_i].prefix));
	ck_assert(sl_slice_is(id.stream, ids[_i].stream));
	ck_assert_uint_eq(id.part, ids[_i].part);
}
END_TEST

/* The end of an answer whose last part, a call, broke off. */
static struct sl_event parts[] = {
	{.kind = SL_EVENT_PART_END, .part = 2, .n0 = SL_EVENT_TOOL_ARGS},
	{.kind = SL_EVENT_FINISH, .s = {SL_LIT_INIT("length")}},
	{.kind = SL_EVENT_PART_WHOLE,
	 .part = 0,
	 .n0 = SL_EVENT_REASONING,
	 .s = {SL_LIT_INIT("hm"), SL_LIT_INIT(""), SL_LIT_INIT(""), SL_LIT_INIT("sig")}},
	{.kind = SL_EVENT_PART_WHOLE,
	 .part = 1,
	 .n0 = SL_EVENT_TOOL_ARGS,
	 .s = {SL_LIT_INIT(""), SL_LIT_INIT("c1"), SL_LIT_INIT("f")}},
	{.kind = SL_EVENT_PART_WHOLE,
	 .part = 2,
	 .n0 = SL_EVENT_TOOL_ARGS,
	 .s = {SL_LIT_INIT("{\"a"), SL_LIT_INIT("c2"), SL_LIT_INIT("f")}},
};

#define REASONING                                                            \
	"{\"id\":\"rs_st_0\",\"type\":\"reasoning\",\"summary\":[{\"type\":" \
	"\"summary_text\",\"text\":\"hm\"}],\"encrypted_content\":\"sig\"}"
#define CALL(part, status, id, arguments)                                            \
	"{\"id\":\"fc_st_" part "\",\"type\":\"function_call\",\"status\":\"" status \
	"\",\"call_id\":\"" id "\",\"name\":\"f\",\"arguments\":\"" arguments "\"}"

static const struct {
	const char *id, *item; /* NULL: there is none */
} items[] = {
	{"rs_st_0", REASONING},
	{"fc_st_1", CALL("1", "completed", "c1", "{}")},
	{"fc_st_2", CALL("2", "incomplete", "c2", "{\\\"a")},
	{"fc_st_0", NULL},
	{"rs_st_1", NULL},
	{"msg_st_1", NULL},
	{"fc_st_3", NULL},
};

static const struct encoder_entry end = {
	.entry = {.flags = SL_ENTRY_END, .events = parts, .n_events = COUNT(parts)},
};

START_TEST(an_item_is_the_one_that_the_response_has)
{
	struct reference_id id;
	struct sl_buf out;

	sl_buf_init(&out, 1000);
	ck_assert(reference_id_parse(sl_slice_str(items[_i].id), &id));
	ck_assert_int_eq(reference_put_item("st", &end, &id, &out), items[_i].item != NULL);
	sl_buf_putc(&out, '\0');
	ck_assert_str_eq(out.p, items[_i].item ? items[_i].item : "");
	sl_buf_fini(&out);
}
END_TEST

START_TEST(the_output_is_all_its_items)
{
	struct sl_buf out;

	sl_buf_init(&out, 1000);
	ck_assert_int_eq(reference_put_output("st", &end, &out), 1);
	sl_buf_putc(&out, '\0');
	ck_assert_str_eq(out.p, REASONING "," CALL("1", "completed", "c1", "{}") "," CALL(
					"2", "incomplete", "c2", "{\\\"a"));
	sl_buf_fini(&out);
	sl_buf_init(&out, 10);
	ck_assert_int_eq(reference_put_output("st", &end, &out), -SL_E_LIMIT);
	ck_assert_uint_eq(out.len, 0);
	sl_buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("references");
	TCase *tc = tcase_create("references");

	tcase_add_loop_test(tc, what_is_found_stands_in_the_place_of_what_refers_to_it, 0,
			    COUNT(bodies));
	tcase_add_loop_test(tc, what_does_not_fit_is_not_written, 0, COUNT(bodies));
	tcase_add_test(tc, there_may_be_so_many_references_and_no_more);
	tcase_add_loop_test(tc, an_id_tells_its_stream_and_its_part, 0, COUNT(ids));
	tcase_add_loop_test(tc, an_item_is_the_one_that_the_response_has, 0, COUNT(items));
	tcase_add_test(tc, the_output_is_all_its_items);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
