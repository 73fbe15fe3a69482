/* The workspace of a decoder: reused from frame to frame, given back when one frame made it large.
 */
#include "codec/decode.h"

#include <stdlib.h>
#include <sluice/error.h>
#include "codec/utf8.h"

#define KEEP_BYTES  4096
#define KEEP_EVENTS 32
#define BLOCK_BYTES 1000

struct decoded_block {
	struct decoded_block *next;
	size_t size, used;
	char bytes[];
};

void decoded_init(struct decoded *d, size_t max_bytes)
{
	/* A mended frame may be longer than it came, but not without bound. */
	size_t max = max_bytes < SIZE_MAX / 4 ? 3 * max_bytes + KEEP_BYTES : SIZE_MAX;

	*d = (struct decoded){0};
	sl_buf_init(&d->behind, max);
	sl_buf_init(&d->line, max);
	sl_buf_init(&d->mended, max);
	sl_buf_init(&d->piece, max);
}

static void free_blocks(struct decoded *d)
{
	while (d->blocks) {
		struct decoded_block *next = d->blocks->next;

		free(d->blocks);
		d->blocks = next;
	}
}

void decoded_fini(struct decoded *d)
{
	free_blocks(d);
	free(d->events);
	sl_buf_fini(&d->behind);
	sl_buf_fini(&d->line);
	sl_buf_fini(&d->mended);
	sl_buf_fini(&d->piece);
	upstream_error_fini(&d->error);
	*d = (struct decoded){0};
}

static void empty(struct sl_buf *b)
{
	b->len = 0;
	if (b->cap > KEEP_BYTES)
		sl_buf_fini(b);
}

void decoded_reset(struct decoded *d)
{
	d->flags = 0;
	d->frame = (struct sl_slice){0};
	d->n_events = 0;
	d->failure = 0;
	d->edits = NULL;
	empty(&d->behind);
	empty(&d->line);
	empty(&d->mended);
	empty(&d->piece);
	if (d->blocks && (d->blocks->next || d->blocks->size > KEEP_BYTES))
		free_blocks(d);
	else if (d->blocks)
		d->blocks->used = 0;
	if (d->cap_events > KEEP_EVENTS) {
		free(d->events);
		d->events = NULL;
		d->cap_events = 0;
	}
}

void decoded_note(struct decoded *d, int failure)
{
	if (failure < 0 && d->failure == 0)
		d->failure = failure;
}

/* A line end can stand only between the tokens of JSON: a space means the same there. */
static int make_one_line(struct decoded *d, struct sl_slice data)
{
	int r = utf8_clean(data, &d->line);

	if (r < 0)
		return r;
	for (size_t i = 0; i < d->line.len; i++) {
		if (d->line.p[i] == '\n' || d->line.p[i] == '\r')
			d->line.p[i] = ' ';
	}
	return 0;
}

int decoded_line(struct decoded *d, struct sl_slice data, struct json *object)
{
	struct json value;

	if (data.n > 0 && (memchr(data.p, '\n', data.n) || memchr(data.p, '\r', data.n) ||
			   utf8_valid_prefix(data) < data.n)) {
		int r = make_one_line(d, data);

		if (r < 0)
			return r == -SL_E_LIMIT ? 0 : r;
		data = sl_buf_slice(&d->line);
	}
	if (json_parse(data, &value) < 0 || value.type != JSON_OBJECT)
		return 0;
	d->frame = value.raw;
	*object = value;
	return 1;
}

struct sl_slice decoded_unwrap(struct sl_slice data)
{
	struct json array, first = {0};
	struct json_walk w;
	struct sl_slice key;

	if (data.n == 0 || *data.p != '[' || json_parse(data, &array) < 0)
		return data;
	json_walk_init(&w, array);
	json_walk_next(&w, &key, &first);
	return upstream_error_is_set(json_get(first, "error")) ? first.raw : data;
}

