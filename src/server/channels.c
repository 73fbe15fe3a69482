/*
 * /v1/channels/{name}: publish and watch any events; /v1/feeds/{name}: what the server says of
 * itself.
 *
 *	POST ─▶ publishing ─mail─▶ the channel's owner appends ─mail─▶ 201 {id}
 *	GET  ─▶ a viewer like any other, of a stream that does not end
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/log.h"
#include "codec/utf8.h"
#include "server/access.h"
#include "server/respond.h"
#include "server/resume.h"
#include "server/routes.h"
#include "server/server_private.h"
#include "stream/channel.h"

/* A message is at most this part of what its channel keeps, so that those who follow always find
 * it.
 */
#define MESSAGE_SHARE 4
#define TRIES_MAX     3

#define FROM(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* A message under way, and the exchange that waits for its number. */
struct publishing {
	struct publish_wait wait;
	struct exchange *x; /* NULL: it has left */
	struct stream *stream;
	int64_t seq; /* 0: not known yet */
	unsigned tries;
};

static void published(struct publish_wait *w, int64_t seq)
{
	struct publishing *p = FROM(w, struct publishing, wait);
	if (p->x) {
		p->seq = seq;
		exchange_resume(p->x);
		return;
	}
	stream_unref(p->stream);
	free(p);
}

static void end(struct exchange *x)
{
	struct publishing *p = x->publishing;
	x->publishing = NULL;
	if (!p)
		return;
	if (p->stream && p->seq == 0) { /* its letter comes back to nobody */
		p->x = NULL;
		return;
	}
	stream_unref(p->stream);
	free(p);
}

static void refuse_use(struct exchange *x, int error)
{
	if (error == -SL_E_MISSING)
		respond_refusal(x, 404, "invalid_request_error", "channel_not_found",
				"there is no such channel");
	else if (error == -SL_E_LIMIT)
		respond_refusal(x, 429, "rate_limit_error", "too_many_channels",
				"the server holds as many channels as it may");
	else if (error == -SL_E_BUSY)
		respond_refusal(x, 503, "server_error", "shutting_down",
				"the server is shutting down");
	else
		respond_refusal(x, 500, "server_error", "out_of_memory", "out of memory");
}

/* The channel that the path names. NULL: an error was answered. */
static struct stream *open_channel(struct exchange *x, enum channel_use use)
{
	int error = 0;
	if (!channel_name_is_good(sl_slice_str(x->param))) {
		respond_refusal(x, 400, "invalid_request_error", "invalid_channel",
				"a channel's name has 1 to 64 of the characters A-Z a-z 0-9 . _ -");
		return NULL;
	}
	struct stream *s = channel_open(x->server->channels, x->param, access_owner(x), use,
					x->server->loop, &error);
	if (!s)
		refuse_use(x, error);
	return s;
}

/* Sends the message to its channel, and waits. */
static void publish(struct exchange *x, struct publishing *p)
{
	const char *event = exchange_query(x, "event");
	p->seq = 0;
	stream_unref(p->stream);
	p->stream = open_channel(x, CHANNEL_PUBLISH);
	if (!p->stream)
		return;
	int r = channel_publish(p->stream, sl_slice_str(event ? event : ""), sl_buf_slice(&x->body),
				0, &p->wait);
	if (r == 0) {
		x->state = X_WAITING;
		exchange_suspend(x);
		return;
	}
	p->seq = r; /* no letter is under way */
	refuse_use(x, r == -SL_E_MISSING ? -SL_E_BUSY : r);
}

static void answer(struct exchange *x, const struct publishing *p)
{
	char body[96];
	int n = snprintf(body, sizeof(body), "{\"id\":\"%s.%" PRId64 "\"}\n", p->stream->id,
			 p->seq);
	respond_bytes(x, 201, "application/json", sl_slice(body, (size_t)n));
}

static bool proceed(struct exchange *x)
{
	struct publishing *p = x->publishing;
	if (!p)
		return false;
	if (p->seq > 0)
		answer(x, p);
	else if (p->seq == -SL_E_MISSING && ++p->tries < TRIES_MAX)
		publish(x, p); /* it ended meanwhile, and its name is free for another */
	else
		refuse_use(x, p->seq == -SL_E_MISSING ? -SL_E_BUSY : (int)p->seq);
	return true;
}

static const struct exchange_role role = {proceed, end};

