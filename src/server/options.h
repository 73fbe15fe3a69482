/* What the configuration says about the HTTP server. Times in ms, sizes in bytes. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "stream/options.h"

struct listen_address {
	char *text; /* as configured: "127.0.0.1:8080", "[::1]:0", "unix:/run/sluice.sock" */
	bool is_unix;
	char *host; /* without brackets; the path for unix */
	uint16_t port;
	bool loopback; /* nobody but this machine can reach it */
};

/* One of `keys:`: who may call, and how. */
struct access_key {
	char *name; /* in logs and metrics, and what its streams belong to: unique */
	unsigned char sha256[32];
	char **models; /* that it may ask for; none: all */
	size_t n_models;
	bool admin; /* may read the feeds */
	/* instead of what streams: says, where it is set */
	bool leave_is_set, heartbeat_is_set, event_ids_is_set;
	struct leave when_client_leaves;
	uint64_t heartbeat_ms;
	bool event_ids;
};

struct server_options {
	struct access_key *keys; /* none: nobody is asked who they are */
	size_t n_keys;
	struct listen_address *listen;
	size_t n_listen;
	char *tls_cert, *tls_key, *tls_client_ca; /* PEM file names; NULL: plain HTTP */
	char **hosts; /* allowed Host headers besides the loopback names */
	size_t n_hosts;
	char **cors_origins; /* exact */
	size_t n_cors_origins;
	uint64_t body_bytes, header_bytes, uri_bytes;
	uint32_t json_depth, json_values;
	bool metrics_elsewhere; /* /metrics has a listener of its own */
	uint32_t connections, per_address;
	uint64_t request_headers_ms, request_body_ms, idle_ms, drain_ms;
};

#endif
