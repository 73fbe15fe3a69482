/* Keeping the provider's key out of what an upstream says of an error: some repeat it, or a part of
 * the request that has it. */
#ifndef UPSTREAM_REDACT_H
#define UPSTREAM_REDACT_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/reader.h>

/* True when `key` stands somewhere in `text`. A key of less than 8 characters is no secret worth
 * the false alarms. */
bool redact_finds(struct sl_slice text, const char *key);

/* When e holds an error that names the key: *event becomes a copy of it with "[key]" in the key's
 * place, its texts in `room`, and e points to it. Without memory the texts are empty. key NULL:
 * nothing to hide. */
void redact_error(struct sl_entry *e, const char *key, struct sl_event *event, struct sl_buf *room);

#endif
