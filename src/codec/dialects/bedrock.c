/*
 * AWS Bedrock: ConverseStream, which is one API for all models, and InvokeModelWithResponseStream
 * for Claude, whose events are Anthropic's in another wrapping.
 *
 * Converse numbers the blocks of an answer. Only those that are tool calls are announced; a text
 * begins with its first delta:
 *
 *	messageStart ─▶ ( [contentBlockStart] ─▶ contentBlockDelta … ─▶ contentBlockStop ) …
 *	             ─▶ messageStop ─▶ metadata
 */
#include "codec/dialects/bedrock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sluice/error.h>
#include "codec/base64.h"
#include "codec/json_writer.h"
#include "codec/prompt_read.h"
#include "codec/tool_calls.h"

/* ---- Converse: the answer */

void bedrock_converse_init(void *state, const struct sl_reader_options *o)
{
	struct bedrock_converse *s = state;

	*s = (struct bedrock_converse){.client_key = o->client_key};
}

void bedrock_converse_fini(void *state)
{
	(void)state;
}

bool bedrock_converse_is_complete(const void *state)
{
	const struct bedrock_converse *s = state;

	return s->stopped;
}

static void tell_arguments(const struct bedrock_block *b, struct sl_slice text, struct decoded *d)
{
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_TOOL_ARGS,
			       .index = b->call,
			       .s[0] = text,
		       });
}

static void tell_delta(struct bedrock_block *b, struct json text, struct decoded *d)
{
	struct sl_slice s = decoded_string(d, text, &b->half);

	if (b->kind != SL_EVENT_TOOL_ARGS) {
		decoded_add_text(d, b->kind, 0, s);
	} else if (s.n > 0) {
		b->any = true;
		tell_arguments(b, s, d);
	}
}

/* Says that a block is complete, with what it still owes. */
static void tell_end(const struct bedrock_block *b, struct decoded *d)
{
	struct sl_slice replacement = SL_LIT("\xef\xbf\xbd");
	bool is_call = b->kind == SL_EVENT_TOOL_ARGS;

	if (!b->kind)
		return;
	if (b->half && is_call)
		tell_arguments(b, replacement, d);
	else if (b->half)
		decoded_add_text(d, b->kind, 0, replacement);
	else if (is_call && !b->any)
		tell_arguments(b, SL_LIT("{}"), d);
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_PART_END,
			       .n0 = b->kind,
			       .index = b->call,
		       });
}

static struct bedrock_block *find_block(struct bedrock_converse *s, int64_t number)
{
	for (size_t i = 0; i < s->n_open; i++) {
		if (s->open[i].number == number)
			return &s->open[i];
	}
	return NULL;
}

static void end_block(struct bedrock_converse *s, struct bedrock_block *b, struct decoded *d)
{
	size_t behind = s->n_open - (size_t)(b - s->open) - 1;

	tell_end(b, d);
	memmove(b, b + 1, behind * sizeof(*b));
	s->n_open--;
}

/* NULL when there are too many. */
static struct bedrock_block *begin_block(struct bedrock_converse *s, int64_t number,
					 enum sl_event_kind kind, struct decoded *d)
{
	struct bedrock_block *b;

	if (s->n_open == BEDROCK_BLOCKS_MAX) {
		decoded_note(d, -SL_E_LIMIT);
		return NULL;
	}
	b = &s->open[s->n_open++];
	*b = (struct bedrock_block){.number = number, .kind = kind};
	return b;
}

static struct bedrock_block *begin_call(struct bedrock_converse *s, int64_t number,
					struct json tool_use, struct decoded *d)
{
	struct bedrock_block *b = begin_block(s, number, SL_EVENT_TOOL_ARGS, d);
	struct sl_slice id = decoded_string(d, json_get(tool_use, "toolUseId"), NULL);

	if (!b)
		return NULL;
	b->call = s->n_calls++;
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_TOOL_START,
			       .index = b->call,
			       .s = {id.n ? id : tool_calls_make_id(0, 0, b->call, d),
				     decoded_string(d, json_get(tool_use, "name"), NULL)},
		       });
	return b;
}

/* The block of that number, begun where it is not open, or is open as something else. */
static struct bedrock_block *block_of(struct bedrock_converse *s, int64_t number,
				      enum sl_event_kind kind, struct decoded *d)
{
	struct bedrock_block *b = find_block(s, number);

