/* AWS Bedrock: answers beside those of the vectors, and requests. */
#include <sluice/reader.h>

#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/dialect.h"
#include "codec/json_writer.h"
#include "collected.h"
#include "eventstream.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* ---- Answers. A script is a row of {type, payload}, "!" in front of the type of an exception. */

struct step {
	const char *type, *payload;
};

#define STEPS_MAX 8

static struct sl_buf body_of(const struct step *steps)
{
	struct sl_buf body = {.max = SIZE_MAX};

	for (int i = 0; i < STEPS_MAX && steps[i].type; i++) {
		bool failed = steps[i].type[0] == '!';

		eventstream_put_named(&body, failed ? "exception" : "event", steps[i].type + failed,
				      sl_slice_str(steps[i].payload));
	}
	return body;
}

static struct collected *read_options(const struct step *steps, struct sl_reader_options o)
{
	struct collected *c = malloc(sizeof(*c));
	struct sl_buf body = body_of(steps);

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	collect(c, &o, sl_buf_slice(&body), NULL, NULL);
	sl_buf_fini(&body);
	return c;
}

static struct collected *read_steps(const struct step *steps)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_BEDROCK_CONVERSE);

	o.content_type = SL_LIT("application/vnd.amazon.eventstream");
	return read_options(steps, o);
}

static void done(struct collected *c)
{
	collected_fini(c);
	free(c);
}

#define DELTA(n, delta)                                                                  \
	{                                                                                \
		"contentBlockDelta", "{\"contentBlockIndex\":" n ",\"delta\":" delta "}" \
	}
#define BLOCK_STOP(n)                                               \
	{                                                           \
		"contentBlockStop", "{\"contentBlockIndex\":" n "}" \
	}
#define STOP(reason)                                             \
	{                                                        \
		"messageStop", "{\"stopReason\":\"" reason "\"}" \
	}
#define TEXT(n, text)  DELTA(n, "{\"text\":\"" text "\"}")
#define INPUT(n, text) DELTA(n, "{\"toolUse\":{\"input\":\"" text "\"}}")
#define TOOL(n, id)                                                                                \
	{                                                                                          \
		"contentBlockStart",                                                               \
			"{\"contentBlockIndex\":" n ",\"start\":{\"toolUse\":{\"toolUseId\":\"" id \
			"\",\"name\":\"f\"}}}"                                                     \
	}

