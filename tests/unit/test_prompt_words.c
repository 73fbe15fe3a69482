/* What readers and encoders of requests share: options, stop sequences, arguments, what is dropped. */
#include "codec/prompt_read.h"

#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/json_writer.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

static struct json token(const char *text)
{
	struct json v = {0};

	if (text)
		ck_assert_int_eq(json_parse(sl_slice_str(text), &v), 0);
	return v;
}

static void check_text(struct sl_buf *got, const char *want)
{
	ck_assert_int_eq(sl_buf_putc(got, '\0'), 0);
	ck_assert_str_eq(got->p, want);
	sl_buf_fini(got);
}

/* ---- Arguments */

static const struct {
	const char *arguments, *object, *text; /* NULL: there are none */
} arguments[] = {
	{NULL, "{}", "\"{}\""},
	{"\"\"", "{}", "\"{}\""},
	{"\" \\n\"", "{}", "\" \\n\""},
	{"{\"a\": 1.0}", "{\"a\": 1.0}", "\"{\\\"a\\\": 1.0}\""},
	{"\"{\\\"a\\\":1.0}\"", "{\"a\":1.0}", "\"{\\\"a\\\":1.0}\""},
	{"\" {\\\"a\\\":\\\"\\u00e9\\\"} \"", "{\"a\":\"\u00e9\"}",
	 "\" {\\\"a\\\":\\\"\\u00e9\\\"} \""},
	{"\"{\\\"a\\\":\"", "{\"arguments\":\"{\\\"a\\\":\"}", "\"{\\\"a\\\":\""},
	{"\"[1]\"", "{\"arguments\":\"[1]\"}", "\"[1]\""},
	{"\"{\\\"a\\\":1,\\\"a\\\":2}\"", "{\"arguments\":\"{\\\"a\\\":1,\\\"a\\\":2}\"}",
	 "\"{\\\"a\\\":1,\\\"a\\\":2}\""},
	{"\"{\\\"a\\\":\\\"\\\\u0000\\\"}\"", "{\"arguments\":\"{\\\"a\\\":\\\"\\\\u0000\\\"}\"}",
	 "\"{\\\"a\\\":\\\"\\\\u0000\\\"}\""},
};

static void check_put(void (*put)(struct json_writer *w, struct json arguments), const char *given,
		      const char *want)
{
	struct sl_buf out = {.max = SIZE_MAX};
	struct json_writer w;

	json_writer_init(&w, &out);
	put(&w, token(given));
	ck_assert_int_eq(w.failure, 0);
	check_text(&out, want);
}

START_TEST(arguments_are_an_object_or_its_text)
{
	check_put(prompt_put_arguments_object, arguments[_i].arguments, arguments[_i].object);
	check_put(prompt_put_arguments_text, arguments[_i].arguments, arguments[_i].text);
}
END_TEST

/* ---- Stop sequences */

static const struct {
	const char *stop, *all;
} stops[] = {
	{NULL, ""},
	{"\"\"", "\"\"|"},
	{"\"a\"", "\"a\"|"},
	{"[]", ""},
	{"[\"a\"]", "\"a\"|"},
	{"[ \"a\" , \"b\",\"a\"]", "\"a\"|\"b\"|\"a\"|"},
	{"[\"\",\"\"]", "\"\"|\"\"|"},
	{"[\",\",\"]\",\"\\\"\"]", "\",\"|\"]\"|\"\\\"\"|"},
};

START_TEST(stop_sequences_come_one_by_one)
{
	const struct prompt p = {.option[PROMPT_STOP] = token(stops[_i].stop)};
	struct sl_buf all = {.max = SIZE_MAX};
	const char *at = NULL;
	struct json stop;

	while (prompt_stop_next(&p, &at, &stop) == 1) {
		ck_assert_int_eq(stop.type, JSON_STRING);
		sl_buf_put_slice(&all, stop.raw);
		sl_buf_putc(&all, '|');
	}
	check_text(&all, stops[_i].all);
}
END_TEST

/* ---- data: URLs */

