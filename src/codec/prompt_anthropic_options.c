/* Reads what a client of Messages asks for beside its messages: tools, format, options. */
#include "codec/prompt_anthropic.h"

#include <sluice/error.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- Tools */

/* Tools that the provider runs by itself: to be offered them is no promise that they are used. */
static bool is_server_tool(struct json type)
{
	static const char *const names[] = {"web_search", "web_fetch", "code_execution",
					    "tool_search", "mcp_toolset"};
	struct sl_slice s =
		type.type == JSON_STRING ? sl_slice(type.raw.p + 1, type.raw.n - 2) : SL_LIT("");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (sl_slice_starts(s, names[i]))
			return true;
	}
	return false;
}

static int read_tool(const struct prompt_reading *r, struct json tool, const struct prompt_at *at)
{
	struct prompt_tool *out = &r->p->tools[r->p->n_tools];
	struct json type = json_get(tool, "type");

	if (is_server_tool(type))
		return prompt_drop(r->p, at->text);
	if (!prompt_is_absent(type) && !json_is(type, "custom"))
		return prompt_refuse_at(r, at, "type",
					"only tools with a schema of their own are known here");
	if (prompt_need_string(r, tool, at, "name", &out->name) < 0)
		return -SL_E_TYPE;
	out->description = prompt_get_string(tool, "description");
	out->strict = prompt_get_bool(tool, "strict");
	out->schema = json_get(tool, "input_schema");
	if (out->schema.type != JSON_OBJECT)
		out->schema = (struct json){0};
	r->p->n_tools++;
	return anthropic_note_extras(r, tool);
}

static int read_tools(const struct prompt_reading *r, struct json tools)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	struct prompt_at at;
	int result = 0;

	prompt_at(&at, "tools");
	if (prompt_is_absent(tools))
		return 0;
	if (tools.type != JSON_ARRAY)
		return prompt_fault(r->fault, &at, "must be an array");
	r->p->tools = prompt_alloc(r->p, (prompt_count(tools) + 1) * sizeof(*r->p->tools));
	if (!r->p->tools)
		return -SL_E_NOMEM;
	json_walk_init(&w, tools);
	for (size_t i = 0; result == 0 && json_walk_next(&w, &key, &value) == 1; i++) {
		prompt_at(&at, "tools[%zu]", i);
		result = read_tool(r, value, &at);
	}
	return result;
}

static int read_choice(const struct prompt_reading *r, struct json choice)
{
	static const struct {
		const char *word;
		enum prompt_choice choice;
	} words[] = {{"auto", PROMPT_AUTO},
		     {"any", PROMPT_REQUIRED},
		     {"none", PROMPT_NO_TOOLS},
		     {"tool", PROMPT_NAMED}};
	struct json type = json_get(choice, "type");
	struct prompt_at at;

	if (prompt_is_absent(choice))
		return 0;
	if (json_get(choice, "disable_parallel_tool_use").type == JSON_TRUE)
		r->p->option[PROMPT_PARALLEL] = (struct json){JSON_FALSE, SL_LIT("false")};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (json_is(type, words[i].word))
			r->p->choice = words[i].choice;
	}
	prompt_at(&at, "tool_choice");
	if (r->p->choice == PROMPT_NAMED)
		return prompt_need_string(r, choice, &at, "name", &r->p->choice_name);
	prompt_at(&at, "tool_choice.type");
	return r->p->choice != PROMPT_CHOICE_NONE_GIVEN
		       ? 0
		       : prompt_fault(r->fault, &at, "must be auto, any, none or tool");
}

/* ---- Everything else */

static int read_thinking_option(const struct prompt_reading *r, struct json thinking)
{
	static const struct prompt_member budget = {"thinking.budget_tokens", PROMPT_BUDGET,
						    JSON_NUMBER};
	struct prompt_at at;

	prompt_at(&at, "thinking");
	if (thinking.type != JSON_OBJECT && !prompt_is_absent(thinking))
		return prompt_fault(r->fault, &at, "must be an object");
	if (json_is(json_get(thinking, "type"), "enabled"))
		return prompt_set_option(r, &budget, json_get(thinking, "budget_tokens"));
	if (json_is(json_get(thinking, "type"), "disabled"))
		r->p->option[PROMPT_BUDGET] = (struct json){JSON_NUMBER, SL_LIT("0")};
	return 0; /* adaptive: the effort says how much */
}

