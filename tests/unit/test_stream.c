/* Streams: the log, cursors, viewers here and on another worker, budgets, leaving, ending. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "stream/stream.h"
#include "stream/stream_private.h"
#include "stream/table.h"
#include "unit.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static struct loop loop;
static struct stream_table table;
static struct stream_options options;

/* A producer that only notes what it is told. */
struct dummy {
	struct producer producer;
	int stops, paused;
};

static void dummy_stop(struct producer *p)
{
	FROM(p, struct dummy, producer)->stops++;
}

static void dummy_pause(struct producer *p, bool on)
{
	FROM(p, struct dummy, producer)->paused = on;
}

static struct dummy dummy_new(void)
{
	return (struct dummy){.producer = {dummy_stop, dummy_pause}};
}

static void setup(void)
{
	log_setup(LOG_OFF, LOG_JSON, "stderr");
	options = (struct stream_options){.when_client_leaves = {.what = LEAVE_CANCEL},
					  .keep_ms = 60000,
					  .memory_bytes = 1 << 20,
					  .per_stream_bytes = 64 << 10,
					  .count = 100,
					  .viewers = 4};
	ck_assert_int_eq(loop_init(&loop), 0);
	stream_table_init(&table, &options);
}

static void teardown(void)
{
	struct stream *s;
	struct sl_event error = stream_error(500, "server_error", "test_over", "the test is over");
	while ((s = stream_table_any_live(&table, &loop))) {
		stream_fail(s, &error);
		stream_unref(s);
	}
	loop_fini(&loop);
	stream_table_fini(&table);
	clock_set_for_test(0);
}

static struct stream *new_stream(void)
{
	int error;
	struct stream *s = stream_new(&table, &loop, &options, NULL, SL_LIT("m"), &error);
	ck_assert_ptr_nonnull(s);
	return s;
}

static void append_text(struct stream *s, const char *text)
{
	struct sl_event e = {.kind = SL_EVENT_TEXT, .s = {sl_slice_str(text)}};
	ck_assert_int_eq(stream_append(s, &(struct sl_entry){.flags = SL_ENTRY_CONTENT,
							     .frame = sl_slice_str(text),
							     .events = &e,
							     .n_events = 1}),
			 0);
}

static void append_end(struct stream *s)
{
	stream_append(s, &(struct sl_entry){.flags = SL_ENTRY_END});
}

static int wakes;

static void count_wake(struct viewer *v)
{
	(void)v;
	wakes++;
}

static struct viewer attach(struct stream *s, struct viewer *v, uint64_t after)
{
	*v = (struct viewer){.ready = count_wake};
	ck_assert_int_eq(viewer_attach(v, s, &loop, after), 0);
	return *v;
}

/* The text of the next entry; NULL when there is none yet. */
static const char *next_text(struct viewer *v)
{
	static char text[65536];
	const struct log_entry *e;
	struct sl_event events[4];
	if (viewer_peek(v, &e) != 1)
		return NULL;
	text[0] = '\0';
	for (size_t i = 0, n = log_entry_events(e, events, 4); i < n; i++)
		if (events[i].kind == SL_EVENT_TEXT)
			snprintf(text, sizeof(text), "%.*s", (int)events[i].s[0].n,
				 events[i].s[0].p);
	viewer_advance(v, e);
	return text;
}

START_TEST(an_entry_comes_out_of_the_log_as_it_went_in)
{
	struct stream *s = new_stream();
	struct viewer v;
	struct sl_usage usage = {.prompt = 1,
				 .completion = 2,
				 .total = 3,
				 .cached = -1,
				 .cache_write = 4,
				 .reasoning = 5};
	struct sl_event in[] = {
		{.kind = SL_EVENT_META, .n0 = 1762512000, .s = {SL_LIT("chatcmpl-1"), SL_LIT("m")}},
		{.kind = SL_EVENT_TEXT, .choice = 2, .s = {SL_LIT("gr\0un")}},
		{.kind = SL_EVENT_TOOL_START, .index = 7, .s = {SL_LIT("id"), SL_LIT("name")}},
		{.kind = SL_EVENT_USAGE, .usage = usage},
		{.kind = SL_EVENT_FINISH, .s = {SL_LIT("stop"), SL_LIT("eos")}},
	};
	struct sl_event out[8];
	const struct log_entry *e;
	attach(s, &v, 0);
	stream_append(s, &(struct sl_entry){.flags = SL_ENTRY_CONTENT,
					    .frame = SL_LIT("{\"a\":1}"),
					    .events = in,
					    .n_events = 5});
	ck_assert_int_eq(viewer_peek(&v, &e), 1);
	ck_assert_uint_eq(e->seq, 1);
	ck_assert(sl_slice_is(log_entry_frame(e), "{\"a\":1}"));
	ck_assert_uint_eq(log_entry_events(e, out, 8), 5);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(out[i].kind, in[i].kind);
		ck_assert_uint_eq(out[i].choice, in[i].choice);
		ck_assert_uint_eq(out[i].index, in[i].index);
		ck_assert_int_eq(out[i].n0, in[i].n0);
		for (int k = 0; k < 4; k++)
			ck_assert(sl_slice_eq(out[i].s[k], in[i].s[k]));
	}
	ck_assert_mem_eq(&out[3].usage, &usage, sizeof(usage));
	ck_assert_int_eq(s->usage.completion, 2);
	ck_assert_str_eq(s->finish, "stop");
	viewer_detach(&v);
	stream_unref(s);
}
END_TEST

