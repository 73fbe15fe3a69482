/* Decodes a chunk: what it says of the response, of its usage, and of each choice. */
#include "codec/openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <sluice/error.h>

#define REPLACEMENT SL_LIT("\xef\xbf\xbd")

void openai_init(void *state, const struct sl_reader_options *o)
{
	struct openai *s = state;

	*s = (struct openai){.client_key = o->client_key};
}

void openai_fini(void *state)
{
	struct openai *s = state;

	for (size_t i = 0; i < s->n_choices; i++)
		tool_calls_fini(&s->choices[i].tools);
	free(s->choices);
	*s = (struct openai){0};
}

bool openai_is_complete(const void *state)
{
	const struct openai *s = state;

	for (size_t i = 0; i < s->n_choices; i++) {
		if (!s->choices[i].finished)
			return false;
	}
	return s->n_choices > 0;
}

/* The members of a chunk that mean something to us. */
struct chunk {
	struct json id, model, object, type, created, choices, usage, x_groq;
	struct json error; /* one that is set, if there is one among equal keys */
	bool any_kept;
};

static bool is_digits(struct sl_slice s)
{
	if (s.n == 0 || s.n > 18 || (s.p[0] == '0' && s.n > 1))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return true;
}

/* The AI SDKs insist on a number. */
static struct json mend_created(struct members *m, struct decoded *d)
{
	struct json created = m->value;

	if (created.type != JSON_STRING)
		return created;
	created.raw = sl_slice(created.raw.p + 1, created.raw.n - 2);
	if (!is_digits(created.raw)) {
		members_remove(m, d);
		return (struct json){0};
	}
	decoded_replace(d, m->value, created.raw);
	created.type = JSON_NUMBER;
	return created;
}

static void read_chunk(struct chunk *c, struct json object, struct decoded *d)
{
	struct members m;

	*c = (struct chunk){0};
	members_init(&m, object);
	while (members_next(&m, d) == 1) {
		if (members_at(&m, "choices"))
			c->choices = m.value;
		else if (members_at(&m, "id"))
			c->id = m.value;
		else if (members_at(&m, "object"))
			c->object = m.value;
		else if (members_at(&m, "created"))
			c->created = mend_created(&m, d);
		else if (members_at(&m, "model"))
			c->model = m.value;
		else if (members_at(&m, "usage"))
			c->usage = m.value;
		else if (members_at(&m, "x_groq"))
			c->x_groq = m.value;
		else if (members_at(&m, "type"))
			c->type = m.value;
		else if (members_at(&m, "error")) {
			if (upstream_error_is_set(m.value))
				c->error = m.value;
			else if (m.value.type == JSON_NULL)
				members_remove(&m, d); /* taken for an error by one SDK */
		}
	}
	c->any_kept = m.any_kept;
}

/* Servers tell of errors in the place of a chunk, in it, and under an event name. */
static struct json find_error(const struct chunk *c, struct json object, const struct message *m)
{
	struct json error = json_get(c->x_groq, "error");
	bool named = sl_slice_is(m->name, "error");

	if (c->error.type != JSON_NONE)
		return upstream_error_described(c->error, object);
	if (upstream_error_is_set(error))
		return error;
	if (json_is(c->object, "error"))
		return object;
	if ((!named && !m->stray) || c->choices.type != JSON_NONE)
		return (struct json){0};
	error = upstream_error_find(object);
	return error.type == JSON_NONE && named ? object : error;
}

/* Servers send times with a fraction; the whole part will do. */
static int64_t seconds(struct json v)
{
	const char *point;
	int64_t n;

	if (v.type != JSON_NUMBER)
		return 0;
	point = memchr(v.raw.p, '.', v.raw.n);
	if (point && !memchr(v.raw.p, 'e', v.raw.n) && !memchr(v.raw.p, 'E', v.raw.n))
		v.raw.n = (size_t)(point - v.raw.p);
	return json_int(v, &n) == 0 && n > 0 ? n : 0;
}

static void read_meta(struct openai *s, const struct chunk *c, struct decoded *d)
{
	struct sl_event e = {.kind = SL_EVENT_META};

	if (s->meta_given)
		return;
	e.s[0] = decoded_string(d, c->id, NULL);
	e.s[1] = decoded_string(d, c->model, NULL);
	if (!e.s[0].n && !e.s[1].n)
		return; /* as in Azure's first chunk */
	e.n0 = seconds(c->created);
	s->meta_given = true;
	s->seed = tool_calls_hash(0, e.s[0]);
	decoded_add(d, &e);
}

