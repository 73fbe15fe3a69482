/* Random numbers. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* n unpredictable bytes from the kernel; aborts when there are none to be had. Any thread. */
void random_bytes(void *p, size_t n);

/* A number in 0..below-1 for jitter, not for secrets. Any thread. */
uint32_t random_below(uint32_t below);

/* Writes 22 url-safe characters that carry 128 random bits, and a NUL. */
#define RANDOM_ID_LEN 22
void random_id(char out[RANDOM_ID_LEN + 1]);

#endif
