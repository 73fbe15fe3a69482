/* The parser of server-sent events: the conformance vectors in every way of cutting, its limits,
 * and what memory it holds. */
#include <sluice/sse.h>

#include <stdio.h>
#include <stdlib.h>
#include <sluice/error.h>
#include "codec/utf8.h"
#include "unit.h"
#include "vectors.h"

#define NO_LIMIT (16u << 20)

static cJSON *document;

/* --- the vectors --- */

static void assert_text(struct sl_slice got, const cJSON *wanted, const char *what)
{
	struct sl_buf text, clean;

	sl_buf_init(&text, NO_LIMIT);
	sl_buf_init(&clean, NO_LIMIT);
	ck_assert_int_eq(vectors_text(wanted, &text), 0);
	ck_assert_int_eq(utf8_clean(got, &clean), 0);
	ck_assert_msg(sl_slice_eq(sl_buf_slice(&text), sl_buf_slice(&clean)),
		      "%s is '%.*s', not '%.*s'", what, (int)clean.len, clean.p, (int)text.len,
		      text.p);
	sl_buf_fini(&text);
	sl_buf_fini(&clean);
}

static const cJSON *wanted_event(const cJSON *test_case, int i)
{
	const cJSON *repeat = cJSON_GetObjectItemCaseSensitive(test_case, "events_repeat");

	if (repeat) {
		const cJSON *count = cJSON_GetObjectItemCaseSensitive(repeat, "count");

		return i < count->valueint ? cJSON_GetObjectItemCaseSensitive(repeat, "event")
					   : NULL;
	}
	return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(test_case, "events"), i);
}

static void run_vector(const cJSON *test_case, struct sl_slice input, int way)
{
	const cJSON *retry = cJSON_GetObjectItemCaseSensitive(test_case, "retry");
	struct vectors_cuts cuts;
	struct sl_sse_parser p;
	struct sl_sse_event event;
	int n_events = 0, r;
	size_t n;

	vectors_cuts_init(&cuts, test_case, way);
	sl_sse_parser_init(&p, NO_LIMIT);
	for (; (n = vectors_cuts_next(&cuts, input.n)) > 0; input.p += n, input.n -= n) {
		/* A copy that ends with the read and goes after it shows what is looked at too
		 * late. */
		char *bytes = malloc(n);

		memcpy(bytes, input.p, n);
		sl_sse_parser_feed(&p, bytes, n);
		while ((r = sl_sse_parser_next(&p, &event)) == 1) {
			const cJSON *wanted = wanted_event(test_case, n_events++);

			ck_assert_msg(wanted, "an event too many: '%.*s'", (int)event.data.n,
				      event.data.p);
			assert_text(event.type, cJSON_GetObjectItemCaseSensitive(wanted, "type"),
				    "type");
			assert_text(event.data, cJSON_GetObjectItemCaseSensitive(wanted, "data"),
				    "data");
			assert_text(event.id,
				    cJSON_GetObjectItemCaseSensitive(wanted, "lastEventId"), "id");
			ck_assert(!event.stray);
		}
		if (r != 0) /* a ck_assert for each byte takes its time */
			ck_abort_msg("the parser fails: %s", sl_error_name(r));
		free(bytes);
	}
	ck_assert_ptr_null(wanted_event(test_case, n_events));
	ck_assert_int_eq(p.retry_ms, cJSON_IsNumber(retry) ? (int64_t)retry->valuedouble : -1);
	sl_sse_parser_fini(&p);
}

START_TEST(a_vector_gives_its_events_in_every_way_of_cutting)
{
	const cJSON *test_case = vectors_case(document, _i);
	struct sl_buf input;

	sl_buf_init(&input, NO_LIMIT);
	ck_assert_int_eq(vectors_bytes(test_case, "input", &input), 0);
	for (int way = 0; way < VECTORS_WAYS; way++)
		run_vector(test_case, sl_buf_slice(&input), way);
	sl_buf_fini(&input);
}
END_TEST

/* --- tables: what comes out, written as "type|data|id;" with "!" for stray lines --- */

struct run {
	struct sl_buf log;
	bool want_stray, finish;
	size_t max_event_bytes;
};

