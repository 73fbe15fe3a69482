/* One request by libcurl: options out, bytes in. */
#include "upstream/transfer.h"

#include <assert.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sluice/buf.h>
#include "base/clock.h"
#include "base/log.h"
#include "upstream/api.h"
#include "upstream/multi.h"
#include "upstream/sigv4.h"

#define HEAD_MAX_BYTES \
	(64 * 1024) /* of a response's head; beyond it the upstream is broken or hostile */
#define PASSED_MAX_BYTES 4096
#define RECV_BUFFER      (4 * 1024) /* a silent stream holds one: small; a busy one reads more often */
#define CONNECTION_AGE_S 60L
#define USER_AGENT       "sluice/" SLUICE_VERSION

/* The response headers that clients of an LLM API look at; everything else ends here. */
static const char *const passed_headers[] = {
	"retry-after",    "retry-after-ms",      "x-should-retry", "openai-processing-ms",
	"openai-version", "openai-organization", "openai-model",
};

static bool header_is_passed(struct sl_slice name)
{
	if ((name.n > 12 && strncasecmp(name.p, "x-ratelimit-", 12) == 0) ||
	    (name.n > 20 && strncasecmp(name.p, "anthropic-ratelimit-", 20) == 0))
		return true;
	for (size_t i = 0; i < sizeof(passed_headers) / sizeof(*passed_headers); i++)
		if (name.n == strlen(passed_headers[i]) &&
		    strncasecmp(name.p, passed_headers[i], name.n) == 0)
			return true;
	return false;
}

