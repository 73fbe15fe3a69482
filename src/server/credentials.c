/* What is compared are digests: how long that takes tells nothing of a key. */
#include "server/credentials.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <strings.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

struct sl_slice credentials_bearer(const char *value)
{
	struct sl_slice key = {0};
	if (strncasecmp(value, "Bearer", 6) != 0 || !is_space(value[6]))
		return key;
	key = sl_slice_str(value + 6);
	while (key.n && is_space(*key.p))
		key = sl_slice(key.p + 1, key.n - 1);
	while (key.n && is_space(key.p[key.n - 1]))
		key.n--;
	return key;
}

const struct access_key *credentials_find(const struct access_key *keys, size_t n,
					  struct sl_slice key)
{
	unsigned char digest[sizeof(keys->sha256)];
	const struct access_key *found = NULL;
	if (key.n == 0 || gnutls_hash_fast(GNUTLS_DIG_SHA256, key.p, key.n, digest) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (gnutls_memcmp(digest, keys[i].sha256, sizeof(digest)) == 0)
			found = &keys[i];
	return found;
}
