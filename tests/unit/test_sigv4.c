/* Signatures, by the examples that AWS publishes, and by what others have computed. */
#include "upstream/sigv4.h"

#include <string.h>
#include <sluice/error.h>
#include "unit.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static const struct sigv4 example = {"us-east-1", "service", "AKIDEXAMPLE", SECRET, NULL};

static struct sl_buf signed_of(const struct sigv4 *s, const char *method, const char *path,
			       const char *payload)
{
	struct sl_buf out = {.max = 8192};
	struct sigv4_request r = {
		.method = method,
		.host = SL_LIT("example.amazonaws.com"),
		.path = sl_slice_str(path),
		.payload = sl_slice_str(payload),
		.time_s = 1440938160, /* 20150830T123600Z */
	};

	ck_assert_int_eq(sigv4_sign(s, &r, &out), 0);
	sl_buf_putc(&out, '\0');
	return out;
}

static const struct {
	const char *method, *signature;
} published[] = {
	{"GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
};

START_TEST(the_published_examples_have_their_signatures)
{
	struct sl_buf out = signed_of(&example, published[_i].method, "/", "");

	ck_assert_ptr_nonnull(strstr(out.p, published[_i].signature));
	ck_assert_ptr_nonnull(strstr(out.p, "X-Amz-Date: 20150830T123600Z\n"));
	ck_assert_ptr_nonnull(
		strstr(out.p, "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
			      "SignedHeaders=host;x-amz-date, "));
	ck_assert_ptr_null(strstr(out.p, SECRET));
	sl_buf_fini(&out);
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

	tcase_add_loop_test(t, the_published_examples_have_their_signatures, 0, 2);
	tcase_add_test(t, everything_that_is_sent_is_in_the_signature);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
