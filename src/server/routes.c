/* The table of routes, and how one is found. */
#include "server/routes.h"

#include <string.h>

#define SPENDS_JSON (ROUTE_F_JSON | ROUTE_F_SPENDS)
#define READS       (ROUTE_F_SPENDS | ROUTE_F_DRAINING | ROUTE_F_TICKET)

static const struct route routes[] = {
	{"POST", "/v1/chat/completions", handle_completion, SPENDS_JSON, SL_DIALECT_OPENAI_CHAT,
	 "/chat/completions"},
	{"POST", "/v1/completions", handle_completion, SPENDS_JSON, SL_DIALECT_OPENAI_COMPLETIONS,
	 "/completions"},
	{"POST", "/v1/embeddings", handle_completion, SPENDS_JSON, SL_DIALECT_OPENAI_JSON,
	 "/embeddings"},
	{"POST", "/v1/messages", handle_completion, SPENDS_JSON, SL_DIALECT_ANTHROPIC, "/messages"},
	{"POST", "/v1/messages/count_tokens", handle_completion, SPENDS_JSON,
	 SL_DIALECT_ANTHROPIC_JSON, "/messages/count_tokens"},
	{"POST", "/v1/responses", handle_completion, SPENDS_JSON, SL_DIALECT_RESPONSES,
	 "/responses"},
	{"GET", "/v1/responses/*", handle_response, ROUTE_F_SPENDS | ROUTE_F_DRAINING,
	 SL_DIALECT_RESPONSES, NULL},
	{"DELETE", "/v1/responses/*", handle_response_delete, ROUTE_F_SPENDS | ROUTE_F_DRAINING,
	 SL_DIALECT_RESPONSES, NULL},
	{"POST", "/v1/responses/*/cancel", handle_response_cancel,
	 ROUTE_F_SPENDS | ROUTE_F_DRAINING, SL_DIALECT_RESPONSES, NULL},
	{"GET", "/v1/models", handle_models, ROUTE_F_SPENDS, SL_DIALECT_OPENAI_JSON, NULL},
	{"GET", "/ask", handle_ask, ROUTE_F_SPENDS, SL_DIALECT_OPENAI_CHAT, "/chat/completions"},
	{"POST", "/ask", handle_ask, ROUTE_F_SPENDS, SL_DIALECT_OPENAI_CHAT, "/chat/completions"},
	{"POST", "/v1/streams", handle_begin, SPENDS_JSON, SL_DIALECT_OPENAI_CHAT,
	 "/chat/completions"},
	{"GET", "/v1/streams", handle_list, ROUTE_F_SPENDS | ROUTE_F_DRAINING, 0, NULL},
	{"GET", "/v1/events", handle_events, READS, 0, NULL},
	{"GET", "/v1/streams/*", handle_stream, READS, 0, NULL},
	{"DELETE", "/v1/streams/*", handle_stop, ROUTE_F_SPENDS | ROUTE_F_DRAINING, 0, NULL},
	{"POST", "/v1/streams/*/ticket", handle_ticket, ROUTE_F_SPENDS, 0, NULL},
	{"POST", "/v1/streams/*/stop", handle_stop, ROUTE_F_SPENDS | ROUTE_F_DRAINING, 0, NULL},
	{"POST", "/v1/channels/*", handle_publish, ROUTE_F_SPENDS, 0, NULL},
	{"GET", "/v1/channels/*", handle_channel, ROUTE_F_SPENDS, 0, NULL},
	{"GET", "/v1/feeds/*", handle_feed, ROUTE_F_SPENDS, 0, NULL},
	{"GET", "/healthz", handle_health, ROUTE_F_DRAINING | ROUTE_F_OPEN, 0, NULL},
	{"GET", "/readyz", handle_ready, ROUTE_F_DRAINING | ROUTE_F_OPEN, 0, NULL},
	{"GET", "/metrics", handle_metrics, ROUTE_F_DRAINING | ROUTE_F_METRICS, 0, NULL},
	{"GET", "/", handle_page, ROUTE_F_OPEN, 0, NULL},
	{"GET", "/page/*", handle_page, ROUTE_F_OPEN, 0, NULL},
	{"GET", "/sluice.js", handle_page, ROUTE_F_OPEN, 0, NULL},
	{"GET", "/favicon.svg", handle_page, ROUTE_F_OPEN, 0, NULL},
};

/* HEAD is served where a GET costs nothing. */
static bool serves(const struct route *r, const char *method)
{
	return strcmp(r->method, method) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0 &&
		!(r->flags & ROUTE_F_SPENDS));
}

bool route_matches(const char *pattern, const char *path, char *param, size_t size)
{
	const char *star = strchr(pattern, '*');
	if (!star)
		return strcmp(pattern, path) == 0;
	size_t before = (size_t)(star - pattern);
	if (strncmp(pattern, path, before) != 0)
		return false;
	size_t n = strcspn(path + before, "/");
	if (n == 0 || n >= size || strcmp(path + before + n, star + 1) != 0)
		return false;
	memcpy(param, path + before, n);
	param[n] = '\0';
	return true;
}

/* The methods that a path has, for the header Allow; the bits are those of the letters G, P, D. */
static const char *methods(unsigned found)
{
	static const char *const names[] = {
		NULL,     "GET",         "POST",         "GET, POST",
		"DELETE", "GET, DELETE", "POST, DELETE", "GET, POST, DELETE"};
	return names[found];
}

const struct route *route_find(const char *method, const char *path, char *param, size_t size,
			       const char **allowed)
{
	unsigned found = 0;
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		if (!route_matches(routes[i].path, path, param, size))
			continue;
		if (serves(&routes[i], method))
			return &routes[i];
		found |= routes[i].method[0] == 'G' ? 1 : routes[i].method[0] == 'P' ? 2 : 4;
	}
	*allowed = methods(found);
	return NULL;
}
