/* The texts of single values: pure, each reads a text or says why not. */
#ifndef APP_CONFIG_VALUE_H
#define APP_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include "server/options.h"

#define CONFIG_MODEL_MAX_BYTES 256

/* "10MiB", "16KiB", "512B", "1GiB", and the decimal "KB", "MB", "GB"; a unit always, but for 0.
 * 0, -SL_E_SYNTAX, or -SL_E_LIMIT when it overflows or is negative. */
int config_size(const char *text, uint64_t *bytes);

/* A number without a unit. Results as config_size. */
int config_count(const char *text, uint64_t *n);

/* As duration_parse, and -SL_E_LIMIT for a negative one. */
int config_duration(const char *text, uint64_t *ms);

/* on, true, yes, off, false, no. 0 or -SL_E_SYNTAX. */
int config_switch(const char *text, bool *on);

/* The following say what is wrong in words, which never hold a piece of the text: NULL when nothing
 * is. */

/* "host:port", "[::1]:port" or "unix:/path". The caller ends *out with config_address_fini(), after
 * a failure too. */
const char *config_address(const char *text, struct listen_address *out);
void config_address_fini(struct listen_address *a);

/* The base URL of an upstream, as `struct upstream_options` wants it; `version` is added where it
 * names none at its end or, when bases of that API go on behind it, anywhere. *out is the caller's
 * to free. */
const char *config_base_url(const char *text, const char *version, bool goes_on, char **out);

/* http, https, socks5 or socks5h with host and port, and credentials if need be. */
const char *config_proxy_url(const char *text);

/* "https://host" or "https://host:port", as browsers send it. */
const char *config_origin(const char *text);

/* A value of the Host header, with or without a port. */
const char *config_host_name(const char *text);

/* A token, that is, the name of a header. */
bool config_is_token(const char *text);

/* No control byte but a tab: what can stand in a header. */
bool config_is_header_text(const char *text);

/* Event loops for the cores that this process may run on: at least 1. */
unsigned config_cores(void);

#endif
