/* What clients of OpenAI's and Anthropic's APIs read of an upstream of another one: entry by entry, through windows
 * of any size. */
#include "codec/encode.h"

#include <string.h>
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))
#define S(s)                       \
	{                          \
		(s), sizeof(s) - 1 \
	}
#define EVENTS_MAX 6

#define CHUNK(delta, finish)                                                                 \
	"data: {\"id\":\"chatcmpl-st\",\"object\":\"chat.completion.chunk\",\"created\":5,"  \
	"\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{" delta "},\"logprobs\":null," \
	"\"finish_reason\":" finish "}]}\n"
#define ID  "id: st.2\n\n"
#define END "\n"

#define EVENT(type, members) "event: " type "\ndata: {\"type\":\"" type "\"" members "}\n"

#define USAGE                                                           \
	{                                                               \
		.kind = SL_EVENT_USAGE, .usage = { 20, 7, 27, 8, 2, 3 } \
	}

/* An entry, and what it is to an OpenAI client (stream, and in one piece) and to an Anthropic client. */
static const struct {
	unsigned flags;
	struct sl_event events[EVENTS_MAX];
	const char *chat, *messages;
} cases[] = {
	{0,
	 {{.kind = SL_EVENT_META, .s = {S("theirs"), S("m")}}},
	 CHUNK("\"role\":\"assistant\",\"content\":\"\"", "null") ID,
	 EVENT("message_start",
	       ",\"message\":{\"id\":\"msg_st\",\"type\":\"message\",\"role\":\"assistant\","
	       "\"model\":"
	       "\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
	       "\"input_tokens\":0,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
	       "\"output_tokens\":0}}") ID},
	/* a text: its start shows in one of them only */
	{0,
	 {{.kind = SL_EVENT_PART_START, .n0 = SL_EVENT_TEXT, .part = 2},
	  {.kind = SL_EVENT_TEXT, .part = 2, .s = {S("a\n\"")}}},
	 CHUNK("\"content\":\"a\\n\\\"\"", "null") ID,
	 EVENT("content_block_start",
	       ",\"index\":2,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
		 END EVENT("content_block_delta",
			   ",\"index\":2,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\\n\\\"\"}")
			 ID},
	{0,
	 {{.kind = SL_EVENT_PART_END, .n0 = SL_EVENT_TEXT, .part = 2}},
	 "",
	 EVENT("content_block_stop", ",\"index\":2") ID},
	/* reasoning, and what the upstream wants back with it */
	{0,
	 {{.kind = SL_EVENT_PART_START, .n0 = SL_EVENT_REASONING},
	  {.kind = SL_EVENT_REASONING, .s = {S("r")}},
	  {.kind = SL_EVENT_SIGNATURE, .s = {S("s")}}},
	 CHUNK("\"reasoning_content\":\"r\"", "null") END CHUNK(
		 "\"reasoning_details\":[{\"type\":\"reasoning.text\",\"signature\":\"s\"}]",
		 "null") ID,
	 EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"thinking\","
				      "\"thinking\":\"\",\"signature\":\"\"}")
		 END EVENT(
			 "content_block_delta",
			 ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"r\"}")
			 END EVENT("content_block_delta",
				   ",\"index\":0,\"delta\":{\"type\":\"signature_delta\","
				   "\"signature\":\"s\"}") ID},
	/* reasoning that is withheld */
	{0,
	 {{.kind = SL_EVENT_PART_START, .n0 = SL_EVENT_REASONING, .part = 1},
	  {.kind = SL_EVENT_SIGNATURE, .n0 = 1, .part = 1, .s = {S("x")}},
	  {.kind = SL_EVENT_PART_END, .n0 = SL_EVENT_REASONING, .part = 1}},
	 CHUNK("\"reasoning_details\":[{\"type\":\"reasoning.encrypted\",\"data\":\"x\"}]", "null")
		 ID,
	 EVENT("content_block_start",
	       ",\"index\":1,\"content_block\":{\"type\":\"redacted_thinking\",\"data\":\"x\"}")
		 END EVENT("content_block_stop", ",\"index\":1") ID},
	{0,
	 {{.kind = SL_EVENT_REFUSAL, .s = {S("no")}}},
	 CHUNK("\"refusal\":\"no\"", "null") ID,
	 EVENT("content_block_delta",
	       ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"no\"}") ID},
	/* calls: numbered among calls here, among parts there */
	{0,
	 {{.kind = SL_EVENT_TOOL_START, .index = 1, .part = 3, .s = {S("i"), S("f"), S("sig")}},
	  {.kind = SL_EVENT_TOOL_ARGS, .index = 1, .part = 3, .s = {S("{\"a\"")}}},
	 CHUNK("\"tool_calls\":[{\"index\":1,\"id\":\"i\",\"type\":\"function\",\"extra_content\":{"
	       "\"google\":{\"thought_signature\":\"sig\"}},\"function\":{\"name\":\"f\","
	       "\"arguments\":\"\"}}]",
	       "null") END CHUNK("\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":"
				 "\"{\\\"a\\\"\"}}]",
				 "null") ID,
	 EVENT("content_block_start",
	       ",\"index\":3,\"content_block\":{\"type\":\"tool_use\",\"id\":\"i\",\"name\":\"f\","
	       "\"input\":{}}") END EVENT("content_block_delta",
					  ",\"index\":3,\"delta\":{\"type\":\"input_json_delta\","
					  "\"partial_json\":\"{\\\"a\\\"\"}") ID},
	/* nothing of it is said before the end */
	{0, {USAGE, {.kind = SL_EVENT_FINISH, .s = {S("stop"), S("STOP")}}}, "", ""},
	{0, {{.kind = SL_EVENT_TEXT}, {.kind = SL_EVENT_TOOL_ARGS}}, "", ""},
	/* ends */
	{SL_ENTRY_END,
	 {{.kind = SL_EVENT_PART_END, .n0 = SL_EVENT_TEXT, .part = 4},
	  {.kind = SL_EVENT_FINISH, .s = {S("length"), S("MAX_TOKENS")}},
	  USAGE},
	 CHUNK("", "\"length\"") END
	 "data: "
	 "{\"id\":\"chatcmpl-st\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":"
	 "\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":7,\"total_"
	 "tokens\":"
	 "27,\"prompt_tokens_details\":{\"cached_tokens\":8,\"cache_write_tokens\":2},"
	 "\"completion_tokens_details\":{\"reasoning_tokens\":3}}}\n\nid: st.2\ndata: [DONE]\n\n",
	 EVENT("content_block_stop", ",\"index\":4") END EVENT(
		 "message_delta",
		 ",\"delta\":{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null},\"usage\":{"
		 "\"input_tokens\":10,\"cache_creation_input_tokens\":2,\"cache_read_input_"
		 "tokens\":8,"
		 "\"output_tokens\":7}") END EVENT("message_stop", "") ID},
	{SL_ENTRY_END,
	 {{.kind = SL_EVENT_FINISH, .s = {S("stop"), S("eos"), S("END")}}},
	 CHUNK("", "\"stop\"") END "id: st.2\ndata: [DONE]\n\n",
	 EVENT("message_delta",
	       ",\"delta\":{\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\"},"
	       "\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,\"cache_read_input_"
	       "tokens\":0,\"output_tokens\":0}") END EVENT("message_stop", "") ID},
	{SL_ENTRY_END,
	 {{.kind = SL_EVENT_FINISH, .n0 = SL_FINISH_REFUSED, .s = {S("stop"), S("stop")}}},
	 CHUNK("", "\"stop\"") END "id: st.2\ndata: [DONE]\n\n",
	 EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"refusal\",\"stop_sequence\":null},"
				"\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,"
				"\"cache_read_input_tokens\":0,\"output_tokens\":0}")
		 END EVENT("message_stop", "") ID},
	{SL_ENTRY_END,
	 {{.kind = SL_EVENT_FINISH, .n0 = SL_FINISH_CALLED, .s = {S("stop"), S("stop")}}},
	 CHUNK("", "\"stop\"") END "id: st.2\ndata: [DONE]\n\n",
	 EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},"
				"\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,"
				"\"cache_read_input_tokens\":0,\"output_tokens\":0}")
		 END EVENT("message_stop", "") ID},
	{SL_ENTRY_END,
	 {{.kind = SL_EVENT_FINISH, .s = {S("stop"), S("pause_turn")}}},
	 CHUNK("", "\"stop\"") END "id: st.2\ndata: [DONE]\n\n",
	 EVENT("message_delta",
	       ",\"delta\":{\"stop_reason\":\"pause_turn\",\"stop_sequence\":null},"
	       "\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,\"cache_read_input_"
	       "tokens\":0,\"output_tokens\":0}") END EVENT("message_stop", "") ID},
	{SL_ENTRY_FAILED,
	 {{.kind = SL_EVENT_ERROR, .n0 = 503, .s = {S("busy"), S("service_unavailable"), S("c")}}},
	 "data: {\"error\":{\"message\":\"busy\",\"type\":\"service_unavailable\",\"param\":null,"
	 "\"code\":\"c\"}}\n\nid: st.2\ndata: [DONE]\n\n",
	 "event: error\ndata: "
	 "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":"
	 "\"busy\",\"code\":\"c\"}}\n" ID},
};

