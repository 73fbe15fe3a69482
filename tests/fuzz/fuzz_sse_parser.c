/*
 * Any cut of the same bytes gives the same events. The first byte of the input chooses options, the
 * next 16 the sizes of the reads, over and over; the rest is the stream.
 */
#include <sluice/sse.h>

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define N_SIZES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void record(struct sl_buf *log, const struct sl_sse_event *e)
{
	int r = sl_buf_printf(log, "%d %zu %zu %zu ", e->stray, e->type.n, e->data.n, e->id.n);

	assert(r == 0 && (e->stray || e->type.n > 0));
	r |= sl_buf_put_slice(log, e->type);
	r |= sl_buf_put_slice(log, e->data);
	r |= sl_buf_put_slice(log, e->id);
	if (r < 0)
		abort();
}

/* Reads of the sizes in `sizes`, or one when it is NULL. */
static void run(const uint8_t *sizes, unsigned options, const uint8_t *data, size_t size,
		struct sl_buf *log)
{
	static const size_t maxima[] = {1 << 20, 64, 16, 4};
	struct sl_sse_parser p;
	struct sl_sse_event event;
	int r = 0;

	sl_sse_parser_init(&p, maxima[options & 3]);
	p.want_stray = options & 4;
	for (size_t i = 0; size > 0 && r == 0; i++) {
		size_t n = sizes ? 1 + sizes[i % N_SIZES] % 32u : size;
		char *bytes;

		if (n > size)
			n = size;
		/* Memory of its own, and gone after the read. */
		bytes = malloc(n);
		if (!bytes)
			abort();
		memcpy(bytes, data, n);
		sl_sse_parser_feed(&p, bytes, n);
		while ((r = sl_sse_parser_next(&p, &event)) == 1)
			record(log, &event);
		free(bytes);
		data += n;
		size -= n;
	}
	if (options & 8) {
		while ((r = sl_sse_parser_finish(&p, &event)) == 1)
			record(log, &event);
	}
	if (sl_buf_printf(log, "end %d retry %lld", r, (long long)p.retry_ms) < 0)
		abort();
	sl_sse_parser_fini(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl_buf whole, cut;

	if (size < 1 + N_SIZES)
		return 0;
	sl_buf_init(&whole, SIZE_MAX);
	sl_buf_init(&cut, SIZE_MAX);
	run(NULL, data[0], data + 1 + N_SIZES, size - 1 - N_SIZES, &whole);
	run(data + 1, data[0], data + 1 + N_SIZES, size - 1 - N_SIZES, &cut);
	if (!sl_slice_eq(sl_buf_slice(&whole), sl_buf_slice(&cut)))
		abort();
	sl_buf_fini(&whole);
	sl_buf_fini(&cut);
	return 0;
}
