/*
 * Reads what a client of OpenAI's chat completions asks for.
 *
 *	messages ─▶ a message each; neighbouring results of tools, and the user's text behind
 *	            them, are one
 */
#include "codec/prompt_read.h"

#include <sluice/error.h>

#define ONLY_HERE "what it names is kept by the provider, and not known here"

/* ---- Parts of a message */

static int refuse(const struct prompt_reading *r, const struct prompt_at *where, const char *name,
		  const char *why)
{
	struct prompt_at at;

	prompt_at(&at, "%s.%s", where->text, name);
	return prompt_refuse(r->fault, at.text, why);
}

static int read_image(const struct prompt_reading *r, struct json part,
		      const struct prompt_at *where, struct prompt_part *out)
{
	struct json image = json_get(part, "image_url"), url = image;
	struct prompt_at at;

	out->kind = PROMPT_IMAGE;
	if (image.type != JSON_STRING) { /* some clients leave the object out */
		prompt_at(&at, "%s.image_url", where->text);
		if (prompt_need_string(r, image, &at, "url", &url) < 0)
			return -SL_E_TYPE;
	}
	if (!prompt_split_data_url(url, &out->media, &out->data))
		out->url = url;
	return 0;
}

static int read_audio(const struct prompt_reading *r, struct json part,
		      const struct prompt_at *where, struct prompt_part *out)
{
	struct json audio = json_get(part, "input_audio"), data, format;
	struct prompt_at at;

	prompt_at(&at, "%s.input_audio", where->text);
	out->kind = PROMPT_AUDIO;
	if (prompt_need_string(r, audio, &at, "data", &data) < 0 ||
	    prompt_need_string(r, audio, &at, "format", &format) < 0)
		return -SL_E_TYPE;
	out->data = sl_slice(data.raw.p + 1, data.raw.n - 2);
	out->media = prompt_wrap(r->p, JSON_NONE, SL_LIT("audio/"),
				 sl_slice(format.raw.p + 1, format.raw.n - 2), SL_LIT(""))
			     .raw;
	return out->media.n ? 0 : -SL_E_NOMEM;
}

static int read_file(const struct prompt_reading *r, struct json part,
		     const struct prompt_at *where, struct prompt_part *out)
{
	struct json file = json_get(part, "file"), data;
	struct prompt_at at;

	prompt_at(&at, "%s.file", where->text);
	out->kind = PROMPT_FILE;
	out->name = json_get(file, "filename");
	if (out->name.type != JSON_STRING)
		out->name = (struct json){0};
	if (!prompt_is_absent(json_get(file, "file_id")))
		return refuse(r, &at, "file_id", ONLY_HERE);
	if (prompt_need_string(r, file, &at, "file_data", &data) < 0)
		return -SL_E_TYPE;
	if (!prompt_split_data_url(data, &out->media, &out->data)) {
		out->media = SL_LIT("application/pdf");
		out->data = sl_slice(data.raw.p + 1, data.raw.n - 2);
	}
	return 0;
}

static int read_part(const struct prompt_reading *r, struct json part, const struct prompt_at *at,
		     struct prompt_part *out)
{
	struct json type = json_get(part, "type");

	out->source = part;
	if (part.type != JSON_OBJECT)
		return prompt_fault(r->fault, at, "must be an object");
	if (json_is(type, "text")) {
		out->kind = PROMPT_TEXT;
		return prompt_need_string(r, part, at, "text", &out->text);
	}
	if (json_is(type, "refusal")) {
		out->kind = PROMPT_REFUSAL;
		return prompt_need_string(r, part, at, "refusal", &out->text);
	}
	if (json_is(type, "image_url"))
		return read_image(r, part, at, out);
	if (json_is(type, "input_audio"))
		return read_audio(r, part, at, out);
	if (json_is(type, "file"))
		return read_file(r, part, at, out);
	return refuse(r, at, "type", "a content part of this kind is not known here");
}

