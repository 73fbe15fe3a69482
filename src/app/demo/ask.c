/* Reading bodies of /v1/chat/completions and /v1/completions: leniently, with OpenAI's words where
 * it cannot be. */
#include "app/demo/ask.h"

#include <string.h>
#include <sluice/error.h>

#define MODEL_MAX  256
#define TEXT_MAX   (16u << 20)
#define TOKENS_MAX 100000

static int refuse(struct demo_refusal *why, const char *param, const char *message)
{
	*why = (struct demo_refusal){
		.status = 400, .type = "invalid_request_error", .param = param, .message = message};
	return -SL_E_SYNTAX;
}

uint32_t demo_count_tokens(struct sl_slice text)
{
	uint64_t words = 0;
	bool in_word = false;

	for (size_t i = 0; i < text.n; i++) {
		bool blank = strchr(" \t\r\n", text.p[i]) != NULL;

		words += !blank && !in_word;
		in_word = !blank;
	}
	return (uint32_t)((13 * words + 9) / 10);
}

int demo_ask_model(struct json body, struct sl_buf *model, struct demo_refusal *why)
{
	struct json name = json_get(body, "model");

	if (name.type != JSON_STRING || name.raw.n <= 2)
		return refuse(why, "model", "you must provide a model parameter");
	if (name.raw.n > MODEL_MAX)
		return refuse(why, "model", "this name of a model is too long");
	return json_string(name, model, NULL);
}

/* "name=123" */
static bool read_knob(struct demo_knobs *knobs, struct sl_slice knob)
{
	const struct {
		const char *name;
		uint32_t min, max;
		uint32_t *value;
	} known[] = {{"rate=", 0, 1000000, &knobs->rate},
		     {"first=", 0, 600000, &knobs->first_ms},
		     {"tokens=", 1, TOKENS_MAX, &knobs->tokens}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t at = strlen(known[i].name);
		uint64_t value = 0;

		if (!sl_slice_starts(knob, known[i].name))
			continue;
		if (knob.n == at || knob.n - at > 9)
			return false;
		for (; at < knob.n && knob.p[at] >= '0' && knob.p[at] <= '9'; at++)
			value = 10 * value + (uint64_t)(knob.p[at] - '0');
		if (at < knob.n || value < known[i].min || value > known[i].max)
			return false;
		*known[i].value = (uint32_t)value;
		return true;
	}
	return false;
}

static int read_knobs(struct demo_knobs *knobs, struct sl_slice model, struct demo_refusal *why)
{
	const char *colon = model.n ? memchr(model.p, ':', model.n) : NULL;
	struct sl_slice name = {model.p, colon ? (size_t)(colon - model.p) : model.n};

	*knobs = (struct demo_knobs){sl_slice_is(name, "demo-fast"), DEMO_UNSET, DEMO_UNSET,
				     DEMO_UNSET};
	if (!colon || (!knobs->fast && !sl_slice_is(name, "demo")))
		return 0;
	const char *end = model.p + model.n;
	for (const char *p = colon + 1; p <= end;) {
		const char *comma = p < end ? memchr(p, ',', (size_t)(end - p)) : NULL;
		const char *stop = comma ? comma : end;

		if (!read_knob(knobs, sl_slice(p, (size_t)(stop - p))))
			return refuse(why, "model",
				      "after \"demo:\" stand rate=, first= or tokens=, each with a "
				      "number in its bounds, and commas between them");
		p = stop + 1;
	}
	return 0;
}

/* Appends the text of a message's content: a string, or parts of which some have text. */
static int put_content(struct sl_buf *out, struct json content)
{
	struct json_walk w;
	struct sl_slice key;
	struct json part;
	int r = 0;

	if (content.type == JSON_STRING)
		return json_string(content, out, NULL);
	json_walk_init(&w, content);
	while (content.type == JSON_ARRAY && r == 0 && json_walk_next(&w, &key, &part) == 1) {
		if (part.type == JSON_OBJECT)
			part = json_get(part, "text");
		if (part.type != JSON_STRING)
			continue;
		if (out->len > 0)
			r = sl_buf_putc(out, '\n');
		if (r == 0)
			r = json_string(part, out, NULL);
	}
	return r;
}

static int read_message(struct demo_ask *ask, struct json message, struct sl_buf *text)
{
	struct json role = json_get(message, "role");

	text->len = 0;
	int r = put_content(text, json_get(message, "content"));
	if (r < 0)
		return r;
	ask->prompt_tokens += demo_count_tokens(sl_buf_slice(text));
	ask->has_tool_result = json_is(role, "tool");
	if (!ask->has_tool_result && !json_is(role, "user"))
		return 0;
	struct sl_buf *kept = ask->has_tool_result ? &ask->tool_result : &ask->prompt;
	kept->len = 0;
	return sl_buf_put_slice(kept, sl_buf_slice(text));
}

