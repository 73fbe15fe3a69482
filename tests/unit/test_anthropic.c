/* Anthropic's Messages as an upstream: frames that are mended, bodies in one piece, errors. */
#include <sluice/reader.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "collected.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

static struct collected *read_body(const struct sl_reader_options *o, const char *body)
{
	struct collected *c = malloc(sizeof(*c));

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	collect(c, o, sl_slice_str(body), NULL, NULL);
	return c;
}

/* Begins a stream, and says nothing. */
#define BEGUN "{\"type\":\"message_start\"}"

/* A stream of `first` and these frames, and nothing behind them. */
static struct collected *read_stream(const char *first, const char *const *frames, size_t n)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_ANTHROPIC);
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	if (first)
		ck_assert_int_eq(sl_buf_printf(&body, "data: %s\n\n", first), 0);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(sl_buf_printf(&body, "data: %s\n\n", frames[i]), 0);
	c = read_body(&o, buf_str(&body));
	sl_buf_fini(&body);
	return c;
}

static struct collected *read_frames(const char *const *frames, size_t n)
{
	return read_stream(NULL, frames, n);
}

static void done(struct collected *c)
{
	collected_fini(c);
	free(c);
}

#define READ(...)                                       \
	read_frames((const char *const[]){__VA_ARGS__}, \
		    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* Frames, as short as they can be. */
#define MESSAGE "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3}}}"
#define START(index, block) \
	"{\"type\":\"content_block_start\",\"index\":" #index ",\"content_block\":{" block "}}"
#define DELTA(index, delta) \
	"{\"type\":\"content_block_delta\",\"index\":" #index ",\"delta\":{" delta "}}"
#define STOP(index) "{\"type\":\"content_block_stop\",\"index\":" #index "}"
#define END(reason)                                                                         \
	"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason "\"},\"usage\":" \
	"{\"output_tokens\":5}}"
#define TEXT_BLOCK     "\"type\":\"text\",\"text\":\"\""
#define THINKING_BLOCK "\"type\":\"thinking\",\"thinking\":\"\""
#define TEXT(s)        "\"type\":\"text_delta\",\"text\":\"" s "\""
#define CALL_BLOCK(id, name, input) \
	"\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":" input
#define ARGUMENTS(s) "\"type\":\"input_json_delta\",\"partial_json\":\"" s "\""

/* Each: what came, and what goes on; NULL: nothing. */
static const struct {
	const char *came[4], *went[4];
} mended[] = {
	/* nothing to mend: spacing, unknown members, events, blocks and deltas */
	{{"{ \"type\": \"message_start\", \"message\":{\"usage\":{ \"input_tokens\":0}  } } "},
	 {"{ \"type\": \"message_start\", \"message\":{\"usage\":{ \"input_tokens\":0}  } }"}},
	{{"{\"type\":\"new\",\"index\":7}", "{\"index\":1}", "{}"},
	 {"{\"type\":\"new\",\"index\":7}", "{\"index\":1}", "{}"}},
	{{START(0, "\"type\":\"server_tool_use\",\"id\":null"), DELTA(0, "\"type\":\"new\""),
	  STOP(0)},
	 {START(0, "\"type\":\"server_tool_use\",\"id\":null"), DELTA(0, "\"type\":\"new\""),
	  STOP(0)}},
	{{DELTA(3, TEXT("a")), STOP(3)}, {DELTA(3, TEXT("a")), STOP(3)}},
	/* the proxy makes its own pings; the end of others means nothing */
	{{"{\"type\": \"ping\"}", "[DONE]", MESSAGE}, {MESSAGE}},
	/* usage */
	{{"{\"type\":\"message_start\",\"message\":{}}"},
	 {"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":0}}}"}},
	{{"{\"type\":\"message_start\",\"message\":{\"usage\":null,\"id\":\"m\"}}"},
	 {"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":0},\"id\":\"m\"}"
	  "}"}},
	{{"{\"type\":\"message_start\",\"message\":{\"usage\":{\"output_tokens\":1}}}"},
	 {"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":0,"
	  "\"output_tokens\":1}}}"}},
	{{"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":null}}}"},
	 {"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":0}}}"}},
	{{MESSAGE, "{\"type\":\"message_delta\",\"delta\":{}}"},
	 {MESSAGE, "{\"usage\":{\"output_tokens\":0},\"type\":\"message_delta\",\"delta\":{}}"}},
	{{"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,"
	  "\"output_tokens\":2}}}",
	  "{\"type\":\"message_delta\",\"usage\":{}}"},
	 {"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,"
	  "\"output_tokens\":2}}}",
	  "{\"type\":\"message_delta\",\"usage\":{\"output_tokens\":2}}"}},
	/* numbers of blocks: from 1, with a gap, none, two alike */
	{{START(1, TEXT_BLOCK), DELTA(1, TEXT("a")), STOP(1), START(4, TEXT_BLOCK)},
	 {START(0, TEXT_BLOCK), DELTA(0, TEXT("a")), STOP(0), START(1, TEXT_BLOCK)}},
	{{"{\"type\":\"content_block_start\",\"content_block\":{" TEXT_BLOCK "}}",
	  "{\"type\":\"content_block_delta\",\"index\":null,\"delta\":{" TEXT("a") "}}", STOP(2)},
	 {"{\"index\":0,\"type\":\"content_block_start\",\"content_block\":{" TEXT_BLOCK "}}",
	  DELTA(0, TEXT("a")), STOP(0)}},
	{{START(0, TEXT_BLOCK), START(0, TEXT_BLOCK), DELTA(0, TEXT("a"))},
	 {START(0, TEXT_BLOCK), START(1, TEXT_BLOCK), DELTA(1, TEXT("a"))}},
	/* starts of blocks */
	{{START(0, "\"type\":\"text\",\"text\":null"), START(1, "\"type\":\"thinking\"")},
	 {START(0, "\"type\":\"text\",\"text\":\"\""),
	  START(1, "\"thinking\":\"\",\"type\":\"thinking\"")}},
	{{START(0, "\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\""),
	  START(1, CALL_BLOCK("b", "g", "null"))},
	 {START(0, "\"input\":{},\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\""),
	  START(1, CALL_BLOCK("b", "g", "{}"))}},
	/* what stands in a start is told behind it */
	{{START(2, "\"type\":\"text\",\"text\":\"a\\u00e9\",\"x\":1"), DELTA(2, TEXT("b"))},
	 {START(0, "\"type\":\"text\",\"text\":\"\",\"x\":1"), DELTA(0, TEXT("a\\u00e9")),
	  DELTA(0, TEXT("b"))}},
	{{START(0, "\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"")},
	 {START(0, "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\""),
	  DELTA(0, "\"type\":\"thinking_delta\",\"thinking\":\"t\""),
	  DELTA(0, "\"type\":\"signature_delta\",\"signature\":\"s\"")}},
	{{START(0, "\"type\":\"server_text\",\"text\":\"a\"")},
	 {START(0, "\"type\":\"server_text\",\"text\":\"a\"")}},
	/* bytes that are no UTF-8 */
	{{DELTA(0, TEXT("\xff"))}, {DELTA(0, TEXT("\xef\xbf\xbd"))}},
};

static size_t count(const char *const *frames)
{
	size_t n = 0;

	while (n < 4 && frames[n])
		n++;
	return n;
}

static void check_frames(struct collected *c, const char *first, const char *const *want, size_t n)
{
	struct sl_buf lines = {.max = SIZE_MAX};

	if (first)
		sl_buf_printf(&lines, "%s\n", first);
	for (size_t i = 0; i < n; i++)
		sl_buf_printf(&lines, "%s\n", want[i]);
	ck_assert_str_eq(buf_str(&c->frames), buf_str(&lines));
	sl_buf_fini(&lines);
}

START_TEST(a_frame_is_mended_where_it_breaks_an_sdk_and_nowhere_else)
{
	const char *const *came = mended[_i].came, *const *went = mended[_i].went;
	struct collected *c = read_stream(BEGUN, came, count(came)), *again;

	check_frames(c, BEGUN, went, count(went));
	again = read_stream(BEGUN, went, count(went));
	check_frames(again, BEGUN, went, count(went));
	ck_assert_str_eq(buf_str(&again->events), buf_str(&c->events));
	done(c);
	done(again);
}
END_TEST

/* Each: frames, and the events that they are, as the trace below writes them. */
static const struct {
	const char *frames[12], *events;
} told[] = {
	{{START(0, TEXT_BLOCK), DELTA(0, TEXT("a\\n")), STOP(0)}, "start text|text a\n|end text|"},
	{{START(0, "\"type\":\"text\",\"text\":\"a\""), DELTA(0, TEXT("")), STOP(0)},
	 "start text|text a|end text|"},
	{{START(0, THINKING_BLOCK), DELTA(0, "\"type\":\"thinking_delta\",\"thinking\":\"t\""),
	  DELTA(0, "\"type\":\"signature_delta\",\"signature\":\"s\""), STOP(0),
	  START(1, "\"type\":\"redacted_thinking\",\"data\":\"r\""), STOP(1)},
	 "start reasoning|reasoning t|signature 0 s|end reasoning|"
	 "start reasoning|signature 1 r|end reasoning|"},
	{{START(0, "\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"")},
	 "start reasoning|reasoning t|signature 0 s|"},
	/* halves of a character in two deltas, and one that stays alone */
	{{START(0, TEXT_BLOCK), DELTA(0, TEXT("\\ud83d")), DELTA(0, TEXT("\\ude80\\ud83d")),
	  STOP(0)},
	 "start text|text \xf0\x9f\x9a\x80|text \xef\xbf\xbd|end text|"},
	/* calls: fragments, none, none but with the whole in the start */
	{{START(0, CALL_BLOCK("a", "f", "{}")), DELTA(0, ARGUMENTS("")), DELTA(0, ARGUMENTS("{")),
	  DELTA(0, ARGUMENTS("}")), STOP(0)},
	 "call 0 a f|args 0 {|args 0 }|end call 0|"},
	{{START(0, CALL_BLOCK("a", "f", "{}")), STOP(0), START(1, CALL_BLOCK("b", "g", "{}")),
	  DELTA(1, ARGUMENTS("")), STOP(1)},
	 "call 0 a f|args 0 {}|end call 0|call 1 b g|args 1 {}|end call 1|"},
	{{START(0, CALL_BLOCK("a", "f", "{\"b\": 1}")), STOP(0)},
	 "call 0 a f|args 0 {\"b\": 1}|end call 0|"},
	{{START(0, CALL_BLOCK("a", "f", "{\"b\": 1}")), DELTA(0, ARGUMENTS("{}")), STOP(0)},
	 "call 0 a f|args 0 {}|end call 0|"},
	/* calls that are told at once; blocks and deltas that nobody knows in between */
	{{START(0, CALL_BLOCK("a", "f", "{}")), START(1, CALL_BLOCK("b", "g", "{}")),
	  DELTA(0, ARGUMENTS("1")), DELTA(1, ARGUMENTS("2")), STOP(0), STOP(1)},
	 "call 0 a f|call 1 b g|args 0 1|args 1 2|end call 0|end call 1|"},
	{{START(0, TEXT_BLOCK), DELTA(0, TEXT("a")), STOP(0),
	  START(1, "\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web\",\"input\":{}"),
	  DELTA(1, ARGUMENTS("{}")), STOP(1), START(2, "\"type\":\"web_search_tool_result\""),
	  STOP(2), START(3, CALL_BLOCK("b", "g", "{}")),
	  DELTA(3, "\"type\":\"citations_delta\",\"citation\":{}"), STOP(3)},
	 "start text|text a|end text|call 0 b g|args 0 {}|end call 0|"},
	/* text without a start, a start without a stop */
	{{DELTA(0, TEXT("a")), DELTA(0, ARGUMENTS("{}"))}, "text a|"},
	{{START(0, TEXT_BLOCK), START(1, CALL_BLOCK("b", "g", "{}")), END("tool_use")},
	 "start text|call 0 b g|end text|args 0 {}|end call 0|usage -1 5 -1 -1 -1 -1|"
	 "finish tool_calls tool_use |"},
	/* usage: in parts, cumulative, null; the cache counts as prompt */
	{{"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,"
	  "\"cache_read_input_tokens\":10,\"cache_creation_input_tokens\":null}}}",
	  "{\"type\":\"message_delta\",\"usage\":{\"output_tokens\":7,\"input_tokens\":null,"
	  "\"cache_creation_input_tokens\":100,\"output_tokens_details\":{\"thinking_tokens\":2}}}",
	  "{\"type\":\"message_delta\",\"usage\":{\"output_tokens\":8}}"},
	 "usage 13 -1 -1 10 -1 -1|usage 113 7 120 10 100 2|usage 113 8 121 10 100 2|"},
	{{"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":0,"
	  "\"output_tokens\":-1}}}"},
	 ""},
	{{"{\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"m\",\"usage\":"
	  "{\"input_tokens\":1e3,\"output_tokens\":99999999999999999999}}}",
	  "{\"type\":\"message_start\",\"message\":{\"id\":\"j\",\"usage\":{}}}"},
	 "meta i m|"},
	/* why it ended */
	{{"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\","
	  "\"stop_sequence\":\"x\"},\"usage\":{\"output_tokens\":0}}"},
	 "finish stop stop_sequence x|"},
};

/* One event in words; '|' behind it. */
static void put_words(struct sl_buf *out, const struct sl_event *e)
{
	const char *part = e->n0 == SL_EVENT_TEXT        ? "text"
			   : e->n0 == SL_EVENT_REASONING ? "reasoning"
							 : "call";
	const struct sl_usage *u = &e->usage;
	struct sl_slice a = e->s[0], b = e->s[1], c = e->s[2];

	switch (e->kind) {
	case SL_EVENT_META:
		sl_buf_printf(out, "meta %.*s %.*s|", (int)a.n, a.p, (int)b.n, b.p);
		break;
	case SL_EVENT_TEXT:
		sl_buf_printf(out, "text %.*s|", (int)a.n, a.p);
		break;
	case SL_EVENT_REASONING:
		sl_buf_printf(out, "reasoning %.*s|", (int)a.n, a.p);
		break;
	case SL_EVENT_SIGNATURE:
		sl_buf_printf(out, "signature %d %.*s|", (int)e->n0, (int)a.n, a.p);
		break;
	case SL_EVENT_TOOL_START:
		sl_buf_printf(out, "call %u %.*s %.*s|", e->index, (int)a.n, a.p, (int)b.n, b.p);
		break;
	case SL_EVENT_TOOL_ARGS:
		sl_buf_printf(out, "args %u %.*s|", e->index, (int)a.n, a.p);
		break;
	case SL_EVENT_PART_START:
		sl_buf_printf(out, "start %s|", part);
		break;
	case SL_EVENT_PART_END:
		sl_buf_printf(out, "end %s", part);
		if (e->n0 == SL_EVENT_TOOL_ARGS)
			sl_buf_printf(out, " %u", e->index);
		sl_buf_putc(out, '|');
		break;
	case SL_EVENT_USAGE:
		sl_buf_printf(out, "usage %d %d %d %d %d %d|", (int)u->prompt, (int)u->completion,
			      (int)u->total, (int)u->cached, (int)u->cache_write,
			      (int)u->reasoning);
		break;
	case SL_EVENT_FINISH:
		sl_buf_printf(out, "finish %.*s %.*s %.*s|", (int)a.n, a.p, (int)b.n, b.p, (int)c.n,
			      c.p);
		break;
	default:
		ck_abort_msg("an event of kind %d", (int)e->kind);
	}
}

/* All events of a body but its last entry's, in words. */
static struct sl_buf words_of(const struct sl_reader_options *o, struct sl_slice body)
{
	struct sl_reader *reader = sl_reader_new(o);
	struct sl_buf words = {.max = SIZE_MAX};
	struct sl_entry entry;

	ck_assert_ptr_nonnull(reader);
	sl_reader_feed(reader, body.p, body.n);
	for (int fed = 0; fed < 2; fed++) {
		while (sl_reader_next(reader, &entry) == 1) {
			for (size_t i = 0; i < entry.n_events && !sl_reader_ended(reader); i++)
				put_words(&words, &entry.events[i]);
		}
		sl_reader_finish(reader, NULL);
	}
	sl_reader_free(reader);
	return words;
}

START_TEST(blocks_become_events)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_ANTHROPIC);
	struct sl_buf body = {.max = SIZE_MAX}, words;

	sl_buf_printf(&body, "data: %s\n\n", BEGUN);
	for (size_t i = 0; i < 12 && told[_i].frames[i]; i++)
		sl_buf_printf(&body, "data: %s\n\n", told[_i].frames[i]);
	words = words_of(&o, sl_buf_slice(&body));
	ck_assert_str_eq(buf_str(&words), told[_i].events);
	sl_buf_fini(&body);
	sl_buf_fini(&words);
}
END_TEST

START_TEST(a_reason_to_stop_is_put_into_words_that_all_understand)
{
	static const char *const reasons[][2] = {
		{END("end_turn"), "stop"},
		{END("max_tokens"), "length"},
		{END("model_context_window_exceeded"), "length"},
		{END("tool_use"), "tool_calls"},
		{END("pause_turn"), "stop"},
		{END("refusal"), "content_filter"},
		{END("something_new"), "stop"},
	};

	for (int i = 0; i < COUNT(reasons); i++) {
		struct collected *c = READ(reasons[i][0]);

		ck_assert(c->ended); /* although message_stop is missing */
		ck_assert_str_eq(buf_str(&c->finish), reasons[i][1]);
		done(c);
	}
}
END_TEST

START_TEST(the_answer_is_complete_with_message_stop_or_with_a_reason_to_stop)
{
	struct collected *stop = READ(MESSAGE, "{\"type\":\"message_stop\"}", "not read");
	struct collected *marked = READ(MESSAGE, END("end_turn"), "[DONE]", "not read");
	struct collected *cut = READ(MESSAGE, START(0, TEXT_BLOCK), DELTA(0, TEXT("a")), "[DONE]");

	ck_assert(stop->ended && marked->ended && cut->failed);
	ck_assert_str_eq(buf_str(&cut->code), SL_CODE_INCOMPLETE);
	ck_assert_str_eq(buf_str(&cut->text[0]), "a");
	done(stop);
	done(marked);
	done(cut);
}
END_TEST

START_TEST(a_stream_without_a_start_gets_one)
{
	static const char *const frames[] = {START(1, TEXT_BLOCK), DELTA(1, TEXT("a")), STOP(1),
					     END("end_turn")};

	for (size_t from = 0; from < 4; from++) {
		struct collected *c = read_frames(frames + from, 4 - from);
		const char *second = strchr(buf_str(&c->frames), '\n') + 1;

		ck_assert(c->ended);
		ck_assert(
			sl_slice_starts(sl_buf_slice(&c->frames),
					"{\"type\":\"message_start\",\"message\":{\"id\":\"msg_"));
		ck_assert_ptr_eq(strstr(second, "message_start"), NULL);
		ck_assert_ptr_eq(strstr(second, from == 0   ? START(0, TEXT_BLOCK)
						: from == 3 ? END("end_turn")
							    : frames[from]),
				 second);
		ck_assert_str_eq(buf_str(&c->text[0]), from < 2 ? "a" : "");
		done(c);
	}
	/* An error needs none. */
	struct collected *c = READ("{\"type\":\"error\",\"error\":{\"message\":\"no\"}}");
	ck_assert(c->failed && c->frames.len == 0);
	done(c);
}
END_TEST

START_TEST(a_call_without_an_id_gets_one_that_stands_in_the_frame)
{
	struct collected *c = READ(
		"{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":"
		"1}}}",
		START(0, "\"type\":\"tool_use\",\"name\":\"f\",\"input\":{}"),
		START(1, CALL_BLOCK("", "f", "{}")));

	ck_assert_uint_eq(c->n_calls, 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert_ptr_nonnull(strstr(buf_str(&c->frames), buf_str(&c->call[i].id)));
	ck_assert_str_ne(buf_str(&c->call[0].id), buf_str(&c->call[1].id));
	done(c);
}
END_TEST

/* More than are kept: the oldest go, and nothing is lost but their order. */
START_TEST(blocks_that_never_stop_take_no_more_memory)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_ANTHROPIC);
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	for (int i = 0; i < 100; i++)
		sl_buf_printf(&body,
			      "data: {\"type\":\"content_block_start\",\"index\":%d,"
			      "\"content_block\":{\"type\":\"tool_use\",\"id\":\"c%d\",\"name\":"
			      "\"f\",\"input\":{\"i\":%d}}}\n\n",
			      i, i, i);
	sl_buf_printf(&body, "data: %s\n\n", END("tool_use"));
	c = read_body(&o, buf_str(&body));
	ck_assert(c->ended);
	ck_assert_uint_eq(c->n_calls, 100);
	for (size_t i = 0; i < 100; i++) {
		char want[32];

		snprintf(want, sizeof(want), "{\"i\":%zu}", i);
		ck_assert_str_eq(buf_str(&c->call[i].arguments), want);
	}
	done(c);
	sl_buf_fini(&body);
}
END_TEST

