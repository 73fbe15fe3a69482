/* Which API speaks what to whom, and where its requests go. */
#include <string.h>
#include <sluice/error.h>
#include "unit.h"
#include "upstream/api.h"

#define CHAT     SL_DIALECT_OPENAI_CHAT
#define OLD_CHAT SL_DIALECT_OPENAI_COMPLETIONS
#define JSON     SL_DIALECT_OPENAI_JSON
#define COUNT    SL_DIALECT_ANTHROPIC_JSON

static const struct upstream_options
	openai = {.api = UPSTREAM_API_OPENAI, .url = "https://h/v1"},
	openai_itself = {.api = UPSTREAM_API_OPENAI, .url = "https://api.openai.com/v1"},
	responses = {.api = UPSTREAM_API_OPENAI_RESPONSES, .url = "https://h/v1"},
	azure = {.api = UPSTREAM_API_AZURE,
		 .url = "https://n.openai.azure.com",
		 .api_version = "2024-10-21"},
	azure_preview = {.api = UPSTREAM_API_AZURE,
			 .url = "https://gw/openai/v1/of/them",
			 .api_version = "a&b=c"},
	azure_new = {.api = UPSTREAM_API_AZURE,
		     .url = "https://n.openai.azure.com/openai/v1",
		     .api_version = "2024-10-21"},
	anthropic = {.api = UPSTREAM_API_ANTHROPIC, .url = "https://h/v1"},
	gemini = {.api = UPSTREAM_API_GEMINI, .url = "https://h/v1beta"},
	ollama = {.api = UPSTREAM_API_OLLAMA, .url = "http://h:11434"},
	cohere = {.api = UPSTREAM_API_COHERE, .url = "https://h/v2"},
	converse = {.api = UPSTREAM_API_BEDROCK, .url = "https://h"},
	invoke = {.api = UPSTREAM_API_BEDROCK, .url = "https://h", .bedrock_invoke = true};

START_TEST(every_row_of_the_table_is_whole)
{
	ck_assert_uint_eq(apis_count, UPSTREAM_API_UNKNOWN);
	for (size_t i = 0; i < apis_count; i++) {
		const struct api *a = api_of((enum upstream_api)i);

		ck_assert_ptr_eq(a, &apis[i]);
		ck_assert(*a->name && *a->accept);
		ck_assert(!*a->version || *a->version == '/');
		ck_assert(!a->models || *a->models == '/');
		ck_assert(!a->url || strncmp(a->url, "http", 4) == 0);
		ck_assert_int_eq(a->auth == API_AUTH_HEADER, a->auth_header != NULL);
		ck_assert(!a->header || strchr(a->header, '\n'));
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(a->name, apis[k].name);
	}
}
END_TEST

/* -1: there is nothing of the kind. */
static const struct {
	const struct upstream_options *upstream;
	int chat, completions, json, responses, messages, count;
} spoken[] = {
	{&openai, CHAT, OLD_CHAT, JSON, CHAT, CHAT, -1},
	{&openai_itself, CHAT, OLD_CHAT, JSON, SL_DIALECT_RESPONSES, CHAT, -1},
	{&responses, SL_DIALECT_RESPONSES, SL_DIALECT_RESPONSES, JSON, SL_DIALECT_RESPONSES,
	 SL_DIALECT_RESPONSES, -1},
	{&azure, CHAT, OLD_CHAT, JSON, CHAT, CHAT, -1},
	{&azure_new, CHAT, OLD_CHAT, JSON, CHAT, CHAT, -1},
	{&anthropic, SL_DIALECT_ANTHROPIC, SL_DIALECT_ANTHROPIC, -1, SL_DIALECT_ANTHROPIC,
	 SL_DIALECT_ANTHROPIC, COUNT},
	{&gemini, SL_DIALECT_GEMINI, SL_DIALECT_GEMINI, -1, SL_DIALECT_GEMINI, SL_DIALECT_GEMINI,
	 -1},
	{&ollama, SL_DIALECT_OLLAMA, SL_DIALECT_OLLAMA, -1, SL_DIALECT_OLLAMA, SL_DIALECT_OLLAMA,
	 -1},
	{&cohere, SL_DIALECT_COHERE, SL_DIALECT_COHERE, -1, SL_DIALECT_COHERE, SL_DIALECT_COHERE,
	 -1},
	{&converse, SL_DIALECT_BEDROCK_CONVERSE, SL_DIALECT_BEDROCK_CONVERSE, -1,
	 SL_DIALECT_BEDROCK_CONVERSE, SL_DIALECT_BEDROCK_CONVERSE, -1},
	{&invoke, SL_DIALECT_BEDROCK_INVOKE, SL_DIALECT_BEDROCK_INVOKE, -1,
	 SL_DIALECT_BEDROCK_INVOKE, SL_DIALECT_BEDROCK_INVOKE, -1},
};

