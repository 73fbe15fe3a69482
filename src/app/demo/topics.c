/* Canned knowledge, a paragraph or two a topic, and finding the topic of a question. */
#include "app/demo/topics.h"

#include <ctype.h>
#include <stdbool.h>

#define SEARCH_MAX (16u << 10)

const char demo_introduction[] = "I am the demo model of **sluice**, a proxy that streams tokens "
				 "from language models. My sentences "
				 "are canned, but their way to you is real: HTTP, frames, a log, "
				 "and SSE to your screen. 🌊\n\n"
				 "What to try next:\n\n"
				 "- `think` about something: reasoning comes first\n"
				 "- `use a tool`: a tool call in fragments\n"
				 "- `long`: an answer of 2000 tokens, good for a reconnect\n"
				 "- `fail`, `cut` or `stall`: see how an answer can end";

static const struct demo_topic topics[] = {
	{{"sky", "rayleigh", "sunset", "blue"},
	 "Why the sky is blue",
	 "Sunlight has all colours in it. Air molecules are far smaller than a wavelength of "
	 "light, and so "
	 "small things scatter short waves much more than long ones: with the *fourth power* of "
	 "the "
	 "frequency. This is **Rayleigh scattering**. Blue light is thrown about the whole sky, "
	 "red goes "
	 "nearly straight on. In the evening the way through the air is long, the blue is gone, "
	 "and the "
	 "sunset glows red. 🌅"},
	{{"sse", "eventsource", "streaming", "stream", "events"},
	 "Streaming with server-sent events",
	 "A stream of server-sent events is plain text over HTTP: lines that begin with `data:`, "
	 "and an empty "
	 "line after each event. In a browser it takes three lines:\n\n"
	 "```js\n"
	 "const es = new EventSource('/ask?q=hello');\n"
	 "es.onmessage = e => out.textContent += e.data;\n"
	 "es.addEventListener('done', () => es.close());\n"
	 "```\n\n"
	 "When the connection breaks, the browser comes back with the id it saw last."},
	{{"resume", "reconnect", "reload", "offline", "disconnect"},
	 "Going on after a break",
	 "Each entry of a stream has a number, and the proxy keeps the entries for a while. A "
	 "client that "
	 "returns says which one it saw last:\n\n"
	 "1. the connection breaks;\n"
	 "2. the client asks again with `Last-Event-ID`;\n"
	 "3. it gets what it missed in one go, and then the rest live.\n\n"
	 "Nothing is lost, nothing comes twice, and the model is paid once."},
	{{"sluice", "proxy", "gateway"},
	 "What sluice is",
	 "A sluice lets through what should flow and holds back what should not. This one stands "
	 "between your "
	 "programs and language models: it speaks their dialects, keeps each answer in a log, and "
	 "lets any "
	 "number of viewers read along, from any position. Naïve clients, slow clients and clients "
	 "that come "
	 "back later all see the same stream."},
	{{"markdown", "table", "format", "headings"},
	 "What Markdown looks like",
	 "\n\n### A list\n\n"
	 "- **bold**, *slanted*, `code`\n"
	 "- a [link](https://html.spec.whatwg.org/)\n\n"
	 "### A table\n\n"
	 "| end | who pays |\n"
	 "|---|--:|\n"
	 "| `done` | you |\n"
	 "| stopped | you, less |\n\n"
	 "```python\n"
	 "for token in answer:\n"
	 "    print(token, end='')\n"
	 "```\n\n"
	 "> What looks like HTML, as <b> does, stays text."},
	{{"code", "function", "program", "pointer", "python"},
	 "A little code",
	 "Here is a small function in C that reverses a string where it stands:\n\n"
	 "```c\n"
	 "void reverse(char *s, size_t n)\n"
	 "{\n"
	 "\tfor (size_t i = 0; i < n / 2; i++) {\n"
	 "\t\tchar c = s[i];\n"
	 "\t\ts[i] = s[n - 1 - i];\n"
	 "\t\ts[n - 1 - i] = c;\n"
	 "\t}\n"
	 "}\n"
	 "```\n\n"
	 "It counts bytes, so keep it away from “é” and “日本語”."},
	{{"moon", "star", "stars", "space", "planet", "universe"},
	 "The Moon and the tides",
	 "The Moon is about 384 000 km away; its light needs 1.3 seconds to us. It pulls the near "
	 "side of "
	 "the Earth a little more than the far side, and that difference lifts the sea on *both* "
	 "sides. The Earth "
	 "turns below these two bulges, so most coasts see high water twice a day. 🌙"},
	{{"cook", "recipe", "eat", "dinner", "pancakes", "food"},
	 "Pancakes for two",
	 "Simple and good:\n\n"
	 "- 150 g of flour, a pinch of salt\n"
	 "- 2 eggs\n"
	 "- 300 ml of milk\n\n"
	 "Whisk it, let it rest for ten minutes, then bake thin pancakes in butter. Crème fraîche "
	 "and a spoon of "
	 "jam make them a small feast. 🥞"},
	{{"poem", "haiku", "poetry", "verse", "song"},
	 "A haiku",
	 "Here is one about water:\n\n"
	 "> The gate lifts an inch;\n"
	 "> word by word the river comes\n"
	 "> and forgets the wall.\n\n"
	 "The form is from Japan, where it is written 俳句: three lines of five, seven and five "
	 "syllables, "
	 "and often a season."},
	{{"weather", "rain", "cloud", "storm", "wind"},
	 "How rain begins",
	 "Warm air takes up water and rises. Higher up it cools, and around specks of dust the "
	 "water "
	 "becomes droplets, so small that they float: a cloud. When they meet and grow to about "
	 "half a "
	 "millimetre, they fall. A summer cloud can easily weigh 500 tonnes. ☔ For today's weather "
	 "say "
	 "“use a tool”."},
	{{"joke", "funny", "laugh", "fun"},
	 "A joke",
	 "A program goes to the shop. *“Bring a loaf of bread, and if they have eggs, bring "
	 "twelve.”* It comes back "
	 "with twelve loaves. “Why?” – “They had eggs.” 🥚\n\n"
	 "There is one about UDP as well, but I cannot say whether you would get it."},
	{{"hello", "hi", "hey", "hallo", "bonjour", "hola"},
	 "Hello in many languages",
	 "Hello! 👋 Nice to have you here. In other places they would say:\n\n"
	 "- *Grüß dich* in Bavaria\n"
	 "- *¡Buenos días!* in Madrid\n"
	 "- *Привіт* in Kyiv\n"
	 "- *こんにちは* in Osaka\n\n"
	 "Ask me about the sky, a recipe or a poem, or let me `think`."},
	{{"model", "token", "tokens", "llm", "ai"},
	 "What a token is",
	 "Language models write in tokens: frequent words are one, rare words are several, and a "
	 "blank "
	 "mostly belongs to the word behind it. A model gives a probability to each possible next "
	 "token, one is "
	 "drawn, and all begins again. That is why answers *stream*: there is nothing to wait for, "
	 "the next word "
	 "does not exist yet."},
};

