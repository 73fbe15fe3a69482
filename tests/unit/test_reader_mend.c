/* What is mended in frames, what is left alone, and what events come of it. */
#include <sluice/reader.h>

#include <stdlib.h>
#include <string.h>
#include "collected.h"
#include "unit.h"

/* A stream of these frames, without its end. */
static struct collected *read_frames(const char *const *frames, size_t n)
{
	struct collected *c = malloc(sizeof(*c));
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);
	struct sl_buf body = {.max = SIZE_MAX};

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(sl_buf_printf(&body, "data: %s\n\n", frames[i]), 0);
	collect(c, &o, sl_buf_slice(&body), NULL, NULL);
	sl_buf_fini(&body);
	return c;
}

static void done(struct collected *c)
{
	collected_fini(c);
	free(c);
}

#define READ(...)                                       \
	read_frames((const char *const[]){__VA_ARGS__}, \
		    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* Each: what came, and what goes on. */
static const char *const mended[][2] = {
	/* nothing to mend: spacing, unknown members, odd numbers, equal keys, escapes */
	{"{ \"id\" : \"a\\u0062\",\"x\":1e400,\"x\":2,\"choices\":[ {\"index\":0 ,\"delta\":{}} ] "
	 "}",
	 "{ \"id\" : \"a\\u0062\",\"x\":1e400,\"x\":2,\"choices\":[ {\"index\":0 ,\"delta\":{}} ] "
	 "}"},
	{"{\"choices\":[],\"obfuscation\":\"aa\"}", "{\"choices\":[],\"obfuscation\":\"aa\"}"},
	{"{\"foo\":1}", "{\"foo\":1}"},
	{"{}", "{}"},
	{"  {\"choices\":[]}  ", "{\"choices\":[]}"},
	/* error: null */
	{"{\"error\":null,\"choices\":[]}", "{\"choices\":[]}"},
	{"{\"choices\":[],\"error\":null}", "{\"choices\":[]}"},
	{"{\"a\":1,\"error\":null,\"choices\":[]}", "{\"a\":1,\"choices\":[]}"},
	{"{\"error\":null,\"error\":null,\"choices\":[]}", "{\"choices\":[]}"},
	{"{\"a\":1 , \"error\" : null , \"error\":null,\"choices\":[]}",
	 "{\"a\":1,\"choices\":[]}"},
	{"{\"choices\":[],\"error\":false}", "{\"choices\":[],\"error\":false}"},
	{"{\"error\":null}", "{}"},
	/* choices */
	{"{\"id\":\"a\",\"choices\":null}", "{\"id\":\"a\",\"choices\":[]}"},
	{"{\"usage\":{}}", "{\"usage\":{},\"choices\":[]}"},
	{"{\"error\":null,\"object\":\"chat.completion.chunk\",\"error\":null}",
	 "{\"object\":\"chat.completion.chunk\",\"choices\":[]}"},
	/* created */
	{"{\"created\":\"1700000000\",\"choices\":[]}", "{\"created\":1700000000,\"choices\":[]}"},
	{"{\"created\":\"2026-01-01\",\"choices\":[]}", "{\"choices\":[]}"},
	{"{\"created\":1.5,\"choices\":[]}", "{\"created\":1.5,\"choices\":[]}"},
	{"{\"created\":\"x\",\"id\":\"a\"}", "{\"id\":\"a\",\"choices\":[]}"},
	/* index of a choice */
	{"{\"choices\":[{\"delta\":{}}]}", "{\"choices\":[{\"index\":0,\"delta\":{}}]}"},
	{"{\"choices\":[{\"index\":null,\"delta\":{}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{}}]}"},
	{"{\"choices\":[{\"index\":0},{\"index\":\"1\"},{  }]}",
	 "{\"choices\":[{\"index\":0},{\"index\":1},{\"index\":2  }]}"},
	/* role */
	{"{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"\",\"content\":\"\"}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"role\":null}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}"},
	/* content in parts */
	{"{\"choices\":[{\"index\":0,\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"a\\n\"},"
	 "{\"type\":\"reference\",\"ids\":[1]},{\"type\":\"text\",\"text\":\"b\"}]}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\nb\"}}]}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":"
	 "[{\"type\":\"text\",\"text\":\"hm\"},\"m\"]},{\"type\":\"text\",\"text\":\"b\"}]}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\",\"reasoning_content\":\"hmm\"}}]"
	 "}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":"
	 "\"hm\"}],\"reasoning_content\":null}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\",\"reasoning_content\":\"hm\"}}]}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"content\":[]}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}"},
	/* logprobs */
	{"{\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":{\"content\":[{\"token\":\"a\"},{},"
	 "{\"top_logprobs\":null,\"b\":1},{\"top_logprobs\":[]}]}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":{\"content\":[{\"token\":\"a\","
	 "\"top_logprobs\":[]},{\"top_logprobs\":[]},{\"top_logprobs\":[],\"b\":1},"
	 "{\"top_logprobs\":[]}]}}]}"},
	{"{\"choices\":[{\"index\":0,\"logprobs\":{\"tokens\":[\"a\"],\"top_logprobs\":null}}]}",
	 "{\"choices\":[{\"index\":0,\"logprobs\":{\"tokens\":[\"a\"],\"top_logprobs\":null}}]}"},
	/* tool calls; several members are wanting */
	{"{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":3,\"id\":\"a\",\"type\":"
	 "\"function\",\"function\":{\"name\":\"f\"}}]}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":"
	 "\"function\",\"function\":{\"name\":\"f\"}}]}}]}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"id\":\"a\",\"function\":"
	 "{\"name\":\"f\"}}]}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"type\":\"function\","
	 "\"id\":\"a\",\"function\":{\"name\":\"f\"}}]}}]}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":"
	 "\"\","
	 "\"function\":{\"name\":\"f\",\"arguments\":{\"b\": [1]}}}]}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":"
	 "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"b\\\": [1]}\"}}]}}]}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":"
	 "\"\"}}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":"
	 "\"\"}}}]}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":"
	 "{\"a\":1}}}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":"
	 "\"{\\\"a\\\":1}\"}}}]}"},
	/* counts and reasoning where clients look for them */
	{"{\"choices\":[{\"index\":0,\"usage\":{\"prompt_tokens\":1}}],\"usage\":null}",
	 "{\"choices\":[{\"index\":0,\"usage\":{\"prompt_tokens\":1}}],\"usage\":"
	 "{\"prompt_tokens\":1}}"},
	{"{\"choices\":[{\"index\":0,\"usage\":{\"prompt_tokens\":1}}]}",
	 "{\"choices\":[{\"index\":0,\"usage\":{\"prompt_tokens\":1}}],\"usage\":"
	 "{\"prompt_tokens\":1}}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":null,\"reasoning_details\":[{"
	 "\"text\":"
	 "\"a\"},{\"summary\":\"b\"},{\"data\":\"c\"}]}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"ab\",\"reasoning\":null,"
	 "\"reasoning_details\":[{\"text\":\"a\"},{\"summary\":\"b\"},{\"data\":\"c\"}]}}]}"},
	{"{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":null,\"reasoning_details\":"
	 "[{\"text\":\"a\"}]}}]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"a\",\"reasoning_details\":"
	 "[{\"text\":\"a\"}]}}]}"},
	/* more than one thing at a time */
	{"{\"error\":null,\"created\":\"x\",\"choices\":[{\"delta\":{\"role\":\"\",\"content\":[]}}"
	 "]}",
	 "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}"},
	/* bytes that are no UTF-8 */
	{"{\"a\":\"\xff\",\"choices\":[]}", "{\"a\":\"\xef\xbf\xbd\",\"choices\":[]}"},
};

START_TEST(a_frame_is_mended_where_it_breaks_an_sdk_and_nowhere_else)
{
	struct collected *c = READ(mended[_i][0]), *again;

	ck_assert_str_eq(strtok((char *)buf_str(&c->frames), "\n"), mended[_i][1]);
	again = READ(mended[_i][1]);
	ck_assert_str_eq(strtok((char *)buf_str(&again->frames), "\n"), mended[_i][1]);
	ck_assert_str_eq(buf_str(&again->events), buf_str(&c->events));
	done(c);
	done(again);
}
END_TEST

START_TEST(data_of_several_lines_becomes_one_line)
{
	struct collected *c = READ("{\ndata:   \"choices\": [\ndata: ]\ndata:}");

	ck_assert_str_eq(buf_str(&c->frames), "{   \"choices\": [ ] }\n");
	done(c);
}
END_TEST

START_TEST(an_empty_role_is_taken_out_once_one_was_given)
{
	struct collected *c =
		READ("{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}",
		     "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"\",\"content\":\"a\"}}]}",
		     "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\",\"role\":null}}]}",
		     "{\"choices\":[{\"index\":1,\"delta\":{\"role\":\"\"}}]}");

	ck_assert_str_eq(buf_str(&c->frames),
			 "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n"
			 "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n"
			 "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n"
			 "{\"choices\":[{\"index\":1,\"delta\":{\"role\":\"assistant\"}}]}\n");
	done(c);
}
END_TEST

#define CALLS(calls) \
	"{\"id\":\"r\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[" calls "]}}]}"

/* Each: fragments of tool calls, and the calls that they are. */
static const struct {
	const char *frames[4];
	const char *calls; /* id=name(arguments) each; an id that was made up is ? */
} tools[] = {
	{{CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}"),
	  CALLS("{\"index\":0,\"function\":{\"name\":null,\"arguments\":\"{\"}}"),
	  CALLS("{\"index\":0,\"id\":\"\",\"function\":{\"arguments\":\"}\"}}")},
	 "a=f({}) "},
	/* no index: by id, else by name, else the last one */
	{{CALLS("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}"),
	  CALLS("{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}"),
	  CALLS("{\"id\":\"a\",\"function\":{\"arguments\":\"3\"}}"),
	  CALLS("{\"function\":{\"arguments\":\"4\"}}")},
	 "a=f(134) b=g(2) "},
	{{CALLS("{\"function\":{\"name\":\"f\",\"arguments\":\"1\"}},"
		"{\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}")},
	 "?=f(1) ?=g(2) "},
	/* every call numbered 0, told apart by id */
	{{CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}"),
	  CALLS("{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"f\",\"arguments\":\"2\"}}"),
	  CALLS("{\"index\":0,\"function\":{\"arguments\":\"3\"}}")},
	 "a=f(1) b=f(23) "},
	/* the id in every fragment; another id in every fragment, without a name */
	{{CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}"),
	  CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"2\"}}"),
	  CALLS("{\"index\":0,\"id\":\"x\",\"function\":{\"arguments\":\"3\"}}")},
	 "a=f(123) "},
	/* numbers in any order; two calls with one id */
	{{CALLS("{\"index\":7,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}"),
	  CALLS("{\"index\":2,\"id\":\"a\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}"),
	  CALLS("{\"index\":7,\"function\":{\"arguments\":\"3\"}},"
		"{\"index\":2,\"function\":{\"arguments\":\"4\"}}")},
	 "a=f(13) a=g(24) "},
	/* the name comes later, or never */
	{{CALLS("{\"index\":0,\"id\":\"a\",\"type\":\"function\"}"),
	  CALLS("{\"index\":0,\"function\":{\"name\":\"f\"}}"),
	  CALLS("{\"index\":0,\"function\":{\"arguments\":\"1\"}}")},
	 "a=f(1) "},
	{{CALLS("{\"index\":0}"), CALLS("{\"index\":0,\"function\":{\"arguments\":\"1\"}}")},
	 "?=(1) "},
	{{CALLS("{\"index\":0,\"id\":\"a\"}"),
	  "{\"choices\":[{\"index\":0,\"finish_reason\":\"tool_calls\"}]}"},
	 "a=() "},
	/* arguments as values; a surrogate pair in two fragments */
	{{CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":{\"b\":1}}"
		"}")},
	 "a=f({\"b\":1}) "},
	{{CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\\ud83d\"}"
		"}"),
	  CALLS("{\"index\":0,\"function\":{\"arguments\":\"\\ude80\"}}")},
	 "a=f(\xf0\x9f\x9a\x80) "},
	/* a custom tool; the function call of old */
	{{CALLS("{\"index\":0,\"id\":\"a\",\"type\":\"custom\",\"custom\":{\"name\":\"f\","
		"\"input\":\"x\"}}")},
	 "a=f(x) "},
	{{"{\"choices\":[{\"index\":0,\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":"
	  "\"\"}}}]}",
	  "{\"choices\":[{\"index\":0,\"delta\":{\"function_call\":{\"arguments\":\"1\"}}}]}"},
	 "?=f(1) "},
};

