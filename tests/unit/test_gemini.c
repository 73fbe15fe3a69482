/* Gemini: answers beside those of the vectors, as events and as an array, and requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "provider.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* ---- Answers. A script is what the responses say, each an object; they are sent as events, as an
 * array, and bare, one after the other. */

#define SAY(parts) "{\"candidates\":[{\"content\":{\"parts\":[" parts "]}}]}"
#define END(parts, why) \
	"{\"candidates\":[{\"content\":{\"parts\":[" parts "]},\"finishReason\":\"" why "\"}]}"
#define TEXT(text)       "{\"text\":\"" text "\"}"
#define CALL(name, more) "{\"functionCall\":{\"name\":\"" name "\"" more "}}"
#define TROUBLE          "\"code\":503,\"message\":\"busy\",\"status\":\"UNAVAILABLE\""
#define STOPPED          EVENT_FINISH("stop", "STOP")
#define CALLED           EVENT_FINISH("tool_calls", "STOP")
#define CUT_SHORT                                                                           \
	"the upstream closed before the answer was complete|upstream_error|upstream_incomp" \
	"lete|502"

static const struct script {
	const char *said[4];
	const char *events, *failure;
} scripts[] = {
	{{"{\"candidates\":[{\"content\":{\"parts\":[" TEXT("a") "]}}],\"responseId\":\"r\","
								 "\"modelVersion\":\"m\"}",
	  "{\"candidates\":[{\"finishReason\":\"STOP\"}],\"responseId\":\"r\"}"},
	 EVENT_META("r", "m") EVENT_TEXT("a") STOPPED},
	/* brackets and quotes in strings, brackets in brackets */
	{{SAY(TEXT("]}\\\"[{\\\\")), SAY(CALL("f", ",\"args\":{\"a\":[[{\"}]\":\"\\\\\"}],[]]}")),
	  "{\"candidates\":[{\"finishReason\":\"STOP\"}]}"},
	 EVENT_TEXT("]}\\\"[{\\\\") EVENT_CALL("0", "call_527a4c32449e37e3", "f",
					       "{\\\"a\\\":[[{\\\"}]\\\":\\\"\\\\\\\\\\\"}],[]]}")
		 CALLED},
	/* thoughts and what is wanted back with them */
	{{SAY("{\"text\":\"t\",\"thought\":true,\"thoughtSignature\":\"s\"}"),
	  END("{\"text\":\"a\",\"thoughtSignature\":\"z\"}", "STOP")},
	 EVENT_REASONING("t") EVENT_SIGNATURE("s") EVENT_TEXT("a") EVENT_SIGNATURE("z") STOPPED},
	/* a call with an id of its own, and a signature; one without anything */
	{{END("{\"functionCall\":{\"id\":\"i\",\"name\":\"f\"},\"thoughtSignature\":\"s\"},"
	      "{\"functionCall\":{}}",
	      "STOP")},
	 EVENT("5 0 0 0", "i", "f", "s") EVENT_ARGS("0", "{}") EVENT_CALL_END("0")
		 EVENT_CALL("1", "call_dc341554b86568a2", "", "{}") CALLED},
	/* reasons that come twice, and what is said behind one */
	{{END(TEXT("a"), "STOP"), SAY(TEXT("b")), END("", "MAX_TOKENS")},
	 EVENT_TEXT("a") STOPPED EVENT_TEXT("b") EVENT_FINISH("length", "MAX_TOKENS")},
	{{END(TEXT("a"), "STOP"), SAY(CALL("f", ",\"id\":\"i\""))},
	 EVENT_TEXT("a") STOPPED EVENT_CALL("0", "i", "f", "{}") CALLED},
	/* parts without events */
	{{SAY("{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"QQ==\"}},"
	      "{\"executableCode\":{\"code\":\"1\"}},{\"codeExecutionResult\":{}}"),
	  END("", "IMAGE_SAFETY")},
	 EVENT_FINISH("content_filter", "IMAGE_SAFETY")},
	/* candidates are told apart */
	{{"{\"candidates\":[{\"index\":0,\"content\":{\"parts\":[" TEXT(
		  "a") "]}},"
		       "{\"index\":1,\"content\":{\"parts\":[" TEXT(
			       "b") "]},\"finishReason\":\"STOP\"}]}",
	  "{\"candidates\":[{\"index\":0,\"finishReason\":\"STOP\"}]}"},
	 EVENT_TEXT("a") EVENT("2 1 0 0", "b", "", "") EVENT("8 1 0 0", "stop", "STOP", "")
		 STOPPED},
	{{"{\"candidates\":[{\"index\":8,\"finishReason\":\"STOP\"}]}"},
	 "",
	 "the upstream sent a frame with more in it than is read|upstream_error|"
	 "upstream_bad_frame|502"},
	/* counts: those so far, the last one of each */
	{{"{\"usageMetadata\":{\"promptTokenCount\":6,\"toolUsePromptTokenCount\":2,"
	  "\"thoughtsTokenCount\":3,\"cachedContentTokenCount\":1}}",
	  "{\"usageMetadata\":{\"candidatesTokenCount\":4,\"totalTokenCount\":15},"
	  "\"candidates\":[{\"finishReason\":\"STOP\"}]}",
	  "{\"usageMetadata\":{\"candidatesTokenCount\":-1,\"totalTokenCount\":\"x\"}}",
	  "{\"usageMetadata\":null}"},
	 EVENT_USAGE("8 3 11 1 -1 3") STOPPED EVENT_USAGE("8 7 15 1 -1 3")
		 EVENT_USAGE("8 7 15 1 -1 3")},
	/* answers that are none */
	{{SAY(TEXT("a")), END("", "MALFORMED_FUNCTION_CALL")},
	 EVENT_TEXT("a"),
	 "the model's output cannot be used|MALFORMED_FUNCTION_CALL||502"},
	{{"{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}"},
	 EVENT_FINISH("content_filter", "SAFETY")},
	{{SAY(TEXT("a")), "{}", "{\"candidates\":[{\"finishReason\":\"\"}]}"},
	 EVENT_TEXT("a"),
	 CUT_SHORT},
	{{SAY(TEXT("a")), "{\"error\":{" TROUBLE "}}"},
	 EVENT_TEXT("a"),
	 "busy|UNAVAILABLE|503|503"},
	{{"{\"error\":{" TROUBLE "}}"}, "", "busy|UNAVAILABLE|503|503"},
};

