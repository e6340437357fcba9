/* SPDX-License-Identifier: MIT */
/*
 * Repeated names. A few are compared pairwise, without memory. Many are hashed, under a key that nobody outside the
 * process can know: whoever chooses the names can still not choose where they fall.
 */
#include "common/names.h"
#include "common/scan_lex.h"
#include <sys/auxv.h>

#define PAIRWISE_MAX 16

static inline uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein), KEY being 16 bytes. */
static uint64_t name_hash(const char *key, struct span name)
{
	uint64_t k0 = word_at(key), k1 = word_at(key + 8);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
			 k1 ^ 0x7465646279746573};
	char last[8] = {0};
	size_t whole = name.n & ~(size_t)7;
	memcpy(last, name.p + whole, name.n - whole);
	last[7] = (char)name.n;
	for (size_t i = 0; i <= whole; i += 8) {
		uint64_t word = word_at(i < whole ? name.p + i : last);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static size_t twin_hashed(const struct span *names, size_t n)
{
	const char *key = (const char *)getauxval(AT_RANDOM); /* 16 bytes, always there */
	size_t slots = 64;
	while (slots < n * 2)
		slots *= 2;
	AUTO_FREE uint32_t *taken = n < UINT32_MAX ? calloc(slots, sizeof(*taken)) : NULL; /* index + 1 */
	if (!taken)
		return SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		size_t at = (size_t)name_hash(key, names[i]) & (slots - 1);
		for (; taken[at]; at = (at + 1) & (slots - 1))
			if (span_eq(names[taken[at] - 1], names[i]))
				return i;
		taken[at] = (uint32_t)(i + 1);
	}
	return n;
}

static size_t twin_pairwise(const struct span *names, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (span_eq(names[i], names[k]))
				return i;
	return n;
}

size_t names_twin(const struct span *names, size_t n)
{
	return n <= PAIRWISE_MAX ? twin_pairwise(names, n) : twin_hashed(names, n);
}
