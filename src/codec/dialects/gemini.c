/*
 * Google's Gemini: streamGenerateContent.
 *
 * Every message is a response of its own shape: what the candidates say more, and the counts so
 * far. They come as server-sent events, or as the elements of one array. There is no end mark: an
 * answer is complete when a candidate had a reason to finish and the body has ended.
 *
 *	responseId, modelVersion ─▶ META           usageMetadata ─▶ USAGE
 *	candidates[].content.parts[]
 *	    text ─▶ TEXT   text, thought ─▶ REASONING   thoughtSignature ─▶ SIGNATURE
 *	    functionCall ─▶ TOOL_START, TOOL_ARGS, PART_END
 *	candidates[].finishReason, promptFeedback.blockReason ─▶ FINISH, or a failure
 *
 * Other parts (inlineData, executableCode …) make no events; they stay in the frame.
 */
#include "codec/dialects/gemini.h"

#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/prompt_read.h"
#include "codec/tool_calls.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* A larger count is none. */
#define COUNT_MAX 1000000000000

/* ---- The answer */

void gemini_init(void *state, const struct sl_reader_options *o)
{
	struct gemini *s = state;

	*s = (struct gemini){.client_key = o->client_key, .counts = {-1, -1, -1, -1, -1, -1}};
}

void gemini_fini(void *state)
{
	(void)state;
}

bool gemini_is_complete(const void *state)
{
	const struct gemini *s = state;

	for (size_t i = 0; i < GEMINI_CANDIDATES_MAX; i++) {
		if (s->candidate[i].begun && !s->candidate[i].finished)
			return false;
	}
	return s->finished;
}

static void read_meta(struct gemini *s, struct json response, struct decoded *d)
{
	struct sl_slice id = decoded_string(d, json_get(response, "responseId"), NULL);
	struct sl_slice model = decoded_string(d, json_get(response, "modelVersion"), NULL);

	if (s->meta_given || (id.n == 0 && model.n == 0))
		return;
	s->meta_given = true;
	s->seed = tool_calls_hash(0, id);
	decoded_add(d, &(struct sl_event){.kind = SL_EVENT_META, .s = {id, model}});
}

static void read_call(struct gemini *s, uint32_t choice, struct json call,
		      struct sl_slice signature, struct decoded *d)
{
	struct json args = json_get(call, "args");
	struct sl_slice id = decoded_string(d, json_get(call, "id"), NULL);
	struct sl_slice name = decoded_string(d, json_get(call, "name"), NULL);
	uint32_t index = s->candidate[choice].n_calls++;

	if (id.n == 0)
		id = tool_calls_make_id(s->seed, choice, index, d);
	decoded_add_call(d, choice, index, id, name, signature,
			 args.type == JSON_OBJECT ? args.raw : (struct sl_slice){0});
}

static void read_part(struct gemini *s, uint32_t choice, struct json part, struct decoded *d)
{
	struct json call = json_get(part, "functionCall");
	struct sl_slice signature = decoded_string(d, json_get(part, "thoughtSignature"), NULL);
	bool thought = json_get(part, "thought").type == JSON_TRUE;

	if (call.type == JSON_OBJECT) {
		decoded_end_pieces(d, &s->candidate[choice].tail, choice);
		read_call(s, choice, call, signature, d);
		return;
	}
	decoded_add_piece(d, &s->candidate[choice].tail,
			  thought ? SL_EVENT_REASONING : SL_EVENT_TEXT, choice,
			  json_get(part, "text"));
	decoded_add_text(d, SL_EVENT_SIGNATURE, choice, signature);
}

