/* Between the files of this folder: birth and death of a stream, which its table and its viewers
 * share. */
#ifndef STREAM_STREAM_PRIVATE_H
#define STREAM_STREAM_PRIVATE_H

#include "stream/stream.h"

/* The kind of all streams that stream_new() makes. */
extern const struct stream_kind stream_generation;

/* A stream with one reference that is in no table yet; NULL without memory. `watching` counts the
 * viewers of all streams. */
struct stream *stream_alloc(const struct stream_kind *kind, struct log_budget *budget,
			    _Atomic uint32_t *watching, struct loop *loop,
			    const struct stream_options *o);

/* Owner. Ends it as STOPPED without an entry that says so. */
void stream_end_quietly(struct stream *s);

/*
 * A viewer on another worker, as the owner knows it. Both sides hold a reference.
 *
 *	viewer's worker                        owner's worker
 *	viewer ──────▶ watch ◀──────────────── stream->remote
 *	       ◀─ wake (at most one under way) ─
 *	       ── join, leave (mail) ─────────▶
 */
struct watch {
	_Atomic uint32_t refs;
	struct stream *stream; /* a reference */
	struct loop *viewer_loop;
	struct viewer *viewer; /* the viewer's thread only; NULL after it left */
	_Atomic bool wake_posted;
	struct mail wake, join, leave;
	struct watch *next, **link; /* owner: among stream->remote */
};

/* Owner. Something new stands in the log: tell those who wait. */
void stream_wake_viewers(struct stream *s);

/* Owner. A viewer is gone; was it the last one? */
void stream_viewer_left(struct stream *s);

/* Owner. A viewer has come (back). */
void stream_viewer_came(struct stream *s);

#endif
