/* Reads the tools and options of a client's request for a response. Tools of the provider's own are
 * refused: a client would miss them without being told. */
#include "codec/prompt_responses.h"

#include <sluice/error.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- Tools */

static int read_tool(const struct prompt_reading *r, struct json value,
		     const struct prompt_at *where, struct prompt_tool *tool)
{
	struct json schema = json_get(value, "parameters"), strict = json_get(value, "strict");
	struct prompt_at at;

	if (value.type != JSON_OBJECT)
		return prompt_fault(r->fault, where, "must be an object");
	if (!json_is(json_get(value, "type"), "function"))
		return prompt_refuse_at(
			r, where, "type",
			"only functions can be tools here: the upstream's API has no "
			"other");
	if (!prompt_is_absent(schema) && schema.type != JSON_OBJECT) {
		prompt_at(&at, "%s.parameters", where->text);
		return prompt_fault(r->fault, &at, "must be an object");
	}
	tool->description = prompt_get_string(value, "description");
	if (schema.type == JSON_OBJECT)
		tool->schema = schema;
	if (strict.type == JSON_TRUE || strict.type == JSON_FALSE)
		tool->strict = strict;
	return prompt_need_string(r, value, where, "name", &tool->name);
}

int responses_read_tools(const struct prompt_reading *r, struct json tools)
{
	struct prompt_at at;
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0;

	prompt_at(&at, "tools");
	if (prompt_is_absent(tools))
		return 0;
	if (tools.type != JSON_ARRAY)
		return prompt_fault(r->fault, &at, "must be an array");
	r->p->tools = prompt_alloc(r->p, prompt_count(tools) * sizeof(*r->p->tools));
	if (!r->p->tools)
		return -SL_E_NOMEM;
	json_walk_init(&w, tools);
	while (result == 0 && json_walk_next(&w, &key, &value) == 1) {
		prompt_at(&at, "tools[%zu]", r->p->n_tools);
		result = read_tool(r, value, &at, &r->p->tools[r->p->n_tools++]);
	}
	return result;
}

int responses_read_choice(const struct prompt_reading *r, struct json choice)
{
	struct json type = json_get(choice, "type");
	struct prompt_at at;

	prompt_at(&at, "tool_choice");
	if (prompt_is_absent(choice) || prompt_choice_of_word(choice, &r->p->choice))
		return 0;
	if (choice.type != JSON_OBJECT)
		return prompt_fault(r->fault, &at, "must be none, auto, required or an object");
	if (json_is(type, "allowed_tools"))
		return prompt_allow_tools(r, &at, choice);
	if (!json_is(type, "function"))
		return prompt_refuse_at(r, &at, "type", "only functions can be tools here");
	r->p->choice = PROMPT_NAMED;
	return prompt_need_string(r, choice, &at, "name", &r->p->choice_name);
}

/* ---- Options */

/* Keeps an option that is not null, and is of that type. */
static int keep(const struct prompt_reading *r, const char *where, struct json value,
		enum json_type type, enum prompt_option option)
{
	bool is_bool = value.type == JSON_TRUE || value.type == JSON_FALSE;
	struct prompt_at at;

	if (prompt_is_absent(value))
		return 0;
	if (value.type == type || (type == JSON_TRUE && is_bool)) {
		r->p->option[option] = value;
		return 0;
	}
	prompt_at(&at, "%s", where);
	return prompt_fault(r->fault, &at,
			    type == JSON_NUMBER   ? "must be a number"
			    : type == JSON_STRING ? "must be a string"
						  : "must be true or false");
}

static int read_format(const struct prompt_reading *r, struct json format)
{
	struct prompt_at at;
	struct prompt *p = r->p;
	struct json type = json_get(format, "type"), strict = json_get(format, "strict");

	prompt_at(&at, "text.format");
	if (prompt_is_absent(format) || json_is(type, "text"))
		return 0;
	if (json_is(type, "json_object")) {
		p->format = PROMPT_JSON_OBJECT;
		return 0;
	}
	if (!json_is(type, "json_schema"))
		return prompt_refuse_at(r, &at, "type", "must be text, json_object or json_schema");
	p->format = PROMPT_JSON_SCHEMA;
	p->schema = json_get(format, "schema");
	p->schema_name = prompt_get_string(format, "name");
	if (strict.type == JSON_TRUE || strict.type == JSON_FALSE)
		p->schema_strict = strict;
	prompt_at(&at, "text.format.schema");
	return p->schema.type == JSON_OBJECT ? 0 : prompt_fault(r->fault, &at, "must be an object");
}

