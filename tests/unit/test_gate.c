/* The gate: heads of requests, byte by byte. */
#include <string.h>
#include "server/gate.h"
#include "unit.h"

#define LINE "POST /ask HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"
#define HEAD LINE HOST
#define BYTES(s)                   \
	{                          \
		(s), sizeof(s) - 1 \
	}

static const struct {
	struct sl_slice bytes;
	enum gate expected;
} cases[] = {
	{BYTES(HEAD "\r\n"), GATE_GOOD},
	{BYTES("\r\n" HEAD "\r\n"), GATE_GOOD},
	{BYTES(HEAD "X-A:\tb \r\nContent-Length: 12\r\n\r\nbody\n\0"), GATE_GOOD},
	{BYTES(HEAD "Content-Length:12 \r\n\r\n"), GATE_GOOD},
	{BYTES(HEAD "X-Empty:\r\n\r\n"), GATE_GOOD},
	{BYTES(HEAD "X-High: \xc3\xa9\r\n\r\n"), GATE_GOOD},
	{BYTES(""), GATE_INCOMPLETE},
	{BYTES("\r\n"), GATE_INCOMPLETE},
	{BYTES(HEAD), GATE_INCOMPLETE},
	{BYTES(HEAD "\r"), GATE_INCOMPLETE},
	{BYTES("POST /ask HTTP/1.1\n" HOST "\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "X-A: b\nX-B: c\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "X-A: b\r\n c\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "X-A: b\r\n\tc\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "X-A: b\rX-B: c\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "X-A: b\0c\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "X-A : b\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD ": b\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "nothing\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES("POST /a\0sk HTTP/1.1\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "Content-Length: 3, 3\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "content-length: +3\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "Content-Length: -1\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "Content-Length: 0x3\r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "Content-Length: \r\n\r\n"), GATE_BAD_REQUEST},
	{BYTES(HEAD "Content-Length: 18446744073709551616\r\n\r\n"), GATE_TOO_LARGE},
};

START_TEST(a_head_is_what_it_is)
{
	const char *why = "";
	ck_assert_msg(gate_check(cases[_i].bytes, &why) == cases[_i].expected, "%s",
		      cases[_i].bytes.p);
	if (cases[_i].expected == GATE_BAD_REQUEST || cases[_i].expected == GATE_TOO_LARGE)
		ck_assert_uint_gt(strlen(why), 0);
}
END_TEST

START_TEST(a_head_that_comes_byte_by_byte_is_incomplete_until_its_last_byte)
{
	static const char head[] = HEAD "Content-Length: 5\r\nX-A: b\r\n\r\n";
	const char *why;
	for (size_t n = 0; n < sizeof(head) - 1; n++)
		ck_assert_int_eq(gate_check(sl_slice(head, n), &why), GATE_INCOMPLETE);
	ck_assert_int_eq(gate_check(sl_slice(head, sizeof(head) - 1), &why), GATE_GOOD);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate");
	TCase *t = tcase_create("gate");
	tcase_add_loop_test(t, a_head_is_what_it_is, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_test(t, a_head_that_comes_byte_by_byte_is_incomplete_until_its_last_byte);
	suite_add_tcase(suite, t);
	return unit_main(suite);
}
