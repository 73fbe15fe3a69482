/*
 * Cohere: /v2/chat.
 *
 * An answer is a row of events, told by their `type`; one part is open at a time. message-end is
 * the last: the answer is complete when the body ends behind it.
 *
 *	message-start ─▶ META
 *	tool-plan-delta ─▶ REASONING: why the model will call tools
 *	content-start, -delta, -end ───▶ TEXT or REASONING, as a part
 *	tool-call-start, -delta, -end ─▶ TOOL_START, TOOL_ARGS, PART_END
 *	message-end ─▶ USAGE, FINISH, or a failure
 *
 * Other events (citation-start …) make none; they stay in the frame.
 */
#include "codec/dialects/cohere.h"

#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/prompt_read.h"
#include "codec/tool_calls.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* A larger count is none. */
#define COUNT_MAX 1000000000000

/* ---- The answer */

void cohere_init(void *state, const struct sl_reader_options *o)
{
	struct cohere *s = state;

	*s = (struct cohere){.client_key = o->client_key};
}

void cohere_fini(void *state)
{
	(void)state;
}

bool cohere_is_complete(const void *state)
{
	const struct cohere *s = state;

	return s->finished;
}

/* The index of the call that is open, or 0 where something else is. */
static uint32_t open_index(const struct cohere *s)
{
	return s->open == SL_EVENT_TOOL_ARGS ? s->n_calls - 1 : 0;
}

static void add_delta(struct cohere *s, struct sl_slice text, struct decoded *d)
{
	if (text.n == 0)
		return;
	s->has_arguments = true;
	decoded_add(d, &(struct sl_event){
			       .kind = s->open,
			       .index = open_index(s),
			       .s[0] = text,
		       });
}

/* Ends what is open, with what it still owes. */
static void close_part(struct cohere *s, struct decoded *d)
{
	if (!s->open)
		return;
	if (s->half)
		add_delta(s, SL_LIT("\xef\xbf\xbd"), d);
	if (s->open == SL_EVENT_TOOL_ARGS && !s->has_arguments)
		add_delta(s, SL_LIT("{}"), d);
	decoded_end_part(d, s->open, 0, open_index(s));
	s->open = 0;
	s->half = 0;
}

static void open_part(struct cohere *s, enum sl_event_kind kind, struct decoded *d)
{
	close_part(s, d);
	s->open = kind;
	s->has_arguments = false;
}

/* A delta of a part that begins with it, where it is not the one that is open. */
static void read_delta(struct cohere *s, enum sl_event_kind kind, struct json text,
		       struct decoded *d)
{
	if (text.type != JSON_STRING)
		return;
	if (s->open != kind)
		open_part(s, kind, d);
	add_delta(s, decoded_string(d, text, &s->half), d);
}

static int read_message_start(struct cohere *s, struct json event, struct decoded *d)
{
	struct sl_slice id = decoded_string(d, json_get(event, "id"), NULL);

	if (id.n == 0 || s->seed)
		return VERDICT_ENTRY;
	s->seed = tool_calls_hash(0, id);
	decoded_add(d, &(struct sl_event){.kind = SL_EVENT_META, .s[0] = id});
	return VERDICT_ENTRY;
}

static struct json message_of(struct json event)
{
	return json_get2(event, "delta", "message");
}

static int read_content(struct cohere *s, struct json event, struct decoded *d)
{
	struct json content = json_get(message_of(event), "content");

	read_delta(s, SL_EVENT_REASONING, json_get(content, "thinking"), d);
	read_delta(s, SL_EVENT_TEXT, json_get(content, "text"), d);
	return VERDICT_ENTRY;
}

/* Two parts of one kind can follow each other. */
static int read_content_start(struct cohere *s, struct json event, struct decoded *d)
{
	close_part(s, d);
	return read_content(s, event, d);
}

static int read_end(struct cohere *s, struct json event, struct decoded *d)
{
	(void)event;
	close_part(s, d);
	return VERDICT_ENTRY;
}

static int read_plan(struct cohere *s, struct json event, struct decoded *d)
{
	read_delta(s, SL_EVENT_REASONING, json_get(message_of(event), "tool_plan"), d);
	return VERDICT_ENTRY;
}

