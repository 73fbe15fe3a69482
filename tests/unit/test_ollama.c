/* Ollama: answers beside those of the vectors, its lines, and requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/framing.h"
#include "provider.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* ---- Answers */

#define SAY(text)                                                                 \
	"{\"model\":\"m\",\"created_at\":\"t\",\"message\":{\"role\":\"assistant" \
	"\",\"content\":\"" text "\"},\"done\":false}\n"
#define DONE(more) "{\"model\":\"m\",\"done\":true" more "}\n"

static const struct provider_answer answers[] = {
	{SAY("a") SAY("b") DONE(",\"done_reason\":\"stop\",\"eval_count\":2"),
	 EVENT_META("", "m") EVENT_TEXT("a") EVENT_TEXT("b") EVENT_USAGE("0 2 2 -1 -1 -1")
		 EVENT_FINISH("stop", "stop"),
	 NULL},
	/* all in one line, nothing behind it, which CR and spaces are */
	{"\n\r\n "
	 "{\"model\":\"m\",\"message\":{\"thinking\":\"t\",\"content\":\"c\",\"tool_calls\":["
	 "{\"function\":{\"name\":\"f\",\"arguments\":{\"a\": 1}}},"
	 "{\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}},"
	 "{\"id\":\"i\",\"function\":{\"name\":\"h\"}},{\"id\":\"j\"}]},"
	 "\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":1} \r",
	 EVENT_META("", "m") EVENT_REASONING("t") EVENT_TEXT("c")
		 EVENT_CALL("0", "call_9478f541d7d16ef2", "f", "{\\\"a\\\": 1}") EVENT_CALL(
			 "1", "call_0df63009d5b182fd", "g", "{}") EVENT_CALL("2", "i", "h", "{}")
			 EVENT_USAGE("1 0 1 -1 -1 -1") EVENT_FINISH("tool_calls", "stop"),
	 NULL},
	/* what /api/generate says */
	{"{\"model\":\"m\",\"thinking\":\"t\",\"response\":\"a\",\"done\":false}\n"
	 "{\"model\":\"m\",\"response\":\"\",\"done\":true,\"done_reason\":\"length\",\"context\":["
	 "1]}\n",
	 EVENT_META("", "m") EVENT_REASONING("t") EVENT_TEXT("a") EVENT_FINISH("length", "length"),
	 NULL},
	/* a model that was loaded; what stands behind the end is nothing */
	{DONE(",\"done_reason\":\"load\"") SAY("late"),
	 EVENT_META("", "m") EVENT_FINISH("stop", "load"), NULL},
	{DONE(",\"prompt_eval_count\":-1,\"eval_count\":1e3"),
	 EVENT_META("", "m") EVENT_FINISH("stop", ""), NULL},
	/* cut off: between lines, and within one */
	{SAY("a"), EVENT_META("", "m") EVENT_TEXT("a"),
	 "the upstream closed before the answer was complete|upstream_error|upstream_incomplete|"
	 "502"},
	{SAY("a") "{\"model\":\"m\",\"done\":tr", EVENT_META("", "m") EVENT_TEXT("a"),
	 "the upstream closed before the answer was complete|upstream_error|upstream_incomplete|"
	 "502"},
	{SAY("a") "{\"error\":\"out of memory\"}", EVENT_META("", "m") EVENT_TEXT("a"),
	 "out of memory|||502"},
	{"{\"error\":\"model 'm' not found\"}\n", "", "model 'm' not found|||502"},
	{SAY("a") "what?\n", EVENT_META("", "m") EVENT_TEXT("a"),
	 "the upstream sent a frame that is no JSON object|upstream_error|upstream_bad_frame|502"},
	/* what could be the start of a byte order mark, and is none */
	{"\n\xef\n\tdx\n", "",
	 "the upstream sent a frame that is no JSON object|upstream_error|upstream_bad_frame|502"},
	{"[]", "",
	 "the upstream sent a frame that is no JSON object|upstream_error|upstream_bad_frame|502"},
};

START_TEST(lines_are_told_as_events)
{
	provider_check_answer(SL_DIALECT_OLLAMA, "application/x-ndjson", &answers[_i]);
	provider_check_answer(SL_DIALECT_OLLAMA, "application/json", &answers[_i]);
}
END_TEST

/* ---- Lines. Each case: what is fed, piece by piece, and the lines that it holds, "|" between. */