static struct openai_choice *choice_at(struct openai *s, uint32_t index, struct decoded *d)
{
	size_t cap = s->cap_choices ? 2 * s->cap_choices : 1;
	struct openai_choice *choices;

	for (size_t i = 0; i < s->n_choices; i++) {
		if (s->choices[i].index == index)
			return &s->choices[i];
	}
	if (s->n_choices == OPENAI_CHOICES_MAX) {
		decoded_note(d, -SL_E_LIMIT);
		return NULL;
	}
	if (s->n_choices == s->cap_choices) {
		choices = realloc(s->choices, cap * sizeof(*choices));
		if (!choices) {
			decoded_note(d, -SL_E_NOMEM);
			return NULL;
		}
		s->choices = choices;
		s->cap_choices = cap;
	}
	s->choices[s->n_choices] = (struct openai_choice){.index = index};
	return &s->choices[s->n_choices++];
}

/* A half of a pair that nothing will follow. */
static void flush_half(uint32_t *half, enum sl_event_kind kind, uint32_t choice, struct decoded *d)
{
	if (*half)
		decoded_add_text(d, kind, choice, REPLACEMENT);
	*half = 0;
}

static void read_finish(struct openai_choice *c, struct json reason, struct decoded *d)
{
	struct sl_slice native = decoded_string(d, reason, NULL);

	if (!native.n)
		return;
	flush_half(&c->reasoning_half, SL_EVENT_REASONING, c->index, d);
	flush_half(&c->text_half, SL_EVENT_TEXT, c->index, d);
	flush_half(&c->refusal_half, SL_EVENT_REFUSAL, c->index, d);
	tool_calls_finish(&c->tools, c->index, d);
	c->finished = true;
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_FINISH,
			       .choice = c->index,
			       .s = {relatives_finish(native), native},
		       });
}

/* An index that is missing is the choice's place in its array. */
static uint32_t mend_choice_index(struct json choice, struct json index, uint32_t place,
				  struct decoded *d)
{
	int64_t n;
	char *text;
	int len;

	if (index.type == JSON_NUMBER && json_int(index, &n) == 0 && n >= 0 && n <= INT32_MAX)
		return (uint32_t)n;
	text = decoded_alloc(d, 24);
	if (!text)
		return place;
	if (index.type != JSON_NONE) {
		len = snprintf(text, 24, "%u", place);
		decoded_replace(d, index, sl_slice(text, (size_t)len));
	} else {
		len = snprintf(text, 24, "\"index\":%u%s", place,
			       decoded_is_empty(choice) ? "" : ",");
		decoded_edit(d, choice.raw.p + 1, 0, sl_slice(text, (size_t)len));
	}
	return place;
}

/* Servers that do not stream put all of an answer into one chunk, as if there were no stream. Where
 * there was one, such a message says it all again. */
static struct json message_as_delta(struct openai_choice *c, struct sl_slice key,
				    struct json message, struct decoded *d)
{
	if (c->begun || message.type != JSON_OBJECT)
		return (struct json){0};
	decoded_edit(d, key.p, key.n, SL_LIT("delta"));
	return message;
}

/* An error that the choice itself holds, or type JSON_NONE. *usage are the counts that it holds. */
static struct json read_choice(struct openai *s, struct json choice, uint32_t place,
			       struct json *usage, struct decoded *d)
{
	struct json index = {0}, delta = {0}, text = {0}, finish = {0}, logprobs = {0}, error = {0};
	struct json message = {0};
	struct json_walk w;
	struct json value;
	struct sl_slice key, message_key = {0};
	struct openai_choice *c;

