/* Signatures, by the examples that AWS publishes, and by what others have computed. */
#include "upstream/sigv4.h"

#include <string.h>
#include <sluice/error.h>
#include "unit.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static const struct sigv4 example = {"us-east-1", "service", "AKIDEXAMPLE", SECRET, NULL};

static struct sl_buf signed_of(const struct sigv4 *s, const char *method, const char *target,
			       const char *payload)
{
	struct sl_buf out = {.max = 8192};
	const char *query = strchr(target, '?');
	struct sigv4_request r = {
		.method = method,
		.host = SL_LIT("example.amazonaws.com"),
		.path = sl_slice(target, strcspn(target, "?")),
		.query = sl_slice_str(query ? query + 1 : NULL),
		.payload = sl_slice_str(payload),
		.time_s = 1440938160, /* 20150830T123600Z */
	};

	ck_assert_int_eq(sigv4_sign(s, &r, &out), 0);
	sl_buf_putc(&out, '\0');
	return out;
}

static const struct {
	const char *method, *target, *payload, *token, *signature;
} known[] = {
	/* AWS: get-vanilla, post-vanilla, get-vanilla-query-order */
	{"GET", "/", "", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"POST", "/", "", NULL, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"GET", "/?Param2=value2&Param1=value1", "", NULL,
	 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	/* tests/integration/sigv4.py */
	{"GET", "?", "", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"GET", "/?b=2&a-=3&a=%2f&a=:&c&&d=a%zz+%41", "", NULL,
	 "bf1d22d331818a10fee49dbc118f8a7135bc340566f19c431d1375db09b06c58"},
	{"POST", "/model/amazon.nova-lite/invoke-with-response-stream", "{}", NULL,
	 "d4973e12d40df5c47339854f6c5575d96309c5706e88074509bcb8e73646c320"},
	{"POST", "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/converse-stream", "{}", NULL,
	 "589e792738283135ccec74aea9895a439ca820035977baad31931d5d6f587509"},
	{"POST", "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/converse-stream", "{}",
	 "AQoDYXdzEPT/+=", "337e8a11d437983f921b498750158677be0100153348661d6b0dcf7c82ca5486"},
	{"POST",
	 "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Feu.x-v1%3A0"
	 "/converse-stream",
	 "{}", NULL, "2d685575d56dcaffce22bb5fc6d016736a98788839f9000a99ceb7a5373d0954"},
};
#define KNOWN (int)(sizeof(known) / sizeof(*known))

START_TEST(a_signature_is_the_one_that_others_compute)
{
	struct sigv4 s = example;
	s.session_token = known[_i].token;
	struct sl_buf out = signed_of(&s, known[_i].method, known[_i].target, known[_i].payload);

	ck_assert_ptr_nonnull(strstr(out.p, "X-Amz-Date: 20150830T123600Z\n"));
	ck_assert_ptr_nonnull(
		strstr(out.p, "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
			      "SignedHeaders=host;x-amz-date"));
	ck_assert_str_eq(strndupa(strstr(out.p, "Signature=") + 10, 64), known[_i].signature);
	ck_assert_ptr_null(strstr(out.p, SECRET));
	sl_buf_fini(&out);
}
END_TEST

START_TEST(what_is_too_long_is_not_signed)
{
	char query[200] = "";
	struct sl_buf out = {.max = 8192}, small = {.max = 64};
	struct sigv4_request r = {.method = "GET", .host = SL_LIT("h"), .path = SL_LIT("/")};

	for (int i = 0; i < 33; i++)
		strcat(query, "&a=b");
	r.query = sl_slice_str(query);
	ck_assert_int_eq(sigv4_sign(&example, &r, &out), -SL_E_LIMIT);
	ck_assert_uint_eq(out.len, 0);
	r.query = sl_slice_str(query + 4); /* 32 of them */
	ck_assert_int_eq(sigv4_sign(&example, &r, &out), 0);
	ck_assert_int_eq(sigv4_sign(&example, &r, &small), -SL_E_LIMIT);
	sl_buf_fini(&out);
	sl_buf_fini(&small);
}
END_TEST

START_TEST(everything_that_is_sent_is_in_the_signature)
{
	struct sigv4 other[] = {example, example, example, example};
	struct sl_buf plain = signed_of(&example, "POST", "/model/a%3A0/x", "{}");

	other[0].region = "eu-central-1";
	other[1].secret_key = "another";
	other[2].session_token = "token";
	for (size_t i = 0; i < 4; i++) {
		struct sl_buf out = signed_of(&other[i], "POST",
					      i == 3 ? "/model/a:0/x" : "/model/a%3A0/x", "{}");

		ck_assert_str_ne(strstr(out.p, "Signature="), strstr(plain.p, "Signature="));
		ck_assert(i != 2 || strstr(out.p, "X-Amz-Security-Token: token\n"));
		ck_assert(i != 2 || strstr(out.p, "host;x-amz-date;x-amz-security-token"));
		sl_buf_fini(&out);
	}
	sl_buf_fini(&plain);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sigv4");
	TCase *t = tcase_create("sigv4");

	tcase_add_loop_test(t, a_signature_is_the_one_that_others_compute, 0, KNOWN);
	tcase_add_test(t, what_is_too_long_is_not_signed);
	tcase_add_test(t, everything_that_is_sent_is_in_the_signature);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
