/*
 * Writes a request for chat completions, for OpenAI and its relatives (relatives.h).
 *
 *	messages ─▶ messages: the results of tools stand before what the user says
 */
#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/openai.h"
#include "codec/prompt_read.h"
#include "codec/relatives.h"

#define DATA_URL_MIDDLE ";base64,"

struct request {
	struct prompt *p;
	struct json_writer *w;
	struct request_fault *fault;
	const struct relative *relative;
};

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
	json_writer_chars(w, SL_LIT(DATA_URL_MIDDLE));
	json_writer_chars(w, part->data);
	json_writer_close_string(w);
}

static void put_image(struct json_writer *w, const struct prompt_part *part)
{
	json_writer_member_string(w, "type", SL_LIT("image_url"));
	json_writer_key(w, "image_url");
	json_writer_object(w);
	put_url(w, "url", part);
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

static int put_file(const struct request *r, const struct prompt_part *part)
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

static int put_part(const struct request *r, const struct prompt_part *part)
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

static bool is_shown(const struct prompt_part *part)
{
	return part->kind == PROMPT_TEXT || part->kind == PROMPT_IMAGE ||
	       part->kind == PROMPT_AUDIO || part->kind == PROMPT_FILE;
}

/* What in a tool's result is no text: a tool message cannot hold it. */
static bool is_attached(const struct prompt_part *part)
{
	return is_shown(part) && part->kind != PROMPT_TEXT;
}

/* ---- Messages */

/* The texts of an assistant or a system; null where there are none. */
static void put_joined(struct json_writer *w, const struct prompt_message *m, const char *between)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind != PROMPT_TEXT)
			continue;
		prompt_put_texts(w, m->parts, m->n_parts, between);
		return;
	}
	json_writer_raw(w, SL_LIT("null"));
}

static void put_result(const struct request *r, const struct prompt_part *part)
{
	struct json_writer *w = r->w;

	json_writer_object(w);
	put_role(w, "tool");
	json_writer_member(w, "tool_call_id", part->id);
	json_writer_key(w, "content");
	prompt_put_texts_behind(w, part->is_error ? "Error: " : "", part->content, part->n_content,
				"\\n");
	json_writer_close(w);
}

/* What a user says beside the results of tools, and what of these a tool message cannot hold. */
static int put_user(const struct request *r, const struct prompt_message *m)
{
	const struct prompt_part *first = NULL;
	struct json_writer *w = r->w;
	size_t n = 0;
	int result = 0;

	for (size_t i = 0; i < m->n_parts; i++) {
		const struct prompt_part *part = &m->parts[i];

		if (is_shown(part) && n++ == 0)
			first = part;
		for (size_t k = 0; k < part->n_content; k++)
			n += is_attached(&part->content[k]);
	}
	if (n == 0)
		return 0;
	json_writer_object(w);
	put_role(w, "user");
	json_writer_key(w, "content");
	if (n == 1 && first && first->kind == PROMPT_TEXT) {
		json_writer_token(w, first->text);
		json_writer_close(w);
		return 0;
	}
	json_writer_array(w);
	for (size_t i = 0; i < m->n_parts && result == 0; i++) {
		const struct prompt_part *part = &m->parts[i];

		if (is_shown(part))
			result = put_part(r, part);
		for (size_t k = 0; k < part->n_content && result == 0; k++) {
			if (is_attached(&part->content[k]))
				result = put_part(r, &part->content[k]);
		}
	}
	json_writer_close(w);
	json_writer_close(w);
	return result;
}

static void put_call(const struct request *r, const struct prompt_part *part)
{
	struct json_writer *w = r->w;

	json_writer_object(w);
	json_writer_member(w, "id", part->id);
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

static void put_calls(const struct request *r, const struct prompt_message *m)
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

static void put_reasoning(const struct request *r, const struct prompt_message *m)
{
	for (size_t i = 0; i < m->n_parts && r->relative->reasoning; i++) {
		if (m->parts[i].kind != PROMPT_REASONING || m->parts[i].text.type != JSON_STRING)
			continue;
		json_writer_member(r->w, r->relative->reasoning, m->parts[i].text);
		return;
	}
}

static bool says_anything(const struct prompt_message *m)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind != PROMPT_REASONING)
			return true;
	}
	return false;
}

