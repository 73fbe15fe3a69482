/* For those who read a client's body into a prompt: one file for each API. */
#ifndef CODEC_PROMPT_READ_H
#define CODEC_PROMPT_READ_H

#include "codec/prompt.h"

/* n zeroed bytes that live as long as the prompt, aligned for anything; NULL without memory. */
void *prompt_alloc(struct prompt *p, size_t n);

/* A string token that the client did not write, made of printable ASCII. Type NONE without memory.
 */
struct json prompt_make_string(struct prompt *p, struct sl_slice text);

/* The place of a member, for messages: prompt_at(at, "messages[%zu].content", i). */
struct prompt_at {
	char text[128];
};
void prompt_at(struct prompt_at *at, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* -SL_E_TYPE: the member at that place is not what it must be. `param` keeps its text within
 * *fault. */
int prompt_fault(struct request_fault *fault, const struct prompt_at *at, const char *what);

/* A data: URL as media and data: 1; 0 for any other string. */
int prompt_split_data_url(struct json string, struct sl_slice *media, struct sl_slice *data);

/* Gives each tool result the name of its call, as far as the call is there. */
void prompt_name_results(struct prompt *p);

/* The readers: `body` is an object that request_parse has let pass. Results as prompt_read. */
int prompt_read_chat(struct json body, struct prompt *p, struct request_fault *fault);
int prompt_read_completions(struct json body, struct prompt *p, struct request_fault *fault);
int prompt_read_responses(struct json body, struct prompt *p, struct request_fault *fault);
int prompt_read_anthropic(struct json body, struct prompt *p, struct request_fault *fault);

#endif
