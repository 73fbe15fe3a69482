/* Base64, as it stands within JSON strings. */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include <sluice/buf.h>
#include <sluice/slice.h>

/* Appends the bytes that `text` stands for. Characters that are no digits (padding, white space, the
 * backslash in front of a slash) are passed over. 0, or as sl_buf_put(): all or nothing. */
int base64_decode(struct sl_slice text, struct sl_buf *out);

#endif