/* A message's content behind the parts that it has already. `parts` has room for them. */
static int read_content(const struct prompt_reading *r, struct json content,
			const struct prompt_at *where, struct prompt_part *parts, size_t *n)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0;

	if (prompt_is_absent(content))
		return 0;
	if (content.type == JSON_STRING) {
		parts[(*n)++] = (struct prompt_part){
			.kind = PROMPT_TEXT, .text = content, .source = content};
		return 0;
	}
	if (content.type != JSON_ARRAY)
		return prompt_fault(r->fault, where, "must be a string or an array");
	json_walk_init(&w, content);
	for (size_t i = 0; result == 0 && json_walk_next(&w, &key, &value) == 1; i++) {
		struct prompt_at at;

		prompt_at(&at, "%s[%zu]", where->text, i);
		result = read_part(r, value, &at, &parts[(*n)++]);
	}
	return result;
}

/* ---- What an assistant said */

static int read_call(const struct prompt_reading *r, struct json call,
		     const struct prompt_at *where, struct prompt_part *out)
{
	struct json function = json_get(call, "function"), type = json_get(call, "type");
	struct prompt_at at;

	out->kind = PROMPT_TOOL_CALL;
	out->source = call;
	if (!prompt_is_absent(type) && !json_is(type, "function"))
		return refuse(r, where, "type", "only calls of functions are known here");
	if (prompt_need_string(r, call, where, "id", &out->id) < 0)
		return -SL_E_TYPE;
	prompt_at(&at, "%s.function", where->text);
	if (prompt_need_string(r, function, &at, "name", &out->name) < 0)
		return -SL_E_TYPE;
	out->arguments = json_get(function, "arguments");
	if (prompt_is_absent(out->arguments))
		out->arguments = (struct json){0};
	else if (out->arguments.type != JSON_STRING && out->arguments.type != JSON_OBJECT)
		return prompt_need_string(r, function, &at, "arguments", &out->arguments);
	out->signature = json_get2(json_get(call, "extra_content"), "google", "thought_signature");
	if (out->signature.type != JSON_STRING)
		out->signature = (struct json){0};
	return 0;
}

static int read_calls(const struct prompt_reading *r, struct json calls,
		      const struct prompt_at *where, struct prompt_part *parts, size_t *n)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0;

	if (prompt_is_absent(calls))
		return 0;
	if (calls.type != JSON_ARRAY)
		return prompt_fault(r->fault, where, "must be an array");
	json_walk_init(&w, calls);
	for (size_t i = 0; result == 0 && json_walk_next(&w, &key, &value) == 1; i++) {
		struct prompt_at at;

		prompt_at(&at, "%s[%zu]", where->text, i);
		result = read_call(r, value, &at, &parts[(*n)++]);
	}
	return result;
}

/* The call of old, which has no id: the name is as good, for there is one at a time. */
static int read_function_call(const struct prompt_reading *r, struct json function,
			      const struct prompt_at *at, struct prompt_part *out)
{
	out->kind = PROMPT_TOOL_CALL;
	out->source = function;
	if (prompt_need_string(r, function, at, "name", &out->name) < 0)
		return -SL_E_TYPE;
	out->id = out->name;
	out->arguments = json_get(function, "arguments");
	return 0;
}

/* Reasoning that the client gives back: its text, and, where our answer had them, signatures. */
static void read_reasoning(struct json message, struct prompt_part *parts, size_t *n)
{
	struct json text = json_get(message, "reasoning_content"), value;
	struct json details = json_get(message, "reasoning_details");
	struct prompt_part *part = NULL;
	struct json_walk w;
	struct sl_slice key;

	if (text.type != JSON_STRING)
		text = json_get(message, "reasoning");
	if (text.type == JSON_STRING && text.raw.n > 2) {
		part = &parts[(*n)++];
		*part = (struct prompt_part){
			.kind = PROMPT_REASONING, .text = text, .source = message};
	}
	json_walk_init(&w, details);
	while (json_walk_next(&w, &key, &value) == 1) {
		struct json signature = json_get(value, "signature"),
			    data = json_get(value, "data");

		if (signature.type == JSON_STRING && part && part->signature.type == JSON_NONE)
			part->signature = signature;
		else if (data.type == JSON_STRING)
			parts[(*n)++] = (struct prompt_part){.kind = PROMPT_REASONING,
							     .signature = data,
							     .redacted = true,
							     .source = value};
	}
}

