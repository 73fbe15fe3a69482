/*
 * Reads Anthropic's streams, and writes requests for them.
 *
 *	message_start ─────────▶ META, USAGE
 *	content_block_start ───▶ PART_START or TOOL_START ╮
 *	content_block_delta ───▶ TEXT, REASONING, …       ├─ of each block
 *	content_block_stop ────▶ PART_END                 ╯
 *	message_delta ─────────▶ USAGE, FINISH
 *	message_stop ──────────▶ the end
 *	ping ──────────────────▶ nothing: the proxy makes its own
 *	error ─────────────────▶ the end, too
 *
 * The JSON's `type` decides; not every server names its events. What is unknown here (events,
 * blocks, deltas) makes no events, and its frame passes. Mended is what tests/sdk shows to break a
 * client.
 */
#include "codec/dialects/anthropic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sluice/error.h>
#include "codec/base64.h"
#include "codec/json_writer.h"
#include "codec/tool_calls.h"

#define COUNT(a)    (sizeof(a) / sizeof(*(a)))
#define REPLACEMENT SL_LIT("\xef\xbf\xbd")

/* A larger count is none. */
#define COUNT_MAX 1000000000000

void anthropic_init(void *state, const struct sl_reader_options *o)
{
	struct anthropic *s = state;

	*s = (struct anthropic){
		.client_key = o->client_key,
		.counts = {-1, -1, -1, -1, -1},
	};
}

void anthropic_fini(void *state)
{
	struct anthropic *s = state;

	for (size_t i = 0; i < s->n_open; i++)
		sl_buf_fini(&s->open[i].input);
	*s = (struct anthropic){0};
}

bool anthropic_is_complete(const void *state)
{
	const struct anthropic *s = state;

	return s->finished;
}

/* The members of an event that mean something to us. */
struct frame {
	struct json object, type, index, message, block, delta, usage, error;
};

static struct frame read_frame(struct json object)
{
	struct frame f = {.object = object};
	struct json_walk w;
	struct json value;
	struct sl_slice key;

	json_walk_init(&w, object);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_is(key, "type"))
			f.type = value;
		else if (sl_slice_is(key, "index"))
			f.index = value;
		else if (sl_slice_is(key, "delta"))
			f.delta = value;
		else if (sl_slice_is(key, "content_block"))
			f.block = value;
		else if (sl_slice_is(key, "message"))
			f.message = value;
		else if (sl_slice_is(key, "usage"))
			f.usage = value;
		else if (sl_slice_is(key, "error") && upstream_error_is_set(value))
			f.error = value;
	}
	return f;
}

/* Mends the frame: `member` of `object` gets that value; one that is missing comes first. */
static void set_member(struct decoded *d, struct json object, struct json member, const char *name,
		       struct sl_slice value)
{
	if (member.type != JSON_NONE) {
		decoded_replace(d, member, value);
		return;
	}
	d->piece.len = 0;
	decoded_note(d, sl_buf_printf(&d->piece, "\"%s\":%.*s%s", name, (int)value.n, value.p,
				      decoded_is_empty(object) ? "" : ","));
	decoded_edit(d, object.raw.p + 1, 0, decoded_keep_piece(d));
}

static void set_number(struct decoded *d, struct json object, struct json member, const char *name,
		       int64_t n)
{
	char *text = decoded_alloc(d, 24);

	if (text)
		set_member(d, object, member, name,
			   sl_slice(text, (size_t)snprintf(text, 24, "%" PRId64, n)));
}

/* ---- Usage */

/* 0 tokens of input or output are what servers write that do not know yet, and what is mended into
 * a frame. Only with the first counts 0 of output is one: of a refusal there may be no other. null
 * is no count either. */
static void read_counts(struct anthropic_counts *c, struct json usage, bool first)
{
	const struct {
		const char *name;
		int64_t *count;
		int64_t least;
	} counts[] = {
		{"input_tokens", &c->input, 1},
		{"output_tokens", &c->output, first && c->output < 0 ? 0 : 1},
		{"cache_read_input_tokens", &c->cache_read, 0},
		{"cache_creation_input_tokens", &c->cache_creation, 0},
		{"thinking_tokens", &c->thinking, 0},
	};
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	int64_t n;

	json_walk_init(&w, usage);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (value.type == JSON_OBJECT && sl_slice_is(key, "output_tokens_details"))
			read_counts(c, value, first);
		if (json_int(value, &n) < 0 || n > COUNT_MAX)
			continue;
		for (size_t i = 0; i < COUNT(counts); i++) {
			if (sl_slice_is(key, counts[i].name) && n >= counts[i].least)
				*counts[i].count = n;
		}
	}
}

static int64_t known(int64_t count)
{
	return count > 0 ? count : 0;
}

/* Counts come in parts; the event has all that came so far. */
static void add_usage(const struct anthropic_counts *c, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_USAGE, .usage = SL_USAGE_NONE};
	struct sl_usage *u = &e.usage;
	int64_t prompt = known(c->input) + known(c->cache_read) + known(c->cache_creation);

	if (prompt > 0)
		u->prompt = prompt;
	u->completion = c->output;
	if (u->prompt >= 0 && u->completion >= 0)
		u->total = u->prompt + u->completion;
	u->cached = c->cache_read;
	u->cache_write = c->cache_creation;
	u->reasoning = c->thinking;
	if (sl_usage_known(u))
		decoded_add(d, &e);
}

/* SDKs do not look whether there is a `usage`, and one insists on its first count. */
static void mend_usage(struct json object, struct json usage, const char *name, int64_t count,
		       struct decoded *d)
{
	struct json member = json_get(usage, name);
	char *whole;

	if (usage.type == JSON_OBJECT) {
		if (member.type != JSON_NUMBER)
			set_number(d, usage, member, name, known(count));
		return;
	}
	whole = decoded_alloc(d, 64);
	if (whole)
		set_member(d, object, usage, "usage",
			   sl_slice(whole, (size_t)snprintf(whole, 64, "{\"%s\":%" PRId64 "}", name,
							    known(count))));
}

