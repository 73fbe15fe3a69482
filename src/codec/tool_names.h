/*
 * Names of tools that are longer than an upstream takes. It is told shorter ones, and the client is
 * told its own again:
 *
 *	prompt ─▶ tool_names_shorten ─▶ encode            search_the_whole_archive_…_5f0c9a1e
 *	stream_append ◀─ tool_names_restore ◀─ TOOL_START     … and back
 *
 * The short name depends on the long one alone, so that a conversation that goes on, here or
 * anywhere else, calls it the same.
 */
#ifndef CODEC_TOOL_NAMES_H
#define CODEC_TOOL_NAMES_H

#include <stddef.h>
#include <sluice/slice.h>
#include "codec/prompt.h"

/* The longest that a `name_max` may be (codec/dialect.h). */
#define TOOL_NAME_MAX 128

struct tool_name;

/* Of one request. Zeroes are a valid empty one. */
struct tool_names {
	struct tool_name *list;
};

void tool_names_fini(struct tool_names *t);

/* Shortens every name of a tool in the prompt that has more than `max` bytes (0: any length is
 * taken), wherever it stands: among the tools, in the choice, in calls and results of before. The
 * new ones live as long as the prompt, and *t remembers those of the tools. 0 or -SL_E_NOMEM. */
int tool_names_shorten(struct tool_names *t, struct prompt *p, size_t max);

/* The client's own name, which lives as long as t; `name` itself where it was not shortened. */
struct sl_slice tool_names_restore(const struct tool_names *t, struct sl_slice name);

#endif
