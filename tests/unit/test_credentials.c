/* Keys in headers, and whose they are. */
#include "unit.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>
#include "server/credentials.h"

static const struct {
	const char *value, *key;
} headers[] = {
	{"Bearer sk-1", "sk-1"},
	{"bearer sk-1", "sk-1"},
	{"BEARER  \t sk-1 \t", "sk-1"},
	{"Bearer a b", "a b"},
	{"Bearer Bearer", "Bearer"},
	{"", ""},
	{"Bearer", ""},
	{"Bearer ", ""},
	{"Bearer \t ", ""},
	{"Bearersk-1", ""},
	{"Bearer,sk-1", ""},
	{"Basic sk-1", ""},
	{" Bearer sk-1", ""},
	{"sk-1", ""},
	{"Bear", ""},
};

START_TEST(a_key_stands_behind_the_word_bearer)
{
	struct sl_slice key = credentials_bearer(headers[_i].value);
	ck_assert_msg(sl_slice_is(key, headers[_i].key), "%s: \"%.*s\"", headers[_i].value,
		      (int)key.n, key.p);
}
END_TEST

#define N 50

static void fill(struct access_key *keys)
{
	for (size_t i = 0; i < N; i++) {
		char text[32];
		int n = snprintf(text, sizeof(text), "sk-%zu", i);
		keys[i] = (struct access_key){0};
		ck_assert_int_eq(
			gnutls_hash_fast(GNUTLS_DIG_SHA256, text, (size_t)n, keys[i].sha256), 0);
	}
}

START_TEST(each_key_is_found_wherever_it_stands)
{
	struct access_key keys[N];
	fill(keys);
	for (size_t i = 0; i < N; i++) {
		char text[32];
		snprintf(text, sizeof(text), "sk-%zu", i);
		ck_assert_ptr_eq(credentials_find(keys, N, sl_slice_str(text)), &keys[i]);
	}
}
END_TEST

START_TEST(what_is_no_key_finds_none)
{
	static const char *const wrong[] = {"",      "sk-",   "sk-50",      "SK-1",
					    "sk-1 ", "sk-01", "Bearer sk-1"};
	struct access_key keys[N];
	fill(keys);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ck_assert_ptr_null(credentials_find(keys, N, sl_slice_str(wrong[i])));
	ck_assert_ptr_null(credentials_find(keys, 0, SL_LIT("sk-1")));
	ck_assert_ptr_null(credentials_find(NULL, 0, SL_LIT("sk-1")));
	ck_assert_ptr_null(credentials_find(keys, N, (struct sl_slice){0}));
	/* The digest of a key is no key. */
	ck_assert_ptr_null(credentials_find(
		keys, N, sl_slice((const char *)keys[1].sha256, sizeof(keys[1].sha256))));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("credentials");
	TCase *t = tcase_create("credentials");
	tcase_add_loop_test(t, a_key_stands_behind_the_word_bearer, 0,
			    sizeof(headers) / sizeof(*headers));
	tcase_add_test(t, each_key_is_found_wherever_it_stands);
	tcase_add_test(t, what_is_no_key_finds_none);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
