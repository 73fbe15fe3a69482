/* What viewers read of a log's entries, in each format and through windows of every size. */
#include "codec/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "collected.h"
#include "unit.h"

#define S(s)                       \
	{                          \
		(s), sizeof(s) - 1 \
	}
#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* Writes an entry through windows of `room` bytes. */
static void write_entry(const struct encoder *e, const struct encoder_entry *in, size_t room,
			struct sl_buf *out)
{
	char piece[4096];
	struct sl_window w;
	size_t skip = 0;

	do {
		w = sl_window(piece, room, skip);
		encoder_write(e, in, &w);
		ck_assert_uint_le(w.written, room);
		ck_assert_int_eq(sl_buf_put(out, piece, w.written), 0);
		skip += w.written;
		ck_assert(w.written > 0 || !w.cut);
	} while (w.cut);
}

/* Encodes entries as one viewer reads them, whose upstream speaks its API; once for each size of window, which must make no
 * difference. */
static struct sl_buf encode(struct encoder e, const struct encoder_entry *entries, size_t n)
{
	struct sl_buf first = {.max = SIZE_MAX};

	for (size_t room = 4096; room > 0; room = room > 64 ? 64 : room - 1) {
		struct encoder viewer = e;
		struct sl_buf out = {.max = SIZE_MAX};

		for (size_t i = 0; i < n; i++) {
			struct encoder_entry entry = entries[i];

			entry.native = true;
			entry.model = SL_LIT("m");
			entry.created = 5;
			write_entry(&viewer, &entry, room, &out);
			encoder_done(&viewer, &entry);
		}
		if (room == 4096)
			first = out;
		ck_assert(sl_slice_eq(sl_buf_slice(&first), sl_buf_slice(&out)));
		if (room != 4096)
			sl_buf_fini(&out);
	}
	return first;
}

static struct encoder encoder(enum format format)
{
	struct encoder e;

	encoder_init(&e, format, "st");
	return e;
}

/* An entry with one event. */
static struct encoder_entry entry_of(uint64_t seq, const struct sl_event *event, const char *frame,
				     unsigned flags)
{
	return (struct encoder_entry){
		.entry = {.flags = flags,
			  .frame = sl_slice_str(frame),
			  .events = event,
			  .n_events = event ? 1 : 0},
		.seq = seq,
	};
}

static void check(struct encoder e, const struct encoder_entry *entries, size_t n,
		  const char *expected)
{
	struct sl_buf out = encode(e, entries, n);

	ck_assert_str_eq(buf_str(&out), expected);
	sl_buf_fini(&out);
}

#define CHECK(e, expected, ...)                                                                   \
	check(e, (const struct encoder_entry[]){__VA_ARGS__},                                     \
	      sizeof((const struct encoder_entry[]){__VA_ARGS__}) / sizeof(struct encoder_entry), \
	      expected)

#define TEXT(t) (&(struct sl_event){.kind = SL_EVENT_TEXT, .s[0] = SL_LIT(t)})
#define END     entry_of(9, NULL, "", SL_ENTRY_END)
#define FAILED  entry_of(9, &failure, "", SL_ENTRY_FAILED)
#define STOPPED ((struct encoder_entry){.entry.flags = SL_ENTRY_END, .seq = 9, .stopped = true})

/* An END as a stream's log gives it. */
#define END_WITH(...)                                                                  \
	((struct encoder_entry){                                                       \
		.entry = {.flags = SL_ENTRY_END,                                       \
			  .events = (const struct sl_event[]){__VA_ARGS__},            \
			  .n_events = sizeof((const struct sl_event[]){__VA_ARGS__}) / \
				      sizeof(struct sl_event)},                        \
		.seq = 9})
#define STOPPED_WITH(event)                                                         \
	((struct encoder_entry){                                                    \
		.entry = {.flags = SL_ENTRY_END, .events = (event), .n_events = 1}, \
		.seq = 9,                                                           \
		.stopped = true})