/* Each: an event stream that is an error, and what is made of it. */
static const struct {
	const char *body, *message, *type;
	int status;
} errors[] = {
	{"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
	 "\"message\":\"m\"}}\n\n",
	 "m", "overloaded_error", 503},
	{"data: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"},"
	 "\"request_id\":\"r\"}\n\n",
	 "m", "rate_limit_error", 429},
	{"data: {\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"m\"}}\n\n",
	 "m", "billing_error", 402},
	{"data: {\"type\":\"error\",\"error\":{\"type\":\"conflict_error\",\"message\":\"m\"}}\n\n",
	 "m", "conflict_error", 409},
	{"data: {\"type\":\"error\",\"error\":{\"type\":\"timeout_error\",\"message\":\"m\"}}\n\n",
	 "m", "timeout_error", 504},
	{"data: {\"type\":\"error\",\"error\":{\"type\":\"request_too_large\",\"message\":\"m\"}}"
	 "\n\n",
	 "m", "request_too_large", 413},
	{"data: {\"type\":\"error\",\"message\":\"m\"}\n\n", "m", "error", 502},
	{"data: {\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}\n\n", "m", "api_error", 500},
	{"event: error\ndata: {\"type\":\"not_found_error\",\"message\":\"m\"}\n\n", "m",
	 "not_found_error", 404},
	{"event: error\ndata: m\n\n", "m", "", 502},
	{": \n{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}\n\n", "m",
	 "api_error", 500},
	{"{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}", "m",
	 "api_error", 500},
};

