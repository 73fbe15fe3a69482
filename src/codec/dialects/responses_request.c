/*
 * Writes a request for a response. A conversation is a row of items here: what the middle keeps as
 * parts of one message comes apart into a message, calls, results and reasoning, in their order.
 */
#include "codec/dialects/responses.h"

#include <sluice/error.h>
#include "codec/json_writer.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* A smaller limit is refused. */
#define MAX_TOKENS_MIN 16

/* What is written as it was given. */
static const struct prompt_word plain_words[] = {
	{PROMPT_MAX_TOKENS, "max_output_tokens"},
	{PROMPT_TEMPERATURE, "temperature"},
	{PROMPT_TOP_P, "top_p"},
	{PROMPT_TOP_LOGPROBS, "top_logprobs"},
	{PROMPT_USER_ID, "user"},
	{PROMPT_PARALLEL, "parallel_tool_calls"},
	{PROMPT_SERVICE_TIER, "service_tier"},
};

/* What stands in a place of its own. */
static const struct prompt_word placed_words[] = {
	{PROMPT_EFFORT, "reasoning.effort"},
	{PROMPT_BUDGET, "reasoning.effort"},
	{PROMPT_VERBOSITY, "text.verbosity"},
};

struct request {
	struct prompt *p;
	struct json_writer *w;
	struct request_fault *fault;
};

static struct sl_slice inside(struct json string)
{
	return sl_slice(string.raw.p + 1, string.raw.n - 2);
}

static void put_type(struct json_writer *w, const char *type)
{
	json_writer_member_string(w, "type", sl_slice_str(type));
}

/* ---- Parts of messages */

static void put_data_url(struct json_writer *w, const char *name, const struct prompt_part *part)
{
	json_writer_key(w, name);
	json_writer_open_string(w);
	json_writer_chars(w, SL_LIT("data:"));
	json_writer_chars(w, part->media);
	json_writer_chars(w, SL_LIT(";base64,"));
	json_writer_chars(w, part->data);
	json_writer_close_string(w);
}

static void put_image(struct json_writer *w, const struct prompt_part *part)
{
	put_type(w, "input_image");
	if (part->url.type == JSON_STRING)
		json_writer_member(w, "image_url", part->url);
	else
		put_data_url(w, "image_url", part);
	/* Its documents do not let it be missing, and neither do the servers that keep to them. */
	if (part->detail.type == JSON_STRING)
		json_writer_member(w, "detail", part->detail);
	else
		json_writer_member_string(w, "detail", SL_LIT("auto"));
}

/* Data needs a name, and its ending says what it is. */
static struct sl_slice name_for(struct sl_slice media)
{
	if (sl_slice_is(media, "application/pdf"))
		return SL_LIT("document.pdf");
	return sl_slice_starts(media, "text/") ? SL_LIT("document.txt") : SL_LIT("document");
}

static void put_file(struct json_writer *w, const struct prompt_part *part)
{
	put_type(w, "input_file");
	if (part->url.type == JSON_STRING) {
		json_writer_member(w, "file_url", part->url);
		return;
	}
	if (part->name.type == JSON_STRING)
		json_writer_member(w, "filename", part->name);
	else
		json_writer_member_string(w, "filename", name_for(part->media));
	put_data_url(w, "file_data", part);
}

/* A part of a message, as its author's role names it. */
static int put_content(const struct request *r, enum prompt_role role,
		       const struct prompt_part *part)
{
	struct json_writer *w = r->w;

	if (part->kind == PROMPT_AUDIO)
		return prompt_refuse(r->fault, "messages", "the upstream's API takes no audio");
	json_writer_object(w);
	if (part->kind == PROMPT_IMAGE) {
		put_image(w, part);
	} else if (part->kind == PROMPT_FILE) {
		put_file(w, part);
	} else if (part->kind == PROMPT_REFUSAL && role == PROMPT_ASSISTANT) {
		put_type(w, "refusal");
		json_writer_member(w, "refusal", part->text);
	} else {
		put_type(w, role == PROMPT_ASSISTANT ? "output_text" : "input_text");
		json_writer_member(w, "text", part->text);
		if (role == PROMPT_ASSISTANT) {
			json_writer_key(w, "annotations");
			json_writer_raw(w, SL_LIT("[]"));
		}
	}
	json_writer_close(w);
	return 0;
}