/* What each script says, event by event: kind, choice, index, n0, slices (collected.c). */
static const struct {
	struct step steps[STEPS_MAX];
	const char *events;
} scripts[] = {
	/* a text, begun by its first delta, and its end */
	{{TEXT("0", "a"), BLOCK_STOP("0"), STOP("end_turn")},
	 "  2 0 0 0 \"a\" \"\" \"\" \"\"\n"
	 "  13 0 0 2 \"\" \"\" \"\" \"\"\n"
	 "  8 0 0 0 \"stop\" \"end_turn\" \"\" \"\"\n"},
	/* reasoning: text, signature, what is withheld */
	{{DELTA("0", "{\"reasoningContent\":{\"text\":\"r\"}}"),
	  DELTA("0", "{\"reasoningContent\":{\"signature\":\"s\"}}"), BLOCK_STOP("0"),
	  DELTA("1", "{\"reasoningContent\":{\"redactedContent\":\"eA==\"}}"), BLOCK_STOP("1"),
	  STOP("end_turn")},
	 "  3 0 0 0 \"r\" \"\" \"\" \"\"\n"
	 "  11 0 0 0 \"s\" \"\" \"\" \"\"\n"
	 "  13 0 0 3 \"\" \"\" \"\" \"\"\n"
	 "  11 0 0 1 \"eA==\" \"\" \"\" \"\"\n"
	 "  13 0 0 3 \"\" \"\" \"\" \"\"\n"
	 "  8 0 0 0 \"stop\" \"end_turn\" \"\" \"\"\n"},
	/* a call without input has the arguments {} */
	{{TOOL("3", "t"), INPUT("3", ""), BLOCK_STOP("3"), STOP("tool_use")},
	 "  5 0 0 0 \"t\" \"f\" \"\" \"\"\n"
	 "  6 0 0 0 \"{}\" \"\" \"\" \"\"\n"
	 "  13 0 0 6 \"\" \"\" \"\" \"\"\n"
	 "  8 0 0 0 \"tool_calls\" \"tool_use\" \"\" \"\"\n"},
	/* blocks at one time are told apart, calls counted from 0 */
	{{TOOL("1", "t"), TOOL("2", "u"), INPUT("1", "1"), INPUT("2", "2"), BLOCK_STOP("1"),
	  STOP("tool_use")},
	 "  5 0 0 0 \"t\" \"f\" \"\" \"\"\n"
	 "  5 0 1 0 \"u\" \"f\" \"\" \"\"\n"
	 "  6 0 0 0 \"1\" \"\" \"\" \"\"\n"
	 "  6 0 1 0 \"2\" \"\" \"\" \"\"\n"
	 "  13 0 0 6 \"\" \"\" \"\" \"\"\n"
	 "  13 0 1 6 \"\" \"\" \"\" \"\"\n"
	 "  8 0 0 0 \"tool_calls\" \"tool_use\" \"\" \"\"\n"},
	/* fragments of a call that was never announced, and one without an id (made up:
	 * always the same) */
	{{INPUT("0", "1"),
	  BLOCK_STOP("0"),
	  {"contentBlockStart", "{\"contentBlockIndex\":1,\"start\":{\"toolUse\":{}}}"},
	  STOP("tool_use")},
	 "  5 0 0 0 \"call_527a4c32449e37e3\" \"\" \"\" \"\"\n"
	 "  6 0 0 0 \"1\" \"\" \"\" \"\"\n"
	 "  13 0 0 6 \"\" \"\" \"\" \"\"\n"
	 "  5 0 1 0 \"call_dc341554b86568a2\" \"\" \"\" \"\"\n"
	 "  6 0 1 0 \"{}\" \"\" \"\" \"\"\n"
	 "  13 0 1 6 \"\" \"\" \"\" \"\"\n"
	 "  8 0 0 0 \"tool_calls\" \"tool_use\" \"\" \"\"\n"},
	/* a pair of surrogates in two deltas, and a half that stays alone */
	{{TEXT("0", "\\ud83d"), TEXT("0", "\\ude00\\ud83d"), BLOCK_STOP("0"), STOP("end_turn")},
	 "  2 0 0 0 \"\xf0\x9f\x98\x80\" \"\" \"\" \"\"\n"
	 "  2 0 0 0 \"\xef\xbf\xbd\" \"\" \"\" \"\"\n"
	 "  13 0 0 2 \"\" \"\" \"\" \"\"\n"
	 "  8 0 0 0 \"stop\" \"end_turn\" \"\" \"\"\n"},
	/* one number for two things: the first one ends */
	{{TEXT("0", "a"), TOOL("0", "t"), INPUT("0", "1"), TOOL("0", "u"), STOP("max_tokens")},
	 "  2 0 0 0 \"a\" \"\" \"\" \"\"\n"
	 "  13 0 0 2 \"\" \"\" \"\" \"\"\n"
	 "  5 0 0 0 \"t\" \"f\" \"\" \"\"\n"
	 "  6 0 0 0 \"1\" \"\" \"\" \"\"\n"
	 "  13 0 0 6 \"\" \"\" \"\" \"\"\n"
	 "  5 0 1 0 \"u\" \"f\" \"\" \"\"\n"
	 "  6 0 1 0 \"{}\" \"\" \"\" \"\"\n"
	 "  13 0 1 6 \"\" \"\" \"\" \"\"\n"
	 "  8 0 0 0 \"length\" \"max_tokens\" \"\" \"\"\n"},
	/* what nobody knows, and what says nothing */
	{{{"initial-response", "no JSON"},
	  {"contentBlockStart", "{\"start\":{\"image\":{}}}"},
	  DELTA("0", "{\"citation\":{}}"),
	  BLOCK_STOP("0"),
	  {"metadata", "{\"usage\":{\"inputTokens\":-1,\"outputTokens\":\"x\"}}"},
	  STOP("something_new"),
	  {"metadata", "{}"}},
	 "  8 0 0 0 \"stop\" \"something_new\" \"\" \"\"\n"},
	{{STOP("content_filtered"),
	  {"metadata", "{\"usage\":{\"inputTokens\":9223372036854775807,"
		       "\"cacheReadInputTokens\":1}}"}},
	 "  8 0 0 0 \"content_filter\" \"content_filtered\" \"\" \"\"\n"
	 "  7 0 0 0 \"\" \"\" \"\" \"\" -1 -1 -1 1 -1 -1\n"},
};

START_TEST(events_are_told_in_our_words)
{
	struct collected *c = read_steps(scripts[_i].steps);

	ck_assert_msg(c->ended, "%s", buf_str(&c->message));
	ck_assert_str_eq(buf_str(&c->events), scripts[_i].events);
	done(c);
}
END_TEST

static const struct {
	struct step steps[STEPS_MAX];
	const char *message, *type, *code;
	int status;
} failures[] = {
	{{{"!throttlingException", "{\"message\":\"slow\"}"}},
	 "slow",
	 "throttlingException",
	 "",
	 429},
	{{{"!modelStreamErrorException", "{\"message\":\"m\",\"originalStatusCode\":500}"}},
	 "m",
	 "modelStreamErrorException",
	 "",
	 502},
	{{{"!internalServerException", "{\"message\":\"m\"}"}},
	 "m",
	 "internalServerException",
	 "",
	 500},
	{{{"!serviceUnavailableException", "{\"Message\":\"m\"}"}},
	 "m",
	 "serviceUnavailableException",
	 "",
	 503},
	{{{"!validationException", "words"}}, "words", "validationException", "", 400},
	{{{"!modelTimeoutException", ""}},
	 "modelTimeoutException",
	 "modelTimeoutException",
	 "",
	 504},
	{{{"!resourceNotFoundException", "[]"}}, "[]", "resourceNotFoundException", "", 404},
	{{{"!something\xff", "{\"message\":\"m\"}"}}, "m", "", "", 502},
	{{{"!", ""}}, "the upstream failed", "", "", 502},
	{{STOP("malformed_tool_use")},
	 "the model's output was malformed",
	 "upstream_error",
	 "malformed_tool_use",
	 502},
	{{STOP("malformed_model_output")},
	 "the model's output was malformed",
	 "upstream_error",
	 "malformed_model_output",
	 502},
	{{{"messageStop", "[]"}},
	 "the upstream sent an event that is no JSON object",
	 "upstream_error",
	 SL_CODE_BAD_FRAME,
	 502},
	{{TEXT("0", "a")},
	 "the upstream closed before the answer was complete",
	 "upstream_error",
	 SL_CODE_INCOMPLETE,
	 502},
};

