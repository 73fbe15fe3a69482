/* The HTTP status that an upstream's failure becomes while nothing was sent: the one table for all
 * dialects. */
#ifndef CODEC_ERROR_STATUS_H
#define CODEC_ERROR_STATUS_H

#include <stdbool.h>
#include <sluice/event.h>
#include <sluice/slice.h>

/* For a status line of the upstream: the same where it tells the client something about its own
 * request or about when to come again, else 502. 401 and 403 stay: what they mean depends on whose
 * key it was. */
int error_status_of_http(int http_status);

/* For the word of an error's `type`, `code` or `status`: an HTTP status as the upstream could have
 * sent it; 0 for an unknown word. */
int error_status_of_word(struct sl_slice word);

/* The status that a client sees for one of ours: an overload is 529 in Anthropic's API and 503
 * elsewhere. */
int error_status_for(bool anthropic, int status);

/* Puts the words of an SL_EVENT_ERROR that came from an API which the client does not speak into the
 * usual ones, by its status; the API's own word stays as the code where there is no usual one. Errors
 * of ours stay as they are. */
void error_translate(struct sl_event *error);

#endif
