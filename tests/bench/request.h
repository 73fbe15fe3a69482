/* What the mock upstream reads of a request: where it goes and which stream it asks for. */
#ifndef BENCH_REQUEST_H
#define BENCH_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_MAX      65536 /* head and body as received */
#define REQUEST_SIZE_MAX 1024  /* filler of a token */

/*
 * The stream's shape stands in the model's name, "bench:rate=50,tokens=500,size=4", or in the query
 * with & between the words; what is not said is as in SHAPE_DEFAULT.
 */
struct shape {
	uint32_t rate;     /* tokens a second; 0: as fast as they are taken */
	uint32_t tokens;   /* then finish_reason and [DONE] */
	uint32_t size;     /* bytes of filler after a token's stamp */
	uint32_t delay_ms; /* before the first byte of the answer */
	bool silent;       /* the role chunk, then nothing until the client leaves */
	bool story; /* the tokens are those of story.h, with no time in them; size means nothing */
};

#define SHAPE_DEFAULT ((struct shape){.rate = 50, .tokens = 100, .size = 4})

struct request {
	bool is_completion;  /* POST …/chat/completions or …/completions */
	bool is_legacy;      /* the latter */
	bool is_models;      /* GET …/models; all else is answered 404 */
	bool wants_continue; /* Expect: 100-continue, and the body is not here yet */
	bool wants_usage;    /* stream_options.include_usage */
	uint64_t stream; /* the number in "user", or stream=N in the shape: tokens' stamps repeat it
			  */
	struct shape shape;
	char model[96];
};

/*
 * Reads the request at the head of [buf, buf + len). Answers its length when it is complete, 0 when
 * more is needed (then wants_continue is set), -1 when it is none that we understand.
 */
long request_read(struct request *r, const char *buf, size_t len);

#endif
