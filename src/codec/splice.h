/* A few edits to a text, by offset: the bytes between them stay as they are. */
#ifndef CODEC_SPLICE_H
#define CODEC_SPLICE_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/slice.h>

#define SPLICE_MAX 64

struct splice_edit {
	size_t at, remove;      /* offset in the source, bytes taken out there */
	struct sl_slice insert; /* borrowed until splice_apply */
};

struct splice {
	struct splice_edit edit[SPLICE_MAX];
	size_t n;
	bool overflow; /* more edits than fit were asked for */
};

void splice_init(struct splice *s);
/* Edits may be added in any order and must not overlap. Of those at the same place, insertions come
 * before the one that removes, in the order in which they were added. */
void splice_add(struct splice *s, size_t at, size_t remove, struct sl_slice insert);
/* Appends the edited text to `out`, all or nothing; may be repeated. 0, -SL_E_LIMIT (too many
 * edits, or out is full), -SL_E_NOMEM. The edits must lie within `source` (asserted, as that they
 * do not overlap: they are ours). */
int splice_apply(struct splice *s, struct sl_slice source, struct sl_buf *out);

#endif