/* ---- Blocks */

static int64_t number_of(struct json index)
{
	int64_t n;

	return index.type == JSON_NUMBER && json_int(index, &n) == 0 && n >= 0 ? n : -1;
}

/* The open block that the frame is about: the last one, where it does not say, or names none that
 * is open. NULL when none is. */
static struct anthropic_block *find_block(struct anthropic *s, struct json index)
{
	int64_t number = number_of(index);

	for (size_t i = s->n_open; i > 0 && number >= 0; i--) {
		if (s->open[i - 1].number == number)
			return &s->open[i - 1];
	}
	return s->n_open ? &s->open[s->n_open - 1] : NULL;
}

/* SDKs take the number for a place in their list. */
static void mend_index(const struct frame *f, const struct anthropic_block *b, struct decoded *d)
{
	if (number_of(f->index) != b->place)
		set_number(d, f->object, f->index, "index", b->place);
}

/* A piece of what the block holds (NULL: one without a start), with the half of a character from
 * the piece before. */
static void add_delta(struct anthropic_block *b, enum sl_event_kind kind, struct json fragment,
		      struct decoded *d)
{
	struct sl_event e = {.kind = kind};

	e.s[0] = decoded_string(d, fragment, b ? &b->half : NULL);
	if (kind == SL_EVENT_TOOL_ARGS)
		e.index = b->call;
	if (e.s[0].n)
		decoded_add(d, &e);
}

static void add_signature(struct json signature, bool is_all, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_SIGNATURE, .n0 = is_all};

	e.s[0] = decoded_string(d, signature, NULL);
	if (e.s[0].n)
		decoded_add(d, &e);
}

static void start_part(struct anthropic_block *b, enum sl_event_kind kind, struct decoded *d)
{
	b->kind = kind;
	decoded_add(d, &(struct sl_event){.kind = SL_EVENT_PART_START, .n0 = (int64_t)kind});
}

static void end_part(struct anthropic_block *b, struct decoded *d)
{
	decoded_add(d, &(struct sl_event){.kind = SL_EVENT_PART_END,
					  .index = b->call,
					  .n0 = (int64_t)b->kind});
	b->kind = 0;
}

/* What of a block comes in deltas. */
static const struct unfolded {
	const char *block, *member, *delta;
	enum json_type type;
	const char *empty; /* what stands in the start for it */
} unfolded[] = {
	{"text", "text", "\"text_delta\",\"text\":", JSON_STRING, "\"\""},
	{"thinking", "thinking", "\"thinking_delta\",\"thinking\":", JSON_STRING, "\"\""},
	{"thinking", "signature", "\"signature_delta\",\"signature\":", JSON_STRING, "\"\""},
	{"tool_use", "input", "\"input_json_delta\",\"partial_json\":", JSON_OBJECT, "{}"},
};

static struct json unfolded_member(const struct unfolded *u, struct json block)
{
	struct json member = {0};

	if (json_is(json_get(block, "type"), u->block))
		member = json_get(block, u->member);
	return member.type == u->type ? member : (struct json){0};
}

static int put_block_delta(struct sl_buf *out, const struct unfolded *u, struct json member,
			   int64_t index)
{
	int r = sl_buf_printf(out,
			      "{\"type\":\"content_block_delta\",\"index\":%" PRId64
			      ",\"delta\":{\"type\":%s",
			      index, u->delta);

	if (r == 0)
		r = member.type == JSON_STRING ? sl_buf_put_slice(out, member.raw)
					       : sl_buf_put_json_string(out, member.raw);
	return r == 0 ? sl_buf_put_str(out, "}}\n") : r;
}

/* Clients add up deltas, and only some look into the start: what stands there is told behind it. */
static void tell_behind(struct anthropic_block *b, struct json block, struct decoded *d)
{
	int64_t number = b->number >= 0 ? b->number : b->place;

	for (size_t i = 0; i < COUNT(unfolded); i++) {
		struct json member = unfolded_member(&unfolded[i], block);

		if (member.type != JSON_STRING || member.raw.n == 2)
			continue;
		decoded_replace(d, member, sl_slice_str(unfolded[i].empty));
		decoded_note(d, put_block_delta(&d->behind, &unfolded[i], member, number));
	}
}

/* One SDK refuses a block whose text is null. */
static void mend_text(struct json block, const char *name, struct decoded *d)
{
	struct json text = json_get(block, name);

	if (text.type != JSON_STRING)
		set_member(d, block, text, name, SL_LIT("\"\""));
}

static void start_text(struct anthropic *s, struct anthropic_block *b, struct json block,
		       struct decoded *d)
{
	(void)s;
	start_part(b, SL_EVENT_TEXT, d);
	mend_text(block, "text", d);
	tell_behind(b, block, d);
}

static void start_thinking(struct anthropic *s, struct anthropic_block *b, struct json block,
			   struct decoded *d)
{
	(void)s;
	start_part(b, SL_EVENT_REASONING, d);
	mend_text(block, "thinking", d);
	tell_behind(b, block, d);
}

/* All of it is in its start. */
static void start_redacted(struct anthropic *s, struct anthropic_block *b, struct json block,
			   struct decoded *d)
{
	(void)s;
	start_part(b, SL_EVENT_REASONING, d);
	add_signature(json_get(block, "data"), true, d);
	end_part(b, d);
}

/* A call needs an id that its result can name: one is made up for a server that has none. */
static struct sl_slice id_of_call(struct anthropic *s, struct anthropic_block *b, struct json block,
				  struct decoded *d)
{
	struct json given = json_get(block, "id");
	struct sl_slice id = decoded_string(d, given, NULL);

	if (id.n)
		return id;
	id = tool_calls_make_id(s->seed, 0, b->call, d);
	d->piece.len = 0;
	decoded_note(d, sl_buf_put_json_string(&d->piece, id));
	set_member(d, block, given, "id", decoded_keep_piece(d));
	return id;
}

