/*
 * Any bytes as a client's request. What passes the gate is read as a request of each of the four
 * APIs; what is understood is written for every upstream that has a dialect of its own, and is then
 * one JSON object that passes the gate too. So is a request for a response with what it refers to.
 *
 * The first byte chooses the client's API and which of OpenAI's relatives the upstream is, the rest
 * is the body.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "codec/dialect.h"
#include "codec/json_writer.h"
#include "codec/prompt.h"
#include "codec/references.h"
#include "codec/relatives.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(what)             \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static const struct json_limits limits = {.depth = 64, .values = 100000};

static void check_fault(const struct request_fault *fault)
{
	DEMAND(fault->message[0] && fault->code && fault->param);
	DEMAND(strlen(fault->message) < sizeof(fault->message));
}

/* It becomes a header's value. */
static void check_dropped(struct sl_slice dropped)
{
	for (size_t i = 0; i < dropped.n; i++)
		DEMAND(dropped.p[i] >= ' ' && dropped.p[i] <= '~');
}

static void check_body(struct sl_slice text)
{
	/* What wraps the client's values adds to their depth. */
	struct json_limits wider = {.depth = limits.depth + 16, .values = 10 * limits.values};
	struct json_fault fault;
	struct json body;

	DEMAND(json_check(text, wider, &fault) == 0);
	DEMAND(json_parse(text, &body) == 0 && body.type == JSON_OBJECT);
}

static const struct relative *relative_at(size_t i)
{
	static const char *const urls[] = {"https://api.openai.com", "https://api.deepseek.com",
					   "https://openrouter.ai",  "https://api.mistral.ai",
					   "https://api.groq.com",   NULL};

	return relative_of_url(urls[i % (sizeof(urls) / sizeof(*urls))]);
}

static void write_for(enum sl_dialect upstream, struct json body, enum sl_dialect client,
		      const struct relative *relative)
{
	const struct prompt_target target = {
		.model = SL_LIT("m"), .stream = true, .relative = relative};
	struct request_fault fault = {0};
	struct sl_buf out = {.max = SIZE_MAX};
	struct tool_names names = {0};
	struct json_writer w;
	struct prompt p;
	int r;

	DEMAND(prompt_read(body, client, &p, &fault) == 0);
	json_writer_init(&w, &out);
	r = dialect_encode(upstream, &p, &target, &names, &w, &fault);
	DEMAND(w.failure == 0);
	DEMAND(r == 0 || r == -SL_E_TYPE);
	if (r == 0)
		check_body(sl_buf_slice(&out));
	else
		check_fault(&fault);
	check_dropped(sl_buf_slice(&p.dropped));
	prompt_fini(&p);
	tool_names_fini(&names);
	sl_buf_fini(&out);
}

/* Every item and every response that can be ours is there, and is the same. */
static int put_item(void *arg, struct sl_slice item_id, struct sl_buf *out)
{
	struct reference_id id;

	(void)arg;
	if (!reference_id_parse(item_id, &id))
		return 0;
	DEMAND(id.prefix.n + id.stream.n < item_id.n);
	DEMAND(sl_buf_put_str(out, "{\"type\":\"reasoning\",\"summary\":[]}") == 0);
	return 1;
}

static int put_conversation(void *arg, struct sl_slice response_id, struct sl_buf *out)
{
	(void)arg;
	if (!sl_slice_starts(response_id, "resp_"))
		return 0;
	return references_put_input((struct json){JSON_STRING, SL_LIT("\"u\"")}, out) == 0;
}

static void resolve(const struct request_info *request)
{
	const struct reference_source source = {put_item, put_conversation, NULL};
	struct sl_buf out = {.max = SIZE_MAX}, input = {.max = SIZE_MAX};
	int r = references_resolve(request, &source, &out);

	DEMAND(r == 0 || r == 1 || r == -SL_E_LIMIT);
	DEMAND((r == 1) == (out.len > 0));
	if (r == 1)
		check_body(sl_buf_slice(&out));
	DEMAND(references_put_input(json_get(request->body, "input"), &input) == 0);
	sl_buf_fini(&out);
	sl_buf_fini(&input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sl_dialect clients[] = {
		SL_DIALECT_OPENAI_CHAT,
		SL_DIALECT_OPENAI_COMPLETIONS,
		SL_DIALECT_RESPONSES,
		SL_DIALECT_ANTHROPIC,
	};
	struct request_fault fault = {0};
	struct request_info info;
	enum sl_dialect client;
	struct prompt p;
	int r;

	if (size < 1)
		return 0;
	client = clients[data[0] & 3];
	if (request_parse(sl_slice((const char *)data + 1, size - 1), client, limits, &info,
			  &fault) < 0)
		return 0;
	if (client == SL_DIALECT_RESPONSES)
		resolve(&info);
	r = prompt_read(info.body, client, &p, &fault);
	DEMAND(r == 0 || r == -SL_E_TYPE || (r == -SL_E_MISSING && client == SL_DIALECT_RESPONSES));
	if (r < 0)
		check_fault(&fault);
	check_dropped(sl_buf_slice(&p.dropped));
	prompt_fini(&p);
	for (int i = 0; r == 0 && i <= SL_DIALECT_BEDROCK_INVOKE; i++) {
		enum sl_dialect upstream = (enum sl_dialect)i;

		if (dialect_of(upstream)->encode)
			write_for(upstream, info.body, client, relative_at(data[0] >> 2));
	}
	request_info_fini(&info);
	return 0;
}
