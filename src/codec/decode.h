/*
 * What every dialect's decoder works with: one message comes in, one decoded frame comes out.
 *
 *	message ─▶ decoded_line: one line of valid UTF-8, a JSON object
 *	        ─▶ the dialect's walk over it ─┬▶ events
 *	                                       ╰▶ edits ─▶ frame
 *
 * On the way that most frames take nothing is copied and nothing allocated: frame and events are
 * slices of what was fed. What has to be made new (an unescaped text, a mended frame) lives until
 * the next decoded_reset().
 */
#ifndef CODEC_DECODE_H
#define CODEC_DECODE_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/reader.h>
#include "codec/json.h"
#include "codec/splice.h"
#include "codec/upstream_error.h"

/* What a framing has cut out of the body. */
struct message {
	struct sl_slice name; /* the event's, where the framing has names */
	struct sl_slice data;
	bool stray; /* stood outside of the framing: counts only if it is an error */
	bool error; /* the framing says that it is one: `name` is its type, `data` JSON or words */
	bool again; /* the decoder has put it behind another: struct decoded.behind */
};

/* What a decoder says of a message. */
enum verdict {
	VERDICT_SKIP,         /* nothing of it goes on */
	VERDICT_ENTRY,        /* an entry: flags, frame and events are filled in */
	VERDICT_END,          /* the dialect's end mark */
	VERDICT_FAILED,       /* error is filled in */
	VERDICT_ENTRY_FAILED, /* an entry, and it is the last: error is filled in as well */
};

/* More events than this in one frame are an attack, or a fault. */
#define DECODED_EVENTS_MAX 4096

struct decoded {
	unsigned flags;
	struct sl_slice frame;
	struct sl_event *events;
	size_t n_events;
	struct upstream_error error;
	/* What one message said and has to be told as several: more of them, a line each, which are
	 * decoded next, as if the upstream had sent them. Results as sl_buf_put. */
	struct sl_buf behind;
	/* private */
	size_t cap_events;
	struct decoded_block *blocks; /* bytes that stay where they are */
	struct sl_buf line, mended, piece;
	struct splice *edits; /* while a decoder walks */
	int failure;          /* the first one of a walk: it is asked for once, at the end */
};

/* What a text ends with that comes in pieces. Zeroes are a valid empty one. */
struct decoded_tail {
	uint32_t half; /* of a surrogate pair, which the next piece may complete */
	enum sl_event_kind kind;
};

void decoded_init(struct decoded *d, size_t max_bytes);
void decoded_fini(struct decoded *d);

/* Forgets the last frame; slices into it are void. */
void decoded_reset(struct decoded *d);

/* Makes `data` one clean line and reads it. 1: *object is the JSON object that it is, and d->frame
 * are its bytes. 0: it is none. -SL_E_NOMEM. */
int decoded_line(struct decoded *d, struct sl_slice data, struct json *object);

/* Google wraps errors in an array, of which all others know nothing: the first element of an array,
 * where that is one; any other bytes as they are. */
struct sl_slice decoded_unwrap(struct sl_slice data);

/* What a dialect makes of a message that is an object: an enum verdict, or -SL_E_NOMEM. */
typedef int decoded_walk_fn(void *state, const struct message *m, struct json object,
			    struct decoded *d);

/* decode() of a dialect whose messages are objects: passes over blank ones and what stands stray,
 * has `walk` look at the others and applies its edits; what is no object has failed. */
int decoded_read(struct decoded *d, const struct message *m, decoded_walk_fn *walk, void *state);

/* OpenAI's end mark, which others send too? */
bool message_is_done(const struct message *m);

/* Whether the object is an error: it has one in `error`, or it looks like one and the framing said
 * so, or let it stand stray. VERDICT_FAILED; VERDICT_SKIP: it is none; -SL_E_NOMEM. */
int decoded_take_error(struct decoded *d, const struct message *m, struct json object,
		       bool client_key);

/* For the following a walk needs no results: what fails is kept in d->failure. */

/* Keeps a failure (0 is none). */
void decoded_note(struct decoded *d, int failure);
void decoded_add(struct decoded *d, const struct sl_event *e);
/* The same for the events that are nothing but a text; none when it is empty. */
void decoded_add_text(struct decoded *d, enum sl_event_kind kind, uint32_t choice,
		      struct sl_slice text);
/* Adds a text that comes in pieces, of one kind after the other. */
void decoded_add_piece(struct decoded *d, struct decoded_tail *t, enum sl_event_kind kind,
		       uint32_t choice, struct json text);
/* Nothing more comes of it: a half of a pair stays one. */
void decoded_end_pieces(struct decoded *d, struct decoded_tail *t, uint32_t choice);
/* n bytes that stay; NULL without memory. */
char *decoded_alloc(struct decoded *d, size_t n);
/* The unescaped string `v`, empty when it is no string; `half` as for json_string(). */
struct sl_slice decoded_string(struct decoded *d, struct json v, uint32_t *half);
/* A copy of what was put into d->piece since it was empty, which it is then again. */
struct sl_slice decoded_keep_piece(struct decoded *d);

/* In place of `remove` bytes at `at`, which lies in d->frame, stands `insert`, which must stay. */
void decoded_edit(struct decoded *d, const char *at, size_t remove, struct sl_slice insert);
void decoded_replace(struct decoded *d, struct json value, struct sl_slice by);

/* The walk is over: applies its edits, if there are any, to d->frame. 1; 0 when there was more to
 * keep or to mend than is done; -SL_E_NOMEM. */
int decoded_mend(struct decoded *d);

/* A tool call that is told as a whole; without arguments they are {}. */
void decoded_add_call(struct decoded *d, uint32_t choice, uint32_t index, struct sl_slice id,
		      struct sl_slice name, struct sl_slice signature, struct sl_slice arguments);
/* A part that holds deltas of that kind is complete; index: of its call, else 0. */
void decoded_end_part(struct decoded *d, enum sl_event_kind kind, uint32_t choice, uint32_t index);

/* Whether an object or array has nothing in it. */
static inline bool decoded_is_empty(struct json v)
{
	struct json_walk w;
	struct sl_slice key;
	struct json item;

	json_walk_init(&w, v);
	return json_walk_next(&w, &key, &item) == 0;
}

/* VERDICT_FAILED for what has said something before it failed, or in the same message. */
static inline int decoded_failed(const struct decoded *d)
{
	return d->n_events > 0 ? VERDICT_ENTRY_FAILED : VERDICT_FAILED;
}

/* VERDICT_FAILED with an error in our own words, or -SL_E_NOMEM. */
int decoded_fail(struct decoded *d, const char *code, const char *message);

/* A walk over an object's members that can take some of them out, commas and all. */
struct members {
	struct json_walk walk;
	struct sl_slice key;
	struct json value;
	bool any_kept; /* of those that were passed; of all at the end */
	/* private */
	bool current, removed;
	const char *behind; /* the end of the member before */
	const char *cut;    /* start of a removal that will reach to the next key */
};

void members_init(struct members *m, struct json object);
/* 1: key and value are the next member's; 0 at the end. */
int members_next(struct members *m, struct decoded *d);
/* Takes the current member out of the frame. */
void members_remove(struct members *m, struct decoded *d);

/* Inline, so that the length of a literal name is known when this is compiled. */
static inline bool members_at(const struct members *m, const char *name)
{
	return sl_slice_is(m->key, name);
}

#endif