#define PARTIAL(event)                                                                 \
	((struct encoder_entry){                                                       \
		.entry = {.flags = SL_ENTRY_FAILED, .events = (event), .n_events = 1}, \
		.seq = 9,                                                              \
		.partial = true})

static const struct sl_event failure = {
	.kind = SL_EVENT_ERROR,
	.n0 = 502,
	.s = {S("it\nbroke"), S("t"), S("c"), S("{\"a\":[1],\"message\":\"it\"}")},
};
static const struct sl_event bare_failure = {.kind = SL_EVENT_ERROR, .n0 = 502};
static const struct sl_event usage = {.kind = SL_EVENT_USAGE, .usage = {3, -1, -1, -1, -1, -1}};
static const struct sl_event more_usage = {.kind = SL_EVENT_USAGE, .usage = {-1, 4, 7, 0, 2, 1}};
static const struct sl_event finish = {
	.kind = SL_EVENT_FINISH,
	.s = {S("length"), S("max")},
};

START_TEST(chunks_go_on_as_they_came_with_their_ids_and_one_retry)
{
	struct encoder e = encoder(FORMAT_OPENAI);

	e.retry_ms = 1500;
	CHECK(e,
	      "retry: 1500\ndata: {\"a\":1}\nid: st.2\n\n"
	      "data: {\"b\": 2}\nid: st.3\n\n"
	      "id: st.9\ndata: [DONE]\n\n",
	      entry_of(1, TEXT("no frame"), "", 0), entry_of(2, TEXT("a"), "{\"a\":1}", 0),
	      entry_of(3, NULL, "{\"b\": 2}", 0), END);
	e.ids = false;
	e.retry_ms = 0;
	CHECK(e, "data: {\"a\":1}\n\ndata: [DONE]\n\n", entry_of(2, TEXT("a"), "{\"a\":1}", 0),
	      END);
}
END_TEST

START_TEST(a_body_of_several_lines_is_one_chunk_too)
{
	CHECK(encoder(FORMAT_OPENAI), "data: {\ndata: \"a\": 1}\nid: st.1\n\n",
	      entry_of(1, NULL, "{\n\"a\": 1}", SL_ENTRY_WHOLE));
}
END_TEST

START_TEST(a_usage_chunk_is_kept_from_who_did_not_ask)
{
	struct encoder e = encoder(FORMAT_OPENAI);

	e.ids = false;
	CHECK(e, "data: {}\n\n", entry_of(1, &usage, "{}", SL_ENTRY_USAGE_ONLY));
	e.hide_usage = true;
	e.retry_ms = 7;
	CHECK(e, "retry: 7\ndata: {\"b\":1}\n\n", entry_of(1, &usage, "{}", SL_ENTRY_USAGE_ONLY),
	      entry_of(2, &usage, "{\"b\":1}", 0));
}
END_TEST

START_TEST(browsers_are_told_of_usage_in_any_case)
{
	struct encoder e = encoder(FORMAT_EVENTS);

	e.hide_usage = true;
	CHECK(e, "event: usage\ndata: {\"prompt_tokens\":3}\nid: st.1\n\n",
	      entry_of(1, &usage, "{}", SL_ENTRY_USAGE_ONLY));
}
END_TEST

START_TEST(a_failed_stream_of_chunks_ends_with_an_error_and_done)
{
	struct encoder e = encoder(FORMAT_OPENAI);

	e.retry_ms = 1;
	CHECK(e,
	      "retry: 1\ndata: "
	      "{\"error\":{\"message\":\"it\\nbroke\",\"type\":\"t\",\"param\":null,"
	      "\"code\":\"c\",\"a\":[1]}}\n\n"
	      "id: st.9\ndata: [DONE]\n\n",
	      FAILED);
	e = encoder(FORMAT_OPENAI);
	e.ids = false;
	CHECK(e,
	      "data: {\"error\":{\"message\":\"the upstream "
	      "failed\",\"type\":\"server_error\","
	      "\"param\":null,\"code\":null,\"partial\":true}}\n\ndata: [DONE]\n\n",
	      PARTIAL(&bare_failure));
}
END_TEST

