/*
 * GET /v1/events: several streams on one connection, for browsers have six of them.
 *
 *	member: viewer ─┐
 *	member: viewer ─┼─▶ one event at a time, in turn ─▶ output
 *	member: viewer ─┘
 *
 * Each event's id packs the positions of all members, so that one Last-Event-ID resumes all of
 * them. A stream that is unknown among known ones is a member that has failed: it must not keep the
 * others from their viewer. When all have ended the response does; who comes back then gets 204.
 */
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "server/access.h"
#include "server/respond.h"
#include "server/resume.h"
#include "server/routes.h"
#include "server/server_private.h"

#define MEMBERS_MAX 32

static const char too_many_viewers[] = "a stream has as many viewers as it may";

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct member {
	struct multiplex *multiplex;
	struct viewer viewer; /* not attached: the stream is not there */
	char id[RANDOM_ID_LEN + 1];
	uint64_t seq;     /* what the client has seen */
	uint64_t backlog; /* as in struct exchange */
	bool over;        /* its end has been written */
	bool lost;
	uint64_t lost_first; /* what is being said about it */
};

struct multiplex {
	struct exchange *x;
	struct encoder encoder; /* of the member whose turn it is */
	struct sl_buf before, behind;
	unsigned n, turn;
	struct member members[];
};

static void viewer_ready(struct viewer *v)
{
	exchange_resume(FROM(v, struct member, viewer)->multiplex->x);
}

static void put_position(struct sl_buf *to, const struct member *m, bool first)
{
	sl_buf_printf(to, "%s%s.%llu", first ? "" : ",", m->id, (unsigned long long)m->seq);
}

/* Readies the encoder for the member whose turn it is: what stands beside its own position. */
static void take_turn(struct multiplex *mx)
{
	struct member *m = &mx->members[mx->turn];
	mx->before.len = mx->behind.len = 0;
	for (unsigned i = 0; i < mx->turn; i++)
		put_position(&mx->before, &mx->members[i], i == 0);
	if (mx->turn > 0)
		sl_buf_putc(&mx->before, ',');
	for (unsigned i = mx->turn + 1; i < mx->n; i++)
		put_position(&mx->behind, &mx->members[i], false);
	mx->encoder.id_before = sl_buf_slice(&mx->before);
	mx->encoder.id_behind = sl_buf_slice(&mx->behind);
	memcpy(mx->encoder.stream_id, m->id, sizeof(m->id));
}

/* The stream of this member is not there (any more). */
static void write_missing(struct multiplex *mx, struct member *m, struct sl_window *w)
{
	struct sl_event error = stream_error(404, "invalid_request_error", "stream_not_found",
					     "there is no such stream");
	struct encoder_entry in = {
		.entry = {.flags = SL_ENTRY_FAILED, .events = &error, .n_events = 1},
		.seq = m->seq};
	encoder_write(&mx->encoder, &in, w);
	if (w->cut)
		return;
	encoder_done(&mx->encoder, &in);
	m->over = true;
}

static void write_lost(struct multiplex *mx, struct member *m, struct sl_window *w)
{
	struct stream_log *log = &m->viewer.stream->log;
	if (mx->x->out.skip == 0) /* else it is under way, and must not change */
		m->lost_first = atomic_load(&log->first_seq);
	encoder_write_lost(&mx->encoder, m->lost_first, w);
	if (w->cut)
		return;
	log_cursor_fini(&m->viewer.cursor);
	log_cursor_init(&m->viewer.cursor, log, m->lost_first);
	m->lost = false;
}

static void write_entry(struct multiplex *mx, struct member *m, const struct log_entry *e,
			struct sl_window *w)
{
	struct encoder_entry in;
	watch_unpack(mx->x->server, m->viewer.stream, &mx->encoder, e, &in);
	encoder_write(&mx->encoder, &in, w);
	if (w->cut)
		return;
	encoder_done(&mx->encoder, &in);
	m->seq = e->seq;
	m->over = in.entry.flags & (SL_ENTRY_END | SL_ENTRY_FAILED);
	viewer_advance(&m->viewer, e);
}

