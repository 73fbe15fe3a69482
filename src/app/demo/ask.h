/* What a request body asks of the demo model. */
#ifndef APP_DEMO_ASK_H
#define APP_DEMO_ASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/buf.h>
#include "codec/json.h"

/* An answer that is an HTTP error. */
struct demo_refusal {
	int status;                      /* 0: none */
	const char *type, *code, *param; /* code and param: NULL is null */
	const char *message;
	unsigned retry_after_s; /* 0: not said */
	const char *allow;      /* NULL: not said */
};

enum demo_api { DEMO_CHAT, DEMO_COMPLETION };

#define DEMO_UNSET UINT32_MAX

/* How the model's name wants it; DEMO_UNSET where it does not say. */
struct demo_knobs {
	bool fast;
	uint32_t rate, first_ms, tokens;
};

struct demo_ask {
	enum demo_api api;
	bool stream, include_usage;
	uint32_t max_tokens; /* DEMO_UNSET: as many as it takes */
	struct sl_buf model;
	struct demo_knobs knobs;
	struct sl_buf prompt;      /* the last user message */
	struct sl_buf tool_result; /* the last message, when its role is tool */
	bool has_tool_result;
	bool may_call, must_call; /* a tool */
	struct json tool; /* the function to call, in the body; JSON_NONE: the model's own */
	uint32_t prompt_tokens;
};

/* Reads a body that is an object. 0, or -SL_E_SYNTAX with *why, whose texts are constant, or
 * -SL_E_NOMEM. ask->tool points into the body. demo_ask_fini() is due in every case. */
int demo_ask_read(struct demo_ask *ask, enum demo_api api, struct json body,
		  struct demo_refusal *why);
void demo_ask_fini(struct demo_ask *ask);

/* Appends the value's model name. 0, or -SL_E_SYNTAX with *why, or -SL_E_NOMEM. */
int demo_ask_model(struct json body, struct sl_buf *model, struct demo_refusal *why);

/* What so much text would be counted as. */
uint32_t demo_count_tokens(struct sl_slice text);

#endif
