/*
 * Ollama: /api/chat, and what /api/generate calls differently.
 *
 * An answer is a row of lines, each an object. The last one has done: true, its reason and the
 * counts; it is complete when the body ends behind that.
 *
 *	model ─▶ META
 *	message.thinking ─▶ REASONING   message.content, response ─▶ TEXT
 *	message.tool_calls[] ─▶ TOOL_START, TOOL_ARGS, PART_END
 *	done ─▶ FINISH, USAGE           error ─▶ a failure
 */
#include "codec/dialects/ollama.h"

#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/prompt_read.h"
#include "codec/tool_calls.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* A larger count is none. */
#define COUNT_MAX 1000000000000

/* ---- The answer */

void ollama_init(void *state, const struct sl_reader_options *o)
{
	struct ollama *s = state;

	*s = (struct ollama){.client_key = o->client_key};
}

void ollama_fini(void *state)
{
	(void)state;
}

bool ollama_is_complete(const void *state)
{
	const struct ollama *s = state;

	return s->finished;
}

static void read_meta(struct ollama *s, struct json line, struct decoded *d)
{
	struct sl_slice model = decoded_string(d, json_get(line, "model"), NULL);

	if (s->meta_given || model.n == 0)
		return;
	s->meta_given = true;
	s->seed = tool_calls_hash(tool_calls_hash(0, model), json_get(line, "created_at").raw);
	decoded_add(d, &(struct sl_event){.kind = SL_EVENT_META, .s[1] = model});
}

/* Arguments are an object; a template may have made text of it. */
static void read_call(struct ollama *s, struct json call, struct decoded *d)
{
	struct json function = json_get(call, "function"), args = json_get(function, "arguments");
	struct sl_slice id = decoded_string(d, json_get(call, "id"), NULL);
	struct sl_slice name = decoded_string(d, json_get(function, "name"), NULL);
	uint32_t index;

	if (function.type != JSON_OBJECT)
		return;
	decoded_end_pieces(d, &s->tail, 0);
	index = s->n_calls++;
	if (id.n == 0)
		id = tool_calls_make_id(s->seed, 0, index, d);
	decoded_add_call(d, 0, index, id, name, (struct sl_slice){0},
			 args.type == JSON_OBJECT ? args.raw : decoded_string(d, args, NULL));
}

static void read_message(struct ollama *s, struct json line, struct json message, struct decoded *d)
{
	struct json_walk calls;
	struct json call;
	struct sl_slice key;

	decoded_add_piece(d, &s->tail, SL_EVENT_REASONING, 0, json_get(line, "thinking"));
	decoded_add_piece(d, &s->tail, SL_EVENT_REASONING, 0, json_get(message, "thinking"));
	decoded_add_piece(d, &s->tail, SL_EVENT_TEXT, 0, json_get(line, "response"));
	decoded_add_piece(d, &s->tail, SL_EVENT_TEXT, 0, json_get(message, "content"));
	json_walk_init(&calls, json_get(message, "tool_calls"));
	while (json_walk_next(&calls, &key, &call) == 1)
		read_call(s, call, d);
}

static int64_t count_of(struct json line, const char *name)
{
	int64_t n;

	return json_int(json_get(line, name), &n) == 0 && n >= 0 && n <= COUNT_MAX ? n : -1;
}

/* One count may be missing: of a prompt that was known already. */
static void read_usage(struct json line, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_USAGE, .usage = SL_USAGE_NONE};
	int64_t prompt = count_of(line, "prompt_eval_count"), said = count_of(line, "eval_count");

	if (prompt < 0 && said < 0)
		return;
	e.usage.prompt = prompt > 0 ? prompt : 0;
	e.usage.completion = said > 0 ? said : 0;
	e.usage.total = e.usage.prompt + e.usage.completion;
	decoded_add(d, &e);
}

