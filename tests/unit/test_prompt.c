/*
 * Requests from one API to another: every case of tests/vectors that has the body of a client's
 * request, and what an upstream of another API is to be sent for it. A new case is a few lines of
 * tests/vectors/requests.json, where the first lines tell what it can hold.
 */
#include "codec/prompt.h"

#include <string.h>
#include <sluice/error.h>
#include "codec/dialect.h"
#include "codec/json_writer.h"
#include "codec/relatives.h"
#include "unit.h"
#include "vectors.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct json_limits limits = {.depth = 64, .values = 100000};

static const struct {
	const char *name;
	int at_least; /* so many cases for openai_chat */
	bool strict;  /* what was dropped is told by each case */
} files[] = {{"request_mapping.json", 5, false}, {"requests.json", 150, true}};

static const struct {
	const char *name;
	enum sl_dialect dialect;
} dialects[] = {
	{"openai_chat", SL_DIALECT_OPENAI_CHAT},
	{"openai_completions", SL_DIALECT_OPENAI_COMPLETIONS},
	{"openai_responses", SL_DIALECT_RESPONSES},
	{"anthropic", SL_DIALECT_ANTHROPIC},
	{"gemini", SL_DIALECT_GEMINI},
	{"ollama", SL_DIALECT_OLLAMA},
	{"cohere", SL_DIALECT_COHERE},
	{"bedrock_converse", SL_DIALECT_BEDROCK_CONVERSE},
};

