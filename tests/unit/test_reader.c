/* What a response is taken for, how it ends, and what a chunk says of the whole answer. */
#include <sluice/reader.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "collected.h"
#include "unit.h"

#define CHUNK(delta) "data: {\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define FINISH(word) "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"" word "\"}]}\n\n"
#define DONE         "data: [DONE]\n\n"
#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

static const struct sl_event cut_off = {
	.kind = SL_EVENT_ERROR,
	.n0 = 504,
	.s = {{"too slow", 8}, {"timeout", 7}, {"upstream_timeout", 16}, {"{}", 2}},
};

/* Whole, then byte by byte: both must give the same. */
static struct collected *read_as(const struct sl_reader_options *o, const char *body,
				 const struct sl_event *fault)
{
	struct collected *c = malloc(sizeof(*c)), *by_bytes = malloc(sizeof(*c));
	struct vectors_cuts cuts = {.way = 1};

	ck_assert(c && by_bytes);
	collected_init(c);
	collected_init(by_bytes);
	collect(c, o, sl_slice_str(body), NULL, fault);
	collect(by_bytes, o, sl_slice_str(body), &cuts, fault);
	ck_assert_str_eq(buf_str(&by_bytes->trace), buf_str(&c->trace));
	collected_fini(by_bytes);
	free(by_bytes);
	return c;
}

static struct collected *read_stream(const char *body, const struct sl_event *fault)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);

	return read_as(&o, body, fault);
}

static void done(struct collected *c)
{
	collected_fini(c);
	free(c);
}

/* Each: a body, whether the connection broke after it, and the code of the failure (NULL: it is
 * complete). */
static const struct {
	const char *body;
	bool fault;
	const char *code;
} ends[] = {
	{CHUNK("{\"content\":\"a\"}") FINISH("stop") DONE, false, NULL},
	{CHUNK("{\"content\":\"a\"}") FINISH("stop"), false, NULL},
	{CHUNK("{\"content\":\"a\"}") DONE, false, NULL},
	{CHUNK("{\"content\":\"a\"}"), false, "upstream_incomplete"},
	{CHUNK("{\"content\":\"a\"}") FINISH(""), false, "upstream_incomplete"},
	{"", false, "upstream_incomplete"},
	{": ka\n\n", false, "upstream_incomplete"},
	{" \n", false, "upstream_incomplete"},
	/* a fault counts before the end only */
	{CHUNK("{\"content\":\"a\"}") FINISH("stop") DONE, true, NULL},
	{CHUNK("{\"content\":\"a\"}") FINISH("stop"), true, NULL},
	{CHUNK("{\"content\":\"a\"}"), true, "upstream_timeout"},
	{"", true, "upstream_timeout"},
	/* a last event without its empty line */
	{CHUNK("{\"content\":\"a\"}") "data: [DONE]", false, NULL},
	{"data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}", false, NULL},
	{"data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]", false,
	 "upstream_incomplete"},
	{"data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]", true, "upstream_timeout"},
	/* what follows the end does not count */
	{FINISH("stop") "data: [DONE] \n\ndata: {oops\n\n" DONE, false, NULL},
	/* frames that are none */
	{CHUNK("{\"content\":\"a\"}") "data: {oops\n\n" FINISH("stop"), false,
	 "upstream_bad_frame"},
	{"data: []\n\n", false, "upstream_bad_frame"},
	{"data: 1\n\n", false, "upstream_bad_frame"},
	{"data: hello\n\n", false, "upstream_bad_frame"},
	{"data: {\"a\":\"\\x\"}\n\n", false, "upstream_bad_frame"},
	/* noise */
	{"data:\n\ndata:  \t\n\nevent: ping\n\nnoise\nevent: ping\ndata: "
	 "{\"type\":\"ping\"}\n\n" FINISH("stop"),
	 false, NULL},
};

START_TEST(a_stream_is_complete_when_its_end_was_seen)
{
	struct collected *c = read_stream(ends[_i].body, ends[_i].fault ? &cut_off : NULL);

	ck_assert_str_eq(buf_str(&c->code), ends[_i].code ? ends[_i].code : "");
	ck_assert_int_eq(c->ended, !ends[_i].code);
	if (c->failed)
		ck_assert_int_eq(c->status, strcmp(ends[_i].code, "upstream_timeout") ? 502 : 504);
	done(c);
}
END_TEST

START_TEST(a_fault_is_told_in_its_own_words)
{
	struct collected *c = read_stream("", &cut_off);

	ck_assert_str_eq(buf_str(&c->message), "too slow");
	ck_assert_str_eq(buf_str(&c->type), "timeout");
	ck_assert_str_eq(buf_str(&c->object), "{}");
	done(c);
}
END_TEST