START_TEST(sequence_numbers_count_from_one_without_a_gap_over_all_segments)
{
	struct stream *s = new_stream();
	struct viewer v;
	const struct log_entry *e;
	attach(s, &v, 0);
	for (int i = 0; i < 500; i++)
		append_text(s, "a token of some length, so that there are several segments");
	append_end(s);
	for (uint64_t seq = 1; seq <= 501; seq++) {
		ck_assert_int_eq(viewer_peek(&v, &e), 1);
		ck_assert_uint_eq(e->seq, seq);
		viewer_advance(&v, e);
	}
	ck_assert_int_eq(viewer_peek(&v, &e), 0);
	viewer_detach(&v);
	stream_unref(s);
}
END_TEST

START_TEST(a_viewer_is_woken_once_each_time_it_has_asked)
{
	struct stream *s = new_stream();
	struct viewer v;
	attach(s, &v, 0);
	wakes = 0;
	append_text(s, "a");
	ck_assert_int_eq(wakes, 0);
	ck_assert(!viewer_arm(&v)); /* there is something already */
	next_text(&v);
	ck_assert(viewer_arm(&v));
	append_text(s, "b");
	append_text(s, "c");
	ck_assert_int_eq(wakes, 1);
	viewer_detach(&v);
	stream_unref(s);
}
END_TEST

START_TEST(a_late_viewer_starts_right_behind_its_position)
{
	struct stream *s = new_stream();
	struct viewer first, late;
	attach(s, &first, 0);
	append_text(s, "a");
	append_text(s, "b");
	append_text(s, "c");
	attach(s, &late, 2);
	ck_assert_str_eq(next_text(&late), "c");
	ck_assert_ptr_null(next_text(&late));
	viewer_detach(&late);
	viewer_detach(&first);
	stream_unref(s);
}
END_TEST

START_TEST(the_last_viewer_to_leave_cancels_and_only_the_last)
{
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct viewer a, b;
	stream_set_producer(s, &d.producer);
	attach(s, &a, 0);
	attach(s, &b, 0);
	viewer_detach(&a);
	ck_assert_int_eq(d.stops, 0);
	viewer_detach(&b);
	ck_assert_int_eq(d.stops, 1);
	ck_assert_int_eq(s->state, STREAM_FAILED);
	viewer_detach(&b); /* idempotent */
	stream_unref(s);
}
END_TEST

START_TEST(a_cancelled_stream_can_be_read_to_its_end_which_says_why)
{
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct viewer a;
	const struct log_entry *e;
	struct sl_event event;
	stream_set_producer(s, &d.producer);
	attach(s, &a, 0);
	append_text(s, "half an ans");
	viewer_detach(&a);
	attach(s, &a, 0);
	ck_assert_str_eq(next_text(&a), "half an ans");
	ck_assert_int_eq(viewer_peek(&a, &e), 1);
	ck_assert(e->flags & SL_ENTRY_FAILED);
	ck_assert_uint_eq(log_entry_events(e, &event, 1), 1);
	ck_assert(sl_slice_is(event.s[2], "client_gone"));
	viewer_detach(&a);
	stream_unref(s);
}
END_TEST

START_TEST(a_detached_stream_waits_its_grace_and_then_cancels)
{
	clock_set_for_test(1000000000);
	options.when_client_leaves = (struct leave){LEAVE_DETACH, 3000};
	loop_turn(&loop, 0);
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct viewer a;
	stream_set_producer(s, &d.producer);
	attach(s, &a, 0);
	viewer_detach(&a);
	clock_set_for_test(1002000000);
	loop_turn(&loop, 0);
	ck_assert_int_eq(d.stops, 0);
	attach(s, &a, 0); /* comes back in time: the clock starts anew */
	clock_set_for_test(1010000000);
	loop_turn(&loop, 0);
	ck_assert_int_eq(d.stops, 0);
	viewer_detach(&a);
	clock_set_for_test(1012999000);
	loop_turn(&loop, 0);
	ck_assert_int_eq(d.stops, 0);
	clock_set_for_test(1013001000);
	loop_turn(&loop, 0);
	ck_assert_int_eq(d.stops, 1);
	stream_unref(s);
}
END_TEST

START_TEST(a_drained_stream_reads_on_and_keeps_within_its_budget)
{
	options.when_client_leaves = (struct leave){LEAVE_DRAIN, 0};
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct viewer a;
	stream_set_producer(s, &d.producer);
	attach(s, &a, 0);
	viewer_detach(&a);
	for (int i = 0; i < 20000; i++)
		append_text(s, "nobody reads this any more");
	ck_assert_int_eq(d.stops, 0);
	ck_assert_int_eq(d.paused, 0);
	ck_assert_uint_le(s->log.bytes, options.per_stream_bytes);
	append_end(s);
	ck_assert_int_eq(s->state, STREAM_DONE);
	stream_unref(s);
}
END_TEST

