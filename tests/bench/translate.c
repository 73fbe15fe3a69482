/*
 * What a token takes on its way through the codec, without a network: read, put in order, written as
 * it came, and as clients of other APIs read it. One run, one after the other, so that the figures
 * compare.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "codec/encode.h"
#include "stream/parts.h"

#define TOKENS 300000
#define ROUNDS 3

static const char chunk[] =
	"data: {\"id\":\"chatcmpl-7abcdefghijklmnop\",\"object\":\"chat.completion.chunk\","
	"\"created\":1762512000,\"model\":\"gpt-4o-2024-11-20\",\"service_tier\":\"default\","
	"\"system_fingerprint\":\"fp_1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" "
	"token\"},"
	"\"logprobs\":null,\"finish_reason\":null}],\"obfuscation\":\"abcdefgh\"}\n\n";

static const struct {
	const char *name;
	enum format format;
} ways[] = {
	{"as it came", FORMAT_OPENAI},
	{"to Anthropic's events", FORMAT_ANTHROPIC},
	{"to Responses", FORMAT_RESPONSES},
};
#define WAYS (sizeof(ways) / sizeof(*ways))

static double cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct way {
	struct sl_reader *reader;
	struct parts parts;
	struct encoder encoder;
	uint64_t seq, bytes;
};

static void pass(struct way *w)
{
	struct sl_entry read, tidy;
	char out[4096];
	bool native = w->encoder.format == FORMAT_OPENAI;
	sl_reader_feed(w->reader, chunk, sizeof(chunk) - 1);
	while (sl_reader_next(w->reader, &read) == 1) {
		if (!native)
			read.frame = (struct sl_slice){0};
		if (parts_arrange(&w->parts, &read, &tidy) < 0)
			return;
		struct encoder_entry in = {.entry = tidy,
					   .seq = ++w->seq,
					   .native = native,
					   .model = SL_LIT("gpt-4o-2024-11-20"),
					   .created = 1762512000};
		struct sl_window window = sl_window(out, sizeof(out), 0);
		encoder_write(&w->encoder, &in, &window);
		encoder_done(&w->encoder, &in);
		w->bytes += window.written;
	}
}

/* Microseconds of CPU a token. */
static double measure(enum format format)
{
	struct way w = {.parts.composing = format == FORMAT_RESPONSES};
	w.reader = sl_reader_new(&(struct sl_reader_options){
		.dialect = SL_DIALECT_OPENAI_CHAT, .status = 200, .max_frame_bytes = 1 << 24});
	if (!w.reader)
		return 0;
	encoder_init(&w.encoder, format, "abcdefghijklmnopqrstuv");
	double start = cpu_us();
	for (int i = 0; i < TOKENS; i++)
		pass(&w);
	double took = (cpu_us() - start) / TOKENS;
	sl_reader_free(w.reader);
	parts_fini(&w.parts);
	return took;
}

int main(void)
{
	double best[WAYS] = {0};
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < WAYS; i++) {
			double took = measure(ways[i].format);
			if (best[i] == 0 || took < best[i])
				best[i] = took;
		}
	for (size_t i = 0; i < WAYS; i++)
		printf("%-22s %.2f us/token, %+.2f\n", ways[i].name, best[i], best[i] - best[0]);
	return 0;
}
