/*
 * The model behind `sluice demo`: a small OpenAI-compatible HTTP/1.1 server on a loopback port,
 * with a thread and a loop of its own. The proxy is its client, over the same way as to any other
 * upstream. What it says is canned, and the same for the same request.
 *
 * POST /v1/chat/completions and /v1/completions (stream and not), POST /v1/embeddings, and
 * GET /v1/models.
 *
 * Models:
 *	demo       a token every 30 to 40 ms, after 300 ms
 *	demo-fast  does not wait
 *	any other name is answered as demo
 *
 * After demo or demo-fast and a colon stand knobs, with commas between them, as in
 * "demo:rate=200,tokens=50"; a wrong one is a 400.
 *	rate=N     tokens a second, also before the first one; to 1000000; 0 does not wait
 *	first=N    milliseconds before the first token, to 600000
 *	tokens=N   length of the text, exactly; 1 to 100000
 *
 * Words in the last user message (whole words in any case) steer it:
 *	think        reasoning before the text
 *	use a tool   a tool call; also "tool" where the request has tools, and tool_choice
 *	long         about 2000 tokens (but not "how long")
 *	slow start   8 s before the first token
 *	fail         after 10 tokens an error frame and a close; 500 when it is no stream
 *	cut          after 10 tokens a close without an end
 *	stall        after 5 tokens silence until the client leaves
 *	fail first   503 with Retry-After: 2
 *	rate limit   429 with Retry-After: 7
 * When the last message has the role tool, the answer is text that uses its content.
 */
#ifndef APP_DEMO_H
#define APP_DEMO_H

#include <stdint.h>

struct demo;

/* Starts it on a free port of 127.0.0.1, written to *port. NULL when there is no port, thread or
 * memory to be had; errno tells. */
struct demo *demo_start(uint16_t *port);

/* Ends all connections and the thread, and frees d. Accepts NULL. */
void demo_stop(struct demo *d);

/* How many generations are under way. Any thread. */
unsigned demo_active(const struct demo *d);

#endif
