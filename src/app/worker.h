/*
 * A worker: one thread, one loop, its own server and its own upstream connections. Streams live on
 * the worker whose client asked for them. All functions are for the main thread; they talk to the
 * worker by mail.
 */
#ifndef APP_WORKER_H
#define APP_WORKER_H

#include <stdbool.h>
#include "app/config.h"
#include "server/server.h"
#include "stream/table.h"

struct worker;

/* What workers share. */
struct worker_shared {
	struct stream_table table;
	struct channel_table channels;
	struct server_shared *server;
	int event_fd; /* written to when a worker has drained */
};

/* Makes a worker that does not run yet. NULL without memory (or descriptors: errno). */
struct worker *worker_new(struct worker_shared *shared, struct config *config);

/* Before worker_run(). The worker takes the descriptor. 0 or -SL_E_x. */
int worker_add_listener(struct worker *w, int fd, bool is_unix, bool metrics_only);

/* Its loop, for what else is to run there; before worker_run(). */
struct loop *worker_loop(struct worker *w);

/* Starts the thread. 0 or -SL_E_IO. */
int worker_run(struct worker *w);

/* New requests go by this configuration. */
void worker_configure(struct worker *w, struct config *config);

/* After server_drain(): lets streams run for `drain_ms`, then ends the rest as `shutting_down`;
 * writes to shared->event_fd when nothing is left. Goes on answering. Idempotent. */
void worker_drain(struct worker *w, uint64_t drain_ms);
/* Nothing was left when it last looked; or it never ran. */
bool worker_is_drained(const struct worker *w);

/* Ends the thread; to be called once, when all workers have drained. */
void worker_stop(struct worker *w);
/* Waits for the thread, and frees all but the loop … */
void worker_join(struct worker *w);
/* … which goes last, when all workers are joined: there may be mail between them. */
void worker_free(struct worker *w);

#endif
