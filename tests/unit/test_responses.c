/* OpenAI's Responses as they are read: what is told of items that come in every way that servers
 * have found, and only once. */
#include <sluice/reader.h>

#include <stdlib.h>
#include <string.h>
#include "collected.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* The events of a reading but for its META and USAGE, a line each. */
static void show_event(struct sl_buf *out, const struct sl_event *e)
{
	static const char *const names[] = {
		[SL_EVENT_TEXT] = "text",           [SL_EVENT_REASONING] = "reasoning",
		[SL_EVENT_REFUSAL] = "refusal",     [SL_EVENT_TOOL_START] = "call",
		[SL_EVENT_TOOL_ARGS] = "args",      [SL_EVENT_FINISH] = "finish",
		[SL_EVENT_SIGNATURE] = "signature", [SL_EVENT_PART_END] = "end",
	};

	switch (e->kind) {
	case SL_EVENT_META:
	case SL_EVENT_USAGE:
		return;
	case SL_EVENT_ERROR:
		sl_buf_printf(out, "error %d %.*s|%.*s\n", (int)e->n0, (int)e->s[2].n, e->s[2].p,
			      (int)e->s[0].n, e->s[0].p);
		return;
	case SL_EVENT_PART_END:
		sl_buf_printf(out, "end %s\n", names[e->n0]);
		return;
	default:
		sl_buf_printf(out, "%s%.0u", names[e->kind], e->index);
		for (int i = 0; i < 2; i++) {
			if (e->s[i].n)
				sl_buf_printf(out, " %.*s", (int)e->s[i].n, e->s[i].p);
		}
		sl_buf_put_str(out, e->n0 ? " withheld\n" : "\n");
	}
}

static void read_all(const struct sl_reader_options *o, struct sl_slice body, struct sl_buf *shown)
{
	struct sl_reader *reader = sl_reader_new(o);
	struct sl_entry entry;
	bool finished = false;

	ck_assert_ptr_nonnull(reader);
	sl_reader_feed(reader, body.p, body.n);
	for (;;) {
		int r = sl_reader_next(reader, &entry);

		ck_assert_int_ge(r, 0);
		for (size_t i = 0; r == 1 && i < entry.n_events; i++)
			show_event(shown, &entry.events[i]);
		if (r == 1)
			continue;
		if (finished)
			break;
		sl_reader_finish(reader, NULL);
		finished = true;
	}
	ck_assert(sl_reader_ended(reader));
	sl_reader_free(reader);
	sl_buf_putc(shown, 0);
}

#define TEXT_DELTA(place, text)                                                                 \
	"{\"type\":\"response.output_text.delta\",\"output_index\":" place ",\"delta\":\"" text \
	"\"}\n"
#define TEXT_DONE(place, text)                                                                \
	"{\"type\":\"response.output_text.done\",\"output_index\":" place ",\"text\":\"" text \
	"\"}\n"
#define ADDED(place, item) \
	"{\"type\":\"response.output_item.added\",\"output_index\":" place ",\"item\":" item "}\n"
#define DONE(place, item) \
	"{\"type\":\"response.output_item.done\",\"output_index\":" place ",\"item\":" item "}\n"
#define ARGS_DELTA(place, text)                                                        \
	"{\"type\":\"response.function_call_arguments.delta\",\"output_index\":" place \
	",\"delta\":\"" text "\"}\n"
#define ARGS_DONE(place, text)                                                        \
	"{\"type\":\"response.function_call_arguments.done\",\"output_index\":" place \
	",\"arguments\":\"" text "\"}\n"
#define SUMMARY_DELTA(part, text)                                                 \
	"{\"type\":\"response.reasoning_summary_text.delta\",\"output_index\":0," \
	"\"summary_index\":" part ",\"delta\":\"" text "\"}\n"
#define MESSAGE_OF(id, text)                                              \
	"{\"type\":\"message\",\"id\":\"" id "\",\"content\":[{\"type\":" \
	"\"output_text\",\"text\":\"" text "\"}]}"
#define MESSAGE(text) MESSAGE_OF("m", text)
#define CALL(id, arguments)                                           \
	"{\"type\":\"function_call\",\"id\":\"fc\",\"call_id\":\"" id \
	"\",\"name\":\"f\",\"arguments\":\"" arguments "\"}"
#define COMPLETED(output)                                                                     \
	"{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":" \
	"[" output "]}}\n"

