/* Opening, holding and closing parts. */
#include "stream/parts.h"

#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>

/* A part that waits for its turn, or that was begun and is composed. */
struct part {
	struct part *next;
	enum sl_event_kind kind; /* of its deltas */
	uint32_t index, number;
	bool ended;
	uint32_t withheld; /* reasoning whose text is not told */
	size_t text_max;
	struct sl_buf text, id, name, signature;
};

static void part_free(struct part *p)
{
	if (!p)
		return;
	sl_buf_fini(&p->text);
	sl_buf_fini(&p->id);
	sl_buf_fini(&p->name);
	sl_buf_fini(&p->signature);
	free(p);
}

static void free_all(struct part *p)
{
	while (p) {
		struct part *next = p->next;

		part_free(p);
		p = next;
	}
}

void parts_fini(struct parts *p)
{
	free_all(p->held);
	free_all(p->whole);
	free_all(p->spent);
	free(p->events);
	*p = (struct parts){0};
}

static void note(struct parts *p, int r)
{
	if (r < 0 && p->failure == 0)
		p->failure = r;
}

static struct part *part_new(struct parts *p, enum sl_event_kind kind, uint32_t index)
{
	struct part *part = calloc(1, sizeof(*part));

	if (!part) {
		note(p, -SL_E_NOMEM);
		return NULL;
	}
	part->kind = kind;
	part->index = index;
	part->text.max = part->id.max = part->name.max = part->signature.max = SIZE_MAX;
	return part;
}

static void give(struct parts *p, const struct sl_event *e)
{
	if (p->n_events == p->cap_events) {
		size_t cap = p->cap_events ? 2 * p->cap_events : 8;
		struct sl_event *events = realloc(p->events, cap * sizeof(*events));

		if (!events) {
			note(p, -SL_E_NOMEM);
			return;
		}
		p->events = events;
		p->cap_events = cap;
	}
	p->events[p->n_events++] = *e;
}

/* The kind of deltas that a part has which holds e; 0: e belongs to no part. */
static enum sl_event_kind part_kind(const struct sl_event *e)
{
	switch (e->kind) {
	case SL_EVENT_TEXT:
	case SL_EVENT_REASONING:
	case SL_EVENT_REFUSAL:
	case SL_EVENT_TOOL_ARGS:
		return e->kind;
	case SL_EVENT_TOOL_START:
		return SL_EVENT_TOOL_ARGS;
	case SL_EVENT_SIGNATURE:
		return SL_EVENT_REASONING;
	case SL_EVENT_PART_START:
	case SL_EVENT_PART_END:
		return (enum sl_event_kind)e->n0;
	default:
		return 0;
	}
}

/* ---- Are a call's arguments complete? */

static void read_arguments(struct parts *p, struct sl_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (p->escaped) {
			p->escaped = false;
		} else if (p->in_string) {
			p->escaped = c == '\\';
			p->in_string = c != '"';
		} else if (c == '"') {
			p->in_string = true;
		} else if (c == '{' || c == '[') {
			p->depth++;
		} else if ((c == '}' || c == ']') && p->depth > 0) {
			p->complete = --p->depth == 0;
		}
	}
}

/* ---- The open part */

static void compose(struct parts *p, struct sl_buf *to, struct sl_slice s)
{
	if (p->composed_bytes + s.n > PARTS_COMPOSED_MAX) {
		note(p, -SL_E_LIMIT);
		return;
	}
	p->composed_bytes += s.n;
	note(p, sl_buf_put_slice(to, s));
}

static void begin_composed(struct parts *p, const struct sl_event *start)
{
	struct part *part = part_new(p, p->kind, p->index);

	p->composed = part;
	if (!part)
		return;
	part->number = p->n - 1;
	if (!p->whole)
		p->whole_end = &p->whole;
	*p->whole_end = part;
	p->whole_end = &part->next;
	compose(p, &part->id, start->s[0]);
	compose(p, &part->name, start->s[1]);
	compose(p, &part->signature, start->s[2]);
}

static void compose_delta(struct parts *p, const struct sl_event *e)
{
	struct part *part = p->composed;

	if (!part)
		return;
	if (e->kind == SL_EVENT_SIGNATURE) {
		compose(p, &part->signature, e->s[0]);
		part->withheld = e->n0 == 1;
	} else {
		compose(p, &part->text, e->s[0]);
	}
}