static void read_done(struct ollama *s, struct json line, struct decoded *d)
{
	struct sl_slice native = decoded_string(d, json_get(line, "done_reason"), NULL);
	struct sl_slice reason = SL_LIT("stop");

	if (sl_slice_is(native, "length"))
		reason = native;
	else if (s->n_calls > 0)
		reason = SL_LIT("tool_calls");
	decoded_end_pieces(d, &s->tail, 0);
	s->finished = true;
	read_usage(line, d);
	decoded_add(d, &(struct sl_event){.kind = SL_EVENT_FINISH, .s = {reason, native}});
}

static int read_line(void *state, const struct message *m, struct json line, struct decoded *d)
{
	struct ollama *s = state;
	int r = decoded_take_error(d, m, line, s->client_key);

	if (r != VERDICT_SKIP || s->finished)
		return r;
	read_meta(s, line, d);
	read_message(s, line, json_get(line, "message"), d);
	if (json_get(line, "done").type == JSON_TRUE)
		read_done(s, line, d);
	return VERDICT_ENTRY;
}

int ollama_decode(void *state, const struct message *m, struct decoded *d)
{
	return decoded_read(d, m, read_line, state);
}

/* ---- The request */

static const struct prompt_word words[] = {
	{PROMPT_MAX_TOKENS, "num_predict"},
	{PROMPT_TEMPERATURE, "temperature"},
	{PROMPT_TOP_P, "top_p"},
	{PROMPT_TOP_K, "top_k"},
	{PROMPT_MIN_P, "min_p"},
	{PROMPT_SEED, "seed"},
	{PROMPT_STOP, "stop"},
	{PROMPT_PRESENCE_PENALTY, "presence_penalty"},
	{PROMPT_FREQUENCY_PENALTY, "frequency_penalty"},
	/* written in a place of their own; the last two */
	{PROMPT_EFFORT, "think"},
	{PROMPT_BUDGET, "think"},
};
#define N_PLAIN_WORDS (COUNT(words) - 2)

struct request {
	struct prompt *p;
	struct json_writer *w;
	struct request_fault *fault;
	bool keyed; /* calls have ids */
};

static void put_role(const struct request *r, const char *role)
{
	json_writer_member_string(r->w, "role", sl_slice_str(role));
}

/* The texts of these parts, or what was thought, as one string. */
static void put_said(const struct request *r, const char *name, const struct prompt_part *parts,
		     size_t n, bool thinking, const char *between)
{
	bool any = false;

	json_writer_key(r->w, name);
	json_writer_open_string(r->w);
	for (size_t i = 0; i < n; i++) {
		enum prompt_part_kind kind = parts[i].kind;
		struct sl_slice text = parts[i].text.raw;
		bool wanted = thinking ? kind == PROMPT_REASONING
				       : kind == PROMPT_TEXT || kind == PROMPT_REFUSAL;

		if (!wanted || parts[i].text.type != JSON_STRING)
			continue;
		if (any)
			json_writer_chars(r->w, sl_slice_str(between));
		any = true;
		json_writer_chars(r->w, sl_slice(text.p + 1, text.n - 2));
	}
	json_writer_close_string(r->w);
}

static bool has_kind(const struct prompt_part *parts, size_t n, enum prompt_part_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		if (parts[i].kind == kind)
			return true;
	}
	return false;
}

/* Images stand beside the text, as bare data. */
static void put_images(const struct request *r, const struct prompt_part *parts, size_t n)
{
	if (!has_kind(parts, n, PROMPT_IMAGE))
		return;
	json_writer_key(r->w, "images");
	json_writer_array(r->w);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].kind != PROMPT_IMAGE)
			continue;
		json_writer_open_string(r->w);
		json_writer_chars(r->w, parts[i].data);
		json_writer_close_string(r->w);
	}
	json_writer_close(r->w);
}

#define MANY_PARTS 64 /* of one message: they are not looked at one by one */

/* Whether some part before part `at` calls the same tool. */
static bool is_called_before(const struct prompt_message *m, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (m->parts[i].kind == PROMPT_TOOL_CALL &&
		    sl_slice_eq(m->parts[i].name.raw, m->parts[at].name.raw))
			return true;
	}
	return false;
}

