/* Cohere: answers beside those of the vectors, and requests. */
#include "provider.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* ---- Answers */

#define SEND(type, more)    "event: " type "\ndata: {\"type\":\"" type "\"" more "}\n\n"
#define MESSAGE(type, more) SEND(type, ",\"index\":0,\"delta\":{\"message\":{" more "}}")
#define START               SEND("message-start", ",\"id\":\"m\"")
#define TEXT(type, text)    MESSAGE("content-" type, "\"content\":{\"text\":\"" text "\"}")
#define THINKING(type, text) \
	MESSAGE("content-" type, "\"content\":{\"type\":\"thinking\",\"thinking\":\"" text "\"}")
#define CONTENT_END      SEND("content-end", ",\"index\":0")
#define CALL(type, more) MESSAGE("tool-call-" type, "\"tool_calls\":{\"function\":{" more "}}")
#define ARGS(text)       CALL("delta", "\"arguments\":\"" text "\"")
#define CALL_END         SEND("tool-call-end", ",\"index\":0")
#define FINISH(more)     SEND("message-end", ",\"delta\":{" more "}")
#define COMPLETE         FINISH("\"finish_reason\":\"COMPLETE\"")
#define META             EVENT_META("m", "")
#define COMPLETED        EVENT_FINISH("stop", "COMPLETE")
#define CUT_SHORT                                                                           \
	"the upstream closed before the answer was complete|upstream_error|upstream_incomp" \
	"lete|502"

static const struct provider_answer answers[] = {
	/* reasoning, then two texts */
	{START THINKING("start", "") THINKING("delta", "t") CONTENT_END TEXT("start", "a")
		 CONTENT_END TEXT("start", "b") CONTENT_END COMPLETE,
	 META EVENT_REASONING("t") EVENT_REASONING_END EVENT_TEXT("a")
		 EVENT_TEXT_END EVENT_TEXT("b") EVENT_TEXT_END COMPLETED,
	 NULL},
	/* no starts, no ends */
	{START THINKING("delta", "t") TEXT("delta", "a") TEXT("start", "b") COMPLETE,
	 META EVENT_REASONING("t") EVENT_REASONING_END EVENT_TEXT("a")
		 EVENT_TEXT_END EVENT_TEXT("b") EVENT_TEXT_END COMPLETED,
	 NULL},
	/* a plan and calls: with arguments in the start, without any, without an id and an end */
	{START MESSAGE("tool-plan-delta", "\"tool_plan\":\"p\"")
		 MESSAGE("tool-call-start",
			 "\"tool_calls\":{\"id\":\"i\",\"function\":{\"name\":\"f\","
			 "\"arguments\":\"{\"}}") ARGS("}") CALL_END CALL("start", "\"name\":\"g\"")
			 CALL_END ARGS("lost") CALL("start", "\"name\":\"h\"") ARGS("{}")
				 FINISH("\"finish_reason\":\"TOOL_CALL\""),
	 META EVENT_REASONING("p") EVENT_REASONING_END EVENT_START("0", "i", "f")
		 EVENT_ARGS("0", "{") EVENT_ARGS("0", "}") EVENT_CALL_END("0")
			 EVENT_CALL("1", "call_0df63009d5b182fd", "g", "{}")
				 EVENT_CALL("2", "call_b472ade2a561b527", "h", "{}")
					 EVENT_FINISH("tool_calls", "TOOL_CALL"),
	 NULL},
	/* a pair of surrogates in two deltas, and a half that stays alone */
	{START TEXT("delta", "\\ud83d") TEXT("delta", "\\ude00\\ud83d") CONTENT_END COMPLETE,
	 META EVENT_TEXT("\xf0\x9f\x98\x80") EVENT_TEXT("\xef\xbf\xbd") EVENT_TEXT_END COMPLETED,
	 NULL},
	/* what is only billed is better than nothing */
	{START FINISH("\"finish_reason\":\"STOP_SEQUENCE\",\"usage\":{\"billed_units\":{"
		      "\"input_tokens\":3.0,\"output_tokens\":4},\"tokens\":{\"output_tokens\":"
		      "5}}"),
	 META EVENT_USAGE("3 5 8 -1 -1 -1") EVENT_FINISH("stop", "STOP_SEQUENCE"), NULL},
	/* what nobody knows, what comes twice, what comes behind the end */
	{START START SEND("citation-start", "") SEND("debug", "") TEXT("start", "a") MESSAGE(
		 "content-delta", "\"content\":{\"image\":1}") FINISH("\"finish_reason\":\"NEW\"")
		 TEXT("delta", "late") "data: [DONE]\n\n",
	 META EVENT_TEXT("a") EVENT_TEXT_END EVENT_FINISH("stop", "NEW"), NULL},
	{START TEXT("start", "a") CONTENT_END, META EVENT_TEXT("a") EVENT_TEXT_END, CUT_SHORT},
	{"data: [DONE]\n\n", "", CUT_SHORT},
	/* failures */
	{START FINISH("\"finish_reason\":\"TIMEOUT\""), META,
	 "the upstream failed to answer|TIMEOUT||504"},
	{START FINISH("\"finish_reason\":\"ERROR\""), META,
	 "the upstream failed to answer|ERROR||502"},
	{START FINISH("\"finish_reason\":\"COMPLETE\",\"error\":\"no\""), META, "no|||502"},
	{"data: {\"id\":\"e\",\"message\":\"invalid\"}\n\n", "", "invalid|||502"},
	{START "event: error\ndata: {\"message\":\"invalid\"}\n\n", META, "invalid|||502"},
	{START "{\"message\":\"invalid\"}\n", META, "invalid|||502"},
	{"{\"id\":\"e\",\"message\":\"invalid\"}", "", "invalid|||502"},
	{START "data: nonsense\n\n", META,
	 "the upstream sent a frame that is no JSON object|upstream_error|upstream_bad_frame|502"},
};

