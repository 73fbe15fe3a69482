/* The demo model, seen by a client on a socket; and what it says, seen by itself. */
#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "app/demo/demo.h"
#include "app/demo/text.h"
#include "app/demo/topics.h"
#include "base/clock.h"
#include "codec/utf8.h"
#include "unit.h"

#define DEADLINE_MS 20000

/* Requests, with ' for " */
#define CHAT(model, prompt, more)                                                   \
	"{'model':'" model "','messages':[{'role':'system','content':'Be brief.'}," \
	"{'role':'user','content':'" prompt "'}]" more "}"
#define STREAM ",'stream':true"
#define USAGE  ",'stream_options':{'include_usage':true}"
#define TOOLS                                                                          \
	",'tools':[{'type':'function','function':{'name':'find_flight','parameters':{" \
	"'type':'object','properties':{'city':{'type':'string'},"                      \
	"'class':{'enum':['first','second']},'seats':{'type':'integer'}}}}}]"

#define CHATS        "/v1/chat/completions"
#define LENGTH(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct demo *demo;
static uint16_t port;

static void setup(void)
{
	demo = demo_start(&port);
	ck_assert_ptr_nonnull(demo);
}

static void teardown(void)
{
	demo_stop(demo);
}

/* ---- A client */

struct answer {
	int status; /* 0: none came */
	bool whole; /* it has the end that HTTP wants */
	char *head, *body;
};

static int dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = DEADLINE_MS / 1000};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void transmit(int fd, const char *p, size_t n)
{
	for (size_t sent = 0; sent < n;) {
		ssize_t one = send(fd, p + sent, n - sent, MSG_NOSIGNAL);

		ck_assert_int_gt(one, 0);
		sent += (size_t)one;
	}
}

static char *make_request(const char *path, const char *body)
{
	struct sl_buf out;

	sl_buf_init(&out, 1 << 20);
	sl_buf_printf(&out, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", path,
		      strlen(body));
	for (const char *p = body; *p; p++)
		sl_buf_putc(&out, *p == '\'' ? '"' : *p);
	sl_buf_putc(&out, '\0');
	return out.p;
}

static void ask(int fd, const char *path, const char *body)
{
	char *request = make_request(path, body);

	transmit(fd, request, strlen(request));
	free(request);
}

/* One byte, or -1 at the end. */
static int take_byte(int fd)
{
	unsigned char c;

	return recv(fd, &c, 1, 0) == 1 ? c : -1;
}

static bool take_line(int fd, struct sl_buf *line)
{
	int c;

	line->len = 0;
	while ((c = take_byte(fd)) >= 0) {
		sl_buf_putc(line, (char)c);
		if (c == '\n')
			break;
	}
	sl_buf_putc(line, '\0');
	return c >= 0;
}

static bool take_bytes(int fd, struct sl_buf *out, size_t n)
{
	ck_assert_int_eq(sl_buf_reserve(out, n + 1), 0);
	ssize_t got = n ? recv(fd, out->p + out->len, n, MSG_WAITALL) : 0;
	out->len += got > 0 ? (size_t)got : 0;
	return got == (ssize_t)n;
}

static bool take_chunks(int fd, struct sl_buf *body, struct sl_buf *line)
{
	while (take_line(fd, line)) {
		size_t n = strtoul(line->p, NULL, 16);

		if (!take_bytes(fd, body, n) || !take_line(fd, line))
			return false;
		ck_assert_str_eq(line->p, "\r\n");
		if (n == 0)
			return true;
	}
	return false;
}

static struct answer receive(int fd)
{
	struct answer a = {0};
	struct sl_buf line, head, body;