/* One of stop, length, content_filter; "error": the answer is none. */
static struct sl_slice finish_reason(struct sl_slice native)
{
	static const char *const table[][2] = {
		{"STOP", "stop"},
		{"MAX_TOKENS", "length"},
		{"CONTINUATION", "length"},
		{"SAFETY", "content_filter"},
		{"RECITATION", "content_filter"},
		{"LANGUAGE", "content_filter"},
		{"BLOCKLIST", "content_filter"},
		{"PROHIBITED_CONTENT", "content_filter"},
		{"SPII", "content_filter"},
		{"IMAGE_SAFETY", "content_filter"},
		{"IMAGE_PROHIBITED_CONTENT", "content_filter"},
		{"IMAGE_RECITATION", "content_filter"},
		{"IMAGE_OTHER", "content_filter"},
		{"MALFORMED_FUNCTION_CALL", "error"},
		{"UNEXPECTED_TOOL_CALL", "error"},
		{"TOO_MANY_TOOL_CALLS", "error"},
		{"MISSING_THOUGHT_SIGNATURE", "error"},
		{"MALFORMED_RESPONSE", "error"},
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		if (sl_slice_is(native, table[i][0]))
			return sl_slice_str(table[i][1]);
	}
	return SL_LIT("stop");
}

static void add_finish(struct gemini *s, uint32_t choice, struct sl_slice reason,
		       struct sl_slice native, struct decoded *d)
{
	s->finished = s->candidate[choice].finished = true;
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_FINISH,
			       .choice = choice,
			       .s = {reason, native},
		       });
}

/* The word for an error is the upstream's own. */
static int fail(struct sl_slice native, struct decoded *d)
{
	int r = upstream_error_take_named(&d->error, native,
					  SL_LIT("the model's output cannot be used"), false);

	return r < 0 ? r : VERDICT_FAILED;
}

/* The reason may come more than once, and something may still be said behind it. */
static int read_finish(struct gemini *s, uint32_t choice, struct json given, bool more_calls,
		       struct decoded *d)
{
	struct gemini_candidate *c = &s->candidate[choice];
	struct sl_slice native = decoded_string(d, given, NULL);
	struct sl_slice reason = finish_reason(native);

	if (native.n == 0) {
		if (c->stopped && more_calls)
			add_finish(s, choice, SL_LIT("tool_calls"), SL_LIT("STOP"), d);
		return VERDICT_ENTRY;
	}
	decoded_end_pieces(d, &c->tail, choice);
	if (sl_slice_is(reason, "error"))
		return fail(native, d);
	c->stopped = sl_slice_is(native, "STOP");
	if (c->stopped && c->n_calls > 0)
		reason = SL_LIT("tool_calls");
	add_finish(s, choice, reason, native, d);
	return VERDICT_ENTRY;
}

static int read_candidate(struct gemini *s, struct json candidate, struct decoded *d)
{
	struct json_walk parts;
	struct json part;
	struct sl_slice key;
	int64_t choice;
	uint32_t before;

	if (json_int(json_get(candidate, "index"), &choice) < 0 || choice < 0)
		choice = 0;
	if (choice >= GEMINI_CANDIDATES_MAX) {
		decoded_note(d, -SL_E_LIMIT);
		return VERDICT_ENTRY;
	}
	s->candidate[choice].begun = true;
	before = s->candidate[choice].n_calls;
	json_walk_init(&parts, json_get2(candidate, "content", "parts"));
	while (json_walk_next(&parts, &key, &part) == 1)
		read_part(s, (uint32_t)choice, part, d);
	return read_finish(s, (uint32_t)choice, json_get(candidate, "finishReason"),
			   s->candidate[choice].n_calls > before, d);
}

/* What is known of the parts, none of them: -1. */
static int64_t sum_of(int64_t one, int64_t other)
{
	if (one < 0 || other < 0)
		return one < 0 ? other : one;
	return one + other;
}

