/* Every conformance vector whose dialect is read through the reader, in every way of cutting it. */
#include <sluice/reader.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "collected.h"
#include "unit.h"

static const char *const files[] = {
	"dialects/openai_chat.json",
	"dialects/openai_completions.json",
	"dialects/vllm.json",
	"dialects/llamacpp.json",
	"dialects/lmstudio.json",
	"dialects/deepseek.json",
	"dialects/openrouter.json",
	"dialects/mistral.json",
	"dialects/groq.json",
	"dialects/azure.json",
	"dialects/openai_responses.json",
	"dialects/anthropic.json",
	"dialects/gemini.json",
	"dialects/ollama.json",
	"dialects/cohere_v2.json",
	"dialects/bedrock_converse.json",
	"dialects/bedrock_invoke_anthropic.json",
	"quirks.json",
	"more.json",
};
#define N_FILES ((int)(sizeof(files) / sizeof(*files)))

static const cJSON *get(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

static const char *str(const cJSON *value)
{
	return cJSON_IsString(value) ? value->valuestring : "";
}

/* The dialects of the vectors, and how each is read. */
static const struct {
	const char *name;
	enum sl_dialect dialect;
} dialects[] = {
	{"openai_chat", SL_DIALECT_OPENAI_CHAT},
	{"openai_completions", SL_DIALECT_OPENAI_COMPLETIONS},
	{"vllm", SL_DIALECT_OPENAI_CHAT},
	{"llamacpp", SL_DIALECT_OPENAI_CHAT},
	{"lmstudio", SL_DIALECT_OPENAI_CHAT},
	{"deepseek", SL_DIALECT_OPENAI_CHAT},
	{"openrouter", SL_DIALECT_OPENAI_CHAT},
	{"mistral", SL_DIALECT_OPENAI_CHAT},
	{"groq", SL_DIALECT_OPENAI_CHAT},
	{"azure", SL_DIALECT_OPENAI_CHAT},
	{"openai_responses", SL_DIALECT_RESPONSES},
	{"anthropic", SL_DIALECT_ANTHROPIC},
	{"gemini", SL_DIALECT_GEMINI},
	{"ollama", SL_DIALECT_OLLAMA},
	{"cohere_v2", SL_DIALECT_COHERE},
	{"bedrock_converse", SL_DIALECT_BEDROCK_CONVERSE},
	{"bedrock_invoke_anthropic", SL_DIALECT_BEDROCK_INVOKE},
};

static int row_of(const cJSON *test_case)
{
	const char *name = str(get(test_case, "dialect"));

	for (size_t i = 0; i < sizeof(dialects) / sizeof(*dialects); i++) {
		if (strcmp(name, dialects[i].name) == 0)
			return (int)i;
	}
	return -1;
}

/* Inflating is the HTTP client's business. */
static bool is_ours(const cJSON *test_case)
{
	return row_of(test_case) >= 0 && !get(get(test_case, "headers"), "Content-Encoding");
}

static struct sl_reader_options options_of(const cJSON *test_case)
{
	struct sl_reader_options o = {
		.dialect = dialects[row_of(test_case)].dialect,
		.status = get(test_case, "status")->valueint,
		.content_type = sl_slice_str(str(get(get(test_case, "headers"), "Content-Type"))),
		.client_key = true, /* so that a 401 is told in the upstream's words */
		.max_frame_bytes = 16 << 20,
	};

	return o;
}

static void check_text(const char *what, struct sl_buf *got, const cJSON *expected)
{
	struct sl_buf want = {.max = SIZE_MAX};

	if (!expected)
		return;
	if (!cJSON_IsNull(expected))
		ck_assert_int_eq(vectors_text(expected, &want), 0);
	ck_assert_msg(sl_slice_eq(sl_buf_slice(got), sl_buf_slice(&want)), "%s: \"%s\", not \"%s\"",
		      what, buf_str(got), buf_str(&want));
	sl_buf_fini(&want);
}

static void check_arguments(struct sl_buf *got, const char *want)
{
	cJSON *a, *b;

	if (strcmp(buf_str(got), want) == 0)
		return;
	a = cJSON_Parse(buf_str(got));
	b = cJSON_Parse(want);
	ck_assert_msg(a && b && cJSON_Compare(a, b, true), "arguments: %s, not %s", buf_str(got),
		      want);
	cJSON_Delete(a);
	cJSON_Delete(b);
}

static void check_calls(struct collected *c, const cJSON *expected)
{
	ck_assert_int_eq((int)c->n_calls, cJSON_GetArraySize(expected));
	for (size_t i = 0; i < c->n_calls; i++) {
		const cJSON *call = cJSON_GetArrayItem(expected, (int)i);

		if (cJSON_IsString(get(call, "id")))
			ck_assert_str_eq(buf_str(&c->call[i].id), str(get(call, "id")));
		ck_assert_str_eq(buf_str(&c->call[i].name), str(get(call, "name")));
		check_arguments(&c->call[i].arguments, str(get(call, "arguments")));
	}
}

static void check_count(const char *name, const cJSON *expected, int64_t got)
{
	const cJSON *want = get(expected, name);
	int64_t n = cJSON_IsNumber(want) ? (int64_t)want->valuedouble : -1;

	ck_assert_msg(got == n, "%s: %lld, not %lld", name, (long long)got, (long long)n);
}

static void check_usage(const struct sl_usage *u, const cJSON *expected)
{
	check_count("prompt_tokens", expected, u->prompt);
	check_count("completion_tokens", expected, u->completion);
	check_count("total_tokens", expected, u->total);
	check_count("cached_tokens", expected, u->cached);
	check_count("cache_write_tokens", expected, u->cache_write);
	check_count("reasoning_tokens", expected, u->reasoning);
}

static void check_error(struct collected *c, const cJSON *expected)
{
	const cJSON *code = get(expected, "code"), *status = get(expected, "status");
	char digits[32];

	if (strcmp(str(get(expected, "message")), "*") == 0 ||
	    strcmp(str(get(expected, "type")), "parse") == 0) {
		/* Which words and codes these get is ours. */
		ck_assert_uint_gt(c->message.len, 0);
	} else {
		ck_assert_str_eq(buf_str(&c->message), str(get(expected, "message")));
		ck_assert_str_eq(buf_str(&c->type), str(get(expected, "type")));
		snprintf(digits, sizeof(digits), "%d", cJSON_IsNumber(code) ? code->valueint : 0);
		ck_assert_str_eq(buf_str(&c->code), cJSON_IsNumber(code) ? digits : str(code));
	}
	if (cJSON_IsNumber(status))
		ck_assert_int_eq(c->status, status->valueint);
	ck_assert_int_ge(c->status, 400);
}

static void check_end(struct collected *c, const cJSON *expect)
{
	const char *terminated = str(get(expect, "terminated"));
	const cJSON *error = get(expect, "error"), *finish = get(expect, "finish_reason");

	if (strcmp(terminated, "error") == 0) {
		ck_assert(c->failed);
		check_error(c, error);
		return;
	}
	ck_assert_str_eq(buf_str(&c->finish), str(finish));
	ck_assert_str_eq(buf_str(&c->native_finish), str(get(expect, "native_finish_reason")));
	if (strcmp(terminated, "done") == 0 || !cJSON_IsNull(finish)) {
		ck_assert_msg(c->ended, "failed: %s", buf_str(&c->message));
		return;
	}
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_INCOMPLETE);
	ck_assert_int_eq(c->status, 502);
}

