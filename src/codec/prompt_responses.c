/*
 * Reads what a client of OpenAI's Responses asks for.
 *
 *	instructions ─▶ the first message
 *	input ─▶ items ─▶ a message each; of several parts, or of one: a call, a result, reasoning
 *
 * Only what the request holds is known here; what is kept of earlier answers was put into it before
 * (references.h). What it refers to yet (items, files, conversations that the provider stores) is
 * refused, and so are tools of the provider's own.
 */
#include "codec/prompt_responses.h"

#include <sluice/error.h>
#include "codec/references.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- Parts of a message */

static int read_image(const struct prompt_reading *r, struct json part, const struct prompt_at *at,
		      struct prompt_part *out)
{
	struct json url = json_get(part, "image_url");

	out->kind = PROMPT_IMAGE;
	out->detail = prompt_get_string(part, "detail");
	if (prompt_is_absent(url) && !prompt_is_absent(json_get(part, "file_id")))
		return prompt_refuse_at(r, at, "file_id", RESPONSES_ONLY_HERE);
	if (url.type != JSON_STRING)
		return prompt_need_string(r, part, at, "image_url", &url);
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

static int read_file(const struct prompt_reading *r, struct json part, const struct prompt_at *at,
		     struct prompt_part *out)
{
	struct json url = json_get(part, "file_url"), data = json_get(part, "file_data");

	out->kind = PROMPT_FILE;
	out->name = prompt_get_string(part, "filename");
	if (url.type == JSON_STRING) {
		out->url = url;
		return 0;
	}
	if (prompt_is_absent(data) && !prompt_is_absent(json_get(part, "file_id")))
		return prompt_refuse_at(r, at, "file_id", RESPONSES_ONLY_HERE);
	if (data.type != JSON_STRING)
		return prompt_need_string(r, part, at, "file_data", &data);
	if (!prompt_split_data_url(data, &out->media, &out->data)) {
		out->media = media_of_name(out->name);
		out->data = sl_slice(data.raw.p + 1, data.raw.n - 2);
	}
	return 0;
}

static int read_audio(const struct prompt_reading *r, struct json part,
		      const struct prompt_at *where, struct prompt_part *out)
{
	struct json audio = json_get(part, "input_audio"), format, data;
	struct prompt_at at;
	int result;

	prompt_at(&at, "%s.input_audio", where->text);
	out->kind = PROMPT_AUDIO;
	result = prompt_need_string(r, audio, &at, "data", &data);
	if (result == 0)
		result = prompt_need_string(r, audio, &at, "format", &format);
	if (result < 0)
		return result;
	out->data = sl_slice(data.raw.p + 1, data.raw.n - 2);
	out->media = prompt_wrap(r->p, JSON_NONE, SL_LIT("audio/"),
				 sl_slice(format.raw.p + 1, format.raw.n - 2), SL_LIT(""))
			     .raw;
	return out->media.n ? 0 : -SL_E_NOMEM;
}

static int read_part(const struct prompt_reading *r, struct json part, const struct prompt_at *at,
		     struct prompt_part *out)
{
	struct json type = json_get(part, "type");

