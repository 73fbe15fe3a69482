/* Error lines, and the nearest word by edit distance. Whatever the user wrote is shown without
 * control bytes. */
#include "app/config_report.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/buf.h>
#include "app/config_tree.h"

#define LINE_MAX_BYTES 4096
#define SEGMENT_MAX    64 /* bytes of one key that are shown */

/* Takes over the line. Without memory for it the error still counts. */
static void keep(struct config_report *r, unsigned line, struct sl_buf *text)
{
	size_t at = r->count++;

	if (at >= CONFIG_ERRORS_MAX || sl_buf_put(text, "", 1) < 0) {
		sl_buf_fini(text);
		return;
	}
	for (char *p = text->p; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	/* By insertion: errors come nearly in order, and those of one line stay as they came. */
	for (; at > 0 && r->errors[at - 1].line > line; at--)
		r->errors[at] = r->errors[at - 1];
	r->errors[at].line = line;
	r->errors[at].text = text->p;
}

void config_report_flush(struct config_report *r, FILE *to)
{
	size_t n = r->count < CONFIG_ERRORS_MAX ? r->count : CONFIG_ERRORS_MAX;

	for (size_t i = 0; i < n; i++) {
		fprintf(to, "%s\n", r->errors[i].text ? r->errors[i].text : "not enough memory");
		free(r->errors[i].text);
	}
	if (r->count > n)
		fprintf(to, "and %zu errors more\n", r->count - n);
	*r = (struct config_report){0};
}

static void put_segment(struct sl_buf *b, const char *text)
{
	size_t n = strlen(text);

	sl_buf_put(b, text, n < SEGMENT_MAX ? n : SEGMENT_MAX);
	if (n > SEGMENT_MAX)
		sl_buf_put_str(b, "...");
}

static void put_path(struct sl_buf *b, const struct config_node *node)
{
	size_t index = 0;

	if (!node->parent)
		return;
	put_path(b, node->parent);
	if (node->key) {
		if (b->len)
			sl_buf_putc(b, '.');
		put_segment(b, node->key);
		return;
	}
	for (const struct config_node *c = node->parent->first; c != node; c = c->next)
		index++;
	sl_buf_printf(b, "[%zu]", index);
}

/* The origin's own name says it already: "--listen: ..." needs no "listen" or "listen[1]" behind
 * it; "--set keys: ..." does need "keys[1].name". */
static bool is_named_by_origin(const struct config_node *node, const char *path)
{
	size_t n;

	if (!node->base)
		return false;
	n = strlen(node->base);
	return strncmp(path, node->base, n) == 0 &&
	       (path[n] == 0 || (path[n] == '[' && !strchr(path + n, '.')));
}

/* A bounded line never fails for want of room: it is cut, which nobody minds in a message. */
__attribute__((format(printf, 2, 0))) static void put_format(struct sl_buf *b, const char *format,
							     va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	sl_buf_put_str(b, text);
}

void config_complain(struct config_report *r, const struct config_node *node, const char *child,
		     const char *format, ...)
{
	struct sl_buf line, path;
	va_list args;

	sl_buf_init(&line, LINE_MAX_BYTES);
	sl_buf_init(&path, LINE_MAX_BYTES / 2);
	put_path(&path, node);
	if (child) {
		if (path.len)
			sl_buf_putc(&path, '.');
		put_segment(&path, child);
	}
	if (sl_buf_put(&path, "", 1) < 0)
		sl_buf_fini(&path);

	sl_buf_put_str(&line, node->origin);
	if (node->line)
		sl_buf_printf(&line, ":%u", node->line);
	sl_buf_put_str(&line, ": ");
	if (path.len > 1 && !is_named_by_origin(node, path.p))
		sl_buf_printf(&line, "%s: ", path.p);
	va_start(args, format);
	put_format(&line, format, args);
	va_end(args);
	sl_buf_fini(&path);
	keep(r, node->line ? node->line : UINT_MAX, &line);
}

void config_complain_plainly(struct config_report *r, const char *format, ...)
{
	struct sl_buf line;
	va_list args;

	sl_buf_init(&line, LINE_MAX_BYTES);
	va_start(args, format);
	put_format(&line, format, args);
	va_end(args);
	keep(r, UINT_MAX, &line);
}

void config_complain_memory(struct config_report *r)
{
	config_complain_plainly(r,
				"not enough memory, or more values than a configuration may have");
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool is_same(char a, char b)
{
	if ((a == '-' || a == '_') && (b == '-' || b == '_'))
		return true;
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Insertions, deletions, substitutions and swaps of neighbours; upper and lower case are the same.
 */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][CONFIG_WORD_MAX + 1];
	size_t *two_up = rows[0], *up = rows[1], *row = rows[2];

	for (size_t k = 0; k <= m; k++)
		row[k] = k;
	for (size_t i = 1; i <= n; i++) {
		size_t *free_row = two_up;

		two_up = up;
		up = row;
		row = free_row;
		row[0] = i;
		for (size_t k = 1; k <= m; k++) {
			bool same = is_same(a[i - 1], b[k - 1]);

			row[k] = min(up[k - 1] + !same, min(up[k], row[k - 1]) + 1);
			if (i > 1 && k > 1 && is_same(a[i - 1], b[k - 2]) &&
			    is_same(a[i - 2], b[k - 1]))
				row[k] = min(row[k], two_up[k - 2] + 1);
		}
	}
	return row[m];
}

void config_nearest_offer(struct config_nearest *n, const char *candidate)
{
	size_t word = strlen(n->word), other = strlen(candidate), distance;

	if (word == 0 || word > CONFIG_WORD_MAX || other > CONFIG_WORD_MAX)
		return;
	distance = edit_distance(n->word, word, candidate, other);
	if (distance > 1 + word / 4 || distance >= other)
		return;
	if (n->best[0] && distance >= n->distance)
		return;
	memcpy(n->best, candidate, other + 1);
	n->distance = distance;
}

const char *config_nearest_hint(const struct config_nearest *n, char *out, size_t size)
{
	out[0] = 0;
	if (n->best[0])
		snprintf(out, size, " (did you mean \"%s\"?)", n->best);
	return out;
}
