/* The table of APIs, and their paths. */
#include "upstream/api.h"

#include <assert.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/relatives.h"

/* No name of a model has segments that lead out of the API, or empty ones, which would make it
 * another path. Some servers decode a path before they follow it: encoding does not help. */
static bool fits_path(struct sl_slice model)
{
	const char *slash;

	do {
		slash = model.n ? memchr(model.p, '/', model.n) : NULL;
		struct sl_slice s = sl_slice(model.p, slash ? (size_t)(slash - model.p) : model.n);

		if (s.n == 0 || sl_slice_is(s, ".") || sl_slice_is(s, ".."))
			return false;
		if (slash)
			model = sl_slice(slash + 1, model.n - s.n - 1);
	} while (slash);
	return true;
}

/* A segment of a path; what is not plain is percent-encoded, but for `also`. */
static int put_segment(struct sl_buf *out, struct sl_slice s, const char *also)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	int r = 0;

	for (size_t i = 0; i < s.n && r == 0; i++) {
		unsigned char c = (unsigned char)s.p[i];

		r = c && (strchr(plain, c) || strchr(also, c)) ? sl_buf_putc(out, (char)c)
							       : sl_buf_printf(out, "%%%02X", c);
	}
	return r;
}

static int put_between(struct sl_buf *out, const char *before, struct sl_slice model,
		       const char *also, const char *behind)
{
	int r = fits_path(model) ? sl_buf_put_str(out, before) : -SL_E_SYNTAX;

	if (r == 0)
		r = put_segment(out, model, also);
	return r == 0 ? sl_buf_put_str(out, behind) : r;
}

static int anthropic_path(const struct upstream_options *u, struct sl_slice model,
			  struct sl_buf *out)
{
	(void)u, (void)model;
	return sl_buf_put_str(out, "/messages");
}

/* "models/x" and "tunedModels/x" are names of models too. */
static int gemini_path(const struct upstream_options *u, struct sl_slice model, struct sl_buf *out)
{
	bool full = model.n && memchr(model.p, '/', model.n);

	(void)u;
	return put_between(out, full ? "/" : "/models/", model, full ? "/" : "",
			   ":streamGenerateContent?alt=sse");
}

static int ollama_path(const struct upstream_options *u, struct sl_slice model, struct sl_buf *out)
{
	(void)u, (void)model;
	return sl_buf_put_str(out, "/api/chat");
}

static int cohere_path(const struct upstream_options *u, struct sl_slice model, struct sl_buf *out)
{
	(void)u, (void)model;
	return sl_buf_put_str(out, "/chat");
}

static int bedrock_path(const struct upstream_options *u, struct sl_slice model, struct sl_buf *out)
{
	return put_between(out, "/model/", model, "",
			   u->bedrock_invoke ? "/invoke-with-response-stream" : "/converse-stream");
}

const struct api apis[] = {
	[UPSTREAM_API_OPENAI] =
		{
			.name = "openai",
			.version = "/v1",
			.base_goes_on = true,
			.speaks = SL_DIALECT_OPENAI_CHAT,
			.accept = "text/event-stream",
			.models = "/models",
		},
	[UPSTREAM_API_OPENAI_RESPONSES] =
		{
			.name = "openai_responses",
			.url = "https://api.openai.com",
			.version = "/v1",
			.base_goes_on = true,
			.speaks = SL_DIALECT_RESPONSES,
			.accept = "text/event-stream",
			.models = "/models",
		},
	/* A deployment is a part of the path; what is asked for by its name is what it was deployed
	 * as. */
	[UPSTREAM_API_AZURE] =
		{
			.name = "azure",
			.version = "",
			.speaks = SL_DIALECT_OPENAI_CHAT,
			.auth = API_AUTH_HEADER,
			.auth_header = "api-key",
			.accept = "text/event-stream",
		},
	[UPSTREAM_API_ANTHROPIC] =
		{
			.name = "anthropic",
			.url = "https://api.anthropic.com",
			.version = "/v1",
			.speaks = SL_DIALECT_ANTHROPIC,
			.auth = API_AUTH_HEADER,
			.auth_header = "x-api-key",
			.header = "anthropic-version: 2023-06-01\n",
			.accept = "text/event-stream",
			.path = anthropic_path,
			.models = "/models?limit=1000",
		},
	[UPSTREAM_API_GEMINI] =
		{
			.name = "gemini",
			.url = "https://generativelanguage.googleapis.com",
			.version = "/v1beta",
			.speaks = SL_DIALECT_GEMINI,
			.auth = API_AUTH_HEADER,
			.auth_header = "x-goog-api-key",
			.accept = "text/event-stream",
			.path = gemini_path,
			.models = "/models?pageSize=1000",
		},
	[UPSTREAM_API_OLLAMA] =
		{
			.name = "ollama",
			.url = "http://127.0.0.1:11434",
			.version = "",
			.speaks = SL_DIALECT_OLLAMA,
			.accept = "application/x-ndjson",
			.path = ollama_path,
			.models = "/api/tags",
		},
	[UPSTREAM_API_COHERE] =
		{
			.name = "cohere",
			.url = "https://api.cohere.com",
			.version = "/v2",
			.speaks = SL_DIALECT_COHERE,
			.accept = "text/event-stream",
			.path = cohere_path,
		},
	/* Its lists are on another host. */
	[UPSTREAM_API_BEDROCK] =
		{
			.name = "bedrock",
			.version = "",
			.speaks = SL_DIALECT_BEDROCK_CONVERSE,
			.auth = API_AUTH_AWS,
			.accept = "application/vnd.amazon.eventstream",
			.path = bedrock_path,
		},
};
const size_t apis_count = sizeof(apis) / sizeof(*apis);

