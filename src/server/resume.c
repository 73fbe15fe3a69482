/* Where a client was, and how it goes on from there. */
#include "server/resume.h"

#include <stdio.h>
#include <sluice/error.h>
#include "server/access.h"
#include "server/respond.h"
#include "server/server_private.h"

const char *resume_position(const struct exchange *x)
{
	const char *p = exchange_header(x, "Last-Event-ID");
	return p && *p ? p : exchange_query(x, "last_event_id");
}

static bool refuse_position(struct exchange *x, const char *why)
{
	respond_refusal(x, 400, "invalid_request_error", "invalid_position", why);
	return false;
}

void resume_refuse_lost(struct exchange *x, const struct stream *s)
{
	char extra[96];
	snprintf(extra, sizeof(extra), "{\"first_id\":\"%s.%llu\"}", s->id,
		 (unsigned long long)s->log.first_seq);
	struct sl_event error = stream_error(410, "invalid_request_error", "position_lost",
					     "what followed that position is no longer held");
	error.s[3] = sl_slice_str(extra);
	respond_error(x, &error, SL_LIT(""), SL_LIT(""), 0);
}

bool resume_read_seq(struct exchange *x, const struct stream *s, uint64_t *seq)
{
	const char *position = resume_position(x);
	const char *after = exchange_query(x, "starting_after");
	struct sl_slice id;
	if (position) {
		if (stream_position_parse(sl_slice_str(position), &id, seq) < 0 ||
		    !sl_slice_is(id, s->id))
			return refuse_position(x,
					       "the last event id is no position of this stream");
	} else if (after && stream_seq_parse(sl_slice_str(after), seq) < 0) {
		return refuse_position(x, "starting_after is the number of an entry");
	}
	if (*seq >= s->log.next_seq)
		return refuse_position(x, "the stream has not come to that position yet");
	return true;
}

void resume_stream(struct exchange *x, struct stream *s, struct watch_options *o)
{
	if (!resume_read_seq(x, s, &o->after_seq))
		return;
	o->at_once = true;
	if (stream_seen_to_end(s, o->after_seq))
		respond_bytes(x, 204, NULL,
			      SL_LIT("")); /* seen to its end: an EventSource stops for good */
	else if (o->after_seq + 1 < s->log.first_seq && o->format != FORMAT_EVENTS)
		resume_refuse_lost(x, s);
	else
		watch_start(x, s, o);
}

bool resume_find(struct exchange *x, struct stream **s)
{
	const char *position = resume_position(x);
	struct sl_slice id;
	uint64_t seq;
	*s = NULL;
	if (!position)
		return false;
	if (stream_position_parse(sl_slice_str(position), &id, &seq) < 0) {
		refuse_position(x, "the last event id is no position of a stream");
		return true;
	}
	*s = access_stream(x, id);
	if (!*s)
		access_refuse_stream(x);
	return true;
}

bool resume_by_position(struct exchange *x, struct watch_options *o)
{
	struct stream *s;
	if (!resume_find(x, &s))
		return false;
	if (s)
		resume_stream(x, s, o);
	stream_unref(s);
	return true;
}