	json_walk_init(&w, choice);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_is(key, "delta"))
			delta = value;
		else if (sl_slice_is(key, "index"))
			index = value;
		else if (sl_slice_is(key, "finish_reason"))
			finish = value;
		else if (sl_slice_is(key, "logprobs"))
			logprobs = value;
		else if (sl_slice_is(key, "text"))
			text = value;
		else if (sl_slice_is(key, "usage"))
			*usage = value;
		else if (sl_slice_is(key, "error") && upstream_error_is_set(value))
			error = value;
		else if (sl_slice_is(key, "message")) {
			message = value;
			message_key = key;
		}
	}
	if (error.type != JSON_NONE)
		return error;
	c = choice_at(s, mend_choice_index(choice, index, place, d), d);
	if (!c)
		return error;
	if (delta.type == JSON_NONE && text.type == JSON_NONE)
		delta = message_as_delta(c, message_key, message, d);
	c->begun |= delta.type == JSON_OBJECT;
	if (delta.type == JSON_OBJECT)
		openai_read_delta(c, delta, s->seed, d);
	else
		decoded_add_text(d, SL_EVENT_TEXT, c->index,
				 decoded_string(d, text, &c->text_half));
	if (logprobs.type == JSON_OBJECT)
		openai_mend_logprobs(logprobs, d);
	read_finish(c, finish, d);
	return error;
}

static struct json read_choices(struct openai *s, struct json choices, struct json *usage,
				struct decoded *d)
{
	struct json error = {0}, value;
	struct json_walk w;
	struct sl_slice key;
	uint32_t place = 0;

	if (choices.type != JSON_ARRAY)
		return error;
	json_walk_init(&w, choices);
	while (error.type == JSON_NONE && d->failure == 0 &&
	       json_walk_next(&w, &key, &value) == 1) {
		if (value.type == JSON_OBJECT)
			error = read_choice(s, value, place, usage, d);
		place++;
	}
	return error;
}

/* Half of the SDKs iterate over `choices` without asking whether it is there. */
static void mend_choices(const struct chunk *c, struct json object, struct decoded *d)
{
	bool is_chunk = c->id.type == JSON_STRING || c->object.type == JSON_STRING ||
			c->usage.type == JSON_OBJECT;

	if (c->choices.type == JSON_NULL)
		decoded_replace(d, c->choices, SL_LIT("[]"));
	else if (c->choices.type == JSON_NONE && is_chunk)
		decoded_edit(d, object.raw.p + object.raw.n - 1, 0,
			     c->any_kept ? SL_LIT(",\"choices\":[]") : SL_LIT("\"choices\":[]"));
}

/* Moonshot counts in the choice, where nobody else looks. */
static void move_usage(struct chunk *c, struct json object, struct json usage, struct decoded *d)
{
	struct sl_slice name = SL_LIT(",\"usage\":");
	char *p;

	if (c->usage.type == JSON_NULL) {
		decoded_replace(d, c->usage, usage.raw);
	} else {
		p = decoded_alloc(d, name.n + usage.raw.n);
		if (!p)
			return;
		memcpy(p, name.p, name.n);
		memcpy(p + name.n, usage.raw.p, usage.raw.n);
		decoded_edit(d, object.raw.p + object.raw.n - 1, 0,
			     sl_slice(p, name.n + usage.raw.n));
	}
	c->usage = usage;
}

static int decode_chunk(void *state, const struct message *m, struct json object, struct decoded *d)
{
	struct openai *s = state;
	struct chunk c;
	struct json error, usage = {0};
	bool has_usage;

	read_chunk(&c, object, d);
	error = find_error(&c, object, m);
	if (error.type == JSON_NONE) {
		if (m->stray || (c.choices.type == JSON_NONE && json_is(c.type, "ping")))
			return VERDICT_SKIP;
		read_meta(s, &c, d);
		error = read_choices(s, c.choices, &usage, d);
	}
	if (error.type != JSON_NONE) {
		int r = upstream_error_take(&d->error, error, s->client_key);

		return r < 0 ? r : VERDICT_FAILED;
	}
	mend_choices(&c, object, d);
	if (usage.type == JSON_OBJECT && c.usage.type != JSON_OBJECT)
		move_usage(&c, object, usage, d);
	has_usage = openai_read_usage(c.usage, c.x_groq, d);
	if (has_usage && (c.choices.type != JSON_ARRAY || decoded_is_empty(c.choices)))
		d->flags |= SL_ENTRY_USAGE_ONLY;
	return VERDICT_ENTRY;
}

int openai_decode(void *state, const struct message *m, struct decoded *d)
{
	if (!m->stray && message_is_done(m))
		return VERDICT_END;
	return decoded_read(d, m, decode_chunk, state);
}