/* ---- Items */

static void put_call(struct json_writer *w, const struct prompt_part *part)
{
	json_writer_object(w);
	put_type(w, "function_call");
	json_writer_member(w, "call_id", part->id);
	json_writer_member(w, "name", part->name);
	json_writer_key(w, "arguments");
	prompt_put_arguments_text(w, part->arguments);
	json_writer_close(w);
}

static bool is_all_text(const struct prompt_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (parts[i].kind != PROMPT_TEXT)
			return false;
	}
	return true;
}

/* Words of our own, as a part. */
static void put_words(struct json_writer *w, const char *words)
{
	json_writer_object(w);
	put_type(w, "input_text");
	json_writer_member_string(w, "text", sl_slice_str(words));
	json_writer_close(w);
}

static int put_result(const struct request *r, const struct prompt_part *part)
{
	struct json_writer *w = r->w;
	const char *before = prompt_failure_words(part);
	int result = 0;

	json_writer_object(w);
	put_type(w, "function_call_output");
	json_writer_member(w, "call_id", part->id);
	json_writer_key(w, "output");
	if (is_all_text(part->content, part->n_content)) {
		prompt_put_texts_behind(w, before, part->content, part->n_content, "\\n");
	} else {
		json_writer_array(w);
		if (*before)
			put_words(w, before);
		for (size_t i = 0; i < part->n_content && result == 0; i++)
			result = put_content(r, PROMPT_USER, &part->content[i]);
		json_writer_close(w);
	}
	json_writer_close(w);
	return result;
}

/* Only the provider can read its reasoning again, and only signed. */
static int put_reasoning(const struct request *r, const struct prompt_part *part)
{
	struct json_writer *w = r->w;

	if (part->signature.type != JSON_STRING)
		return prompt_drop(r->p, "reasoning");
	json_writer_object(w);
	put_type(w, "reasoning");
	json_writer_key(w, "summary");
	json_writer_array(w);
	if (part->text.type == JSON_STRING && part->text.raw.n > 2) {
		json_writer_object(w);
		put_type(w, "summary_text");
		json_writer_member(w, "text", part->text);
		json_writer_close(w);
	}
	json_writer_close(w);
	json_writer_member(w, "encrypted_content", part->signature);
	json_writer_close(w);
	return 0;
}

static bool is_item(const struct prompt_part *part)
{
	return part->kind == PROMPT_TOOL_CALL || part->kind == PROMPT_TOOL_RESULT ||
	       part->kind == PROMPT_REASONING;
}

static int put_item(const struct request *r, const struct prompt_part *part)
{
	switch (part->kind) {
	case PROMPT_TOOL_CALL:
		put_call(r->w, part);
		return 0;
	case PROMPT_TOOL_RESULT:
		return put_result(r, part);
	default:
		return put_reasoning(r, part);
	}
}

/* In parts it would have to be an item with an id and a status, which we do not know. */
static bool is_one_text_of_an_answer(const struct prompt_message *m, size_t at)
{
	return m->role == PROMPT_ASSISTANT && m->parts[at].kind == PROMPT_TEXT &&
	       (at + 1 == m->n_parts || is_item(&m->parts[at + 1]));
}

