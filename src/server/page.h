/*
 * The chat page: its files, compiled into the program by scripts/embed.py. A path outside this
 * table is no file of ours: nothing is ever looked up on disk.
 */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include <stddef.h>

/* Everything lives as long as the program and never changes. Any thread. */
struct page_file {
	const char *path; /* as asked for: "/" (index.html), "/page/app.js" */
	const char *content_type;
	const char *etag;          /* strong, with its quotes; new with every change of data */
	const unsigned char *data; /* no NUL after it */
	size_t size;
};

extern const struct page_file page_files[];
extern const size_t page_files_count;

#endif
