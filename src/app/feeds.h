/*
 * What the server says of itself, as channels of its own: its log lines, and its figures once a
 * second.
 *
 *	log_write ─sink─▶ letter ─▶ feed:log ──▶ GET /v1/feeds/log
 *	timer, 1 s ─────▶ figures ▶ feed:stats ▶ GET /v1/feeds/stats
 *
 * Both live on one worker's loop. Figures are made only while somebody watches them.
 */
#ifndef APP_FEEDS_H
#define APP_FEEDS_H

#include "app/worker.h"

struct feeds;

/* On the loop of a worker that does not run yet. NULL without memory. */
struct feeds *feeds_start(struct worker_shared *shared, struct loop *loop);

/* The workers have ended, their loops are still there. Accepts NULL. */
void feeds_stop(struct feeds *f);

#endif