START_TEST(a_stopped_stream_of_chunks_gets_the_finish_reason_that_sdks_want)
{
	struct encoder e = encoder(FORMAT_OPENAI);
	struct sl_event meta = {.kind = SL_EVENT_META, .n0 = 5, .s = {SL_LIT("i\"d"), SL_LIT("m")}};

	CHECK(e,
	      "data: "
	      "{\"id\":\"i\\\"d\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":"
	      "\"m\","
	      "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}"
	      "]}\n\n"
	      "id: st.9\ndata: [DONE]\n\n",
	      STOPPED_WITH(&meta));
	CHECK(e, "id: st.9\ndata: [DONE]\n\n", STOPPED_WITH(&finish));
	e.client = SL_DIALECT_OPENAI_COMPLETIONS;
	CHECK(e,
	      "data: {\"id\":\"cmpl-st\",\"object\":\"text_completion\",\"created\":5,\"model\":"
	      "\"m\",\"choices\":[{\"index\":0,\"text\":\"\","
	      "\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\nid: st.9\ndata: [DONE]\n\n",
	      STOPPED);
}
END_TEST

/* Each: an event, and the block that a browser gets for it. */
static const struct {
	struct sl_event event;
	const char *block;
} events[] = {
	{{.kind = SL_EVENT_TEXT, .s = {S(" a b")}}, "data:  a b\nid: st.1\n\n"},
	{{.kind = SL_EVENT_TEXT, .s = {S("\n")}}, "data: \ndata: \nid: st.1\n\n"},
	{{.kind = SL_EVENT_TEXT, .s = {S("a\revent: x\r\ndata: y\n\nid: 7")}},
	 "data: a\ndata: event: x\ndata: data: y\ndata: \ndata: id: 7\nid: st.1\n\n"},
	{{.kind = SL_EVENT_TEXT}, ""},
	{{.kind = SL_EVENT_TEXT, .choice = 1, .s = {S("a")}}, ""},
	{{.kind = SL_EVENT_REFUSAL, .s = {S("no")}}, "data: no\nid: st.1\n\n"},
	{{.kind = SL_EVENT_REASONING, .s = {S("a\nb")}},
	 "event: reasoning\ndata: a\ndata: b\nid: st.1\n\n"},
	{{.kind = SL_EVENT_TOOL_START, .index = 2, .s = {S("i\n"), S("n\"")}},
	 "event: tool_call\ndata: "
	 "{\"index\":2,\"id\":\"i\\n\",\"name\":\"n\\\"\",\"arguments\":\"\"}\nid: st.1\n\n"},
	{{.kind = SL_EVENT_TOOL_ARGS, .index = 2, .s = {S("{\r")}},
	 "event: tool_call\ndata: {\"index\":2,\"arguments\":\"{\\r\"}\nid: st.1\n\n"},
	{{.kind = SL_EVENT_TOOL_ARGS}, ""},
	{{.kind = SL_EVENT_USAGE, .usage = {3, 0, -1, -1, 5, -1}},
	 "event: usage\ndata: {\"prompt_tokens\":3,\"completion_tokens\":0}\nid: st.1\n\n"},
	{{.kind = SL_EVENT_META, .s = {S("i")}}, ""},
	{{.kind = SL_EVENT_FINISH, .s = {S("stop")}}, ""},
};

START_TEST(each_event_has_its_block_for_browsers)
{
	struct encoder_entry entry = entry_of(1, &events[_i].event, "{}", 0);

	CHECK(encoder(FORMAT_EVENTS), events[_i].block, entry);
}
END_TEST

