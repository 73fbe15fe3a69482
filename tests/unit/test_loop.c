/* The loop: timers, descriptors, mail, stages. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/loop.h"
#include "unit.h"

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static struct loop loop;
static uint64_t now_us;

static void setup(void)
{
	now_us = 1000000000;
	clock_set_for_test(now_us);
	ck_assert_int_eq(loop_init(&loop), 0);
}

static void teardown(void)
{
	loop_fini(&loop);
	clock_set_for_test(0);
}

static void pass_ms(uint64_t ms)
{
	clock_set_for_test(now_us += ms * 1000);
	loop_turn(&loop, 0);
}

struct counted {
	struct timer timer;
	int fired, order;
};

static int sequence;

static void count(struct timer *t)
{
	struct counted *c = FROM(t, struct counted, timer);
	c->fired++;
	c->order = ++sequence;
}

START_TEST(timers_fire_in_the_order_of_their_times)
{
	enum { N = 200 };
	struct counted c[N] = {0};
	sequence = 0;
	for (int i = 0; i < N; i++) {
		c[i].timer.fire = count;
		loop_set_timer(&loop, &c[i].timer, (uint64_t)(i * 37 % N) + 1);
	}
	pass_ms(N + 1);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(c[i].fired, 1);
		ck_assert_int_eq(c[i].order, i * 37 % N + 1);
	}
}
END_TEST

START_TEST(a_timer_that_is_set_again_fires_at_its_last_time_only)
{
	struct counted later = {.timer.fire = count}, sooner = {.timer.fire = count};
	loop_set_timer(&loop, &later.timer, 10);
	loop_set_timer(&loop, &later.timer, 100);
	loop_set_timer(&loop, &sooner.timer, 100);
	loop_set_timer(&loop, &sooner.timer, 10);
	pass_ms(50);
	ck_assert_int_eq(later.fired, 0);
	ck_assert_int_eq(sooner.fired, 1);
	pass_ms(51);
	ck_assert_int_eq(later.fired, 1);
	ck_assert_int_eq(sooner.fired, 1);
}
END_TEST

START_TEST(a_stopped_timer_does_not_fire_wherever_it_stood)
{
	enum { N = 50 };
	struct counted c[N] = {0};
	for (int i = 0; i < N; i++) {
		c[i].timer.fire = count;
		loop_set_timer(&loop, &c[i].timer, (uint64_t)(i * 7 % N) + 1);
	}
	for (int i = 0; i < N; i += 2)
		loop_stop_timer(&loop, &c[i].timer);
	pass_ms(N + 1);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(c[i].fired, i % 2);
	loop_stop_timer(&loop, &c[1].timer); /* not set any more */
}
END_TEST

static struct counted victim;

static void stop_victim(struct timer *t)
{
	(void)t;
	loop_stop_timer(&loop, &victim.timer);
}

static void again(struct timer *t)
{
	count(t);
	if (FROM(t, struct counted, timer)->fired < 3)
		loop_set_timer(&loop, t, 5);
}

START_TEST(a_timer_may_stop_another_and_set_itself_while_it_fires)
{
	struct counted killer = {.timer.fire = stop_victim}, repeated = {.timer.fire = again};
	victim = (struct counted){.timer.fire = count};
	loop_set_timer(&loop, &killer.timer, 1);
	loop_set_timer(&loop, &victim.timer, 2);
	loop_set_timer(&loop, &repeated.timer, 1);
	pass_ms(10);
	pass_ms(10);
	pass_ms(10);
	pass_ms(10);
	ck_assert_int_eq(victim.fired, 0);
	ck_assert_int_eq(repeated.fired, 3);
}
END_TEST

static struct loop_io pair_io[2];
static int pair_ready;

static void remove_both(struct loop_io *io, uint32_t events)
{
	(void)io;
	ck_assert(events & EPOLLIN);
	pair_ready++;
	loop_remove_io(&loop, &pair_io[0]);
	loop_remove_io(&loop, &pair_io[1]);
}

START_TEST(a_descriptor_that_was_removed_gets_no_event_of_the_same_turn)
{
	int fds[2][2];
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pipe(fds[i]), 0);
		pair_io[i] = (struct loop_io){fds[i][0], remove_both};
		ck_assert_int_eq(loop_add_io(&loop, &pair_io[i], EPOLLIN), 0);
		ck_assert_int_eq(write(fds[i][1], "x", 1), 1);
	}
	pair_ready = 0;
	loop_turn(&loop, 0);
	ck_assert_int_eq(pair_ready, 1);
	for (int i = 0; i < 4; i++)
		close(fds[i / 2][i % 2]);
}
END_TEST

enum { SENDERS = 4, LETTERS = 5000 };

static int delivered;

static void deliver(struct mail *m)
{
	delivered++;
	free(m);
}

static void *send_letters(void *arg)
{
	(void)arg;
	for (int i = 0; i < LETTERS; i++) {
		struct mail *m = calloc(1, sizeof(*m));
		m->deliver = deliver;
		loop_post(&loop, m);
	}
	return NULL;
}

START_TEST(mail_from_many_threads_is_delivered_whole)
{
	pthread_t thread[SENDERS];
	delivered = 0;
	for (int i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, send_letters, NULL), 0);
	while (delivered < SENDERS * LETTERS)
		loop_turn(&loop, 1000);
	for (int i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
	ck_assert_int_eq(delivered, SENDERS * LETTERS);
}
END_TEST

START_TEST(mail_that_was_taken_is_delivered_at_the_end)
{
	struct loop l;
	struct mail *m = calloc(1, sizeof(*m));
	ck_assert_int_eq(loop_init(&l), 0);
	delivered = 0;
	m->deliver = deliver;
	ck_assert(loop_post(&l, m));
	loop_fini(&l);
	ck_assert_int_eq(delivered, 1);
}
END_TEST

static int stage_runs;

static bool run_twice(struct loop_stage *s)
{
	(void)s;
	return ++stage_runs % 2 == 1;
}

START_TEST(a_stage_runs_every_turn_and_can_ask_for_another)
{
	struct loop_stage stage = {.run = run_twice};
	stage_runs = 0;
	loop_add_stage(&loop, &stage);
	loop_turn(&loop, 0);
	ck_assert(loop.again);
	loop_turn(&loop, 0);
	ck_assert(!loop.again);
	ck_assert_int_eq(stage_runs, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *t = tcase_create("loop");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, timers_fire_in_the_order_of_their_times);
	tcase_add_test(t, a_timer_that_is_set_again_fires_at_its_last_time_only);
	tcase_add_test(t, a_stopped_timer_does_not_fire_wherever_it_stood);
	tcase_add_test(t, a_timer_may_stop_another_and_set_itself_while_it_fires);
	tcase_add_test(t, a_descriptor_that_was_removed_gets_no_event_of_the_same_turn);
	tcase_add_test(t, mail_from_many_threads_is_delivered_whole);
	tcase_add_test(t, mail_that_was_taken_is_delivered_at_the_end);
	tcase_add_test(t, a_stage_runs_every_turn_and_can_ask_for_another);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