static void log_event(struct run *run, const struct sl_sse_event *e)
{
	if (e->stray)
		ck_assert_uint_eq(e->type.n, 0);
	ck_assert_int_eq(sl_buf_put_str(&run->log, e->stray ? "!" : ""), 0);
	ck_assert_int_eq(sl_buf_put_slice(&run->log, e->type), 0);
	ck_assert_int_eq(sl_buf_putc(&run->log, '|'), 0);
	ck_assert_int_eq(sl_buf_put_slice(&run->log, e->data), 0);
	ck_assert_int_eq(sl_buf_putc(&run->log, '|'), 0);
	ck_assert_int_eq(sl_buf_put_slice(&run->log, e->id), 0);
	ck_assert_int_eq(sl_buf_putc(&run->log, ';'), 0);
}

/* Leaves the events, and the failure where there is one, in run->log. */
static void run_text(struct run *run, struct sl_slice input, int way)
{
	struct vectors_cuts cuts;
	struct sl_sse_parser p;
	struct sl_sse_event event;
	int r = 0;
	size_t n;

	run->log.len = 0;
	vectors_cuts_init(&cuts, NULL, way);
	sl_sse_parser_init(&p, run->max_event_bytes);
	p.want_stray = run->want_stray;
	for (; r == 0 && (n = vectors_cuts_next(&cuts, input.n)) > 0; input.p += n, input.n -= n) {
		char *bytes = malloc(n);

		memcpy(bytes, input.p, n);
		sl_sse_parser_feed(&p, bytes, n);
		while ((r = sl_sse_parser_next(&p, &event)) == 1)
			log_event(run, &event);
		free(bytes);
	}
	while (run->finish && (r = sl_sse_parser_finish(&p, &event)) == 1)
		log_event(run, &event);
	if (r < 0)
		ck_assert_int_eq(sl_buf_put_str(&run->log, sl_error_name(r)), 0);
	sl_sse_parser_fini(&p);
}

static void assert_run(struct run *run, struct sl_slice input, const char *wanted)
{
	sl_buf_init(&run->log, NO_LIMIT);
	for (int way = 0; way < VECTORS_WAYS; way++) {
		run_text(run, input, way);
		ck_assert_msg(sl_slice_is(sl_buf_slice(&run->log), wanted),
			      "way %d gave '%.*s', not '%s'", way, (int)run->log.len, run->log.p,
			      wanted);
	}
	sl_buf_fini(&run->log);
}

static const struct {
	struct sl_slice input;
	const char *events;
} unfinished[] = {
	{SL_LIT_INIT(""), ""},
	{SL_LIT_INIT("data: a\n\n"), "message|a|;"},
	{SL_LIT_INIT("data: a\n"), "message|a|;"},
	{SL_LIT_INIT("data: a"), "message|a|;"},
	{SL_LIT_INIT("data: a\r"), "message|a|;"},
	{SL_LIT_INIT("data: a\ndata: b"), "message|a\nb|;"},
	{SL_LIT_INIT("data: a\n\nevent: e\nid: 1\ndata: b"), "message|a|;e|b|1;"},
	{SL_LIT_INIT("data: a\nid: 2"), "message|a|2;"},
	{SL_LIT_INIT("data"), "message||;"},
	{SL_LIT_INIT("dat"), ""},
	{SL_LIT_INIT("event: e"), ""},
	{SL_LIT_INIT("data: a\n\n: comment"), "message|a|;"},
	{SL_LIT_INIT("\xef\xbb"), ""},
	{SL_LIT_INIT("\357\273\277data: a"), "message|a|;"},
};

START_TEST(what_stands_without_its_empty_line_can_be_salvaged)
{
	struct run run = {.finish = true, .max_event_bytes = NO_LIMIT};

	assert_run(&run, unfinished[_i].input, unfinished[_i].events);
}
END_TEST

