/* Who calls. A caller learns whether they may come in, and nothing of why not. */
#include "server/auth.h"

#include <string.h>
#include <strings.h>
#include "server/credentials.h"
#include "server/server_private.h"

struct sent {
	struct sl_slice key;
	bool differ; /* there is another one beside it */
};

static enum MHD_Result see_header(void *cls, enum MHD_ValueKind kind, const char *name,
				  const char *value)
{
	struct sent *sent = cls;
	struct sl_slice key = {0};
	(void)kind;
	if (!value)
		return MHD_YES;
	bool bearer = strcasecmp(name, "Authorization") == 0;
	if (bearer)
		key = credentials_bearer(value);
	else if (strcasecmp(name, "x-api-key") == 0 || strcasecmp(name, "api-key") == 0)
		key = sl_slice_str(value);
	if (key.n == 0)
		return MHD_YES;
	sent->differ |= sent->key.n && !sl_slice_eq(sent->key, key);
	if (sent->key.n == 0 || bearer)
		sent->key = key;
	return MHD_YES;
}

static struct sent look(const struct exchange *x)
{
	struct sent sent = {0};
	MHD_get_connection_values(x->conn->mhd, MHD_HEADER_KIND, see_header, &sent);
	return sent;
}

struct sl_slice auth_sent_key(const struct exchange *x)
{
	return look(x).key;
}

bool auth_is_local(const struct exchange *x)
{
	return (x->conn->is_unix || client_address_is_loopback(&x->conn->address)) &&
	       !exchange_header(x, "X-Forwarded-For") && !exchange_header(x, "Forwarded");
}

/* URLs end up in logs, histories and referrers. */
static bool has_key_in_query(const struct exchange *x)
{
	static const char *const names[] = {"key", "api_key", "api-key", "access_token", "token"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (exchange_query(x, names[i]))
			return true;
	return false;
}

struct refusal auth_check(struct exchange *x)
{
	const struct server_options *o = x->config->set.options;
	if (o->n_keys == 0 || x->route->flags & ROUTE_F_OPEN)
		return (struct refusal){0};
	if (has_key_in_query(x))
		return (struct refusal){400, "invalid_request_error", "key_in_query",
					"a key does not belong into the URL, where others see it: "
					"send it as Authorization: Bearer KEY",
					true};
	struct sent sent = look(x);
	if (sent.differ)
		return (struct refusal){400, "invalid_request_error", "ambiguous_key",
					"the request brings two different keys", true};
	x->key = credentials_find(o->keys, o->n_keys, sent.key);
	if (x->key || (x->route->flags & ROUTE_F_METRICS && auth_is_local(x)))
		return (struct refusal){0};
	return (struct refusal){401, "authentication_error", "invalid_api_key",
				"this server wants a key that it knows, as Authorization: Bearer "
				"KEY",
				true};
}
