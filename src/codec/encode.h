/*
 * From a log's entries to what one viewer reads. An encoder writes one entry at a time into a
 * window (sluice/sse.h). Writing is repeatable: with the same entry and a larger skip it goes on
 * where the window was full; the state moves on only by encoder_done().
 *
 * An entry makes no, one or several blocks. `id:` stands in the last of them, behind its data (in
 * front of [DONE]); `retry:` in the first one that the encoder writes. But for `retry:` and a line
 * end before an error in the text format the bytes depend on the entry alone: all viewers of a
 * format get the same.
 */
#ifndef CODEC_ENCODE_H
#define CODEC_ENCODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/reader.h>
#include <sluice/sse.h>

enum format {
	/* OpenAI's chunks. Where the upstream speaks that: as received; entries without a frame
	 * show nothing. Else made of the events (encode_chat.c). The end is `[DONE]`, after a chunk
	 * with finish_reason "stop" when the stream was stopped before it had one; a failure is
	 * {"error":{…}} and then `[DONE]`. */
	FORMAT_OPENAI,

	/* Anthropic's events, `event:` always as their type: as received, or made of the events
	 * (encode_anthropic.c). */
	FORMAT_ANTHROPIC,

	/* The events of OpenAI's Responses, `event:` always as their type: as received, or made of
	 * the events of a composed log (encode_responses.c). */
	FORMAT_RESPONSES,

	/* For EventSource. Choice 0 only. Unnamed events are bare text (a refusal is text).
	 * Named ones:
	 *
	 *	reasoning  bare text
	 *	tool_call  {"index","id","name","arguments":""} when a call begins;
	 *	           then {"index","arguments"} with each fragment
	 *	usage      {"prompt_tokens","completion_tokens","total_tokens",
	 *	           "cached_tokens","reasoning_tokens"}: those that are known so far
	 *	done       {"finish_reason","usage"}, each null when it is not known;
	 *	           with "stopped":true for a stream that was stopped
	 *	failed     {"error":{"code","message"},"partial"}
	 */
	FORMAT_EVENTS,

	/* The bare text of choice 0, a refusal too, and nothing else. A failure is a line of its
	 * own: [error] message (code) */
	FORMAT_TEXT,

	/* The body of a response that is no stream. Where the upstream speaks the client's API: the
	 * frame of the SL_ENTRY_WHOLE entry and nothing else. Else one JSON object of that API,
	 * made of the END entry of a composed log, and nothing else. */
	FORMAT_WHOLE,

	/* FORMAT_EVENTS for several streams on one connection: every event is unnamed, and its data
	 * is {"stream","type","data"}, with the event's name as type ("text" where it has none) and
	 * its data as a string or object. */
	FORMAT_MULTIPLEX,

	/* One JSON document of all of it (document.h): not for encoders. */
	FORMAT_DOCUMENT,
};

/* A server-sent event stream? */
static inline bool format_is_sse(enum format f)
{
	return f != FORMAT_TEXT && f != FORMAT_WHOLE && f != FORMAT_DOCUMENT;
}

struct encoder {
	enum format format;
	bool ids;        /* write id: */
	bool hide_usage; /* FORMAT_OPENAI: leave out entries that are SL_ENTRY_USAGE_ONLY */
	/* The client's API. FORMAT_OPENAI: OPENAI_COMPLETIONS has chunks of its own. FORMAT_WHOLE:
	 * what the object is. */
	enum sl_dialect client;
	/* FORMAT_RESPONSES: events with a sequence_number up to this one were seen; -1: none. */
	int64_t after_ordinal;
	uint32_t retry_ms; /* written once, in the first block; 0 = written, or never */
	char stream_id[40];
	bool line_open; /* FORMAT_TEXT: the last byte printed was no LF */
	/* FORMAT_MULTIPLEX: the positions of the other streams, which stand in `id:` before and
	 * behind this one's, with their commas. */
	struct sl_slice id_before, id_behind;
};

/* Ids on, everything else off. The stream id must fit. */
void encoder_init(struct encoder *e, enum format format, const char *stream_id);

/* An entry as the log gives it: its parts are in order (sluice/event.h). An END entry has what is
 * known by then: PART_END of a part that was open, META, FINISH, USAGE; in a composed log PART_WHOLE
 * of each part. A FAILED entry of a composed log has the same behind its error. */
struct encoder_entry {
	struct sl_entry entry;
	uint64_t seq;
	bool stopped; /* the END entry of a stopped stream */
	bool partial; /* the FAILED entry of a stream that had content */
	/* The upstream speaks the client's API: what the entry's frame says is written, and nothing
	 * is made of its events (but for an end that comes from us). */
	bool native;
	/* Of what it holds only the starts: META, and those of parts. For who comes back into the
	 * middle of an answer. */
	bool starts_only;
	struct sl_slice model; /* as the upstream names it, else as the client did; may be empty */
	int64_t created;       /* of the stream, Unix s */
};

/* Writes the blocks of one entry; nothing at all where the format shows nothing for it. */
void encoder_write(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w);

/* How many bytes encoder_write writes. */
size_t encoder_measure(const struct encoder *e, const struct encoder_entry *in);

/* The entry is written whole (or passed over): remember what later ones need. */
void encoder_done(struct encoder *e, const struct encoder_entry *in);

/* FORMAT_EVENTS and FORMAT_MULTIPLEX: what stood before first_seq is no longer held. */
void encoder_write_lost(const struct encoder *e, uint64_t first_seq, struct sl_window *w);

/*
 * For those who come late: what has been so far in few events. Several entries with text of one
 * kind become one event, whose id is that of the last of them.
 *
 *	encoder_run_add, … ─▶ encoder_run_end
 *
 * All or nothing: what does not fit is not written, and ends the run. Frames that are passed on as
 * they came are never merged.
 */
struct encoder_run {
	enum sl_event_kind kind; /* of all its entries; 0: nothing is in it yet */
	uint32_t part;           /* … and theirs */
	uint64_t seq;            /* of the last one */
};

/* Adds `in` to the run. False: it is no text, or of another kind, or finds no room (beside the
 * end): the run ends before it. */
bool encoder_merges(const struct encoder *e); /* whether it does this at all */
bool encoder_run_add(const struct encoder *e, struct encoder_run *run,
		     const struct encoder_entry *in, struct sl_window *w);

/* Ends a run that has something in it. */
void encoder_run_end(struct encoder *e, const struct encoder_run *run, struct sl_window *w);

/* Appends the JSON error body of the OpenAI routes, {"error":{"message","type","param","code",…}},
 * for an SL_EVENT_ERROR: message and type are strings that are not empty, code and param strings or
 * null; other members of the upstream's error object (s[3]) follow as they came. An empty `param`
 * is the upstream's. `partial` adds "partial":true. 0, -SL_E_LIMIT, -SL_E_NOMEM: all or nothing. */
int openai_error_body(const struct sl_event *error, struct sl_slice param, bool partial,
		      struct sl_buf *out);

/* The same, without end of line, into a window. */
void openai_put_error(const struct sl_event *error, struct sl_slice param, bool partial,
		      struct sl_window *w);

/* The JSON error of the Anthropic routes, {"type":"error","error":{"type","message","code"},
 * "request_id"}, without end of line; an empty request_id is left out. */
void anthropic_put_error(const struct sl_event *error, struct sl_slice request_id, bool partial,
			 struct sl_window *w);

#endif
