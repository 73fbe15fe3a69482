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
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
