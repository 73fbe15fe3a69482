/*
 * What the tests of an upstream's dialect are made of: rows of what it sends and the events that
 * mean it, and rows of what a client asks and what is asked of the upstream then.
 */
#ifndef TESTS_PROVIDER_H
#define TESTS_PROVIDER_H

#include <sluice/reader.h>
#include "collected.h"

/* Events as collected.c writes them: kind, choice, index, n0, slices. */
#define EVENT(numbers, a, b, c)   "  " numbers " \"" a "\" \"" b "\" \"" c "\" \"\"\n"
#define EVENT_META(id, model)     EVENT("1 0 0 0", id, model, "")
#define EVENT_TEXT(text)          EVENT("2 0 0 0", text, "", "")
#define EVENT_REASONING(text)     EVENT("3 0 0 0", text, "", "")
#define EVENT_SIGNATURE(text)     EVENT("11 0 0 0", text, "", "")
#define EVENT_START(n, id, name)  EVENT("5 0 " n " 0", id, name, "")
#define EVENT_ARGS(n, text)       EVENT("6 0 " n " 0", text, "", "")
#define EVENT_TEXT_END            EVENT("13 0 0 2", "", "", "")
#define EVENT_REASONING_END       EVENT("13 0 0 3", "", "", "")
#define EVENT_CALL_END(n)         EVENT("13 0 " n " 6", "", "", "")
#define EVENT_CALL(n, id, f, arg) EVENT_START(n, id, f) EVENT_ARGS(n, arg) EVENT_CALL_END(n)
#define EVENT_FINISH(reason, own) EVENT("8 0 0 0", reason, own, "")
/* prompt, completion, total, cached, cache_write, reasoning; -1: not told */
#define EVENT_USAGE(counts) "  7 0 0 0 \"\" \"\" \"\" \"\" " counts "\n"

struct provider_answer {
	const char *body;
	const char *events;
	/* How it failed: "message|type|code|status"; NULL: it ended well. */
	const char *failure;
};

/* Reads the answer as `content_type`, in every way of cutting it. */
void provider_check_answer(enum sl_dialect dialect, const char *content_type,
			   const struct provider_answer *answer);

struct provider_request {
	enum sl_dialect client;
	const char *body;     /* the client's */
	const char *expected; /* the upstream's; or, with a space in front, the fault's message */
	const char *dropped;  /* NULL: nothing */
};

/* Has the request, of a client that may do so, written for the upstream's model `m`. */
void provider_check_request(enum sl_dialect dialect, const struct provider_request *request);

/* The same for a request whose upstream's model is of that name. */
void provider_check_request_for(enum sl_dialect dialect, const char *model,
				const struct provider_request *request);

#endif
