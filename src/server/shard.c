/*
 * Shards: many small libmicrohttpd daemons instead of one, in external epoll mode, their epoll
 * descriptors nested in ours.
 *
 * Why: the MHD_run() after a resume walks all suspended connections of its daemon. One hot token
 * beside thousands of silent streams would pay for all of them; so a daemon gets at most
 * SHARD_CONNECTIONS.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "server/server_private.h"

#define SHARD_CONNECTIONS 64
#define TLS_PRIORITIES    "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"
#define RUNS_MAX          8
#define POOL_EXTRA        4096 /* beside the request's head: the response's, and a chunk */

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct shard {
	struct loop_io io; /* the daemon's epoll descriptor */
	struct server *server;
	struct MHD_Daemon *daemon;
	struct timer timeout; /* when it wants to run without being asked */
	unsigned connections;
	bool touched;
	struct shard *touched_next;
	struct shard *next;
};

__attribute__((format(printf, 2, 0))) static void log_mhd(void *cls, const char *format,
							  va_list args)
{
	static _Thread_local struct log_limit limit;
	char text[256];
	(void)cls;
	if (!log_wants(LOG_DEBUG) || !log_allow(&limit, 5))
		return;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\r\n")] = '\0';
	log_event(LOG_DEBUG, "http", {"message", LOG_STR(text)});
}

void shard_touch(struct shard *sh)
{
	if (sh->touched)
		return;
	sh->touched = true;
	sh->touched_next = sh->server->touched;
	sh->server->touched = sh;
}

static void daemon_ready(struct loop_io *io, uint32_t events)
{
	(void)events;
	shard_touch(FROM(io, struct shard, io));
}

static void daemon_timeout(struct timer *t)
{
	shard_touch(FROM(t, struct shard, timeout));
}

static struct MHD_Daemon *start_daemon(struct shard *sh)
{
	struct server *s = sh->server;
	const struct server_options *o = s->config->set.options;
	const struct server_shared *g = s->shared;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
			 MHD_USE_ERROR_LOG | (g->tls_cert ? (unsigned)MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, g->tls_cert},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, g->tls_key},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
		{g->tls_client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
		 g->tls_client_ca},
		{MHD_OPTION_END, 0, NULL},
	};
	if (!g->tls_cert)
		tls[0].option = MHD_OPTION_END;
	return MHD_start_daemon(flags, 0, NULL, NULL, conn_request, sh, MHD_OPTION_EXTERNAL_LOGGER,
				log_mhd, NULL, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned)SHARD_CONNECTIONS + 8, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)o->header_bytes + POOL_EXTRA, MHD_OPTION_CONNECTION_TIMEOUT,
				(unsigned)((o->idle_ms + 999) / 1000), MHD_OPTION_NOTIFY_COMPLETED,
				conn_completed, sh, MHD_OPTION_NOTIFY_CONNECTION, conn_notify, sh,
				MHD_OPTION_URI_LOG_CALLBACK, conn_uri, sh, MHD_OPTION_ARRAY, tls,
				MHD_OPTION_END);
}

static struct shard *shard_new(struct server *s)
{
	struct shard *sh = calloc(1, sizeof(*sh));
	if (!sh)
		return NULL;
	sh->server = s;
	sh->timeout.fire = daemon_timeout;
	sh->daemon = start_daemon(sh);
	if (!sh->daemon) {
		free(sh);
		return NULL;
	}
	sh->io = (struct loop_io){
		MHD_get_daemon_info(sh->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, daemon_ready};
	if (loop_add_io(s->loop, &sh->io, EPOLLIN) < 0) {
		MHD_stop_daemon(sh->daemon);
		free(sh);
		return NULL;
	}
	sh->next = s->shards;
	s->shards = sh;
	return sh;
}

bool shard_add(struct server *s, struct conn *c)
{
	struct sockaddr_storage from = {0};
	socklen_t from_len = sizeof(from);
	struct shard *sh = s->shards;
	while (sh && sh->connections >= SHARD_CONNECTIONS)
		sh = sh->next;
	if (!sh)
		sh = shard_new(s);
	if (!sh) {
		close(c->io.fd);
		return false;
	}
	getpeername(c->io.fd, (struct sockaddr *)&from, &from_len);
	c->shard = sh;
	s->adding = c;
	sh->connections++;
	/* conn_notify() takes the connection over. On failure libmicrohttpd has closed the
	 * descriptor. */
	MHD_add_connection(sh->daemon, c->io.fd, (const struct sockaddr *)&from, from_len);
	bool taken = s->adding == NULL;
	if (!taken) {
		sh->connections--;
		c->shard = NULL;
	}
	s->adding = NULL;
	shard_touch(sh);
	return taken;
}

struct conn *shard_adding(struct shard *sh)
{
	return sh->server->adding;
}

void shard_closed(struct shard *sh)
{
	sh->connections--;
}

/* Runs a daemon until it has nothing more to do at once; then it is told when it wants to run
 * again. */
static void run(struct shard *sh)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;
	bool waits = false;
	for (int i = 0; i < RUNS_MAX; i++) {
		MHD_run(sh->daemon);
		waits = MHD_get_timeout(sh->daemon, &wait_ms) == MHD_YES;
		if (!waits || wait_ms > 0)
			break;
	}
	if (!waits)
		loop_stop_timer(sh->server->loop, &sh->timeout);
	else if (wait_ms > 0)
		loop_set_timer(sh->server->loop, &sh->timeout, wait_ms);
	else
		shard_touch(sh);
}

bool shards_run(struct server *s)
{
	struct shard *sh = s->touched;
	s->touched = NULL;
	while (sh) {
		struct shard *next = sh->touched_next;
		sh->touched = false;
		run(sh);
		sh = next;
	}
	return s->touched != NULL;
}

void shards_free(struct server *s)
{
	while (s->shards) {
		struct shard *sh = s->shards;
		s->shards = sh->next;
		loop_remove_io(s->loop, &sh->io);
		loop_stop_timer(s->loop, &sh->timeout);
		MHD_stop_daemon(sh->daemon);
		free(sh);
	}
}
