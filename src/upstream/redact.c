/* Finding and covering what is secret. */
#include "upstream/redact.h"

#define COVER      "[key]"
#define SECRET_MIN 8
#define CUT_MIN    12 /* what keys of a kind begin with ("sk-proj-") is no secret */

/* Where the text ends within a secret, because it was cut there: what it has of it; else p NULL. */
static struct sl_slice find_cut(struct sl_slice text, struct sl_slice secret)
{
	size_t n = text.n < secret.n ? text.n : secret.n - 1;
	for (; n >= CUT_MIN; n--)
		if (memcmp(text.p + text.n - n, secret.p, n) == 0)
			return sl_slice(text.p + text.n - n, n);
	return (struct sl_slice){0};
}

/* The first secret in the text, and the longest of those that begin there; p NULL: there is none. */
static struct sl_slice find(struct sl_slice text, const struct upstream_options *u)
{
	const char *const secrets[] = {u->key, u->access_key, u->secret_key, u->session_token};
	struct sl_slice found = {0};
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		struct sl_slice s = sl_slice_str(secrets[i]);
		if (s.n < SECRET_MIN || text.n < SECRET_MIN)
			continue;
		const char *whole = memmem(text.p, text.n, s.p, s.n);
		s = whole ? sl_slice(whole, s.n) : find_cut(text, s);
		if (s.p && (!found.p || s.p < found.p || (s.p == found.p && s.n > found.n)))
			found = s;
	}
	return found;
}

bool redact_finds(struct sl_slice text, const struct upstream_options *u)
{
	return find(text, u).p;
}

/* Appends `text` with its secrets covered. */
static void cover(struct sl_slice text, const struct upstream_options *u, struct sl_buf *room)
{
	struct sl_slice secret;
	while ((secret = find(text, u)).p) {
		size_t before = (size_t)(secret.p - text.p), gone = before + secret.n;
		sl_buf_put(room, text.p, before);
		sl_buf_put_str(room, COVER);
		text = sl_slice(text.p + gone, text.n - gone);
	}
	sl_buf_put_slice(room, text);
}

void redact_error(struct sl_entry *e, const struct upstream_options *u, struct sl_event *event,
		  struct sl_buf *room)
{
	size_t all = 0, texts = sizeof(event->s) / sizeof(*event->s);
	bool found = false;
	if (!(e->flags & SL_ENTRY_FAILED) || e->n_events != 1)
		return;
	for (size_t i = 0; i < texts; i++) {
		found |= redact_finds(e->events[0].s[i], u);
		all += e->events[0].s[i].n;
	}
	if (!found)
		return;
	*event = e->events[0];
	/* Reserved at once, so that the slices stay. The cover is shorter than any secret. */
	room->len = 0;
	bool fits = sl_buf_reserve(room, all) == 0;
	for (size_t i = 0; i < texts; i++) {
		size_t start = room->len;
		if (fits)
			cover(event->s[i], u, room);
		event->s[i] = sl_slice(room->p + start, room->len - start);
	}
	e->events = event;
}
