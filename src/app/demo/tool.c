/* Arguments that look as if somebody had thought about them: by type, by name, and a place where
 * the prompt has one. */
#include "app/demo/tool.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "app/demo/text.h"
#include "app/demo/topics.h"

#define PROPERTIES_MAX 16
#define KEY_MAX        64
#define VALUE_MAX      256
#define EXCERPT_MAX    60

int demo_tool_name(struct sl_buf *out, struct json function)
{
	struct json name = json_get(function, "name");

	if (name.type != JSON_STRING || name.raw.n <= 2 || name.raw.n > VALUE_MAX)
		return sl_buf_put_str(out, "get_weather");
	return json_string(name, out, NULL);
}

/* The word behind an "in" that begins like a name. */
static struct sl_slice place_in(struct sl_slice prompt)
{
	const char *end = prompt.n ? prompt.p + prompt.n : NULL, *at;

	while ((at = demo_find_phrase(prompt, "in")) != NULL) {
		const char *p = at + 2;
		size_t n = 0;

		prompt = sl_slice(p, (size_t)(end - p));
		while (p < end && *p == ' ')
			p++;
		while (p + n < end && (isalpha((unsigned char)p[n]) || (unsigned char)p[n] >= 0x80))
			n++;
		if (n > 0 && !islower((unsigned char)*p))
			return demo_excerpt(sl_slice(p, n), EXCERPT_MAX);
	}
	return SL_LIT("Paris");
}

static bool name_has(struct sl_slice name, const char *const *words)
{
	for (; *words; words++) {
		size_t n = strlen(*words);

		for (size_t i = 0; i + n <= name.n; i++)
			if (strncasecmp(name.p + i, *words, n) == 0)
				return true;
	}
	return false;
}

static int put_string(struct sl_buf *out, struct sl_slice name, struct sl_slice prompt)
{
	static const char *const place[] = {"city", "location", "place", "address", NULL};
	static const char *const question[] = {"query",  "question", "text",
					       "prompt", "input",    NULL};
	static const char *const date[] = {"date", "day", NULL};

	if (name_has(name, place))
		return sl_buf_put_json_string(out, place_in(prompt));
	if (name_has(name, question) && prompt.n > 0)
		return sl_buf_put_json_string(out, demo_excerpt(prompt, EXCERPT_MAX));
	return sl_buf_put_str(out, name_has(name, date) ? "\"2030-01-31\"" : "\"example\"");
}

/* The first of an array's elements. */
static struct json first_of(struct json array)
{
	struct json_walk w;
	struct sl_slice key;
	struct json first = {0};

	json_walk_init(&w, array);
	if (array.type == JSON_ARRAY)
		json_walk_next(&w, &key, &first);
	return first;
}

static int put_value(struct sl_buf *out, struct sl_slice name, struct json schema,
		     struct sl_slice prompt)
{
	struct json choice = first_of(json_get(schema, "enum"));
	struct json minimum = json_get(schema, "minimum");
	struct json type = json_get(schema, "type");

	if (choice.type != JSON_NONE && choice.raw.n <= VALUE_MAX)
		return sl_buf_put_slice(out, choice.raw);
	if (type.type == JSON_ARRAY)
		type = first_of(type);
	if (json_is(type, "integer") || json_is(type, "number")) {
		if (minimum.type == JSON_NUMBER && minimum.raw.n <= VALUE_MAX)
			return sl_buf_put_slice(out, minimum.raw);
		return sl_buf_put_str(out, "3");
	}
	if (json_is(type, "boolean"))
		return sl_buf_put_str(out, "true");
	if (json_is(type, "array"))
		return sl_buf_put_str(out, "[]");
	if (json_is(type, "object"))
		return sl_buf_put_str(out, "{}");
	if (json_is(type, "null"))
		return sl_buf_put_str(out, "null");
	return put_string(out, name, prompt);
}

static int put_own(struct sl_buf *out, struct sl_slice prompt)
{
	int r = sl_buf_put_str(out, "{\"city\":");

	if (r == 0)
		r = sl_buf_put_json_string(out, place_in(prompt));
	return r == 0 ? sl_buf_put_str(out, ",\"unit\":\"celsius\"}") : r;
}

int demo_tool_arguments(struct sl_buf *out, struct json function, struct sl_slice prompt)
{
	struct json_walk w;
	struct sl_slice key;
	struct json schema;
	int n = 0, r;

	if (function.type == JSON_NONE)
		return put_own(out, prompt);
	r = sl_buf_putc(out, '{');
	json_walk_init(&w, json_get2(function, "parameters", "properties"));
	while (r == 0 && w.object && n < PROPERTIES_MAX && json_walk_next(&w, &key, &schema) == 1) {
		if (key.n > KEY_MAX)
			continue;
		r = sl_buf_printf(out, "%s\"%.*s\":", n++ ? "," : "", (int)key.n, key.p);
		if (r == 0)
			r = put_value(out, key, schema, prompt);
	}
	return r == 0 ? sl_buf_putc(out, '}') : r;
}
