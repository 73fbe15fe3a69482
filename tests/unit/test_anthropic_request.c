/* What is asked of an upstream that speaks Anthropic's Messages. */
#include "codec/dialect.h"

#include <string.h>
#include <sluice/error.h>
#include "codec/base64.h"
#include "codec/json_writer.h"
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
#define ARRAY(s)                           \
	{                                  \
		JSON_ARRAY, SL_LIT_INIT(s) \
	}
#define TRUE_                                  \
	{                                      \
		JSON_TRUE, SL_LIT_INIT("true") \
	}
#define FALSE_                                   \
	{                                        \
		JSON_FALSE, SL_LIT_INIT("false") \
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
#define TOOLS(...)                                    \
	.tools = (struct prompt_tool[]){__VA_ARGS__}, \
	.n_tools = sizeof((struct prompt_tool[]){__VA_ARGS__}) / sizeof(struct prompt_tool)

#define TEXT(s)                                \
	{                                      \
		PROMPT_TEXT, .text = STRING(s) \
	}
#define CALL(i)                                                                                   \
	{                                                                                         \
		PROMPT_TOOL_CALL, .id = STRING(i), .name = STRING("f"), .arguments = OBJECT("{}") \
	}
#define RESULT(i)                                                       \
	{                                                               \
		PROMPT_TOOL_RESULT, .id = STRING(i), CONTENT(TEXT("r")) \
	}
#define SYSTEM(...)                               \
	{                                         \
		PROMPT_SYSTEM, PARTS(__VA_ARGS__) \
	}
#define USER(...)                               \
	{                                       \
		PROMPT_USER, PARTS(__VA_ARGS__) \
	}
#define ASSISTANT(...)                               \
	{                                            \
		PROMPT_ASSISTANT, PARTS(__VA_ARGS__) \
	}
#define USER_TEXT USER(TEXT("u"))
#define TOOL_F                      \
	{                           \
		.name = STRING("f") \
	}

/* The body, from its messages on … */
#define HEAD      "{\"model\":\"m\\\"x\",\"max_tokens\":32000,"
#define SAYS(s)   "\"messages\":[" s "]"
#define USER_SAYS "{\"role\":\"user\",\"content\":\"u\"}"
#define F         ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]"
#define CALL_C    "{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}}"
#define RESULT_C                                                                           \
	"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c\"," \
	"\"content\":\"r\"}]}"
#define TAIL ",\"stream\":true}"
/* … and of one that has but the one message. */
#define PLAIN HEAD SAYS(USER_SAYS)
#define THINKING(max, budget)                       \
	"{\"model\":\"m\\\"x\",\"max_tokens\":" max \
	"," SAYS(USER_SAYS) ",\"thinking\":"        \
			    "{\"type\":\"enabled\",\"budget_tokens\":" budget "}" TAIL

static const struct {
	struct prompt prompt;
	const char *body;
	const char *dropped;
} written[] = {
	{{MESSAGES(USER_TEXT)}, PLAIN TAIL, ""},
	{{.n_messages = 0}, HEAD "\"messages\":[]" TAIL, ""},
	/* instructions, wherever they stand */
	{{MESSAGES(SYSTEM(TEXT("a"), TEXT("b")), USER_TEXT, SYSTEM(TEXT(" ")), SYSTEM(TEXT("c")))},
	 HEAD "\"system\":\"a\\nb\\nc\"," SAYS(USER_SAYS) TAIL,
	 ""},
	/* neighbours become one turn, also those with nothing but instructions or blanks between */
	{{MESSAGES(USER(TEXT("a")), SYSTEM(TEXT("s")), USER(TEXT("b")), ASSISTANT(TEXT("")),
		   USER(TEXT("c"), TEXT(" \\n")), ASSISTANT(TEXT("d")))},
	 HEAD "\"system\":\"s\"," SAYS(
		 "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
		 "\"text\",\"text\":\"b\"},{\"type\":\"text\",\"text\":\"c\"}]},{\"role\":"
		 "\"assistant\",\"content\":\"d\"}") TAIL,
	 ""},
	{{MESSAGES(ASSISTANT(TEXT("\\t")), ASSISTANT(TEXT("\\u0061")))},
	 HEAD SAYS("{\"role\":\"assistant\",\"content\":\"\\u0061\"}") TAIL,
	 ""},
	/* all that a message can hold */
	{{MESSAGES(USER(
		 {PROMPT_IMAGE, .url = STRING("http://i")},
		 {PROMPT_IMAGE, .media = SL_LIT_INIT("image/jpg"), .data = SL_LIT_INIT("QQ==")},
		 {PROMPT_FILE, .url = STRING("http://f")},
		 {PROMPT_FILE, .data = SL_LIT_INIT("QQ=="), .name = STRING("n")},
		 {PROMPT_FILE, .media = SL_LIT_INIT("text/markdown"),
		  .data = SL_LIT_INIT("IkEiCg==")}))},
	 HEAD SAYS(
		 "{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"url\","
		 "\"url\":\"http://i\"}},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
		 "\"media_type\":\"image/jpeg\",\"data\":\"QQ==\"}},{\"type\":\"document\","
		 "\"source\":{\"type\":\"url\",\"url\":\"http://f\"}},{\"type\":\"document\","
		 "\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":"
		 "\"QQ==\"},\"title\":\"n\"},{\"type\":\"document\",\"source\":{\"type\":\"text\","
		 "\"media_type\":\"text/plain\",\"data\":\"\\\"A\\\"\\n\"}}]}") TAIL,
	 ""},
	{{MESSAGES(USER_TEXT,
		   ASSISTANT({PROMPT_REASONING, .text = STRING("t"), .signature = STRING("s")},
			     {PROMPT_REASONING, .signature = STRING("s")},
			     {PROMPT_REASONING, .signature = STRING("d"), .redacted = true},
			     {PROMPT_REASONING, .text = STRING("unsigned")},
			     {PROMPT_REFUSAL, .text = STRING("no")}))},
	 HEAD SAYS(USER_SAYS
		   ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
		   "\"t\",\"signature\":\"s\"},{\"type\":\"thinking\",\"thinking\":\"\","
		   "\"signature\":\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"d\"},"
		   "{\"type\":\"text\",\"text\":\"no\"}]}") TAIL,
	 "reasoning"},
	/* calls and results: ids, arguments, order */
	{{MESSAGES(USER_TEXT,
		   ASSISTANT(TEXT(""),
			     {PROMPT_TOOL_CALL, .id = STRING("a.b/c"), .name = STRING("f"),
			      .arguments = STRING("{\\\"x\\\":1}")},
			     {PROMPT_TOOL_CALL, .id = STRING("c-2_"), .name = STRING("g")},
			     {PROMPT_TOOL_CALL, .name = STRING("h"), .arguments = STRING("[")}),
		   USER(RESULT("a.b/c")),
		   USER(TEXT("u"),
			{PROMPT_TOOL_RESULT, .id = STRING("c-2_"), .is_error = true,
			 CONTENT(TEXT("x"), TEXT(""), {PROMPT_IMAGE, .url = STRING("http://i")})},
			{PROMPT_TOOL_RESULT}))},
	 HEAD SAYS(USER_SAYS
		   ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"a_b_c\","
		   "\"name\":\"f\",\"input\":{\"x\":1}},{\"type\":\"tool_use\",\"id\":\"c-2_\","
		   "\"name\":\"g\",\"input\":{}},{\"type\":\"tool_use\",\"id\":\"_\",\"name\":"
		   "\"h\",\"input\":{\"arguments\":\"[\"}}]},{\"role\":\"user\",\"content\":"
		   "["
		   "{\"type\":\"tool_result\",\"tool_use_id\":\"a_b_c\",\"content\":\"r\"}"
		   ",{\"type\":\"tool_result\",\"tool_use_id\":\"c-2_\","
		   "\"content\":[{\"type\":"
		   "\"text\",\"text\":\"x\"},{\"type\":\"image\",\"source\":{"
		   "\"type\":\"url\","
		   "\"url\":\"http://"
		   "i\"}}],\"is_error\":true},{\"type\":\"tool_result\","
		   "\"tool_use_id\":\"_\"},{\"type\":\"text\",\"text\":\"u\"}]}") TAIL,
	 ""},
	/* tools */
	{{MESSAGES(USER_TEXT),
	  TOOLS({STRING("f"), STRING("d"), OBJECT("{\"type\":\"object\"}"), TRUE_},
		{.name = STRING("g"), .schema = OBJECT("{ }")},
		{.name = STRING("h"), .schema = OBJECT("{\"x\":{}}")})},
	 PLAIN ",\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":"
	       "\"object\"}},{\"name\":\"g\",\"input_schema\":{\"type\":\"object\"}},{\"name\":"
	       "\"h\",\"input_schema\":{\"type\":\"object\",\"x\":{}}}]" TAIL,
	 "strict"},
	{{MESSAGES(USER_TEXT), TOOLS(TOOL_F), .choice = PROMPT_AUTO},
	 PLAIN F ",\"tool_choice\":{\"type\":\"auto\"}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), TOOLS(TOOL_F), .choice = PROMPT_REQUIRED,
	  .option[PROMPT_PARALLEL] = TRUE_},
	 PLAIN F ",\"tool_choice\":{\"type\":\"any\"}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), TOOLS(TOOL_F), .choice = PROMPT_NO_TOOLS,
	  .option[PROMPT_PARALLEL] = FALSE_},
	 PLAIN F ",\"tool_choice\":{\"type\":\"none\"}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), TOOLS(TOOL_F), .choice = PROMPT_NAMED, .choice_name = STRING("f"),
	  .option[PROMPT_PARALLEL] = FALSE_},
	 PLAIN F ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\","
		 "\"disable_parallel_tool_use\":true}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), TOOLS(TOOL_F), .option[PROMPT_PARALLEL] = FALSE_},
	 PLAIN F ",\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .choice = PROMPT_AUTO}, PLAIN TAIL, ""},
	/* format */
	{{MESSAGES(USER_TEXT), .format = PROMPT_JSON_OBJECT}, PLAIN TAIL, "response_format"},
	{{MESSAGES(USER_TEXT), .format = PROMPT_JSON_SCHEMA, .schema = OBJECT("{\"a\":1}"),
	  .schema_name = STRING("n")},
	 PLAIN
	 ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"a\":1}}}" TAIL,
	 ""},
	/* options */
	{{MESSAGES(USER_TEXT), .option[PROMPT_MAX_TOKENS] = NUMBER("9"),
	  .option[PROMPT_TEMPERATURE] = NUMBER("0.50"), .option[PROMPT_TOP_P] = NUMBER("1"),
	  .option[PROMPT_TOP_K] = NUMBER("7"), .option[PROMPT_USER_ID] = STRING("u"),
	  .option[PROMPT_STOP] = ARRAY("[\"\\n\",\"Q:\",\" \",\"\\u0041\"]")},
	 "{\"model\":\"m\\\"x\",\"max_tokens\":9," SAYS(
		 USER_SAYS) ",\"stop_sequences\":[\"Q:\",\"\\u0041\"],\"temperature\":0.50,\"top_"
			    "p\":1,\"top_k\":7,"
			    "\"metadata\":{\"user_id\":\"u\"}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_TEMPERATURE] = NUMBER("1.5e0"),
	  .option[PROMPT_STOP] = STRING("x")},
	 PLAIN ",\"stop_sequences\":[\"x\"],\"temperature\":1" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_TEMPERATURE] = NUMBER("1.0"),
	  .option[PROMPT_STOP] = STRING(" ")},
	 PLAIN ",\"temperature\":1.0" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_SEED] = NUMBER("1"),
	  .option[PROMPT_SERVICE_TIER] = STRING("flex")},
	 PLAIN TAIL,
	 "seed, service_tier"},
	/* thinking, and how long the answer may be then */
	{{MESSAGES(USER_TEXT), .option[PROMPT_EFFORT] = STRING("none")}, PLAIN TAIL, ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_EFFORT] = STRING("minimal")}, PLAIN TAIL, ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_EFFORT] = STRING("new")},
	 PLAIN TAIL,
	 "reasoning_effort"},
	{{MESSAGES(USER_TEXT), .option[PROMPT_EFFORT] = STRING("low")},
	 THINKING("32000", "1024"),
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_EFFORT] = STRING("medium"),
	  .option[PROMPT_MAX_TOKENS] = NUMBER("9000"), .option[PROMPT_TEMPERATURE] = NUMBER("0"),
	  .option[PROMPT_TOP_P] = NUMBER("0.5"), .option[PROMPT_TOP_K] = NUMBER("5")},
	 THINKING("9000", "8192"),
	 "temperature, top_p, top_k"},
	{{MESSAGES(USER_TEXT), .option[PROMPT_EFFORT] = STRING("xhigh"),
	  .option[PROMPT_MAX_TOKENS] = NUMBER("100")},
	 THINKING("24676", "24576"),
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_EFFORT] = STRING("low"),
	  .option[PROMPT_BUDGET] = NUMBER("9000")},
	 THINKING("32000", "9000"),
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_BUDGET] = NUMBER("5")},
	 THINKING("32000", "1024"),
	 ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_BUDGET] = NUMBER("0")}, PLAIN TAIL, ""},
	{{MESSAGES(USER_TEXT), .option[PROMPT_BUDGET] = NUMBER("9000000000000000000")},
	 THINKING("1032000", "1000000"),
	 ""},
	/* where thinking would be refused: a forced call, a call that nobody signed, an answer
	 * that was begun */
	{{MESSAGES(USER_TEXT), TOOLS(TOOL_F), .choice = PROMPT_REQUIRED,
	  .option[PROMPT_EFFORT] = STRING("low"), .option[PROMPT_TEMPERATURE] = NUMBER("0")},
	 PLAIN F ",\"tool_choice\":{\"type\":\"any\"},\"temperature\":0" TAIL,
	 "reasoning_effort"},
	{{MESSAGES(USER_TEXT, ASSISTANT(CALL("c")), USER(RESULT("c"))),
	  .option[PROMPT_BUDGET] = NUMBER("2000")},
	 HEAD "\"messages\":[" USER_SAYS ",{\"role\":\"assistant\",\"content\":[" CALL_C
	      "]}," RESULT_C "]" TAIL,
	 "thinking.budget_tokens"},
	{{MESSAGES(USER_TEXT,
		   ASSISTANT({PROMPT_REASONING, .text = STRING("t"), .signature = STRING("s")},
			     CALL("c")),
		   USER(RESULT("c"))),
	  .option[PROMPT_BUDGET] = NUMBER("2000")},
	 HEAD "\"messages\":[" USER_SAYS ",{\"role\":\"assistant\",\"content\":[{\"type\":"
	      "\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"}," CALL_C "]}," RESULT_C
	      "],\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}" TAIL,
	 ""},
	{{MESSAGES(USER_TEXT, ASSISTANT(TEXT("a"))), .option[PROMPT_EFFORT] = STRING("low")},
	 HEAD SAYS(USER_SAYS ",{\"role\":\"assistant\",\"content\":\"a\"}") TAIL,
	 "reasoning_effort"},
};