static const struct {
	const char *string, *media, *data; /* NULL: it is none */
} data_urls[] = {
	{"\"data:image/png;base64,QQ==\"", "image/png", "QQ=="},
	{"\"data:image\\/png;base64,Q\\/==\"", "image\\/png", "Q\\/=="},
	{"\"data:text/plain;charset=utf-8;base64,QQ==\"", "text/plain", "QQ=="},
	{"\"data:a/b;base64,\"", "a/b", ""},
	{"\"data:;base64,QQ==\"", NULL, NULL},
	{"\"data:text/plain,hello\"", NULL, NULL},
	{"\"data:base64,QQ==\"", NULL, NULL},
	{"\"data:\"", NULL, NULL},
	{"\"\"", NULL, NULL},
	{"\"https://x.test/data:image/png;base64,QQ==\"", NULL, NULL},
	{"7", NULL, NULL},
};

START_TEST(a_data_url_comes_apart)
{
	struct sl_slice media, data;
	int r = prompt_split_data_url(token(data_urls[_i].string), &media, &data);

	ck_assert_int_eq(r, data_urls[_i].media != NULL);
	if (r == 0)
		return;
	ck_assert(sl_slice_is(media, data_urls[_i].media));
	ck_assert(sl_slice_is(data, data_urls[_i].data));
}
END_TEST

START_TEST(white_space_is_blank)
{
	ck_assert(prompt_is_blank(token("\"\"")));
	ck_assert(prompt_is_blank(token("\" \\n\\t\\u0020\"")));
	ck_assert(!prompt_is_blank(token("\" x\"")));
	ck_assert(!prompt_is_blank(token("7")));
}
END_TEST

START_TEST(texts_are_joined_as_they_stand)
{
	const struct prompt_part parts[] = {
		{PROMPT_TEXT, .text = token("\"a\\u0062\"")},
		{PROMPT_IMAGE},
		{PROMPT_REFUSAL, .text = token("\"no\"")},
		{PROMPT_TEXT, .text = token("\"\\\"\"")},
	};
	struct sl_buf out = {.max = SIZE_MAX};
	struct json_writer w;

	json_writer_init(&w, &out);
	json_writer_array(&w);
	prompt_put_texts(&w, parts, COUNT(parts), "\\n");
	prompt_put_texts_behind(&w, "x: ", parts, 1, "\\n");
	prompt_put_texts(&w, parts, 0, "\\n");
	json_writer_close(&w);
	check_text(&out, "[\"a\\u0062\\n\\\"\",\"x: a\\u0062\",\"\"]");
}
END_TEST

static const struct {
	const char *budget, *word;
} budgets[] = {{"-1", "none"},     {"0", "none"},      {"1", "low"},     {"2048", "low"},
	       {"2049", "medium"}, {"8192", "medium"}, {"8193", "high"}, {"1.5", "medium"}};

START_TEST(a_budget_is_a_word)
{
	ck_assert(
		sl_slice_is(prompt_effort_of_budget(token(budgets[_i].budget)), budgets[_i].word));
}
END_TEST

/* ---- What is left out */

START_TEST(what_is_dropped_is_listed_once)
{
	static const char *const names[] = {"ab", "b", "ab", "a", "", "x y", "x,y", "\x7f", "b"};
	struct prompt p = {0};

	for (int i = 0; i < COUNT(names); i++)
		ck_assert_int_eq(prompt_drop(&p, names[i]), 0);
	ck_assert(sl_slice_is(sl_buf_slice(&p.dropped), "ab, b, a"));
	prompt_fini(&p);
}
END_TEST

START_TEST(the_list_of_what_is_dropped_has_an_end)
{
	struct prompt p = {0};
	struct prompt_at name;

	for (size_t i = 0; i < 10000; i++) {
		prompt_at(&name, "tools[%zu]", i);
		ck_assert_int_eq(prompt_drop(&p, name.text), 0);
	}
	ck_assert_uint_le(p.dropped.len, 2000);
	prompt_fini(&p);
}
END_TEST

