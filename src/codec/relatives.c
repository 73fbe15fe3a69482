/* The tables of OpenAI's relatives. */
#include "codec/relatives.h"

#include <string.h>
#include <strings.h>

#define NEW "max_completion_tokens"
#define OLD "max_tokens"

#define NO_SAMPLING (RELATIVE_LACKS(PROMPT_TOP_K) | RELATIVE_LACKS(PROMPT_MIN_P))
#define NO_BIAS     RELATIVE_LACKS(PROMPT_LOGIT_BIAS)
#define NO_USER     RELATIVE_LACKS(PROMPT_USER_ID)
#define NO_PARALLEL RELATIVE_LACKS(PROMPT_PARALLEL)
#define NO_SEED     RELATIVE_LACKS(PROMPT_SEED)
/* tiers of OpenAI's, and how much a model talks */
#define NO_EXTRAS (RELATIVE_LACKS(PROMPT_SERVICE_TIER) | RELATIVE_LACKS(PROMPT_VERBOSITY))

/* Limits that OpenAI answers with 400 to. */
#define OPENAI_LIMITS .id_max = 40, .user_max = 64, .stops_max = 4

static const struct relative relatives[] = {
	{"OpenAI", "api.openai.com", NEW, "seed", NO_SAMPLING, OPENAI_LIMITS, .responses = true},
	{"Azure OpenAI", "openai.azure.com", NEW, "seed", NO_SAMPLING, OPENAI_LIMITS},
	{"Azure AI services", "cognitiveservices.azure.com", NEW, "seed", NO_SAMPLING,
	 OPENAI_LIMITS},
	{"Azure AI Foundry", "services.ai.azure.com", NEW, "seed", NO_SAMPLING, OPENAI_LIMITS},
	/* reasons in several turns while tools are called, and asks for what it thought */
	{"DeepSeek", "api.deepseek.com", OLD, NULL,
	 NO_SAMPLING | NO_BIAS | NO_USER | NO_PARALLEL | NO_SEED | NO_EXTRAS,
	 .reasoning = "reasoning_content", .reasoning_due = true,
	 .effort = RELATIVE_EFFORT_THINKING, .no_schema = true},
	{"OpenRouter", "openrouter.ai", OLD, "seed", .reasoning = "reasoning",
	 .effort = RELATIVE_EFFORT_OBJECT, .user_max = 128},
	/* refuses members that it does not know, and ids that it has not made itself */
	{"Mistral", "api.mistral.ai", OLD, "random_seed",
	 NO_SAMPLING | NO_BIAS | NO_USER | NO_EXTRAS, .effort = RELATIVE_EFFORT_NONE,
	 .no_stream_options = true, .id_max = 9, .id_exact = true},
	{"Groq", "api.groq.com", NEW, "seed", NO_SAMPLING | NO_BIAS | NO_EXTRAS, .stops_max = 4},
	{"Google", "generativelanguage.googleapis.com", OLD, NULL,
	 NO_SAMPLING | NO_BIAS | NO_USER | NO_PARALLEL | NO_SEED | NO_EXTRAS, .signatures = true},
	{"Together", "api.together.xyz", OLD, "seed", NO_EXTRAS},
	{"Fireworks", "api.fireworks.ai", OLD, "seed", NO_EXTRAS},
	{"xAI", "api.x.ai", NEW, "seed", NO_SAMPLING | NO_BIAS | NO_EXTRAS},
	{"a server of one's own", NULL, OLD, "seed"},
};

/* Whether `host` is that domain, or below it. */
static bool is_at(struct sl_slice host, const char *domain)
{
	size_t n = strlen(domain);

	return host.n >= n && strncasecmp(host.p + host.n - n, domain, n) == 0 &&
	       (host.n == n || host.p[host.n - n - 1] == '.');
}

/* scheme://user:password@host:port/path */
static struct sl_slice host_of(const char *url)
{
	const char *begin = strstr(url, "://");
	struct sl_slice host;
	const char *at;

	begin = begin ? begin + 3 : url;
	host = sl_slice(begin, strcspn(begin, "/?#"));
	at = memrchr(host.p, '@', host.n);
	if (at)
		host = sl_slice(at + 1, host.n - (size_t)(at + 1 - host.p));
	at = memchr(host.p, ':', host.n);
	if (at)
		host.n = (size_t)(at - host.p);
	return host;
}

const struct relative *relative_of_url(const char *url)
{
	struct sl_slice host = host_of(url ? url : "");
	size_t i = 0;

	while (relatives[i].host && !is_at(host, relatives[i].host))
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
		if (native.n == strlen(words[i][0]) &&
		    strncasecmp(native.p, words[i][0], native.n) == 0)
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
