/* Between transfer.c and multi.c: the transfer's own record, and libcurl's multi handle on the
 * loop. */
#ifndef UPSTREAM_MULTI_H
#define UPSTREAM_MULTI_H

#include <curl/curl.h>
#include <sluice/buf.h>
#include "upstream/transfer.h"

struct part;

struct transfer {
	struct multi *multi;
	struct part *part;
	struct transfer_handler *handler;
	CURL *easy;
	struct curl_slist *headers;
	unsigned sends; /* how often the request was about to be written */
	size_t head_bytes;
	struct sl_buf passed;
	enum transfer_result fault; /* found by us rather than by libcurl */
	bool head_done, cancelled;
	bool want_pause, paused;
	struct transfer *next, **link; /* all of the multi's */
	struct transfer *dirty_next;   /* to be paused, resumed or removed at the end of the turn */
	bool dirty;
};

/* Handler functions run between these two: handles must not be removed there. */
void multi_enter(struct multi *m);
void multi_leave(struct multi *m);
bool multi_is_inside(const struct multi *m);

CURL *multi_take_easy(struct multi *m);
bool multi_add(struct multi *m, struct transfer *t);
/* Takes it off the multi handle, which closes a connection that is in the middle of something, and
 * frees it. */
void multi_remove(struct multi *m, struct transfer *t);
/* The same at the end of the turn, for a transfer whose handler is at work. */
void multi_cancel_later(struct multi *m, struct transfer *t);
void multi_pause(struct multi *m, struct transfer *t, bool on);

/* transfer.c */
void transfer_finish(struct transfer *t, CURLcode code);
void transfer_free(struct transfer *t);

#endif
