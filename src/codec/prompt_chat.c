#include "codec/prompt_read.h"

int prompt_read_chat(struct json body, struct prompt *p, struct request_fault *fault)
{
	(void)body, (void)p;
	return prompt_refuse(fault, "model", "not yet");
}
