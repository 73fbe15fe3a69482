/* What is read of a body for OpenAI's Responses, and what is refused, and where. */
#include "codec/prompt.h"

#include <string.h>
#include <sluice/error.h>
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

static const struct json_limits limits = {.depth = 64, .values = 10000};

static const char *const kinds[] = {
	[PROMPT_TEXT] = "text",      [PROMPT_IMAGE] = "image",        [PROMPT_AUDIO] = "audio",
	[PROMPT_FILE] = "file",      [PROMPT_REASONING] = "reasons",  [PROMPT_REFUSAL] = "refusal",
	[PROMPT_TOOL_CALL] = "call", [PROMPT_TOOL_RESULT] = "result",
};

static void show_token(struct sl_buf *out, const char *name, struct json v)
{
	if (v.type != JSON_NONE)
		sl_buf_printf(out, " %s=%.*s", name, (int)v.raw.n, v.raw.p);
}

static void show_part(struct sl_buf *out, const struct prompt_part *part)
{
	sl_buf_put_str(out, kinds[part->kind]);
	if (part->text.type != JSON_NONE)
		sl_buf_printf(out, " %.*s", (int)part->text.raw.n, part->text.raw.p);
	show_token(out, "url", part->url);
	if (part->media.n || part->data.n)
		sl_buf_printf(out, " %.*s:%.*s", (int)part->media.n, part->media.p,
			      (int)part->data.n, part->data.p);
	show_token(out, "id", part->id);
	show_token(out, "name", part->name);
	show_token(out, "args", part->arguments);
	show_token(out, "sig", part->signature);
	if (part->redacted)
		sl_buf_put_str(out, " redacted");
	if (part->content) {
		sl_buf_put_str(out, " [");
		for (size_t i = 0; i < part->n_content; i++) {
			sl_buf_put_str(out, i ? ", " : "");
			show_part(out, &part->content[i]);
		}
		sl_buf_put_str(out, "]");
	}
}

static void show_options(struct sl_buf *out, const struct prompt *p)
{
	static const char *const choices[] = {"", "auto", "required", "none", "named"};
	static const char *const formats[] = {"", "object", "schema"};

	for (int i = 0; i < PROMPT_OPTIONS; i++) {
		if (p->option[i].type != JSON_NONE)
			sl_buf_printf(out, "option %d %.*s\n", i, (int)p->option[i].raw.n,
				      p->option[i].raw.p);
	}
	for (size_t i = 0; i < p->n_tools; i++) {
		sl_buf_put_str(out, "tool");
		show_token(out, "name", p->tools[i].name);
		show_token(out, "description", p->tools[i].description);
		show_token(out, "schema", p->tools[i].schema);
		show_token(out, "strict", p->tools[i].strict);
		sl_buf_putc(out, '\n');
	}
	if (p->choice) {
		sl_buf_printf(out, "choice %s", choices[p->choice]);
		show_token(out, "name", p->choice_name);
		sl_buf_putc(out, '\n');
	}
	if (p->format) {
		sl_buf_printf(out, "format %s", formats[p->format]);
		show_token(out, "name", p->schema_name);
		show_token(out, "schema", p->schema);
		show_token(out, "strict", p->schema_strict);
		sl_buf_putc(out, '\n');
	}
	if (p->dropped.len)
		sl_buf_printf(out, "dropped %.*s\n", (int)p->dropped.len, p->dropped.p);
}

/* A line for each message and each wish. */
static void show(struct sl_buf *out, const struct prompt *p)
{
	static const char *const roles[] = {"system: ", "user: ", "assistant: "};

	for (size_t m = 0; m < p->n_messages; m++) {
		sl_buf_put_str(out, roles[p->messages[m].role]);
		for (size_t i = 0; i < p->messages[m].n_parts; i++) {
			sl_buf_put_str(out, i ? ", " : "");
			show_part(out, &p->messages[m].parts[i]);
		}
		sl_buf_putc(out, '\n');
	}
	show_options(out, p);
}

static int read_body(const char *body, struct request_info *info, struct prompt *p,
		     struct request_fault *fault)
{
	ck_assert_msg(
		request_parse(sl_slice_str(body), SL_DIALECT_RESPONSES, limits, info, fault) == 0,
		"%s", fault->message);
	return prompt_read(info->body, SL_DIALECT_RESPONSES, p, fault);
}