START_TEST(events_are_told_as_ours)
{
	provider_check_answer(SL_DIALECT_COHERE, "text/event-stream", &answers[_i]);
}
END_TEST

/* ---- Requests */

#define CHAT(messages, more) \
	SL_DIALECT_OPENAI_CHAT, "{\"model\":\"x\",\"messages\":[" messages "]" more "}"
#define HI         "{\"role\":\"user\",\"content\":\"hi\"}"
#define BODY(all)  "{\"model\":\"m\",\"messages\":[" all ",\"stream\":true}"
#define TOOL(name) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"
#define OUR_TOOL(name)                                                               \
	"{\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"parameters\":" \
	"{\"type\":\"object\",\"properties\":{}}}}"
#define OUR_CALL(id, name, args)                                                  \
	"{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name \
	"\",\"arguments\":\"" args "\"}}"

static const struct provider_request requests[] = {
	{CHAT(HI, ",\"max_tokens\":7,\"temperature\":0,\"top_p\":0.5,\"top_k\":4,\"stop\":[\"X\"],"
		  "\"seed\":1,\"presence_penalty\":1,\"frequency_penalty\":0.5,\"user\":\"u\""),
	 BODY(HI
	      "],\"max_tokens\":7,\"temperature\":0,\"p\":0.5,\"k\":4,\"stop_sequences\":[\"X\"],"
	      "\"seed\":1,\"presence_penalty\":1,\"frequency_penalty\":0.5"),
	 "user"},
	{CHAT("{\"role\":\"developer\",\"content\":\"s\"},{\"role\":\"user\",\"content\":["
	      "{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	      "\"data:image/png;base64,QUJD\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	      "\"https://x/y.png\"}}]},{\"role\":\"assistant\",\"content\":\"b\"},"
	      "{\"role\":\"assistant\",\"content\":\"\"}",
	      ""),
	 BODY("{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":["
	      "{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	      "\"data:image/png;base64,QUJD\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	      "\"https://x/y.png\"}}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
	      "\"text\":\"b\"}]}]"),
	 NULL},
	/* reasoning, a plan, calls, results */
	{SL_DIALECT_ANTHROPIC,
	 "{\"model\":\"x\",\"max_tokens\":1,\"messages\":["
	 "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
	 "\"signature\":\"\"},{\"type\":\"text\",\"text\":\"a\"}]},"
	 "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"p\","
	 "\"signature\":\"\"},{\"type\":\"tool_use\",\"id\":\"i\",\"name\":\"f\",\"input\":{"
	 "\"n\":1}}]},"
	 "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"i\","
	 "\"is_error\":true,\"content\":[{\"type\":\"text\",\"text\":\"r\"},{\"type\":\"image\","
	 "\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"QUJD\"}}]}]}]}",
	 BODY("{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"},"
	      "{\"type\":\"text\",\"text\":\"a\"}]},"
	      "{\"role\":\"assistant\",\"tool_plan\":\"p\",\"tool_calls\":[" OUR_CALL(
		      "i", "f", "{\\\"n\\\":1}") "]},"
						 "{\"role\":\"tool\",\"tool_call_id\":\"i\","
						 "\"content\":\"Error: r\"},"
						 "{\"role\":\"user\",\"content\":[{\"type\":"
						 "\"image_url\",\"image_url\":{\"url\":"
						 "\"data:image/png;base64,QUJD\"}}]}],"
						 "\"max_tokens\":1"),
	 NULL},
	/* tools: one of them is demanded by offering no other */
	{CHAT(HI, ",\"tools\":[" TOOL("f") "," TOOL("g") "],\"tool_choice\":\"auto\""),
	 BODY(HI "],\"tools\":[" OUR_TOOL("f") "," OUR_TOOL("g") "]"), NULL},
	{CHAT(HI, ",\"tools\":[" TOOL("f") "],\"tool_choice\":\"required\""),
	 BODY(HI "],\"tools\":[" OUR_TOOL("f") "],\"tool_choice\":\"REQUIRED\""), NULL},
	{CHAT(HI, ",\"tools\":[" TOOL("f") "],\"tool_choice\":\"none\""),
	 BODY(HI "],\"tools\":[" OUR_TOOL("f") "],\"tool_choice\":\"NONE\""), NULL},
	{CHAT(HI, ",\"tools\":[" TOOL("f") "," TOOL("g") "],\"tool_choice\":{\"type\":\"function\","
							 "\"function\":{\"name\":\"g\"}}"),
	 BODY(HI "],\"tools\":[" OUR_TOOL("g") "],\"tool_choice\":\"REQUIRED\""), NULL},
	/* the form of the answer, and thinking */
	{CHAT(HI, ",\"response_format\":{\"type\":\"json_object\"},\"reasoning_effort\":\"none\""),
	 BODY(HI "],\"thinking\":{\"type\":\"disabled\"},\"response_format\":{\"type\":"
		 "\"json_object\"}"),
	 NULL},
	{CHAT(HI, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
		  "\"schema\":{\"type\":\"object\"}}},\"reasoning_effort\":\"low\""),
	 BODY(HI "],\"thinking\":{\"type\":\"enabled\",\"token_budget\":1024},\"response_format\":{"
		 "\"type\":\"json_object\",\"json_schema\":{\"type\":\"object\"}}"),
	 NULL},
	/* what cannot be asked */
	{CHAT("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{"
	      "\"data\":\"QQ==\",\"format\":\"wav\"}}]}",
	      ""),
	 " `messages[0].content`: Cohere takes no audio", NULL},
	{CHAT("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_data\":"
	      "\"data:application/pdf;base64,QQ==\"}}]}",
	      ""),
	 " `messages[0].content`: Cohere takes documents as text only", NULL},
};

START_TEST(requests_are_written_in_its_words)
{
	provider_check_request(SL_DIALECT_COHERE, &requests[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cohere");
	TCase *tc = tcase_create("cohere");

	tcase_add_loop_test(tc, events_are_told_as_ours, 0, COUNT(answers));
	tcase_add_loop_test(tc, requests_are_written_in_its_words, 0, COUNT(requests));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
