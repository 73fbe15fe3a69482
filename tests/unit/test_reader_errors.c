/* Errors of upstreams in every shape, and the status that the proxy answers with. */
#include <sluice/reader.h>

#include <stdlib.h>
#include <string.h>
#include "codec/utf8.h"
#include "collected.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

static struct collected *read_error(int status, bool client_key, struct sl_slice body)
{
	struct collected *c = malloc(sizeof(*c));
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	o.status = status;
	o.client_key = client_key;
	collect(c, &o, body, NULL, NULL);
	ck_assert(c->failed);
	return c;
}

static void done(struct collected *c)
{
	collected_fini(c);
	free(c);
}

/* Each: a body with status 400, and what is made of it. */
static const struct {
	const char *body, *message, *type, *code, *object;
} bodies[] = {
	{"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}", "m", "t",
	 "c", "{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}"},
	{"{\"error\":{\"message\":\"m\",\"code\":400}}", "m", "", "400",
	 "{\"message\":\"m\",\"code\":400}"},
	{"{\n \"error\": {\n  \"message\": \"m\\n\"\n }\n}", "m\n", "", "",
	 "{   \"message\": \"m\\n\"  }"},
	{"[{\"error\":{\"message\":\"m\"}}]", "m", "", "", "{\"message\":\"m\"}"},
	{"{\"error\":\"m\"}", "m", "", "", ""},
	{"{\"error\":true,\"message\":\"m\"}", "m", "", "", "{\"error\":true,\"message\":\"m\"}"},
	{"{\"error\":{\"message\":{\"a\":1}}}", "{\"a\":1}", "", "", "{\"message\":{\"a\":1}}"},
	{"{\"error\":{\"a\":1}}", "{\"a\":1}", "", "", "{\"a\":1}"},
	{"{\"error\":[\"a\",\"b\"]}", "a; b", "", "", ""},
	{"{\"detail\":\"m\"}", "m", "", "", ""},
	{"{\"detail\":[{\"loc\":[\"body\",\"messages\",0],\"msg\":\"Field "
	 "required\",\"type\":\"missing\"},"
	 "{\"msg\":\"b\"}]}",
	 "body.messages.0: Field required; b", "", "", ""},
	{"{\"detail\":{\"message\":\"m\",\"type\":\"t\"}}", "m", "t", "",
	 "{\"message\":\"m\",\"type\":\"t\"}"},
	{"{\"message\":\"m\",\"type\":\"t\",\"code\":\"c\"}", "m", "t", "c",
	 "{\"message\":\"m\",\"type\":\"t\",\"code\":\"c\"}"},
	{"{\"object\":\"error\",\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":42}", "m",
	 "t", "42",
	 "{\"object\":\"error\",\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":42}"},
	{"data: {\"error\":{\"message\":\"m\"}}\n\n", "m", "", "", "{\"message\":\"m\"}"},
	{"\"m\"", "m", "", "", ""},
	{"m", "the upstream answered with HTTP status 400: m", "", "", ""},
	{" \x01 m \r\n\xc2\x85 n\xff ",
	 "the upstream answered with HTTP status 400: m n\xef\xbf\xbd", "", "", ""},
	{"<html><head><title>Bad</title><style>p{}</style></head>\n<!-- a > b "
	 "--><body><p>gate&amp;way</p>"
	 "<script>1<2</script></body>",
	 "the upstream answered with HTTP status 400: Bad gate&amp;way", "", "", ""},
	{"<html", "the upstream answered with HTTP status 400", "", "", ""},
	{"", "the upstream answered with HTTP status 400", "", "", ""},
	{"{}", "the upstream answered with HTTP status 400", "", "", ""},
	{"null", "the upstream answered with HTTP status 400", "", "", ""},
	{"{\"error\":{}}", "the upstream answered with HTTP status 400", "", "", ""},
};

START_TEST(an_error_body_is_understood_in_every_shape)
{
	struct collected *c = read_error(400, false, sl_slice_str(bodies[_i].body));

	ck_assert_str_eq(buf_str(&c->message), bodies[_i].message);
	ck_assert_str_eq(buf_str(&c->type), bodies[_i].type);
	ck_assert_str_eq(buf_str(&c->code), bodies[_i].code);
	ck_assert_str_eq(buf_str(&c->object), bodies[_i].object);
	ck_assert_int_eq(c->status, 400);
	done(c);
}
END_TEST