START_TEST(a_stream_that_nobody_reads_pauses_its_producer_and_goes_on_when_somebody_does)
{
	clock_set_for_test(1000000000);
	loop_turn(&loop, 0);
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct viewer a;
	stream_set_producer(s, &d.producer);
	attach(s, &a, 0);
	unsigned n = 0;
	while (!d.paused && n < 100000) {
		append_text(s, "unread");
		n++;
	}
	ck_assert_int_eq(d.paused, 1);
	ck_assert_uint_le(s->log.bytes, options.per_stream_bytes + (32 << 10));
	unsigned got = 0;
	while (next_text(&a))
		got++;
	ck_assert_uint_eq(got, n); /* it gets everything */
	clock_set_for_test(1001000000);
	loop_turn(&loop, 0);
	ck_assert_int_eq(d.paused, 0);
	viewer_detach(&a);
	stream_unref(s);
}
END_TEST

/* What was written to a client may not have come: it comes back for it, and the log is full of what
 * came since. */
START_TEST(what_may_be_on_its_way_stays_for_who_is_cut_off)
{
	static char big[1000];
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct viewer v;
	options.when_client_leaves = (struct leave){LEAVE_DETACH, 30000};
	s->leave = options.when_client_leaves;
	stream_set_producer(s, &d.producer);
	memset(big, 'x', sizeof(big) - 1);
	attach(s, &v, 0);
	for (int i = 0; i < 200; i++) { /* more than it may hold, and read at once */
		append_text(s, big);
		while (next_text(&v))
			;
	}
	ck_assert_int_eq(d.paused, 0);
	ck_assert_uint_gt(s->log.first_seq, 100);
	viewer_detach(&v);
	for (int i = 0; i < 200 && !d.paused; i++)
		append_text(s, big);
	ck_assert_int_eq(d.paused, 1);
	ck_assert_uint_le(s->log.first_seq, 201 - 10); /* 20 KB of what it has seen or not */
	ck_assert_uint_gt(s->log.next_seq, 201 + 5);
	attach(s, &v, 201 - 10);
	for (int i = 0; i < 10; i++)
		ck_assert_ptr_nonnull(next_text(&v));
	append_end(s);
	viewer_detach(&v);
	stream_unref(s);
}
END_TEST

START_TEST(the_input_that_a_stream_keeps_counts_as_memory_until_it_goes)
{
	struct stream *s = new_stream();
	struct sl_buf input, large;
	char bytes[40000] = {0};
	sl_buf_init(&input, 1 << 20);
	sl_buf_init(&large, 1 << 20);
	size_t before = table.budget.used;
	sl_buf_put(&large, bytes, sizeof(bytes));
	sl_buf_put(&large, bytes, sizeof(bytes));
	stream_keep_input(s, &large);
	ck_assert_uint_eq(s->input.len, 0);
	ck_assert_uint_eq(large.len, 2 * sizeof(bytes));
	ck_assert_uint_eq(table.budget.used, before);

	sl_buf_put(&input, bytes, sizeof(bytes));
	stream_keep_input(s, &input);
	ck_assert_uint_eq(s->input.len, sizeof(bytes));
	ck_assert_uint_eq(input.len, 0);
	ck_assert_uint_ge(table.budget.used, before + sizeof(bytes));
	append_end(s);
	stream_unref(s);
	clock_set_for_test((clock_ms() + 120000) * 1000);
	stream_table_sweep(&table, clock_ms());
	ck_assert_uint_le(table.budget.used, before);
	sl_buf_fini(&input);
	sl_buf_fini(&large);
}
END_TEST

START_TEST(ended_streams_make_room_by_the_input_that_they_keep)
{
	char bytes[60000] = {0};
	size_t most = 0;
	for (int i = 0; i < 40; i++) {
		struct stream *s = new_stream();
		struct sl_buf input;
		sl_buf_init(&input, sizeof(bytes));
		sl_buf_put(&input, bytes, sizeof(bytes));
		stream_keep_input(s, &input);
		sl_buf_fini(&input);
		append_end(s);
		stream_unref(s);
		most = table.budget.used > most ? table.budget.used : most;
	}
	ck_assert_uint_le(most, options.memory_bytes);
	ck_assert_uint_gt(table.n_ended, 10); /* and no more than was needed */
}
END_TEST

START_TEST(an_entry_larger_than_the_budget_pauses_only_until_it_is_read)
{
	static char large[200 << 10];
	clock_set_for_test(1000000000);
	loop_turn(&loop, 0);
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct viewer a;
	const struct log_entry *e;
	memset(large, 'x', sizeof(large) - 1);
	stream_set_producer(s, &d.producer);
	attach(s, &a, 0);
	append_text(s, large);
	ck_assert_int_eq(d.paused, 1);
	ck_assert_int_eq(viewer_peek(&a, &e), 1);
	viewer_advance(&a, e);
	clock_set_for_test(1001000000);
	loop_turn(&loop, 0);
	ck_assert_int_eq(d.paused, 0);
	viewer_detach(&a);
	stream_unref(s);
}
END_TEST

