/*
 * Writes the messages of a request for chat completions.
 *
 *	assistant ─▶ text and calls ─▶ results of tools, a message each ─▶ what the user says,
 *	                                                 behind media that results had
 */
#include <ctype.h>
#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/openai_request.h"
#include "codec/tool_calls.h"

static void put_role(struct json_writer *w, const char *role)
{
	json_writer_member_string(w, "role", sl_slice_str(role));
}

/* ---- Parts */

static void put_url(struct json_writer *w, const char *name, const struct prompt_part *part)
{
	json_writer_key(w, name);
	if (part->url.type == JSON_STRING) {
		json_writer_token(w, part->url);
		return;
	}
	json_writer_open_string(w);
	json_writer_chars(w, SL_LIT("data:"));
	json_writer_chars(w, part->media);
	json_writer_chars(w, SL_LIT(";base64,"));
	json_writer_chars(w, part->data);
	json_writer_close_string(w);
}

static void put_image(struct json_writer *w, const struct prompt_part *part)
{
	json_writer_member_string(w, "type", SL_LIT("image_url"));
	json_writer_key(w, "image_url");
	json_writer_object(w);
	put_url(w, "url", part);
	if (json_is(part->detail, "original")) /* the Responses API's alone */
		json_writer_member_string(w, "detail", SL_LIT("high"));
	else
		json_writer_member(w, "detail", part->detail);
	json_writer_close(w);
}

/* The format is what stands behind the slash of the type: audio/wav. */
static void put_audio(struct json_writer *w, const struct prompt_part *part)
{
	struct sl_slice format = part->media;
	const char *slash = format.n ? memchr(format.p, '/', format.n) : NULL;

	if (slash)
		format = sl_slice(slash + 1, (size_t)(format.p + format.n - slash - 1));
	json_writer_member_string(w, "type", SL_LIT("input_audio"));
	json_writer_key(w, "input_audio");
	json_writer_object(w);
	json_writer_key(w, "data");
	json_writer_open_string(w);
	json_writer_chars(w, part->data);
	json_writer_close_string(w);
	json_writer_key(w, "format");
	json_writer_open_string(w);
	json_writer_chars(w, format);
	json_writer_close_string(w);
	json_writer_close(w);
}

static int put_file(const struct openai_request *r, const struct prompt_part *part)
{
	struct json_writer *w = r->w;

	if (part->url.type == JSON_STRING)
		return prompt_refuse(r->fault, "messages",
				     "the upstream's API takes documents as data, not by URL");
	json_writer_member_string(w, "type", SL_LIT("file"));
	json_writer_key(w, "file");
	json_writer_object(w);
	if (part->name.type == JSON_STRING)
		json_writer_member(w, "filename", part->name);
	else
		json_writer_member_string(w, "filename", SL_LIT("document.pdf"));
	put_url(w, "file_data", part);
	json_writer_close(w);
	return 0;
}

static int put_part(const struct openai_request *r, const struct prompt_part *part)
{
	struct json_writer *w = r->w;
	int result = 0;

	json_writer_object(w);
	switch (part->kind) {
	case PROMPT_IMAGE:
		put_image(w, part);
		break;
	case PROMPT_AUDIO:
		put_audio(w, part);
		break;
	case PROMPT_FILE:
		result = put_file(r, part);
		break;
	default:
		json_writer_member_string(w, "type", SL_LIT("text"));
		json_writer_member(w, "text", part->text);
		break;
	}
	json_writer_close(w);
	return result;
}

static bool is_media(const struct prompt_part *part)
{
	return part->kind == PROMPT_IMAGE || part->kind == PROMPT_AUDIO ||
	       part->kind == PROMPT_FILE;
}

static bool is_shown(const struct prompt_part *part)
{
	return part->kind == PROMPT_TEXT || is_media(part);
}

static size_t count_media(const struct prompt_part *parts, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += is_media(&parts[i]);
	return count;
}

/* ---- Messages */

static bool is_id_fit(const struct relative *relative, struct sl_slice id)
{
	if (relative->id_max == 0)
		return true;
	if (!relative->id_exact)
		return id.n <= relative->id_max;
	for (size_t i = 0; i < id.n; i++) {
		if (!isalnum((unsigned char)id.p[i]))
			return false;
	}
	return id.n == relative->id_max;
}

