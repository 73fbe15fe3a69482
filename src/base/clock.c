/* Monotonic and wall time. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic uint64_t test_now_us;

static uint64_t read_us(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_us(void)
{
	uint64_t set = atomic_load_explicit(&test_now_us, memory_order_relaxed);
	return set ? set : read_us(CLOCK_MONOTONIC);
}

uint64_t clock_ms(void)
{
	uint64_t now = clock_us() / 1000;
	return now ? now : 1;
}

int64_t clock_unix_ms(void)
{
	return (int64_t)(read_us(CLOCK_REALTIME) / 1000);
}

void clock_set_for_test(uint64_t now_us)
{
	atomic_store(&test_now_us, now_us);
}
