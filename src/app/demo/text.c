/*
 * An answer is an opening that has the question in it, a topic found by its words (or an
 * introduction), and a closing. Words in the prompt then change what comes of it: see demo.h, which
 * lists them.
 */
#include "app/demo/text.h"

#include <ctype.h>
#include <sluice/error.h>
#include "app/demo/hash.h"
#include "app/demo/tool.h"
#include "app/demo/topics.h"

#define ANSWER_MAX  (64u << 10)
#define QUOTE_MAX   48 /* bytes of the question in the answer */
#define RESULT_MAX  200
#define LONG_TOKENS 2000

#define FIRST_US  (300 * 1000)
#define SLOW_US   (8 * 1000 * 1000)
#define TOKEN_US  (30 * 1000)
#define JITTER_US (10 * 1000 + 1)

static const struct opening {
	const char *before, *behind;
} openings[] = {
	{"You ask: “", "”. Happy to help! "},
	{"A good question, “", "”. "},
	{"“", "”: here is what I know about it. "},
	{"Let me see… “", "”. 🙂 "},
};

static const char *const closings[] = {
	"\n\nAsk again with `think` in it, and you see reasoning first.",
	"\n\nTry `use a tool` next.",
	"\n\nClose this, come back, and the answer goes on where you were.",
	"",
};

struct sl_slice demo_excerpt(struct sl_slice text, size_t max_bytes)
{
	while (text.n > 0 && isspace((unsigned char)*text.p))
		text = sl_slice(text.p + 1, text.n - 1);
	if (text.n > max_bytes) {
		text.n = max_bytes;
		while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80)
			text.n--;
	}
	while (text.n > 0 && isspace((unsigned char)text.p[text.n - 1]))
		text.n--;
	return text;
}

/* On one line, with an ellipsis when there was more. */
static int put_quote(struct sl_buf *out, struct sl_slice text, size_t max_bytes)
{
	struct sl_slice quote = demo_excerpt(text, max_bytes);
	int r = 0;

	for (size_t i = 0; i < quote.n && r == 0; i++)
		r = sl_buf_putc(out, iscntrl((unsigned char)quote.p[i]) ? ' ' : quote.p[i]);
	if (r == 0 && demo_excerpt(text, SIZE_MAX).n > quote.n)
		r = sl_buf_put_str(out, "…");
	return r;
}

static bool says(const struct demo_ask *ask, const char *phrase)
{
	return demo_find_phrase(sl_buf_slice(&ask->prompt), phrase) != NULL;
}

/* "how long" asks for a length, not for length. */
static bool wants_long(const struct demo_ask *ask)
{
	const char *at = demo_find_phrase(sl_buf_slice(&ask->prompt), "long");
	const char *how = demo_find_phrase(sl_buf_slice(&ask->prompt), "how long");

	return at && (!how || at < how);
}

static bool calls_tool(const struct demo_ask *ask)
{
	if (ask->api != DEMO_CHAT || ask->has_tool_result || !ask->may_call)
		return false;
	bool has_tools = ask->tool.type != JSON_NONE;
	return ask->must_call || says(ask, "use a tool") ||
	       (has_tools && (says(ask, "tool") || says(ask, "tools")));
}

static bool refuses(const struct demo_ask *ask, struct demo_refusal *why)
{
	if (ask->has_tool_result)
		return false;
	if (says(ask, "rate limit")) {
		*why = (struct demo_refusal){
			429,
			"requests",
			"rate_limit_exceeded",
			NULL,
			"Rate limit reached, as you asked. Please try again in 7s.",
			7};
		return true;
	}
	if (says(ask, "fail first")) {
		*why = (struct demo_refusal){
			503,
			"server_error",
			"demo_overloaded",
			NULL,
			"The demo model is overloaded, as you asked. Please try again in 2s.",
			2};
		return true;
	}
	return false;
}

static int put_reasoning(struct demo_script *s, const struct demo_ask *ask)
{
	const struct demo_topic *topic = demo_topic_find(sl_buf_slice(&ask->prompt));
	struct sl_buf out;

	sl_buf_init(&out, ANSWER_MAX);
	int r = sl_buf_put_str(&out, "The question is “");
	if (r == 0)
		r = put_quote(&out, sl_buf_slice(&ask->prompt), QUOTE_MAX);
	if (r == 0)
		r = sl_buf_printf(
			&out,
			"”. What do I have on that? %s: %s. I should keep it short, name the "
			"main point first, and say what to try next.",
			topic ? "There is a paragraph" : "Nothing that fits",
			topic ? topic->title : "then I say who I am");
	if (r == 0)
		r = demo_script_put_text(s, DEMO_REASONING, sl_buf_slice(&out));
	sl_buf_fini(&out);
	return r;
}

static int put_call(struct demo_script *s, const struct demo_ask *ask)
{
	struct sl_buf out;

	sl_buf_init(&out, ANSWER_MAX);
	int r = demo_tool_name(&out, ask->tool);
	if (r == 0)
		r = demo_script_put(s, DEMO_CALL, sl_buf_slice(&out));
	out.len = 0;
	if (r == 0)
		r = demo_tool_arguments(&out, ask->tool, sl_buf_slice(&ask->prompt));
	if (r == 0)
		r = demo_script_put_text(s, DEMO_ARGUMENTS, sl_buf_slice(&out));
	sl_buf_fini(&out);
	return r;
}

