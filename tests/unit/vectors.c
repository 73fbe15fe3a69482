/* Reads the vector files: NUL-safe strings, the notation of byte strings, and the cuts. */
#include "vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>

/* U+FDD0 is a noncharacter: no vector has it, and like \u0000 its escape is six bytes long. */
#define NUL_STAND_IN "\xef\xb7\x90"

__attribute__((format(printf, 1, 2), noreturn)) static void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t len = 0, cap = 0;
	char *text = NULL;

	if (!f)
		give_up("%s: cannot be opened", path);
	do {
		cap = cap ? 2 * cap : 65536;
		text = realloc(text, cap);
		if (!text)
			give_up("%s: no memory", path);
		len += fread(text + len, 1, cap - 1 - len, f);
	} while (len == cap - 1);
	if (ferror(f) || strnlen(text, len) != len)
		give_up("%s: cannot be read", path);
	text[len] = 0;
	fclose(f);
	return text;
}

/* A backslash is taken together with what follows it, so that the text \\u0000 stays what it is. */
static void replace_nul_escapes(char *text)
{
	for (char *p = text; (p = strchr(p, '\\')) && p[1]; p += 2) {
		if (strncmp(p, "\\u0000", 6) == 0)
			memcpy(p, "\\ufdd0", 6);
	}
}

cJSON *vectors_load(const char *file)
{
	char path[4096];
	char *text;
	cJSON *document;

	snprintf(path, sizeof(path), "%s/%s", VECTORS, file);
	text = read_file(path);
	replace_nul_escapes(text);
	document = cJSON_Parse(text);
	free(text);
	if (!document || vectors_count(document) == 0)
		give_up("%s: is no document with cases", path);
	return document;
}

const cJSON *vectors_cases(const cJSON *document)
{
	return cJSON_GetObjectItemCaseSensitive(document, "cases");
}

int vectors_count(const cJSON *document)
{
	return cJSON_GetArraySize(vectors_cases(document));
}

const cJSON *vectors_case(const cJSON *document, int index)
{
	return cJSON_GetArrayItem(vectors_cases(document), index);
}

static int put_text(const char *text, struct sl_buf *out)
{
	const char *nul;
	int r;

	while ((nul = strstr(text, NUL_STAND_IN))) {
		r = sl_buf_put(out, text, (size_t)(nul - text));
		if (r == 0)
			r = sl_buf_putc(out, 0);
		if (r < 0)
			return r;
		text = nul + strlen(NUL_STAND_IN);
	}
	return sl_buf_put_str(out, text);
}

static int put_base64(const char *text, struct sl_buf *out)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	int n = 0, r;

	for (; *text && *text != '='; text++) {
		const char *digit = strchr(alphabet, *text);

		if (!digit)
			return -SL_E_SYNTAX;
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		n += 6;
		if (n >= 8) {
			n -= 8;
			r = sl_buf_putc(out, (char)(bits >> n));
			if (r < 0)
				return r;
		}
	}
	return text[strspn(text, "=")] ? -SL_E_SYNTAX : 0;
}

static int put_part(const cJSON *part, struct sl_buf *out)
{
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(part, "text");
	const cJSON *base64 = cJSON_GetObjectItemCaseSensitive(part, "base64");
	const cJSON *repeat = cJSON_GetObjectItemCaseSensitive(part, "repeat");
	const cJSON *count = cJSON_GetObjectItemCaseSensitive(part, "count");
	int r = 0;

	if (cJSON_IsString(text))
		return put_text(text->valuestring, out);
	if (cJSON_IsString(base64))
		return put_base64(base64->valuestring, out);
	if (!cJSON_IsString(repeat) || !cJSON_IsNumber(count))
		return -SL_E_SYNTAX;
	for (int i = 0; i < count->valueint && r == 0; i++)
		r = put_text(repeat->valuestring, out);
	return r;
}

static int put_parts(const cJSON *parts, struct sl_buf *out)
{
	const cJSON *part;
	int r = 0;

	if (!cJSON_IsArray(parts))
		return -SL_E_SYNTAX;
	for (part = parts->child; part && r == 0; part = part->next)
		r = put_part(part, out);
	return r;
}

int vectors_text(const cJSON *value, struct sl_buf *out)
{
	if (cJSON_IsString(value))
		return put_text(value->valuestring, out);
	if (cJSON_IsObject(value))
		return put_parts(cJSON_GetObjectItemCaseSensitive(value, "parts"), out);
	return -SL_E_SYNTAX;
}

int vectors_bytes(const cJSON *object, const char *key, struct sl_buf *out)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
	const cJSON *encoding = cJSON_GetObjectItemCaseSensitive(object, "encoding");
	char parts_key[64];

	if (cJSON_IsString(value) && cJSON_IsString(encoding)) {
		if (strcmp(encoding->valuestring, "base64") != 0)
			return -SL_E_SYNTAX;
		return put_base64(value->valuestring, out);
	}
	if (value)
		return vectors_text(value, out);
	snprintf(parts_key, sizeof(parts_key), "%s_parts", key);
	value = cJSON_GetObjectItemCaseSensitive(object, parts_key);
	return value ? put_parts(value, out) : -SL_E_MISSING;
}

enum { WAY_WHOLE, WAY_BYTES, WAY_CHUNKS, WAY_RANDOM };

void vectors_cuts_init(struct vectors_cuts *c, const cJSON *test_case, int way)
{
	*c = (struct vectors_cuts){
		.way = way,
		.chunks = cJSON_GetObjectItemCaseSensitive(test_case, "chunks"),
		.state = 0x9e3779b97f4a7c15u * (uint64_t)(way + 1),
	};
}

/* Marsaglia's xorshift: enough for cuts, and the same everywhere. */
static uint64_t next_random(struct vectors_cuts *c)
{
	c->state ^= c->state << 13;
	c->state ^= c->state >> 7;
	c->state ^= c->state << 17;
	return c->state;
}

size_t vectors_cuts_next(struct vectors_cuts *c, size_t left)
{
	int n_chunks = cJSON_GetArraySize(c->chunks);
	size_t n;

	if (left == 0 || c->way == WAY_WHOLE)
		return left;
	if (c->way == WAY_BYTES)
		return 1;
	if (c->way == WAY_CHUNKS) {
		if (n_chunks == 0)
			return left;
		n = (size_t)cJSON_GetArrayItem(c->chunks, c->at++ % n_chunks)->valuedouble;
	} else {
		/* Small pieces in the first ways, a few large ones in the last. */
		n = 1 + next_random(c) % ((size_t)3 << (c->way - WAY_RANDOM) / 2);
	}
	return n < left ? n : left;
}