enum form { EVENTS, ARRAY, PRETTY_ARRAY, BARE, N_FORMS };

static struct sl_buf body_of(const struct script *script, enum form form)
{
	static const char *const before[] = {"", "[", "\r\n [\n", ""};
	static const char *const each[][2] = {
		{"data: ", "\r\n\r\n"}, {"", ""}, {" ", "\r\n"}, {"", "\n"}};
	static const char *const between[] = {"", ",", ",\n", ""};
	static const char *const behind[] = {"", "]", "]\n", ""};
	struct sl_buf body = {.max = SIZE_MAX};

	sl_buf_put_str(&body, before[form]);
	for (int i = 0; i < 4 && script->said[i]; i++) {
		if (i > 0)
			sl_buf_put_str(&body, between[form]);
		sl_buf_printf(&body, "%s%s%s", each[form][0], script->said[i], each[form][1]);
	}
	sl_buf_put_str(&body, behind[form]);
	return body;
}

START_TEST(responses_are_told_as_events_in_whatever_form_they_come)
{
	static const char *const types[] = {"text/event-stream", "application/json",
					    "application/json; charset=UTF-8", ""};

	for (int form = 0; form < N_FORMS; form++) {
		struct sl_buf body = body_of(&scripts[_i], (enum form)form);
		struct provider_answer answer = {buf_str(&body), scripts[_i].events,
						 scripts[_i].failure};

		provider_check_answer(SL_DIALECT_GEMINI, types[form], &answer);
		sl_buf_fini(&body);
	}
}
END_TEST

