/*
 * The gate. libmicrohttpd accepts what RFC 9112 forbids (two lengths, a length beside chunks,
 * blanks in names): a proxy in front that reads such a request otherwise could be made to smuggle
 * one. Bare LF and NUL are invisible here: a public deployment stands behind nginx or HAProxy.
 */
#include "server/guard.h"

#include <ctype.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "server/auth.h"
#include "server/server_private.h"

#define HEADERS_MAX 200

struct framing {
	const char *content_length, *transfer_encoding, *host;
	unsigned lengths, encodings, hosts, positions, headers;
	bool bad_byte;
};

static bool is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("!#$%&'*+-.^_`|~", s[i]))
			return false;
	return n > 0;
}

static bool has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
			return true;
	return false;
}

static enum MHD_Result see_header(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_n,
				  const char *value, size_t value_n)
{
	struct framing *f = cls;
	(void)kind;
	f->headers++;
	if (!is_token(key, key_n) || has_control(value, value_n))
		f->bad_byte = true;
	if (strcasecmp(key, "Content-Length") == 0) {
		f->lengths++;
		f->content_length = value;
	} else if (strcasecmp(key, "Transfer-Encoding") == 0) {
		f->encodings++;
		f->transfer_encoding = value;
	} else if (strcasecmp(key, "Host") == 0) {
		f->hosts++;
		f->host = value;
	} else if (strcasecmp(key, "Last-Event-ID") == 0) {
		f->positions++;
	}
	return MHD_YES;
}

/* Decoded values are strings to us: a NUL in one would end it, and hide what is behind it from
 * every check. */
static enum MHD_Result see_argument(void *cls, enum MHD_ValueKind kind, const char *key,
				    size_t key_n, const char *value, size_t value_n)
{
	bool *has_nul = cls;
	(void)kind;
	*has_nul |= memchr(key, '\0', key_n) || (value && memchr(value, '\0', value_n));
	return MHD_YES;
}

static struct refusal bad_request(const char *message)
{
	return (struct refusal){400, "invalid_request_error", "bad_request", message, true};
}

static struct refusal check_framing(const struct framing *f, bool http_1_0, uint64_t body_max)
{
	if (f->headers > HEADERS_MAX)
		return (struct refusal){431, "invalid_request_error", "too_many_headers",
					"the request has too many headers", true};
	if (f->bad_byte)
		return bad_request("a header has a character that does not belong there");
	if (f->lengths > 1 || f->hosts > 1 || f->encodings > 1 || f->positions > 1)
		return bad_request("Content-Length, Transfer-Encoding, Host or Last-Event-ID comes "
				   "more than once");
	if (http_1_0 && f->encodings)
		return bad_request("HTTP/1.0 has no Transfer-Encoding");
	if (!http_1_0 && !f->hosts)
		return bad_request("HTTP/1.1 needs a Host");
	if (f->lengths && f->encodings)
		return bad_request("Content-Length and Transfer-Encoding exclude each other");
	if (f->encodings && strcasecmp(f->transfer_encoding, "chunked") != 0)
		return bad_request("the only Transfer-Encoding is chunked");
	if (!f->lengths)
		return (struct refusal){0};
	size_t n = strlen(f->content_length);
	if (n == 0 || strspn(f->content_length, "0123456789") != n)
		return bad_request("Content-Length is not a number");
	if (n > 18 || strtoull(f->content_length, NULL, 10) > body_max)
		return (struct refusal){413, "invalid_request_error", "request_too_large",
					"the request body is too large", true};
	return (struct refusal){0};
}

/* "name:port" without the port. */
static size_t host_name_len(const char *host)
{
	const char *bracket = *host == '[' ? strchr(host, ']') : NULL;
	const char *colon = strchr(bracket ? bracket : host, ':');
	return colon ? (size_t)(colon - host) : strlen(host);
}

