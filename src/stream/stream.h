/*
 * A stream: one generation (or anything else that makes entries) between its producer and its
 * viewers.
 *
 *	producer ──append──▶ log ◀──cursor── viewer, viewer, … on any worker
 *
 *	WAITING ─first content─▶ RUNNING ─┬─▶ DONE
 *	    │                             ├─▶ STOPPED    somebody asked for it
 *	    └─────────────────────────────┴─▶ FAILED     an error, or all viewers left
 *
 * A stream lives on the worker that made it: what is marked "owner" runs on that worker's thread
 * only. A viewer lives on the worker of its client, which may be another one; it reads the log
 * directly and is woken by mail. The end is an entry in the log like any other, and happens once.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sluice/buf.h>
#include <sluice/event.h>
#include "base/loop.h"
#include "base/random.h"
#include "stream/log.h"
#include "stream/options.h"
#include "stream/parts.h"

enum stream_state { STREAM_WAITING, STREAM_RUNNING, STREAM_DONE, STREAM_STOPPED, STREAM_FAILED };

/* "waiting", "running", "done", "stopped", "failed" */
const char *stream_state_name(enum stream_state s);

static inline bool stream_state_ended(enum stream_state s)
{
	return s >= STREAM_DONE;
}

struct stream;
struct stream_table;
struct channel;
struct viewer;

/* Who makes the entries. The stream calls these on the owner's thread; the producer ends the stream
 * by stream_append() of an entry that is END or FAILED, or by stream_fail(). */
struct producer {
	/* Nobody wants more: close the upstream now. Called at most once, as the last call; the
	 * producer frees itself. */
	void (*stop)(struct producer *p);
	/* The log is full of what no viewer has read (on), or has room again (off). */
	void (*pause)(struct producer *p, bool on);
};

/* What a stream is of: a generation (stream.c) or a channel (channel.c). Owner's thread. */
struct stream_kind {
	/* An entry was appended: keep it within its bounds. */
	void (*appended)(struct stream *s);
	/* The last viewer has left. */
	void (*unwatched)(struct stream *s);
	/* It ends, by entry e. */
	void (*ended)(struct stream *s, enum stream_state state, const struct sl_entry *e);
};

/* Codes of SL_EVENT_ERROR that a stream gives itself. */
#define STREAM_CODE_CLIENT_GONE   "client_gone"
#define STREAM_CODE_SHUTTING_DOWN "shutting_down"

struct stream {
	/* Set at birth. */
	char id[RANDOM_ID_LEN + 1];
	const struct stream_kind *kind;
	struct stream_table *table; /* NULL: a channel's */
	_Atomic uint32_t *watching; /* viewers of all streams */
	struct loop *loop;          /* the owner's */
	struct leave leave;
	size_t per_stream_bytes;
	uint32_t viewers_max;
	uint64_t born_us;
	int64_t born_unix_s;
	char *name;  /* in logs and lists: the model as the client named it; NULL: in no list */
	char *owner; /* whose it is; NULL: nobody's. Nobody else is to know that it exists */

	struct stream_log log; /* any thread reads */
	_Atomic enum stream_state state;
	_Atomic uint64_t furthest;     /* the highest sequence number that any viewer has read */
	_Atomic uint32_t viewer_count; /* attached or about to be */

	/* Who answers, in the words of the configuration; NULL until that is known. Set once, by
	 * the owner, and lives as long as the stream. */
	_Atomic(char *) upstream;

	/* The API that the frames of its log are of, or STREAM_NO_FRAMES; set by the owner before
	 * the first entry. */
	_Atomic int frames;
	/* The API of the request that began it (enum sl_dialect); STREAM_NO_FRAMES until that is
	 * known, and when it is to be found by that API's own routes no more. */
	_Atomic int client;

	/* The model as the upstream names it; NULL until that is known. As `upstream`. */
	_Atomic(char *) model;
	/* The upstream's id of its answer; as `model`. */
	_Atomic(char *) answer_id;
	/* When the upstream says that it began, Unix s; 0: it does not. */
	_Atomic int64_t created;

	/* Headers of the upstream's response that go on to the client, and what else we have to
	 * say about the answer, "Name: value\n"…; written before the first entry, then immutable.
	 */
	struct sl_buf head;

	/* What the conversation was before this answer, for requests that go on from it: items as
	 * in a Responses request, with commas between. Empty: it is not kept. Written before the
	 * first entry, then immutable. */
	struct sl_buf input;

	/* Owner only. */
	struct producer *producer;
	struct channel *channel; /* NULL: none, or it has ended */
	struct viewer *local;    /* viewers on this worker */
	struct watch *remote;    /* viewers on others */
	struct timer grace;      /* LEAVE_DETACH: nobody has come back */
	struct timer
		recheck; /* paused for want of memory: look again; a channel: messages get old */
	bool paused;
	bool drained;  /* LEAVE_DRAIN: read on for the usage, nobody looks */
	bool end_only; /* see stream_compose */
	uint64_t first_content_us, last_content_us, ended_us; /* 0: not yet */
	struct upstream_metrics *upstream_metrics;            /* NULL: none */
	struct parts parts;
	struct sl_usage usage;
	char finish[24];        /* normalised finish reason; "" */
	char finish_native[48]; /* the upstream's word; "" */
	char stop_sequence[64]; /* that was met; "" */
	int finish_bits;        /* SL_FINISH_x */

