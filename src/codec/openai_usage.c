/* Reads token counts from the places where OpenAI and its relatives put them. */
#include "codec/openai.h"

/* Counts stand in the usage object or, the finer ones, in an object of details within it. */
static void read_counts(struct json usage, struct sl_usage *u)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int64_t n, *count;

	json_walk_init(&w, usage);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (value.type == JSON_OBJECT && (sl_slice_is(key, "prompt_tokens_details") ||
						  sl_slice_is(key, "completion_tokens_details")))
			read_counts(value, u);
		count = relatives_count(u, key);
		if (count && json_int(value, &n) == 0 && n >= 0)
			*count = n;
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
