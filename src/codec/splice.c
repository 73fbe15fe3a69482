/* Edits are sorted when they are applied, and the result is measured first: it is written once or
 * not at all. */
#include "codec/splice.h"

#include <assert.h>
#include <sluice/error.h>

void splice_init(struct splice *s)
{
	s->n = 0;
	s->overflow = false;
}

void splice_add(struct splice *s, size_t at, size_t remove, struct sl_slice insert)
{
	if (s->n == SPLICE_MAX) {
		s->overflow = true;
		return;
	}
	s->edit[s->n++] = (struct splice_edit){at, remove, insert};
}

static bool stands_before(const struct splice_edit *a, const struct splice_edit *b)
{
	if (a->at != b->at)
		return a->at < b->at;
	return a->remove == 0 && b->remove > 0;
}

/* By insertion: few edits, mostly added in order, and equal ones must stay as they are. */
static void sort_edits(struct splice *s)
{
	for (size_t i = 1; i < s->n; i++) {
		struct splice_edit edit = s->edit[i];
		size_t to = i;

		for (; to > 0 && stands_before(&edit, &s->edit[to - 1]); to--)
			s->edit[to] = s->edit[to - 1];
		s->edit[to] = edit;
	}
}

int splice_apply(struct splice *s, struct sl_slice source, struct sl_buf *out)
{
	size_t removed = 0, inserted = 0, from = 0;
	int r;

	if (s->overflow)
		return -SL_E_LIMIT;
	sort_edits(s);
	for (size_t i = 0; i < s->n; i++) {
		const struct splice_edit *e = &s->edit[i];

		assert(e->at >= from && e->at <= source.n && e->remove <= source.n - e->at);
		from = e->at + e->remove;
		removed += e->remove;
		inserted += e->insert.n;
	}
	r = sl_buf_reserve(out, source.n - removed + inserted);
	if (r < 0)
		return r;

	/* None of these can fail: there is room for all. */
	from = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct splice_edit *e = &s->edit[i];

		if (e->at > from)
			sl_buf_put(out, source.p + from, e->at - from);
		sl_buf_put_slice(out, e->insert);
		from = e->at + e->remove;
	}
	if (source.n > from)
		sl_buf_put(out, source.p + from, source.n - from);
	return 0;
}
