/* What clients of OpenAI's Responses read: of logs that are composed, and of upstreams that speak it
 * themselves. */
#include "codec/encode_responses.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/encode_block.h"
#include "stream/parts.h"
#include "unit.h"
#include "vectors.h"

#define S(s)                       \
	{                          \
		(s), sizeof(s) - 1 \
	}

/* A stream as a viewer of it sees it: entries go through parts.h, and are numbered. */
struct log {
	struct parts parts;
	struct encoder e;
	uint64_t seq;
	uint32_t ordinal;
	unsigned flags; /* of the encoder_entry to come: below */
	struct sl_buf out, whole;
};

enum { STOPPED = 1, STARTS_ONLY = 2, NATIVE = 4 };

static void log_init(struct log *log)
{
	*log = (struct log){.parts.composing = true, .out.max = SIZE_MAX, .whole.max = SIZE_MAX};
	encoder_init(&log->e, FORMAT_RESPONSES, "st");
	log->e.ids = false;
}

static void log_fini(struct log *log)
{
	parts_fini(&log->parts);
	sl_buf_fini(&log->out);
	sl_buf_fini(&log->whole);
}

static struct encoder_entry entry_of(struct log *log, const struct sl_entry *entry)
{
	struct encoder_entry in = {.entry = *entry,
				   .seq = ++log->seq,
				   .stopped = log->flags & STOPPED,
				   .starts_only = log->flags & STARTS_ONLY,
				   .native = log->flags & NATIVE,
				   .model = SL_LIT("mod"),
				   .created = 7};

	in.entry.ordinal = log->ordinal;
	return in;
}

typedef void write_piece(const struct encoder *e, const struct encoder_entry *in,
			 struct sl_window *w);

static void write_in_pieces(write_piece *write, const struct encoder *e,
			    const struct encoder_entry *in, size_t room, struct sl_buf *out)
{
	char piece[65536];
	struct sl_window w;
	size_t skip = 0;

	do {
		w = sl_window(piece, room, skip);
		write(e, in, &w);
		ck_assert_uint_le(w.written, room);
		ck_assert_int_eq(sl_buf_put(out, piece, w.written), 0);
		skip += w.written;
		ck_assert(w.written > 0 || !w.cut);
	} while (w.cut);
}

static unsigned blocks_in(struct sl_slice s)
{
	unsigned n = 0;

	for (size_t i = 1; i < s.n; i++)
		n += s.p[i - 1] == '\n' && s.p[i] == '\n';
	return n;
}

static void append(struct log *log, const struct sl_entry *entry)
{
	static const size_t rooms[] = {65536, 1, 2, 3, 7, 64, 100, 1000};
	struct encoder_entry in = entry_of(log, entry);
	struct sl_buf first = {.max = SIZE_MAX};

	for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
		struct sl_buf out = {.max = SIZE_MAX};

		write_in_pieces(encoder_write, &log->e, &in, rooms[i], i == 0 ? &first : &out);
		ck_assert(i == 0 || sl_slice_eq(sl_buf_slice(&first), sl_buf_slice(&out)));
		sl_buf_fini(&out);
	}
	ck_assert_uint_eq(blocks_in(sl_buf_slice(&first)), encode_responses_count(&log->e, &in));
	sl_buf_put_slice(&log->out, sl_buf_slice(&first));
	sl_buf_fini(&first);
	if (entry->flags & (SL_ENTRY_END | SL_ENTRY_FAILED))
		write_in_pieces(encode_responses_whole, &log->e, &in, 65536, &log->whole);
	log->ordinal += encode_responses_events(&in);
	encoder_done(&log->e, &in);
}

static void append_event(struct log *log, const struct sl_event *event)
{
	struct sl_entry tidy;

	ck_assert_int_eq(parts_arrange(&log->parts,
				       &(struct sl_entry){.events = event, .n_events = 1}, &tidy),
			 0);
	append(log, &tidy);
}

static const struct sl_event meta = {.kind = SL_EVENT_META, .s = {S("up"), S("m-1")}};
static const struct sl_event usage = {.kind = SL_EVENT_USAGE, .usage = {10, 5, -1, 2, -1, 3}};
static const struct sl_event failure = {
	.kind = SL_EVENT_ERROR, .n0 = 502, .s = {S("it\nbroke"), S("t"), S("c")}};

