/* Keys as callers send them, and whose they are. Pure. */
#ifndef SERVER_CREDENTIALS_H
#define SERVER_CREDENTIALS_H

#include <sluice/slice.h>
#include "server/options.h"

/* The key in the value of a header Authorization: what stands behind "Bearer", in upper or lower
 * case, without the space around it. Empty: there is none. */
struct sl_slice credentials_bearer(const char *value);

/* The one of `keys` whose SHA-256 is that of `key`; NULL: none. All of them are compared, each in
 * constant time. */
const struct access_key *credentials_find(const struct access_key *keys, size_t n,
					  struct sl_slice key);

#endif