START_TEST(of_several_blocks_the_first_has_the_retry_and_the_last_the_id)
{
	struct encoder e = encoder(FORMAT_EVENTS);
	struct sl_event several[] = {
		{.kind = SL_EVENT_META, .s[0] = SL_LIT("i")},
		{.kind = SL_EVENT_REASONING, .s[0] = SL_LIT("r")},
		{.kind = SL_EVENT_TEXT, .s[0] = SL_LIT("t")},
		usage,
		more_usage,
		finish,
	};
	struct encoder_entry entry = {.entry = {.events = several, .n_events = COUNT(several)},
				      .seq = 4};

	e.retry_ms = 10;
	CHECK(e,
	      "event: reasoning\nretry: 10\ndata: r\n\n"
	      "data: t\n\n"
	      "event: usage\ndata: {\"prompt_tokens\":3}\n\n"
	      "event: usage\ndata: "
	      "{\"completion_tokens\":4,\"total_tokens\":7,"
	      "\"cached_tokens\":0,\"reasoning_tokens\":1}\nid: st.4\n\n"
	      "event: done\ndata: "
	      "{\"finish_reason\":\"length\",\"usage\":{"
	      "\"completion_tokens\":4,\"total_tokens\":7,\"cached_tokens\":0,\"reasoning_tokens\":"
	      "1}}\nid: st.9\n\n",
	      entry_of(1, NULL, "{}", 0), entry, END_WITH(finish, more_usage));
}
END_TEST

START_TEST(each_end_has_its_event_for_browsers)
{
	struct encoder e = encoder(FORMAT_EVENTS);

	e.ids = false;
	CHECK(e, "event: done\ndata: {\"finish_reason\":null,\"usage\":null}\n\n", END);
	CHECK(e,
	      "event: done\ndata: {\"finish_reason\":\"stop\",\"usage\":null,\"stopped\":true}\n\n",
	      STOPPED);
	CHECK(e,
	      "event: failed\ndata: "
	      "{\"error\":{\"code\":\"c\",\"message\":\"it\\nbroke\"},\"partial\":false}\n\n",
	      FAILED);
	CHECK(e,
	      "event: failed\ndata: {\"error\":{\"code\":\"upstream_error\",\"message\":\"the "
	      "upstream failed\"},"
	      "\"partial\":true}\n\n",
	      PARTIAL(&bare_failure));
}
END_TEST

/* Each: an event, and what /v1/events makes of it. */
static const struct {
	struct sl_event event;
	const char *data;
} enveloped[] = {
	{{.kind = SL_EVENT_TEXT, .s = {S("a\n\"b\xff")}},
	 "\"text\",\"data\":\"a\\n\\\"b\xef\xbf\xbd\""},
	{{.kind = SL_EVENT_REASONING, .s = {S("hm")}}, "\"reasoning\",\"data\":\"hm\""},
	{{.kind = SL_EVENT_TOOL_ARGS, .index = 2, .s = {S("{")}},
	 "\"tool_call\",\"data\":{\"index\":2,\"arguments\":\"{\"}"},
	{{.kind = SL_EVENT_USAGE, .usage = {3, -1, -1, -1, -1, -1}},
	 "\"usage\",\"data\":{\"prompt_tokens\":3}"},
};

START_TEST(several_streams_share_a_connection_in_envelopes_whose_ids_pack_all_positions)
{
	struct encoder e = encoder(FORMAT_MULTIPLEX);
	char expected[256];

	e.id_before = SL_LIT("a.1,");
	e.id_behind = SL_LIT(",b.2");
	snprintf(expected, sizeof(expected),
		 "data: {\"stream\":\"st\",\"type\":%s}\nid: a.1,st.4,b.2\n\n", enveloped[_i].data);
	CHECK(e, expected, entry_of(4, &enveloped[_i].event, "{}", 0));
}
END_TEST

