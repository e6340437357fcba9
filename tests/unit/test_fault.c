/* SPDX-License-Identifier: MIT */
/* The table of errors holds together, messages are cut where a letter ends, and wrong names find the right ones. */
#include "common/fault.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_row_is_found_and_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < fault_count(); i++) {
		const struct fault_info *info = fault_at(i);
		assert_ptr_equal(fault_info(info->code), info);
		assert_ptr_equal(fault_by_symbol(span_of(info->symbol)), info);
		assert_true(info->exit > 0 && info->exit < 128);
		assert_true(info->sentence[0] && info->sentence[strlen(info->sentence) - 1] != '.');
	}
	assert_null(fault_at(fault_count()));
	assert_null(fault_info(0));
	assert_null(fault_info(12345));
	assert_null(fault_by_symbol(SPAN("timeout")));
	assert_null(fault_by_symbol(SPAN("")));
}

static void a_fault_carries_message_and_data(void **state)
{
	(void)state;
	struct fault f;
	assert_int_equal(fault_set(&f, FAULT_NOT_FOUND, "%s: no such process", "web"), FAULT_NOT_FOUND);
	assert_int_equal(f.code, FAULT_NOT_FOUND);
	assert_string_equal(f.message, "web: no such process");
	assert_string_equal(f.data, "");
	assert_int_equal(fault_data(&f, "\"owner\":%d", 7), FAULT_NOT_FOUND);
	assert_string_equal(f.data, "\"owner\":7");
	fault_set(&f, FAULT_BUSY, "again");
	assert_string_equal(f.data, "");
}

static void data_that_is_too_long_is_dropped(void **state)
{
	(void)state;
	struct fault f;
	fault_set(&f, FAULT_BUSY, "busy");
	fault_data(&f, "\"list\":[%0*d]", (int)sizeof(f.data), 1);
	assert_string_equal(f.data, "");
}

/* A message of N times A and then LETTER over and over, as it is kept. */
static size_t kept_of(size_t n, const char *letter, struct fault *f)
{
	char text[2048] = "";
	memset(text, 'a', n);
	for (size_t i = n; i < 1500; i += strlen(letter))
		memcpy(text + i, letter, strlen(letter));
	fault_set(f, FAULT_BUSY, "%s", text);
	return strlen(f->message);
}

static void messages_are_cut_between_letters(void **state)
{
	(void)state;
	static const char *const letters[] = {"x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	struct fault f;
	for (size_t l = 0; l < ARRAY_LEN(letters); l++)
		for (size_t n = 0; n < 8; n++) {
			size_t each = strlen(letters[l]), kept = kept_of(n, letters[l], &f);
			assert_int_equal((kept - n) % each, 0);
			assert_true(kept <= sizeof(f.message) - 1 && kept + each > sizeof(f.message) - 1);
		}
}

static void any_bytes_may_be_cut(void **state)
{
	(void)state;
	static const char *const tails[] = {"\x80", "\xff", "\xc3", "\xf0\x9f"};
	struct fault f;
	for (size_t i = 0; i < ARRAY_LEN(tails); i++)
		assert_true(kept_of(3, tails[i], &f) >= sizeof(f.message) - 4);
}

static void wrong_names_find_the_near_ones(void **state)
{
	(void)state;
	static const char *const names[] = {"timeout", "targets", "any", "tree", "autorestart", "stop_signal", "ps"};
	static const struct {
		const char *word, *nearest;
	} cases[] = {
		{"timout", "timeout"},
		{"timeuot", "timeout"},
		{"Timeout", "timeout"},
		{"target", "targets"},
		{"tre", "tree"},
		{"autorestrt", "autorestart"},
		{"stop-signal", "stop_signal"},
		{"pss", "ps"},
		{"xyzzy", NULL},
		{"", NULL},
		{"x", NULL},
		{"qq", NULL},
		{"a", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = fault_nearest(span_of(cases[i].word), names, ARRAY_LEN(names));
		if (cases[i].nearest)
			assert_string_equal(got, cases[i].nearest);
		else
			assert_null(got);
	}
	assert_null(fault_nearest(SPAN("any"), names, 0));
}

static void long_words_are_near_to_nothing(void **state)
{
	(void)state;
	char word[4096];
	memset(word, 't', sizeof(word));
	const char *const names[] = {"t"};
	assert_null(fault_nearest((struct span){word, sizeof(word)}, names, 1));
	assert_null(fault_nearest((struct span){word, 64}, names, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_and_alone),
		cmocka_unit_test(a_fault_carries_message_and_data),
		cmocka_unit_test(data_that_is_too_long_is_dropped),
		cmocka_unit_test(messages_are_cut_between_letters),
		cmocka_unit_test(any_bytes_may_be_cut),
		cmocka_unit_test(wrong_names_find_the_near_ones),
		cmocka_unit_test(long_words_are_near_to_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
