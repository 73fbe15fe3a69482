/* Decodes and mends the delta of a choice: role, text, reasoning, refusal, tool calls. */
#include "codec/openai.h"

#include <sluice/error.h>

struct delta {
	struct json content, refusal, tool_calls, function_call, details;
	struct json reasoning[RELATIVES_REASONING];
};

/* Empty or null roles are refused by SDKs; one of them does not work without any. */
static void mend_role(struct openai_choice *c, struct members *m, struct decoded *d)
{
	bool empty =
		m->value.type == JSON_NULL || (m->value.type == JSON_STRING && m->value.raw.n == 2);

	if (empty && c->role_given)
		members_remove(m, d);
	else if (empty)
		decoded_replace(d, m->value, SL_LIT("\"assistant\""));
	c->role_given = true;
}

static void keep_reasoning(struct delta *delta, const struct members *m)
{
	for (size_t i = 0; i < RELATIVES_REASONING; i++) {
		if (sl_slice_eq(m->key, relatives_reasoning[i]))
			delta->reasoning[i] = m->value;
	}
}

static void read_members(struct openai_choice *c, struct json object, struct delta *delta,
			 struct decoded *d)
{
	struct members m;

	*delta = (struct delta){0};
	members_init(&m, object);
	while (members_next(&m, d) == 1) {
		if (members_at(&m, "content"))
			delta->content = m.value;
		else if (members_at(&m, "role"))
			mend_role(c, &m, d);
		else if (members_at(&m, "tool_calls"))
			delta->tool_calls = m.value;
		else if (members_at(&m, "refusal"))
			delta->refusal = m.value;
		else if (members_at(&m, "function_call"))
			delta->function_call = m.value;
		else if (members_at(&m, "reasoning_details"))
			delta->details = m.value;
		else
			keep_reasoning(delta, &m);
	}
}

static bool is_text(struct json v)
{
	return v.type == JSON_STRING && v.raw.n > 2;
}

static struct json preferred(const struct delta *delta)
{
	size_t i = 0;

	while (i + 1 < RELATIVES_REASONING && !is_text(delta->reasoning[i]))
		i++;
	return delta->reasoning[i];
}

/* Text of a part: a string, or parts in their turn (Mistral's `thinking`). Joined as it stands,
 * escapes and all. */
static void put_part(struct sl_buf *out, struct json v, struct decoded *d)
{
	struct json_walk w;
	struct json part;
	struct sl_slice key;
	int r = 0;

	if (v.type == JSON_STRING)
		r = sl_buf_put(out, v.raw.p + 1, v.raw.n - 2);
	decoded_note(d, r);
	if (v.type != JSON_ARRAY)
		return;
	json_walk_init(&w, v);
	while (json_walk_next(&w, &key, &part) == 1) {
		if (part.type == JSON_OBJECT)
			part = json_get(part, "text");
		if (part.type == JSON_STRING)
			put_part(out, part, d);
	}
}

/* The parts of one kind as one string. */
static struct json join_parts(struct json array, bool reasoning, struct decoded *d)
{
	struct json string = {.type = JSON_STRING};
	struct json_walk w;
	struct json part;
	struct sl_slice key;

	d->piece.len = 0;
	if (sl_buf_putc(&d->piece, '"') < 0)
		decoded_note(d, -SL_E_NOMEM);
	json_walk_init(&w, array);
	while (json_walk_next(&w, &key, &part) == 1) {
		bool thinks = json_is(json_get(part, "type"), "thinking");

		if (reasoning == thinks)
			put_part(&d->piece,
				 part.type == JSON_STRING
					 ? part
					 : json_get(part, thinks ? "thinking" : "text"),
				 d);
	}
	if (sl_buf_putc(&d->piece, '"') < 0)
		decoded_note(d, -SL_E_NOMEM);
	string.raw = decoded_keep_piece(d);
	if (d->failure)
		string = (struct json){0};
	return string;
}

/* "text","reasoning_content":"reasoning" */
static struct sl_slice both(struct json text, struct json reasoning, struct decoded *d)
{
	struct sl_slice name = SL_LIT(",\"reasoning_content\":");
	char *p = decoded_alloc(d, text.raw.n + name.n + reasoning.raw.n);

	if (!p)
		return (struct sl_slice){0};
	memcpy(p, text.raw.p, text.raw.n);
	memcpy(p + text.raw.n, name.p, name.n);
	memcpy(p + text.raw.n + name.n, reasoning.raw.p, reasoning.raw.n);
	return sl_slice(p, text.raw.n + name.n + reasoning.raw.n);
}

/* Content in parts is garbage to SDKs: what they can show is put where they look for it. */
static void mend_parts(struct delta *delta, struct decoded *d)
{
	struct json parts = delta->content;
	struct json text = join_parts(parts, false, d);
	struct json reasoning = join_parts(parts, true, d);
	bool has_own = is_text(preferred(delta));

	delta->content = (struct json){0};
	if (d->failure)
		return;
	delta->content = text;
	if (has_own || !is_text(reasoning)) {
		decoded_replace(d, parts, text.raw);
	} else if (delta->reasoning[0].type != JSON_NONE) {
		decoded_replace(d, parts, text.raw);
		decoded_replace(d, delta->reasoning[0], reasoning.raw);
		delta->reasoning[0] = reasoning;
	} else {
		decoded_replace(d, parts, both(text, reasoning, d));
		delta->reasoning[0] = reasoning;
	}
}

