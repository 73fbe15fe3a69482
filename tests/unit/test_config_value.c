/* The texts of single values, and what stands where no file is: environment, --upstream and
 * overrides. */
#include "unit.h"
#include "config_helper.h"

#include <sluice/error.h>
#include "app/config_report.h"
#include "app/config_value.h"
#include "upstream/api.h"

static const struct {
	const char *text;
	int result;
	uint64_t value;
} durations[] =
	{
		{"0", 0, 0},
		{"00", 0, 0},
		{"0s", 0, 0},
		{"250ms", 0, 250},
		{"30s", 0, 30000},
		{"5m", 0, 300000},
		{"1h", 0, 3600000},
		{"18446744073709551615ms", 0, UINT64_MAX},
		{"18446744073709551616ms", -SL_E_SYNTAX, 0},
		{"18446744073709551615s", -SL_E_SYNTAX, 0},
		{"", -SL_E_SYNTAX, 0},
		{"5", -SL_E_SYNTAX, 0},
		{"s", -SL_E_SYNTAX, 0},
		{"5 s", -SL_E_SYNTAX, 0},
		{"1.5s", -SL_E_SYNTAX, 0},
		{"+5s", -SL_E_SYNTAX, 0},
		{"5S", -SL_E_SYNTAX, 0},
		{"5d", -SL_E_SYNTAX, 0},
		{"1h30m", -SL_E_SYNTAX, 0},
		{"-5s", -SL_E_LIMIT, 0},
		{"-s", -SL_E_SYNTAX, 0},
},
  sizes[] =
	  {
		  {"0", 0, 0},
		  {"1B", 0, 1},
		  {"16KiB", 0, 16384},
		  {"10mib", 0, 10485760},
		  {"1GiB", 0, 1073741824},
		  {"2KB", 0, 2000},
		  {"3MB", 0, 3000000},
		  {"4GB", 0, 4000000000},
		  {"17179869184GiB", -SL_E_LIMIT, 0},
		  {"-1B", -SL_E_LIMIT, 0},
		  {"10", -SL_E_SYNTAX, 0},
		  {"10M", -SL_E_SYNTAX, 0},
		  {"MiB", -SL_E_SYNTAX, 0},
		  {"1 MiB", -SL_E_SYNTAX, 0},
},
  counts[] = {
	  {"0", 0, 0},
	  {"18446744073709551615", 0, UINT64_MAX},
	  {"18446744073709551616", -SL_E_LIMIT, 0},
	  {"-1", -SL_E_LIMIT, 0},
	  {"--1", -SL_E_SYNTAX, 0},
	  {"", -SL_E_SYNTAX, 0},
	  {"1x", -SL_E_SYNTAX, 0},
	  {" 1", -SL_E_SYNTAX, 0},
};

#define CHECK_NUMBERS(table, parse)                                                       \
	for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++) {                 \
		uint64_t value = 77;                                                      \
		int r = parse((table)[i].text, &value);                                   \
                                                                                          \
		ck_assert_msg(r == (table)[i].result, "%s gives %d", (table)[i].text, r); \
		ck_assert_uint_eq(value, r == 0 ? (table)[i].value : 77);                 \
	}

START_TEST(numbers_have_units_and_bounds)
{
	CHECK_NUMBERS(durations, config_duration);
	CHECK_NUMBERS(sizes, config_size);
	CHECK_NUMBERS(counts, config_count);
}
END_TEST

