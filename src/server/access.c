/* Owners of streams. */
#include "server/access.h"

#include <string.h>
#include "base/clock.h"
#include "server/respond.h"
#include "server/server_private.h"
#include "server/ticket.h"

#define READ_URL_MS (60 * 60 * 1000)

const char *access_owner(const struct exchange *x)
{
	return x->key ? x->key->name : NULL;
}

bool access_owns(const struct exchange *x, const struct stream *s)
{
	const char *owner = access_owner(x);
	return owner && s->owner ? strcmp(owner, s->owner) == 0 : !owner && !s->owner;
}

struct stream *access_stream(const struct exchange *x, struct sl_slice id)
{
	struct stream *s = stream_find(x->server->table, id);
	if (s && access_owns(x, s))
		return s;
	stream_unref(s);
	return NULL;
}

struct stream *access_stream_to_read(const struct exchange *x, struct sl_slice id,
				     struct sl_slice ticket)
{
	if (ticket.n == 0)
		return access_stream(x, id);
	if (!ticket_is_good(x->server->shared, id, ticket, clock_unix_ms() / 1000))
		return NULL;
	return stream_find(x->server->table, id);
}

bool access_model(const struct exchange *x, struct sl_slice model)
{
	const struct access_key *k = x->key;
	if (!k || k->n_models == 0)
		return true;
	for (size_t i = 0; i < k->n_models; i++)
		if (sl_slice_is(model, k->models[i]))
			return true;
	return false;
}

struct leave access_leave(const struct exchange *x, struct leave otherwise)
{
	return x->key && x->key->leave_is_set ? x->key->when_client_leaves : otherwise;
}

uint64_t access_heartbeat_ms(const struct exchange *x)
{
	return x->key && x->key->heartbeat_is_set ? x->key->heartbeat_ms
						  : x->config->set.streams->heartbeat_ms;
}

bool access_event_ids(const struct exchange *x)
{
	return x->key && x->key->event_ids_is_set ? x->key->event_ids
						  : x->config->set.streams->event_ids;
}

int access_print_read_url(const struct exchange *x, const char *stream_id, struct sl_buf *out)
{
	int64_t expires;
	if (x->config->set.options->n_keys == 0)
		return sl_buf_printf(out, "/v1/streams/%s", stream_id);
	return access_print_ticketed_url(x, stream_id, READ_URL_MS, &expires, out);
}

int access_print_ticketed_url(const struct exchange *x, const char *stream_id, uint64_t ttl_ms,
			      int64_t *expires_unix, struct sl_buf *out)
{
	/* Rounded up: it is good for all of the time that was asked for. */
	int64_t expires = (clock_unix_ms() + (int64_t)ttl_ms + 999) / 1000;
	int r = sl_buf_printf(out, "/v1/streams/%s?ticket=", stream_id);
	if (r == 0)
		r = ticket_print(x->server->shared, stream_id, expires, out);
	if (r == 0)
		*expires_unix = expires;
	return r;
}

void access_refuse_stream(struct exchange *x)
{
	respond_refusal(x, 404, "invalid_request_error", "stream_not_found",
			"there is no such stream");
}