	sl_buf_init(&line, 1 << 16);
	sl_buf_init(&head, 1 << 16);
	sl_buf_init(&body, 1 << 26);
	while (take_line(fd, &line) && strcmp(line.p, "\r\n") != 0)
		sl_buf_put_str(&head, line.p);
	sl_buf_putc(&head, '\0');
	const char *length = strcasestr(head.p, "\r\nContent-Length: ");
	if (sscanf(head.p, "HTTP/1.1 %d ", &a.status) != 1)
		a.status = 0;
	else if (length)
		a.whole = take_bytes(fd, &body, strtoul(length + 18, NULL, 10));
	else if (strcasestr(head.p, "\r\nTransfer-Encoding: chunked\r\n"))
		a.whole = take_chunks(fd, &body, &line);
	sl_buf_putc(&body, '\0');
	sl_buf_fini(&line);
	a.head = head.p;
	a.body = body.p;
	return a;
}

static void drop(struct answer *a)
{
	free(a->head);
	free(a->body);
}

static struct answer ask_once(const char *path, const char *body)
{
	int fd = dial();

	ask(fd, path, body);
	struct answer a = receive(fd);
	close(fd);
	return a;
}

static const char *member(const cJSON *object, const char *name)
{
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
	return value ? value : "";
}

/* ---- What a chat stream said */

struct said {
	char text[1 << 16], reasoning[1 << 14], tool[256], arguments[1 << 14], finish[32],
		error[64];
	int roles, pieces, finishes, usages, nulls, chunks, completion_tokens, reasoning_tokens;
	bool done, text_before_reasoning;
};

static void join(char *to, size_t size, const char *piece)
{
	ck_assert_uint_lt(strlen(to) + strlen(piece), size);
	strcat(to, piece);
}

static void read_delta(struct said *s, const cJSON *delta)
{
	const cJSON *call = cJSON_GetArrayItem(cJSON_GetObjectItem(delta, "tool_calls"), 0);
	const cJSON *function = cJSON_GetObjectItem(call, "function");

	s->roles += strcmp(member(delta, "role"), "assistant") == 0;
	join(s->text, sizeof(s->text), member(delta, "content"));
	join(s->reasoning, sizeof(s->reasoning), member(delta, "reasoning_content"));
	join(s->arguments, sizeof(s->arguments), member(function, "arguments"));
	s->text_before_reasoning |= s->text[0] && cJSON_HasObjectItem(delta, "reasoning_content");
	s->pieces += *member(delta, "content") || *member(delta, "reasoning_content") ||
		     *member(function, "arguments");
	if (cJSON_HasObjectItem(call, "id")) {
		ck_assert_str_eq(member(function, "arguments"), "");
		ck_assert_str_eq(member(call, "type"), "function");
		ck_assert_int_eq(strncmp(member(call, "id"), "call_", 5), 0);
		join(s->tool, sizeof(s->tool), member(function, "name"));
	}
}

static void read_chunk(struct said *s, const cJSON *chunk)
{
	const cJSON *usage = cJSON_GetObjectItem(chunk, "usage");
	const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(chunk, "choices"), 0);
	const cJSON *details = cJSON_GetObjectItem(usage, "completion_tokens_details");

	s->chunks++;
	ck_assert_str_eq(member(chunk, "object"), "chat.completion.chunk");
	ck_assert_int_eq(strncmp(member(chunk, "id"), "chatcmpl-", 9), 0);
	ck_assert_str_eq(member(chunk, "system_fingerprint"), "fp_demo");
	ck_assert(cJSON_IsNumber(cJSON_GetObjectItem(chunk, "created")));
	s->nulls += cJSON_IsNull(usage);
	if (cJSON_IsObject(usage)) {
		s->usages++;
		s->completion_tokens = cJSON_GetObjectItem(usage, "completion_tokens")->valueint;
		s->reasoning_tokens = cJSON_GetObjectItem(details, "reasoning_tokens")->valueint;
		ck_assert_ptr_null(choice);
		return;
	}
	ck_assert(cJSON_IsNumber(cJSON_GetObjectItem(choice, "index")));
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(choice, "logprobs")));
	if (*member(choice, "finish_reason")) {
		s->finishes++;
		join(s->finish, sizeof(s->finish), member(choice, "finish_reason"));
	}
	read_delta(s, cJSON_GetObjectItem(choice, "delta"));
	ck_assert_int_eq(s->roles, 1);
}

