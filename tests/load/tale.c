/* What must come, and whether it does. */
#include "tale.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "token.h"

const char *const route_names[ROUTES] = {"chat", "completions", "ask_get", "ask_post"};
const char *const format_names[FORMATS] = {"events", "openai", "text"};

/* Positions before the first token: the role's chunk. */
static uint64_t opening(const struct tale *t)
{
	return t->route == ROUTE_COMPLETIONS ? 0 : 1;
}

static uint64_t finish_at(const struct tale *t)
{
	return opening(t) + t->tokens + 1;
}

static uint64_t usage_at(const struct tale *t)
{
	return finish_at(t) + 1;
}

uint64_t tale_end(const struct tale *t)
{
	return finish_at(t) + 2;
}

uint32_t tale_tokens_at(const struct tale *t, uint64_t position)
{
	if (position <= opening(t))
		return 0;
	position -= opening(t);
	return position < t->tokens ? (uint32_t)position : t->tokens;
}

bool reading_fail(struct reading *r, enum fault fault, const char *format, ...)
{
	if (r->fault)
		return false;
	r->fault = fault;
	r->faults = r->faults ? r->faults : 1;
	va_list args;
	va_start(args, format);
	vsnprintf(r->why, sizeof(r->why), format, args);
	va_end(args);
	return false;
}

static void tell(struct reading *r)
{
	r->at = 0;
	r->len = story_token(r->tale->number, r->next, r->token);
}

void reading_begin(struct reading *r, const struct tale *t, enum format format, bool shows_usage,
		   uint64_t after)
{
	*r = (struct reading){.tale = t,
			      .format = format,
			      .shows_usage = shows_usage,
			      .position = after,
			      .next = tale_tokens_at(t, after)};
	tell(r);
}

bool reading_head(struct reading *r, const struct response *head)
{
	bool was_over = r->position == tale_end(r->tale);
	const char *type = r->format == FORMAT_TEXT ? "text/plain" : "text/event-stream";
	if (head->status != (was_over ? 204 : 200))
		return reading_fail(r, FAULT_ERROR, "status %d instead of %d: %.160s", head->status,
				    was_over ? 204 : 200, head->head);
	if (was_over) {
		r->ended = true;
		return true;
	}
	if (strcmp(head->type, type) != 0)
		return reading_fail(r, FAULT_ERROR, "type \"%s\" instead of %s", head->type, type);
	if (r->tale->id[0] && strcmp(head->stream_id, r->tale->id) != 0)
		return reading_fail(r, FAULT_ERROR, "it is stream \"%s\"", head->stream_id);
	return true;
}

/* Names what came in place of the expected bytes. */
static bool not_expected(struct reading *r, const char *text, size_t len)
{
	const char *at = text;
	struct token t;
	bool named = token_read(&at, text + len, &t);
	if (named && t.stream != r->tale->number)
		return reading_fail(r, FAULT_ERROR, "a token of story %llu",
				    (unsigned long long)t.stream);
	if (named && r->at == 0 && t.seq != r->next) {
		bool is_later = t.seq > r->next;
		r->faults = is_later ? t.seq - r->next : 1;
		return reading_fail(r, is_later ? FAULT_LOST : FAULT_DOUBLED,
				    "token %u came where token %u was due", t.seq, r->next);
	}
	return reading_fail(r, FAULT_ERROR, "token %u differs at its byte %zu: \"%.*s\"", r->next,
			    r->at, (int)(len < 60 ? len : 60), text);
}

bool reading_text(struct reading *r, const char *text, size_t len)
{
	while (len) {
		size_t n = r->len - r->at < len ? r->len - r->at : len;
		if (r->next == r->tale->tokens || memcmp(r->token + r->at, text, n) != 0)
			return not_expected(r, text, len);
		text += n;
		len -= n;
		r->at += n;
		if (r->at == r->len) {
			r->next++;
			tell(r);
		}
	}
	return true;
}

/* The string behind `name` in a chunk, unescaped. False: there is none. */
static bool read_string(const char *json, const char *name, char *out, size_t size, size_t *len)
{
	const char *p = strstr(json, name);
	*len = 0;
	if (!p)
		return false;
	for (p += strlen(name); *p && *p != '"' && *len < size; p++) {
		bool is_escape = *p == '\\' && p[1];
		p += is_escape;
		out[(*len)++] = is_escape && *p == 'n' ? '\n' : *p;
	}
	return *p == '"';
}

