/* Finding and covering the key. */
#include "upstream/redact.h"

#define COVER      "[key]"
#define SECRET_MIN 8

static const char *find(struct sl_slice text, const char *key)
{
	return text.n ? memmem(text.p, text.n, key, strlen(key)) : NULL;
}

bool redact_finds(struct sl_slice text, const char *key)
{
	return key && strlen(key) >= SECRET_MIN && find(text, key);
}

/* Appends `text` with the key covered; its offset in `room`. */
static void cover(struct sl_slice text, const char *key, struct sl_buf *room)
{
	const char *at;
	while ((at = find(text, key))) {
		size_t before = (size_t)(at - text.p), gone = before + strlen(key);
		sl_buf_put(room, text.p, before);
		sl_buf_put_str(room, COVER);
		text = sl_slice(text.p + gone, text.n - gone);
	}
	sl_buf_put_slice(room, text);
}

void redact_error(struct sl_entry *e, const char *key, struct sl_event *event, struct sl_buf *room)
{
	size_t all = 0, texts = sizeof(event->s) / sizeof(*event->s);
	bool found = false;
	if (!(e->flags & SL_ENTRY_FAILED) || e->n_events != 1)
		return;
	for (size_t i = 0; i < texts; i++) {
		found |= redact_finds(e->events[0].s[i], key);
		all += e->events[0].s[i].n;
	}
	if (!found)
		return;
	*event = e->events[0];
	/* Reserved at once, so that the slices stay. The cover is shorter than any key. */
	room->len = 0;
	bool fits = sl_buf_reserve(room, all) == 0;
	for (size_t i = 0; i < texts; i++) {
		size_t start = room->len;
		if (fits)
			cover(event->s[i], key, room);
		event->s[i] = sl_slice(room->p + start, room->len - start);
	}
	e->events = event;
}
