/* Owners of streams. */
#include "server/access.h"

#include <string.h>
#include "server/respond.h"
#include "server/server_private.h"

const char *access_owner(const struct exchange *x)
{
	return x->key ? x->key->name : NULL;
}

static bool is_owner(const struct exchange *x, const struct stream *s)
{
	const char *owner = access_owner(x);
	return owner && s->owner ? strcmp(owner, s->owner) == 0 : !owner && !s->owner;
}

struct stream *access_stream(const struct exchange *x, struct sl_slice id)
{
	struct stream *s = stream_find(x->server->table, id);
	if (s && is_owner(x, s))
		return s;
	stream_unref(s);
	return NULL;
}

void access_refuse_stream(struct exchange *x)
{
	respond_refusal(x, 404, "invalid_request_error", "stream_not_found",
			"there is no such stream");
}
