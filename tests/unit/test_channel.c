/* Channels: names, owners, bounds, publishing from other threads' loops, ending. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/clock.h"
#include "base/log.h"
#include "stream/channel.h"
#include "unit.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static struct loop loop;
static struct channel_table table;
static struct channel_options options;
static _Atomic uint32_t watching;

static void setup(void)
{
	log_setup(LOG_OFF, LOG_JSON, "stderr");
	clock_set_for_test(1000 * 1000);
	options = (struct channel_options){
		.count = 3, .history = 5, .memory_bytes = 64 << 10, .keep_ms = 10000};
	ck_assert_int_eq(loop_init(&loop), 0);
	channel_table_init(&table, &options, &watching);
}

static void teardown(void)
{
	loop_turn(&loop, 0); /* letters that are under way */
	channel_table_close(&table, &loop);
	channel_table_fini(&table);
	ck_assert_uint_eq(table.budget.used, 0);
	ck_assert_uint_eq(watching, 0);
	loop_fini(&loop);
	clock_set_for_test(0);
}

static struct stream *open_as(const char *name, const char *caller, enum channel_use use,
			      int *error)
{
	*error = 0;
	struct stream *s = channel_open(&table, name, caller, use, &loop, error);
	if (s && use == CHANNEL_WATCH)
		channel_watched(s);
	return s;
}

/* The number that a message got. */
struct waiter {
	struct publish_wait wait;
	int64_t seq;
};

static void note(struct publish_wait *w, int64_t seq)
{
	FROM(w, struct waiter, wait)->seq = seq;
}

static int64_t publish(struct stream *s, const char *data)
{
	struct waiter w = {.wait = {&loop, note}};
	ck_assert_int_eq(channel_publish(s, SL_LIT("e"), sl_slice_str(data), 0, &w.wait), 0);
	for (int i = 0; i < 3 && w.seq == 0; i++)
		loop_turn(&loop, 0);
	return w.seq;
}

/* What a viewer finds from `seq` on, its messages' data joined by blanks. */
static const char *held(struct stream *s, uint64_t seq)
{
	static char text[256];
	struct log_cursor c;
	const struct log_entry *e;
	size_t n = 0;
	log_cursor_init(&c, &s->log, seq);
	text[0] = '\0';
	while (log_cursor_peek(&c, &e) == 1) {
		struct sl_event event;
		ck_assert_uint_eq(log_entry_events(e, &event, 1), 1);
		ck_assert(sl_slice_is(event.s[1], "e"));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", n ? " " : "",
				      (int)event.s[0].n, event.s[0].p);
		log_cursor_advance(&c, e);
	}
	log_cursor_fini(&c);
	return text;
}

static void wait_ms(uint64_t ms)
{
	clock_set_for_test(clock_us() + ms * 1000);
	loop_turn(&loop, 0);
}

START_TEST(names_and_events_are_short_words)
{
	char longest[CHANNEL_NAME_MAX + 2];
	memset(longest, 'a', sizeof(longest));
	ck_assert(channel_name_is_good(SL_LIT("A.z_0-9")));
	ck_assert(channel_name_is_good(sl_slice(longest, CHANNEL_NAME_MAX)));
	ck_assert(!channel_name_is_good(sl_slice(longest, CHANNEL_NAME_MAX + 1)));
	ck_assert(!channel_name_is_good(SL_LIT("")));
	ck_assert(!channel_name_is_good(SL_LIT("a b")));
	ck_assert(!channel_name_is_good(SL_LIT("feed:log")));
	ck_assert(!channel_name_is_good(sl_slice("a\0b", 3)));
	ck_assert(channel_event_is_good(SL_LIT("price")));
	ck_assert(!channel_event_is_good(SL_LIT("error")));
	ck_assert(!channel_event_is_good(SL_LIT("lost")));
}
END_TEST

