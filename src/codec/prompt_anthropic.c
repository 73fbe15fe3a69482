/*
 * Reads what a client of Anthropic's Messages asks for.
 *
 *	system ─▶ the first message        messages ─▶ a message each        blocks ─▶ parts
 *
 * Of the history what no other API has is left out, so that a conversation can go on elsewhere; of
 * the question itself what cannot be done is refused.
 */
#include "codec/prompt_read.h"

#include <stdio.h>
#include <sluice/error.h>

/* ---- Blocks */

static int refuse(const struct prompt_reading *r, const struct prompt_at *where, const char *name,
		  const char *why)
{
	struct prompt_at at;

	prompt_at(&at, "%s.%s", where->text, name);
	return prompt_refuse(r->fault, at.text, why);
}

/* Images and documents: base64 or a URL; documents also as text. */
static int read_source(const struct prompt_reading *r, struct json block,
		       const struct prompt_at *where, struct prompt_part *out)
{
	struct json source = json_get(block, "source"), type = json_get(source, "type");
	struct json media, data;
	struct prompt_at at;

	prompt_at(&at, "%s.source", where->text);
	out->name = json_get(block, "title");
	if (out->name.type != JSON_STRING)
		out->name = (struct json){0};
	if (json_is(type, "url"))
		return prompt_need_string(r, source, &at, "url", &out->url);
	if (json_is(type, "text") && out->kind == PROMPT_FILE) {
		out->kind = PROMPT_TEXT;
		return prompt_need_string(r, source, &at, "data", &out->text);
	}
	if (!json_is(type, "base64"))
		return refuse(r, &at, "type", "only base64, url and text are known here");
	if (prompt_need_string(r, source, &at, "media_type", &media) < 0 ||
	    prompt_need_string(r, source, &at, "data", &data) < 0)
		return -SL_E_TYPE;
	out->media = sl_slice(media.raw.p + 1, media.raw.n - 2);
	out->data = sl_slice(data.raw.p + 1, data.raw.n - 2);
	return 0;
}

static int read_blocks(const struct prompt_reading *r, struct json content,
		       const struct prompt_at *where, bool in_result, struct prompt_part **parts,
		       size_t *n);

static int read_result(const struct prompt_reading *r, struct json block,
		       const struct prompt_at *where, struct prompt_part *out)
{
	struct json content = json_get(block, "content");
	struct prompt_at at;

	out->is_error = json_get(block, "is_error").type == JSON_TRUE;
	if (prompt_need_string(r, block, where, "tool_use_id", &out->id) < 0)
		return -SL_E_TYPE;
	if (prompt_is_absent(content))
		return 0;
	prompt_at(&at, "%s.content", where->text);
	return read_blocks(r, content, &at, true, &out->content, &out->n_content);
}

static int read_call(const struct prompt_reading *r, struct json block, const struct prompt_at *at,
		     struct prompt_part *out)
{
	if (prompt_need_string(r, block, at, "id", &out->id) < 0 ||
	    prompt_need_string(r, block, at, "name", &out->name) < 0)
		return -SL_E_TYPE;
	out->arguments = json_get(block, "input");
	if (out->arguments.type != JSON_OBJECT)
		out->arguments = (struct json){0};
	return 0;
}

static void read_thinking(struct json block, struct prompt_part *out)
{
	out->text = json_get(block, "thinking");
	out->signature = json_get(block, "signature");
	if (out->text.type != JSON_STRING)
		out->text = (struct json){0};
	if (out->signature.type != JSON_STRING || out->signature.raw.n == 2)
		out->signature = (struct json){0};
}

/* A block of a kind that other APIs have nothing of: what the provider's own tools did, and what is
 * yet to come. */
static int drop_block(const struct prompt_reading *r, struct json type)
{
	char name[80];

	if (type.type != JSON_STRING || type.raw.n > 60)
		return prompt_drop(r->p, "content");
	snprintf(name, sizeof(name), "content.%.*s", (int)type.raw.n - 2, type.raw.p + 1);
	return prompt_drop(r->p, name);
}

static int note_extras(const struct prompt_reading *r, struct json block)
{
	struct json citations = json_get(block, "citations");
	int result = 0;

	if (json_get(block, "cache_control").type == JSON_OBJECT)
		result = prompt_drop(r->p, "cache_control");
	if (result == 0 && prompt_count(citations) > 0)
		result = prompt_drop(r->p, "citations");
	return result;
}

