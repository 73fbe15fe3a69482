/* ?format= and Accept. */
#include "server/format.h"

#include <string.h>
#include "server/respond.h"

static enum format by_accept(const char *accept)
{
	if (accept && strstr(accept, "text/event-stream"))
		return FORMAT_EVENTS;
	if (accept && strstr(accept, "application/json"))
		return FORMAT_DOCUMENT;
	return FORMAT_TEXT;
}

bool format_choose(struct exchange *x, enum format *format)
{
	static const struct {
		const char *name;
		enum format format;
	} names[] = {{"events", FORMAT_EVENTS},
		     {"text", FORMAT_TEXT},
		     {"json", FORMAT_DOCUMENT},
		     {"openai", FORMAT_OPENAI},
		     {"anthropic", FORMAT_ANTHROPIC}};
	const char *wanted = exchange_query(x, "format");
	*format = by_accept(exchange_header(x, "Accept"));
	if (!wanted)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i].name, wanted) == 0) {
			*format = names[i].format;
			return true;
		}
	respond_refusal(x, 400, "invalid_request_error", "invalid_format",
			"format is events, text, json, openai or anthropic");
	return false;
}