static int read_call_start(struct cohere *s, struct json event, struct decoded *d)
{
	struct json call = json_get(message_of(event), "tool_calls");
	struct json function = json_get(call, "function");
	struct sl_event e = {.kind = SL_EVENT_TOOL_START};

	open_part(s, SL_EVENT_TOOL_ARGS, d);
	e.index = s->n_calls++;
	e.s[0] = decoded_string(d, json_get(call, "id"), NULL);
	e.s[1] = decoded_string(d, json_get(function, "name"), NULL);
	if (e.s[0].n == 0)
		e.s[0] = tool_calls_make_id(s->seed, 0, e.index, d);
	decoded_add(d, &e);
	read_delta(s, SL_EVENT_TOOL_ARGS, json_get(function, "arguments"), d);
	return VERDICT_ENTRY;
}

/* Arguments of no call are nothing. */
static int read_call_delta(struct cohere *s, struct json event, struct decoded *d)
{
	struct json call = json_get(message_of(event), "tool_calls");

	if (s->open == SL_EVENT_TOOL_ARGS)
		read_delta(s, SL_EVENT_TOOL_ARGS, json_get2(call, "function", "arguments"), d);
	return VERDICT_ENTRY;
}

static int64_t count_of(struct json object, const char *name)
{
	int64_t n;

	return json_int(json_get(object, name), &n) == 0 && n >= 0 && n <= COUNT_MAX ? n : -1;
}

/* What was counted, rather than what is to be paid for. */
static void read_usage(struct json usage, struct decoded *d)
{
	struct json tokens = json_get(usage, "tokens"), billed = json_get(usage, "billed_units");
	struct sl_event e = {.kind = SL_EVENT_USAGE, .usage = SL_USAGE_NONE};
	struct sl_usage *u = &e.usage;

	u->prompt = count_of(tokens, "input_tokens");
	u->completion = count_of(tokens, "output_tokens");
	if (u->prompt < 0)
		u->prompt = count_of(billed, "input_tokens");
	if (u->completion < 0)
		u->completion = count_of(billed, "output_tokens");
	if (u->prompt >= 0 && u->completion >= 0)
		u->total = u->prompt + u->completion;
	u->cached = count_of(usage, "cached_tokens");
	if (sl_usage_known(u))
		decoded_add(d, &e);
}

/* One of stop, length, tool_calls; "error": the answer is none. */
static struct sl_slice finish_reason(struct sl_slice native)
{
	static const char *const table[][2] = {
		{"COMPLETE", "stop"},        {"STOP_SEQUENCE", "stop"}, {"MAX_TOKENS", "length"},
		{"TOOL_CALL", "tool_calls"}, {"ERROR", "error"},        {"TIMEOUT", "error"},
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		if (sl_slice_is(native, table[i][0]))
			return sl_slice_str(table[i][1]);
	}
	return SL_LIT("stop");
}

/* `error`: what the upstream says of it; else its reason is all there is. */
static int fail(const struct cohere *s, struct json error, struct sl_slice native,
		struct decoded *d)
{
	int r;

	if (upstream_error_is_set(error))
		r = upstream_error_take(&d->error, error, s->client_key);
	else
		r = upstream_error_take_named(
			&d->error, native, SL_LIT("the upstream failed to answer"), s->client_key);
	return r < 0 ? r : VERDICT_FAILED;
}

static int read_message_end(struct cohere *s, struct json event, struct decoded *d)
{
	struct json delta = json_get(event, "delta"), error = json_get(delta, "error");
	struct sl_slice native = decoded_string(d, json_get(delta, "finish_reason"), NULL);
	struct sl_slice reason = finish_reason(native);

	close_part(s, d);
	read_usage(json_get(delta, "usage"), d);
	if (upstream_error_is_set(error) || sl_slice_is(reason, "error")) {
		int r = fail(s, error, native, d);

		return r == VERDICT_FAILED ? decoded_failed(d) : r;
	}
	s->finished = true;
	decoded_add(d, &(struct sl_event){.kind = SL_EVENT_FINISH, .s = {reason, native}});
	return VERDICT_ENTRY;
}