START_TEST(messages_are_numbered_and_kept_in_their_order)
{
	int error;
	struct stream *s = open_as("news", NULL, CHANNEL_PUBLISH, &error);
	ck_assert_int_eq(publish(s, "a"), 1);
	ck_assert_int_eq(publish(s, "b"), 2);
	struct stream *again = open_as("news", NULL, CHANNEL_WATCH, &error);
	ck_assert_ptr_eq(again, s);
	ck_assert_str_eq(held(s, 1), "a b");
	ck_assert_str_eq(held(s, 2), "b");
	stream_unref(again);
	stream_unref(s);
}
END_TEST

START_TEST(the_history_is_bounded_by_its_count)
{
	int error;
	struct stream *s = open_as("news", NULL, CHANNEL_PUBLISH, &error);
	const struct log_entry *e;
	struct log_cursor c;
	for (const char *p = "a\0b\0c\0d\0e\0f\0g\0"; *p; p += 2)
		publish(s, p);
	ck_assert_uint_eq(s->log.first_seq, 3);
	ck_assert_str_eq(held(s, 3), "c d e f g");
	log_cursor_init(&c, &s->log, 2);
	ck_assert_int_eq(log_cursor_peek(&c, &e), -SL_E_MISSING);
	stream_unref(s);
}
END_TEST

START_TEST(the_history_is_bounded_by_its_bytes_and_keeps_the_newest)
{
	static char big[8000];
	int error;
	memset(big, 'x', sizeof(big) - 1);
	options.history = 1000;
	channel_table_configure(&table, &options);
	struct stream *s = open_as("news", NULL, CHANNEL_PUBLISH, &error);
	for (int i = 1; i <= 50; i++) {
		ck_assert_int_eq(publish(s, big), i);
		ck_assert_uint_le(s->log.bytes, options.memory_bytes);
		ck_assert_uint_lt(s->log.first_seq, s->log.next_seq);
	}
	ck_assert_uint_gt(s->log.first_seq, 40);
	ck_assert_uint_eq(table.budget.used, s->log.bytes);
	stream_unref(s);
}
END_TEST

START_TEST(messages_get_old_and_an_unused_channel_goes)
{
	int error;
	struct stream *s = open_as("news", NULL, CHANNEL_PUBLISH, &error);
	publish(s, "a");
	wait_ms(6000);
	publish(s, "b");
	wait_ms(5000);
	ck_assert_str_eq(held(s, s->log.first_seq), "b");
	ck_assert_uint_eq(s->log.first_seq, 2);
	ck_assert_uint_eq(table.n, 1);
	wait_ms(6000);
	ck_assert_uint_eq(s->log.first_seq, 3);
	ck_assert_uint_eq(table.n, 0);
	ck_assert_int_eq(s->state, STREAM_STOPPED);
	/* Whoever still has it is told that it has ended, and finds another under its name. */
	ck_assert_int_eq(publish(s, "late"), -SL_E_MISSING);
	struct stream *other = open_as("news", NULL, CHANNEL_PUBLISH, &error);
	ck_assert_ptr_ne(other, s);
	ck_assert_int_eq(publish(other, "c"), 1);
	stream_unref(other);
	stream_unref(s);
}
END_TEST

static void ready(struct viewer *v)
{
	(void)v;
}

START_TEST(a_channel_that_is_watched_stays_and_goes_with_its_last_viewer)
{
	int error;
	struct viewer v = {.ready = ready};
	struct stream *s = open_as("news", NULL, CHANNEL_WATCH, &error);
	ck_assert_int_eq(viewer_attach(&v, s, &loop, 0), 0);
	ck_assert_uint_eq(watching, 1);
	wait_ms(100000);
	ck_assert_uint_eq(table.n, 1);
	ck_assert(viewer_arm(&v));
	publish(s, "a");
	ck_assert(!v.armed);
	wait_ms(11000); /* the message is too old, the viewer still there */
	ck_assert_uint_eq(table.n, 1);
	viewer_detach(&v);
	ck_assert_uint_eq(table.n, 0);
	ck_assert_uint_eq(watching, 0);
	stream_unref(s);
}
END_TEST