static const struct {
	struct sl_slice input;
	const char *events;
} strays[] = {
	{SL_LIT_INIT("error: {}\n\n"), "!|error: {}|;"},
	{SL_LIT_INIT("{\"error\":1}\n"), "!|{\"error\":1}|;"},
	{SL_LIT_INIT("<html>\r\n<body>\r\n"), "!|<html>|;!|<body>|;"},
	{SL_LIT_INIT("id: 7\ndata: a\nnoise\ndata: b\n\n"), "!|noise|7;message|a\nb|7;"},
	{SL_LIT_INIT("event: e\nnoise\ndata: b\n\n"), "!|noise|;e|b|;"},
	{SL_LIT_INIT("data: a\n\nInternal error"), "message|a|;!|Internal error|;"},
	/* the last line comes first, then what it did not end */
	{SL_LIT_INIT("data: a\nnoise"), "!|noise|;message|a|;"},
	{SL_LIT_INIT("\xef\xbb"), "!|\xef\xbb|;"},
	{SL_LIT_INIT("\357\273data: a\n"), "!|\357\273data: a|;"},
	{SL_LIT_INIT(": comment\nretry: x\nid: \0\n"), ""},
};

START_TEST(lines_with_unknown_names_are_told_when_wanted)
{
	struct run run = {.want_stray = true, .finish = true, .max_event_bytes = NO_LIMIT};

	assert_run(&run, strays[_i].input, strays[_i].events);
}
END_TEST

static const struct {
	size_t max;
	struct sl_slice input;
	const char *events;
} limits[] = {
	{10, SL_LIT_INIT("data: 1234\n\ndata: 12345\n\n"), "message|1234|;limit exceeded"},
	{10, SL_LIT_INIT("data: 1234\n\ndata: 12345"), "message|1234|;limit exceeded"},
	{10, SL_LIT_INIT("data: 1234\n\n0123456789a"), "message|1234|;limit exceeded"},
	{10, SL_LIT_INIT("data:12\ndata:456\ndata:89a\n\n"), "message|12\n456\n89a|;"},
	{10, SL_LIT_INIT("data:12\ndata:456\ndata:89ab\n\n"), "limit exceeded"},
	{10, SL_LIT_INIT("data:12345\ndata:6789\n\n"), "message|12345\n6789|;"},
	{10, SL_LIT_INIT("data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n"),
	 "message|\n\n\n\n\n\n\n\n\n\n|;"},
	{9, SL_LIT_INIT("data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n"),
	 "limit exceeded"},
	{10, SL_LIT_INIT(": a comment is passed over\ndata:a\n\n"), "message|a|;"},
	{10, SL_LIT_INIT("id: 123456\ndata:a\n\nid: 1234567\n"), "message|a|123456;limit exceeded"},
	{1, SL_LIT_INIT("\xef\xbb\xbf\n"), ""},
	{1, SL_LIT_INIT("\xef\xbb\n"), "limit exceeded"},
	{0, SL_LIT_INIT("\n\n:\n\n"), ""},
	{0, SL_LIT_INIT("\n\nx"), "limit exceeded"},
};

START_TEST(a_line_or_event_beyond_the_limit_fails_wherever_it_is_cut)
{
	struct run run = {.max_event_bytes = limits[_i].max};

	assert_run(&run, limits[_i].input, limits[_i].events);
	run.finish = true;
	assert_run(&run, limits[_i].input, limits[_i].events);
}
END_TEST

START_TEST(a_failed_parser_stays_failed_and_holds_nothing)
{
	struct sl_sse_parser p;
	struct sl_sse_event event;

	sl_sse_parser_init(&p, 8);
	for (int i = 0; i < 3; i++) {
		sl_sse_parser_feed(&p, "data: too long\n\ndata:a\n\n", 24);
		ck_assert_int_eq(sl_sse_parser_next(&p, &event), -SL_E_LIMIT);
		ck_assert_int_eq(sl_sse_parser_next(&p, &event), -SL_E_LIMIT);
	}
	ck_assert_int_eq(sl_sse_parser_finish(&p, &event), -SL_E_LIMIT);
	ck_assert_uint_eq(p.line.cap + p.data.cap + p.type.cap + p.id.cap, 0);
	sl_sse_parser_fini(&p);
}
END_TEST

