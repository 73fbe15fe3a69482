/* Appending, ending, pausing, and what happens when the last viewer leaves. */
#include "stream/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "codec/encode_responses.h"
#include "stream/stream_private.h"
#include "stream/table.h"

#define RECHECK_MS      100
#define IN_FLIGHT_SHARE 2 /* of a full log: what was written to clients, and may not have come */

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

const char *stream_state_name(enum stream_state s)
{
	static const char *const names[] = {"waiting", "running", "done", "stopped", "failed"};
	return names[s];
}

static void grace_over(struct timer *t);
static void recheck_pause(struct timer *t);

struct stream *stream_alloc(const struct stream_kind *kind, struct log_budget *budget,
			    _Atomic uint32_t *watching, struct loop *loop,
			    const struct stream_options *o)
{
	struct stream *s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct stream){.kind = kind,
			     .watching = watching,
			     .loop = loop,
			     .leave = o->when_client_leaves,
			     .per_stream_bytes = o->per_stream_bytes,
			     .viewers_max = o->viewers,
			     .born_us = clock_us(),
			     .born_unix_s = clock_unix_ms() / 1000,
			     .frames = STREAM_NO_FRAMES,
			     .client = STREAM_NO_FRAMES,
			     .grace.fire = grace_over,
			     .recheck.fire = recheck_pause,
			     .usage = SL_USAGE_NONE,
			     .refs = 1};
	random_id(s->id);
	stream_log_init(&s->log, budget, o->per_stream_bytes);
	sl_buf_init(&s->head, 8192);
	return s;
}

