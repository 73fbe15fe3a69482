/* Which tools may, or must, be called, as both of OpenAI's APIs say it. */
#include "codec/prompt_read.h"

#include <sluice/error.h>

/* Each is looked for among all tools. */
#define ALLOWED_MAX 1024

bool prompt_choice_of_word(struct json word, enum prompt_choice *choice)
{
	static const struct {
		const char *word;
		enum prompt_choice choice;
	} words[] = {
		{"auto", PROMPT_AUTO},
		{"required", PROMPT_REQUIRED},
		{"none", PROMPT_NO_TOOLS},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (json_is(word, words[i].word)) {
			*choice = words[i].choice;
			return true;
		}
	}
	return false;
}

/* Chat completions have it one deeper. */
static struct json name_of(struct json tool)
{
	struct json name = json_get(tool, "name");

	return name.type == JSON_STRING ? name : json_get2(tool, "function", "name");
}

static bool is_allowed(struct json allowed, struct json name)
{
	struct json_walk w;
	struct json value;
	struct sl_slice key;

	json_walk_init(&w, allowed);
	while (json_walk_next(&w, &key, &value) == 1) {
		if (sl_slice_eq(name_of(value).raw, name.raw))
			return true;
	}
	return false;
}

int prompt_allow_tools(const struct prompt_reading *r, const struct prompt_at *where,
		       struct json choice)
{
	struct json allowed = json_get(choice, "tools"), value;
	struct prompt_at at;
	struct json_walk w;
	struct sl_slice key;
	size_t kept = 0;

	prompt_at(&at, "%s.mode", where->text);
	if (!prompt_choice_of_word(json_get(choice, "mode"), &r->p->choice))
		return prompt_fault(r->fault, &at, "must be auto or required");
	json_walk_init(&w, allowed);
	for (size_t i = 0; json_walk_next(&w, &key, &value) == 1; i++) {
		prompt_at(&at, "%s.tools[%zu].type", where->text, i);
		if (!json_is(json_get(value, "type"), "function"))
			return prompt_refuse(r->fault, at.text, "only functions can be tools here");
		if (i == ALLOWED_MAX)
			return prompt_refuse(r->fault, at.text, "these are too many");
	}
	for (size_t i = 0; i < r->p->n_tools; i++) {
		if (is_allowed(allowed, r->p->tools[i].name))
			r->p->tools[kept++] = r->p->tools[i];
	}
	r->p->n_tools = kept;
	prompt_at(&at, "%s.tools", where->text);
	return kept ? 0 : prompt_fault(r->fault, &at, "must name some of `tools`");
}