static struct said *read_stream(const char *body)
{
	struct said *s = calloc(1, sizeof(*s));
	const char *end;

	ck_assert_ptr_nonnull(s);
	for (; (end = strstr(body, "\n\n")) != NULL; body = end + 2) {
		ck_assert_int_eq(strncmp(body, "data: ", 6), 0);
		ck_assert(!s->done);
		s->done = strncmp(body, "data: [DONE]\n\n", 14) == 0;
		if (s->done)
			continue;
		cJSON *chunk = cJSON_ParseWithLength(body + 6, (size_t)(end - body) - 6);
		ck_assert_ptr_nonnull(chunk);
		if (cJSON_HasObjectItem(chunk, "error"))
			join(s->error, sizeof(s->error),
			     member(cJSON_GetObjectItem(chunk, "error"), "code"));
		else
			read_chunk(s, chunk);
		cJSON_Delete(chunk);
	}
	ck_assert_str_eq(body, "");
	return s;
}

static struct said *chat(const char *body)
{
	struct answer a = ask_once(CHATS, body);

	ck_assert_int_eq(a.status, 200);
	ck_assert_ptr_nonnull(strstr(a.head, "Content-Type: text/event-stream"));
	struct said *s = read_stream(a.body);
	drop(&a);
	return s;
}

/* ---- Tests */

START_TEST(a_stream_is_well_formed_and_ends_with_done)
{
	struct said *s = chat(CHAT("demo-fast", "why is the sky blue?", STREAM));

	ck_assert(s->done);
	ck_assert_int_eq(s->finishes, 1);
	ck_assert_str_eq(s->finish, "stop");
	ck_assert_int_eq(s->usages + s->nulls, 0);
	ck_assert_ptr_nonnull(strstr(s->text, "“why is the sky blue?”"));
	ck_assert_ptr_nonnull(strstr(s->text, "Rayleigh"));
	ck_assert_str_eq(s->reasoning, "");
	free(s);
}
END_TEST

START_TEST(usage_comes_on_request_and_counts_the_pieces)
{
	struct said *s = chat(CHAT("demo-fast", "think of a poem", STREAM USAGE));

	ck_assert(s->done);
	ck_assert_int_eq(s->usages, 1);
	ck_assert_int_eq(s->nulls, s->chunks - 1);
	ck_assert_int_eq(s->completion_tokens, s->pieces);
	ck_assert_int_gt(s->reasoning_tokens, 5);
	ck_assert_int_lt(s->reasoning_tokens, s->pieces);
	free(s);
}
END_TEST

START_TEST(think_gives_reasoning_and_then_text)
{
	struct said *s = chat(CHAT("demo-fast", "Think, please", STREAM));

	ck_assert_str_ne(s->reasoning, "");
	ck_assert_str_ne(s->text, "");
	ck_assert(!s->text_before_reasoning);
	free(s);
}
END_TEST

START_TEST(the_length_follows_the_knob_and_max_tokens)
{
	struct said *exact = chat(CHAT("demo-fast:tokens=777", "hi", STREAM));
	struct said *cut = chat(CHAT("demo-fast", "hi", STREAM ",'max_tokens':7"));
	struct said *word = chat(CHAT("demo-fast", "a long answer", STREAM));
	struct said *how = chat(CHAT("demo-fast", "how long is it?", STREAM));

	ck_assert_int_eq(exact->pieces, 777);
	ck_assert_str_eq(exact->finish, "stop");
	ck_assert_int_eq(cut->pieces, 7);
	ck_assert_str_eq(cut->finish, "length");
	ck_assert(word->pieces >= 2000 && word->pieces < 2200);
	ck_assert_int_lt(how->pieces, 200);
	free(exact);
	free(cut);
	free(word);
	free(how);
}
END_TEST

