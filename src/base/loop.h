/*
 * One thread's event loop. A turn:
 *
 *	wait ─▶ descriptors ─▶ mail ─▶ timers ─▶ stages, in the order they were added ─▶ wait
 *
 * Everything but loop_post() and loop_stop() belongs to the loop's own thread.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include "base/timer.h"

/* A descriptor to watch. The owner keeps the memory until loop_remove_io(). */
struct loop_io {
	int fd;
	void (*ready)(struct loop_io *io, uint32_t epoll_events);
};

/* A message to a loop's thread. The sender allocates it; deliver() owns it from then on. */
struct mail {
	struct mail *next;
	void (*deliver)(struct mail *m);
};

/* Something to be done once a turn. run() returns true when it wants another turn at once. */
struct loop_stage {
	struct loop_stage *next;
	bool (*run)(struct loop_stage *s);
};

struct loop {
	uint64_t now_ms; /* the time of this turn */
	struct timer_heap timers;
	int epoll_fd;
	struct epoll_event *batch; /* of this turn, while it is worked off */
	int batch_n, batch_at;
	struct loop_stage *stages, **stages_tail;
	struct loop_io mail_io;
	pthread_mutex_t mail_lock;
	struct mail *mail, **mail_tail;
	bool mail_closed;
	bool again; /* a stage wants another turn at once */
	_Atomic bool stop;
};

/* 0 or -SL_E_IO (errno). */
int loop_init(struct loop *l);
/* Undelivered mail is delivered first. */
void loop_fini(struct loop *l);

/* Watches io->fd for `events` (EPOLLIN …). 0 or -SL_E_IO. */
int loop_add_io(struct loop *l, struct loop_io *io, uint32_t events);
int loop_change_io(struct loop *l, struct loop_io *io, uint32_t events);
/* After it ready() is not called any more, also not for events of this turn; io may be freed. Does
 * not close the fd, which must still be open. */
void loop_remove_io(struct loop *l, struct loop_io *io);

/* Sets t to fire in `ms` (0: in this turn or the next). */
void loop_set_timer(struct loop *l, struct timer *t, uint64_t ms);
void loop_stop_timer(struct loop *l, struct timer *t);

void loop_add_stage(struct loop *l, struct loop_stage *s);

/* Any thread. False after loop_fini() began: m is not taken. */
bool loop_post(struct loop *l, struct mail *m);

/* Runs until loop_stop(). */
void loop_run(struct loop *l);
/* One turn that waits at most max_wait_ms (-1: as long as it takes). For tests and for shutdown. */
void loop_turn(struct loop *l, int max_wait_ms);
/* Any thread, also a signal handler. */
void loop_stop(struct loop *l);

#endif
