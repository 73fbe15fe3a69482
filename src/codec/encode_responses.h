/* What else there is to say of a response than what encoders write (encode_block.h). */
#ifndef CODEC_ENCODE_RESPONSES_H
#define CODEC_ENCODE_RESPONSES_H

#include "codec/encode.h"

/* How many numbered events an entry of a composed log makes, for whoever reads it: entry.ordinal is
 * how many all entries before it made. Only what is in the entry counts, and whether entry.ordinal
 * is 0. */
unsigned encode_responses_events(const struct encoder_entry *in);

/* The object of a response that has not ended: `status` is queued or in_progress. */
void encode_responses_pending(const struct encoder *e, struct sl_slice model, int64_t created,
			      const char *status, struct sl_window *w);

/* The stream behind the id of a response, "resp_<stream>", into out[size]. False: it is none of
 * ours. */
bool responses_stream_id(const char *response_id, char *out, size_t size);

#endif