START_TEST(an_error_is_one_wherever_it_stands)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_ANTHROPIC);
	struct collected *c = read_body(&o, errors[_i].body);

	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->message), errors[_i].message);
	ck_assert_str_eq(buf_str(&c->type), errors[_i].type);
	ck_assert_int_eq(c->status, errors[_i].status);
	done(c);
}
END_TEST

START_TEST(an_error_that_is_null_is_none)
{
	struct collected *c = READ("{\"type\":\"message_stop\",\"error\":null}");

	ck_assert(c->ended);
	done(c);
}
END_TEST

#define WHOLE                                                                                    \
	"{\"id\":\"i\", "                                                                        \
	"\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\n\"content\":"             \
	"[{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"},"                       \
	"{\"type\":\"redacted_thinking\",\"data\":\"r\"},{\"type\":\"text\",\"text\":\"a\\\"\"," \
	"\"citations\":[]},{\"type\":\"new\",\"x\":1},"                                          \
	"{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{\"b\": \"\\\"\"}}],"      \
	"\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,"     \
	"\"output_tokens\":5}}"

static const char *const whole_frames[] = {
	("{\"type\":\"message_start\",\"message\":{\"id\":\"i\", \"type\":\"message\",\"role\":"
	 "\"assistant\",\"model\":\"m\", "
	 "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
	 "\"usage\":{\"input_tokens\":3,\"output_tokens\":5}}}"),
	START(0, "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\""),
	DELTA(0, "\"type\":\"thinking_delta\",\"thinking\":\"t\""),
	DELTA(0, "\"type\":\"signature_delta\",\"signature\":\"s\""),
	STOP(0),
	START(1, "\"type\":\"redacted_thinking\",\"data\":\"r\""),
	STOP(1),
	START(2, "\"type\":\"text\",\"text\":\"\",\"citations\":[]"),
	DELTA(2, TEXT("a\\\"")),
	STOP(2),
	START(3, "\"type\":\"new\",\"x\":1"),
	STOP(3),
	START(4, CALL_BLOCK("c", "f", "{}")),
	DELTA(4, ARGUMENTS("{\\\"b\\\": \\\"\\\\\\\"\\\"}")),
	STOP(4),
	("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":"
	 "null},\"usage\":{\"input_tokens\":3,\"output_tokens\":5}}"),
};

static const char whole_events[] =
	"meta i m|usage 3 5 8 -1 -1 -1|start reasoning|reasoning t|signature 0 s|end reasoning|"
	"start reasoning|signature 1 r|end reasoning|start text|text a\"|end text|call 0 c f|"
	"args 0 {\"b\": \"\\\"\"}|end call 0|usage 3 5 8 -1 -1 -1|finish tool_calls tool_use |";

START_TEST(a_message_in_place_of_a_stream_becomes_the_frames_of_one)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_ANTHROPIC);
	struct collected *c;
	struct sl_buf words;

	o.content_type = SL_LIT("application/json");
	c = read_body(&o, WHOLE);
	ck_assert(c->ended && !(c->flags & SL_ENTRY_WHOLE));
	check_frames(c, NULL, whole_frames, COUNT(whole_frames));
	words = words_of(&o, SL_LIT(WHOLE));
	ck_assert_str_eq(buf_str(&words), whole_events);
	sl_buf_fini(&words);
	done(c);
}
END_TEST