START_TEST(a_slow_viewer_does_not_hold_a_fast_one_and_learns_that_it_lost)
{
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct viewer fast, slow;
	const struct log_entry *e;
	stream_set_producer(s, &d.producer);
	attach(s, &fast, 0);
	attach(s, &slow, 0);
	for (int i = 0; i < 5000; i++) {
		append_text(s, "flowing");
		ck_assert_str_eq(next_text(&fast), "flowing");
		ck_assert_int_eq(d.paused, 0);
	}
	ck_assert_uint_le(s->log.bytes, options.per_stream_bytes + (16 << 10));
	ck_assert_int_eq(viewer_peek(&slow, &e), -SL_E_MISSING);
	viewer_detach(&slow);
	viewer_detach(&fast);
	stream_unref(s);
}
END_TEST

enum { MANY = 40 };

struct crowd {
	struct stream *s[MANY];
	struct viewer v[MANY];
	struct dummy d[MANY];
};

static void crowd_begin(struct crowd *c, size_t memory_bytes, void (*ready)(struct viewer *))
{
	options.per_stream_bytes = 1 << 20;
	options.memory_bytes = memory_bytes;
	stream_table_configure(&table, &options);
	for (int i = 0; i < MANY; i++) {
		c->s[i] = new_stream();
		c->d[i] = dummy_new();
		stream_set_producer(c->s[i], &c->d[i].producer);
		attach(c->s[i], &c->v[i], 0);
		c->v[i].ready = ready;
	}
}

static void crowd_end(struct crowd *c)
{
	for (int i = 0; i < MANY; i++) {
		viewer_detach(&c->v[i]);
		stream_unref(c->s[i]);
	}
}

START_TEST(many_live_streams_that_are_read_stay_within_the_memory_of_all)
{
	struct crowd c;
	crowd_begin(&c, 2 << 20, count_wake);
	for (int round = 0; round < 2000; round++)
		for (int i = 0; i < MANY; i++) {
			append_text(c.s[i], "a token that is read at once");
			ck_assert_ptr_nonnull(next_text(&c.v[i]));
		}
	ck_assert_uint_le(table.budget.used, options.memory_bytes + MANY * 1024);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(c.d[i].paused, 0);
	crowd_end(&c);
}
END_TEST

static void read_and_wait(struct viewer *v)
{
	do {
		while (next_text(v))
			;
	} while (!viewer_arm(v));
}

START_TEST(a_memory_too_small_for_all_slows_them_and_stops_none)
{
	struct crowd c;
	uint64_t now_us = 1000000000;
	clock_set_for_test(now_us);
	loop_turn(&loop, 0);
	crowd_begin(&c, 64 << 10, read_and_wait);
	for (int i = 0; i < MANY; i++)
		read_and_wait(&c.v[i]);
	for (int token = 0; token < 400; token++)
		for (int i = 0; i < MANY; i++) {
			while (c.d[i].paused) {
				clock_set_for_test(now_us += 101000);
				loop_turn(&loop, 0);
				ck_assert_uint_lt(now_us, 1000000000ull + 40000000000ull);
			}
			append_text(c.s[i], "a token that is read at once");
		}
	crowd_end(&c);
}
END_TEST

START_TEST(ended_streams_go_oldest_first_and_live_ones_never)
{
	options.count = 3;
	stream_table_configure(&table, &options);
	int error;
	struct stream *live = new_stream(), *old = new_stream(), *newer = new_stream();
	append_end(old);
	append_end(newer);
	char old_id[32], newer_id[32];
	snprintf(old_id, sizeof(old_id), "%s", old->id);
	snprintf(newer_id, sizeof(newer_id), "%s", newer->id);
	stream_unref(old);
	stream_unref(newer);
	struct stream *s = new_stream();
	ck_assert_ptr_null(stream_find(&table, sl_slice_str(old_id)));
	struct stream *found = stream_find(&table, sl_slice_str(newer_id));
	ck_assert_ptr_nonnull(found);
	stream_unref(found);
	struct stream *s2 = new_stream();
	ck_assert_ptr_null(stream_find(&table, sl_slice_str(newer_id)));
	ck_assert_ptr_null(stream_new(&table, &loop, &options, NULL, SL_LIT("m"),
				      &error)); /* three live ones */
	ck_assert_int_eq(error, -SL_E_BUSY);
	stream_unref(s);
	stream_unref(s2);
	stream_unref(live);
}
END_TEST

START_TEST(one_idempotency_key_has_one_stream_while_it_is_kept)
{
	bool same = false;
	clock_set_for_test(1000000000);
	loop_turn(&loop, 0);
	options.idempotency_keep_ms = 120000; /* longer than streams without a key are kept */
	stream_table_configure(&table, &options);
	struct stream *first = new_stream(), *second = new_stream(), *third = new_stream();
	ck_assert_ptr_null(stream_table_claim(&table, first, "key", 7, &same));
	ck_assert_ptr_eq(stream_table_claim(&table, second, "key", 7, &same), first);
	ck_assert(same);
	ck_assert_ptr_eq(stream_table_claim(&table, third, "key", 8, &same), first);
	ck_assert(!same);
	ck_assert_uint_eq(stream_table_figures(&table).live, 1);
	append_end(first);
	clock_set_for_test(1000000000ull + 119000000);
	stream_table_sweep(&table, clock_ms());
	struct stream *late = new_stream();
	ck_assert_ptr_eq(stream_table_claim(&table, late, "key", 7, &same), first);
	clock_set_for_test(1000000000ull + 121000000);
	struct stream *after = new_stream();
	ck_assert_ptr_null(stream_table_claim(&table, after, "key", 9, &same));
	for (int i = 0; i < 4; i++)
		stream_unref(first);
	stream_unref(second);
	stream_unref(third);
	stream_unref(late);
	stream_unref(after);
}
END_TEST

