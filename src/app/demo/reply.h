/* HTTP answers with a JSON body. Each function appends one to `out` and gives 0, or -SL_E_NOMEM or
 * -SL_E_LIMIT; then a part may have been written, and the connection is of no use any more. */
#ifndef APP_DEMO_REPLY_H
#define APP_DEMO_REPLY_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/slice.h>
#include "app/demo/ask.h"

int demo_reply_json(struct sl_buf *out, struct sl_slice body, bool keep_alive);
int demo_reply_refusal(struct sl_buf *out, const struct demo_refusal *why, bool keep_alive);

/* The answer of GET /v1/models. */
int demo_reply_models(struct sl_buf *out, bool keep_alive);

/* The answer of POST /v1/embeddings to a body that is an object: a refusal where it has to be. A
 * vector has 64 components of +1/8 or -1/8, which makes its length 1; texts with common words have
 * similar ones. */
int demo_reply_embeddings(struct sl_buf *out, struct json request, bool keep_alive);

/* Only {"error":{…}}, as it also stands in streams. */
int demo_put_error(struct sl_buf *out, const struct demo_refusal *why);

#endif
