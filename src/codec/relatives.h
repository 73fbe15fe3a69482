/*
 * OpenAI's relatives: servers that speak almost the same. What differs from one to the other stands
 * in tables here, for requests and for answers; the code that uses them knows no server by name.
 */
#ifndef CODEC_RELATIVES_H
#define CODEC_RELATIVES_H

#include <stdbool.h>
#include <stddef.h>
#include <sluice/event.h>
#include <sluice/slice.h>
#include "codec/prompt.h"

enum relative_effort {
	RELATIVE_EFFORT_MEMBER,   /* "reasoning_effort":"low" */
	RELATIVE_EFFORT_THINKING, /* … and "thinking":{"type":"disabled"} for none */
	RELATIVE_EFFORT_OBJECT,   /* "reasoning":{"effort":"low"}, or {"max_tokens":1024} */
	RELATIVE_EFFORT_NONE,
};

#define RELATIVE_LACKS(option) (1u << (option))

/* ---- Requests: one row for each server that has an address of its own. All others (vLLM,
 * llama.cpp, LM Studio, Ollama's /v1 …) are the last row. */
struct relative {
	const char *name;
	const char *host;       /* its domain: that host, and those below it; NULL: any */
	const char *max_tokens; /* the member that limits an answer */
	const char *seed;       /* … that makes it repeatable; NULL: it has none */
	unsigned lacks;         /* RELATIVE_LACKS of each enum prompt_option that it has not */
	/* The member in which it wants the reasoning of its own answers back; NULL: in none. */
	const char *reasoning;
	bool reasoning_due; /* that must stand beside calls, be it empty */
	enum relative_effort effort;
	bool no_stream_options; /* refuses them; usage comes all the same */
	bool no_schema;         /* JSON, but by no schema */
	bool signatures;        /* wants Google's thought signatures back with calls */
	bool responses;         /* speaks Responses as well, on its own route */
	/* The longest that it takes, in bytes; 0: any. */
	size_t id_max; /* of a call */
	size_t user_max;
	size_t stops_max; /* so many stop sequences; 0: any number */
	bool id_exact;    /* ids are letters and digits, and not shorter than id_max either */
};

/* By the upstream's base URL, which may be NULL. Never NULL. */
const struct relative *relative_of_url(const char *url);

/* ---- Answers: what any of them may send. Readers take it from all. */

/* A finish reason in our words; one that nobody knows is a stop. */
struct sl_slice relatives_finish(struct sl_slice native);

/* Where the name of a member means a count of tokens, the count in *u; NULL. */
int64_t *relatives_count(struct sl_usage *u, struct sl_slice name);

/* Members of a delta that are reasoning, by preference: some servers send the same in two. */
#define RELATIVES_REASONING 2
extern const struct sl_slice relatives_reasoning[RELATIVES_REASONING];

#endif