static int read_text(const struct prompt_reading *r, struct json text)
{
	struct prompt_at at;
	int result;

	prompt_at(&at, "text");
	if (prompt_is_absent(text))
		return 0;
	if (text.type != JSON_OBJECT)
		return prompt_fault(r->fault, &at, "must be an object");
	result = keep(r, "text.verbosity", json_get(text, "verbosity"), JSON_STRING,
		      PROMPT_VERBOSITY);
	return result < 0 ? result : read_format(r, json_get(text, "format"));
}

static int read_reasoning_options(const struct prompt_reading *r, struct json reasoning)
{
	struct prompt_at at;

	prompt_at(&at, "reasoning");
	if (!prompt_is_absent(reasoning) && reasoning.type != JSON_OBJECT)
		return prompt_fault(r->fault, &at, "must be an object");
	return keep(r, "reasoning.effort", json_get(reasoning, "effort"), JSON_STRING,
		    PROMPT_EFFORT);
}

/* How many alternatives to each token: none of them is no wish. */
static int read_top_logprobs(const struct prompt_reading *r, struct json value)
{
	int64_t n;

	if (json_int(value, &n) == 0 && n == 0)
		return 0;
	return keep(r, "top_logprobs", value, JSON_NUMBER, PROMPT_TOP_LOGPROBS);
}

/* It would have been put in front of the input, if it were kept (references.h). */
static int refuse_previous(const struct prompt_reading *r)
{
	prompt_refuse(r->fault, "previous_response_id",
		      "this response is not kept with its input, or no longer; send the whole "
		      "conversation as `input`");
	r->fault->code = "previous_response_not_found";
	return -SL_E_TYPE;
}

static int refuse_stored(const struct prompt_reading *r, const char *name)
{
	return prompt_refuse(r->fault, name, RESPONSES_ONLY_HERE);
}

/* What is read elsewhere, is the proxy's own business, or changes nothing in the answer. */
static bool is_quiet(struct sl_slice name)
{
	static const char *const names[] = {"model",    "input",      "instructions",   "tools",
					    "stream",   "store",      "stream_options", "include",
					    "metadata", "background", "tool_choice"};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (sl_slice_is(name, names[i]))
			return true;
	}
	return false;
}

static int read_option(const struct prompt_reading *r, struct sl_slice name, struct json value)
{
	static const struct {
		const char *name;
		enum json_type type;
		enum prompt_option option;
	} options[] = {
		{"max_output_tokens", JSON_NUMBER, PROMPT_MAX_TOKENS},
		{"temperature", JSON_NUMBER, PROMPT_TEMPERATURE},
		{"top_p", JSON_NUMBER, PROMPT_TOP_P},
		{"user", JSON_STRING, PROMPT_USER_ID},
		{"safety_identifier", JSON_STRING, PROMPT_USER_ID},
		{"parallel_tool_calls", JSON_TRUE, PROMPT_PARALLEL},
		{"service_tier", JSON_STRING, PROMPT_SERVICE_TIER},
	};
	static const char *const stored[] = {"conversation", "prompt"};

	if (prompt_is_absent(value) || is_quiet(name))
		return 0;
	for (size_t i = 0; i < COUNT(options); i++) {
		if (sl_slice_is(name, options[i].name))
			return keep(r, options[i].name, value, options[i].type, options[i].option);
	}
	if (sl_slice_is(name, "previous_response_id"))
		return refuse_previous(r);
	for (size_t i = 0; i < COUNT(stored); i++) {
		if (sl_slice_is(name, stored[i]))
			return refuse_stored(r, stored[i]);
	}
	if (sl_slice_is(name, "text"))
		return read_text(r, value);
	if (sl_slice_is(name, "reasoning"))
		return read_reasoning_options(r, value);
	if (sl_slice_is(name, "top_logprobs"))
		return read_top_logprobs(r, value);
	if (sl_slice_is(name, "truncation") && json_is(value, "disabled"))
		return 0; /* which nobody does */
	return prompt_drop_unknown(r, name, value);
}

int responses_read_options(const struct prompt_reading *r, struct json body)
{
	struct json_walk w;
	struct json value;
	struct sl_slice name;
	int result = 0;

	json_walk_init(&w, body);
	while (result == 0 && json_walk_next(&w, &name, &value) == 1)
		result = read_option(r, name, value);
	return result;
}
