/* Names, owners and bounds of channels; publishing by mail. */
#include "stream/channel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/clock.h"
#include "stream/stream_private.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct channel {
	struct channel *next; /* chain */
	struct channel_table *table;
	struct stream *stream;    /* a reference */
	struct log_cursor oldest; /* stream's owner: the first message that is kept */
	bool feed;
	char name[CHANNEL_NAME_MAX + 1];
};

static size_t bucket_of(const char *name)
{
	uint32_t h = 2166136261u;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h % CHANNEL_BUCKETS;
}

void channel_table_init(struct channel_table *t, const struct channel_options *o,
			_Atomic uint32_t *watching)
{
	*t = (struct channel_table){.budget.max = SIZE_MAX, .watching = watching};
	pthread_mutex_init(&t->lock, NULL);
	channel_table_configure(t, o);
}

void channel_table_configure(struct channel_table *t, const struct channel_options *o)
{
	pthread_mutex_lock(&t->lock);
	t->options = *o;
	pthread_mutex_unlock(&t->lock);
}

static struct channel_options options_of(struct channel_table *t)
{
	pthread_mutex_lock(&t->lock);
	struct channel_options o = t->options;
	pthread_mutex_unlock(&t->lock);
	return o;
}

static bool is_name(struct sl_slice s)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._-";
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr(good, s.p[i]))
			return false;
	return s.n > 0 && s.n <= CHANNEL_NAME_MAX;
}

bool channel_name_is_good(struct sl_slice name)
{
	return is_name(name);
}

bool channel_event_is_good(struct sl_slice event)
{
	return is_name(event) && !sl_slice_is(event, "error") && !sl_slice_is(event, "lost");
}

/* Under the lock. The name is free from here on. */
static void unlist(struct channel *c)
{
	struct channel_table *t = c->table;
	struct channel **at = &t->bucket[bucket_of(c->name)];
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	t->n -= !c->feed;
}

/* It is not listed any more. Owner's thread. */
static void end_channel(struct channel *c)
{
	struct stream *s = c->stream;
	s->channel = NULL;
	log_cursor_fini(&c->oldest);
	free(c);
	stream_end_quietly(s);
	stream_unref(s);
}

/* Owner's thread. */
static void remove_channel(struct channel *c)
{
	pthread_mutex_lock(&c->table->lock);
	unlist(c);
	pthread_mutex_unlock(&c->table->lock);
	end_channel(c);
}

/* Lets go of what is too old. */
static void age_out(struct channel *c, uint64_t keep_ms)
{
	struct stream *s = c->stream;
	const struct log_entry *e;
	if (c->oldest.seq < s->log.first_seq) {
		log_cursor_fini(&c->oldest);
		log_cursor_init(&c->oldest, &s->log, s->log.first_seq);
	}
	while (log_cursor_peek(&c->oldest, &e) == 1 && e->at_ms + keep_ms <= s->loop->now_ms)
		log_cursor_advance(&c->oldest, e);
	stream_log_trim(&s->log, c->oldest.seq);
}

static bool is_empty(const struct stream *s)
{
	return s->log.first_seq == s->log.next_seq;
}

/* Looks again when the oldest message that is left is too old. */
static void set_timer(struct channel *c, uint64_t keep_ms)
{
	struct stream *s = c->stream;
	const struct log_entry *e;
	if (log_cursor_peek(&c->oldest, &e) != 1)
		return;
	uint64_t due = e->at_ms + keep_ms, now = s->loop->now_ms;
	loop_set_timer(s->loop, &s->recheck, due > now ? due - now : 1);
}

/* A viewer elsewhere counts before its letter is here, and one that has only just opened the
 * channel too: it was told that it watches, so nothing that is published from then on may pass it
 * by. */
static void remove_if_unused(struct channel *c)
{
	struct channel_table *t = c->table;
	struct stream *s = c->stream;
	if (c->feed || !is_empty(s) || s->local || s->remote)
		return;
	pthread_mutex_lock(&t->lock);
	bool unused = s->viewer_count == 0;
	if (unused)
		unlist(c);
	pthread_mutex_unlock(&t->lock);
	if (unused)
		end_channel(c);
}