static int compose_answer(struct sl_buf *out, struct sl_slice prompt)
{
	const struct demo_topic *topic = demo_topic_find(prompt);
	uint64_t hash = demo_hash(prompt);
	const struct opening *opening = &openings[hash % (sizeof(openings) / sizeof(openings[0]))];
	const char *closing = closings[(hash >> 8) % (sizeof(closings) / sizeof(closings[0]))];
	int r = 0;

	if (demo_excerpt(prompt, QUOTE_MAX).n > 0) {
		r = sl_buf_put_str(out, opening->before);
		if (r == 0)
			r = put_quote(out, prompt, QUOTE_MAX);
		if (r == 0)
			r = sl_buf_put_str(out, opening->behind);
	}
	if (r == 0)
		r = sl_buf_put_str(out, topic ? topic->text : demo_introduction);
	if (r == 0 && topic)
		r = sl_buf_put_str(out, closing);
	return r;
}

static int compose_from_result(struct sl_buf *out, struct sl_slice prompt, struct sl_slice result)
{
	int r = sl_buf_put_str(out, "The tool has answered:\n\n> ");

	if (r == 0)
		r = put_quote(out, result, RESULT_MAX);
	if (r == 0)
		r = sl_buf_put_str(out, "\n\nSo much for “");
	if (r == 0)
		r = put_quote(out, prompt, QUOTE_MAX);
	return r < 0 ? r
		     : sl_buf_put_str(
			       out,
			       "”. A real model would now put this into words of its own; I "
			       "only repeat it, but the way there and back was the real one. ✅");
}

static int put_section(struct demo_script *s, const struct demo_topic *topic)
{
	int r = demo_script_put_text(s, DEMO_TEXT, SL_LIT("\n\n## "));

	if (r == 0)
		r = demo_script_put_text(s, DEMO_TEXT, sl_slice_str(topic->title));
	if (r == 0)
		r = demo_script_put_text(s, DEMO_TEXT, SL_LIT("\n\n"));
	return r < 0 ? r : demo_script_put_text(s, DEMO_TEXT, sl_slice_str(topic->text));
}

static int put_answer(struct demo_script *s, const struct demo_ask *ask)
{
	size_t tokens = ask->knobs.tokens != DEMO_UNSET ? ask->knobs.tokens
			: wants_long(ask)               ? LONG_TOKENS
							: 0;
	size_t before = s->n, n_topics;
	const struct demo_topic *topics = demo_topics(&n_topics);
	struct sl_buf out;

	sl_buf_init(&out, ANSWER_MAX);
	int r = ask->has_tool_result ? compose_from_result(&out, sl_buf_slice(&ask->prompt),
							   sl_buf_slice(&ask->tool_result))
				     : compose_answer(&out, sl_buf_slice(&ask->prompt));
	if (r == 0)
		r = demo_script_put_text(s, DEMO_TEXT, sl_buf_slice(&out));
	sl_buf_fini(&out);
	for (size_t i = 0; r == 0 && s->n - before < tokens; i++)
		r = put_section(s, &topics[i % n_topics]);
	if (ask->knobs.tokens != DEMO_UNSET)
		demo_script_truncate(s, before + tokens);
	return r;
}

/* Puts the end there: max_tokens, a fault, or after all has been said. */
static int put_end(struct demo_script *s, const struct demo_ask *ask, const char *finish_reason)
{
	static const struct {
		const char *phrase;
		enum demo_step_kind kind;
		size_t tokens;
	} faults[] = {{"fail", DEMO_FAIL, 10}, {"cut", DEMO_CUT, 10}, {"stall", DEMO_STALL, 5}};
	enum demo_step_kind kind = DEMO_FINISH;
	size_t tokens = demo_script_tokens(s, s->n);

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (kind != DEMO_FINISH || ask->has_tool_result || !says(ask, faults[i].phrase))
			continue;
		kind = faults[i].kind;
		if (tokens > faults[i].tokens)
			tokens = faults[i].tokens;
	}
	s->finish_reason = finish_reason;
	if (tokens > ask->max_tokens) {
		tokens = ask->max_tokens;
		kind = DEMO_FINISH;
		s->finish_reason = "length";
	}
	demo_script_truncate(s, tokens);
	return demo_script_put(s, kind, sl_slice(NULL, 0));
}

static void set_pace(struct demo_script *s, const struct demo_ask *ask)
{
	const struct demo_knobs *knobs = &ask->knobs;
	bool steady = knobs->fast || knobs->rate != DEMO_UNSET;
	uint32_t every_us = 0;
	uint64_t hash = demo_hash(sl_buf_slice(&ask->prompt));

	if (knobs->rate != DEMO_UNSET && knobs->rate > 0)
		every_us = 1000000 / knobs->rate;
	for (size_t i = 0; i < s->n; i++) {
		hash = demo_mix(hash + i);
		s->steps[i].wait_us = steady ? every_us : TOKEN_US + (uint32_t)(hash % JITTER_US);
	}
	/* Of an end: at once behind the last token. */
	if (s->steps[s->n - 1].kind == DEMO_FINISH)
		s->steps[s->n - 1].wait_us = 0;
	if (says(ask, "slow start"))
		s->steps[0].wait_us = SLOW_US;
	else if (knobs->first_ms != DEMO_UNSET)
		s->steps[0].wait_us = knobs->first_ms * 1000;
	else if (!steady)
		s->steps[0].wait_us = FIRST_US + (uint32_t)(hash % JITTER_US);
}

int demo_text_write(struct demo_script *s, const struct demo_ask *ask, struct demo_refusal *why)
{
	bool call = calls_tool(ask);
	int r = 0;

	if (refuses(ask, why))
		return -SL_E_SYNTAX;
	s->prompt_tokens = ask->prompt_tokens;
	if (ask->api == DEMO_CHAT && !ask->has_tool_result && says(ask, "think"))
		r = put_reasoning(s, ask);
	if (r == 0)
		r = call ? put_call(s, ask) : put_answer(s, ask);
	if (r == 0)
		r = put_end(s, ask, call ? "tool_calls" : "stop");
	if (r == 0)
		set_pace(s, ask);
	return r;
}
