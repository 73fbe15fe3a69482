/* The demo model's tool calls. */
#ifndef APP_DEMO_TOOL_H
#define APP_DEMO_TOOL_H

#include <sluice/buf.h>
#include <sluice/slice.h>
#include "codec/json.h"

/* Appends the name of a request's function, or get_weather when it is JSON_NONE. 0 or -SL_E_NOMEM.
 */
int demo_tool_name(struct sl_buf *out, struct json function);

/* Appends arguments, an object in JSON that the function's schema would take, made up or from the
 * prompt. 0 or -SL_E_NOMEM. */
int demo_tool_arguments(struct sl_buf *out, struct json function, struct sl_slice prompt);

#endif