static void check_speaks(const struct upstream_options *u, enum sl_dialect client, int wanted)
{
	enum sl_dialect speaks = SL_DIALECT_GEMINI;
	int r = api_dialect(u, client, &speaks);

	ck_assert_msg(r == (wanted >= 0), "%s to %d", api_of(u->api)->name, client);
	if (r == 1)
		ck_assert_msg((int)speaks == wanted, "%s to %d: %d", api_of(u->api)->name, client,
			      speaks);
}

START_TEST(each_client_is_answered_in_what_the_upstream_speaks)
{
	check_speaks(spoken[_i].upstream, CHAT, spoken[_i].chat);
	check_speaks(spoken[_i].upstream, OLD_CHAT, spoken[_i].completions);
	check_speaks(spoken[_i].upstream, JSON, spoken[_i].json);
	check_speaks(spoken[_i].upstream, SL_DIALECT_RESPONSES, spoken[_i].responses);
	check_speaks(spoken[_i].upstream, SL_DIALECT_ANTHROPIC, spoken[_i].messages);
	check_speaks(spoken[_i].upstream, COUNT, spoken[_i].count);
}
END_TEST

/* `client`'s request for that route and model, and where it goes; NULL: nowhere. */
static const struct {
	const struct upstream_options *upstream;
	enum sl_dialect client;
	const char *route, *model, *path;
} paths[] = {
	{&openai, CHAT, "/chat/completions", "m", "/chat/completions"},
	{&openai, OLD_CHAT, "/completions", "..", "/completions"},
	{&openai, JSON, "/embeddings", "m", "/embeddings"},
	{&openai, SL_DIALECT_ANTHROPIC, "/messages", "m", "/chat/completions"},
	{&openai, SL_DIALECT_RESPONSES, "/responses", "m", "/chat/completions"},
	{&responses, CHAT, "/chat/completions", "m", "/responses"},
	{&responses, SL_DIALECT_ANTHROPIC, "/messages", "m", "/responses"},
	{&responses, OLD_CHAT, "/completions", "m", "/responses"},
	{&responses, JSON, "/embeddings", "m", "/embeddings"},
	{&azure, CHAT, "/chat/completions", "gpt-4o",
	 "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"},
	{&azure, SL_DIALECT_ANTHROPIC, "/messages", "my gpt/4",
	 "/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21"},
	{&azure, OLD_CHAT, "/completions", "m",
	 "/openai/deployments/m/completions?api-version=2024-10-21"},
	{&azure, JSON, "/embeddings", "m",
	 "/openai/deployments/m/embeddings?api-version=2024-10-21"},
	{&azure, JSON, "/embeddings", "..", NULL},
	{&azure, CHAT, "/chat/completions", "", NULL},
	{&azure_preview, CHAT, "/chat/completions", "m",
	 "/openai/deployments/m/chat/completions?api-version=a%26b%3Dc"},
	{&azure_new, CHAT, "/chat/completions", "m", "/chat/completions"},
	{&azure_new, SL_DIALECT_RESPONSES, "/responses", "m", "/chat/completions"},
	{&azure_new, JSON, "/embeddings", "m", "/embeddings"},
	{&anthropic, SL_DIALECT_ANTHROPIC, "/messages", "m", "/messages"},
	{&anthropic, CHAT, "/chat/completions", "../x", "/messages"},
	{&anthropic, COUNT, "/messages/count_tokens", "m", "/messages/count_tokens"},
	{&ollama, CHAT, "/chat/completions", "hf.co/a/b:Q4", "/api/chat"},
	{&cohere, CHAT, "/chat/completions", "m", "/chat"},
#define STREAM ":streamGenerateContent?alt=sse"
	{&gemini, CHAT, "/chat/completions", "gemini-2.5-pro", "/models/gemini-2.5-pro" STREAM},
	{&gemini, CHAT, "/chat/completions", "models/gemini-x", "/models/gemini-x" STREAM},
	{&gemini, CHAT, "/chat/completions", "tunedModels/a b", "/tunedModels/a%20b" STREAM},
	{&gemini, CHAT, "/chat/completions", "m?key=x#y", "/models/m%3Fkey%3Dx%23y" STREAM},
	{&gemini, CHAT, "/chat/completions", "m:embedContent", "/models/m%3AembedContent" STREAM},
	{&gemini, CHAT, "/chat/completions", "%2e%2e/x", "/%252e%252e/x" STREAM},
	{&gemini, CHAT, "/chat/completions", "models/..x", "/models/..x" STREAM},
	{&gemini, CHAT, "/chat/completions", "..", NULL},
	{&gemini, CHAT, "/chat/completions", "../files", NULL},
	{&gemini, CHAT, "/chat/completions", "models/../../x", NULL},
	{&gemini, CHAT, "/chat/completions", "models/./x", NULL},
	{&gemini, CHAT, "/chat/completions", "models/..", NULL},
	{&gemini, CHAT, "/chat/completions", "models/", NULL},
	{&gemini, CHAT, "/chat/completions", "/x", NULL},
	{&gemini, CHAT, "/chat/completions", "a//x", NULL},
	{&gemini, CHAT, "/chat/completions", "", NULL},
	{&converse, CHAT, "/chat/completions", "anthropic.claude-3-sonnet-20240229-v1:0",
	 "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/converse-stream"},
	{&invoke, SL_DIALECT_ANTHROPIC, "/messages", "anthropic.claude-3-sonnet-20240229-v1:0",
	 "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/invoke-with-response-stream"},
	{&converse, SL_DIALECT_RESPONSES, "/responses",
	 "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a-b_c~1",
	 "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a-b_c~1/"
	 "converse-stream"},
	{&converse, CHAT, "/chat/completions", "a\"b'c\\d", "/model/a%22b%27c%5Cd/converse-stream"},
	{&converse, CHAT, "/chat/completions", "a\r\nb\x01\x7f",
	 "/model/a%0D%0Ab%01%7F/converse-stream"},
	{&converse, CHAT, "/chat/completions", "größe", "/model/gr%C3%B6%C3%9Fe/converse-stream"},
	{&converse, CHAT, "/chat/completions", "%2e%2e", "/model/%252e%252e/converse-stream"},
	{&converse, CHAT, "/chat/completions", "a/../b", NULL},
	{&converse, CHAT, "/chat/completions", "...", "/model/.../converse-stream"},
	{&converse, CHAT, "/chat/completions", "..", NULL},
	{&converse, CHAT, "/chat/completions", ".", NULL},
	{&converse, CHAT, "/chat/completions", "", NULL},
};

