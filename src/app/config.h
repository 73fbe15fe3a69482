/*
 * The configuration: read from a YAML file, or made of the environment, checked whole, then
 * immutable. Who uses a snapshot holds a reference; a reload makes a new one and running requests
 * keep theirs.
 */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include <stdbool.h>
#include <stdio.h>
#include "base/log.h"
#include "server/options.h"
#include "stream/options.h"
#include "stream/route.h"
#include "upstream/options.h"

struct config {
	_Atomic unsigned refs;
	unsigned workers; /* resolved: at least 1 */
	struct server_options server;
	struct stream_options streams;
	struct channel_options channels;
	struct upstream_timeouts timeouts;
	struct upstream_options *upstreams;
	size_t n_upstreams;
	struct route_table routes; /* its upstreams are those, by index */
	struct {
		enum log_level level;
		enum log_format format;
		char *file;
	} log;
	char *metrics_listen; /* "" or an address */
};

/* Command line options that have a key of the same name, as "key=value" to be laid over the file.
 */
struct config_override {
	const char *key;   /* e.g. "listen", "log.level" */
	const char *value; /* YAML text */
};

struct config_source {
	const char *file; /* NULL: no file, the environment decides */
	const struct config_override *overrides;
	size_t n_overrides;
	const char *upstream_url; /* --upstream URL: one upstream of that base; NULL */
	bool demo; /* an upstream is added by the caller: that there is none is no error */
};

/* Reads and checks all of it. NULL when anything is wrong: every error has been written to
 * `errors`, one line each, as "FILE:LINE: key.path: what is wrong (did you mean "x"?)". The caller
 * holds one reference. */
struct config *config_load(const struct config_source *source, FILE *errors);

struct config *config_ref(struct config *c);
void config_unref(struct config *c); /* accepts NULL */

/* The option table, for --help, the sample file and the test that all are documented. */
struct config_option {
	const char *path;       /* "timeouts.connect", "upstreams.*.url" */
	const char *type;       /* "duration", "size", "count", "on/off", "text", … */
	const char *initial;    /* default as text, "" for none */
	const char *help;       /* one line */
	const char *flag;       /* command line option, e.g. "--listen"; NULL when there is none */
	bool not_yet;           /* known, but refused with a clear message for now */
	const char *low, *high; /* of numbers, durations and sizes: the allowed range, as text */
	size_t at; /* where it goes: offset in struct config, in struct upstream_options for
		      "upstreams.*.", or in struct access_key for "keys.*." */
};
extern const struct config_option config_options[];
extern const size_t config_options_count;

#endif