START_TEST(an_option_that_is_not_known_is_refused_or_dropped)
{
	static const struct prompt_word words[] = {{PROMPT_TEMPERATURE, "t"}};
	struct prompt p = {0};
	struct request_fault fault = {0};

	p.option[PROMPT_TEMPERATURE] = p.option[PROMPT_TOP_P] = token("1");
	ck_assert_int_eq(prompt_settle(&p, words, 1, &fault), 0);
	ck_assert_int_eq(p.option[PROMPT_TEMPERATURE].type, JSON_NUMBER);
	ck_assert_int_eq(p.option[PROMPT_TOP_P].type, JSON_NONE);
	ck_assert(sl_slice_is(sl_buf_slice(&p.dropped), "top_p"));
	p.option[PROMPT_N] = token("2");
	ck_assert_int_eq(prompt_settle(&p, words, 1, &fault), -SL_E_TYPE);
	ck_assert_str_eq(fault.param, "n");
	ck_assert_str_eq(fault.code, "unsupported_value");
	prompt_fini(&p);
}
END_TEST

START_TEST(every_option_can_be_settled)
{
	struct request_fault fault = {0};

	for (int i = 0; i < PROMPT_OPTIONS; i++) {
		struct prompt p = {0};
		int r;

		p.option[i] = token("1");
		r = prompt_settle(&p, NULL, 0, &fault);

		ck_assert(r == 0 ? p.dropped.len > 0 : fault.param != NULL);
		prompt_fini(&p);
	}
}
END_TEST

/* ---- Sizes: nothing takes time or memory by the square of what a client sends. */

static struct sl_buf many(const char *before, const char *one, size_t n, const char *behind)
{
	struct sl_buf body = {.max = SIZE_MAX};

	sl_buf_put_str(&body, before);
	for (size_t i = 0; i < n; i++)
		sl_buf_printf(&body, "%s%s", i ? "," : "", one);
	sl_buf_put_str(&body, behind);
	return body;
}

#define PAIR                                                                            \
	"{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":" \
	"\"f\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"r\"}"

static const struct {
	enum sl_dialect dialect;
	const char *before, *one, *behind;
} big[] = {
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":[", PAIR, "]}"},
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"c\"},",
	 "{\"role\":\"user\"}", "]}"},
	{SL_DIALECT_OPENAI_CHAT, "{\"messages\":[],\"stop\":[", "\"\"", "]}"},
	{SL_DIALECT_ANTHROPIC, "{\"messages\":[{\"role\":\"user\",\"content\":[",
	 "{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"b\"},{\"type\":\"tool_result\","
	 "\"tool_use_id\":\"a\",\"cache_control\":{}}",
	 "]}]}"},
	{SL_DIALECT_ANTHROPIC, "{\"messages\":[],\"tools\":[", "{\"type\":\"web_search\"}", "]}"},
};

START_TEST(a_big_request_is_read_in_linear_time)
{
	struct sl_buf body = many(big[_i].before, big[_i].one, 50000, big[_i].behind);
	struct request_fault fault = {0};
	struct json object, stop;
	const char *at = NULL;
	struct prompt p;

	ck_assert_int_eq(json_parse(sl_buf_slice(&body), &object), 0);
	ck_assert_msg(prompt_read(object, big[_i].dialect, &p, &fault) == 0, "%s", fault.message);
	while (prompt_stop_next(&p, &at, &stop) == 1)
		continue;
	prompt_fini(&p);
	sl_buf_fini(&body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prompt_words");
	TCase *tc = tcase_create("words"), *sizes = tcase_create("sizes");

	tcase_add_loop_test(tc, arguments_are_an_object_or_its_text, 0, COUNT(arguments));
	tcase_add_loop_test(tc, stop_sequences_come_one_by_one, 0, COUNT(stops));
	tcase_add_loop_test(tc, a_data_url_comes_apart, 0, COUNT(data_urls));
	tcase_add_test(tc, white_space_is_blank);
	tcase_add_test(tc, texts_are_joined_as_they_stand);
	tcase_add_loop_test(tc, a_budget_is_a_word, 0, COUNT(budgets));
	tcase_add_test(tc, what_is_dropped_is_listed_once);
	tcase_add_test(tc, the_list_of_what_is_dropped_has_an_end);
	tcase_add_test(tc, an_option_that_is_not_known_is_refused_or_dropped);
	tcase_add_test(tc, every_option_can_be_settled);
	suite_add_tcase(suite, tc);
	tcase_set_timeout(sizes, 20);
	tcase_add_loop_test(sizes, a_big_request_is_read_in_linear_time, 0, COUNT(big));
	suite_add_tcase(suite, sizes);
	return unit_main(suite);
}
