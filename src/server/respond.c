/* Building responses. */
#include "server/respond.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/metrics.h"
#include "server/routes.h"
#include "server/server_private.h"

#define ERROR_BODY_MAX  65536
#define RETRY_MIN_MS    1000
#define RETRY_SPREAD_MS 4001

bool respond_is_anthropic(const struct exchange *x)
{
	return x->route && (x->route->dialect == SL_DIALECT_ANTHROPIC ||
			    x->route->dialect == SL_DIALECT_ANTHROPIC_JSON);
}

void respond_headers(struct exchange *x, struct MHD_Response *r)
{
	char id[RANDOM_ID_LEN + 8];
	snprintf(id, sizeof(id), "req_%s", x->request_id);
	MHD_add_response_header(r, "X-Request-Id", id);
	if (respond_is_anthropic(x))
		MHD_add_response_header(r, "request-id", id);
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (x->server->shared->draining)
		MHD_add_response_header(r, "Connection", "close");
	if (x->config->set.options->n_cors_origins)
		MHD_add_response_header(r, "Vary", "Origin");
	if (!x->origin)
		return;
	MHD_add_response_header(r, "Access-Control-Allow-Origin", x->origin);
	MHD_add_response_header(
		r, "Access-Control-Expose-Headers",
		"X-Request-Id, X-Stream-Id, Retry-After, Location, X-Sluice-Dropped");
	if (strcmp(x->method, "OPTIONS") != 0)
		return;
	MHD_add_response_header(r, "Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS");
	/* The SDKs send a family of x-stainless-* headers; a list must name each, so what is asked
	 * for is granted. */
	const char *wanted = exchange_header(x, "Access-Control-Request-Headers");
	MHD_add_response_header(r, "Access-Control-Allow-Headers",
				wanted ? wanted : "authorization, content-type, last-event-id");
	MHD_add_response_header(r, "Access-Control-Max-Age", "600");
}

void respond_queue(struct exchange *x, unsigned status, struct MHD_Response *r)
{
	x->status = status;
	if (status >= 400)
		metrics_add(METRIC_REFUSED, 1);
	if (!r || MHD_queue_response(x->conn->mhd, status, r) != MHD_YES)
		x->state = X_READING; /* conn_request() closes the connection */
	else if (x->state != X_STREAMING)
		x->state = X_ANSWERED;
	if (r)
		MHD_destroy_response(r);
}

void respond_bytes(struct exchange *x, unsigned status, const char *content_type,
		   struct sl_slice body)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p,
								 MHD_RESPMEM_MUST_COPY);
	if (r) {
		respond_headers(x, r);
		MHD_add_response_header(r, "Cache-Control", "no-cache, no-store, no-transform");
		if (x->encoder.stream_id[0])
			MHD_add_response_header(r, "X-Stream-Id", x->encoder.stream_id);
		if (content_type)
			MHD_add_response_header(r, "Content-Type", content_type);
		if (x->location[0])
			MHD_add_response_header(r, "Location", x->location);
	}
	respond_queue(x, status, r);
}

void respond_stream_headers(struct exchange *x, struct MHD_Response *r, const char *content_type)
{
	respond_headers(x, r);
	MHD_add_response_header(r, "Content-Type", content_type);
	MHD_add_response_header(r, "Cache-Control", "no-cache, no-store, no-transform");
	MHD_add_response_header(r, "X-Accel-Buffering", "no");
}

uint32_t respond_retry_ms(void)
{
	return RETRY_MIN_MS + random_below(RETRY_SPREAD_MS);
}

void respond_add_lines(struct MHD_Response *r, struct sl_slice lines)
{
	char line[1024];
	while (lines.n) {
		const char *lf = memchr(lines.p, '\n', lines.n);
		size_t n = lf ? (size_t)(lf - lines.p) : lines.n;
		if (n < sizeof(line)) {
			memcpy(line, lines.p, n);
			line[n] = '\0';
			char *colon = strchr(line, ':');
			if (colon && colon[1] == ' ') {
				*colon = '\0';
				MHD_add_response_header(r, line, colon + 2);
			}
		}
		n += lf != NULL;
		lines = sl_slice(lines.p + n, lines.n - n);
	}
}

/* In the words of the API that the route is of. A window that is large enough: errors are bounded. */
static struct MHD_Response *error_response(const struct exchange *x, const struct sl_event *error,
					   struct sl_slice param)
{
	char id[RANDOM_ID_LEN + 8];
	char *body = malloc(ERROR_BODY_MAX);
	if (!body)
		return NULL;
	struct sl_window w = sl_window(body, ERROR_BODY_MAX, 0);
	snprintf(id, sizeof(id), "req_%s", x->request_id);
	if (respond_is_anthropic(x))
		anthropic_put_error(error, sl_slice_str(id), false, &w);
	else
		openai_put_error(error, param, false, &w);
	struct MHD_Response *r = NULL;
	if (!w.cut)
		r = MHD_create_response_from_buffer(w.written, body, MHD_RESPMEM_MUST_COPY);
	free(body);
	return r;
}

void respond_error(struct exchange *x, const struct sl_event *error, struct sl_slice param,
		   struct sl_slice head, unsigned retry_after_s)
{
	struct MHD_Response *r = error_response(x, error, param);
	if (r) {
		char seconds[16];
		respond_headers(x, r);
		MHD_add_response_header(r, "Content-Type", "application/json");
		if (error->n0 == 401)
			MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
		respond_add_lines(r, head);
		if (x->encoder.stream_id[0])
			MHD_add_response_header(r, "X-Stream-Id", x->encoder.stream_id);
		if (retry_after_s) {
			snprintf(seconds, sizeof(seconds), "%u", retry_after_s);
			MHD_add_response_header(r, "Retry-After", seconds);
		}
		if (error->n0 == 405) {
			const char *allowed = NULL;
			char segment[sizeof(x->param)];
			route_find("", x->path, segment, sizeof(segment), &allowed);
			MHD_add_response_header(r, "Allow", allowed ? allowed : "");
		}
	}
	respond_queue(x, (unsigned)error->n0, r);
}

void respond_refusal(struct exchange *x, int status, const char *type, const char *code,
		     const char *message)
{
	struct sl_event error = stream_error(status, type, code, message);
	respond_error(x, &error, SL_LIT(""), SL_LIT(""), status == 503 ? 2 : 0);
}
