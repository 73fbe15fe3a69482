/* Signing and checking. There is one way to write a ticket: what is checked is signed again and
 * compared as text, so that no other spelling of it is good. */
#include "server/ticket.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <sluice/error.h>

#define DIGEST_BYTES   32
#define DIGEST_CHARS   43 /* in base64url, without padding */
#define DIGITS_MAX     18
#define STREAM_ID_MAX  64
#define MESSAGE_FORMAT "stream-ticket\n%.*s\n%" PRId64

static void put_base64url(const unsigned char *p, size_t n, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned bits = 0, have = 0;
	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 6; have -= 6)
			*out++ = digits[bits >> (have - 6) & 63];
	}
	if (have)
		*out++ = digits[bits << (6 - have) & 63];
	*out = '\0';
}

static int sign(const struct server_shared *s, struct sl_slice id, int64_t expires,
		char out[DIGEST_CHARS + 1])
{
	char message[STREAM_ID_MAX + 64];
	unsigned char digest[DIGEST_BYTES];
	if (id.n == 0 || id.n > STREAM_ID_MAX)
		return -SL_E_LIMIT;
	int n = snprintf(message, sizeof(message), MESSAGE_FORMAT, (int)id.n, id.p, expires);
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, s->ticket_secret, sizeof(s->ticket_secret), message,
			     (size_t)n, digest) < 0)
		return -SL_E_NOMEM;
	put_base64url(digest, sizeof(digest), out);
	return 0;
}

int ticket_print(const struct server_shared *s, const char *stream_id, int64_t expires_unix,
		 struct sl_buf *out)
{
	char signature[DIGEST_CHARS + 1];
	int r = sign(s, sl_slice_str(stream_id), expires_unix, signature);
	return r < 0 ? r : sl_buf_printf(out, "%" PRId64 ".%s", expires_unix, signature);
}

/* The number before the point, which begins with no zero. 0: there is none. */
static int64_t expiry_of(struct sl_slice ticket, size_t *digits)
{
	int64_t n = 0;
	size_t i = 0;
	for (; i < ticket.n && i < DIGITS_MAX && ticket.p[i] >= '0' && ticket.p[i] <= '9'; i++)
		n = n * 10 + (ticket.p[i] - '0');
	*digits = i;
	return i > 0 && ticket.p[0] != '0' ? n : 0;
}

bool ticket_is_good(const struct server_shared *s, struct sl_slice stream_id,
		    struct sl_slice ticket, int64_t now_unix)
{
	char signature[DIGEST_CHARS + 1];
	size_t digits;
	int64_t expires = expiry_of(ticket, &digits);
	if (expires == 0 || ticket.n != digits + 1 + DIGEST_CHARS || ticket.p[digits] != '.')
		return false;
	return sign(s, stream_id, expires, signature) == 0 &&
	       gnutls_memcmp(signature, ticket.p + digits + 1, DIGEST_CHARS) == 0 &&
	       now_unix < expires;
}