	out->source = part;
	if (part.type != JSON_OBJECT)
		return prompt_fault(r->fault, at, "must be an object");
	if (json_is(type, "input_text") || json_is(type, "output_text") || json_is(type, "text")) {
		out->kind = PROMPT_TEXT;
		return prompt_need_string(r, part, at, "text", &out->text);
	}
	if (json_is(type, "refusal")) {
		out->kind = PROMPT_REFUSAL;
		return prompt_need_string(r, part, at, "refusal", &out->text);
	}
	if (json_is(type, "input_image"))
		return read_image(r, part, at, out);
	if (json_is(type, "input_file"))
		return read_file(r, part, at, out);
	if (json_is(type, "input_audio"))
		return read_audio(r, part, at, out);
	return prompt_refuse_at(r, at, "type", "a content part of this kind is not known here");
}

/* Content that is a string or an array of parts. */
static int read_parts(const struct prompt_reading *r, struct json content,
		      const struct prompt_at *where, struct prompt_part **parts, size_t *n)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	size_t count = content.type == JSON_ARRAY ? prompt_count(content) : 1;
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
static struct prompt_part *only_part(const struct prompt_reading *r, struct json item,
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

static int read_role(const struct prompt_reading *r, struct json item,
		     const struct prompt_at *where, enum prompt_role *role)
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

static int read_message(const struct prompt_reading *r, struct json item,
			const struct prompt_at *where, struct prompt_message *m)
{
	struct prompt_at at;
	int result = read_role(r, item, where, &m->role);

	if (result < 0)
		return result;
	prompt_at(&at, "%s.content", where->text);
	return read_parts(r, json_get(item, "content"), &at, &m->parts, &m->n_parts);
}

static int read_call(const struct prompt_reading *r, struct json item, const struct prompt_at *at,
		     struct prompt_message *m)
{
	struct prompt_part *part = only_part(r, item, PROMPT_ASSISTANT, PROMPT_TOOL_CALL, m);
	int result;

	if (!part)
		return -SL_E_NOMEM;
	result = prompt_need_string(r, item, at, "call_id", &part->id);
	if (result == 0)
		result = prompt_need_string(r, item, at, "name", &part->name);
	return result < 0 ? result : prompt_need_string(r, item, at, "arguments", &part->arguments);
}

/* Its input is free text, which other APIs know only as a member of arguments. */
static int read_custom_call(const struct prompt_reading *r, struct json item,
			    const struct prompt_at *at, struct prompt_message *m)
{
	struct prompt_part *part = only_part(r, item, PROMPT_ASSISTANT, PROMPT_TOOL_CALL, m);
	struct json input = {0};
	int result;

	if (!part)
		return -SL_E_NOMEM;
	result = prompt_need_string(r, item, at, "call_id", &part->id);
	if (result == 0)
		result = prompt_need_string(r, item, at, "name", &part->name);
	if (result == 0)
		result = prompt_need_string(r, item, at, "input", &input);
	if (result < 0)
		return result;
	part->arguments =
		prompt_wrap(r->p, JSON_OBJECT, SL_LIT("{\"input\":"), input.raw, SL_LIT("}"));
	return part->arguments.type == JSON_NONE ? -SL_E_NOMEM : 0;
}

static int read_result(const struct prompt_reading *r, struct json item,
		       const struct prompt_at *where, struct prompt_message *m)
{
	struct prompt_part *part = only_part(r, item, PROMPT_USER, PROMPT_TOOL_RESULT, m);
	struct prompt_at at;
	int result;

	if (!part)
		return -SL_E_NOMEM;
	result = prompt_need_string(r, item, where, "call_id", &part->id);
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
		struct json string = prompt_get_string(value, "text");

		if (string.type == JSON_NONE || string.raw.n == 2)
			continue;
		*text = sl_slice(string.raw.p + 1, string.raw.n - 2);
		return 1;
	}
	return 0;
}

/* All of them as one string; type NONE when there is none. 0 or -SL_E_NOMEM. */
static int join_texts(const struct prompt_reading *r, struct json array, struct json *joined)
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

static int read_reasoning(const struct prompt_reading *r, struct json item,
			  struct prompt_message *m)
{
	struct prompt_part *part = only_part(r, item, PROMPT_ASSISTANT, PROMPT_REASONING, m);
	int result;

	if (!part)
		return -SL_E_NOMEM;
	result = join_texts(r, json_get(item, "summary"), &part->text);
	if (result == 0 && part->text.type == JSON_NONE)
		result = join_texts(r, json_get(item, "content"), &part->text);
	part->signature = prompt_get_string(item, "encrypted_content");
	part->redacted = part->text.type == JSON_NONE && part->signature.type == JSON_STRING;
	if (part->text.type == JSON_NONE && !part->redacted)
		m->n_parts = 0;
	return result;
}

/* What it refers to would stand here, if it were kept (references.h). */
static int refuse_reference(const struct prompt_reading *r, struct json item,
			    const struct prompt_at *where)
{
	struct prompt_at at;
	struct json id;
	int result = prompt_need_string(r, item, where, "id", &id);

	if (result < 0)
		return result;
	prompt_at(&at, "%s.id", where->text);
	prompt_refuse(r->fault, at.text,
		      "this item is not kept, or no longer; a client that says \"store\": false "
		      "sends items whole");
	r->fault->code = "item_not_found";
	return -SL_E_MISSING;
}

static int read_item(const struct prompt_reading *r, struct json item, const struct prompt_at *at,
		     struct prompt_message *m)
{
	struct json type = json_get(item, "type");