/* A result says of which tool it is. An id says more only where a message calls one tool twice, and
 * older servers know none. */
static bool calls_one_twice(const struct prompt *p)
{
	for (size_t k = 0; k < p->n_messages; k++) {
		const struct prompt_message *m = &p->messages[k];

		if (m->role != PROMPT_ASSISTANT)
			continue;
		if (m->n_parts > MANY_PARTS)
			return true;
		for (size_t i = 0; i < m->n_parts; i++) {
			if (m->parts[i].kind == PROMPT_TOOL_CALL && is_called_before(m, i))
				return true;
		}
	}
	return false;
}

static void put_result(const struct request *r, const struct prompt_part *part)
{
	json_writer_object(r->w);
	put_role(r, "tool");
	json_writer_member(r->w, "tool_name", part->name);
	if (r->keyed || part->name.type == JSON_NONE)
		json_writer_member(r->w, "tool_call_id", part->id);
	json_writer_key(r->w, "content");
	prompt_put_texts_behind(r->w, prompt_failure_words(part), part->content, part->n_content,
				"\\n");
	put_images(r, part->content, part->n_content);
	json_writer_close(r->w);
}

static void put_calls(const struct request *r, const struct prompt_message *m)
{
	if (!has_kind(m->parts, m->n_parts, PROMPT_TOOL_CALL))
		return;
	json_writer_key(r->w, "tool_calls");
	json_writer_array(r->w);
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind != PROMPT_TOOL_CALL)
			continue;
		json_writer_object(r->w);
		if (r->keyed)
			json_writer_member(r->w, "id", m->parts[i].id);
		json_writer_key(r->w, "function");
		json_writer_object(r->w);
		json_writer_member(r->w, "name", m->parts[i].name);
		json_writer_key(r->w, "arguments");
		prompt_put_arguments_object(r->w, m->parts[i].arguments);
		json_writer_close(r->w);
		json_writer_close(r->w);
	}
	json_writer_close(r->w);
}

static void put_assistant(const struct request *r, const struct prompt_message *m)
{
	json_writer_object(r->w);
	put_role(r, "assistant");
	put_said(r, "content", m->parts, m->n_parts, false, "");
	if (has_kind(m->parts, m->n_parts, PROMPT_REASONING))
		put_said(r, "thinking", m->parts, m->n_parts, true, "");
	put_calls(r, m);
	json_writer_close(r->w);
}

/* The results of tools are messages; what a user says beside them is another one, behind them. */
static void put_user(const struct request *r, const struct prompt_message *m)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].kind == PROMPT_TOOL_RESULT)
			put_result(r, &m->parts[i]);
	}
	if (!has_kind(m->parts, m->n_parts, PROMPT_TEXT) &&
	    !has_kind(m->parts, m->n_parts, PROMPT_IMAGE))
		return;
	json_writer_object(r->w);
	put_role(r, "user");
	put_said(r, "content", m->parts, m->n_parts, false, "\\n");
	put_images(r, m->parts, m->n_parts);
	json_writer_close(r->w);
}