static void start_call(struct anthropic *s, struct anthropic_block *b, struct json block,
		       struct decoded *d)
{
	struct json input = json_get(block, "input");
	struct sl_event e = {.kind = SL_EVENT_TOOL_START};

	b->kind = SL_EVENT_TOOL_ARGS;
	b->call = e.index = s->n_calls++;
	e.s[0] = id_of_call(s, b, block, d);
	e.s[1] = decoded_string(d, json_get(block, "name"), NULL);
	if (e.s[0].n)
		decoded_add(d, &e);
	if (input.type == JSON_NONE || input.type == JSON_NULL)
		set_member(d, block, input, "input", SL_LIT("{}"));
	else if (input.type == JSON_OBJECT && !decoded_is_empty(input))
		decoded_note(d, sl_buf_put_slice(&b->input, input.raw));
}

/* The blocks that mean something to us. */
static const struct {
	const char *type;
	void (*start)(struct anthropic *s, struct anthropic_block *b, struct json block,
		      struct decoded *d);
} blocks[] = {
	{"text", start_text},
	{"thinking", start_thinking},
	{"redacted_thinking", start_redacted},
	{"tool_use", start_call},
};

/* Arguments that had no fragments are those of the start, or none. */
static void add_whole_arguments(const struct anthropic_block *b, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_TOOL_ARGS, .index = b->call, .s[0] = SL_LIT("{}")};

	if (b->input.len) {
		char *copy = decoded_alloc(d, b->input.len);

		if (!copy)
			return;
		memcpy(copy, b->input.p, b->input.len);
		e.s[0] = sl_slice(copy, b->input.len);
	}
	decoded_add(d, &e);
}

static void close_block(struct anthropic *s, struct anthropic_block *b, struct decoded *d)
{
	if (b->half)
		decoded_add(d, &(struct sl_event){
				       .kind = b->kind, .index = b->call, .s[0] = REPLACEMENT});
	if (b->kind == SL_EVENT_TOOL_ARGS && !b->has_arguments)
		add_whole_arguments(b, d);
	if (b->kind)
		end_part(b, d);
	sl_buf_fini(&b->input);
	s->n_open--;
	memmove(b, b + 1, (size_t)(&s->open[s->n_open] - b) * sizeof(*b));
}

static struct anthropic_block *open_block(struct anthropic *s, struct json index, struct decoded *d)
{
	if (s->n_open == ANTHROPIC_OPEN_MAX)
		close_block(s, &s->open[0], d);
	s->open[s->n_open] = (struct anthropic_block){
		.number = number_of(index), .place = s->n_blocks++, .input.max = SIZE_MAX};
	return &s->open[s->n_open++];
}

/* ---- Events */

static int read_message_start(struct anthropic *s, const struct frame *f, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_META};
	struct json usage = json_get(f->message, "usage");

	s->begun = true;
	if (f->message.type != JSON_OBJECT)
		return VERDICT_ENTRY;
	e.s[0] = decoded_string(d, json_get(f->message, "id"), NULL);
	e.s[1] = decoded_string(d, json_get(f->message, "model"), NULL);
	if (!s->meta_given && (e.s[0].n || e.s[1].n)) {
		s->meta_given = true;
		s->seed = tool_calls_hash(0, e.s[0]);
		decoded_add(d, &e);
	}
	read_counts(&s->counts, usage, true);
	add_usage(&s->counts, d);
	mend_usage(f->message, usage, "input_tokens", s->counts.input, d);
	return VERDICT_ENTRY;
}

static int read_block_start(struct anthropic *s, const struct frame *f, struct decoded *d)
{
	struct anthropic_block *b = open_block(s, f->index, d);
	struct json type = json_get(f->block, "type");

	mend_index(f, b, d);
	for (size_t i = 0; i < COUNT(blocks); i++) {
		if (json_is(type, blocks[i].type))
			blocks[i].start(s, b, f->block, d);
	}
	return VERDICT_ENTRY;
}

static int read_block_delta(struct anthropic *s, const struct frame *f, struct decoded *d)
{
	struct anthropic_block *b = find_block(s, f->index);
	struct json type = json_get(f->delta, "type");

	if (b)
		mend_index(f, b, d);
	if (b && !b->kind)
		return VERDICT_ENTRY;
	if (json_is(type, "text_delta")) {
		add_delta(b, SL_EVENT_TEXT, json_get(f->delta, "text"), d);
	} else if (json_is(type, "thinking_delta")) {
		add_delta(b, SL_EVENT_REASONING, json_get(f->delta, "thinking"), d);
	} else if (json_is(type, "signature_delta")) {
		add_signature(json_get(f->delta, "signature"), false, d);
	} else if (json_is(type, "input_json_delta") && b && b->kind == SL_EVENT_TOOL_ARGS) {
		struct json fragment = json_get(f->delta, "partial_json");

		b->has_arguments |= fragment.type == JSON_STRING && fragment.raw.n > 2;
		add_delta(b, SL_EVENT_TOOL_ARGS, fragment, d);
	}
	return VERDICT_ENTRY;
}

static int read_block_stop(struct anthropic *s, const struct frame *f, struct decoded *d)
{
	struct anthropic_block *b = find_block(s, f->index);

	if (b) {
		mend_index(f, b, d);
		close_block(s, b, d);
	}
	return VERDICT_ENTRY;
}

/* One of stop, length, tool_calls, content_filter. */
static struct sl_slice finish_reason(struct sl_slice native)
{
	static const char *const table[][2] = {
		{"end_turn", "stop"},
		{"max_tokens", "length"},
		{"stop_sequence", "stop"},
		{"tool_use", "tool_calls"},
		{"pause_turn", "stop"},
		{"refusal", "content_filter"},
		{"model_context_window_exceeded", "length"},
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		if (sl_slice_is(native, table[i][0]))
			return sl_slice_str(table[i][1]);
	}
	return SL_LIT("stop");
}

