/* JSON and HTTP, written piece by piece. */
#include "app/demo/answer.h"

#include <inttypes.h>
#include <sluice/error.h>
#include "app/demo/reply.h"
#include "base/clock.h"

#define MODEL_MAX 2048
#define FRAME_MAX (64u << 10)
#define WHOLE_MAX (16u << 20)

int demo_answer_init(struct demo_answer *a, const struct demo_ask *ask)
{
	*a = (struct demo_answer){.api = ask->api,
				  .include_usage = ask->include_usage,
				  .created_s = clock_unix_ms() / 1000};
	random_id(a->id);
	sl_buf_init(&a->model, MODEL_MAX);
	sl_buf_init(&a->frame, FRAME_MAX);
	return sl_buf_put_json_string(&a->model, sl_buf_slice(&ask->model));
}

void demo_answer_fini(struct demo_answer *a)
{
	sl_buf_fini(&a->model);
	sl_buf_fini(&a->frame);
}

/* The members that chunks and whole answers begin with, up to "choices":[ */
static int put_prefix(const struct demo_answer *a, struct sl_buf *out, const char *chat_object)
{
	bool chat = a->api == DEMO_CHAT;

	return sl_buf_printf(
		out,
		"{\"id\":\"%s-%s\",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":%.*s,"
		"\"system_fingerprint\":\"fp_demo\",\"choices\":[",
		chat ? "chatcmpl" : "cmpl", a->id, chat ? chat_object : "text_completion",
		a->created_s, (int)a->model.len, a->model.p);
}

static int put_usage(struct sl_buf *out, const struct demo_script *s)
{
	size_t completion = demo_script_tokens(s, s->n);

	return sl_buf_printf(out,
			     "\"usage\":{\"prompt_tokens\":%" PRIu32
			     ",\"completion_tokens\":%zu,\"total_tokens\":%zu,"
			     "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
			     "\"completion_tokens_details\":{\"reasoning_tokens\":%zu,"
			     "\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
			     "\"rejected_prediction_tokens\":0}}",
			     s->prompt_tokens, completion, s->prompt_tokens + completion,
			     demo_script_count(s, s->n, DEMO_REASONING));
}

static int begin_chunk(struct demo_answer *a)
{
	int r;

	a->frame.len = 0;
	r = sl_buf_put_str(&a->frame, "data: ");
	return r == 0 ? put_prefix(a, &a->frame, "chat.completion.chunk") : r;
}

/* The frame as a chunk of HTTP. */
static int send_frame(struct demo_answer *a, struct sl_buf *out)
{
	int r = sl_buf_printf(out, "%zx\r\n", a->frame.len);

	if (r == 0)
		r = sl_buf_put_slice(out, sl_buf_slice(&a->frame));
	return r == 0 ? sl_buf_put_str(out, "\r\n") : r;
}

/* After the choice's delta or text. */
static int end_chunk(struct demo_answer *a, struct sl_buf *out, const char *finish_reason)
{
	int r = finish_reason
			? sl_buf_printf(&a->frame, "\"logprobs\":null,\"finish_reason\":\"%s\"}]",
					finish_reason)
			: sl_buf_put_str(&a->frame, "\"logprobs\":null,\"finish_reason\":null}]");

	if (r == 0)
		r = sl_buf_put_str(&a->frame, a->include_usage ? ",\"usage\":null}\n\n" : "}\n\n");
	return r == 0 ? send_frame(a, out) : r;
}

int demo_answer_open(struct sl_buf *out, bool keep_alive)
{
	return sl_buf_printf(out,
			     "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/event-stream; charset=utf-8\r\n"
			     "Cache-Control: no-cache\r\n"
			     "Transfer-Encoding: chunked\r\n%s\r\n",
			     keep_alive ? "" : "Connection: close\r\n");
}

int demo_answer_put_role(struct demo_answer *a, struct sl_buf *out)
{
	if (a->api == DEMO_COMPLETION)
		return 0;
	int r = begin_chunk(a);
	if (r == 0)
		r = sl_buf_put_str(&a->frame, "{\"index\":0,\"delta\":{\"role\":\"assistant\","
					      "\"content\":\"\",\"refusal\":null},");
	return r == 0 ? end_chunk(a, out, NULL) : r;
}

int demo_answer_put_step(struct demo_answer *a, struct sl_buf *out, const struct demo_script *s,
			 const struct demo_step *step)
{
	static const char call[] = "\"tool_calls\":[{\"index\":0,";
	struct sl_buf *f = &a->frame;
	struct sl_slice piece = demo_script_piece(s, step);
	bool chat = a->api == DEMO_CHAT;
	const char *behind = "},";

	int r = begin_chunk(a);
	if (r == 0)
		r = sl_buf_put_str(f, chat ? "{\"index\":0,\"delta\":{" : "{\"index\":0,\"text\":");
	if (r == 0 && step->kind == DEMO_TEXT && chat)
		r = sl_buf_put_str(f, "\"content\":");
	if (r == 0 && step->kind == DEMO_REASONING)
		r = sl_buf_put_str(f, "\"reasoning_content\":");
	if (r == 0 && step->kind == DEMO_CALL) {
		behind = ",\"arguments\":\"\"}}]},";
		r = sl_buf_printf(
			f,
			"%s\"id\":\"call_%s\",\"type\":\"function\",\"function\":{\"name\":", call,
			a->id);
	}
	if (r == 0 && step->kind == DEMO_ARGUMENTS) {
		behind = "}}]},";
		r = sl_buf_printf(f, "%s\"function\":{\"arguments\":", call);
	}
	if (r == 0)
		r = sl_buf_put_json_string(f, piece);
	if (r == 0)
		r = sl_buf_put_str(f, chat ? behind : ",");
	return r == 0 ? end_chunk(a, out, NULL) : r;
}

