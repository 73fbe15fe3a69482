/* Pieces of a block of server-sent events, for the formats that write them. */
#ifndef CODEC_ENCODE_BLOCK_H
#define CODEC_ENCODE_BLOCK_H

#include "codec/encode.h"

/* The lines `id:` and `retry:`, where the encoder wants them. */
void encode_id(const struct encoder *e, uint64_t seq, struct sl_window *w);
void encode_retry(const struct encoder *e, struct sl_window *w);

/* A block is one of `of` blocks that an entry makes, counted from 0: this, its data lines, and the
 * end. An empty name: the event is unnamed. The id stands behind the data: there are clients that
 * take it when they see its line, and would count a block as read that is cut off behind it. */
void encode_block(const struct encoder *e, unsigned at, struct sl_slice name, struct sl_window *w);
void encode_block_end(const struct encoder *e, const struct encoder_entry *in, unsigned at,
		      unsigned of, struct sl_window *w);

/* The frame of an entry, as it came, as its one block. */
void encode_frame(const struct encoder *e, const struct encoder_entry *in, struct sl_slice name,
		  struct sl_window *w);

/* The first event of that kind in choice 0; NULL. */
const struct sl_event *encode_find(const struct encoder_entry *in, enum sl_event_kind kind);

/* A token count as it is written where it must be a number: 0 when it is not known. */
int64_t encode_count(int64_t n);

/* FORMAT_EVENTS and FORMAT_MULTIPLEX: how many blocks an entry makes, and the blocks. */
unsigned encode_events_count(const struct encoder_entry *in);
void encode_events(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w);

/* The other formats: the same, from a file each. The count is that of the blocks which the entry
 * makes; encode_x_whole writes the body of a response that is no stream, of an END entry. */
unsigned encode_chat_count(const struct encoder *e, const struct encoder_entry *in);
void encode_chat(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w);
void encode_chat_whole(const struct encoder *e, const struct encoder_entry *in,
		       struct sl_window *w);

unsigned encode_anthropic_count(const struct encoder *e, const struct encoder_entry *in);
void encode_anthropic(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w);
void encode_anthropic_whole(const struct encoder *e, const struct encoder_entry *in,
			    struct sl_window *w);

/* The text of several entries in one block (encode_run.c): its start up to the text, and what stands
 * behind that, up to the id. */
bool encode_events_is_shown(const struct sl_event *event);
void encode_events_run_start(const struct encoder *e, const struct sl_event *event,
			     struct sl_window *w);
void encode_chat_run_start(const struct encoder *e, const struct encoder_entry *in,
			   const struct sl_event *event, struct sl_window *w);
void encode_chat_run_end(const struct encoder *e, struct sl_window *w);
void encode_anthropic_run_start(const struct encoder *e, const struct sl_event *event,
				struct sl_window *w);
void encode_anthropic_run_end(struct sl_window *w);

unsigned encode_responses_count(const struct encoder *e, const struct encoder_entry *in);
void encode_responses(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w);
void encode_responses_whole(const struct encoder *e, const struct encoder_entry *in,
			    struct sl_window *w);

#endif