/* The id of a call, which is another server's where the conversation was begun there. What does not
 * fit is made of it, so that call and result get the same. */
static void put_id(const struct openai_request *r, const char *name, struct json id)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	struct sl_slice inside = sl_slice(id.raw.p + 1, id.raw.n - 2);
	uint64_t hash;
	char made[9];

	json_writer_key(r->w, name);
	if (is_id_fit(r->relative, inside)) {
		json_writer_token(r->w, id);
		return;
	}
	hash = tool_calls_hash(0, inside);
	for (size_t i = 0; i < sizeof(made); i++, hash /= sizeof(digits) - 1)
		made[i] = digits[hash % (sizeof(digits) - 1)];
	json_writer_string(r->w, sl_slice(made, sizeof(made)));
}

/* What an assistant said, refusals too: as one text, null where it is none. */
static void put_said(struct json_writer *w, const struct prompt_message *m)
{
	bool any = false;

	for (size_t i = 0; i < m->n_parts; i++) {
		struct json text = m->parts[i].text;

		if (m->parts[i].kind != PROMPT_TEXT && m->parts[i].kind != PROMPT_REFUSAL)
			continue;
		if (!any)
			json_writer_open_string(w);
		any = true;
		json_writer_chars(w, sl_slice(text.raw.p + 1, text.raw.n - 2));
	}
	if (any)
		json_writer_close_string(w);
	else
		json_writer_raw(w, SL_LIT("null"));
}

/* What stands before the text of a result. */
static const char *words_before(const struct prompt_part *result)
{
	size_t n_media = count_media(result->content, result->n_content);

	if (n_media > 0 && n_media == result->n_content)
		return result->is_error ? "Error: see the next message" : "See the next message";
	return prompt_failure_words(result);
}

static void put_result(const struct openai_request *r, const struct prompt_part *part)
{
	struct json_writer *w = r->w;

	json_writer_object(w);
	put_role(w, "tool");
	put_id(r, "tool_call_id", part->id);
	json_writer_key(w, "content");
	prompt_put_texts_behind(w, words_before(part), part->content, part->n_content, "\\n");
	json_writer_close(w);
}

/* Media of results, which their own messages cannot hold, and what the user says. */
static int put_parts(const struct openai_request *r, const struct prompt_message *m)
{
	int result = 0;

	json_writer_array(r->w);
	for (size_t i = 0; i < m->n_parts && result == 0; i++) {
		const struct prompt_part *part = &m->parts[i];

		if (is_shown(part))
			result = put_part(r, part);
		for (size_t k = 0; k < part->n_content && result == 0; k++) {
			if (is_media(&part->content[k]))
				result = put_part(r, &part->content[k]);
		}
	}
	json_writer_close(r->w);
	return result;
}

static int put_user(const struct openai_request *r, const struct prompt_message *m)
{
	const struct prompt_part *text = NULL;
	size_t n_texts = 0, n_media = count_media(m->parts, m->n_parts);
	int result = 0;

	for (size_t i = 0; i < m->n_parts; i++) {
		const struct prompt_part *part = &m->parts[i];

		n_media += count_media(part->content, part->n_content);
		if (part->kind != PROMPT_TEXT)
			continue;
		text = part;
		n_texts++;
	}
	if (n_texts + n_media == 0)
		return 0;
	json_writer_object(r->w);
	put_role(r->w, "user");
	json_writer_key(r->w, "content");
	if (n_texts == 1 && n_media == 0)
		json_writer_token(r->w, text->text);
	else
		result = put_parts(r, m);
	json_writer_close(r->w);
	return result;
}

static void put_call(const struct openai_request *r, const struct prompt_part *part)
{
	struct json_writer *w = r->w;

	json_writer_object(w);
	put_id(r, "id", part->id);
	json_writer_member_string(w, "type", SL_LIT("function"));
	json_writer_key(w, "function");
	json_writer_object(w);
	json_writer_member(w, "name", part->name);
	json_writer_key(w, "arguments");
	prompt_put_arguments_text(w, part->arguments);
	json_writer_close(w);
	if (r->relative->signatures && part->signature.type == JSON_STRING) {
		json_writer_key(w, "extra_content");
		json_writer_object(w);
		json_writer_key(w, "google");
		json_writer_object(w);
		json_writer_member(w, "thought_signature", part->signature);
		json_writer_close(w);
		json_writer_close(w);
	}
	json_writer_close(w);
}

