/* What the two files share that read a chat completions request: messages, and all the rest. */
#ifndef CODEC_PROMPT_CHAT_H
#define CODEC_PROMPT_CHAT_H

#include "codec/prompt_read.h"

/* Everything but the messages. 0, -SL_E_TYPE, -SL_E_NOMEM. */
int chat_read_members(const struct prompt_reading *r, struct json body);

#endif