START_TEST(ended_streams_are_kept_for_their_time)
{
	clock_set_for_test(1000000000);
	loop_turn(&loop, 0);
	struct stream *s = new_stream();
	append_end(s);
	stream_table_sweep(&table, clock_ms() + 59000);
	ck_assert_uint_eq(stream_table_figures(&table).ended, 1);
	stream_table_sweep(&table, clock_ms() + 60001);
	ck_assert_uint_eq(stream_table_figures(&table).ended, 0);
	stream_unref(s);
	ck_assert_uint_eq(stream_table_figures(&table).bytes, 0);
}
END_TEST

START_TEST(an_end_happens_once)
{
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct sl_event error = stream_error(500, "server_error", "late", "too late");
	stream_set_producer(s, &d.producer);
	append_text(s, "a");
	append_end(s);
	uint64_t last = s->log.next_seq;
	append_text(s, "b");
	stream_fail(s, &error);
	append_end(s);
	ck_assert_uint_eq(s->log.next_seq, last);
	ck_assert_int_eq(s->state, STREAM_DONE);
	ck_assert_int_eq(d.stops, 0); /* it ended the stream itself */
	stream_unref(s);
}
END_TEST

START_TEST(an_end_is_seen_as_one_before_the_state_says_so)
{
	struct stream *s = new_stream();
	ck_assert(!stream_seen_to_end(s, 0));
	append_text(s, "a");
	ck_assert(!stream_seen_to_end(s, 0));
	ck_assert(!stream_seen_to_end(s, 1));
	/* What another thread finds in the middle of stream_append(). */
	stream_log_append(&s->log, &(struct sl_entry){.flags = SL_ENTRY_END}, 0, 0);
	ck_assert_int_eq(s->state, STREAM_RUNNING);
	ck_assert(!stream_seen_to_end(s, 1));
	ck_assert(stream_seen_to_end(s, 2));
	ck_assert(!stream_seen_to_end(s, 3));
	stream_end_quietly(s);
	ck_assert(!stream_seen_to_end(s, 1));
	ck_assert(stream_seen_to_end(s, 2));
	stream_unref(s);

	/* One that ends without an entry. */
	s = new_stream();
	stream_end_quietly(s);
	ck_assert(stream_seen_to_end(s, 0));
	stream_unref(s);
}
END_TEST

START_TEST(a_stream_can_be_stopped_from_any_thread)
{
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	struct viewer v;
	const struct log_entry *e;
	stream_set_producer(s, &d.producer);
	attach(s, &v, 0);
	stream_stop(s);
	stream_stop(s);
	loop_turn(&loop, 1000);
	ck_assert_int_eq(s->state, STREAM_STOPPED);
	ck_assert_int_eq(d.stops, 1);
	ck_assert_int_eq(viewer_peek(&v, &e), 1);
	ck_assert(e->flags & SL_ENTRY_END);
	ck_assert(e->flags & LOG_ENTRY_STOPPED);
	viewer_detach(&v);
	stream_unref(s);
}
END_TEST

START_TEST(a_stream_has_as_many_viewers_as_it_may)
{
	struct stream *s = new_stream();
	struct viewer v[5];
	for (int i = 0; i < 4; i++)
		attach(s, &v[i], 0);
	v[4] = (struct viewer){.ready = count_wake};
	ck_assert_int_eq(viewer_attach(&v[4], s, &loop, 0), -SL_E_LIMIT);
	for (int i = 0; i < 4; i++)
		viewer_detach(&v[i]);
	stream_unref(s);
}
END_TEST

/* A viewer on another worker: a thread with its own loop reads all of a stream while this one
 * writes it. */
enum { REMOTE_ENTRIES = 20000 };

struct reader_thread {
	struct loop loop;
	struct viewer viewer;
	struct stream *stream;
	uint64_t after, got;
	bool in_order, done;
	pthread_t thread;
};

static void read_all(struct viewer *v)
{
	struct reader_thread *r = FROM(v, struct reader_thread, viewer);
	const struct log_entry *e;
	do {
		while (viewer_peek(v, &e) == 1) {
			r->in_order &= e->seq == r->after + r->got + 1;
			r->got++;
			r->done = e->flags & SL_ENTRY_END;
			viewer_advance(v, e);
		}
	} while (!r->done && !viewer_arm(v));
}

