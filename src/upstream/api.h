/*
 * The APIs that an upstream can be configured to speak: where each kind of request goes, and who
 * says who we are. What requests and answers look like is the dialect's (codec/dialect.h).
 */
#ifndef UPSTREAM_API_H
#define UPSTREAM_API_H

#include <sluice/buf.h>
#include <sluice/reader.h>
#include "codec/relatives.h"
#include "upstream/options.h"

enum api_auth {
	API_AUTH_BEARER, /* Authorization: Bearer KEY */
	API_AUTH_HEADER, /* a header of its own: `auth_header` */
	API_AUTH_AWS,    /* Bearer where there is a key, else SigV4 */
};

struct api {
	const char *name; /* in the configuration */
	const char *url;  /* of the provider, for upstreams that name none; NULL: there is none */
	const char *version;    /* path that is added to a base URL which names no version: "/v1" */
	bool base_goes_on;      /* behind its version, that is: "/v1beta/openai" */
	enum sl_dialect speaks; /* what it answers to a chat, whoever asks */
	enum api_auth auth;
	const char *auth_header;
	const char
		*header; /* "Name: value\n", sent unless the client's own is forwarded; or NULL */
	const char *accept; /* of streams */
	/* Appends what stands behind the base URL for a stream of `model`. 0 or negative. NULL: the
	 * API is OpenAI's, with one path for each route. */
	int (*path)(const struct upstream_options *u, struct sl_slice model, struct sl_buf *out);
	const char *models; /* path of its list of models; NULL: it has none */
};

/* Never NULL. */
const struct api *api_of(enum upstream_api which);

/* All of them, by enum upstream_api. */
extern const struct api apis[];
extern const size_t apis_count;

/* What this upstream speaks to a client of that dialect: the client's own where it has that, else
 * what the request is translated to. 1; 0: there is nothing of the kind (embeddings, counting). */
int api_dialect(const struct upstream_options *u, enum sl_dialect client, enum sl_dialect *speaks);

/* Which of OpenAI's relatives it is: what its host is known for; Azure's servers may stand behind any. */
const struct relative *api_relative(const struct upstream_options *u);

/* Appends the path behind the base URL, query and all, for a request in that dialect. `route` is
 * the OpenAI API's own path for what the client asked ("/embeddings"). 0; -SL_E_SYNTAX for a model
 * whose name can be no part of a path, where it must be one; -SL_E_LIMIT, -SL_E_NOMEM. */
int api_path(const struct upstream_options *u, enum sl_dialect speaks, const char *route,
	     struct sl_slice model, struct sl_buf *out);

#endif
