/*
 * Embeddings without a model: a sum over the hashes of a text's words, of which only the signs are
 * kept (SimHash). Equal texts have equal vectors, texts with common words have vectors at a smaller
 * angle.
 */
#include "app/demo/reply.h"

#include <ctype.h>
#include <inttypes.h>
#include <sluice/error.h>
#include "app/demo/hash.h"

#define DIMENSIONS 64
#define INPUTS_MAX 2048
#define BODY_MAX   (4u << 20)
#define TEXT_MAX   (16u << 20)
#define MODEL_MAX  1024

struct embedding {
	bool base64;
	size_t n;
	uint64_t tokens;
	struct sl_buf text, body;
};

/* Bit i is set where component i is +1/8. */
static uint64_t signs_of(struct sl_slice text)
{
	int sum[DIMENSIONS] = {0};
	uint64_t signs = 0, whole = demo_hash(text);

	for (size_t i = 0; i < text.n;) {
		size_t n = 0;

		while (i + n < text.n &&
		       (isalnum((unsigned char)text.p[i + n]) || text.p[i + n] < 0))
			n++;
		uint64_t hash = demo_hash(sl_slice(text.p + i, n));
		for (int bit = 0; n > 0 && bit < DIMENSIONS; bit++)
			sum[bit] += hash >> bit & 1 ? 1 : -1;
		i += n + 1;
	}
	for (int bit = 0; bit < DIMENSIONS; bit++) {
		bool up = sum[bit] > 0 || (sum[bit] == 0 && (whole >> bit & 1));

		signs |= (uint64_t)up << bit;
	}
	return signs;
}

static int put_numbers(struct sl_buf *out, uint64_t signs)
{
	int r = sl_buf_putc(out, '[');

	for (int i = 0; r == 0 && i < DIMENSIONS; i++)
		r = sl_buf_printf(out, "%s%s", i ? "," : "", signs >> i & 1 ? "0.125" : "-0.125");
	return r == 0 ? sl_buf_putc(out, ']') : r;
}

/* Little-endian floats in base64. */
static int put_base64(struct sl_buf *out, uint64_t signs)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char bytes[4 * DIMENSIONS + 2] = {0};
	int r = sl_buf_putc(out, '"');

	for (int i = 0; i < DIMENSIONS; i++)
		bytes[4 * i + 3] = signs >> i & 1 ? 0x3e : 0xbe; /* 0.125 is 0x3e000000 */
	for (size_t i = 0; r == 0 && i < sizeof(bytes) - 2; i += 3) {
		uint32_t three =
			(uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
		char four[4] = {digit[three >> 18 & 63], digit[three >> 12 & 63],
				digit[three >> 6 & 63], digit[three & 63]};

		for (size_t past = i + 3; past > sizeof(bytes) - 2; past--)
			four[3 - (i + 3 - past)] = '=';
		r = sl_buf_put(out, four, 4);
	}
	return r == 0 ? sl_buf_putc(out, '"') : r;
}

/* One input: a string, or the numbers of tokens, as they are written. */
static int put_embedding(struct embedding *e, struct json input)
{
	e->text.len = 0;
	int r = input.type == JSON_STRING ? json_string(input, &e->text, NULL)
					  : sl_buf_put_slice(&e->text, input.raw);
	if (r < 0)
		return r;
	uint64_t signs = signs_of(sl_buf_slice(&e->text));
	e->tokens += demo_count_tokens(sl_buf_slice(&e->text));
	r = sl_buf_printf(&e->body, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":",
			  e->n ? "," : "", e->n);
	e->n++;
	if (r == 0)
		r = e->base64 ? put_base64(&e->body, signs) : put_numbers(&e->body, signs);
	return r == 0 ? sl_buf_putc(&e->body, '}') : r;
}

static bool first_is_number(struct json array)
{
	struct json_walk w;
	struct sl_slice key;
	struct json first;

	json_walk_init(&w, array);
	return json_walk_next(&w, &key, &first) == 1 && first.type == JSON_NUMBER;
}

static int refuse(struct demo_refusal *why, const char *message)
{
	*why = (struct demo_refusal){.status = 400,
				     .type = "invalid_request_error",
				     .param = "input",
				     .message = message};
	return -SL_E_SYNTAX;
}

static int put_inputs(struct embedding *e, struct json input, struct demo_refusal *why)
{
	struct json_walk w;
	struct sl_slice key;
	struct json one;
	int r = 0;

	if (input.type == JSON_STRING || (input.type == JSON_ARRAY && first_is_number(input)))
		return put_embedding(e, input);
	json_walk_init(&w, input);
	while (input.type == JSON_ARRAY && r == 0 && json_walk_next(&w, &key, &one) == 1) {
		if (one.type != JSON_STRING && one.type != JSON_ARRAY)
			return refuse(why, "each input must be a string or an array of tokens");
		if (e->n == INPUTS_MAX)
			return refuse(why, "an array of inputs has at most 2048 of them");
		r = put_embedding(e, one);
	}
	return e->n || r < 0 ? r : refuse(why, "'input' must be a string or an array, not empty");
}

static int put_body(struct embedding *e, struct json request, struct demo_refusal *why)
{
	struct sl_buf model;

	sl_buf_init(&model, MODEL_MAX);
	int r = demo_ask_model(request, &model, why);
	if (r == 0)
		r = sl_buf_put_str(&e->body, "{\"object\":\"list\",\"data\":[");
	if (r == 0)
		r = put_inputs(e, json_get(request, "input"), why);
	if (r == 0)
		r = sl_buf_put_str(&e->body, "],\"model\":");
	if (r == 0)
		r = sl_buf_put_json_string(&e->body, sl_buf_slice(&model));
	if (r == 0)
		r = sl_buf_printf(&e->body,
				  ",\"usage\":{\"prompt_tokens\":%" PRIu64
				  ",\"total_tokens\":%" PRIu64 "}}",
				  e->tokens, e->tokens);
	sl_buf_fini(&model);
	return r;
}

int demo_reply_embeddings(struct sl_buf *out, struct json request, bool keep_alive)
{
	struct embedding e = {.base64 = json_is(json_get(request, "encoding_format"), "base64")};
	struct demo_refusal why;

	sl_buf_init(&e.text, TEXT_MAX);
	sl_buf_init(&e.body, BODY_MAX);
	int r = put_body(&e, request, &why);
	if (r == 0)
		r = demo_reply_json(out, sl_buf_slice(&e.body), keep_alive);
	else if (r == -SL_E_SYNTAX)
		r = demo_reply_refusal(out, &why, keep_alive);
	sl_buf_fini(&e.text);
	sl_buf_fini(&e.body);
	return r;
}