static size_t parts_at_most(struct json message)
{
	struct json content = json_get(message, "content");
	size_t n = content.type == JSON_ARRAY ? prompt_count(content) : 1;

	/* reasoning, refusal, a call of old */
	return n + prompt_count(json_get(message, "tool_calls")) +
	       prompt_count(json_get(message, "reasoning_details")) + 3;
}

static int read_assistant(const struct prompt_reading *r, struct json message,
			  const struct prompt_at *where, struct prompt_message *m)
{
	struct json refusal = json_get(message, "refusal");
	struct json function = json_get(message, "function_call");
	struct prompt_at at;
	int result;

	read_reasoning(message, m->parts, &m->n_parts);
	prompt_at(&at, "%s.content", where->text);
	result = read_content(r, json_get(message, "content"), &at, m->parts, &m->n_parts);
	if (refusal.type == JSON_STRING && refusal.raw.n > 2)
		m->parts[m->n_parts++] = (struct prompt_part){
			.kind = PROMPT_REFUSAL, .text = refusal, .source = refusal};
	prompt_at(&at, "%s.tool_calls", where->text);
	if (result == 0)
		result = read_calls(r, json_get(message, "tool_calls"), &at, m->parts, &m->n_parts);
	prompt_at(&at, "%s.function_call", where->text);
	if (result == 0 && function.type == JSON_OBJECT)
		result = read_function_call(r, function, &at, &m->parts[m->n_parts++]);
	return result;
}

/* ---- Messages */

static int read_result(const struct prompt_reading *r, struct json message,
		       const struct prompt_at *where, bool legacy, struct prompt_part *out)
{
	struct json content = json_get(message, "content"), name = json_get(message, "name");
	struct prompt_at at;

	*out = (struct prompt_part){.kind = PROMPT_TOOL_RESULT, .source = message};
	if (prompt_need_string(r, message, where, legacy ? "name" : "tool_call_id", &out->id) < 0)
		return -SL_E_TYPE;
	if (name.type == JSON_STRING)
		out->name = name;
	out->content = prompt_alloc(r->p, parts_at_most(message) * sizeof(*out->content));
	if (!out->content)
		return -SL_E_NOMEM;
	prompt_at(&at, "%s.content", where->text);
	return read_content(r, content, &at, out->content, &out->n_content);
}

static bool is_result(struct json message)
{
	return json_is(json_get(message, "role"), "tool") ||
	       json_is(json_get(message, "role"), "function");
}

/* How many parts a message has at the most that begins with a result: it and those behind it, and
 * the message that follows them. */
static size_t run_at_most(struct json_walk behind)
{
	struct json value;
	struct sl_slice key;
	size_t n = 1;

	while (json_walk_next(&behind, &key, &value) == 1) {
		if (!is_result(value))
			return n + parts_at_most(value);
		n++;
	}
	return n;
}

/* The message that tool results go into: that of the ones before, or the next. */
static struct prompt_message *results_message(struct prompt *p, struct json_walk behind)
{
	struct prompt_message *last = p->n_messages ? &p->messages[p->n_messages - 1] : NULL;

	if (last && last->role == PROMPT_USER && last->n_parts > 0 &&
	    last->parts[last->n_parts - 1].kind == PROMPT_TOOL_RESULT)
		return last;
	last = &p->messages[p->n_messages];
	last->role = PROMPT_USER;
	last->parts = prompt_alloc(p, run_at_most(behind) * sizeof(*last->parts));
	if (!last->parts)
		return NULL;
	p->n_messages++;
	return last;
}

