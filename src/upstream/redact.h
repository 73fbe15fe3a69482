/* Keeping our secrets out of what an upstream says of an error: some repeat the key, or a part of the
 * request that has it; AWS repeats what it thinks was signed, session token and all. */
#ifndef UPSTREAM_REDACT_H
#define UPSTREAM_REDACT_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/reader.h>
#include "upstream/options.h"

/* True when one of the upstream's secrets stands somewhere in `text`: its key, or what it signs
 * with. Where the text ends, 12 characters of a secret's start are one too: texts are cut. One of
 * less than 8 characters is no secret worth the false alarms. */
bool redact_finds(struct sl_slice text, const struct upstream_options *u);

/* When e holds an error that names one: *event becomes a copy of it with "[key]" in the secret's
 * place, its texts in `room`, and e points to it. Without memory the texts are empty. */
void redact_error(struct sl_entry *e, const struct upstream_options *u, struct sl_event *event,
		  struct sl_buf *room);

#endif