START_TEST(failures_are_told_with_a_status)
{
	struct collected *c = read_steps(failures[_i].steps);

	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->message), failures[_i].message);
	ck_assert_str_eq(buf_str(&c->type), failures[_i].type);
	ck_assert_str_eq(buf_str(&c->code), failures[_i].code);
	ck_assert_int_eq(c->status, failures[_i].status);
	done(c);
}
END_TEST

START_TEST(a_refused_key_of_the_proxy_is_not_the_clients_business)
{
	static const struct step steps[STEPS_MAX] = {
		{"!accessDeniedException", "{\"message\":\"AKIASECRET may not\"}"}};
	struct sl_reader_options o = stream_options(SL_DIALECT_BEDROCK_CONVERSE);
	struct collected *c = read_options(steps, o);

	ck_assert_str_eq(buf_str(&c->code), SL_CODE_AUTH);
	ck_assert_int_eq(c->status, 502);
	ck_assert_ptr_null(strstr(buf_str(&c->trace), "AKIA"));
	done(c);
	o.client_key = true;
	c = read_options(steps, o);
	ck_assert_str_eq(buf_str(&c->message), "AKIASECRET may not");
	ck_assert_int_eq(c->status, 403);
	done(c);
}
END_TEST

START_TEST(more_blocks_than_are_read_end_the_answer)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_BEDROCK_CONVERSE);
	struct collected *c = malloc(sizeof(*c));
	struct sl_buf body = {.max = SIZE_MAX}, payload = {.max = SIZE_MAX};

	ck_assert_ptr_nonnull(c);
	for (int i = 0; i < 100; i++) {
		payload.len = 0;
		sl_buf_printf(&payload, "{\"contentBlockIndex\":%d,\"delta\":{\"text\":\"a\"}}", i);
		eventstream_put_named(&body, "event", "contentBlockDelta", sl_buf_slice(&payload));
	}
	collected_init(c);
	collect(c, &o, sl_buf_slice(&body), NULL, NULL);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_BAD_FRAME);
	ck_assert_uint_eq(c->text[0].len, 32);
	done(c);
	sl_buf_fini(&body);
	sl_buf_fini(&payload);
}
END_TEST

/* The first byte of a message is 0; content types are not to be relied upon. */
START_TEST(an_event_stream_is_one_whatever_it_is_called)
{
	static const char *const types[] = {"application/vnd.amazon.eventstream", "",
					    "application/json", "application/octet-stream"};
	static const struct step steps[STEPS_MAX] = {TEXT("0", "a"), STOP("end_turn")};
	struct sl_reader_options o = stream_options(SL_DIALECT_BEDROCK_CONVERSE);
	struct collected *c;

	o.content_type = sl_slice_str(types[_i]);
	c = read_options(steps, o);
	ck_assert(c->ended);
	ck_assert_str_eq(buf_str(&c->text[0]), "a");
	done(c);
}
END_TEST

static const struct {
	int status;
	const char *body, *message;
	int64_t answered;
} refusals[] = {
	{400, "{\"message\":\"The model is unknown\"}", "The model is unknown", 400},
	{403, "{\"Message\":\"not you\"}", "not you", 403},
	{404, "{\"message\":\"m\"}", "m", 404},
	{424, "{\"message\":\"m\",\"originalStatusCode\":500}", "m", 502},
	{429, "{\"message\":\"slow\"}", "slow", 429},
	{503, "", "the upstream answered with HTTP status 503", 503},
	{200, "{\"message\":\"m\"}", "m", 502},
};

START_TEST(a_refusal_before_the_stream_is_told_with_its_status)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_BEDROCK_CONVERSE);
	struct collected *c = malloc(sizeof(*c));

	ck_assert_ptr_nonnull(c);
	o.status = refusals[_i].status;
	o.content_type = SL_LIT("application/json");
	o.client_key = true;
	collected_init(c);
	collect(c, &o, sl_slice_str(refusals[_i].body), NULL, NULL);
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->message), refusals[_i].message);
	ck_assert_int_eq(c->status, refusals[_i].answered);
	done(c);
}
END_TEST

/* ---- Invoke */

