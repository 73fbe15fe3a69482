/*
 * Server-sent events, read by the rules of the WHATWG (LF and CRLF as line ends), piece by piece.
 * What the connection's end leaves unfinished is no event.
 */
#ifndef LOAD_EVENTS_H
#define LOAD_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
	const char *type; /* "" : message */
	const char *data; /* NUL-terminated; lines joined by LF */
	size_t data_len;
	const char *id; /* "" : the block had none */
};

/* Zeroes are a new one. */
struct events {
	char type[32], id[128];
	bool has_data;
	uint32_t retry_ms; /* the last that came; 0: none */
	char *line, *data;
	size_t line_len, line_room, data_len, data_room;
	bool is_over; /* the event that was given last is to be cleared */
};

/*
 * Takes bytes up to the end of the next event; answers how many. *event is that event, good until
 * the next call, and true is set in *found; false: all was taken and there is none yet.
 */
size_t events_next(struct events *e, const char *in, size_t len, struct event *event, bool *found);

/* Also makes it a new one. */
void events_fini(struct events *e);

#endif
