/* Reads a provider's answers, and has requests written for it. */
#include "provider.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sluice/error.h>
#include "codec/dialect.h"
#include "codec/json_writer.h"

static void check_failure(struct collected *c, const char *expected)
{
	struct sl_buf got = {.max = SIZE_MAX};

	ck_assert(c->failed);
	sl_buf_printf(&got, "%s|%s|%s|%" PRId64, buf_str(&c->message), buf_str(&c->type),
		      buf_str(&c->code), c->status);
	ck_assert_str_eq(buf_str(&got), expected);
	sl_buf_fini(&got);
}

void provider_check_answer(enum sl_dialect dialect, const char *content_type,
			   const struct provider_answer *answer)
{
	struct sl_reader_options o = stream_options(dialect);

	o.content_type = sl_slice_str(content_type);
	for (int way = 0; way < VECTORS_WAYS; way++) {
		struct collected *c = malloc(sizeof(*c));
		struct vectors_cuts cuts;

		ck_assert_ptr_nonnull(c);
		collected_init(c);
		vectors_cuts_init(&cuts, NULL, way);
		collect(c, &o, sl_slice_str(answer->body), &cuts, NULL);
		ck_assert_str_eq(buf_str(&c->events), answer->events);
		if (answer->failure)
			check_failure(c, answer->failure);
		else
			ck_assert_msg(c->ended, "failed: %s", buf_str(&c->message));
		collected_fini(c);
		free(c);
	}
}

void provider_check_request_for(enum sl_dialect dialect, const char *model,
				const struct provider_request *request)
{
	const struct prompt_target target = {.model = sl_slice_str(model), .stream = true};
	struct sl_buf out = {.max = SIZE_MAX};
	struct request_fault fault = {0};
	struct json_writer w;
	struct tool_names names = {0};
	struct prompt p;
	struct json json;
	int r;

	ck_assert_int_eq(json_parse(sl_slice_str(request->body), &json), 0);
	ck_assert_int_eq(prompt_read(json, request->client, &p, &fault), 0);
	json_writer_init(&w, &out);
	r = dialect_encode(dialect, &p, &target, &names, &w, &fault);
	ck_assert_int_eq(w.failure, 0);
	if (*request->expected == ' ') {
		ck_assert_int_eq(r, -SL_E_TYPE);
		ck_assert_str_eq(fault.message, request->expected + 1);
	} else {
		ck_assert_int_eq(r, 0);
		ck_assert_str_eq(buf_str(&out), request->expected);
		ck_assert_int_eq(json_parse(sl_buf_slice(&out), &json), 0);
		ck_assert(sl_slice_eq(sl_buf_slice(&p.dropped), sl_slice_str(request->dropped)));
	}
	prompt_fini(&p);
	tool_names_fini(&names);
	sl_buf_fini(&out);
}

void provider_check_request(enum sl_dialect dialect, const struct provider_request *request)
{
	provider_check_request_for(dialect, "m", request);
}