void decoded_add(struct decoded *d, const struct sl_event *e)
{
	if (d->n_events == d->cap_events) {
		size_t cap = d->cap_events ? 2 * d->cap_events : 4;
		struct sl_event *events;

		if (cap > DECODED_EVENTS_MAX) {
			decoded_note(d, -SL_E_LIMIT);
			return;
		}
		events = realloc(d->events, cap * sizeof(*events));
		if (!events) {
			decoded_note(d, -SL_E_NOMEM);
			return;
		}
		d->events = events;
		d->cap_events = cap;
	}
	d->events[d->n_events++] = *e;
	if (sl_event_is_content(e))
		d->flags |= SL_ENTRY_CONTENT;
}

void decoded_add_text(struct decoded *d, enum sl_event_kind kind, uint32_t choice,
		      struct sl_slice text)
{
	if (text.n > 0)
		decoded_add(d, &(struct sl_event){.kind = kind, .choice = choice, .s[0] = text});
}

void decoded_end_pieces(struct decoded *d, struct decoded_tail *t, uint32_t choice)
{
	if (t->half)
		decoded_add_text(d, t->kind, choice, SL_LIT("\xef\xbf\xbd"));
	t->half = 0;
}

void decoded_add_piece(struct decoded *d, struct decoded_tail *t, enum sl_event_kind kind,
		       uint32_t choice, struct json text)
{
	if (text.type != JSON_STRING || text.raw.n <= 2)
		return;
	if (t->kind != kind)
		decoded_end_pieces(d, t, choice);
	t->kind = kind;
	decoded_add_text(d, kind, choice, decoded_string(d, text, &t->half));
}

void decoded_end_part(struct decoded *d, enum sl_event_kind kind, uint32_t choice, uint32_t index)
{
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_PART_END,
			       .choice = choice,
			       .index = index,
			       .n0 = kind,
		       });
}

void decoded_add_call(struct decoded *d, uint32_t choice, uint32_t index, struct sl_slice id,
		      struct sl_slice name, struct sl_slice signature, struct sl_slice arguments)
{
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_TOOL_START,
			       .choice = choice,
			       .index = index,
			       .s = {id, name, signature},
		       });
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_TOOL_ARGS,
			       .choice = choice,
			       .index = index,
			       .s[0] = arguments.n ? arguments : SL_LIT("{}"),
		       });
	decoded_end_part(d, SL_EVENT_TOOL_ARGS, choice, index);
}

char *decoded_alloc(struct decoded *d, size_t n)
{
	struct decoded_block *b = d->blocks;

	if (!b || n > b->size - b->used) {
		size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;

		b = malloc(sizeof(*b) + size);
		if (!b) {
			decoded_note(d, -SL_E_NOMEM);
			return NULL;
		}
		*b = (struct decoded_block){.next = d->blocks, .size = size};
		d->blocks = b;
	}
	b->used += n;
	return b->bytes + b->used - n;
}

struct sl_slice decoded_keep_piece(struct decoded *d)
{
	size_t n = d->piece.len;
	char *p = n ? decoded_alloc(d, n) : NULL;

	d->piece.len = 0;
	if (!p)
		return (struct sl_slice){0};
	memcpy(p, d->piece.p, n);
	return sl_slice(p, n);
}

struct sl_slice decoded_string(struct decoded *d, struct json v, uint32_t *half)
{
	if (v.type != JSON_STRING)
		return (struct sl_slice){0};
	if (!(half && *half) && !memchr(v.raw.p, '\\', v.raw.n))
		return sl_slice(v.raw.p + 1, v.raw.n - 2);
	d->piece.len = 0;
	decoded_note(d, json_string(v, &d->piece, half));
	return decoded_keep_piece(d);
}

void decoded_edit(struct decoded *d, const char *at, size_t remove, struct sl_slice insert)
{
	splice_add(d->edits, (size_t)(at - d->frame.p), remove, insert);
}

void decoded_replace(struct decoded *d, struct json value, struct sl_slice by)
{
	decoded_edit(d, value.raw.p, value.raw.n, by);
}

int decoded_mend(struct decoded *d)
{
	int r = d->failure;

	if (r == 0 && d->edits->n == 0)
		return 1;
	if (r == 0)
		r = splice_apply(d->edits, d->frame, &d->mended);
	if (r < 0)
		return r == -SL_E_LIMIT ? 0 : r;
	d->frame = sl_buf_slice(&d->mended);
	return 1;
}

