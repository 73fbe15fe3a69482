/* What is wrong, where it stands, and what was probably meant. */
#ifndef APP_CONFIG_REPORT_H
#define APP_CONFIG_REPORT_H

#include <stddef.h>
#include <stdio.h>

struct config_node;

#define CONFIG_ERRORS_MAX 100

/* Errors are kept, and written in the order of their lines at the end. Zeroes are a report without
 * any. */
struct config_report {
	size_t count; /* all there were; those past the first 100 are not kept */
	struct {
		unsigned line; /* UINT_MAX: stands in no file */
		char *text;
	} errors[CONFIG_ERRORS_MAX];
};

/* Writes and frees what has come together. */
void config_report_flush(struct config_report *r, FILE *to);

/* One line "FILE:LINE: key.path: message", or "--option: message". `child` is a key that `node`
 * should have or has, which belongs to the path; NULL. */
__attribute__((format(printf, 4, 5))) void config_complain(struct config_report *r,
							   const struct config_node *node,
							   const char *child, const char *format,
							   ...);

/* A line of its own, about no value. */
__attribute__((format(printf, 2, 3))) void config_complain_plainly(struct config_report *r,
								   const char *format, ...);

void config_complain_memory(struct config_report *r);

/* Finds the nearest of some words: offer each of them, then ask. Longer words than that are near to
 * nothing. */
#define CONFIG_WORD_MAX 64

struct config_nearest {
	const char *word;
	char best[CONFIG_WORD_MAX + 1]; /* "": none is near enough */
	size_t distance;
};

void config_nearest_offer(struct config_nearest *n, const char *candidate);

/* ` (did you mean "x"?)`, or "" when nothing is near. Written into `out`, which it gives back. */
const char *config_nearest_hint(const struct config_nearest *n, char *out, size_t size);

#endif
