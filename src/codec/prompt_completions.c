/* Reads what a client of the legacy completions asks for: one prompt, which becomes a message. */
#include "codec/prompt_read.h"

#include <sluice/error.h>

static const struct prompt_member options[] = {
	{"max_tokens", PROMPT_MAX_TOKENS, JSON_NUMBER},
	{"temperature", PROMPT_TEMPERATURE, JSON_NUMBER},
	{"top_p", PROMPT_TOP_P, JSON_NUMBER},
	{"stop", PROMPT_STOP, JSON_ARRAY},
	{"seed", PROMPT_SEED, JSON_NUMBER},
	{"presence_penalty", PROMPT_PRESENCE_PENALTY, JSON_NUMBER},
	{"frequency_penalty", PROMPT_FREQUENCY_PENALTY, JSON_NUMBER},
	{"logit_bias", PROMPT_LOGIT_BIAS, JSON_OBJECT},
	{"user", PROMPT_USER_ID, JSON_STRING},
};

static const char *const quiet[] = {"model", "prompt", "stream", "stream_options", NULL};

/* What only a model that goes on writing a text can do. */
static int refuse_own(const struct prompt_reading *r, struct sl_slice key, struct json value)
{
	int64_t n = 0;

	if (sl_slice_is(key, "suffix") && value.type == JSON_STRING && value.raw.n > 2)
		return prompt_refuse(r->fault, "suffix", "a chat model has no text to fill in");
	if (sl_slice_is(key, "echo") && value.type == JSON_TRUE)
		return prompt_refuse(r->fault, "echo", "a chat model does not repeat the prompt");
	if (sl_slice_is(key, "logprobs") && value.type == JSON_NUMBER)
		return prompt_refuse(r->fault, "logprobs",
				     "the upstream's API has nothing of the kind");
	if (json_int(value, &n) == 0 && n > 1 && sl_slice_is(key, "best_of"))
		return prompt_refuse(r->fault, "best_of", "one answer is made here");
	if (json_int(value, &n) == 0 && n > 1 && sl_slice_is(key, "n"))
		return prompt_refuse(r->fault, "n", "one answer is made here");
	return 0;
}

static bool is_own(struct sl_slice key)
{
	static const char *const own[] = {"suffix", "echo", "logprobs", "best_of", "n", NULL};

	return prompt_is_named(own, key);
}

static int read_member(const struct prompt_reading *r, struct sl_slice key, struct json value)
{
	int taken = prompt_take_option(r, options, sizeof(options) / sizeof(*options), key, value);

	if (taken != 0)
		return taken < 0 ? taken : 0;
	if (prompt_is_named(quiet, key))
		return 0;
	return is_own(key) ? refuse_own(r, key, value) : prompt_drop_unknown(r, key, value);
}

static int read_prompt(const struct prompt_reading *r, struct json prompt)
{
	struct prompt_message *m = prompt_alloc(r->p, sizeof(*m));
	struct prompt_part *part = prompt_alloc(r->p, sizeof(*part));
	struct json_walk w;
	struct sl_slice key;

	if (!m || !part)
		return -SL_E_NOMEM;
	if (prompt.type == JSON_ARRAY && prompt_count(prompt) == 1) {
		json_walk_init(&w, prompt);
		json_walk_next(&w, &key, &prompt);
	}
	if (prompt.type != JSON_STRING)
		return prompt_refuse(r->fault, "prompt", "one text is what can be asked here");
	*part = (struct prompt_part){.kind = PROMPT_TEXT, .text = prompt, .source = prompt};
	*m = (struct prompt_message){PROMPT_USER, part, 1};
	r->p->messages = m;
	r->p->n_messages = 1;
	return 0;
}

int prompt_read_completions(struct json body, struct prompt *p, struct request_fault *fault)
{
	const struct prompt_reading r = {p, fault};
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0;

	json_walk_init(&w, body);
	while (result == 0 && json_walk_next(&w, &key, &value) == 1)
		result = read_member(&r, key, value);
	return result < 0 ? result : read_prompt(&r, json_get(body, "prompt"));
}