	if (item.type != JSON_OBJECT)
		return prompt_fault(r->fault, at, "must be an object");
	if (json_is(type, "message") ||
	    (prompt_is_absent(type) && json_get(item, "role").type != JSON_NONE))
		return read_message(r, item, at, m);
	if (json_is(type, "function_call"))
		return read_call(r, item, at, m);
	if (json_is(type, "custom_tool_call"))
		return read_custom_call(r, item, at, m);
	if (json_is(type, "function_call_output") || json_is(type, "custom_tool_call_output"))
		return read_result(r, item, at, m);
	if (json_is(type, "reasoning"))
		return read_reasoning(r, item, m);
	if (reference_is_one(item))
		return refuse_reference(r, item, at);
	return prompt_refuse_at(r, at, "type",
				"an item of this kind means nothing to the upstream");
}

static int read_items(const struct prompt_reading *r, struct json input)
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

/* How many messages from `at` on are one answer, and of how many parts. */
static size_t count_run(const struct prompt *p, size_t at, size_t *n_parts)
{
	size_t n = 0;

	*n_parts = 0;
	do
		*n_parts += p->messages[at + n++].n_parts;
	while (at + n < p->n_messages && p->messages[at].role == PROMPT_ASSISTANT &&
	       p->messages[at + n].role == PROMPT_ASSISTANT);
	return n;
}

/* The items of one answer become one message: there are APIs that want all its calls in one. */
static int join_answers(struct prompt *p)
{
	size_t kept = 0, run, n_parts;

	for (size_t at = 0; at < p->n_messages; at += run) {
		struct prompt_message m = p->messages[at];

		run = count_run(p, at, &n_parts);
		if (run > 1) {
			m.parts = prompt_alloc(p, n_parts * sizeof(*m.parts));
			if (!m.parts)
				return -SL_E_NOMEM;
			m.n_parts = 0;
			for (size_t i = at; i < at + run; i++) {
				memcpy(m.parts + m.n_parts, p->messages[i].parts,
				       p->messages[i].n_parts * sizeof(*m.parts));
				m.n_parts += p->messages[i].n_parts;
			}
		}
		p->messages[kept++] = m;
	}
	p->n_messages = kept;
	return 0;
}

static int add_text(const struct prompt_reading *r, enum prompt_role role, struct json text)
{
	struct prompt_message *m = &r->p->messages[r->p->n_messages];
	struct prompt_part *part = only_part(r, text, role, PROMPT_TEXT, m);

	if (!part)
		return -SL_E_NOMEM;
	part->text = text;
	r->p->n_messages++;
	return 0;
}

static int read_messages(const struct prompt_reading *r, struct json body)
{
	struct json input = json_get(body, "input"), instructions = json_get(body, "instructions");
	struct prompt_at at;
	size_t max = 1 + (input.type == JSON_ARRAY ? prompt_count(input) : 1);
	int result = 0;

	r->p->messages = prompt_alloc(r->p, max * sizeof(*r->p->messages));
	if (!r->p->messages)
		return -SL_E_NOMEM;
	prompt_at(&at, "instructions");
	if (!prompt_is_absent(instructions) && instructions.type != JSON_STRING)
		return prompt_fault(r->fault, &at, "must be a string");
	if (instructions.type == JSON_STRING && instructions.raw.n > 2)
		result = add_text(r, PROMPT_SYSTEM, instructions);
	if (result < 0)
		return result;
	prompt_at(&at, "input");
	if (input.type == JSON_STRING)
		return add_text(r, PROMPT_USER, input);
	if (input.type != JSON_ARRAY || prompt_count(input) == 0)
		return prompt_fault(r->fault, &at,
				    "must be a string or an array that is not empty");
	return read_items(r, input);
}

int prompt_read_responses(struct json body, struct prompt *p, struct request_fault *fault)
{
	struct prompt_reading reading = {p, fault};
	int result = responses_read_options(&reading, body);

	if (result == 0)
		result = read_messages(&reading, body);
	if (result == 0)
		result = responses_read_tools(&reading, json_get(body, "tools"));
	if (result == 0)
		result = responses_read_choice(&reading, json_get(body, "tool_choice"));
	if (result == 0)
		result = join_answers(p);
	if (result == 0)
		result = prompt_name_results(p);
	return result;
}
