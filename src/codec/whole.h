/* A complete response body, read as the stream that it could have been. */
#ifndef CODEC_WHOLE_H
#define CODEC_WHOLE_H

#include <sluice/buf.h>
#include "codec/json.h"

/* Appends the chunk of one chat.completion (or text_completion, whose chunks look like it): each
 * message becomes a delta, tool calls get their indexes, all else stays as it came. The usage
 * becomes a chunk of its own in `usage`, or stays in the first one when that is NULL. `body` must
 * be one line of valid UTF-8. 1; 0 when it has no choice with a message or text; -SL_E_LIMIT,
 * -SL_E_NOMEM. */
int whole_unfold(struct json body, struct sl_buf *chunk, struct sl_buf *usage);

#endif