/* finish NULL: none is known. "error": the stream has failed. */
static void append_end(struct log *log, const char *finish)
{
	bool failed = finish && strcmp(finish, "error") == 0;
	struct sl_entry end = {.flags = failed ? SL_ENTRY_FAILED : SL_ENTRY_END}, tidy;
	struct sl_event known[] = {
		meta, usage, {.kind = SL_EVENT_FINISH, .s[0] = sl_slice_str(finish)}};

	ck_assert_int_eq(parts_end(&log->parts, failed ? &failure : NULL, known,
				   finish && !failed ? 3 : 2, &end, &tidy),
			 0);
	append(log, &tidy);
}

/* "M r:hm t:Hel t:lo C0 a0:{} s:sig F:length": each word an entry; r reasoning, s signature, t text,
 * f refusal, C a call, a its arguments, F its end. "X": stopped. */
static void run(struct log *log, const char *words)
{
	static const struct {
		char letter;
		enum sl_event_kind kind;
	} letters[] = {{'M', SL_EVENT_META},      {'r', SL_EVENT_REASONING},
		       {'s', SL_EVENT_SIGNATURE}, {'t', SL_EVENT_TEXT},
		       {'f', SL_EVENT_REFUSAL},   {'C', SL_EVENT_TOOL_START},
		       {'a', SL_EVENT_TOOL_ARGS}};
	char copy[512], *word, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", words);
	while ((word = strtok_r(rest, " ", &rest))) {
		const char *colon = strchr(word, ':');
		struct sl_event event = {.kind = 0};

		if (*word == 'X')
			log->flags |= STOPPED;
		if (*word == 'F' || *word == 'X') {
			append_end(log, colon ? colon + 1 : NULL);
			return;
		}
		for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++)
			if (letters[i].letter == *word)
				event.kind = letters[i].kind;
		if (*word == 'M')
			event = meta;
		if (*word == 'C' || *word == 'a')
			event.index = (uint32_t)(word[1] - '0');
		event.s[0] = sl_slice_str(colon ? colon + 1 : "");
		if (*word == 'C') {
			event.s[0] = SL_LIT("call");
			event.s[1] = SL_LIT("fun");
		}
		append_event(log, &event);
	}
}

/* ---- Reading it again */

static const char *string_of(const cJSON *object, const char *name)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return s ? s : "";
}

static int number_of(const cJSON *object, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(object, name);

	ck_assert(cJSON_IsNumber(n));
	return n->valueint;
}

/* The next block's data; checks that its event is the data's type. NULL: there is none. */
static cJSON *next_block(const char **at)
{
	const char *end = strstr(*at, "\n\n"), *data;
	char name[128];

	if (!end)
		return NULL;
	ck_assert_int_eq(sscanf(*at, "event: %127s\n", name), 1);
	data = strstr(*at, "\ndata: ");
	ck_assert(data && data < end);
	cJSON *json = cJSON_ParseWithLength(data + 7, (size_t)(end - data - 7));

	ck_assert_ptr_nonnull(json);
	ck_assert_str_eq(string_of(json, "type"), name);
	*at = end + 2;
	return json;
}

/* "created in_progress item+ …": the types, a little shorter. */
static void put_short(struct sl_buf *out, const char *type)
{
	if (strncmp(type, "response.", 9) == 0)
		type += 9;
	sl_buf_printf(out, "%s%s", out->len ? " " : "", type);
}

static void list_types(const struct log *log, struct sl_buf *out)
{
	const char *at = log->out.p ? log->out.p : "";
	cJSON *json;
	int n = 0;

	while ((json = next_block(&at))) {
		ck_assert_int_eq(number_of(json, "sequence_number"), n++);
		put_short(out, string_of(json, "type"));
		cJSON_Delete(json);
	}
	ck_assert_int_eq((int)log->ordinal, n);
	sl_buf_putc(out, '\0');
}

#define BEGUN    "created in_progress"
#define TEXT_ON  " output_item.added content_part.added"
#define TEXT_OFF " output_text.done content_part.done output_item.done"
#define THINKING                                                                       \
	" output_item.added reasoning_summary_part.added reasoning_summary_text.delta" \
	" reasoning_summary_text.done reasoning_summary_part.done output_item.done"