static struct collected *read_invoke(struct sl_buf *body)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_BEDROCK_INVOKE);
	struct collected *c = malloc(sizeof(*c));

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	collect(c, &o, sl_buf_slice(body), NULL, NULL);
	sl_buf_fini(body);
	return c;
}

#define FINISHED "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}"
#define STOPPED                                                             \
	"{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{" \
	"\"inputTokenCount\":3,\"outputTokenCount\":5,\"cacheReadInputTokenCount\":2}}"

START_TEST(counts_of_bedrock_serve_where_the_model_told_none)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	eventstream_put_chunk(&body, SL_LIT(FINISHED "}"));
	eventstream_put_chunk(&body, SL_LIT(STOPPED));
	c = read_invoke(&body);
	ck_assert(c->ended);
	ck_assert_int_eq(c->usage.prompt, 5);
	ck_assert_int_eq(c->usage.completion, 5);
	ck_assert_int_eq(c->usage.cached, 2);
	ck_assert_ptr_null(strstr(buf_str(&c->frames), "amazon"));
	ck_assert_ptr_null(strstr(buf_str(&c->frames), "message_stop"));
	done(c);
}
END_TEST

START_TEST(counts_of_the_model_are_better_than_bedrocks)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	eventstream_put_chunk(
		&body, SL_LIT(FINISHED ",\"usage\":{\"input_tokens\":7,\"output_tokens\":9}}"));
	eventstream_put_chunk(&body, SL_LIT(STOPPED));
	c = read_invoke(&body);
	ck_assert(c->ended);
	ck_assert_int_eq(c->usage.prompt, 7);
	ck_assert_int_eq(c->usage.completion, 9);
	done(c);
}
END_TEST

START_TEST(counts_in_the_middle_are_taken_out_of_the_frame)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	eventstream_put_chunk(&body, SL_LIT("{\"type\":\"message_start\"}"));
	eventstream_put_chunk(
		&body, SL_LIT("{\"a\\u0062\":1,\"amazon-bedrock-invocationMetrics\":{},"
			      "\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
			      "\"usage\":{\"output_tokens\":9}}"));
	c = read_invoke(&body);
	ck_assert(c->ended);
	ck_assert_str_eq(buf_str(&c->frames),
			 "{\"type\":\"message_start\"}\n"
			 "{\"a\\u0062\":1,\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
			 "\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n");
	done(c);
}
END_TEST

START_TEST(what_stands_in_the_start_of_a_block_is_told_behind_it)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	eventstream_put_chunk(&body,
			      SL_LIT("{\"type\":\"content_block_start\",\"index\":0,"
				     "\"content_block\":{\"type\":\"text\",\"text\":\"a\"}}"));
	eventstream_put_chunk(&body, SL_LIT("{\"type\":\"content_block_delta\",\"index\":0,"
					    "\"delta\":{\"type\":\"text_delta\",\"text\":\"b\"}}"));
	eventstream_put_chunk(&body, SL_LIT("{\"type\":\"message_delta\",\"delta\":{"
					    "\"stop_reason\":\"end_turn\"}}"));
	c = read_invoke(&body);
	ck_assert(c->ended);
	ck_assert_str_eq(buf_str(&c->text[0]), "ab");
	ck_assert_ptr_nonnull(
		strstr(buf_str(&c->frames), "{\"type\":\"text_delta\",\"text\":\"a\"}}\n"));
	done(c);
}
END_TEST

START_TEST(a_chunk_without_an_event_ends_the_answer)
{
	static const char *const payloads[] = {
		"", "[]", "{}", "{\"bytes\":1}", "{\"bytes\":\"eA==\"}", "{\"bytes\":\"W10=\"}"};
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	eventstream_put_named(&body, "event", "initial-response", SL_LIT(""));
	eventstream_put_named(&body, "event", "chunk", sl_slice_str(payloads[_i]));
	c = read_invoke(&body);
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_BAD_FRAME);
	done(c);
}
END_TEST

START_TEST(an_error_of_the_model_is_one_in_its_wrapping)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	eventstream_put_chunk(&body,
			      SL_LIT("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
				     "\"message\":\"m\"}}"));
	c = read_invoke(&body);
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->message), "m");
	ck_assert_int_eq(c->status, 503);
	done(c);
}
END_TEST

/* ---- Requests. Prompts are built by hand. */

static struct json token(const char *text)
{
	struct json json;

	ck_assert_int_eq(json_parse(sl_slice_str(text), &json), 0);
	return json;
}

/* The result; what was written, or the fault's words, are in `out`. */
static int encode(enum sl_dialect dialect, struct prompt *p, struct sl_buf *out)
{
	struct prompt_target target = {.model = SL_LIT("m"), .stream = true};
	struct request_fault fault = {0};
	struct json_writer w;
	struct json json;
	int r;

	out->max = SIZE_MAX;
	json_writer_init(&w, out);
	r = dialect_of(dialect)->encode(p, &target, &w, &fault);
	if (r < 0) {
		out->len = 0;
		sl_buf_put_str(out, fault.message);
		return r;
	}
	ck_assert_int_eq(w.failure, 0);
	ck_assert_int_eq(json_parse(sl_buf_slice(out), &json), 0);
	return r;
}