/* The texts of OpenRouter's reasoning in parts. */
static struct json join_details(struct json details, struct decoded *d)
{
	struct json string = {.type = JSON_STRING};
	struct json_walk w;
	struct json detail;
	struct sl_slice key;

	d->piece.len = 0;
	decoded_note(d, sl_buf_putc(&d->piece, '"'));
	json_walk_init(&w, details);
	while (json_walk_next(&w, &key, &detail) == 1) {
		put_part(&d->piece, json_get(detail, "text"), d);
		put_part(&d->piece, json_get(detail, "summary"), d);
	}
	decoded_note(d, sl_buf_putc(&d->piece, '"'));
	string.raw = decoded_keep_piece(d);
	return d->failure ? (struct json){0} : string;
}

/* Those count where there is no text beside them, and are put where clients look for one. */
static void mend_details(struct delta *delta, struct json object, struct decoded *d)
{
	struct sl_slice name = SL_LIT("\"reasoning_content\":");
	struct json text = join_details(delta->details, d);
	char *p;

	if (!is_text(text))
		return;
	if (delta->reasoning[0].type != JSON_NONE) {
		decoded_replace(d, delta->reasoning[0], text.raw);
	} else {
		p = decoded_alloc(d, name.n + text.raw.n + 1);
		if (!p)
			return;
		memcpy(p, name.p, name.n);
		memcpy(p + name.n, text.raw.p, text.raw.n);
		p[name.n + text.raw.n] = ',';
		decoded_edit(d, object.raw.p + 1, 0, sl_slice(p, name.n + text.raw.n + 1));
	}
	delta->reasoning[0] = text;
}

void openai_read_delta(struct openai_choice *c, struct json object, uint64_t seed,
		       struct decoded *d)
{
	struct delta delta;
	struct json reasoning;

	read_members(c, object, &delta, d);
	if (delta.content.type == JSON_ARRAY)
		mend_parts(&delta, d);
	/* Some servers send the same twice, under the old name and the new. */
	if (delta.details.type == JSON_ARRAY && !is_text(preferred(&delta)))
		mend_details(&delta, object, d);
	reasoning = preferred(&delta);
	decoded_add_text(d, SL_EVENT_REASONING, c->index,
			 decoded_string(d, reasoning, &c->reasoning_half));
	decoded_add_text(d, SL_EVENT_TEXT, c->index,
			 decoded_string(d, delta.content, &c->text_half));
	decoded_add_text(d, SL_EVENT_REFUSAL, c->index,
			 decoded_string(d, delta.refusal, &c->refusal_half));
	if (delta.function_call.type == JSON_OBJECT)
		tool_calls_read_legacy(&c->tools, delta.function_call, c->index, seed, d);
	if (delta.tool_calls.type == JSON_ARRAY)
		tool_calls_read(&c->tools, delta.tool_calls, c->index, seed, d);
}

/* Appends one token's object with a list of alternatives in it. */
static int put_token(struct sl_buf *out, struct json token)
{
	struct json top = json_get(token, "top_logprobs");
	const char *end = token.raw.p + token.raw.n, *at = end - 1;
	int r;

	if (token.type != JSON_OBJECT || (top.type != JSON_NONE && top.type != JSON_NULL))
		return sl_buf_put_slice(out, token.raw);
	if (top.type == JSON_NULL)
		at = top.raw.p;
	r = sl_buf_put(out, token.raw.p, (size_t)(at - token.raw.p));
	if (r == 0 && top.type == JSON_NONE)
		r = sl_buf_put_str(out, decoded_is_empty(token) ? "\"top_logprobs\":"
								: ",\"top_logprobs\":");
	if (r == 0)
		r = sl_buf_put_str(out, "[]");
	at += top.raw.n;
	return r == 0 ? sl_buf_put(out, at, (size_t)(end - at)) : r;
}

static bool lacks_top_logprobs(struct json tokens)
{
	struct json_walk w;
	struct json token;
	struct sl_slice key;

	json_walk_init(&w, tokens);
	while (json_walk_next(&w, &key, &token) == 1) {
		enum json_type type = json_get(token, "top_logprobs").type;

		if (token.type == JSON_OBJECT && (type == JSON_NONE || type == JSON_NULL))
			return true;
	}
	return false;
}

static void mend_tokens(struct json tokens, struct decoded *d)
{
	struct json_walk w;
	struct json token;
	struct sl_slice key;
	const char *between = "[";
	int r = 0;

	if (tokens.type != JSON_ARRAY || !lacks_top_logprobs(tokens))
		return;
	d->piece.len = 0;
	json_walk_init(&w, tokens);
	while (r == 0 && json_walk_next(&w, &key, &token) == 1) {
		r = sl_buf_put_str(&d->piece, between);
		if (r == 0)
			r = put_token(&d->piece, token);
		between = ",";
	}
	if (r == 0)
		r = sl_buf_putc(&d->piece, ']');
	if (r < 0)
		decoded_note(d, r);
	else
		decoded_replace(d, tokens, decoded_keep_piece(d));
}

void openai_mend_logprobs(struct json logprobs, struct decoded *d)
{
	mend_tokens(json_get(logprobs, "content"), d);
	mend_tokens(json_get(logprobs, "refusal"), d);
}
