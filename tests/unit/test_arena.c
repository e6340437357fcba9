/* SPDX-License-Identifier: MIT */
/* common/arena: alignment, zeroing, addresses that stay, and what a reset gives back. */
#include "common/arena.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT 2000

static void test_pieces_are_aligned_zeroed_and_apart(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;
	unsigned char *pieces[COUNT];
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT; i++) {
			pieces[i] = arena_alloc(&a, i);
			assert_non_null(pieces[i]);
			assert_int_equal((uintptr_t)pieces[i] % 16, 0);
			for (size_t k = 0; k < i; k++)
				assert_int_equal(pieces[i][k], 0);
			memset(pieces[i], (int)(i % 255 + 1), i);
		}
		for (size_t i = 0; i < COUNT; i++)
			for (size_t k = 0; k < i; k++)
				assert_int_equal(pieces[i][k], i % 255 + 1);
		arena_reset(&a);
	}
	arena_done(&a);
}

static void test_used_counts_since_the_reset(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;
	assert_non_null(arena_alloc(&a, 0));
	assert_non_null(arena_alloc(&a, 17));
	assert_int_equal(a.used, 48);
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	arena_done(&a);
	assert_null(a.chunks);
}

static void test_a_large_piece_goes_back_at_the_reset(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;
	char *p = arena_alloc(&a, 8 << 20);
	assert_non_null(p);
	p[(8 << 20) - 1] = 1;
	arena_reset(&a);
	assert_null(a.chunks);
	char *small = arena_alloc(&a, 10);
	assert_non_null(arena_alloc(&a, 8 << 20));
	arena_reset(&a);
	assert_non_null(a.chunks);
	assert_ptr_equal(arena_alloc(&a, 10), small);
	arena_done(&a);
}

static void test_too_much_is_refused_and_harmless(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;
	char *p = arena_alloc(&a, 5);
	memcpy(p, "still", 5);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX / 2));
	assert_null(arena_copy(&a, (struct span){"", SIZE_MAX}).p);
	assert_int_equal(a.used, 16);
	assert_memory_equal(p, "still", 5);
	arena_done(&a);
}

static void test_copies_end_in_a_nul(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;
	struct span s = arena_copy(&a, (struct span){"a\0bcd", 3});
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "a\0b\0", 4);
	s = arena_copy(&a, (struct span){NULL, 0});
	assert_string_equal(s.p, "");
	arena_done(&a);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_aligned_zeroed_and_apart),
		cmocka_unit_test(test_used_counts_since_the_reset),
		cmocka_unit_test(test_a_large_piece_goes_back_at_the_reset),
		cmocka_unit_test(test_too_much_is_refused_and_harmless),
		cmocka_unit_test(test_copies_end_in_a_nul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
