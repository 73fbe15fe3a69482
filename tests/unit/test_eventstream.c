/* AWS's event streams: how they are cut into messages, and what is refused. */
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/crc32.h"
#include "codec/framing.h"
#include "eventstream.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

static const struct framing *const framing = &framing_eventstream;

/* Everything that came, as text: "name=data;" with "!" in front of an error, and the result that
 * ended it. */
struct reading {
	struct sl_buf trace;
	int result;
};

static void take(struct reading *r, const struct message *m)
{
	if (m->error)
		sl_buf_putc(&r->trace, '!');
	sl_buf_put_slice(&r->trace, m->name);
	sl_buf_putc(&r->trace, '=');
	sl_buf_put_slice(&r->trace, m->data);
	sl_buf_putc(&r->trace, ';');
}

/* Cut after `first` bytes, then every `step`; each piece lies in memory of its own. */
static struct reading read_cut(struct sl_slice bytes, size_t max, size_t first, size_t step)
{
	struct reading r = {.trace.max = SIZE_MAX};
	void *state = calloc(1, framing->size);
	struct message m;

	ck_assert_ptr_nonnull(state);
	framing->init(state, max);
	for (size_t n = first; bytes.n > 0 && r.result == 0; n = step) {
		char *piece;

		n = n < bytes.n ? n : bytes.n;
		piece = malloc(n);
		ck_assert_ptr_nonnull(piece);
		memcpy(piece, bytes.p, n);
		framing->feed(state, piece, n);
		while ((r.result = framing->next(state, &m)) == 1)
			take(&r, &m);
		free(piece);
		bytes = sl_slice(bytes.p + n, bytes.n - n);
	}
	/* What has failed stays so. */
	ck_assert_int_eq(framing->finish(state, &m), r.result);
	if (r.result < 0)
		ck_assert_int_eq(framing->next(state, &m), r.result);
	framing->fini(state);
	free(state);
	return r;
}

static void expect(struct sl_slice bytes, size_t max, const char *trace, int result)
{
	for (size_t way = 0; way <= bytes.n && way < 300; way++) {
		size_t step = way == 0 ? 1 : bytes.n;
		struct reading r = read_cut(bytes, max, way, step);

		ck_assert_int_eq(r.result, result);
		ck_assert_uint_eq(r.trace.len, strlen(trace));
		ck_assert(sl_slice_is(sl_buf_slice(&r.trace), trace));
		sl_buf_fini(&r.trace);
	}
}

static struct sl_buf two_messages(void)
{
	struct sl_buf out = {.max = SIZE_MAX};

	eventstream_put_named(&out, "event", "a", SL_LIT("one"));
	eventstream_put_named(&out, "event", "b", SL_LIT(""));
	return out;
}

START_TEST(checksums_are_those_that_everybody_computes)
{
	ck_assert_uint_eq(crc32_of(sl_slice(NULL, 0)), 0);
	ck_assert_uint_eq(crc32_of(SL_LIT("123456789")), 0xcbf43926);
	ck_assert_uint_eq(crc32_of(SL_LIT("The quick brown fox jumps over the lazy dog")),
			  0x414fa339);
	ck_assert_uint_eq(crc32_of(SL_LIT("\0\0\0\0")), 0x2144df1c);
	ck_assert_uint_eq(crc32_of(SL_LIT("\xff\xff\xff\xff")), 0xffffffff);
}
END_TEST

START_TEST(messages_are_the_same_however_they_are_cut)
{
	struct sl_buf bytes = two_messages();

	expect(sl_buf_slice(&bytes), 1000, "a=one;b=;", 0);
	sl_buf_fini(&bytes);
}
END_TEST

START_TEST(a_message_that_lies_whole_in_the_input_is_not_copied)
{
	struct sl_buf bytes = two_messages();
	void *state = calloc(1, framing->size);
	struct message m;

	ck_assert_ptr_nonnull(state);
	framing->init(state, 1000);
	framing->feed(state, bytes.p, bytes.len);
	ck_assert_int_eq(framing->next(state, &m), 1);
	ck_assert_ptr_eq(m.data.p, memmem(bytes.p, bytes.len, "one", 3));
	framing->fini(state);
	free(state);
	sl_buf_fini(&bytes);
}
END_TEST

