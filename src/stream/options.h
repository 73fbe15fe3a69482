/* What the configuration says about streams and about waiting for upstreams. Times in ms, sizes in
 * bytes. */
#ifndef STREAM_OPTIONS_H
#define STREAM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/slice.h>

/* What becomes of a generation whose last viewer has left. */
struct leave {
	enum { LEAVE_CANCEL, LEAVE_DRAIN, LEAVE_DETACH } what;
	uint64_t grace_ms; /* LEAVE_DETACH: how long it waits for a viewer to come back */
};

/* Reads "cancel", "drain", "detach" (30 s) or "detach 45s". 0 or -SL_E_SYNTAX. */
int leave_parse(struct sl_slice text, struct leave *out);

/* Reads a duration with its unit: "250ms", "30s", "5m", "1h", "0". 0 or -SL_E_SYNTAX (also when it
 * overflows). */
int duration_parse(struct sl_slice text, uint64_t *ms);

struct stream_options {
	struct leave when_client_leaves;
	bool leave_is_set; /* somebody chose it; else routes have their own defaults */
	uint64_t open_after_ms;
	uint64_t keep_ms;      /* ended streams stay readable so long */
	uint64_t heartbeat_ms; /* 0: none */
	uint64_t idempotency_keep_ms;
	uint64_t memory_bytes; /* all logs together */
	uint64_t per_stream_bytes;
	uint32_t count;   /* streams, live and kept */
	uint32_t viewers; /* of one stream */
	bool event_ids;
	uint64_t frame_bytes; /* one upstream frame at the most (limits.frame) */
};

/* What is kept of one channel, and how many there may be. */
struct channel_options {
	uint32_t count;
	uint32_t history; /* messages */
	uint64_t memory_bytes;
	uint64_t keep_ms;
};

/* Waiting for an upstream. 0: no limit. */
struct upstream_timeouts {
	uint64_t connect_ms;
	uint64_t first_token_ms;
	uint64_t between_tokens_ms;
	uint64_t total_ms;
};

#endif