int decoded_fail(struct decoded *d, const char *code, const char *message)
{
	int r = upstream_error_say(&d->error, code, message);

	return r < 0 ? r : VERDICT_FAILED;
}

int decoded_take_error(struct decoded *d, const struct message *m, struct json object,
		       bool client_key)
{
	struct json error = json_get(object, "error");
	int r;

	if (upstream_error_is_set(error)) {
		error = upstream_error_described(error, object);
	} else {
		if (!m->stray && !sl_slice_is(m->name, "error"))
			return VERDICT_SKIP;
		error = upstream_error_find(object);
	}
	if (error.type == JSON_NONE)
		return VERDICT_SKIP;
	r = upstream_error_take(&d->error, error, client_key);
	return r < 0 ? r : VERDICT_FAILED;
}

static bool is_blank_char(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool is_blank(struct sl_slice data)
{
	for (size_t i = 0; i < data.n; i++) {
		if (!is_blank_char(data.p[i]))
			return false;
	}
	return true;
}

bool message_is_done(const struct message *m)
{
	struct sl_slice data = m->data;

	while (data.n > 0 && is_blank_char(*data.p))
		data = sl_slice(data.p + 1, data.n - 1);
	return sl_slice_starts(data, "[DONE]");
}

static int read_object(struct decoded *d, const struct message *m, struct json object,
		       decoded_walk_fn *walk, void *state)
{
	struct splice edits;
	int r;

	splice_init(&edits);
	d->edits = &edits;
	r = walk(state, m, object, d);
	if (r == VERDICT_ENTRY || r == VERDICT_ENTRY_FAILED) {
		int mended = decoded_mend(d);

		if (mended < 0)
			r = mended;
		else if (mended == 0)
			r = decoded_fail(d, SL_CODE_BAD_FRAME,
					 "the upstream sent a frame with more in it than is read");
	}
	d->edits = NULL;
	return r;
}

/* An event that is named an error has no object in it: words, or a string. */
static int take_words(struct decoded *d, struct sl_slice data)
{
	struct json words;
	int r;

	if (utf8_valid_prefix(data) == data.n && json_parse(data, &words) == 0 &&
	    words.type == JSON_STRING)
		r = upstream_error_take(&d->error, words, true);
	else
		r = upstream_error_take_text(&d->error, data);
	return r < 0 ? r : VERDICT_FAILED;
}

int decoded_read(struct decoded *d, const struct message *m, decoded_walk_fn *walk, void *state)
{
	struct json object;
	int r;

	if (!m->stray && is_blank(m->data))
		return VERDICT_SKIP;
	r = decoded_line(d, decoded_unwrap(m->data), &object);
	if (r < 0)
		return r;
	if (r == 1)
		return read_object(d, m, object, walk, state);
	/* Whatever a ping holds, it says no more than that somebody is there. */
	if (m->stray || sl_slice_is(m->name, "ping"))
		return VERDICT_SKIP;
	if (sl_slice_is(m->name, "error"))
		return take_words(d, m->data);
	return decoded_fail(d, SL_CODE_BAD_FRAME,
			    "the upstream sent a frame that is no JSON object");
}

void members_init(struct members *m, struct json object)
{
	*m = (struct members){.behind = object.raw.p + 1};
	json_walk_init(&m->walk, object);
}

int members_next(struct members *m, struct decoded *d)
{
	int r;

	if (m->current) {
		m->behind = m->value.raw.p + m->value.raw.n;
		m->any_kept |= !m->removed;
	}
	r = json_walk_next(&m->walk, &m->key, &m->value);
	if (m->cut) {
		const char *end = r == 1 ? m->key.p - 1 : m->behind;

		decoded_edit(d, m->cut, (size_t)(end - m->cut), (struct sl_slice){0});
		m->cut = NULL;
	}
	m->current = r == 1;
	m->removed = false;
	return r;
}

void members_remove(struct members *m, struct decoded *d)
{
	const char *end = m->value.raw.p + m->value.raw.n;

	/* The comma in front goes along; the first member has none and takes the one behind it. */
	if (m->any_kept)
		decoded_edit(d, m->behind, (size_t)(end - m->behind), (struct sl_slice){0});
	else
		m->cut = m->key.p - 1;
	m->removed = true;
}