START_TEST(a_tool_call_joins_to_valid_json)
{
	static const struct {
		const char *body, *tool, *arguments;
	} rows[] = {
		{CHAT("demo-fast", "Use a tool: what is it like in Köln?", STREAM), "get_weather",
		 "{\"city\":\"Köln\",\"unit\":\"celsius\"}"},
		{CHAT("demo-fast", "with a tool, please", STREAM TOOLS), "find_flight",
		 "{\"city\":\"Paris\",\"class\":\"first\",\"seats\":3}"},
		{CHAT("demo-fast", "anything", STREAM TOOLS ",'tool_choice':'required'"),
		 "find_flight", "{\"city\":\"Paris\",\"class\":\"first\",\"seats\":3}"},
		{CHAT("demo-fast", "use a tool", STREAM TOOLS ",'tool_choice':'none'"), "", ""},
		{CHAT("demo-fast", "no such thing", STREAM TOOLS), "", ""},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct said *s = chat(rows[i].body);

		ck_assert_str_eq(s->tool, rows[i].tool);
		ck_assert_str_eq(s->arguments, rows[i].arguments);
		ck_assert_str_eq(s->finish, *rows[i].tool ? "tool_calls" : "stop");
		ck_assert_int_eq(*s->text != 0, !*rows[i].tool);
		free(s);
	}
}
END_TEST

START_TEST(a_tools_result_is_answered_with_text)
{
	struct said *s = chat("{'model':'demo-fast','stream':true,'messages':["
			      "{'role':'user','content':[{'type':'text','text':'use a tool'}]},"
			      "{'role':'assistant','content':null},"
			      "{'role':'tool','content':'{\\'degrees\\':21}'}]}");

	ck_assert_ptr_nonnull(strstr(s->text, "{\"degrees\":21}"));
	ck_assert_str_eq(s->finish, "stop");
	free(s);
}
END_TEST

START_TEST(faults_in_a_stream_come_after_ten_tokens)
{
	static const struct {
		const char *body, *error;
		bool whole;
	} rows[] = {{CHAT("demo-fast", "please fail", STREAM), "demo_failure", true},
		    {CHAT("demo-fast", "FAIL!", STREAM USAGE), "demo_failure", true},
		    {CHAT("demo-fast", "cut it", STREAM), "", false}};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct answer a = ask_once(CHATS, rows[i].body);
		struct said *s = read_stream(a.body);

		ck_assert_int_eq(s->pieces, 10);
		ck_assert_str_eq(s->error, rows[i].error);
		ck_assert_int_eq(a.whole, rows[i].whole);
		ck_assert(!s->done && !s->finishes);
		free(s);
		drop(&a);
	}
}
END_TEST

START_TEST(only_whole_words_are_faults)
{
	struct said *s =
		chat(CHAT("demo-fast", "failure modes, shortcuts, stalled, failfirst", STREAM));

	ck_assert(s->done);
	free(s);
}
END_TEST

START_TEST(an_empty_question_is_answered)
{
	static const char *const rows[] = {
		CHAT("demo-fast", "", STREAM),
		CHAT("demo-fast", "", STREAM TOOLS ",'tool_choice':'required'"),
		"{'model':'demo-fast','stream':true,'messages':[{'role':'system','content':''}]}",
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct said *s = chat(rows[i]);

		ck_assert(s->done);
		ck_assert_int_gt(s->pieces, 5);
		free(s);
	}
}
END_TEST