static void check(struct collected *c, const cJSON *expect)
{
	const cJSON *other;

	check_text("text", &c->text[0], get(expect, "text"));
	check_text("reasoning", &c->reasoning, get(expect, "reasoning"));
	check_text("refusal", &c->refusal, get(expect, "refusal"));
	check_text("signature", &c->signature, get(expect, "signature"));
	check_calls(c, get(expect, "tool_calls"));
	check_usage(&c->usage, get(expect, "usage"));
	cJSON_ArrayForEach(other, get(expect, "other_choices"))
		check_text("another choice", &c->text[atoi(other->string)], get(other, "text"));
	check_end(c, expect);
}

static struct sl_buf body_of(const cJSON *test_case)
{
	struct sl_buf body = {.max = SIZE_MAX};

	ck_assert_int_eq(vectors_bytes(test_case, "body", &body), 0);
	return body;
}

/* Reads a case in one way; `trace` gets the trace of the first way and holds the others to it. */
static void run_way(const cJSON *test_case, int way, struct sl_buf *trace)
{
	struct sl_reader_options o = options_of(test_case);
	struct sl_buf body = body_of(test_case);
	struct collected *c = malloc(sizeof(*c));
	struct vectors_cuts cuts;

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	vectors_cuts_init(&cuts, test_case, way);
	collect(c, &o, sl_buf_slice(&body), &cuts, NULL);
	check(c, get(test_case, "expect"));
	if (way == 0)
		ck_assert_int_eq(sl_buf_put_slice(trace, sl_buf_slice(&c->trace)), 0);
	ck_assert(sl_slice_eq(sl_buf_slice(trace), sl_buf_slice(&c->trace)));
	collected_fini(c);
	free(c);
	sl_buf_fini(&body);
}

