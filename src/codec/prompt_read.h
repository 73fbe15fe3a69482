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

/* What a reader works with. */
struct prompt_reading {
	struct prompt *p;
	struct request_fault *fault;
};

static inline bool prompt_is_absent(struct json v)
{
	return v.type == JSON_NONE || v.type == JSON_NULL;
}

/* How many members or elements there are. */
size_t prompt_count(struct json container);

/* The member of `object`, which stands at `where`, that must be a string. 0 or -SL_E_TYPE. */
int prompt_need_string(const struct prompt_reading *r, struct json object,
		       const struct prompt_at *where, const char *name, struct json *out);

/* prompt_refuse() for the member of the object that stands at `where`. */
int prompt_refuse_at(const struct prompt_reading *r, const struct prompt_at *where,
		     const char *name, const char *why);

/* The member if it is a string; of another type it is none. */
struct json prompt_get_string(struct json object, const char *name);
/* … if it is true or false. */
struct json prompt_get_bool(struct json object, const char *name);

/* A token of before, middle and behind in a row. Type NONE without memory. */
struct json prompt_wrap(struct prompt *p, enum json_type type, struct sl_slice before,
			struct sl_slice middle, struct sl_slice behind);

/* Options by the words of an API. type: JSON_NUMBER, JSON_STRING, JSON_TRUE (or false), JSON_OBJECT,
 * or JSON_ARRAY (of strings, or one string). */
struct prompt_member {
	const char *name;
	enum prompt_option option;
	enum json_type type;
};

/* Keeps the value, if there is one that is not null or an empty array. 0 or -SL_E_TYPE. */
int prompt_set_option(const struct prompt_reading *r, const struct prompt_member *member,
		      struct json value);

/* 1: it was one of them, and is kept (null is none); 0: it is none of them; -SL_E_TYPE. */
int prompt_take_option(const struct prompt_reading *r, const struct prompt_member *members,
		       size_t n, struct sl_slice key, struct json value);

/* Whether the key is in a list of names that ends with NULL. */
bool prompt_is_named(const char *const *names, struct sl_slice key);

/* Drops what no reader knows, but for null, false and empty values. 0 or -SL_E_NOMEM. */
int prompt_drop_unknown(const struct prompt_reading *r, struct sl_slice key, struct json value);

/* A data: URL as media and data: 1; 0 for any other string. */
int prompt_split_data_url(struct json string, struct sl_slice *media, struct sl_slice *data);

/* auto, required or none. */
bool prompt_choice_of_word(struct json word, enum prompt_choice *choice);

/* A choice among some of the tools, which have been read: {"mode","tools"}, which stands at `where`. It is
 * the same as having no others. 0 or -SL_E_TYPE. */
int prompt_allow_tools(const struct prompt_reading *r, const struct prompt_at *where,
		       struct json choice);

/* Gives each tool result the name of its call, as far as the call is there. 0 or -SL_E_NOMEM. */
int prompt_name_results(struct prompt *p);

/* The readers: `body` is an object that request_parse has let pass. Results as prompt_read. */
int prompt_read_chat(struct json body, struct prompt *p, struct request_fault *fault);
int prompt_read_completions(struct json body, struct prompt *p, struct request_fault *fault);
int prompt_read_responses(struct json body, struct prompt *p, struct request_fault *fault);
int prompt_read_anthropic(struct json body, struct prompt *p, struct request_fault *fault);

#endif