static void time_passed(struct timer *t)
{
	struct channel *c = FROM(t, struct stream, recheck)->channel;
	uint64_t keep_ms = options_of(c->table).keep_ms;
	age_out(c, keep_ms);
	set_timer(c, keep_ms);
	remove_if_unused(c);
}

static void appended(struct stream *s)
{
	struct channel *c = s->channel;
	struct channel_options o = options_of(c->table);
	if (s->log.next_seq > o.history)
		stream_log_trim(&s->log, s->log.next_seq - o.history);
	stream_log_evict(&s->log, UINT64_MAX, o.memory_bytes, 0);
	age_out(c, o.keep_ms);
	if (!timer_is_set(&s->recheck))
		set_timer(c, o.keep_ms);
}

static void unwatched(struct stream *s)
{
	if (s->channel)
		remove_if_unused(s->channel);
}

static void ended(struct stream *s, enum stream_state state, const struct sl_entry *e)
{
	(void)s, (void)state, (void)e;
}

static const struct stream_kind channel_kind = {appended, unwatched, ended};

static struct channel *find(struct channel_table *t, const char *name)
{
	struct channel *c = t->bucket[bucket_of(name)];
	while (c && strcmp(c->name, name) != 0)
		c = c->next;
	return c;
}

/* Under the lock. NULL without memory. */
static struct channel *make(struct channel_table *t, const char *name, struct loop *loop, bool feed)
{
	struct stream_options o = {.viewers = UINT32_MAX,
				   .per_stream_bytes = t->options.memory_bytes};
	struct channel *c = calloc(1, sizeof(*c));
	struct stream *s =
		c ? stream_alloc(&channel_kind, &t->budget, t->watching, loop, &o) : NULL;
	if (!s) {
		free(c);
		return NULL;
	}
	s->recheck.fire = time_passed;
	s->channel = c;
	s->state = STREAM_RUNNING;
	*c = (struct channel){.table = t, .stream = s, .feed = feed};
	strcpy(c->name, name); /* its length was looked at */
	log_cursor_init(&c->oldest, &s->log, 1);
	c->next = t->bucket[bucket_of(name)];
	t->bucket[bucket_of(name)] = c;
	t->n += !feed;
	return c;
}

/* Whether the caller may use it; makes it theirs when they are the first to publish. Under the
 * lock. 0, -SL_E_MISSING, -SL_E_NOMEM. */
static int claim(struct stream *s, const char *caller, enum channel_use use)
{
	bool unclaimed = !s->owner && s->log.next_seq == 1;
	if (s->owner ? caller && strcmp(caller, s->owner) == 0 : !caller || unclaimed) {
		if (caller && !s->owner && use == CHANNEL_PUBLISH)
			s->owner = strdup(caller);
		return caller && !s->owner && use == CHANNEL_PUBLISH ? -SL_E_NOMEM : 0;
	}
	return -SL_E_MISSING;
}

struct stream *channel_open(struct channel_table *t, const char *name, const char *caller,
			    enum channel_use use, struct loop *loop, int *error)
{
	struct stream *found = NULL;
	int r = -SL_E_BUSY;
	assert(channel_name_is_good(sl_slice_str(name)));
	pthread_mutex_lock(&t->lock);
	struct channel *c = t->closed ? NULL : find(t, name);
	if (!t->closed && !c) {
		r = t->n >= t->options.count ? -SL_E_LIMIT : -SL_E_NOMEM;
		if (r == -SL_E_NOMEM)
			c = make(t, name, loop, false);
	}
	if (c)
		r = claim(c->stream, caller, use);
	if (r == 0)
		found = stream_ref(c->stream);
	if (found && use == CHANNEL_WATCH)
		found->viewer_count++;
	pthread_mutex_unlock(&t->lock);
	if (!found)
		*error = r;
	return found;
}

struct look {
	struct mail mail;
	struct stream *stream;
};

