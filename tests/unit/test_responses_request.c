/* What is asked of an upstream that speaks OpenAI's Responses. */
#include "codec/dialect.h"

#include <string.h>
#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/prompt_read.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* Tokens as they stand in a client's body. */
#define STRING(s)                                     \
	{                                             \
		JSON_STRING, SL_LIT_INIT("\"" s "\"") \
	}
#define NUMBER(s)                           \
	{                                   \
		JSON_NUMBER, SL_LIT_INIT(s) \
	}
#define OBJECT(s)                           \
	{                                   \
		JSON_OBJECT, SL_LIT_INIT(s) \
	}
#define TRUE_                                  \
	{                                      \
		JSON_TRUE, SL_LIT_INIT("true") \
	}

#define PARTS(...)                                    \
	.parts = (struct prompt_part[]){__VA_ARGS__}, \
	.n_parts = sizeof((struct prompt_part[]){__VA_ARGS__}) / sizeof(struct prompt_part)
#define MESSAGES(...)                                       \
	.messages = (struct prompt_message[]){__VA_ARGS__}, \
	.n_messages =                                       \
		sizeof((struct prompt_message[]){__VA_ARGS__}) / sizeof(struct prompt_message)
#define CONTENT(...)                                    \
	.content = (struct prompt_part[]){__VA_ARGS__}, \
	.n_content = sizeof((struct prompt_part[]){__VA_ARGS__}) / sizeof(struct prompt_part)

#define TEXT(s)                                \
	{                                      \
		PROMPT_TEXT, .text = STRING(s) \
	}
#define USER_TEXT                             \
	{                                     \
		PROMPT_USER, PARTS(TEXT("u")) \
	}
#define USER_ITEM                                                                                 \
	"{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":" \
	"\"u\"}]}"
#define HEAD "{\"model\":\"m\\\"x\",\"input\":[" USER_ITEM "]"
#define TAIL ",\"store\":false,\"stream\":true}"

