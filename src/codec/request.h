/*
 * A client's request on an OpenAI route: what we must know of its body, and the body that goes
 * upstream. The bytes are the client's own but for the members that are documented to change.
 */
#ifndef CODEC_REQUEST_H
#define CODEC_REQUEST_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/reader.h>
#include <sluice/slice.h>
#include "codec/json.h"

struct request_info {
	struct sl_slice model; /* unescaped; into `strings` */
	struct sl_slice named; /* the model as the body has it: the same until another is chosen */
	bool stream;
	bool include_usage;    /* the client asked for the usage chunk itself */
	bool must_stream;      /* set by the caller: a stream is wanted whatever the body says */
	struct sl_buf strings; /* owns the unescaped strings */
	/* where things stand in the body, for request_encode */
	struct sl_slice text; /* all of it, with the space around the object */
	struct json body, model_value, stream_value, stream_options;
};

/* What is wrong with a request, for a 400. */
struct request_fault {
	char message[256];
	const char *code;  /* as json_fault, or "invalid_type", "missing_field" */
	const char *param; /* the member it is about, or NULL; may lie in `place` */
	char place[128];
	size_t offset;
};

/* Checks `body` strictly (json_check) and reads it. The body must outlive *info. `dialect` tells
 * which members must be there: messages (an array) for chat, prompt for completions, input for
 * embeddings; model may be missing (then the slice is empty). 0, -SL_E_SYNTAX / -SL_E_LIMIT /
 * -SL_E_TYPE / -SL_E_MISSING with *fault filled, or -SL_E_NOMEM. */
int request_parse(struct sl_slice body, enum sl_dialect dialect, struct json_limits limits,
		  struct request_info *info, struct request_fault *fault);
void request_info_fini(struct request_info *info);

/* Chooses a model (copied) for a request that names none. 0 or -SL_E_NOMEM. */
int request_choose_model(struct request_info *info, struct sl_slice model);

/* Appends to `out` the body for the upstream: model replaced by `model` where that differs (added
 * where missing), with must_stream stream: true, and, with ask_usage on a stream,
 * stream_options.include_usage: true. Nothing else changes; where nothing must change the bytes are
 * the client's. 0, -SL_E_LIMIT, -SL_E_NOMEM. */
int request_encode(const struct request_info *info, struct sl_slice model, bool ask_usage,
		   struct sl_buf *out);

/* The same for an Anthropic body that goes to Bedrock, where model and stream stand in the path:
 * without these two members and `thread` (prompt_refuse_thread has seen it), and with
 * `anthropic_version`. Members are copied as they are. */
int request_encode_invoke(const struct request_info *info, struct sl_buf *out);

/* Appends a chat completion request for one prompt, streaming: {"model":…,"messages":[system?,
 * user],"stream":true}. */
int request_for_prompt(struct sl_slice model, struct sl_slice system, struct sl_slice prompt,
		       struct sl_buf *out);

#endif