static const struct {
	const char *value;
	int64_t retry_ms;
} retries[] = {
	{"0", 0},
	{"00012", 12},
	{"9223372036854775806", INT64_MAX - 1},
	{"9223372036854775807", INT64_MAX},
	{"9223372036854775808", INT64_MAX},
	{"99999999999999999999999999999999", INT64_MAX},
	{"99999999999999999999999999999999x", -1},
	{"", -1},
	{" 1", -1},
	{"1 ", -1},
	{"1.5", -1},
	{"-1", -1},
};

START_TEST(retry_is_digits_only_and_saturates)
{
	char text[100];
	int n = snprintf(text, sizeof(text), "retry: %s\n", retries[_i].value);
	struct sl_sse_parser p;
	struct sl_sse_event event;

	sl_sse_parser_init(&p, NO_LIMIT);
	sl_sse_parser_feed(&p, text, (size_t)n);
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 0);
	ck_assert_int_eq(p.retry_ms, retries[_i].retry_ms);
	sl_sse_parser_fini(&p);
}
END_TEST

/* --- any bytes --- */

/* Text that is mostly made of what matters to the parser. */
static size_t make_soup(struct vectors_cuts *random, char *out, size_t room)
{
	static const char *const pieces[] = {
		"\n",           "\n",     "\r",        "\r\n",
		"data",         "data: ", "data:",     "event: x",
		"id: 1",        "id: ",   "retry: 5",  ":",
		": c",          " ",      "x",         "longer text of a value",
		"\xef\xbb\xbf", "\xef",   "{\"a\":1}",
	};
	size_t n_pieces = sizeof(pieces) / sizeof(*pieces), n = 0;

	for (;;) {
		const char *piece = pieces[vectors_cuts_next(random, SIZE_MAX) % n_pieces];
		size_t len = strlen(piece);

		if (n + len > room)
			return n;
		memcpy(out + n, piece, len);
		n += len;
	}
}

START_TEST(any_cut_of_any_bytes_gives_the_same)
{
	static const size_t maxima[] = {NO_LIMIT, 30, 12, 5};
	struct vectors_cuts random;
	struct run run = {.finish = true};
	char text[200];

	vectors_cuts_init(&random, NULL, VECTORS_WAYS - 1);
	for (int i = 0; i < 500; i++) {
		struct sl_slice input = {text,
					 make_soup(&random, text, 1 + (size_t)i % sizeof(text))};
		struct sl_buf whole;

		run.want_stray = i & 1;
		run.max_event_bytes = maxima[i / 2 % 4];
		sl_buf_init(&run.log, NO_LIMIT);
		sl_buf_init(&whole, NO_LIMIT);
		run_text(&run, input, 0);
		ck_assert_int_eq(sl_buf_put_slice(&whole, sl_buf_slice(&run.log)), 0);
		for (int way = 1; way < VECTORS_WAYS; way++) {
			run_text(&run, input, way);
			ck_assert_msg(sl_slice_eq(sl_buf_slice(&run.log), sl_buf_slice(&whole)),
				      "'%.*s' gave '%.*s' and '%.*s'", (int)input.n, input.p,
				      (int)whole.len, whole.p, (int)run.log.len, run.log.p);
		}
		sl_buf_fini(&run.log);
		sl_buf_fini(&whole);
	}
}
END_TEST

/* --- memory --- */

static size_t bytes_held(const struct sl_sse_parser *p)
{
	return p->line.cap + p->data.cap + p->type.cap + p->id.cap;
}

static void feed(struct sl_sse_parser *p, const char *text)
{
	sl_sse_parser_feed(p, text, strlen(text));
}

START_TEST(an_event_that_comes_in_one_read_is_not_copied)
{
	static const char text[] = "event: delta\ndata: {\"a\":1}\r\n\r\n:x\n\ndata: b\n\n";
	struct sl_sse_parser p;
	struct sl_sse_event event;

	sl_sse_parser_init(&p, NO_LIMIT);
	feed(&p, text);
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 1);
	ck_assert_ptr_eq(event.type.p, strstr(text, "delta"));
	ck_assert_ptr_eq(event.data.p, strstr(text, "{"));
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 1);
	ck_assert_ptr_eq(event.data.p, strstr(text, "b\n\n"));
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 0);
	ck_assert_uint_eq(bytes_held(&p), 0);
	sl_sse_parser_fini(&p);
}
END_TEST