	/* The table's. */
	_Atomic uint32_t refs;
	char *key;                    /* idempotency key or label; NULL: none */
	bool adoptable;               /* `key` is a label (stream_table_label) */
	bool adopting;                /* somebody is about to watch it (stream_table_adopt) */
	uint64_t request_hash;        /* of what was asked with it */
	struct stream *by_key;        /* chain */
	struct stream *by_id;         /* chain */
	struct stream *newer, *older; /* ended ones, by the time of their end */
	uint64_t keep_until_ms;
	bool listed;
};

/* Owner. Brings the entry's events in order (parts.h), copies it into the log and wakes the viewers.
 * An entry that is END or FAILED ends the stream; entries after the end are dropped. 0, or negative:
 * there was no memory for it, or too much to keep; then the stream has failed, and its producer was
 * stopped. */
int stream_append(struct stream *s, const struct sl_entry *e);

/* Owner. Ends the stream as FAILED with that SL_EVENT_ERROR and stops its producer. Does nothing
 * after the end. */
void stream_fail(struct stream *s, const struct sl_event *error);

/* An error of ours: `status` is what a client gets that has got nothing yet. The texts are not
 * copied. */
static inline struct sl_event stream_error(int status, const char *type, const char *code,
					   const char *message)
{
	return (struct sl_event){
		.kind = SL_EVENT_ERROR,
		.n0 = status,
		.s = {sl_slice_str(message), sl_slice_str(type), sl_slice_str(code)}};
}

/* Owner, before the first entry. What frames its entries have (enum sl_dialect), or that they have
 * none. */
#define STREAM_NO_FRAMES -1
void stream_set_frames(struct stream *s, int frames);

/* Owner, before the first entry. Its log is composed (parts.h); with `end_only` all that is waited
 * for is the end, and what comes before makes room for it. */
void stream_compose(struct stream *s, bool end_only);

/* Owner, once, before the first entry. Takes the buffer (and leaves an empty one) as s->input, where
 * there is memory for it: it counts as that of the logs, and is no more than per_stream_bytes. */
void stream_keep_input(struct stream *s, struct sl_buf *input);

/* Owner. The configured name of the upstream that answers (copied; the first one counts). */
void stream_set_upstream(struct stream *s, const char *name);

/* Owner. The stream has begun, and nobody watches it yet: LEAVE_DETACH waits for the first viewer
 * as for one that comes back, and LEAVE_DRAIN does not wait. */
void stream_expect_viewer(struct stream *s);

/* Any thread. Ends it as STOPPED (or by another reason, as stream_fail) soon: at once on the
 * owner's thread, else by mail. Idempotent. */
void stream_stop(struct stream *s);

/* Owner: the producer of s has begun. It is told to pause or stop from here on. */
void stream_set_producer(struct stream *s, struct producer *p);

struct stream *stream_ref(struct stream *s);
void stream_unref(struct stream *s); /* any thread; accepts NULL */

/*
 * A viewer: a client's cursor in a stream. All calls on one thread, the one of `loop`.
 * Life: viewer_attach ─▶ peek/advance until 0 ─▶ viewer_arm ─▶ ready() ─▶ peek/advance … ─▶
 * viewer_detach.
 */
struct viewer {
	struct stream *stream; /* NULL: not attached */
	struct loop *loop;
	struct log_cursor cursor;
	/* Called once after viewer_arm() when there is something to peek at (rarely also when not).
	 * Must not detach other viewers. */
	void (*ready)(struct viewer *v);
	bool armed;
	bool always;                 /* attaches also where there are as many viewers as may be */
	struct viewer *next, **link; /* among stream->local */
	struct watch *watch;         /* on another worker than the stream's */
};

/* Attaches *v (zeroes but for `ready` and `always`) behind entry `after_seq` (0: from the start)
 * and keeps a reference to s. 0, or -SL_E_LIMIT when the stream has as many viewers as it may. */
int viewer_attach(struct viewer *v, struct stream *s, struct loop *loop, uint64_t after_seq);

/* The client has left or has got everything. Idempotent. The last one to go before the stream's end
 * sets off stream->leave. */
void viewer_detach(struct viewer *v);

/* As log_cursor_peek and _advance. */
int viewer_peek(struct viewer *v, const struct log_entry **entry);
void viewer_advance(struct viewer *v, const struct log_entry *entry);

/* Any thread, whose loop that is. Who asks for a document now and then is a viewer too: the grace of a
 * stream that nobody watches begins anew. But it is none that leaves when it has its answer: that
 * cancels nothing. */
void stream_touch(struct stream *s, struct loop *loop);

/* Any thread. Whether entry `seq` is the last that there will ever be. Who has read an end may come back
 * with it before stream->state says so: the log knows it first. */
bool stream_seen_to_end(const struct stream *s, uint64_t seq);

/* Any thread. Somebody has read so far, by a viewer or without one: a paused producer may go on. */
void stream_was_read(struct stream *s, uint64_t seq);

/* Asks for ready(). False when there is already something to peek at: then ready() is not called.
 */
bool viewer_arm(struct viewer *v);

/* The same for one who waits for the first content, or with `until_end` for the end: asks for
 * ready() at the next news of any kind. False when it has come to that: then ready() is not called.
 */
bool viewer_arm_state(struct viewer *v, bool until_end);

#endif