/* `messages` as they must be written, and the members behind them. */
static void check_encoded(struct prompt *p, const char *expected)
{
	struct sl_buf out = {0};

	ck_assert_int_eq(encode(SL_DIALECT_BEDROCK_CONVERSE, p, &out), 0);
	ck_assert_str_eq(buf_str(&out), expected);
	sl_buf_fini(&out);
	prompt_fini(p);
}

static struct prompt_part text_part(const char *text)
{
	return (struct prompt_part){.kind = PROMPT_TEXT, .text = token(text)};
}

START_TEST(neighbours_of_one_role_are_one_message_and_blank_texts_are_none)
{
	struct prompt_part parts[] = {
		text_part("\"be\\n\""), text_part("\" \\n\""), text_part("\"a\""),
		text_part("\"\""),      text_part("\"b\""),    text_part("\"c\""),
		text_part("\"brief\""), text_part("\"d\""),
	};
	struct prompt_message messages[] = {
		{PROMPT_SYSTEM, parts, 2},        {PROMPT_USER, parts + 2, 1},
		{PROMPT_ASSISTANT, parts + 3, 1}, {PROMPT_USER, parts + 4, 1},
		{PROMPT_ASSISTANT, parts + 5, 1}, {PROMPT_SYSTEM, parts + 6, 1},
		{PROMPT_ASSISTANT, parts + 7, 1},
	};
	struct prompt p = {.messages = messages, .n_messages = 7};

	check_encoded(&p,
		      "{\"messages\":["
		      "{\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
		      "{\"role\":\"assistant\",\"content\":[{\"text\":\"c\"},{\"text\":\"d\"}]}],"
		      "\"system\":[{\"text\":\"be\\n\"},{\"text\":\"brief\"}]}");
}
END_TEST

static struct prompt one_message(struct prompt_message *m, enum prompt_role role,
				 struct prompt_part *parts, size_t n)
{
	*m = (struct prompt_message){role, parts, n};
	return (struct prompt){.messages = m, .n_messages = 1};
}

START_TEST(calls_and_results_have_their_blocks)
{
	struct prompt_part content[] = {
		text_part("\"19\""),
		{.kind = PROMPT_IMAGE, .media = SL_LIT("image/png"), .data = SL_LIT("eA==")},
	};
	struct prompt_part call[] = {
		{.kind = PROMPT_TOOL_CALL,
		 .id = token("\"t1\""),
		 .name = token("\"f\""),
		 .arguments = token("\"{\\\"a\\\":1}\"")},
		{.kind = PROMPT_TOOL_CALL, .id = token("\"t2\""), .name = token("\"g\"")},
	};
	struct prompt_part result[] = {
		{.kind = PROMPT_TOOL_RESULT,
		 .id = token("\"t1\""),
		 .content = content,
		 .n_content = 2},
		{.kind = PROMPT_TOOL_RESULT, .id = token("\"t2\""), .is_error = true},
		text_part("\"and?\""),
	};
	struct prompt_message messages[] = {{PROMPT_ASSISTANT, call, 2},
					    {PROMPT_USER, result, 1},
					    {PROMPT_USER, result + 1, 2}};
	struct prompt p = {.messages = messages, .n_messages = 3};

	check_encoded(&p, "{\"messages\":[{\"role\":\"assistant\",\"content\":["
			  "{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}},"
			  "{\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"g\",\"input\":{}}}]},"
			  "{\"role\":\"user\",\"content\":["
			  "{\"toolResult\":{\"toolUseId\":\"t1\",\"content\":[{\"text\":\"19\"},"
			  "{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":\"eA==\"}}}]}},"
			  "{\"toolResult\":{\"toolUseId\":\"t2\",\"content\":[{\"text\":\"\"}],"
			  "\"status\":\"error\"}},"
			  "{\"text\":\"and?\"}]}]}");
}
END_TEST

START_TEST(reasoning_goes_back_with_its_signature_or_not_at_all)
{
	struct prompt_part parts[] = {
		{.kind = PROMPT_REASONING, .text = token("\"r\""), .signature = token("\"s\"")},
		{.kind = PROMPT_REASONING, .signature = token("\"s\"")},
		{.kind = PROMPT_REASONING, .signature = token("\"eA==\""), .redacted = true},
		{.kind = PROMPT_REASONING, .text = token("\"r\"")},
		{.kind = PROMPT_REASONING, .text = token("\"r\""), .signature = token("\"\"")},
		{.kind = PROMPT_REFUSAL, .text = token("\"no\"")},
	};
	struct prompt_message m;
	struct prompt p = one_message(&m, PROMPT_ASSISTANT, parts, COUNT(parts));

	check_encoded(
		&p,
		"{\"messages\":[{\"role\":\"assistant\",\"content\":["
		"{\"reasoningContent\":{\"reasoningText\":{\"text\":\"r\",\"signature\":\"s\"}}},"
		"{\"reasoningContent\":{\"reasoningText\":{\"text\":\"\",\"signature\":\"s\"}}},"
		"{\"reasoningContent\":{\"redactedContent\":\"eA==\"}},"
		"{\"text\":\"no\"}]}]}");
}
END_TEST

