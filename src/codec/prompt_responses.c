/*
 * Reads what a client of OpenAI's Responses asks for.
 *
 *	instructions ─▶ the first message
 *	input ─▶ items ─▶ a message each; of several parts, or of one: a call, a result, reasoning
 *
 * Only what the request holds is known here. What it refers to (items, files, conversations that
 * the provider stores) is refused, and so are tools of the provider's own.
 */
#include "codec/prompt_read.h"

#include <stdio.h>
#include <sluice/error.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Each is looked for among all tools. */
#define ALLOWED_MAX 1024

#define ONLY_HERE "only what is in the request is known here"

struct reading {
	struct prompt *p;
	struct request_fault *fault;
};

static size_t count_of(struct json container)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	size_t n = 0;

	json_walk_init(&w, container);
	while (json_walk_next(&w, &key, &value) == 1)
		n++;
	return n;
}

static bool is_absent(struct json v)
{
	return v.type == JSON_NONE || v.type == JSON_NULL;
}

static struct json get_string(struct json object, const char *name)
{
	struct json v = json_get(object, name);

	return v.type == JSON_STRING ? v : (struct json){0};
}

/* A member that must be a string. */
static int need_string(const struct reading *r, struct json object, const struct prompt_at *where,
		       const char *name, struct json *out)
{
	struct prompt_at at;

	*out = json_get(object, name);
	if (out->type == JSON_STRING)
		return 0;
	prompt_at(&at, "%s.%s", where->text, name);
	return prompt_fault(r->fault, &at, "must be a string");
}

static int refuse_member(const struct reading *r, const struct prompt_at *where, const char *name,
			 const char *why)
{
	struct prompt_at at;

	prompt_at(&at, "%s.%s", where->text, name);
	return prompt_refuse(r->fault, at.text, why);
}

/* before, what stands between the quotes of `string`, behind: a token. Type NONE without memory. */
static struct json wrapped(struct prompt *p, enum json_type type, struct sl_slice before,
			   struct sl_slice middle, struct sl_slice behind)
{
	char *bytes = prompt_alloc(p, before.n + middle.n + behind.n);

	if (!bytes)
		return (struct json){0};
	memcpy(bytes, before.p, before.n);
	memcpy(bytes + before.n, middle.p, middle.n);
	memcpy(bytes + before.n + middle.n, behind.p, behind.n);
	return (struct json){type, sl_slice(bytes, before.n + middle.n + behind.n)};
}

/* ---- Parts of a message */

static int read_image(const struct reading *r, struct json part, const struct prompt_at *at,
		      struct prompt_part *out)
{
	struct json url = json_get(part, "image_url");

	out->kind = PROMPT_IMAGE;
	if (is_absent(url) && !is_absent(json_get(part, "file_id")))
		return refuse_member(r, at, "file_id", ONLY_HERE);
	if (url.type != JSON_STRING)
		return need_string(r, part, at, "image_url", &url);
	if (!prompt_split_data_url(url, &out->media, &out->data))
		out->url = url;
	return 0;
}

/* Data without a data: URL around it is taken for what its name says, else for the usual. */
static struct sl_slice media_of_name(struct json name)
{
	struct sl_slice end = SL_LIT(".txt\"");

	if (name.raw.n >= end.n && memcmp(name.raw.p + name.raw.n - end.n, end.p, end.n) == 0)
		return SL_LIT("text/plain");
	return SL_LIT("application/pdf");
}

static int read_file(const struct reading *r, struct json part, const struct prompt_at *at,
		     struct prompt_part *out)
{
	struct json url = json_get(part, "file_url"), data = json_get(part, "file_data");

	out->kind = PROMPT_FILE;
	out->name = get_string(part, "filename");
	if (url.type == JSON_STRING) {
		out->url = url;
		return 0;
	}
	if (is_absent(data) && !is_absent(json_get(part, "file_id")))
		return refuse_member(r, at, "file_id", ONLY_HERE);
	if (data.type != JSON_STRING)
		return need_string(r, part, at, "file_data", &data);
	if (!prompt_split_data_url(data, &out->media, &out->data)) {
		out->media = media_of_name(out->name);
		out->data = sl_slice(data.raw.p + 1, data.raw.n - 2);
	}
	return 0;
}