/* The bytes of headers, and what the name of the message is. */
#define H(s) SL_LIT_INIT(s)
static const struct {
	struct sl_slice headers;
	const char *trace;
	int result;
} header_cases[] = {
	{H(""), "=x;", 0},
	{H("\x0b:event-type\x07\0\x01n"), "n=x;", 0},
	/* every other type stands in front of it, and is passed over */
	{H("\x01t\x00\x0b:event-type\x07\0\x01n"), "n=x;", 0},
	{H("\x01t\x01\x0b:event-type\x07\0\x01n"), "n=x;", 0},
	{H("\x01t\x02\x7f\x0b:event-type\x07\0\x01n"), "n=x;", 0},
	{H("\x01t\x03\x01\x02\x0b:event-type\x07\0\x01n"), "n=x;", 0},
	{H("\x01t\x04\x01\x02\x03\x04\x0b:event-type\x07\0\x01n"), "n=x;", 0},
	{H("\x01t\x05\x01\x02\x03\x04\x05\x06\x07\x08\x0b:event-type\x07\0\x01n"), "n=x;", 0},
	{H("\x01t\x06\0\x03"
	   "abc\x0b:event-type\x07\0\x01n"),
	 "n=x;", 0},
	{H("\x01t\x06\0\0\x0b:event-type\x07\0\x01n"), "n=x;", 0},
	{H("\x01t\x08\x01\x02\x03\x04\x05\x06\x07\x08\x0b:event-type\x07\0\x01n"), "n=x;", 0},
	{H("\x01t\x09"
	   "0123456789abcdef\x0b:event-type\x07\0\x01n"),
	 "n=x;", 0},
	/* a name that is no string is none */
	{H("\x0b:event-type\x06\0\x01n"), "=x;", 0},
	{H("\x0b:event-type\x00"), "=x;", 0},
	/* errors */
	{H("\x0d:message-type\x07\0\x09"
	   "exception\x0f:exception-type\x07\0\x01n"),
	 "!n=x;", 0},
	{H("\x0d:message-type\x07\0\x05"
	   "error\x0b:error-code\x07\0\x03"
	   "500\x0e:error-message\x07\0\x04"
	   "down"),
	 "!500=down;", 0},
	{H("\x0d:message-type\x07\0\x05"
	   "error"),
	 "!=;", 0},
	/* damaged: checksums that fit do not help */
	{H("\x0b:event-type\x0a\0\x01n"), "", -SL_E_SYNTAX},
	{H("\x0b:event-type\xff\0\x01n"), "", -SL_E_SYNTAX},
	{H("\x0b:event-type\x07\0\x02n"), "", -SL_E_SYNTAX},
	{H("\x0b:event-type\x07\xff\xffn"), "", -SL_E_SYNTAX},
	{H("\x0b:event-type\x07\0"), "", -SL_E_SYNTAX},
	{H("\x0b:event-type\x07"), "", -SL_E_SYNTAX},
	{H("\x0b:event-type"), "", -SL_E_SYNTAX},
	{H("\x0b:event"), "", -SL_E_SYNTAX},
	{H("\xff:event"), "", -SL_E_SYNTAX},
	{H("\x01"), "", -SL_E_SYNTAX},
	{H("\0\x07\0\x01n"), "", -SL_E_SYNTAX},
	{H("\x01t\x05\x01\x02\x03\x04\x05\x06\x07"), "", -SL_E_SYNTAX},
	{H("\x01t\x09"
	   "0123456789abcde"),
	 "", -SL_E_SYNTAX},
};

START_TEST(headers_of_every_type_are_read_and_damaged_ones_end_it)
{
	struct sl_buf bytes = {.max = SIZE_MAX};

	eventstream_put(&bytes, header_cases[_i].headers, SL_LIT("x"));
	expect(sl_buf_slice(&bytes), 1000, header_cases[_i].trace, header_cases[_i].result);
	sl_buf_fini(&bytes);
}
END_TEST

START_TEST(a_single_wrong_byte_anywhere_is_noticed)
{
	struct sl_buf bytes = two_messages();
	size_t first = (unsigned char)bytes.p[3];

	for (size_t i = 0; i < bytes.len; i++) {
		struct reading r;

		bytes.p[i] ^= 0x10;
		r = read_cut(sl_buf_slice(&bytes), 1000, bytes.len, 1);
		ck_assert_int_eq(r.result, -SL_E_SYNTAX);
		ck_assert(sl_slice_is(sl_buf_slice(&r.trace), i < first ? "" : "a=one;"));
		bytes.p[i] ^= 0x10;
		sl_buf_fini(&r.trace);
	}
	sl_buf_fini(&bytes);
}
END_TEST

START_TEST(a_message_that_is_cut_off_is_nothing)
{
	struct sl_buf bytes = two_messages();
	size_t first = (unsigned char)bytes.p[3];

	for (size_t n = 0; n < bytes.len; n++) {
		struct reading r = read_cut(sl_slice(bytes.p, n), 1000, 7, 5);

		ck_assert_int_eq(r.result, 0);
		ck_assert(sl_slice_is(sl_buf_slice(&r.trace), n < first ? "" : "a=one;"));
		sl_buf_fini(&r.trace);
	}
	sl_buf_fini(&bytes);
}
END_TEST