START_TEST(errors_are_json_with_their_status)
{
	static const struct {
		const char *path, *body;
		int status;
		const char *head, *code;
	} rows[] = {
		{CHATS, CHAT("demo", "rate limit", STREAM), 429, "\r\nRetry-After: 7\r\n",
		 "rate_limit_exceeded"},
		{CHATS, CHAT("demo", "Fail first", ""), 503, "\r\nRetry-After: 2\r\n",
		 "demo_overloaded"},
		{CHATS, CHAT("demo-fast", "fail", ""), 500, "\r\nConnection: close\r\n",
		 "demo_failure"},
		{"/v1/nothing", "{}", 404, "", ""},
		{"/v1/models", "{}", 405, "\r\nAllow: GET\r\n", ""},
		{CHATS, "{'model':'demo',", 400, "", ""},
		{CHATS, "[]", 400, "", ""},
		{CHATS, "{'model':'demo'}", 400, "", ""},
		{CHATS, "{'messages':[]}", 400, "", ""},
		{CHATS, "{'model':'demo','messages':[1]}", 400, "", ""},
		{CHATS, CHAT("demo:rate=", "x", ""), 400, "", ""},
		{CHATS, CHAT("demo:tokens=0", "x", ""), 400, "", ""},
		{CHATS, CHAT("demo:rate=1,speed=9", "x", ""), 400, "", ""},
		{CHATS, CHAT("demo", "x", ",'max_tokens':0"), 400, "", ""},
		{CHATS, CHAT("demo", "x", ",'stream':'yes'"), 400, "", ""},
		{"/v1/completions", "{'model':'demo'}", 400, "", ""},
		{"/v1/embeddings", "{'model':'demo','input':[]}", 400, "", ""},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct answer a = ask_once(rows[i].path, rows[i].body);
		cJSON *body = cJSON_Parse(a.body);
		const cJSON *error = cJSON_GetObjectItem(body, "error");

		ck_assert_int_eq(a.status, rows[i].status);
		ck_assert_ptr_nonnull(strstr(a.head, rows[i].head));
		ck_assert_str_ne(member(error, "message"), "");
		ck_assert_str_ne(member(error, "type"), "");
		ck_assert_str_eq(member(error, "code"), rows[i].code);
		cJSON_Delete(body);
		drop(&a);
	}
}
END_TEST

