/* getrandom, and ids made of it. */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *p, size_t n)
{
	char *at = p;
	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno != EINTR)
			abort();
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
}

uint32_t random_below(uint32_t below)
{
	static _Thread_local uint64_t state;
	if (!state)
		random_bytes(&state, sizeof(state));
	state = state * 6364136223846793005u + 1442695040888963407u;
	return below ? (uint32_t)((state >> 33) % below) : 0;
}

void random_id(char out[RANDOM_ID_LEN + 1])
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char b[17] = {0};
	random_bytes(b, 16);
	for (int i = 0; i < RANDOM_ID_LEN; i++) {
		unsigned bit = (unsigned)i * 6;
		unsigned two = (unsigned)b[bit / 8] << 8 | b[bit / 8 + 1];
		out[i] = digit[two >> (10 - bit % 8) & 63];
	}
	out[RANDOM_ID_LEN] = '\0';
}
