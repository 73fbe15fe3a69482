/* What is read of a client's body, and what of it is changed on the way. */
#include "codec/request.h"

#include <string.h>
#include <sluice/error.h>
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

static const struct json_limits limits = {.depth = 16, .values = 1000};

static struct request_info parse(enum sl_dialect dialect, const char *body)
{
	struct request_info info;
	struct request_fault fault = {0};

	ck_assert_msg(request_parse(sl_slice_str(body), dialect, limits, &info, &fault) == 0, "%s",
		      fault.message);
	return info;
}

static const struct {
	enum sl_dialect dialect;
	const char *body;
	const char *model;
	bool stream, include_usage;
} good[] = {
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":[]}", "", false, false},
	{SL_DIALECT_OPENAI_CHAT, "{\"model\":\"a\\u0062\\n\",\"messages\":[]}", "ab\n", false,
	 false},
	{SL_DIALECT_OPENAI_CHAT, " {\"stream\":true,\"messages\":[1]} ", "", true, false},
	{SL_DIALECT_OPENAI_CHAT, "{\"stream\":null,\"messages\":[],\"stream_options\":null}", "",
	 false, false},
	{SL_DIALECT_OPENAI_CHAT,
	 "{\"stream\":true,\"messages\":[],\"stream_options\":{\"include_usage\":true}}", "", true,
	 true},
	{SL_DIALECT_OPENAI_CHAT,
	 "{\"stream\":true,\"messages\":[],\"stream_options\":{\"include_usage\":1}}", "", true,
	 false},
	{SL_DIALECT_OPENAI_CHAT, "{\"n\":\"x\",\"tools\":7,\"messages\":[]}", "", false, false},
	{SL_DIALECT_OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"p\"}", "m", false, false},
	{SL_DIALECT_OPENAI_COMPLETIONS, "{\"prompt\":[1,2]}", "", false, false},
	{SL_DIALECT_OPENAI_JSON, "{\"input\":\"p\"}", "", false, false},
	{SL_DIALECT_OPENAI_JSON, "{\"input\":[\"p\"]}", "", false, false},
};

START_TEST(a_request_is_read_for_what_it_asks)
{
	struct request_info info = parse(good[_i].dialect, good[_i].body);

	ck_assert(sl_slice_is(info.model, good[_i].model));
	ck_assert_int_eq(info.stream, good[_i].stream);
	ck_assert_int_eq(info.include_usage, good[_i].include_usage);
	request_info_fini(&info);
}
END_TEST

static const struct {
	enum sl_dialect dialect;
	const char *body;
	int result;
	const char *code, *param;
	size_t offset;
} bad[] = {
	{SL_DIALECT_OPENAI_CHAT, "{\"a\":1,}", -SL_E_SYNTAX, "invalid_json", NULL, 7},
	{SL_DIALECT_OPENAI_CHAT, "{\"model\":\"a\",\"model\":\"b\",\"messages\":[]}", -SL_E_SYNTAX,
	 "duplicate_key", NULL, 13},
	{SL_DIALECT_OPENAI_CHAT, "[[[[[[[[[[[[[[[[[[", -SL_E_LIMIT, "too_deep", NULL, 16},
	{SL_DIALECT_OPENAI_CHAT, "", -SL_E_SYNTAX, "invalid_json", NULL, 0},
	{SL_DIALECT_OPENAI_CHAT, "[]", -SL_E_TYPE, "invalid_type", NULL, 0},
	{SL_DIALECT_OPENAI_CHAT, "{}", -SL_E_MISSING, "missing_field", "messages", 0},
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":\"a\"}", -SL_E_TYPE, "invalid_type", "messages",
	 12},
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":null}", -SL_E_TYPE, "invalid_type", "messages", 12},
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":[],\"model\":1}", -SL_E_TYPE, "invalid_type",
	 "model", 23},
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":[],\"model\":null}", -SL_E_TYPE, "invalid_type",
	 "model", 23},
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":[],\"stream\":\"true\"}", -SL_E_TYPE,
	 "invalid_type", "stream", 24},
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":[],\"stream_options\":[]}", -SL_E_TYPE,
	 "invalid_type", "stream_options", 32},
	{SL_DIALECT_OPENAI_COMPLETIONS, "{\"messages\":[]}", -SL_E_MISSING, "missing_field",
	 "prompt", 0},
	{SL_DIALECT_OPENAI_COMPLETIONS, "{\"prompt\":1}", -SL_E_TYPE, "invalid_type", "prompt", 10},
	{SL_DIALECT_OPENAI_JSON, "{\"model\":\"m\"}", -SL_E_MISSING, "missing_field", "input", 0},
};