#define CALLING " output_item.added function_call_arguments.delta"
#define CALLED  " function_call_arguments.done output_item.done"

static const struct {
	const char *words, *types;
} orders[] = {
	{"M t:a t:b F:stop",
	 BEGUN TEXT_ON " output_text.delta output_text.delta" TEXT_OFF " completed"},
	{"M r:a s:x t:b F:stop", BEGUN THINKING TEXT_ON " output_text.delta" TEXT_OFF " completed"},
	{"M C0 a0:{} C1 a1:{} F:tool_calls", BEGUN CALLING CALLED CALLING CALLED " completed"},
	{"M C0 F:tool_calls", BEGUN " output_item.added" CALLED " completed"},
	{"M f:no F:stop", BEGUN TEXT_ON " refusal.delta refusal.done content_part.done"
					" output_item.done completed"},
	{"M t:a F:length", BEGUN TEXT_ON " output_text.delta" TEXT_OFF " incomplete"},
	{"M t:a F:content_filter", BEGUN TEXT_ON " output_text.delta" TEXT_OFF " incomplete"},
	{"M t:a F:error", BEGUN TEXT_ON " output_text.delta error failed"},
	/* what breaks off is no call */
	{"M C0 a0:{ F:error", BEGUN CALLING " error failed"},
	{"M C0 a0:{ X", BEGUN CALLING " completed"},
	{"M C0 a0:{ F:length", BEGUN CALLING " incomplete"},
	/* stopped: it ends well */
	{"M t:a X", BEGUN TEXT_ON " output_text.delta" TEXT_OFF " completed"},
	{"M t:a X:stop", BEGUN TEXT_ON " output_text.delta" TEXT_OFF " completed"},
	/* nothing was said before the end */
	{"X", BEGUN " completed"},
	{"F:error", BEGUN " error failed"},
	{"t: F:stop", BEGUN TEXT_ON TEXT_OFF " completed"},
};

START_TEST(every_part_is_an_item_and_every_number_comes_once)
{
	struct log log;
	struct sl_buf types = {.max = SIZE_MAX};

	log_init(&log);
	run(&log, orders[_i].words);
	sl_buf_putc(&log.out, '\0');
	list_types(&log, &types);
	ck_assert_str_eq(types.p, orders[_i].types);
	sl_buf_fini(&types);
	log_fini(&log);
}
END_TEST

/* ---- Exactly */

#define RESPONSE(status, before_output, output, usage)                                             \
	"{\"id\":\"resp_st\",\"object\":\"response\",\"created_at\":7,\"status\":\"" status        \
	"\"," before_output ",\"instructions\":null,\"max_output_tokens\":null,\"model\":\"m-1\"," \
	"\"output\":[" output "],\"parallel_tool_calls\":true,\"previous_response_id\":null,"      \
	"\"reasoning\":{\"effort\":null,\"summary\":null},\"store\":true,\"temperature\":null,"    \
	"\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":[],"         \
	"\"top_p\":null,\"truncation\":\"disabled\",\"usage\":" usage                              \
	",\"user\":null,\"metadata\":{}}"
#define NO_ERROR "\"error\":null,\"incomplete_details\":null"
#define USAGE                                                                               \
	"{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":2,\"cache_write_" \
	"tokens\":0},\"output_tokens\":5,"                                                  \
	"\"output_tokens_details\":{\"reasoning_tokens\":3},\"total_tokens\":15}"
#define BLOCK(type, number, members)                                                            \
	"event: " type "\ndata: {\"type\":\"" type "\",\"sequence_number\":" number "," members \
	"}\n\n"

