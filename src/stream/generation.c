/* Birth and death of a request on its way. */
#include "stream/generation.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST_BODY_MAX   ((size_t)1 << 31)
#define REQUEST_HEADER_MAX 65536
#define MODEL_NAMES_MAX    ((size_t)8 << 20)

struct generation *generation_new(enum generation_kind kind, enum sl_dialect dialect,
				  const char *path)
{
	struct generation *g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->kind = kind;
	g->dialect = dialect;
	g->path = path;
	sl_buf_init(&g->body, REQUEST_BODY_MAX); /* the server bounds what it puts in */
	sl_buf_init(&g->headers, REQUEST_HEADER_MAX);
	sl_buf_init(&g->models, MODEL_NAMES_MAX);
	return g;
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	request_info_fini(&g->request);
	sl_buf_fini(&g->body);
	sl_buf_fini(&g->headers);
	sl_buf_fini(&g->models);
	if (g->client_key)
		explicit_bzero(g->client_key, strlen(g->client_key));
	free(g->client_key);
	free(g);
}