	if (b && b->kind == kind)
		return b;
	if (b)
		end_block(s, b, d);
	if (kind == SL_EVENT_TOOL_ARGS)
		return begin_call(s, number, (struct json){0}, d);
	return begin_block(s, number, kind, d);
}

static int64_t number_of(struct json event)
{
	int64_t n;

	return json_int(json_get(event, "contentBlockIndex"), &n) == 0 ? n : 0;
}

static int read_block_start(struct bedrock_converse *s, struct json event, struct decoded *d)
{
	struct json tool_use = json_get2(event, "start", "toolUse");
	bool is_theirs = json_is(json_get(tool_use, "type"), "server_tool_use");
	struct bedrock_block *b = find_block(s, number_of(event));

	if (tool_use.type != JSON_OBJECT)
		return VERDICT_SKIP;
	if (b)
		end_block(s, b, d);
	if (is_theirs) /* nobody but the upstream is to answer it */
		begin_block(s, number_of(event), 0, d);
	else
		begin_call(s, number_of(event), tool_use, d);
	return VERDICT_ENTRY;
}

static void read_text(struct bedrock_converse *s, int64_t number, enum sl_event_kind kind,
		      struct json text, struct decoded *d)
{
	struct bedrock_block *b;

	if (text.type != JSON_STRING)
		return;
	b = find_block(s, number);
	if (b && !b->kind)
		return;
	b = block_of(s, number, kind, d);
	if (b)
		tell_delta(b, text, d);
}

static void read_signature(struct bedrock_converse *s, int64_t number, struct json signature,
			   bool redacted, struct decoded *d)
{
	struct sl_slice text = decoded_string(d, signature, NULL);

	if (text.n == 0 || !block_of(s, number, SL_EVENT_REASONING, d))
		return;
	decoded_add(d,
		    &(struct sl_event){.kind = SL_EVENT_SIGNATURE, .n0 = redacted, .s[0] = text});
}

static int read_delta(struct bedrock_converse *s, struct json event, struct decoded *d)
{
	struct json delta = json_get(event, "delta");
	struct json reasoning = json_get(delta, "reasoningContent");
	int64_t number = number_of(event);

	read_text(s, number, SL_EVENT_TEXT, json_get(delta, "text"), d);
	read_text(s, number, SL_EVENT_TOOL_ARGS, json_get2(delta, "toolUse", "input"), d);
	read_text(s, number, SL_EVENT_REASONING, json_get(reasoning, "text"), d);
	read_signature(s, number, json_get(reasoning, "signature"), false, d);
	read_signature(s, number, json_get(reasoning, "redactedContent"), true, d);
	return d->n_events ? VERDICT_ENTRY : VERDICT_SKIP;
}

static int read_block_stop(struct bedrock_converse *s, struct json event, struct decoded *d)
{
	struct bedrock_block *b = find_block(s, number_of(event));

	if (!b)
		return VERDICT_SKIP;
	end_block(s, b, d);
	return VERDICT_ENTRY;
}

