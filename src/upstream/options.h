/* What the configuration says about one upstream. */
#ifndef UPSTREAM_OPTIONS_H
#define UPSTREAM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row each in api.c. */
enum upstream_api {
	UPSTREAM_API_OPENAI,
	UPSTREAM_API_OPENAI_RESPONSES,
	UPSTREAM_API_AZURE,
	UPSTREAM_API_ANTHROPIC,
	UPSTREAM_API_GEMINI,
	UPSTREAM_API_OLLAMA,
	UPSTREAM_API_COHERE,
	UPSTREAM_API_BEDROCK,
	UPSTREAM_API_UNKNOWN, /* while the configuration is read, and never afterwards */
};

struct upstream_header {
	char *name, *value; /* checked: no CR, LF, NUL; the name is a token */
};

struct upstream_options {
	char *name;
	enum upstream_api api;
	char *url;                       /* base with version path and without a slash at the end:
					    "https://api.openai.com/v1" */
	char *key;                       /* sent as the API wants it; NULL: none */
	bool key_from_client;            /* key: client */
	struct upstream_header *headers; /* added to each request */
	size_t n_headers;
	char **forward_headers; /* names of the client's headers that go on, besides the fixed ones
				 */
	size_t n_forward_headers;
	bool http2;
	char *ca;          /* PEM file that verifies the server instead of the system's; NULL */
	char *proxy;       /* URL; NULL: none, whatever the environment says */
	char *api_version; /* azure */
	/* bedrock: who signs, where there is no key; session_token may be NULL */
	char *region, *access_key, *secret_key, *session_token;
	bool bedrock_invoke; /* invoke-with-response-stream instead of converse-stream */
};

#endif
