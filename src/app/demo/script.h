/* An answer of the demo model as steps in time: pieces of text and what happens between them. Bytes
 * and sockets are elsewhere. */
#ifndef APP_DEMO_SCRIPT_H
#define APP_DEMO_SCRIPT_H

#include <stddef.h>
#include <stdint.h>
#include <sluice/buf.h>
#include <sluice/slice.h>

enum demo_step_kind {
	/* Tokens, each with a piece of text. */
	DEMO_TEXT,
	DEMO_REASONING,
	DEMO_CALL, /* a tool call begins; the piece is the tool's name; not counted as a token */
	DEMO_ARGUMENTS, /* of that call */
	/* Ends. */
	DEMO_FINISH,
	DEMO_FAIL,  /* an error frame, then a close */
	DEMO_CUT,   /* a close */
	DEMO_STALL, /* nothing any more */
};

struct demo_step {
	enum demo_step_kind kind;
	uint32_t at, n;   /* the piece, in the script's text */
	uint32_t wait_us; /* before it */
};

/* Zeroes are an empty one. */
struct demo_script {
	struct sl_buf text;
	struct demo_step *steps; /* the last one is an end */
	size_t n, cap;
	const char *finish_reason; /* of DEMO_FINISH */
	uint32_t prompt_tokens;
};

void demo_script_init(struct demo_script *s);
void demo_script_fini(struct demo_script *s);

/* Appends a step. 0 or -SL_E_NOMEM. */
int demo_script_put(struct demo_script *s, enum demo_step_kind kind, struct sl_slice piece);

/* Appends `text` in pieces as a tokenizer would cut it: words with the blank before them, long ones
 * in parts, never within a character. Joined they are the text. 0 or -SL_E_NOMEM. */
int demo_script_put_text(struct demo_script *s, enum demo_step_kind kind, struct sl_slice text);

/* Drops all steps from the n-th token on. Does nothing when there are not so many. */
void demo_script_truncate(struct demo_script *s, size_t tokens);

/* How many tokens the first n steps have; of one kind, or in all. */
size_t demo_script_tokens(const struct demo_script *s, size_t n);
size_t demo_script_count(const struct demo_script *s, size_t n, enum demo_step_kind kind);

static inline struct sl_slice demo_script_piece(const struct demo_script *s,
						const struct demo_step *step)
{
	return sl_slice(s->text.p + step->at, step->n);
}

#endif