#define COMPLETION                                                                                \
	"{\"id\":\"r\", "                                                                         \
	"\"object\":\"chat.completion\",\"created\":5,\"model\":\"m\",\"choices\":\n"             \
	"[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\",\"tool_calls\":["   \
	"{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}," \
	"{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}]},"                     \
	"\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3},\"x\":1}" \
	"\n"

/* What a body is taken for when a stream was asked for; "" is the failure that is none. */
static const struct {
	const char *type, *body;
	const char *code; /* NULL: complete, with this text */
	const char *text;
} kinds[] = {
	{"", CHUNK("{\"content\":\"a\"}") DONE, NULL, "a"},
	{"text/plain", CHUNK("{\"content\":\"a\"}") DONE, NULL, "a"},
	{"text/event-stream; charset=utf-8", " \r\n\xef\xbb\xbf" CHUNK("{\"content\":\"a\"}") DONE,
	 NULL, ""},
	{"text/event-stream", "\xef\xbb\xbf" CHUNK("{\"content\":\"a\"}") DONE, NULL, "a"},
	{"application/json", CHUNK("{\"content\":\"a\"}") DONE, NULL, "a"},
	{"application/json; charset=utf-8", COMPLETION, NULL, "Hi"},
	{"text/event-stream", "\n\n" COMPLETION, NULL, "Hi"},
	{"", COMPLETION, NULL, "Hi"},
	{"application/json",
	 "{\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"T\"}]}", NULL, "T"},
	{"application/json", "{\"error\":{\"message\":\"m\",\"code\":\"c\"}}", "c", ""},
	{"text/event-stream", "{\"error\":{\"message\":\"m\",\"code\":\"c\"}}", "c", ""},
	{"application/json", "{\"object\":\"error\",\"message\":\"m\",\"code\":7}", "7", ""},
	{"application/json", "{\"detail\":\"m\"}", "", ""},
	{"application/json", "{\"choices\":[]}", "upstream_bad_frame", ""},
	{"application/json", "[]", "upstream_bad_frame", ""},
	{"application/json", "\"a\"", "upstream_bad_frame", ""},
	{"application/json", "{\"choices\":[", "upstream_bad_frame", ""},
	{"application/json", "", "upstream_incomplete", ""},
	{"text/html", "<!doctype html>", "upstream_bad_frame", ""},
	{"text/html; charset=utf-8", CHUNK("{\"content\":\"a\"}"), "upstream_bad_frame", ""},
	{"", "\n<html>", "upstream_bad_frame", ""},
};

START_TEST(the_first_byte_decides_what_a_response_is)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);
	struct collected *c;

	o.content_type = sl_slice_str(kinds[_i].type);
	c = read_as(&o, kinds[_i].body, NULL);
	ck_assert_int_eq(c->ended, !kinds[_i].code);
	ck_assert_str_eq(buf_str(&c->code), kinds[_i].code ? kinds[_i].code : "");
	ck_assert_str_eq(buf_str(&c->text[0]), kinds[_i].text);
	done(c);
}
END_TEST

START_TEST(a_complete_body_becomes_a_chunk_a_usage_chunk_and_the_end)
{
	struct collected *c = read_stream(COMPLETION, NULL);

	ck_assert_str_eq(
		buf_str(&c->frames),
		"{\"id\":\"r\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\","
		"\"x\":1,"
		"\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\","
		"\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{"
		"\"name\":\"f\","
		"\"arguments\":\"1\"}},{\"type\":\"function\",\"index\":1,\"id\":\"b\","
		"\"function\":"
		"{\"name\":\"g\",\"arguments\":\"2\"}}]},\"logprobs\":null,\"finish_reason\":"
		"\"stop\"}]}\n"
		"{\"id\":\"r\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\","
		"\"x\":1,"
		"\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n");
	ck_assert(c->ended);
	ck_assert_uint_eq(c->n_entries, 3);
	ck_assert_uint_eq(c->flags, SL_ENTRY_CONTENT | SL_ENTRY_USAGE_ONLY | SL_ENTRY_END);
	ck_assert_int_eq(c->usage.prompt, 3);
	done(c);
}
END_TEST