static int read_messages(struct demo_ask *ask, struct json body, struct demo_refusal *why)
{
	struct json messages = json_get(body, "messages");
	struct json_walk w;
	struct sl_slice key;
	struct json message;
	struct sl_buf text;
	bool any = false;
	int r = 0;

	sl_buf_init(&text, TEXT_MAX);
	json_walk_init(&w, messages);
	while (messages.type == JSON_ARRAY && r == 0 && json_walk_next(&w, &key, &message) == 1) {
		any = true;
		if (message.type == JSON_OBJECT)
			r = read_message(ask, message, &text);
		else
			r = refuse(why, "messages", "each of 'messages' must be an object");
	}
	sl_buf_fini(&text);
	return any ? r : refuse(why, "messages", "'messages' must be an array that is not empty");
}

static int read_prompt(struct demo_ask *ask, struct json body, struct demo_refusal *why)
{
	struct json prompt = json_get(body, "prompt");

	if (prompt.type != JSON_STRING && prompt.type != JSON_ARRAY)
		return refuse(why, "prompt", "'prompt' must be a string or an array");
	int r = put_content(&ask->prompt, prompt);
	ask->prompt_tokens = demo_count_tokens(sl_buf_slice(&ask->prompt));
	return r;
}

/* The function called `name`, or the first one when it is JSON_NONE. */
static struct json find_tool(struct json tools, struct json name)
{
	struct json_walk w;
	struct sl_slice key;
	struct json tool;

	json_walk_init(&w, tools);
	while (tools.type == JSON_ARRAY && json_walk_next(&w, &key, &tool) == 1) {
		struct json function = json_get(tool, "function");
		struct json its = json_get(function, "name");

		if (its.type == JSON_STRING &&
		    (name.type == JSON_NONE || sl_slice_eq(its.raw, name.raw)))
			return function;
	}
	return (struct json){0};
}

static void read_tools(struct demo_ask *ask, struct json body)
{
	struct json choice = json_get(body, "tool_choice");
	struct json name = json_get(json_get(choice, "function"), "name");

	ask->tool = find_tool(json_get(body, "tools"), name);
	ask->may_call = !json_is(choice, "none");
	ask->must_call = ask->tool.type != JSON_NONE &&
			 (name.type == JSON_STRING || json_is(choice, "required"));
}

static int read_max_tokens(struct demo_ask *ask, struct json body, struct demo_refusal *why)
{
	static const char *const names[] = {"max_completion_tokens", "max_tokens"};
	int64_t n;

	ask->max_tokens = DEMO_UNSET;
	for (int i = 0; i < 2; i++) {
		struct json value = json_get(body, names[i]);

		if (value.type == JSON_NONE || value.type == JSON_NULL)
			continue;
		if (json_int(value, &n) < 0 || n < 1)
			return refuse(why, names[i], "this must be an integer from 1 on");
		if (n < ask->max_tokens)
			ask->max_tokens = (uint32_t)n;
	}
	return 0;
}

static int read_flag(struct json value, bool *flag, const char *param, struct demo_refusal *why)
{
	if (value.type == JSON_NONE || value.type == JSON_NULL || json_bool(value, flag) == 0)
		return 0;
	return refuse(why, param, "this must be true or false");
}

int demo_ask_read(struct demo_ask *ask, enum demo_api api, struct json body,
		  struct demo_refusal *why)
{
	*ask = (struct demo_ask){.api = api};
	sl_buf_init(&ask->model, MODEL_MAX);
	sl_buf_init(&ask->prompt, TEXT_MAX);
	sl_buf_init(&ask->tool_result, TEXT_MAX);

	int r = demo_ask_model(body, &ask->model, why);
	if (r == 0)
		r = read_knobs(&ask->knobs, sl_buf_slice(&ask->model), why);
	if (r == 0)
		r = read_flag(json_get(body, "stream"), &ask->stream, "stream", why);
	if (r == 0)
		r = read_flag(json_get2(body, "stream_options", "include_usage"),
			      &ask->include_usage, "stream_options", why);
	if (r == 0)
		r = read_max_tokens(ask, body, why);
	if (r < 0)
		return r;
	if (api == DEMO_COMPLETION)
		return read_prompt(ask, body, why);
	read_tools(ask, body);
	return read_messages(ask, body, why);
}

void demo_ask_fini(struct demo_ask *ask)
{
	sl_buf_fini(&ask->model);
	sl_buf_fini(&ask->prompt);
	sl_buf_fini(&ask->tool_result);
}