/* What stands otherwise than it should. */
static const struct provider_answer answers[] = {
	/* an error in an array within an event; one that is bare behind events */
	{"data: [{\"error\":{" TROUBLE "}}]\r\n\r\n", "", "busy|UNAVAILABLE|503|503"},
	{"data: " SAY(TEXT("a")) "\r\n\r\n{\n \"error\": {\n " TROUBLE "\n }\n}\n", EVENT_TEXT("a"),
	 "busy|UNAVAILABLE|503|503"},
	/* OpenAI's end mark */
	{"data: " END("", "STOP") "\n\ndata: [DONE]\n\n", STOPPED, NULL},
	{"data: [DONE]\n\ndata: " END("", "STOP") "\n\n", STOPPED, NULL},
	/* arrays that are cut off: behind an object, within one; and one that is complete all the
	 * same */
	{"[" SAY(TEXT("a")), EVENT_TEXT("a"), CUT_SHORT},
	{"[" SAY(TEXT("a")) ",{\"candidates\":[{\"finishReason\":\"STOP\"}", EVENT_TEXT("a"),
	 CUT_SHORT},
	{"[" END(TEXT("a"), "STOP") ",", EVENT_TEXT("a") STOPPED, NULL},
	{"[]", "", CUT_SHORT},
	/* what is no object */
	{"[1]", "", "the upstream sent a damaged frame|upstream_error|upstream_bad_frame|502"},
	{"[" SAY(TEXT("a")) "<html>", EVENT_TEXT("a"),
	 "the upstream sent a damaged frame|upstream_error|upstream_bad_frame|502"},
	{"[{]", "",
	 "the upstream sent a frame that is no JSON object|upstream_error|upstream_bad_frame|502"},
	/* an array in an array is one */
	{"[[" END(TEXT("a"), "STOP") "]]", EVENT_TEXT("a") STOPPED, NULL},
};

START_TEST(what_stands_elsewhere_is_found)
{
	provider_check_answer(SL_DIALECT_GEMINI, "application/octet-stream", &answers[_i]);
}
END_TEST

/* Fed in pieces of that size. */
static const size_t sizes[] = {1 << 22, 4099, 17};

START_TEST(an_image_of_a_megabyte_passes_in_an_array)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_GEMINI);
	struct sl_reader *reader = sl_reader_new(&o);
	struct sl_buf body = {.max = SIZE_MAX};
	struct sl_entry entry;
	size_t longest = 0, n, entries = 0;

	ck_assert_ptr_nonnull(reader);
	sl_buf_put_str(&body, "[{\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":{"
			      "\"data\":\"");
	for (int i = 0; i < 1 << 18; i++)
		sl_buf_put_str(&body, "QUJD");
	sl_buf_put_str(&body, "\"}}]}}]},\n" END(TEXT("a"), "STOP") "]");
	for (size_t at = 0; at < body.len; at += n) {
		n = sizes[_i] < body.len - at ? sizes[_i] : body.len - at;
		sl_reader_feed(reader, body.p + at, n);
		while (sl_reader_next(reader, &entry) == 1) {
			entries++;
			longest = entry.frame.n > longest ? entry.frame.n : longest;
		}
	}
	sl_reader_finish(reader, NULL);
	ck_assert_int_eq(sl_reader_next(reader, &entry), 1);
	ck_assert_uint_eq(entry.flags, SL_ENTRY_END);
	ck_assert_uint_eq(entries, 2);
	ck_assert_uint_gt(longest, 1 << 20);
	sl_reader_free(reader);
	sl_buf_fini(&body);
}
END_TEST

START_TEST(an_object_may_be_too_long)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_GEMINI);
	struct sl_slice body =
		SL_LIT("[" END(TEXT("a"), "STOP") ",{\"a\":\"0123456789012345678901"
						  "2345678901234567890123456789012"
						  "3456789012345678901234567890\"}]");

	o.max_frame_bytes = 80;
	for (int way = 0; way < VECTORS_WAYS; way++) {
		struct collected *c = malloc(sizeof(*c));
		struct vectors_cuts cuts;

		ck_assert_ptr_nonnull(c);
		collected_init(c);
		vectors_cuts_init(&cuts, NULL, way);
		collect(c, &o, body, &cuts, NULL);
		ck_assert_str_eq(buf_str(&c->text[0]), "a");
		ck_assert_str_eq(buf_str(&c->code), SL_CODE_FRAME_TOO_BIG);
		collected_fini(c);
		free(c);
	}
}
END_TEST

static const struct {
	int status;
	const char *body, *message, *type;
	int64_t told;
} refusals[] = {
	{429,
	 "{\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"RESOURCE_EXHAUSTED\","
	 "\"details\":"
	 "[{\"retryDelay\":\"3s\"}]}}",
	 "slow", "RESOURCE_EXHAUSTED", 429},
	{400, "[{\"error\":{\"code\":400,\"message\":\"bad\",\"status\":\"INVALID_ARGUMENT\"}}]",
	 "bad", "INVALID_ARGUMENT", 400},
};

