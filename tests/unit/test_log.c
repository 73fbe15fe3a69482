/* The log and the metrics: what is written is well-formed. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "unit.h"

static char path[] = "/tmp/sluice-test-log-XXXXXX";
static char text[65536];

static void setup(void)
{
	strcpy(path + strlen(path) - 6, "XXXXXX");
	close(mkstemp(path));
}

static void teardown(void)
{
	log_setup(LOG_OFF, LOG_JSON, "stderr");
	unlink(path);
}

static const char *written(void)
{
	FILE *f = fopen(path, "r");
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

START_TEST(a_line_is_one_json_object_whatever_the_values)
{
	log_setup(LOG_INFO, LOG_JSON, path);
	log_event(LOG_INFO, "test", {"text", LOG_STR("a\"b\\c\nd\x01\xff\xc3\xa9")},
		  {"none", LOG_STR(NULL)}, {"int", LOG_INT(-7)}, {"yes", LOG_BOOL(true)},
		  {"float", LOG_FLOAT(0.5)});
	const char *line = written();
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	cJSON *j = cJSON_Parse(line);
	ck_assert_ptr_nonnull(j);
	ck_assert_str_eq(cJSON_GetObjectItem(j, "event")->valuestring, "test");
	ck_assert_str_eq(cJSON_GetObjectItem(j, "level")->valuestring, "info");
	ck_assert_str_eq(cJSON_GetObjectItem(j, "text")->valuestring,
			 "a\"b\\c\nd\x01\xef\xbf\xbd\xc3\xa9");
	ck_assert_int_eq(cJSON_GetObjectItem(j, "int")->valueint, -7);
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(j, "yes")));
	cJSON_Delete(j);
}
END_TEST

START_TEST(what_is_below_the_level_is_not_written_and_what_must_be_is)
{
	log_setup(LOG_ERROR, LOG_JSON, path);
	log_event(LOG_WARN, "quiet", {"a", LOG_INT(1)});
	log_always("listening", (struct log_field[]){{"address", LOG_STR("x")}, {0}});
	ck_assert_ptr_null(strstr(written(), "quiet"));
	ck_assert_ptr_nonnull(strstr(written(), "\"event\":\"listening\""));
}
END_TEST

START_TEST(the_text_format_has_one_line_an_event)
{
	log_setup(LOG_INFO, LOG_TEXT, path);
	log_event(LOG_INFO, "test", {"text", LOG_STR("a\nb")});
	const char *line = written();
	ck_assert_ptr_nonnull(strstr(line, "info  test text=\"a\\nb\"\n"));
}
END_TEST

START_TEST(a_log_that_was_moved_away_is_opened_again)
{
	char moved[sizeof(path) + 4];
	log_setup(LOG_INFO, LOG_JSON, path);
	snprintf(moved, sizeof(moved), "%s.1", path);
	rename(path, moved);
	log_reopen();
	log_event(LOG_INFO, "after", {"a", LOG_INT(1)});
	ck_assert_ptr_nonnull(strstr(written(), "after"));
	unlink(moved);
}
END_TEST

START_TEST(a_log_that_cannot_be_opened_changes_nothing)
{
	log_setup(LOG_INFO, LOG_JSON, path);
	ck_assert_int_lt(log_setup(LOG_INFO, LOG_JSON, "/nonexistent/log"), 0);
	log_event(LOG_INFO, "still", {"a", LOG_INT(1)});
	ck_assert_ptr_nonnull(strstr(written(), "still"));
}
END_TEST

START_TEST(a_chatty_source_is_limited_each_second_anew)
{
	struct log_limit limit = {0};
	int allowed = 0;
	clock_set_for_test(1000000000);
	for (int i = 0; i < 100; i++)
		allowed += log_allow(&limit, 5);
	ck_assert_int_eq(allowed, 5);
	clock_set_for_test(1001000000);
	ck_assert(log_allow(&limit, 5));
	clock_set_for_test(0);
}
END_TEST

START_TEST(metrics_are_prometheus_text)
{
	struct sl_buf b;
	sl_buf_init(&b, 1 << 20);
	metrics_add(METRIC_CANCELLED, 3);
	metrics_observe(METRIC_TTFT, 7000);
	ck_assert_int_eq(metrics_print(&b), 0);
	sl_buf_putc(&b, '\0');
	ck_assert_ptr_nonnull(strstr(b.p, "# TYPE sluice_streams_cancelled_total "
					  "counter\nsluice_streams_cancelled_total 3\n"));
	ck_assert_ptr_nonnull(strstr(b.p, "sluice_streams_ended_total{state=\"done\"} 0\n"));
	ck_assert_ptr_nonnull(
		strstr(b.p, "sluice_time_to_first_token_seconds_bucket{le=\"0.005\"} 0\n"));
	ck_assert_ptr_nonnull(
		strstr(b.p, "sluice_time_to_first_token_seconds_bucket{le=\"0.01\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(b.p, "sluice_time_to_first_token_seconds_count 1\n"));
	sl_buf_fini(&b);
}
END_TEST

START_TEST(quantiles_are_those_of_what_came_between_two_looks)
{
	static struct histogram h;
	struct histogram_snapshot before, after;
	histogram_observe(&h, 900000); /* long ago */
	histogram_snapshot(&h, &before);
	ck_assert(histogram_quantile(&before, &before, 0.5) < 0);
	for (int i = 0; i < 90; i++)
		histogram_observe(&h, 12000);
	for (int i = 0; i < 10; i++)
		histogram_observe(&h, 180000);
	histogram_snapshot(&h, &after);
	double p50 = histogram_quantile(&before, &after, 0.5);
	double p99 = histogram_quantile(&before, &after, 0.99);
	ck_assert(p50 > 10 && p50 <= 15);
	ck_assert(p99 > 150 && p99 <= 250);
	histogram_observe(&h, 100000000); /* beyond all buckets */
	histogram_snapshot(&h, &after);
	ck_assert(histogram_quantile(&before, &after, 1) == 60000);
}
END_TEST

