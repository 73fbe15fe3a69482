/*
 * AWS's Signature Version 4 of a request. libcurl has one too, but in the versions that are
 * installed it signs headers that it does not send and the path without encoding it once more, as
 * every service but S3 wants it: a model's id with a colon would never be let in.
 */
#ifndef UPSTREAM_SIGV4_H
#define UPSTREAM_SIGV4_H

#include <stdint.h>
#include <sluice/buf.h>
#include <sluice/slice.h>

struct sigv4 {
	const char *region, *service;
	const char *access_key, *secret_key;
	const char *session_token; /* of temporary credentials; NULL */
};

struct sigv4_request {
	const char *method;
	struct sl_slice host;  /* as the header Host has it */
	struct sl_slice path;  /* as the request line has it: encoded, without query */
	struct sl_slice query; /* the same: what follows the question mark */
	struct sl_slice payload;
	int64_t time_s; /* Unix */
};

/* Appends the headers that sign the request, "Name: value\n"…; nothing else of it is signed than
 * what is given here. They hold the session token: whoever has them wipes them. 0; -SL_E_LIMIT, for
 * a query of more than 32 parameters too; -SL_E_NOMEM. */
int sigv4_sign(const struct sigv4 *s, const struct sigv4_request *r, struct sl_buf *out);

#endif