static int read_message_delta(struct anthropic *s, const struct frame *f, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_FINISH};

	e.s[1] = decoded_string(d, json_get(f->delta, "stop_reason"), NULL);
	while (e.s[1].n && s->n_open > 0)
		close_block(s, &s->open[0], d);
	read_counts(&s->counts, f->usage, false);
	add_usage(&s->counts, d);
	mend_usage(f->object, f->usage, "output_tokens", s->counts.output, d);
	if (e.s[1].n) {
		e.s[0] = finish_reason(e.s[1]);
		e.s[2] = decoded_string(d, json_get(f->delta, "stop_sequence"), NULL);
		s->finished = true;
		decoded_add(d, &e);
	}
	return VERDICT_ENTRY;
}

static int read_message_stop(struct anthropic *s, const struct frame *f, struct decoded *d)
{
	(void)s, (void)f, (void)d;
	return VERDICT_END; /* which is written to clients as this event */
}

static int read_ping(struct anthropic *s, const struct frame *f, struct decoded *d)
{
	(void)s, (void)f, (void)d;
	return VERDICT_SKIP;
}

/* A stream without its start: clients that keep a message have none to put the rest into. */
static int begin_message(struct anthropic *s, const struct frame *f, struct decoded *d)
{
	struct sl_slice frame = f->object.raw;

	s->begun = true;
	decoded_note(
		d, sl_buf_printf(&d->behind,
				 "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_%016" PRIx64
				 "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"\","
				 "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
				 "\"usage\":{\"input_tokens\":0}}}\n",
				 tool_calls_hash(0, frame)));
	decoded_note(d, sl_buf_put_slice(&d->behind, frame));
	return d->failure < 0 ? d->failure : VERDICT_SKIP;
}

/* The events that mean something to us. An error is one wherever it stands. */
static const struct event {
	const char *type;
	int (*read)(struct anthropic *s, const struct frame *f, struct decoded *d);
	bool of_message; /* it belongs into one that has been started */
} events[] = {
	{"content_block_delta", read_block_delta, true},
	{"content_block_start", read_block_start, true},
	{"content_block_stop", read_block_stop, true},
	{"message_start", read_message_start, false},
	{"message_delta", read_message_delta, true},
	{"message_stop", read_message_stop, false},
	{"ping", read_ping, false},
};

static const struct event *find_event(struct json type)
{
	for (size_t i = 0; i < COUNT(events); i++) {
		if (json_is(type, events[i].type))
			return &events[i];
	}
	return NULL;
}

/* What describes an error; type JSON_NONE when the event is none. */
static struct json find_error(const struct frame *f, const struct message *m)
{
	bool named = sl_slice_is(m->name, "error") || json_is(f->type, "error");
	struct json found;

	if (f->error.type != JSON_NONE)
		return upstream_error_described(f->error, f->object);
	if ((!named && !m->stray) || find_event(f->type))
		return (struct json){0};
	found = upstream_error_find(f->object);
	return found.type == JSON_NONE && named ? f->object : found;
}

static int read_event(void *state, const struct message *m, struct json object, struct decoded *d)
{
	struct anthropic *s = state;
	struct frame f = read_frame(object);
	struct json error = find_error(&f, m);
	const struct event *event = find_event(f.type);

	if (error.type != JSON_NONE) {
		int r = upstream_error_take(&d->error, error, s->client_key);

		return r < 0 ? r : VERDICT_FAILED;
	}
	if (m->stray)
		return VERDICT_SKIP;
	if (event && event->of_message && !s->begun)
		return begin_message(s, &f, d);
	return event ? event->read(s, &f, d) : VERDICT_ENTRY;
}

int anthropic_decode(void *state, const struct message *m, struct decoded *d)
{
	/* Versions of old, and servers that know OpenAI's streams better. */
	if (!m->stray && message_is_done(m))
		return anthropic_is_complete(state) ? VERDICT_END : VERDICT_SKIP;
	return decoded_read(d, m, read_event, state);
}

/* ---- A whole message, as the stream that it could have been */

/* Of a message with more blocks no stream is made. */
#define UNFOLD_MAX 1024

static void empty_member(struct splice *edits, struct json object, struct json member,
			 const char *empty)
{
	if (member.type != JSON_NONE)
		splice_add(edits, (size_t)(member.raw.p - object.raw.p), member.raw.n,
			   sl_slice_str(empty));
}

static int put_message_start(struct sl_buf *out, struct json body)
{
	struct splice edits;
	int r;

	splice_init(&edits);
	empty_member(&edits, body, json_get(body, "content"), "[]");
	empty_member(&edits, body, json_get(body, "stop_reason"), "null");
	empty_member(&edits, body, json_get(body, "stop_sequence"), "null");
	r = sl_buf_put_str(out, "{\"type\":\"message_start\",\"message\":");
	if (r == 0)
		r = splice_apply(&edits, body.raw, out);
	return r == 0 ? sl_buf_put_str(out, "}\n") : r;
}

static int put_block_start(struct sl_buf *out, struct json block, unsigned index)
{
	struct splice edits;
	int r;

	splice_init(&edits);
	for (size_t i = 0; i < COUNT(unfolded); i++)
		empty_member(&edits, block, unfolded_member(&unfolded[i], block),
			     unfolded[i].empty);
	r = sl_buf_printf(
		out, "{\"type\":\"content_block_start\",\"index\":%u,\"content_block\":", index);
	if (r == 0)
		r = splice_apply(&edits, block.raw, out);
	return r == 0 ? sl_buf_put_str(out, "}\n") : r;
}

static int put_block(struct sl_buf *out, struct json block, unsigned index)
{
	int r = put_block_start(out, block, index);

	for (size_t i = 0; i < COUNT(unfolded) && r == 0; i++) {
		struct json member = unfolded_member(&unfolded[i], block);

		if (member.type != JSON_NONE && member.raw.n > 2)
			r = put_block_delta(out, &unfolded[i], member, index);
	}
	return r == 0 ? sl_buf_printf(out, "{\"type\":\"content_block_stop\",\"index\":%u}\n",
				      index)
		      : r;
}

