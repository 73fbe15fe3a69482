/* The command line of the benchmark's client. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WATCHED_MAX 16
#define CORES_MAX   8

struct options {
	struct sockaddr_in to;
	const char *host, *path, *key, *header;
	unsigned streams, silent, viewers;
	const char *format; /* of the viewers of a stream */
	bool anthropic;     /* asks as its clients do */
	bool channel;       /* viewers of the channel at path; no stream is asked for */
	uint32_t rate, tokens, size;
	bool repeat;
	double ramp, settle_s, window_s, open_s, grace_s;
	struct {
		const char *label;
		pid_t pid;
	} watched[WATCHED_MAX];
	int watched_n;
	int core[CORES_MAX];
	int cores_n;
};

/* False: it is wrong; then options_help says how it should be. */
bool options_read(struct options *o, int argc, char **argv);

extern const char options_help[];

#endif