static int read_message(const struct prompt_reading *r, struct json message,
			const struct json_walk *behind, const struct prompt_at *where)
{
	static const struct {
		const char *word;
		enum prompt_role role;
	} roles[] = {{"user", PROMPT_USER},
		     {"assistant", PROMPT_ASSISTANT},
		     {"system", PROMPT_SYSTEM},
		     {"developer", PROMPT_SYSTEM}};
	struct json role = json_get(message, "role");
	struct prompt_message *m;
	struct prompt_at at;

	if (message.type != JSON_OBJECT)
		return prompt_fault(r->fault, where, "must be an object");
	if (is_result(message)) {
		m = results_message(r->p, *behind);
		return m ? read_result(r, message, where, json_is(role, "function"),
				       &m->parts[m->n_parts++])
			 : -SL_E_NOMEM;
	}
	prompt_at(&at, "%s.content", where->text);
	if (json_is(role, "user") && r->p->n_messages > 0) {
		m = &r->p->messages[r->p->n_messages - 1];
		if (m->role == PROMPT_USER && m->n_parts > 0 &&
		    m->parts[m->n_parts - 1].kind == PROMPT_TOOL_RESULT)
			return read_content(r, json_get(message, "content"), &at, m->parts,
					    &m->n_parts);
	}
	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		if (!json_is(role, roles[i].word))
			continue;
		m = &r->p->messages[r->p->n_messages++];
		m->role = roles[i].role;
		m->parts = prompt_alloc(r->p, parts_at_most(message) * sizeof(*m->parts));
		if (!m->parts)
			return -SL_E_NOMEM;
		return m->role == PROMPT_ASSISTANT ? read_assistant(r, message, where, m)
						   : read_content(r, json_get(message, "content"),
								  &at, m->parts, &m->n_parts);
	}
	prompt_at(&at, "%s.role", where->text);
	return prompt_fault(r->fault, &at, "must be system, developer, user, assistant or tool");
}

static int read_messages(const struct prompt_reading *r, struct json messages)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	size_t n = prompt_count(messages);
	int result = 0;

	r->p->messages = prompt_alloc(r->p, (n + 1) * sizeof(*r->p->messages));
	if (!r->p->messages)
		return -SL_E_NOMEM;
	json_walk_init(&w, messages);
	for (size_t i = 0; result == 0 && json_walk_next(&w, &key, &value) == 1; i++) {
		struct prompt_at at;

		prompt_at(&at, "messages[%zu]", i);
		result = read_message(r, value, &w, &at);
	}
	return result;
}

/* ---- Tools */

static int read_tool(const struct prompt_reading *r, struct json tool,
		     const struct prompt_at *where, bool legacy, struct prompt_tool *out)
{
	struct json function = legacy ? tool : json_get(tool, "function");
	struct prompt_at at = *where;

	if (!legacy && !json_is(json_get(tool, "type"), "function"))
		return refuse(r, where, "type", "only tools of type function are known here");
	if (!legacy)
		prompt_at(&at, "%s.function", where->text);
	if (prompt_need_string(r, function, &at, "name", &out->name) < 0)
		return -SL_E_TYPE;
	out->description = json_get(function, "description");
	out->schema = json_get(function, "parameters");
	out->strict = json_get(function, "strict");
	if (out->description.type != JSON_STRING)
		out->description = (struct json){0};
	if (out->schema.type != JSON_OBJECT)
		out->schema = (struct json){0};
	if (out->strict.type != JSON_TRUE && out->strict.type != JSON_FALSE)
		out->strict = (struct json){0};
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
	r->p->tools = prompt_alloc(r->p, (prompt_count(tools) + 1) * sizeof(*r->p->tools));
	if (!r->p->tools)
		return -SL_E_NOMEM;
	json_walk_init(&w, tools);
	while (result == 0 && json_walk_next(&w, &key, &value) == 1) {
		prompt_at(&at, "%s[%zu]", name, r->p->n_tools);
		result = read_tool(r, value, &at, legacy, &r->p->tools[r->p->n_tools++]);
	}
	return result;
}

/* tool_choice, or function_call of old, whose object has the name itself. */
static int read_choice(const struct prompt_reading *r, const char *member, struct json choice)
{
	static const struct {
		const char *word;
		enum prompt_choice choice;
	} words[] = {
		{"auto", PROMPT_AUTO}, {"required", PROMPT_REQUIRED}, {"none", PROMPT_NO_TOOLS}};
	struct json name = json_get2(choice, "function", "name");
	struct prompt_at at;

	if (prompt_is_absent(choice))
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!json_is(choice, words[i].word))
			continue;
		r->p->choice = words[i].choice;
		return 0;
	}
	if (name.type == JSON_NONE)
		name = json_get(choice, "name");
	if (name.type == JSON_STRING) {
		r->p->choice = PROMPT_NAMED;
		r->p->choice_name = name;
		return 0;
	}
	if (choice.type == JSON_OBJECT) {
		prompt_at(&at, "%s.type", member);
		return prompt_refuse(r->fault, at.text,
				     "only a choice of one function is known here");
	}
	prompt_at(&at, "%s", member);
	return prompt_fault(r->fault, &at, "must be auto, required, none or a function");
}