static struct sl_slice trim(struct sl_slice s)
{
	while (s.n && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	while (s.n && isspace((unsigned char)*s.p)) {
		s.p++;
		s.n--;
	}
	return s;
}

/* Keeps "name: value" for the client when it is on the list and clean. */
static void keep_header(struct transfer *t, struct sl_slice line)
{
	const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
	if (!colon)
		return;
	struct sl_slice name = sl_slice(line.p, (size_t)(colon - line.p));
	struct sl_slice value = trim(sl_slice(colon + 1, line.n - name.n - 1));
	if (!header_is_passed(name) || value.n > 512)
		return;
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
			return;
	if (t->passed.max == 0)
		sl_buf_init(&t->passed, PASSED_MAX_BYTES);
	sl_buf_printf(&t->passed, "%.*s: %.*s\n", (int)name.n, name.p, (int)value.n, value.p);
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	(void)size;
	t->head_bytes += n;
	if (t->head_bytes > HEAD_MAX_BYTES) {
		t->fault = TRANSFER_BAD;
		return 0;
	}
	if (n >= 5 && strncasecmp(p, "HTTP/", 5) == 0)
		sl_buf_fini(&t->passed); /* the head of a next response (after 100) */
	else
		keep_header(t, sl_slice(p, n));
	return n;
}

static void announce_head(struct transfer *t)
{
	if (t->head_done)
		return;
	t->head_done = true;
	t->handler->head(t->handler, t);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	(void)size;
	if (t->want_pause && !t->cancelled) { /* libcurl reads on within one call as long as bytes
						 come: it keeps these */
		t->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	multi_enter(t->multi);
	if (!t->cancelled)
		announce_head(t);
	if (!t->cancelled)
		t->handler->body(t->handler, t, p, n);
	multi_leave(t->multi);
	return t->cancelled ? 0 : n;
}

/*
 * A request is about to be written to a connection. The second time it would be libcurl's own idea,
 * because a reused connection died without an answer: no, the request may have been accepted.
 * (Feeding the body by a callback that refuses to rewind does the same, for 16 KiB more a
 * transfer.)
 */
static int on_request(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct transfer *t = arg;
	(void)to, (void)from, (void)to_port, (void)from_port;
	return t->sends++ == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static bool add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);
	if (more)
		*list = more;
	return more != NULL;
}

/* Adds each of "Name: value\n"…, however long: a session token has kilobytes. */
static bool add_lines(struct curl_slist **list, struct sl_slice lines)
{
	while (lines.n) {
		const char *lf = memchr(lines.p, '\n', lines.n);
		size_t n = lf ? (size_t)(lf - lines.p) : lines.n;
		char *line = strndup(lines.p, n);
		bool ok = line && add_header(list, line);
		if (line)
			explicit_bzero(line, strlen(line));
		free(line);
		if (!ok)
			return false;
		lines = sl_slice(lines.p + n + (lf != NULL), lines.n - n - (lf != NULL));
	}
	return true;
}

/* Adds "name: [prefix]value". */
static bool add_pair(struct curl_slist **list, const char *name, const char *prefix,
		     const char *value)
{
	struct sl_buf line;
	sl_buf_init(&line, 65536);
	bool ok = sl_buf_printf(&line, "%s: %s%s", name, prefix, value) == 0 &&
		  sl_buf_putc(&line, '\0') == 0 && add_header(list, line.p);
	sl_buf_wipe(&line);
	return ok;
}

/* With a port that is not the usual one. */
static struct sl_slice host_of(const char *url)
{
	struct sl_slice usual = strncmp(url, "https", 5) == 0 ? SL_LIT(":443") : SL_LIT(":80");
	const char *host = strstr(url, "://") + 3;
	size_t n = strcspn(host, "/");
	if (n > usual.n && memcmp(host + n - usual.n, usual.p, usual.n) == 0)
		n -= usual.n;
	return sl_slice(host, n);
}

/* Host and path as they go out. Host is ours too: libcurl rewrites addresses ("127.1"). */
static bool add_signature(struct curl_slist **list, const struct transfer_request *r)
{
	const struct upstream_options *u = r->upstream;
	const struct sigv4 who = {u->region, "bedrock", u->access_key, u->secret_key,
				  u->session_token};
	const char *base = strstr(u->url, "://") + 3;
	const size_t path_n = strcspn(r->path, "?");
	struct sl_slice host = host_of(u->url);
	struct sl_buf path, lines;
	sl_buf_init(&path, 8192);
	sl_buf_init(&lines, 65536);
	bool ok =
		sl_buf_printf(&path, "%s%.*s", base + strcspn(base, "/"), (int)path_n, r->path) ==
			0 &&
		sl_buf_printf(&lines, "Host: %.*s\n", (int)host.n, host.p) == 0 &&
		sigv4_sign(&who,
			   &(struct sigv4_request){.method = r->post ? "POST" : "GET",
						   .host = host,
						   .path = sl_buf_slice(&path),
						   .query = sl_slice_str(r->path + path_n +
									 (r->path[path_n] == '?')),
						   .payload = r->body,
						   .time_s = clock_unix_ms() / 1000},
			   &lines) == 0 &&
		add_lines(list, sl_buf_slice(&lines));
	sl_buf_fini(&path);
	sl_buf_wipe(&lines);
	return ok;
}

static bool add_key(struct curl_slist **list, const struct transfer_request *r)
{
	const struct upstream_options *u = r->upstream;
	const struct api *api = api_of(u->api);
	if (r->key && api->auth == API_AUTH_HEADER)
		return add_pair(list, api->auth_header, "", r->key);
	if (r->key)
		return add_pair(list, "Authorization", "Bearer ", r->key);
	return api->auth != API_AUTH_AWS || !u->access_key || add_signature(list, r);
}

/* Whether one of "Name: value\n"… has the name that `line` has. */
static bool has_header(struct sl_slice lines, const char *line)
{
	size_t name = strcspn(line, ":") + 1;
	while (lines.n) {
		const char *lf = memchr(lines.p, '\n', lines.n);
		size_t n = lf ? (size_t)(lf - lines.p) + 1 : lines.n;
		if (n >= name && strncasecmp(lines.p, line, name) == 0)
			return true;
		lines = sl_slice(lines.p + n, lines.n - n);
	}
	return false;
}

static struct curl_slist *request_headers(const struct transfer_request *r)
{
	const struct upstream_options *u = r->upstream;
	const struct api *api = api_of(u->api);
	struct curl_slist *list = NULL;
	bool ok = add_header(&list, "Expect:") && add_header(&list, "Accept-Encoding: identity") &&
		  add_pair(&list, "Accept", "", r->stream ? api->accept : "application/json") &&
		  (!r->post || add_header(&list, "Content-Type: application/json")) &&
		  add_key(&list, r);
	if (ok && api->header && !has_header(r->headers, api->header))
		ok = add_lines(&list, sl_slice_str(api->header));
	for (size_t i = 0; ok && i < u->n_headers; i++)
		ok = add_pair(&list, u->headers[i].name, "", u->headers[i].value);
	ok = ok && add_lines(&list, r->headers);
	if (!ok) {
		curl_slist_free_all(list);
		return NULL;
	}
	return list;
}

/* CURLOPT_x that cannot fail for want of memory are not looked at: they fail only for options that
 * this libcurl does not know, which meson's version bound excludes. */
static bool set_options(struct transfer *t, const struct transfer_request *r)
{
	const struct upstream_options *u = r->upstream;
	CURL *c = t->easy;
	char url[4096];
	if ((size_t)snprintf(url, sizeof(url), "%s%s", u->url, r->path) >= sizeof(url))
		return false;
	bool ok = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_PROXY, u->proxy ? u->proxy : "") == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK;
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L); /* as it was signed */
	if (u->ca)
		ok &= curl_easy_setopt(c, CURLOPT_CAINFO, u->ca) == CURLE_OK;
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
			 u->http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
	curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, CONNECTION_AGE_S);
	curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)RECV_BUFFER);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L);
	/* The header list asks for identity; what comes compressed all the same is inflated. */
	curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
	if (r->post) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body.p ? r->body.p : "");
	}
	return ok;
}