START_TEST(what_leaving_means_is_read_from_a_few_words)
{
	static const struct {
		const char *text;
		int what; /* -1: an error */
		uint64_t grace_ms;
	} cases[] = {
		{"cancel", LEAVE_CANCEL, 0},
		{" drain\t", LEAVE_DRAIN, 0},
		{"detach", LEAVE_DETACH, 30000},
		{"detach 45s", LEAVE_DETACH, 45000},
		{"detach \t 0", LEAVE_DETACH, 0},
		{"detach45s", -1, 0},
		{"detach s", -1, 0},
		{"detach 1s 2s", -1, 0},
		{"Cancel", -1, 0},
		{"cancel 5s", -1, 0},
		{" ", -1, 0},
		{"", -1, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct leave leave = {LEAVE_DRAIN, 9};
		int r = leave_parse(sl_slice_str(cases[i].text), &leave);

		ck_assert_int_eq(r, cases[i].what < 0 ? -SL_E_SYNTAX : 0);
		ck_assert_int_eq(leave.what, r < 0 ? (int)LEAVE_DRAIN : cases[i].what);
		ck_assert_uint_eq(leave.grace_ms, r < 0 ? 9 : cases[i].grace_ms);
	}
	ck_assert_int_eq(leave_parse((struct sl_slice){0}, &(struct leave){0}), -SL_E_SYNTAX);
}
END_TEST

START_TEST(addresses_are_literal)
{
	static const struct {
		const char *text, *host; /* NULL: an error */
		uint16_t port;
		bool loopback;
	} cases[] = {
		{"127.0.0.1:8080", "127.0.0.1", 8080, true},
		{"127.9.9.9:0", "127.9.9.9", 0, true},
		{"LocalHost:65535", "127.0.0.1", 65535, true},
		{"[::1]:1", "::1", 1, true},
		{"[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, true},
		{"0.0.0.0:1", "0.0.0.0", 1, false},
		{"[::]:1", "::", 1, false},
		{"10.0.0.1:1", "10.0.0.1", 1, false},
		{"unix:/run/a:b", "/run/a:b", 0, true},
		{"127.0.0.1:65536", NULL, 0, false},
		{"127.0.0.1:99999999999999999999", NULL, 0, false},
		{"127.0.0.1:-1", NULL, 0, false},
		{"127.0.0.1:", NULL, 0, false},
		{"127.0.0.1", NULL, 0, false},
		{"8080", NULL, 0, false},
		{":8080", NULL, 0, false},
		{"*:8080", NULL, 0, false},
		{"::1:8080", NULL, 0, false},
		{"[::1]", NULL, 0, false},
		{"[::1:8080", NULL, 0, false},
		{"[127.0.0.1]:1", NULL, 0, false},
		{"[]:1", NULL, 0, false},
		{"[:1", NULL, 0, false},
		{"]:1", NULL, 0, false},
		{"example.com:1", NULL, 0, false},
		{"127.1:1", NULL, 0, false},
		{"unix:relative", NULL, 0, false},
		{"unix:", NULL, 0, false},
		{"", NULL, 0, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct listen_address a;
		const char *why = config_address(cases[i].text, &a);

		ck_assert_msg(!why == !!cases[i].host, "%s: %s", cases[i].text, why ? why : "fine");
		if (!why) {
			ck_assert_str_eq(a.text, cases[i].text);
			ck_assert_str_eq(a.host, cases[i].host);
			ck_assert_uint_eq(a.port, cases[i].port);
			ck_assert(a.loopback == cases[i].loopback);
		}
		config_address_fini(&a);
		config_address_fini(&a);
	}
}
END_TEST

START_TEST(a_base_url_gets_a_version_where_it_has_none)
{
	static const struct {
		const char *text, *base; /* NULL: an error */
	} cases[] = {
		{"http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"},
		{"http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1"},
		{"https://api.openai.com/v1", "https://api.openai.com/v1"},
		{"https://api.openai.com/v1//", "https://api.openai.com/v1"},
		{"https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"},
		{"https://host/openai", "https://host/openai/v1"},
		{"https://host/openai/", "https://host/openai/v1"},
		{"https://h/v1beta/openai/", "https://h/v1beta/openai"},
		{"https://h/api/paas/v4", "https://h/api/paas/v4"},
		{"https://h/victory", "https://h/victory/v1"},
		{"https://h/v", "https://h/v/v1"},
		{"HTTPS://Host", "https://Host/v1"},
		{"http://[::1]:80/v1", "http://[::1]:80/v1"},
		{"http://[::1]", "http://[::1]/v1"},
		{"ftp://h", NULL},
		{"h", NULL},
		{"http://", NULL},
		{"http:///v1", NULL},
		{"http://:80", NULL},
		{"http://h:", NULL},
		{"http://h:0", NULL},
		{"http://h:65536", NULL},
		{"http://h:8o", NULL},
		{"http://h h", NULL},
		{"http://h/a b", NULL},
		{"http://h/\r\nX: y", NULL},
		{"http://[::1", NULL},
		{"http://[::1]x", NULL},
		{"http://[x]", NULL},
		{"http://u@h", NULL},
		{"http://u:p@h/v1", NULL},
		{"http://h/v1?x", NULL},
		{"http://h?x", NULL},
		{"http://h/v1#x", NULL},
		{"http://h/v1/chat/completions", NULL},
		{"http://h\\@evil/", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *base = NULL;
		const char *why = config_base_url(cases[i].text, "/v1", true, &base);

		ck_assert_msg(!why == !!cases[i].base, "%s: %s", cases[i].text, why ? why : base);
		if (!why)
			ck_assert_str_eq(base, cases[i].base);
		free(base);
	}
}
END_TEST

/* Where SDKs add the version to whatever base they are given. */
START_TEST(a_gateway_s_version_is_not_that_of_the_api_behind_it)
{
	static const struct {
		const char *text, *version, *base;
	} cases[] = {
		{"https://api.anthropic.com", "/v1", "https://api.anthropic.com/v1"},
		{"https://api.anthropic.com/v1/", "/v1", "https://api.anthropic.com/v1"},
		{"https://gw/v1/account/name/anthropic", "/v1",
		 "https://gw/v1/account/name/anthropic/v1"},
		{"https://h", "/v1beta", "https://h/v1beta"},
		{"https://h/v1alpha", "/v1beta", "https://h/v1alpha"},
		{"https://gw/v1/account/name/google-ai-studio", "/v1beta",
		 "https://gw/v1/account/name/google-ai-studio/v1beta"},
		{"https://h/v2", "/v2", "https://h/v2"},
		{"https://name.openai.azure.com/", "", "https://name.openai.azure.com"},
		{"https://name.openai.azure.com/openai/v1/", "",
		 "https://name.openai.azure.com/openai/v1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *base = NULL;

		ck_assert_ptr_null(config_base_url(cases[i].text, cases[i].version, false, &base));
		ck_assert_str_eq(base, cases[i].base);
		free(base);
	}
}
END_TEST

START_TEST(proxies_origins_and_hosts_are_strict)
{
	ck_assert_ptr_null(config_proxy_url("http://127.0.0.1:3128"));
	ck_assert_ptr_null(config_proxy_url("socks5h://u:p%40@h:1/"));
	ck_assert_ptr_nonnull(config_proxy_url("127.0.0.1:3128"));
	ck_assert_ptr_nonnull(config_proxy_url("http://h/path"));
	ck_assert_ptr_nonnull(config_proxy_url("http://u:p@"));
	ck_assert_ptr_nonnull(config_proxy_url("http://h h"));
	ck_assert_ptr_null(config_origin("https://a.example"));
	ck_assert_ptr_null(config_origin("http://[::1]:5173"));
	ck_assert_ptr_nonnull(config_origin("https://A.example"));
	ck_assert_ptr_nonnull(config_origin("a.example"));
	ck_assert_ptr_nonnull(config_origin("null"));
	ck_assert_ptr_null(config_host_name("a.example"));
	ck_assert_ptr_null(config_host_name("[::1]:80"));
	ck_assert_ptr_nonnull(config_host_name("*.example"));
	ck_assert_ptr_nonnull(config_host_name("http://a"));
	ck_assert_ptr_nonnull(config_host_name("a b"));
	ck_assert_ptr_nonnull(config_host_name(""));
	ck_assert(config_is_token("X-A_b.c") && !config_is_token("") && !config_is_token("a:b"));
	ck_assert(config_is_header_text("a\tb \xc3\xa4") && !config_is_header_text("a\x7f"));
}
END_TEST

START_TEST(the_nearest_word_is_found)
{
	static const struct {
		const char *word, *best;
	} cases[] = {
		{"lisen", "listen"}, {"LISTEN", "listen"},          {"lsiten", "listen"},
		{"fist", ""},        {"event-ids", "event_ids"},    {"", ""},
		{"x", ""},           {"per_streams", "per_stream"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_nearest nearest = {.word = cases[i].word};

		config_nearest_offer(&nearest, "event_ids");
		config_nearest_offer(&nearest, "listen");
		config_nearest_offer(&nearest, "per_stream");
		config_nearest_offer(&nearest, "ca");
		ck_assert_str_eq(nearest.best, cases[i].best);
	}
}
END_TEST

#define NOTHING                                                                                 \
	"no upstream: type `OPENAI_API_KEY=... sluice` (or ANTHROPIC_API_KEY, GEMINI_API_KEY, " \
	"OLLAMA_HOST), `sluice --upstream URL`, or `sluice demo` to try it without one\n"
#define OPENAI    "openai openai https://api.openai.com/v1"
#define ANTHROPIC "anthropic anthropic https://api.anthropic.com/v1"
#define GEMINI    "gemini gemini https://generativelanguage.googleapis.com/v1beta"
#define OLLAMA    "ollama ollama "

static const struct {
	const char *set[5];    /* NAME=VALUE */
	const char *upstreams; /* "name api url [key]\n"… */
	const char *errors;
} starts[] = {
	{{"OPENAI_API_KEY=sk-1"}, OPENAI " sk-1\n", ""},
	{{"OPENAI_API_KEY=${env:HOME}"}, OPENAI " ${env:HOME}\n", ""},
	{{"OPENAI_API_KEY=sk-1", "OPENAI_BASE_URL=http://h:1"},
	 "openai openai http://h:1/v1 sk-1\n",
	 ""},
	{{"OPENAI_BASE_URL=http://h:1"}, "openai openai http://h:1/v1\n", ""},
	{{"ANTHROPIC_API_KEY=sk-1"}, ANTHROPIC " sk-1\n", ""},
	{{"ANTHROPIC_API_KEY=sk-1", "ANTHROPIC_BASE_URL=http://h/anthropic"},
	 "anthropic anthropic http://h/anthropic/v1 sk-1\n",
	 ""},
	{{"ANTHROPIC_BASE_URL=http://h"}, "anthropic anthropic http://h/v1\n", ""},
	{{"GEMINI_API_KEY=sk-1"}, GEMINI " sk-1\n", ""},
	{{"GOOGLE_API_KEY=sk-1"}, GEMINI " sk-1\n", ""},
	{{"GEMINI_API_KEY=sk-1", "GOOGLE_API_KEY=sk-2"}, GEMINI " sk-2\n", ""},
	{{"OPENAI_API_KEY=sk-1", "ANTHROPIC_API_KEY=sk-2", "GEMINI_API_KEY=sk-3", "OLLAMA_HOST=h"},
	 OPENAI " sk-1\n" ANTHROPIC " sk-2\n" GEMINI " sk-3\n" OLLAMA "http://h:11434\n",
	 ""},
	{{"OPENAI_API_KEY=", "OPENAI_BASE_URL=", "OLLAMA_HOST="}, NULL, NOTHING},
	/* AWS's are in many an environment for other reasons */
	{{"AWS_BEARER_TOKEN_BEDROCK=sk-1", "AWS_ACCESS_KEY_ID=sk-2", "AWS_SECRET_ACCESS_KEY=sk-3",
	  "AWS_REGION=eu-central-1"},
	 NULL,
	 NOTHING},
	{{"OPENAI_API_KEY=sk-1\n"},
	 NULL,
	 "OPENAI_API_KEY: has a line break or another control character in it\n"},
	{{"ANTHROPIC_API_KEY=sk-1\n"},
	 NULL,
	 "ANTHROPIC_API_KEY: has a line break or another control character in it\n"},
	{{"OPENAI_BASE_URL=http://u:sk-1@h"},
	 NULL,
	 "OPENAI_BASE_URL: no credentials in the URL: they belong to key or headers\n"},
	{{"OLLAMA_HOST=http://h:11434/v1"},
	 NULL,
	 "OLLAMA_HOST: Ollama's own API has no /v1: leave it out, or set api: openai for the one "
	 "that has\n"},
	{{"OLLAMA_HOST=h:port"}, NULL, "OLLAMA_HOST: the port is no number\n"},
	{{"OLLAMA_HOST=ftp://h"}, NULL, "OLLAMA_HOST: no http:// or https:// URL\n"},
	{{"OLLAMA_HOST=h h"}, NULL, "OLLAMA_HOST: a character that no host name has\n"},
};

/* "name api url [key]\n" for each upstream. */
static char *shown_upstreams(const struct config *c)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	for (size_t i = 0; i < c->n_upstreams; i++) {
		const struct upstream_options *u = &c->upstreams[i];

		fprintf(f, "%s %s %s%s%s\n", u->name, api_of(u->api)->name, u->url,
			u->key ? " " : "", u->key ? u->key : "");
	}
	fclose(f);
	return text;
}

START_TEST(without_a_file_the_environment_decides)
{
	struct config_source source = {0};
	struct config *c;
	char *errors;

	for (size_t i = 0; i < 5 && starts[_i].set[i]; i++)
		putenv((char *)starts[_i].set[i]);
	c = helper_load(&source, &errors);
	ck_assert_str_eq(errors, starts[_i].errors);
	ck_assert_ptr_null(strstr(errors, "sk-"));
	ck_assert(!c == !starts[_i].upstreams);
	if (c) {
		char *shown = shown_upstreams(c);

		ck_assert_str_eq(shown, starts[_i].upstreams);
		free(shown);
	}
	config_unref(c);
	free(errors);
}
END_TEST

START_TEST(the_address_of_ollama_is_read_as_its_own_clients_do)
{
	static const struct {
		const char *host, *url;
	} cases[] = {
		{"h", "http://h:11434"},
		{"h:1", "http://h:1"},
		{"h:", "http://h:11434"},
		{":1", "http://127.0.0.1:1"},
		{"h/ollama/", "http://h:11434/ollama"},
		{"0.0.0.0", "http://127.0.0.1:11434"},
		{"0.0.0.0:1", "http://127.0.0.1:1"},
		{"[::]:1", "http://[::1]:1"},
		{"::", "http://[::1]:11434"},
		{"::1", "http://[::1]:11434"},
		{"[::1]", "http://[::1]:11434"},
		{"[::1]:1", "http://[::1]:1"},
		{"http://h", "http://h"},
		{"https://h", "https://h"},
		{"https://h/a:b/", "https://h/a:b"},
		{"http://h:1/ollama", "http://h:1/ollama"},
		{"http://0.0.0.0:11434/", "http://127.0.0.1:11434"},
		{"http://[::1]:1", "http://[::1]:1"},
		{"https://", "https://127.0.0.1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c;

		setenv("OLLAMA_HOST", cases[i].host, 1);
		c = helper_load(&(struct config_source){0}, NULL);
		ck_assert_uint_eq(c->n_upstreams, 1);
		ck_assert_int_eq(c->upstreams[0].api, UPSTREAM_API_OLLAMA);
		ck_assert_str_eq(c->upstreams[0].url, cases[i].url);
		config_unref(c);
	}
}
END_TEST

START_TEST(an_upstream_of_the_command_line_gets_no_key)
{
	struct config_source source = {.upstream_url = "http://h"};
	struct config *c;

	setenv("OPENAI_API_KEY", "sk-1", 1);
	c = helper_load(&source, NULL);
	ck_assert_uint_eq(c->n_upstreams, 1);
	ck_assert_str_eq(c->upstreams[0].name, "upstream");
	ck_assert_str_eq(c->upstreams[0].url, "http://h/v1");
	ck_assert(!c->upstreams[0].key && !c->upstreams[0].key_from_client);
	config_unref(c);
	c = helper_load(&(struct config_source){.demo = true}, NULL);
	ck_assert_uint_eq(c->n_upstreams, 0);
	config_unref(c);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("config_value");
	TCase *t = tcase_create("values");

	tcase_add_checked_fixture(t, helper_clear_environment, NULL);
	tcase_add_test(t, numbers_have_units_and_bounds);
	tcase_add_test(t, what_leaving_means_is_read_from_a_few_words);
	tcase_add_test(t, addresses_are_literal);
	tcase_add_test(t, a_base_url_gets_a_version_where_it_has_none);
	tcase_add_test(t, a_gateway_s_version_is_not_that_of_the_api_behind_it);
	tcase_add_test(t, proxies_origins_and_hosts_are_strict);
	tcase_add_test(t, the_nearest_word_is_found);
	tcase_add_loop_test(t, without_a_file_the_environment_decides, 0,
			    sizeof(starts) / sizeof(starts[0]));
	tcase_add_test(t, the_address_of_ollama_is_read_as_its_own_clients_do);
	tcase_add_test(t, an_upstream_of_the_command_line_gets_no_key);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
