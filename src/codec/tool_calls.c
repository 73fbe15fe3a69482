/*
 * Which call a fragment belongs to:
 *
 *	a known number ─▶ that call; but a new one when it comes with another id and a name
 *	                  (some servers number every call 0), and the call with that id when
 *	                  another has it and there is no name
 *	a new number   ─▶ a new call; but the call with that id when there is no name, and the
 *	                  last one when there is nothing but arguments (some servers count on
 *	                  behind a first fragment)
 *	no number      ─▶ the call with that id; without an id: a new one if it has a name,
 *	                  else the last one
 */
#include "codec/tool_calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sluice/error.h>

#define NO_NUMBER (-1)

struct fragment {
	const char *inside; /* just behind the opening brace */
	bool has_members;
	struct json index, id, type, name, arguments;
	bool custom; /* a tool with free text for arguments */
	int64_t number;
	uint64_t id_hash;
};

static bool is_text(struct json v)
{
	return v.type == JSON_STRING && v.raw.n > 2;
}

uint64_t tool_calls_hash(uint64_t hash, struct sl_slice s)
{
	if (!hash)
		hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < s.n; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	return hash ? hash : 1;
}

void tool_calls_fini(struct tool_calls *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		free(t->call[i].id);
	free(t->call);
	*t = (struct tool_calls){0};
}

static void read_function(struct fragment *f, struct json function, const char *arguments)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;

	json_walk_init(&w, function);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_is(key, "name"))
			f->name = value;
		else if (sl_slice_is(key, arguments))
			f->arguments = value;
	}
}

static void read_fragment(struct fragment *f, struct json object)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;

	*f = (struct fragment){.inside = object.raw.p + 1, .number = NO_NUMBER};
	json_walk_init(&w, object);
	while (json_walk_next(&w, &key, &value) == 1) {
		f->has_members = true;
		if (sl_slice_is(key, "index"))
			f->index = value;
		else if (sl_slice_is(key, "id"))
			f->id = value;
		else if (sl_slice_is(key, "type"))
			f->type = value;
		else if (sl_slice_is(key, "function") && value.type == JSON_OBJECT)
			read_function(f, value, "arguments");
		else if (sl_slice_is(key, "custom") && value.type == JSON_OBJECT) {
			f->custom = true;
			read_function(f, value, "input");
		}
	}
	if (f->index.type != JSON_NUMBER || json_int(f->index, &f->number) < 0 || f->number < 0)
		f->number = NO_NUMBER;
	if (is_text(f->id) && !json_is(f->id, "null")) /* Mistral's SDK writes that for none */
		f->id_hash = tool_calls_hash(0, f->id.raw);
}

/* The newest call with that number, or that id; t->n when there is none. */
static uint32_t find(const struct tool_calls *t, int64_t number, uint64_t id_hash)
{
	for (uint32_t i = t->n; i > t->legacy; i--) {
		const struct tool_call *c = &t->call[i - 1];

		if (number != NO_NUMBER ? c->number == number : c->id_hash == id_hash)
			return i - 1;
	}
	return t->n;
}

/* The call that a fragment belongs to; t->n for a new one. */
static uint32_t call_of(const struct tool_calls *t, const struct fragment *f)
{
	bool is_named = is_text(f->name);
	uint32_t at, by_id;

	if (f->number == NO_NUMBER && !f->id_hash)
		return is_named || t->n == t->legacy ? t->n : t->last;
	at = find(t, f->number, f->id_hash);
	if (!f->id_hash && !is_named && at == t->n && is_text(f->arguments) && at > t->legacy)
		return t->last;
	if (!f->id_hash || (at < t->n && t->call[at].id_hash == f->id_hash))
		return at;
	by_id = is_named ? t->n : find(t, NO_NUMBER, f->id_hash);
	if (by_id < t->n)
		return by_id;
	return at < t->n && t->call[at].id_hash && is_named ? t->n : at;
}

static struct tool_call *add_call(struct tool_calls *t, struct decoded *d)
{
	if (t->n == TOOL_CALLS_MAX) {
		decoded_note(d, -SL_E_LIMIT);
		return NULL;
	}
	if (t->n == t->cap) {
		uint32_t cap = t->cap ? 2 * t->cap : 2;
		struct tool_call *call = realloc(t->call, cap * sizeof(*call));

		if (!call) {
			decoded_note(d, -SL_E_NOMEM);
			return NULL;
		}
		t->call = call;
		t->cap = cap;
	}
	t->call[t->n] = (struct tool_call){.number = NO_NUMBER};
	return &t->call[t->n++];
}