static void *reader_main(void *arg)
{
	struct reader_thread *r = arg;
	r->viewer = (struct viewer){.ready = read_all};
	ck_assert_int_eq(viewer_attach(&r->viewer, r->stream, &r->loop, r->after), 0);
	read_all(&r->viewer);
	while (!r->done)
		loop_turn(&r->loop, 100);
	viewer_detach(&r->viewer);
	return NULL;
}

START_TEST(viewers_on_other_workers_get_every_entry_in_order)
{
	struct reader_thread r[3] = {0};
	struct viewer local;
	options.per_stream_bytes = 64 << 20;
	options.memory_bytes = 64 << 20;
	stream_table_configure(&table, &options);
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	stream_set_producer(s, &d.producer);
	attach(s, &local, 0);
	for (int i = 0; i < 100; i++)
		append_text(s, "before");
	for (int i = 0; i < 3; i++) {
		r[i].stream = s;
		r[i].after = (uint64_t)i * 10;
		r[i].in_order = true;
		ck_assert_int_eq(loop_init(&r[i].loop), 0);
		ck_assert_int_eq(pthread_create(&r[i].thread, NULL, reader_main, &r[i]), 0);
	}
	for (int i = 100; i < REMOTE_ENTRIES; i++) {
		append_text(s, "token");
		if (i % 7 == 0)
			loop_turn(&loop, 0);
	}
	append_end(s);
	for (int i = 0; i < 3; i++) {
		while (pthread_tryjoin_np(r[i].thread, NULL) != 0)
			loop_turn(&loop, 1);
		ck_assert(r[i].in_order);
		ck_assert_uint_eq(r[i].got + r[i].after, REMOTE_ENTRIES + 1);
	}
	loop_turn(&loop, 0); /* their letters of farewell */
	ck_assert_ptr_null(s->remote);
	ck_assert_uint_eq(s->viewer_count, 1);
	for (int i = 0; i < 3; i++)
		loop_fini(&r[i].loop);
	viewer_detach(&local);
	stream_unref(s);
}
END_TEST

START_TEST(a_viewer_on_another_worker_keeps_a_stream_alive_and_its_leaving_ends_it)
{
	struct loop other;
	struct viewer v = {.ready = count_wake};
	struct stream *s = new_stream();
	struct dummy d = dummy_new();
	ck_assert_int_eq(loop_init(&other), 0);
	stream_set_producer(s, &d.producer);
	ck_assert_int_eq(viewer_attach(&v, s, &other, 0), 0);
	loop_turn(&loop, 0);
	ck_assert_ptr_nonnull(s->remote);
	wakes = 0;
	ck_assert(viewer_arm(&v));
	append_text(s, "a");
	loop_turn(&other, 1000);
	ck_assert_int_eq(wakes, 1);
	ck_assert_str_eq(next_text(&v), "a");
	viewer_detach(&v);
	ck_assert_int_eq(d.stops, 0);
	loop_turn(&loop, 1000);
	ck_assert_int_eq(d.stops, 1);
	loop_fini(&other);
	stream_unref(s);
}
END_TEST

/* The events of a stream's last entry. */
static size_t last_events(struct stream *s, struct sl_event *events, size_t max, uint16_t *flags)
{
	static struct log_cursor c; /* keeps what the events point to */
	const struct log_entry *e;
	log_cursor_fini(&c);
	log_cursor_init(&c, &s->log, s->log.next_seq - 1);
	ck_assert_int_eq(log_cursor_peek(&c, &e), 1);
	*flags = e->flags;
	size_t n = log_entry_events(e, events, max);
	return n;
}

static void append_event(struct stream *s, struct sl_event event)
{
	stream_append(s, &(struct sl_entry){.events = &event, .n_events = 1});
}

START_TEST(the_end_tells_how_the_answer_finished_and_what_it_took)
{
	struct stream *s = new_stream();
	struct sl_event e[4];
	uint16_t flags;
	append_text(s, "a");
	append_event(s,
		     (struct sl_event){.kind = SL_EVENT_USAGE, .usage = {3, -1, -1, -1, -1, -1}});
	append_event(s,
		     (struct sl_event){.kind = SL_EVENT_USAGE, .usage = {-1, 4, -1, -1, -1, -1}});
	/* Usage that came in parts is told with all that is known by then. */
	ck_assert_uint_eq(last_events(s, e, 4, &flags), 1);
	ck_assert_int_eq(e[0].usage.prompt, 3);
	ck_assert_int_eq(e[0].usage.completion, 4);
	append_event(s, (struct sl_event){.kind = SL_EVENT_FINISH, .s[0] = SL_LIT("length")});
	append_end(s);
	ck_assert_uint_eq(last_events(s, e, 4, &flags), 3);
	ck_assert_int_eq(flags, SL_ENTRY_END);
	ck_assert(e[0].kind == SL_EVENT_PART_END && e[0].n0 == SL_EVENT_TEXT);
	ck_assert(e[1].kind == SL_EVENT_FINISH && sl_slice_is(e[1].s[0], "length"));
	ck_assert(e[2].kind == SL_EVENT_USAGE && e[2].usage.completion == 4);
	stream_unref(s);
}
END_TEST

