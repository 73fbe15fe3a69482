/*
 * Channels: streams with a name that anybody who may can publish to, and that do not end. What was
 * published is kept for those who come back: the newest `history` messages that are not older than
 * `keep_ms`, in at most `memory_bytes`.
 *
 *	channel_publish ─mail─▶ owner's loop: stream_append ─▶ log ◀─cursor─ viewer, viewer, …
 *
 *	watched or published to ─▶ there ─┬─ nothing kept, nobody watches ─▶ ended, its name is free
 *	                                  └─ channel_table_close ──────────▶ ended
 *
 * A channel belongs to whoever first publishes to it; until then it is nobody's. Any thread, one
 * lock, held for a few instructions; the channel's stream has an owner like every other.
 */
#ifndef STREAM_CHANNEL_H
#define STREAM_CHANNEL_H

#include <pthread.h>
#include "base/loop.h"
#include "stream/options.h"
#include "stream/stream.h"

#define CHANNEL_NAME_MAX 64
#define CHANNEL_BUCKETS  256

struct channel;

struct channel_table {
	pthread_mutex_t lock;
	struct channel *bucket[CHANNEL_BUCKETS];
	uint32_t n;
	bool closed;
	struct channel_options options;
	struct log_budget budget;   /* of all channels together: counted, not bounded */
	_Atomic uint32_t *watching; /* see stream_alloc */
};

/* `watching` counts viewers of all kinds (struct stream_table). */
void channel_table_init(struct channel_table *t, const struct channel_options *o,
			_Atomic uint32_t *watching);
/* Nobody may use any of its channels any more. */
void channel_table_fini(struct channel_table *t);

/* New limits; channels that are there follow with their next message. */
void channel_table_configure(struct channel_table *t, const struct channel_options *o);

/* Ends all channels of that owner's loop, and lets nobody make another: for shutting down. On that
 * loop's thread. */
void channel_table_close(struct channel_table *t, struct loop *loop);

/* [A-Za-z0-9._-], 1 to 64 of them. */
bool channel_name_is_good(struct sl_slice name);
/* The same, but not "error" and "lost", which mean something to EventSource. */
bool channel_event_is_good(struct sl_slice event);

enum channel_use { CHANNEL_WATCH, CHANNEL_PUBLISH };

/*
 * The stream of that channel, with a reference for the caller; made on `loop` where there is none
 * yet. caller: whose key it is, NULL without keys. CHANNEL_PUBLISH makes the channel the caller's
 * if it is nobody's. NULL with *error: -SL_E_MISSING it is somebody else's, -SL_E_LIMIT there are
 * as many as may be, -SL_E_BUSY the table is closed, -SL_E_NOMEM.
 */
struct stream *channel_open(struct channel_table *t, const char *name, const char *caller,
			    enum channel_use use, struct loop *loop, int *error);

/* Whoever opened it with CHANNEL_WATCH counts as a viewer until this is called: when the viewer is
 * attached, or when there will be none. */
void channel_watched(struct stream *s);

/* The server's own channels (app/feeds.c): their names are outside of what clients can say. */
#define CHANNEL_FEED_LOG   "feed:log"
#define CHANNEL_FEED_STATS "feed:stats"

/* A channel of the server's own, nobody's property: it is never removed
 * but by channel_table_close(). NULL without memory. */
struct stream *channel_open_feed(struct channel_table *t, const char *name, struct loop *loop);

/* Who wants to know the number of their message. */
struct publish_wait {
	struct loop *loop; /* where `done` is called, exactly once */
	/* seq: the message's; or -SL_E_MISSING: the channel has ended meanwhile, -SL_E_NOMEM */
	void (*done)(struct publish_wait *w, int64_t seq);
};

/* Any thread. Appends a message soon, on the owner's thread; in the order of the calls of one
 * thread. What is given is copied. `level` is kept with it (struct watch_options). wait: NULL, or
 * who is told, and lives until then. 0; -SL_E_NOMEM, -SL_E_MISSING: it was not taken, and nobody is
 * told. */
int channel_publish(struct stream *s, struct sl_slice event, struct sl_slice data, int64_t level,
		    struct publish_wait *wait);

#endif