START_TEST(the_ends_in_envelopes_are_those_of_the_events)
{
	struct encoder e = encoder(FORMAT_MULTIPLEX);

	e.ids = false;
	CHECK(e,
	      "data: {\"stream\":\"st\",\"type\":\"done\",\"data\":{\"finish_reason\":\"length\","
	      "\"usage\":null}}\n\n",
	      END_WITH(finish));
	CHECK(e,
	      "data: {\"stream\":\"st\",\"type\":\"failed\",\"data\":{\"error\":{\"code\":\"c\","
	      "\"message\":\"it\\nbroke\"},\"partial\":false}}\n\n",
	      FAILED);
}
END_TEST

/* Merges entries into one event as a late viewer gets it; how many went into it. */
static size_t merge(struct encoder *e, const struct encoder_entry *entries, size_t n, size_t room,
		    char *out)
{
	struct sl_window w = sl_window(out, room, 0);
	struct encoder_run run = {0};
	size_t i = 0;

	while (i < n && encoder_run_add(e, &run, &entries[i], &w))
		i++;
	if (i > 0)
		encoder_run_end(e, &run, &w);
	ck_assert(!w.cut);
	out[w.written] = 0;
	return i;
}

static const struct sl_event thought_a = {.kind = SL_EVENT_REASONING, .s = {S("a")}};
static const struct sl_event four = {.kind = SL_EVENT_TEXT, .s = {S("four")}};
static const struct sl_event line_end = {.kind = SL_EVENT_TEXT, .s = {S("x\r")}};
static const struct sl_event next_line = {.kind = SL_EVENT_TEXT, .s = {S("\ny\r\nz")}};

START_TEST(what_has_been_so_far_is_merged_into_one_event_with_the_last_id)
{
	const struct encoder_entry entries[] = {
		entry_of(3, TEXT("a "), "{}", 0), entry_of(4, TEXT("b"), "{}", 0),
		entry_of(5, &line_end, "{}", 0),  entry_of(6, &next_line, "{}", 0),
		entry_of(7, &thought_a, "{}", 0), entry_of(8, &thought_a, "{}", 0),
		entry_of(9, &usage, "{}", 0),
	};
	struct encoder e = encoder(FORMAT_EVENTS);
	char out[512];

	e.retry_ms = 7;
	ck_assert_uint_eq(merge(&e, entries, 7, sizeof(out) - 1, out), 4);
	/* As if the pieces had come one by one: a CR and the LF of the next piece are two ends. */
	ck_assert_str_eq(out, "retry: 7\ndata: a bx\ndata: \ndata: y\ndata: z\nid: st.6\n\n");
	ck_assert_uint_eq(merge(&e, entries + 4, 3, sizeof(out) - 1, out), 2);
	ck_assert_str_eq(out, "event: reasoning\ndata: aa\nid: st.8\n\n");
	ck_assert_uint_eq(merge(&e, entries + 6, 1, sizeof(out) - 1, out), 0);
	e = encoder(FORMAT_MULTIPLEX);
	e.id_behind = SL_LIT(",b.2");
	ck_assert_uint_eq(merge(&e, entries + 1, 2, sizeof(out) - 1, out), 2);
	ck_assert_str_eq(out, "data: {\"stream\":\"st\",\"type\":\"text\",\"data\":\"bx\\r\"}\n"
			      "id: st.5,b.2\n\n");
}
END_TEST

START_TEST(a_run_takes_what_fits_and_nothing_else)
{
	struct encoder_entry entries[40];
	char out[512];
	size_t most = 0;

	for (size_t i = 0; i < 40; i++)
		entries[i] = entry_of(i + 1, &four, "{}", 0);
	for (size_t room = 0; room < 400; room++) {
		struct encoder e = encoder(FORMAT_EVENTS);
		size_t n = merge(&e, entries, 40, room, out);
		char *id = strstr(out, "id: st.");

		ck_assert_uint_ge(n, most); /* never fewer with more room */
		most = n;
		if (n == 0)
			continue;
		ck_assert_uint_eq((size_t)(id - out), strlen("data: \n") + 4 * n);
		ck_assert_uint_eq(strtoul(id + 7, NULL, 10), n);
	}
	ck_assert_uint_eq(most, 40);
}
END_TEST