START_TEST(a_message_that_was_asked_for_passes_as_it_came_with_all_events)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_ANTHROPIC);
	struct collected *c;
	struct sl_buf words;

	o.whole = true;
	c = read_body(&o, WHOLE);
	ck_assert(c->ended && c->flags & SL_ENTRY_WHOLE);
	ck_assert_uint_eq(c->n_entries, 2);
	ck_assert_str_eq(buf_str(&c->frames), WHOLE "\n");
	words = words_of(&o, SL_LIT(WHOLE));
	ck_assert_str_eq(buf_str(&words), whole_events);
	sl_buf_fini(&words);
	done(c);
}
END_TEST

START_TEST(a_body_that_is_no_message_is_no_answer)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_ANTHROPIC);
	struct sl_buf long_message = {.max = SIZE_MAX};
	struct collected *c = read_body(&o, "{\"type\":\"message\",\"content\":\"a\"}");

	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_BAD_FRAME);
	done(c);
	sl_buf_put_str(&long_message, "{\"type\":\"message\",\"content\":[");
	for (int i = 0; i < 2000; i++)
		sl_buf_put_str(&long_message, "{},");
	sl_buf_put_str(&long_message, "{}]}");
	c = read_body(&o, buf_str(&long_message));
	ck_assert(c->failed);
	done(c);
	sl_buf_fini(&long_message);
}
END_TEST