START_TEST(documents_get_names_that_are_allowed)
{
	struct prompt_part parts[] = {
		{.kind = PROMPT_FILE,
		 .media = SL_LIT("application/pdf"),
		 .data = SL_LIT("eA=="),
		 .name = token("\"a b.pdf\"")},
		{.kind = PROMPT_FILE,
		 .media = SL_LIT("text/plain"),
		 .data = SL_LIT("eA=="),
		 .name = token("\"\\u00e4\"")},
		{.kind = PROMPT_FILE, .media = SL_LIT("text/markdown"), .data = SL_LIT("eA==")},
	};
	struct prompt_message m;
	struct prompt p = one_message(&m, PROMPT_USER, parts, COUNT(parts));

	check_encoded(&p, "{\"messages\":[{\"role\":\"user\",\"content\":["
			  "{\"document\":{\"format\":\"pdf\",\"name\":\"a-b-pdf 1\","
			  "\"source\":{\"bytes\":\"eA==\"}}},"
			  "{\"document\":{\"format\":\"txt\",\"name\":\"document 2\","
			  "\"source\":{\"bytes\":\"eA==\"}}},"
			  "{\"document\":{\"format\":\"md\",\"name\":\"document 3\","
			  "\"source\":{\"bytes\":\"eA==\"}}}]}]}");
}
END_TEST

/* Options alone, as a member of struct prompt each. */
static const struct {
	enum prompt_option option;
	const char *value, *expected, *dropped;
} options[] = {
	{PROMPT_MAX_TOKENS, "5", ",\"inferenceConfig\":{\"maxTokens\":5}", ""},
	{PROMPT_TOP_P, "0.5", ",\"inferenceConfig\":{\"topP\":0.5}", ""},
	{PROMPT_TEMPERATURE, "0.70", ",\"inferenceConfig\":{\"temperature\":0.70}", ""},
	{PROMPT_TEMPERATURE, "1.5", ",\"inferenceConfig\":{\"temperature\":1}", ""},
	{PROMPT_STOP, "\"a\"", ",\"inferenceConfig\":{\"stopSequences\":[\"a\"]}", ""},
	{PROMPT_STOP, "[\"a\",\"\",\"\\n\"]",
	 ",\"inferenceConfig\":{\"stopSequences\":[\"a\",\"\\n\"]}", ""},
	{PROMPT_TOP_K, "40", ",\"additionalModelRequestFields\":{\"top_k\":40}", ""},
	{PROMPT_BUDGET, "2000",
	 ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"enabled\","
	 "\"budget_tokens\":2000}}",
	 ""},
	{PROMPT_EFFORT, "\"low\"",
	 ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"enabled\","
	 "\"budget_tokens\":1024}}",
	 ""},
	{PROMPT_BUDGET, "0", "", ""},
	{PROMPT_EFFORT, "\"none\"", "", ""},
	{PROMPT_SEED, "1", "", "seed"},
	{PROMPT_PARALLEL, "false", "", "parallel_tool_calls"},
};

static struct prompt hello(struct prompt_message *m, struct prompt_part *part)
{
	*part = text_part("\"hi\"");
	return one_message(m, PROMPT_USER, part, 1);
}

#define HELLO "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]"

START_TEST(options_stand_where_the_api_wants_them)
{
	struct prompt_message m;
	struct prompt_part part;
	struct prompt p = hello(&m, &part);
	struct sl_buf out = {0}, expected = {.max = SIZE_MAX};

	p.option[options[_i].option] = token(options[_i].value);
	ck_assert_int_eq(encode(SL_DIALECT_BEDROCK_CONVERSE, &p, &out), 0);
	sl_buf_printf(&expected, "%s%s}", HELLO, options[_i].expected);
	ck_assert_str_eq(buf_str(&out), buf_str(&expected));
	ck_assert(sl_slice_is(sl_buf_slice(&p.dropped), options[_i].dropped));
	sl_buf_fini(&out);
	sl_buf_fini(&expected);
	prompt_fini(&p);
}
END_TEST

static const struct {
	enum prompt_choice choice;
	bool calls; /* in the messages before */
	const char *expected, *dropped;
} choices[] = {
	{PROMPT_CHOICE_NONE_GIVEN, false, "]}", "strict"},
	{PROMPT_AUTO, false, "],\"toolChoice\":{\"auto\":{}}}", "strict"},
	{PROMPT_REQUIRED, false, "],\"toolChoice\":{\"any\":{}}}", "strict"},
	{PROMPT_NAMED, false, "],\"toolChoice\":{\"tool\":{\"name\":\"f\"}}}", "strict"},
	{PROMPT_NO_TOOLS, false, NULL, ""},
	{PROMPT_NO_TOOLS, true, "]}", "tool_choice, strict"},
};

