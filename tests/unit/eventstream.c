/* The writer of event streams, with a checksum of its own, bit by bit: a second opinion. */
#include "eventstream.h"

#include <stdio.h>
#include <stdlib.h>

static void need(int result)
{
	if (result < 0)
		abort();
}

static void put_number(struct sl_buf *out, uint32_t n, unsigned bytes)
{
	while (bytes-- > 0)
		need(sl_buf_putc(out, (char)(n >> 8 * bytes)));
}

static uint32_t checksum(struct sl_slice bytes)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < bytes.n; i++) {
		crc ^= (unsigned char)bytes.p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return crc ^ 0xffffffff;
}

static void put_checksum(struct sl_buf *out, size_t from)
{
	put_number(out, checksum(sl_slice(out->p + from, out->len - from)), 4);
}

void eventstream_put_header(struct sl_buf *headers, const char *name, struct sl_slice value)
{
	put_number(headers, (uint32_t)strlen(name), 1);
	need(sl_buf_put_str(headers, name));
	put_number(headers, 7, 1);
	put_number(headers, (uint32_t)value.n, 2);
	need(sl_buf_put_slice(headers, value));
}

void eventstream_put(struct sl_buf *out, struct sl_slice headers, struct sl_slice payload)
{
	size_t from = out->len;

	put_number(out, (uint32_t)(16 + headers.n + payload.n), 4);
	put_number(out, (uint32_t)headers.n, 4);
	put_checksum(out, from);
	need(sl_buf_put_slice(out, headers));
	need(sl_buf_put_slice(out, payload));
	put_checksum(out, from);
}

void eventstream_put_named(struct sl_buf *out, const char *type, const char *name,
			   struct sl_slice payload)
{
	struct sl_buf headers = {.max = SIZE_MAX};
	char key[32];

	snprintf(key, sizeof(key), ":%s-type", type);
	eventstream_put_header(&headers, key, sl_slice_str(name));
	eventstream_put_header(&headers, ":content-type", SL_LIT("application/json"));
	eventstream_put_header(&headers, ":message-type", sl_slice_str(type));
	eventstream_put(out, sl_buf_slice(&headers), payload);
	sl_buf_fini(&headers);
}

void eventstream_put_chunk(struct sl_buf *out, struct sl_slice event)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct sl_buf payload = {.max = SIZE_MAX};

	sl_buf_put_str(&payload, "{\"p\":\"ab\",\"bytes\":\"");
	for (size_t i = 0; i < event.n; i += 3) {
		uint32_t bits = (uint32_t)(unsigned char)event.p[i] << 16;

		if (i + 1 < event.n)
			bits |= (uint32_t)(unsigned char)event.p[i + 1] << 8;
		if (i + 2 < event.n)
			bits |= (unsigned char)event.p[i + 2];
		sl_buf_putc(&payload, digits[bits >> 18]);
		sl_buf_putc(&payload, digits[bits >> 12 & 63]);
		sl_buf_putc(&payload, i + 1 < event.n ? digits[bits >> 6 & 63] : '=');
		sl_buf_putc(&payload, i + 2 < event.n ? digits[bits & 63] : '=');
	}
	sl_buf_put_str(&payload, "\"}");
	eventstream_put_named(out, "event", "chunk", sl_buf_slice(&payload));
	sl_buf_fini(&payload);
}