/* The counts are those so far, and not all of them are in every response. */
static void read_usage(struct gemini_counts *c, struct json usage, struct decoded *d)
{
	const struct {
		const char *name;
		int64_t *count;
	} counts[] = {
		{"promptTokenCount", &c->prompt},         {"toolUsePromptTokenCount", &c->tool_use},
		{"candidatesTokenCount", &c->candidates}, {"thoughtsTokenCount", &c->thoughts},
		{"cachedContentTokenCount", &c->cached},  {"totalTokenCount", &c->total},
	};
	struct sl_event e = {.kind = SL_EVENT_USAGE, .usage = SL_USAGE_NONE};
	struct sl_usage *u = &e.usage;
	int64_t n;

	for (size_t i = 0; i < COUNT(counts); i++) {
		if (json_int(json_get(usage, counts[i].name), &n) == 0 && n >= 0 && n <= COUNT_MAX)
			*counts[i].count = n;
	}
	u->prompt = sum_of(c->prompt, c->tool_use);
	u->completion = sum_of(c->candidates, c->thoughts);
	u->total = c->total;
	u->cached = c->cached;
	u->reasoning = c->thoughts;
	if (!sl_usage_known(u))
		return;
	if (u->completion < 0) /* nothing was said */
		u->completion = 0;
	if (u->total < 0 && u->prompt >= 0)
		u->total = u->prompt + u->completion;
	decoded_add(d, &e);
}

static int read_response(void *state, const struct message *m, struct json response,
			 struct decoded *d)
{
	struct gemini *s = state;
	struct json usage = json_get(response, "usageMetadata"), candidate;
	struct sl_slice blocked, key;
	struct json_walk candidates;
	int r = decoded_take_error(d, m, response, s->client_key);

	if (r != VERDICT_SKIP || m->stray)
		return r;
	r = VERDICT_ENTRY;
	read_meta(s, response, d);
	json_walk_init(&candidates, json_get(response, "candidates"));
	while (r == VERDICT_ENTRY && json_walk_next(&candidates, &key, &candidate) == 1)
		r = read_candidate(s, candidate, d);
	blocked = decoded_string(d, json_get2(response, "promptFeedback", "blockReason"), NULL);
	if (blocked.n > 0)
		add_finish(s, 0, SL_LIT("content_filter"), blocked, d);
	if (usage.type == JSON_OBJECT)
		read_usage(&s->counts, usage, d);
	return r == VERDICT_FAILED ? decoded_failed(d) : r;
}

int gemini_decode(void *state, const struct message *m, struct decoded *d)
{
	if (!m->stray && message_is_done(m))
		return gemini_is_complete(state) ? VERDICT_END : VERDICT_SKIP;
	return decoded_read(d, m, read_response, state);
}

/* ---- The request */

/* Where a call of the history needs a signature and has none: the models then do not look for it. */
#define NO_SIGNATURE "skip_thought_signature_validator"

/* From the third generation on calls have ids and need signatures. Those before do without, and some
 * of the servers that they run on refuse an id. */
static bool has_keyed_calls(struct sl_slice model)
{
	static const char family[] = "gemini-";
	const char *found = model.n ? memmem(model.p, model.n, family, strlen(family)) : NULL;
	struct sl_slice generation = {0};

	if (found) {
		generation.p = found + strlen(family);
		generation.n = (size_t)(model.p + model.n - generation.p);
	}
	return generation.n > 0 && *generation.p != '1' && *generation.p != '2';
}

#define STOPS_MAX 5

static const struct prompt_word words[] = {
	{PROMPT_MAX_TOKENS, "maxOutputTokens"},
	{PROMPT_TEMPERATURE, "temperature"},
	{PROMPT_TOP_P, "topP"},
	{PROMPT_TOP_K, "topK"},
	{PROMPT_STOP, "stopSequences"},
	{PROMPT_SEED, "seed"},
	{PROMPT_PRESENCE_PENALTY, "presencePenalty"},
	{PROMPT_FREQUENCY_PENALTY, "frequencyPenalty"},
	/* written in a way of their own; the last two */
	{PROMPT_EFFORT, "thinkingConfig"},
	{PROMPT_BUDGET, "thinkingConfig"},
};
#define N_PLAIN_WORDS (COUNT(words) - 2)