START_TEST(a_whole_body_goes_on_as_it_came_with_its_events)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);
	struct collected *c;

	o.whole = true;
	c = read_as(&o, COMPLETION, _i ? &cut_off : NULL);
	ck_assert(c->ended);
	ck_assert_uint_eq(c->n_entries, 2);
	ck_assert_uint_eq(c->flags, SL_ENTRY_CONTENT | SL_ENTRY_WHOLE | SL_ENTRY_END);
	ck_assert_str_eq(buf_str(&c->frames), COMPLETION "\n");
	ck_assert_str_eq(buf_str(&c->text[0]), "Hi");
	ck_assert_uint_eq(c->n_calls, 2);
	ck_assert_str_eq(buf_str(&c->finish), "stop");
	ck_assert_str_eq(buf_str(&c->model), "m");
	ck_assert_int_eq(c->usage.prompt, 3);
	done(c);
}
END_TEST

START_TEST(a_whole_body_of_another_route_is_read_for_its_usage)
{
	static const char body[] =
		"{\"object\":\"list\",\"data\":[{\"embedding\":[0.1]}],\"model\":\"e\","
		"\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}";
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_JSON);
	struct collected *c = read_as(&o, body, NULL);

	ck_assert(c->ended);
	ck_assert_uint_eq(c->flags, SL_ENTRY_WHOLE | SL_ENTRY_END);
	ck_assert_uint_eq(c->frames.len, sizeof(body));
	ck_assert_int_eq(c->usage.total, 8);
	ck_assert_str_eq(buf_str(&c->model), "e");
	done(c);
}
END_TEST

/* Each: a whole body and the code of its failure. */
static const char *const bad_wholes[][2] = {
	{"{\"error\":{\"message\":\"m\",\"code\":\"c\"}}", "c"},
	{"{\"error\":null,\"object\":\"error\",\"message\":\"m\"}", ""},
	{"{\"choices\":[", "upstream_bad_frame"},
	{"data: {}\n\n", "upstream_bad_frame"},
	{"[1]", "upstream_bad_frame"},
	{"", "upstream_incomplete"},
};

START_TEST(a_whole_body_that_is_no_answer_has_failed)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);
	struct collected *c;

	o.whole = true;
	c = read_as(&o, bad_wholes[_i][0], NULL);
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), bad_wholes[_i][1]);
	done(c);
}
END_TEST

START_TEST(a_frame_or_body_over_the_limit_has_failed)
{
	static const char *const bodies[] = {
		CHUNK("{\"content\":\"a\"}")
			CHUNK("{\"content\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"),
		"{\"a\":"
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	};
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);
	struct collected *c;

	o.max_frame_bytes = 64;
	c = read_as(&o, bodies[_i], NULL);
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_FRAME_TOO_BIG);
	ck_assert_uint_eq(c->n_entries, _i == 0 ? 2 : 1);
	done(c);
}
END_TEST

START_TEST(the_answer_is_introduced_once_by_its_first_chunk_with_a_name)
{
	struct collected *c = read_stream(
		"data: {\"choices\":[],\"id\":\"\",\"model\":\"\",\"created\":0}\n\n"
		"data: {\"choices\":[],\"id\":\"i\",\"model\":\"m\",\"created\":7.25}\n\n"
		"data: {\"choices\":[],\"id\":\"j\",\"model\":\"n\",\"created\":8}\n\n",
		NULL);

	ck_assert_str_eq(buf_str(&c->id), "i");
	ck_assert_str_eq(buf_str(&c->model), "m");
	ck_assert_int_eq(c->created, 7);
	done(c);
}
END_TEST

static const char *const reasons[][2] = {
	{"stop", "stop"},
	{"length", "length"},
	{"tool_calls", "tool_calls"},
	{"content_filter", "content_filter"},
	{"function_call", "tool_calls"},
	{"model_length", "length"},
	{"error", "error"},
	{"abort", "error"},
	{"insufficient_system_resource", "error"},
	{"eos", "stop"},
	{"whatever", "stop"},
};

START_TEST(finish_reasons_are_normalised_in_events_and_native_in_frames)
{
	char body[128];
	struct collected *c;

	snprintf(body, sizeof(body), FINISH("%s"), reasons[_i][0]);
	c = read_stream(body, NULL);
	ck_assert_str_eq(buf_str(&c->finish), reasons[_i][1]);
	ck_assert_str_eq(buf_str(&c->native_finish), reasons[_i][0]);
	ck_assert_ptr_nonnull(strstr(buf_str(&c->frames), reasons[_i][0]));
	ck_assert_uint_eq(c->flags, SL_ENTRY_CONTENT | SL_ENTRY_END);
	done(c);
}
END_TEST

/* Each: members of a chunk, the counts in them in the order of the struct, whether a client must
 * not see it who did not ask. */