/* `start` is TOOL_START, or any event of a part of another kind. */
static void open_part(struct parts *p, const struct sl_event *start)
{
	enum sl_event_kind kind = part_kind(start);
	struct sl_event e = *start;

	if (p->n == PARTS_MAX) {
		note(p, -SL_E_LIMIT);
		return;
	}
	if (kind != SL_EVENT_TOOL_ARGS)
		e = (struct sl_event){.kind = SL_EVENT_PART_START, .n0 = kind};
	e.part = p->n++;
	p->open = true;
	p->kind = kind;
	p->index = e.index;
	p->depth = 0;
	p->in_string = p->escaped = p->complete = false;
	if (p->composing)
		begin_composed(p, &e);
	give(p, &e);
}

static struct sl_event whole_event(enum sl_event_kind kind, const struct part *part)
{
	return (struct sl_event){.kind = kind,
				 .index = part->kind == SL_EVENT_REASONING ? part->withheld
									   : part->index,
				 .part = part->number,
				 .n0 = part->kind,
				 .s = {sl_buf_slice(&part->text), sl_buf_slice(&part->id),
				       sl_buf_slice(&part->name), sl_buf_slice(&part->signature)}};
}

static void close_part(struct parts *p)
{
	struct sl_event e = {
		.kind = SL_EVENT_PART_END, .index = p->index, .part = p->n - 1, .n0 = p->kind};

	if (!p->open)
		return;
	if (p->composed)
		e = whole_event(SL_EVENT_PART_END, p->composed);
	p->composed = NULL;
	p->open = false;
	give(p, &e);
}

static bool is_of_open(const struct parts *p, const struct sl_event *e)
{
	enum sl_event_kind kind = part_kind(e);

	return p->open && p->kind == kind && (kind != SL_EVENT_TOOL_ARGS || p->index == e->index);
}

static void give_delta(struct parts *p, const struct sl_event *e)
{
	struct sl_event delta = *e;

	delta.part = p->n - 1;
	if (p->kind == SL_EVENT_TOOL_ARGS)
		read_arguments(p, e->s[0]);
	if (p->composing)
		compose_delta(p, e);
	give(p, &delta);
}

/* ---- What has to wait */

static struct part *held_part(struct parts *p, const struct sl_event *e)
{
	enum sl_event_kind kind = part_kind(e);
	struct part *last = NULL, *part;

	for (part = p->held; part; part = part->next) {
		last = part;
		if (part->kind == kind && kind == SL_EVENT_TOOL_ARGS && part->index == e->index)
			return part;
	}
	/* Text goes on where it was the last to be said. */
	if (last && last->kind == kind && kind != SL_EVENT_TOOL_ARGS && !last->ended)
		return last;
	if (e->kind == SL_EVENT_PART_END || e->kind == SL_EVENT_TOOL_ARGS)
		return NULL; /* of a call that has ended already */
	part = part_new(p, kind, e->index);
	if (part && last)
		last->next = part;
	else if (part)
		p->held = part;
	return part;
}

static void keep(struct parts *p, struct sl_buf *to, struct sl_slice s)
{
	p->held_bytes += s.n;
	note(p, p->held_bytes > PARTS_HELD_MAX ? -SL_E_LIMIT : sl_buf_put_slice(to, s));
}

static void hold(struct parts *p, const struct sl_event *e)
{
	struct part *part = held_part(p, e);

	if (!part)
		return;
	switch (e->kind) {
	case SL_EVENT_TOOL_START:
		keep(p, &part->id, e->s[0]);
		keep(p, &part->name, e->s[1]);
		keep(p, &part->signature, e->s[2]);
		break;
	case SL_EVENT_SIGNATURE:
		keep(p, &part->signature, e->s[0]);
		part->withheld = e->n0 == 1;
		break;
	case SL_EVENT_PART_END:
		part->ended = true;
		break;
	case SL_EVENT_PART_START:
		break;
	default:
		keep(p, &part->text, e->s[0]);
		break;
	}
}

