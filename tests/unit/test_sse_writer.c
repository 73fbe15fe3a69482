/* The writer: no byte of the data can forge a field, and any sequence of windows writes the same
 * bytes. */
#include <sluice/sse.h>

#include "unit.h"

static const struct {
	struct sl_slice data, block;
} cases[] = {
	{SL_LIT_INIT(""), SL_LIT_INIT("data: \n")},
	{SL_LIT_INIT("text"), SL_LIT_INIT("data: text\n")},
	{SL_LIT_INIT(" text "), SL_LIT_INIT("data:  text \n")},
	{SL_LIT_INIT("a\nb"), SL_LIT_INIT("data: a\ndata: b\n")},
	{SL_LIT_INIT("a\rb"), SL_LIT_INIT("data: a\ndata: b\n")},
	{SL_LIT_INIT("a\r\nb"), SL_LIT_INIT("data: a\ndata: b\n")},
	{SL_LIT_INIT("a\n\rb"), SL_LIT_INIT("data: a\ndata: \ndata: b\n")},
	{SL_LIT_INIT("a\r\r\nb"), SL_LIT_INIT("data: a\ndata: \ndata: b\n")},
	{SL_LIT_INIT("\n"), SL_LIT_INIT("data: \ndata: \n")},
	{SL_LIT_INIT("\r"), SL_LIT_INIT("data: \ndata: \n")},
	{SL_LIT_INIT("\r\n"), SL_LIT_INIT("data: \ndata: \n")},
	{SL_LIT_INIT("a\n\n"), SL_LIT_INIT("data: a\ndata: \ndata: \n")},
	{SL_LIT_INIT("a\0b"), SL_LIT_INIT("data: a\0b\n")},
	{SL_LIT_INIT("x\revent: forged\r\rdata: y"),
	 SL_LIT_INIT("data: x\ndata: event: forged\ndata: \ndata: data: y\n")},
	{SL_LIT_INIT("a line that is longer than a word\nand another one, too"),
	 SL_LIT_INIT("data: a line that is longer than a word\ndata: and another one, too\n")},
};

#define N_CASES ((int)(sizeof(cases) / sizeof(*cases)))

START_TEST(data_is_split_at_every_line_end)
{
	char out[200];
	struct sl_window w = sl_window(out, sizeof(out), 0);

	sl_sse_put_data(&w, cases[_i].data);
	ck_assert(!w.cut);
	ck_assert_uint_eq(w.written, cases[_i].block.n);
	ck_assert_uint_eq(w.room, sizeof(out) - w.written);
	ck_assert_ptr_eq(w.dst, out + w.written);
	ck_assert(sl_slice_eq(sl_slice(out, w.written), cases[_i].block));
}
END_TEST

START_TEST(what_was_written_is_read_as_one_event_with_the_same_lines)
{
	struct sl_sse_parser p;
	struct sl_sse_event event;
	char out[200];
	struct sl_window w = sl_window(out, sizeof(out), 0), again;
	char again_out[200];

	sl_sse_put_data(&w, cases[_i].data);
	sl_window_put(&w, SL_LIT("\n"));
	sl_sse_parser_init(&p, 1000);
	sl_sse_parser_feed(&p, out, w.written);
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 1);
	ck_assert(sl_slice_is(event.type, "message"));
	again = sl_window(again_out, sizeof(again_out), 0);
	sl_sse_put_data(&again, event.data);
	ck_assert(sl_slice_eq(sl_slice(again_out, again.written), cases[_i].block));
	ck_assert_int_eq(sl_sse_parser_next(&p, &event), 0);
	sl_sse_parser_fini(&p);
}
END_TEST

static void write_block(struct sl_window *w, struct sl_slice data)
{
	sl_sse_put_field(w, "id", SL_LIT("17"));
	sl_sse_put_field(w, "event", SL_LIT(""));
	sl_sse_put_data(w, data);
	sl_window_put(w, SL_LIT("\n"));
}

START_TEST(windows_of_any_size_write_the_same_bytes)
{
	char whole[300], pieces[300];
	struct sl_window w = sl_window(whole, sizeof(whole), 0);
	size_t n;

	write_block(&w, cases[_i].data);
	ck_assert(!w.cut);
	n = w.written;
	for (size_t room = 1; room <= n + 1; room++) {
		size_t done = 0;

		do {
			w = sl_window(pieces + done, room, done);
			write_block(&w, cases[_i].data);
			done += w.written;
			ck_assert_uint_le(done, n);
			ck_assert(w.cut == (done < n));
			ck_assert(!w.cut || w.written == room);
		} while (w.cut);
		ck_assert_uint_eq(done, n);
		ck_assert_mem_eq(pieces, whole, n);
	}
}
END_TEST

START_TEST(a_window_without_room_writes_nothing_and_says_so)
{
	struct sl_window w = sl_window(NULL, 0, 3);

	sl_window_put(&w, SL_LIT("ab"));
	sl_window_put(&w, SL_LIT(""));
	sl_window_put(&w, SL_LIT("c"));
	ck_assert(!w.cut);
	ck_assert_uint_eq(w.skip, 0);
	sl_window_put(&w, SL_LIT("d"));
	ck_assert(w.cut);
	ck_assert_uint_eq(w.written, 0);
}
END_TEST

START_TEST(fields_are_a_name_and_a_value)
{
	char out[64];
	struct sl_window w = sl_window(out, sizeof(out), 0);

	sl_sse_put_field(&w, "retry", SL_LIT("3000"));
	sl_sse_put_field(&w, "event", SL_LIT("a: b"));
	ck_assert(sl_slice_is(sl_slice(out, w.written), "retry: 3000\nevent: a: b\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sse_writer");
	TCase *tc = tcase_create("sse_writer");

	tcase_add_loop_test(tc, data_is_split_at_every_line_end, 0, N_CASES);
	tcase_add_loop_test(tc, what_was_written_is_read_as_one_event_with_the_same_lines, 0,
			    N_CASES);
	tcase_add_loop_test(tc, windows_of_any_size_write_the_same_bytes, 0, N_CASES);
	tcase_add_test(tc, a_window_without_room_writes_nothing_and_says_so);
	tcase_add_test(tc, fields_are_a_name_and_a_value);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
