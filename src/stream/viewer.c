/* Viewers: reading directly, being woken by the stream's owner, here or by mail. */
#include <assert.h>
#include <stdlib.h>
#include <sluice/error.h>
#include "stream/stream.h"
#include "stream/stream_private.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static void watch_unref(struct watch *w)
{
	if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
		return;
	stream_unref(w->stream);
	free(w);
}

/* Owner: the stream has news for a viewer elsewhere. One letter at a time is enough. */
static void post_wake(struct watch *w)
{
	if (atomic_exchange(&w->wake_posted, true))
		return;
	atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
	if (!loop_post(w->viewer_loop, &w->wake))
		watch_unref(w);
}

static void wake(struct viewer *v)
{
	if (v->armed) {
		v->armed = false;
		v->ready(v);
	}
}

static void deliver_wake(struct mail *m)
{
	struct watch *w = FROM(m, struct watch, wake);
	/* First open the way for the next letter, then look at the log: what is appended in between
	 * is seen now or announced again. */
	atomic_store(&w->wake_posted, false);
	if (w->viewer)
		wake(w->viewer);
	watch_unref(w);
}

static void deliver_join(struct mail *m)
{
	struct watch *w = FROM(m, struct watch, join);
	struct stream *s = w->stream;
	w->next = s->remote;
	w->link = &s->remote;
	if (w->next)
		w->next->link = &w->next;
	s->remote = w;
	stream_viewer_came(s);
	post_wake(w); /* for what was appended while this letter was under way */
}

static void deliver_leave(struct mail *m)
{
	struct watch *w = FROM(m, struct watch, leave);
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	stream_viewer_left(w->stream);
	watch_unref(w);
}

static int join_from_elsewhere(struct viewer *v, struct stream *s)
{
	struct watch *w = malloc(sizeof(*w));
	if (!w)
		return -SL_E_NOMEM;
	*w = (struct watch){.refs = 2, /* the viewer's and the owner's */
			    .stream = stream_ref(s),
			    .viewer_loop = v->loop,
			    .viewer = v,
			    .wake.deliver = deliver_wake,
			    .join.deliver = deliver_join,
			    .leave.deliver = deliver_leave};
	v->watch = w;
	if (!loop_post(s->loop, &w->join)) { /* the owner is shutting down: there will be no news */
		w->link = NULL;
		watch_unref(w);
	}
	return 0;
}

/* The viewer has no stream any more; its reference is the caller's. */
static struct stream *let_go(struct viewer *v)
{
	struct stream *s = v->stream;
	v->stream = NULL;
	v->armed = false;
	log_cursor_fini(&v->cursor);
	atomic_fetch_sub(&s->viewer_count, 1);
	atomic_fetch_sub_explicit(s->watching, 1, memory_order_relaxed);
	return s;
}

int viewer_attach(struct viewer *v, struct stream *s, struct loop *loop, uint64_t after_seq)
{
	if (atomic_fetch_add(&s->viewer_count, 1) >= s->viewers_max && !v->always) {
		atomic_fetch_sub(&s->viewer_count, 1);
		return -SL_E_LIMIT;
	}
	atomic_fetch_add_explicit(s->watching, 1, memory_order_relaxed);
	v->stream = stream_ref(s);
	v->loop = loop;
	v->armed = false;
	v->watch = NULL;
	v->link = NULL;
	log_cursor_init(&v->cursor, &s->log, after_seq + 1);
	if (loop != s->loop) {
		int r = join_from_elsewhere(v, s);
		if (r < 0)
			stream_unref(let_go(v));
		return r;
	}
	v->next = s->local;
	v->link = &s->local;
	if (v->next)
		v->next->link = &v->next;
	s->local = v;
	stream_viewer_came(s);
	return 0;
}

void viewer_detach(struct viewer *v)
{
	if (!v->stream)
		return;
	struct stream *s = let_go(v);
	if (v->watch) {
		struct watch *w = v->watch;
		v->watch = NULL;
		w->viewer = NULL;
		/* The owner's reference is given back by this letter, which comes behind `join`. */
		loop_post(s->loop, &w->leave);
		watch_unref(w);
	} else {
		*v->link = v->next;
		if (v->next)
			v->next->link = v->link;
		stream_viewer_left(s);
	}
	stream_unref(s);
}

void stream_touch(struct stream *s, struct loop *loop)
{
	struct viewer v = {0};
	if (s->leave.what == LEAVE_DETACH && !stream_state_ended(s->state) &&
	    viewer_attach(&v, s, loop, 0) == 0)
		viewer_detach(&v);
}

int viewer_peek(struct viewer *v, const struct log_entry **entry)
{
	return log_cursor_peek(&v->cursor, entry);
}

void viewer_advance(struct viewer *v, const struct log_entry *entry)
{
	log_cursor_advance(&v->cursor, entry);
	stream_was_read(v->stream, entry->seq);
}

bool viewer_arm(struct viewer *v)
{
	v->armed = true;
	/* Elsewhere an append may have come between the last peek and now; its letter finds us
	 * armed only if it is still under way, so look once more. */
	if (atomic_load(&v->stream->log.next_seq) > v->cursor.seq) {
		v->armed = false;
		return false;
	}
	return true;
}

bool viewer_arm_state(struct viewer *v, bool until_end)
{
	v->armed = true; /* before the look, see above */
	enum stream_state state = atomic_load(&v->stream->state);
	if (until_end ? stream_state_ended(state) : state != STREAM_WAITING)
		v->armed = false;
	return v->armed;
}

void stream_wake_viewers(struct stream *s)
{
	for (struct viewer *v = s->local, *next; v; v = next) {
		next = v->next;
		wake(v);
	}
	for (struct watch *w = s->remote; w; w = w->next)
		post_wake(w);
}