START_TEST(a_text_reads_as_openai_writes_it)
{
	static const char *const message =
		"{\"id\":\"msg_st_0\",\"type\":\"message\",\"status\":\"completed\","
		"\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],"
		"\"logprobs\":[],\"text\":\"a\"}]}";
	struct log log;
	struct sl_buf expected = {.max = SIZE_MAX};
	static const char *const begun = RESPONSE("in_progress", NO_ERROR, "", "null");

	log_init(&log);
	run(&log, "M t:a F:stop");
	sl_buf_printf(&expected, BLOCK("response.created", "0", "\"response\":%s"), begun);
	sl_buf_printf(&expected, BLOCK("response.in_progress", "1", "\"response\":%s"), begun);
	sl_buf_put_str(&expected,
		       BLOCK("response.output_item.added", "2",
			     "\"output_index\":0,\"item\":{\"id\":\"msg_st_0\",\"type\":"
			     "\"message\",\"status\":\"in_progress\",\"role\":\"assistant\","
			     "\"content\":[]}") //
		       BLOCK("response.content_part.added", "3",
			     "\"item_id\":\"msg_st_0\",\"output_index\":0,\"content_index\":0,"
			     "\"part\":{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":"
			     "[],\"text\":\"\"}") //
		       BLOCK("response.output_text.delta", "4",
			     "\"item_id\":\"msg_st_0\",\"output_index\":0,\"content_index\":0,"
			     "\"delta\":\"a\",\"logprobs\":[]") //
		       BLOCK("response.output_text.done", "5",
			     "\"item_id\":\"msg_st_0\",\"output_index\":0,\"content_index\":0,"
			     "\"text\":\"a\",\"logprobs\":[]") //
		       BLOCK("response.content_part.done", "6",
			     "\"item_id\":\"msg_st_0\",\"output_index\":0,\"content_index\":0,"
			     "\"part\":{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":"
			     "[],\"text\":\"a\"}"));
	sl_buf_printf(&expected,
		      BLOCK("response.output_item.done", "7", "\"output_index\":0,\"item\":%s"),
		      message);
	sl_buf_printf(&expected,
		      BLOCK("response.completed", "8",
			    "\"response\":" RESPONSE("completed", NO_ERROR, "%s", USAGE)),
		      message);
	sl_buf_putc(&expected, '\0');
	sl_buf_putc(&log.out, '\0');
	ck_assert_str_eq(log.out.p, expected.p);
	sl_buf_fini(&expected);
	log_fini(&log);
}
END_TEST

static const struct {
	const char *words, *status, *rest;
} ends[] = {
	{"M t:a F:stop", "completed", "\"status\":\"completed\",\"role\""},
	{"M t:a F:length", "incomplete", "{\"reason\":\"max_output_tokens\"}"},
	{"M t:a F:content_filter", "incomplete", "{\"reason\":\"content_filter\"}"},
	{"M t:a F:length", "incomplete", "\"status\":\"incomplete\",\"role\""},
	{"M t:a X", "cancelled", "\"error\":null,\"incomplete_details\":null"},
	{"M t:a X:stop", "completed", "\"text\":\"a\""},
	{"M t:a F:error", "failed", "\"error\":{\"code\":\"c\",\"message\":\"it\\nbroke\"}"},
	{"M t:a F:error", "failed", "\"text\":\"a\""},
	{"M r:hm s:sig t:a F:stop", "completed",
	 "{\"id\":\"rs_st_0\",\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\","
	 "\"text\":\"hm\"}],\"encrypted_content\":\"sig\"}"},
	{"M s:sig t:a F:stop", "completed",
	 "\"summary\":[],\"encrypted_content\":\"sig\"},{\"id\":\"msg_st_1\""},
	{"M C0 F:tool_calls", "completed",
	 "{\"id\":\"fc_st_0\",\"type\":\"function_call\",\"status\":\"completed\","
	 "\"call_id\":\"call\",\"name\":\"fun\",\"arguments\":\"{}\"}"},
	{"M C0 a0:{\"x\":1} C1 a1:{ F:length", "incomplete",
	 "\"arguments\":\"{\\\"x\\\":1}\"},{\"id\":\"fc_st_1\",\"type\":\"function_call\","
	 "\"status\":\"incomplete\",\"call_id\":\"call\",\"name\":\"fun\",\"arguments\":\"{\"}"},
	{"M f:no F:stop", "completed", "{\"type\":\"refusal\",\"refusal\":\"no\"}"},
};

