/* Between the files of this folder. */
#ifndef SERVER_SERVER_PRIVATE_H
#define SERVER_SERVER_PRIVATE_H

#include "server/conn.h"
#include "server/server.h"
#include "server/shared.h"

/* What one send() past libmicrohttpd carries at most. */
#define SERVER_CHUNK_BYTES 16384

struct listener {
	struct loop_io io;
	struct server *server;
	struct timer rest; /* accept failed for want of descriptors: try again soon */
	bool is_unix, metrics_only;
	struct listener *next;
};

struct server {
	struct loop *loop;
	struct server_shared *shared;
	struct stream_table *table;
	struct channel_table *channels;
	struct generator *generator;
	struct snapshot_ref *config;
	struct loop_stage stage;
	struct listener *listeners;
	struct shard *shards;
	struct shard *touched; /* those that want to run */
	struct conn *adding;   /* while MHD_add_connection() runs */
	struct conn *conns;
	struct exchange *resume; /* to be resumed at the end of the turn */
	unsigned busy;
	int spare_fd; /* given up to answer 503 when descriptors run out */
	char *chunk;  /* room for one, of SERVER_CHUNK_BYTES (output.c) */
	char *peeked; /* room for a head, of limits.headers as it was at the start */
	size_t peek_bytes;
	struct sl_event *events; /* room to unpack an entry's */
	size_t events_max;
};

struct snapshot_ref *snapshot_take(const struct server_set *set);
struct snapshot_ref *snapshot_hold(struct snapshot_ref *r);
void snapshot_drop(struct snapshot_ref *r);

/* shard.c: hands an accepted connection to a daemon with room. False: it was not taken; its
 * descriptor is closed, and c the caller's. */
bool shard_add(struct server *s, struct conn *c);
/* The connection that is being added right now. */
struct conn *shard_adding(struct shard *sh);
void shard_touch(struct shard *sh);
void shard_closed(struct shard *sh);
bool shards_run(struct server *s);
void shards_free(struct server *s);

#endif