/* Writes what the member has to say next. False: nothing. */
static bool write_member(struct multiplex *mx, struct member *m, struct sl_window *w)
{
	struct server *s = mx->x->server;
	const struct log_entry *e;
	int r = m->viewer.stream ? viewer_peek(&m->viewer, &e) : -SL_E_MISSING;
	if (m->over || r == 0)
		return false;
	take_turn(mx);
	if (!m->viewer.stream) {
		write_missing(mx, m, w);
		return true;
	}
	if (r < 0 || m->lost) {
		m->lost = true;
		write_lost(mx, m, w);
		return true;
	}
	if (w->skip == 0 && e->seq <= m->backlog) {
		w->written =
			watch_write_run(s, &m->viewer, &mx->encoder, m->backlog, w->dst, w->room);
		m->seq = m->viewer.cursor.seq - 1;
	}
	if (w->written == 0)
		write_entry(mx, m, e, w);
	return true;
}

static size_t fill(struct exchange *x, char *buf, size_t max)
{
	struct multiplex *mx = x->multiplex;
	size_t n = 0;
	unsigned silent = 0, over = 0;
	if (!mx) {
		x->out.broken = true;
		return 0;
	}
	/* A member keeps its turn while an event of it is under way, and gives it on after one. */
	while (n < max && silent < mx->n) {
		struct sl_window w = sl_window(buf + n, max - n, x->out.skip);
		bool spoke = write_member(mx, &mx->members[mx->turn], &w);
		n += w.written;
		if (w.cut) {
			x->out.skip += w.written;
			return n;
		}
		x->out.skip = 0;
		silent = spoke ? 0 : silent + 1;
		mx->turn = (mx->turn + 1) % mx->n;
	}
	for (unsigned i = 0; i < mx->n; i++)
		over += mx->members[i].over;
	x->out.finished = over == mx->n;
	return n;
}

static bool arm(struct exchange *x)
{
	struct multiplex *mx = x->multiplex;
	bool armed = true;
	for (unsigned i = 0; i < mx->n; i++) {
		struct member *m = &mx->members[i];
		if (m->over || !m->viewer.stream)
			continue;
		bool ended = stream_state_ended(m->viewer.stream->state);
		if (!viewer_arm(&m->viewer))
			armed = false;
		else if (ended) /* … and yet no end in its log: there was no memory for it */
			x->out.broken = true;
	}
	return armed && !x->out.broken;
}

static const struct output_source source = {fill, arm};

static bool proceed(struct exchange *x)
{
	(void)x;
	return true;
}

static void end(struct exchange *x)
{
	struct multiplex *mx = x->multiplex;
	x->multiplex = NULL;
	if (!mx)
		return;
	for (unsigned i = 0; i < mx->n; i++)
		viewer_detach(&mx->members[i].viewer);
	sl_buf_fini(&mx->before);
	sl_buf_fini(&mx->behind);
	free(mx);
}

static const struct exchange_role role = {proceed, end};

static struct sl_slice next_item(struct sl_slice *list)
{
	const char *comma = list->n ? memchr(list->p, ',', list->n) : NULL;
	size_t n = comma ? (size_t)(comma - list->p) : list->n;
	struct sl_slice item = sl_slice(list->p, n);
	*list = comma ? sl_slice(comma + 1, list->n - n - 1) : sl_slice(list->p + n, 0);
	return item;
}

static struct member *find_member(struct multiplex *mx, struct sl_slice id)
{
	for (unsigned i = 0; i < mx->n; i++)
		if (sl_slice_is(id, mx->members[i].id))
			return &mx->members[i];
	return NULL;
}