struct stream *stream_ref(struct stream *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void stream_unref(struct stream *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	assert(!s->producer && !s->local && !s->remote);
	s->log.budget->used -= s->input.cap;
	sl_buf_fini(&s->input);
	stream_log_fini(&s->log);
	sl_buf_fini(&s->head);
	free(s->name);
	free(s->owner);
	free(s->upstream);
	free(s->model);
	free(s->answer_id);
	parts_fini(&s->parts);
	free(s->key);
	free(s);
}

void stream_set_producer(struct stream *s, struct producer *p)
{
	assert(!stream_state_ended(s->state) && !s->producer);
	s->producer = p;
}

/* The producer is told once and forgotten. */
static void stop_producer(struct stream *s)
{
	struct producer *p = s->producer;
	s->producer = NULL;
	if (p)
		p->stop(p);
}

static void log_end(const struct stream *s, enum stream_state state, const struct sl_entry *e)
{
	char code[64] = "";
	if (state == STREAM_FAILED && e->n_events) {
		struct sl_slice c = e->events[0].s[2];
		size_t n = c.n < sizeof(code) - 1 ? c.n : sizeof(code) - 1;
		if (n)
			memcpy(code, c.p, n);
		code[n] = '\0';
	}
	log_event(LOG_INFO, "stream_end", {"stream", LOG_STR(s->id)},
		  {"state", LOG_STR(stream_state_name(state))}, {"code", LOG_STR(code)},
		  {"model", LOG_STR(s->name ? s->name : "")},
		  {"key", LOG_STR(s->owner ? s->owner : "")},
		  {"entries", LOG_INT(s->log.next_seq - 1)},
		  {"ttft_ms",
		   LOG_INT(s->first_content_us ? (int64_t)(s->first_content_us - s->born_us) / 1000
					       : -1)},
		  {"ms", LOG_INT((s->ended_us - s->born_us) / 1000)},
		  {"prompt_tokens", LOG_INT(s->usage.prompt)},
		  {"completion_tokens", LOG_INT(s->usage.completion)});
}

static void note_content(struct stream *s, uint64_t now_us)
{
	struct upstream_metrics *u = s->upstream_metrics;
	metrics_add(METRIC_TOKENS, 1);
	if (u)
		u->tokens++;
	if (s->state == STREAM_WAITING) {
		s->first_content_us = now_us;
		s->state = STREAM_RUNNING;
		metrics_observe(METRIC_TTFT, now_us - s->born_us);
		if (u)
			histogram_observe(&u->ttft, now_us - s->born_us);
	} else {
		metrics_observe(METRIC_INTER_TOKEN, now_us - s->last_content_us);
	}
	s->last_content_us = now_us;
}

static void keep_word(char *to, size_t size, struct sl_slice word)
{
	size_t n = word.n < size ? word.n : 0;
	if (n)
		memcpy(to, word.p, n);
	to[n] = '\0';
}

static void note_meta(struct stream *s, const struct sl_event *meta)
{
	if (meta->s[0].n && !s->answer_id)
		s->answer_id = strndup(meta->s[0].p, meta->s[0].n);
	if (meta->s[1].n && !s->model)
		s->model = strndup(meta->s[1].p, meta->s[1].n);
	if (meta->n0 > 0 && !s->created)
		s->created = meta->n0;
}

static void note_events(struct stream *s, const struct sl_entry *e)
{
	for (size_t i = 0; i < e->n_events; i++) {
		const struct sl_event *ev = &e->events[i];
		if (ev->kind == SL_EVENT_USAGE) {
			sl_usage_merge(&s->usage, &ev->usage);
		} else if (ev->kind == SL_EVENT_META) {
			note_meta(s, ev);
		} else if (ev->kind == SL_EVENT_REFUSAL && ev->choice == 0) {
			s->finish_bits |= SL_FINISH_REFUSED;
		} else if (ev->kind == SL_EVENT_TOOL_START && ev->choice == 0) {
			s->finish_bits |= SL_FINISH_CALLED;
		} else if (ev->kind == SL_EVENT_FINISH && ev->choice == 0) {
			keep_word(s->finish, sizeof(s->finish), ev->s[0]);
			keep_word(s->finish_native, sizeof(s->finish_native), ev->s[1]);
			keep_word(s->stop_sequence, sizeof(s->stop_sequence), ev->s[2]);
		}
	}
	if (e->flags & SL_ENTRY_CONTENT)
		note_content(s, clock_us());
}

static bool is_own_code(struct sl_slice code)
{
	return sl_slice_is(code, STREAM_CODE_CLIENT_GONE) ||
	       sl_slice_is(code, STREAM_CODE_SHUTTING_DOWN);
}

static void generation_ended(struct stream *s, enum stream_state state, const struct sl_entry *e)
{
	metrics_add(state == STREAM_DONE      ? METRIC_STREAMS_DONE
		    : state == STREAM_STOPPED ? METRIC_STREAMS_STOPPED
					      : METRIC_STREAMS_FAILED,
		    1);
	if (s->usage.prompt > 0)
		metrics_add(METRIC_TOKENS_PROMPT, (uint64_t)s->usage.prompt);
	if (s->usage.completion > 0)
		metrics_add(METRIC_TOKENS_COMPLETION, (uint64_t)s->usage.completion);
	struct upstream_metrics *u = s->upstream_metrics;
	if (u) {
		u->active--;
		/* A client that left or a server that shuts down is not its fault. */
		u->failed +=
			state == STREAM_FAILED && e->n_events && !is_own_code(e->events[0].s[2]);
	}
	log_end(s, state, e);
	stream_table_ended(s->table, s);
}

static void end(struct stream *s, enum stream_state state, const struct sl_entry *e)
{
	s->ended_us = clock_us();
	loop_stop_timer(s->loop, &s->grace);
	loop_stop_timer(s->loop, &s->recheck);
	parts_fini(&s->parts); /* all of it stands in the log */
	s->kind->ended(s, state, e);
	s->state = state;
}

void stream_end_quietly(struct stream *s)
{
	end(s, STREAM_STOPPED, &(struct sl_entry){.flags = SL_ENTRY_END});
	stream_wake_viewers(s);
}

/*
 * Within its own budget and that of all? When memory gets short, ended streams go first, then what
 * this stream keeps of what has been read. Only when there is none left the producer waits until
 * somebody has read.
 */
static void check_budget(struct stream *s)
{
	const struct log_budget *all = &s->table->budget;
	bool unread = s->drained || s->end_only; /* and nobody will */
	uint64_t read = unread ? UINT64_MAX : s->furthest;
	bool within = stream_log_evict(&s->log, read, s->per_stream_bytes,
				       unread ? 0 : s->per_stream_bytes / IN_FLIGHT_SHARE);
	if (log_budget_is_short(all, 0)) {
		stream_table_sweep(s->table, s->loop->now_ms);
		if (log_budget_is_short(all, 0))
			stream_log_evict(&s->log, read, 0, 0);
	}
	bool pause = !within || all->used > all->max;
	if (pause && !timer_is_set(&s->recheck))
		loop_set_timer(s->loop, &s->recheck, RECHECK_MS);
	if (pause == s->paused || !s->producer)
		return;
	s->paused = pause;
	s->producer->pause(s->producer, pause);
}

static void generation_appended(struct stream *s)
{
	if (s->log.bytes > s->per_stream_bytes || log_budget_is_short(&s->table->budget, 0))
		check_budget(s);
}

static void recheck_pause(struct timer *t)
{
	struct stream *s = FROM(t, struct stream, recheck);
	check_budget(s);
	if (s->paused)
		stream_wake_viewers(s); /* those who have read all let go of what they pin */
}

/* What is known of the answer as a whole. */
static size_t put_known(const struct stream *s, struct sl_event events[3])
{
	const char *id = s->answer_id, *model = s->model;
	size_t n = 0;
	if (id || model)
		events[n++] = (struct sl_event){
			.kind = SL_EVENT_META,
			.n0 = s->created,
			.s = {sl_slice_str(id ? id : ""), sl_slice_str(model ? model : "")}};
	if (s->finish[0])
		events[n++] = (struct sl_event){.kind = SL_EVENT_FINISH,
						.n0 = s->finish_bits,
						.s = {sl_slice_str(s->finish),
						      sl_slice_str(s->finish_native),
						      sl_slice_str(s->stop_sequence)}};
	if (sl_usage_known(&s->usage))
		events[n++] = (struct sl_event){.kind = SL_EVENT_USAGE, .usage = s->usage};
	return n;
}

/* Where an entry stands among the numbered events of the Responses format. */
static void number(struct stream *s, struct sl_entry *e)
{
	if (!s->parts.composing)
		return;
	e->ordinal = s->parts.ordinal;
	s->parts.ordinal += encode_responses_events(&(struct encoder_entry){.entry = *e});
}

/* Calls that waited for another one to be complete, which it never was. */
static void append_held(struct stream *s)
{
	struct sl_entry held;
	if (parts_release(&s->parts, &held) < 0)
		return;
	number(s, &held);
	stream_log_append(&s->log, &held, 0, s->loop->now_ms);
}

/*
 * The end says all that a viewer must know to say it in its own words, so that one who comes back
 * right before it misses nothing: the end of the part that was open, how the answer finished, its
 * usage and its name.
 */
static int64_t append_end(struct stream *s, const struct sl_entry *e, unsigned extra_flags)
{
	struct sl_event known[3];
	size_t n = put_known(s, known);
	struct sl_entry end = *e;
	bool failed = e->flags & SL_ENTRY_FAILED;
	if (failed && s->first_content_us)
		extra_flags |= LOG_ENTRY_PARTIAL;
	if (!failed && parts_has_held(&s->parts))
		append_held(s);
	if (s->kind == &stream_generation && (!failed || s->parts.composing) &&
	    parts_end(&s->parts, failed ? e->events : NULL, known, n, e, &end) < 0 && failed)
		end = *e; /* the error is what must be told */
	number(s, &end);
	return stream_log_append(&s->log, &end, extra_flags, s->loop->now_ms);
}

static int64_t append_entry(struct stream *s, const struct sl_entry *e)
{
	struct sl_entry tidy = *e;
	if (s->kind == &stream_generation) {
		int r = parts_arrange(&s->parts, e, &tidy);
		if (r < 0)
			return r;
	}
	/* An upstream may tell its usage in parts; an entry tells all that is known by then. */
	for (size_t i = 0; i < s->parts.n_events; i++)
		if (s->parts.events[i].kind == SL_EVENT_USAGE)
			s->parts.events[i].usage = s->usage;
	number(s, &tidy);
	return stream_log_append(&s->log, &tidy, 0, s->loop->now_ms);
}

static void end_by_us(struct stream *s, const struct sl_entry *e, enum stream_state state);

/* There is more to keep of an answer than is kept of one. */
static void fail_too_big(struct stream *s)
{
	struct sl_event error =
		stream_error(502, "server_error", SL_CODE_FRAME_TOO_BIG,
			     "the upstream's answer has more in it than is kept of one");
	end_by_us(s, &(struct sl_entry){.flags = SL_ENTRY_FAILED, .events = &error, .n_events = 1},
		  STREAM_FAILED);
}

int stream_append(struct stream *s, const struct sl_entry *e)
{
	if (stream_state_ended(s->state))
		return 0;
	note_events(s, e);
	bool last = e->flags & (SL_ENTRY_END | SL_ENTRY_FAILED);
	int64_t seq = last ? append_end(s, e, 0) : append_entry(s, e);
	if (s->kind == &stream_generation) /* a look at the log must not count as one */
		metrics_add(METRIC_ENTRIES, 1);
	if (seq == -SL_E_LIMIT) {
		fail_too_big(s);
		return -SL_E_LIMIT;
	}
	if (seq < 0) {
		/* Without memory for the entry there is none for an error entry: viewers see a
		 * failed stream whose log ends early, and cut their connections. */
		stream_ref(s);
		end(s, STREAM_FAILED, e);
		stop_producer(s);
		stream_wake_viewers(s);
		stream_unref(s);
		return -SL_E_NOMEM;
	}
	if (last) {
		stream_ref(s);
		end(s, e->flags & SL_ENTRY_END ? STREAM_DONE : STREAM_FAILED, e);
		s->producer = NULL; /* it knows */
		stream_wake_viewers(s);
		stream_unref(s);
		return 0;
	}
	s->kind->appended(s);
	stream_wake_viewers(s);
	return 0;
}

/* An end that does not come from the producer. */
static void end_by_us(struct stream *s, const struct sl_entry *e, enum stream_state state)
{
	if (stream_state_ended(s->state))
		return;
	stream_ref(s);
	append_end(s, e, state == STREAM_STOPPED ? LOG_ENTRY_STOPPED : 0);
	end(s, state, e);
	stop_producer(s);
	stream_wake_viewers(s);
	stream_unref(s);
}

void stream_fail(struct stream *s, const struct sl_event *error)
{
	end_by_us(s, &(struct sl_entry){.flags = SL_ENTRY_FAILED, .events = error, .n_events = 1},
		  STREAM_FAILED);
}

static void stop_here(struct stream *s)
{
	end_by_us(s, &(struct sl_entry){.flags = SL_ENTRY_END}, STREAM_STOPPED);
}

struct stop_mail {
	struct mail mail;
	struct stream *stream;
};

static void deliver_stop(struct mail *m)
{
	struct stop_mail *stop = FROM(m, struct stop_mail, mail);
	stop_here(stop->stream);
	stream_unref(stop->stream);
	free(stop);
}

void stream_stop(struct stream *s)
{
	struct stop_mail *m = malloc(sizeof(*m));
	if (!m)
		return;
	*m = (struct stop_mail){.mail.deliver = deliver_stop, .stream = stream_ref(s)};
	if (!loop_post(s->loop, &m->mail)) {
		stream_unref(s);
		free(m);
	}
}

void stream_set_frames(struct stream *s, int frames)
{
	s->frames = frames;
}

void stream_compose(struct stream *s, bool end_only)
{
	s->parts.composing = true;
	s->end_only = end_only;
}

void stream_keep_input(struct stream *s, struct sl_buf *input)
{
	struct log_budget *all = s->log.budget;
	if (input->cap > s->per_stream_bytes || log_budget_is_short(all, 0))
		return;
	all->used += input->cap;
	s->input = *input;
	*input = (struct sl_buf){.max = input->max};
}

void stream_set_upstream(struct stream *s, const char *name)
{
	if (s->upstream)
		return;
	s->upstream = strdup(name);
	s->upstream_metrics = metrics_upstream(name);
	if (s->upstream_metrics) {
		s->upstream_metrics->streams++;
		s->upstream_metrics->active++;
	}
}

static void leave_now(struct stream *s)
{
	metrics_add(METRIC_CANCELLED, 1);
	struct sl_event gone = stream_error(499, "server_error", STREAM_CODE_CLIENT_GONE,
					    "the client left before the answer was complete");
	stream_fail(s, &gone);
}

static void grace_over(struct timer *t)
{
	leave_now(FROM(t, struct stream, grace));
}

void stream_viewer_left(struct stream *s)
{
	if (!stream_state_ended(s->state) && !s->local && !s->remote)
		s->kind->unwatched(s);
}

static void generation_unwatched(struct stream *s)
{
	switch (s->leave.what) {
	case LEAVE_CANCEL:
		leave_now(s);
		break;
	case LEAVE_DETACH:
		loop_set_timer(s->loop, &s->grace, s->leave.grace_ms);
		break;
	case LEAVE_DRAIN:
		s->drained = true;
		check_budget(s);
		break;
	}
}

/* Nobody can have left yet, so that nothing is cancelled. */
void stream_expect_viewer(struct stream *s)
{
	if (!stream_state_ended(s->state) && !s->local && !s->remote &&
	    s->leave.what != LEAVE_CANCEL)
		generation_unwatched(s);
}

const struct stream_kind stream_generation = {generation_appended, generation_unwatched,
					      generation_ended};

void stream_viewer_came(struct stream *s)
{
	s->drained = false;
	loop_stop_timer(s->loop, &s->grace);
}

bool stream_seen_to_end(const struct stream *s, uint64_t seq)
{
	/* The state first: what is appended in between is still to be read. */
	bool ended = stream_state_ended(s->state);
	if (seq + 1 != atomic_load(&s->log.next_seq))
		return false;
	return ended || (seq > 0 && atomic_load(&s->log.end_seq) == seq);
}

void stream_was_read(struct stream *s, uint64_t seq)
{
	uint64_t was = atomic_load_explicit(&s->furthest, memory_order_relaxed);
	while (seq > was &&
	       !atomic_compare_exchange_weak_explicit(&s->furthest, &was, seq, memory_order_relaxed,
						      memory_order_relaxed))
		;
}