static int put_usage_chunk(struct demo_answer *a, struct sl_buf *out, const struct demo_script *s)
{
	int r = begin_chunk(a);

	if (r == 0)
		r = sl_buf_put_str(&a->frame, "],");
	if (r == 0)
		r = put_usage(&a->frame, s);
	if (r == 0)
		r = sl_buf_put_str(&a->frame, "}\n\n");
	return r == 0 ? send_frame(a, out) : r;
}

int demo_answer_finish(struct demo_answer *a, struct sl_buf *out, const struct demo_script *s)
{
	int r = begin_chunk(a);

	if (r == 0)
		r = sl_buf_put_str(&a->frame, a->api == DEMO_CHAT ? "{\"index\":0,\"delta\":{},"
								  : "{\"index\":0,\"text\":\"\",");
	if (r == 0)
		r = end_chunk(a, out, s->finish_reason);
	if (r == 0 && a->include_usage)
		r = put_usage_chunk(a, out, s);
	a->frame.len = 0;
	if (r == 0)
		r = sl_buf_put_str(&a->frame, "data: [DONE]\n\n");
	if (r == 0)
		r = send_frame(a, out);
	return r == 0 ? sl_buf_put_str(out, "0\r\n\r\n") : r;
}

int demo_answer_fail(struct demo_answer *a, struct sl_buf *out, const struct demo_refusal *why)
{
	a->frame.len = 0;
	int r = sl_buf_put_str(&a->frame, "data: ");
	if (r == 0)
		r = demo_put_error(&a->frame, why);
	if (r == 0)
		r = sl_buf_put_str(&a->frame, "\n\n");
	if (r == 0)
		r = send_frame(a, out);
	return r == 0 ? sl_buf_put_str(out, "0\r\n\r\n") : r;
}

/* The pieces of one kind, joined, as a JSON string. */
static int put_joined(struct sl_buf *out, const struct demo_script *s, enum demo_step_kind kind)
{
	struct sl_buf text;
	int r = 0;

	sl_buf_init(&text, WHOLE_MAX);
	for (size_t i = 0; r == 0 && i < s->n; i++)
		if (s->steps[i].kind == kind)
			r = sl_buf_put_slice(&text, demo_script_piece(s, &s->steps[i]));
	if (r == 0)
		r = sl_buf_put_json_string(out, sl_buf_slice(&text));
	sl_buf_fini(&text);
	return r;
}

static int put_message(const struct demo_answer *a, struct sl_buf *out, const struct demo_script *s)
{
	bool calls = demo_script_count(s, s->n, DEMO_CALL) > 0;

	int r = sl_buf_put_str(out,
			       "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
	if (r == 0)
		r = calls ? sl_buf_put_str(out, "null") : put_joined(out, s, DEMO_TEXT);
	if (r == 0 && demo_script_count(s, s->n, DEMO_REASONING) > 0) {
		r = sl_buf_put_str(out, ",\"reasoning_content\":");
		if (r == 0)
			r = put_joined(out, s, DEMO_REASONING);
	}
	if (r == 0 && calls) {
		r = sl_buf_printf(out,
				  ",\"tool_calls\":[{\"id\":\"call_%s\",\"type\":\"function\","
				  "\"function\":{\"name\":",
				  a->id);
		if (r == 0)
			r = put_joined(out, s, DEMO_CALL);
		if (r == 0)
			r = sl_buf_put_str(out, ",\"arguments\":");
		if (r == 0)
			r = put_joined(out, s, DEMO_ARGUMENTS);
		if (r == 0)
			r = sl_buf_put_str(out, "}}]");
	}
	return r == 0 ? sl_buf_put_str(out, ",\"refusal\":null},") : r;
}

int demo_answer_put_whole(struct demo_answer *a, struct sl_buf *out, const struct demo_script *s,
			  bool keep_alive)
{
	struct sl_buf body;

	sl_buf_init(&body, WHOLE_MAX);
	int r = put_prefix(a, &body, "chat.completion");
	if (r == 0 && a->api == DEMO_CHAT)
		r = put_message(a, &body, s);
	if (r == 0 && a->api == DEMO_COMPLETION)
		r = sl_buf_put_str(&body, "{\"index\":0,\"text\":");
	if (r == 0 && a->api == DEMO_COMPLETION)
		r = put_joined(&body, s, DEMO_TEXT);
	if (r == 0 && a->api == DEMO_COMPLETION)
		r = sl_buf_putc(&body, ',');
	if (r == 0)
		r = sl_buf_printf(&body, "\"logprobs\":null,\"finish_reason\":\"%s\"}],",
				  s->finish_reason);
	if (r == 0)
		r = put_usage(&body, s);
	if (r == 0)
		r = sl_buf_putc(&body, '}');
	if (r == 0)
		r = demo_reply_json(out, sl_buf_slice(&body), keep_alive);
	sl_buf_fini(&body);
	return r;
}