START_TEST(messages_are_events_of_any_name)
{
	struct sl_event message = {.kind = SL_EVENT_MESSAGE, .s = {S("a\nb"), S("")}};

	CHECK(encoder(FORMAT_EVENTS), "data: a\ndata: b\nid: st.1\n\n",
	      entry_of(1, &message, "", 0));
	CHECK(encoder(FORMAT_TEXT), "a\nb\n", entry_of(1, &message, "", 0));
	message.s[1] = SL_LIT("price");
	CHECK(encoder(FORMAT_EVENTS), "event: price\ndata: a\ndata: b\nid: st.1\n\n",
	      entry_of(1, &message, "", 0));
}
END_TEST

START_TEST(a_lost_position_is_told_in_the_format)
{
	struct encoder e = encoder(FORMAT_EVENTS);
	char out[256];
	struct sl_window w = sl_window(out, sizeof(out), 0);

	encoder_write_lost(&e, 12, &w);
	ck_assert_int_eq(memcmp(out, "event: lost\ndata: {\"first_id\":\"st.12\"}\n\n", w.written),
			 0);
	e = encoder(FORMAT_MULTIPLEX);
	w = sl_window(out, sizeof(out), 0);
	encoder_write_lost(&e, 12, &w);
	ck_assert_int_eq(memcmp(out,
				"data: "
				"{\"stream\":\"st\",\"type\":\"lost\",\"data\":{\"first_id\":\"st."
				"12\"}}\n\n",
				w.written),
			 0);
}
END_TEST

START_TEST(bare_text_is_the_text_and_nothing_else)
{
	struct encoder e = encoder(FORMAT_TEXT);
	struct sl_event other = {.kind = SL_EVENT_TEXT, .choice = 1, .s[0] = SL_LIT("other")};
	struct sl_event thought = {.kind = SL_EVENT_REASONING, .s[0] = SL_LIT("hm")};
	struct sl_event refusal = {.kind = SL_EVENT_REFUSAL, .s[0] = SL_LIT("no")};

	e.retry_ms = 10;
	CHECK(e, "a\r\nb no", entry_of(1, TEXT("a\r\n"), "{}", 0), entry_of(2, &other, "{}", 0),
	      entry_of(3, &thought, "{}", 0), entry_of(4, TEXT("b "), "{}", 0),
	      entry_of(5, &refusal, "{}", 0), END);
	CHECK(e, "a\n", entry_of(1, TEXT("a\n"), "{}", 0), END);
	CHECK(e, "", END);
	CHECK(e, "a\n[error] it broke (c)\n", entry_of(1, TEXT("a"), "{}", 0), FAILED);
	CHECK(e, "[error] the upstream failed (upstream_error)\n",
	      entry_of(2, &bare_failure, "", SL_ENTRY_FAILED));
}
END_TEST

START_TEST(a_whole_body_is_nothing_but_its_bytes)
{
	CHECK(encoder(FORMAT_WHOLE), "{\n \"a\": 1}\n",
	      entry_of(1, TEXT("a"), "{\n \"a\": 1}\n", SL_ENTRY_WHOLE), END);
}
END_TEST