static int put_message_delta(struct sl_buf *out, struct json body)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_writer_object(&w);
	json_writer_member_string(&w, "type", SL_LIT("message_delta"));
	json_writer_key(&w, "delta");
	json_writer_object(&w);
	json_writer_key(&w, "stop_reason");
	json_writer_token(&w, json_get(body, "stop_reason"));
	json_writer_key(&w, "stop_sequence");
	json_writer_token(&w, json_get(body, "stop_sequence"));
	json_writer_close(&w);
	json_writer_member(&w, "usage", json_get(body, "usage"));
	json_writer_close(&w);
	return w.failure;
}

static int put_blocks(struct sl_buf *out, struct json content)
{
	struct json_walk w;
	struct json block;
	struct sl_slice key;
	unsigned index = 0;
	int r = 0;

	json_walk_init(&w, content);
	while (r == 0 && json_walk_next(&w, &key, &block) == 1) {
		if (block.type == JSON_OBJECT)
			r = put_block(out, block, index++);
	}
	return r;
}

static bool is_message(struct json body)
{
	struct json content = json_get(body, "content"), block;
	struct json_walk w;
	struct sl_slice key;
	unsigned n = 0;

	if (!json_is(json_get(body, "type"), "message") || content.type != JSON_ARRAY)
		return false;
	json_walk_init(&w, content);
	while (n <= UNFOLD_MAX && json_walk_next(&w, &key, &block) == 1)
		n++;
	return n <= UNFOLD_MAX;
}

int anthropic_unfold(struct json body, struct sl_buf *chunk, struct sl_buf *usage)
{
	int r;

	(void)usage; /* it belongs to the message */
	if (!is_message(body))
		return 0;
	r = put_message_start(chunk, body);
	if (r == 0)
		r = put_blocks(chunk, json_get(body, "content"));
	if (r == 0)
		r = put_message_delta(chunk, body);
	return r < 0 ? r : 1;
}

/* ---- Requests */

/* A request must say how long the answer may be. Other APIs leave it to the model: this is the most
 * that every current model accepts. */
#define MAX_TOKENS 32000

/* Less is refused, more makes no sense. */
#define BUDGET_MIN 1024
#define BUDGET_MAX 1000000

/* What is written as it was given. */
static const struct prompt_word plain_words[] = {
	{PROMPT_TOP_P, "top_p"},
	{PROMPT_TOP_K, "top_k"},
};

/* What is written in a place, or a way, of its own. */
static const struct prompt_word other_words[] = {
	{PROMPT_MAX_TOKENS, "max_tokens"},
	{PROMPT_TEMPERATURE, "temperature"},
	{PROMPT_STOP, "stop_sequences"},
	{PROMPT_USER_ID, "metadata.user_id"},
	{PROMPT_PARALLEL, "tool_choice.disable_parallel_tool_use"},
	{PROMPT_EFFORT, "thinking.budget_tokens"},
	{PROMPT_BUDGET, "thinking.budget_tokens"},
};

/* How much to reason, as a number of tokens; 0: not at all. What is more than high would leave
 * little of MAX_TOKENS for the answer. */
