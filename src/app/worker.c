/* Worker threads: start, reload, drain. */
#include "app/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <sluice/error.h>
#include "base/log.h"
#include "upstream/upstream.h"

#define FLUSH_MS 1000 /* after the deadline: for the last words to reach their clients */
#define LOOK_MS  20

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct worker {
	struct worker_shared *shared;
	struct loop loop;
	struct upstreams *upstreams;
	struct server *server;
	pthread_t thread;
	bool running;
	_Atomic bool drained;
	/* draining */
	struct timer look;
	uint64_t deadline_ms, cut_ms;
	bool failed_rest;
	struct mail stop;
};

static void *hold(void *config)
{
	return config_ref(config);
}

static void drop(void *config)
{
	config_unref(config);
}

static struct upstream_set upstream_set_of(struct config *c)
{
	return (struct upstream_set){.list = c->upstreams,
				     .n = c->n_upstreams,
				     .routes = &c->routes,
				     .timeouts = c->timeouts,
				     .frame_bytes = c->streams.frame_bytes,
				     .holder = c,
				     .ref = hold,
				     .unref = drop};
}

static struct server_set server_set_of(struct config *c)
{
	return (struct server_set){.options = &c->server,
				   .streams = &c->streams,
				   .channels = &c->channels,
				   .holder = c,
				   .ref = hold,
				   .unref = drop};
}

static void look(struct timer *t);

struct worker *worker_new(struct worker_shared *shared, struct config *config)
{
	struct worker *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->shared = shared;
	w->look.fire = look;
	if (loop_init(&w->loop) < 0) {
		free(w);
		return NULL;
	}
	struct upstream_set upstreams = upstream_set_of(config);
	struct server_set server = server_set_of(config);
	/* The upstreams' stage comes before the server's: tokens that have arrived go out in the
	 * same turn. */
	w->upstreams = upstreams_new(&w->loop, &upstreams);
	if (w->upstreams)
		w->server = server_new(&w->loop, shared->server, &shared->table, &shared->channels,
				       upstreams_generator(w->upstreams), &server);
	if (w->server)
		return w;
	worker_join(w);
	worker_free(w);
	return NULL;
}

int worker_add_listener(struct worker *w, int fd, bool is_unix, bool metrics_only)
{
	return server_add_listener(w->server, fd, is_unix, metrics_only);
}

struct loop *worker_loop(struct worker *w)
{
	return &w->loop;
}

static void *run(void *arg)
{
	struct worker *w = arg;
	loop_run(&w->loop);
	/* A request may have come in the very last turn. */
	server_close(w->server);
	while (server_busy(w->server) > 0) {
		server_cut(w->server);
		loop_turn(&w->loop, LOOK_MS);
	}
	return NULL;
}

int worker_run(struct worker *w)
{
	if (pthread_create(&w->thread, NULL, run, w) != 0)
		return -SL_E_IO;
	w->running = true;
	return 0;
}

struct order {
	struct mail mail;
	struct worker *worker;
	struct config *config;
	uint64_t drain_ms;
};

static void post(struct worker *w, void (*deliver)(struct mail *), struct config *config,
		 uint64_t drain_ms)
{
	struct order *o = calloc(1, sizeof(*o));
	if (!o)
		return;
	*o = (struct order){.mail.deliver = deliver,
			    .worker = w,
			    .config = config ? config_ref(config) : NULL,
			    .drain_ms = drain_ms};
	if (!loop_post(&w->loop, &o->mail)) {
		config_unref(o->config);
		free(o);
	}
}

static void deliver_config(struct mail *m)
{
	struct order *o = FROM(m, struct order, mail);
	struct upstream_set upstreams = upstream_set_of(o->config);
	struct server_set server = server_set_of(o->config);
	upstreams_configure(o->worker->upstreams, &upstreams);
	server_configure(o->worker->server, &server);
	config_unref(o->config);
	free(o);
}

void worker_configure(struct worker *w, struct config *config)
{
	post(w, deliver_config, config, 0);
}

static void fail_rest(struct worker *w)
{
	struct sl_event error = stream_error(503, "server_error", STREAM_CODE_SHUTTING_DOWN,
					     "the server is shutting down");
	struct stream *s;
	while ((s = stream_table_any_live(&w->shared->table, &w->loop))) {
		stream_fail(s, &error);
		stream_unref(s);
	}
}

static bool is_done(struct worker *w)
{
	struct stream *live = stream_table_any_live(&w->shared->table, &w->loop);
	stream_unref(live);
	return !live && server_busy(w->server) == 0;
}

/* While draining: is everything over, or time for the next, ruder step? What is over here may not
 * be elsewhere, and the probes that ask for it are answered by all workers. */
static void look(struct timer *t)
{
	struct worker *w = FROM(t, struct worker, look);
	bool was = w->drained;
	w->drained = is_done(w);
	if (w->drained && !was) {
		uint64_t one = 1;
		ssize_t n = write(w->shared->event_fd, &one, sizeof(one));
		(void)n;
	}
	if (w->loop.now_ms >= w->deadline_ms && !w->failed_rest) {
		w->failed_rest = true;
		fail_rest(w);
	}
	if (w->loop.now_ms >= w->cut_ms)
		server_cut(w->server);
	loop_set_timer(&w->loop, &w->look, LOOK_MS);
}

static void deliver_drain(struct mail *m)
{
	struct order *o = FROM(m, struct order, mail);
	struct worker *w = o->worker;
	if (!w->deadline_ms) {
		w->deadline_ms = w->loop.now_ms + o->drain_ms;
		w->cut_ms = w->deadline_ms + FLUSH_MS;
		channel_table_close(&w->shared->channels, &w->loop); /* they would go on for ever */
		loop_set_timer(&w->loop, &w->look, 1);
	}
	free(o);
}

void worker_drain(struct worker *w, uint64_t drain_ms)
{
	if (w->running)
		post(w, deliver_drain, NULL, drain_ms);
}

bool worker_is_drained(const struct worker *w)
{
	return w->drained || !w->running;
}

static void deliver_stop(struct mail *m)
{
	struct worker *w = FROM(m, struct worker, stop);
	loop_stop_timer(&w->loop, &w->look);
	loop_stop(&w->loop);
}

void worker_stop(struct worker *w)
{
	w->stop.deliver = deliver_stop;
	if (w->running)
		loop_post(&w->loop, &w->stop);
}

void worker_join(struct worker *w)
{
	if (w->running)
		pthread_join(w->thread, NULL);
	channel_table_close(&w->shared->channels, &w->loop);
	server_free(w->server);
	upstreams_free(w->upstreams);
	w->server = NULL;
	w->upstreams = NULL;
}

void worker_free(struct worker *w)
{
	loop_fini(&w->loop);
	free(w);
}