/* Each: the data of events, a line each, and what is told. */
static const char *const streams[][2] = {
	/* all four ways */
	{TEXT_DELTA("0", "a") TEXT_DELTA("0", "b") TEXT_DONE("0", "ab") DONE("0", MESSAGE("ab"))
		 COMPLETED(MESSAGE("ab")),
	 "text a\ntext b\nend text\nfinish stop completed\n"},
	/* one of them alone */
	{TEXT_DONE("0", "ab") COMPLETED(""), "text ab\nfinish stop completed\n"},
	{DONE("0", MESSAGE("ab")) COMPLETED(""), "text ab\nend text\nfinish stop completed\n"},
	{COMPLETED(MESSAGE("ab")), "text ab\nend text\nfinish stop completed\n"},
	/* the end of it alone */
	{TEXT_DELTA("0", "a") TEXT_DONE("0", "abc") COMPLETED(MESSAGE("abc")),
	 "text a\ntext bc\nend text\nfinish stop completed\n"},
	{TEXT_DELTA("0", "a") COMPLETED(MESSAGE("ab")),
	 "text a\ntext b\nend text\nfinish stop completed\n"},
	/* told differently later */
	{TEXT_DELTA("0", "a ") TEXT_DONE("0", "A") COMPLETED(MESSAGE("A.")),
	 "text a \nend text\nfinish stop completed\n"},
	/* two messages; an item that comes with no id, or another one */
	{TEXT_DELTA("0", "a") DONE("0", MESSAGE("a")) TEXT_DELTA("1", "a")
		 COMPLETED(MESSAGE("a") "," MESSAGE_OF("n", "a")),
	 "text a\nend text\ntext a\nend text\nfinish stop completed\n"},
	{"{\"type\":\"response.output_text.delta\",\"item_id\":\"x\",\"output_index\":0,"
	 "\"delta\":"
	 "\"a\"}\n"
	 "{\"type\":\"response.output_text.delta\",\"item_id\":\"y\",\"output_index\":0,"
	 "\"delta\":"
	 "\"b\"}\n" DONE("0", MESSAGE("ab")) COMPLETED(MESSAGE("ab")),
	 "text a\ntext b\nend text\nfinish stop completed\n"},
	{"{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n"
	 "{\"type\":\"response.output_text.delta\",\"delta\":\"b\"}\n" COMPLETED(MESSAGE("ab")),
	 "text a\ntext b\nend text\nfinish stop completed\n"},
	/* a new message in the old one's place */
	{TEXT_DELTA("0", "a") DONE("0", MESSAGE("a")) TEXT_DELTA("0", "b") COMPLETED(""),
	 "text a\nend text\ntext b\nfinish stop completed\n"},
	/* a pair in two deltas, and half of one */
	{TEXT_DELTA("0", "\\ud83d") TEXT_DELTA("0", "\\ude00") COMPLETED(""),
	 "text \xf0\x9f\x98\x80\nfinish stop completed\n"},
	{TEXT_DELTA("0", "a\\ud83d") COMPLETED(""),
	 "text a\ntext \xef\xbf\xbd\nfinish stop completed\n"},
	{TEXT_DELTA("0", "a\\ud83d") COMPLETED(MESSAGE("a\\ud83d\\ude00")),
	 "text a\ntext \xf0\x9f\x98\x80\nend text\nfinish stop completed\n"},
	/* refusals */
	{"{\"type\":\"response.refusal.delta\",\"output_index\":0,\"delta\":\"no\"}\n"
	 "{\"type\":\"response.refusal.done\",\"output_index\":0,\"refusal\":\"no.\"}"
	 "\n" COMPLETED("{\"type\":\"message\",\"content\":[{\"type\":\"refusal\","
			"\"refusal\":\"no.\"}]}"),
	 "refusal no\nrefusal .\nend refusal\nfinish stop completed\n"},
	/* calls */
	{ADDED("0", CALL("c1", "")) ARGS_DELTA("0", "{") ARGS_DELTA("0", "}") ARGS_DONE("0", "{}")
		 DONE("0", CALL("c1", "{}")) COMPLETED(CALL("c1", "{}")),
	 "call c1 f\nargs {\nargs }\nend args\nfinish tool_calls completed\n"},
	{ADDED("0", CALL("c1", "")) ARGS_DONE("0", "{}") COMPLETED(""),
	 "call c1 f\nargs {}\nfinish tool_calls completed\n"},
	{ADDED("0", CALL("c1", "")) DONE("0", CALL("c1", "{}")) COMPLETED(""),
	 "call c1 f\nargs {}\nend args\nfinish tool_calls completed\n"},
	{DONE("0", CALL("c1", "{}")) COMPLETED(""),
	 "call c1 f\nargs {}\nend args\nfinish tool_calls completed\n"},
	{COMPLETED(CALL("c1", "{}") "," CALL("c2", "[]")),
	 "call c1 f\nargs {}\nend args\ncall1 c2 f\nargs1 []\nend args\nfinish tool_calls "
	 "completed\n"},
	{ADDED("0", CALL("c1", "")) ADDED("0", CALL("c2", "")) DONE("0", CALL("c1", "1"))
		 DONE("0", CALL("c2", "2")) COMPLETED(CALL("c2", "2")),
	 "call c1 f\ncall1 c2 f\nargs 1\nend args\nargs1 2\nend args\nfinish tool_calls "
	 "completed\n"},
	/* a name that comes late: the call begins with it */
	{ADDED("0", "{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"\"}")
		 ARGS_DELTA("0", "{}") DONE("0", CALL("c1", "{}")) COMPLETED(""),
	 "call c1 f\nargs {}\nend args\nfinish tool_calls completed\n"},
	/* without a call id */
	{ADDED("0", "{\"type\":\"function_call\",\"id\":\"fc\",\"name\":\"f\"}") COMPLETED(""),
	 "call fc f\nfinish tool_calls completed\n"},
	/* a custom tool's */
	{ADDED("0", "{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"sh\",\"input\":"
		    "\"\"}") "{\"type\":\"response.custom_tool_call_input.delta\",\"output_"
			     "index\":0,\"delta\":\"ls\"}"
			     "\n" DONE("0", "{\"type\":\"custom_tool_call\",\"call_id\":\"c\","
					    "\"name\":\"sh\","
					    "\"input\":\"ls \\\"a\\\"\"}") COMPLETED(""),
	 "call c sh\nargs {\"input\":\"ls \\\"a\\\"\"}\nend args\nfinish tool_calls "
	 "completed\n"},
	/* reasoning: parts of a summary, the text before the summary, either alone, a signature */
	{SUMMARY_DELTA("0", "a") SUMMARY_DELTA("0", "b") SUMMARY_DELTA("1", "c")
		 DONE("0", "{\"type\":\"reasoning\",\"summary\":[{"
			   "\"text\":\"ab\"},{\"text\":\"cd\"}],"
			   "\"encrypted_content\":\"E\"}") COMPLETED(""),
	 "reasoning a\nreasoning b\nreasoning \n\n\nreasoning c\nreasoning d\nsignature "
	 "E\nend "
	 "reasoning\nfinish stop completed\n"},
	{"{\"type\":\"response.reasoning_text.delta\",\"output_index\":0,\"content_index\":"
	 "0,"
	 "\"delta\":\"raw\"}\n" SUMMARY_DELTA("0", "sum")
		 DONE("0", "{\"type\":\"reasoning\",\"content\":[{\"text\":\"raw\"}],"
			   "\"summary\":[{"
			   "\"text\":\"sum\"}]}") COMPLETED(""),
	 "reasoning raw\nend reasoning\nfinish stop completed\n"},
	{COMPLETED("{\"type\":\"reasoning\",\"content\":[{\"text\":\"raw\"}],\"summary\":[{"
		   "\"text\":\"sum\"}]}"),
	 "reasoning raw\nend reasoning\nfinish stop completed\n"},
	{COMPLETED("{\"type\":\"reasoning\",\"content\":[],\"summary\":[{\"text\":\"sum\"}]"
		   "}"),
	 "reasoning sum\nend reasoning\nfinish stop completed\n"},
	{DONE("0", "{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"E\"}")
		 COMPLETED(""),
	 "signature E withheld\nend reasoning\nfinish stop completed\n"},
	/* what is not known here */
	{ADDED("0",
	       "{\"type\":\"web_search_call\",\"id\":\"w\"}") "{\"type\":\"response.web_"
							      "search_call.searching\","
							      "\"output_index\":0}"
							      "\n" DONE("0",
									"{\"type\":"
									"\"web_"
									"search_"
									"call\"}")
								      TEXT_DELTA(
									      "1",
									      "a") "{\"type\":"
										   "\"keepalive\"}"
										   "\n" COMPLETED(
											   "{\"type"
											   "\":"
											   "\"web_"
											   "search_"
											   "call\"}"
											   "," MESSAGE(
												   "a")),
	 "text a\nend text\nfinish stop completed\n"},
	/* ends */
	{TEXT_DELTA("0", "a") "{\"type\":\"response.incomplete\",\"response\":{"
			      "\"incomplete_details\":{\"reason\":"
			      "\"content_filter\"}}}\n",
	 "text a\nfinish content_filter content_filter\n"},
	{"{\"type\":\"response.incomplete\",\"response\":{}}\n", "finish length incomplete\n"},
	{COMPLETED("") "[DONE]\n", "finish stop completed\n"},
	{COMPLETED("") TEXT_DELTA("0", "late"), "finish stop completed\n"},
	{TEXT_DELTA("0", "a") "[DONE]\n",
	 "text a\nerror 502 upstream_incomplete|the upstream closed before the answer was "
	 "complete\n"},
	/* failures */
	{TEXT_DELTA("0", "a") "{\"type\":\"response.failed\",\"response\":{\"error\":{"
			      "\"code\":\"rate_limit_exceeded\","
			      "\"message\":\"slow\"}}}\n",
	 "text a\nerror 429 rate_limit_exceeded|slow\n"},
	{"{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"invalid_"
	 "prompt\","
	 "\"message\":\"bad\"}}}\n",
	 "error 400 invalid_prompt|bad\n"},
	{"{\"type\":\"response.failed\",\"response\":{\"error\":null}}\n",
	 "error 502 |the upstream's response failed\n"},
	{"{\"type\":\"error\",\"code\":\"server_error\",\"message\":\"m\",\"param\":null,"
	 "\"sequence_number\":3}\n",
	 "error 500 server_error|m\n"},
	{"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"code\":\"x\","
	 "\"message\":\"m\"}}\n",
	 "error 400 x|m\n"},
	{"{\"error\":{\"message\":\"m\",\"code\":429}}\n", "error 429 429|m\n"},
	{"not JSON\n",
	 "error 502 upstream_bad_frame|the upstream sent a frame that is no JSON object\n"},
	{"[1]\n",
	 "error 502 upstream_bad_frame|the upstream sent a frame that is no JSON object\n"},
};