static const cJSON *get(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

static const char *str(const cJSON *value)
{
	return cJSON_IsString(value) ? value->valuestring : "";
}

static enum sl_dialect dialect_at(const cJSON *test_case, const char *key)
{
	for (size_t i = 0; i < COUNT(dialects); i++) {
		if (strcmp(str(get(test_case, key)), dialects[i].name) == 0)
			return dialects[i].dialect;
	}
	ck_abort_msg("%s: no dialect in `%s`", str(get(test_case, "name")), key);
}

/* ---- The comparison that the README of the vectors describes */

static bool is_same(const cJSON *want, const cJSON *got);

static bool is_same_json(const char *want, const char *got)
{
	cJSON *a = cJSON_Parse(want), *b = cJSON_Parse(got);
	bool same = a && b && cJSON_Compare(a, b, true);

	cJSON_Delete(a);
	cJSON_Delete(b);
	return same;
}

static bool is_same_array(const cJSON *want, const cJSON *got)
{
	const cJSON *a = want->child, *b = got->child;

	for (; a && b; a = a->next, b = b->next) {
		if (!is_same(a, b))
			return false;
	}
	return !a && !b;
}

static bool is_same_object(const cJSON *want, const cJSON *got)
{
	const cJSON *member;

	if (cJSON_GetArraySize(want) != cJSON_GetArraySize(got))
		return false;
	cJSON_ArrayForEach(member, want)
	{
		const cJSON *other = get(got, member->string);

		if (!other)
			return false;
		if (strcmp(member->string, "arguments") == 0 && cJSON_IsString(member) &&
		    cJSON_IsString(other) && is_same_json(str(member), str(other)))
			continue;
		if (!is_same(member, other))
			return false;
	}
	return true;
}

static bool is_same(const cJSON *want, const cJSON *got)
{
	if (strcmp(str(want), "<any>") == 0)
		return true;
	if (want->type != got->type)
		return false;
	if (cJSON_IsArray(want))
		return is_same_array(want, got);
	return cJSON_IsObject(want) ? is_same_object(want, got) : cJSON_Compare(want, got, true);
}

/* An accepted alternative for this key. */
static bool is_one_of(const cJSON *test_case, const char *key, const cJSON *got)
{
	const cJSON *alternative;

	cJSON_ArrayForEach(alternative, get(test_case, "one_of"))
	{
		const cJSON *want = get(alternative, key);

		if (want && is_same(want, got))
			return true;
	}
	return false;
}

/* ---- One case */

struct outcome {
	int result;
	struct request_fault fault;
	struct sl_buf body, dropped; /* terminated */
};

static void translate(struct sl_slice input, enum sl_dialect from, enum sl_dialect to,
		      const char *url, struct outcome *o)
{
	struct prompt_target target = {.model = SL_LIT("m"),
				       .stream = true,
				       .relative = url ? relative_of_url(url) : NULL};
	struct tool_names names = {0};
	struct request_info info;
	struct json_writer w;
	struct prompt p;

	*o = (struct outcome){.body.max = SIZE_MAX, .dropped.max = SIZE_MAX};
	ck_assert_msg(request_parse(input, from, limits, &info, &o->fault) == 0, "%s",
		      o->fault.message);
	if (info.model.n)
		target.model = info.model;
	o->result = prompt_read(info.body, from, &p, &o->fault);
	json_writer_init(&w, &o->body);
	if (o->result == 0)
		o->result = dialect_encode(to, &p, &target, &names, &w, &o->fault);
	ck_assert_int_eq(w.failure, 0);
	sl_buf_put_slice(&o->dropped, sl_buf_slice(&p.dropped));
	sl_buf_putc(&o->dropped, '\0');
	sl_buf_putc(&o->body, '\0');
	o->body.len--;
	prompt_fini(&p);
	tool_names_fini(&names);
	request_info_fini(&info);
}

static void check_fault(const cJSON *test_case, const struct outcome *o)
{
	const cJSON *fault = get(test_case, "fault");
	const char *name = str(get(test_case, "name")), *code = str(get(fault, "code"));

	ck_assert_msg(o->result == -SL_E_TYPE, "%s: not refused: %s", name, o->body.p);
	ck_assert_msg(o->fault.param && strcmp(o->fault.param, str(get(fault, "param"))) == 0,
		      "%s: refused for %s: %s", name, o->fault.param ? o->fault.param : "nothing",
		      o->fault.message);
	ck_assert_msg(strcmp(o->fault.code, code[0] ? code : "unsupported_value") == 0, "%s: %s",
		      name, o->fault.code);
	ck_assert_ptr_nonnull(strstr(o->fault.message, o->fault.param));
}

static void check_body(const cJSON *test_case, const struct outcome *o)
{
	const char *name = str(get(test_case, "name"));
	cJSON *got = cJSON_Parse(o->body.p);
	struct json_fault fault;
	const cJSON *item;

	ck_assert_msg(o->result == 0, "%s: %s", name, o->fault.message);
	ck_assert_msg(json_check(sl_buf_slice(&o->body), limits, &fault) == 0, "%s: %s: %s", name,
		      fault.what, o->body.p);
	cJSON_ArrayForEach(item, get(test_case, "expect"))
	{
		const cJSON *member = get(got, item->string);

		ck_assert_msg(member && (is_same(item, member) ||
					 is_one_of(test_case, item->string, member)),
			      "%s: `%s` in %s", name, item->string, o->body.p);
	}
	cJSON_ArrayForEach(item, get(test_case, "absent"))
		ck_assert_msg(!get(got, str(item)), "%s: `%s` in %s", name, str(item), o->body.p);
	cJSON_ArrayForEach(item, get(test_case, "contains")) ck_assert_msg(
		strstr(o->body.p, str(item)), "%s: no %s in %s", name, str(item), o->body.p);
	cJSON_Delete(got);
}

static void run_case(const cJSON *test_case, bool strict)
{
	const cJSON *server = get(test_case, "server"), *text = get(test_case, "input_text");
	char *printed = text ? NULL : cJSON_PrintUnformatted(get(test_case, "input"));
	struct outcome o;

	translate(sl_slice_str(text ? str(text) : printed), dialect_at(test_case, "from"),
		  dialect_at(test_case, "to"), server ? str(server) : NULL, &o);
	if (get(test_case, "fault"))
		check_fault(test_case, &o);
	else
		check_body(test_case, &o);
	if (strict && o.result == 0)
		ck_assert_msg(strcmp(o.dropped.p, str(get(test_case, "dropped"))) == 0,
			      "%s: dropped: %s", str(get(test_case, "name")), o.dropped.p);
	sl_buf_fini(&o.body);
	sl_buf_fini(&o.dropped);
	cJSON_free(printed);
}

static cJSON *documents[COUNT(files)]; /* loaded once: tests are forked */

/* The cases of all files in a row. */
static const cJSON *case_at(int i, bool *strict)
{
	size_t f = 0;

	for (; i >= vectors_count(documents[f]); f++)
		i -= vectors_count(documents[f]);
	*strict = files[f].strict;
	return vectors_case(documents[f], i);
}

START_TEST(a_request_says_the_same_in_the_words_of_another_api)
{
	bool strict;
	const cJSON *test_case = case_at(_i, &strict);

	if (dialect_of(dialect_at(test_case, "to"))->encode)
		run_case(test_case, strict);
}
END_TEST

START_TEST(there_are_cases_for_chat_completions)
{
	const cJSON *test_case;
	int n = 0;

	cJSON_ArrayForEach(test_case, vectors_cases(documents[_i])) n +=
		dialect_at(test_case, "to") == SL_DIALECT_OPENAI_CHAT;
	ck_assert_int_ge(n, files[_i].at_least);
	ck_assert(dialect_of(SL_DIALECT_OPENAI_CHAT)->encode != NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prompt");
	TCase *tc = tcase_create("requests");
	int n = 0, failed;

	for (size_t i = 0; i < COUNT(files); i++) {
		documents[i] = vectors_load(files[i].name);
		n += vectors_count(documents[i]);
	}
	tcase_add_loop_test(tc, a_request_says_the_same_in_the_words_of_another_api, 0, n);
	tcase_add_loop_test(tc, there_are_cases_for_chat_completions, 0, (int)COUNT(files));
	suite_add_tcase(suite, tc);
	failed = unit_main(suite);
	for (size_t i = 0; i < COUNT(files); i++)
		cJSON_Delete(documents[i]);
	return failed;
}