/* The parts from *at on that belong into one message; *at moves behind them. */
static int put_run(const struct request *r, const struct prompt_message *m, size_t *at)
{
	static const char *const roles[] = {
		[PROMPT_SYSTEM] = "developer",
		[PROMPT_USER] = "user",
		[PROMPT_ASSISTANT] = "assistant",
	};
	int result = 0;

	json_writer_object(r->w);
	put_type(r->w, "message");
	json_writer_member_string(r->w, "role", sl_slice_str(roles[m->role]));
	json_writer_key(r->w, "content");
	if (is_one_text_of_an_answer(m, *at)) {
		json_writer_token(r->w, m->parts[(*at)++].text);
		json_writer_close(r->w);
		return 0;
	}
	json_writer_array(r->w);
	while (*at < m->n_parts && result == 0 && !is_item(&m->parts[*at]))
		result = put_content(r, m->role, &m->parts[(*at)++]);
	json_writer_close(r->w);
	json_writer_close(r->w);
	return result;
}

static int put_message(const struct request *r, const struct prompt_message *m)
{
	int result = 0;

	for (size_t at = 0; at < m->n_parts && result == 0;) {
		if (is_item(&m->parts[at]))
			result = put_item(r, &m->parts[at++]);
		else
			result = put_run(r, m, &at);
	}
	return result;
}

/* How many messages at the start are instructions: none when there is nothing else. */
static size_t count_instructions(const struct prompt *p)
{
	size_t n = 0;

	while (n < p->n_messages && p->messages[n].role == PROMPT_SYSTEM &&
	       is_all_text(p->messages[n].parts, p->messages[n].n_parts))
		n++;
	return n < p->n_messages ? n : 0;
}

static void put_instructions(struct json_writer *w, const struct prompt *p, size_t n)
{
	bool any = false;

	if (n == 0)
		return;
	json_writer_key(w, "instructions");
	json_writer_open_string(w);
	for (size_t m = 0; m < n; m++) {
		for (size_t i = 0; i < p->messages[m].n_parts; i++) {
			if (any)
				json_writer_chars(w, SL_LIT("\\n"));
			json_writer_chars(w, inside(p->messages[m].parts[i].text));
			any = true;
		}
	}
	json_writer_close_string(w);
}

static int put_input(const struct request *r)
{
	size_t at = count_instructions(r->p);
	int result = 0;

	put_instructions(r->w, r->p, at);
	json_writer_key(r->w, "input");
	json_writer_array(r->w);
	for (; at < r->p->n_messages && result == 0; at++)
		result = put_message(r, &r->p->messages[at]);
	json_writer_close(r->w);
	return result;
}

/* ---- Tools, format, options */

static void put_tools(struct json_writer *w, const struct prompt *p)
{
	if (p->n_tools == 0)
		return;
	json_writer_key(w, "tools");
	json_writer_array(w);
	for (size_t i = 0; i < p->n_tools; i++) {
		const struct prompt_tool *tool = &p->tools[i];

		json_writer_object(w);
		put_type(w, "function");
		json_writer_member(w, "name", tool->name);
		json_writer_member(w, "description", tool->description);
		json_writer_key(w, "parameters");
		json_writer_raw(w, tool->schema.type == JSON_OBJECT
					   ? tool->schema.raw
					   : SL_LIT("{\"type\":\"object\",\"properties\":{}}"));
		/* Where it is not said this API is strict; the others are not. */
		json_writer_key(w, "strict");
		json_writer_bool(w, tool->strict.type == JSON_TRUE);
		json_writer_close(w);
	}
	json_writer_close(w);
}

static void put_choice(struct json_writer *w, const struct prompt *p)
{
	static const char *const words[] = {
		[PROMPT_AUTO] = "auto",
		[PROMPT_REQUIRED] = "required",
		[PROMPT_NO_TOOLS] = "none",
	};

	if (p->choice == PROMPT_CHOICE_NONE_GIVEN)
		return;
	json_writer_key(w, "tool_choice");
	if (p->choice != PROMPT_NAMED) {
		json_writer_string(w, sl_slice_str(words[p->choice]));
		return;
	}
	json_writer_object(w);
	put_type(w, "function");
	json_writer_member(w, "name", p->choice_name);
	json_writer_close(w);
}