static const struct {
	const char *word;
	int64_t budget;
} efforts[] = {
	{"none", 0},      {"minimal", 0},  {"low", 1024},
	{"medium", 8192}, {"high", 24576}, {"xhigh", 24576},
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

static void put_member_chars(struct json_writer *w, const char *name, struct sl_slice chars)
{
	json_writer_key(w, name);
	json_writer_open_string(w);
	json_writer_chars(w, chars);
	json_writer_close_string(w);
}

/* Blocks without text are refused, and so are those of nothing but white space. */
static bool has_text(struct json text)
{
	if (text.type != JSON_STRING || text.raw.n <= 2)
		return false;
	return (text.raw.p[1] > ' ' && text.raw.p[1] != '\\') || !prompt_is_blank(text);
}

/* ---- Parts of messages */

static void put_text(struct json_writer *w, const struct prompt_part *part)
{
	put_type(w, "text");
	json_writer_member(w, "text", part->text);
}

static void put_url_source(struct json_writer *w, struct json url)
{
	put_type(w, "url");
	json_writer_member(w, "url", url);
}

static void put_base64_source(struct json_writer *w, struct sl_slice media, struct sl_slice data)
{
	put_type(w, "base64");
	put_member_chars(w, "media_type", media);
	put_member_chars(w, "data", data);
}

static void put_image(struct json_writer *w, const struct prompt_part *part)
{
	struct sl_slice media = part->media;

	if (sl_slice_is(media, "image/jpg")) /* no such type, but a usual mistake */
		media = SL_LIT("image/jpeg");
	put_type(w, "image");
	json_writer_key(w, "source");
	json_writer_object(w);
	if (part->url.type == JSON_STRING)
		put_url_source(w, part->url);
	else
		put_base64_source(w, media, part->data);
	json_writer_close(w);
}

/* Documents of text are told as text. */
static void put_text_source(struct json_writer *w, struct sl_slice data)
{
	struct sl_buf text = {.max = SIZE_MAX};
	int r = base64_decode(data, &text);

	if (r < 0 && w->failure == 0)
		w->failure = r;
	put_type(w, "text");
	json_writer_member_string(w, "media_type", SL_LIT("text/plain"));
	json_writer_member_string(w, "data", sl_buf_slice(&text));
	sl_buf_fini(&text);
}

static void put_document(struct json_writer *w, const struct prompt_part *part)
{
	put_type(w, "document");
	json_writer_key(w, "source");
	json_writer_object(w);
	if (part->url.type == JSON_STRING)
		put_url_source(w, part->url);
	else if (sl_slice_starts(part->media, "text/"))
		put_text_source(w, part->data);
	else
		put_base64_source(w, part->media.n ? part->media : SL_LIT("application/pdf"),
				  part->data);
	json_writer_close(w);
	json_writer_member(w, "title", part->name);
}

static void put_reasoning(struct json_writer *w, const struct prompt_part *part)
{
	put_type(w, part->redacted ? "redacted_thinking" : "thinking");
	if (part->redacted) {
		json_writer_member(w, "data", part->signature);
		return;
	}
	put_member_chars(w, "thinking",
			 part->text.type == JSON_STRING ? inside(part->text) : SL_LIT(""));
	json_writer_member(w, "signature", part->signature);
}

static void put_call(struct json_writer *w, const struct prompt_part *part)
{
	put_type(w, "tool_use");
	prompt_put_plain_id(w, "id", part->id, SIZE_MAX);
	json_writer_member(w, "name", part->name);
	json_writer_key(w, "input");
	prompt_put_arguments_object(w, part->arguments);
}

static void put_block_of(struct json_writer *w, const struct prompt_part *part);

static void put_result_content(struct json_writer *w, const struct prompt_part *part)
{
	if (part->n_content == 0)
		return;
	json_writer_key(w, "content");
	if (part->n_content == 1 && part->content[0].kind == PROMPT_TEXT) {
		json_writer_token(w, part->content[0].text);
		return;
	}
	json_writer_array(w);
	for (size_t i = 0; i < part->n_content; i++)
		put_block_of(w, &part->content[i]);
	json_writer_close(w);
}

static void put_result(struct json_writer *w, const struct prompt_part *part)
{
	put_type(w, "tool_result");
	prompt_put_plain_id(w, "tool_use_id", part->id, SIZE_MAX);
	put_result_content(w, part);
	if (part->is_error) {
		json_writer_key(w, "is_error");
		json_writer_bool(w, true);
	}
}

/* Whether the part becomes a block. Reasoning does where Anthropic has signed it. */
static bool is_written(const struct prompt_part *part)
{
	switch (part->kind) {
	case PROMPT_TEXT:
	case PROMPT_REFUSAL:
		return has_text(part->text);
	case PROMPT_REASONING:
		return part->signature.type == JSON_STRING && part->signature.raw.n > 2;
	case PROMPT_AUDIO:
		return false;
	default:
		return true;
	}
}

static void put_block_of(struct json_writer *w, const struct prompt_part *part)
{
	if (!is_written(part))
		return;
	json_writer_object(w);
	switch (part->kind) {
	case PROMPT_IMAGE:
		put_image(w, part);
		break;
	case PROMPT_FILE:
		put_document(w, part);
		break;
	case PROMPT_REASONING:
		put_reasoning(w, part);
		break;
	case PROMPT_TOOL_CALL:
		put_call(w, part);
		break;
	case PROMPT_TOOL_RESULT:
		put_result(w, part);
		break;
	default:
		put_text(w, part);
		break;
	}
	json_writer_close(w);
}

/* ---- Messages */

/* A turn is all that one side says until the other one does: messages *at to *end. System messages
 * in between are no part of it, and what writes nothing does not end it. */
static bool is_of_turn(const struct prompt_message *m, enum prompt_role role)
{
	if (m->role == role || m->role == PROMPT_SYSTEM)
		return true;
	for (size_t i = 0; i < m->n_parts; i++) {
		if (is_written(&m->parts[i]))
			return false;
	}
	return true;
}

struct turn {
	enum prompt_role role;
	size_t at, end;
	size_t n_blocks;
	const struct prompt_part *first, *last; /* of those that are written */
	const struct prompt_part *begun; /* the text that the answer is to go on with, or NULL */
	bool calls;
};

static void add_to_turn(struct turn *t, const struct prompt_message *m)
{
	if (m->role == PROMPT_SYSTEM)
		return;
	if (t->n_blocks == 0)
		t->role = m->role;
	for (size_t i = 0; i < m->n_parts && m->role == t->role; i++) {
		if (!is_written(&m->parts[i]))
			continue;
		if (t->n_blocks++ == 0)
			t->first = &m->parts[i];
		t->last = &m->parts[i];
		t->calls |= m->parts[i].kind == PROMPT_TOOL_CALL;
	}
}

/* 1: the turn from message `at` on; 0: there is none that has something in it. */
static int turn_next(const struct prompt *p, size_t at, struct turn *t)
{
	*t = (struct turn){.at = at, .end = at};
	while (t->end < p->n_messages &&
	       (t->n_blocks == 0 || is_of_turn(&p->messages[t->end], t->role)))
		add_to_turn(t, &p->messages[t->end++]);
	return t->n_blocks > 0;
}

/* Without white space at its end, which is refused in an answer that was begun. `s` stands within a
 * JSON string: what is escaped there has an odd number of backslashes before it. */
static struct sl_slice trimmed(struct sl_slice s)
{
	for (;;) {
		size_t escapes = 0;

		if (s.n > 0 && s.p[s.n - 1] == ' ') {
			s.n--;
			continue;
		}
		if (s.n < 2 || !memchr("nrtf", s.p[s.n - 1], 4))
			return s;
		while (escapes + 1 < s.n && s.p[s.n - 2 - escapes] == '\\')
			escapes++;
		if (escapes % 2 == 0)
			return s;
		s.n -= 2;
	}
}

static void put_begun(struct json_writer *w, const struct prompt_part *part)
{
	json_writer_object(w);
	put_type(w, "text");
	put_member_chars(w, "text", trimmed(inside(part->text)));
	json_writer_close(w);
}

static void put_blocks_of(struct json_writer *w, const struct prompt *p, const struct turn *t,
			  bool results)
{
	for (size_t m = t->at; m < t->end; m++) {
		const struct prompt_message *message = &p->messages[m];

		for (size_t i = 0; i < message->n_parts && message->role == t->role; i++) {
			if ((message->parts[i].kind == PROMPT_TOOL_RESULT) != results)
				continue;
			if (&message->parts[i] == t->begun)
				put_begun(w, t->begun);
			else
				put_block_of(w, &message->parts[i]);
		}
	}
}

static void put_turn(struct json_writer *w, const struct prompt *p, const struct turn *t)
{
	json_writer_object(w);
	json_writer_member_string(w, "role",
				  t->role == PROMPT_USER ? SL_LIT("user") : SL_LIT("assistant"));
	json_writer_key(w, "content");
	if (t->n_blocks == 1 && t->first->kind == PROMPT_TEXT) {
		json_writer_open_string(w);
		json_writer_chars(w, t->begun ? trimmed(inside(t->first->text))
					      : inside(t->first->text));
		json_writer_close_string(w);
	} else {
		json_writer_array(w);
		put_blocks_of(w, p, t, true); /* results come before all else, or are refused */
		put_blocks_of(w, p, t, false);
		json_writer_close(w);
	}
	json_writer_close(w);
}

static void put_messages(struct json_writer *w, const struct prompt *p)
{
	struct turn t = {0}, next;

	json_writer_key(w, "messages");
	json_writer_array(w);
	while (turn_next(p, t.end, &t) == 1) {
		if (t.role == PROMPT_ASSISTANT && turn_next(p, t.end, &next) == 0 &&
		    (t.last->kind == PROMPT_TEXT || t.last->kind == PROMPT_REFUSAL))
			t.begun = t.last;
		put_turn(w, p, &t);
	}
	json_writer_close(w);
}

static void put_system(struct json_writer *w, const struct prompt *p)
{
	bool any = false;

	for (size_t m = 0; m < p->n_messages; m++) {
		const struct prompt_message *message = &p->messages[m];

		for (size_t i = 0; i < message->n_parts && message->role == PROMPT_SYSTEM; i++) {
			const struct prompt_part *part = &message->parts[i];

			if (part->kind != PROMPT_TEXT || !has_text(part->text))
				continue;
			if (!any) {
				json_writer_key(w, "system");
				json_writer_open_string(w);
			} else {
				json_writer_chars(w, SL_LIT("\\n"));
			}
			json_writer_chars(w, inside(part->text));
			any = true;
		}
	}
	if (any)
		json_writer_close_string(w);
}

/* ---- Tools and format */

/* The type must be there, whatever the schema is. */
static void put_schema(struct json_writer *w, struct json schema)
{
	json_writer_key(w, "input_schema");
	if (schema.type != JSON_OBJECT || decoded_is_empty(schema)) {
		json_writer_raw(w, SL_LIT("{\"type\":\"object\"}"));
	} else if (json_get(schema, "type").type != JSON_NONE) {
		json_writer_token(w, schema);
	} else {
		json_writer_raw(w, SL_LIT("{\"type\":\"object\","));
		json_writer_chars(w, sl_slice(schema.raw.p + 1, schema.raw.n - 1));
	}
}

static int put_tools(struct json_writer *w, struct prompt *p)
{
	int r = 0;

	json_writer_key(w, "tools");
	json_writer_array(w);
	for (size_t i = 0; i < p->n_tools; i++) {
		const struct prompt_tool *tool = &p->tools[i];

		json_writer_object(w);
		json_writer_member(w, "name", tool->name);
		json_writer_member(w, "description", tool->description);
		put_schema(w, tool->schema);
		json_writer_close(w);
		if (r == 0 && tool->strict.type == JSON_TRUE)
			r = prompt_drop(p, "strict");
	}
	json_writer_close(w);
	return r;
}

static void put_choice(struct json_writer *w, const struct prompt *p)
{
	static const char *const types[] = {
		[PROMPT_CHOICE_NONE_GIVEN] = "auto",
		[PROMPT_AUTO] = "auto",
		[PROMPT_REQUIRED] = "any",
		[PROMPT_NO_TOOLS] = "none",
		[PROMPT_NAMED] = "tool",
	};
	bool one_call = p->option[PROMPT_PARALLEL].type == JSON_FALSE;

	if (p->choice == PROMPT_CHOICE_NONE_GIVEN && !one_call)
		return;
	json_writer_key(w, "tool_choice");
	json_writer_object(w);
	put_type(w, types[p->choice]);
	if (p->choice == PROMPT_NAMED)
		json_writer_member(w, "name", p->choice_name);
	if (one_call && p->choice != PROMPT_NO_TOOLS) {
		json_writer_key(w, "disable_parallel_tool_use");
		json_writer_bool(w, true);
	}
	json_writer_close(w);
}

static int put_format(struct json_writer *w, struct prompt *p)
{
	if (p->format == PROMPT_ANY_FORMAT)
		return 0;
	if (p->format == PROMPT_JSON_OBJECT || p->schema.type != JSON_OBJECT)
		return prompt_drop(p, "response_format");
	json_writer_key(w, "output_config");
	json_writer_object(w);
	json_writer_key(w, "format");
	json_writer_object(w);
	put_type(w, "json_schema");
	json_writer_member(w, "schema", p->schema);
	json_writer_close(w);
	json_writer_close(w);
	return 0;
}

/* ---- Options */

static void put_stops(struct json_writer *w, const struct prompt *p)
{
	const char *at = NULL;
	struct json stop;
	bool any = false;

	while (prompt_stop_next(p, &at, &stop) == 1) {
		if (!has_text(stop)) /* refused */
			continue;
		if (!any) {
			json_writer_key(w, "stop_sequences");
			json_writer_array(w);
		}
		any = true;
		json_writer_token(w, stop);
	}
	if (any)
		json_writer_close(w);
}

static bool is_above_1(struct json number)
{
	char text[64];
	size_t n = number.raw.n < sizeof(text) ? number.raw.n : sizeof(text) - 1;

	memcpy(text, number.raw.p, n);
	text[n] = 0;
	return strtod(text, NULL) > 1;
}

/* Other APIs go up to 2. */
static void put_temperature(struct json_writer *w, struct json temperature)
{
	if (temperature.type == JSON_NUMBER && is_above_1(temperature)) {
		json_writer_key(w, "temperature");
		json_writer_int(w, 1);
	} else {
		json_writer_member(w, "temperature", temperature);
	}
}

/* What thinks must have thought before it called, and signed it. Clients of other APIs cannot give
 * that back; and an answer that was begun for the model has no thoughts. */
static bool history_allows_thinking(const struct prompt *p)
{
	bool allows = true, answered = false;
	struct turn t = {0};

	while (turn_next(p, t.end, &t) == 1) {
		answered = t.role == PROMPT_ASSISTANT;
		if (answered)
			allows = !t.calls || t.first->kind == PROMPT_REASONING;
	}
	return allows && !answered;
}

static int drop_option(struct prompt *p, enum prompt_option option, const char *name)
{
	if (p->option[option].type == JSON_NONE)
		return 0;
	p->option[option] = (struct json){0};
	return prompt_drop(p, name);
}

/* Tokens to think with; 0: none are to be spent so; -1: nobody knows. */
static int64_t wanted_budget(const struct prompt *p)
{
	struct json effort = p->option[PROMPT_EFFORT], budget = p->option[PROMPT_BUDGET];
	int64_t n;

	if (json_int(budget, &n) == 0) {
		if (n <= 0)
			return 0;
		return n < BUDGET_MIN ? BUDGET_MIN : n > BUDGET_MAX ? BUDGET_MAX : n;
	}
	for (size_t i = 0; i < COUNT(efforts); i++) {
		if (json_is(effort, efforts[i].word))
			return efforts[i].budget;
	}
	return effort.type == JSON_NONE ? 0 : -1;
}

/* With thinking some options must stay away, and a call cannot be forced: there the call is what was
 * asked for, and how to think only how to get it. */
int anthropic_settle_thinking(struct prompt *p, int64_t *budget)
{
	bool forced = p->n_tools > 0 && (p->choice == PROMPT_REQUIRED || p->choice == PROMPT_NAMED);
	int r = 0;

	*budget = wanted_budget(p);
	if (*budget < 0 || (*budget > 0 && (forced || !history_allows_thinking(p)))) {
		*budget = 0;
		r = drop_option(p, PROMPT_EFFORT, "reasoning_effort");
		if (r == 0)
			r = drop_option(p, PROMPT_BUDGET, "thinking.budget_tokens");
	}
	if (*budget > 0) {
		r = drop_option(p, PROMPT_TEMPERATURE, "temperature");
		if (r == 0)
			r = drop_option(p, PROMPT_TOP_P, "top_p");
		if (r == 0)
			r = drop_option(p, PROMPT_TOP_K, "top_k");
	}
	return r;
}

/* What is thought counts as a part of the answer: the limit must lie above the budget. */
static void put_max_tokens(struct json_writer *w, struct json given, int64_t budget)
{
	int64_t n = MAX_TOKENS;

	json_writer_key(w, "max_tokens");
	if (given.type != JSON_NONE && (budget == 0 || json_int(given, &n) < 0)) {
		json_writer_token(w, given);
		return;
	}
	json_writer_int(w, n > budget ? n : budget + n);
}

static void put_options(struct json_writer *w, const struct prompt *p, int64_t budget)
{
	put_stops(w, p);
	put_temperature(w, p->option[PROMPT_TEMPERATURE]);
	prompt_put_options(w, p, plain_words, COUNT(plain_words));
	if (p->option[PROMPT_USER_ID].type != JSON_NONE) {
		json_writer_key(w, "metadata");
		json_writer_object(w);
		json_writer_member(w, "user_id", p->option[PROMPT_USER_ID]);
		json_writer_close(w);
	}
	if (budget > 0) {
		json_writer_key(w, "thinking");
		json_writer_object(w);
		put_type(w, "enabled");
		json_writer_key(w, "budget_tokens");
		json_writer_int(w, budget);
		json_writer_close(w);
	}
}

static int settle_options(struct prompt *p, struct request_fault *fault)
{
	struct prompt_word words[COUNT(plain_words) + COUNT(other_words)];

	memcpy(words, plain_words, sizeof(plain_words));
	memcpy(words + COUNT(plain_words), other_words, sizeof(other_words));
	return prompt_settle(p, words, COUNT(words), fault);
}

/* Refuses, or notes, the parts that no block is made of. */
static int settle_parts(struct prompt *p, struct request_fault *fault)
{
	int r = 0;

	for (size_t m = 0; m < p->n_messages && r == 0; m++) {
		for (size_t i = 0; i < p->messages[m].n_parts && r == 0; i++) {
			const struct prompt_part *part = &p->messages[m].parts[i];
			char member[64];

			snprintf(member, sizeof(member), "messages[%zu].content[%zu]", m, i);
			if (part->kind == PROMPT_AUDIO)
				r = prompt_refuse(fault, member, "Anthropic's API takes no audio");
			else if (part->kind == PROMPT_REASONING && !is_written(part))
				r = prompt_drop(p, "reasoning");
		}
	}
	return r;
}

int anthropic_put_request(struct prompt *p, struct json_writer *w, struct request_fault *fault)
{
	int64_t budget = 0;
	int r = settle_options(p, fault);

	if (r == 0)
		r = settle_parts(p, fault);
	if (r == 0)
		r = anthropic_settle_thinking(p, &budget);
	if (r < 0)
		return r;
	put_max_tokens(w, p->option[PROMPT_MAX_TOKENS], budget);
	put_system(w, p);
	put_messages(w, p);
	if (p->n_tools > 0) {
		r = put_tools(w, p);
		put_choice(w, p);
	}
	put_options(w, p, budget);
	return r == 0 ? put_format(w, p) : r;
}

int anthropic_encode(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		     struct request_fault *fault)
{
	int r;

	json_writer_object(w);
	json_writer_member_string(w, "model", t->model);
	r = anthropic_put_request(p, w, fault);
	json_writer_key(w, "stream");
	json_writer_bool(w, t->stream);
	json_writer_close(w);
	return r;
}
