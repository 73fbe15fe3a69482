/*
 * The gate answers for any bytes; what it accepts the lenient reader and cJSON accept too, and they
 * read the same from it. Walks stay within their bytes, also over what nobody has validated.
 */
#include "codec/json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void require_within(struct sl_slice part, struct sl_slice whole)
{
	REQUIRE(part.p >= whole.p && part.n <= whole.n &&
		(size_t)(part.p - whole.p) <= whole.n - part.n);
}

/* Everything there is to ask of a value; `valid`: json_parse has accepted it. */
static void look(struct json v, bool valid, unsigned depth)
{
	struct json_walk w;
	struct sl_slice key;
	struct json value, member;
	struct sl_buf out;
	uint32_t half = 0;
	int64_t number;
	bool flag;

	sl_buf_init(&out, 4 * v.raw.n + 16);
	REQUIRE((json_string(v, &out, &half) == 0) == (v.type == JSON_STRING));
	json_is(v, "stop");
	json_int(v, &number);
	json_bool(v, &flag);
	member = json_get2(v, "a", "b");
	if (member.type != JSON_NONE)
		require_within(member.raw, v.raw);
	sl_buf_fini(&out);

	if (depth > JSON_DEPTH_MAX)
		return;
	json_walk_init(&w, v);
	while (json_walk_next(&w, &key, &value) == 1) {
		require_within(value.raw, v.raw);
		if (v.type == JSON_OBJECT)
			require_within(key, v.raw);
		REQUIRE(!valid || value.raw.n > 0);
		/* Bytes that nobody validated may hold values within values that overlap: one level
		 * is enough. */
		look(value, valid, valid ? depth + 1 : JSON_DEPTH_MAX + 1);
	}
}

static void compare_string(struct json v, const char *s)
{
	struct sl_buf out;

	sl_buf_init(&out, v.raw.n);
	REQUIRE(json_string(v, &out, NULL) == 0);
	REQUIRE(sl_slice_is(sl_buf_slice(&out), s));
	sl_buf_fini(&out);
}

/* That a value reads the same as cJSON has it. */
static void compare(struct json v, const cJSON *c)
{
	const cJSON *child = c->child;
	struct json_walk w;
	struct sl_slice key;
	struct json value;

	switch (v.type) {
	case JSON_STRING:
		REQUIRE(cJSON_IsString(c));
		compare_string(v, c->valuestring);
		return;
	case JSON_NUMBER:
		REQUIRE(cJSON_IsNumber(c));
		return;
	case JSON_TRUE:
		REQUIRE(cJSON_IsTrue(c));
		return;
	case JSON_FALSE:
		REQUIRE(cJSON_IsFalse(c));
		return;
	case JSON_NULL:
		REQUIRE(cJSON_IsNull(c));
		return;
	default:
		REQUIRE(v.type == JSON_OBJECT ? cJSON_IsObject(c) : cJSON_IsArray(c));
	}
	json_walk_init(&w, v);
	while (json_walk_next(&w, &key, &value) == 1) {
		REQUIRE(child);
		if (v.type == JSON_OBJECT)
			compare_string((struct json){JSON_STRING, {key.p - 1, key.n + 2}},
				       child->string);
		compare(value, child);
		child = child->next;
	}
	REQUIRE(!child);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct json_limits limits = {64, 10000};
	struct json_fault fault = {0};
	/* Of its own size, so that a byte read behind it is noticed. */
	char *bytes = malloc(size + !size);
	struct sl_slice text = {bytes, size};
	struct json v;
	bool accepted;

	REQUIRE(bytes);
	memcpy(bytes, data, size);
	accepted = json_check(text, limits, &fault) == 0;
	REQUIRE(accepted == !fault.code && accepted == !fault.what && fault.offset <= size);
	if (json_parse(text, &v) == 0) {
		require_within(v.raw, text);
		look(v, true, 1);
		if (accepted) {
			cJSON *c = cJSON_ParseWithLength(bytes, size);

			REQUIRE(c);
			compare(v, c);
			cJSON_Delete(c);
		}
	} else {
		REQUIRE(!accepted);
	}
	for (int type = JSON_OBJECT; type <= JSON_NULL; type++)
		look((struct json){(enum json_type)type, text}, false, 1);
	free(bytes);
	return 0;
}
