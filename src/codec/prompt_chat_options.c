/* Reads what a client of chat completions asks for beside its messages: tools, format, options. */
#include "codec/prompt_chat.h"

#include <sluice/error.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- Tools */

static int read_tool(const struct prompt_reading *r, struct json tool,
		     const struct prompt_at *where, bool legacy, struct prompt_tool *out)
{
	struct json function = legacy ? tool : json_get(tool, "function");
	struct prompt_at at = *where;

	if (!legacy && !json_is(json_get(tool, "type"), "function"))
		return prompt_refuse_at(r, where, "type",
					"only tools of type function are known here");
	if (!legacy)
		prompt_at(&at, "%s.function", where->text);
	if (prompt_need_string(r, function, &at, "name", &out->name) < 0)
		return -SL_E_TYPE;
	out->description = prompt_get_string(function, "description");
	out->strict = prompt_get_bool(function, "strict");
	out->schema = json_get(function, "parameters");
	if (out->schema.type != JSON_OBJECT)
		out->schema = (struct json){0};
	return 0;
}

static int read_tools(const struct prompt_reading *r, const char *name, struct json tools,
		      bool legacy)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	struct prompt_at at;
	int result = 0;

	if (prompt_is_absent(tools))
		return 0;
	prompt_at(&at, "%s", name);
	if (tools.type != JSON_ARRAY)
		return prompt_fault(r->fault, &at, "must be an array");
	r->p->tools = prompt_alloc(r->p, prompt_count(tools) * sizeof(*r->p->tools));
	if (!r->p->tools)
		return -SL_E_NOMEM;
	r->p->n_tools = 0;
	json_walk_init(&w, tools);
	while (result == 0 && json_walk_next(&w, &key, &value) == 1) {
		prompt_at(&at, "%s[%zu]", name, r->p->n_tools);
		result = read_tool(r, value, &at, legacy, &r->p->tools[r->p->n_tools++]);
	}
	return result;
}

/* tool_choice, or function_call of old, whose object has the name itself. Some clients put a word into
 * an object, as other APIs have it. */
static int read_choice(const struct prompt_reading *r, const char *member, struct json choice)
{
	struct json name = json_get2(choice, "function", "name"), type = json_get(choice, "type");
	struct prompt_at at;

	if (prompt_is_absent(choice) || prompt_choice_of_word(choice, &r->p->choice))
		return 0;
	if (name.type == JSON_NONE)
		name = json_get(choice, "name");
	if (name.type == JSON_STRING) {
		r->p->choice = PROMPT_NAMED;
		r->p->choice_name = name;
		return 0;
	}
	if (prompt_choice_of_word(type, &r->p->choice))
		return 0;
	prompt_at(&at, "%s.allowed_tools", member);
	if (json_is(type, "allowed_tools"))
		return prompt_allow_tools(r, &at, json_get(choice, "allowed_tools"));
	prompt_at(&at, "%s", member);
	if (choice.type == JSON_OBJECT)
		return prompt_refuse_at(r, &at, "type", "only a choice of functions is known here");
	return prompt_fault(r->fault, &at, "must be auto, required, none or a function");
}

/* ---- Everything else */

static int read_format(const struct prompt_reading *r, struct json format)
{
	struct json type = json_get(format, "type"), schema = json_get(format, "json_schema");
	struct prompt_at at;

	if (prompt_is_absent(format) || json_is(type, "text"))
		return 0;
	prompt_at(&at, "response_format");
	if (format.type != JSON_OBJECT)
		return prompt_fault(r->fault, &at, "must be an object");
	if (json_is(type, "json_object")) {
		r->p->format = PROMPT_JSON_OBJECT;
		return 0;
	}
	prompt_at(&at, "response_format.type");
	if (!json_is(type, "json_schema"))
		return prompt_refuse(r->fault, at.text,
				     "only text, json_object and json_schema are known here");
	r->p->format = PROMPT_JSON_SCHEMA;
	r->p->schema = json_get(schema, "schema");
	r->p->schema_name = prompt_get_string(schema, "name");
	r->p->schema_strict = prompt_get_bool(schema, "strict");
	prompt_at(&at, "response_format.json_schema.schema");
	return r->p->schema.type == JSON_OBJECT ? 0
						: prompt_fault(r->fault, &at, "must be an object");
}

/* OpenRouter's way to ask for reasoning. */
static int read_reasoning_option(const struct prompt_reading *r, struct json reasoning)
{
	static const struct prompt_member effort = {"reasoning.effort", PROMPT_EFFORT, JSON_STRING};
	static const struct prompt_member most = {"reasoning.max_tokens", PROMPT_BUDGET,
						  JSON_NUMBER};
	struct prompt_at at;

	if (prompt_is_absent(reasoning))
		return 0;
	prompt_at(&at, "reasoning");
	if (reasoning.type != JSON_OBJECT)
		return prompt_fault(r->fault, &at, "must be an object");
	if (json_get(reasoning, "enabled").type == JSON_FALSE)
		r->p->option[PROMPT_BUDGET] = (struct json){JSON_NUMBER, SL_LIT("0")};
	if (prompt_set_option(r, &effort, json_get(reasoning, "effort")) < 0)
		return -SL_E_TYPE;
	return prompt_set_option(r, &most, json_get(reasoning, "max_tokens"));
}

