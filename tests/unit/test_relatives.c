/* Which of OpenAI's relatives an upstream is. */
#include "codec/relatives.h"

#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))
#define ANY          "a server of one's own"

static const struct {
	const char *url, *name;
} urls[] = {
	{"https://api.openai.com/v1", "OpenAI"},
	{"https://API.OpenAI.com", "OpenAI"},
	{"https://eu.api.openai.com/v1", "OpenAI"},
	{"https://api.openai.com.evil.test/v1", ANY},
	{"https://notapi.openai.com/v1", ANY},
	{"https://evil.test/api.openai.com", ANY},
	{"https://evil.test?api.openai.com", ANY},
	{"https://evil.test#api.openai.com", ANY},
	{"https://user:pw@api.openai.com:443/v1", "OpenAI"},
	{"https://name.openai.azure.com/openai/v1", "Azure OpenAI"},
	{"https://name.cognitiveservices.azure.com", "Azure AI services"},
	{"https://api.deepseek.com", "DeepSeek"},
	{"https://openrouter.ai/api/v1", "OpenRouter"},
	{"https://api.mistral.ai/v1", "Mistral"},
	{"https://api.groq.com/openai/v1", "Groq"},
	{"https://api.together.xyz/v1", "Together"},
	{"https://api.x.ai/v1", "xAI"},
	{"https://api.fireworks.ai/inference/v1", "Fireworks"},
	{"https://generativelanguage.googleapis.com/v1beta/openai", "Google"},
	{"http://127.0.0.1:8000/v1", ANY},
	{"http://[::1]:8000/v1", ANY},
	{"localhost", ANY},
	{"http://", ANY},
	{"", ANY},
};

START_TEST(an_upstream_is_known_by_its_host)
{
	ck_assert_str_eq(relative_of_url(urls[_i].url)->name, urls[_i].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("relatives");
	TCase *tc = tcase_create("hosts");

	tcase_add_loop_test(tc, an_upstream_is_known_by_its_host, 0, COUNT(urls));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