/* "error": the answer is none. */
static struct sl_slice finish_reason(struct sl_slice native)
{
	static const char *const table[][2] = {
		{"end_turn", "stop"},
		{"stop_sequence", "stop"},
		{"max_tokens", "length"},
		{"model_context_window_exceeded", "length"},
		{"tool_use", "tool_calls"},
		{"guardrail_intervened", "content_filter"},
		{"content_filtered", "content_filter"},
		{"malformed_model_output", "error"},
		{"malformed_tool_use", "error"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (sl_slice_is(native, table[i][0]))
			return sl_slice_str(table[i][1]);
	}
	return SL_LIT("stop");
}

static int read_stop(struct bedrock_converse *s, struct json event, struct decoded *d)
{
	struct sl_slice native = decoded_string(d, json_get(event, "stopReason"), NULL);
	struct sl_slice reason = finish_reason(native);

	while (s->n_open > 0)
		end_block(s, &s->open[0], d);
	if (sl_slice_is(reason, "error"))
		return decoded_fail(d,
				    sl_slice_is(native, "malformed_tool_use")
					    ? "malformed_tool_use"
					    : "malformed_model_output",
				    "the model's output was malformed");
	s->stopped = true;
	decoded_add(d, &(struct sl_event){.kind = SL_EVENT_FINISH, .s = {reason, native}});
	return VERDICT_ENTRY;
}

static int64_t count_of(struct json usage, const char *name)
{
	int64_t n;

	return json_int(json_get(usage, name), &n) == 0 && n >= 0 ? n : -1;
}

/* The same counts, with those of the cache in what the prompt took. */
static int64_t with_cache(int64_t input, int64_t read, int64_t write)
{
	const int64_t cache[] = {read, write};

	for (size_t i = 0; i < 2 && input >= 0; i++) {
		if (cache[i] > 0 && __builtin_add_overflow(input, cache[i], &input))
			input = -1;
	}
	return input;
}

/* Where there is no sum of their own. */
static void add_up(struct sl_usage *u)
{
	if (u->total < 0 && u->prompt >= 0 && u->completion >= 0 &&
	    __builtin_add_overflow(u->prompt, u->completion, &u->total))
		u->total = -1;
}

static int read_metadata(struct bedrock_converse *s, struct json event, struct decoded *d)
{
	struct json usage = json_get(event, "usage");
	struct sl_event e = {.kind = SL_EVENT_USAGE, .usage = SL_USAGE_NONE};

	(void)s;
	e.usage.completion = count_of(usage, "outputTokens");
	e.usage.total = count_of(usage, "totalTokens");
	e.usage.cached = count_of(usage, "cacheReadInputTokens");
	e.usage.cache_write = count_of(usage, "cacheWriteInputTokens");
	e.usage.prompt =
		with_cache(count_of(usage, "inputTokens"), e.usage.cached, e.usage.cache_write);
	add_up(&e.usage);
	if (!sl_usage_known(&e.usage))
		return VERDICT_SKIP;
	decoded_add(d, &e);
	return VERDICT_ENTRY;
}

static int take_error(const struct message *m, bool client_key, struct decoded *d)
{
	int r = upstream_error_take_named(&d->error, m->name, m->data, client_key);

	return r < 0 ? r : VERDICT_FAILED;
}

int bedrock_converse_decode(void *state, const struct message *m, struct decoded *d)
{
	static const struct {
		const char *name;
		int (*read)(struct bedrock_converse *s, struct json event, struct decoded *d);
	} events[] = {
		{"contentBlockDelta", read_delta},     {"contentBlockStart", read_block_start},
		{"contentBlockStop", read_block_stop}, {"messageStop", read_stop},
		{"metadata", read_metadata},
	};
	struct bedrock_converse *s = state;
	struct json event;
	size_t i = 0;
	int r;

	if (m->error)
		return take_error(m, s->client_key, d);
	while (i < sizeof(events) / sizeof(*events) && !sl_slice_is(m->name, events[i].name))
		i++;
	if (i == sizeof(events) / sizeof(*events))
		return VERDICT_SKIP;
	r = decoded_line(d, m->data, &event);
	if (r < 0)
		return r;
	if (r == 0)
		return decoded_fail(d, SL_CODE_BAD_FRAME,
				    "the upstream sent an event that is no JSON object");
	r = events[i].read(s, event, d);
	if (r < 0 || d->failure == 0)
		return r;
	if (d->failure != -SL_E_LIMIT)
		return d->failure;
	return decoded_fail(d, SL_CODE_BAD_FRAME,
			    "the upstream sent an event with more in it than is read");
}

/* ---- Converse: the request */

static bool is_given(const struct prompt *p, enum prompt_option option)
{
	return p->option[option].type != JSON_NONE;
}

/* Converse takes temperatures of up to 1, OpenAI's clients send up to 2. */
static void put_temperature(struct json_writer *w, struct json temperature)
{
	char digits[64];

	json_writer_key(w, "temperature");
	if (temperature.raw.n < sizeof(digits)) {
		memcpy(digits, temperature.raw.p, temperature.raw.n);
		digits[temperature.raw.n] = 0;
		if (strtod(digits, NULL) > 1) {
			json_writer_int(w, 1);
			return;
		}
	}
	json_writer_token(w, temperature);
}

static void put_stops(struct json_writer *w, const struct prompt *p)
{
	const char *at = NULL;
	struct json stop;

	json_writer_key(w, "stopSequences");
	json_writer_array(w);
	while (prompt_stop_next(p, &at, &stop) == 1) {
		if (stop.raw.n > 2)
			json_writer_token(w, stop);
	}
	json_writer_close(w);
}

/* What is reasoned counts as a part of the answer: the limit must lie above the budget. */
static void put_max_tokens(struct json_writer *w, struct json given, int64_t budget)
{
	int64_t n;

	json_writer_key(w, "maxTokens");
	if (budget > 0 && json_int(given, &n) == 0 && n <= budget)
		json_writer_int(w, n > 0 ? budget + n : budget + 1);
	else
		json_writer_token(w, given);
}

static void put_inference(struct json_writer *w, const struct prompt *p, int64_t budget)
{
	bool temperature = is_given(p, PROMPT_TEMPERATURE), stop = is_given(p, PROMPT_STOP);

	if (!temperature && !stop && !is_given(p, PROMPT_MAX_TOKENS) && !is_given(p, PROMPT_TOP_P))
		return;
	json_writer_key(w, "inferenceConfig");
	json_writer_object(w);
	if (is_given(p, PROMPT_MAX_TOKENS))
		put_max_tokens(w, p->option[PROMPT_MAX_TOKENS], budget);
	json_writer_member(w, "topP", p->option[PROMPT_TOP_P]);
	if (temperature)
		put_temperature(w, p->option[PROMPT_TEMPERATURE]);
	if (stop)
		put_stops(w, p);
	json_writer_close(w);
}

/* What Converse hands to the model as it is, in the words of Anthropic's models. */
static void put_model_fields(struct json_writer *w, const struct prompt *p, int64_t budget)
{
	if (budget <= 0 && !is_given(p, PROMPT_TOP_K))
		return;
	json_writer_key(w, "additionalModelRequestFields");
	json_writer_object(w);
	json_writer_member(w, "top_k", p->option[PROMPT_TOP_K]);
	if (budget > 0) {
		json_writer_key(w, "thinking");
		json_writer_object(w);
		json_writer_member_string(w, "type", SL_LIT("enabled"));
		json_writer_key(w, "budget_tokens");
		json_writer_int(w, budget);
		json_writer_close(w);
	}
	json_writer_close(w);
}

static void put_tool(struct json_writer *w, const struct prompt_tool *tool)
{
	json_writer_object(w);
	json_writer_key(w, "toolSpec");
	json_writer_object(w);
	json_writer_member(w, "name", tool->name);
	if (tool->description.raw.n > 2) /* an empty one is refused */
		json_writer_member(w, "description", tool->description);
	json_writer_key(w, "inputSchema");
	json_writer_object(w);
	json_writer_key(w, "json");
	if (tool->schema.type == JSON_OBJECT)
		json_writer_token(w, tool->schema);
	else
		json_writer_raw(w, SL_LIT("{\"type\":\"object\",\"properties\":{}}"));
	json_writer_close(w);
	json_writer_close(w);
	json_writer_close(w);
}

static void put_choice(struct json_writer *w, const struct prompt *p)
{
	if (p->choice != PROMPT_AUTO && p->choice != PROMPT_REQUIRED && p->choice != PROMPT_NAMED)
		return;
	json_writer_key(w, "toolChoice");
	json_writer_object(w);
	json_writer_key(w, p->choice == PROMPT_AUTO       ? "auto"
			   : p->choice == PROMPT_REQUIRED ? "any"
							  : "tool");
	json_writer_object(w);
	if (p->choice == PROMPT_NAMED)
		json_writer_member(w, "name", p->choice_name);
	json_writer_close(w);
	json_writer_close(w);
}

static bool has_calls(const struct prompt *p)
{
	for (size_t m = 0; m < p->n_messages; m++) {
		for (size_t i = 0; i < p->messages[m].n_parts; i++) {
			enum prompt_part_kind kind = p->messages[m].parts[i].kind;

			if (kind == PROMPT_TOOL_CALL || kind == PROMPT_TOOL_RESULT)
				return true;
		}
	}
	return false;
}

/* There is no choice "none": the tools themselves are left out, but where earlier messages call
 * some, without which the API refuses these. */
static int put_tools(struct json_writer *w, struct prompt *p)
{
	int r = 0;

	if (p->n_tools == 0)
		return 0;
	if (p->choice == PROMPT_NO_TOOLS && !has_calls(p))
		return 0;
	if (p->choice == PROMPT_NO_TOOLS)
		r = prompt_drop(p, "tool_choice");
	json_writer_key(w, "toolConfig");
	json_writer_object(w);
	json_writer_key(w, "tools");
	json_writer_array(w);
	for (size_t i = 0; i < p->n_tools; i++) {
		put_tool(w, &p->tools[i]);
		if (r == 0 && p->tools[i].strict.type == JSON_TRUE)
			r = prompt_drop(p, "strict");
	}
	json_writer_close(w);
	put_choice(w, p);
	json_writer_close(w);
	return r;
}

/* A part's place in the request, and what becomes of it. */
struct place {
	struct prompt *p;
	struct request_fault *fault;
	struct prompt_at at;
	unsigned documents; /* that were written */
};

static int refuse_part(const struct place *place, const char *why)
{
	return prompt_refuse(place->fault, place->at.text, why);
}

/* A block with one member. */
static void open_block(struct json_writer *w, const char *name)
{
	json_writer_object(w);
	json_writer_key(w, name);
}

static void put_text(struct json_writer *w, struct json text)
{
	open_block(w, "text");
	json_writer_token(w, text);
	json_writer_close(w);
}

struct media_word {
	const char *media, *word;
};

/* The API's word for a media type; NULL. */
static const char *word_of(struct sl_slice media, const struct media_word *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (sl_slice_is(media, words[i].media))
			return words[i].word;
	}
	return NULL;
}

