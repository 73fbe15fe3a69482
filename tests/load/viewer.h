/*
 * Viewers: clients that read a stream, leave it and come back, until they have seen its end.
 *
 *	NEW ──▶ WAITING ──▶ CONNECTING ──▶ READING ──┬─ cut ──────────▶ WAITING
 *	          ▲                                  ├─ the end ──▶ WAITING, and then 204 ──▶ OVER
 *	          └──────────────────────────────────┴─ a fault ──▶ OVER
 *
 * What a viewer has seen is one position, whatever the formats and ways of its connections were.
 */
#ifndef LOAD_VIEWER_H
#define LOAD_VIEWER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "heap.h"
#include "plan.h"
#include "tale.h"

struct run {
	struct sockaddr_in to;
	int epoll_fd;
	struct heap timers;
	uint64_t seed, cuts_wanted;
	unsigned leavers; /* of 100 viewers so many ever cut */
	uint64_t news_ns; /* something came, or was cut */

	/* What was done and seen. */
	uint64_t cuts, cuts_by[CUTS], connections, viewers, ways[WAYS], formats[FORMATS], ends,
		gone, bytes;
	uint64_t faults[FAULTS], failures;
	char first_failure[900];
};

struct crowd;

struct viewer {
	struct heap_node timer;
	struct run *run;
	struct crowd *crowd;
	unsigned number;
	struct rng rng;
	int fd;
	enum { VIEWER_NEW, VIEWER_WAITING, VIEWER_CONNECTING, VIEWER_READING, VIEWER_OVER } state;
	bool leaves;       /* one of those that cut */
	uint64_t position; /* the last that it has seen; 0: nothing */

	/* This connection. */
	struct plan plan;
	uint64_t bytes, cut_ns;
	struct response response;
	struct events events;
	struct reading reading;
};

/* One stream and all its viewers; the first one begins it. */
struct crowd {
	struct tale tale;
	unsigned n, over;
	struct viewer *viewers;
};

/* The tale and the number of viewers are set. Of a tale with a key, several may begin it at once.
 */
void crowd_start(struct crowd *c, struct run *run);
void crowd_fini(struct crowd *c); /* idempotent */

void viewer_timer(struct viewer *v);
void viewer_ready(struct viewer *v);

/* Where it stands, in words. */
void viewer_describe(const struct viewer *v, char *out, size_t size);

#endif
