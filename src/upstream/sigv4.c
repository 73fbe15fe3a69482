/* Canonical request ─▶ its hash in the string to sign ─▶ signature by a key made for day and place. */
#include "upstream/sigv4.h"

#include <ctype.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sluice/error.h>

#define HASH          32
#define CANONICAL_MAX (256 * 1024)
#define QUERY_MAX     32 /* parameters */

struct hex {
	char text[2 * HASH + 1];
};

static struct hex hex_of(const unsigned char bytes[HASH])
{
	static const char digits[] = "0123456789abcdef";
	struct hex hex = {{0}};
	for (size_t i = 0; i < HASH; i++) {
		hex.text[2 * i] = digits[bytes[i] >> 4];
		hex.text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return hex;
}

static int hash(struct sl_slice s, struct hex *hex)
{
	unsigned char bytes[HASH];
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, s.p ? s.p : "", s.n, bytes) < 0)
		return -SL_E_NOMEM;
	*hex = hex_of(bytes);
	return 0;
}

/* key becomes the HMAC of `text` by it. */
static int step(unsigned char key[HASH], const char *text)
{
	unsigned char next[HASH];
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, HASH, text, strlen(text), next) < 0)
		return -SL_E_NOMEM;
	memcpy(key, next, HASH);
	explicit_bzero(next, sizeof(next));
	return 0;
}

static int put_encoded(struct sl_buf *out, unsigned char c, const char *also)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	return c && (strchr(plain, c) || strchr(also, c)) ? sl_buf_putc(out, (char)c)
							  : sl_buf_printf(out, "%%%02X", c);
}

/* The path is encoded once more than on its way: what it has in it of %XX becomes %25XX. */
static int put_path(struct sl_buf *out, struct sl_slice path)
{
	int r = path.n ? 0 : sl_buf_putc(out, '/');
	for (size_t i = 0; i < path.n && r == 0; i++)
		r = put_encoded(out, (unsigned char)path.p[i], "/");
	return r;
}

static int digit_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;
	return at && isxdigit((unsigned char)c) ? (int)(at - digits) : -1;
}

/* Appends a name or a value of the query, encoded in the one way that is canonical. */
static int put_word(struct sl_buf *out, struct sl_slice wire)
{
	int r = 0;
	for (size_t i = 0; i < wire.n && r == 0; i++) {
		unsigned char c = (unsigned char)wire.p[i];
		int high = c == '%' && i + 2 < wire.n ? digit_of(wire.p[i + 1]) : -1;
		int low = high >= 0 ? digit_of(wire.p[i + 2]) : -1;
		if (low >= 0) {
			c = (unsigned char)(high << 4 | low);
			i += 2;
		}
		r = put_encoded(out, c, "");
	}
	return r;
}

struct parameter {
	struct sl_slice name, all; /* all: "name=value" */
};

static int order(struct sl_slice a, struct sl_slice b)
{
	int r = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return r ? r : (a.n > b.n) - (a.n < b.n);
}

static int by_name_and_value(const void *a, const void *b)
{
	const struct parameter *x = a, *y = b;
	int r = order(x->name, y->name);
	return r ? r : order(x->all, y->all);
}

/* Encodes "name=value" or "name" behind what is in the text, which has room for it. */
static int read_parameter(struct sl_buf *text, struct sl_slice wire, struct parameter *out)
{
	const char *equals = memchr(wire.p, '=', wire.n);
	size_t n = equals ? (size_t)(equals - wire.p) : wire.n, start = text->len;
	int r = put_word(text, sl_slice(wire.p, n));
	out->name = sl_slice(text->p + start, text->len - start);
	if (r == 0)
		r = sl_buf_putc(text, '=');
	if (r == 0 && equals)
		r = put_word(text, sl_slice(equals + 1, wire.n - n - 1));
	out->all = sl_slice(text->p + start, text->len - start);
	return r;
}

/* The number of parameters, or negative. */
static int read_query(struct sl_buf *text, struct sl_slice query,
		      struct parameter parameters[QUERY_MAX])
{
	int n = 0;
	/* At once, so that slices into it stay: each byte as %XX, an "=" for each, a NUL. */
	int r = sl_buf_reserve(text, 3 * query.n + QUERY_MAX + 1);
	while (query.n && r == 0) {
		const char *end = memchr(query.p, '&', query.n);
		struct sl_slice one = sl_slice(query.p, end ? (size_t)(end - query.p) : query.n);
		if (one.n && n == QUERY_MAX)
			return -SL_E_LIMIT;
		if (one.n)
			r = read_parameter(text, one, &parameters[n++]);
		query = sl_slice(one.p + one.n + (end != NULL), query.n - one.n - (end != NULL));
	}
	return r < 0 ? r : n;
}