static const struct prompt_member options[] = {
	{"max_tokens", PROMPT_MAX_TOKENS, JSON_NUMBER},
	{"temperature", PROMPT_TEMPERATURE, JSON_NUMBER},
	{"top_p", PROMPT_TOP_P, JSON_NUMBER},
	{"top_k", PROMPT_TOP_K, JSON_NUMBER},
	{"min_p", PROMPT_MIN_P, JSON_NUMBER},
	{"stop", PROMPT_STOP, JSON_ARRAY},
	{"seed", PROMPT_SEED, JSON_NUMBER},
	{"presence_penalty", PROMPT_PRESENCE_PENALTY, JSON_NUMBER},
	{"frequency_penalty", PROMPT_FREQUENCY_PENALTY, JSON_NUMBER},
	{"logit_bias", PROMPT_LOGIT_BIAS, JSON_OBJECT},
	{"logprobs", PROMPT_LOGPROBS, JSON_TRUE},
	{"top_logprobs", PROMPT_TOP_LOGPROBS, JSON_NUMBER},
	{"n", PROMPT_N, JSON_NUMBER},
	{"user", PROMPT_USER_ID, JSON_STRING},
	{"safety_identifier", PROMPT_USER_ID, JSON_STRING},
	{"parallel_tool_calls", PROMPT_PARALLEL, JSON_TRUE},
	{"reasoning_effort", PROMPT_EFFORT, JSON_STRING},
	{"service_tier", PROMPT_SERVICE_TIER, JSON_STRING},
	{"verbosity", PROMPT_VERBOSITY, JSON_STRING},
};

/* Read elsewhere, or ours. */
static const char *const quiet[] = {
	"model",       "messages",      "stream", "stream_options", "max_completion_tokens",
	"tool_choice", "function_call", NULL};

/* What is to come beside the text. */
static int read_modalities(const struct prompt_reading *r, struct json modalities)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;

	json_walk_init(&w, modalities);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (!json_is(value, "text"))
			return prompt_refuse(r->fault, "modalities",
					     "only answers in text are known here");
	}
	return 0;
}

static int read_audio(const struct prompt_reading *r, struct json audio)
{
	return prompt_is_absent(audio)
		       ? 0
		       : prompt_refuse(r->fault, "audio", "answers in sound are not known here");
}

/* Even an empty object asks for it. */
static int drop_search(const struct prompt_reading *r, struct json search)
{
	return prompt_is_absent(search) ? 0 : prompt_drop(r->p, "web_search_options");
}

static int read_new_tools(const struct prompt_reading *r, struct json tools)
{
	return read_tools(r, "tools", tools, false);
}

static int read_functions(const struct prompt_reading *r, struct json functions)
{
	return r->p->n_tools ? 0 : read_tools(r, "functions", functions, true);
}

/* Members that are more than an option. */
static const struct {
	const char *name;
	int (*read)(const struct prompt_reading *r, struct json value);
} members[] = {
	{"tools", read_new_tools},           {"functions", read_functions},
	{"response_format", read_format},    {"reasoning", read_reasoning_option},
	{"modalities", read_modalities},     {"audio", read_audio},
	{"web_search_options", drop_search},
};

static int read_member(const struct prompt_reading *r, struct sl_slice key, struct json value)
{
	int taken = prompt_take_option(r, options, COUNT(options), key, value);

	if (taken != 0)
		return taken < 0 ? taken : 0;
	for (size_t i = 0; i < COUNT(members); i++) {
		if (sl_slice_is(key, members[i].name))
			return members[i].read(r, value);
	}
	return prompt_is_named(quiet, key) ? 0 : prompt_drop_unknown(r, key, value);
}

/* What asks for nothing. */
static void forget_defaults(struct prompt *p)
{
	struct json *option = p->option;
	int64_t n;

	if (json_int(option[PROMPT_N], &n) == 0 && n == 1)
		option[PROMPT_N] = (struct json){0};
	if (option[PROMPT_LOGPROBS].type == JSON_FALSE)
		option[PROMPT_LOGPROBS] = option[PROMPT_TOP_LOGPROBS] = (struct json){0};
	if (json_int(option[PROMPT_TOP_LOGPROBS], &n) == 0 && n == 0)
		option[PROMPT_TOP_LOGPROBS] = (struct json){0};
	if (prompt_count(option[PROMPT_LOGIT_BIAS]) == 0)
		option[PROMPT_LOGIT_BIAS] = (struct json){0};
}

int chat_read_members(const struct prompt_reading *r, struct json body)
{
	static const struct prompt_member newer = {"max_completion_tokens", PROMPT_MAX_TOKENS,
						   JSON_NUMBER};
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0;

	json_walk_init(&w, body);
	while (result == 0 && json_walk_next(&w, &key, &value) == 1)
		result = read_member(r, key, value);
	if (result == 0)
		result = prompt_set_option(r, &newer, json_get(body, newer.name));
	if (result == 0)
		result = read_choice(r, "tool_choice", json_get(body, "tool_choice"));
	if (result == 0 && !r->p->choice)
		result = read_choice(r, "function_call", json_get(body, "function_call"));
	if (result == 0)
		forget_defaults(r->p);
	return result;
}
