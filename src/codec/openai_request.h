/* What the two files share that write a request for chat completions. */
#ifndef CODEC_OPENAI_REQUEST_H
#define CODEC_OPENAI_REQUEST_H

#include "codec/prompt.h"
#include "codec/relatives.h"

struct openai_request {
	struct prompt *p;
	struct json_writer *w;
	struct request_fault *fault;
	const struct relative *relative;
};

/* The member `messages`. 0; -SL_E_TYPE with the fault filled; -SL_E_NOMEM. */
int openai_put_messages(const struct openai_request *r);

#endif
