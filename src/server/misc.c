/* Liveness, readiness, metrics, and the page. */
#include <inttypes.h>
#include <string.h>
#include "base/metrics.h"
#include "server/page.h"
#include "server/respond.h"
#include "server/routes.h"
#include "server/server_private.h"

/* Nothing from elsewhere and nothing inline; markup becomes elements through DOMPurify alone. */
#define PAGE_POLICY                                                                         \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "         \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " \
	"require-trusted-types-for 'script'; trusted-types dompurify"

void handle_health(struct exchange *x)
{
	respond_bytes(x, 200, "text/plain", SL_LIT("ok\n"));
}

void handle_ready(struct exchange *x)
{
	if (x->server->shared->draining)
		respond_refusal(x, 503, "server_error", "shutting_down",
				"the server is shutting down");
	else
		respond_bytes(x, 200, "text/plain", SL_LIT("ready\n"));
}

static void gauge(struct sl_buf *b, const char *name, const char *help, uint64_t value)
{
	sl_buf_printf(b, "# HELP %s %s\n# TYPE %s gauge\n%s %" PRIu64 "\n", name, help, name, name,
		      value);
}

void handle_metrics(struct exchange *x)
{
	struct sl_buf b;
	struct stream_table_figures f = stream_table_figures(x->server->table);
	sl_buf_init(&b, 1 << 20);
	gauge(&b, "sluice_streams_live", "streams that have not ended", f.live);
	gauge(&b, "sluice_streams_kept", "ended streams that can still be read", f.ended);
	gauge(&b, "sluice_viewers", "clients that watch a stream or a channel", f.viewers);
	gauge(&b, "sluice_log_bytes", "memory of all stream logs", f.bytes);
	gauge(&b, "sluice_connections", "client connections", x->server->shared->connections);
	if (metrics_print(&b) == 0)
		respond_bytes(x, 200, "text/plain; version=0.0.4", sl_buf_slice(&b));
	else
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
	sl_buf_fini(&b);
}

void handle_page(struct exchange *x)
{
	const char *known = exchange_header(x, "If-None-Match");
	for (size_t i = 0; i < page_files_count; i++) {
		const struct page_file *f = &page_files[i];
		if (strcmp(f->path, x->path) != 0)
			continue;
		bool same = known && strstr(known, f->etag);
		struct MHD_Response *r = MHD_create_response_from_buffer(
			same ? 0 : f->size, (void *)(uintptr_t)f->data, MHD_RESPMEM_PERSISTENT);
		if (r) {
			respond_headers(x, r);
			MHD_add_response_header(r, "Content-Type", f->content_type);
			MHD_add_response_header(r, "ETag", f->etag);
			MHD_add_response_header(r, "Cache-Control", "no-cache");
			MHD_add_response_header(r, "Content-Security-Policy", PAGE_POLICY);
			MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
		}
		respond_queue(x, same ? 304 : 200, r);
		return;
	}
	respond_refusal(x, 404, "invalid_request_error", "not_found",
			"there is nothing at this path");
}
