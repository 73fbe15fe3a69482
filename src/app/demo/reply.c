/* Heads and the short bodies. */
#include "app/demo/reply.h"

#include <sluice/error.h>

#define BODY_MAX (64u << 10)

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {{200, "OK"},
		       {400, "Bad Request"},
		       {404, "Not Found"},
		       {405, "Method Not Allowed"},
		       {413, "Content Too Large"},
		       {429, "Too Many Requests"},
		       {431, "Request Header Fields Too Large"},
		       {500, "Internal Server Error"},
		       {501, "Not Implemented"},
		       {503, "Service Unavailable"},
		       {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

/* extra: more headers with their line ends, may be "". */
static int reply(struct sl_buf *out, int status, const char *extra, struct sl_slice body,
		 bool keep_alive)
{
	int r = sl_buf_printf(out,
			      "HTTP/1.1 %d %s\r\n"
			      "Content-Type: application/json\r\n"
			      "Content-Length: %zu\r\n%s%s\r\n",
			      status, reason(status), body.n, extra,
			      keep_alive ? "" : "Connection: close\r\n");

	return r == 0 ? sl_buf_put_slice(out, body) : r;
}

int demo_reply_json(struct sl_buf *out, struct sl_slice body, bool keep_alive)
{
	return reply(out, 200, "", body, keep_alive);
}

int demo_put_error(struct sl_buf *out, const struct demo_refusal *why)
{
	const struct {
		const char *name, *value;
	} members[] = {{"{\"error\":{\"message\":", why->message},
		       {",\"type\":", why->type},
		       {",\"param\":", why->param},
		       {",\"code\":", why->code}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(members) / sizeof(members[0]); i++) {
		const char *value = members[i].value;

		r = sl_buf_put_str(out, members[i].name);
		if (r == 0)
			r = value ? sl_buf_put_json_string(out, sl_slice_str(value))
				  : sl_buf_put_str(out, "null");
	}
	return r == 0 ? sl_buf_put_str(out, "}}") : r;
}

int demo_reply_refusal(struct sl_buf *out, const struct demo_refusal *why, bool keep_alive)
{
	struct sl_buf body, extra;

	sl_buf_init(&body, BODY_MAX);
	sl_buf_init(&extra, BODY_MAX);
	int r = demo_put_error(&body, why);
	if (r == 0 && why->retry_after_s)
		r = sl_buf_printf(&extra, "Retry-After: %u\r\n", why->retry_after_s);
	if (r == 0 && why->allow)
		r = sl_buf_printf(&extra, "Allow: %s\r\n", why->allow);
	if (r == 0)
		r = sl_buf_putc(&extra, '\0');
	if (r == 0)
		r = reply(out, why->status, extra.p, sl_buf_slice(&body), keep_alive);
	sl_buf_fini(&body);
	sl_buf_fini(&extra);
	return r;
}

int demo_reply_models(struct sl_buf *out, bool keep_alive)
{
	static const char body[] = "{\"object\":\"list\",\"data\":["
				   "{\"id\":\"demo\",\"object\":\"model\",\"created\":1735689600,"
				   "\"owned_by\":\"sluice\"},"
				   "{\"id\":\"demo-fast\",\"object\":\"model\",\"created\":"
				   "1735689600,\"owned_by\":\"sluice\"}"
				   "]}";

	return demo_reply_json(out, SL_LIT(body), keep_alive);
}