/* ---- Everything else */

static int read_format(const struct prompt_reading *r, struct json format)
{
	struct json type = json_get(format, "type"), schema = json_get(format, "json_schema");
	struct prompt_at at;

	if (prompt_is_absent(format) || json_is(type, "text"))
		return 0;
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
	r->p->schema_name = json_get(schema, "name");
	r->p->schema_strict = json_get(schema, "strict");
	prompt_at(&at, "response_format.json_schema.schema");
	return r->p->schema.type == JSON_OBJECT ? 0
						: prompt_fault(r->fault, &at, "must be an object");
}

/* OpenRouter's way to ask for reasoning. */
static int read_reasoning_option(const struct prompt_reading *r, struct json reasoning)
{
	struct json effort = json_get(reasoning, "effort"),
		    most = json_get(reasoning, "max_tokens");

	if (effort.type == JSON_STRING)
		r->p->option[PROMPT_EFFORT] = effort;
	if (most.type == JSON_NUMBER)
		r->p->option[PROMPT_BUDGET] = most;
	return 0;
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

/* Read already, ours, or of no effect on the answer. */
static const char *const quiet[] = {"model", "messages", "stream", "stream_options", "store", NULL};

static int read_member(const struct prompt_reading *r, struct sl_slice key, struct json value)
{
	int taken = prompt_take_option(r, options, sizeof(options) / sizeof(*options), key, value);

	if (taken != 0)
		return taken < 0 ? taken : 0;
	if (prompt_is_named(quiet, key) || sl_slice_is(key, "max_completion_tokens"))
		return 0;
	if (sl_slice_is(key, "tools"))
		return read_tools(r, "tools", value, false);
	if (sl_slice_is(key, "functions"))
		return r->p->n_tools ? 0 : read_tools(r, "functions", value, true);
	if (sl_slice_is(key, "tool_choice"))
		return read_choice(r, "tool_choice", value);
	if (sl_slice_is(key, "function_call"))
		return read_choice(r, "function_call", value);
	if (sl_slice_is(key, "response_format"))
		return read_format(r, value);
	if (sl_slice_is(key, "reasoning"))
		return read_reasoning_option(r, value);
	if (sl_slice_is(key, "audio") && value.type == JSON_OBJECT)
		return prompt_refuse(r->fault, "audio", "answers in sound are not known here");
	return prompt_drop_unknown(r, key, value);
}

/* What asks for nothing. */
static void forget_defaults(struct prompt *p)
{
	int64_t n;

	if (json_int(p->option[PROMPT_N], &n) == 0 && n == 1)
		p->option[PROMPT_N] = (struct json){0};
	if (p->option[PROMPT_LOGPROBS].type == JSON_FALSE)
		p->option[PROMPT_LOGPROBS] = p->option[PROMPT_TOP_LOGPROBS] = (struct json){0};
	if (prompt_count(p->option[PROMPT_LOGIT_BIAS]) == 0)
		p->option[PROMPT_LOGIT_BIAS] = (struct json){0};
}

int prompt_read_chat(struct json body, struct prompt *p, struct request_fault *fault)
{
	static const struct prompt_member newer[] = {
		{"max_completion_tokens", PROMPT_MAX_TOKENS, JSON_NUMBER}};
	const struct prompt_reading r = {p, fault};
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int result = 0, taken;

	json_walk_init(&w, body);
	while (result == 0 && json_walk_next(&w, &key, &value) == 1)
		result = read_member(&r, key, value);
	taken = prompt_take_option(&r, newer, 1, SL_LIT("max_completion_tokens"),
				   json_get(body, "max_completion_tokens").type == JSON_NONE
					   ? (struct json){JSON_NULL, {0}}
					   : json_get(body, "max_completion_tokens"));
	if (result == 0 && taken < 0)
		result = taken;
	if (result == 0)
		result = read_messages(&r, json_get(body, "messages"));
	if (result == 0) {
		forget_defaults(p);
		result = prompt_name_results(p);
	}
	return result;
}
