/* SPDX-License-Identifier: MIT */
/*
 * common/frame: the same lines and raw bytes however the stream is cut, what nobody wants skipped unstored, memory
 * given back.
 */
#include "common/frame.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void feed(struct frame *f, const char *p, size_t n)
{
	size_t room = 0;
	char *to = frame_room(f, n, &room);
	assert_non_null(to);
	assert_true(room >= n);
	memcpy(to, p, n);
	frame_fed(f, n);
}

/* How many raw bytes the line asks for: it ends with "+N" where it wants them, with "-N" where it does not. */
static size_t asks(struct span line, char how)
{
	const char *at = memrchr(line.p, how, line.n);
	return at ? strtoul(at + 1, NULL, 10) : 0;
}

/* Takes all lines there are, written down in OUT: "line|" or "line|(raw)", and "!" for one that was too long. */
static void drain(struct frame *f, struct buf *out)
{
	struct span line, raw;
	enum frame_step step;
	while ((step = frame_next(f, &line)) != FRAME_MORE) {
		size_t n = step == FRAME_LINE ? asks(line, '+') : 0;
		if (n && !frame_raw(f, n, &raw))
			continue;
		if (step == FRAME_LINE) {
			buf_span(out, line);
			frame_skip(f, asks(line, '-'));
		}
		buf_putc(out, step == FRAME_LINE ? '|' : '!');
		if (n)
			buf_printf(out, "(%.*s)", (int)raw.n, raw.p);
	}
	assert_true(frame_held(f) <= f->max + 1 + 9);
	assert_true(!f->skip || frame_held(f) == 0);
}

static const struct {
	const char *text;
	size_t max;
	const char *want;
} streams[] = {
	{"", 8, ""},
	{"part", 8, ""},
	{"one\n", 8, "one|"},
	{"one\ntwo\nthr", 8, "one|two|"},
	{"\n\n\r\n", 8, "|||"},
	{"one\r\ntwo\r\n", 8, "one|two|"},
	{"a\rb\n\r\r\n", 8, "a\rb|\r|"},
	{"12345678\n123456789\nx\n", 8, "12345678|!x|"},
	{"1234567\r\n12345678\r\nx\n", 8, "1234567|!x|"},
	{"123456789012345678901234567890", 8, ""},
	{"123456789012345678901234567890\n", 8, "!"},
	{"123456789012345678901234567890\n1234567890\nok\n\n", 8, "!!ok||"},
	{"x\n\n", 0, "!|"},
	{"a+3\nxyzb\n", 8, "a+3|(xyz)b|"},
	{"a+3\r\n\n\r\nb\n", 8, "a+3|(\n\r\n)b|"},
	{"+9\n123456789+1\n\n+2\nab\n", 3, "+9|(123456789)+1|(\n)+2|(ab)|"},
	{"a+3\nxy", 8, ""},
	{"a-3\n\n\n\nb\n-2\n", 8, "a-3|b|-2|"},
	{"-9\n12345678\nc+1\nd-1\ne\n", 4, "-9|c+1|(d)-1||"},
	{"12345+1\nx\n-4\n+1\n2b\n", 6, "!x|-4|b|"},
};

static void test_lines_are_the_same_for_every_pair_of_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		const char *text = streams[i].text;
		size_t n = strlen(text);
		for (size_t a = 0; a <= n; a++)
			for (size_t b = a; b <= n; b++) {
				struct frame f;
				AUTO_BUF out = BUF_INIT;
				frame_init(&f, streams[i].max);
				feed(&f, text, a);
				drain(&f, &out);
				feed(&f, text + a, b - a);
				drain(&f, &out);
				feed(&f, text + b, n - b);
				drain(&f, &out);
				assert_string_equal(buf_str(&out), streams[i].want);
				frame_done(&f);
			}
	}
}

static void test_lines_are_the_same_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		struct frame f;
		AUTO_BUF out = BUF_INIT;
		frame_init(&f, streams[i].max);
		for (const char *p = streams[i].text; *p; p++) {
			feed(&f, p, 1);
			drain(&f, &out);
			if (p[0] == '\n')
				frame_trim(&f);
		}
		assert_string_equal(buf_str(&out), streams[i].want);
		frame_done(&f);
	}
}

static void test_nuls_are_bytes_like_others(void **state)
{
	(void)state;
	struct frame f;
	struct span line;
	frame_init(&f, 8);
	feed(&f, "a\0b\n\0\n", 6);
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	assert_true(span_eq(line, (struct span){"a\0b", 3}));
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	assert_true(span_eq(line, (struct span){"\0", 1}));
	frame_done(&f);
}

static void test_lines_stay_valid_until_more_is_read(void **state)
{
	(void)state;
	struct frame f;
	struct span lines[3], none;
	frame_init(&f, 8);
	feed(&f, "one\ntwo\nthree\nfo", 16);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_int_equal(frame_next(&f, &lines[i]), FRAME_LINE);
	assert_int_equal(frame_next(&f, &none), FRAME_MORE);
	assert_true(span_is(lines[0], "one"));
	assert_true(span_is(lines[1], "two"));
	assert_true(span_is(lines[2], "three"));
	assert_int_equal(frame_held(&f), 2);
	frame_done(&f);
}