static int encode(struct prompt *p, struct sl_buf *out, struct request_fault *fault)
{
	const struct prompt_target target = {.model = SL_LIT("m\"x"), .stream = true};
	struct json_writer w;
	int r;

	json_writer_init(&w, out);
	r = dialect_of(SL_DIALECT_ANTHROPIC)->encode(p, &target, &w, fault);
	ck_assert_int_eq(w.failure, 0);
	ck_assert_int_eq(sl_buf_putc(out, 0), 0);
	return r;
}

START_TEST(a_prompt_is_written_as_turns_of_blocks)
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
	{{MESSAGES(USER_TEXT), .option[PROMPT_N] = NUMBER("2")}, "n"},
	{{MESSAGES(USER_TEXT), .option[PROMPT_LOGPROBS] = TRUE_}, "logprobs"},
	{{MESSAGES(USER_TEXT, USER(TEXT("a"), {PROMPT_AUDIO, .media = SL_LIT_INIT("audio/wav"),
					       .data = SL_LIT_INIT("QQ==")}))},
	 "messages[1].content[1]"},
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

START_TEST(base64_is_read_as_it_stands_in_json)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"QQ==", "A"},
		{"QUI=", "AB"},
		{"QUJD", "ABC"},
		{"QUJDRA", "ABCD"},
		{"Pz8\\/", "???"},
		{"+/\\/+", "\xfb\xff\xfe"},
		{"=", ""},
	};

	for (int i = 0; i < COUNT(cases); i++) {
		struct sl_buf out = {.max = SIZE_MAX};

		ck_assert_int_eq(base64_decode(sl_slice_str(cases[i][0]), &out), 0);
		ck_assert_msg(sl_slice_is(sl_buf_slice(&out), cases[i][1]), "%s", cases[i][0]);
		sl_buf_fini(&out);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("anthropic_request");
	TCase *tc = tcase_create("anthropic_request");

	tcase_add_loop_test(tc, a_prompt_is_written_as_turns_of_blocks, 0, COUNT(written));
	tcase_add_loop_test(tc, what_the_api_has_nothing_for_is_refused, 0, COUNT(refused));
	tcase_add_test(tc, base64_is_read_as_it_stands_in_json);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
