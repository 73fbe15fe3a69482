/* The table of dialects: one row for each of enum sl_dialect. */
#include "codec/dialect.h"

#include <assert.h>
#include "codec/dialects/anthropic.h"
#include "codec/dialects/bedrock.h"
#include "codec/dialects/cohere.h"
#include "codec/dialects/gemini.h"
#include "codec/dialects/ollama.h"
#include "codec/dialects/responses.h"
#include "codec/openai.h"
#include "codec/whole.h"

static const struct dialect dialects[SL_DIALECT_BEDROCK_INVOKE + 1] = {
	[SL_DIALECT_OPENAI_CHAT] =
		{
			.name = "openai_chat",
			.framing = &framing_sse,
			.state_size = sizeof(struct openai),
			.init = openai_init,
			.fini = openai_fini,
			.decode = openai_decode,
			.is_complete = openai_is_complete,
			.unfold = whole_unfold,
			.name_max = 64,
			.encode = openai_encode,
		},
	/* Its chunks differ in one member, `text` in the place of `delta`. */
	[SL_DIALECT_OPENAI_COMPLETIONS] =
		{
			.name = "openai_completions",
			.framing = &framing_sse,
			.state_size = sizeof(struct openai),
			.init = openai_init,
			.fini = openai_fini,
			.decode = openai_decode,
			.is_complete = openai_is_complete,
			.unfold = whole_unfold,
		},
	[SL_DIALECT_OPENAI_JSON] =
		{
			.name = "openai_json",
			.state_size = sizeof(struct openai),
			.init = openai_init,
			.fini = openai_fini,
			.decode = openai_decode,
			.is_complete = openai_is_complete,
		},
	[SL_DIALECT_RESPONSES] =
		{
			.name = "responses",
			.framing = &framing_sse,
			.state_size = sizeof(struct responses),
			.init = responses_init,
			.fini = responses_fini,
			.decode = responses_decode,
			.is_complete = responses_is_complete,
			.unfold = responses_unfold,
			.name_max = 64,
			.encode = responses_encode,
		},
	[SL_DIALECT_ANTHROPIC] =
		{
			.name = "anthropic",
			.framing = &framing_sse,
			.state_size = sizeof(struct anthropic),
			.init = anthropic_init,
			.fini = anthropic_fini,
			.decode = anthropic_decode,
			.is_complete = anthropic_is_complete,
			.unfold = anthropic_unfold,
			.name_max = 128,
			.encode = anthropic_encode,
		},
	[SL_DIALECT_ANTHROPIC_JSON] =
		{
			.name = "anthropic_json",
			.state_size = sizeof(struct anthropic),
			.init = anthropic_init,
			.fini = anthropic_fini,
			.decode = anthropic_decode,
			.is_complete = anthropic_is_complete,
		},
	[SL_DIALECT_GEMINI] =
		{
			.name = "gemini",
			.framing = &framing_sse,
			.json_framing = &framing_json,
			.state_size = sizeof(struct gemini),
			.init = gemini_init,
			.fini = gemini_fini,
			.decode = gemini_decode,
			.is_complete = gemini_is_complete,
			.name_max = 64,
			.encode = gemini_encode,
		},
	[SL_DIALECT_OLLAMA] =
		{
			.name = "ollama",
			.framing = &framing_ndjson,
			.json_framing = &framing_ndjson,
			.state_size = sizeof(struct ollama),
			.init = ollama_init,
			.fini = ollama_fini,
			.decode = ollama_decode,
			.is_complete = ollama_is_complete,
			.encode = ollama_encode,
		},
	[SL_DIALECT_COHERE] =
		{
			.name = "cohere",
			.framing = &framing_sse,
			.state_size = sizeof(struct cohere),
			.init = cohere_init,
			.fini = cohere_fini,
			.decode = cohere_decode,
			.is_complete = cohere_is_complete,
			.encode = cohere_encode,
		},
	[SL_DIALECT_BEDROCK_CONVERSE] =
		{
			.name = "bedrock_converse",
			.framing = &framing_eventstream,
			.state_size = sizeof(struct bedrock_converse),
			.init = bedrock_converse_init,
			.fini = bedrock_converse_fini,
			.decode = bedrock_converse_decode,
			.is_complete = bedrock_converse_is_complete,
			.name_max = 64,
			.encode = bedrock_converse_encode,
		},
	[SL_DIALECT_BEDROCK_INVOKE] =
		{
			.name = "bedrock_invoke",
			.framing = &framing_eventstream,
			.state_size = sizeof(struct bedrock_invoke),
			.init = bedrock_invoke_init,
			.fini = bedrock_invoke_fini,
			.decode = bedrock_invoke_decode,
			.is_complete = bedrock_invoke_is_complete,
			.name_max = 128,
			.encode = bedrock_invoke_encode,
		},
};

const struct dialect *dialect_of(enum sl_dialect which)
{
	assert((size_t)which < sizeof(dialects) / sizeof(*dialects));
	return &dialects[which];
}

bool dialect_is_native(enum sl_dialect speaks, enum sl_dialect client)
{
	return speaks == client ||
	       (speaks == SL_DIALECT_BEDROCK_INVOKE && client == SL_DIALECT_ANTHROPIC);
}

int dialect_encode(enum sl_dialect which, struct prompt *p, const struct prompt_target *t,
		   struct tool_names *names, struct json_writer *w, struct request_fault *fault)
{
	const struct dialect *dialect = dialect_of(which);
	int r = tool_names_shorten(names, p, dialect->name_max);

	return r == 0 ? dialect->encode(p, t, w, fault) : r;
}