/* 1: *out is the part; 0: the block is left out; -SL_E_TYPE, -SL_E_NOMEM. */
static int read_block(const struct prompt_reading *r, struct json block, const struct prompt_at *at,
		      bool in_result, struct prompt_part *out)
{
	static const struct {
		const char *type;
		enum prompt_part_kind kind;
		int (*read)(const struct prompt_reading *r, struct json block,
			    const struct prompt_at *at, struct prompt_part *out);
	} blocks[] = {
		{"image", PROMPT_IMAGE, read_source},
		{"document", PROMPT_FILE, read_source},
		{"tool_use", PROMPT_TOOL_CALL, read_call},
		{"tool_result", PROMPT_TOOL_RESULT, read_result},
	};
	struct json type = json_get(block, "type");
	int result = block.type == JSON_OBJECT ? note_extras(r, block)
					       : prompt_fault(r->fault, at, "must be an object");

	if (result < 0)
		return result;
	*out = (struct prompt_part){.kind = PROMPT_TEXT, .source = block};
	if (json_is(type, "text"))
		return prompt_need_string(r, block, at, "text", &out->text) < 0 ? -SL_E_TYPE : 1;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		if (!json_is(type, blocks[i].type) || (in_result && i >= 2))
			continue;
		out->kind = blocks[i].kind;
		result = blocks[i].read(r, block, at, out);
		return result < 0 ? result : 1;
	}
	if (json_is(type, "thinking")) {
		out->kind = PROMPT_REASONING;
		read_thinking(block, out);
		return 1;
	}
	if (json_is(type, "redacted_thinking")) {
		out->kind = PROMPT_REASONING;
		out->redacted = true;
		return prompt_need_string(r, block, at, "data", &out->signature) < 0 ? -SL_E_TYPE
										     : 1;
	}
	return drop_block(r, type);
}

/* Content that is a string or an array of blocks. */
static int read_blocks(const struct prompt_reading *r, struct json content,
		       const struct prompt_at *where, bool in_result, struct prompt_part **parts,
		       size_t *n)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0;

	if (content.type != JSON_ARRAY && content.type != JSON_STRING)
		return prompt_fault(r->fault, where, "must be a string or an array");
	*parts = prompt_alloc(r->p, (prompt_count(content) + 1) * sizeof(**parts));
	if (!*parts)
		return -SL_E_NOMEM;
	if (content.type == JSON_STRING) {
		(*parts)[(*n)++] = (struct prompt_part){
			.kind = PROMPT_TEXT, .text = content, .source = content};
		return 0;
	}
	json_walk_init(&w, content);
	for (size_t i = 0; result >= 0 && json_walk_next(&w, &key, &value) == 1; i++) {
		struct prompt_at at;

		prompt_at(&at, "%s[%zu]", where->text, i);
		result = read_block(r, value, &at, in_result, &(*parts)[*n]);
		*n += result == 1;
	}
	return result < 0 ? result : 0;
}

/* ---- Messages */

static int read_message(const struct prompt_reading *r, struct json message,
			const struct prompt_at *where)
{
	struct prompt_message *m = &r->p->messages[r->p->n_messages++];
	struct json role = json_get(message, "role");
	struct prompt_at at;

	if (json_is(role, "user")) {
		m->role = PROMPT_USER;
	} else if (json_is(role, "assistant")) {
		m->role = PROMPT_ASSISTANT;
	} else if (json_is(role, "system")) {
		m->role = PROMPT_SYSTEM;
	} else {
		prompt_at(&at, "%s.role", where->text);
		return prompt_fault(r->fault, &at, "must be user or assistant");
	}
	prompt_at(&at, "%s.content", where->text);
	return read_blocks(r, json_get(message, "content"), &at, false, &m->parts, &m->n_parts);
}

static int read_system(const struct prompt_reading *r, struct json system)
{
	struct prompt_message *m = &r->p->messages[r->p->n_messages];
	struct prompt_at at;
	int result;

	if (prompt_is_absent(system))
		return 0;
	prompt_at(&at, "system");
	m->role = PROMPT_SYSTEM;
	result = read_blocks(r, system, &at, false, &m->parts, &m->n_parts);
	r->p->n_messages += m->n_parts > 0;
	return result;
}