START_TEST(tools_and_the_choice_among_them)
{
	struct prompt_tool tools[] = {
		{.name = token("\"f\""),
		 .description = token("\"d\""),
		 .schema = token("{\"type\":\"object\"}"),
		 .strict = token("true")},
		{.name = token("\"g\""), .description = token("\"\"")},
	};
	struct prompt_message m;
	struct prompt_part parts[] = {
		text_part("\"hi\""),
		{.kind = PROMPT_TOOL_RESULT, .id = token("\"t\"")},
	};
	struct prompt p = one_message(&m, PROMPT_USER, parts, choices[_i].calls ? 2 : 1);
	struct sl_buf out = {0}, expected = {.max = SIZE_MAX};

	p.tools = tools;
	p.n_tools = 2;
	p.choice = choices[_i].choice;
	p.choice_name = tools[0].name;
	if (choices[_i].expected)
		sl_buf_printf(
			&expected,
			",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\","
			"\"description\":\"d\",\"inputSchema\":{\"json\":{\"type\":\"object\"}}}},"
			"{\"toolSpec\":{\"name\":\"g\",\"inputSchema\":{\"json\":"
			"{\"type\":\"object\",\"properties\":{}}}}}%s",
			choices[_i].expected);
	sl_buf_printf(&expected, "}");
	ck_assert_int_eq(encode(SL_DIALECT_BEDROCK_CONVERSE, &p, &out), 0);
	ck_assert_str_eq(strstr(buf_str(&out), "]}]") + 3, buf_str(&expected));
	ck_assert(sl_slice_is(sl_buf_slice(&p.dropped), choices[_i].dropped));
	sl_buf_fini(&out);
	sl_buf_fini(&expected);
	prompt_fini(&p);
}
END_TEST

START_TEST(what_cannot_stand_beside_thinking_is_left_out)
{
	struct prompt_message m;
	struct prompt_part part;
	struct prompt p = hello(&m, &part);

	p.option[PROMPT_BUDGET] = token("2000");
	p.option[PROMPT_MAX_TOKENS] = token("1000");
	p.option[PROMPT_TEMPERATURE] = token("0.5");
	p.option[PROMPT_TOP_K] = token("5");
	check_encoded(&p, HELLO ",\"inferenceConfig\":{\"maxTokens\":3000},"
				"\"additionalModelRequestFields\":{\"thinking\":{\"type\":"
				"\"enabled\",\"budget_tokens\":2000}}}");
}
END_TEST

START_TEST(results_come_before_all_else_of_a_turn)
{
	struct prompt_part parts[] = {
		text_part("\"a\""),
		{.kind = PROMPT_TOOL_RESULT, .id = token("\"t\"")},
	};
	struct prompt_message messages[] = {{PROMPT_USER, parts, 1}, {PROMPT_USER, parts + 1, 1}};
	struct prompt p = {.messages = messages, .n_messages = 2};

	check_encoded(&p, "{\"messages\":[{\"role\":\"user\",\"content\":["
			  "{\"toolResult\":{\"toolUseId\":\"t\",\"content\":[{\"text\":\"\"}]}},"
			  "{\"text\":\"a\"}]}]}");
}
END_TEST

START_TEST(invoke_has_anthropics_body_with_a_version_and_without_model_and_stream)
{
	struct prompt_message m;
	struct prompt_part part;
	struct prompt p = hello(&m, &part);
	struct sl_buf out = {0};

	p.option[PROMPT_MAX_TOKENS] = token("5");
	ck_assert_int_eq(encode(SL_DIALECT_BEDROCK_INVOKE, &p, &out), 0);
	ck_assert_str_eq(buf_str(&out), "{\"anthropic_version\":\"bedrock-2023-05-31\","
					"\"max_tokens\":5,\"messages\":[{\"role\":\"user\","
					"\"content\":\"hi\"}]}");
	sl_buf_fini(&out);
	prompt_fini(&p);
}
END_TEST

START_TEST(invoke_takes_no_urls)
{
	struct prompt_part image = {.kind = PROMPT_IMAGE,
				    .url = token("\"https://example.com/a\"")};
	struct prompt_part result = {.kind = PROMPT_TOOL_RESULT,
				     .id = token("\"t\""),
				     .content = &image,
				     .n_content = 1};
	struct prompt_message m;
	struct prompt p = one_message(&m, PROMPT_USER, _i ? &result : &image, 1);
	struct sl_buf out = {0};

	ck_assert_int_eq(encode(SL_DIALECT_BEDROCK_INVOKE, &p, &out), -SL_E_TYPE);
	ck_assert_str_eq(buf_str(&out), "`messages[0].content`: Bedrock takes data only, no URL");
	sl_buf_fini(&out);
	prompt_fini(&p);
}
END_TEST

START_TEST(a_format_of_the_answer_is_left_out)
{
	struct prompt_message m;
	struct prompt_part part;
	struct prompt p = hello(&m, &part);

	p.format = PROMPT_JSON_OBJECT;
	check_encoded(&p, HELLO "}");
}
END_TEST

