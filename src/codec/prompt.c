/* What all readers and all encoders of requests share: memory, the table of options, arguments. */
#include "codec/prompt_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/tool_calls.h"

#define DROPPED_MAX 2000 /* of a header line */

struct prompt_block {
	struct prompt_block *next;
	_Alignas(max_align_t) char bytes[];
};

void *prompt_alloc(struct prompt *p, size_t n)
{
	struct prompt_block *b = calloc(1, sizeof(*b) + n);

	if (!b)
		return NULL;
	b->next = p->blocks;
	p->blocks = b;
	return b->bytes;
}

void prompt_fini(struct prompt *p)
{
	while (p->blocks) {
		struct prompt_block *next = p->blocks->next;

		free(p->blocks);
		p->blocks = next;
	}
	sl_buf_fini(&p->dropped);
	*p = (struct prompt){0};
}

struct json prompt_make_string(struct prompt *p, struct sl_slice text)
{
	char *s = prompt_alloc(p, text.n + 2);

	if (!s)
		return (struct json){0};
	s[0] = s[text.n + 1] = '"';
	if (text.n)
		memcpy(s + 1, text.p, text.n);
	return (struct json){JSON_STRING, sl_slice(s, text.n + 2)};
}

void prompt_at(struct prompt_at *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(at->text, sizeof(at->text), format, args);
	va_end(args);
}

static void keep_param(struct request_fault *fault, const char *param)
{
	snprintf(fault->place, sizeof(fault->place), "%s", param);
	fault->param = fault->place;
}

int prompt_fault(struct request_fault *fault, const struct prompt_at *at, const char *what)
{
	*fault = (struct request_fault){.code = "invalid_type"};
	keep_param(fault, at->text);
	snprintf(fault->message, sizeof(fault->message), "`%s` %s", at->text, what);
	return -SL_E_TYPE;
}

int prompt_refuse(struct request_fault *fault, const char *member, const char *why)
{
	*fault = (struct request_fault){.code = "unsupported_value"};
	keep_param(fault, member);
	snprintf(fault->message, sizeof(fault->message), "`%s`: %s", member, why);
	return -SL_E_TYPE;
}

static bool is_listed(struct sl_slice list, struct sl_slice name)
{
	for (size_t at = 0; at + name.n <= list.n; at++) {
		if ((at == 0 || list.p[at - 1] == ' ') &&
		    memcmp(list.p + at, name.p, name.n) == 0 &&
		    (at + name.n == list.n || list.p[at + name.n] == ','))
			return true;
	}
	return false;
}

int prompt_drop(struct prompt *p, const char *member)
{
	struct sl_slice name = sl_slice_str(member);
	int r = 0;

	if (p->dropped.max == 0)
		sl_buf_init(&p->dropped, DROPPED_MAX);
	if (name.n == 0 || is_listed(sl_buf_slice(&p->dropped), name))
		return 0;
	/* A client can make up names; what a header cannot hold is not told. */
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ',')
			return 0;
	}
	if (p->dropped.len + name.n + 2 > DROPPED_MAX)
		return 0;
	if (p->dropped.len)
		r = sl_buf_put_str(&p->dropped, ", ");
	return r == 0 ? sl_buf_put_slice(&p->dropped, name) : r;
}

/* What becomes of an option that an upstream does not know: it is left out where the answer is as
 * good without it, and refused where the client would get something else than it asked for. */
static const struct {
	const char *name; /* as the most usual API calls it */
	bool refused;
} options[PROMPT_OPTIONS] = {
	[PROMPT_MAX_TOKENS] = {"max_tokens", true},
	[PROMPT_TEMPERATURE] = {"temperature", false},
	[PROMPT_TOP_P] = {"top_p", false},
	[PROMPT_TOP_K] = {"top_k", false},
	[PROMPT_MIN_P] = {"min_p", false},
	[PROMPT_STOP] = {"stop", true},
	[PROMPT_SEED] = {"seed", false},
	[PROMPT_PRESENCE_PENALTY] = {"presence_penalty", false},
	[PROMPT_FREQUENCY_PENALTY] = {"frequency_penalty", false},
	[PROMPT_LOGIT_BIAS] = {"logit_bias", false},
	[PROMPT_LOGPROBS] = {"logprobs", true},
	[PROMPT_TOP_LOGPROBS] = {"top_logprobs", true},
	[PROMPT_N] = {"n", true},
	[PROMPT_USER_ID] = {"user", false},
	[PROMPT_PARALLEL] = {"parallel_tool_calls", false},
	[PROMPT_EFFORT] = {"reasoning_effort", false},
	[PROMPT_BUDGET] = {"thinking.budget_tokens", false},
	[PROMPT_SERVICE_TIER] = {"service_tier", false},
	[PROMPT_VERBOSITY] = {"verbosity", false},
};

