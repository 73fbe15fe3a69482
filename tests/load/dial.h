/* Connecting, thousands of times. */
#ifndef LOAD_DIAL_H
#define LOAD_DIAL_H

#include <netinet/in.h>

/* As many descriptors as the system gives. */
void dial_prepare(void);

/* A non-blocking socket that is being connected; each from another address of loopback in turn, for
 * one alone has too few ports. -1: errno. */
int dial(const struct sockaddr_in *to);

/* After it has become writable: 0, or the errno of why it is not connected. */
int dial_result(int fd);

#endif
