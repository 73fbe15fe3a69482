/* Tickets: good for what they were made for, and in no other spelling. */
#include "unit.h"

#include <string.h>
#include <sluice/buf.h>
#include "server/ticket.h"

#define ID  "AbCdEfGhIjKlMnOpQrStUv"
#define NOW INT64_C(1900000000)

static struct server_shared ours = {.ticket_secret = {1, 2, 3}};

static struct sl_buf made(const struct server_shared *s, const char *id, int64_t expires)
{
	struct sl_buf b;
	sl_buf_init(&b, 256);
	ck_assert_int_eq(ticket_print(s, id, expires, &b), 0);
	return b;
}

static bool is_good(struct sl_slice ticket, int64_t now)
{
	return ticket_is_good(&ours, SL_LIT(ID), ticket, now);
}

START_TEST(a_ticket_is_good_until_it_expires)
{
	struct sl_buf t = made(&ours, ID, NOW + 300);
	ck_assert(sl_slice_starts(sl_buf_slice(&t), "1900000300."));
	ck_assert_uint_eq(t.len, 11 + 43);
	ck_assert(is_good(sl_buf_slice(&t), NOW));
	ck_assert(is_good(sl_buf_slice(&t), NOW + 299));
	ck_assert(!is_good(sl_buf_slice(&t), NOW + 300));
	ck_assert(!is_good(sl_buf_slice(&t), INT64_MAX));
	sl_buf_fini(&t);
}
END_TEST

/* Computed with another program: the secret is 01 02 03 and 29 zeroes. */
START_TEST(the_signature_is_hmac_sha256_in_base64url)
{
	struct sl_buf t = made(&ours, ID, 1900000300);
	ck_assert_msg(sl_slice_is(sl_buf_slice(&t),
				  "1900000300.aUOrkXFNoYoea3hi7D8h_E1DQ8TIyNjZyDAXwBA6TaE"),
		      "%.*s", (int)t.len, t.p);
	sl_buf_fini(&t);
}
END_TEST

START_TEST(it_is_of_one_stream_and_of_one_process)
{
	struct server_shared other = {.ticket_secret = {1, 2, 4}};
	struct sl_buf t = made(&ours, ID, NOW + 300), strange = made(&other, ID, NOW + 300);
	static const char *const ids[] = {
		"",     "AbCdEfGhIjKlMnOpQrStUw", "abCdEfGhIjKlMnOpQrStUv",
		ID "x", ID "\n1900000300",        "AbCdEfGhIjKlMnOpQrStU"};
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		ck_assert(!ticket_is_good(&ours, sl_slice_str(ids[i]), sl_buf_slice(&t), NOW));
	ck_assert(!is_good(sl_buf_slice(&strange), NOW));
	sl_buf_fini(&t);
	sl_buf_fini(&strange);
}
END_TEST

START_TEST(each_changed_byte_and_each_cut_makes_it_bad)
{
	struct sl_buf t = made(&ours, ID, NOW + 300);
	char copy[128];
	for (size_t i = 0; i < t.len; i++) {
		ck_assert(!is_good(sl_slice(t.p, i), NOW));
		for (unsigned byte = 0; byte < 256; byte++) {
			memcpy(copy, t.p, t.len);
			copy[i] = (char)byte;
			ck_assert(is_good(sl_slice(copy, t.len), NOW) == (copy[i] == t.p[i]));
		}
	}
	/* A byte more, in front or behind. */
	for (unsigned byte = 0; byte < 256; byte++) {
		memcpy(copy + 1, t.p, t.len);
		copy[0] = copy[t.len + 1] = (char)byte;
		ck_assert(!is_good(sl_slice(copy, t.len + 1), NOW));
		ck_assert(!is_good(sl_slice(copy + 1, t.len + 1), NOW));
	}
	sl_buf_fini(&t);
}
END_TEST

START_TEST(what_is_no_ticket_is_bad)
{
	static const char *const wrong[] = {
		"",
		".",
		"1900000300",
		"1900000300.",
		"-1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"99999999999999999999999999999.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"999999999999999999.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ck_assert(!is_good(sl_slice_str(wrong[i]), NOW));
	ck_assert(!is_good((struct sl_slice){0}, NOW));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ticket");
	TCase *t = tcase_create("ticket");
	tcase_add_test(t, a_ticket_is_good_until_it_expires);
	tcase_add_test(t, the_signature_is_hmac_sha256_in_base64url);
	tcase_add_test(t, it_is_of_one_stream_and_of_one_process);
	tcase_add_test(t, each_changed_byte_and_each_cut_makes_it_bad);
	tcase_add_test(t, what_is_no_ticket_is_bad);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
