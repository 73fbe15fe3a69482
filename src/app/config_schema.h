/* Questions to the option table (config_options[] in config.h). */
#ifndef APP_CONFIG_SCHEMA_H
#define APP_CONFIG_SCHEMA_H

#include <stddef.h>
#include "app/config.h"
#include "app/config_report.h"

/* A prefix is the part of a row's path before a key, with "*" for names that the user chooses: "",
 * "timeouts.", "upstreams.*.". */
#define CONFIG_PREFIX_MAX 64

/* The row of `key` behind that prefix; a "*" row takes any key. NULL: there is none. */
const struct config_option *config_schema_find(const char *prefix, const char *key);

/* Whether there are rows below `key`; then *below is their prefix. */
bool config_schema_descend(const char *prefix, const char *key, char below[CONFIG_PREFIX_MAX]);

/* The length of the segment that stands at `at` in a dotted path. A name that ends a path
 * ("models.gpt-4.1") takes its dots. */
size_t config_schema_segment(const char *path, const char *at);

/* ` (did you mean "x"?)` for a key that is unknown behind this prefix: the nearest that is known
 * there, or the same word from another section. Gives back `out`. */
const char *config_schema_hint(const char *prefix, const char *key, char *out, size_t size);

/* Row by path, or NULL. */
const struct config_option *config_schema_row(const char *path);

#endif