/* An object with one member, which is an object. */
static void open_part(struct json_writer *w, const char *name)
{
	json_writer_object(w);
	json_writer_key(w, name);
	json_writer_object(w);
}

static void close_part(struct json_writer *w)
{
	json_writer_close(w);
	json_writer_close(w);
}

static void put_chars(struct json_writer *w, const char *name, struct sl_slice chars)
{
	json_writer_key(w, name);
	json_writer_open_string(w);
	json_writer_chars(w, chars);
	json_writer_close_string(w);
}

static void put_media(struct json_writer *w, const struct prompt_part *part)
{
	bool is_url = part->url.type == JSON_STRING;

	open_part(w, is_url ? "fileData" : "inlineData");
	if (part->media.n > 0)
		put_chars(w, "mimeType", part->media);
	if (is_url)
		json_writer_member(w, "fileUri", part->url);
	else
		put_chars(w, "data", part->data);
	close_part(w);
}

static void put_reasoning(struct json_writer *w, const struct prompt_part *part)
{
	json_writer_object(w);
	json_writer_key(w, "text");
	if (part->text.type == JSON_STRING)
		json_writer_token(w, part->text);
	else
		json_writer_string(w, (struct sl_slice){0});
	json_writer_key(w, "thought");
	json_writer_bool(w, true);
	json_writer_member(w, "thoughtSignature", part->signature);
	json_writer_close(w);
}

/* A turn: neighbours of one role, `n` messages. */
struct turn {
	const struct prompt_message *messages;
	size_t n;
	bool keyed;    /* its calls have ids and signatures */
	bool any_call; /* was written */
};

/* The first call of a turn needs a signature; others have theirs, or none. */
static void put_call(struct json_writer *w, struct turn *turn, const struct prompt_part *part)
{
	bool is_first = !turn->any_call;

	turn->any_call = true;
	open_part(w, "functionCall");
	if (turn->keyed)
		json_writer_member(w, "id", part->id);
	json_writer_member(w, "name", part->name);
	json_writer_key(w, "args");
	prompt_put_arguments_object(w, part->arguments);
	json_writer_close(w);
	if (part->signature.type == JSON_STRING)
		json_writer_member(w, "thoughtSignature", part->signature);
	else if (is_first && turn->keyed)
		json_writer_member_string(w, "thoughtSignature", SL_LIT(NO_SIGNATURE));
	json_writer_close(w);
}

/* The object that a result is the JSON text of. False: it is something else. */
static bool put_object_of(struct json_writer *w, const struct prompt_part *result)
{
	struct sl_buf text;
	struct json object;
	bool is_object;

	if (result->n_content != 1 || result->content->kind != PROMPT_TEXT)
		return false;
	sl_buf_init(&text, SIZE_MAX);
	is_object = json_string(result->content->text, &text, NULL) == 0 &&
		    json_parse(sl_buf_slice(&text), &object) == 0 && object.type == JSON_OBJECT;
	if (is_object)
		json_writer_token(w, object);
	sl_buf_fini(&text);
	return is_object;
}

static void put_result(struct json_writer *w, const struct turn *turn,
		       const struct prompt_part *part)
{
	open_part(w, "functionResponse");
	if (turn->keyed)
		json_writer_member(w, "id", part->id);
	json_writer_member(w, "name", part->name.type == JSON_STRING ? part->name : part->id);
	json_writer_key(w, "response");
	if (part->is_error || !put_object_of(w, part)) {
		json_writer_object(w);
		json_writer_key(w, part->is_error ? "error" : "result");
		prompt_put_texts(w, part->content, part->n_content, "\\n");
		json_writer_close(w);
	}
	close_part(w);
}

static bool is_media(const struct prompt_part *part)
{
	return part->kind == PROMPT_IMAGE || part->kind == PROMPT_AUDIO ||
	       part->kind == PROMPT_FILE;
}