START_TEST(the_object_tells_how_it_ended)
{
	struct log log;
	cJSON *json;

	log_init(&log);
	run(&log, ends[_i].words);
	sl_buf_putc(&log.whole, '\0');
	json = cJSON_Parse(log.whole.p);
	ck_assert_ptr_nonnull(json);
	ck_assert_str_eq(string_of(json, "status"), ends[_i].status);
	ck_assert_str_eq(string_of(json, "id"), "resp_st");
	ck_assert_msg(strstr(log.whole.p, ends[_i].rest) != NULL, "%s", log.whole.p);
	cJSON_Delete(json);
	log_fini(&log);
}
END_TEST

START_TEST(what_an_upstream_wants_back_with_a_call_stands_in_its_item)
{
	struct log log;

	log_init(&log);
	append_event(&log, &(struct sl_event){.kind = SL_EVENT_TOOL_START,
					      .s = {S("i"), S("n"), S("sig")}});
	append_end(&log, "tool_calls");
	sl_buf_putc(&log.whole, '\0');
	ck_assert_ptr_nonnull(strstr(log.whole.p, "\"arguments\":\"{}\",\"extra_content\":{"
						  "\"google\":{\"thought_signature\":\"sig\"}}}"));
	log_fini(&log);
}
END_TEST

START_TEST(a_failure_is_told_where_each_sdk_looks_for_it)
{
	struct log log;

	log_init(&log);
	append_event(&log, &meta);
	log.out.len = 0;
	append_end(&log, "error");
	sl_buf_putc(&log.out, '\0');
	ck_assert_ptr_nonnull(
		strstr(log.out.p,
		       BLOCK("error", "2",
			     "\"code\":\"c\",\"message\":\"it\\nbroke\",\"param\":null,\"error\":{"
			     "\"type\":\"t\",\"code\":\"c\",\"message\":\"it\\nbroke\",\"param\":"
			     "null}") "event: response.failed\n"));
	log_fini(&log);
}
END_TEST

/* ---- Coming back */

START_TEST(what_was_seen_is_not_told_again)
{
	struct log all;

	log_init(&all);
	all.e.ids = true;
	run(&all, "M r:a t:b C0 a0:{} F:tool_calls");
	sl_buf_putc(&all.out, '\0');
	const char *rest = all.out.p;

	for (int after = -1; after < (int)all.ordinal; after++) {
		struct log log;
		cJSON *json;

		log_init(&log);
		log.e.ids = true;
		log.e.after_ordinal = after;
		run(&log, "M r:a t:b C0 a0:{} F:tool_calls");
		sl_buf_putc(&log.out, '\0');
		ck_assert_str_eq(log.out.p, rest);
		ck_assert_uint_eq(log.ordinal, all.ordinal);
		log_fini(&log);
		if ((json = next_block(&rest)))
			cJSON_Delete(json);
	}
	log_fini(&all);
}
END_TEST

START_TEST(the_id_stands_in_the_last_block_of_its_entry)
{
	struct log log;

	log_init(&log);
	log.e.ids = true;
	log.e.retry_ms = 1000;
	append_event(&log, &meta);
	sl_buf_putc(&log.out, '\0');
	ck_assert_ptr_eq(strstr(log.out.p, "retry: 1000\n"),
			 log.out.p + strlen("event: response.created\n"));
	ck_assert_ptr_nonnull(strstr(log.out.p, "}}\n\nevent: response.in_progress\n"));
	ck_assert_ptr_nonnull(strstr(log.out.p, "}}\nid: st.1\n\n"));
	ck_assert_uint_eq(log.e.retry_ms, 0);
	log_fini(&log);
}
END_TEST

START_TEST(starts_alone_keep_their_numbers)
{
	static const struct sl_event events[] = {
		{.kind = SL_EVENT_PART_END, .n0 = SL_EVENT_REASONING, .s[0] = S("r")},
		{.kind = SL_EVENT_PART_START, .n0 = SL_EVENT_TEXT, .part = 1},
		{.kind = SL_EVENT_TEXT, .part = 1, .s[0] = S("t")}};
	struct log log;
	cJSON *json;

	log_init(&log);
	log.flags = STARTS_ONLY;
	log.ordinal = 5;
	append(&log, &(struct sl_entry){.events = events, .n_events = 3});
	sl_buf_putc(&log.out, '\0');
	const char *at = log.out.p;

	for (int i = 0; i < 2; i++) {
		json = next_block(&at);
		ck_assert_int_eq(number_of(json, "sequence_number"), 8 + i);
		cJSON_Delete(json);
	}
	ck_assert_str_eq(at, "");
	log_fini(&log);
}
END_TEST

