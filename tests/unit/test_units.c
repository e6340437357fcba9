/* SPDX-License-Identifier: MIT */
/* Every notation that is taken, every one that is not, and how lengths of time and sizes are told. */
#include "common/units.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#define SEC NSEC_PER_SEC

static void durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		nsec_t want; /* -1: refused */
	} cases[] = {
		{"0", 0},
		{"10", 10 * SEC},
		{"10s", 10 * SEC},
		{"1.5", SEC * 3 / 2},
		{"500ms", SEC / 2},
		{"2m", 120 * SEC},
		{"1h", 3600 * SEC},
		{"1d", 86400 * SEC},
		{".5", -1},
		{"5.", -1},
		{"1.5h", 5400 * SEC},
		{"0.000000001", 1},
		{"250us", 250000},
		{"7ns", 7},
		{"0.5ns", 1},
		{"99999999999999999999", NSEC_NEVER},
		{"1000000d", NSEC_NEVER},
		{"0.0000000001", 0},
		{"3min", 180 * SEC},
		{"", -1},
		{"-1", -1},
		{"+1", -1},
		{"s", -1},
		{".", -1},
		{"1 s", -1},
		{" 1", -1},
		{"1S", -1},
		{"1x", -1},
		{"1.5.5", -1},
		{"1e3", -1},
		{"0x10", -1},
		{"inf", -1},
		{"nan", -1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		nsec_t got = 42;
		int answer = units_duration(span_of(cases[i].text), &got);
		assert_int_equal(answer, cases[i].want < 0 ? -1 : 0);
		assert_int_equal(got, cases[i].want < 0 ? 42 : cases[i].want);
	}
	nsec_t got;
	assert_int_equal(units_duration((struct span){"1\0", 2}, &got), -1);
}

static void sizes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int answer;
		uint64_t want;
	} cases[] = {
		{"0", 0, 0},
		{"4096", 0, 4096},
		{"50M", 0, 50 << 20},
		{"1G", 0, 1 << 30},
		{"1k", 0, 1024},
		{"1KB", 0, 1024},
		{"1KiB", 0, 1024},
		{"1.5K", 0, 1536},
		{"12B", 0, 12},
		{"1T", 0, (uint64_t)1 << 40},
		{"15E", 0, (uint64_t)15 << 60},
		{"16E", -1, 0},
		{"18446744073709551615", -1, 0},
		{"18446744073709551614", 0, UINT64_MAX - 1},
		{"99999999999999999999999", -1, 0},
		{"1.5", -1, 0},
		{"", -1, 0},
		{"K", -1, 0},
		{"-1", -1, 0},
		{"1iB", -1, 0},
		{"1KK", -1, 0},
		{"1 K", -1, 0},
		{"1Kib ", -1, 0},
		{"0x10", -1, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t got = 42;
		assert_int_equal(units_size(span_of(cases[i].text), &got), cases[i].answer);
		assert_int_equal(got, cases[i].answer ? 42 : cases[i].want);
	}
}

static void signals_by_name_and_number(void **state)
{
	(void)state;
	const struct {
		const char *text;
		int want; /* 0: refused */
	} cases[] = {
		{"TERM", SIGTERM},
		{"SIGTERM", SIGTERM},
		{"sigterm", SIGTERM},
		{"15", 15},
		{"9", SIGKILL},
		{"RTMIN", SIGRTMIN},
		{"RTMIN+3", SIGRTMIN + 3},
		{"SIGRTMAX-2", SIGRTMAX - 2},
		{"64", 64},
		{"IOT", SIGABRT},
		{"RTMIN+0", SIGRTMIN},
		{"0", 0},
		{"65", 0},
		{"", 0},
		{"SIG", 0},
		{"SIG15", 0},
		{"-9", 0},
		{"TERMX", 0},
		{"TER", 0},
		{"RTMIN+99", 0},
		{"RTMIN-1", 0},
		{"RTMAX+1", 0},
		{"RTMIN+", 0},
		{"RTMIN3", 0},
		{"FOO", 0},
		{"015", 0},
		{" 15", 0},
		{"SIGSIGTERM", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int got = 0;
		assert_int_equal(units_signal(span_of(cases[i].text), &got), cases[i].want ? 0 : -1);
		assert_int_equal(got, cases[i].want);
	}
}

static void signal_names_go_both_ways(void **state)
{
	(void)state;
	for (int signo = 1; signo <= 64; signo++) {
		int back = 0;
		const char *name = units_signal_name(signo);
		if (signo == 32 || signo == 33) /* glibc's own */
			continue;
		assert_int_equal(units_signal(span_of(name), &back), 0);
		assert_int_equal(back, signo);
	}
	assert_string_equal(units_signal_name(SIGTERM), "TERM");
	assert_string_equal(units_signal_name(SIGABRT), "ABRT");
	assert_string_equal(units_signal_name(99), "signal 99");
}

static void booleans(void **state)
{
	(void)state;
	static const char *const right[] = {"false", "true", "no",    "yes",  "off", "on",
					    "0",     "1",    "FALSE", "True", "NO",  "Yes"};
	static const char *const wrong[] = {"", "tru", "truee", "2", "y", "enable", " on"};
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		bool got = i % 2 == 0;
		assert_int_equal(units_bool(span_of(right[i]), &got), 0);
		assert_int_equal(got, i % 2);
	}
	bool untouched = true;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(units_bool(span_of(wrong[i]), &untouched), -1);
	assert_true(untouched);
}

static void durations_are_told_shortly(void **state)
{
	(void)state;
	static const struct {
		nsec_t t;
		const char *want;
	} cases[] = {
		{0, "0ms"},
		{340 * NSEC_PER_MS, "340ms"},
		{SEC - 1, "999ms"},
		{5 * SEC + 299999999, "5.2s"},
		{59 * SEC, "59.0s"},
		{67 * SEC, "1m07s"},
		{7500 * SEC, "2h05m"},
		{273600 * SEC, "3d04h"},
		{NSEC_NEVER, "never"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_BUF out = BUF_INIT;
		units_put_duration(&out, cases[i].t);
		assert_string_equal(buf_str(&out), cases[i].want);
	}
}

static void sizes_are_told_shortly(void **state)
{
	(void)state;
	static const struct {
		uint64_t size;
		const char *want;
	} cases[] = {
		{0, "0B"},           {12, "12B"},         {1023, "1023B"},         {1024, "1K"},
		{1536, "1.5K"},      {340 << 10, "340K"}, {(3 << 20) / 2, "1.5M"}, {(uint64_t)1 << 40, "1T"},
		{UINT64_MAX, "15E"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_BUF out = BUF_INIT;
		units_put_size(&out, cases[i].size);
		assert_string_equal(buf_str(&out), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(signals_by_name_and_number),
		cmocka_unit_test(signal_names_go_both_ways),
		cmocka_unit_test(booleans),
		cmocka_unit_test(durations_are_told_shortly),
		cmocka_unit_test(sizes_are_told_shortly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
