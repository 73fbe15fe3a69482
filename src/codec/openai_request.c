/*
 * Writes a request for chat completions, for OpenAI and its relatives (relatives.h): the messages
 * (openai_messages.c), tools, and what else is asked for.
 */
#include "codec/openai_request.h"

#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/openai.h"
#include "codec/prompt_read.h"

/* ---- Tools */

static void put_tool(struct json_writer *w, const struct prompt_tool *tool)
{
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
}

static void put_choice(const struct openai_request *r)
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

static void put_tools(const struct openai_request *r)
{
	if (r->p->n_tools == 0) {
		r->p->option[PROMPT_PARALLEL] = (struct json){0}; /* without tools it is refused */
		return;
	}
	json_writer_key(r->w, "tools");
	json_writer_array(r->w);
	for (size_t i = 0; i < r->p->n_tools; i++)
		put_tool(r->w, &r->p->tools[i]);
	json_writer_close(r->w);
	put_choice(r);
}

/* ---- Everything else */

static int put_format(const struct openai_request *r)
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

static void put_word(struct json_writer *w, const char *name, struct sl_slice word)
{
	json_writer_key(w, name);
	json_writer_open_string(w);
	json_writer_chars(w, word);
	json_writer_close_string(w);
}

/* As an object, which can say what was asked for. */
static void put_effort_object(const struct openai_request *r, struct json effort,
			      struct json budget)
{
	struct json_writer *w = r->w;
	int64_t n;

	json_writer_key(w, "reasoning");
	json_writer_object(w);
	if (effort.type != JSON_NONE)
		json_writer_member(w, "effort", effort);
	else if (json_int(budget, &n) == 0 && n <= 0)
		json_writer_member(w, "enabled", (struct json){JSON_FALSE, SL_LIT("false")});
	else
		json_writer_member(w, "max_tokens", budget);
	json_writer_close(w);
}

/* How much to reason, in a word. To say that none is wanted most models have no word, and refuse
 * it: so where it was not the client's own word, nothing is said. */
static int put_effort(const struct openai_request *r)
{
	struct json effort = r->p->option[PROMPT_EFFORT], budget = r->p->option[PROMPT_BUDGET];
	struct sl_slice word;

	if (effort.type == JSON_NONE && budget.type == JSON_NONE)
		return 0;
	if (r->relative->effort == RELATIVE_EFFORT_OBJECT) {
		put_effort_object(r, effort, budget);
		return 0;
	}
	word = effort.type == JSON_STRING ? sl_slice(effort.raw.p + 1, effort.raw.n - 2)
					  : prompt_effort_of_budget(budget);
	if (sl_slice_is(word, "none") && r->relative->effort == RELATIVE_EFFORT_THINKING) {
		json_writer_key(r->w, "thinking");
		json_writer_raw(r->w, SL_LIT("{\"type\":\"disabled\"}"));
		return 0;
	}
	if (sl_slice_is(word, "none") && effort.type == JSON_NONE)
		return prompt_drop(r->p, "thinking");
	put_word(r->w, "reasoning_effort", word);
	return 0;
}

/* The options that this server knows, by its words. How many there are. */
static size_t list_words(const struct relative *relative, struct prompt_word words[PROMPT_OPTIONS])
{
	const struct prompt_word all[] = {
		{PROMPT_MAX_TOKENS, relative->max_tokens},
		{PROMPT_TEMPERATURE, "temperature"},
		{PROMPT_TOP_P, "top_p"},
		{PROMPT_TOP_K, "top_k"},
		{PROMPT_MIN_P, "min_p"},
		{PROMPT_STOP, "stop"},
		{PROMPT_SEED, relative->seed},
		{PROMPT_PRESENCE_PENALTY, "presence_penalty"},
		{PROMPT_FREQUENCY_PENALTY, "frequency_penalty"},
		{PROMPT_LOGIT_BIAS, "logit_bias"},
		{PROMPT_USER_ID, "user"},
		{PROMPT_PARALLEL, "parallel_tool_calls"},
		{PROMPT_SERVICE_TIER, "service_tier"},
		{PROMPT_VERBOSITY, "verbosity"},
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!(relative->lacks & RELATIVE_LACKS(all[i].option)))
			words[n++] = all[i];
	}
	return n;
}

/* What is too long or too many for this server. Who the user is can be left out. */
static int settle_limits(const struct openai_request *r)
{
	struct json *user = &r->p->option[PROMPT_USER_ID];
	const struct relative *relative = r->relative;
	const char *at = NULL;
	struct json stop;
	struct prompt_at why;
	size_t n = 0;

	while (relative->stops_max && prompt_stop_next(r->p, &at, &stop) == 1)
		n++;
	if (n > relative->stops_max) {
		prompt_at(&why, "%s takes %zu sequences at the most", relative->name,
			  relative->stops_max);
		return prompt_refuse(r->fault, "stop", why.text);
	}
	if (relative->user_max == 0 || user->raw.n <= relative->user_max + 2)
		return 0;
	*user = (struct json){0};
	return prompt_drop(r->p, "user");
}

static int put_options(const struct openai_request *r)
{
	struct prompt_word words[PROMPT_OPTIONS];
	size_t n = list_words(r->relative, words), settled = n;
	int result;

	if (r->relative->effort != RELATIVE_EFFORT_NONE) {
		words[settled++] = (struct prompt_word){PROMPT_EFFORT, NULL};
		words[settled++] = (struct prompt_word){PROMPT_BUDGET, NULL};
	}
	result = prompt_settle(r->p, words, settled, r->fault);
	if (result == 0)
		result = settle_limits(r);
	if (result < 0)
		return result;
	prompt_put_options(r->w, r->p, words, n);
	result = put_effort(r);
	return result < 0 ? result : put_format(r);
}

int openai_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		  struct request_fault *fault)
{
	const struct openai_request r = {p, w, fault,
					 t->relative ? t->relative : relative_of_url(NULL)};
	int result;

	json_writer_object(w);
	json_writer_member_string(w, "model", t->model);
	result = openai_put_messages(&r);
	if (result == 0)
		put_tools(&r);
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
