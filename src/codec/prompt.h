/*
 * What a client asks for, whatever its API: the middle between two dialects of requests.
 *
 *	client's body ─▶ prompt_read (prompt_<client's dialect>.c) ─▶ struct prompt
 *	              ─▶ the upstream's dialect: encode (dialects/<name>.c) ─▶ upstream's body
 *
 * It is made only where the two differ; else the body goes on as it came (request.h). Nothing is
 * unescaped or printed again on the way: strings, numbers and schemas are tokens of the client's
 * body, and are copied from there. So that body must outlive the prompt.
 */
#ifndef CODEC_PROMPT_H
#define CODEC_PROMPT_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/reader.h>
#include "codec/json.h"
#include "codec/request.h"

/* A token of JSON of the client's body (or of `made`); type JSON_NONE: there is none. */

enum prompt_role { PROMPT_SYSTEM, PROMPT_USER, PROMPT_ASSISTANT };

enum prompt_part_kind {
	PROMPT_TEXT,      /* text */
	PROMPT_IMAGE,     /* url, or media and data; detail */
	PROMPT_AUDIO,     /* media and data */
	PROMPT_FILE,      /* a document: url, or media and data; name */
	PROMPT_REASONING, /* of an earlier answer: text and signature, either may be NONE; redacted */
	PROMPT_REFUSAL,   /* of an earlier answer: text */
	PROMPT_TOOL_CALL,   /* id, name, arguments; signature where the client gave one back */
	PROMPT_TOOL_RESULT, /* id, name (found by the id; may be NONE), content, is_error */
};

struct prompt_part {
	enum prompt_part_kind kind;
	struct json text;      /* a string */
	struct json url;       /* a string: http(s), or what else the client names; never fetched */
	struct json detail;    /* of an image, a string: how closely to look */
	struct sl_slice media; /* media type as it stands within a JSON string: image/png */
	struct sl_slice data;  /* base64 as it stands within a JSON string, without quotes */
	struct json id, name;  /* strings */
	/* A string that holds JSON (OpenAI) or an object (all others): see
	 * prompt_put_arguments_text and _object. NONE: no arguments. */
	struct json arguments;
	struct json signature;       /* a string */
	bool redacted;               /* the signature is all there is */
	bool is_error;               /* the tool failed */
	struct prompt_part *content; /* of a result: texts and images */
	size_t n_content;
	struct json source; /* the client's own JSON of it: for messages about it */
};

/* Tool results are parts of a user's message. Neighbours may have the same role. */
struct prompt_message {
	enum prompt_role role;
	struct prompt_part *parts;
	size_t n_parts;
};

struct prompt_tool {
	struct json name, description; /* strings */
	struct json schema;            /* an object; NONE: no parameters */
	struct json strict;            /* true or false */
};

enum prompt_choice {
	PROMPT_CHOICE_NONE_GIVEN,
	PROMPT_AUTO,
	PROMPT_REQUIRED,
	PROMPT_NO_TOOLS,
	PROMPT_NAMED
};

/* Everything else that can be asked for. One row each in prompt.c with the words that clients use:
 * an encoder says which of them it knows, and what it does not is refused or dropped as the row
 * says. */
enum prompt_option {
	PROMPT_MAX_TOKENS,        /* number */
	PROMPT_TEMPERATURE,       /* number */
	PROMPT_TOP_P,             /* number */
	PROMPT_TOP_K,             /* number */
	PROMPT_MIN_P,             /* number */
	PROMPT_STOP,              /* string or array of strings; see prompt_stop_next */
	PROMPT_SEED,              /* number */
	PROMPT_PRESENCE_PENALTY,  /* number */
	PROMPT_FREQUENCY_PENALTY, /* number */
	PROMPT_LOGIT_BIAS,        /* object */
	PROMPT_LOGPROBS,          /* true or false */
	PROMPT_TOP_LOGPROBS,      /* number */
	PROMPT_N,                 /* number; 1 is no wish at all and not kept */
	PROMPT_USER_ID,           /* string */
	PROMPT_PARALLEL,          /* true or false: several tool calls at a time */
	PROMPT_EFFORT,       /* string: how much to reason: none minimal low medium high xhigh */
	PROMPT_BUDGET,       /* number: tokens to reason with at the most; 0: do not */
	PROMPT_SERVICE_TIER, /* string */
	PROMPT_VERBOSITY,    /* string */
	PROMPT_OPTIONS
};

enum prompt_format { PROMPT_ANY_FORMAT, PROMPT_JSON_OBJECT, PROMPT_JSON_SCHEMA };