START_TEST(tool_calls_are_told_apart_and_numbered_from_0)
{
	struct sl_buf calls = {.max = SIZE_MAX};
	struct collected *c;
	size_t n = 0;

	while (n < 4 && tools[_i].frames[n])
		n++;
	c = read_frames(tools[_i].frames, n);
	for (size_t i = 0; i < c->n_calls; i++) {
		const char *id = buf_str(&c->call[i].id);

		sl_buf_printf(&calls, "%s=%s(", strncmp(id, "call_", 5) == 0 ? "?" : id,
			      buf_str(&c->call[i].name));
		sl_buf_printf(&calls, "%s) ", buf_str(&c->call[i].arguments));
	}
	ck_assert_str_eq(buf_str(&calls), tools[_i].calls);
	sl_buf_fini(&calls);
	done(c);
}
END_TEST

START_TEST(an_id_that_was_made_up_stands_in_the_frame_and_differs_by_call_and_response)
{
	struct collected *c =
		READ(CALLS("{\"index\":0,\"function\":{\"name\":\"f\"}}"),
		     CALLS("{\"index\":1,\"id\":null,\"function\":{\"name\":\"g\"}}"));
	struct collected *other = READ("{\"id\":\"s\",\"choices\":[{\"index\":0,\"delta\":"
				       "{\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}}]}");

	ck_assert_uint_eq(c->n_calls, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(c->call[i].id.len, 21);
		ck_assert_ptr_nonnull(strstr(buf_str(&c->frames), buf_str(&c->call[i].id)));
	}
	ck_assert_str_ne(buf_str(&c->call[0].id), buf_str(&c->call[1].id));
	ck_assert_str_ne(buf_str(&c->call[0].id), buf_str(&other->call[0].id));
	ck_assert_ptr_null(strstr(buf_str(&c->frames), "null"));
	done(c);
	done(other);
}
END_TEST