static const struct {
	const char *members;
	struct sl_usage usage;
	bool only;
} usages[] = {
	{"\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":"
	 "3}",
	 {1, 2, 3, -1, -1, -1},
	 true},
	{"\"choices\":[ "
	 "],\"usage\":{\"prompt_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":4,"
	 "\"cache_write_tokens\":5},\"completion_tokens_details\":{\"reasoning_tokens\":6}}",
	 {1, -1, -1, 4, 5, 6},
	 true},
	{"\"choices\":null,\"usage\":{\"prompt_tokens\":1,\"prompt_cache_hit_tokens\":0,\"cache_"
	 "write_tokens\":2}",
	 {1, -1, -1, 0, 2, -1},
	 true},
	{"\"usage\":{\"total_tokens\":3.0,\"prompt_tokens\":-1,\"completion_tokens\":1.5}",
	 {-1, -1, 3, -1, -1, -1},
	 true},
	{"\"choices\":[{\"index\":0,\"delta\":{}}],\"usage\":{\"total_tokens\":3}",
	 {-1, -1, 3, -1, -1, -1},
	 false},
	{"\"choices\":[{\"index\":0,\"delta\":{}}],\"x_groq\":{\"usage\":{\"total_tokens\":3}}",
	 {-1, -1, 3, -1, -1, -1},
	 false},
	{"\"choices\":[],\"usage\":null", {-1, -1, -1, -1, -1, -1}, false},
	{"\"choices\":[]", {-1, -1, -1, -1, -1, -1}, false},
};

START_TEST(usage_is_found_in_every_place)
{
	char body[512];
	struct collected *c;

	snprintf(body, sizeof(body), "data: {%s}\n\n", usages[_i].members);
	c = read_stream(body, NULL);
	ck_assert_mem_eq(&c->usage, &usages[_i].usage, sizeof(c->usage));
	ck_assert_int_eq((c->flags & SL_ENTRY_USAGE_ONLY) != 0, usages[_i].only);
	done(c);
}
END_TEST

START_TEST(a_reader_can_be_left_at_any_time)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);
	struct sl_reader *r = sl_reader_new(&o);
	struct sl_entry entry;

	sl_reader_free(NULL);
	ck_assert_int_eq(sl_reader_next(r, &entry), 0);
	sl_reader_feed(r, "data: {\"id\"", 11);
	ck_assert_int_eq(sl_reader_next(r, &entry), 0);
	ck_assert(!sl_reader_ended(r));
	sl_reader_free(r);
}
END_TEST

START_TEST(bytes_behind_the_last_entry_are_ignored)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);
	struct sl_reader *r = sl_reader_new(&o);
	struct sl_entry entry;

	sl_reader_feed(r, DONE DONE, 2 * sizeof(DONE) - 2);
	ck_assert_int_eq(sl_reader_next(r, &entry), 1);
	ck_assert_uint_eq(entry.flags, SL_ENTRY_END);
	ck_assert(sl_reader_ended(r));
	ck_assert_int_eq(sl_reader_next(r, &entry), 0);
	sl_reader_feed(r, DONE, sizeof(DONE) - 1);
	ck_assert_int_eq(sl_reader_next(r, &entry), 0);
	sl_reader_finish(r, &cut_off);
	ck_assert_int_eq(sl_reader_next(r, &entry), 0);
	sl_reader_free(r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reader");
	TCase *tc = tcase_create("reader");

	tcase_add_loop_test(tc, a_stream_is_complete_when_its_end_was_seen, 0, COUNT(ends));
	tcase_add_test(tc, a_fault_is_told_in_its_own_words);
	tcase_add_loop_test(tc, the_first_byte_decides_what_a_response_is, 0, COUNT(kinds));
	tcase_add_test(tc, a_complete_body_becomes_a_chunk_a_usage_chunk_and_the_end);
	tcase_add_loop_test(tc, a_whole_body_goes_on_as_it_came_with_its_events, 0, 2);
	tcase_add_test(tc, a_whole_body_of_another_route_is_read_for_its_usage);
	tcase_add_loop_test(tc, a_whole_body_that_is_no_answer_has_failed, 0, COUNT(bad_wholes));
	tcase_add_loop_test(tc, a_frame_or_body_over_the_limit_has_failed, 0, 2);
	tcase_add_test(tc, the_answer_is_introduced_once_by_its_first_chunk_with_a_name);
	tcase_add_loop_test(tc, finish_reasons_are_normalised_in_events_and_native_in_frames, 0,
			    COUNT(reasons));
	tcase_add_loop_test(tc, usage_is_found_in_every_place, 0, COUNT(usages));
	tcase_add_test(tc, a_reader_can_be_left_at_any_time);
	tcase_add_test(tc, bytes_behind_the_last_entry_are_ignored);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
