/*
 * What processes and cores have used, read from the outside: CPU time to the nanosecond by each
 * process's CPU clock (user and kernel, all threads, also those that have ended), memory from
 * smaps_rollup, cores from /proc/stat.
 */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdint.h>
#include <sys/types.h>

/* CPU time of the process so far; 0 when it is gone. */
uint64_t usage_cpu_ns(pid_t pid);

struct memory {
	uint64_t pss_kib; /* pages shared by n processes count 1/n in each */
	uint64_t rss_kib;
};

/* 0, or -1 when it is gone or not ours to read. */
int usage_memory(pid_t pid, struct memory *m);

struct core {
	uint64_t busy_ms;  /* by anybody, interrupts too */
	uint64_t steal_ms; /* wanted, but the hypervisor gave it to others */
};

/* 0 or -1. Resolution is a clock tick, 10 ms. */
int usage_core(int number, struct core *c);

#endif