static int put_query(struct sl_buf *out, struct sl_slice query)
{
	struct parameter parameters[QUERY_MAX];
	struct sl_buf text;
	sl_buf_init(&text, CANONICAL_MAX);
	int n = read_query(&text, query, parameters), r = n < 0 ? n : 0;
	if (n > 1)
		qsort(parameters, (size_t)n, sizeof(*parameters), by_name_and_value);
	for (int i = 0; i < n && r == 0; i++) {
		r = i ? sl_buf_putc(out, '&') : 0;
		if (r == 0)
			r = sl_buf_put_slice(out, parameters[i].all);
	}
	sl_buf_fini(&text);
	return r;
}

static const char *signed_names(const struct sigv4 *s)
{
	return s->session_token ? "host;x-amz-date;x-amz-security-token" : "host;x-amz-date";
}

static int hash_request(const struct sigv4 *s, const struct sigv4_request *q, const char *date,
			struct hex *hashed)
{
	struct sl_buf text;
	struct hex payload;
	sl_buf_init(&text, CANONICAL_MAX);
	int r = hash(q->payload, &payload);
	if (r == 0)
		r = sl_buf_printf(&text, "%s\n", q->method);
	if (r == 0)
		r = put_path(&text, q->path);
	if (r == 0)
		r = sl_buf_putc(&text, '\n');
	if (r == 0)
		r = put_query(&text, q->query);
	if (r == 0)
		r = sl_buf_printf(&text, "\nhost:%.*s\nx-amz-date:%s\n", (int)q->host.n, q->host.p,
				  date);
	/* All that follows: a buffer that grows would leave the token behind where it was. */
	if (r == 0)
		r = sl_buf_reserve(&text, 256 + sl_slice_str(s->session_token).n);
	if (r == 0 && s->session_token)
		r = sl_buf_printf(&text, "x-amz-security-token:%s\n", s->session_token);
	if (r == 0)
		r = sl_buf_printf(&text, "\n%s\n%s", signed_names(s), payload.text);
	if (r == 0)
		r = hash(sl_buf_slice(&text), hashed);
	sl_buf_wipe(&text);
	return r;
}

static int make_signature(const struct sigv4 *s, const char *day, const char *to_sign,
			  struct hex *signature)
{
	const char *const steps[] = {day, s->region, s->service, "aws4_request", to_sign};
	unsigned char key[HASH];
	struct sl_buf secret;
	sl_buf_init(&secret, 4096);
	int r = sl_buf_printf(&secret, "AWS4%s", s->secret_key);
	if (r == 0 && gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret.p, secret.len, steps[0],
				       strlen(steps[0]), key) < 0)
		r = -SL_E_NOMEM;
	for (size_t i = 1; i < sizeof(steps) / sizeof(*steps) && r == 0; i++)
		r = step(key, steps[i]);
	if (r == 0)
		*signature = hex_of(key);
	sl_buf_wipe(&secret);
	explicit_bzero(key, sizeof(key));
	return r;
}

int sigv4_sign(const struct sigv4 *s, const struct sigv4_request *q, struct sl_buf *out)
{
	char date[32], day[16];
	time_t time = (time_t)q->time_s;
	struct hex request, signature;
	struct sl_buf scope, to_sign;
	struct tm tm;
	gmtime_r(&time, &tm);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
	strftime(day, sizeof(day), "%Y%m%d", &tm);
	sl_buf_init(&scope, 512);
	sl_buf_init(&to_sign, 1024);
	int r = hash_request(s, q, date, &request);
	if (r == 0)
		r = sl_buf_printf(&scope, "%s/%s/%s/aws4_request", day, s->region, s->service);
	if (r == 0)
		r = sl_buf_printf(&to_sign, "AWS4-HMAC-SHA256\n%s\n%.*s\n%s", date, (int)scope.len,
				  scope.p, request.text);
	if (r == 0)
		r = sl_buf_putc(&to_sign, '\0');
	if (r == 0)
		r = make_signature(s, day, to_sign.p, &signature);
	if (r == 0)
		r = sl_buf_printf(
			out,
			"X-Amz-Date: %s\nAuthorization: AWS4-HMAC-SHA256 Credential=%s/%.*s, "
			"SignedHeaders=%s, Signature=%s\n",
			date, s->access_key, (int)scope.len, scope.p, signed_names(s),
			signature.text);
	if (r == 0 && s->session_token)
		r = sl_buf_printf(out, "X-Amz-Security-Token: %s\n", s->session_token);
	sl_buf_fini(&scope);
	sl_buf_fini(&to_sign);
	return r;
}
