/*
 * Reads what a client of OpenAI's chat completions asks for.
 *
 *	messages ─▶ a message each; neighbouring results of tools, and the user's text behind
 *	            them, are one
 */
#include "codec/prompt_chat.h"

#include <sluice/error.h>
#include "codec/relatives.h"

#define ONLY_HERE "what it names is kept by the provider, and not known here"

/* ---- Parts of a message */

static int read_image(const struct prompt_reading *r, struct json part,
		      const struct prompt_at *where, struct prompt_part *out)
{
	struct json image = json_get(part, "image_url"), url = image;
	struct prompt_at at;

	out->kind = PROMPT_IMAGE;
	out->detail = prompt_get_string(image, "detail");
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
	out->name = prompt_get_string(file, "filename");
	if (!prompt_is_absent(json_get(file, "file_id")))
		return prompt_refuse_at(r, &at, "file_id", ONLY_HERE);
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
	return prompt_refuse_at(r, at, "type", "a content part of this kind is not known here");
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

/* Some clients give an object where text is asked for. */
static int read_arguments(const struct prompt_reading *r, struct json function,
			  const struct prompt_at *at, struct prompt_part *out)
{
	struct json arguments = json_get(function, "arguments");

	if (prompt_is_absent(arguments))
		return 0;
	if (arguments.type != JSON_OBJECT)
		return prompt_need_string(r, function, at, "arguments", &out->arguments);
	out->arguments = arguments;
	return 0;
}

static int read_call(const struct prompt_reading *r, struct json call,
		     const struct prompt_at *where, struct prompt_part *out)
{
	struct json function = json_get(call, "function"), type = json_get(call, "type");
	struct prompt_at at;

	out->kind = PROMPT_TOOL_CALL;
	out->source = call;
	if (!prompt_is_absent(type) && !json_is(type, "function"))
		return prompt_refuse_at(r, where, "type", "only calls of functions are known here");
	if (prompt_need_string(r, call, where, "id", &out->id) < 0)
		return -SL_E_TYPE;
	prompt_at(&at, "%s.function", where->text);
	if (prompt_need_string(r, function, &at, "name", &out->name) < 0)
		return -SL_E_TYPE;
	if (read_arguments(r, function, &at, out) < 0)
		return -SL_E_TYPE;
	out->signature =
		prompt_get_string(json_get2(call, "extra_content", "google"), "thought_signature");
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

/* The call of old has no id, and there is one in a message at the most: so it gets the number of
 * its message. */
static int read_function_call(const struct prompt_reading *r, struct json function,
			      const struct prompt_at *at, struct prompt_part *out)
{
	struct prompt_at id;

	out->kind = PROMPT_TOOL_CALL;
	out->source = function;
	if (prompt_need_string(r, function, at, "name", &out->name) < 0)
		return -SL_E_TYPE;
	prompt_at(&id, "function_call_%zu", r->p->n_messages);
	out->id = prompt_make_string(r->p, sl_slice_str(id.text));
	if (out->id.type == JSON_NONE)
		return -SL_E_NOMEM;
	return read_arguments(r, function, at, out);
}

/* A string with something in it. */
static struct json text_of(struct json object, const char *name)
{
	struct json v = prompt_get_string(object, name);

	return v.raw.n > 2 ? v : (struct json){0};
}

/* What was said of the reasoning in details: its signature, what is withheld, and text where it
 * stands nowhere else. Of several signatures none is that of the whole text. */
static void read_details(struct json details, struct json text, struct prompt_part *parts,
			 size_t *n)
{
	struct prompt_part *signed_part = text.type == JSON_STRING ? &parts[*n - 1] : NULL;
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	size_t n_signatures = 0;

	json_walk_init(&w, details);
	while (json_walk_next(&w, &key, &value) == 1) {
		struct prompt_part part = {.kind = PROMPT_REASONING,
					   .text = text_of(value, "text"),
					   .signature = text_of(value, "signature"),
					   .source = value};
		struct json data = text_of(value, "data");

		if (data.type == JSON_STRING) {
			part.signature = data;
			part.redacted = true;
			parts[(*n)++] = part;
		} else if (signed_part) {
			if (part.signature.type == JSON_STRING)
				signed_part->signature =
					n_signatures++ ? (struct json){0} : part.signature;
		} else if (part.text.type == JSON_STRING || part.signature.type == JSON_STRING) {
			parts[(*n)++] = part;
		}
	}
}

/* Reasoning that the client gives back. */
static void read_reasoning(struct json message, struct prompt_part *parts, size_t *n)
{
	struct json text = {0};

	for (size_t i = 0; i < RELATIVES_REASONING && text.type == JSON_NONE; i++)
		text = text_of(message, relatives_reasoning[i].p);
	if (text.type == JSON_STRING)
		parts[(*n)++] = (struct prompt_part){
			.kind = PROMPT_REASONING, .text = text, .source = message};
	read_details(json_get(message, "reasoning_details"), text, parts, n);
}

static size_t count_content(struct json message)
{
	struct json content = json_get(message, "content");

	return content.type == JSON_ARRAY ? prompt_count(content) : 1;
}

static int read_assistant(const struct prompt_reading *r, struct json message,
			  const struct prompt_at *where, struct prompt_message *m)
{
	struct json refusal = text_of(message, "refusal");
	struct json function = json_get(message, "function_call");
	size_t most = count_content(message) + prompt_count(json_get(message, "tool_calls")) +
		      prompt_count(json_get(message, "reasoning_details")) +
		      3; /* reasoning, refusal, a call of old */
	struct prompt_at at;
	int result;

	m->parts = prompt_alloc(r->p, most * sizeof(*m->parts));
	if (!m->parts)
		return -SL_E_NOMEM;
	read_reasoning(message, m->parts, &m->n_parts);
	prompt_at(&at, "%s.content", where->text);
	result = read_content(r, json_get(message, "content"), &at, m->parts, &m->n_parts);
	if (refusal.type == JSON_STRING)
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

/* The messages one after the other. */
struct cursor {
	struct json_walk walk;
	struct json message, role;
	struct prompt_at at;
	size_t next;
	bool any;
};

static void cursor_step(struct cursor *c)
{
	struct sl_slice key;

	c->any = json_walk_next(&c->walk, &key, &c->message) == 1;
	c->role = c->any ? json_get(c->message, "role") : (struct json){0};
	prompt_at(&c->at, "messages[%zu]", c->next++);
}

static bool is_result(struct json role)
{
	return json_is(role, "tool") || json_is(role, "function");
}

/* Results of old have no id either: theirs is the call's before them. */
static struct json id_of_function(const struct prompt_message *before, struct json name)
{
	const struct prompt_part *last =
		before && before->n_parts ? &before->parts[before->n_parts - 1] : NULL;

	if (last && last->kind == PROMPT_TOOL_CALL && sl_slice_eq(last->name.raw, name.raw))
		return last->id;
	return name;
}

static int read_result(const struct prompt_reading *r, const struct cursor *c,
		       const struct prompt_message *before, struct prompt_part *out)
{
	bool legacy = json_is(c->role, "function");
	struct prompt_at at;

	*out = (struct prompt_part){.kind = PROMPT_TOOL_RESULT, .source = c->message};
	out->name = prompt_get_string(c->message, "name");
	if (prompt_need_string(r, c->message, &c->at, legacy ? "name" : "tool_call_id", &out->id) <
	    0)
		return -SL_E_TYPE;
	if (legacy)
		out->id = id_of_function(before, out->id);
	out->content = prompt_alloc(r->p, count_content(c->message) * sizeof(*out->content));
	if (!out->content)
		return -SL_E_NOMEM;
	prompt_at(&at, "%s.content", c->at.text);
	return read_content(r, json_get(c->message, "content"), &at, out->content, &out->n_content);
}

/* How many parts the results from here on make, with what the user says behind them. */
static size_t count_run(struct cursor c)
{
	size_t n = 0;

	for (; c.any && is_result(c.role); cursor_step(&c))
		n++;
	return c.any && json_is(c.role, "user") ? n + count_content(c.message) : n;
}

static int read_user_content(const struct prompt_reading *r, const struct cursor *c,
			     struct prompt_message *m)
{
	struct prompt_at at;

	if (json_get(c->message, "name").type == JSON_STRING &&
	    prompt_drop(r->p, "messages.name") < 0)
		return -SL_E_NOMEM;
	prompt_at(&at, "%s.content", c->at.text);
	return read_content(r, json_get(c->message, "content"), &at, m->parts, &m->n_parts);
}

/* Results of tools that follow each other, and the user's message behind them: one message. */
static int read_run(const struct prompt_reading *r, struct cursor *c)
{
	struct prompt_message *m = &r->p->messages[r->p->n_messages];
	const struct prompt_message *before = r->p->n_messages ? m - 1 : NULL;
	int result = 0;

	m->role = PROMPT_USER;
	m->parts = prompt_alloc(r->p, count_run(*c) * sizeof(*m->parts));
	if (!m->parts)
		return -SL_E_NOMEM;
	r->p->n_messages++;
	for (; result == 0 && c->any && is_result(c->role); cursor_step(c))
		result = read_result(r, c, before, &m->parts[m->n_parts++]);
	if (result < 0 || !c->any || !json_is(c->role, "user"))
		return result;
	result = read_user_content(r, c, m);
	cursor_step(c);
	return result;
}

/* A message that becomes one. */
static int read_message(const struct prompt_reading *r, struct cursor *c)
{
	static const struct {
		const char *word;
		enum prompt_role role;
	} roles[] = {{"user", PROMPT_USER},
		     {"assistant", PROMPT_ASSISTANT},
		     {"system", PROMPT_SYSTEM},
		     {"developer", PROMPT_SYSTEM}};
	struct prompt_message *m = &r->p->messages[r->p->n_messages];
	struct prompt_at at;
	size_t i = 0;

	while (i < sizeof(roles) / sizeof(*roles) && !json_is(c->role, roles[i].word))
		i++;
	prompt_at(&at, "%s.role", c->at.text);
	if (i == sizeof(roles) / sizeof(*roles))
		return prompt_fault(r->fault, &at,
				    "must be system, developer, user, assistant or tool");
	r->p->n_messages++;
	m->role = roles[i].role;
	if (m->role == PROMPT_ASSISTANT)
		return read_assistant(r, c->message, &c->at, m);
	m->parts = prompt_alloc(r->p, count_content(c->message) * sizeof(*m->parts));
	return m->parts ? read_user_content(r, c, m) : -SL_E_NOMEM;
}

static int read_messages(const struct prompt_reading *r, struct json messages)
{
	struct cursor c = {0};
	int result = 0;

	r->p->messages = prompt_alloc(r->p, prompt_count(messages) * sizeof(*r->p->messages));
	if (!r->p->messages)
		return -SL_E_NOMEM;
	json_walk_init(&c.walk, messages);
	cursor_step(&c);
	while (result == 0 && c.any) {
		if (c.message.type != JSON_OBJECT)
			return prompt_fault(r->fault, &c.at, "must be an object");
		if (is_result(c.role)) {
			result = read_run(r, &c);
		} else {
			result = read_message(r, &c);
			cursor_step(&c);
		}
	}
	return result;
}

int prompt_read_chat(struct json body, struct prompt *p, struct request_fault *fault)
{
	const struct prompt_reading r = {p, fault};
	int result = chat_read_members(&r, body);

	if (result == 0)
		result = read_messages(&r, json_get(body, "messages"));
	return result == 0 ? prompt_name_results(p) : result;
}
