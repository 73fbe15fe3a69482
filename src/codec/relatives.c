/* The tables of OpenAI's relatives. */
#include "codec/relatives.h"

#include <string.h>
#include <strings.h>

#define NEW "max_completion_tokens"
#define OLD "max_tokens"

static const struct relative relatives[] = {
	{"OpenAI", "api.openai.com", NEW, "seed", .names_max = 64},
	{"Azure OpenAI", "openai.azure.com", NEW, "seed", .names_max = 64},
	{"Azure AI Foundry", "services.ai.azure.com", NEW, "seed", .names_max = 64},
	/* reasons in several turns while tools are called, and asks for what it thought */
	{"DeepSeek", "api.deepseek.com", OLD, NULL, "reasoning_content", RELATIVE_EFFORT_NONE,
	 .no_user = true, .no_parallel = true, .no_logit_bias = true, .no_schema = true},
	{"OpenRouter", "openrouter.ai", OLD, "seed", "reasoning", RELATIVE_EFFORT_OBJECT,
	 .samples_more = true},
	/* refuses members that it does not know */
	{"Mistral", "api.mistral.ai", OLD, "random_seed", NULL, RELATIVE_EFFORT_NONE,
	 .no_stream_options = true, .no_user = true, .no_logit_bias = true},
	{"Groq", "api.groq.com", NEW, "seed", .no_logit_bias = true},
	{"Google", "generativelanguage.googleapis.com", OLD, NULL, .no_user = true,
	 .no_parallel = true, .no_logit_bias = true, .signatures = true},
	{"Together", "api.together.xyz", OLD, "seed", .samples_more = true},
	{"Fireworks", "api.fireworks.ai", OLD, "seed", .samples_more = true},
	{"xAI", "api.x.ai", NEW, "seed", .no_logit_bias = true},
	{"a server of one's own", NULL, OLD, "seed", .samples_more = true},
};
#define N_RELATIVES (sizeof(relatives) / sizeof(*relatives))

/* Whether `host` is that domain, or below it. */
static bool is_at(struct sl_slice host, const char *domain)
{
	size_t n = strlen(domain);

	return host.n >= n && strncasecmp(host.p + host.n - n, domain, n) == 0 &&
	       (host.n == n || host.p[host.n - n - 1] == '.');
}

const struct relative *relative_of_url(const char *url)
{
	const char *host = strstr(url, "://");
	struct sl_slice name = sl_slice_str(host ? host + 3 : url);
	size_t i = 0;

	name.n = strcspn(name.p, ":/");
	while (relatives[i].host && !is_at(name, relatives[i].host))
		i++;
	return &relatives[i];
}

struct sl_slice relatives_finish(struct sl_slice native)
{
	static const char *const words[][2] = {
		{"stop", "stop"},
		{"length", "length"},
		{"tool_calls", "tool_calls"},
		{"content_filter", "content_filter"},
		{"function_call", "tool_calls"},
		{"tool_use", "tool_calls"},
		{"model_length", "length"}, /* Mistral */
		{"max_tokens", "length"},
		{"error", "error"},
		{"abort", "error"},                        /* vLLM */
		{"insufficient_system_resource", "error"}, /* DeepSeek */
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (sl_slice_is(native, words[i][0]))
			return sl_slice_str(words[i][1]);
	}
	return SL_LIT("stop");
}

int64_t *relatives_count(struct sl_usage *u, struct sl_slice name)
{
	const struct {
		const char *name;
		int64_t *count;
	} counts[] = {
		{"prompt_tokens", &u->prompt},
		{"completion_tokens", &u->completion},
		{"total_tokens", &u->total},
		{"cached_tokens", &u->cached},
		{"prompt_cache_hit_tokens", &u->cached}, /* DeepSeek */
		{"cache_write_tokens", &u->cache_write},
		{"reasoning_tokens", &u->reasoning},
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		if (sl_slice_is(name, counts[i].name))
			return counts[i].count;
	}
	return NULL;
}

/* DeepSeek and most others; vLLM, Groq, OpenRouter, LM Studio. */
const struct sl_slice relatives_reasoning[RELATIVES_REASONING] = {{"reasoning_content", 17},
								  {"reasoning", 9}};
