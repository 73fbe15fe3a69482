/* Which format a client wants of a stream. */
#ifndef SERVER_FORMAT_H
#define SERVER_FORMAT_H

#include "server/conn.h"

/* By ?format=, else by Accept. False: an error was answered. */
bool format_choose(struct exchange *x, enum format *format);

#endif
