/* Reads token counts from the places where OpenAI and its relatives put them. */
#include "codec/openai.h"

/* Counts stand in the usage object or, the finer ones, in an object of details within it. */
static void read_counts(struct json usage, struct sl_usage *u)
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
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int64_t n;

	json_walk_init(&w, usage);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (value.type == JSON_OBJECT && (sl_slice_is(key, "prompt_tokens_details") ||
						  sl_slice_is(key, "completion_tokens_details")))
			read_counts(value, u);
		if (json_int(value, &n) < 0 || n < 0)
			continue;
		for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
			if (sl_slice_is(key, counts[i].name))
				*counts[i].count = n;
		}
	}
}

bool openai_read_usage(struct json usage, struct json x_groq, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_USAGE, .usage = SL_USAGE_NONE};

	if (x_groq.type == JSON_OBJECT)
		read_counts(json_get(x_groq, "usage"), &e.usage);
	if (usage.type == JSON_OBJECT)
		read_counts(usage, &e.usage);
	if (!sl_usage_known(&e.usage))
		return false;
	decoded_add(d, &e);
	return true;
}