START_TEST(each_upstream_has_its_figures)
{
	struct sl_buf b;
	struct upstream_metrics *one = metrics_upstream("one"), *two = metrics_upstream("two");
	sl_buf_init(&b, 1 << 20);
	ck_assert_ptr_ne(one, two);
	ck_assert_ptr_eq(metrics_upstream("one"), one);
	ck_assert_ptr_eq(metrics_upstream_at(1), two);
	ck_assert_ptr_null(metrics_upstream_at(2));
	two->tokens += 5;
	ck_assert_int_eq(metrics_print(&b), 0);
	sl_buf_putc(&b, '\0');
	ck_assert_ptr_nonnull(strstr(b.p, "sluice_upstream_tokens_total{upstream=\"one\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(b.p, "sluice_upstream_tokens_total{upstream=\"two\"} 5\n"));
	sl_buf_fini(&b);
}
END_TEST

static char sunk[256];

static void sink(enum log_level level, const char *line, size_t n)
{
	snprintf(sunk, sizeof(sunk), "%d %.*s", level, (int)n, line);
}

START_TEST(a_sink_gets_each_line_that_is_written_as_json)
{
	log_setup(LOG_WARN, LOG_TEXT, path);
	log_set_sink(sink);
	log_event(LOG_WARN, "odd", {"n", LOG_INT(1)});
	ck_assert_ptr_nonnull(strstr(sunk, "2 {\"time\":\""));
	ck_assert_ptr_nonnull(strstr(sunk, "\"level\":\"warn\",\"event\":\"odd\",\"n\":1}"));
	ck_assert_ptr_null(strchr(sunk, '\n'));
	sunk[0] = '\0';
	log_event(LOG_INFO, "usual", {"n", LOG_INT(1)});
	log_set_sink(NULL);
	log_event(LOG_WARN, "odd", {"n", LOG_INT(1)});
	ck_assert_str_eq(sunk, "");
}
END_TEST

START_TEST(levels_have_their_names)
{
	ck_assert_int_eq(log_level_parse("debug"), LOG_DEBUG);
	ck_assert_int_eq(log_level_parse("error"), LOG_ERROR);
	ck_assert_int_eq(log_level_parse("off"), -1);
	ck_assert_int_eq(log_level_parse(""), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *t = tcase_create("log");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_line_is_one_json_object_whatever_the_values);
	tcase_add_test(t, what_is_below_the_level_is_not_written_and_what_must_be_is);
	tcase_add_test(t, the_text_format_has_one_line_an_event);
	tcase_add_test(t, a_log_that_was_moved_away_is_opened_again);
	tcase_add_test(t, a_log_that_cannot_be_opened_changes_nothing);
	tcase_add_test(t, a_chatty_source_is_limited_each_second_anew);
	tcase_add_test(t, metrics_are_prometheus_text);
	tcase_add_test(t, quantiles_are_those_of_what_came_between_two_looks);
	tcase_add_test(t, each_upstream_has_its_figures);
	tcase_add_test(t, a_sink_gets_each_line_that_is_written_as_json);
	tcase_add_test(t, levels_have_their_names);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