/* Whether there is something to write of a part: empty texts are refused, and reasoning that is
 * withheld is not this API's. */
static bool is_kept(const struct prompt_part *part)
{
	if (part->kind == PROMPT_TEXT || part->kind == PROMPT_REFUSAL)
		return part->text.type == JSON_STRING && part->text.raw.n > 2;
	return part->kind != PROMPT_REASONING || !part->redacted;
}

static bool is_said(const struct prompt_message *m)
{
	for (size_t i = 0; i < m->n_parts && m->role != PROMPT_SYSTEM; i++) {
		if (is_kept(&m->parts[i]))
			return true;
	}
	return false;
}

static void put_part(struct json_writer *w, struct turn *turn, const struct prompt_part *part)
{
	switch (part->kind) {
	case PROMPT_TEXT:
	case PROMPT_REFUSAL:
		json_writer_object(w);
		json_writer_member(w, "text", part->text);
		json_writer_close(w);
		break;
	case PROMPT_REASONING:
		put_reasoning(w, part);
		break;
	case PROMPT_TOOL_CALL:
		put_call(w, turn, part);
		break;
	case PROMPT_TOOL_RESULT: /* what of it is no text */
		for (size_t i = 0; i < part->n_content; i++) {
			if (is_media(&part->content[i]))
				put_media(w, &part->content[i]);
		}
		break;
	default:
		put_media(w, part);
		break;
	}
}

/* Results stand together and before all else, as the calls that they answer do. */
static void put_turn(struct json_writer *w, struct turn *turn)
{
	const struct prompt_message *end = turn->messages + turn->n;
	bool is_user = turn->messages->role == PROMPT_USER;

	json_writer_object(w);
	json_writer_member_string(w, "role", is_user ? SL_LIT("user") : SL_LIT("model"));
	json_writer_key(w, "parts");
	json_writer_array(w);
	for (const struct prompt_message *m = turn->messages; m < end; m++) {
		for (size_t i = 0; i < m->n_parts; i++) {
			if (m->parts[i].kind == PROMPT_TOOL_RESULT)
				put_result(w, turn, &m->parts[i]);
		}
	}
	for (const struct prompt_message *m = turn->messages; m < end; m++) {
		for (size_t i = 0; i < m->n_parts && m->role != PROMPT_SYSTEM; i++) {
			if (is_kept(&m->parts[i]))
				put_part(w, turn, &m->parts[i]);
		}
	}
	json_writer_close(w);
	json_writer_close(w);
}

static void put_contents(struct json_writer *w, const struct prompt *p, bool keyed)
{
	size_t end;

	json_writer_key(w, "contents");
	json_writer_array(w);
	for (size_t at = 0; at < p->n_messages; at = end) {
		const struct prompt_message *m = &p->messages[at];

		end = at + 1;
		if (!is_said(m))
			continue;
		while (end < p->n_messages &&
		       (!is_said(&p->messages[end]) || p->messages[end].role == m->role))
			end++;
		put_turn(w, &(struct turn){.messages = m, .n = end - at, .keyed = keyed});
	}
	json_writer_close(w);
}

static void put_system(struct json_writer *w, const struct prompt *p)
{
	bool any = false;

	for (size_t m = 0; m < p->n_messages; m++) {
		const struct prompt_message *message = &p->messages[m];

		for (size_t i = 0; i < message->n_parts && message->role == PROMPT_SYSTEM; i++) {
			if (message->parts[i].kind != PROMPT_TEXT || !is_kept(&message->parts[i]))
				continue;
			if (!any) {
				json_writer_key(w, "systemInstruction");
				json_writer_object(w);
				json_writer_key(w, "parts");
				json_writer_array(w);
			}
			any = true;
			put_part(w, NULL, &message->parts[i]);
		}
	}
	if (any) {
		json_writer_close(w);
		json_writer_close(w);
	}
}

