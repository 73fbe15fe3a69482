/*
 * The first head of a connection, byte by byte, before libmicrohttpd sees it: bare line feeds,
 * folded lines, NULs and malformed lengths, which it accepts, repairs or answers twice. Later
 * requests on the connection pass guard.h only. (Through TLS nothing can be seen from outside.)
 */
#ifndef SERVER_GATE_H
#define SERVER_GATE_H

#include <stdbool.h>
#include <sluice/slice.h>

enum gate { GATE_GOOD, GATE_INCOMPLETE, GATE_BAD_REQUEST, GATE_TOO_LARGE };

/* What `bytes`, the beginning of a connection, are. *why says in English what is bad. Pure. */
enum gate gate_check(struct sl_slice bytes, const char **why);

#endif