static const struct {
	struct prompt prompt;
	const char *body;
	const char *dropped;
} written[] = {
	{{MESSAGES(USER_TEXT)}, HEAD TAIL, ""},
	/* instructions are what the conversation begins with */
	{{MESSAGES({PROMPT_SYSTEM, PARTS(TEXT("a"), TEXT("b"))}, {PROMPT_SYSTEM, PARTS(TEXT("c"))},
		   USER_TEXT, {PROMPT_SYSTEM, PARTS(TEXT("d"))})},
	 "{\"model\":\"m\\\"x\",\"instructions\":\"a\\nb\\nc\",\"input\":[" USER_ITEM
	 ",{\"type\":\"message\",\"role\":\"developer\",\"content\":[{\"type\":\"input_text\","
	 "\"text\":\"d\"}]}]" TAIL,
	 ""},
	{{MESSAGES({PROMPT_SYSTEM, PARTS(TEXT("a"))})},
	 "{\"model\":\"m\\\"x\",\"input\":[{\"type\":\"message\",\"role\":\"developer\","
	 "\"content\":"
	 "[{\"type\":\"input_text\",\"text\":\"a\"}]}]" TAIL,
	 ""},
	/* all that a message can hold */
	{{MESSAGES({PROMPT_USER,
		    PARTS(TEXT("t"),
			  {PROMPT_IMAGE, .url = STRING("http://i"), .detail = STRING("low")},
			  {PROMPT_IMAGE, .media = SL_LIT_INIT("image/png"),
			   .data = SL_LIT_INIT("QQ==")},
			  {PROMPT_FILE, .url = STRING("http://f")},
			  {PROMPT_FILE, .name = STRING("n.pdf"), .media = SL_LIT_INIT("a/b"),
			   .data = SL_LIT_INIT("QQ==")},
			  {PROMPT_FILE, .media = SL_LIT_INIT("application/pdf"),
			   .data = SL_LIT_INIT("QQ==")})})},
	 "{\"model\":\"m\\\"x\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
	 "\"type\":\"input_text\",\"text\":\"t\"},{\"type\":\"input_image\",\"image_url\":\"http://"
	 "i\",\"detail\":\"low\"},{\"type\":\"input_image\",\"image_url\":\"data:image/"
	 "png;base64,QQ==\",\"detail\":\"auto\"},{\"type\":"
	 "\"input_file\",\"file_url\":\"http://"
	 "f\"},{\"type\":\"input_file\",\"filename\":\"n.pdf\","
	 "\"file_data\":\"data:a/b;base64,QQ==\"},{\"type\":\"input_file\",\"filename\":\"document."
	 "pdf\",\"file_data\":\"data:application/pdf;base64,QQ==\"}]}]" TAIL,
	 ""},
	/* an earlier answer, and results, in the order of their parts */
	{{MESSAGES({PROMPT_ASSISTANT,
		    PARTS({PROMPT_REASONING, .text = STRING("r"), .signature = STRING("E")},
			  TEXT("a"), {PROMPT_REFUSAL, .text = STRING("no")},
			  {PROMPT_TOOL_CALL, .id = STRING("c1"), .name = STRING("f"),
			   .arguments = OBJECT("{\"a\":1}")},
			  {PROMPT_TOOL_CALL, .id = STRING("c2"), .name = STRING("g")}, TEXT("b"))},
		   {PROMPT_USER,
		    PARTS({PROMPT_TOOL_RESULT, .id = STRING("c1"), CONTENT(TEXT("x"), TEXT("y"))},
			  {PROMPT_TOOL_RESULT, .id = STRING("c2"), .is_error = true,
			   CONTENT(TEXT("z"), {PROMPT_IMAGE, .url = STRING("http://i")})},
			  TEXT("u"))})},
	 "{\"model\":\"m\\\"x\",\"input\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":"
	 "\"summary_"
	 "text\",\"text\":\"r\"}],\"encrypted_content\":\"E\"},{\"type\":\"message\",\"role\":"
	 "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"a\",\"annotations\":[]},{"
	 "\"type\":"
	 "\"refusal\",\"refusal\":\"no\"}]},{\"type\":\"function_call\",\"call_id\":\"c1\","
	 "\"name\":"
	 "\"f\",\"arguments\":\"{\\\"a\\\":1}\"},{\"type\":\"function_call\",\"call_id\":\"c2\","
	 "\"name\":\"g\",\"arguments\":\"{}\"},{\"type\":\"message\",\"role\":\"assistant\","
	 "\"content\":\"b\"},{\"type\":\"function_call_"
	 "output\",\"call_id\":\"c1\",\"output\":\"x\\ny\"},{\"type\":\"function_call_output\","
	 "\"call_id\":\"c2\",\"output\":[{\"type\":\"input_text\",\"text\":\"Error: \"},"
	 "{\"type\":\"input_text\",\"text\":\"z\"},{\"type\":"
	 "\"input_"
	 "image\",\"image_url\":\"http://i\",\"detail\":\"auto\"}]}," USER_ITEM "]" TAIL,
	 ""},
	/* reasoning that nobody signed, and such as is withheld */
	{{MESSAGES({PROMPT_ASSISTANT,
		    PARTS({PROMPT_REASONING, .text = STRING("r")},
			  {PROMPT_REASONING, .signature = STRING("E"), .redacted = true})})},
	 "{\"model\":\"m\\\"x\",\"input\":[{\"type\":\"reasoning\",\"summary\":[],\"encrypted_"
	 "content\":\"E\"}]" TAIL,
	 "reasoning"},
	/* tools */
	{{MESSAGES(USER_TEXT),
	  .tools = (struct prompt_tool[]){{STRING("f"), STRING("d"), OBJECT("{\"x\":[]}"), TRUE_},
					  {.name = STRING("g")}},
	  .n_tools = 2, .choice = PROMPT_NAMED, .choice_name = STRING("f")},
	 HEAD ",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"description\":\"d\","
	      "\"parameters\":{\"x\":[]},\"strict\":true},{\"type\":\"function\",\"name\":\"g\","
	      "\"parameters\":{\"type\":\"object\",\"properties\":{}},\"strict\":false}],\"tool_"
	      "choice\":{\"type\":\"function\",\"name\":\"f\"}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .choice = PROMPT_AUTO}, HEAD ",\"tool_choice\":\"auto\"" TAIL, ""},
	{{MESSAGES(USER_TEXT), .choice = PROMPT_REQUIRED}, HEAD TAIL, "tool_choice"},
	{{MESSAGES(USER_TEXT), .tools = (struct prompt_tool[]){{.name = STRING("g")}}, .n_tools = 1,
	  .choice = PROMPT_REQUIRED},
	 HEAD
	 ",\"tools\":[{\"type\":\"function\",\"name\":\"g\",\"parameters\":{\"type\":\"object\","
	 "\"properties\":{}},\"strict\":false}],\"tool_choice\":\"required\"" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .choice = PROMPT_NO_TOOLS},
	 HEAD ",\"tool_choice\":\"none\"" TAIL,
	 ""},
	/* text */
	{{MESSAGES(USER_TEXT), .format = PROMPT_JSON_OBJECT},
	 HEAD ",\"text\":{\"format\":{\"type\":\"json_object\"}}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .format = PROMPT_JSON_SCHEMA, .schema = OBJECT("{}"),
	  .option[PROMPT_VERBOSITY] = STRING("low")},
	 HEAD
	 ",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"response\",\"schema\":{}},"
	 "\"verbosity\":\"low\"}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .format = PROMPT_JSON_SCHEMA, .schema = OBJECT("{}"),
	  .schema_name = STRING("n"), .schema_strict = TRUE_},
	 HEAD ",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{},"
	      "\"strict\":true}}" TAIL,
	 ""},
	/* options */
	{{MESSAGES(USER_TEXT), .option[PROMPT_MAX_TOKENS] = NUMBER("90"),
	  .option[PROMPT_TEMPERATURE] = NUMBER("0.50"), .option[PROMPT_TOP_P] = NUMBER("1"),
	  .option[PROMPT_USER_ID] = STRING("u"), .option[PROMPT_PARALLEL] = TRUE_,
	  .option[PROMPT_SERVICE_TIER] = STRING("flex")},
	 HEAD ",\"max_output_tokens\":90,\"temperature\":0.50,\"top_p\":1,\"user\":\"u\","
	      "\"parallel_tool_calls\":true,\"service_tier\":\"flex\"" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_TOP_K] = NUMBER("9"),
	  .option[PROMPT_SEED] = NUMBER("1"),
	  .option[PROMPT_SERVICE_TIER] = STRING("standard_only")},
	 HEAD TAIL,
	 "top_k, seed, service_tier"},
	/* reasoning */
	{{MESSAGES(USER_TEXT), .option[PROMPT_EFFORT] = STRING("low"),
	  .option[PROMPT_BUDGET] = NUMBER("9000")},
	 HEAD ",\"reasoning\":{\"effort\":\"low\",\"summary\":\"auto\"},\"include\":[\"reasoning."
	      "encrypted_content\"]" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_BUDGET] = NUMBER("0")},
	 HEAD ",\"reasoning\":{\"effort\":\"none\"}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_BUDGET] = NUMBER("2048")},
	 HEAD ",\"reasoning\":{\"effort\":\"low\",\"summary\":\"auto\"},\"include\":[\"reasoning."
	      "encrypted_content\"]" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_BUDGET] = NUMBER("2049")},
	 HEAD
	 ",\"reasoning\":{\"effort\":\"medium\",\"summary\":\"auto\"},\"include\":[\"reasoning."
	 "encrypted_content\"]" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_BUDGET] = NUMBER("10000")},
	 HEAD ",\"reasoning\":{\"effort\":\"high\",\"summary\":\"auto\"},\"include\":[\"reasoning."
	      "encrypted_content\"]" TAIL,
	 ""},
};