static int put_assistant(const struct request *r, const struct prompt_message *m)
{
	struct json_writer *w = r->w;
	int result = 0;

	for (size_t i = 0; i < m->n_parts && !r->relative->reasoning && result == 0; i++) {
		if (m->parts[i].kind == PROMPT_REASONING)
			result = prompt_drop(r->p, "reasoning");
	}
	if (result < 0 || !says_anything(m))
		return result;
	json_writer_object(w);
	put_role(w, "assistant");
	json_writer_key(w, "content");
	put_joined(w, m, "");
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind == PROMPT_REFUSAL) {
			json_writer_member(w, "refusal", m->parts[i].text);
			break;
		}
	}
	put_reasoning(r, m);
	put_calls(r, m);
	json_writer_close(w);
	return 0;
}

static int put_message(const struct request *r, const struct prompt_message *m)
{
	if (m->role == PROMPT_ASSISTANT)
		return put_assistant(r, m);
	if (m->role == PROMPT_SYSTEM) {
		json_writer_object(r->w);
		put_role(r->w, "system");
		json_writer_key(r->w, "content");
		prompt_put_texts(r->w, m->parts, m->n_parts, "\\n\\n");
		json_writer_close(r->w);
		return 0;
	}
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind == PROMPT_TOOL_RESULT)
			put_result(r, &m->parts[i]);
	}
	return put_user(r, m);
}

/* ---- Tools */

static int put_tool(const struct request *r, const struct prompt_tool *tool, size_t i)
{
	struct json_writer *w = r->w;
	struct prompt_at at;

	if (r->relative->names_max && tool->name.raw.n - 2 > r->relative->names_max) {
		prompt_at(&at, "tools[%zu].name", i);
		return prompt_refuse(r->fault, at.text,
				     "a name longer than the upstream takes (64 characters)");
	}
	json_writer_object(w);
	json_writer_member_string(w, "type", SL_LIT("function"));
	json_writer_key(w, "function");
	json_writer_object(w);
	json_writer_member(w, "name", tool->name);
	json_writer_member(w, "description", tool->description);
	json_writer_key(w, "parameters");
	if (tool->schema.type == JSON_OBJECT)
		json_writer_token(w, tool->schema);
	else
		json_writer_raw(w, SL_LIT("{\"type\":\"object\",\"properties\":{}}"));
	json_writer_member(w, "strict", tool->strict);
	json_writer_close(w);
	json_writer_close(w);
	return 0;
}

static void put_choice(const struct request *r)
{
	static const char *const words[] = {
		[PROMPT_AUTO] = "auto", [PROMPT_REQUIRED] = "required", [PROMPT_NO_TOOLS] = "none"};
	struct json_writer *w = r->w;

	if (r->p->choice == PROMPT_CHOICE_NONE_GIVEN)
		return;
	if (r->p->choice != PROMPT_NAMED) {
		json_writer_member_string(w, "tool_choice", sl_slice_str(words[r->p->choice]));
		return;
	}
	json_writer_key(w, "tool_choice");
	json_writer_object(w);
	json_writer_member_string(w, "type", SL_LIT("function"));
	json_writer_key(w, "function");
	json_writer_object(w);
	json_writer_member(w, "name", r->p->choice_name);
	json_writer_close(w);
	json_writer_close(w);
}

static int put_tools(const struct request *r)
{
	int result = 0;

	if (r->p->n_tools == 0)
		return 0;
	json_writer_key(r->w, "tools");
	json_writer_array(r->w);
	for (size_t i = 0; i < r->p->n_tools && result == 0; i++)
		result = put_tool(r, &r->p->tools[i], i);
	json_writer_close(r->w);
	put_choice(r);
	return result;
}

/* ---- Everything else */

static int put_format(const struct request *r)
{
	struct json_writer *w = r->w;
	bool schema = r->p->format == PROMPT_JSON_SCHEMA && !r->relative->no_schema;

	if (r->p->format == PROMPT_ANY_FORMAT)
		return 0;
	json_writer_key(w, "response_format");
	json_writer_object(w);
	json_writer_member_string(w, "type",
				  schema ? SL_LIT("json_schema") : SL_LIT("json_object"));
	if (schema) {
		json_writer_key(w, "json_schema");
		json_writer_object(w);
		if (r->p->schema_name.type == JSON_STRING)
			json_writer_member(w, "name", r->p->schema_name);
		else
			json_writer_member_string(w, "name", SL_LIT("answer"));
		json_writer_member(w, "schema", r->p->schema);
		json_writer_member(w, "strict", r->p->schema_strict);
		json_writer_close(w);
	}
	json_writer_close(w);
	return schema || r->p->format == PROMPT_JSON_OBJECT
		       ? 0
		       : prompt_drop(r->p, "response_format.json_schema");
}

