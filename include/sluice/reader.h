/*
 * A reader turns one upstream HTTP response into entries: bytes are fed in any cuts, entries come
 * out.
 *
 *	bytes ─▶ framing ─▶ dialect: what does it mean, what must be mended ─▶ struct sl_entry
 *
 * One entry is made of one upstream frame. It holds the frame as it may go on to a client of the
 * same dialect and the events it meant. Exactly one entry is the last: END or FAILED. After it
 * nothing more comes. Any cut of the same bytes gives the same entries. One thread at a time.
 */
#ifndef SLUICE_READER_H
#define SLUICE_READER_H

#include <sluice/event.h>
#include <sluice/slice.h>

/* The wire formats. One row each in dialect.c. */
enum sl_dialect {
	SL_DIALECT_OPENAI_CHAT,        /* POST /v1/chat/completions and its many relatives */
	SL_DIALECT_OPENAI_COMPLETIONS, /* POST /v1/completions (legacy) */
	SL_DIALECT_OPENAI_JSON,        /* an OpenAI route that never streams: embeddings, models */
	SL_DIALECT_RESPONSES,          /* OpenAI, POST /v1/responses */
	SL_DIALECT_ANTHROPIC,          /* POST /v1/messages */
	SL_DIALECT_ANTHROPIC_JSON,     /* … /count_tokens: never streams */
	SL_DIALECT_GEMINI,             /* …:streamGenerateContent, SSE or a JSON array */
	SL_DIALECT_OLLAMA,             /* /api/chat */
	SL_DIALECT_COHERE,             /* /v2/chat */
	SL_DIALECT_BEDROCK_CONVERSE,   /* /model/…/converse-stream */
	SL_DIALECT_BEDROCK_INVOKE,     /* /model/…/invoke-with-response-stream, for Claude */
};

enum {
	/* It has an event that is content (sl_event_is_content). */
	SL_ENTRY_CONTENT = 1 << 0,
	/* The frame is a usage chunk, without choices: kept from clients that did not ask for it.
	 */
	SL_ENTRY_USAGE_ONLY = 1 << 1,
	/* The frame is a complete response body, not a piece of a stream. */
	SL_ENTRY_WHOLE = 1 << 2,
	/* The answer is complete. The frame is empty, and there are no events. */
	SL_ENTRY_END = 1 << 3,
	/* The answer ended wrong: the only event is SL_EVENT_ERROR. The frame is empty. */
	SL_ENTRY_FAILED = 1 << 4,
};

struct sl_entry {
	unsigned flags;
	/* One line of JSON, an object, without CR and LF, valid UTF-8. WHOLE: the body as it came.
	 */
	struct sl_slice frame;
	const struct sl_event *events; /* in order */
	size_t n_events;
	/* In composed logs (stream/parts.h): how many numbered events of the Responses format all
	 * entries before make. */
	uint32_t ordinal;
};

/* Codes of SL_EVENT_ERROR that the reader itself gives (s[2]); the API documents them. */
#define SL_CODE_INCOMPLETE    "upstream_incomplete"    /* ended without its end; status 502 */
#define SL_CODE_BAD_FRAME     "upstream_bad_frame"     /* a frame that is no JSON object; 502 */
#define SL_CODE_FRAME_TOO_BIG "upstream_frame_too_big" /* 502 */
#define SL_CODE_AUTH          "upstream_auth"          /* 401/403 for our own key; 502 */
#define SL_CODE_REDIRECT      "upstream_redirect"      /* a status 3xx; 502 */
/* What a viewer is told for an error that named no code; s[2] of the event is empty then. */
#define SL_CODE_ERROR "upstream_error"

struct tool_names; /* codec/tool_names.h */

struct sl_reader_options {
	enum sl_dialect dialect;
	int status;                   /* of the response's status line */
	struct sl_slice content_type; /* may be empty; needed during _new only */
	bool whole;      /* the client asked for no stream: the body is one JSON document */
	bool client_key; /* the client's own key went upstream: 401 and 403 are its business */
	size_t max_frame_bytes; /* of a frame, and of a body that is no stream */
	/* The tools that the upstream knows by shorter names; outlives the reader. NULL: none. */
	const struct tool_names *names;
};

struct sl_reader;

/* NULL without memory. */
struct sl_reader *sl_reader_new(const struct sl_reader_options *o);
void sl_reader_free(struct sl_reader *r);

/* Hands over the next n bytes; they must stay valid until _next has returned 0, and no more may be
 * fed before that. */
void sl_reader_feed(struct sl_reader *r, const char *bytes, size_t n);

/* The body has ended. `fault` NULL: cleanly (closed, chunked end); else an SL_EVENT_ERROR that says
 * what happened to the connection (copied). Whether the answer is complete is decided by what was
 * read: a fault after a finish reason, the dialect's end mark or a complete body is none. */
void sl_reader_finish(struct sl_reader *r, const struct sl_event *fault);

/* 1: *entry is the next one, good until the next call on r, and no longer than the fed bytes. 0:
 * nothing until more is fed, or nothing ever again. Failures of the upstream are entries (FAILED),
 * not results; -SL_E_NOMEM is the only negative one. */
int sl_reader_next(struct sl_reader *r, struct sl_entry *entry);

/* True once the last entry has been given. */
bool sl_reader_ended(const struct sl_reader *r);

#endif
