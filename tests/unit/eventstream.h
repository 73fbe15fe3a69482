/* Writes messages of AWS's event streams, for tests. */
#ifndef TESTS_EVENTSTREAM_H
#define TESTS_EVENTSTREAM_H

#include <stdint.h>
#include <sluice/buf.h>

/* Appends a header that is a string. */
void eventstream_put_header(struct sl_buf *headers, const char *name, struct sl_slice value);

/* Appends a message with these headers, encoded already. */
void eventstream_put(struct sl_buf *out, struct sl_slice headers, struct sl_slice payload);

/* Appends one of that :message-type ("event", "exception"), named by :<type>-type. */
void eventstream_put_named(struct sl_buf *out, const char *type, const char *name,
			   struct sl_slice payload);

/* Appends what InvokeModelWithResponseStream makes of an event of a model. */
void eventstream_put_chunk(struct sl_buf *out, struct sl_slice event);

#endif
