/* Steps, and text cut into what looks like tokens. */
#include "app/demo/script.h"

#include <ctype.h>
#include <stdlib.h>
#include <sluice/error.h>

#define TEXT_MAX  (16u << 20)
#define WORD_MAX  8 /* bytes of a word that is one token */
#define PART_MAX  5 /* of the parts of longer ones */
#define DIGIT_MAX 3
#define MARK_MAX  3

void demo_script_init(struct demo_script *s)
{
	*s = (struct demo_script){.finish_reason = "stop"};
	sl_buf_init(&s->text, TEXT_MAX);
}

void demo_script_fini(struct demo_script *s)
{
	sl_buf_fini(&s->text);
	free(s->steps);
	demo_script_init(s);
}

int demo_script_put(struct demo_script *s, enum demo_step_kind kind, struct sl_slice piece)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 128;
		struct demo_step *steps = realloc(s->steps, cap * sizeof(*steps));

		if (!steps)
			return -SL_E_NOMEM;
		s->steps = steps;
		s->cap = cap;
	}
	size_t at = s->text.len;
	int r = sl_buf_put_slice(&s->text, piece);
	if (r < 0)
		return r;
	s->steps[s->n++] = (struct demo_step){kind, (uint32_t)at, (uint32_t)piece.n, 0};
	return 0;
}

enum char_class { CLASS_BLANK, CLASS_LINE, CLASS_DIGIT, CLASS_LETTER, CLASS_MARK };

static enum char_class class_of(char c)
{
	unsigned char u = (unsigned char)c;

	if (u == ' ' || u == '\t')
		return CLASS_BLANK;
	if (u == '\n' || u == '\r')
		return CLASS_LINE;
	if (isdigit(u))
		return CLASS_DIGIT;
	return isalpha(u) || u >= 0x80 ? CLASS_LETTER : CLASS_MARK;
}

static bool is_inside_char(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* How many bytes from `at` on are of the class. */
static size_t run_of(struct sl_slice text, size_t at, enum char_class class)
{
	size_t n = 0;

	while (at + n < text.n && class_of(text.p[at + n]) == class)
		n++;
	return n;
}

/* The length of the piece at the start of the text. */
static size_t piece_length(struct sl_slice text)
{
	size_t blanks = run_of(text, 0, CLASS_BLANK);

	/* Only the last blank before a word goes with it: an indented line begins with the others.
	 */
	if (blanks > 1 || blanks == text.n)
		return blanks == text.n ? blanks : blanks - 1;
	enum char_class class = class_of(text.p[blanks]);
	size_t run = run_of(text, blanks, class), take = run;

	if (class == CLASS_LETTER && run > WORD_MAX)
		take = PART_MAX;
	else if (class == CLASS_DIGIT && run > DIGIT_MAX)
		take = DIGIT_MAX;
	else if (class == CLASS_MARK && run > MARK_MAX)
		take = MARK_MAX;
	while (take < run && is_inside_char(text.p[blanks + take]))
		take++;
	return blanks + take;
}

int demo_script_put_text(struct demo_script *s, enum demo_step_kind kind, struct sl_slice text)
{
	while (text.n > 0) {
		size_t n = piece_length(text);
		int r = demo_script_put(s, kind, sl_slice(text.p, n));

		if (r < 0)
			return r;
		text = sl_slice(text.p + n, text.n - n);
	}
	return 0;
}

static bool is_token(const struct demo_step *step)
{
	return step->kind == DEMO_TEXT || step->kind == DEMO_REASONING ||
	       step->kind == DEMO_ARGUMENTS;
}

void demo_script_truncate(struct demo_script *s, size_t tokens)
{
	for (size_t i = 0; i < s->n; i++) {
		if (is_token(&s->steps[i]) && tokens-- == 0) {
			s->n = i;
			s->text.len = s->steps[i].at;
			return;
		}
	}
}

size_t demo_script_tokens(const struct demo_script *s, size_t n)
{
	size_t tokens = 0;

	for (size_t i = 0; i < n; i++)
		tokens += is_token(&s->steps[i]);
	return tokens;
}

size_t demo_script_count(const struct demo_script *s, size_t n, enum demo_step_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += s->steps[i].kind == kind;
	return count;
}