START_TEST(a_count_of_tokens_passes_as_it_came)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_ANTHROPIC_JSON);
	struct collected *c = read_body(&o, "{\"input_tokens\": 7}\n");

	ck_assert(c->ended);
	ck_assert_str_eq(buf_str(&c->frames), "{\"input_tokens\": 7}\n\n");
	ck_assert_uint_eq(c->events.len, 0);
	done(c);
	c = read_body(&o, "{\"type\":\"error\",\"error\":{\"type\":\"api_error\","
			  "\"message\":\"m\"}}");
	ck_assert(c->failed);
	ck_assert_int_eq(c->status, 500);
	done(c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("anthropic");
	TCase *tc = tcase_create("frames");

	tcase_add_loop_test(tc, a_frame_is_mended_where_it_breaks_an_sdk_and_nowhere_else, 0,
			    COUNT(mended));
	tcase_add_loop_test(tc, blocks_become_events, 0, COUNT(told));
	tcase_add_test(tc, a_reason_to_stop_is_put_into_words_that_all_understand);
	tcase_add_test(tc, the_answer_is_complete_with_message_stop_or_with_a_reason_to_stop);
	tcase_add_test(tc, a_stream_without_a_start_gets_one);
	tcase_add_test(tc, a_call_without_an_id_gets_one_that_stands_in_the_frame);
	tcase_add_test(tc, blocks_that_never_stop_take_no_more_memory);
	suite_add_tcase(suite, tc);
	tc = tcase_create("bodies");
	tcase_add_loop_test(tc, an_error_is_one_wherever_it_stands, 0, COUNT(errors));
	tcase_add_test(tc, an_error_that_is_null_is_none);
	tcase_add_test(tc, a_message_in_place_of_a_stream_becomes_the_frames_of_one);
	tcase_add_test(tc, a_message_that_was_asked_for_passes_as_it_came_with_all_events);
	tcase_add_test(tc, a_body_that_is_no_message_is_no_answer);
	tcase_add_test(tc, a_count_of_tokens_passes_as_it_came);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