/* Each: an error, the param, and the body. */
static const struct {
	struct sl_event error;
	const char *param;
	bool partial;
	const char *body;
} errors[] = {
	{{.n0 = 400, .s = {S("m")}},
	 "",
	 false,
	 "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":"
	 "null}}"},
	{{.n0 = 429, .s = {S("m")}},
	 "",
	 false,
	 "{\"error\":{\"message\":\"m\",\"type\":\"rate_limit_error\",\"param\":null,\"code\":null}"
	 "}"},
	{{.n0 = 503, .s = {S("m\xff")}},
	 "p",
	 true,
	 "{\"error\":{\"message\":\"m\xef\xbf\xbd\",\"type\":\"server_error\",\"param\":\"p\","
	 "\"code\":null,"
	 "\"partial\":true}}"},
	{{.n0 = 400,
	  .s = {S("m"), S("t"), S("7"),
		S("{\"code\":7,\"param\":\"p\",\"x\" : {\"y\":1},\"partial\":0}")}},
	 "",
	 false,
	 "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":\"p\",\"code\":\"7\",\"x\":{\"y\":"
	 "1}}}"},
	{{.n0 = 400, .s = {S("m"), S("t"), {0}, S("{\"param\":\"p\"}")}},
	 "q",
	 false,
	 "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":\"q\",\"code\":null}}"},
	{{.n0 = 400, .s = {S("m"), S("t"), {0}, S("{oops")}},
	 "",
	 false,
	 "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":null}}"},
};

START_TEST(an_error_body_has_every_member_that_sdks_read)
{
	struct sl_buf out = {.max = 4096}, small = {.max = 40};

	ck_assert_int_eq(openai_error_body(&errors[_i].error, sl_slice_str(errors[_i].param),
					   errors[_i].partial, &out),
			 0);
	ck_assert_str_eq(buf_str(&out), errors[_i].body);
	ck_assert_int_eq(openai_error_body(&errors[_i].error, sl_slice_str(errors[_i].param),
					   errors[_i].partial, &small),
			 -SL_E_LIMIT);
	ck_assert_uint_eq(small.len, 0);
	sl_buf_fini(&out);
	sl_buf_fini(&small);
}
END_TEST

START_TEST(a_long_error_body_is_written_whole)
{
	static char message[5000];
	struct sl_event error = {.n0 = 500, .s[0] = {message, sizeof(message)}};
	struct sl_buf out = {.max = 65536};

	memset(message, '"', sizeof(message));
	ck_assert_int_eq(openai_error_body(&error, SL_LIT(""), false, &out), 0);
	ck_assert_uint_eq(
		out.len,
		strlen("{\"error\":{\"message\":\"\",\"type\":\"server_error\",\"param\":null,"
		       "\"code\":null}}") +
			2 * sizeof(message));
	sl_buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encode");
	TCase *tc = tcase_create("encode");

	tcase_add_test(tc, chunks_go_on_as_they_came_with_their_ids_and_one_retry);
	tcase_add_test(tc, a_body_of_several_lines_is_one_chunk_too);
	tcase_add_test(tc, a_usage_chunk_is_kept_from_who_did_not_ask);
	tcase_add_test(tc, browsers_are_told_of_usage_in_any_case);
	tcase_add_test(tc, a_failed_stream_of_chunks_ends_with_an_error_and_done);
	tcase_add_test(tc, a_stopped_stream_of_chunks_gets_the_finish_reason_that_sdks_want);
	tcase_add_loop_test(tc, each_event_has_its_block_for_browsers, 0, COUNT(events));
	tcase_add_test(tc, of_several_blocks_the_first_has_the_retry_and_the_last_the_id);
	tcase_add_test(tc, each_end_has_its_event_for_browsers);
	tcase_add_loop_test(
		tc, several_streams_share_a_connection_in_envelopes_whose_ids_pack_all_positions, 0,
		COUNT(enveloped));
	tcase_add_test(tc, the_ends_in_envelopes_are_those_of_the_events);
	tcase_add_test(tc, what_has_been_so_far_is_merged_into_one_event_with_the_last_id);
	tcase_add_test(tc, a_run_takes_what_fits_and_nothing_else);
	tcase_add_test(tc, messages_are_events_of_any_name);
	tcase_add_test(tc, a_lost_position_is_told_in_the_format);
	tcase_add_test(tc, bare_text_is_the_text_and_nothing_else);
	tcase_add_test(tc, a_whole_body_is_nothing_but_its_bytes);
	tcase_add_loop_test(tc, an_error_body_has_every_member_that_sdks_read, 0, COUNT(errors));
	tcase_add_test(tc, a_long_error_body_is_written_whole);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