static void put_choice(struct json_writer *w, const struct prompt *p)
{
	static const char *const modes[] = {
		[PROMPT_AUTO] = "AUTO",
		[PROMPT_REQUIRED] = "ANY",
		[PROMPT_NO_TOOLS] = "NONE",
		[PROMPT_NAMED] = "ANY",
	};

	if (p->choice == PROMPT_CHOICE_NONE_GIVEN)
		return;
	json_writer_key(w, "toolConfig");
	open_part(w, "functionCallingConfig");
	json_writer_member_string(w, "mode", sl_slice_str(modes[p->choice]));
	if (p->choice == PROMPT_NAMED) {
		json_writer_key(w, "allowedFunctionNames");
		json_writer_array(w);
		json_writer_token(w, p->choice_name);
		json_writer_close(w);
	}
	close_part(w);
}

static bool is_all_strings(struct json array)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;

	json_walk_init(&w, array);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (value.type != JSON_STRING)
			return false;
	}
	return array.type == JSON_ARRAY;
}

static bool is_plain_format(struct json format)
{
	static const char *const plain[] = {"float", "double", "int32",
					    "int64", "enum",   "date-time"};

	for (size_t i = 0; i < COUNT(plain); i++) {
		if (json_is(format, plain[i]))
			return true;
	}
	return false;
}

/* What a word of a schema may say; all that is not looked at may say anything. */
static bool is_plain_word(struct sl_slice key, struct json value)
{
	if (sl_slice_is(key, "type"))
		return value.type == JSON_STRING;
	if (sl_slice_is(key, "enum"))
		return is_all_strings(value);
	if (sl_slice_is(key, "format"))
		return is_plain_format(value);
	return !sl_slice_is(key, "properties") || prompt_count(value) > 0;
}

/* Whether a schema is of OpenAPI's kind, which all of Google's servers take: its words, and no type
 * that is a list. `map`: its members are names of properties, not words. */
static bool is_plain_schema(struct json schema, bool map)
{
	static const char *const plain[] = {"type",        "format",        "title",
					    "description", "nullable",      "enum",
					    "items",       "properties",    "required",
					    "anyOf",       "minimum",       "maximum",
					    "minItems",    "maxItems",      "minLength",
					    "maxLength",   "minProperties", "maxProperties",
					    "pattern",     "default",       "example",
					    NULL};
	struct json_walk w;
	struct json value;
	struct sl_slice key = {0};
	bool has_words = schema.type == JSON_OBJECT && !map;

	if (has_words && json_is(json_get(schema, "type"), "array") &&
	    json_get(schema, "items").type == JSON_NONE)
		return false;
	json_walk_init(&w, schema);
	while (json_walk_next(&w, &key, &value) == 1) {
		bool below = value.type == JSON_OBJECT &&
			     (map || schema.type == JSON_ARRAY || sl_slice_is(key, "items") ||
			      sl_slice_is(key, "properties"));

		if (has_words && (!prompt_is_named(plain, key) || !is_plain_word(key, value)))
			return false;
		if (below && !is_plain_schema(value, !map && sl_slice_is(key, "properties")))
			return false;
		if (!map && sl_slice_is(key, "anyOf") && !is_plain_schema(value, false))
			return false;
	}
	return true;
}

/* An object that can hold nothing. As parameters it is refused, and the same as none. */
static bool is_of_nothing(struct json schema)
{
	static const char *const known[] = {
		"type",    "properties", "required",    "additionalProperties",
		"$schema", "title",      "description", NULL};
	struct json more = json_get(schema, "additionalProperties"), value;
	struct json_walk w;
	struct sl_slice key;

	json_walk_init(&w, schema);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (!prompt_is_named(known, key))
			return false;
	}
	return (more.type == JSON_NONE || more.type == JSON_FALSE) &&
	       prompt_count(json_get(schema, "properties")) == 0;
}

static void put_schema(struct json_writer *w, const char *plain, const char *any,
		       struct json schema)
{
	json_writer_member(w, is_plain_schema(schema, false) ? plain : any, schema);
}