START_TEST(a_refusal_is_told_with_its_word)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_GEMINI);
	struct collected *c = malloc(sizeof(*c));

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	o.status = refusals[_i].status;
	o.content_type = SL_LIT("application/json");
	collect(c, &o, sl_slice_str(refusals[_i].body), NULL, NULL);
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->message), refusals[_i].message);
	ck_assert_str_eq(buf_str(&c->type), refusals[_i].type);
	ck_assert_int_eq(c->status, refusals[_i].told);
	collected_fini(c);
	free(c);
}
END_TEST

/* ---- Requests */

#define CHAT(messages, more) \
	SL_DIALECT_OPENAI_CHAT, "{\"model\":\"x\",\"messages\":[" messages "]" more "}"
#define CLAUDE(messages, more) \
	SL_DIALECT_ANTHROPIC,  \
		"{\"model\":\"x\",\"max_tokens\":9,\"messages\":[" messages "]" more "}"
#define HI               "{\"role\":\"user\",\"content\":\"hi\"}"
#define SAID             "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]"
#define GENERATION(more) SAID ",\"generationConfig\":{" more "}}"
#define THINK(budget)                                                            \
	GENERATION("\"thinkingConfig\":{\"thinkingBudget\":" budget ",\"include" \
		   "Thoughts\":true}")
#define TOOLS(more)                                                                  \
	",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"descript" \
	"ion\":\"d\",\"parameters\":{\"type\":\"object\",\"$ref\":\"x\"}}},{\"ty"    \
	"pe\":\"function\",\"function\":{\"name\":\"g\"}}]" more
#define DECLARED(config)                                                                     \
	SAID ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\"," \
	     "\"parametersJsonSchema\":{\"type\":\"object\",\"$ref\":\"x\"}},{\"name\":\"g"  \
	     "\"}]}]" config "}"
#define CONFIG(mode, more) \
	",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"" mode "\"" more "}}"

