/* The head of a block of server-sent events, for the formats that write them. */
#ifndef CODEC_ENCODE_BLOCK_H
#define CODEC_ENCODE_BLOCK_H

#include "codec/encode.h"

/* A block is one of `of` blocks that an entry makes, counted from 0; after this come its data lines
 * and an empty one. */
void encode_block(const struct encoder *e, const struct encoder_entry *in, unsigned at, unsigned of,
		  const char *name, struct sl_window *w);

/* FORMAT_EVENTS: how many blocks an entry makes, and the blocks. */
unsigned encode_events_count(const struct encoder *e, const struct encoder_entry *in);
void encode_events(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w);

#endif
