/* Who calls. A caller learns whether they may come in, and nothing of why not. */
#include "server/auth.h"

#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "server/credentials.h"
#include "server/server_private.h"
#include "server/ticket.h"

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

bool auth_has_ticket(const struct exchange *x)
{
	return x->route && x->route->flags & ROUTE_F_TICKET && exchange_query(x, "ticket");
}

static struct sl_slice next_item(struct sl_slice *list)
{
	const char *comma = list->n ? memchr(list->p, ',', list->n) : NULL;
	size_t n = comma ? (size_t)(comma - list->p) : list->n;
	struct sl_slice item = sl_slice(list->p, n);
	*list = comma ? sl_slice(comma + 1, list->n - n - 1) : (struct sl_slice){0};
	return item;
}

/* A ticket for each stream that the request names, in their order. */
static bool tickets_are_good(const struct exchange *x)
{
	int64_t now = clock_unix_ms() / 1000;
	struct sl_slice tickets = sl_slice_str(exchange_query(x, "ticket"));
	struct sl_slice streams = sl_slice_str(*x->param ? x->param : exchange_query(x, "streams"));
	do {
		struct sl_slice id = next_item(&streams);
		if (!ticket_is_good(x->server->shared, id, next_item(&tickets), now))
			return false;
	} while (streams.p);
	return tickets.p == NULL;
}

struct refusal auth_check(struct exchange *x)
{
	const struct server_options *o = x->config->set.options;
	if (auth_has_ticket(x) && !tickets_are_good(x))
		return (struct refusal){401, "authentication_error", "invalid_ticket",
					"the ticket is not good for this, or not any more", true};
	if (o->n_keys == 0 || x->route->flags & ROUTE_F_OPEN || auth_has_ticket(x))
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
