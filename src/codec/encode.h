/*
 * From a log's entries to what one viewer reads. An encoder writes one entry at a time into a
 * window (sluice/sse.h). Writing is repeatable: with the same entry and a larger skip it goes on
 * where the window was full; the state moves on only by encoder_done().
 *
 * An entry makes no, one or several blocks. `id:` stands in the last of them, `retry:` in the first
 * one that the encoder writes.
 */
#ifndef CODEC_ENCODE_H
#define CODEC_ENCODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/reader.h>
#include <sluice/sse.h>

enum format {
	/* Chunks of the dialect that the upstream speaks, as received; entries without a frame show
	 * nothing. The end is `[DONE]`, after a chunk with finish_reason "stop" when the stream was
	 * stopped before it had one; a failure is {"error":{…}} and then `[DONE]`. */
	FORMAT_OPENAI,

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

	/* The body of a response that is no stream: the frame of the SL_ENTRY_WHOLE entry and
	   nothing else. */
	FORMAT_WHOLE,

	/* One JSON document of all of it (document.h): not for encoders. */
	FORMAT_DOCUMENT,
};

struct encoder {
	enum format format;
	bool ids;          /* write id: */
	bool hide_usage;   /* FORMAT_OPENAI: leave out entries that are SL_ENTRY_USAGE_ONLY */
	bool legacy;       /* FORMAT_OPENAI: chunks are those of /v1/completions */
	uint32_t retry_ms; /* written once, in the first block; 0 = written, or never */
	char stream_id[40];
	/* what the end needs to say */
	struct sl_usage usage;
	char finish[24];                 /* of choice 0, normalised; "" = none seen */
	bool content_seen;               /* the stream is partial when it fails from here on */
	bool line_open;                  /* FORMAT_TEXT: the last byte printed was no LF */
	char response_id[64], model[96]; /* the upstream's; "" = not known, or too long */
	int64_t created;
};

/* Ids on, everything else off. The stream id must fit. */
void encoder_init(struct encoder *e, enum format format, const char *stream_id);

/* An entry as the log gives it. `stopped` marks the END entry of a stopped stream. */
struct encoder_entry {
	struct sl_entry entry;
	uint64_t seq;
	bool stopped;
};

/* Writes the blocks of one entry; nothing at all where the format shows nothing for it. */
void encoder_write(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w);

/* The entry is written whole (or passed over): remember what later ones need. */
void encoder_done(struct encoder *e, const struct encoder_entry *in);

/* Appends the JSON error body of the OpenAI routes, {"error":{"message","type","param","code",…}},
 * for an SL_EVENT_ERROR: message and type are strings that are not empty, code and param strings or
 * null; other members of the upstream's error object (s[3]) follow as they came. An empty `param`
 * is the upstream's. `partial` adds "partial":true. 0, -SL_E_LIMIT, -SL_E_NOMEM: all or nothing. */
int openai_error_body(const struct sl_event *error, struct sl_slice param, bool partial,
		      struct sl_buf *out);

/* The same, without end of line, into a window. */
void openai_put_error(const struct sl_event *error, struct sl_slice param, bool partial,
		      struct sl_window *w);

#endif