START_TEST(the_end_of_a_stopped_stream_knows_the_name_of_its_chunks)
{
	struct stream *s = new_stream();
	struct sl_event e[4];
	uint16_t flags;
	append_event(s,
		     (struct sl_event){.kind = SL_EVENT_META, .n0 = 5, .s[0] = SL_LIT("cmpl-1")});
	append_text(s, "a");
	stream_stop(s);
	loop_turn(&loop, 0);
	ck_assert_uint_eq(last_events(s, e, 4, &flags), 2);
	ck_assert_int_eq(flags, SL_ENTRY_END | LOG_ENTRY_STOPPED);
	ck_assert_int_eq(e[0].kind, SL_EVENT_PART_END);
	ck_assert(e[1].kind == SL_EVENT_META && e[1].n0 == 5 && sl_slice_is(e[1].s[0], "cmpl-1"));
	stream_unref(s);
}
END_TEST

START_TEST(a_failure_is_partial_when_there_was_content)
{
	struct sl_event error = stream_error(502, "t", "c", "m"), e[4];
	uint16_t flags;
	for (int content = 0; content < 2; content++) {
		struct stream *s = new_stream();
		if (content)
			append_text(s, "a");
		stream_fail(s, &error);
		ck_assert_uint_eq(last_events(s, e, 4, &flags), 1);
		ck_assert_int_eq(flags, SL_ENTRY_FAILED | (content ? LOG_ENTRY_PARTIAL : 0));
		stream_unref(s);
	}
}
END_TEST

START_TEST(a_stream_that_nobody_came_to_watch_ends_after_its_grace)
{
	options.when_client_leaves = (struct leave){LEAVE_DETACH, 3000};
	struct stream *lonely = new_stream(), *watched = new_stream();
	struct viewer v;
	clock_set_for_test(1000 * 1000);
	loop_turn(&loop, 0);
	stream_expect_viewer(lonely);
	stream_expect_viewer(watched);
	attach(watched, &v, 0);
	clock_set_for_test(5000 * 1000);
	loop_turn(&loop, 0);
	ck_assert_int_eq(lonely->state, STREAM_FAILED);
	ck_assert_int_eq(watched->state, STREAM_WAITING);
	viewer_detach(&v);
	stream_unref(lonely);
	stream_unref(watched);
}
END_TEST

START_TEST(an_orphan_is_adopted_once_by_who_asks_the_same)
{
	options.when_client_leaves = (struct leave){LEAVE_DETACH, 3000};
	struct stream *s = new_stream(), *other = new_stream();
	struct viewer v;
	stream_table_label(&table, s, "a\n\n1");
	stream_table_label(&table, other, "a\n\n1"); /* as many as there are clients */
	attach(s, &v, 0);
	struct stream *found = stream_table_adopt(&table, "a\n\n1");
	ck_assert_ptr_eq(found, other);                           /* s is watched */
	ck_assert_ptr_null(stream_table_adopt(&table, "a\n\n1")); /* another takes this one over */
	stream_table_adopted(&table, found);
	stream_unref(found);
	ck_assert_ptr_null(stream_table_adopt(&table, "a\n\n2"));
	append_text(s, "x");
	viewer_detach(&v);
	found = stream_table_adopt(&table, "a\n\n1");
	ck_assert_ptr_nonnull(found); /* unread, both */
	stream_table_adopted(&table, found);
	stream_unref(found);
	attach(s, &v, 0);
	next_text(&v);
	viewer_detach(&v);
	stream_stop(other);
	loop_turn(&loop, 0);
	ck_assert_ptr_null(stream_table_adopt(&table, "a\n\n1")); /* one was read, one stopped */
	stream_unref(s);
	stream_unref(other);
}
END_TEST

START_TEST(the_list_of_an_owner_has_their_streams_and_no_others)
{
	int error;
	size_t n;
	struct stream *mine = stream_new(&table, &loop, &options, "me", SL_LIT(""), &error);
	struct stream *nameless =
		stream_new(&table, &loop, &options, "me", (struct sl_slice){0}, &error);
	struct stream *nobodys = new_stream();
	struct stream **all = stream_table_all(&table, "me", &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_ptr_eq(all[0], mine);
	stream_unref(all[0]);
	free(all);
	all = stream_table_all(&table, NULL, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_ptr_eq(all[0], nobodys);
	stream_unref(all[0]);
	free(all);
	free(stream_table_all(&table, "you", &n));
	ck_assert_uint_eq(n, 0);
	stream_unref(mine);
	stream_unref(nameless);
	stream_unref(nobodys);
}
END_TEST

START_TEST(an_upstream_has_failed_when_the_fault_is_its_own)
{
	struct upstream_metrics *u = metrics_upstream("u");
	static const struct {
		const char *code;
		uint64_t failed;
	} faults[] = {{"upstream_closed", 1}, {STREAM_CODE_CLIENT_GONE, 1}};
	for (size_t i = 0; i < 2; i++) {
		struct stream *s = new_stream();
		struct sl_event error = stream_error(502, "t", faults[i].code, "m");
		stream_set_upstream(s, "u");
		append_text(s, "a");
		ck_assert_uint_eq(u->active, 1);
		stream_fail(s, &error);
		ck_assert_uint_eq(u->active, 0);
		ck_assert_uint_eq(u->failed, faults[i].failed);
		ck_assert_uint_eq(u->tokens, i + 1);
		stream_unref(s);
	}
	ck_assert_uint_eq(u->streams, 2);
}
END_TEST

START_TEST(positions_are_an_id_a_dot_and_a_number)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"AAAAAAAAAAAAAAAAAAAAAA.1", true},
		{"AAAAAAAAAAAAAAAAAAAAAA.0", true},
		{"AAAAAAAAAAAAAAAAAAAAAA.123456789012345", true},
		{"AAAAAAAAAAAAAAAAAAAAAA.", false},
		{"AAAAAAAAAAAAAAAAAAAAAA.-1", false},
		{"AAAAAAAAAAAAAAAAAAAAAA.1x", false},
		{"AAAAAAAAAAAAAAAAAAAAAA.1000000000000000000000000000000", false},
		{"AAAAAAAAAAAAAAAAAAAAAA.18446744073709551616", false},
		{"AAAAAAAAAAAAAAAAAAAAA.1", false},
		{"AAAAAAAAAAAAAAAAAAAAAA", false},
		{"-1", false},
		{"abc", false},
		{"", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sl_slice id;
		uint64_t seq;
		ck_assert_msg((stream_position_parse(sl_slice_str(cases[i].text), &id, &seq) ==
			       0) == cases[i].good,
			      "%s", cases[i].text);
	}
}
END_TEST