struct prompt {
	struct prompt_message *messages;
	size_t n_messages;
	struct prompt_tool *tools;
	size_t n_tools;
	enum prompt_choice choice;
	struct json choice_name; /* PROMPT_NAMED */
	enum prompt_format format;
	struct json schema, schema_name, schema_strict; /* PROMPT_JSON_SCHEMA */
	struct json option[PROMPT_OPTIONS];
	/* What has no place here and was left out: names as the client wrote them, "store, metadata"
	 * */
	struct sl_buf dropped;
	/* private: what owns the arrays, and tokens that the client did not write */
	struct prompt_block *blocks;
};

/* Reads the body of a client that speaks `dialect` (OPENAI_CHAT, OPENAI_COMPLETIONS, RESPONSES or
 * ANTHROPIC); request_parse has checked it. 0; -SL_E_TYPE with *fault filled for what cannot be
 * understood or has no counterpart anywhere (param names the member, with indexes:
 * "messages[2].content[0].type"); -SL_E_MISSING, the same for what is not kept here; -SL_E_NOMEM. *p is to be finished in any case. */
int prompt_read(struct json body, enum sl_dialect dialect, struct prompt *p,
		struct request_fault *fault);
void prompt_fini(struct prompt *p); /* accepts zeroes */

/* `thread` of a request for Anthropic's API, whose servers hold conversations; no other does. 0: it is
 * none, or begins one, which as well stays with the client. -SL_E_MISSING with *fault filled: it goes
 * on with one, and is only the end of what was said; Anthropic's packages then send all of it. */
#define PROMPT_THREAD_NOT_FOUND "thread_not_found" /* the fault's code */
int prompt_refuse_thread(struct json thread, struct request_fault *fault);

/* How an upstream wants its request. */
struct prompt_target {
	struct sl_slice model;
	bool stream; /* true always, but for tests */
	/* OPENAI_CHAT: which of its relatives it is (codec/relatives.h); NULL: none with a row */
	const struct relative *relative;
};

/* ---- For encoders */

/* Appends `member` to the list of what was dropped (once). 0 or -SL_E_NOMEM. */
int prompt_drop(struct prompt *p, const char *member);

/* What an encoder cannot do: -SL_E_TYPE, with the fault's code "unsupported_value" and a message
 * "<member>: <why>". */
int prompt_refuse(struct request_fault *fault, const char *member, const char *why);

/* The options that an encoder writes, by their own words. */
struct prompt_word {
	enum prompt_option option;
	const char *word; /* the upstream's name for it */
};

/* Settles every option that was given and is not among `words`: refused (-SL_E_TYPE, *fault) or
 * dropped, as the table of options says. A demand for a call is dropped where there are no tools. To
 * be called first. */
int prompt_settle(struct prompt *p, const struct prompt_word *words, size_t n,
		  struct request_fault *fault);

struct json_writer;
/* Writes "word":token for each of them that was given; PROMPT_STOP as an array. */
void prompt_put_options(struct json_writer *w, const struct prompt *p,
			const struct prompt_word *words, size_t n);

/* The stop sequences one by one, whether it is one or an array: *at begins as NULL. 1 and a string;
 * 0 at the end. */
int prompt_stop_next(const struct prompt *p, const char **at, struct json *stop);
/* Tokens to reason with as a word of PROMPT_EFFORT: the one that comes nearest; "none" for 0. */
struct sl_slice prompt_effort_of_budget(struct json budget);
/* Nothing but white space in it (which some APIs refuse)? */
bool prompt_is_blank(struct json string);

/* How much to reason, in tokens: PROMPT_BUDGET, or PROMPT_EFFORT by a table. 1 and *tokens (0: do
 * not); 0: it was not said; an unknown word is dropped. -SL_E_NOMEM. */
int prompt_budget(struct prompt *p, int64_t *tokens);

/* A call's arguments as an object: what is text is unescaped; nothing, or "", is {}. Text that is no
 * JSON object becomes {"arguments":"the text"}: a model wrote it, and the conversation must go on. */
void prompt_put_arguments_object(struct json_writer *w, struct json arguments);
/* … and as a string that holds JSON; nothing, or "", is "{}". */
void prompt_put_arguments_text(struct json_writer *w, struct json arguments);

/* The id of a call for APIs that take letters, digits, _ and - in it, and no more than `max` bytes.
 * Ids of other providers' making are changed, the same one always in the same way. */
void prompt_put_plain_id(struct json_writer *w, const char *name, struct json id, size_t max);

/* What stands before the text of a tool's result where an API has no other place to say that the tool
 * failed: nothing, if it did not or says so itself. */
const char *prompt_failure_words(const struct prompt_part *result);

/* The texts of these parts as one string, joined by `between` (which is escaped already); other
 * parts are passed over. */
void prompt_put_texts(struct json_writer *w, const struct prompt_part *parts, size_t n,
		      const char *between);
/* The same behind some words of ours. */
void prompt_put_texts_behind(struct json_writer *w, const char *before,
			     const struct prompt_part *parts, size_t n, const char *between);

#endif
