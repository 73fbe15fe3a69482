/* Folding events into a document, and printing it. */
#include "codec/document.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>

#define CALLS_MAX 1024

void document_init(struct document *d, size_t max_bytes)
{
	*d = (struct document){.usage = SL_USAGE_NONE};
	sl_buf_init(&d->text, max_bytes);
	sl_buf_init(&d->reasoning, max_bytes);
	sl_buf_init(&d->error_code, max_bytes);
	sl_buf_init(&d->error_message, max_bytes);
}

void document_fini(struct document *d)
{
	sl_buf_fini(&d->text);
	sl_buf_fini(&d->reasoning);
	sl_buf_fini(&d->error_code);
	sl_buf_fini(&d->error_message);
	for (size_t i = 0; i < d->n_calls; i++) {
		sl_buf_fini(&d->calls[i].id);
		sl_buf_fini(&d->calls[i].name);
		sl_buf_fini(&d->calls[i].arguments);
	}
	free(d->calls);
}

static void put(struct document *d, struct sl_buf *b, struct sl_slice s)
{
	d->no_memory |= sl_buf_put_slice(b, s) < 0;
}

static void keep(char *to, size_t size, struct sl_slice s)
{
	size_t n = s.n < size ? s.n : size - 1;
	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
}

/* The call of that index; NULL when there are too many, or without memory. */
static struct document_call *call_at(struct document *d, uint32_t index)
{
	if (index >= CALLS_MAX)
		return NULL;
	if (index >= d->n_calls) {
		struct document_call *more = realloc(d->calls, (index + 1) * sizeof(*more));
		if (!more) {
			d->no_memory = true;
			return NULL;
		}
		d->calls = more;
		for (; d->n_calls <= index; d->n_calls++) {
			struct document_call *c = &d->calls[d->n_calls];
			*c = (struct document_call){0};
			sl_buf_init(&c->id, d->text.max);
			sl_buf_init(&c->name, d->text.max);
			sl_buf_init(&c->arguments, d->text.max);
		}
	}
	return &d->calls[index];
}

static void add_event(struct document *d, const struct sl_event *e)
{
	struct document_call *call;
	if (e->choice != 0)
		return;
	switch (e->kind) {
	case SL_EVENT_META:
		keep(d->model, sizeof(d->model), e->s[1]);
		break;
	case SL_EVENT_TEXT:
	case SL_EVENT_REFUSAL:
		put(d, &d->text, e->s[0]);
		break;
	case SL_EVENT_REASONING:
		put(d, &d->reasoning, e->s[0]);
		break;
	case SL_EVENT_TOOL_START:
		if ((call = call_at(d, e->index))) {
			put(d, &call->id, e->s[0]);
			put(d, &call->name, e->s[1]);
		}
		break;
	case SL_EVENT_TOOL_ARGS:
		if ((call = call_at(d, e->index)))
			put(d, &call->arguments, e->s[0]);
		break;
	case SL_EVENT_USAGE:
		sl_usage_merge(&d->usage, &e->usage);
		break;
	case SL_EVENT_FINISH:
		keep(d->finish, sizeof(d->finish), e->s[0]);
		break;
	case SL_EVENT_ERROR:
		d->failed = true;
		put(d, &d->error_message, e->s[0]);
		put(d, &d->error_code, e->s[2]);
		break;
	default: /* the parts' starts and ends, and what is no answer's */
		break;
	}
}

void document_add(struct document *d, const struct sl_entry *e, uint64_t seq)
{
	for (size_t i = 0; i < e->n_events; i++)
		add_event(d, &e->events[i]);
	d->last_seq = seq;
}

static void put_member(struct sl_buf *out, const char *name, struct sl_slice text)
{
	sl_buf_printf(out, ",\"%s\":", name);
	sl_buf_put_json_string(out, text);
}

static void put_count(struct sl_buf *out, const char *name, int64_t n, bool *first)
{
	if (n < 0)
		return;
	sl_buf_printf(out, "%s\"%s\":%" PRId64, *first ? "{" : ",", name, n);
	*first = false;
}

static void put_usage(struct sl_buf *out, const struct sl_usage *u)
{
	bool first = true;
	sl_buf_put_str(out, ",\"usage\":");
	put_count(out, "prompt_tokens", u->prompt, &first);
	put_count(out, "completion_tokens", u->completion, &first);
	put_count(out, "total_tokens", u->total, &first);
	put_count(out, "cached_tokens", u->cached, &first);
	put_count(out, "reasoning_tokens", u->reasoning, &first);
	sl_buf_put_str(out, first ? "null" : "}");
}

static void put_calls(struct sl_buf *out, const struct document *d)
{
	sl_buf_put_str(out, ",\"tool_calls\":[");
	for (size_t i = 0; i < d->n_calls; i++) {
		const struct document_call *c = &d->calls[i];
		sl_buf_printf(out, "%s{\"index\":%zu", i ? "," : "", i);
		put_member(out, "id", sl_buf_slice(&c->id));
		put_member(out, "name", sl_buf_slice(&c->name));
		put_member(out, "arguments", sl_buf_slice(&c->arguments));
		sl_buf_putc(out, '}');
	}
	sl_buf_putc(out, ']');
}

static void put_ms(struct sl_buf *out, const char *name, int64_t ms)
{
	if (ms < 0)
		sl_buf_printf(out, "\"%s\":null", name);
	else
		sl_buf_printf(out, "\"%s\":%" PRId64, name, ms);
}

int document_print(const struct document *d, const struct document_frame *f, struct sl_buf *out)
{
	if (d->no_memory)
		return -SL_E_NOMEM;
	sl_buf_put_str(out, "{\"id\":");
	sl_buf_put_json_string(out, sl_slice_str(f->id));
	put_member(out, "state", sl_slice_str(f->state));
	put_member(out, "text", sl_buf_slice(&d->text));
	put_member(out, "reasoning", sl_buf_slice(&d->reasoning));
	put_calls(out, d);
	if (d->finish[0])
		put_member(out, "finish_reason", sl_slice_str(d->finish));
	else
		sl_buf_put_str(out, ",\"finish_reason\":null");
	put_usage(out, &d->usage);
	if (d->failed) {
		sl_buf_put_str(out, ",\"error\":{\"code\":");
		sl_buf_put_json_string(out, sl_buf_slice(&d->error_code));
		put_member(out, "message", sl_buf_slice(&d->error_message));
		sl_buf_putc(out, '}');
	} else {
		sl_buf_put_str(out, ",\"error\":null");
	}
	sl_buf_printf(out, ",\"last_event_id\":\"%s.%" PRIu64 "\"", f->id, d->last_seq);
	if (d->first_seq > 1)
		sl_buf_printf(out, ",\"first_id\":\"%s.%" PRIu64 "\"", f->id, d->first_seq);
	put_member(out, "model", sl_slice_str(d->model[0] ? d->model : f->model));
	if (f->upstream)
		put_member(out, "upstream", sl_slice_str(f->upstream));
	else
		sl_buf_put_str(out, ",\"upstream\":null");
	sl_buf_put_str(out, ",\"timings\":{");
	put_ms(out, "first_token_ms", f->first_token_ms);
	sl_buf_putc(out, ',');
	put_ms(out, "total_ms", f->total_ms);
	return sl_buf_put_str(out, "}}");
}