START_TEST(a_channel_stays_for_who_is_about_to_watch_it)
{
	int error;
	struct viewer v = {.ready = ready};
	struct stream *s = channel_open(&table, "news", NULL, CHANNEL_WATCH, &loop, &error);
	struct stream *other = open_as("news", NULL, CHANNEL_WATCH, &error);
	ck_assert_int_eq(viewer_attach(&v, other, &loop, 0), 0);
	viewer_detach(&v);
	loop_turn(&loop, 0);
	ck_assert_uint_eq(table.n, 1);
	channel_watched(s); /* … but it changed its mind */
	loop_turn(&loop, 0);
	ck_assert_uint_eq(table.n, 0);
	stream_unref(other);
	stream_unref(s);
}
END_TEST

START_TEST(a_channel_belongs_to_who_first_publishes)
{
	int error;
	struct viewer v = {.ready = ready};
	struct stream *s = open_as("news", "bob", CHANNEL_WATCH, &error);
	ck_assert_int_eq(viewer_attach(&v, s, &loop, 0), 0);
	struct stream *mine = open_as("news", "alice", CHANNEL_PUBLISH, &error);
	ck_assert_ptr_eq(mine, s);
	publish(mine, "a");
	ck_assert_str_eq(s->owner, "alice");
	ck_assert_ptr_null(open_as("news", "bob", CHANNEL_WATCH, &error));
	ck_assert_int_eq(error, -SL_E_MISSING);
	ck_assert_ptr_null(open_as("news", "bob", CHANNEL_PUBLISH, &error));
	ck_assert_ptr_null(open_as("news", NULL, CHANNEL_WATCH, &error));
	struct stream *again = open_as("news", "alice", CHANNEL_WATCH, &error);
	ck_assert_ptr_eq(again, s);
	viewer_detach(&v);
	stream_unref(again);
	stream_unref(mine);
	stream_unref(s);
}
END_TEST

START_TEST(there_are_only_so_many_channels)
{
	int error;
	struct stream *s[3];
	const char *const names[] = {"a", "b", "c"};
	for (int i = 0; i < 3; i++) {
		s[i] = open_as(names[i], NULL, CHANNEL_PUBLISH, &error);
		publish(s[i], "x");
	}
	ck_assert_ptr_null(open_as("d", NULL, CHANNEL_PUBLISH, &error));
	ck_assert_int_eq(error, -SL_E_LIMIT);
	struct stream *feed = channel_open_feed(&table, CHANNEL_FEED_LOG, &loop);
	ck_assert_ptr_nonnull(feed); /* the server's own do not count */
	wait_ms(20000);
	ck_assert_uint_eq(table.n, 0);
	stream_unref(feed);
	for (int i = 0; i < 3; i++)
		stream_unref(s[i]);
}
END_TEST

START_TEST(all_end_without_a_word_when_the_server_does)
{
	int error;
	struct viewer v = {.ready = ready};
	struct stream *s = open_as("news", NULL, CHANNEL_PUBLISH, &error);
	ck_assert_int_eq(viewer_attach(&v, s, &loop, 0), 0);
	ck_assert(viewer_arm(&v));
	channel_table_close(&table, &loop);
	ck_assert(!v.armed); /* woken */
	ck_assert_int_eq(s->state, STREAM_STOPPED);
	ck_assert_uint_eq(s->log.next_seq, 1);
	ck_assert_ptr_null(open_as("other", NULL, CHANNEL_WATCH, &error));
	ck_assert_int_eq(error, -SL_E_BUSY);
	viewer_detach(&v);
	stream_unref(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("channel");
	TCase *tc = tcase_create("channel");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names_and_events_are_short_words);
	tcase_add_test(tc, messages_are_numbered_and_kept_in_their_order);
	tcase_add_test(tc, the_history_is_bounded_by_its_count);
	tcase_add_test(tc, the_history_is_bounded_by_its_bytes_and_keeps_the_newest);
	tcase_add_test(tc, messages_get_old_and_an_unused_channel_goes);
	tcase_add_test(tc, a_channel_that_is_watched_stays_and_goes_with_its_last_viewer);
	tcase_add_test(tc, a_channel_stays_for_who_is_about_to_watch_it);
	tcase_add_test(tc, a_channel_belongs_to_who_first_publishes);
	tcase_add_test(tc, there_are_only_so_many_channels);
	tcase_add_test(tc, all_end_without_a_word_when_the_server_does);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
