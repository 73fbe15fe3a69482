/* For the two files that read a client's request for a response: its input (prompt_responses.c), and
 * its tools and options (prompt_responses_options.c). Results as prompt_read(). */
#ifndef CODEC_PROMPT_RESPONSES_H
#define CODEC_PROMPT_RESPONSES_H

#include <stdbool.h>
#include <stddef.h>
#include "codec/prompt_read.h"

#define RESPONSES_ONLY_HERE "only what is in the request is known here"

struct responses_reading {
	struct prompt *p;
	struct request_fault *fault;
};

/* Elements of an array; 0 for what is none. */
size_t responses_count(struct json array);
/* Not there, or null. */
bool responses_is_absent(struct json v);
/* The member, if it is a string. */
struct json responses_get_string(struct json object, const char *name);
/* A member that must be a string; `where` is the object's place. */
int responses_need_string(const struct responses_reading *r, struct json object,
			  const struct prompt_at *where, const char *name, struct json *out);
/* prompt_refuse() for a member of the object at that place. */
int responses_refuse(const struct responses_reading *r, const struct prompt_at *where,
		     const char *name, const char *why);

/* Of the body: its `tools`, its `tool_choice` (after the tools), and all its other members. */
int responses_read_tools(const struct responses_reading *r, struct json tools);
int responses_read_choice(const struct responses_reading *r, struct json choice);
int responses_read_options(const struct responses_reading *r, struct json body);

#endif
