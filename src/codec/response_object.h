/* The Responses API's objects: a response, its output items, its usage. */
#ifndef CODEC_RESPONSE_OBJECT_H
#define CODEC_RESPONSE_OBJECT_H

#include "codec/encode.h"

enum response_item_status { ITEM_IN_PROGRESS, ITEM_COMPLETED, ITEM_INCOMPLETE };

/* What Responses call a part, by the kind of its deltas. */
struct response_part_words {
	const char *id_prefix;
	const char *type;  /* of the piece of an item that holds its text; NULL: the item itself */
	const char *text;  /* the member with all of its text */
	const char *index; /* what the piece's number in the item is called; NULL: no pieces */
	const char *added, *delta, *done, *piece_done; /* types of events; added, piece_done: NULL
							  where there are no pieces */
};

/* NULL for what is no kind of deltas. */
const struct response_part_words *response_part_words(int64_t kind);

/* A part, as the event tells it that begins or ends it: PART_START, TOOL_START, PART_END,
 * PART_WHOLE. */
struct response_part {
	int64_t kind;
	uint32_t number;
	struct sl_slice text, id, name, signature;
};

struct response_part response_part_of(const struct sl_event *event);

/* The id of the output item that a part makes, as a string. */
void response_put_item_id(const char *stream_id, const struct response_part *part,
			  struct sl_window *w);
/* What `index` counts: a message's piece of content, or a piece of a summary. */
void response_put_piece(const struct response_part *part, struct sl_window *w);
void response_put_item(const char *stream_id, const struct response_part *part,
		       enum response_item_status status, struct sl_window *w);

/* All that is in the part, when it is over. */
struct sl_slice response_full_text(const struct response_part *part,
				   enum response_item_status status);

/* The model: as the entry itself says, else as the stream does. */
struct sl_slice response_model(const struct encoder_entry *in);

/* How it stands with the parts that end in an END or FAILED entry, for want of more. */
enum response_item_status response_last_status(const struct encoder_entry *in);

/* "completed", "incomplete", "cancelled" or "failed": what an END or FAILED entry brings. */
const char *response_end_status(const struct encoder_entry *in);

/* Code and message of a FAILED entry, as members without braces. */
void response_put_error(const struct encoder_entry *in, struct sl_window *w);

/* What an END or FAILED entry of a composed log tells the whole of makes an output item: the words of
 * its part. NULL: it makes none. */
const struct response_part_words *response_output_words(const struct sl_event *event);
/* The item of one such event of the entry, as it is in the end; and all of them, with commas between. */
void response_put_output_item(const char *stream_id, const struct encoder_entry *in,
			      const struct sl_event *event, struct sl_window *w);
void response_put_output(const char *stream_id, const struct encoder_entry *in,
			 struct sl_window *w);

/* The response as it begins: no output yet. An error (NULL) and an end have no place in it. */
void response_put_begun(const char *stream_id, struct sl_slice model, int64_t created,
			const char *status, struct sl_window *w);
/* The response as it is after an END or FAILED entry of a composed log. */
void response_put_ended(const char *stream_id, const struct encoder_entry *in, const char *status,
			struct sl_window *w);

#endif