static const struct {
	int status, answer;
} statuses[] = {
	{300, 502}, {301, 502}, {307, 502}, {400, 400}, {401, 502}, {402, 402}, {403, 502},
	{404, 404}, {405, 502}, {408, 408}, {409, 409}, {413, 413}, {415, 415}, {418, 502},
	{422, 422}, {429, 429}, {500, 500}, {501, 502}, {502, 502}, {503, 503}, {504, 504},
	{520, 502}, {529, 503}, {100, 502}, {0, 502},
};

START_TEST(a_status_goes_on_where_it_is_the_clients_business)
{
	struct collected *c = read_error(statuses[_i].status, false, SL_LIT("{\"error\":\"m\"}"));

	ck_assert_int_eq(c->status, statuses[_i].answer);
	if (statuses[_i].status >= 300 && statuses[_i].status < 400)
		ck_assert_str_eq(buf_str(&c->code), SL_CODE_REDIRECT);
	done(c);
}
END_TEST

START_TEST(a_refusal_of_our_own_key_is_told_without_the_upstreams_words)
{
	static const char body[] =
		"{\"error\":{\"message\":\"Incorrect API key: sk-12***89\",\"type\":"
		"\"invalid_request_error\",\"code\":\"invalid_api_key\"}}";
	static const char *const bodies_of_200[] = {
		"data: {\"error\":{\"message\":\"sk-12***89\",\"code\":401}}\n\n",
		"data: {\"error\":{\"message\":\"sk-12***89\",\"code\":\"invalid_api_key\"}}\n\n",
		"{\"error\":{\"message\":\"sk-12***89\",\"type\":\"authentication_error\"}}",
	};
	struct collected *c = _i < 2 ? read_error(_i ? 403 : 401, false, sl_slice_str(body))
				     : read_error(200, false, sl_slice_str(bodies_of_200[_i - 2]));

	ck_assert_int_eq(c->status, 502);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_AUTH);
	ck_assert_ptr_null(strstr(buf_str(&c->trace), "sk-12"));
	done(c);

	if (_i > 1)
		return;
	c = read_error(_i ? 403 : 401, true, sl_slice_str(body));
	ck_assert_int_eq(c->status, _i ? 403 : 401);
	ck_assert_str_eq(buf_str(&c->code), "invalid_api_key");
	ck_assert_ptr_nonnull(strstr(buf_str(&c->message), "sk-12"));
	done(c);
}
END_TEST

/* Each: a body with status 200, the message and the answer. */
static const struct {
	const char *body, *message;
	int answer;
} in_streams[] = {
	{"data: {\"error\":{\"message\":\"m\",\"code\":503}}\n\n", "m", 503},
	{"data: {\"error\":{\"message\":\"m\",\"status_code\":400}}\n\n", "m", 400},
	{"data: {\"error\":{\"message\":\"m\",\"code\":529}}\n\n", "m", 503},
	{"data: {\"error\":{\"message\":\"m\",\"code\":1234}}\n\n", "m", 502},
	{"data: {\"error\":{\"message\":\"m\"}}\n\n", "m", 502},
	{"data: {\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\"}}\n\n", "m", 400},
	{"data: "
	 "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"code\":\"model_not_"
	 "found\"}}\n\n",
	 "m", 404},
	{"data: {\"error\":{\"message\":\"m\",\"type\":\"rate_limit_error\"}}\n\n", "m", 429},
	{"data: "
	 "{\"error\":{\"message\":\"m\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}\n\n",
	 "m", 429},
	{"data: {\"error\":{\"message\":\"m\",\"code\":\"insufficient_quota\"}}\n\n", "m", 429},
	{"data: {\"error\":{\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n", "m", 429},
	{"data: "
	 "{\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"code\":\"overloaded\"}}\n\n",
	 "m", 503},
	{"data: {\"error\":{\"message\":\"m\",\"type\":\"service_unavailable\"}}\n\n", "m", 503},
	{"data: {\"error\":{\"message\":\"m\",\"type\":\"unavailable_error\"}}\n\n", "m", 503},
	{"data: {\"error\":{\"message\":\"m\",\"type\":\"timeout\"}}\n\n", "m", 504},
	{"data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\"}}\n\n", "m", 500},
	{"data: {\"error\":{\"message\":\"m\",\"type\":\"InternalServerError\"}}\n\n", "m", 500},
	{"data: {\"error\":\"m\",\"choices\":[]}\n\n", "m", 502},
	{"data: {\"object\":\"error\",\"message\":\"m\",\"code\":400}\n\n", "m", 400},
	{"event: error\ndata: {\"message\":\"m\"}\n\n", "m", 502},
	{"event: error\ndata: {\"code\":500}\n\n", "{\"code\":500}", 500},
	{"event: error\ndata: out of\ndata: memory\n\n", "out of memory", 502},
	{"data: {\"choices\":[],\"x_groq\":{\"error\":\"m\"}}\n\n", "m", 502},
	{"data: "
	 "{\"choices\":[{\"index\":0,\"delta\":{},\"error\":{\"code\":504,\"message\":\"m\"}}]}"
	 "\n\n",
	 "m", 504},
	/* without data: */
	{"error: {\"code\":500,\"message\":\"m\"}\n\n", "m", 500},
	{"error: {\"error\":{\"message\":\"m\"}}", "m", 502},
	{": c\n{\"error\":{\"message\":\"m\"}}\n", "m", 502},
	{": c\n{\"error\":{\"message\":\"m\"}}", "m", 502},
	{": c\n{\n  \"error\": {\n    \"message\": \"m\"\n  }\n}", "m", 502},
	{": c\n{\n\"error\":\n\"m\"}\n\ndata: {\"choices\":[]}\n\n", "m", 502},
};

