/* Reads a body with a reader and gathers what comes. */
#include "collected.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "codec/json.h"
#include "codec/utf8.h"

/* As ck_assert, which tells a file about every one that holds: too slow where it is asked for each
 * byte. */
#define NEED(what)                                                \
	do {                                                      \
		if (!(what))                                      \
			ck_abort_msg("does not hold: %s", #what); \
	} while (0)

void collected_init(struct collected *c)
{
	*c = (struct collected){.usage = SL_USAGE_NONE};
	for (size_t i = 0; i < COLLECTED_CHOICES; i++)
		c->text[i].max = SIZE_MAX;
	c->signature.max = c->reasoning.max = c->refusal.max = c->finish.max =
		c->native_finish.max = SIZE_MAX;
	c->id.max = c->model.max = c->message.max = c->type.max = c->code.max = SIZE_MAX;
	c->object.max = c->frames.max = c->trace.max = c->events.max = SIZE_MAX;
	for (size_t i = 0; i < COLLECTED_CALLS; i++) {
		c->call[i].id.max = c->call[i].name.max = SIZE_MAX;
		c->call[i].arguments.max = SIZE_MAX;
	}
}

void collected_fini(struct collected *c)
{
	struct sl_buf *const bufs[] = {&c->reasoning,     &c->signature, &c->refusal, &c->finish,
				       &c->native_finish, &c->id,        &c->model,   &c->message,
				       &c->type,          &c->code,      &c->object,  &c->frames,
				       &c->trace,         &c->events};

	for (size_t i = 0; i < sizeof(bufs) / sizeof(*bufs); i++)
		sl_buf_fini(bufs[i]);
	for (size_t i = 0; i < COLLECTED_CHOICES; i++)
		sl_buf_fini(&c->text[i]);
	for (size_t i = 0; i < COLLECTED_CALLS; i++) {
		sl_buf_fini(&c->call[i].id);
		sl_buf_fini(&c->call[i].name);
		sl_buf_fini(&c->call[i].arguments);
	}
}

const char *buf_str(struct sl_buf *b)
{
	ck_assert_int_eq(sl_buf_putc(b, 0), 0);
	b->len--;
	return b->p;
}

static void put(struct sl_buf *b, struct sl_slice s)
{
	NEED(sl_buf_put_slice(b, s) == 0);
}

static void set(struct sl_buf *b, struct sl_slice s)
{
	b->len = 0;
	put(b, s);
}

static void take_call_event(struct collected *c, const struct sl_event *e)
{
	ck_assert_uint_lt(e->index, COLLECTED_CALLS);
	if (e->kind == SL_EVENT_TOOL_START) {
		/* Dense, in order of first appearance, each told of once. */
		ck_assert_uint_eq(e->index, c->n_calls);
		ck_assert_uint_gt(e->s[0].n, 0);
		c->n_calls++;
		put(&c->call[e->index].id, e->s[0]);
		put(&c->call[e->index].name, e->s[1]);
	} else {
		ck_assert_uint_lt(e->index, c->n_calls);
		put(&c->call[e->index].arguments, e->s[0]);
	}
}

static void take_event(struct collected *c, const struct sl_event *e)
{
	if (e->kind == SL_EVENT_TEXT && e->choice < COLLECTED_CHOICES)
		put(&c->text[e->choice], e->s[0]);
	if (e->choice != 0)
		return;
	switch (e->kind) {
	case SL_EVENT_META:
		set(&c->id, e->s[0]);
		set(&c->model, e->s[1]);
		c->created = e->n0;
		break;
	case SL_EVENT_REASONING:
		put(&c->reasoning, e->s[0]);
		break;
	case SL_EVENT_REFUSAL:
		put(&c->refusal, e->s[0]);
		break;
	case SL_EVENT_TOOL_START:
	case SL_EVENT_TOOL_ARGS:
		take_call_event(c, e);
		break;
	case SL_EVENT_USAGE:
		sl_usage_merge(&c->usage, &e->usage);
		break;
	case SL_EVENT_FINISH:
		set(&c->finish, e->s[0]);
		set(&c->native_finish, e->s[1]);
		break;
	case SL_EVENT_MESSAGE:
	case SL_EVENT_ERROR:
		put(&c->message, e->s[0]);
		put(&c->type, e->s[1]);
		put(&c->code, e->s[2]);
		put(&c->object, e->s[3]);
		c->status = e->n0;
		break;
	case SL_EVENT_SIGNATURE:
		put(&c->signature, e->s[0]);
		break;
	default:
		break;
	}
}

static void trace_event(struct sl_buf *out, const struct sl_event *e)
{
	const struct sl_usage *u = &e->usage;

	sl_buf_printf(out, "  %d %" PRIu32 " %" PRIu32 " %" PRId64, (int)e->kind, e->choice,
		      e->index, e->n0);
	for (size_t i = 0; i < 4; i++) {
		sl_buf_putc(out, ' ');
		sl_buf_put_json_string(out, e->s[i]);
	}
	if (e->kind == SL_EVENT_USAGE)
		sl_buf_printf(out,
			      " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
			      " %" PRId64,
			      u->prompt, u->completion, u->total, u->cached, u->cache_write,
			      u->reasoning);
	sl_buf_putc(out, '\n');
}

static void check_frame(const struct sl_entry *entry)
{
	struct json json;

	ck_assert_uint_eq(utf8_valid_prefix(entry->frame), entry->frame.n);
	ck_assert_ptr_null(memchr(entry->frame.p, '\n', entry->frame.n));
	ck_assert_ptr_null(memchr(entry->frame.p, '\r', entry->frame.n));
	ck_assert_int_eq(json_parse(entry->frame, &json), 0);
	ck_assert_int_eq(json.type, JSON_OBJECT);
}

static void take_entry(struct collected *c, const struct sl_entry *entry)
{
	bool content = false;

	ck_assert(!c->ended && !c->failed);
	c->n_entries++;
	c->flags |= entry->flags;
	c->ended = entry->flags & SL_ENTRY_END;
	c->failed = entry->flags & SL_ENTRY_FAILED;
	if (c->ended || c->failed)
		ck_assert_uint_eq(entry->frame.n, 0);
	else if (!(entry->flags & SL_ENTRY_WHOLE))
		check_frame(entry);
	if (c->failed)
		ck_assert_int_eq(entry->events[0].kind, SL_EVENT_ERROR);
	sl_buf_printf(&c->trace, "%u ", entry->flags);
	put(&c->trace, entry->frame);
	sl_buf_putc(&c->trace, '\n');
	if (entry->frame.n) {
		put(&c->frames, entry->frame);
		sl_buf_putc(&c->frames, '\n');
	}
	for (size_t i = 0; i < entry->n_events; i++) {
		take_event(c, &entry->events[i]);
		trace_event(&c->trace, &entry->events[i]);
		if (!c->failed)
			trace_event(&c->events, &entry->events[i]);
		content |= sl_event_is_content(&entry->events[i]);
	}
	ck_assert_int_eq(content, (entry->flags & SL_ENTRY_CONTENT) != 0);
}

static void drain(struct collected *c, struct sl_reader *reader)
{
	struct sl_entry entry;
	int r;

	while ((r = sl_reader_next(reader, &entry)) == 1)
		take_entry(c, &entry);
	NEED(r == 0);
	NEED(sl_reader_ended(reader) == (c->ended || c->failed));
}

void collect(struct collected *c, const struct sl_reader_options *o, struct sl_slice body,
	     struct vectors_cuts *cuts, const struct sl_event *fault)
{
	struct sl_reader *reader = sl_reader_new(o);
	size_t n;

	ck_assert_ptr_nonnull(reader);
	for (; body.n > 0; body = sl_slice(body.p + n, body.n - n)) {
		char *piece;

		n = cuts ? vectors_cuts_next(cuts, body.n) : body.n;
		piece = malloc(n);
		NEED(piece);
		memcpy(piece, body.p, n);
		sl_reader_feed(reader, piece, n);
		drain(c, reader);
		free(piece);
	}
	sl_reader_finish(reader, fault);
	drain(c, reader);
	ck_assert(c->ended || c->failed);
	sl_reader_free(reader);
}

struct sl_reader_options stream_options(enum sl_dialect dialect)
{
	return (struct sl_reader_options){
		.dialect = dialect,
		.status = 200,
		.content_type = SL_LIT("text/event-stream"),
		.max_frame_bytes = 16 << 20,
	};
}