START_TEST(a_silent_stream_holds_no_buffers)
{
	static const char *const reads[] = {"da", "ta: a\nda", "ta: b\nevent:", " x\r", "\n",
					    "\r", "\n: comm",  "ent",           "\n\n"};
	struct sl_sse_parser p;
	struct sl_sse_event event;
	int n_events = 0;

	sl_sse_parser_init(&p, NO_LIMIT);
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		feed(&p, reads[i]);
		while (sl_sse_parser_next(&p, &event) == 1) {
			ck_assert(sl_slice_is(event.data, "a\nb"));
			ck_assert(sl_slice_is(event.type, "x"));
			n_events++;
		}
		ck_assert(bytes_held(&p) > 0 || i >= 5);
		ck_assert(bytes_held(&p) == 0 || i < 5);
	}
	ck_assert_int_eq(n_events, 1);
	sl_sse_parser_fini(&p);
}
END_TEST

START_TEST(a_big_event_is_not_held_twice_nor_kept)
{
	enum { PIECE = 1000, PIECES = 1000 };
	struct sl_sse_parser p;
	struct sl_sse_event event;
	char piece[PIECE];

	memset(piece, 'x', sizeof(piece));
	sl_sse_parser_init(&p, NO_LIMIT);
	feed(&p, "data: ");
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 0);
	for (int i = 0; i < PIECES; i++) {
		sl_sse_parser_feed(&p, piece, sizeof(piece));
		ck_assert_int_eq(sl_sse_parser_next(&p, &event), 0);
		ck_assert_uint_le(bytes_held(&p), 2 * PIECE * PIECES + 64);
	}
	feed(&p, "\n\ndata: y\n\nda");
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 1);
	ck_assert_uint_eq(event.data.n, PIECE * PIECES);
	ck_assert_uint_le(bytes_held(&p), 2 * PIECE * PIECES + 64);
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 1);
	ck_assert_uint_eq(bytes_held(&p), 0);
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 0);
	ck_assert_uint_le(bytes_held(&p), 64);
	sl_sse_parser_fini(&p);
}
END_TEST

START_TEST(a_comment_is_never_held)
{
	struct sl_sse_parser p;
	struct sl_sse_event event;

	sl_sse_parser_init(&p, 100);
	feed(&p, ": ");
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(sl_sse_parser_next(&p, &event), 0);
		ck_assert_uint_eq(bytes_held(&p), 0);
		feed(&p, "data: a comment that has no end ");
	}
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 0);
	feed(&p, "\ndata: a\n\n");
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 1);
	ck_assert(sl_slice_is(event.data, "a"));
	sl_sse_parser_fini(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sse_parser");
	TCase *tc = tcase_create("sse_parser");
	int failed;

	document = vectors_load("sse_parser.json");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_vector_gives_its_events_in_every_way_of_cutting, 0,
			    vectors_count(document));
	tcase_add_loop_test(tc, what_stands_without_its_empty_line_can_be_salvaged, 0,
			    sizeof(unfinished) / sizeof(*unfinished));
	tcase_add_loop_test(tc, lines_with_unknown_names_are_told_when_wanted, 0,
			    sizeof(strays) / sizeof(*strays));
	tcase_add_loop_test(tc, a_line_or_event_beyond_the_limit_fails_wherever_it_is_cut, 0,
			    sizeof(limits) / sizeof(*limits));
	tcase_add_test(tc, a_failed_parser_stays_failed_and_holds_nothing);
	tcase_add_loop_test(tc, retry_is_digits_only_and_saturates, 0,
			    sizeof(retries) / sizeof(*retries));
	tcase_add_test(tc, any_cut_of_any_bytes_gives_the_same);
	tcase_add_test(tc, an_event_that_comes_in_one_read_is_not_copied);
	tcase_add_test(tc, a_silent_stream_holds_no_buffers);
	tcase_add_test(tc, a_big_event_is_not_held_twice_nor_kept);
	tcase_add_test(tc, a_comment_is_never_held);
	suite_add_tcase(suite, tc);
	failed = unit_main(suite);
	cJSON_Delete(document);
	return failed;
}
