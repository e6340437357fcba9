/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli), as iSCSI has it (RFC 3720, B.4). Allocates nothing. */
#ifndef MPD_CRC32C_H
#define MPD_CRC32C_H

#include "common/sys.h"

/* The checksum of bytes whose first part had the checksum CRC (0: there is no first part) and whose rest is P. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The same without the processor's instruction for it: what other machines run, and the test here. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