static void put_source(struct json_writer *w, struct sl_slice base64)
{
	json_writer_key(w, "source");
	open_block(w, "bytes");
	json_writer_open_string(w);
	json_writer_chars(w, base64);
	json_writer_close_string(w);
	json_writer_close(w);
}

static int put_image(struct json_writer *w, const struct prompt_part *part,
		     const struct place *place)
{
	static const struct media_word formats[] = {
		{"image/png", "png"}, {"image/jpeg", "jpeg"}, {"image/jpg", "jpeg"},
		{"image/gif", "gif"}, {"image/webp", "webp"},
	};
	const char *format = word_of(part->media, formats, sizeof(formats) / sizeof(*formats));

	if (part->url.type != JSON_NONE)
		return refuse_part(place, "Bedrock takes images as data only, not by URL");
	if (!format)
		return refuse_part(place, "Bedrock takes images as PNG, JPEG, GIF or WebP");
	open_block(w, "image");
	json_writer_object(w);
	json_writer_member_string(w, "format", sl_slice_str(format));
	put_source(w, part->data);
	json_writer_close(w);
	json_writer_close(w);
	return 0;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       memchr("-()[]", c, 5);
}

/* Names may hold only plain characters, and must differ. */
static void put_document_name(struct json_writer *w, struct json name, unsigned number)
{
	char text[120];
	size_t n = 0;

	if (name.type == JSON_STRING && !memchr(name.raw.p, '\\', name.raw.n)) {
		for (size_t i = 1; i + 1 < name.raw.n && n < 100; i++)
			text[n++] = is_plain(name.raw.p[i]) ? name.raw.p[i] : '-';
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, n ? " %u" : "document %u", number);
	json_writer_member_string(w, "name", sl_slice(text, n));
}