static int put_tools(struct json_writer *w, struct prompt *p)
{
	int r = 0;

	if (p->n_tools == 0)
		return 0;
	json_writer_key(w, "tools");
	json_writer_array(w);
	json_writer_object(w);
	json_writer_key(w, "functionDeclarations");
	json_writer_array(w);
	for (size_t i = 0; i < p->n_tools && r == 0; i++) {
		json_writer_object(w);
		json_writer_member(w, "name", p->tools[i].name);
		json_writer_member(w, "description", p->tools[i].description);
		if (!is_of_nothing(p->tools[i].schema))
			put_schema(w, "parameters", "parametersJsonSchema", p->tools[i].schema);
		json_writer_close(w);
		if (p->tools[i].strict.type == JSON_TRUE)
			r = prompt_drop(p, "strict");
	}
	json_writer_close(w);
	json_writer_close(w);
	json_writer_close(w);
	put_choice(w, p);
	return r;
}

/* All models that think know a budget; levels are known to the newest only. */
static void put_thinking(struct json_writer *w, int64_t budget)
{
	json_writer_key(w, "thinkingConfig");
	json_writer_object(w);
	json_writer_key(w, "thinkingBudget");
	json_writer_int(w, budget);
	if (budget != 0) {
		json_writer_key(w, "includeThoughts");
		json_writer_bool(w, true);
	}
	json_writer_close(w);
}

static void put_format(struct json_writer *w, const struct prompt *p)
{
	if (p->format == PROMPT_ANY_FORMAT)
		return;
	json_writer_member_string(w, "responseMimeType", SL_LIT("application/json"));
	if (p->format == PROMPT_JSON_SCHEMA)
		put_schema(w, "responseSchema", "responseJsonSchema", p->schema);
}

/* `budget` NULL: how much to think was not said. */
static void put_generation(struct json_writer *w, const struct prompt *p, const int64_t *budget)
{
	bool any = budget || p->format != PROMPT_ANY_FORMAT;

	for (size_t i = 0; i < N_PLAIN_WORDS && !any; i++)
		any = p->option[words[i].option].type != JSON_NONE;
	if (!any)
		return;
	json_writer_key(w, "generationConfig");
	json_writer_object(w);
	prompt_put_options(w, p, words, N_PLAIN_WORDS);
	put_format(w, p);
	if (budget)
		put_thinking(w, *budget);
	json_writer_close(w);
}

/* What cannot be asked for is dropped or refused. 1: *budget was said; 0; -SL_E_TYPE, -SL_E_NOMEM. */
static int settle(struct prompt *p, int64_t *budget, struct request_fault *fault)
{
	const char *at = NULL;
	struct json stop;
	size_t n_stops = 0;
	int r = prompt_settle(p, words, COUNT(words), fault);

	if (r < 0)
		return r;
	while (prompt_stop_next(p, &at, &stop) == 1)
		n_stops++;
	if (n_stops > STOPS_MAX)
		return prompt_refuse(fault, "stop", "Gemini takes 5 stop sequences at the most");
	for (size_t m = 0; m < p->n_messages; m++) {
		for (size_t i = 0; i < p->messages[m].n_parts && r == 0; i++) {
			if (p->messages[m].parts[i].redacted)
				r = prompt_drop(p, "redacted_thinking");
		}
	}
	return r < 0 ? r : prompt_budget(p, budget);
}

int gemini_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		  struct request_fault *fault)
{
	int64_t budget = 0;
	int has_budget = settle(p, &budget, fault), r;

	if (has_budget < 0)
		return has_budget;
	json_writer_object(w); /* the model, and that it is to stream, stand in the path */
	put_system(w, p);
	put_contents(w, p, has_keyed_calls(t->model));
	r = put_tools(w, p);
	put_generation(w, p, has_budget ? &budget : NULL);
	json_writer_close(w);
	return r;
}