/* ---- Untidy entries: what no log has */

START_TEST(events_that_mean_nothing_here_make_nothing)
{
	static const struct sl_event events[] = {
		{.kind = SL_EVENT_TEXT, .choice = 1, .s[0] = S("other")},
		{.kind = SL_EVENT_PART_START, .n0 = 99},
		{.kind = SL_EVENT_PART_END, .n0 = -1},
		{.kind = SL_EVENT_PART_WHOLE, .n0 = 0},
		{.kind = SL_EVENT_SIGNATURE, .s[0] = S("x")},
		{.kind = SL_EVENT_MESSAGE, .s[0] = S("x")},
		{.kind = SL_EVENT_TEXT}};
	struct log log;

	log_init(&log);
	append(&log, &(struct sl_entry){.events = events, .n_events = 7});
	ck_assert_uint_eq(log.out.len, 0);
	ck_assert_uint_eq(log.ordinal, 0);
	log_fini(&log);
}
END_TEST

START_TEST(an_error_that_says_nothing_is_one_all_the_same)
{
	struct log log;
	const char *at;

	log_init(&log);
	log.ordinal = 3;
	append(&log, &(struct sl_entry){.flags = SL_ENTRY_FAILED});
	sl_buf_putc(&log.out, '\0');
	at = log.out.p;
	cJSON *json = next_block(&at);

	ck_assert_str_eq(string_of(json, "code"), SL_CODE_ERROR);
	ck_assert_str_ne(string_of(json, "message"), "");
	cJSON_Delete(json);
	log_fini(&log);
}
END_TEST

/* ---- Upstreams that speak Responses */

#define FRAME(s) (&(struct sl_entry){.frame = SL_LIT(s)})

START_TEST(frames_of_the_same_api_go_on_as_they_came)
{
	struct log log;

	log_init(&log);
	log.flags = NATIVE;
	append(&log, FRAME("{\"type\":\"response.created\",\"x\": 1}"));
	append(&log, FRAME("{\"a\":1}"));
	append(&log, FRAME("{\"type\":\"a\\nb\"}"));
	append(&log, FRAME("{\"type\":3}"));
	append(&log, FRAME(""));
	append(&log, &(struct sl_entry){.flags = SL_ENTRY_END});
	sl_buf_putc(&log.out, '\0');
	ck_assert_str_eq(log.out.p,
			 "event: response.created\n"
			 "data: {\"type\":\"response.created\",\"x\": 1}\n\n"
			 "data: {\"a\":1}\n\ndata: {\"type\":\"a\\nb\"}\n\ndata: {\"type\":3}\n\n");
	log_fini(&log);
}
END_TEST

START_TEST(frames_have_numbers_of_their_own)
{
	struct log log;

	log_init(&log);
	log.flags = NATIVE;
	log.e.after_ordinal = 4;
	append(&log, FRAME("{\"sequence_number\":4,\"type\":\"a\"}"));
	append(&log, FRAME("{\"sequence_number\":5,\"type\":\"b\"}"));
	append(&log, FRAME("{\"type\":\"c\"}"));
	sl_buf_putc(&log.out, '\0');
	ck_assert_str_eq(log.out.p, "event: b\ndata: {\"sequence_number\":5,\"type\":\"b\"}\n\n"
				    "event: c\ndata: {\"type\":\"c\"}\n\n");
	log_fini(&log);
}
END_TEST

static const struct {
	unsigned flags, entry;
	bool finished;
	const char *first, *last; /* types; NULL: none */
} native_ends[] = {
	{NATIVE, SL_ENTRY_END, true, NULL, NULL},
	{NATIVE, SL_ENTRY_END, false, NULL, NULL},
	{NATIVE | STOPPED, SL_ENTRY_END, true, NULL, NULL},
	{NATIVE | STOPPED, SL_ENTRY_END, false, "response.completed", "response.completed"},
	{NATIVE, SL_ENTRY_FAILED, false, "error", "response.failed"},
};