static int read_audio(const struct reading *r, struct json part, const struct prompt_at *where,
		      struct prompt_part *out)
{
	struct json audio = json_get(part, "input_audio"), format, data;
	struct prompt_at at;
	int result;

	prompt_at(&at, "%s.input_audio", where->text);
	out->kind = PROMPT_AUDIO;
	result = need_string(r, audio, &at, "data", &data);
	if (result == 0)
		result = need_string(r, audio, &at, "format", &format);
	if (result < 0)
		return result;
	out->data = sl_slice(data.raw.p + 1, data.raw.n - 2);
	out->media = wrapped(r->p, JSON_NONE, SL_LIT("audio/"),
			     sl_slice(format.raw.p + 1, format.raw.n - 2), SL_LIT(""))
			     .raw;
	return out->media.n ? 0 : -SL_E_NOMEM;
}

static int read_part(const struct reading *r, struct json part, const struct prompt_at *at,
		     struct prompt_part *out)
{
	struct json type = json_get(part, "type");

	out->source = part;
	if (part.type != JSON_OBJECT)
		return prompt_fault(r->fault, at, "must be an object");
	if (json_is(type, "input_text") || json_is(type, "output_text") || json_is(type, "text")) {
		out->kind = PROMPT_TEXT;
		return need_string(r, part, at, "text", &out->text);
	}
	if (json_is(type, "refusal")) {
		out->kind = PROMPT_REFUSAL;
		return need_string(r, part, at, "refusal", &out->text);
	}
	if (json_is(type, "input_image"))
		return read_image(r, part, at, out);
	if (json_is(type, "input_file"))
		return read_file(r, part, at, out);
	if (json_is(type, "input_audio"))
		return read_audio(r, part, at, out);
	return refuse_member(r, at, "type", "a content part of this kind is not known here");
}

/* Content that is a string or an array of parts. */
static int read_parts(const struct reading *r, struct json content, const struct prompt_at *where,
		      struct prompt_part **parts, size_t *n)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	size_t count = content.type == JSON_ARRAY ? count_of(content) : 1;
	int result = 0;

	if (content.type != JSON_ARRAY && content.type != JSON_STRING)
		return prompt_fault(r->fault, where, "must be a string or an array");
	*parts = prompt_alloc(r->p, count * sizeof(**parts));
	if (!*parts)
		return -SL_E_NOMEM;
	*n = count;
	if (content.type == JSON_STRING) {
		**parts = (struct prompt_part){PROMPT_TEXT, .text = content, .source = content};
		return 0;
	}
	json_walk_init(&w, content);
	for (size_t i = 0; result == 0 && json_walk_next(&w, &key, &value) == 1; i++) {
		struct prompt_at at;

		prompt_at(&at, "%s[%zu]", where->text, i);
		result = read_part(r, value, &at, &(*parts)[i]);
	}
	return result;
}

/* ---- Items */

/* The part of an item that is one. */
static struct prompt_part *only_part(const struct reading *r, struct json item,
				     enum prompt_role role, enum prompt_part_kind kind,
				     struct prompt_message *m)
{
	struct prompt_part *part = prompt_alloc(r->p, sizeof(*part));

	if (!part)
		return NULL;
	part->kind = kind;
	part->source = item;
	*m = (struct prompt_message){role, part, 1};
	return part;
}

static int read_role(const struct reading *r, struct json item, const struct prompt_at *where,
		     enum prompt_role *role)
{
	static const struct {
		const char *word;
		enum prompt_role role;
	} roles[] = {
		{"user", PROMPT_USER},
		{"assistant", PROMPT_ASSISTANT},
		{"system", PROMPT_SYSTEM},
		{"developer", PROMPT_SYSTEM},
	};
	struct json value = json_get(item, "role");
	struct prompt_at at;