static void give_held(struct parts *p, struct part *part)
{
	struct sl_event start = {.kind = SL_EVENT_PART_START, .n0 = part->kind};

	if (part->kind == SL_EVENT_TOOL_ARGS)
		start = (struct sl_event){.kind = SL_EVENT_TOOL_START,
					  .index = part->index,
					  .s = {sl_buf_slice(&part->id), sl_buf_slice(&part->name),
						sl_buf_slice(&part->signature)}};
	open_part(p, &start);
	if (part->text.len)
		give_delta(p, &(struct sl_event){.kind = part->kind,
						 .index = part->index,
						 .s[0] = sl_buf_slice(&part->text)});
	if (part->kind == SL_EVENT_REASONING && part->signature.len)
		give_delta(p, &(struct sl_event){.kind = SL_EVENT_SIGNATURE,
						 .n0 = part->withheld,
						 .s[0] = sl_buf_slice(&part->signature)});
	if (part->ended)
		close_part(p);
}

/* Those that waited have their turn, as far as the open part lets them; `all`: whatever it is. */
static void go_on(struct parts *p, bool all)
{
	while (p->held && p->failure == 0 &&
	       (all || !p->open || p->kind != SL_EVENT_TOOL_ARGS || p->complete)) {
		struct part *part = p->held;

		p->held = part->next;
		p->held_bytes -=
			part->text.len + part->id.len + part->name.len + part->signature.len;
		close_part(p);
		give_held(p, part);
		part->next = p->spent;
		p->spent = part;
	}
}

/* ---- Events, one by one */

static void arrange_part(struct parts *p, const struct sl_event *e)
{
	bool of_open = is_of_open(p, e) && e->kind != SL_EVENT_TOOL_START;

	if (e->kind == SL_EVENT_PART_END && of_open) {
		close_part(p);
	} else if (e->kind == SL_EVENT_PART_START && of_open && !p->held) {
		close_part(p); /* another one of the same kind */
		open_part(p, e);
	} else if (of_open && e->kind != SL_EVENT_PART_START) {
		give_delta(p, e);
	} else if (p->open && p->kind == SL_EVENT_TOOL_ARGS && (p->held || !p->complete)) {
		hold(p, e);
	} else if (e->kind != SL_EVENT_PART_END && e->kind != SL_EVENT_TOOL_ARGS) {
		close_part(p);
		open_part(p, e);
		if (e->kind != SL_EVENT_PART_START && e->kind != SL_EVENT_TOOL_START)
			give_delta(p, e);
	}
	go_on(p, false);
}

static void arrange(struct parts *p, const struct sl_event *e)
{
	if (e->kind == SL_EVENT_META && p->meta_given)
		return;
	if (!p->meta_given && e->kind != SL_EVENT_META)
		give(p, &(struct sl_event){.kind = SL_EVENT_META});
	p->meta_given = true;
	if (e->kind == SL_EVENT_FINISH && e->choice == 0)
		go_on(p, true);
	if (e->choice == 0 && part_kind(e) != 0)
		arrange_part(p, e);
	else
		give(p, e);
}

static void start(struct parts *p)
{
	free_all(p->spent);
	p->spent = NULL;
	p->n_events = 0;
}

static int result(struct parts *p, const struct sl_entry *in, struct sl_entry *out)
{
	*out = *in;
	out->events = p->events;
	out->n_events = p->n_events;
	return p->failure;
}

int parts_arrange(struct parts *p, const struct sl_entry *in, struct sl_entry *out)
{
	start(p);
	for (size_t i = 0; i < in->n_events && p->failure == 0; i++)
		arrange(p, &in->events[i]);
	return result(p, in, out);
}

int parts_release(struct parts *p, struct sl_entry *out)
{
	static const struct sl_entry none;

	start(p);
	go_on(p, true);
	return result(p, &none, out);
}

int parts_end(struct parts *p, const struct sl_event *first, const struct sl_event *known,
	      size_t n_known, const struct sl_entry *in, struct sl_entry *out)
{
	start(p);
	if (first)
		give(p, first);
	close_part(p);
	for (size_t i = 0; i < n_known; i++)
		give(p, &known[i]);
	for (const struct part *part = p->whole; part; part = part->next) {
		struct sl_event e = whole_event(SL_EVENT_PART_WHOLE, part);

		give(p, &e);
	}
	return result(p, in, out);
}
