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

enum relative_effort {
	RELATIVE_EFFORT_MEMBER, /* "reasoning_effort":"low" */
	RELATIVE_EFFORT_OBJECT, /* "reasoning":{"effort":"low"} */
	RELATIVE_EFFORT_NONE,
};

/* ---- Requests: one row for each server that has an address of its own. All others (vLLM,
 * llama.cpp, LM Studio, Ollama's /v1 …) are the last row. */
struct relative {
	const char *name;
	const char *host;       /* its domain: that host, and those below it; NULL: any */
	const char *max_tokens; /* the member that limits an answer */
	const char *seed;       /* NULL: it has none */
	/* The member in which it wants the reasoning of its own answers back; NULL: in none. */
	const char *reasoning;
	enum relative_effort effort;
	bool no_stream_options; /* refuses them; usage comes all the same */
	bool samples_more;      /* knows top_k and min_p */
	bool no_user, no_parallel, no_logit_bias, no_schema;
	bool signatures;  /* wants Google's thought signatures back with calls */
	size_t names_max; /* bytes of a function's name; 0: any */
};

/* By the upstream's base URL. Never NULL. */
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