static int read_format(const struct prompt_reading *r, const char *where, struct json format)
{
	struct prompt_at at;

	if (prompt_is_absent(format))
		return 0;
	prompt_at(&at, "%s.type", where);
	if (!json_is(json_get(format, "type"), "json_schema"))
		return prompt_refuse(r->fault, at.text, "only json_schema is known here");
	prompt_at(&at, "%s.schema", where);
	r->p->format = PROMPT_JSON_SCHEMA;
	r->p->schema = json_get(format, "schema");
	return r->p->schema.type == JSON_OBJECT ? 0
						: prompt_fault(r->fault, &at, "must be an object");
}

static int read_output_format(const struct prompt_reading *r, struct json format)
{
	return read_format(r, "output_format", format);
}

static int read_output(const struct prompt_reading *r, struct json output)
{
	static const struct prompt_member effort = {"output_config.effort", PROMPT_EFFORT,
						    JSON_STRING};

	if (prompt_set_option(r, &effort, json_get(output, "effort")) < 0)
		return -SL_E_TYPE;
	/* The most of all is called otherwise elsewhere. */
	if (json_is(r->p->option[PROMPT_EFFORT], "max"))
		r->p->option[PROMPT_EFFORT] = (struct json){JSON_STRING, SL_LIT("\"xhigh\"")};
	return read_format(r, "output_config.format", json_get(output, "format"));
}

/* What is not said is the usual everywhere; the other tier has a name of its own. */
static int read_tier(const struct prompt_reading *r, struct json tier)
{
	if (json_is(tier, "standard_only"))
		r->p->option[PROMPT_SERVICE_TIER] =
			(struct json){JSON_STRING, SL_LIT("\"default\"")};
	return 0;
}

static int read_metadata(const struct prompt_reading *r, struct json metadata)
{
	static const struct prompt_member user = {"metadata.user_id", PROMPT_USER_ID, JSON_STRING};

	return prompt_set_option(r, &user, json_get(metadata, "user_id"));
}

static int read_mcp_servers(const struct prompt_reading *r, struct json servers)
{
	if (prompt_count(servers) == 0)
		return 0;
	return prompt_refuse(r->fault, "mcp_servers",
			     "the provider would have to call them, and this one does not");
}

int prompt_refuse_thread(struct json thread, struct request_fault *fault)
{
	struct json type = json_get(thread, "type");

	if (type.type != JSON_STRING || json_is(type, "create"))
		return 0;
	prompt_refuse(fault, "thread",
		      "this conversation is not held here; send all of its messages");
	fault->code = PROMPT_THREAD_NOT_FOUND;
	return -SL_E_MISSING;
}

static int read_thread(const struct prompt_reading *r, struct json thread)
{
	int result = prompt_refuse_thread(thread, r->fault);

	if (result < 0 || thread.type == JSON_NULL)
		return result;
	return prompt_drop(r->p, "thread");
}

static const struct prompt_member options[] = {
	{"max_tokens", PROMPT_MAX_TOKENS, JSON_NUMBER},
	{"temperature", PROMPT_TEMPERATURE, JSON_NUMBER},
	{"top_p", PROMPT_TOP_P, JSON_NUMBER},
	{"top_k", PROMPT_TOP_K, JSON_NUMBER},
	{"stop_sequences", PROMPT_STOP, JSON_ARRAY},
};

/* Members that are more than an option. */
static const struct {
	const char *name;
	int (*read)(const struct prompt_reading *r, struct json value);
} members[] = {
	{"tools", read_tools},
	{"tool_choice", read_choice},
	{"thinking", read_thinking_option},
	{"output_config", read_output},
	{"output_format", read_output_format},
	{"service_tier", read_tier},
	{"metadata", read_metadata},
	{"mcp_servers", read_mcp_servers},
	{"thread", read_thread},
};

/* Read elsewhere, or ours. */
static const char *const quiet[] = {"model", "messages", "system", "stream", NULL};

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

int anthropic_read_members(const struct prompt_reading *r, struct json body)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0;

	json_walk_init(&w, body);
	while (result == 0 && json_walk_next(&w, &key, &value) == 1)
		result = read_member(r, key, value);
	return result;
}
