/* What the demo model knows. */
#ifndef APP_DEMO_TOPICS_H
#define APP_DEMO_TOPICS_H

#include <stddef.h>
#include <stdint.h>
#include <sluice/slice.h>

struct demo_topic {
	const char *words[8]; /* lower case, up to a NULL; any of them in a question leads here */
	const char *title;
	const char *text; /* markdown */
};

/* All of them; *n says how many. They last for ever. */
const struct demo_topic *demo_topics(size_t *n);

/* The topic whose word the question has first, or NULL. */
const struct demo_topic *demo_topic_find(struct sl_slice question);

/* Where in the text, which is searched no further than 16 KiB, a phrase begins: whole words in any
 * case, blanks or hyphens between them. phrase: lower case, with single spaces. NULL: not there. */
const char *demo_find_phrase(struct sl_slice text, const char *phrase);

/* Says what sluice is and what to try. */
extern const char demo_introduction[];

#endif