static struct encoder_entry entry_of(unsigned flags, const struct sl_event *events)
{
	struct encoder_entry in = {.entry = {.flags = flags, .events = events},
				   .seq = 2,
				   .model = SL_LIT("m"),
				   .created = 5};

	while (in.entry.n_events < EVENTS_MAX && events[in.entry.n_events].kind)
		in.entry.n_events++;
	return in;
}

/* What is written through windows of `room` bytes. */
static struct sl_buf written(const struct encoder *e, const struct encoder_entry *in, size_t room)
{
	struct sl_buf out = {.max = SIZE_MAX};
	char piece[4096];
	struct sl_window w;

	do {
		w = sl_window(piece, room, out.len);
		encoder_write(e, in, &w);
		ck_assert(w.written > 0 || !w.cut);
		sl_buf_put(&out, piece, w.written);
	} while (w.cut);
	ck_assert_uint_eq(encoder_measure(e, in), out.len);
	sl_buf_putc(&out, '\0');
	return out;
}

static void check(enum format format, const struct encoder_entry *in, const char *expected)
{
	static const size_t rooms[] = {4096, 1, 7, 64};
	struct encoder e;

	encoder_init(&e, format, "st");
	for (int i = 0; i < COUNT(rooms); i++) {
		struct sl_buf out = written(&e, in, rooms[i]);

		ck_assert_str_eq(out.p, expected);
		sl_buf_fini(&out);
	}
}

