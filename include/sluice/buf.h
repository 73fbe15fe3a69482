/* A growable byte buffer that is born with its maximum. Zeroes with a max are a valid empty buffer.
 */
#ifndef SLUICE_BUF_H
#define SLUICE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <sluice/slice.h>

struct sl_buf {
	char *p;
	size_t len;
	size_t cap;
	size_t max; /* bytes; growing past it fails with -SL_E_LIMIT */
};

void sl_buf_init(struct sl_buf *b, size_t max_bytes);

/* Frees the memory; the buffer is empty and usable again with the same maximum. Accepts zeroes. */
void sl_buf_fini(struct sl_buf *b);
/* The same for what is secret: the memory is overwritten first. Reserve all of it at once: a buffer
 * that grows leaves what it had behind. */
void sl_buf_wipe(struct sl_buf *b);

/* Room for `more` bytes behind len. 0, -SL_E_LIMIT or -SL_E_NOMEM; on failure nothing has changed.
 * May move the bytes: slices into the buffer are good until the next call that can grow it. */
int sl_buf_reserve(struct sl_buf *b, size_t more);

/* Append; results as sl_buf_reserve, all or nothing. What is appended must not lie in b itself. */
int sl_buf_put(struct sl_buf *b, const char *p, size_t n);
int sl_buf_put_slice(struct sl_buf *b, struct sl_slice s);
int sl_buf_put_str(struct sl_buf *b, const char *s);
int sl_buf_putc(struct sl_buf *b, char c);
int sl_buf_printf(struct sl_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends `s` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD. */
int sl_buf_put_json_string(struct sl_buf *b, struct sl_slice s);

/* Drops the first n bytes (n <= len). */
void sl_buf_consume(struct sl_buf *b, size_t n);

static inline struct sl_slice sl_buf_slice(const struct sl_buf *b)
{
	return (struct sl_slice){b->p, b->len};
}

#endif