START_TEST(more_tool_calls_or_choices_than_the_bound_are_a_bad_frame)
{
	struct sl_buf frame = {.max = SIZE_MAX};
	struct collected *c;

	sl_buf_put_str(&frame, "{\"choices\":[");
	for (int i = 0; i < 129; i++) {
		if (_i == 0)
			sl_buf_printf(&frame, "%s{\"index\":%d,\"delta\":{}}", i ? "," : "", i);
		else
			sl_buf_printf(&frame,
				      "%s{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":%d,"
				      "\"id\":\"%d\",\"type\":\"function\"}]}}",
				      i ? "," : "", i, i);
	}
	sl_buf_put_str(&frame, "]}");
	c = READ(buf_str(&frame));
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_BAD_FRAME);
	sl_buf_fini(&frame);
	done(c);
}
END_TEST

/* Each: deltas of choice 0, the text and the reasoning in them. */
static const struct {
	const char *deltas[3];
	const char *text, *reasoning;
} texts[] = {
	{{"{\"content\":\"a\"}", "{\"content\":null}", "{\"content\":\"b\"}"}, "ab", ""},
	{{"{\"content\":\"a\\ud83d\"}", "{\"content\":\"\"}", "{\"content\":\"\\ude80b\"}"},
	 "a\xf0\x9f\x9a\x80"
	 "b",
	 ""},
	{{"{\"content\":\"\\ud83d\",\"reasoning\":\"x\"}", "{\"reasoning\":\"\\ude80\"}",
	  "{\"content\":\"b\"}"},
	 "\xef\xbf\xbd"
	 "b",
	 "x\xef\xbf\xbd"},
	{{"{\"content\":\"\\ude80\"}", "{\"content\":\"\\ud83d\"}"},
	 "\xef\xbf\xbd\xef\xbf\xbd",
	 ""},
	{{"{\"reasoning_content\":\"a\",\"reasoning\":\"a\"}",
	  "{\"reasoning_content\":\"\",\"reasoning\":\"b\"}",
	  "{\"reasoning_content\":\"c\",\"reasoning\":null}"},
	 "",
	 "abc"},
	{{"{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"text\":\"\\ud83d\"}]}]}",
	  "{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"text\":\"\\ude80\"}]}]}",
	  "{\"content\":[\"a\",{\"type\":\"text\",\"text\":\"\\\"b\"}]}"},
	 "a\"b",
	 "\xf0\x9f\x9a\x80"},
};

