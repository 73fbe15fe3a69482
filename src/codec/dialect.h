/* The wire formats that upstreams speak. A new one is a file in dialects/ with these functions, and
 * a row in dialect.c (docs/adding-a-provider.md). */
#ifndef CODEC_DIALECT_H
#define CODEC_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <sluice/reader.h>
#include "codec/decode.h"
#include "codec/framing.h"
#include "codec/prompt.h"
#include "codec/tool_names.h"

struct dialect {
	const char *name;
	const struct framing *framing; /* NULL: never streams */
	/* The same for a body that begins with { or [. NULL: such a body is no stream, but one
	 * document. */
	const struct framing *json_framing;

	/* What a decoder remembers from message to message; the caller provides the zeroed bytes.
	 */
	size_t state_size;
	void (*init)(void *state, const struct sl_reader_options *o);
	void (*fini)(void *state);

	/* An enum verdict, or -SL_E_NOMEM. `d` was reset. Strings of *d may lie in the message. */
	int (*decode)(void *state, const struct message *m, struct decoded *d);
	/* True when the end of the body would be the end of the answer. */
	bool (*is_complete)(const void *state);

	/* Appends a complete response body as the messages that a stream of it would have been, a
	 * line each: `chunk`, and `usage` behind it (or within the chunk when usage is NULL). 1; 0
	 * when the body is no complete response; -SL_E_LIMIT, -SL_E_NOMEM. NULL: bodies of this
	 * dialect are not read. */
	int (*unfold)(struct json body, struct sl_buf *chunk, struct sl_buf *usage);

	/* The longest name of a tool that it takes, in bytes (codec/tool_names.h); 0: any. */
	size_t name_max;
	/* Writes the request's body for what a client of another API asked: always for a stream. 0;
	 * -SL_E_TYPE with *fault for what this API cannot do; what it has no place for and can be
	 * left out is noted by prompt_drop(). w->failure is looked at by the caller. NULL: clients
	 * of other APIs are not served. */
	int (*encode)(struct prompt *p, const struct prompt_target *t, struct json_writer *w,
		      struct request_fault *fault);
};

/* Whether what an upstream of `speaks` sends can go on to a client of `client` as it is. */
bool dialect_is_native(enum sl_dialect speaks, enum sl_dialect client);

/* Never NULL. */
const struct dialect *dialect_of(enum sl_dialect which);

/* As its `encode`, with the names of tools no longer than it takes; *names remembers what they
 * were, for the reader of the answer. Results as `encode`, and -SL_E_NOMEM. */
int dialect_encode(enum sl_dialect which, struct prompt *p, const struct prompt_target *t,
		   struct tool_names *names, struct json_writer *w, struct request_fault *fault);

#endif