static void put_format(struct json_writer *w, const struct prompt *p)
{
	json_writer_key(w, "format");
	json_writer_object(w);
	if (p->format == PROMPT_JSON_OBJECT) {
		put_type(w, "json_object");
	} else {
		put_type(w, "json_schema");
		if (p->schema_name.type == JSON_STRING)
			json_writer_member(w, "name", p->schema_name);
		else
			json_writer_member_string(w, "name", SL_LIT("response"));
		json_writer_member(w, "schema", p->schema);
		json_writer_member(w, "strict", p->schema_strict);
	}
	json_writer_close(w);
}

static void put_text(struct json_writer *w, const struct prompt *p)
{
	struct json verbosity = p->option[PROMPT_VERBOSITY];

	if (p->format == PROMPT_ANY_FORMAT && verbosity.type == JSON_NONE)
		return;
	json_writer_key(w, "text");
	json_writer_object(w);
	if (p->format != PROMPT_ANY_FORMAT)
		put_format(w, p);
	json_writer_member(w, "verbosity", verbosity);
	json_writer_close(w);
}

static void put_reasoning_options(struct json_writer *w, const struct prompt *p)
{
	struct json effort = p->option[PROMPT_EFFORT], budget = p->option[PROMPT_BUDGET];
	struct sl_slice word;

	if (effort.type == JSON_STRING)
		word = inside(effort);
	else if (budget.type != JSON_NONE)
		word = prompt_effort_of_budget(budget);
	else
		return;
	json_writer_key(w, "reasoning");
	json_writer_object(w);
	json_writer_key(w, "effort");
	json_writer_open_string(w);
	json_writer_chars(w, word);
	json_writer_close_string(w);
	if (!sl_slice_is(word, "none"))
		json_writer_member_string(w, "summary", SL_LIT("auto"));
	json_writer_close(w);
	if (sl_slice_is(word, "none"))
		return;
	/* Nothing is stored there, so what was thought has to come back with the next request. */
	json_writer_key(w, "include");
	json_writer_raw(w, SL_LIT("[\"reasoning.encrypted_content\"]"));
}

/* Anthropic has tiers of its own. */
static int settle_tier(struct prompt *p)
{
	static const char *const known[] = {"auto", "default", "flex", "scale", "priority"};
	struct json *tier = &p->option[PROMPT_SERVICE_TIER];

	if (tier->type == JSON_NONE)
		return 0;
	for (size_t i = 0; i < COUNT(known); i++) {
		if (json_is(*tier, known[i]))
			return 0;
	}
	*tier = (struct json){0};
	return prompt_drop(p, "service_tier");
}

/* Some clients ask for a single token to see whether anybody answers. */
static void settle_max_tokens(struct prompt *p)
{
	struct json *max = &p->option[PROMPT_MAX_TOKENS];
	int64_t n;

	if (json_int(*max, &n) == 0 && n > 0 && n < MAX_TOKENS_MIN)
		*max = (struct json){JSON_NUMBER, SL_LIT("16")};
}

static int settle(struct prompt *p, struct request_fault *fault)
{
	struct prompt_word words[COUNT(plain_words) + COUNT(placed_words)];
	int r;

	settle_max_tokens(p);

	memcpy(words, plain_words, sizeof(plain_words));
	memcpy(words + COUNT(plain_words), placed_words, sizeof(placed_words));
	r = prompt_settle(p, words, COUNT(words), fault);
	return r == 0 ? settle_tier(p) : r;
}

int responses_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		     struct request_fault *fault)
{
	struct request request = {p, w, fault};
	int r = settle(p, fault);

	if (r < 0)
		return r;
	json_writer_object(w);
	json_writer_member_string(w, "model", t->model);
	r = put_input(&request);
	if (r < 0)
		return r;
	put_tools(w, p);
	put_choice(w, p);
	put_text(w, p);
	prompt_put_options(w, p, plain_words, COUNT(plain_words));
	put_reasoning_options(w, p);
	json_writer_key(w, "store");
	json_writer_bool(w, false);
	json_writer_key(w, "stream");
	json_writer_bool(w, t->stream);
	json_writer_close(w);
	return 0;
}