static int read_event(void *state, const struct message *m, struct json event, struct decoded *d)
{
	static const struct {
		const char *type;
		int (*read)(struct cohere *s, struct json event, struct decoded *d);
	} events[] = {
		{"content-delta", read_content},
		{"content-start", read_content_start},
		{"content-end", read_end},
		{"tool-plan-delta", read_plan},
		{"tool-call-delta", read_call_delta},
		{"tool-call-start", read_call_start},
		{"tool-call-end", read_end},
		{"message-start", read_message_start},
		{"message-end", read_message_end},
	};
	struct cohere *s = state;
	struct json type = json_get(event, "type");
	int r = decoded_take_error(d, m, event, s->client_key);

	if (r != VERDICT_SKIP || m->stray || s->finished)
		return r;
	for (size_t i = 0; i < COUNT(events); i++) {
		if (json_is(type, events[i].type))
			return events[i].read(s, event, d);
	}
	/* Errors are {"message","id"}, and that is how they are told from events. */
	if (type.type == JSON_NONE && json_get(event, "message").type == JSON_STRING)
		return fail(s, event, (struct sl_slice){0}, d);
	return VERDICT_ENTRY;
}

int cohere_decode(void *state, const struct message *m, struct decoded *d)
{
	if (!m->stray && message_is_done(m))
		return cohere_is_complete(state) ? VERDICT_END : VERDICT_SKIP;
	return decoded_read(d, m, read_event, state);
}

/* ---- The request */

static const struct prompt_word words[] = {
	{PROMPT_MAX_TOKENS, "max_tokens"},
	{PROMPT_TEMPERATURE, "temperature"},
	{PROMPT_TOP_P, "p"},
	{PROMPT_TOP_K, "k"},
	{PROMPT_STOP, "stop_sequences"},
	{PROMPT_SEED, "seed"},
	{PROMPT_PRESENCE_PENALTY, "presence_penalty"},
	{PROMPT_FREQUENCY_PENALTY, "frequency_penalty"},
	/* written in a way of their own; the last two */
	{PROMPT_EFFORT, "thinking"},
	{PROMPT_BUDGET, "thinking"},
};
#define N_PLAIN_WORDS (COUNT(words) - 2)

struct request {
	struct prompt *p;
	struct json_writer *w;
	struct request_fault *fault;
};

static void open_message(const struct request *r, const char *role)
{
	json_writer_object(r->w);
	json_writer_member_string(r->w, "role", sl_slice_str(role));
}

/* An empty text is none. */
static bool is_text(const struct prompt_part *part)
{
	return (part->kind == PROMPT_TEXT || part->kind == PROMPT_REFUSAL) &&
	       part->text.type == JSON_STRING && part->text.raw.n > 2;
}

static bool has_kind(const struct prompt_message *m, enum prompt_part_kind kind)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind == kind)
			return true;
	}
	return false;
}

/* An element of content: {"type":"text","text":"…"}. */
static void put_element(const struct request *r, const char *type, struct json text)
{
	json_writer_object(r->w);
	json_writer_member_string(r->w, "type", sl_slice_str(type));
	json_writer_member(r->w, type, text);
	json_writer_close(r->w);
}

static void put_image(const struct request *r, const struct prompt_part *part)
{
	struct json_writer *w = r->w;

	json_writer_object(w);
	json_writer_member_string(w, "type", SL_LIT("image_url"));
	json_writer_key(w, "image_url");
	json_writer_object(w);
	json_writer_key(w, "url");
	if (part->url.type == JSON_STRING) {
		json_writer_token(w, part->url);
	} else {
		json_writer_open_string(w);
		json_writer_chars(w, SL_LIT("data:"));
		json_writer_chars(w, part->media);
		json_writer_chars(w, SL_LIT(";base64,"));
		json_writer_chars(w, part->data);
		json_writer_close_string(w);
	}
	json_writer_member(w, "detail", part->detail);
	json_writer_close(w);
	json_writer_close(w);
}

static void put_result(const struct request *r, const struct prompt_part *part)
{
	open_message(r, "tool");
	json_writer_member(r->w, "tool_call_id", part->id);
	json_writer_key(r->w, "content");
	prompt_put_texts_behind(r->w, prompt_failure_words(part), part->content, part->n_content,
				"\\n");
	json_writer_close(r->w);
}

/* What can stand in the content of a user's message: of a result that is what a tool's message
 * cannot hold. How many there are; they are written when `write` is true. */