/* The members that ?streams= names. Words of what is wrong, or NULL. */
static const char *read_members(struct multiplex *mx, const char *list)
{
	struct sl_slice rest = sl_slice_str(list);
	do {
		struct sl_slice id = next_item(&rest);
		if (id.n != RANDOM_ID_LEN)
			return "streams is a list of stream ids, as in streams=a,b,c";
		if (find_member(mx, id))
			return "a stream stands in the list twice";
		if (mx->n == MEMBERS_MAX)
			return "one connection carries at most 32 streams";
		struct member *m = &mx->members[mx->n++];
		*m = (struct member){.multiplex = mx, .viewer.ready = viewer_ready};
		memcpy(m->id, id.p, id.n);
	} while (rest.n);
	return NULL;
}

/* Their positions, "a.12,b.7". */
static const char *read_positions(struct multiplex *mx, const char *list)
{
	struct sl_slice rest = sl_slice_str(list);
	while (rest.n) {
		struct sl_slice id;
		uint64_t seq;
		if (stream_position_parse(next_item(&rest), &id, &seq) < 0)
			return "the last event id is no list of positions, as in a.12,b.7";
		struct member *m = find_member(mx, id);
		if (!m)
			return "the last event id names a stream that is not watched here";
		m->seq = seq;
	}
	return NULL;
}

/* Finds the members' streams. *known: how many are there, *seen: how many of these the client has
 * seen to their end. Words of what is wrong, or NULL. */
static const char *attach(struct exchange *x, struct multiplex *mx, unsigned *known, unsigned *seen)
{
	const char *tickets = exchange_query(x, "ticket");
	struct sl_slice rest = sl_slice_str(tickets ? tickets : "");
	*known = *seen = 0;
	for (unsigned i = 0; i < mx->n; i++) {
		struct member *m = &mx->members[i];
		struct stream *s = access_stream_to_read(x, sl_slice_str(m->id), next_item(&rest));
		if (!s)
			continue;
		const char *wrong = NULL;
		uint64_t there = s->log.next_seq - 1;
		m->backlog = m->seq == 0 ? there : 0;
		if (m->seq > there)
			wrong = "a stream has not come to that position yet";
		else if (viewer_attach(&m->viewer, s, x->server->loop, m->seq) < 0)
			wrong = too_many_viewers;
		++*known;
		m->over = stream_seen_to_end(s, m->seq);
		*seen += m->over;
		stream_unref(s);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static void refuse(struct exchange *x, const char *why)
{
	if (why == too_many_viewers)
		respond_refusal(x, 429, "rate_limit_error", "too_many_viewers", why);
	else
		respond_refusal(x, 400, "invalid_request_error", "invalid_request", why);
}

static void start(struct exchange *x, struct multiplex *mx)
{
	encoder_init(&mx->encoder, FORMAT_MULTIPLEX, "");
	mx->encoder.ids = access_event_ids(x);
	mx->encoder.retry_ms = respond_retry_ms();
	x->out.heartbeat_ms = access_heartbeat_ms(x);
	x->out.heartbeat = HEARTBEAT_COMMENT;
	x->state = X_STREAMING;
	struct MHD_Response *r = output_response(x, &source, MHD_SIZE_UNKNOWN);
	if (r)
		respond_stream_headers(x, r, "text/event-stream");
	respond_queue(x, 200, r);
}

void handle_events(struct exchange *x)
{
	const char *list = exchange_query(x, "streams"), *position = resume_position(x);
	unsigned known = 0, seen = 0;
	struct multiplex *mx = calloc(1, sizeof(*mx) + (MEMBERS_MAX + 1) * sizeof(struct member));
	if (!mx) {
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
		return;
	}
	mx->x = x;
	sl_buf_init(&mx->before, 4096);
	sl_buf_init(&mx->behind, 4096);
	x->multiplex = mx;
	x->role = &role;
	const char *wrong = read_members(mx, list ? list : "");
	if (!wrong && position)
		wrong = read_positions(mx, position);
	if (!wrong)
		wrong = attach(x, mx, &known, &seen);
	if (wrong)
		refuse(x, wrong);
	else if (known == 0)
		access_refuse_stream(x);
	else if (seen == known && position)
		respond_bytes(x, 204, NULL, SL_LIT(""));
	else
		start(x, mx);
	if (x->state != X_STREAMING)
		exchange_end(x);
}
