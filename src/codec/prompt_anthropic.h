/* What the two files share that read a request for Messages: messages, and all the rest. */
#ifndef CODEC_PROMPT_ANTHROPIC_H
#define CODEC_PROMPT_ANTHROPIC_H

#include "codec/prompt_read.h"

/* Everything but `system` and the messages. 0, -SL_E_TYPE, -SL_E_NOMEM. */
int anthropic_read_members(const struct prompt_reading *r, struct json body);

/* Notes as dropped what can stand at any block or tool: cache_control, citations. 0 or
 * -SL_E_NOMEM. */
int anthropic_note_extras(const struct prompt_reading *r, struct json block);

#endif
