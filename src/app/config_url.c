/* URLs, origins and the names that stand in headers. Strict: a strange character is an error, not a
 * guess. */
#include "app/config_value.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sluice/error.h>
#include <sluice/slice.h>

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool config_is_token(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++) {
		if (!is_alnum(*text) && !strchr("!#$%&'*+-.^_`|~", *text))
			return false;
	}
	return true;
}

bool config_is_header_text(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static const char *check_port(struct sl_slice port)
{
	unsigned n = 0;

	if (port.n == 0 || port.n > 5)
		return "the port must be between 1 and 65535";
	for (size_t i = 0; i < port.n; i++) {
		if (!is_digit(port.p[i]))
			return "the port is no number";
		n = 10 * n + (unsigned)(port.p[i] - '0');
	}
	return n >= 1 && n <= 65535 ? NULL : "the port must be between 1 and 65535";
}

static bool is_ipv6(struct sl_slice s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr v6;

	if (s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	return inet_pton(AF_INET6, text, &v6) == 1;
}

/* "host", "host:port", "[::1]" or "[::1]:port". */
static const char *check_authority(struct sl_slice s)
{
	const char *end, *colon;

	if (s.n == 0)
		return "no host";
	if (s.p[0] == '[') {
		end = memchr(s.p, ']', s.n);
		if (!end || !is_ipv6(sl_slice(s.p + 1, (size_t)(end - s.p - 1))))
			return "no IPv6 address in the brackets";
		end++;
		if (end == s.p + s.n)
			return NULL;
		if (*end != ':')
			return "what stands behind the bracket is no port";
		return check_port(sl_slice(end + 1, (size_t)(s.p + s.n - end - 1)));
	}
	colon = memchr(s.p, ':', s.n);
	if (colon == s.p)
		return "no host";
	for (size_t i = 0; i < s.n && s.p + i != colon; i++) {
		if (!is_alnum(s.p[i]) && !strchr("-._", s.p[i]))
			return "a character that no host name has";
	}
	return colon ? check_port(sl_slice(colon + 1, (size_t)(s.p + s.n - colon - 1))) : NULL;
}

/* The length of "scheme://" when text begins with one of these, else 0. */
static size_t scheme_of(const char *text, const char *const *schemes)
{
	for (; *schemes; schemes++) {
		size_t n = strlen(*schemes);

		if (strncasecmp(text, *schemes, n) == 0 && strncmp(text + n, "://", 3) == 0)
			return n + 3;
	}
	return 0;
}

static bool is_path_char(char c)
{
	return is_alnum(c) || strchr("-._~%!$&'()*+,;=:@/", c);
}

/* A digit after "v" is a version: /v1, /v1beta, /v2. Some bases go on behind it (/v1beta/openai);
 * others have that of a gateway in their middle (/v1/account/anthropic), and not their own. */
static bool names_version(const char *path, size_t n, bool goes_on)
{
	for (size_t i = 0; i + 2 < n; i++) {
		if (path[i] == '/' && path[i + 1] == 'v' && is_digit(path[i + 2]) &&
		    (goes_on || !memchr(path + i + 1, '/', n - i - 1)))
			return true;
	}
	return false;
}

static bool ends_with(const char *path, size_t n, const char *end)
{
	size_t k = strlen(end);

	return n >= k && memcmp(path + n - k, end, k) == 0;
}

/* What people copy from a manual instead of the base. */
static bool is_endpoint(const char *path, size_t n)
{
	static const char *const endpoints[] = {
		"/chat/completions", "/completions", "/embeddings", "/models",
		"/responses",        "/messages",    "/api/chat",   "/v2/chat",
	};

	for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++) {
		if (ends_with(path, n, endpoints[i]))
			return true;
	}
	return false;
}

const char *config_base_url(const char *text, const char *version, bool goes_on, char **out)
{
	static const char *const schemes[] = {"http", "https", NULL};
	size_t scheme = scheme_of(text, schemes), n, host;
	const char *path, *why;

	if (scheme == 0)
		return "no http:// or https:// URL";
	if (strpbrk(text, "?#"))
		return "a base URL has no query and no fragment";
	host = strcspn(text + scheme, "/");
	if (memchr(text + scheme, '@', host))
		return "no credentials in the URL: they belong to key or headers";
	why = check_authority(sl_slice(text + scheme, host));
	if (why)
		return why;
	path = text + scheme + host;
	for (n = 0; path[n]; n++) {
		if (!is_path_char(path[n]))
			return "a character that no URL has";
	}
	while (n > 0 && path[n - 1] == '/')
		n--;
	if (is_endpoint(path, n))
		return "the URL of one endpoint: the base is what stands before its path";
	if (asprintf(out, "%.*s%s", (int)(path - text + (ptrdiff_t)n), text,
		     names_version(path, n, goes_on) ? "" : version) < 0) {
		*out = NULL;
		return "not enough memory";
	}
	for (size_t i = 0; i < scheme - 3; i++) /* a scheme in capitals */
		(*out)[i] = (char)((*out)[i] | 0x20);
	return NULL;
}

const char *config_proxy_url(const char *text)
{
	static const char *const schemes[] = {"http", "https", "socks5", "socks5h", NULL};
	size_t scheme = scheme_of(text, schemes), n;
	const char *at;

	if (scheme == 0)
		return "no http://, https://, socks5:// or socks5h:// URL";
	text += scheme;
	for (n = 0; text[n] && text[n] != '/'; n++) {
		if (text[n] <= ' ' || text[n] > '~' || strchr("?#\\\"<>", text[n]))
			return "a character that no URL has";
	}
	if (text[n] == '/' && text[n + 1])
		return "a proxy has no path";
	at = memrchr(text, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	return check_authority(sl_slice(text, n));
}

const char *config_origin(const char *text)
{
	static const char *const schemes[] = {"http", "https", NULL};
	size_t scheme = scheme_of(text, schemes);

	if (strcmp(text, "*") == 0)
		return "\"*\" would let every page on the web call this server: name the origins";
	if (scheme == 0)
		return "an origin is https://host or http://host:port";
	for (const char *p = text; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			return "browsers send origins in lower case";
	}
	if (strchr(text + scheme, '/'))
		return "an origin has no path and no slash at its end";
	return check_authority(sl_slice_str(text + scheme));
}

const char *config_host_name(const char *text)
{
	if (strstr(text, "://") || strchr(text, '/'))
		return "a host name is wanted, not a URL";
	if (strchr(text, '*'))
		return "there are no patterns: name each host";
	return check_authority(sl_slice_str(text));
}
