/* For the two files that read a client's request for a response: its input (prompt_responses.c), and
 * its tools and options (prompt_responses_options.c). Results as prompt_read(). */
#ifndef CODEC_PROMPT_RESPONSES_H
#define CODEC_PROMPT_RESPONSES_H

#include <stdbool.h>
#include <stddef.h>
#include "codec/prompt_read.h"

#define RESPONSES_ONLY_HERE "only what is in the request is known here"

/* Of the body: its `tools`, its `tool_choice` (after the tools), and all its other members. */
int responses_read_tools(const struct prompt_reading *r, struct json tools);
int responses_read_choice(const struct prompt_reading *r, struct json choice);
int responses_read_options(const struct prompt_reading *r, struct json body);

#endif
