/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C with SSE4.2's instruction where the processor has it, else with eight tables, eight bytes at a time. Tables
 * are made on the first call that needs them, so that others cost no memory.
 *
 * An instruction takes three cycles, but a new one can begin in each: long input goes through in three lanes. The sum
 * is linear: of A and then B it is the sum of A moved over as many zero bytes as B has, xor the sum of B from nothing.
 */
#include "common/crc32c.h"
#include <endian.h>

#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41, lowest bit first */

/* tables[k][b]: the checksum of byte B and K zero bytes behind it. */
static uint32_t tables[8][256];

static void make_tables(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		tables[0][b] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t b = 0; b < 256; b++)
			tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
}

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *at = p;
	if (!tables[0][1])
		make_tables();
	crc = ~crc;
	for (; n >= 8; n -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		word = le64toh(word) ^ crc;
		crc = 0;
		for (int k = 0; k < 8; k++)
			crc ^= tables[7 - k][word >> (8 * k) & 0xff];
	}
	for (; n > 0; n--)
		crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
#define SSE42 __attribute__((target("sse4.2")))
#define LANE ((size_t)1024)

/* shifts[k][b]: what LANE zero bytes make of a sum that is byte B at place K. */
static uint32_t shifts[4][256];

SSE42 static void make_shifts(void)
{
	for (int bit = 0; bit < 32; bit++) {
		uint64_t sum = (uint64_t)1 << bit;
		for (size_t i = 0; i < LANE; i += 8)
			sum = __builtin_ia32_crc32di(sum, 0);
		for (int b = 0; b < 256; b++)
			if (b >> bit % 8 & 1)
				shifts[bit / 8][b] ^= (uint32_t)sum;
	}
}

static uint32_t shift(uint64_t sum)
{
	return shifts[0][sum & 0xff] ^ shifts[1][sum >> 8 & 0xff] ^ shifts[2][sum >> 16 & 0xff] ^
	       shifts[3][sum >> 24 & 0xff];
}

SSE42 static inline uint64_t sum_word(uint64_t sum, const unsigned char *at)
{
	uint64_t word;
	memcpy(&word, at, 8);
	return __builtin_ia32_crc32di(sum, word);
}

SSE42 static uint64_t sum_lanes(uint64_t sum, const unsigned char *at)
{
	uint64_t second = 0, third = 0;
	for (const unsigned char *end = at + LANE; at < end; at += 8) {
		sum = sum_word(sum, at);
		second = sum_word(second, at + LANE);
		third = sum_word(third, at + 2 * LANE);
	}
	return shift(shift(sum) ^ second) ^ third;
}

SSE42 static uint32_t crc32c_sse42(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *at = p;
	uint64_t sum = (uint32_t)~crc;
	if (n >= 3 * LANE && !shifts[0][1])
		make_shifts();
	for (; n >= 3 * LANE; n -= 3 * LANE, at += 3 * LANE)
		sum = sum_lanes(sum, at);
	for (; n >= 8; n -= 8, at += 8)
		sum = sum_word(sum, at);
	for (; n > 0; n--)
		sum = __builtin_ia32_crc32qi((uint32_t)sum, *at++);
	return ~(uint32_t)sum;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(crc, p, n);
#endif
	return crc32c_portable(crc, p, n);
}