START_TEST(an_entry_is_told_in_each_clients_words)
{
	struct encoder_entry in = entry_of(cases[_i].flags, cases[_i].events);

	check(FORMAT_OPENAI, &in, cases[_i].chat);
	check(FORMAT_ANTHROPIC, &in, cases[_i].messages);
}
END_TEST

START_TEST(who_did_not_ask_for_usage_is_spared_it)
{
	static const struct sl_event events[EVENTS_MAX] = {
		{.kind = SL_EVENT_FINISH, .s = {S("stop"), S("stop")}}, USAGE};
	struct encoder_entry in = entry_of(SL_ENTRY_END, events);
	struct encoder e;
	struct sl_buf out;

	encoder_init(&e, FORMAT_OPENAI, "st");
	e.hide_usage = true;
	out = written(&e, &in, 4096);
	ck_assert_str_eq(out.p, CHUNK("", "\"stop\"") END "id: st.2\ndata: [DONE]\n\n");
	sl_buf_fini(&out);
}
END_TEST

/* Stopped before it said anything: SDKs want a beginning all the same. */
START_TEST(an_end_that_comes_first_begins_too)
{
	struct encoder_entry in = {.entry.flags = SL_ENTRY_END,
				   .seq = 1,
				   .stopped = true,
				   .model = SL_LIT("m"),
				   .created = 5};
	struct encoder e;
	struct sl_buf out;

	encoder_init(&e, FORMAT_ANTHROPIC, "st");
	out = written(&e, &in, 4096);
	ck_assert_int_eq(strncmp(out.p, "event: message_start\n", 21), 0);
	ck_assert_ptr_nonnull(strstr(out.p, "event: message_delta\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "event: message_stop\n"));
	sl_buf_fini(&out);
	encoder_init(&e, FORMAT_OPENAI, "st");
	out = written(&e, &in, 4096);
	ck_assert_ptr_nonnull(strstr(out.p, "\"delta\":{\"role\":\"assistant\"}"));
	sl_buf_fini(&out);
	encoder_init(&e, FORMAT_RESPONSES, "st");
	out = written(&e, &in, 4096);
	ck_assert_int_eq(strncmp(out.p, "event: response.created\n", 24), 0);
	ck_assert_ptr_nonnull(strstr(out.p, "event: response.completed\n"));
	sl_buf_fini(&out);
}
END_TEST

START_TEST(starts_are_all_that_is_told_where_only_they_are_wanted)
{
	static const struct sl_event events[EVENTS_MAX] = {
		{.kind = SL_EVENT_META},
		{.kind = SL_EVENT_PART_START, .n0 = SL_EVENT_TEXT},
		{.kind = SL_EVENT_TEXT, .s = {S("a")}}};
	struct encoder_entry in = entry_of(0, events);
	struct encoder e;
	struct sl_buf out;

	encoder_init(&e, FORMAT_ANTHROPIC, "st");
	in.starts_only = true;
	out = written(&e, &in, 4096);
	ck_assert_ptr_nonnull(strstr(out.p, "message_start"));
	ck_assert_ptr_nonnull(strstr(out.p, "content_block_start"));
	ck_assert_ptr_null(strstr(out.p, "content_block_delta"));
	sl_buf_fini(&out);
}
END_TEST

static const struct sl_event whole[] = {
	{.kind = SL_EVENT_FINISH, .s = {S("tool_calls"), S("STOP")}},
	USAGE,
	{.kind = SL_EVENT_PART_WHOLE,
	 .n0 = SL_EVENT_REASONING,
	 .s = {S("r"), S(""), S(""), S("s")}},
	{.kind = SL_EVENT_PART_WHOLE, .n0 = SL_EVENT_TEXT, .part = 1, .s = {S("a")}},
	{.kind = SL_EVENT_PART_WHOLE, .n0 = SL_EVENT_TEXT, .part = 2, .s = {S("b")}},
	{.kind = SL_EVENT_PART_WHOLE,
	 .n0 = SL_EVENT_TOOL_ARGS,
	 .part = 3,
	 .s = {S("{\"x\":1}"), S("i"), S("f")}},
};

static const struct {
	enum sl_dialect client;
	const char *body;
} bodies[] = {
	{SL_DIALECT_OPENAI_CHAT,
	 "{\"id\":\"chatcmpl-st\",\"object\":\"chat.completion\",\"created\":5,\"model\":\"m\","
	 "\"choices\":[{"
	 "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ab\",\"refusal\":null,"
	 "\"reasoning_content\":\"r\",\"reasoning_details\":[{\"type\":\"reasoning.text\","
	 "\"signature\":\"s\"}],"
	 "\"tool_calls\":[{\"id\":\"i\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	 "\"arguments\":"
	 "\"{\\\"x\\\":1}\"}}]},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}],\"usage\":{"
	 "\"prompt_tokens\":20,\"completion_tokens\":7,\"total_tokens\":27,\"prompt_tokens_"
	 "details\":{"
	 "\"cached_tokens\":8,\"cache_write_tokens\":2},\"completion_tokens_details\":{\"reasoning_"
	 "tokens\":3}}}"},
	{SL_DIALECT_OPENAI_COMPLETIONS, "{\"id\":\"cmpl-st\",\"object\":\"text_completion\","
					"\"created\":5,\"model\":\"m\",\"choices\":[{"
					"\"index\":0,\"text\":\"ab\",\"logprobs\":null,\"finish_"
					"reason\":\"tool_calls\"}],\"usage\":{"
					"\"prompt_tokens\":20,\"completion_tokens\":7,\"total_"
					"tokens\":27,\"prompt_tokens_details\":{"
					"\"cached_tokens\":8,\"cache_write_tokens\":2},"
					"\"completion_tokens_details\":{\"reasoning_tokens\":3}}}"},
	{SL_DIALECT_ANTHROPIC,
	 "{\"id\":\"msg_st\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\","
	 "\"content\":[{\"type\":"
	 "\"thinking\",\"thinking\":\"r\",\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"a\"},{"
	 "\"type\":"
	 "\"text\",\"text\":\"b\"},{\"type\":\"tool_use\",\"id\":\"i\",\"name\":\"f\",\"input\":{"
	 "\"x\":1}}],"
	 "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":10,"
	 "\"cache_creation_input_tokens\":2,\"cache_read_input_tokens\":8,\"output_tokens\":7}}"},
};

START_TEST(an_answer_in_one_piece_is_made_of_its_end)
{
	struct encoder_entry in = {.entry = {.flags = SL_ENTRY_END,
					     .events = whole,
					     .n_events = sizeof(whole) / sizeof(*whole)},
				   .model = SL_LIT("m"),
				   .created = 5};
	struct encoder e;

	encoder_init(&e, FORMAT_WHOLE, "st");
	e.client = bodies[_i].client;
	for (size_t room = 1; room < 4096; room *= 5) {
		struct sl_buf out = written(&e, &in, room);

		ck_assert_str_eq(out.p, bodies[_i].body);
		sl_buf_fini(&out);
	}
}
END_TEST

/* Six tokens, and what a late viewer gets of them: one delta. */
START_TEST(what_was_said_comes_in_one_piece_to_who_comes_late)
{
	static const enum format formats[] = {FORMAT_OPENAI, FORMAT_ANTHROPIC};
	static const char *const expected[] = {
		CHUNK("\"content\":\"a\\na\\na\\n\"", "null") "id: st.3\n\n",
		EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\","
					     "\"text\":\"a\\na\\na\\n\"}") "id: st.3\n\n"};
	static const struct sl_event token[EVENTS_MAX] = {{.kind = SL_EVENT_TEXT, .s = {S("a\n")}}};
	struct encoder_entry in = entry_of(0, token);
	struct encoder_run run = {0};
	struct encoder e;
	char out[1024];
	struct sl_window w = sl_window(out, sizeof(out), 0);

	encoder_init(&e, formats[_i], "st");
	for (in.seq = 1; in.seq <= 3; in.seq++)
		ck_assert(encoder_run_add(&e, &run, &in, &w));
	in.native = true;
	ck_assert(!encoder_run_add(&e, &run, &in, &w));
	in.native = false;
	w.room = 20;
	ck_assert(!encoder_run_add(&e, &run, &in, &w));
	w.room = 500;
	encoder_run_end(&e, &run, &w);
	ck_assert(sl_slice_is(sl_slice(out, w.written), expected[_i]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encode_made");
	TCase *t = tcase_create("encode_made");

	tcase_add_loop_test(t, an_entry_is_told_in_each_clients_words, 0, COUNT(cases));
	tcase_add_test(t, who_did_not_ask_for_usage_is_spared_it);
	tcase_add_test(t, an_end_that_comes_first_begins_too);
	tcase_add_test(t, starts_are_all_that_is_told_where_only_they_are_wanted);
	tcase_add_loop_test(t, an_answer_in_one_piece_is_made_of_its_end, 0, COUNT(bodies));
	tcase_add_loop_test(t, what_was_said_comes_in_one_piece_to_who_comes_late, 0, 2);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