/* A chunk whose place says that it is a token. */
static bool take_chunk(struct reading *r, const struct event *e)
{
	char text[2 * STORY_TOKEN_MAX];
	size_t n;
	bool legacy = r->tale->route == ROUTE_COMPLETIONS;
	uint32_t next = r->next;
	if (!read_string(e->data, legacy ? "\"text\":\"" : "\"content\":\"", text, sizeof(text),
			 &n))
		return reading_fail(r, FAULT_ERROR, "no text where token %u was due: %.120s", next,
				    e->data);
	if (!reading_text(r, text, n))
		return false;
	if (r->next != next + 1 || r->at)
		return reading_fail(r, FAULT_ERROR, "a chunk does not hold one token: %.120s",
				    e->data);
	return true;
}

static bool must_have(struct reading *r, const struct event *e, const char *what)
{
	if (strstr(e->data, what))
		return true;
	return reading_fail(r, FAULT_ERROR, "no %s at position %llu: %.120s", what,
			    (unsigned long long)r->position, e->data);
}

static bool take_openai(struct reading *r, const struct event *e, uint64_t position)
{
	const struct tale *t = r->tale;
	uint64_t due = r->position + 1;
	if (due == usage_at(t) && !r->shows_usage)
		due++;
	r->position = position;
	if (position != due)
		return reading_fail(r, FAULT_GAP, "id %llu came where %llu was due",
				    (unsigned long long)position, (unsigned long long)due);
	if (e->type[0])
		return reading_fail(r, FAULT_ERROR, "a named event: %s", e->type);
	if (position == tale_end(t))
		return must_have(r, e, "[DONE]");
	if (position == usage_at(t))
		return must_have(r, e, "\"usage\":{");
	if (position == finish_at(t))
		return must_have(r, e, "\"finish_reason\":\"stop\"");
	if (position <= opening(t))
		return must_have(r, e, "\"role\":\"assistant\"");
	return take_chunk(r, e);
}

static bool take_named(struct reading *r, const struct event *e, uint64_t position)
{
	const struct tale *t = r->tale;
	r->position = position;
	if (!e->type[0])
		return reading_text(r, e->data, e->data_len);
	if (strcmp(e->type, "usage") == 0 && position == usage_at(t))
		return must_have(r, e, "\"completion_tokens\":");
	if (strcmp(e->type, "done") == 0 && position == tale_end(t))
		return must_have(r, e, "\"finish_reason\":\"stop\"");
	return reading_fail(r, FAULT_ERROR, "event %s at position %llu: %.120s", e->type,
			    (unsigned long long)position, e->data);
}

/* The position that an id names; 0: none of this stream. */
static uint64_t position_of(const struct reading *r, const char *id)
{
	size_t n = strlen(r->tale->id);
	char *end;
	if (strncmp(id, r->tale->id, n) != 0 || id[n] != '.')
		return 0;
	uint64_t position = strtoull(id + n + 1, &end, 10);
	return *end ? 0 : position;
}

bool reading_event(struct reading *r, const struct event *e)
{
	uint64_t position = position_of(r, e->id), end = tale_end(r->tale);
	if (position == 0 || position > end)
		return reading_fail(r, FAULT_ERROR,
				    "no position of this stream: id \"%s\", %s: %.120s", e->id,
				    e->type, e->data);
	if (r->ended)
		return reading_fail(r, FAULT_ERROR, "after the end: %s %.120s", e->type, e->data);
	if (position <= r->position)
		return reading_fail(r, FAULT_DISORDERED, "id %llu came after %llu",
				    (unsigned long long)position, (unsigned long long)r->position);
	if (!(r->format == FORMAT_OPENAI ? take_openai : take_named)(r, e, position))
		return false;
	uint32_t told = tale_tokens_at(r->tale, position);
	if (told != r->next || r->at) {
		r->faults = told > r->next ? told - r->next : 1;
		return reading_fail(
			r, told > r->next ? FAULT_LOST : FAULT_ERROR,
			"%u tokens (and %zu bytes) have come at id %llu, which stands for %u",
			r->next, r->at, (unsigned long long)position, told);
	}
	r->ended = position == end;
	return true;
}

bool reading_over(struct reading *r)
{
	if (r->format == FORMAT_TEXT) {
		r->ended = r->next == r->tale->tokens;
		if (!r->ended)
			r->faults = r->tale->tokens - r->next;
		return r->ended ||
		       reading_fail(r, FAULT_LOST, "the text ended before token %u", r->next);
	}
	return r->ended ||
	       reading_fail(r, FAULT_ERROR, "the response ended before the stream's end");
}
