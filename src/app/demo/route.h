/* Which request is answered how. */
#ifndef APP_DEMO_ROUTE_H
#define APP_DEMO_ROUTE_H

#include "app/demo/generation.h"
#include "app/demo/http.h"

/* Answers a complete request, or one that was refused: all at once, into `out`, or by beginning the
 * generation g. 1: g has begun; 0: `out` is all; -SL_E_NOMEM. */
int demo_route(const struct demo_request *request, uint64_t now_us, struct demo_generation *g,
	       struct sl_buf *out);

#endif
