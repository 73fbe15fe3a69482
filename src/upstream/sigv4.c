/* Canonical request ─▶ its hash in the string to sign ─▶ signature by a key made for day and place. */
#include "upstream/sigv4.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sluice/error.h>

#define HASH          32
#define CANONICAL_MAX 65536

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

/* The path is encoded once more than on its way: what it has in it of %XX becomes %25XX. */
static int put_path(struct sl_buf *out, struct sl_slice path)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
	int r = path.n ? 0 : sl_buf_putc(out, '/');
	for (size_t i = 0; i < path.n && r == 0; i++) {
		unsigned char c = (unsigned char)path.p[i];
		r = c && strchr(plain, c) ? sl_buf_putc(out, (char)c)
					  : sl_buf_printf(out, "%%%02X", c);
	}
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
		r = sl_buf_printf(&text, "\n\nhost:%.*s\nx-amz-date:%s\n", (int)q->host.n,
				  q->host.p, date);
	if (r == 0 && s->session_token)
		r = sl_buf_printf(&text, "x-amz-security-token:%s\n", s->session_token);
	if (r == 0)
		r = sl_buf_printf(&text, "\n%s\n%s", signed_names(s), payload.text);
	if (r == 0)
		r = hash(sl_buf_slice(&text), hashed);
	if (text.p)
		explicit_bzero(text.p, text.len);
	sl_buf_fini(&text);
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
	if (secret.p)
		explicit_bzero(secret.p, secret.len);
	sl_buf_fini(&secret);
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