#define TOPICS (sizeof(topics) / sizeof(topics[0]))

const struct demo_topic *demo_topics(size_t *n)
{
	*n = TOPICS;
	return topics;
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_gap(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '-';
}

static bool phrase_begins(const char *p, const char *end, const char *phrase)
{
	for (; *phrase; phrase++) {
		if (*phrase != ' ') {
			if (p == end || tolower((unsigned char)*p) != *phrase)
				return false;
			p++;
			continue;
		}
		if (p == end || !is_gap(*p))
			return false;
		while (p < end && is_gap(*p))
			p++;
	}
	return p == end || !is_word_char(*p);
}

const char *demo_find_phrase(struct sl_slice text, const char *phrase)
{
	if (text.n == 0)
		return NULL; /* it may have no bytes to point at */
	const char *end = text.p + (text.n < SEARCH_MAX ? text.n : SEARCH_MAX);
	bool in_word = false;

	for (const char *p = text.p; p < end; p++) {
		if (!in_word && phrase_begins(p, end, phrase))
			return p;
		in_word = is_word_char(*p);
	}
	return NULL;
}

const struct demo_topic *demo_topic_find(struct sl_slice question)
{
	const struct demo_topic *found = NULL;
	const char *first = NULL;

	for (size_t i = 0; i < TOPICS; i++) {
		for (const char *const *word = topics[i].words; *word; word++) {
			const char *at = demo_find_phrase(question, *word);

			if (at && (!first || at < first)) {
				first = at;
				found = &topics[i];
			}
		}
	}
	return found;
}