/* How much to reason, in a word, of what was given as a number of tokens. */
static struct sl_slice effort_of(struct json budget)
{
	int64_t n;

	if (json_int(budget, &n) < 0)
		return SL_LIT("\"medium\"");
	return n <= 0      ? SL_LIT("\"none\"")
	       : n <= 2048 ? SL_LIT("\"low\"")
	       : n <= 8192 ? SL_LIT("\"medium\"")
			   : SL_LIT("\"high\"");
}

/* A budget of nothing asks for nothing: most servers do not know the word for it. */
static void put_effort(const struct request *r)
{
	struct json effort = r->p->option[PROMPT_EFFORT], budget = r->p->option[PROMPT_BUDGET];
	int64_t n;

	if (effort.type == JSON_NONE &&
	    (budget.type == JSON_NONE || (json_int(budget, &n) == 0 && n <= 0)))
		return;
	if (effort.type == JSON_NONE)
		effort = (struct json){JSON_STRING, effort_of(budget)};
	if (r->relative->effort == RELATIVE_EFFORT_OBJECT) {
		json_writer_key(r->w, "reasoning");
		json_writer_object(r->w);
		json_writer_member(r->w, "effort", effort);
		json_writer_close(r->w);
	} else {
		json_writer_member(r->w, "reasoning_effort", effort);
	}
}

/* The options that this server knows, by its words. How many there are. */
static size_t list_words(const struct request *r, struct prompt_word words[PROMPT_OPTIONS])
{
	const struct relative *relative = r->relative;
	const struct {
		struct prompt_word word;
		bool known;
	} all[] = {
		{{PROMPT_MAX_TOKENS, relative->max_tokens}, true},
		{{PROMPT_TEMPERATURE, "temperature"}, true},
		{{PROMPT_TOP_P, "top_p"}, true},
		{{PROMPT_TOP_K, "top_k"}, relative->samples_more},
		{{PROMPT_MIN_P, "min_p"}, relative->samples_more},
		{{PROMPT_STOP, "stop"}, true},
		{{PROMPT_SEED, relative->seed}, relative->seed != NULL},
		{{PROMPT_PRESENCE_PENALTY, "presence_penalty"}, true},
		{{PROMPT_FREQUENCY_PENALTY, "frequency_penalty"}, true},
		{{PROMPT_LOGIT_BIAS, "logit_bias"}, !relative->no_logit_bias},
		{{PROMPT_USER_ID, "user"}, !relative->no_user},
		{{PROMPT_PARALLEL, "parallel_tool_calls"},
		 !relative->no_parallel && r->p->n_tools > 0},
		{{PROMPT_SERVICE_TIER, "service_tier"}, true},
		{{PROMPT_VERBOSITY, "verbosity"}, true},
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (all[i].known)
			words[n++] = all[i].word;
	}
	return n;
}

static int put_options(const struct request *r)
{
	struct prompt_word words[PROMPT_OPTIONS + 2];
	size_t n = list_words(r, words), settled = n;
	int result;

	if (r->relative->effort != RELATIVE_EFFORT_NONE) {
		words[settled++] = (struct prompt_word){PROMPT_EFFORT, NULL};
		words[settled++] = (struct prompt_word){PROMPT_BUDGET, NULL};
	}
	result = prompt_settle(r->p, words, settled, r->fault);
	if (result < 0)
		return result;
	prompt_put_options(r->w, r->p, words, n);
	if (r->relative->effort != RELATIVE_EFFORT_NONE)
		put_effort(r);
	return put_format(r);
}

int openai_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		  struct request_fault *fault)
{
	const struct request r = {p, w, fault, t->relative ? t->relative : relative_of_url("")};
	int result = 0;

	json_writer_object(w);
	json_writer_member_string(w, "model", t->model);
	json_writer_key(w, "messages");
	json_writer_array(w);
	for (size_t i = 0; i < p->n_messages && result == 0; i++)
		result = put_message(&r, &p->messages[i]);
	json_writer_close(w);
	if (result == 0)
		result = put_tools(&r);
	if (result == 0)
		result = put_options(&r);
	json_writer_key(w, "stream");
	json_writer_bool(w, t->stream);
	if (t->stream && !r.relative->no_stream_options) {
		json_writer_key(w, "stream_options");
		json_writer_raw(w, SL_LIT("{\"include_usage\":true}"));
	}
	json_writer_close(w);
	return result;
}