	for (size_t i = 0; i < COUNT(roles); i++) {
		if (json_is(value, roles[i].word)) {
			*role = roles[i].role;
			return 0;
		}
	}
	prompt_at(&at, "%s.role", where->text);
	return prompt_fault(r->fault, &at, "must be user, assistant, system or developer");
}

static int read_message(const struct reading *r, struct json item, const struct prompt_at *where,
			struct prompt_message *m)
{
	struct prompt_at at;
	int result = read_role(r, item, where, &m->role);

	if (result < 0)
		return result;
	prompt_at(&at, "%s.content", where->text);
	return read_parts(r, json_get(item, "content"), &at, &m->parts, &m->n_parts);
}

static int read_call(const struct reading *r, struct json item, const struct prompt_at *at,
		     struct prompt_message *m)
{
	struct prompt_part *part = only_part(r, item, PROMPT_ASSISTANT, PROMPT_TOOL_CALL, m);
	int result;

	if (!part)
		return -SL_E_NOMEM;
	result = need_string(r, item, at, "call_id", &part->id);
	if (result == 0)
		result = need_string(r, item, at, "name", &part->name);
	return result < 0 ? result : need_string(r, item, at, "arguments", &part->arguments);
}

/* Its input is free text, which other APIs know only as a member of arguments. */
static int read_custom_call(const struct reading *r, struct json item, const struct prompt_at *at,
			    struct prompt_message *m)
{
	struct prompt_part *part = only_part(r, item, PROMPT_ASSISTANT, PROMPT_TOOL_CALL, m);
	struct json input = {0};
	int result;

	if (!part)
		return -SL_E_NOMEM;
	result = need_string(r, item, at, "call_id", &part->id);
	if (result == 0)
		result = need_string(r, item, at, "name", &part->name);
	if (result == 0)
		result = need_string(r, item, at, "input", &input);
	if (result < 0)
		return result;
	part->arguments = wrapped(r->p, JSON_OBJECT, SL_LIT("{\"input\":"), input.raw, SL_LIT("}"));
	return part->arguments.type == JSON_NONE ? -SL_E_NOMEM : 0;
}

static int read_result(const struct reading *r, struct json item, const struct prompt_at *where,
		       struct prompt_message *m)
{
	struct prompt_part *part = only_part(r, item, PROMPT_USER, PROMPT_TOOL_RESULT, m);
	struct prompt_at at;
	int result;

	if (!part)
		return -SL_E_NOMEM;
	result = need_string(r, item, where, "call_id", &part->id);
	if (result < 0)
		return result;
	prompt_at(&at, "%s.output", where->text);
	return read_parts(r, json_get(item, "output"), &at, &part->content, &part->n_content);
}

/* The next text in an array of {"text"} that is not empty: 1; 0 at the end. */
static int next_text(struct json_walk *w, struct sl_slice *text)
{
	struct json value;
	struct sl_slice key;

	while (json_walk_next(w, &key, &value) == 1) {
		struct json string = get_string(value, "text");

		if (string.type == JSON_NONE || string.raw.n == 2)
			continue;
		*text = sl_slice(string.raw.p + 1, string.raw.n - 2);
		return 1;
	}
	return 0;
}

/* All of them as one string; type NONE when there is none. 0 or -SL_E_NOMEM. */
static int join_texts(const struct reading *r, struct json array, struct json *joined)
{
	struct sl_slice between = SL_LIT("\\n\\n"), text;
	struct json_walk w;
	size_t n = 0;
	char *p;

	json_walk_init(&w, array);
	while (next_text(&w, &text) == 1)
		n += text.n + between.n;
	if (n == 0)
		return 0;
	p = prompt_alloc(r->p, n + 2);
	if (!p)
		return -SL_E_NOMEM;
	*joined = (struct json){JSON_STRING, sl_slice(p, n + 2 - between.n)};
	*p++ = '"';
	json_walk_init(&w, array);
	while (next_text(&w, &text) == 1) {
		memcpy(p, text.p, text.n);
		memcpy(p + text.n, between.p, between.n);
		p += text.n + between.n;
	}
	p[-(ptrdiff_t)between.n] = '"';
	return 0;
}