static size_t put_content(const struct request *r, const struct prompt_message *m, bool write)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_parts; i++) {
		const struct prompt_part *part = &m->parts[i];

		n += is_text(part) || part->kind == PROMPT_IMAGE;
		if (write && is_text(part))
			put_element(r, "text", part->text);
		else if (write && part->kind == PROMPT_IMAGE)
			put_image(r, part);
		for (size_t k = 0; k < part->n_content; k++) {
			if (part->content[k].kind != PROMPT_IMAGE)
				continue;
			n++;
			if (write)
				put_image(r, &part->content[k]);
		}
	}
	return n;
}

static void put_user(const struct request *r, const struct prompt_message *m)
{
	size_t n = put_content(r, m, false);

	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind == PROMPT_TOOL_RESULT)
			put_result(r, &m->parts[i]);
	}
	if (n == 0)
		return;
	open_message(r, "user");
	json_writer_key(r->w, "content");
	if (n == 1 && m->n_parts == 1 && is_text(&m->parts[0])) {
		json_writer_token(r->w, m->parts[0].text);
	} else {
		json_writer_array(r->w);
		put_content(r, m, true);
		json_writer_close(r->w);
	}
	json_writer_close(r->w);
}

static void put_calls(const struct request *r, const struct prompt_message *m)
{
	struct json_writer *w = r->w;

	json_writer_key(w, "tool_calls");
	json_writer_array(w);
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind != PROMPT_TOOL_CALL)
			continue;
		json_writer_object(w);
		json_writer_member(w, "id", m->parts[i].id);
		json_writer_member_string(w, "type", SL_LIT("function"));
		json_writer_key(w, "function");
		json_writer_object(w);
		json_writer_member(w, "name", m->parts[i].name);
		json_writer_key(w, "arguments");
		prompt_put_arguments_text(w, m->parts[i].arguments);
		json_writer_close(w);
		json_writer_close(w);
	}
	json_writer_close(w);
}

/* Why tools were called, as one string. */
static void put_plan(const struct request *r, const struct prompt_message *m)
{
	json_writer_key(r->w, "tool_plan");
	json_writer_open_string(r->w);
	for (size_t i = 0; i < m->n_parts; i++) {
		struct json text = m->parts[i].text;

		if (m->parts[i].kind == PROMPT_REASONING && text.type == JSON_STRING)
			json_writer_chars(r->w, sl_slice(text.raw.p + 1, text.raw.n - 2));
	}
	json_writer_close_string(r->w);
}

static bool has_said(const struct prompt_message *m, bool with_reasoning)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		if (is_text(&m->parts[i]) ||
		    (with_reasoning && m->parts[i].kind == PROMPT_REASONING &&
		     m->parts[i].text.type == JSON_STRING))
			return true;
	}
	return false;
}

/* Reasoning before calls goes back as it came: as the plan. */
static void put_assistant(const struct request *r, const struct prompt_message *m)
{
	bool calls = has_kind(m, PROMPT_TOOL_CALL), any = has_said(m, !calls);

	if (!any && !calls)
		return;
	open_message(r, "assistant");
	if (any) {
		json_writer_key(r->w, "content");
		json_writer_array(r->w);
	}
	for (size_t i = 0; i < m->n_parts && any; i++) {
		const struct prompt_part *part = &m->parts[i];

		if (is_text(part))
			put_element(r, "text", part->text);
		else if (!calls && part->kind == PROMPT_REASONING && part->text.type == JSON_STRING)
			put_element(r, "thinking", part->text);
	}
	if (any)
		json_writer_close(r->w);
	if (calls && has_kind(m, PROMPT_REASONING))
		put_plan(r, m);
	if (calls)
		put_calls(r, m);
	json_writer_close(r->w);
}

static void put_message(const struct request *r, const struct prompt_message *m)
{
	switch (m->role) {
	case PROMPT_SYSTEM:
		open_message(r, "system");
		json_writer_key(r->w, "content");
		prompt_put_texts(r->w, m->parts, m->n_parts, "\\n\\n");
		json_writer_close(r->w);
		break;
	case PROMPT_ASSISTANT:
		put_assistant(r, m);
		break;
	default:
		put_user(r, m);
		break;
	}
}