/* To demand a call where there are no tools is refused everywhere. */
static int settle_choice(struct prompt *p)
{
	if (p->n_tools > 0 || (p->choice != PROMPT_REQUIRED && p->choice != PROMPT_NAMED))
		return 0;
	p->choice = PROMPT_CHOICE_NONE_GIVEN;
	return prompt_drop(p, "tool_choice");
}

int prompt_settle(struct prompt *p, const struct prompt_word *words, size_t n,
		  struct request_fault *fault)
{
	if (settle_choice(p) < 0)
		return -SL_E_NOMEM;
	for (size_t i = 0; i < PROMPT_OPTIONS; i++) {
		bool known = p->option[i].type == JSON_NONE;

		for (size_t k = 0; k < n && !known; k++)
			known = words[k].option == (enum prompt_option)i;
		if (known)
			continue;
		if (options[i].refused)
			return prompt_refuse(fault, options[i].name,
					     "the upstream's API has nothing of the kind");
		if (prompt_drop(p, options[i].name) < 0)
			return -SL_E_NOMEM;
		p->option[i] = (struct json){0};
	}
	return 0;
}

int prompt_stop_next(const struct prompt *p, const char **at, struct json *stop)
{
	struct json option = p->option[PROMPT_STOP];
	struct json_walk w;
	struct sl_slice key;

	if (option.type == JSON_STRING) {
		if (*at)
			return 0;
		*at = option.raw.p;
		*stop = option;
		return 1;
	}
	json_walk_init(&w, option);
	if (*at) { /* goes on behind the last one */
		w.p = *at;
		w.first = false;
	}
	while (json_walk_next(&w, &key, stop) == 1) {
		*at = w.p;
		if (stop->type == JSON_STRING)
			return 1;
	}
	return 0;
}

struct sl_slice prompt_effort_of_budget(struct json budget)
{
	int64_t n;

	if (json_int(budget, &n) < 0)
		return SL_LIT("medium");
	if (n <= 0)
		return SL_LIT("none");
	if (n <= 2048)
		return SL_LIT("low");
	return n <= 8192 ? SL_LIT("medium") : SL_LIT("high");
}

bool prompt_is_blank(struct json string)
{
	struct sl_buf text;
	bool blank = true;

	sl_buf_init(&text, SIZE_MAX);
	if (json_string(string, &text, NULL) < 0)
		blank = false;
	for (size_t i = 0; i < text.len && blank; i++)
		blank = memchr(" \t\r\n\f\v", text.p[i], 6) != NULL;
	sl_buf_fini(&text);
	return blank;
}

int prompt_budget(struct prompt *p, int64_t *tokens)
{
	static const struct {
		const char *word;
		int64_t tokens;
	} efforts[] = {
		{"none", 0},      {"minimal", 512}, {"low", 1024},
		{"medium", 8192}, {"high", 24576},  {"xhigh", 24576},
	};
	struct json effort = p->option[PROMPT_EFFORT];

	if (json_int(p->option[PROMPT_BUDGET], tokens) == 0)
		return 1;
	for (size_t i = 0; i < sizeof(efforts) / sizeof(*efforts); i++) {
		if (json_is(effort, efforts[i].word)) {
			*tokens = efforts[i].tokens;
			return 1;
		}
	}
	return effort.type == JSON_NONE ? 0 : prompt_drop(p, options[PROMPT_EFFORT].name);
}

static void put_stops(struct json_writer *w, const struct prompt *p)
{
	const char *at = NULL;
	struct json stop;

	json_writer_array(w);
	while (prompt_stop_next(p, &at, &stop) == 1)
		json_writer_token(w, stop);
	json_writer_close(w);
}

void prompt_put_options(struct json_writer *w, const struct prompt *p,
			const struct prompt_word *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct json value = p->option[words[i].option];

		if (value.type == JSON_NONE)
			continue;
		json_writer_key(w, words[i].word);
		if (words[i].option == PROMPT_STOP)
			put_stops(w, p);
		else
			json_writer_token(w, value);
	}
}