static int read_reasoning(const struct reading *r, struct json item, struct prompt_message *m)
{
	struct prompt_part *part = only_part(r, item, PROMPT_ASSISTANT, PROMPT_REASONING, m);
	int result;

	if (!part)
		return -SL_E_NOMEM;
	result = join_texts(r, json_get(item, "summary"), &part->text);
	if (result == 0 && part->text.type == JSON_NONE)
		result = join_texts(r, json_get(item, "content"), &part->text);
	part->signature = get_string(item, "encrypted_content");
	part->redacted = part->text.type == JSON_NONE && part->signature.type == JSON_STRING;
	if (part->text.type == JSON_NONE && !part->redacted)
		m->n_parts = 0;
	return result;
}

static int read_item(const struct reading *r, struct json item, const struct prompt_at *at,
		     struct prompt_message *m)
{
	struct json type = json_get(item, "type");

	if (item.type != JSON_OBJECT)
		return prompt_fault(r->fault, at, "must be an object");
	if (json_is(type, "message") ||
	    (is_absent(type) && json_get(item, "role").type != JSON_NONE))
		return read_message(r, item, at, m);
	if (json_is(type, "function_call"))
		return read_call(r, item, at, m);
	if (json_is(type, "custom_tool_call"))
		return read_custom_call(r, item, at, m);
	if (json_is(type, "function_call_output") || json_is(type, "custom_tool_call_output"))
		return read_result(r, item, at, m);
	if (json_is(type, "reasoning"))
		return read_reasoning(r, item, m);
	if (json_is(type, "item_reference") || is_absent(type))
		return refuse_member(r, at, "type", ONLY_HERE ": no reference to an item");
	return refuse_member(r, at, "type", "an item of this kind means nothing to the upstream");
}

static int read_items(const struct reading *r, struct json input)
{
	struct json_walk w;
	struct json item;
	struct sl_slice key;
	int result = 0;

	json_walk_init(&w, input);
	for (size_t i = 0; result == 0 && json_walk_next(&w, &key, &item) == 1; i++) {
		struct prompt_message *m = &r->p->messages[r->p->n_messages];
		struct prompt_at at;

		prompt_at(&at, "input[%zu]", i);
		result = read_item(r, item, &at, m);
		if (m->n_parts > 0)
			r->p->n_messages++;
		else
			*m = (struct prompt_message){0};
	}
	return result;
}

static int add_text(const struct reading *r, enum prompt_role role, struct json text)
{
	struct prompt_message *m = &r->p->messages[r->p->n_messages];
	struct prompt_part *part = only_part(r, text, role, PROMPT_TEXT, m);

	if (!part)
		return -SL_E_NOMEM;
	part->text = text;
	r->p->n_messages++;
	return 0;
}

static int read_messages(const struct reading *r, struct json body)
{
	struct json input = json_get(body, "input"), instructions = json_get(body, "instructions");
	struct prompt_at at;
	size_t max = 1 + (input.type == JSON_ARRAY ? count_of(input) : 1);
	int result = 0;

	r->p->messages = prompt_alloc(r->p, max * sizeof(*r->p->messages));
	if (!r->p->messages)
		return -SL_E_NOMEM;
	prompt_at(&at, "instructions");
	if (!is_absent(instructions) && instructions.type != JSON_STRING)
		return prompt_fault(r->fault, &at, "must be a string");
	if (instructions.type == JSON_STRING && instructions.raw.n > 2)
		result = add_text(r, PROMPT_SYSTEM, instructions);
	if (result < 0)
		return result;
	prompt_at(&at, "input");
	if (input.type == JSON_STRING)
		return add_text(r, PROMPT_USER, input);
	if (input.type != JSON_ARRAY || count_of(input) == 0)
		return prompt_fault(r->fault, &at,
				    "must be a string or an array that is not empty");
	return read_items(r, input);
}

/* ---- Tools */

static int read_tool(const struct reading *r, struct json value, const struct prompt_at *where,
		     struct prompt_tool *tool)
{
	struct json schema = json_get(value, "parameters"), strict = json_get(value, "strict");
	struct prompt_at at;