static const struct provider_request requests[] = {
	/* roles, neighbours, what is empty, who sets the tone */
	{CHAT("{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"a\"},"
	      "{\"role\":\"user\",\"content\":\"b\"},{\"role\":\"assistant\",\"content\":\"\"},"
	      "{\"role\":\"developer\",\"content\":\"D\"},{\"role\":\"user\",\"content\":\"c\"},"
	      "{\"role\":\"assistant\",\"content\":\"d\"}",
	      ""),
	 "{\"systemInstruction\":{\"parts\":[{\"text\":\"S\"},{\"text\":\"D\"}]},\"contents\":["
	 "{\"role\":\"user\",\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"},{\"text\":\"c\"}]},"
	 "{\"role\":\"model\",\"parts\":[{\"text\":\"d\"}]}]}",
	 NULL},
	/* data and URLs */
	{CHAT("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},"
	      "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,QUJD\"}},"
	      "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}},"
	      "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"QQ==\",\"format\":\"wav\"}},"
	      "{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;base64,Qg==\"}}]}",
	      ""),
	 "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"see\"},"
	 "{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"QUJD\"}},"
	 "{\"fileData\":{\"fileUri\":\"https://x/y.png\"}},"
	 "{\"inlineData\":{\"mimeType\":\"audio/wav\",\"data\":\"QQ==\"}},"
	 "{\"inlineData\":{\"mimeType\":\"application/pdf\",\"data\":\"Qg==\"}}]}]}",
	 NULL},
	/* calls without signatures, and their results: text, an object, an error, an image */
	{CLAUDE("{\"role\":\"assistant\",\"content\":["
		"{\"type\":\"tool_use\",\"id\":\"i\",\"name\":\"f\",\"input\":{\"n\":1}},"
		"{\"type\":\"tool_use\",\"id\":\"j\",\"name\":\"g\",\"input\":{}}]},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"go on\"},"
		"{\"type\":\"tool_result\",\"tool_use_id\":\"i\",\"content\":\"{\\\"a\\\":1}\"},"
		"{\"type\":\"tool_result\",\"tool_use_id\":\"j\",\"content\":[{\"type\":\"text\","
		"\"text\":\"[1]\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
		"\"media_type\":\"image/png\",\"data\":\"QUJD\"}}]},"
		"{\"type\":\"tool_result\",\"tool_use_id\":\"i\",\"is_error\":true,\"content\":"
		"\"{}\"},{\"type\":\"tool_result\",\"tool_use_id\":\"j\"}]}",
		""),
	 "{\"contents\":[{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"id\":\"i\",\"name\":"
	 "\"f\",\"args\":{\"n\":1}},\"thoughtSignature\":\"skip_thought_signature_validator\"},"
	 "{\"functionCall\":{\"id\":\"j\",\"name\":\"g\",\"args\":{}}}]},{\"role\":\"user\","
	 "\"parts\":["
	 "{\"functionResponse\":{\"id\":\"i\",\"name\":\"f\",\"response\":{\"a\":1}}},"
	 "{\"functionResponse\":{\"id\":\"j\",\"name\":\"g\",\"response\":{\"result\":\"[1]\"}}},"
	 "{\"functionResponse\":{\"id\":\"i\",\"name\":\"f\",\"response\":{\"error\":\"{}\"}}},"
	 "{\"functionResponse\":{\"id\":\"j\",\"name\":\"g\",\"response\":{\"result\":\"\"}}},"
	 "{\"text\":\"go on\"},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"QUJD\"}}]}],"
	 "\"generationConfig\":{\"maxOutputTokens\":9}}",
	 NULL},
	/* signatures go back where they came from; the others' arguments are text */
	{CHAT("{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":["
	      "{\"id\":\"i\",\"type\":\"function\",\"extra_content\":{\"google\":{"
	      "\"thought_signature\":\"s\"}},\"function\":{\"name\":\"f\",\"arguments\":"
	      "\"{\\\"n\\\":1}\"}},{\"id\":\"j\",\"type\":\"function\",\"function\":{\"name\":"
	      "\"g\",\"arguments\":\"\"}}]},"
	      "{\"role\":\"tool\",\"tool_call_id\":\"i\",\"content\":\"1\"}",
	      ""),
	 "{\"contents\":[{\"role\":\"model\",\"parts\":[{\"text\":\"a\"},{\"functionCall\":{"
	 "\"id\":\"i\",\"name\":\"f\",\"args\":{\"n\":1}},\"thoughtSignature\":\"s\"},"
	 "{\"functionCall\":{\"id\":\"j\",\"name\":\"g\",\"args\":{}}}]},{\"role\":\"user\","
	 "\"parts\":[{\"functionResponse\":{\"id\":\"i\",\"name\":\"f\",\"response\":{\"result\":"
	 "\"1\"}}}]}]}",
	 NULL},
	/* reasoning of earlier answers */
	{CLAUDE("{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
		"\"signature\":\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"QQ==\"},"
		"{\"type\":\"text\",\"text\":\"a\"}]}",
		""),
	 "{\"contents\":[{\"role\":\"model\",\"parts\":[{\"text\":\"t\",\"thought\":true,"
	 "\"thoughtSignature\":\"s\"},{\"text\":\"a\"}]}],\"generationConfig\":{"
	 "\"maxOutputTokens\":9}}",
	 "redacted_thinking"},
	/* tools and the choice among them */
	{CHAT(HI, TOOLS("")), DECLARED(""), NULL},
	{CHAT(HI, TOOLS(",\"tool_choice\":\"auto\"")), DECLARED(CONFIG("AUTO", "")), NULL},
	{CHAT(HI, TOOLS(",\"tool_choice\":\"required\"")), DECLARED(CONFIG("ANY", "")), NULL},
	{CHAT(HI, TOOLS(",\"tool_choice\":\"none\"")), DECLARED(CONFIG("NONE", "")), NULL},
	{CHAT(HI, TOOLS(",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}")),
	 DECLARED(CONFIG("ANY", ",\"allowedFunctionNames\":[\"g\"]")), NULL},
	/* options */
	{CHAT(HI, ",\"max_completion_tokens\":9,\"temperature\":1.5,\"top_p\":0.8,\"top_k\":4,"
		  "\"stop\":\"E\",\"seed\":1,\"presence_penalty\":1,\"frequency_penalty\":2,"
		  "\"user\":\"u\",\"parallel_tool_calls\":false"),
	 GENERATION("\"maxOutputTokens\":9,\"temperature\":1.5,\"topP\":0.8,\"topK\":4,"
		    "\"stopSequences\":[\"E\"],\"seed\":1,\"presencePenalty\":1,"
		    "\"frequencyPenalty\":2"),
	 "user, parallel_tool_calls"},
	{CHAT(HI, ",\"n\":2"), " `n`: the upstream's API has nothing of the kind", NULL},
	{CHAT(HI, ",\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\"]"),
	 GENERATION("\"stopSequences\":[\"1\",\"2\",\"3\",\"4\",\"5\"]"), NULL},
	{CHAT(HI, ",\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]"),
	 " `stop`: Gemini takes 5 stop sequences at the most", NULL},
	{CHAT(HI, ",\"logprobs\":true"), " `logprobs`: the upstream's API has nothing of the kind",
	 NULL},
	/* the form of the answer */
	{CHAT(HI, ",\"response_format\":{\"type\":\"json_object\"}"),
	 GENERATION("\"responseMimeType\":\"application/json\""), NULL},
	{CHAT(HI, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
		  "\"schema\":{\"type\":\"object\"}}}"),
	 GENERATION("\"responseMimeType\":\"application/json\",\"responseSchema\":{\"type\":"
		    "\"object\"}"),
	 NULL},
	/* a schema that is more than OpenAPI's kind, somewhere in it */
	{CHAT(HI, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
		  "\"schema\":{\"type\":\"object\",\"properties\":{\"$ref\":{\"anyOf\":[{\"type\":"
		  "[\"string\",\"null\"]}]}}}}}"),
	 GENERATION("\"responseMimeType\":\"application/json\",\"responseJsonSchema\":{\"type\":"
		    "\"object\",\"properties\":{\"$ref\":{\"anyOf\":[{\"type\":[\"string\","
		    "\"null\"]}]}}}"),
	 NULL},
	{CHAT(HI, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
		  "\"schema\":{\"type\":\"object\",\"properties\":{\"$ref\":{\"type\":\"array\","
		  "\"items\":"
		  "{\"type\":\"string\"}}}}}}"),
	 GENERATION("\"responseMimeType\":\"application/json\",\"responseSchema\":{\"type\":"
		    "\"object\",\"properties\":{\"$ref\":{\"type\":\"array\",\"items\":{\"type\":"
		    "\"string\"}}}}"),
	 NULL},
	/* thinking */
	{CHAT(HI, ",\"reasoning_effort\":\"none\""),
	 GENERATION("\"thinkingConfig\":{\"thinkingBudget\":0}"), NULL},
	{CHAT(HI, ",\"reasoning_effort\":\"minimal\""), THINK("512"), NULL},
	{CHAT(HI, ",\"reasoning_effort\":\"low\""), THINK("1024"), NULL},
	{CHAT(HI, ",\"reasoning_effort\":\"medium\""), THINK("8192"), NULL},
	{CHAT(HI, ",\"reasoning_effort\":\"high\""), THINK("24576"), NULL},
	{CHAT(HI, ",\"reasoning_effort\":\"odd\""), SAID "}", "reasoning_effort"},
	{CLAUDE(HI, ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}"),
	 GENERATION("\"maxOutputTokens\":9,\"thinkingConfig\":{\"thinkingBudget\":2000,"
		    "\"includeThoughts\":true}"),
	 NULL},
};

START_TEST(requests_are_written_in_its_words)
{
	provider_check_request_for(SL_DIALECT_GEMINI, "gemini-3-pro", &requests[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gemini");
	TCase *answers_case = tcase_create("answers"), *requests_case = tcase_create("requests");

	tcase_set_timeout(answers_case, 60);
	tcase_add_loop_test(answers_case, responses_are_told_as_events_in_whatever_form_they_come,
			    0, COUNT(scripts));
	tcase_add_loop_test(answers_case, what_stands_elsewhere_is_found, 0, COUNT(answers));
	tcase_add_loop_test(answers_case, an_image_of_a_megabyte_passes_in_an_array, 0,
			    COUNT(sizes));
	tcase_add_test(answers_case, an_object_may_be_too_long);
	tcase_add_loop_test(answers_case, a_refusal_is_told_with_its_word, 0, COUNT(refusals));
	suite_add_tcase(suite, answers_case);
	tcase_add_loop_test(requests_case, requests_are_written_in_its_words, 0, COUNT(requests));
	suite_add_tcase(suite, requests_case);
	return unit_main(suite);
}