START_TEST(what_comes_more_than_once_is_told_once)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_RESPONSES);
	struct sl_buf body = {.max = SIZE_MAX}, shown = {.max = SIZE_MAX};

	for (const char *line = streams[_i][0], *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		sl_buf_printf(&body, "data: %.*s\n\n", (int)(end - line), line);
	}
	read_all(&o, sl_buf_slice(&body), &shown);
	ck_assert_str_eq(shown.p, streams[_i][1]);
	sl_buf_fini(&body);
	sl_buf_fini(&shown);
}
END_TEST

#define BODY(status, output, rest)                                                               \
	"{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":7,\"model\":\"m\",\"error\":" \
	"null,\"status\":\"" status "\",\"output\":[" output "]" rest "}"

/* Each: a body that is no stream, and what is told. */
static const char *const wholes[][2] = {
	{BODY("completed", MESSAGE("a\\nb") "," CALL("c", "{}"), ",\"usage\":{\"input_tokens\":3}"),
	 "text a\nb\nend text\ncall c f\nargs {}\nend args\nfinish tool_calls completed\n"},
	{BODY("incomplete", MESSAGE("a"),
	      ",\"incomplete_details\":{\"reason\":"
	      "\"max_output_tokens\"}"),
	 "text a\nend text\nfinish length max_output_tokens\n"},
	{"{\"status\":\"failed\",\"output\":[],\"error\":{\"code\":\"server_error\",\"message\":"
	 "\"m\"}}",
	 "error 500 server_error|m\n"},
	{"{\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}", "error 500 server_error|m\n"},
};