	if (value.type != JSON_OBJECT)
		return prompt_fault(r->fault, where, "must be an object");
	if (!json_is(json_get(value, "type"), "function"))
		return refuse_member(r, where, "type",
				     "only functions can be tools here: the upstream's API has no "
				     "other");
	if (!is_absent(schema) && schema.type != JSON_OBJECT) {
		prompt_at(&at, "%s.parameters", where->text);
		return prompt_fault(r->fault, &at, "must be an object");
	}
	tool->description = get_string(value, "description");
	if (schema.type == JSON_OBJECT)
		tool->schema = schema;
	if (strict.type == JSON_TRUE || strict.type == JSON_FALSE)
		tool->strict = strict;
	return need_string(r, value, where, "name", &tool->name);
}

static int read_tools(const struct reading *r, struct json tools)
{
	struct prompt_at at;
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0;

	prompt_at(&at, "tools");
	if (is_absent(tools))
		return 0;
	if (tools.type != JSON_ARRAY)
		return prompt_fault(r->fault, &at, "must be an array");
	r->p->tools = prompt_alloc(r->p, count_of(tools) * sizeof(*r->p->tools));
	if (!r->p->tools)
		return -SL_E_NOMEM;
	json_walk_init(&w, tools);
	while (result == 0 && json_walk_next(&w, &key, &value) == 1) {
		prompt_at(&at, "tools[%zu]", r->p->n_tools);
		result = read_tool(r, value, &at, &r->p->tools[r->p->n_tools++]);
	}
	return result;
}

static bool word_to_choice(struct json word, enum prompt_choice *choice)
{
	static const struct {
		const char *word;
		enum prompt_choice choice;
	} words[] = {
		{"auto", PROMPT_AUTO},
		{"required", PROMPT_REQUIRED},
		{"none", PROMPT_NO_TOOLS},
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (json_is(word, words[i].word)) {
			*choice = words[i].choice;
			return true;
		}
	}
	return false;
}

static bool is_allowed(struct json allowed, struct json name)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;

	json_walk_init(&w, allowed);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_eq(json_get(value, "name").raw, name.raw))
			return true;
	}
	return false;
}

/* A choice among some of the tools is the same as having no others. */
static int read_allowed(const struct reading *r, struct json choice)
{
	struct json allowed = json_get(choice, "tools"), value;
	struct prompt_at at;
	struct json_walk w;
	struct sl_slice key;
	size_t kept = 0;

	prompt_at(&at, "tool_choice.mode");
	if (!word_to_choice(json_get(choice, "mode"), &r->p->choice))
		return prompt_fault(r->fault, &at, "must be auto or required");
	json_walk_init(&w, allowed);
	for (size_t i = 0; json_walk_next(&w, &key, &value) == 1; i++) {
		prompt_at(&at, "tool_choice.tools[%zu].type", i);
		if (!json_is(json_get(value, "type"), "function"))
			return prompt_refuse(r->fault, at.text, "only functions can be tools here");
		if (i == ALLOWED_MAX)
			return prompt_refuse(r->fault, at.text, "these are too many");
	}
	for (size_t i = 0; i < r->p->n_tools; i++) {
		if (is_allowed(allowed, r->p->tools[i].name))
			r->p->tools[kept++] = r->p->tools[i];
	}
	r->p->n_tools = kept;
	prompt_at(&at, "tool_choice.tools");
	return kept ? 0 : prompt_fault(r->fault, &at, "must name some of `tools`");
}

static int read_choice(const struct reading *r, struct json choice)
{
	struct json type = json_get(choice, "type");
	struct prompt_at at;

	prompt_at(&at, "tool_choice");
	if (is_absent(choice) || word_to_choice(choice, &r->p->choice))
		return 0;
	if (choice.type != JSON_OBJECT)
		return prompt_fault(r->fault, &at, "must be none, auto, required or an object");
	if (json_is(type, "allowed_tools"))
		return read_allowed(r, choice);
	if (!json_is(type, "function"))
		return refuse_member(r, &at, "type", "only functions can be tools here");
	r->p->choice = PROMPT_NAMED;
	return need_string(r, choice, &at, "name", &r->p->choice_name);
}