/* As strict as with what clients send: what goes upstream is no worse. */
static int parse_arguments(struct sl_slice text, struct json *value)
{
	const struct json_limits limits = {.depth = 64, .values = 100000};
	struct json_fault fault;
	int r = json_check(text, limits, &fault);

	return r == 0 ? json_parse(text, value) : r;
}

static void put_unescaped(struct json_writer *w, struct sl_slice text)
{
	struct json value;
	bool blank = true;
	int r = parse_arguments(text, &value);

	if (r == -SL_E_NOMEM && w->failure == 0)
		w->failure = r;
	if (r == 0 && value.type == JSON_OBJECT) {
		json_writer_token(w, value);
		return;
	}
	for (size_t i = 0; i < text.n && blank; i++)
		blank = memchr(" \t\r\n", text.p[i], 4) != NULL;
	json_writer_object(w);
	if (!blank)
		json_writer_member_string(w, "arguments", text);
	json_writer_close(w);
}

void prompt_put_arguments_object(struct json_writer *w, struct json arguments)
{
	struct sl_buf text;
	int r;

	if (arguments.type == JSON_OBJECT) {
		json_writer_token(w, arguments);
		return;
	}
	sl_buf_init(&text, SIZE_MAX);
	r = arguments.type == JSON_STRING ? json_string(arguments, &text, NULL) : 0;
	if (r < 0 && w->failure == 0)
		w->failure = r;
	put_unescaped(w, sl_buf_slice(&text));
	sl_buf_fini(&text);
}

void prompt_put_arguments_text(struct json_writer *w, struct json arguments)
{
	if (arguments.type == JSON_STRING && arguments.raw.n > 2)
		json_writer_token(w, arguments);
	else
		json_writer_string(w, arguments.type == JSON_OBJECT ? arguments.raw : SL_LIT("{}"));
}

void prompt_put_plain_id(struct json_writer *w, const char *name, struct json id, size_t max)
{
	struct sl_slice s = SL_LIT("_");
	char hash[24];
	size_t n_hash = 0;

	if (id.type == JSON_STRING && id.raw.n > 2)
		s = sl_slice(id.raw.p + 1, id.raw.n - 2);
	if (s.n > max) { /* what tells it from others may stand at its end */
		n_hash =
			(size_t)snprintf(hash, sizeof(hash), "_%016" PRIx64, tool_calls_hash(0, s));
		s.n = max - n_hash;
	}
	json_writer_key(w, name);
	json_writer_open_string(w);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '-';

		json_writer_chars(w, good ? sl_slice(s.p + i, 1) : SL_LIT("_"));
	}
	json_writer_chars(w, sl_slice(hash, n_hash));
	json_writer_close_string(w);
}

/* Many tools say themselves that they failed. */
const char *prompt_failure_words(const struct prompt_part *result)
{
	if (!result->is_error)
		return "";
	for (size_t i = 0; i < result->n_content; i++) {
		if (result->content[i].kind == PROMPT_TEXT)
			return sl_slice_starts(result->content[i].text.raw, "\"Error") ? ""
										       : "Error: ";
	}
	return "Error";
}

void prompt_put_texts(struct json_writer *w, const struct prompt_part *parts, size_t n,
		      const char *between)
{
	prompt_put_texts_behind(w, "", parts, n, between);
}

void prompt_put_texts_behind(struct json_writer *w, const char *before,
			     const struct prompt_part *parts, size_t n, const char *between)
{
	bool any = false;

	json_writer_open_string(w);
	json_writer_chars(w, sl_slice_str(before));
	for (size_t i = 0; i < n; i++) {
		struct sl_slice text = parts[i].text.raw;

		if (parts[i].kind != PROMPT_TEXT || parts[i].text.type != JSON_STRING)
			continue;
		if (any)
			json_writer_chars(w, sl_slice_str(between));
		json_writer_chars(w, sl_slice(text.p + 1, text.n - 2));
		any = true;
	}
	json_writer_close_string(w);
}

int prompt_read(struct json body, enum sl_dialect dialect, struct prompt *p,
		struct request_fault *fault)
{
	*p = (struct prompt){0};
	switch (dialect) {
	case SL_DIALECT_OPENAI_COMPLETIONS:
		return prompt_read_completions(body, p, fault);
	case SL_DIALECT_RESPONSES:
		return prompt_read_responses(body, p, fault);
	case SL_DIALECT_ANTHROPIC:
		return prompt_read_anthropic(body, p, fault);
	default:
		return prompt_read_chat(body, p, fault);
	}
}
