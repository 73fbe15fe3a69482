/* The table of routes, and how one is found. */
#include "server/routes.h"

#include <string.h>

#define SPENDS_JSON (ROUTE_F_JSON | ROUTE_F_SPENDS)

static const struct route routes[] = {
	{"POST", "/v1/chat/completions", handle_completion, SPENDS_JSON, SL_DIALECT_OPENAI_CHAT,
	 "/chat/completions"},
	{"POST", "/v1/completions", handle_completion, SPENDS_JSON, SL_DIALECT_OPENAI_COMPLETIONS,
	 "/completions"},
	{"POST", "/v1/embeddings", handle_completion, SPENDS_JSON, SL_DIALECT_OPENAI_JSON,
	 "/embeddings"},
	{"GET", "/v1/models", handle_models, ROUTE_F_SPENDS, SL_DIALECT_OPENAI_JSON, NULL},
	{"GET", "/ask", handle_ask, ROUTE_F_SPENDS, SL_DIALECT_OPENAI_CHAT, "/chat/completions"},
	{"POST", "/ask", handle_ask, ROUTE_F_SPENDS, SL_DIALECT_OPENAI_CHAT, "/chat/completions"},
	{"GET", "/healthz", handle_health, ROUTE_F_DRAINING, 0, NULL},
	{"GET", "/readyz", handle_ready, ROUTE_F_DRAINING, 0, NULL},
	{"GET", "/metrics", handle_metrics, ROUTE_F_DRAINING | ROUTE_F_METRICS, 0, NULL},
	{"GET", "/", handle_page, 0, 0, NULL},
	{"GET", "/app.js", handle_page, 0, 0, NULL},
	{"GET", "/style.css", handle_page, 0, 0, NULL},
	{"GET", "/favicon.svg", handle_page, 0, 0, NULL},
};

/* HEAD is served where a GET costs nothing. */
static bool serves(const struct route *r, const char *method)
{
	return strcmp(r->method, method) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0 &&
		!(r->flags & ROUTE_F_SPENDS));
}

const struct route *route_find(const char *method, const char *path, const char **allowed)
{
	bool get = false, post = false;
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		if (strcmp(routes[i].path, path) != 0)
			continue;
		if (serves(&routes[i], method))
			return &routes[i];
		get |= routes[i].method[0] == 'G';
		post |= routes[i].method[0] == 'P';
	}
	*allowed = get && post ? "GET, POST" : get ? "GET" : post ? "POST" : NULL;
	return NULL;
}