static const struct {
	const char *pieces[4];
	size_t max;
	const char *lines; /* "!" at the end: then a line too long */
} framed[] = {
	{{"1\n2\r\n3"}, 9, "1|2|3|"},
	{{"1\n2\n"}, 9, "1|2|"},
	{{"", "1", "2\n", "3\n4"}, 9, "12|3|4|"},
	{{"1\r", "\n\r\n \t\n", "\n2"}, 9, "1|2|"},
	{{"\xef\xbb", "\xbf 1\n", "\n\xef\n", "2\n"}, 9, "1|2|"},
	{{"123\n1234\n1\n"}, 3, "123|!"},
	{{"123\n12", "34"}, 3, "123|!"},
	{{"12345"}, 3, "!"},
	{{"123"}, 3, "123|"},
	{{"\n"}, 3, ""},
	{{""}, 3, ""},
};

/* What the framing gives until it needs more; NULL: it has failed. */
static struct sl_buf *take_lines(void *state, int (*next)(void *state, struct message *m),
				 struct sl_buf *out)
{
	struct message m;
	int r;

	while ((r = next(state, &m)) == 1) {
		sl_buf_put_slice(out, m.data);
		sl_buf_putc(out, '|');
	}
	if (r == 0)
		return out;
	ck_assert_int_eq(r, -SL_E_LIMIT);
	ck_assert_int_eq(next(state, &m), -SL_E_LIMIT);
	sl_buf_putc(out, '!');
	return NULL;
}

START_TEST(a_line_is_a_message_however_it_is_cut)
{
	const struct framing *f = &framing_ndjson;
	struct sl_buf lines = {.max = SIZE_MAX};
	void *state = malloc(f->size);
	bool going = true;

	ck_assert_ptr_nonnull(state);
	f->init(state, framed[_i].max);
	for (int i = 0; i < 4 && framed[_i].pieces[i] && going; i++) {
		f->feed(state, framed[_i].pieces[i], strlen(framed[_i].pieces[i]));
		going = take_lines(state, f->next, &lines) != NULL;
	}
	if (going)
		take_lines(state, f->finish, &lines);
	ck_assert_str_eq(buf_str(&lines), framed[_i].lines);
	f->fini(state);
	free(state);
	sl_buf_fini(&lines);
}
END_TEST

/* ---- Requests */

#define CHAT(messages, more) \
	SL_DIALECT_OPENAI_CHAT, "{\"model\":\"x\",\"messages\":[" messages "]" more "}"
#define HI               "{\"role\":\"user\",\"content\":\"hi\"}"
#define BODY(all)        "{\"model\":\"m\",\"messages\":[" all ",\"stream\":true}"
#define TOOL(name, more) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"" more "}}"