/* Preludes alone, with a good checksum: nothing more has to come to know that they are wrong. */
static const struct {
	uint32_t total, headers;
	int result;
} preludes[] = {
	{16, 0, 0},
	{15, 0, -SL_E_SYNTAX},
	{0, 0, -SL_E_SYNTAX},
	{100, 84, 0},
	{100, 85, -SL_E_SYNTAX},
	{100, 0xffffffff, -SL_E_SYNTAX},
	{100, 0xfffffff0, -SL_E_SYNTAX},
	{(128 << 10) + 16, 128 << 10, 0},
	{(128 << 10) + 17, (128 << 10) + 1, -SL_E_SYNTAX},
	{1016, 0, 0}, /* as much as the caller takes */
	{1017, 0, -SL_E_LIMIT},
	{1117, 100, -SL_E_LIMIT},
	{16 << 20, 0, -SL_E_LIMIT},
	{(16 << 20) + 1, 0, -SL_E_LIMIT},
	{0xffffffff, 0, -SL_E_LIMIT},
	{0xffffffff, 0xffffffff, -SL_E_SYNTAX},
};

static void put_prelude(struct sl_buf *out, uint32_t total, uint32_t headers)
{
	uint32_t numbers[3] = {total, headers, 0};

	for (size_t i = 0; i < 3; i++) {
		if (i == 2)
			numbers[i] = crc32_of(sl_buf_slice(out));
		for (int shift = 24; shift >= 0; shift -= 8)
			sl_buf_putc(out, (char)(numbers[i] >> shift));
	}
}

START_TEST(lengths_are_judged_before_anything_is_collected)
{
	struct sl_buf bytes = {.max = SIZE_MAX};

	put_prelude(&bytes, preludes[_i].total, preludes[_i].headers);
	expect(sl_buf_slice(&bytes), 1000, "", preludes[_i].result);
	sl_buf_fini(&bytes);
}
END_TEST

START_TEST(sixteen_mebibytes_are_the_most_whatever_the_caller_takes)
{
	struct sl_buf bytes = {.max = SIZE_MAX};

	put_prelude(&bytes, (16 << 20) + 1, 0);
	expect(sl_buf_slice(&bytes), SIZE_MAX, "", -SL_E_LIMIT);
	bytes.len = 0;
	put_prelude(&bytes, 16 << 20, 0);
	expect(sl_buf_slice(&bytes), SIZE_MAX, "", 0);
	sl_buf_fini(&bytes);
}
END_TEST

START_TEST(a_large_message_in_small_pieces_is_collected)
{
	struct sl_buf bytes = {.max = SIZE_MAX};
	char *payload = malloc(1 << 20);
	struct reading r;

	ck_assert_ptr_nonnull(payload);
	memset(payload, 'z', 1 << 20);
	eventstream_put_named(&bytes, "event", "a", sl_slice(payload, 1 << 20));
	eventstream_put_named(&bytes, "event", "b", SL_LIT("two"));
	r = read_cut(sl_buf_slice(&bytes), 1 << 20, 5, 1000);
	ck_assert_int_eq(r.result, 0);
	ck_assert_uint_eq(r.trace.len, (1 << 20) + 3 + 6);
	ck_assert(memcmp(r.trace.p + r.trace.len - 6, "b=two;", 6) == 0);
	sl_buf_fini(&r.trace);
	sl_buf_fini(&bytes);
	free(payload);
}
END_TEST

START_TEST(text_is_no_event_stream)
{
	expect(SL_LIT("data: {\"a\":1}\n\n"), 1000, "", -SL_E_SYNTAX);
	expect(SL_LIT("HTTP/1.1 200 OK\r\n"), 1000, "", -SL_E_SYNTAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("eventstream");
	TCase *tc = tcase_create("framing");

	tcase_add_test(tc, checksums_are_those_that_everybody_computes);
	tcase_add_test(tc, messages_are_the_same_however_they_are_cut);
	tcase_add_test(tc, a_message_that_lies_whole_in_the_input_is_not_copied);
	tcase_add_loop_test(tc, headers_of_every_type_are_read_and_damaged_ones_end_it, 0,
			    COUNT(header_cases));
	tcase_add_test(tc, a_single_wrong_byte_anywhere_is_noticed);
	tcase_add_test(tc, a_message_that_is_cut_off_is_nothing);
	tcase_add_loop_test(tc, lengths_are_judged_before_anything_is_collected, 0,
			    COUNT(preludes));
	tcase_add_test(tc, sixteen_mebibytes_are_the_most_whatever_the_caller_takes);
	tcase_add_test(tc, a_large_message_in_small_pieces_is_collected);
	tcase_add_test(tc, text_is_no_event_stream);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