/* Refuses what the API has no place for. */
static int check_parts(const struct request *r, const struct prompt_part *parts, size_t n,
		       const struct prompt_at *at)
{
	int result = 0;

	for (size_t i = 0; i < n && result == 0; i++) {
		if (parts[i].kind == PROMPT_AUDIO)
			return prompt_refuse(r->fault, at->text, "Cohere takes no audio");
		if (parts[i].kind == PROMPT_FILE)
			return prompt_refuse(r->fault, at->text,
					     "Cohere takes documents as text only");
		result = check_parts(r, parts[i].content, parts[i].n_content, at);
	}
	return result;
}

static int put_messages(const struct request *r)
{
	struct prompt_at at;
	int result = 0;

	json_writer_key(r->w, "messages");
	json_writer_array(r->w);
	for (size_t i = 0; i < r->p->n_messages && result == 0; i++) {
		const struct prompt_message *m = &r->p->messages[i];

		prompt_at(&at, "messages[%zu].content", i);
		result = check_parts(r, m->parts, m->n_parts, &at);
		if (result == 0)
			put_message(r, m);
	}
	json_writer_close(r->w);
	return result;
}

static void put_tool(const struct request *r, const struct prompt_tool *tool)
{
	json_writer_object(r->w);
	json_writer_member_string(r->w, "type", SL_LIT("function"));
	json_writer_key(r->w, "function");
	json_writer_object(r->w);
	json_writer_member(r->w, "name", tool->name);
	json_writer_member(r->w, "description", tool->description);
	json_writer_key(r->w, "parameters");
	if (tool->schema.type == JSON_OBJECT)
		json_writer_token(r->w, tool->schema);
	else
		json_writer_raw(r->w, SL_LIT("{\"type\":\"object\",\"properties\":{}}"));
	json_writer_close(r->w);
	json_writer_close(r->w);
}

/* A call of one tool can be demanded by offering no other. */
static int put_tools(const struct request *r)
{
	const struct prompt *p = r->p;
	int result = 0;

	if (p->n_tools == 0)
		return 0;
	json_writer_key(r->w, "tools");
	json_writer_array(r->w);
	for (size_t i = 0; i < p->n_tools; i++) {
		const struct prompt_tool *tool = &p->tools[i];

		if (p->choice == PROMPT_NAMED && !sl_slice_eq(tool->name.raw, p->choice_name.raw))
			continue;
		put_tool(r, tool);
		if (result == 0 && tool->strict.type == JSON_TRUE)
			result = prompt_drop(r->p, "strict");
	}
	json_writer_close(r->w);
	if (p->choice == PROMPT_REQUIRED || p->choice == PROMPT_NAMED)
		json_writer_member_string(r->w, "tool_choice", SL_LIT("REQUIRED"));
	else if (p->choice == PROMPT_NO_TOOLS)
		json_writer_member_string(r->w, "tool_choice", SL_LIT("NONE"));
	return result;
}

static void put_format(const struct request *r)
{
	if (r->p->format == PROMPT_ANY_FORMAT)
		return;
	json_writer_key(r->w, "response_format");
	json_writer_object(r->w);
	json_writer_member_string(r->w, "type", SL_LIT("json_object"));
	if (r->p->format == PROMPT_JSON_SCHEMA)
		json_writer_member(r->w, "json_schema", r->p->schema);
	json_writer_close(r->w);
}

/* 0 or -SL_E_NOMEM. */
static int put_thinking(const struct request *r)
{
	int64_t budget;
	int given = prompt_budget(r->p, &budget);

	if (given <= 0)
		return given;
	json_writer_key(r->w, "thinking");
	json_writer_object(r->w);
	json_writer_member_string(r->w, "type",
				  budget == 0 ? SL_LIT("disabled") : SL_LIT("enabled"));
	if (budget > 0) {
		json_writer_key(r->w, "token_budget");
		json_writer_int(r->w, budget);
	}
	json_writer_close(r->w);
	return 0;
}

int cohere_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		  struct request_fault *fault)
{
	const struct request request = {p, w, fault};
	int r = prompt_settle(p, words, COUNT(words), fault);

	if (r < 0)
		return r;
	json_writer_object(w);
	json_writer_member_string(w, "model", t->model);
	r = put_messages(&request);
	if (r == 0)
		r = put_tools(&request);
	if (r == 0)
		r = put_thinking(&request);
	put_format(&request);
	prompt_put_options(w, p, words, N_PLAIN_WORDS);
	json_writer_key(w, "stream");
	json_writer_bool(w, t->stream);
	json_writer_close(w);
	return r;
}