struct transfer *transfer_start(struct multi *m, const struct transfer_request *r,
				struct transfer_handler *h)
{
	struct transfer *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct transfer){.multi = m, .handler = h};
	t->easy = multi_take_easy(m);
	t->headers = t->easy ? request_headers(r) : NULL;
	if (!t->headers || !set_options(t, r) || !multi_add(m, t)) {
		if (t->easy)
			curl_easy_cleanup(t->easy);
		curl_slist_free_all(t->headers);
		free(t);
		return NULL;
	}
	return t;
}

void transfer_cancel(struct transfer *t)
{
	t->cancelled = true;
	if (multi_is_inside(t->multi))
		multi_cancel_later(t->multi, t);
	else
		multi_remove(t->multi, t);
}

void transfer_pause(struct transfer *t, bool on)
{
	if (!t->cancelled)
		multi_pause(t->multi, t, on);
}

/* What libcurl's end means for the one who asked. */
static enum transfer_result result_of(const struct transfer *t, CURLcode code)
{
	if (t->fault != TRANSFER_OK)
		return t->fault;
	switch (code) {
	case CURLE_OK:
		return TRANSFER_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_INTERFACE_FAILED:
		return TRANSFER_UNREACHABLE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
		return TRANSFER_TLS;
	case CURLE_OPERATION_TIMEDOUT: /* only the connect timeout is libcurl's */
		return t->head_bytes ? TRANSFER_CUT : TRANSFER_TIMEOUT;
	case CURLE_OUT_OF_MEMORY: /* what libcurl says of a header line of more than 100 KB */
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_HTTP2:
		return TRANSFER_BAD;
	default:
		return t->head_bytes ? TRANSFER_CUT : TRANSFER_CLOSED;
	}
}

void transfer_finish(struct transfer *t, CURLcode code)
{
	if (t->cancelled)
		return;
	if (code == CURLE_OK ||
	    (t->fault == TRANSFER_OK && t->head_bytes && transfer_status(t) >= 200 &&
	     code != CURLE_BAD_CONTENT_ENCODING && code != CURLE_WEIRD_SERVER_REPLY))
		announce_head(t);
	if (!t->cancelled)
		t->handler->done(t->handler, t, result_of(t, code), curl_easy_strerror(code));
}

void transfer_free(struct transfer *t)
{
	curl_slist_free_all(t->headers);
	sl_buf_fini(&t->passed);
	free(t);
}

int transfer_status(const struct transfer *t)
{
	long status = 0;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

struct sl_slice transfer_content_type(const struct transfer *t)
{
	char *type = NULL;
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	return sl_slice_str(type);
}

struct sl_slice transfer_headers(const struct transfer *t)
{
	return sl_buf_slice(&t->passed);
}
