/* The one source of time. Tests set it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ms(void);     /* monotonic milliseconds, never 0 */
uint64_t clock_us(void);     /* monotonic microseconds, for measured durations */
int64_t clock_unix_ms(void); /* wall clock */

/* Tests only: from now on clock_ms() and clock_us() answer this (0: the real time again). Any
 * thread. */
void clock_set_for_test(uint64_t now_us);

#endif
