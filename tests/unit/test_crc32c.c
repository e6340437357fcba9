/* SPDX-License-Identifier: MIT */
/* CRC-32C against the vectors of RFC 3720, B.4, and both ways of computing it against a bit-by-bit model. */
#include "common/crc32c.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint32_t model(uint32_t crc, const unsigned char *p, size_t n)
{
	crc = ~crc;
	while (n--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static void knows_the_vectors(void **state)
{
	(void)state;
	unsigned char zeros[32] = {0}, ones[32], up[32], down[32];
	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < 32; i++)
		up[i] = (unsigned char)i, down[i] = (unsigned char)(31 - i);
	const struct {
		const void *p;
		size_t n;
		uint32_t crc;
	} vectors[] = {
		{"", 0, 0},           {"123456789", 9, 0xe3069283}, {zeros, 32, 0x8a9136aa}, {ones, 32, 0x62a8ab43},
		{up, 32, 0x46dd794e}, {down, 32, 0x113fdb5c},
	};
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		assert_int_equal(crc32c(0, vectors[i].p, vectors[i].n), vectors[i].crc);
		assert_int_equal(crc32c_portable(0, vectors[i].p, vectors[i].n), vectors[i].crc);
	}
}

static void every_length_and_alignment_agrees(void **state)
{
	(void)state;
	unsigned char bytes[96];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 167 + 13);
	for (size_t from = 0; from < 9; from++)
		for (size_t n = 0; from + n <= sizeof(bytes); n++) {
			uint32_t want = model(7, bytes + from, n);
			assert_int_equal(crc32c(7, bytes + from, n), want);
			assert_int_equal(crc32c_portable(7, bytes + from, n), want);
		}
}

/* Long input goes another way; what it is made of, in other lengths, does not. */
static void long_ones_agree(void **state)
{
	(void)state;
	enum { MOST = 20000 };
	static unsigned char bytes[MOST];
	uint32_t x = 1;
	for (size_t i = 0; i < MOST; i++)
		bytes[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
	for (size_t n = 3000; n <= MOST; n += n < 3200 ? 1 : 397)
		for (uint32_t crc = 0; crc < 2; crc++) {
			uint32_t want = model(crc * 0xdeadbeef, bytes + MOST - n, n);
			assert_int_equal(crc32c(crc * 0xdeadbeef, bytes + MOST - n, n), want);
			assert_int_equal(crc32c_portable(crc * 0xdeadbeef, bytes + MOST - n, n), want);
		}
}

static void parts_give_the_whole(void **state)
{
	(void)state;
	const char text[] = "what is committed is committed";
	for (size_t cut = 0; cut < sizeof(text); cut++)
		assert_int_equal(crc32c(crc32c(0, text, cut), text + cut, sizeof(text) - cut),
				 crc32c(0, text, sizeof(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_vectors),
		cmocka_unit_test(every_length_and_alignment_agrees),
		cmocka_unit_test(long_ones_agree),
		cmocka_unit_test(parts_give_the_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
