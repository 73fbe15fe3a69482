/* What the parts of a reader share. */
#ifndef CODEC_READER_IMPL_H
#define CODEC_READER_IMPL_H

#include "codec/decode.h"
#include "codec/dialect.h"

/* Of an error body more is not read; nobody says it at greater length. */
#define ERROR_BODY_MAX 65536

enum mode { MODE_OPEN, MODE_STREAM, MODE_PAGE, MODE_BODY_ERROR, MODE_BODY_WHOLE, MODE_BODY_JSON };

struct sl_reader {
	const struct dialect *dialect;
	int status;
	const struct tool_names *names;
	bool client_key;
	bool page_type, json_type; /* what the content type said */
	enum mode mode;
	const char *in; /* fed, not yet used */
	size_t in_len;
	bool finished, faulty; /* _finish was called; with a fault */
	bool failing;          /* the next entry is decoded.error */
	bool ended;            /* the last entry has been given */
	struct upstream_error fault;
	struct decoded decoded;
	/* messages that no framing has cut out: what a body unfolds to, what a decoder puts behind
	 * another message */
	struct sl_buf chunk;
	size_t at; /* how much of it was read */
	/* bodies */
	struct sl_buf body, usage;
	bool too_long;
	int step; /* of the entries that a body makes */
	/* streams */
	const struct framing *framing; /* the dialect's, or its json_framing; NULL: never streams */
	void *framed, *state;          /* what the framing and the decoder remember */
	size_t max_frame_bytes;
};

/* Each of these makes an entry: 1, or -SL_E_NOMEM. */
int reader_give_end(struct sl_reader *r, struct sl_entry *entry);
int reader_give_failed(struct sl_reader *r, const struct upstream_error *error,
		       struct sl_entry *entry);
int reader_give_fault(struct sl_reader *r, struct sl_entry *entry);
int reader_say_failed(struct sl_reader *r, const char *code, const char *message,
		      struct sl_entry *entry);
/* For a decoder's result; 0 where that is VERDICT_SKIP. */
int reader_give(struct sl_reader *r, int verdict, struct sl_entry *entry);

/* Has the dialect decode a message into r->decoded. */
int reader_decode(struct sl_reader *r, const struct message *m);

/* The next line of r->chunk, which then has been read. */
bool reader_next_line(struct sl_reader *r, struct message *m);

/* _next for the modes that are bodies. */
int reader_next_of_body(struct sl_reader *r, struct sl_entry *entry);

#endif