START_TEST(a_whole_body_tells_the_same_whether_a_stream_was_asked_for_or_not)
{
	for (int whole = 0; whole < 2; whole++) {
		struct sl_reader_options o = stream_options(SL_DIALECT_RESPONSES);
		struct sl_buf shown = {.max = SIZE_MAX};

		o.whole = whole;
		o.content_type = SL_LIT("application/json");
		read_all(&o, sl_slice_str(wholes[_i][0]), &shown);
		ck_assert_str_eq(shown.p, wholes[_i][1]);
		sl_buf_fini(&shown);
	}
}
END_TEST

static struct collected *read_text(const char *body)
{
	struct collected *c = malloc(sizeof(*c));
	struct sl_reader_options o = stream_options(SL_DIALECT_RESPONSES);

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	collect(c, &o, sl_slice_str(body), NULL, NULL);
	return c;
}

static void forget(struct collected *c)
{
	collected_fini(c);
	free(c);
}

START_TEST(who_asked_for_a_stream_gets_a_whole_body_as_its_last_event)
{
	struct collected *c = read_text(BODY("completed", "", ""));

	ck_assert(c->ended);
	ck_assert_str_eq(
		buf_str(&c->frames),
		"{\"type\":\"response.completed\",\"sequence_number\":0,\"response\":" BODY(
			"completed", "", "") "}\n");
	ck_assert_str_eq(buf_str(&c->id), "resp_1");
	ck_assert_str_eq(buf_str(&c->model), "m");
	ck_assert_int_eq(c->created, 7);
	forget(c);
}
END_TEST