static int encode(struct prompt *p, struct sl_buf *out, struct request_fault *fault)
{
	const struct prompt_target target = {.model = SL_LIT("m\"x"), .stream = true};
	struct json_writer w;
	int r;

	json_writer_init(&w, out);
	r = dialect_of(SL_DIALECT_RESPONSES)->encode(p, &target, &w, fault);
	ck_assert_int_eq(w.failure, 0);
	ck_assert_int_eq(sl_buf_putc(out, 0), 0);
	return r;
}

START_TEST(a_prompt_is_written_as_items)
{
	struct prompt p = written[_i].prompt;
	struct sl_buf out = {.max = SIZE_MAX};
	struct request_fault fault = {0};

	ck_assert_msg(encode(&p, &out, &fault) == 0, "%s", fault.message);
	ck_assert_str_eq(out.p, written[_i].body);
	ck_assert(sl_slice_is(sl_buf_slice(&p.dropped), written[_i].dropped));
	prompt_fini(&p);
	sl_buf_fini(&out);
}
END_TEST

static const struct {
	struct prompt prompt;
	const char *param;
} refused[] = {
	{{MESSAGES(USER_TEXT), .option[PROMPT_STOP] = STRING("x")}, "stop"},
	{{MESSAGES(USER_TEXT), .option[PROMPT_N] = NUMBER("2")}, "n"},
	{{MESSAGES({PROMPT_USER, PARTS({PROMPT_AUDIO, .media = SL_LIT_INIT("audio/wav"),
					.data = SL_LIT_INIT("QQ==")})})},
	 "messages"},
};

START_TEST(what_the_api_has_nothing_for_is_refused)
{
	struct prompt p = refused[_i].prompt;
	struct sl_buf out = {.max = SIZE_MAX};
	struct request_fault fault = {0};

	ck_assert_int_eq(encode(&p, &out, &fault), -SL_E_TYPE);
	ck_assert_str_eq(fault.param, refused[_i].param);
	ck_assert_str_eq(fault.code, "unsupported_value");
	prompt_fini(&p);
	sl_buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("responses_request");
	TCase *tc = tcase_create("responses_request");

	tcase_add_loop_test(tc, a_prompt_is_written_as_items, 0, COUNT(written));
	tcase_add_loop_test(tc, what_the_api_has_nothing_for_is_refused, 0, COUNT(refused));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
