/* What the readers of all client APIs share: members that must be there, options, data: URLs. */
#include "codec/prompt_read.h"

#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>

size_t prompt_count(struct json container)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	size_t n = 0;

	json_walk_init(&w, container);
	while (json_walk_next(&w, &key, &value) == 1)
		n++;
	return n;
}

int prompt_need_string(const struct prompt_reading *r, struct json object,
		       const struct prompt_at *where, const char *name, struct json *out)
{
	struct prompt_at at;

	*out = json_get(object, name);
	if (out->type == JSON_STRING)
		return 0;
	prompt_at(&at, "%s.%s", where->text, name);
	return prompt_fault(r->fault, &at, "must be a string");
}

struct json prompt_wrap(struct prompt *p, enum json_type type, struct sl_slice before,
			struct sl_slice middle, struct sl_slice behind)
{
	size_t n = before.n + middle.n + behind.n;
	char *bytes = prompt_alloc(p, n);

	if (!bytes)
		return (struct json){0};
	memcpy(bytes, before.p, before.n);
	memcpy(bytes + before.n, middle.p, middle.n);
	memcpy(bytes + before.n + middle.n, behind.p, behind.n);
	return (struct json){type, sl_slice(bytes, n)};
}

int prompt_refuse_at(const struct prompt_reading *r, const struct prompt_at *where,
		     const char *name, const char *why)
{
	struct prompt_at at;

	prompt_at(&at, "%s.%s", where->text, name);
	return prompt_refuse(r->fault, at.text, why);
}

struct json prompt_get_string(struct json object, const char *name)
{
	struct json v = json_get(object, name);

	return v.type == JSON_STRING ? v : (struct json){0};
}

struct json prompt_get_bool(struct json object, const char *name)
{
	struct json v = json_get(object, name);

	return v.type == JSON_TRUE || v.type == JSON_FALSE ? v : (struct json){0};
}

static bool is_of(struct json v, enum json_type type)
{
	if (type == JSON_TRUE)
		return v.type == JSON_TRUE || v.type == JSON_FALSE;
	return v.type == type || (type == JSON_ARRAY && v.type == JSON_STRING);
}

static int check_strings(const struct prompt_reading *r, const char *name, struct json array)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;
	struct prompt_at at;

	json_walk_init(&w, array);
	for (size_t i = 0; json_walk_next(&w, &key, &value) == 1; i++) {
		if (value.type == JSON_STRING)
			continue;
		prompt_at(&at, "%s[%zu]", name, i);
		return prompt_fault(r->fault, &at, "must be a string");
	}
	return 0;
}

int prompt_set_option(const struct prompt_reading *r, const struct prompt_member *member,
		      struct json value)
{
	static const char *const wanted[] = {[JSON_NUMBER] = "must be a number",
					     [JSON_STRING] = "must be a string",
					     [JSON_TRUE] = "must be true or false",
					     [JSON_OBJECT] = "must be an object",
					     [JSON_ARRAY] = "must be a string or an array"};
	struct prompt_at at;

	if (prompt_is_absent(value))
		return 0;
	prompt_at(&at, "%s", member->name);
	if (!is_of(value, member->type))
		return prompt_fault(r->fault, &at, wanted[member->type]);
	if (value.type == JSON_ARRAY && prompt_count(value) == 0)
		return 0; /* asks for nothing, and is refused here and there */
	if (value.type == JSON_ARRAY && check_strings(r, member->name, value) < 0)
		return -SL_E_TYPE;
	r->p->option[member->option] = value;
	return 0;
}

int prompt_take_option(const struct prompt_reading *r, const struct prompt_member *members,
		       size_t n, struct sl_slice key, struct json value)
{
	for (size_t i = 0; i < n; i++) {
		if (sl_slice_is(key, members[i].name))
			return prompt_set_option(r, &members[i], value) < 0 ? -SL_E_TYPE : 1;
	}
	return 0;
}

bool prompt_is_named(const char *const *names, struct sl_slice key)
{
	for (; *names; names++) {
		if (sl_slice_is(key, *names))
			return true;
	}
	return false;
}

int prompt_drop_unknown(const struct prompt_reading *r, struct sl_slice key, struct json value)
{
	char name[64];

	if (value.type == JSON_NULL || value.type == JSON_FALSE || key.n >= sizeof(name) ||
	    ((value.type == JSON_OBJECT || value.type == JSON_ARRAY) && prompt_count(value) == 0))
		return 0;
	memcpy(name, key.p, key.n);
	name[key.n] = '\0';
	return prompt_drop(r->p, name);
}

int prompt_split_data_url(struct json string, struct sl_slice *media, struct sl_slice *data)
{
	struct sl_slice s = string.raw;
	const char *comma, *end;
	size_t n;

	if (string.type != JSON_STRING)
		return 0;
	s = sl_slice(s.p + 1, s.n - 2);
	if (!sl_slice_starts(s, "data:"))
		return 0;
	comma = memchr(s.p, ',', s.n);
	end = comma ? comma : s.p;
	n = (size_t)(end - s.p);
	if (n <= 12 || memcmp(end - 7, ";base64", 7) != 0)
		return 0;
	*media = sl_slice(s.p + 5, n - 12);
	comma = memchr(media->p, ';', media->n);
	if (comma) /* parameters of the type */
		media->n = (size_t)(comma - media->p);
	*data = sl_slice(end + 1, s.n - n - 1);
	return 1;
}

struct named_call {
	struct sl_slice id; /* with its quotes */
	struct json name;
};

static int by_id(const void *a, const void *b)
{
	const struct named_call *one = a, *other = b;
	size_t n = one->id.n < other->id.n ? one->id.n : other->id.n;
	int r = memcmp(one->id.p, other->id.p, n);

	return r ? r : (one->id.n > other->id.n) - (one->id.n < other->id.n);
}

/* Calls back for each part of that kind that has an id. */
static size_t each_part(struct prompt *p, enum prompt_part_kind kind,
			void (*see)(struct prompt_part *part, struct named_call *calls, size_t n),
			struct named_call *calls, size_t n_calls)
{
	size_t n = 0;

	for (size_t m = 0; m < p->n_messages; m++) {
		for (size_t i = 0; i < p->messages[m].n_parts; i++) {
			struct prompt_part *part = &p->messages[m].parts[i];

			if (part->kind != kind || part->id.type != JSON_STRING)
				continue;
			if (see)
				see(part, calls, kind == PROMPT_TOOL_CALL ? n : n_calls);
			n++;
		}
	}
	return n;
}

static void list_call(struct prompt_part *part, struct named_call *calls, size_t n)
{
	calls[n] = (struct named_call){part->id.raw, part->name};
}

static void name_result(struct prompt_part *part, struct named_call *calls, size_t n)
{
	const struct named_call wanted = {.id = part->id.raw};
	const struct named_call *found = bsearch(&wanted, calls, n, sizeof(*calls), by_id);

	if (found && part->name.type == JSON_NONE)
		part->name = found->name;
}

int prompt_name_results(struct prompt *p)
{
	size_t n = each_part(p, PROMPT_TOOL_CALL, NULL, NULL, 0);
	struct named_call *calls;

	if (n == 0)
		return 0;
	calls = prompt_alloc(p, n * sizeof(*calls));
	if (!calls)
		return -SL_E_NOMEM;
	each_part(p, PROMPT_TOOL_CALL, list_call, calls, n);
	qsort(calls, n, sizeof(*calls), by_id);
	each_part(p, PROMPT_TOOL_RESULT, name_result, calls, n);
	return 0;
}