static void put_message(const struct request *r, const struct prompt_message *m)
{
	switch (m->role) {
	case PROMPT_SYSTEM:
		json_writer_object(r->w);
		put_role(r, "system");
		put_said(r, "content", m->parts, m->n_parts, false, "\\n\\n");
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

/* Refuses what the API has no place for. `at` is where the parts stand. */
static int check_parts(const struct request *r, const struct prompt_part *parts, size_t n,
		       const struct prompt_at *at)
{
	int result = 0;

	for (size_t i = 0; i < n && result == 0; i++) {
		if (parts[i].kind == PROMPT_AUDIO)
			return prompt_refuse(r->fault, at->text, "Ollama takes no audio");
		if (parts[i].kind == PROMPT_FILE)
			return prompt_refuse(r->fault, at->text, "Ollama takes no documents");
		if (parts[i].kind == PROMPT_IMAGE && parts[i].url.type != JSON_NONE)
			return prompt_refuse(r->fault, at->text,
					     "Ollama takes images as data only, not by URL");
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

/* A model calls what it likes: to forbid it, nothing is offered; to demand it is not possible. */
static int put_tools(const struct request *r)
{
	const struct prompt *p = r->p;
	int result = 0;

	if (p->n_tools == 0 || p->choice == PROMPT_NO_TOOLS)
		return 0;
	json_writer_key(r->w, "tools");
	json_writer_array(r->w);
	for (size_t i = 0; i < p->n_tools; i++) {
		json_writer_object(r->w);
		json_writer_member_string(r->w, "type", SL_LIT("function"));
		json_writer_key(r->w, "function");
		json_writer_object(r->w);
		json_writer_member(r->w, "name", p->tools[i].name);
		json_writer_member(r->w, "description", p->tools[i].description);
		json_writer_key(r->w, "parameters");
		if (p->tools[i].schema.type == JSON_OBJECT)
			json_writer_token(r->w, p->tools[i].schema);
		else
			json_writer_raw(r->w, SL_LIT("{\"type\":\"object\",\"properties\":{}}"));
		json_writer_close(r->w);
		json_writer_close(r->w);
		if (result == 0 && p->tools[i].strict.type == JSON_TRUE)
			result = prompt_drop(r->p, "strict");
	}
	json_writer_close(r->w);
	if (result == 0 && (p->choice == PROMPT_REQUIRED || p->choice == PROMPT_NAMED))
		result = prompt_drop(r->p, "tool_choice");
	return result;
}

static void put_options(const struct request *r)
{
	bool any = false;

	for (size_t i = 0; i < N_PLAIN_WORDS && !any; i++)
		any = r->p->option[words[i].option].type != JSON_NONE;
	if (!any)
		return;
	json_writer_key(r->w, "options");
	json_writer_object(r->w);
	prompt_put_options(r->w, r->p, words, N_PLAIN_WORDS);
	json_writer_close(r->w);
}

static bool contains(struct sl_slice s, const char *word)
{
	for (; s.n > 0; s = sl_slice(s.p + 1, s.n - 1)) {
		if (sl_slice_starts(s, word))
			return true;
	}
	return false;
}

/* Models think or do not; only gpt-oss always does, and is told how much. 0 or -SL_E_NOMEM. */
static int put_think(const struct request *r, struct sl_slice model)
{
	int64_t budget;
	int given = prompt_budget(r->p, &budget);

	if (given <= 0)
		return given;
	if (contains(model, "gpt-oss")) {
		json_writer_member_string(r->w, "think",
					  budget <= 1024   ? SL_LIT("low")
					  : budget <= 8192 ? SL_LIT("medium")
							   : SL_LIT("high"));
	} else {
		json_writer_key(r->w, "think");
		json_writer_bool(r->w, budget != 0);
	}
	return 0;
}

static void put_format(const struct request *r)
{
	if (r->p->format == PROMPT_JSON_OBJECT)
		json_writer_member_string(r->w, "format", SL_LIT("json"));
	else if (r->p->format == PROMPT_JSON_SCHEMA)
		json_writer_member(r->w, "format", r->p->schema);
}

int ollama_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		  struct request_fault *fault)
{
	const struct request request = {p, w, fault, calls_one_twice(p)};
	int r = prompt_settle(p, words, COUNT(words), fault);

	if (r < 0)
		return r;
	json_writer_object(w);
	json_writer_member_string(w, "model", t->model);
	r = put_messages(&request);
	if (r == 0)
		r = put_tools(&request);
	if (r == 0)
		r = put_think(&request, t->model);
	put_format(&request);
	put_options(&request);
	json_writer_key(w, "stream");
	json_writer_bool(w, t->stream);
	json_writer_close(w);
	return r;
}