static void test_a_long_line_is_never_stored(void **state)
{
	(void)state;
	struct frame f;
	struct span line;
	char piece[4096];
	memset(piece, 'x', sizeof(piece));
	frame_init(&f, 100 << 10);
	for (int i = 0; i < 4096; i++) { /* 16 MiB */
		feed(&f, piece, sizeof(piece));
		assert_int_equal(frame_next(&f, &line), FRAME_MORE);
		assert_true(frame_held(&f) <= f.max);
		assert_true(f.in.cap <= 2 * f.max);
	}
	feed(&f, "\nok\n", 4);
	assert_int_equal(frame_next(&f, &line), FRAME_TOO_LONG);
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	assert_true(span_is(line, "ok"));
	frame_done(&f);
}

static void test_what_is_skipped_is_never_stored(void **state)
{
	(void)state;
	struct frame f;
	struct span line;
	char piece[4096];
	memset(piece, '\n', sizeof(piece));
	frame_init(&f, 8);
	feed(&f, "raw\n", 4);
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	frame_skip(&f, UINT64_MAX);
	frame_skip(&f, UINT64_MAX);
	for (int i = 0; i < 1000; i++) {
		feed(&f, piece, sizeof(piece));
		assert_int_equal(frame_next(&f, &line), FRAME_MORE);
		assert_int_equal(frame_held(&f), 0);
		assert_true(f.in.cap <= 2 * sizeof(piece));
	}
	frame_done(&f);
}

static void test_what_is_missing_is_known(void **state)
{
	(void)state;
	struct frame f;
	struct span line, raw;
	AUTO_BUF text = BUF_INIT;
	size_t n = 1 << 20, room;
	memset(buf_room(&text, n), 'x', n);
	frame_init(&f, 8);
	assert_int_equal(frame_missing(&f), 0);
	feed(&f, "one\nraw\nxxx", 11);
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	assert_false(frame_raw(&f, n, &raw));
	assert_int_equal(frame_missing(&f), n - 3);
	assert_int_equal(frame_next(&f, &line), FRAME_MORE);
	feed(&f, text.p, n - 4);
	assert_int_equal(frame_next(&f, &line), FRAME_MORE);
	assert_int_equal(frame_missing(&f), 1);
	assert_non_null(frame_room(&f, 1, &room));
	feed(&f, "xtwo\n", 5);
	assert_int_equal(frame_missing(&f), 0);
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	assert_true(span_is(line, "raw"));
	assert_true(frame_raw(&f, n, &raw));
	text.len = n;
	assert_true(span_eq(raw, buf_view(&text)));
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	assert_true(span_is(line, "two"));
	assert_int_equal(frame_next(&f, &line), FRAME_MORE);
	frame_trim(&f);
	assert_true(f.in.cap <= FRAME_KEEP);
	frame_done(&f);
}

/* Feeds a line of N bytes and TAIL behind it, and takes the line. */
static void large_line(struct frame *f, size_t n, const char *tail)
{
	struct span line;
	AUTO_BUF text = BUF_INIT;
	memset(buf_room(&text, n), 'x', n);
	text.len = n;
	buf_putc(&text, '\n');
	buf_puts(&text, tail);
	feed(f, text.p, text.len);
	assert_int_equal(frame_next(f, &line), FRAME_LINE);
	assert_int_equal(line.n, n);
	assert_true(f->in.cap > n);
}

static void test_memory_goes_back_after_a_large_line(void **state)
{
	(void)state;
	struct frame f;
	struct span line;
	frame_init(&f, 8 << 20);
	large_line(&f, 8 << 20, "");
	assert_int_equal(frame_next(&f, &line), FRAME_MORE);
	frame_trim(&f);
	assert_true(f.in.cap <= FRAME_KEEP);

	large_line(&f, 8 << 20, "hal");
	assert_int_equal(frame_next(&f, &line), FRAME_MORE);
	feed(&f, "f\n", 2);
	assert_true(f.in.cap <= FRAME_KEEP);
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	assert_true(span_is(line, "half"));
	frame_done(&f);
	assert_int_equal(f.in.cap, 0);
	assert_int_equal(f.max, 8 << 20);
}

static void test_small_lines_keep_their_buffer(void **state)
{
	(void)state;
	struct frame f;
	struct span line;
	size_t room;
	frame_init(&f, 8 << 20);
	char *first = frame_room(&f, 64 << 10, &room);
	for (int i = 0; i < 10; i++) {
		feed(&f, "line\n", 5);
		assert_int_equal(frame_next(&f, &line), FRAME_LINE);
		assert_ptr_equal(frame_room(&f, 64 << 10, &room), first);
	}
	frame_done(&f);
}

static void test_room_that_there_cannot_be_is_refused(void **state)
{
	(void)state;
	struct frame f;
	struct span line;
	size_t room = 7;
	frame_init(&f, 8);
	feed(&f, "ab", 2);
	assert_null(frame_room(&f, SIZE_MAX / 2, &room));
	assert_int_equal(room, 7);
	feed(&f, "c\n", 2);
	assert_int_equal(frame_next(&f, &line), FRAME_LINE);
	assert_true(span_is(line, "abc"));
	frame_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_the_same_for_every_pair_of_cuts),
		cmocka_unit_test(test_lines_are_the_same_byte_by_byte),
		cmocka_unit_test(test_nuls_are_bytes_like_others),
		cmocka_unit_test(test_lines_stay_valid_until_more_is_read),
		cmocka_unit_test(test_a_long_line_is_never_stored),
		cmocka_unit_test(test_what_is_skipped_is_never_stored),
		cmocka_unit_test(test_what_is_missing_is_known),
		cmocka_unit_test(test_memory_goes_back_after_a_large_line),
		cmocka_unit_test(test_small_lines_keep_their_buffer),
		cmocka_unit_test(test_room_that_there_cannot_be_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