START_TEST(texts_are_joined_over_escapes_and_pieces)
{
	struct sl_buf frames[4] = {{0}};
	const char *list[4];
	struct collected *c;
	size_t n = 0;

	for (; n < 3 && texts[_i].deltas[n]; n++) {
		frames[n].max = SIZE_MAX;
		sl_buf_printf(&frames[n], "{\"choices\":[{\"index\":0,\"delta\":%s}]}",
			      texts[_i].deltas[n]);
		list[n] = buf_str(&frames[n]);
	}
	list[n++] = "{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}";
	c = read_frames(list, n);
	ck_assert_str_eq(buf_str(&c->text[0]), texts[_i].text);
	ck_assert_str_eq(buf_str(&c->reasoning), texts[_i].reasoning);
	done(c);
	for (size_t i = 0; i < 4; i++)
		sl_buf_fini(&frames[i]);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

int main(void)
{
	Suite *suite = suite_create("reader_mend");
	TCase *tc = tcase_create("mend");

	tcase_add_loop_test(tc, a_frame_is_mended_where_it_breaks_an_sdk_and_nowhere_else, 0,
			    COUNT(mended));
	tcase_add_test(tc, data_of_several_lines_becomes_one_line);
	tcase_add_test(tc, an_empty_role_is_taken_out_once_one_was_given);
	tcase_add_loop_test(tc, tool_calls_are_told_apart_and_numbered_from_0, 0, COUNT(tools));
	tcase_add_test(tc,
		       an_id_that_was_made_up_stands_in_the_frame_and_differs_by_call_and_response);
	tcase_add_loop_test(tc, more_tool_calls_or_choices_than_the_bound_are_a_bad_frame, 0, 2);
	tcase_add_loop_test(tc, texts_are_joined_over_escapes_and_pieces, 0, COUNT(texts));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