static int put_document(struct json_writer *w, const struct prompt_part *part, struct place *place)
{
	static const struct media_word formats[] = {
		{"application/pdf", "pdf"},
		{"text/csv", "csv"},
		{"application/msword", "doc"},
		{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"},
		{"application/vnd.ms-excel", "xls"},
		{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"},
		{"text/html", "html"},
		{"text/plain", "txt"},
		{"text/markdown", "md"},
	};
	const char *format = word_of(part->media, formats, sizeof(formats) / sizeof(*formats));

	if (part->url.type != JSON_NONE)
		return refuse_part(place, "Bedrock takes documents as data only, not by URL");
	if (!format)
		return refuse_part(place, "Bedrock takes no documents of this type");
	open_block(w, "document");
	json_writer_object(w);
	json_writer_member_string(w, "format", sl_slice_str(format));
	put_document_name(w, part->name, ++place->documents);
	put_source(w, part->data);
	json_writer_close(w);
	json_writer_close(w);
	return 0;
}

#define ID_MAX 64 /* of a call */

static void put_call(struct json_writer *w, const struct prompt_part *part)
{
	open_block(w, "toolUse");
	json_writer_object(w);
	prompt_put_plain_id(w, "toolUseId", part->id, ID_MAX);
	json_writer_member(w, "name", part->name);
	json_writer_key(w, "input");
	prompt_put_arguments_object(w, part->arguments);
	json_writer_close(w);
	json_writer_close(w);
}

static int put_result(struct json_writer *w, const struct prompt_part *part, struct place *place)
{
	int r = 0;

	open_block(w, "toolResult");
	json_writer_object(w);
	prompt_put_plain_id(w, "toolUseId", part->id, ID_MAX);
	json_writer_key(w, "content");
	json_writer_array(w);
	for (size_t i = 0; i < part->n_content && r == 0; i++) {
		if (part->content[i].kind == PROMPT_IMAGE)
			r = put_image(w, &part->content[i], place);
		else if (part->content[i].kind == PROMPT_FILE)
			r = put_document(w, &part->content[i], place);
		else if (part->content[i].kind == PROMPT_TEXT)
			put_text(w, part->content[i].text);
	}
	if (part->n_content == 0)
		json_writer_raw(w, SL_LIT("{\"text\":\"\"}"));
	json_writer_close(w);
	if (part->is_error)
		json_writer_member_string(w, "status", SL_LIT("error"));
	json_writer_close(w);
	json_writer_close(w);
	return r;
}

static void put_reasoning(struct json_writer *w, const struct prompt_part *part)
{
	open_block(w, "reasoningContent");
	json_writer_object(w);
	if (part->redacted) {
		json_writer_member(w, "redactedContent", part->signature);
	} else {
		json_writer_key(w, "reasoningText");
		open_block(w, "text");
		if (part->text.type == JSON_STRING)
			json_writer_token(w, part->text);
		else
			json_writer_string(w, (struct sl_slice){0});
		json_writer_member(w, "signature", part->signature);
		json_writer_close(w);
	}
	json_writer_close(w);
	json_writer_close(w);
}

/* Most texts show it by their first character. */
static bool has_text(struct json text)
{
	if (text.type != JSON_STRING || text.raw.n <= 2)
		return false;
	return (text.raw.p[1] > ' ' && text.raw.p[1] != '\\') || !prompt_is_blank(text);
}

/* Whether there is something to write of a part: the API refuses blank texts, and reasoning that
 * the model has not signed. */
static bool is_kept(const struct prompt_part *part)
{
	switch (part->kind) {
	case PROMPT_TEXT:
	case PROMPT_REFUSAL:
		return has_text(part->text);
	case PROMPT_REASONING:
		return part->signature.type == JSON_STRING && part->signature.raw.n > 2;
	default:
		return true;
	}
}

static int put_part(struct json_writer *w, const struct prompt_part *part, struct place *place)
{
	switch (part->kind) {
	case PROMPT_TEXT:
	case PROMPT_REFUSAL:
		put_text(w, part->text);
		return 0;
	case PROMPT_IMAGE:
		return put_image(w, part, place);
	case PROMPT_FILE:
		return put_document(w, part, place);
	case PROMPT_REASONING:
		put_reasoning(w, part);
		return 0;
	case PROMPT_TOOL_CALL:
		put_call(w, part);
		return 0;
	case PROMPT_TOOL_RESULT:
		return put_result(w, part, place);
	default:
		return refuse_part(place, "Bedrock takes no audio");
	}
}

/* The parts of message m that are results of calls, or all others. */
static int put_parts(struct json_writer *w, struct place *place, size_t m, bool results)
{
	const struct prompt_message *message = &place->p->messages[m];
	int r = 0;

	for (size_t i = 0; i < message->n_parts && r == 0; i++) {
		const struct prompt_part *part = &message->parts[i];

		if ((part->kind == PROMPT_TOOL_RESULT) != results || !is_kept(part))
			continue;
		prompt_at(&place->at, "messages[%zu].content[%zu]", m, i);
		r = put_part(w, part, place);
	}
	return r;
}

/* Whether there is something to write of a message. */
static bool is_said(const struct prompt_message *m)
{
	for (size_t i = 0; i < m->n_parts && m->role != PROMPT_SYSTEM; i++) {
		if (is_kept(&m->parts[i]))
			return true;
	}
	return false;
}

/* Writes messages `at` to `end`, which are of one role, as one; results of calls come first, as the
 * models demand. */
static int put_turn(struct json_writer *w, struct place *place, size_t at, size_t end)
{
	const struct prompt_message *messages = place->p->messages;
	int r = 0;

	json_writer_object(w);
	json_writer_member_string(
		w, "role", messages[at].role == PROMPT_USER ? SL_LIT("user") : SL_LIT("assistant"));
	json_writer_key(w, "content");
	json_writer_array(w);
	for (int results = 1; results >= 0; results--) {
		for (size_t m = at; m < end; m++) {
			if (is_said(&messages[m]) && r == 0)
				r = put_parts(w, place, m, results);
		}
	}
	json_writer_close(w);
	json_writer_close(w);
	return r;
}

static int put_messages(struct json_writer *w, struct place *place)
{
	const struct prompt *p = place->p;
	size_t end;
	int r = 0;

	json_writer_key(w, "messages");
	json_writer_array(w);
	for (size_t at = 0; at < p->n_messages && r == 0; at = end) {
		end = at + 1;
		if (!is_said(&p->messages[at]))
			continue;
		while (end < p->n_messages && (!is_said(&p->messages[end]) ||
					       p->messages[end].role == p->messages[at].role))
			end++;
		r = put_turn(w, place, at, end);
	}
	json_writer_close(w);
	return r;
}

static int put_system(struct json_writer *w, struct place *place)
{
	const struct prompt *p = place->p;
	bool any = false;

	for (size_t m = 0; m < p->n_messages; m++) {
		const struct prompt_message *message = &p->messages[m];

		for (size_t i = 0; i < message->n_parts && message->role == PROMPT_SYSTEM; i++) {
			prompt_at(&place->at, "messages[%zu].content[%zu]", m, i);
			if (message->parts[i].kind != PROMPT_TEXT)
				return refuse_part(place, "Bedrock takes only text of a system");
			if (!is_kept(&message->parts[i]))
				continue;
			if (!any) {
				json_writer_key(w, "system");
				json_writer_array(w);
			}
			any = true;
			put_text(w, message->parts[i].text);
		}
	}
	if (any)
		json_writer_close(w);
	return 0;
}

int bedrock_converse_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
			    struct request_fault *fault)
{
	static const struct prompt_word known[] = {
		{PROMPT_MAX_TOKENS, NULL}, {PROMPT_TEMPERATURE, NULL}, {PROMPT_TOP_P, NULL},
		{PROMPT_TOP_K, NULL},      {PROMPT_STOP, NULL},        {PROMPT_EFFORT, NULL},
		{PROMPT_BUDGET, NULL},
	};
	struct place place = {.p = p, .fault = fault};
	int64_t budget = 0;
	int r = prompt_settle(p, known, sizeof(known) / sizeof(*known), fault);

	(void)t; /* the model, and that it is to stream, stand in the path */
	if (r == 0)
		r = anthropic_settle_thinking(p, &budget);
	if (r == 0 && p->format != PROMPT_ANY_FORMAT)
		r = prompt_drop(p, "response_format");
	if (r < 0)
		return r;
	json_writer_object(w);
	r = put_messages(w, &place);
	if (r == 0)
		r = put_system(w, &place);
	if (r < 0)
		return r;
	put_inference(w, p, budget);
	put_model_fields(w, p, budget);
	r = put_tools(w, p);
	json_writer_close(w);
	return r;
}

/* ---- Invoke: Anthropic's events, each wrapped in {"bytes":"base64"} */

#define METRICS    "amazon-bedrock-invocationMetrics"
#define VERSION    "bedrock-2023-05-31"
#define KEEP_BYTES 4096

void bedrock_invoke_init(void *state, const struct sl_reader_options *o)
{
	struct bedrock_invoke *s = state;

	*s = (struct bedrock_invoke){.event.max = SIZE_MAX, .clean.max = SIZE_MAX};
	anthropic_init(&s->anthropic, o);
}

void bedrock_invoke_fini(void *state)
{
	struct bedrock_invoke *s = state;

	anthropic_fini(&s->anthropic);
	sl_buf_fini(&s->event);
	sl_buf_fini(&s->clean);
}

bool bedrock_invoke_is_complete(const void *state)
{
	const struct bedrock_invoke *s = state;

	return s->ended || anthropic_is_complete(&s->anthropic);
}

static void empty(struct sl_buf *b)
{
	b->len = 0;
	if (b->cap > KEEP_BYTES)
		sl_buf_fini(b);
}

/* 1: s->event is what was wrapped; 0: there is nothing. */
static int unwrap(struct bedrock_invoke *s, struct sl_slice payload, struct decoded *d)
{
	struct json object, bytes;
	int r;

	empty(&s->event);
	empty(&s->clean);
	if (json_parse(payload, &object) < 0)
		return 0;
	bytes = json_get(object, "bytes");
	if (bytes.type != JSON_STRING)
		return 0;
	r = base64_decode(decoded_string(d, bytes, NULL), &s->event);
	return r < 0 ? r : 1;
}

/* Bedrock adds its own counts to the last event: takes them out, for clients that know Anthropic's.
 * 1: *event is without, and *metrics are they; 0: there are none. */
static int take_metrics(struct bedrock_invoke *s, struct sl_slice *event, struct json *metrics)
{
	struct json_writer w;
	struct json_walk walk;
	struct json object, value;
	struct sl_slice key;

	if (event->n == 0 || !memmem(event->p, event->n, METRICS, sizeof(METRICS) - 1) ||
	    json_parse(*event, &object) < 0)
		return 0;
	*metrics = json_get(object, METRICS);
	if (metrics->type != JSON_OBJECT)
		return 0;
	json_writer_init(&w, &s->clean);
	json_writer_object(&w);
	json_walk_init(&walk, object);
	while (json_walk_next(&walk, &key, &value) == 1) {
		if (sl_slice_is(key, METRICS))
			continue;
		json_writer_raw_key(&w, key);
		json_writer_token(&w, value);
	}
	json_writer_close(&w);
	*event = sl_buf_slice(&s->clean);
	return w.failure < 0 ? w.failure : 1;
}

/* Where the model's own events counted nothing, Bedrock's counts are the usage. */
static bool add_metrics(const struct anthropic_counts *told, struct json metrics, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_USAGE, .usage = SL_USAGE_NONE};

	if (told->input >= 0 || told->output >= 0)
		return false;
	e.usage.cached = count_of(metrics, "cacheReadInputTokenCount");
	e.usage.cache_write = count_of(metrics, "cacheWriteInputTokenCount");
	e.usage.prompt = with_cache(count_of(metrics, "inputTokenCount"), e.usage.cached,
				    e.usage.cache_write);
	e.usage.completion = count_of(metrics, "outputTokenCount");
	add_up(&e.usage);
	if (!sl_usage_known(&e.usage))
		return false;
	decoded_add(d, &e);
	return true;
}

