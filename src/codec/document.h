/*
 * All of a stream so far as one JSON document, for those who do not stream: entries are folded in,
 * then it is printed.
 */
#ifndef CODEC_DOCUMENT_H
#define CODEC_DOCUMENT_H

#include <sluice/buf.h>
#include <sluice/reader.h>

struct document_call {
	struct sl_buf id, name, arguments;
};

struct document {
	struct sl_buf text, reasoning;
	struct document_call *calls; /* by index; choice 0 only, as everything here */
	size_t n_calls;
	char model[128], finish[24];
	struct sl_usage usage;
	struct sl_buf error_code, error_message;
	bool failed;
	uint64_t first_seq; /* above 1: what came before is not held any more */
	uint64_t last_seq;  /* of the entries that were folded in */
	bool no_memory;
};

/* What of it the log's entries do not know. */
struct document_frame {
	const char *id, *state, *model;   /* model: used where the upstream named none; NULL */
	const char *upstream;             /* who answers; NULL: not known (yet) */
	int64_t first_token_ms, total_ms; /* -1: not known */
};

/* max_bytes bounds each text. */
void document_init(struct document *d, size_t max_bytes);
void document_fini(struct document *d);

/* Takes in the next entry. */
void document_add(struct document *d, const struct sl_entry *e, uint64_t seq);

/* Appends {id, state, text, reasoning, tool_calls, finish_reason, usage, error, last_event_id,
 * model, upstream, timings}, and first_id where the beginning is missing. 0, -SL_E_LIMIT,
 * -SL_E_NOMEM. */
int document_print(const struct document *d, const struct document_frame *f, struct sl_buf *out);

#endif