/* Each: what stands beside the model in a body, and what is read. */
static const char *const bodies[][2] = {
	{"\"input\":\"hi \\u00e9\"", "user: text \"hi \\u00e9\"\n"},
	{"\"instructions\":\"be brief\",\"input\":\"hi\"",
	 "system: text \"be brief\"\nuser: text \"hi\"\n"},
	{"\"instructions\":null,\"input\":\"hi\"", "user: text \"hi\"\n"},
	{"\"instructions\":\"\",\"input\":\"hi\"", "user: text \"hi\"\n"},
	/* messages */
	{"\"input\":[{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"system\",\"content\":"
	 "\"s\"},{\"type\":\"message\",\"role\":\"user\",\"content\":\"u\"},{\"role\":"
	 "\"assistant\",\"content\":\"a\"}]",
	 "system: text \"d\"\nsystem: text \"s\"\nuser: text \"u\"\nassistant: text \"a\"\n"},
	{"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"look\"},"
	 "{\"type\":\"input_image\",\"image_url\":\"https://e.org/"
	 "a.png\",\"detail\":\"low\"},{\"type\":\"input_image\",\"image_url\":\"data:image/"
	 "png;base64,QUJD\"}]}]",
	 "user: text \"look\", image url=\"https://e.org/a.png\", image image/png:QUJD\n"},
	{"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"filename\":\"a."
	 "pdf\",\"file_data\":\"data:application/"
	 "pdf;base64,QQ==\"},{\"type\":\"input_file\",\"file_url\":\"https://e.org/"
	 "b\"},{\"type\":\"input_file\",\"file_data\":\"QUI=\"},{\"type\":\"input_file\","
	 "\"filename\":\"c.txt\",\"file_data\":\"QUI=\"}]}]",
	 "user: file application/pdf:QQ== name=\"a.pdf\", file url=\"https://e.org/b\", file "
	 "application/pdf:QUI=, file text/plain:QUI= name=\"c.txt\"\n"},
	{"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{"
	 "\"data\":\"QQ==\",\"format\":\"wav\"}}]}]",
	 "user: audio audio/wav:QQ==\n"},
	{"\"input\":[{\"type\":\"message\",\"id\":\"m\",\"status\":\"completed\",\"role\":"
	 "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"a\",\"annotations\":[]},"
	 "{\"type\":\"refusal\",\"refusal\":\"no\"}]}]",
	 "assistant: text \"a\", refusal \"no\"\n"},
	{"\"input\":[{\"role\":\"user\",\"content\":[]},{\"role\":\"user\",\"content\":\"u\"}]",
	 "user: text \"u\"\n"},
	/* calls and results */
	{"\"input\":[{\"type\":\"function_call\",\"id\":\"fc\",\"call_id\":\"c1\",\"name\":\"f\","
	 "\"arguments\":\"{\\\"a\\\":1}\"},{\"type\":\"function_call_output\",\"call_id\":\"c1\","
	 "\"output\":\"ok\"}]",
	 "assistant: call id=\"c1\" name=\"f\" args=\"{\\\"a\\\":1}\"\nuser: result id=\"c1\" "
	 "name=\"f\" [text \"ok\"]\n"},
	{"\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":[{\"type\":"
	 "\"input_text\",\"text\":\"t\"},{\"type\":\"input_image\",\"image_url\":\"http://i\"}]}]",
	 "user: result id=\"c\" [text \"t\", image url=\"http://i\"]\n"},
	{"\"input\":[{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"sh\",\"input\":"
	 "\"ls \\\"a\\\"\"},{\"type\":\"custom_tool_call_output\",\"call_id\":\"c\",\"output\":"
	 "\"x\"}]",
	 "assistant: call id=\"c\" name=\"sh\" args={\"input\":\"ls \\\"a\\\"\"}\nuser: result "
	 "id=\"c\" name=\"sh\" [text \"x\"]\n"},
	/* all items of an answer in one message */
	{"\"input\":[{\"type\":\"reasoning\",\"summary\":[{\"text\":\"r\"}]},{\"role\":"
	 "\"assistant\",\"content\":\"a\"},{\"type\":\"function_call\",\"call_id\":\"c1\","
	 "\"name\":\"f\",\"arguments\":\"\"},{\"type\":\"function_call\",\"call_id\":\"c2\","
	 "\"name\":\"g\",\"arguments\":\"\"},{\"type\":\"function_call_output\",\"call_id\":"
	 "\"c1\",\"output\":\"\"},{\"role\":\"user\",\"content\":\"u\"}]",
	 "assistant: reasons \"r\", text \"a\", call id=\"c1\" name=\"f\" args=\"\", call "
	 "id=\"c2\" name=\"g\" args=\"\"\nuser: result id=\"c1\" name=\"f\" [text \"\"]\nuser: "
	 "text \"u\"\n"},
	/* reasoning */
	{"\"input\":[{\"type\":\"reasoning\",\"id\":\"r\",\"summary\":[{\"type\":\"summary_text\","
	 "\"text\":\"one\"}],\"encrypted_content\":\"E\"}]",
	 "assistant: reasons \"one\" sig=\"E\"\n"},
	{"\"input\":[{\"type\":\"reasoning\",\"summary\":[{\"text\":\"one\"},{\"text\":\"\"},{"
	 "\"text\":\"two\"}]}]",
	 "assistant: reasons \"one\\n\\ntwo\"\n"},
	{"\"input\":[{\"type\":\"reasoning\",\"summary\":[],\"content\":[{\"type\":\"reasoning_"
	 "text\",\"text\":\"raw\"}]}]",
	 "assistant: reasons \"raw\"\n"},
	{"\"input\":[{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"E\"}]",
	 "assistant: reasons sig=\"E\" redacted\n"},
	{"\"input\":[{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":null},{\"role\":"
	 "\"user\",\"content\":\"u\"}]",
	 "user: text \"u\"\n"},
	/* tools */
	{"\"input\":\"i\",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"description\":\"d\","
	 "\"parameters\":{\"type\":\"object\"},\"strict\":true},{\"type\":\"function\",\"name\":"
	 "\"g\",\"parameters\":null,\"strict\":null}],\"tool_choice\":\"required\"",
	 "user: text \"i\"\ntool name=\"f\" description=\"d\" schema={\"type\":\"object\"} "
	 "strict=true\ntool name=\"g\"\nchoice required\n"},
	{"\"input\":\"i\",\"tools\":[],\"tool_choice\":\"auto\"",
	 "user: text \"i\"\nchoice auto\n"},
	{"\"input\":\"i\",\"tools\":null,\"tool_choice\":null", "user: text \"i\"\n"},
	{"\"input\":\"i\",\"tool_choice\":\"none\"", "user: text \"i\"\nchoice none\n"},
	{"\"input\":\"i\",\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}",
	 "user: text \"i\"\nchoice named name=\"f\"\n"},
	{"\"input\":\"i\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"function\","
	 "\"name\":\"g\"}],\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\","
	 "\"tools\":[{\"type\":\"function\",\"name\":\"g\"}]}",
	 "user: text \"i\"\ntool name=\"g\"\nchoice auto\n"},
	/* wishes */
	{"\"input\":\"i\",\"text\":{\"format\":{\"type\":\"text\"},\"verbosity\":null}",
	 "user: text \"i\"\n"},
	{"\"input\":\"i\",\"text\":{\"format\":{\"type\":\"json_object\"}}",
	 "user: text \"i\"\nformat object\n"},
	{"\"input\":\"i\",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\","
	 "\"schema\":{\"a\":1},\"strict\":true}}",
	 "user: text \"i\"\nformat schema name=\"n\" schema={\"a\":1} strict=true\n"},
	{"\"input\":\"i\",\"store\":true,\"metadata\":{\"a\":\"b\"},\"include\":[\"x\"],"
	 "\"background\":false,\"stream\":true,\"stream_options\":{},\"temperature\":null,"
	 "\"top_logprobs\":0,\"reasoning\":{\"summary\":\"auto\"},\"previous_response_id\":null",
	 "user: text \"i\"\n"},
	{"\"input\":\"i\",\"prompt_cache_key\":\"k\",\"truncation\":\"auto\",\"new_wish\":1,\"not "
	 "a "
	 "name\":1",
	 "user: text \"i\"\ndropped prompt_cache_key, truncation, new_wish\n"},
};

START_TEST(a_body_is_read_for_what_it_asks)
{
	struct sl_buf body = {.max = SIZE_MAX}, shown = {.max = SIZE_MAX};
	struct request_info info;
	struct request_fault fault = {0};
	struct prompt p;

	sl_buf_printf(&body, "{\"model\":\"m\",%s}", bodies[_i][0]);
	sl_buf_putc(&body, 0);
	ck_assert_msg(read_body(body.p, &info, &p, &fault) == 0, "%s", fault.message);
	show(&shown, &p);
	sl_buf_putc(&shown, 0);
	ck_assert_str_eq(shown.p, bodies[_i][1]);
	prompt_fini(&p);
	request_info_fini(&info);
	sl_buf_fini(&shown);
	sl_buf_fini(&body);
}
END_TEST

static const struct {
	const char *member;
	enum prompt_option option;
	const char *value;
} wishes[] = {
	{"\"max_output_tokens\":100", PROMPT_MAX_TOKENS, "100"},
	{"\"temperature\":0.5", PROMPT_TEMPERATURE, "0.5"},
	{"\"top_p\":1", PROMPT_TOP_P, "1"},
	{"\"top_logprobs\":5", PROMPT_TOP_LOGPROBS, "5"},
	{"\"user\":\"u\"", PROMPT_USER_ID, "\"u\""},
	{"\"safety_identifier\":\"u\"", PROMPT_USER_ID, "\"u\""},
	{"\"parallel_tool_calls\":false", PROMPT_PARALLEL, "false"},
	{"\"service_tier\":\"flex\"", PROMPT_SERVICE_TIER, "\"flex\""},
	{"\"text\":{\"verbosity\":\"low\"}", PROMPT_VERBOSITY, "\"low\""},
	{"\"reasoning\":{\"effort\":\"high\",\"summary\":\"auto\"}", PROMPT_EFFORT, "\"high\""},
};

START_TEST(a_wish_is_kept_as_it_stands)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct request_info info;
	struct request_fault fault = {0};
	struct prompt p;

	sl_buf_printf(&body, "{\"input\":\"i\",%s}", wishes[_i].member);
	sl_buf_putc(&body, 0);
	ck_assert_msg(read_body(body.p, &info, &p, &fault) == 0, "%s", fault.message);
	for (int i = 0; i < PROMPT_OPTIONS; i++)
		ck_assert(sl_slice_is(p.option[i].raw,
				      i == (int)wishes[_i].option ? wishes[_i].value : ""));
	ck_assert_uint_eq(p.dropped.len, 0);
	prompt_fini(&p);
	request_info_fini(&info);
	sl_buf_fini(&body);
}
END_TEST

/* Each: a body, and the member that its fault names. */
static const char *const bad[][2] = {
	{"{\"input\":[]}", "input"},
	{"{\"input\":[1]}", "input[0]"},
	{"{\"input\":[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"tool\",\"content\":\"\"}]}",
	 "input[1].role"},
	{"{\"input\":[{\"type\":\"message\",\"content\":\"u\"}]}", "input[0].role"},
	{"{\"input\":[{\"role\":\"user\"}]}", "input[0].content"},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{}]}]}", "input[0].content[0].type"},
	{"{\"input\":[{\"role\":\"user\",\"content\":[7]}]}", "input[0].content[0]"},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a\"},{"
	 "\"type\":\"input_text\"}]}]}",
	 "input[0].content[1].text"},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"file_id\":\"f\"}]"
	 "}]}",
	 "input[0].content[0].file_id"},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}]}",
	 "input[0].content[0].image_url"},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_id\":\"f\"}]}"
	 "]}",
	 "input[0].content[0].file_id"},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\"}]}]}",
	 "input[0].content[0].file_data"},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]}",
	 "input[0].content[0].input_audio.data"},
	{"{\"input\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\"}]}]}",
	 "input[0].content[0].refusal"},
	{"{\"input\":[{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"\"}]}",
	 "input[0].call_id"},
	{"{\"input\":[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":{}"
	 "}]}",
	 "input[0].arguments"},
	{"{\"input\":[{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"f\"}]}",
	 "input[0].input"},
	{"{\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"c\"}]}", "input[0].output"},
	{"{\"input\":[{\"type\":\"function_call_output\",\"output\":\"\"}]}", "input[0].call_id"},
	{"{\"input\":[{\"type\":\"item_reference\",\"id\":7}]}", "input[0].id"},
	{"{\"input\":[{\"type\":\"web_search_call\",\"id\":\"w\"}]}", "input[0].type"},
	{"{\"input\":\"i\",\"instructions\":[]}", "instructions"},
	{"{\"input\":\"i\",\"tools\":{}}", "tools"},
	{"{\"input\":\"i\",\"tools\":[1]}", "tools[0]"},
	{"{\"input\":\"i\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"web_"
	 "search\"}]}",
	 "tools[1].type"},
	{"{\"input\":\"i\",\"tools\":[{\"type\":\"function\"}]}", "tools[0].name"},
	{"{\"input\":\"i\",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":1}]}",
	 "tools[0].parameters"},
	{"{\"input\":\"i\",\"tool_choice\":\"any\"}", "tool_choice"},
	{"{\"input\":\"i\",\"tool_choice\":{\"type\":\"web_search_preview\"}}", "tool_choice.type"},
	{"{\"input\":\"i\",\"tool_choice\":{\"type\":\"function\"}}", "tool_choice.name"},
	{"{\"input\":\"i\",\"tool_choice\":{\"type\":\"allowed_tools\",\"tools\":[]}}",
	 "tool_choice.mode"},
	{"{\"input\":\"i\",\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\",\"tools\":"
	 "[{\"type\":\"mcp\"}]}}",
	 "tool_choice.tools[0].type"},
	{"{\"input\":\"i\",\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\",\"tools\":"
	 "[{\"type\":\"function\",\"name\":\"f\"}]}}",
	 "tool_choice.tools"},
	{"{\"input\":\"i\",\"text\":1}", "text"},
	{"{\"input\":\"i\",\"text\":{\"format\":{\"type\":\"grammar\"}}}", "text.format.type"},
	{"{\"input\":\"i\",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\"}}}",
	 "text.format.schema"},
	{"{\"input\":\"i\",\"text\":{\"verbosity\":1}}", "text.verbosity"},
	{"{\"input\":\"i\",\"reasoning\":\"high\"}", "reasoning"},
	{"{\"input\":\"i\",\"reasoning\":{\"effort\":3}}", "reasoning.effort"},
	{"{\"input\":\"i\",\"max_output_tokens\":\"9\"}", "max_output_tokens"},
	{"{\"input\":\"i\",\"parallel_tool_calls\":1}", "parallel_tool_calls"},
	{"{\"input\":\"i\",\"top_logprobs\":true}", "top_logprobs"},
	{"{\"input\":\"i\",\"previous_response_id\":\"resp_1\"}", "previous_response_id"},
	{"{\"input\":\"i\",\"conversation\":{\"id\":\"c\"}}", "conversation"},
	{"{\"input\":\"i\",\"prompt\":{\"id\":\"p\"}}", "prompt"},
};