static const struct provider_request requests[] = {
	/* the options have a place of their own */
	{CHAT(HI, ",\"max_tokens\":7,\"temperature\":0,\"top_p\":0.5,\"top_k\":4,\"min_p\":0.1,"
		  "\"seed\":1,\"stop\":\"X\",\"presence_penalty\":1,\"frequency_penalty\":2,"
		  "\"user\":\"u\""),
	 BODY(HI "],\"options\":{\"num_predict\":7,\"temperature\":0,\"top_p\":0.5,\"top_k\":4,"
		 "\"min_p\":0.1,\"seed\":1,\"stop\":[\"X\"],\"presence_penalty\":1,"
		 "\"frequency_penalty\":2}"),
	 "user"},
	/* texts are one, images stand beside them */
	{CHAT("{\"role\":\"system\",\"content\":\"s\"},"
	      "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\\n\"},"
	      "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,QUJD\"}},"
	      "{\"type\":\"text\",\"text\":\"b\"}]}",
	      ""),
	 BODY("{\"role\":\"system\",\"content\":\"s\"},"
	      "{\"role\":\"user\",\"content\":\"a\\n\\nb\",\"images\":[\"QUJD\"]}]"),
	 NULL},
	/* calls, their results, and what the user says beside them */
	{SL_DIALECT_ANTHROPIC,
	 "{\"model\":\"x\",\"max_tokens\":1,\"messages\":["
	 "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
	 "\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"tool_use\",\"id\":"
	 "\"i\",\"name\":\"f\",\"input\":{\"n\":1}}]},"
	 "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"i\","
	 "\"is_error\":true,\"content\":[{\"type\":\"text\",\"text\":\"r\"},{\"type\":\"image\","
	 "\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"QUJD\"}}]},"
	 "{\"type\":\"text\",\"text\":\"go on\"}]}]}",
	 BODY("{\"role\":\"assistant\",\"content\":\"a\",\"thinking\":\"t\",\"tool_calls\":["
	      "{\"function\":{\"name\":\"f\",\"arguments\":{\"n\":1}}}]},"
	      "{\"role\":\"tool\",\"tool_name\":\"f\",\"content\":"
	      "\"Error: r\",\"images\":[\"QUJD\"]},"
	      "{\"role\":\"user\",\"content\":\"go on\"}],\"options\":{\"num_predict\":1}"),
	 NULL},
	/* tools, which can be forbidden but not demanded */
	{CHAT(HI,
	      ",\"tools\":[" TOOL(
		      "f",
		      ",\"description\":\"d\",\"strict\":true,"
		      "\"parameters\":{\"type\":\"object\"}") "," TOOL("g", "") "],\"tool_choice\":"
										"\"required\""),
	 BODY(HI "],\"tools\":[" TOOL("f", ",\"description\":\"d\",\"parameters\":{\"type\":"
					   "\"object\"}") "," TOOL("g", ",\"parameters\":{\"type\":"
									"\"object\",\"properties\":"
									"{}}") "]"),
	 "strict, tool_choice"},
	{CHAT(HI, ",\"tools\":[" TOOL("f", "") "],\"tool_choice\":\"none\""), BODY(HI "]"), NULL},
	/* the form of the answer */
	{CHAT(HI, ",\"response_format\":{\"type\":\"json_object\"}"),
	 BODY(HI "],\"format\":\"json\""), NULL},
	{CHAT(HI, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
		  "\"schema\":{\"type\":\"object\"}}}"),
	 BODY(HI "],\"format\":{\"type\":\"object\"}"), NULL},
	/* thinking */
	{CHAT(HI, ",\"reasoning_effort\":\"none\""), BODY(HI "],\"think\":false"), NULL},
	{CHAT(HI, ",\"reasoning_effort\":\"low\""), BODY(HI "],\"think\":true"), NULL},
	{CHAT(HI, ",\"reasoning_effort\":\"odd\""), BODY(HI "]"), "reasoning_effort"},
	/* what cannot be asked */
	{CHAT("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
	      "\"https://x/y.png\"}}]}",
	      ""),
	 " `messages[0].content`: Ollama takes images as data only, not by URL", NULL},
	{CHAT("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{"
	      "\"data\":\"QQ==\",\"format\":\"wav\"}}]}",
	      ""),
	 " `messages[0].content`: Ollama takes no audio", NULL},
	{CHAT(HI ",{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_data\":"
		 "\"data:application/pdf;base64,QQ==\"}}]}",
	      ""),
	 " `messages[1].content`: Ollama takes no documents", NULL},
	{CHAT(HI, ",\"n\":2"), " `n`: the upstream's API has nothing of the kind", NULL},
};

START_TEST(requests_are_written_in_its_words)
{
	provider_check_request(SL_DIALECT_OLLAMA, &requests[_i]);
}
END_TEST

static const char *const levels[][2] = {
	{"none", "low"}, {"minimal", "low"}, {"low", "low"}, {"medium", "medium"}, {"high", "high"},
};

START_TEST(a_model_that_always_thinks_is_told_how_much)
{
	char body[200], expected[200];
	const struct provider_request request = {SL_DIALECT_OPENAI_CHAT, body, expected, NULL};

	snprintf(body, sizeof(body),
		 "{\"model\":\"x\",\"messages\":[" HI "],\"reasoning_effort\":\"%s\"}",
		 levels[_i][0]);
	snprintf(expected, sizeof(expected),
		 "{\"model\":\"gpt-oss:20b\",\"messages\":[" HI "],\"think\":\"%s\","
		 "\"stream\":true}",
		 levels[_i][1]);
	provider_check_request_for(SL_DIALECT_OLLAMA, "gpt-oss:20b", &request);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ollama");
	TCase *tc = tcase_create("ollama");

	tcase_add_loop_test(tc, lines_are_told_as_events, 0, COUNT(answers));
	tcase_add_loop_test(tc, a_line_is_a_message_however_it_is_cut, 0, COUNT(framed));
	tcase_add_loop_test(tc, requests_are_written_in_its_words, 0, COUNT(requests));
	tcase_add_loop_test(tc, a_model_that_always_thinks_is_told_how_much, 0, COUNT(levels));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
