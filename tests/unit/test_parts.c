/* What decoders say, made tidy. Events are written as words: "t1:a" is text "a". */
#include "stream/parts.h"

#include <stdio.h>
#include <string.h>
#include <sluice/error.h>
#include "unit.h"

/* t text, r reasoning, f refusal, s signature, C call start, a arguments, e end of a call, p start
 * of a text, x end of a text, F finish, U usage, M meta. A digit: the call's index. */
static struct sl_event event_of(const char *word)
{
	static const struct {
		char letter;
		enum sl_event_kind kind;
		int64_t n0;
	} letters[] = {
		{'t', SL_EVENT_TEXT, 0},
		{'r', SL_EVENT_REASONING, 0},
		{'f', SL_EVENT_REFUSAL, 0},
		{'s', SL_EVENT_SIGNATURE, 0},
		{'C', SL_EVENT_TOOL_START, 0},
		{'a', SL_EVENT_TOOL_ARGS, 0},
		{'e', SL_EVENT_PART_END, SL_EVENT_TOOL_ARGS},
		{'p', SL_EVENT_PART_START, SL_EVENT_TEXT},
		{'x', SL_EVENT_PART_END, SL_EVENT_TEXT},
		{'F', SL_EVENT_FINISH, 0},
		{'U', SL_EVENT_USAGE, 0},
		{'M', SL_EVENT_META, 0},
	};
	struct sl_event e = {0};

	for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++) {
		if (letters[i].letter == word[0]) {
			e.kind = letters[i].kind;
			e.n0 = letters[i].n0;
		}
	}
	ck_assert_int_ne(e.kind, 0);
	e.index = word[1] >= '0' && word[1] <= '9' ? (uint32_t)(word[1] - '0') : 0;
	if (strchr(word, ':'))
		e.s[0] = sl_slice_str(strchr(word, ':') + 1);
	return e;
}

static void print(struct sl_buf *out, const struct sl_event *e)
{
	static const char *const names[] = {
		[SL_EVENT_META] = "M",       [SL_EVENT_TEXT] = "t",
		[SL_EVENT_REASONING] = "r",  [SL_EVENT_REFUSAL] = "f",
		[SL_EVENT_TOOL_START] = "C", [SL_EVENT_TOOL_ARGS] = "a",
		[SL_EVENT_USAGE] = "U",      [SL_EVENT_FINISH] = "F",
		[SL_EVENT_ERROR] = "E",      [SL_EVENT_SIGNATURE] = "s",
		[SL_EVENT_PART_START] = "<", [SL_EVENT_PART_END] = ">",
		[SL_EVENT_PART_WHOLE] = "W",
	};
	bool counted = e->kind != SL_EVENT_META && e->kind != SL_EVENT_USAGE &&
		       e->kind != SL_EVENT_FINISH && e->kind != SL_EVENT_ERROR;

	sl_buf_printf(out, " %s", names[e->kind]);
	if (counted)
		sl_buf_printf(out, "%u", e->part);
	if (e->s[0].n)
		sl_buf_printf(out, ":%.*s", (int)e->s[0].n, e->s[0].p);
}

/* Words of one entry are separated by spaces, entries by "|"; what comes out the same way, and
 * behind "=" what stands at the end. */
static void run(struct parts *p, const char *text, struct sl_buf *out)
{
	char copy[512], *entry, *rest = copy;
	struct sl_entry tidy;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((entry = strtok_r(rest, "|", &rest))) {
		struct sl_event events[16];
		struct sl_entry in = {.events = events};
		char *word, *left = entry;

		while ((word = strtok_r(left, " ", &left)))
			events[in.n_events++] = event_of(word);
		ck_assert_int_eq(parts_arrange(p, &in, &tidy), 0);
		sl_buf_put_str(out, out->len ? " |" : "");
		for (size_t i = 0; i < tidy.n_events; i++)
			print(out, &tidy.events[i]);
	}
	if (parts_has_held(p)) {
		ck_assert_int_eq(parts_release(p, &tidy), 0);
		sl_buf_put_str(out, " +");
		for (size_t i = 0; i < tidy.n_events; i++)
			print(out, &tidy.events[i]);
	}
	ck_assert_int_eq(
		parts_end(p, NULL, NULL, 0, &(struct sl_entry){.flags = SL_ENTRY_END}, &tidy), 0);
	sl_buf_put_str(out, " =");
	for (size_t i = 0; i < tidy.n_events; i++)
		print(out, &tidy.events[i]);
	sl_buf_putc(out, '\0');
}