START_TEST(ids_are_22_url_safe_characters_and_all_different)
{
	enum { N = 10000 };
	static char ids[N][RANDOM_ID_LEN + 1];
	for (int i = 0; i < N; i++) {
		random_id(ids[i]);
		ck_assert_uint_eq(strlen(ids[i]), 22);
		ck_assert_uint_eq(
			strspn(ids[i],
			       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
			22);
	}
	qsort(ids, N, sizeof(ids[0]), (int (*)(const void *, const void *))strcmp);
	for (int i = 1; i < N; i++)
		ck_assert_str_ne(ids[i - 1], ids[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream");
	TCase *t = tcase_create("stream");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, an_entry_comes_out_of_the_log_as_it_went_in);
	tcase_add_test(t, sequence_numbers_count_from_one_without_a_gap_over_all_segments);
	tcase_add_test(t, a_viewer_is_woken_once_each_time_it_has_asked);
	tcase_add_test(t, a_late_viewer_starts_right_behind_its_position);
	tcase_add_test(t, the_last_viewer_to_leave_cancels_and_only_the_last);
	tcase_add_test(t, a_cancelled_stream_can_be_read_to_its_end_which_says_why);
	tcase_add_test(t, a_detached_stream_waits_its_grace_and_then_cancels);
	tcase_add_test(t, a_drained_stream_reads_on_and_keeps_within_its_budget);
	tcase_add_test(
		t, a_stream_that_nobody_reads_pauses_its_producer_and_goes_on_when_somebody_does);
	tcase_add_test(t, what_may_be_on_its_way_stays_for_who_is_cut_off);
	tcase_add_test(t, the_input_that_a_stream_keeps_counts_as_memory_until_it_goes);
	tcase_add_test(t, ended_streams_make_room_by_the_input_that_they_keep);
	tcase_add_test(t, an_entry_larger_than_the_budget_pauses_only_until_it_is_read);
	tcase_add_test(t, a_slow_viewer_does_not_hold_a_fast_one_and_learns_that_it_lost);
	tcase_add_test(t, many_live_streams_that_are_read_stay_within_the_memory_of_all);
	tcase_add_test(t, a_memory_too_small_for_all_slows_them_and_stops_none);
	tcase_add_test(t, ended_streams_go_oldest_first_and_live_ones_never);
	tcase_add_test(t, one_idempotency_key_has_one_stream_while_it_is_kept);
	tcase_add_test(t, ended_streams_are_kept_for_their_time);
	tcase_add_test(t, an_end_happens_once);
	tcase_add_test(t, an_end_is_seen_as_one_before_the_state_says_so);
	tcase_add_test(t, a_stream_can_be_stopped_from_any_thread);
	tcase_add_test(t, a_stream_has_as_many_viewers_as_it_may);
	tcase_add_test(t, viewers_on_other_workers_get_every_entry_in_order);
	tcase_add_test(t, a_viewer_on_another_worker_keeps_a_stream_alive_and_its_leaving_ends_it);
	tcase_add_test(t, the_end_tells_how_the_answer_finished_and_what_it_took);
	tcase_add_test(t, the_end_of_a_stopped_stream_knows_the_name_of_its_chunks);
	tcase_add_test(t, a_failure_is_partial_when_there_was_content);
	tcase_add_test(t, a_stream_that_nobody_came_to_watch_ends_after_its_grace);
	tcase_add_test(t, an_orphan_is_adopted_once_by_who_asks_the_same);
	tcase_add_test(t, the_list_of_an_owner_has_their_streams_and_no_others);
	tcase_add_test(t, an_upstream_has_failed_when_the_fault_is_its_own);
	tcase_add_test(t, positions_are_an_id_a_dot_and_a_number);
	tcase_add_test(t, ids_are_22_url_safe_characters_and_all_different);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
