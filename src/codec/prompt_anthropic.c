/*
 * Reads what a client of Anthropic's Messages asks for.
 *
 *	system ─▶ the first message        messages ─▶ a message each        blocks ─▶ parts
 *
 * Of the history what no other API has is left out, so that a conversation can go on elsewhere; of
 * the question itself what cannot be done is refused.
 */
#include "codec/prompt_anthropic.h"

#include <stdio.h>
#include <string.h>
#include <sluice/error.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- Blocks */

/* A block of a kind that other APIs have nothing of: what the provider's own tools did, and what is
 * yet to come. */
static int drop_block(const struct prompt_reading *r, struct json type)
{
	char name[80];

	if (type.raw.n > 60)
		return prompt_drop(r->p, "content");
	snprintf(name, sizeof(name), "content.%.*s", (int)type.raw.n - 2, type.raw.p + 1);
	return prompt_drop(r->p, name);
}

int anthropic_note_extras(const struct prompt_reading *r, struct json block)
{
	struct json citations = json_get(block, "citations");
	int result = 0;

	if (json_get(block, "cache_control").type == JSON_OBJECT)
		result = prompt_drop(r->p, "cache_control");
	if (result == 0 && prompt_count(citations) > 0)
		result = prompt_drop(r->p, "citations");
	return result;
}

/* The texts of an array of blocks as one string. Other blocks are left out: they are parts of a
 * document, which is one part here. */
static int join_blocks(const struct prompt_reading *r, struct json blocks,
		       const struct prompt_at *where, struct json *out)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	size_t n = 0, room = blocks.raw.n;
	char *bytes = prompt_alloc(r->p, room);

	if (!bytes)
		return -SL_E_NOMEM;
	bytes[n++] = '"';
	json_walk_init(&w, blocks);
	for (size_t i = 0; json_walk_next(&w, &key, &value) == 1; i++) {
		struct prompt_at at;
		struct json type, text;

		prompt_at(&at, "%s[%zu]", where->text, i);
		if (prompt_need_string(r, value, &at, "type", &type) < 0)
			return -SL_E_TYPE;
		if (!json_is(type, "text")) {
			if (drop_block(r, type) < 0)
				return -SL_E_NOMEM;
			continue;
		}
		if (prompt_need_string(r, value, &at, "text", &text) < 0)
			return -SL_E_TYPE;
		if (n > 1) { /* "\\n" takes less than what was around the text */
			bytes[n++] = '\\';
			bytes[n++] = 'n';
		}
		memcpy(bytes + n, text.raw.p + 1, text.raw.n - 2);
		n += text.raw.n - 2;
	}
	bytes[n++] = '"';
	*out = (struct json){JSON_STRING, sl_slice(bytes, n)};
	return 0;
}

/* Content that is to be one text: a string, or blocks. */
static int read_text(const struct prompt_reading *r, struct json object,
		     const struct prompt_at *where, struct prompt_part *out)
{
	struct json content = json_get(object, "content");
	struct prompt_at at;

	out->kind = PROMPT_TEXT;
	prompt_at(&at, "%s.content", where->text);
	if (content.type == JSON_ARRAY)
		return join_blocks(r, content, &at, &out->text);
	if (content.type != JSON_STRING)
		return prompt_fault(r->fault, &at, "must be a string or an array");
	out->text = content;
	return 0;
}

/* Images and documents: base64 or a URL; documents also as text or blocks. */
static int read_source(const struct prompt_reading *r, struct json block,
		       const struct prompt_at *where, struct prompt_part *out)
{
	struct json source = json_get(block, "source"), type = json_get(source, "type");
	struct json media, data;
	struct prompt_at at;

	prompt_at(&at, "%s.source", where->text);
	out->name = prompt_get_string(block, "title");
	if (json_is(type, "url"))
		return prompt_need_string(r, source, &at, "url", &out->url);
	if (json_is(type, "text") && out->kind == PROMPT_FILE) {
		out->kind = PROMPT_TEXT;
		return prompt_need_string(r, source, &at, "data", &out->text);
	}
	if (json_is(type, "content") && out->kind == PROMPT_FILE)
		return read_text(r, source, &at, out);
	if (!json_is(type, "base64"))
		return prompt_refuse_at(r, &at, "type", "what it names is not in the request");
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

static int read_thinking(const struct prompt_reading *r, struct json block,
			 const struct prompt_at *at, struct prompt_part *out)
{
	out->signature = prompt_get_string(block, "signature");
	if (out->signature.raw.n == 2)
		out->signature = (struct json){0};
	return prompt_need_string(r, block, at, "thinking", &out->text);
}

static int read_redacted(const struct prompt_reading *r, struct json block,
			 const struct prompt_at *at, struct prompt_part *out)
{
	out->redacted = true;
	return prompt_need_string(r, block, at, "data", &out->signature);
}

static int read_plain(const struct prompt_reading *r, struct json block, const struct prompt_at *at,
		      struct prompt_part *out)
{
	return prompt_need_string(r, block, at, "text", &out->text);
}

static const struct {
	const char *type;
	enum prompt_part_kind kind;
	bool in_results; /* may stand within a tool's result */
	int (*read)(const struct prompt_reading *r, struct json block, const struct prompt_at *at,
		    struct prompt_part *out);
} blocks[] = {
	{"text", PROMPT_TEXT, true, read_plain},
	{"image", PROMPT_IMAGE, true, read_source},
	{"document", PROMPT_FILE, true, read_source},
	{"search_result", PROMPT_TEXT, true, read_text},
	{"tool_use", PROMPT_TOOL_CALL, false, read_call},
	{"tool_result", PROMPT_TOOL_RESULT, false, read_result},
	{"thinking", PROMPT_REASONING, false, read_thinking},
	{"redacted_thinking", PROMPT_REASONING, false, read_redacted},
};

/* 1: *out is the part; 0: the block is left out; -SL_E_TYPE, -SL_E_NOMEM. */
static int read_block(const struct prompt_reading *r, struct json block, const struct prompt_at *at,
		      bool in_result, struct prompt_part *out)
{
	struct json type;
	int result = block.type == JSON_OBJECT ? anthropic_note_extras(r, block)
					       : prompt_fault(r->fault, at, "must be an object");

	if (result < 0)
		return result;
	if (prompt_need_string(r, block, at, "type", &type) < 0)
		return -SL_E_TYPE;
	for (size_t i = 0; i < COUNT(blocks); i++) {
		if (!json_is(type, blocks[i].type) || (in_result && !blocks[i].in_results))
			continue;
		*out = (struct prompt_part){.kind = blocks[i].kind, .source = block};
		result = blocks[i].read(r, block, at, out);
		return result < 0 ? result : 1;
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

	if (prompt_is_absent(system) || (system.type == JSON_STRING && system.raw.n == 2))
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

int prompt_read_anthropic(struct json body, struct prompt *p, struct request_fault *fault)
{
	const struct prompt_reading r = {p, fault};
	int result = anthropic_read_members(&r, body);

	if (result == 0)
		result = read_messages(&r, body);
	return result == 0 ? prompt_name_results(p) : result;
}