static int read_messages(const struct prompt_reading *r, struct json body)
{
	struct json messages = json_get(body, "messages"), value;
	struct json_walk w;
	struct sl_slice key;
	int result;

	r->p->messages = prompt_alloc(r->p, (prompt_count(messages) + 1) * sizeof(*r->p->messages));
	if (!r->p->messages)
		return -SL_E_NOMEM;
	result = read_system(r, json_get(body, "system"));
	json_walk_init(&w, messages);
	for (size_t i = 0; result == 0 && json_walk_next(&w, &key, &value) == 1; i++) {
		struct prompt_at at;

		prompt_at(&at, "messages[%zu]", i);
		result = read_message(r, value, &at);
	}
	return result;
}

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
		return refuse(r, at, "type",
			      "only tools with a schema of their own are known here");
	if (prompt_need_string(r, tool, at, "name", &out->name) < 0)
		return -SL_E_TYPE;
	out->description = json_get(tool, "description");
	out->schema = json_get(tool, "input_schema");
	out->strict = json_get(tool, "strict");
	if (out->description.type != JSON_STRING)
		out->description = (struct json){0};
	if (out->schema.type != JSON_OBJECT)
		out->schema = (struct json){0};
	if (out->strict.type != JSON_TRUE && out->strict.type != JSON_FALSE)
		out->strict = (struct json){0};
	r->p->n_tools++;
	return note_extras(r, tool);
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
	struct json type = json_get(thinking, "type");

	if (json_is(type, "disabled"))
		r->p->option[PROMPT_BUDGET] = (struct json){JSON_NUMBER, SL_LIT("0")};
	else if (json_is(type, "enabled"))
		r->p->option[PROMPT_BUDGET] = json_get(thinking, "budget_tokens");
	if (r->p->option[PROMPT_BUDGET].type != JSON_NUMBER)
		r->p->option[PROMPT_BUDGET] = (struct json){0};
	return 0;
}

static int read_format(const struct prompt_reading *r, struct json format)
{
	struct prompt_at at;

	if (prompt_is_absent(format))
		return 0;
	prompt_at(&at, "output_config.format.schema");
	r->p->format = PROMPT_JSON_SCHEMA;
	r->p->schema = json_get(format, "schema");
	return r->p->schema.type == JSON_OBJECT ? 0
						: prompt_fault(r->fault, &at, "must be an object");
}

static int read_output(const struct prompt_reading *r, struct json output)
{
	struct json effort = json_get(output, "effort");

	if (effort.type == JSON_STRING)
		r->p->option[PROMPT_EFFORT] = effort;
	return read_format(r, json_get(output, "format"));
}

static const struct prompt_member options[] = {
	{"max_tokens", PROMPT_MAX_TOKENS, JSON_NUMBER},
	{"temperature", PROMPT_TEMPERATURE, JSON_NUMBER},
	{"top_p", PROMPT_TOP_P, JSON_NUMBER},
	{"top_k", PROMPT_TOP_K, JSON_NUMBER},
	{"stop_sequences", PROMPT_STOP, JSON_ARRAY},
};

/* The provider's own tiers mean nothing elsewhere. */
static const char *const quiet[] = {"model", "messages", "system", "stream", "service_tier", NULL};

static int read_member(const struct prompt_reading *r, struct sl_slice key, struct json value)
{
	int taken = prompt_take_option(r, options, sizeof(options) / sizeof(*options), key, value);
	struct json user = json_get(value, "user_id");

	if (taken != 0)
		return taken < 0 ? taken : 0;
	if (prompt_is_named(quiet, key))
		return 0;
	if (sl_slice_is(key, "tools"))
		return read_tools(r, value);
	if (sl_slice_is(key, "tool_choice"))
		return read_choice(r, value);
	if (sl_slice_is(key, "thinking"))
		return read_thinking_option(r, value);
	if (sl_slice_is(key, "output_config"))
		return read_output(r, value);
	if (sl_slice_is(key, "output_format"))
		return read_format(r, value);
	if (sl_slice_is(key, "metadata")) {
		if (user.type == JSON_STRING)
			r->p->option[PROMPT_USER_ID] = user;
		return 0;
	}
	if (sl_slice_is(key, "mcp_servers") && prompt_count(value) > 0)
		return prompt_refuse(r->fault, "mcp_servers",
				     "the provider would have to call them, and this one does not");
	return prompt_drop_unknown(r, key, value);
}

int prompt_read_anthropic(struct json body, struct prompt *p, struct request_fault *fault)
{
	const struct prompt_reading r = {p, fault};
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0;

	json_walk_init(&w, body);
	while (result == 0 && json_walk_next(&w, &key, &value) == 1)
		result = read_member(&r, key, value);
	if (result == 0)
		result = read_messages(&r, body);
	return result == 0 ? prompt_name_results(p) : result;
}
