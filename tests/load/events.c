/* An EventSource's parser. */
#include "events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(char **buf, size_t *n, size_t *room, const char *from, size_t len)
{
	if (*n + len + 1 > *room) {
		*room = 2 * (*n + len) + 64;
		*buf = realloc(*buf, *room);
		if (!*buf)
			abort();
	}
	memcpy(*buf + *n, from, len);
	*n += len;
	(*buf)[*n] = '\0';
}

static void clear(struct events *e)
{
	e->type[0] = e->id[0] = '\0';
	e->data_len = 0;
	e->has_data = e->is_over = false;
}

static void take_field(struct events *e, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name = colon ? (size_t)(colon - line) : len;
	const char *value = colon ? colon + 1 : line + len;
	if (*value == ' ')
		value++;
	size_t n = (size_t)(line + len - value);
	if (name == 4 && memcmp(line, "data", 4) == 0) {
		if (e->has_data)
			put(&e->data, &e->data_len, &e->data_room, "\n", 1);
		put(&e->data, &e->data_len, &e->data_room, value, n);
		e->has_data = true;
	} else if (name == 5 && memcmp(line, "event", 5) == 0) {
		snprintf(e->type, sizeof(e->type), "%s", value);
	} else if (name == 2 && memcmp(line, "id", 2) == 0) {
		snprintf(e->id, sizeof(e->id), "%s", value);
	} else if (name == 5 && memcmp(line, "retry", 5) == 0) {
		e->retry_ms = (uint32_t)strtoul(value, NULL, 10);
	}
}

/* True: this line ends an event. */
static bool take_line(struct events *e)
{
	if (e->line_len && e->line[e->line_len - 1] == '\r')
		e->line[--e->line_len] = '\0';
	size_t len = e->line_len;
	e->line_len = 0;
	if (len) {
		take_field(e, e->line, len);
		return false;
	}
	if (!e->has_data)
		clear(e);
	return e->has_data;
}

size_t events_next(struct events *e, const char *in, size_t len, struct event *event, bool *found)
{
	size_t at = 0;
	*found = false;
	if (e->is_over)
		clear(e);
	while (at < len) {
		const char *newline = memchr(in + at, '\n', len - at);
		size_t n = newline ? (size_t)(newline - in) - at : len - at;
		put(&e->line, &e->line_len, &e->line_room, in + at, n);
		at += n + (newline != NULL);
		if (newline && take_line(e)) {
			*event = (struct event){e->type, e->data, e->data_len, e->id};
			*found = e->is_over = true;
			break;
		}
	}
	return at;
}

void events_fini(struct events *e)
{
	free(e->line);
	free(e->data);
	*e = (struct events){0};
}
