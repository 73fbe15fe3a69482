/* What the two files share that read a request for Messages: messages, and all the rest. */
#ifndef CODEC_PROMPT_ANTHROPIC_H
#define CODEC_PROMPT_ANTHROPIC_H

#include "codec/prompt_read.h"

/* Everything but `system` and the messages. 0, -SL_E_TYPE, -SL_E_NOMEM. */
int anthropic_read_members(const struct prompt_reading *r, struct json body);

/* prompt_refuse() for the member of that name in what stands at `where`. */
int anthropic_refuse(const struct prompt_reading *r, const struct prompt_at *where,
		     const char *name, const char *why);

/* Notes as dropped what can stand at any block or tool: cache_control, citations. 0 or
 * -SL_E_NOMEM. */
int anthropic_note_extras(const struct prompt_reading *r, struct json block);

#endif
