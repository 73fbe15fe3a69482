/*
 * Makes what a decoder says tidy, before it goes into a log: entries in, entries out.
 *
 *	decoder's events ─▶ parts_arrange ─▶ META first; start, deltas, end of one part after the other
 *
 *	NONE ─delta─▶ OPEN ─delta of another part─┬─▶ closed, the next one opens
 *	                                          ╰─▶ HELD while the open one is a call whose
 *	                                              arguments are not complete JSON yet
 *
 * Calls that an upstream sends interleaved come one after the other here: what belongs to a later
 * one is held until the one before is complete, at the latest until the answer is. That holds for
 * the events only; frames go on at once as they are. Choices other than 0 pass untouched.
 *
 * A composed log also tells the whole of each part when it ends, and all of them at the end: for
 * formats that repeat themselves (Responses), and for answers in one piece.
 *
 * Owner's thread.
 */
#ifndef STREAM_PARTS_H
#define STREAM_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/buf.h>
#include <sluice/reader.h>

/* How much may be held of calls that are not complete, and how much of an answer is composed. */
#define PARTS_HELD_MAX     (16u << 20)
#define PARTS_COMPOSED_MAX (16u << 20)
/* An answer of more parts is broken. */
#define PARTS_MAX 16384

struct part;

struct parts {
	bool composing;
	bool meta_given;
	bool open;               /* one is: the last of those that were begun */
	enum sl_event_kind kind; /* its deltas' */
	uint32_t index;          /* its call's */
	uint32_t n;              /* parts that were begun */
	/* how far the open call's arguments are as JSON */
	uint32_t depth;
	bool in_string, escaped, complete;
	struct part *held;               /* in order; waiting for the open one to be complete */
	struct part *whole, **whole_end; /* composing: all that were begun */
	struct part *composed;           /* … of the open one */
	size_t held_bytes, composed_bytes;
	uint32_t ordinal;
	/* what parts_arrange gives */
	struct sl_event *events;
	size_t n_events, cap_events;
	struct part *spent; /* its bytes are in events that were given last */
	int failure;
};

/* Zeroes but for `composing` are a valid start. */
void parts_fini(struct parts *p);

/* *out is *in with events in order; they are good until the next call, and no longer than in's.
 * 0; -SL_E_LIMIT when there is more to hold or compose than is kept; -SL_E_NOMEM. */
int parts_arrange(struct parts *p, const struct sl_entry *in, struct sl_entry *out);

/* The answer is over, and something is still held: *out is one more entry, with that. Results as
 * parts_arrange. */
static inline bool parts_has_held(const struct parts *p)
{
	return p->held != NULL;
}
int parts_release(struct parts *p, struct sl_entry *out);

/* The answer is over, and nothing is held: *out has the end of the open part, then `known` (META,
 * FINISH, USAGE …), then, composing, the whole of each part. `first` goes in front of all (an error;
 * NULL). Results as parts_arrange. */
int parts_end(struct parts *p, const struct sl_event *first, const struct sl_event *known,
	      size_t n_known, const struct sl_entry *in, struct sl_entry *out);

#endif
