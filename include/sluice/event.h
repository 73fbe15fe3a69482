/*
 * Events: what an upstream's frame meant, in one small vocabulary for all dialects. Whoever writes
 * a client's format reads these and never looks at the upstream's bytes again.
 */
#ifndef SLUICE_EVENT_H
#define SLUICE_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/slice.h>

/* What the members of struct sl_event hold for each kind; the others are zero. All slices are valid
 * UTF-8.
 *
 * What is not told here (citations, a provider's own tools, parts that nobody knows yet) stays in
 * the frame, and reaches a client of the same dialect with it. */
enum sl_event_kind {
	/* s[0] the upstream's response id, s[1] the model as the upstream names it; either may be
	 * empty. n0 created (Unix s, 0 unknown). Once, with the first frame that has one of them.
	 */
	SL_EVENT_META = 1,
	SL_EVENT_TEXT,      /* s[0] text */
	SL_EVENT_REASONING, /* s[0] text */
	SL_EVENT_REFUSAL,   /* s[0] text */
	/* index; s[0] id (never empty: made up where the upstream has none), s[1] name (empty
	 * where it never came), s[2] what the upstream wants back with the call (Gemini's
	 * thoughtSignature), or empty. Calls start in the order of their indexes. */
	SL_EVENT_TOOL_START,
	/* index; s[0] a fragment of the arguments' JSON text */
	SL_EVENT_TOOL_ARGS,
	/* usage: totals so far; replaces what was known field by field, never adds */
	SL_EVENT_USAGE,
	/* s[0] normalised reason: stop length tool_calls content_filter error; s[1] the upstream's
	 * own word, s[2] the stop sequence that was met (empty: none, or not told). May come again:
	 * the last one counts. At the end of a log: n0 has SL_FINISH_x of what is in the answer. */
	SL_EVENT_FINISH,
	/* s[0] message, s[1] type, s[2] code (each may be empty), s[3] the upstream's whole error
	 * object as JSON, or empty; n0 HTTP status to answer with while nothing was sent */
	SL_EVENT_ERROR,
	/* s[0] what somebody published, s[1] the event name they gave it (may be empty; a token
	 * without line ends). Not of an LLM's answer: a channel's or a feed's. */
	SL_EVENT_MESSAGE,
	/* Of the reasoning that is being told: s[0] what the upstream wants back with it, opaque;
	 * n0 1: it is all there is of it, its text is withheld (Anthropic's redacted_thinking). */
	SL_EVENT_SIGNATURE,
	/* A part begins that holds deltas of kind n0: SL_EVENT_TEXT, _REASONING or _REFUSAL. (A
	 * part of arguments begins with TOOL_START.) */
	SL_EVENT_PART_START,
	/* The part is complete. n0 the kind of its deltas, SL_EVENT_TOOL_ARGS for a call (then also
	 * index). In logs that are composed (stream/parts.h) s[0] is all of it: its text, or the
	 * arguments; s[1] and s[2] are id and name of a call; s[3] a signature, and index 1 where
	 * the text of a reasoning is withheld. */
	SL_EVENT_PART_END,
	/* At the end of composed logs, each part again: members as for PART_END. */
	SL_EVENT_PART_WHOLE,
};

/* Bits of a FINISH at the end of a log. */
#define SL_FINISH_REFUSED 1 /* there was a refusal */
#define SL_FINISH_CALLED  2 /* there were calls, whatever the upstream calls its end */

/*
 * Parts. An answer is a row of parts: texts, reasoning, refusals, tool calls. What a decoder says
 * of them need not be tidy: deltas without a start, two calls at a time. In a stream's log it is
 * (stream/parts.h): META comes first; every delta of choice 0 stands between the start and the end
 * of its part, one part is open at a time, and `part` counts them from 0. So a format with numbered
 * blocks is written by looking at one event.
 */

/* Token counts; -1 where the upstream did not report one. prompt includes cached and cache-write
 * tokens, completion includes reasoning tokens. */
struct sl_usage {
	int64_t prompt, completion, total, cached, cache_write, reasoning;
};

#define SL_USAGE_NONE ((struct sl_usage){-1, -1, -1, -1, -1, -1})

/* Takes over every field of `from` that is known. */
void sl_usage_merge(struct sl_usage *into, const struct sl_usage *from);
bool sl_usage_known(const struct sl_usage *u);

struct sl_event {
	enum sl_event_kind kind;
	uint32_t choice; /* 0 unless the client asked for n > 1 */
	uint32_t index; /* tool calls: dense from 0 within a choice, in order of first appearance */
	uint32_t part;  /* in a log: the part that it belongs to */
	int64_t n0;
	struct sl_slice s[4];
	struct sl_usage usage; /* SL_EVENT_USAGE only */
};

/* True for what a reader of the answer would call its first token: non-empty text, reasoning,
 * refusal, a tool call or a finish reason. */
bool sl_event_is_content(const struct sl_event *e);

#endif
