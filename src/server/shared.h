/* What the servers of all workers share: counts of connections, TLS material, when we began. Any
 * thread. */
#ifndef SERVER_SHARED_H
#define SERVER_SHARED_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include "server/options.h"

/* A client's address without its port, that of IPv4 as ::ffff:a.b.c.d; all unix sockets are ::. */
struct client_address {
	unsigned char bytes[16];
};

struct address_count;

#define ADDRESS_BUCKETS 1024

struct server_shared {
	_Atomic uint32_t connections;
	_Atomic bool draining;
	_Atomic uint32_t connections_max, per_address_max;
	char *tls_cert, *tls_key, *tls_client_ca; /* contents; NULL: plain HTTP */
	unsigned char ticket_secret[32]; /* signs tickets; made at the start, and nobody else's */
	pthread_mutex_t lock;
	struct address_count *bucket[ADDRESS_BUCKETS];
};

void client_address_set(struct client_address *a, const struct sockaddr_storage *from);

/* 127.0.0.0/8 or ::1. */
bool client_address_is_loopback(const struct client_address *a);

/* Counts a new connection. False when there are too many in all, or from that address: it must be
 * refused. */
bool shared_admit(struct server_shared *s, const struct client_address *a);
/* It has gone. */
void shared_release(struct server_shared *s, const struct client_address *a);

#endif