static void put_calls(const struct openai_request *r, const struct prompt_message *m)
{
	bool any = false;

	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind != PROMPT_TOOL_CALL)
			continue;
		if (!any) {
			json_writer_key(r->w, "tool_calls");
			json_writer_array(r->w);
		}
		any = true;
		put_call(r, &m->parts[i]);
	}
	if (any)
		json_writer_close(r->w);
}

static size_t count_kind(const struct prompt_message *m, enum prompt_part_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_parts; i++)
		n += m->parts[i].kind == kind;
	return n;
}

/* What it thought, for those that want it back; to all others it means nothing. */
static int put_reasoning(const struct openai_request *r, const struct prompt_message *m)
{
	const struct relative *relative = r->relative;
	bool any = false;

	if (!relative->reasoning)
		return count_kind(m, PROMPT_REASONING) ? prompt_drop(r->p, "reasoning") : 0;
	for (size_t i = 0; i < m->n_parts; i++)
		any = any || (m->parts[i].kind == PROMPT_REASONING &&
			      m->parts[i].text.type == JSON_STRING);
	if (!any && !(relative->reasoning_due && count_kind(m, PROMPT_TOOL_CALL)))
		return 0;
	json_writer_key(r->w, relative->reasoning);
	json_writer_open_string(r->w);
	for (size_t i = 0; i < m->n_parts; i++) {
		struct json text = m->parts[i].text;

		if (m->parts[i].kind == PROMPT_REASONING && text.type == JSON_STRING)
			json_writer_chars(r->w, sl_slice(text.raw.p + 1, text.raw.n - 2));
	}
	json_writer_close_string(r->w);
	return 0;
}

static int put_assistant(const struct openai_request *r, const struct prompt_message *m)
{
	int result;

	if (count_media(m->parts, m->n_parts))
		return prompt_refuse(r->fault, "messages",
				     "the upstream's API takes no media of an assistant's");
	if (count_kind(m, PROMPT_REASONING) == m->n_parts)
		return m->n_parts ? prompt_drop(r->p, "reasoning") : 0;
	json_writer_object(r->w);
	put_role(r->w, "assistant");
	json_writer_key(r->w, "content");
	put_said(r->w, m);
	result = put_reasoning(r, m);
	put_calls(r, m);
	json_writer_close(r->w);
	return result;
}

static void put_system(const struct openai_request *r, const struct prompt_message *m)
{
	json_writer_object(r->w);
	put_role(r->w, "system");
	json_writer_key(r->w, "content");
	prompt_put_texts(r->w, m->parts, m->n_parts, "\\n\\n");
	json_writer_close(r->w);
}

/* The user's messages from *at on until somebody else speaks: nothing may stand between calls and
 * their results, so all results come first. */
static int put_users(const struct openai_request *r, size_t *at)
{
	const struct prompt *p = r->p;
	size_t first = *at;
	int result = 0;

	for (; *at < p->n_messages && p->messages[*at].role == PROMPT_USER; (*at)++) {
		const struct prompt_message *m = &p->messages[*at];

		for (size_t i = 0; i < m->n_parts; i++) {
			if (m->parts[i].kind == PROMPT_TOOL_RESULT)
				put_result(r, &m->parts[i]);
		}
	}
	for (size_t i = first; i < *at && result == 0; i++)
		result = put_user(r, &p->messages[i]);
	return result;
}

int openai_put_messages(const struct openai_request *r)
{
	const struct prompt *p = r->p;
	int result = 0;

	json_writer_key(r->w, "messages");
	json_writer_array(r->w);
	for (size_t at = 0; at < p->n_messages && result == 0;) {
		const struct prompt_message *m = &p->messages[at];

		if (m->role == PROMPT_USER)
			result = put_users(r, &at);
		else if (m->role == PROMPT_ASSISTANT)
			result = put_assistant(r, m);
		else
			put_system(r, m);
		at += m->role != PROMPT_USER;
	}
	json_writer_close(r->w);
	return result;
}