START_TEST(each_request_goes_where_its_api_has_it)
{
	enum sl_dialect speaks;
	struct sl_buf out;
	int r;

	sl_buf_init(&out, 1024);
	ck_assert_int_eq(api_dialect(paths[_i].upstream, paths[_i].client, &speaks), 1);
	r = api_path(paths[_i].upstream, speaks, paths[_i].route, sl_slice_str(paths[_i].model),
		     &out);
	ck_assert_int_eq(r, paths[_i].path ? 0 : -SL_E_SYNTAX);
	ck_assert_int_eq(sl_buf_putc(&out, '\0'), 0);
	if (paths[_i].path)
		ck_assert_str_eq(out.p, paths[_i].path);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(a_nul_in_a_name_is_encoded_and_a_long_one_refused)
{
	struct sl_buf out;

	sl_buf_init(&out, 64);
	ck_assert_int_eq(
		api_path(&converse, SL_DIALECT_BEDROCK_CONVERSE, "", sl_slice("a\0b", 3), &out), 0);
	ck_assert(sl_slice_is(sl_buf_slice(&out), "/model/a%00b/converse-stream"));
	ck_assert_int_eq(api_path(&gemini, SL_DIALECT_GEMINI, "",
				  SL_LIT("0123456789012345678901234567890123456789012345678901234"),
				  &out),
			 -SL_E_LIMIT);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(a_server_of_azures_is_known_behind_any_host)
{
	struct upstream_options o = {.api = UPSTREAM_API_AZURE, .url = "https://llm.example.org"};

	ck_assert_str_eq(api_relative(&o)->name, "Azure OpenAI");
	o.url = "https://name.services.ai.azure.com";
	ck_assert_str_eq(api_relative(&o)->name, "Azure AI Foundry");
	o = (struct upstream_options){.api = UPSTREAM_API_OPENAI, .url = "https://llm.example.org"};
	ck_assert_ptr_null(api_relative(&o)->host);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("api");
	TCase *t = tcase_create("api");

	tcase_add_test(t, every_row_of_the_table_is_whole);
	tcase_add_loop_test(t, each_client_is_answered_in_what_the_upstream_speaks, 0,
			    sizeof(spoken) / sizeof(spoken[0]));
	tcase_add_loop_test(t, each_request_goes_where_its_api_has_it, 0,
			    sizeof(paths) / sizeof(paths[0]));
	tcase_add_test(t, a_nul_in_a_name_is_encoded_and_a_long_one_refused);
	tcase_add_test(t, a_server_of_azures_is_known_behind_any_host);
	suite_add_tcase(s, t);
	return unit_main(s);
}
