/* What handlers do with an exchange: ask for its headers, let it wait, and wake it. */
#include <assert.h>
#include "server/conn.h"
#include "server/server_private.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

const char *exchange_header(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->conn->mhd, MHD_HEADER_KIND, name);
}

const char *exchange_query(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->conn->mhd, MHD_GET_ARGUMENT_KIND, name);
}

void exchange_suspend(struct exchange *x)
{
	assert(!x->suspended && !x->resume_queued);
	x->suspended = true;
	MHD_suspend_connection(x->conn->mhd);
}

void exchange_resume(struct exchange *x)
{
	if (!x->suspended || x->resume_queued)
		return;
	x->resume_queued = true;
	x->resume_next = x->server->resume;
	x->server->resume = x;
}

static void tick(struct timer *t)
{
	struct exchange *x = FROM(t, struct exchange, tick);
	if (x->state == X_WAITING)
		x->time_up = true;
	else
		output_tick(x);
	exchange_resume(x);
}

void exchange_set_time(struct exchange *x, uint64_t ms)
{
	x->tick.fire = tick;
	x->time_up = false;
	loop_set_timer(x->server->loop, &x->tick, ms);
}

void exchange_end(struct exchange *x)
{
	loop_stop_timer(x->server->loop, &x->tick);
	output_fini(&x->out);
	if (x->role)
		x->role->end(x);
}