START_TEST(an_error_in_a_stream_is_found_in_every_place)
{
	struct collected *c = read_error(200, false, sl_slice_str(in_streams[_i].body));

	ck_assert_str_eq(buf_str(&c->message), in_streams[_i].message);
	ck_assert_int_eq(c->status, in_streams[_i].answer);
	ck_assert_uint_eq(c->n_entries, 1);
	done(c);
}
END_TEST

START_TEST(a_long_message_is_cut_at_a_character_and_a_long_object_left_out)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	sl_buf_put_str(&body, "{\"error\":{\"code\":\"");
	for (int i = 0; i < 129; i++)
		sl_buf_putc(&body, 'c');
	sl_buf_put_str(&body, "\",\"message\":\"a");
	for (int i = 0; i < 3000; i++)
		sl_buf_put_str(&body, "\xc3\xa9");
	sl_buf_put_str(&body, "\"}}");
	c = read_error(400, false, sl_buf_slice(&body));
	ck_assert_uint_eq(c->message.len, 4095);
	ck_assert_uint_eq(utf8_valid_prefix(sl_buf_slice(&c->message)), c->message.len);
	ck_assert_uint_eq(c->code.len, 0);
	ck_assert_uint_eq(c->object.len, 0);
	sl_buf_fini(&body);
	done(c);
}
END_TEST

START_TEST(of_an_endless_error_body_only_the_start_is_read)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	for (int i = 0; i < 100000; i++)
		sl_buf_put_str(&body, "\xe2\x82\xac");
	c = read_error(500, false, sl_buf_slice(&body));
	ck_assert_uint_eq(c->message.len,
			  strlen("the upstream answered with HTTP status 500: ") + 600);
	sl_buf_fini(&body);
	done(c);
}
END_TEST

START_TEST(a_broken_connection_does_not_hide_the_status)
{
	struct collected *c = malloc(sizeof(*c));
	struct sl_reader_options o = stream_options(SL_DIALECT_OPENAI_CHAT);
	struct sl_event fault = {.kind = SL_EVENT_ERROR, .n0 = 502, .s[0] = SL_LIT("reset")};

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	o.status = 429;
	collect(c, &o, SL_LIT("{\"error\":{\"mess"), NULL, &fault);
	ck_assert(c->failed);
	ck_assert_int_eq(c->status, 429);
	done(c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reader_errors");
	TCase *tc = tcase_create("errors");

	tcase_add_loop_test(tc, an_error_body_is_understood_in_every_shape, 0, COUNT(bodies));
	tcase_add_loop_test(tc, a_status_goes_on_where_it_is_the_clients_business, 0,
			    COUNT(statuses));
	tcase_add_loop_test(tc, a_refusal_of_our_own_key_is_told_without_the_upstreams_words, 0, 5);
	tcase_add_loop_test(tc, an_error_in_a_stream_is_found_in_every_place, 0, COUNT(in_streams));
	tcase_add_test(tc, a_long_message_is_cut_at_a_character_and_a_long_object_left_out);
	tcase_add_test(tc, of_an_endless_error_body_only_the_start_is_read);
	tcase_add_test(tc, a_broken_connection_does_not_hide_the_status);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