START_TEST(an_end_that_is_ours_follows_the_upstreams_numbers)
{
	const struct sl_event events[] = {native_ends[_i].entry == SL_ENTRY_FAILED ? failure
										   : usage,
					  meta,
					  {.kind = SL_EVENT_FINISH, .s[0] = S("stop")}};
	struct log log;
	cJSON *json;
	int n = 0;

	log_init(&log);
	log.flags = native_ends[_i].flags;
	log.e.after_ordinal = 100;
	log.seq = 6; /* of the last frame, whose number is 5 */
	append(&log, &(struct sl_entry){.flags = native_ends[_i].entry,
					.events = events,
					.n_events = native_ends[_i].finished ? 3 : 2});
	sl_buf_putc(&log.out, '\0');
	for (const char *at = log.out.p; (json = next_block(&at)); n++) {
		ck_assert_int_eq(number_of(json, "sequence_number"), 6 + n);
		ck_assert_str_eq(string_of(json, "type"),
				 *at ? native_ends[_i].first : native_ends[_i].last);
		if (!*at) /* the id that the frames have told */
			ck_assert_str_eq(string_of(cJSON_GetObjectItem(json, "response"), "id"),
					 "up");
		cJSON_Delete(json);
	}
	ck_assert_int_eq(n > 0, native_ends[_i].first != NULL);
	log_fini(&log);
}
END_TEST

START_TEST(a_body_that_is_no_stream_is_the_shortest_one)
{
	static const char body[] = "{\n \"id\": \"resp_1\"\r\n}";
	struct log log;

	log_init(&log);
	log.flags = NATIVE;
	append(&log, &(struct sl_entry){.flags = SL_ENTRY_WHOLE, .frame = S(body)});
	append(&log, &(struct sl_entry){.flags = SL_ENTRY_END});
	sl_buf_putc(&log.out, '\0');
	ck_assert_str_eq(
		log.out.p,
		"event: response.created\n"
		"data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":\n"
		"data: {\ndata:  \"id\": \"resp_1\"\ndata: }\ndata: }\n\n"
		"event: response.completed\n"
		"data: {\"type\":\"response.completed\",\"sequence_number\":1,\"response\":\n"
		"data: {\ndata:  \"id\": \"resp_1\"\ndata: }\ndata: }\n\n");
	log_fini(&log);
}
END_TEST

/* ---- Beside the stream */

START_TEST(a_response_that_runs_has_no_output)
{
	char buf[2048];
	struct sl_window w = sl_window(buf, sizeof(buf), 0);
	struct log log;

	log_init(&log);
	encode_responses_pending(&log.e, SL_LIT("m\"1"), 9, "queued", &w);
	cJSON *json = cJSON_ParseWithLength(buf, w.written);

	ck_assert_str_eq(string_of(json, "status"), "queued");
	ck_assert_str_eq(string_of(json, "model"), "m\"1");
	ck_assert_int_eq(number_of(json, "created_at"), 9);
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(json, "output")), 0);
	cJSON_Delete(json);
	log_fini(&log);
}
END_TEST

START_TEST(the_id_of_a_response_names_its_stream)
{
	static const struct {
		const char *id, *stream; /* NULL: it is none */
	} cases[] = {{"resp_abc", "abc"},         {"resp_", NULL},        {"abc", NULL}, {"", NULL},
		     {"resp_abcdefg", "abcdefg"}, {"resp_abcdefgh", NULL}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char out[8] = "?";

		ck_assert_int_eq(responses_stream_id(cases[i].id, out, sizeof(out)),
				 cases[i].stream != NULL);
		ck_assert_str_eq(out, cases[i].stream ? cases[i].stream : "?");
	}
}
END_TEST

/* ---- Whatever upstreams send */

