/*
 * Connections to the demo model.
 *
 *	reading ─request─▶ answering ─all said─▶ flushing ─sent─┬─▶ reading
 *	                                                        └─▶ lingering ─▶ closed
 *
 * Lingering: our side is shut, and what still comes is read away, for a second. From anywhere to
 * closed: the client leaves (shutting its side counts as that). The closed are freed at the end of
 * the turn.
 */
#ifndef APP_DEMO_CONN_H
#define APP_DEMO_CONN_H

#include <stdatomic.h>
#include "base/loop.h"

struct demo_conn;

struct demo_conns {
	struct loop *loop;
	struct demo_conn *all;
	struct demo_conn *ready; /* have more to say in the next turn */
	struct demo_conn *dead;  /* closed, not yet freed */
	unsigned n;
	_Atomic unsigned answering;
	struct loop_stage stage;
};

/* On the loop's thread, or before and after it runs. */
void demo_conns_init(struct demo_conns *all, struct loop *loop);
void demo_conns_fini(struct demo_conns *all);

/* Takes over a non-blocking socket. */
void demo_conns_add(struct demo_conns *all, int fd);

#endif
