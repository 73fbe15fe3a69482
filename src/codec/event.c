/* What holds of events in every dialect. */
#include <sluice/event.h>

static void take_over(int64_t *into, int64_t from)
{
	if (from >= 0)
		*into = from;
}

void sl_usage_merge(struct sl_usage *into, const struct sl_usage *from)
{
	take_over(&into->prompt, from->prompt);
	take_over(&into->completion, from->completion);
	take_over(&into->total, from->total);
	take_over(&into->cached, from->cached);
	take_over(&into->cache_write, from->cache_write);
	take_over(&into->reasoning, from->reasoning);
}

bool sl_usage_known(const struct sl_usage *u)
{
	return u->prompt >= 0 || u->completion >= 0 || u->total >= 0 || u->cached >= 0 ||
	       u->cache_write >= 0 || u->reasoning >= 0;
}

bool sl_event_is_content(const struct sl_event *e)
{
	switch (e->kind) {
	case SL_EVENT_TEXT:
	case SL_EVENT_REASONING:
	case SL_EVENT_REFUSAL:
		return e->s[0].n > 0;
	case SL_EVENT_TOOL_START:
	case SL_EVENT_TOOL_ARGS:
	case SL_EVENT_FINISH:
		return true;
	default:
		return false;
	}
}