struct sl_slice tool_calls_make_id(uint64_t seed, uint32_t choice, uint32_t index,
				   struct decoded *d)
{
	char where[24];
	uint64_t hash;
	char *id;
	int n;

	n = snprintf(where, sizeof(where), "%" PRIu32 ".%" PRIu32, choice, index);
	hash = tool_calls_hash(seed, sl_slice(where, (size_t)n));
	hash ^= hash >> 29; /* the last bytes have reached only a part of an FNV hash */
	hash *= 0xbf58476d1ce4e5b9u;
	hash ^= hash >> 32;
	id = decoded_alloc(d, 22);
	if (!id)
		return (struct sl_slice){0};
	snprintf(id, 22, "call_%016" PRIx64, hash);
	return sl_slice(id, 21);
}

static struct sl_slice quoted(struct sl_slice s, struct decoded *d)
{
	char *p = decoded_alloc(d, s.n + 2);

	if (!p)
		return (struct sl_slice){0};
	p[0] = p[s.n + 1] = '"';
	memcpy(p + 1, s.p, s.n);
	return sl_slice(p, s.n + 2);
}

/* What must stand in the frame for SDKs to take the fragment. `id` is empty when the frame's is
 * good. */
static void mend(const struct fragment *f, uint32_t index, bool is_new, struct sl_slice id,
		 struct decoded *d)
{
	struct sl_slice type = f->custom ? SL_LIT("\"custom\"") : SL_LIT("\"function\"");
	char missing[96];
	size_t n = 0;
	char *insert;

	if (f->number != index) {
		struct sl_slice number;

		insert = decoded_alloc(d, 12);
		if (!insert)
			return;
		number = sl_slice(insert, (size_t)snprintf(insert, 12, "%" PRIu32, index));
		if (f->index.type != JSON_NONE)
			decoded_replace(d, f->index, number);
		else
			n += (size_t)snprintf(missing, sizeof(missing), "\"index\":%s,", insert);
	}
	if (id.n && f->id.type != JSON_NONE)
		decoded_replace(d, f->id, quoted(id, d));
	else if (id.n)
		n += (size_t)snprintf(missing + n, sizeof(missing) - n, "\"id\":\"%.*s\",",
				      (int)id.n, id.p);
	if (f->type.type == JSON_STRING ? f->type.raw.n == 2 : is_new && f->type.type != JSON_NONE)
		decoded_replace(d, f->type, type);
	else if (is_new && f->type.type == JSON_NONE)
		n += (size_t)snprintf(missing + n, sizeof(missing) - n, "\"type\":%s,", type.p);
	if (n == 0)
		return;
	if (!f->has_members)
		n--; /* the comma */
	insert = decoded_alloc(d, n);
	if (!insert)
		return;
	memcpy(insert, missing, n);
	decoded_edit(d, f->inside, 0, sl_slice(insert, n));
}

/* The text of a fragment's arguments; an object becomes its JSON text, in the frame as well. */
static struct sl_slice arguments_of(const struct fragment *f, struct tool_call *c,
				    struct decoded *d)
{
	struct sl_slice string;
	int r;

	if (f->arguments.type == JSON_STRING)
		return decoded_string(d, f->arguments, &c->half);
	if (f->arguments.type != JSON_OBJECT && f->arguments.type != JSON_ARRAY)
		return (struct sl_slice){0};
	d->piece.len = 0;
	r = sl_buf_put_json_string(&d->piece, f->arguments.raw);
	if (r < 0) {
		decoded_note(d, r);
		return (struct sl_slice){0};
	}
	string = decoded_keep_piece(d);
	if (!string.n)
		return string;
	decoded_replace(d, f->arguments, string);
	return decoded_string(d, (struct json){JSON_STRING, string}, &c->half);
}

static void tell_arguments(uint32_t choice, uint32_t index, struct sl_slice text, struct decoded *d)
{
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_TOOL_ARGS,
			       .choice = choice,
			       .index = index,
			       .s[0] = text,
		       });
}

static void tell_start(uint32_t choice, uint32_t index, struct sl_slice id, struct sl_slice name,
		       struct decoded *d)
{
	decoded_add(d, &(struct sl_event){
			       .kind = SL_EVENT_TOOL_START,
			       .choice = choice,
			       .index = index,
			       .s = {id, name},
		       });
}

