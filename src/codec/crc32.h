/* CRC-32 as of IEEE 802.3: the one of zlib, PNG and AWS's event streams. */
#ifndef CODEC_CRC32_H
#define CODEC_CRC32_H

#include <stdint.h>
#include <sluice/slice.h>

uint32_t crc32_of(struct sl_slice bytes);

#endif