static void deliver_look(struct mail *m)
{
	struct look *l = FROM(m, struct look, mail);
	unwatched(l->stream);
	stream_unref(l->stream);
	free(l);
}

void channel_watched(struct stream *s)
{
	if (atomic_fetch_sub(&s->viewer_count, 1) != 1)
		return;
	/* Nobody is there: it may have been made for nothing. */
	struct look *l = malloc(sizeof(*l));
	if (!l)
		return;
	*l = (struct look){.mail.deliver = deliver_look, .stream = stream_ref(s)};
	if (!loop_post(s->loop, &l->mail)) {
		stream_unref(s);
		free(l);
	}
}

struct stream *channel_open_feed(struct channel_table *t, const char *name, struct loop *loop)
{
	pthread_mutex_lock(&t->lock);
	struct channel *c = find(t, name);
	if (!c && !t->closed)
		c = make(t, name, loop, true);
	struct stream *s = c ? stream_ref(c->stream) : NULL;
	pthread_mutex_unlock(&t->lock);
	return s;
}

/* Any channel of that loop; NULL. */
static struct channel *any_of(struct channel_table *t, const struct loop *loop)
{
	struct channel *found = NULL;
	pthread_mutex_lock(&t->lock);
	t->closed = true;
	for (size_t i = 0; i < CHANNEL_BUCKETS && !found; i++)
		for (struct channel *c = t->bucket[i]; c && !found; c = c->next)
			if (c->stream->loop == loop)
				found = c;
	pthread_mutex_unlock(&t->lock);
	return found;
}

void channel_table_close(struct channel_table *t, struct loop *loop)
{
	struct channel *c;
	while ((c = any_of(t, loop)))
		remove_channel(c);
}

void channel_table_fini(struct channel_table *t)
{
	for (size_t i = 0; i < CHANNEL_BUCKETS; i++)
		while (t->bucket[i]) /* of workers that never ran */
			remove_channel(t->bucket[i]);
	pthread_mutex_destroy(&t->lock);
}

/* A message on its way to the owner. */
struct letter {
	struct mail mail;
	struct stream *stream;
	int64_t level, seq;
	struct publish_wait *wait;
	size_t event_n, data_n;
	char bytes[]; /* the event's name, then its data */
};

static void deliver_seq(struct mail *m)
{
	struct letter *l = FROM(m, struct letter, mail);
	l->wait->done(l->wait, l->seq);
	free(l);
}

static void deliver(struct mail *m)
{
	struct letter *l = FROM(m, struct letter, mail);
	struct stream *s = l->stream;
	struct sl_event message = {
		.kind = SL_EVENT_MESSAGE,
		.n0 = l->level,
		.s = {sl_slice(l->bytes + l->event_n, l->data_n), sl_slice(l->bytes, l->event_n)}};
	l->seq = -SL_E_MISSING;
	if (!stream_state_ended(s->state)) {
		int r = stream_append(s, &(struct sl_entry){.events = &message, .n_events = 1});
		l->seq = r < 0 ? r : (int64_t)s->log.next_seq - 1;
	}
	stream_unref(s);
	l->mail.deliver = deliver_seq;
	if (l->wait && loop_post(l->wait->loop, &l->mail))
		return;
	if (l->wait) /* that loop has ended: nobody else can be there */
		l->wait->done(l->wait, l->seq);
	free(l);
}

int channel_publish(struct stream *s, struct sl_slice event, struct sl_slice data, int64_t level,
		    struct publish_wait *wait)
{
	struct letter *l = malloc(sizeof(*l) + event.n + data.n);
	if (!l)
		return -SL_E_NOMEM;
	*l = (struct letter){.mail.deliver = deliver,
			     .stream = stream_ref(s),
			     .level = level,
			     .wait = wait,
			     .event_n = event.n,
			     .data_n = data.n};
	if (event.n)
		memcpy(l->bytes, event.p, event.n);
	if (data.n)
		memcpy(l->bytes + event.n, data.p, data.n);
	if (loop_post(s->loop, &l->mail))
		return 0;
	stream_unref(s);
	free(l);
	return -SL_E_MISSING;
}