static const struct {
	const char *in, *out;
} cases[] = {
	/* every delta stands in a part */
	{"M t:a|t:b|F", " M <0 t0:a | t0:b | F = >0"},
	/* META is always there, once */
	{"t:a|M|U", " M <0 t0:a | | U = >0"},
	{"U|t:a", " M U | <0 t0:a = >0"},
	/* another kind closes what is open */
	{"M r:a t:b|f:c", " M <0 r0:a >0 <1 t1:b | >1 <2 f2:c = >2"},
	{"M r:a s:x|t:b", " M <0 r0:a s0:x | >0 <1 t1:b = >1"},
	{"M s:x|t:b", " M <0 s0:x | >0 <1 t1:b = >1"},
	/* starts and ends that are told */
	{"M p|t:a|x|p|t:b", " M <0 | t0:a | >0 | <1 | t1:b = >1"},
	{"M p t:a x x|e1", " M <0 t0:a >0 | ="},
	/* calls, one after the other */
	{"M t:a|C0:i|a0:{}|C1:j|a1:{}|F",
	 " M <0 t0:a | >0 C1:i | a1:{} | >1 C2:j | a2:{} | F = >2"},
	{"M C0:i a0:{} e0 C1:j a1:{} e1", " M C0:i a0:{} >0 C1:j a1:{} >1 ="},
	/* interleaved: the second waits until the first is complete JSON */
	{"M C0:i|C1:j|a0:{\"x\":|a1:{}|a0:1}|F",
	 " M C0:i | | a0:{\"x\": | | a0:1} >0 C1:j a1:{} | F = >1"},
	{"M C0:i C1:j C2:k|a2:[|a1:{}|a0:{}|a2:]|F",
	 " M C0:i | | | a0:{} >0 C1:j a1:{} >1 C2:k a2:[ | a2:] | F = >2"},
	/* brackets in strings are none */
	{"M C0:i a0:{\"}\\\":|C1:j|a0:\"}|a1:{}",
	 " M C0:i a0:{\"}\\\": | | a0:\"} >0 C1:j | a1:{} = >1"},
	/* calls without arguments: at the latest the finish says that they are complete */
	{"M C0:i|C1:j|F", " M C0:i | | >0 C1:j F = >1"},
	{"M C0:i|C1:j", " M C0:i | + >0 C1:j = >1"},
	/* an end that is told comes before */
	{"M C0:i|C1:j|e0|a1:{}", " M C0:i | | >0 C1:j | a1:{} = >1"},
	{"M C0:i|C1:j e1|t:a|e0", " M C0:i | | | >0 C1:j >1 <2 t2:a = >2"},
	/* text between the pieces of a call waits too */
	{"M C0:i a0:{|t:a|t:b|a0:}|t:c", " M C0:i a0:{ | | | a0:} >0 <1 t1:ab | t1:c = >1"},
	/* what comes behind a call's end is nobody's */
	{"M C0:i a0:{}|t:a|a0:{}", " M C0:i a0:{} | >0 <1 t1:a | = >1"},
	/* text behind the finish */
	{"M t:a F|t:b F", " M <0 t0:a F | t0:b F = >0"},
};