START_TEST(requests_that_are_none_are_refused)
{
	static const struct {
		const char *line, *headers;
		int status;
	} rows[] = {
		{"GET", "", 400},
		{"GET /v1/models HTTP/1.0", "", 505},
		{"GET /v1/models HTTP/1.1", "A : b\r\n", 400},
		{"POST /v1/x HTTP/1.1", "Content-Length: 1\r\nContent-Length: 1\r\n", 400},
		{"POST /v1/x HTTP/1.1", "Content-Length: -1\r\n", 400},
		{"POST /v1/x HTTP/1.1", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
		{"POST /v1/x HTTP/1.1", "Transfer-Encoding: gzip\r\n", 501},
		{"POST /v1/x HTTP/1.1", "Content-Length: 10485761\r\n", 413},
		{"POST /v1/x HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\nA00001\r\n", 413},
		{"POST /v1/x HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400},
	};
	char request[20000];

	for (size_t i = 0; i <= LENGTH(rows); i++) {
		int fd = dial();

		memset(request, 'x', sizeof(request));
		if (i < LENGTH(rows))
			snprintf(request, sizeof(request), "%s\r\n%s\r\n", rows[i].line,
				 rows[i].headers);
		transmit(fd, request, i < LENGTH(rows) ? strlen(request) : sizeof(request));
		struct answer a = receive(fd);
		ck_assert_int_eq(a.status, i < LENGTH(rows) ? rows[i].status : 431);
		ck_assert_int_eq(take_byte(fd), -1);
		drop(&a);
		close(fd);
	}
}
END_TEST

START_TEST(a_body_without_a_stream_says_the_same)
{
	struct answer a = ask_once(CHATS, CHAT("demo-fast", "think of a joke", ""));
	struct said *s = chat(CHAT("demo-fast", "think of a joke", STREAM));
	cJSON *body = cJSON_Parse(a.body);
	const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(body, "choices"), 0);
	const cJSON *message = cJSON_GetObjectItem(choice, "message");
	const cJSON *usage = cJSON_GetObjectItem(body, "usage");

	ck_assert(a.whole);
	ck_assert_str_eq(member(body, "object"), "chat.completion");
	ck_assert_str_eq(member(choice, "finish_reason"), "stop");
	ck_assert_str_eq(member(message, "content"), s->text);
	ck_assert_str_eq(member(message, "reasoning_content"), s->reasoning);
	ck_assert_int_eq(cJSON_GetObjectItem(usage, "completion_tokens")->valueint, s->pieces);
	/* "Be brief." and "think of a joke": 2 and 4 words, 1.3 tokens a word, rounded up */
	ck_assert_int_eq(cJSON_GetObjectItem(usage, "prompt_tokens")->valueint, 3 + 6);
	cJSON_Delete(body);
	drop(&a);

	a = ask_once(CHATS, CHAT("demo-fast", "use a tool", ""));
	ck_assert_ptr_nonnull(strstr(a.body, "\"content\":null,\"tool_calls\":[{\"id\":\"call_"));
	ck_assert_ptr_nonnull(strstr(a.body, "\"arguments\":\"{\\\"city\\\":\\\"Paris\\\""));
	drop(&a);
	free(s);
}
END_TEST

START_TEST(legacy_completions_stream_and_do_not)
{
	static const char path[] = "/v1/completions";
	struct answer whole = ask_once(path, "{'model':'demo-fast','prompt':'think: the sky'}");
	struct answer stream = ask_once(path, "{'model':'demo-fast','prompt':['the sky']" STREAM
					      ",'max_tokens':3}");

	ck_assert_ptr_nonnull(strstr(whole.body, "\"object\":\"text_completion\""));
	ck_assert_ptr_nonnull(strstr(whole.body, "Rayleigh"));
	ck_assert_ptr_null(strstr(whole.body, "reasoning_content"));
	ck_assert_ptr_nonnull(strstr(stream.body, "{\"index\":0,\"text\":\""));
	ck_assert_ptr_nonnull(strstr(stream.body, "{\"index\":0,\"text\":\"\",\"logprobs\":null,"
						  "\"finish_reason\":\"length\"}"));
	ck_assert_str_eq(stream.body + strlen(stream.body) - 14, "data: [DONE]\n\n");
	drop(&whole);
	drop(&stream);
}
END_TEST

START_TEST(embeddings_have_length_one_and_follow_the_words)
{
	static const char path[] = "/v1/embeddings";
	struct answer a = ask_once(path, "{'model':'demo','input':['the blue sky above us',"
					 "'the blue sky above me','unrelated words',[1,2]]}");
	struct answer packed =
		ask_once(path, "{'model':'demo','input':'x','encoding_format':'base64'}");
	cJSON *body = cJSON_Parse(a.body);
	const cJSON *data = cJSON_GetObjectItem(body, "data");
	double product[4] = {0};

	ck_assert_int_eq(cJSON_GetArraySize(data), 4);
	for (int i = 0; i < 4; i++) {
		const cJSON *one = cJSON_GetArrayItem(data, 0),
			    *other = cJSON_GetArrayItem(data, i);

		one = cJSON_GetObjectItem(one, "embedding");
		other = cJSON_GetObjectItem(other, "embedding");
		ck_assert_int_eq(cJSON_GetArraySize(other), 64);
		for (int k = 0; k < 64; k++)
			product[i] += cJSON_GetArrayItem(one, k)->valuedouble *
				      cJSON_GetArrayItem(other, k)->valuedouble;
	}
	ck_assert(product[0] == 1.0);
	ck_assert(product[1] < 1.0 && product[1] > product[2]);
	cJSON_Delete(body);
	/* 256 bytes: 344 characters, of which the last two fill up. */
	body = cJSON_Parse(packed.body);
	const char *text =
		member(cJSON_GetArrayItem(cJSON_GetObjectItem(body, "data"), 0), "embedding");
	ck_assert_uint_eq(strlen(text), 344);
	ck_assert_str_eq(text + 342, "==");
	cJSON_Delete(body);
	drop(&a);
	drop(&packed);
}
END_TEST

START_TEST(a_connection_serves_one_request_after_the_other)
{
	char *first = make_request(CHATS, CHAT("demo-fast", "hello", STREAM));
	int fd = dial();

	for (int i = 0; i < 2; i++) {
		transmit(fd, first, strlen(first));
		struct answer a = receive(fd);
		ck_assert(a.whole);
		drop(&a);
	}
	/* Both at once, and a third one that ends the connection. */
	transmit(fd, first, strlen(first));
	transmit(fd, first, strlen(first));
	static const char last[] = "GET /v1/models?x=1 HTTP/1.1\r\nConnection: close\r\n\r\n";
	transmit(fd, last, strlen(last));
	for (int i = 0; i < 3; i++) {
		struct answer a = receive(fd);
		ck_assert(a.whole);
		ck_assert_ptr_nonnull(strstr(a.body, i < 2 ? "[DONE]" : "\"id\":\"demo-fast\""));
		drop(&a);
	}
	ck_assert_int_eq(take_byte(fd), -1);
	close(fd);
	free(first);
}
END_TEST

START_TEST(a_request_may_come_byte_by_byte)
{
	static const char chunked[] =
		"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		"1;x=y\r\n{\r\n"
		"1B\r\n\"model\":\"demo\",\"input\":\"x\"}\r\n"
		"0\r\nTrailer: x\r\n\r\n";
	char *plain = make_request(CHATS, CHAT("demo-fast", "hi", STREAM));
	int fd = dial();

	for (int i = 0; i < 2; i++) {
		const char *request = i ? chunked : plain;

		for (const char *p = request; *p; p++)
			transmit(fd, p, 1);
		struct answer a = receive(fd);
		ck_assert_int_eq(a.status, 200);
		ck_assert(a.whole);
		drop(&a);
	}
	close(fd);
	free(plain);
}
END_TEST

static void await_active(unsigned wanted)
{
	uint64_t deadline = clock_ms() + DEADLINE_MS;

	while (demo_active(demo) != wanted && clock_ms() < deadline)
		poll(NULL, 0, 1);
	ck_assert_uint_eq(demo_active(demo), wanted);
}

START_TEST(a_client_that_leaves_ends_its_generation)
{
	static const char *const bodies[] = {
		CHAT("demo-fast", "stall", STREAM),
		CHAT("demo-fast", "stall", ""),
		CHAT("demo", "slow start", STREAM),
		CHAT("demo-fast:tokens=100000", "nobody reads this", STREAM),
	};

	for (size_t i = 0; i < LENGTH(bodies); i++) {
		int fd = dial();

		ask(fd, CHATS, bodies[i]);
		await_active(1);
		close(fd);
		await_active(0);
	}
}
END_TEST

START_TEST(a_slow_reader_gets_everything)
{
	int fd = dial();

	ask(fd, "/v1/completions", "{'model':'demo-fast:tokens=40000','prompt':'x'" STREAM "}");
	await_active(1);
	struct answer a = receive(fd);
	size_t line_ends = 0;
	for (const char *p = a.body; *p; p++)
		line_ends += *p == '\n';
	ck_assert(a.whole);
	ck_assert_uint_eq(line_ends, 2 * (40000 + 2)); /* the end and [DONE] */
	await_active(0);
	drop(&a);
	close(fd);
}
END_TEST

START_TEST(it_can_be_stopped_while_it_speaks)
{
	int fd = dial(), idle = dial();

	ask(fd, CHATS, CHAT("demo", "stall", STREAM));
	await_active(1);
	demo_stop(demo);
	demo = NULL;
	struct answer a = receive(fd);
	ck_assert(!a.whole);
	drop(&a);
	close(fd);
	close(idle);
}
END_TEST

/* ---- What it says */

static void write_script(struct demo_script *s, const char *model, const char *prompt)
{
	struct demo_ask request = {
		.max_tokens = DEMO_UNSET,
		.knobs = {strcmp(model, "demo-fast") == 0, DEMO_UNSET, DEMO_UNSET, DEMO_UNSET}};
	struct demo_refusal why;

	sl_buf_init(&request.prompt, 1 << 16);
	ck_assert_int_eq(sl_buf_put_str(&request.prompt, prompt), 0);
	demo_script_init(s);
	ck_assert_int_eq(demo_text_write(s, &request, &why), 0);
	demo_ask_fini(&request);
}

START_TEST(every_answer_has_40_to_150_tokens_of_whole_characters)
{
	size_t n;
	const struct demo_topic *topics = demo_topics(&n);

	for (size_t i = 0; i <= n; i++) {
		for (int variant = 0; variant < 8; variant++) {
			struct demo_script s;
			char prompt[128];

			snprintf(prompt, sizeof(prompt), "%s, “日本語”? %d",
				 i < n ? topics[i].words[0] : "xyzzy", variant);
			write_script(&s, "demo-fast", prompt);
			size_t tokens = demo_script_tokens(&s, s.n);
			ck_assert_msg(tokens >= 40 && tokens <= 150, "%s: %zu tokens", prompt,
				      tokens);
			for (size_t k = 0; k < s.n; k++) {
				struct sl_slice piece = demo_script_piece(&s, &s.steps[k]);

				ck_assert_uint_eq(utf8_valid_prefix(piece), piece.n);
			}
			demo_script_fini(&s);
		}
	}
}
END_TEST

START_TEST(the_pace_is_that_of_a_model)
{
	struct demo_script s;

	write_script(&s, "demo", "hello");
	ck_assert(s.steps[0].wait_us >= 300000 && s.steps[0].wait_us <= 310000);
	for (size_t i = 1; i + 1 < s.n; i++)
		ck_assert(s.steps[i].wait_us >= 30000 && s.steps[i].wait_us <= 40000);
	demo_script_fini(&s);
	write_script(&s, "demo-fast", "hello");
	for (size_t i = 0; i < s.n; i++)
		ck_assert_uint_eq(s.steps[i].wait_us, 0);
	demo_script_fini(&s);

	/* 20 tokens, 200 a second */
	uint64_t begin_ms = clock_ms();
	free(chat(CHAT("demo:rate=200,tokens=20", "hello", STREAM)));
	ck_assert_uint_ge(clock_ms() - begin_ms, 95);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("demo");
	TCase *t = tcase_create("demo");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_stream_is_well_formed_and_ends_with_done);
	tcase_add_test(t, usage_comes_on_request_and_counts_the_pieces);
	tcase_add_test(t, think_gives_reasoning_and_then_text);
	tcase_add_test(t, the_length_follows_the_knob_and_max_tokens);
	tcase_add_test(t, a_tool_call_joins_to_valid_json);
	tcase_add_test(t, a_tools_result_is_answered_with_text);
	tcase_add_test(t, faults_in_a_stream_come_after_ten_tokens);
	tcase_add_test(t, only_whole_words_are_faults);
	tcase_add_test(t, an_empty_question_is_answered);
	tcase_add_test(t, errors_are_json_with_their_status);
	tcase_add_test(t, requests_that_are_none_are_refused);
	tcase_add_test(t, a_body_without_a_stream_says_the_same);
	tcase_add_test(t, legacy_completions_stream_and_do_not);
	tcase_add_test(t, embeddings_have_length_one_and_follow_the_words);
	tcase_add_test(t, a_connection_serves_one_request_after_the_other);
	tcase_add_test(t, a_request_may_come_byte_by_byte);
	tcase_add_test(t, a_client_that_leaves_ends_its_generation);
	tcase_add_test(t, a_slow_reader_gets_everything);
	tcase_add_test(t, it_can_be_stopped_while_it_speaks);
	tcase_add_test(t, every_answer_has_40_to_150_tokens_of_whole_characters);
	tcase_add_test(t, the_pace_is_that_of_a_model);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