/* ---- Options */

/* Keeps an option that is not null, and is of that type. */
static int keep(const struct reading *r, const char *where, struct json value, enum json_type type,
		enum prompt_option option)
{
	bool is_bool = value.type == JSON_TRUE || value.type == JSON_FALSE;
	struct prompt_at at;

	if (is_absent(value))
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

static int read_format(const struct reading *r, struct json format)
{
	struct prompt_at at;
	struct prompt *p = r->p;
	struct json type = json_get(format, "type"), strict = json_get(format, "strict");

	prompt_at(&at, "text.format");
	if (is_absent(format) || json_is(type, "text"))
		return 0;
	if (json_is(type, "json_object")) {
		p->format = PROMPT_JSON_OBJECT;
		return 0;
	}
	if (!json_is(type, "json_schema"))
		return refuse_member(r, &at, "type", "must be text, json_object or json_schema");
	p->format = PROMPT_JSON_SCHEMA;
	p->schema = json_get(format, "schema");
	p->schema_name = get_string(format, "name");
	if (strict.type == JSON_TRUE || strict.type == JSON_FALSE)
		p->schema_strict = strict;
	prompt_at(&at, "text.format.schema");
	return p->schema.type == JSON_OBJECT ? 0 : prompt_fault(r->fault, &at, "must be an object");
}

static int read_text(const struct reading *r, struct json text)
{
	struct prompt_at at;
	int result;

	prompt_at(&at, "text");
	if (is_absent(text))
		return 0;
	if (text.type != JSON_OBJECT)
		return prompt_fault(r->fault, &at, "must be an object");
	result = keep(r, "text.verbosity", json_get(text, "verbosity"), JSON_STRING,
		      PROMPT_VERBOSITY);
	return result < 0 ? result : read_format(r, json_get(text, "format"));
}

static int read_reasoning_options(const struct reading *r, struct json reasoning)
{
	struct prompt_at at;

	prompt_at(&at, "reasoning");
	if (!is_absent(reasoning) && reasoning.type != JSON_OBJECT)
		return prompt_fault(r->fault, &at, "must be an object");
	return keep(r, "reasoning.effort", json_get(reasoning, "effort"), JSON_STRING,
		    PROMPT_EFFORT);
}

/* How many alternatives to each token: none of them is no wish. */
static int read_top_logprobs(const struct reading *r, struct json value)
{
	int64_t n;

	if (json_int(value, &n) == 0 && n == 0)
		return 0;
	return keep(r, "top_logprobs", value, JSON_NUMBER, PROMPT_TOP_LOGPROBS);
}

static int refuse_stored(const struct reading *r, const char *name)
{
	return prompt_refuse(r->fault, name, ONLY_HERE);
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

static int drop(const struct reading *r, struct sl_slice name)
{
	char text[64];

	if (name.n >= sizeof(text))
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)name.n, name.p);
	return prompt_drop(r->p, text);
}

static int read_option(const struct reading *r, struct sl_slice name, struct json value)
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
	static const char *const stored[] = {"previous_response_id", "conversation", "prompt"};

	if (is_absent(value) || is_quiet(name))
		return 0;
	for (size_t i = 0; i < COUNT(options); i++) {
		if (sl_slice_is(name, options[i].name))
			return keep(r, options[i].name, value, options[i].type, options[i].option);
	}
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
	return drop(r, name);
}

static int read_options(const struct reading *r, struct json body)
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

int prompt_read_responses(struct json body, struct prompt *p, struct request_fault *fault)
{
	struct reading reading = {p, fault};
	int result = read_options(&reading, body);

	if (result == 0)
		result = read_messages(&reading, body);
	if (result == 0)
		result = read_tools(&reading, json_get(body, "tools"));
	if (result == 0)
		result = read_choice(&reading, json_get(body, "tool_choice"));
	if (result == 0)
		prompt_name_results(p);
	return result;
}