static bool check_message(struct exchange *x)
{
	const char *event = exchange_query(x, "event");
	uint64_t max = x->config->set.channels->memory_bytes / MESSAGE_SHARE;
	if (event && !channel_event_is_good(sl_slice_str(event)))
		respond_refusal(x, 400, "invalid_request_error", "invalid_event",
				"an event's name has 1 to 64 of the characters A-Z a-z 0-9 . _ -, "
				"and is neither error nor lost");
	else if (x->body.len == 0)
		respond_refusal(x, 400, "invalid_request_error", "missing_message",
				"the body is the message, and there is none");
	else if (x->body.len > max)
		respond_refusal(x, 413, "invalid_request_error", "request_too_large",
				"a message is at most a quarter of channels.memory");
	else if (utf8_valid_prefix(sl_buf_slice(&x->body)) < x->body.len)
		respond_refusal(x, 400, "invalid_request_error", "invalid_utf8",
				"a message is UTF-8 text");
	else
		return true;
	return false;
}

void handle_publish(struct exchange *x)
{
	if (!check_message(x))
		return;
	struct publishing *p = calloc(1, sizeof(*p));
	if (!p) {
		refuse_use(x, -SL_E_NOMEM);
		return;
	}
	*p = (struct publishing){.wait = {x->server->loop, published}, .x = x};
	x->publishing = p;
	x->role = &role;
	publish(x, p);
}

/* Where a viewer of an endless stream begins: with what comes next, at ?from=start, or where it
 * was. False: an error was answered. */
static bool find_start(struct exchange *x, const struct stream *s, struct watch_options *o)
{
	const char *position = resume_position(x), *from = exchange_query(x, "from");
	struct sl_slice id;
	o->after_seq = s->log.next_seq - 1;
	if (from && strcmp(from, "start") != 0) {
		respond_refusal(x, 400, "invalid_request_error", "invalid_position",
				"from is start, or not there");
		return false;
	}
	if (from)
		o->after_seq = s->log.first_seq - 1;
	if (!position)
		return true;
	if (stream_position_parse(sl_slice_str(position), &id, &o->after_seq) < 0) {
		respond_refusal(x, 400, "invalid_request_error", "invalid_position",
				"the last event id is no position");
		return false;
	}
	if (!sl_slice_is(id, s->id)) {
		/* Of the channel of that name that was there before: whatever followed is gone. */
		o->lost = true;
		o->after_seq = s->log.first_seq - 1;
	} else if (o->after_seq >= s->log.next_seq) {
		respond_refusal(x, 400, "invalid_request_error", "invalid_position",
				"the channel has not come to that position yet");
		return false;
	}
	return true;
}

/* EventSource is what these are for; ?format=text is for people at a terminal. */
static bool choose_format(struct exchange *x, enum format *format)
{
	const char *wanted = exchange_query(x, "format");
	*format = wanted && strcmp(wanted, "text") == 0 ? FORMAT_TEXT : FORMAT_EVENTS;
	if (!wanted || *format == FORMAT_TEXT || strcmp(wanted, "events") == 0)
		return true;
	respond_refusal(x, 400, "invalid_request_error", "invalid_format",
			"the format of a channel is events or text");
	return false;
}

static void watch(struct exchange *x, struct stream *s, struct watch_options *o)
{
	o->at_once = o->endless = true;
	if (!choose_format(x, &o->format) || !find_start(x, s, o))
		return;
	if (o->format == FORMAT_TEXT && (o->lost || o->after_seq + 1 < s->log.first_seq))
		resume_refuse_lost(x, s);
	else
		watch_start(x, s, o);
}

void handle_channel(struct exchange *x)
{
	struct watch_options o = {0};
	struct stream *s = open_channel(x, CHANNEL_WATCH);
	if (!s)
		return;
	watch(x, s, &o);
	channel_watched(s);
	stream_unref(s);
}

static bool read_level(struct exchange *x, int64_t *level)
{
	const char *wanted = exchange_query(x, "level");
	*level = wanted ? log_level_parse(wanted) : LOG_DEBUG;
	if (*level >= 0)
		return true;
	respond_refusal(x, 400, "invalid_request_error", "invalid_level",
			"level is debug, info, warn or error");
	return false;
}

void handle_feed(struct exchange *x)
{
	struct watch_options o = {0};
	bool log = strcmp(x->param, "log") == 0;
	if (!log && strcmp(x->param, "stats") != 0) {
		respond_refusal(x, 404, "invalid_request_error", "not_found",
				"the feeds are log and stats");
		return;
	}
	if (x->key && !x->key->admin) {
		respond_refusal(x, 403, "permission_error", "admin_only",
				"the feeds are for keys with admin: on");
		return;
	}
	if (log && !read_level(x, &o.level))
		return;
	struct stream *s = channel_open_feed(
		x->server->channels, log ? CHANNEL_FEED_LOG : CHANNEL_FEED_STATS, x->server->loop);
	if (s)
		watch(x, s, &o);
	else
		refuse_use(x, -SL_E_BUSY);
	stream_unref(s);
}