/* What the deltas of an item amount to, as a client adds them up. */
static void add_up(const cJSON *json, struct sl_buf items[8])
{
	const char *type = string_of(json, "type");
	const char *names[] = {"text", "refusal", "arguments"};

	if (strstr(type, ".delta")) {
		int at = number_of(json, "output_index");

		ck_assert_int_lt(at, 8);
		sl_buf_put_str(&items[at], string_of(json, "delta"));
	}
	if (!strstr(type, "text.done") && !strstr(type, "refusal.done") &&
	    !strstr(type, "arguments.done"))
		return;
	struct sl_buf *item = &items[number_of(json, "output_index")];

	if (strstr(type, "arguments") && item->len == 0)
		sl_buf_put_str(item, "{}");
	for (size_t i = 0; i < 3; i++) {
		const cJSON *whole = cJSON_GetObjectItemCaseSensitive(json, names[i]);

		if (whole)
			ck_assert(sl_slice_is(sl_buf_slice(item), whole->valuestring));
	}
}

static void read_vector(const cJSON *test_case, struct log *log)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct sl_entry entry, tidy;
	struct sl_reader *r = sl_reader_new(
		&(struct sl_reader_options){.dialect = SL_DIALECT_OPENAI_CHAT,
					    .status = 200,
					    .content_type = SL_LIT("text/event-stream"),
					    .max_frame_bytes = 1 << 24});

	ck_assert_int_eq(vectors_bytes(test_case, "body", &body), 0);
	sl_reader_feed(r, body.p, body.len);
	while (sl_reader_next(r, &entry) == 1 && !sl_reader_ended(r)) {
		ck_assert_int_eq(parts_arrange(&log->parts, &entry, &tidy), 0);
		append(log, &tidy);
	}
	append_end(log, "stop");
	sl_reader_free(r);
	sl_buf_fini(&body);
}

START_TEST(what_is_added_up_is_what_is_told_as_a_whole)
{
	static const char *const files[] = {"dialects/openai_chat.json", "dialects/openrouter.json",
					    "dialects/deepseek.json",    "dialects/mistral.json",
					    "dialects/vllm.json",        "dialects/groq.json"};
	cJSON *document = vectors_load(files[_i]);

	for (int i = 0; i < vectors_count(document); i++) {
		struct sl_buf items[8] = {0};
		struct log log;
		cJSON *json;
		int n = 0;

		for (int k = 0; k < 8; k++)
			items[k].max = SIZE_MAX;
		log_init(&log);
		read_vector(vectors_case(document, i), &log);
		sl_buf_putc(&log.out, '\0');
		for (const char *at = log.out.p; (json = next_block(&at)); n++) {
			ck_assert_int_eq(number_of(json, "sequence_number"), n);
			add_up(json, items);
			cJSON_Delete(json);
		}
		ck_assert_int_gt(n, 2);
		for (int k = 0; k < 8; k++)
			sl_buf_fini(&items[k]);
		log_fini(&log);
	}
	cJSON_Delete(document);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encode_responses");
	TCase *t = tcase_create("encode_responses");
	tcase_add_loop_test(t, every_part_is_an_item_and_every_number_comes_once, 0,
			    sizeof(orders) / sizeof(*orders));
	tcase_add_test(t, a_text_reads_as_openai_writes_it);
	tcase_add_loop_test(t, the_object_tells_how_it_ended, 0, sizeof(ends) / sizeof(*ends));
	tcase_add_test(t, what_an_upstream_wants_back_with_a_call_stands_in_its_item);
	tcase_add_test(t, a_failure_is_told_where_each_sdk_looks_for_it);
	tcase_add_test(t, what_was_seen_is_not_told_again);
	tcase_add_test(t, the_id_stands_in_the_last_block_of_its_entry);
	tcase_add_test(t, starts_alone_keep_their_numbers);
	tcase_add_test(t, events_that_mean_nothing_here_make_nothing);
	tcase_add_test(t, an_error_that_says_nothing_is_one_all_the_same);
	tcase_add_test(t, frames_of_the_same_api_go_on_as_they_came);
	tcase_add_test(t, frames_have_numbers_of_their_own);
	tcase_add_loop_test(t, an_end_that_is_ours_follows_the_upstreams_numbers, 0,
			    sizeof(native_ends) / sizeof(*native_ends));
	tcase_add_test(t, a_body_that_is_no_stream_is_the_shortest_one);
	tcase_add_test(t, a_response_that_runs_has_no_output);
	tcase_add_test(t, the_id_of_a_response_names_its_stream);
	tcase_add_loop_test(t, what_is_added_up_is_what_is_told_as_a_whole, 0, 6);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