START_TEST(what_cannot_be_understood_is_named_with_its_place)
{
	struct request_info info;
	struct request_fault fault = {0};
	struct prompt p;

	ck_assert_int_eq(read_body(bad[_i][0], &info, &p, &fault), -SL_E_TYPE);
	ck_assert_str_eq(fault.param, bad[_i][1]);
	ck_assert_ptr_nonnull(strstr(fault.message, bad[_i][1]));
	ck_assert_ptr_nonnull(fault.code);
	prompt_fini(&p);
	request_info_fini(&info);
}
END_TEST

/* What would have been put in its place before, if it were kept: it is another fault. */
static const struct {
	const char *body;
	int result;
	const char *code, *param;
} lost[] = {
	{"{\"input\":[\"u\",{\"type\":\"item_reference\",\"id\":\"m\"}]}", -SL_E_TYPE,
	 "invalid_type", "input[0]"},
	{"{\"input\":[{\"role\":\"user\",\"content\":\"u\"},{\"type\":\"item_reference\","
	 "\"id\":\"m\"}]}",
	 -SL_E_MISSING, "item_not_found", "input[1].id"},
	{"{\"input\":[{\"id\":\"m\"}]}", -SL_E_MISSING, "item_not_found", "input[0].id"},
	{"{\"input\":\"i\",\"previous_response_id\":\"resp_1\"}", -SL_E_TYPE,
	 "previous_response_not_found", "previous_response_id"},
};

START_TEST(what_is_not_kept_is_said_to_be_missing)
{
	struct request_info info;
	struct request_fault fault = {0};
	struct prompt p;

	ck_assert_int_eq(read_body(lost[_i].body, &info, &p, &fault), lost[_i].result);
	ck_assert_str_eq(fault.code, lost[_i].code);
	ck_assert_str_eq(fault.param, lost[_i].param);
	prompt_fini(&p);
	request_info_fini(&info);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prompt_responses");
	TCase *tc = tcase_create("prompt_responses");

	tcase_add_loop_test(tc, a_body_is_read_for_what_it_asks, 0, COUNT(bodies));
	tcase_add_loop_test(tc, a_wish_is_kept_as_it_stands, 0, COUNT(wishes));
	tcase_add_loop_test(tc, what_cannot_be_understood_is_named_with_its_place, 0, COUNT(bad));
	tcase_add_loop_test(tc, what_is_not_kept_is_said_to_be_missing, 0, COUNT(lost));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
