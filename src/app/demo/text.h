/* What the demo model says: from a request to a script. The same request gives the same script. */
#ifndef APP_DEMO_TEXT_H
#define APP_DEMO_TEXT_H

#include "app/demo/ask.h"
#include "app/demo/script.h"

/* Writes into the empty s what is said to `ask`. 0; -SL_E_SYNTAX when the answer is *why instead;
 * -SL_E_NOMEM. demo_script_fini() is due in every case. */
int demo_text_write(struct demo_script *s, const struct demo_ask *ask, struct demo_refusal *why);

/* The beginning of a text without the blanks around it, at most max_bytes and no half character. */
struct sl_slice demo_excerpt(struct sl_slice text, size_t max_bytes);

#endif