const struct api *api_of(enum upstream_api which)
{
	assert((size_t)which < apis_count);
	return &apis[which];
}

static bool has_openai_routes(enum upstream_api which)
{
	return !apis[which].path;
}

int api_dialect(const struct upstream_options *u, enum sl_dialect client, enum sl_dialect *speaks)
{
	bool openai = has_openai_routes(u->api);

	if (client == SL_DIALECT_OPENAI_JSON && !openai)
		return 0;
	if (client == SL_DIALECT_ANTHROPIC_JSON && u->api != UPSTREAM_API_ANTHROPIC)
		return 0;
	*speaks = api_of(u->api)->speaks;
	if (u->api == UPSTREAM_API_BEDROCK && u->bedrock_invoke)
		*speaks = SL_DIALECT_BEDROCK_INVOKE;
	/* OpenAI itself has a route for each of its APIs. */
	if (client == SL_DIALECT_RESPONSES && u->api == UPSTREAM_API_OPENAI &&
	    relative_of_url(u->url)->responses)
		*speaks = client;
	/* Beside the one that it speaks, OpenAI's has routes that nobody else has. */
	if (client == SL_DIALECT_OPENAI_JSON || client == SL_DIALECT_ANTHROPIC_JSON ||
	    (client == SL_DIALECT_OPENAI_COMPLETIONS && openai &&
	     u->api != UPSTREAM_API_OPENAI_RESPONSES))
		*speaks = client;
	return 1;
}

/* The path of OpenAI's route for a dialect. */
static const char *openai_route(enum sl_dialect speaks, const char *route)
{
	switch (speaks) {
	case SL_DIALECT_OPENAI_CHAT:
		return "/chat/completions";
	case SL_DIALECT_RESPONSES:
		return "/responses";
	default:
		return route;
	}
}

const struct relative *api_relative(const struct upstream_options *u)
{
	const struct relative *relative = relative_of_url(u->url);

	if (u->api == UPSTREAM_API_AZURE && !relative->host)
		return relative_of_url("https://openai.azure.com");
	return relative;
}

/* The newer addresses are OpenAI's, with the deployment in the body; the older ones have it in
 * their path. */
static int azure_path(const struct upstream_options *u, const char *route, struct sl_slice model,
		      struct sl_buf *out)
{
	struct sl_slice url = sl_slice_str(u->url), newer = SL_LIT("/openai/v1");
	int r;

	if (url.n >= newer.n && memcmp(url.p + url.n - newer.n, newer.p, newer.n) == 0)
		return sl_buf_put_str(out, route);
	r = put_between(out, "/openai/deployments/", model, "", route);
	if (r == 0)
		r = sl_buf_put_str(out, "?api-version=");
	return r == 0 ? put_segment(out, sl_slice_str(u->api_version), "") : r;
}

int api_path(const struct upstream_options *u, enum sl_dialect speaks, const char *route,
	     struct sl_slice model, struct sl_buf *out)
{
	const struct api *api = api_of(u->api);

	if (speaks == SL_DIALECT_ANTHROPIC_JSON)
		return sl_buf_put_str(out, "/messages/count_tokens");
	if (api->path)
		return api->path(u, model, out);
	route = openai_route(speaks, route);
	if (u->api == UPSTREAM_API_AZURE)
		return azure_path(u, route, model, out);
	return sl_buf_put_str(out, route);
}