static int tell_unwrapped(struct bedrock_invoke *s, struct decoded *d)
{
	struct sl_slice event = sl_buf_slice(&s->event);
	struct json metrics;
	int has_metrics = take_metrics(s, &event, &metrics);
	int verdict;

	if (has_metrics < 0)
		return has_metrics;
	verdict = anthropic_decode(&s->anthropic, &(struct message){.data = event}, d);
	if (has_metrics == 0 || (verdict != VERDICT_END && verdict != VERDICT_ENTRY))
		return verdict;
	if (!add_metrics(&s->anthropic.counts, metrics, d))
		return verdict;
	if (verdict == VERDICT_END) {
		/* An end can tell nothing: the end of the body will be it. */
		s->ended = true;
		d->frame = SL_LIT("{\"type\":\"ping\"}");
	}
	return d->failure < 0 ? d->failure : VERDICT_ENTRY;
}

int bedrock_invoke_decode(void *state, const struct message *m, struct decoded *d)
{
	struct bedrock_invoke *s = state;
	int r;

	if (m->error)
		return take_error(m, s->anthropic.client_key, d);
	if (m->again)
		return anthropic_decode(&s->anthropic, m, d);
	if (s->ended || !sl_slice_is(m->name, "chunk"))
		return VERDICT_SKIP;
	r = unwrap(s, m->data, d);
	if (r == 0)
		return decoded_fail(d, SL_CODE_BAD_FRAME,
				    "the upstream sent a chunk without an event in it");
	return r < 0 ? r : tell_unwrapped(s, d);
}

/* Images and documents are taken as data only, other than by Anthropic itself. */
static int refuse_urls(const struct prompt_part *parts, size_t n, const struct place *place)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (parts[i].url.type != JSON_NONE)
			return refuse_part(place, "Bedrock takes data only, no URL");
		r = refuse_urls(parts[i].content, parts[i].n_content, place);
	}
	return r;
}

int bedrock_invoke_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
			  struct request_fault *fault)
{
	struct place place = {.p = p, .fault = fault};
	int r = 0;

	(void)t;
	for (size_t m = 0; m < p->n_messages && r == 0; m++) {
		prompt_at(&place.at, "messages[%zu].content", m);
		r = refuse_urls(p->messages[m].parts, p->messages[m].n_parts, &place);
	}
	if (r < 0)
		return r;
	json_writer_object(w);
	json_writer_member_string(w, "anthropic_version", SL_LIT(VERSION));
	r = anthropic_put_request(p, w, fault);
	json_writer_close(w);
	return r;
}
