/* CPU, memory and cores from /proc and the processes' clocks. */
#include "usage.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t usage_cpu_ns(pid_t pid)
{
	clockid_t clock;
	struct timespec t;
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

int usage_memory(pid_t pid, struct memory *m)
{
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", (long)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	struct memory got = {0};
	while (fgets(line, sizeof(line), f)) {
		unsigned long long kib;
		if (sscanf(line, "Pss: %llu", &kib) == 1)
			got.pss_kib = kib;
		else if (sscanf(line, "Rss: %llu", &kib) == 1)
			got.rss_kib = kib;
	}
	fclose(f);
	if (!got.rss_kib)
		return -1;
	*m = got;
	return 0;
}

int usage_core(int number, struct core *c)
{
	char line[512], name[32];
	FILE *f = fopen("/proc/stat", "re");
	if (!f)
		return -1;
	snprintf(name, sizeof(name), "cpu%d ", number);
	int found = -1;
	while (found < 0 && fgets(line, sizeof(line), f)) {
		unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		if (sscanf(line + strlen(name), "%llu %llu %llu %llu %llu %llu %llu %llu", &user,
			   &nice, &system, &idle, &iowait, &irq, &softirq, &steal) != 8)
			break;
		uint64_t tick_ms = 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
		c->busy_ms = (user + nice + system + irq + softirq) * tick_ms;
		c->steal_ms = steal * tick_ms;
		found = 0;
	}
	fclose(f);
	return found;
}