START_TEST(parts_come_one_after_the_other)
{
	struct parts p = {0};
	struct sl_buf out = {.max = SIZE_MAX};

	run(&p, cases[_i].in, &out);
	ck_assert_str_eq(out.p, cases[_i].out);
	parts_fini(&p);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(a_composed_log_tells_the_whole_of_each_part)
{
	struct parts p = {.composing = true};
	struct sl_buf out = {.max = SIZE_MAX};

	run(&p, "M r:a r:b s:x|t:c|C0:i a0:{|C1:j|a1:{}|a0:}|F", &out);
	ck_assert_str_eq(out.p, " M <0 r0:a r0:b s0:x | >0:ab <1 t1:c | >1:c C2:i a2:{ | | | a2:} "
				">2:{} C3:j a3:{} | F = >3:{} W0:ab W1:c W2:{} W3:{}");
	parts_fini(&p);
	sl_buf_fini(&out);
}
END_TEST

START_TEST(a_whole_part_has_its_names)
{
	struct parts p = {.composing = true};
	struct sl_event in[] = {
		{.kind = SL_EVENT_TOOL_START,
		 .index = 3,
		 .s = {SL_LIT("id"), SL_LIT("name"), SL_LIT("sig")}},
		{.kind = SL_EVENT_TOOL_ARGS, .index = 3, .s = {SL_LIT("{}")}},
	};
	struct sl_event error = {.kind = SL_EVENT_ERROR};
	struct sl_event meta = {.kind = SL_EVENT_META};
	struct sl_entry out;
	const struct sl_event *whole;

	ck_assert_int_eq(parts_arrange(&p, &(struct sl_entry){.events = in, .n_events = 2}, &out),
			 0);
	ck_assert_int_eq(
		parts_end(&p, &error, &meta, 1, &(struct sl_entry){.flags = SL_ENTRY_FAILED}, &out),
		0);
	ck_assert_uint_eq(out.n_events, 4);
	ck_assert_int_eq(out.events[0].kind, SL_EVENT_ERROR);
	ck_assert_int_eq(out.events[1].kind, SL_EVENT_PART_END);
	ck_assert_int_eq(out.events[2].kind, SL_EVENT_META);
	whole = &out.events[3];
	ck_assert_int_eq(whole->kind, SL_EVENT_PART_WHOLE);
	ck_assert_int_eq(whole->n0, SL_EVENT_TOOL_ARGS);
	ck_assert_uint_eq(whole->index, 3);
	ck_assert(sl_slice_is(whole->s[0], "{}") && sl_slice_is(whole->s[1], "id") &&
		  sl_slice_is(whole->s[2], "name") && sl_slice_is(whole->s[3], "sig"));
	parts_fini(&p);
}
END_TEST

START_TEST(other_choices_pass_untouched)
{
	struct parts p = {0};
	struct sl_event in = {.kind = SL_EVENT_TEXT, .choice = 1, .s = {SL_LIT("a")}};
	struct sl_entry out;

	ck_assert_int_eq(parts_arrange(&p, &(struct sl_entry){.events = &in, .n_events = 1}, &out),
			 0);
	ck_assert_uint_eq(out.n_events, 2);
	ck_assert_int_eq(out.events[1].kind, SL_EVENT_TEXT);
	parts_fini(&p);
}
END_TEST

/* An upstream that never completes its first call and pours into the second. */
START_TEST(what_is_held_has_a_bound)
{
	static char piece[1 << 20];
	struct parts p = {0};
	struct sl_event in[] = {
		{.kind = SL_EVENT_TOOL_START, .index = 0, .s = {SL_LIT("i")}},
		{.kind = SL_EVENT_TOOL_START, .index = 1, .s = {SL_LIT("j")}},
		{.kind = SL_EVENT_TOOL_ARGS, .index = 1, .s = {sl_slice(piece, sizeof(piece))}},
	};
	struct sl_entry out;
	int r = parts_arrange(&p, &(struct sl_entry){.events = in, .n_events = 2}, &out);

	memset(piece, ' ', sizeof(piece));
	for (int i = 0; i < 17 && r == 0; i++)
		r = parts_arrange(&p, &(struct sl_entry){.events = &in[2], .n_events = 1}, &out);
	ck_assert_int_eq(r, -SL_E_LIMIT);
	parts_fini(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("parts");
	TCase *t = tcase_create("parts");

	tcase_add_loop_test(t, parts_come_one_after_the_other, 0,
			    (int)(sizeof(cases) / sizeof(*cases)));
	tcase_add_test(t, a_composed_log_tells_the_whole_of_each_part);
	tcase_add_test(t, a_whole_part_has_its_names);
	tcase_add_test(t, other_choices_pass_untouched);
	tcase_add_test(t, what_is_held_has_a_bound);
	suite_add_tcase(s, t);
	return unit_main(s);
}
