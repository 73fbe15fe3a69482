/* Steps become bytes when their time has come. */
#include "app/demo/generation.h"

#include <sluice/error.h>
#include "app/demo/reply.h"
#include "app/demo/text.h"

#define BATCH_STEPS 16

/* Who was held up for longer, by a client that does not read, does not catch up. */
#define LATE_MAX_US (100 * 1000)

static const struct demo_refusal failure = {.status = 500,
					    .type = "server_error",
					    .code = "demo_failure",
					    .message = "The demo model failed, as you asked."};

int demo_generation_start(struct demo_generation *g, const struct demo_ask *ask, bool keep_alive,
			  uint64_t now_us, struct sl_buf *out, struct demo_refusal *why)
{
	*g = (struct demo_generation){.stream = ask->stream, .keep_alive = keep_alive};
	demo_script_init(&g->script);

	int r = demo_text_write(&g->script, ask, why);
	if (r == 0)
		r = demo_answer_init(&g->answer, ask);
	if (r == 0 && g->stream)
		r = demo_answer_open(out, keep_alive);
	if (r < 0) {
		demo_generation_fini(g);
		return r;
	}
	g->due_us = now_us + g->script.steps[0].wait_us;
	return 0;
}

void demo_generation_fini(struct demo_generation *g)
{
	demo_script_fini(&g->script);
	demo_answer_fini(&g->answer);
	*g = (struct demo_generation){0};
}

static int end(struct demo_generation *g, enum demo_step_kind kind, struct sl_buf *out)
{
	int r;

	switch (kind) {
	case DEMO_STALL:
		g->due_us = UINT64_MAX;
		return 1;
	case DEMO_CUT:
		return -SL_E_CLOSED;
	case DEMO_FAIL:
		r = g->stream ? demo_answer_fail(&g->answer, out, &failure)
			      : demo_reply_refusal(out, &failure, false);
		return r < 0 ? -SL_E_NOMEM : -SL_E_CLOSED;
	default:
		r = g->stream ? demo_answer_finish(&g->answer, out, &g->script)
			      : demo_answer_put_whole(&g->answer, out, &g->script, g->keep_alive);
		return r < 0 ? -SL_E_NOMEM : 0;
	}
}

/* 1 or as demo_generation_proceed(). */
static int play(struct demo_generation *g, struct sl_buf *out)
{
	const struct demo_step *step = &g->script.steps[g->at];
	int r = 0;

	if (step->kind >= DEMO_FINISH)
		return end(g, step->kind, out);
	if (g->stream && g->at == 0)
		r = demo_answer_put_role(&g->answer, out);
	if (g->stream && r == 0)
		r = demo_answer_put_step(&g->answer, out, &g->script, step);
	if (r < 0)
		return -SL_E_NOMEM;
	g->at++;
	g->due_us += step[1].wait_us;
	return 1;
}

int demo_generation_proceed(struct demo_generation *g, uint64_t now_us, struct sl_buf *out)
{
	int r = 1;

	if (g->due_us + LATE_MAX_US < now_us)
		g->due_us = now_us;
	for (int n = 0; r == 1 && n < BATCH_STEPS && g->due_us <= now_us; n++)
		r = play(g, out);
	return r;
}