START_TEST(a_response_that_is_not_ready_is_no_answer)
{
	struct collected *c = read_text(BODY("queued", "", ""));

	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_BAD_FRAME);
	forget(c);
}
END_TEST

/* Each: a stream, and the frames that go on. */
static const char *const framed[][2] = {
	{"event: response.output_text.delta\ndata: {\"delta\":\"a\"}\n\n",
	 "{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n"},
	{"event: response.new_thing\ndata: {}\n\n", "{\"type\":\"response.new_thing\"}\n"},
	{"event: response.\"\ndata: {}\n\n", "{}\n"},
	{"event: other\ndata: {}\n\n", "{}\n"},
	{"event: x\ndata: { \"type\" : \"response.queued\", \"a\":1 }\n\n",
	 "{ \"type\" : \"response.queued\", \"a\":1 }\n"},
	{"data: {\"type\":\"response.completed\",\"response\":{}}\n\ndata: {\"late\":1}\n\n",
	 "{\"type\":\"response.completed\",\"response\":{}}\n"},
	{": hello\n\ndata:\n\ndata: {\"a\":1}\n\n", "{\"a\":1}\n"},
};

START_TEST(frames_go_on_as_they_came_with_the_type_that_clients_look_for)
{
	struct collected *c = read_text(framed[_i][0]);

	ck_assert_str_eq(buf_str(&c->frames), framed[_i][1]);
	forget(c);
}
END_TEST

START_TEST(a_connection_that_breaks_after_the_last_event_is_no_failure)
{
	static const struct sl_event broken = {
		.kind = SL_EVENT_ERROR, .n0 = 502, .s = {{"broken", 6}, {0}, {"closed", 6}, {0}}};
	struct sl_reader_options o = stream_options(SL_DIALECT_RESPONSES);

	for (int i = 0; i < 2; i++) {
		struct collected *c = malloc(sizeof(*c));

		ck_assert_ptr_nonnull(c);
		collected_init(c);
		collect(c, &o,
			i ? SL_LIT("data: {\"type\":\"response.completed\",\"response\":{}}\n\n")
			  : SL_LIT("data: {\"type\":\"response.in_progress\"}\n\n"),
			NULL, &broken);
		ck_assert_int_eq(c->ended, i);
		forget(c);
	}
}
END_TEST

START_TEST(an_answer_of_more_items_than_are_read_fails)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	for (int i = 0; i < 2000; i++)
		sl_buf_printf(&body,
			      "data: {\"type\":\"response.output_text.delta\",\"output_index\":%d,"
			      "\"delta\":\"a\"}\n\n",
			      i);
	c = read_text(buf_str(&body));
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_BAD_FRAME);
	forget(c);
	sl_buf_fini(&body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("responses");
	TCase *tc = tcase_create("responses");

	tcase_add_loop_test(tc, what_comes_more_than_once_is_told_once, 0, COUNT(streams));
	tcase_add_loop_test(tc, a_whole_body_tells_the_same_whether_a_stream_was_asked_for_or_not,
			    0, COUNT(wholes));
	tcase_add_test(tc, who_asked_for_a_stream_gets_a_whole_body_as_its_last_event);
	tcase_add_test(tc, a_response_that_is_not_ready_is_no_answer);
	tcase_add_loop_test(tc, frames_go_on_as_they_came_with_the_type_that_clients_look_for, 0,
			    COUNT(framed));
	tcase_add_test(tc, a_connection_that_breaks_after_the_last_event_is_no_failure);
	tcase_add_test(tc, an_answer_of_more_items_than_are_read_fails);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