START_TEST(a_request_that_cannot_be_served_says_why)
{
	struct request_info info;
	struct request_fault fault;
	int r = request_parse(sl_slice_str(bad[_i].body), bad[_i].dialect, limits, &info, &fault);

	ck_assert_int_eq(r, bad[_i].result);
	ck_assert_str_eq(fault.code, bad[_i].code);
	ck_assert_pstr_eq(fault.param, bad[_i].param);
	ck_assert_uint_eq(fault.offset, bad[_i].offset);
	ck_assert_uint_gt(strlen(fault.message), 10);
}
END_TEST

/* Each: a body; the model for the upstream; whether to ask for usage; what the upstream gets. */
static const struct {
	const char *body, *model;
	bool ask_usage;
	const char *upstream;
} encoded[] = {
	{" {\"model\":\"m\", \"messages\":[] ,\"seed\":9007199254740993,\"x\":1e400 }\n", "m", true,
	 " {\"model\":\"m\", \"messages\":[] ,\"seed\":9007199254740993,\"x\":1e400 }\n"},
	{"{\"model\":\"\\u006d\",\"messages\":[]}", "m", false,
	 "{\"model\":\"\\u006d\",\"messages\":[]}"},
	{" {\"messages\":[], \"model\" : \"m\"}", "a\"b", false,
	 " {\"messages\":[], \"model\" : \"a\\\"b\"}"},
	{" { \"messages\":[]}", "m", false, " {\"model\":\"m\", \"messages\":[]}"},
	{"{\"messages\":[]}", "", false, "{\"messages\":[]}"},
	{"{\"messages\":[],\"stream\":true}", "", true,
	 "{\"stream_options\":{\"include_usage\":true},\"messages\":[],\"stream\":true}"},
	{"{\"messages\":[],\"stream\":true}", "m", true,
	 "{\"model\":\"m\",\"stream_options\":{\"include_usage\":true},\"messages\":[],\"stream\":"
	 "true}"},
	{"{\"messages\":[],\"stream\":true}", "", false, "{\"messages\":[],\"stream\":true}"},
	{"{\"messages\":[],\"stream\":false}", "", true, "{\"messages\":[],\"stream\":false}"},
	{"{\"messages\":[],\"stream\":true,\"stream_options\":null}", "", true,
	 "{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
	{"{\"messages\":[],\"stream\":true,\"stream_options\":{ }}", "", true,
	 "{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true }}"},
	{"{\"messages\":[],\"stream\":true,\"stream_options\":{\"a\":1}}", "", true,
	 "{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true,\"a\":1}}"},
	{"{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":false}}", "", true,
	 "{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
	{"{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\": null}}", "", true,
	 "{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\": true}}"},
	{"{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "", true,
	 "{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
};

START_TEST(only_the_documented_members_change_on_the_way_up)
{
	struct request_info info = parse(SL_DIALECT_OPENAI_CHAT, encoded[_i].body);
	struct sl_buf out = {.max = 4096};

	ck_assert_int_eq(
		request_encode(&info, sl_slice_str(encoded[_i].model), encoded[_i].ask_usage, &out),
		0);
	ck_assert_int_eq(sl_buf_putc(&out, 0), 0);
	ck_assert_str_eq(out.p, encoded[_i].upstream);
	sl_buf_fini(&out);
	request_info_fini(&info);
}
END_TEST

/* The body, and the same with the model that was chosen for it. */
static const char *const chosen[][2] = {
	{"{\"messages\":[]}", "{\"model\":\"m\",\"messages\":[]}"},
	{"{\"model\":\"\",\"messages\":[]}", "{\"model\":\"m\",\"messages\":[]}"},
};

START_TEST(a_model_that_is_chosen_stands_in_the_body_that_goes_up)
{
	struct request_info info = parse(SL_DIALECT_OPENAI_CHAT, chosen[_i][0]);
	struct sl_buf out = {.max = 4096};

	ck_assert_int_eq(request_choose_model(&info, SL_LIT("m")), 0);
	ck_assert(sl_slice_is(info.model, "m"));
	ck_assert_int_eq(request_encode(&info, info.model, false, &out), 0);
	ck_assert_msg(sl_slice_is(sl_buf_slice(&out), chosen[_i][1]), "%.*s", (int)out.len, out.p);
	sl_buf_fini(&out);
	request_info_fini(&info);
}
END_TEST

START_TEST(a_body_that_does_not_fit_is_not_written_in_part)
{
	struct request_info info = parse(SL_DIALECT_OPENAI_CHAT, "{\"messages\":[]}");
	struct sl_buf out = {.max = 20};

	ck_assert_int_eq(request_encode(&info, SL_LIT("model"), false, &out), -SL_E_LIMIT);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(request_for_prompt(SL_LIT("m"), SL_LIT(""), SL_LIT("p"), &out),
			 -SL_E_LIMIT);
	ck_assert_uint_eq(out.len, 0);
	sl_buf_fini(&out);
	request_info_fini(&info);
}
END_TEST

static const char *const prompts[][4] = {
	{"m", "s", "p",
	 "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
	 "{\"role\":\"user\",\"content\":\"p\"}],\"stream\":true}"},
	{"m", "", "\"\n\xff",
	 "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\\"\\n\xef\xbf\xbd\"}],"
	 "\"stream\":true}"},
	{"", "", "p", "{\"messages\":[{\"role\":\"user\",\"content\":\"p\"}],\"stream\":true}"},
};

START_TEST(a_prompt_becomes_a_request)
{
	struct sl_buf out = {.max = 4096};
	struct request_info info;

	ck_assert_int_eq(request_for_prompt(sl_slice_str(prompts[_i][0]),
					    sl_slice_str(prompts[_i][1]),
					    sl_slice_str(prompts[_i][2]), &out),
			 0);
	ck_assert_int_eq(sl_buf_putc(&out, 0), 0);
	ck_assert_str_eq(out.p, prompts[_i][3]);
	info = parse(SL_DIALECT_OPENAI_CHAT, out.p);
	ck_assert(info.stream);
	request_info_fini(&info);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(what_bedrock_has_in_its_path_stands_not_in_the_body)
{
	static const char *const bodies[][2] = {
		{"{\"model\":\"m\",\"messages\":[ 1.50 ],\"stream\":true}",
		 "{\"anthropic_version\":\"bedrock-2023-05-31\",\"messages\":[ 1.50 ]}"},
		{"{\"stream\":false,\"messages\":[],\"anthropic_version\":\"x\",\"a\\u0062\":1e-7}",
		 "{\"messages\":[],\"anthropic_version\":\"x\",\"a\\u0062\":1e-7}"},
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct sl_buf out = {.max = SIZE_MAX};
		struct request_info info;
		struct request_fault fault;

		ck_assert_int_eq(request_parse(sl_slice_str(bodies[i][0]), SL_DIALECT_ANTHROPIC,
					       (struct json_limits){64, 1000}, &info, &fault),
				 0);
		ck_assert_int_eq(request_encode_invoke(&info, &out), 0);
		ck_assert(sl_slice_is(sl_buf_slice(&out), bodies[i][1]));
		request_info_fini(&info);
		sl_buf_fini(&out);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tc = tcase_create("request");

	tcase_add_loop_test(tc, a_request_is_read_for_what_it_asks, 0, COUNT(good));
	tcase_add_loop_test(tc, a_request_that_cannot_be_served_says_why, 0, COUNT(bad));
	tcase_add_loop_test(tc, only_the_documented_members_change_on_the_way_up, 0,
			    COUNT(encoded));
	tcase_add_loop_test(tc, a_model_that_is_chosen_stands_in_the_body_that_goes_up, 0,
			    COUNT(chosen));
	tcase_add_test(tc, a_body_that_does_not_fit_is_not_written_in_part);
	tcase_add_test(tc, what_bedrock_has_in_its_path_stands_not_in_the_body);
	tcase_add_loop_test(tc, a_prompt_becomes_a_request, 0, COUNT(prompts));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