START_TEST(the_entries_are_right_however_the_bytes_are_cut)
{
	cJSON *document = vectors_load(files[_i]);
	const cJSON *test_case;
	int n = 0;

	cJSON_ArrayForEach(test_case, vectors_cases(document))
	{
		struct sl_buf trace = {.max = SIZE_MAX};

		if (!is_ours(test_case))
			continue;
		n++;
		mark_point();
		for (int way = 0; way < VECTORS_WAYS; way++)
			run_way(test_case, way, &trace);
		sl_buf_fini(&trace);
	}
	ck_assert_int_ge(n, 3);
	cJSON_Delete(document);
}
END_TEST

/* As what the frames can be read again. Those of Bedrock's Converse cannot be: what they are called
 * is not in them. */
static bool can_replay(const cJSON *test_case, enum sl_dialect *as)
{
	if (!is_ours(test_case))
		return false;
	*as = dialects[row_of(test_case)].dialect;
	if (*as == SL_DIALECT_BEDROCK_INVOKE)
		*as = SL_DIALECT_ANTHROPIC;
	return *as != SL_DIALECT_BEDROCK_CONVERSE;
}

/* The frames as a stream, ended as the first reading was. */
static struct sl_buf replay_of(struct collected *c, bool as_lines)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct sl_slice left = sl_buf_slice(&c->frames);

	while (left.n > 0) {
		size_t n = (size_t)((const char *)memchr(left.p, '\n', left.n) - left.p);

		sl_buf_put_str(&body, as_lines ? "" : "data: ");
		sl_buf_put(&body, left.p, n);
		sl_buf_put_str(&body, "\n\n");
		left = sl_slice(left.p + n + 1, left.n - n - 1);
	}
	if (c->ended && !as_lines)
		sl_buf_put_str(&body, "data: [DONE]\n\n");
	return body;
}

static void check_again(const cJSON *test_case, enum sl_dialect as)
{
	struct sl_reader_options o = options_of(test_case), again;
	struct sl_buf body = body_of(test_case), replay;
	struct collected *first = malloc(sizeof(*first)), *second = malloc(sizeof(*second));

	ck_assert(first && second);
	collected_init(first);
	collected_init(second);
	collect(first, &o, sl_buf_slice(&body), NULL, NULL);
	replay = replay_of(first, as == SL_DIALECT_OLLAMA);
	again = stream_options(as);
	collect(second, &again, sl_buf_slice(&replay), NULL, NULL);
	ck_assert_str_eq(buf_str(&second->frames), buf_str(&first->frames));
	ck_assert_str_eq(buf_str(&second->events), buf_str(&first->events));
	collected_fini(first);
	collected_fini(second);
	free(first);
	free(second);
	sl_buf_fini(&body);
	sl_buf_fini(&replay);
}

START_TEST(a_mended_frame_means_the_same_and_needs_no_mending)
{
	cJSON *document = vectors_load(files[_i]);
	const cJSON *test_case;

	cJSON_ArrayForEach(test_case, vectors_cases(document))
	{
		enum sl_dialect as;

		if (can_replay(test_case, &as))
			check_again(test_case, as);
	}
	cJSON_Delete(document);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reader_vectors");
	TCase *tc = tcase_create("vectors");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_entries_are_right_however_the_bytes_are_cut, 0, N_FILES);
	tcase_add_loop_test(tc, a_mended_frame_means_the_same_and_needs_no_mending, 0, N_FILES);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
