/* A worker's server: its parts, its place in the loop's turn, its end. */
#include "server/server.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server/server_private.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct snapshot_ref *snapshot_take(const struct server_set *set)
{
	struct snapshot_ref *r = malloc(sizeof(*r));
	if (!r)
		return NULL;
	*r = (struct snapshot_ref){.refs = 1, .set = *set};
	r->set.holder = set->ref(set->holder);
	return r;
}

struct snapshot_ref *snapshot_hold(struct snapshot_ref *r)
{
	r->refs++;
	return r;
}

void snapshot_drop(struct snapshot_ref *r)
{
	if (!r || --r->refs > 0)
		return;
	r->set.unref(r->set.holder);
	free(r);
}

/* One batch of sends and resumes, then each touched daemon runs. */
static bool run_stage(struct loop_stage *stage)
{
	struct server *s = FROM(stage, struct server, stage);
	struct exchange *next = s->resume;
	s->resume = NULL; /* who asks for more from here on waits for the next turn */
	while (next) {
		struct exchange *x = next;
		next = x->resume_next;
		x->resume_queued = false;
		if (x->state == X_STREAMING && output_send(x))
			continue;
		x->suspended = false;
		shard_touch(x->conn->shard);
		MHD_resume_connection(x->conn->mhd);
	}
	/* What the daemons did may have given others a reason to go on. */
	return shards_run(s) || s->resume;
}

struct server *server_new(struct loop *loop, struct server_shared *shared,
			  struct stream_table *table, struct channel_table *channels,
			  struct generator *generator, const struct server_set *set)
{
	struct server *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct server){.loop = loop,
			     .shared = shared,
			     .table = table,
			     .channels = channels,
			     .generator = generator,
			     .config = snapshot_take(set),
			     .stage.run = run_stage,
			     .spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
	s->peek_bytes = set->options->header_bytes;
	s->peeked = malloc(s->peek_bytes);
	s->chunk = malloc(SERVER_CHUNK_BYTES);
	if (!s->config || !s->peeked || !s->chunk) {
		server_free(s);
		return NULL;
	}
	loop_add_stage(loop, &s->stage);
	return s;
}

void server_configure(struct server *s, const struct server_set *set)
{
	struct snapshot_ref *r = snapshot_take(set);
	if (!r)
		return;
	snapshot_drop(s->config);
	s->config = r;
	s->shared->connections_max = set->options->connections;
	s->shared->per_address_max = set->options->per_address;
}

void server_drain(struct server_shared *s)
{
	s->draining = true;
}

void server_close(struct server *s)
{
	while (s->listeners) {
		struct listener *l = s->listeners;
		s->listeners = l->next;
		if (timer_is_set(&l->rest))
			loop_stop_timer(s->loop, &l->rest);
		else
			loop_remove_io(s->loop, &l->io);
		close(l->io.fd);
		free(l);
	}
}

unsigned server_busy(const struct server *s)
{
	return s->busy;
}

void server_cut(struct server *s)
{
	for (struct conn *c = s->conns; c; c = c->next)
		if (c->x) {
			c->io.ready(&c->io, EPOLLRDHUP);
			shutdown(c->io.fd, SHUT_RDWR);
		}
}

void server_free(struct server *s)
{
	if (!s)
		return;
	assert(s->busy == 0);
	server_close(s);
	for (struct conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		if (!c->shard)
			conn_drop(c);
	}
	shards_free(s);
	snapshot_drop(s->config);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	free(s->events);
	free(s->peeked);
	free(s->chunk);
	free(s);
}