START_TEST(what_the_api_cannot_take_is_refused_with_its_place)
{
	struct prompt_part parts[][2] = {
		{text_part("\"a\""),
		 {.kind = PROMPT_IMAGE, .url = token("\"https://example.com/a.png\"")}},
		{text_part("\"a\""),
		 {.kind = PROMPT_IMAGE, .media = SL_LIT("image/tiff"), .data = SL_LIT("eA==")}},
		{text_part("\"a\""),
		 {.kind = PROMPT_FILE, .url = token("\"https://example.com/a.pdf\"")}},
		{text_part("\"a\""),
		 {.kind = PROMPT_FILE, .media = SL_LIT("x/y"), .data = SL_LIT("eA==")}},
		{text_part("\"a\""), {.kind = PROMPT_AUDIO}},
		{text_part("\"a\""),
		 {.kind = PROMPT_TOOL_RESULT, .id = token("\"t\""), .n_content = 1}},
	};
	static const char *const words[] = {
		"`messages[0].content[1]`: Bedrock takes images as data only, not by URL",
		"`messages[0].content[1]`: Bedrock takes images as PNG, JPEG, GIF or WebP",
		"`messages[0].content[1]`: Bedrock takes documents as data only, not by URL",
		"`messages[0].content[1]`: Bedrock takes no documents of this type",
		"`messages[0].content[1]`: Bedrock takes no audio",
		"`messages[0].content[1]`: Bedrock takes images as data only, not by URL",
	};
	struct prompt_message m;
	struct prompt p = one_message(&m, PROMPT_USER, parts[_i], 2);
	struct sl_buf out = {0};

	parts[5][1].content = &parts[0][1];
	ck_assert_int_eq(encode(SL_DIALECT_BEDROCK_CONVERSE, &p, &out), -SL_E_TYPE);
	ck_assert_str_eq(buf_str(&out), words[_i]);
	sl_buf_fini(&out);
	prompt_fini(&p);
}
END_TEST

START_TEST(options_that_change_the_answer_are_refused)
{
	struct prompt_message m;
	struct prompt_part part;
	struct prompt p = hello(&m, &part);
	struct sl_buf out = {0};

	p.option[PROMPT_N] = token("2");
	ck_assert_int_eq(encode(SL_DIALECT_BEDROCK_CONVERSE, &p, &out), -SL_E_TYPE);
	sl_buf_fini(&out);
	prompt_fini(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bedrock");
	TCase *answers = tcase_create("answers"), *requests = tcase_create("requests");

	tcase_add_loop_test(answers, events_are_told_in_our_words, 0, COUNT(scripts));
	tcase_add_loop_test(answers, failures_are_told_with_a_status, 0, COUNT(failures));
	tcase_add_test(answers, a_refused_key_of_the_proxy_is_not_the_clients_business);
	tcase_add_test(answers, more_blocks_than_are_read_end_the_answer);
	tcase_add_loop_test(answers, an_event_stream_is_one_whatever_it_is_called, 0, 4);
	tcase_add_loop_test(answers, a_refusal_before_the_stream_is_told_with_its_status, 0,
			    COUNT(refusals));
	tcase_add_test(answers, counts_of_bedrock_serve_where_the_model_told_none);
	tcase_add_test(answers, counts_of_the_model_are_better_than_bedrocks);
	tcase_add_test(answers, what_stands_in_the_start_of_a_block_is_told_behind_it);
	tcase_add_test(answers, counts_in_the_middle_are_taken_out_of_the_frame);
	tcase_add_loop_test(answers, a_chunk_without_an_event_ends_the_answer, 0, 6);
	tcase_add_test(answers, an_error_of_the_model_is_one_in_its_wrapping);
	suite_add_tcase(suite, answers);
	tcase_add_test(requests, neighbours_of_one_role_are_one_message_and_blank_texts_are_none);
	tcase_add_test(requests, calls_and_results_have_their_blocks);
	tcase_add_test(requests, reasoning_goes_back_with_its_signature_or_not_at_all);
	tcase_add_test(requests, documents_get_names_that_are_allowed);
	tcase_add_loop_test(requests, options_stand_where_the_api_wants_them, 0, COUNT(options));
	tcase_add_loop_test(requests, tools_and_the_choice_among_them, 0, COUNT(choices));
	tcase_add_test(requests, what_cannot_stand_beside_thinking_is_left_out);
	tcase_add_test(requests, results_come_before_all_else_of_a_turn);
	tcase_add_test(requests,
		       invoke_has_anthropics_body_with_a_version_and_without_model_and_stream);
	tcase_add_loop_test(requests, invoke_takes_no_urls, 0, 2);
	tcase_add_test(requests, a_format_of_the_answer_is_left_out);
	tcase_add_loop_test(requests, what_the_api_cannot_take_is_refused_with_its_place, 0, 6);
	tcase_add_test(requests, options_that_change_the_answer_are_refused);
	suite_add_tcase(suite, requests);
	return unit_main(suite);
}