static bool host_is_allowed(const struct exchange *x, const char *host)
{
	static const char *const ours[] = {"localhost", "127.0.0.1", "[::1]"};
	const struct server_options *o = x->config->set.options;
	size_t n = host_name_len(host);
	const char *port = host + n;
	if (*port && strspn(port + 1, "0123456789") != strlen(port + 1))
		return false;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (strlen(ours[i]) == n && strncasecmp(ours[i], host, n) == 0)
			return true;
	for (size_t i = 0; i < o->n_hosts; i++)
		if ((strlen(o->hosts[i]) == n && strncasecmp(o->hosts[i], host, n) == 0) ||
		    strcasecmp(o->hosts[i], host) == 0)
			return true;
	return false;
}

const char *guard_allowed_origin(const struct exchange *x)
{
	const struct server_options *o = x->config->set.options;
	const char *origin = exchange_header(x, "Origin");
	for (size_t i = 0; origin && i < o->n_cors_origins; i++)
		if (strcmp(o->cors_origins[i], origin) == 0)
			return o->cors_origins[i];
	return NULL;
}

/* A page of another site must not spend the owner's money: browsers tell where a request comes
 * from. */
static bool from_elsewhere(const struct exchange *x, const char *host)
{
	const char *origin = exchange_header(x, "Origin");
	const char *site = exchange_header(x, "Sec-Fetch-Site");
	if (x->origin)
		return false;
	if (origin) {
		const char *authority = strstr(origin, "://");
		return !authority || !host || strcasecmp(authority + 3, host) != 0;
	}
	/* A ticket is a link that may stand anywhere. */
	return site && !auth_has_ticket(x) &&
	       (strcmp(site, "cross-site") == 0 || strcmp(site, "same-site") == 0);
}

bool guard_has_json_type(const struct exchange *x)
{
	const char *type = exchange_header(x, "Content-Type");
	if (!type)
		return false;
	size_t n = strcspn(type, "; \t");
	return (n == 16 && strncasecmp(type, "application/json", n) == 0) ||
	       (n > 5 && strncasecmp(type + n - 5, "+json", 5) == 0);
}

/* With tls.client_ca libmicrohttpd asks for a certificate; whether a good one came is ours to see.
 */
static bool client_certificate_is_good(const struct exchange *x)
{
	if (!x->server->shared->tls_client_ca)
		return true;
	unsigned status = 0;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(x->conn->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info && info->tls_session &&
	       gnutls_certificate_verify_peers2(info->tls_session, &status) == 0 && status == 0;
}

struct refusal guard_check(struct exchange *x)
{
	const struct server_options *o = x->config->set.options;
	struct framing f = {0};
	bool has_nul = false;
	MHD_get_connection_values_n(x->conn->mhd, MHD_GET_ARGUMENT_KIND, see_argument, &has_nul);
	MHD_get_connection_values_n(x->conn->mhd, MHD_HEADER_KIND, see_header, &f);
	struct refusal r = check_framing(&f, x->http_1_0, o->body_bytes);
	if (r.status)
		return r;
	if (x->uri_bytes > o->uri_bytes)
		return (struct refusal){414, "invalid_request_error", "uri_too_long",
					"the request's URL is too long", true};
	if (f.host && !x->conn->is_unix && !host_is_allowed(x, f.host))
		return (struct refusal){421, "invalid_request_error", "unknown_host",
					"this server does not answer for that Host; hosts: in the "
					"configuration can name it",
					true};
	if (!client_certificate_is_good(x))
		return (struct refusal){403, "invalid_request_error", "client_certificate",
					"a client certificate is needed", true};
	x->origin = guard_allowed_origin(x);
	if (!x->route)
		return r;
	if (x->route->flags & ROUTE_F_SPENDS && from_elsewhere(x, f.host))
		return (struct refusal){403, "invalid_request_error", "cross_origin",
					"a page of another origin may not ask; cors.origins in the "
					"configuration can allow it",
					true};
	r = auth_check(x);
	if (r.status)
		return r;
	if (has_nul)
		return bad_request("the query has a NUL in it");
	if (x->server->shared->draining && !(x->route->flags & ROUTE_F_DRAINING))
		return (struct refusal){503, "server_error", "shutting_down",
					"the server is shutting down", true};
	if (x->route->flags & ROUTE_F_JSON && !guard_has_json_type(x))
		return (struct refusal){415, "invalid_request_error", "unsupported_media_type",
					"send JSON with the header Content-Type: application/json",
					true};
	return r;
}
