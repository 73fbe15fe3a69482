/*
 * A tale is one stream that was begun here, and all that is known of it beforehand: the upstream
 * tells story `number` (story.h), so every entry of the log has its place.
 *
 *	position   chat         completions    in events          in openai
 *	1          the role     token 0        -       token 0    role / token
 *	…          token 0 …    …              token n            token n
 *	           finish       finish         -                  finish
 *	           usage        usage          usage              usage, or hidden
 *	end        [DONE]       [DONE]         done               [DONE]
 *
 * A reading holds what one connection gets against that. A late viewer may get many tokens in one
 * event of `events`; whatever it gets, the text up to an id is the text up to that position.
 */
#ifndef LOAD_TALE_H
#define LOAD_TALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "events.h"
#include "response.h"
#include "story.h"

enum route { ROUTE_CHAT, ROUTE_COMPLETIONS, ROUTE_ASK_GET, ROUTE_ASK_POST, ROUTES };
enum format { FORMAT_EVENTS, FORMAT_OPENAI, FORMAT_TEXT, FORMATS };

extern const char *const route_names[ROUTES];
extern const char *const format_names[FORMATS];

struct tale {
	uint64_t number;
	enum route route;
	uint32_t tokens;
	uint32_t rate; /* tokens a second; 0: as fast as they are taken */
	uint32_t delay_ms;
	bool keyed;       /* begun with an Idempotency-Key */
	bool shows_usage; /* its POST asks for the usage chunk */
	char id[40];      /* "": not known yet */
};

/* The position of the end. */
uint64_t tale_end(const struct tale *t);

/* How many tokens stand at or before that position. */
uint32_t tale_tokens_at(const struct tale *t, uint64_t position);

enum fault {
	FAULT_NONE,
	FAULT_LOST,
	FAULT_DOUBLED,
	FAULT_DISORDERED,
	FAULT_GAP,
	FAULT_ERROR,
	FAULTS
};

struct reading {
	const struct tale *tale;
	enum format format;
	bool shows_usage;
	bool ended;        /* the end has come */
	uint64_t position; /* of the last event; a text has none and stays where it began */
	uint32_t next;     /* the token that must come next, */
	size_t at, len;    /* … as far as it has come, */
	char token[STORY_TOKEN_MAX]; /* … and what it says */
	enum fault fault;
	uint64_t faults; /* tokens lost or doubled, else 1 */
	char why[320];
};

void reading_begin(struct reading *r, const struct tale *t, enum format format, bool shows_usage,
		   uint64_t after);

/* Each is false when that must not come here; fault and why say more. */
bool reading_head(struct reading *r, const struct response *head);
bool reading_event(struct reading *r, const struct event *e);
bool reading_text(struct reading *r, const char *text, size_t len);
bool reading_over(struct reading *r); /* the body has ended */

/* Something else went wrong. Answers false. */
bool reading_fail(struct reading *r, enum fault fault, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
