/* Segments: packing, publishing, pinning. */
#include "stream/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>

#define SEGMENT_FIRST 512 /* a silent stream has a role chunk and no more */
#define SEGMENT_MAX   (16 * 1024)

struct segment {
	_Atomic uint32_t refs; /* the log's one, and one for each cursor in it */
	uint32_t count;        /* entries; owner's thread, and readers under the lock */
	uint64_t first_seq;
	struct segment *next; /* under the lock */
	struct log_budget *budget;
	size_t cap;
	_Atomic size_t len; /* published bytes */
	_Alignas(8) char data[];
};

struct packed_event {
	uint8_t kind;
	uint8_t reserved;
	uint16_t choice, index, part;
	int64_t n0;
	uint32_t len[4];
};

static size_t round8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static struct segment *segment_new(struct log_budget *budget, size_t cap, uint64_t first_seq)
{
	struct segment *s = malloc(sizeof(*s) + cap);
	if (!s)
		return NULL;
	*s = (struct segment){.refs = 1, .first_seq = first_seq, .budget = budget, .cap = cap};
	atomic_fetch_add_explicit(&budget->used, sizeof(*s) + cap, memory_order_relaxed);
	return s;
}

static struct segment *segment_ref(struct segment *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

static void segment_unref(struct segment *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	atomic_fetch_sub_explicit(&s->budget->used, sizeof(*s) + s->cap, memory_order_relaxed);
	free(s);
}

void stream_log_init(struct stream_log *log, struct log_budget *budget, size_t per_stream_bytes)
{
	*log = (struct stream_log){.budget = budget, .first_seq = 1, .next_seq = 1};
	log->segment_max = per_stream_bytes / 8;
	if (log->segment_max > SEGMENT_MAX)
		log->segment_max = SEGMENT_MAX;
	if (log->segment_max < SEGMENT_FIRST)
		log->segment_max = SEGMENT_FIRST;
	pthread_mutex_init(&log->lock, NULL);
}

void stream_log_fini(struct stream_log *log)
{
	for (struct segment *s = log->head; s;) {
		struct segment *next = s->next;
		segment_unref(s);
		s = next;
	}
	log->head = log->tail = NULL;
	pthread_mutex_destroy(&log->lock);
}

static size_t packed_size(const struct sl_entry *e)
{
	size_t n = sizeof(struct log_entry);
	for (size_t i = 0; i < e->n_events; i++) {
		const struct sl_event *ev = &e->events[i];
		n += sizeof(struct packed_event);
		if (ev->kind == SL_EVENT_USAGE)
			n += sizeof(struct sl_usage);
		for (int k = 0; k < 4; k++)
			n += ev->s[k].n;
		n = round8(n);
	}
	return round8(n + e->frame.n);
}

static char *put(char *at, const void *p, size_t n)
{
	if (n)
		memcpy(at, p, n);
	return at + n;
}

static char *pack_event(char *at, const struct sl_event *ev)
{
	char *start = at;
	struct packed_event p = {.kind = (uint8_t)ev->kind,
				 .choice = (uint16_t)ev->choice,
				 .index = (uint16_t)ev->index,
				 .part = (uint16_t)ev->part,
				 .n0 = ev->n0};
	for (int k = 0; k < 4; k++)
		p.len[k] = (uint32_t)ev->s[k].n;
	at = put(at, &p, sizeof(p));
	if (ev->kind == SL_EVENT_USAGE)
		at = put(at, &ev->usage, sizeof(ev->usage));
	for (int k = 0; k < 4; k++)
		at = put(at, ev->s[k].p, ev->s[k].n);
	return start + round8((size_t)(at - start));
}

/* The segment in which `size` bytes find room at the end; a new one is linked when there is none.
 */
static struct segment *room_for(struct stream_log *log, size_t size, uint64_t seq)
{
	struct segment *tail = log->tail;
	if (tail && tail->cap - tail->len >= size)
		return tail;
	size_t cap = tail ? tail->cap * 4 : SEGMENT_FIRST;
	if (cap > log->segment_max)
		cap = log->segment_max;
	if (cap < size)
		cap = size;
	struct segment *s = segment_new(log->budget, cap, seq);
	if (!s)
		return NULL;
	pthread_mutex_lock(&log->lock);
	if (tail)
		tail->next = s;
	else
		log->head = s;
	log->tail = s;
	pthread_mutex_unlock(&log->lock);
	log->bytes += sizeof(*s) + cap;
	return s;
}

int64_t stream_log_append(struct stream_log *log, const struct sl_entry *e, unsigned extra_flags,
			  uint64_t at_ms)
{
	size_t size = packed_size(e);
	uint64_t seq = atomic_load_explicit(&log->next_seq, memory_order_relaxed);
	struct segment *s = room_for(log, size, seq);
	if (!s)
		return -SL_E_NOMEM;
	assert(e->n_events <= UINT16_MAX && size <= UINT32_MAX);

	char *start = s->data + s->len, *at = start;
	struct log_entry head = {.seq = seq,
				 .size = (uint32_t)size,
				 .frame_len = (uint32_t)e->frame.n,
				 .at_ms = at_ms,
				 .ordinal = e->ordinal,
				 .flags = (uint16_t)(e->flags | extra_flags),
				 .n_events = (uint16_t)e->n_events};
	at = put(at, &head, sizeof(head));
	for (size_t i = 0; i < e->n_events; i++)
		at = pack_event(at, &e->events[i]);
	put(at, e->frame.p, e->frame.n);

	/* Publish: the bytes first, then their length, then the number. */
	s->count++;
	atomic_store_explicit(&s->len, s->len + size, memory_order_release);
	if (e->flags & (SL_ENTRY_END | SL_ENTRY_FAILED))
		atomic_store_explicit(&log->end_seq, seq, memory_order_release);
	atomic_store_explicit(&log->next_seq, seq + 1, memory_order_release);
	return (int64_t)seq;
}

/* Lets go of the first segment. */
static void drop_head(struct stream_log *log)
{
	struct segment *s = log->head;
	uint64_t behind = s->first_seq + s->count;
	pthread_mutex_lock(&log->lock);
	log->head = s->next;
	if (s == log->tail)
		log->tail = NULL;
	if (behind > log->first_seq) /* it may have been trimmed further */
		atomic_store_explicit(&log->first_seq, behind, memory_order_release);
	pthread_mutex_unlock(&log->lock);
	log->bytes -= sizeof(*s) + s->cap;
	segment_unref(s);
}

static bool is_read(const struct segment *s, uint64_t read_seq)
{
	return s->first_seq + s->count - 1 <= read_seq;
}

bool stream_log_evict(struct stream_log *log, uint64_t read_seq, size_t max_bytes,
		      size_t keep_bytes)
{
	size_t read_bytes = 0;
	if (log->bytes <= max_bytes)
		return true;
	if (is_read(log->tail, read_seq)) /* nobody could make room by reading on */
		keep_bytes = 0;
	for (struct segment *s = log->head; s && is_read(s, read_seq); s = s->next)
		read_bytes += sizeof(*s) + s->cap;
	while (log->bytes > max_bytes && log->head && is_read(log->head, read_seq)) {
		read_bytes -= sizeof(*log->head) + log->head->cap;
		if (read_bytes < keep_bytes)
			break;
		drop_head(log);
	}
	return log->bytes <= max_bytes;
}

void stream_log_trim(struct stream_log *log, uint64_t first_seq)
{
	if (first_seq <= log->first_seq)
		return;
	pthread_mutex_lock(&log->lock);
	atomic_store_explicit(&log->first_seq, first_seq, memory_order_release);
	pthread_mutex_unlock(&log->lock);
	while (log->head && log->head->first_seq + log->head->count <= first_seq)
		drop_head(log);
}

void log_cursor_init(struct log_cursor *c, struct stream_log *log, uint64_t next_seq)
{
	*c = (struct log_cursor){.log = log, .seq = next_seq};
}

void log_cursor_fini(struct log_cursor *c)
{
	segment_unref(c->seg);
	c->seg = NULL;
}

/* Pins the segment that holds entry c->seq, found from the head: after an attach, or when the one
 * before was evicted meanwhile. */
static int look_up(struct log_cursor *c)
{
	struct stream_log *log = c->log;
	struct segment *found = NULL;
	int result = 0;
	pthread_mutex_lock(&log->lock);
	if (c->seq < atomic_load_explicit(&log->first_seq, memory_order_relaxed)) {
		result = -SL_E_MISSING;
	} else {
		struct segment *s = log->head;
		while (s && s->next && s->next->first_seq <= c->seq)
			s = s->next;
		if (s)
			found = segment_ref(s);
	}
	pthread_mutex_unlock(&log->lock);
	if (!found)
		return result;
	segment_unref(c->seg);
	c->seg = found;
	c->at = 0;
	size_t len = atomic_load_explicit(&found->len, memory_order_acquire);
	while (c->at < len) {
		const struct log_entry *e = (const struct log_entry *)(found->data + c->at);
		if (e->seq >= c->seq)
			break;
		c->at += e->size;
	}
	return 1;
}

int log_cursor_peek(struct log_cursor *c, const struct log_entry **entry)
{
	if (atomic_load_explicit(&c->log->next_seq, memory_order_acquire) <= c->seq) {
		/* All is read. What was evicted meanwhile is pinned for nothing. */
		if (c->seg &&
		    atomic_load_explicit(&c->log->first_seq, memory_order_relaxed) >= c->seq)
			log_cursor_fini(c);
		return 0;
	}
	/* There is an entry c->seq: in the pinned segment, or in a later one. */
	if (!c->seg || c->at >= atomic_load_explicit(&c->seg->len, memory_order_acquire)) {
		int r = look_up(c);
		if (r <= 0)
			return r;
	}
	assert(c->at < atomic_load_explicit(&c->seg->len, memory_order_acquire));
	*entry = (const struct log_entry *)(c->seg->data + c->at);
	return 1;
}

void log_cursor_advance(struct log_cursor *c, const struct log_entry *entry)
{
	assert(entry->seq == c->seq);
	c->seq++;
	c->at += entry->size;
}

static const char *skip_event(const char *at, struct sl_event *out)
{
	const char *start = at;
	struct packed_event p;
	memcpy(&p, at, sizeof(p));
	at += sizeof(p);
	*out = (struct sl_event){.kind = (enum sl_event_kind)p.kind,
				 .choice = p.choice,
				 .index = p.index,
				 .part = p.part,
				 .n0 = p.n0};
	if (out->kind == SL_EVENT_USAGE) {
		memcpy(&out->usage, at, sizeof(out->usage));
		at += sizeof(out->usage);
	}
	for (int k = 0; k < 4; k++) {
		out->s[k] = sl_slice(at, p.len[k]);
		at += p.len[k];
	}
	return start + round8((size_t)(at - start));
}

struct sl_slice log_entry_frame(const struct log_entry *e)
{
	const char *at = (const char *)(e + 1);
	if (e->frame_len)
		for (unsigned i = 0; i < e->n_events; i++) {
			struct packed_event p;
			memcpy(&p, at, sizeof(p));
			size_t n = sizeof(p) + p.len[0] + p.len[1] + p.len[2] + p.len[3];
			at += round8(n + (p.kind == SL_EVENT_USAGE ? sizeof(struct sl_usage) : 0));
		}
	return sl_slice(at, e->frame_len);
}

size_t log_entry_events(const struct log_entry *e, struct sl_event *events, size_t max)
{
	const char *at = (const char *)(e + 1);
	size_t n = 0;
	for (; n < e->n_events && n < max; n++)
		at = skip_event(at, &events[n]);
	return n;
}
