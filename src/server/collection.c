/* /v1/streams: beginning a stream that lives on its own, and the list of the caller's. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/clock.h"
#include "server/access.h"
#include "server/requests.h"
#include "server/respond.h"
#include "server/resume.h"
#include "server/routes.h"
#include "server/server_private.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000

/* Names, states and the seconds of its birth: what can be said without reading its log. */
static void print_stream(struct sl_buf *out, const struct stream *s)
{
	sl_buf_printf(
		out,
		"{\"id\":\"%s\",\"object\":\"stream\",\"url\":\"/v1/streams/%s\",\"state\":\"%s\","
		"\"created_at\":%" PRId64 ",\"last_event_id\":\"%s.%" PRIu64
		"\",\"viewers\":%" PRIu32 ",\"model\":",
		s->id, s->id, stream_state_name(s->state), s->born_unix_s, s->id,
		s->log.next_seq - 1, s->viewer_count);
	if (s->name && *s->name)
		sl_buf_put_json_string(out, sl_slice_str(s->name));
	else
		sl_buf_put_str(out, "null");
	const char *upstream = s->upstream;
	sl_buf_put_str(out, ",\"upstream\":");
	if (upstream)
		sl_buf_put_json_string(out, sl_slice_str(upstream));
	else
		sl_buf_put_str(out, "null");
}

static void respond_json(struct exchange *x, unsigned status, struct sl_buf *out, int result)
{
	if (result == 0)
		respond_bytes(x, status, "application/json", sl_buf_slice(out));
	else
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
	sl_buf_fini(out);
}

/* 201 for a stream that begins, 200 for one that was there. */
static void answer_created(struct exchange *x, struct stream *s, bool fresh, void *arg)
{
	struct sl_buf out;
	(void)arg;
	if (fresh)
		stream_expect_viewer(s);
	sl_buf_init(&out, 65536);
	print_stream(&out, s);
	sl_buf_put_str(&out, ",\"read_url\":\"");
	access_print_read_url(x, s->id, &out);
	int r = sl_buf_put_str(&out, "\"}\n");
	snprintf(x->location, sizeof(x->location), "/v1/streams/%s", s->id);
	snprintf(x->encoder.stream_id, sizeof(x->encoder.stream_id), "%s", s->id);
	respond_json(x, fresh ? 201 : 200, &out, r);
}

/* A request that is repeated with a position never begins another stream. */
static bool answer_by_position(struct exchange *x)
{
	struct stream *s;
	if (!resume_find(x, &s))
		return false;
	if (s)
		answer_created(x, s, false, NULL);
	stream_unref(s);
	return true;
}

/* What the body is of: ?api=. False: an error was answered. */
static bool choose_api(struct exchange *x, enum sl_dialect *dialect)
{
	static const struct {
		const char *name;
		enum sl_dialect dialect;
	} names[] = {{"chat", SL_DIALECT_OPENAI_CHAT},
		     {"messages", SL_DIALECT_ANTHROPIC},
		     {"responses", SL_DIALECT_RESPONSES}};
	const char *api = exchange_query(x, "api");
	*dialect = SL_DIALECT_OPENAI_CHAT;
	if (!api)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i].name, api) == 0) {
			*dialect = names[i].dialect;
			return true;
		}
	respond_refusal(x, 400, "invalid_request_error", "invalid_api",
			"api is chat, messages or responses: the route whose body this is");
	return false;
}

void handle_begin(struct exchange *x)
{
	enum sl_dialect dialect;
	if (answer_by_position(x))
		return;
	if (!choose_api(x, &dialect))
		return;
	struct generation *g = request_of_body(x, dialect);
	if (!g)
		return;
	g->request.must_stream = true;
	const struct stream_options *o = x->config->set.streams;
	request_start(x, g,
		      &(struct request_plan){.leave = o->leave_is_set ? o->when_client_leaves
								      : request_comes_back,
					     .answer = answer_created});
}

static int newest_first(const void *a, const void *b)
{
	uint64_t one = (*(struct stream *const *)a)->born_us;
	uint64_t other = (*(struct stream *const *)b)->born_us;
	return one < other ? 1 : one > other ? -1 : 0;
}

static bool read_limit(struct exchange *x, uint64_t *limit)
{
	const char *text = exchange_query(x, "limit");
	*limit = LIST_DEFAULT;
	if (!text ||
	    (stream_seq_parse(sl_slice_str(text), limit) == 0 && *limit > 0 && *limit <= LIST_MAX))
		return true;
	respond_refusal(x, 400, "invalid_request_error", "invalid_limit",
			"limit is a number from 1 to 1000");
	return false;
}

void handle_list(struct exchange *x)
{
	uint64_t limit;
	size_t n = 0;
	if (!read_limit(x, &limit))
		return;
	struct stream **all = stream_table_all(x->server->table, access_owner(x), &n);
	struct sl_buf out;
	sl_buf_init(&out, (size_t)1 << 22);
	if (all)
		qsort(all, n, sizeof(struct stream *), newest_first);
	int r = all ? sl_buf_put_str(&out, "{\"object\":\"list\",\"data\":[") : -SL_E_NOMEM;
	for (size_t i = 0; i < n && i < limit; i++) {
		sl_buf_put_str(&out, i ? ",\n" : "\n");
		print_stream(&out, all[i]);
		r = sl_buf_putc(&out, '}');
	}
	if (r == 0)
		r = sl_buf_printf(&out, "],\"has_more\":%s}\n", n > limit ? "true" : "false");
	for (size_t i = 0; i < n; i++)
		stream_unref(all[i]);
	free(all);
	respond_json(x, 200, &out, r);
}