/* Tells of a call whose id was held back. */
static void tell_held(struct tool_call *c, uint32_t choice, uint32_t index, struct sl_slice name,
		      struct decoded *d)
{
	char *id = decoded_alloc(d, c->id_len);

	if (!id)
		return;
	memcpy(id, c->id, c->id_len);
	tell_start(choice, index, sl_slice(id, c->id_len), name, d);
	free(c->id);
	c->id = NULL;
}

/* Those before call `end`: calls begin in order, and a name that has not come by now will not come.
 */
static void tell_all_held(struct tool_calls *t, uint32_t choice, uint32_t end, struct decoded *d)
{
	for (uint32_t i = 0; i < end; i++) {
		if (t->call[i].id)
			tell_held(&t->call[i], choice, i, (struct sl_slice){0}, d);
	}
}

static void hold(struct tool_call *c, struct sl_slice id, struct decoded *d)
{
	c->id = malloc(id.n + 1);
	if (!c->id) {
		decoded_note(d, -SL_E_NOMEM);
		return;
	}
	if (id.n)
		memcpy(c->id, id.p, id.n);
	c->id_len = id.n;
}

/* What a fragment tells of call `index`; `id` is one that was made up, or empty. */
static void tell(struct tool_calls *t, const struct fragment *f, uint32_t choice, uint32_t index,
		 bool is_new, struct sl_slice id, struct decoded *d)
{
	struct tool_call *c = &t->call[index];
	struct sl_slice name = decoded_string(d, f->name, NULL);
	struct sl_slice arguments = arguments_of(f, c, d);

	if (!id.n)
		id = decoded_string(d, f->id, NULL);
	if (!name.n && !arguments.n) {
		if (is_new)
			hold(c, id, d);
		return;
	}
	if (is_new || c->id)
		tell_all_held(t, choice, index, d);
	if (is_new)
		tell_start(choice, index, id, name, d);
	else if (c->id)
		tell_held(c, choice, index, name, d);
	if (arguments.n)
		tell_arguments(choice, index, arguments, d);
}

static void read_one(struct tool_calls *t, struct fragment *f, uint32_t choice, uint64_t seed,
		     struct decoded *d)
{
	uint32_t index = call_of(t, f);
	bool is_new = index == t->n;
	struct tool_call *c = is_new ? add_call(t, d) : &t->call[index];
	struct sl_slice id = {0};

	if (!c)
		return;
	t->last = index;
	if (is_new && !f->id_hash) {
		id = tool_calls_make_id(seed, choice, index, d);
		if (!id.n)
			return;
		f->id_hash = tool_calls_hash(0, quoted(id, d));
	}
	if (f->number != NO_NUMBER)
		c->number = f->number;
	if (!c->id_hash)
		c->id_hash = f->id_hash;
	mend(f, index - t->legacy, is_new, id, d);
	tell(t, f, choice, index, is_new, id, d);
}

void tool_calls_read(struct tool_calls *t, struct json array, uint32_t choice, uint64_t seed,
		     struct decoded *d)
{
	struct fragment f;
	struct json_walk w;
	struct json value;
	struct sl_slice key;

	if (array.type != JSON_ARRAY)
		return;
	json_walk_init(&w, array);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (value.type != JSON_OBJECT)
			continue;
		read_fragment(&f, value);
		read_one(t, &f, choice, seed, d);
	}
}

void tool_calls_read_legacy(struct tool_calls *t, struct json function, uint32_t choice,
			    uint64_t seed, struct decoded *d)
{
	struct fragment f = {.number = NO_NUMBER};
	struct sl_slice id = {0};
	bool is_new = t->n == 0;

	if (function.type != JSON_OBJECT || t->n > t->legacy)
		return;
	if (is_new && !add_call(t, d))
		return;
	t->legacy = 1;
	if (is_new)
		id = tool_calls_make_id(seed, choice, 0, d);
	read_function(&f, function, "arguments");
	tell(t, &f, choice, 0, is_new, id, d);
}

void tool_calls_finish(struct tool_calls *t, uint32_t choice, struct decoded *d)
{
	tell_all_held(t, choice, t->n, d);
	for (uint32_t i = 0; i < t->n; i++) {
		struct tool_call *c = &t->call[i];

		if (c->half)
			tell_arguments(choice, i, SL_LIT("\xef\xbf\xbd"), d);
		c->half = 0;
	}
}
