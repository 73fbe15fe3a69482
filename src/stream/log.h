/*
 * The log of one stream: append-only, in segments, with any number of readers at their own
 * positions.
 *
 *	 first_seq                                   next_seq
 *	┌───────────────┐  ┌───────────────┐  ┌─────────┐
 *	│ 1 2 3 4       │─▶│ 5 6 7 8 9     │─▶│ 10 11 … │◀─ the owner appends
 *	└───────────────┘  └──────▲────────┘  └─────────┘
 *	  evicted from here       └ a cursor holds its segment, so what it points at stays
 *
 * The owner's thread appends and evicts. Any thread may read through a cursor of its own: what is
 * published never changes, segments are counted, and the lock is held only to step from one segment
 * to the next. A slow reader pins one segment, never the chain.
 */
#ifndef STREAM_LOG_H
#define STREAM_LOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sluice/reader.h>

/* Beside SL_ENTRY_END: the end of a stream that was stopped. */
#define LOG_ENTRY_STOPPED (1 << 15)
/* Beside SL_ENTRY_FAILED: there had been content before. */
#define LOG_ENTRY_PARTIAL (1 << 14)
/* Those that are not a reader's. */
#define LOG_ENTRY_FLAGS (LOG_ENTRY_STOPPED | LOG_ENTRY_PARTIAL)

/* One entry as it stands in a segment. */
struct log_entry {
	uint64_t seq;
	uint32_t size; /* of all of it, header and padding included */
	uint32_t frame_len;
	uint64_t at_ms; /* clock_ms() of its appending */
	uint16_t flags; /* SL_ENTRY_x, LOG_ENTRY_x */
	uint16_t n_events;
	uint32_t ordinal; /* sl_entry.ordinal */
			  /* then the events, packed, then the frame */
};

/* All logs together. */
struct log_budget {
	/* Bytes of all segments that are allocated, pinned ones included, and of what streams keep
	 * beside their logs. */
	_Atomic size_t used;
	_Atomic size_t max;
};

/* From here on what is kept only for those who may come back makes room. `freed` bytes of what is
 * used are about to go. */
static inline bool log_budget_is_short(const struct log_budget *b, size_t freed)
{
	size_t used = b->used, max = b->max;
	return used > freed && used - freed > max - max / 8;
}

struct segment;

struct stream_log {
	pthread_mutex_t lock;
	struct segment *head, *tail;
	_Atomic uint64_t first_seq; /* the oldest entry that is still held (== next_seq: none) */
	_Atomic uint64_t next_seq;  /* of the next append; the first entry is 1 */
	_Atomic uint64_t end_seq;   /* of the entry that ends it, told before next_seq; 0: none */
	_Atomic size_t bytes;       /* held by this log */
	size_t segment_max;
	struct log_budget *budget;
};

void stream_log_init(struct stream_log *log, struct log_budget *budget, size_t per_stream_bytes);
void stream_log_fini(struct stream_log *log);

/* Owner's thread. Copies the entry and publishes it. Its sequence number, or -SL_E_NOMEM. Enforces
 * no budget: see evict. */
int64_t stream_log_append(struct stream_log *log, const struct sl_entry *e, unsigned extra_flags,
			  uint64_t at_ms);

/* Owner's thread. Lets go of the oldest segments whose entries are all <= read_seq until at most
 * max_bytes are held, or no more can go. Of what was read the newest keep_bytes stay: it may be on
 * its way still, and a client that is cut off asks for it again (where all was read the limit goes
 * before that). True when the log is within
 * max_bytes then. */
bool stream_log_evict(struct stream_log *log, uint64_t read_seq, size_t max_bytes,
		      size_t keep_bytes);

/* Owner's thread. Hides all entries before first_seq, whoever has not read them, and lets go of the
 * segments that hold nothing else. */
void stream_log_trim(struct stream_log *log, uint64_t first_seq);

/* A reader's position. One thread at a time. */
struct log_cursor {
	struct stream_log *log;
	struct segment *seg; /* pinned; NULL: to be looked up */
	size_t at;           /* offset of the next entry within seg */
	uint64_t seq;        /* of the next entry to read */
};

void log_cursor_init(struct log_cursor *c, struct stream_log *log, uint64_t next_seq);
void log_cursor_fini(struct log_cursor *c);

/* 1: *entry is the entry at the cursor; it stays valid until the cursor moves. 0: nothing there
 * yet. -SL_E_MISSING: it is evicted. */
int log_cursor_peek(struct log_cursor *c, const struct log_entry **entry);
/* Moves behind the entry that peek gave. */
void log_cursor_advance(struct log_cursor *c, const struct log_entry *entry);

struct sl_slice log_entry_frame(const struct log_entry *e);

/* Unpacks the events of e into `events` (room for `max`); their slices point into the entry. How
 * many there are, at most max. */
size_t log_entry_events(const struct log_entry *e, struct sl_event *events, size_t max);

#endif
