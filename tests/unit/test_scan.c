/* SPDX-License-Identifier: MIT */
/* common/scan: what is JSON and what is not, the views, exact numbers, writing; and a walk against a slow model. */
#include "common/scan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int check(struct span text, struct scan_error *ret_err)
{
	struct span value;
	return scan_check(text, &value, ret_err);
}

static void accepts_span(struct span text)
{
	struct scan_error err = {0, ""};
	if (check(text, &err))
		fail_msg("refused at %zu, %s: %.60s", err.at, err.what, text.p);
}
static void accepts(const char *text) { accepts_span(span_of(text)); }

static void refuses_span(struct span text, size_t at, const char *what)
{
	struct scan_error err = {0, ""};
	struct span value = SPAN("untouched");
	if (!scan_check(text, &value, &err))
		fail_msg("accepted: %.60s", text.p);
	if (err.at != at || !strstr(err.what, what))
		fail_msg("%.60s: at %zu, %s; expected %zu, %s", text.p, err.at, err.what, at, what);
	assert_true(span_is(value, "untouched"));
}
static void refuses(const char *text, size_t at, const char *what) { refuses_span(span_of(text), at, what); }

/* DEPTH brackets around nothing. */
static void nest(struct buf *out, size_t depth, const char *open, const char *close)
{
	for (size_t i = 0; i < depth; i++)
		buf_puts(out, open);
	for (size_t i = 0; i < depth; i++)
		buf_puts(out, close);
}

/* --- the check --------------------------------------------------------------------------------------------------- */

static void test_valid_texts(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"null",
		"true",
		"false",
		"0",
		"-0",
		"0.0",
		"-1.5e+10",
		"1E5",
		"1e-5",
		"123456789012345678901234567890",
		"\"\"",
		"\"a\"",
		"[]",
		"{}",
		"[1]",
		"[1,2]",
		"{\"a\":1}",
		"{\"a\":1,\"b\":{\"a\":[]}}",
		" \t\r\n1 \t\r\n",
		"[ 1 , 2 ]",
		"{ \"a\" : 1 , \"b\" : 2 }",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\\u0000\\u00e9\\uABcd\"",
		"\"\\ud83d\\ude00\"",
		"\"\x7f\"",
		"\"/\"",
		"{\"\":0}",
		"{\"a\":1,\"A\":2}",
		"{\"a\":1,\"a \":2}",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		accepts(texts[i]);
}

static void test_invalid_texts(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t at;
		const char *what;
	} texts[] = {
		{"", 0, "missing"},
		{"  ", 2, "missing"},
		{"nul", 0, "no value"},
		{"nulL", 0, "no value"},
		{"True", 0, "no value"},
		{"NaN", 0, "no value"},
		{"+1", 0, "no value"},
		{".5", 0, "no value"},
		{"\xef\xbb\xbf[]", 0, "no value"},
		{"'a'", 0, "no value"},
		{"/**/1", 0, "no value"},
		{"\v1", 0, "no value"},
		{"-", 1, "digit"},
		{"-a", 1, "digit"},
		{"1.", 2, "digit"},
		{"1.e5", 2, "digit"},
		{"1e", 2, "digit"},
		{"1e+", 3, "digit"},
		{"1e+-1", 3, "digit"},
		{"01", 1, "text after"},
		{"-01", 2, "text after"},
		{"1 2", 2, "text after"},
		{"{}x", 2, "text after"},
		{"nullx", 4, "text after"},
		{"[1]]", 3, "text after"},
		{"0x10", 1, "text after"},
		{"1\f", 1, "text after"},
		{"[", 1, "missing"},
		{"[1", 2, "',' or ']'"},
		{"[1 2]", 3, "',' or ']'"},
		{"[1,]", 3, "no value"},
		{"[,1]", 1, "no value"},
		{"[1}", 2, "',' or ']'"},
		{"{", 1, "name"},
		{"{\"a\"", 4, "':'"},
		{"{\"a\" 1}", 5, "':'"},
		{"{\"a\":", 5, "missing"},
		{"{\"a\":}", 5, "no value"},
		{"{\"a\":1", 6, "',' or '}'"},
		{"{\"a\":1,}", 7, "name"},
		{"{a:1}", 1, "name"},
		{"{1:1}", 1, "name"},
		{"{\"a\":1]", 6, "',' or"},
		{"{,}", 1, "name"},
		{"]", 0, "no value"},
		{"\"", 1, "no end"},
		{"\"abc", 4, "no end"},
		{"\"abc\\\"", 6, "no end"},
		{"\"\\", 1, "escape"},
		{"\"\\x41\"", 1, "escape"},
		{"\"\\a\"", 1, "escape"},
		{"\"\\u12\"", 1, "escape"},
		{"\"\\u123g\"", 1, "escape"},
		{"\"\\U0041\"", 1, "escape"},
		{"\"\\u", 1, "escape"},
		{"\"\\u+123\"", 1, "escape"},
		{"\"a\nb\"", 2, "control"},
		{"\"a\tb\"", 2, "control"},
		{"\"\x1f\"", 1, "control"},
		{"\"\\ud800\"", 1, "surrogate"},
		{"\"\\udc00\"", 1, "surrogate"},
		{"\"\\ud800\\ud800\"", 1, "surrogate"},
		{"\"\\ud800x\\udc00\"", 1, "surrogate"},
		{"\"x\\udbff\\u0041\"", 2, "surrogate"},
		{"\"\\ud800\\n\"", 1, "surrogate"},
		{"\"\\ud83d\\ude0", 1, "surrogate"},
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		refuses(texts[i].text, texts[i].at, texts[i].what);
	refuses_span((struct span){NULL, 0}, 0, "missing");
	refuses_span((struct span){"1\0", 2}, 1, "text after");
	refuses_span((struct span){"\"\0\"", 3}, 1, "control");
}

static void test_utf8_is_strict(void **state)
{
	(void)state;
	static const char *const valid[] = {
		"\xc2\x80",         "\xdf\xbf",         "\xe0\xa0\x80",
		"\xed\x9f\xbf",     "\xee\x80\x80",     "\xef\xbf\xbf",
		"\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
	};
	static const char *const invalid[] = {
		"\x80",
		"\xbf",
		"\xfe",
		"\xff",
		"\xf8\x88\x80\x80\x80", /* begin no character */
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf", /* overlong */
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", /* surrogates, above U+10FFFF */
		"\xc3",
		"\xe2\x82",
		"\xf0\x9f\x98",
		"\xc3x",
		"\xe2\x82x",
		"\xe2x\x82",
		"\xf0\x9f\x98x",
		"\xc3\xc3\xa9",
	};
	/* Before and behind, so that it falls on every place of a word. */
	for (size_t pad = 0; pad < 20; pad++) {
		char text[64];
		for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
			snprintf(text, sizeof(text), "\"%.*s%s%.*s\"", (int)pad, "aaaaaaaaaaaaaaaaaaaa", valid[i],
				 (int)(20 - pad), "bbbbbbbbbbbbbbbbbbbb");
			accepts(text);
		}
		for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
			size_t n = (size_t)snprintf(text, sizeof(text), "\"%.*s%s\"", (int)pad, "aaaaaaaaaaaaaaaaaaaa",
						    invalid[i]);
			refuses(text, 1 + pad, "UTF-8");
			refuses_span((struct span){text, n - 1}, 1 + pad, "UTF-8");
		}
	}
}

static void test_every_special_byte_is_seen_at_every_place(void **state)
{
	(void)state;
	char text[40];
	for (int c = 0; c < 256; c++)
		for (size_t at = 1; at < 38; at++) {
			memset(text, 'a', sizeof(text));
			text[0] = text[39] = '"';
			text[at] = (char)c;
			struct scan_error err = {0, ""};
			bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
			assert_int_equal(check((struct span){text, 40}, &err), plain ? 0 : -1);
			if (!plain)
				assert_int_equal(err.at, c == '"' ? at + 1 : at);
		}
}

static void test_depth_is_bounded(void **state)
{
	(void)state;
	static const struct {
		const char *open, *close;
	} kinds[] = {{"[", "]"}, {"{\"a\":", "}"}};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (size_t depth = 31; depth <= 100000; depth = depth < 34 ? depth + 1 : depth * 50) {
			AUTO_BUF text = BUF_INIT;
			nest(&text, depth - 1, kinds[i].open, "");
			buf_puts(&text, "[]");
			nest(&text, depth - 1, kinds[i].close, "");
			if (depth <= SCAN_DEPTH)
				accepts_span(buf_view(&text));
			else
				refuses_span(buf_view(&text), SCAN_DEPTH * strlen(kinds[i].open), "deeply");
		}
	AUTO_BUF wide = BUF_INIT;
	buf_puts(&wide, "[[]");
	for (int i = 0; i < 100; i++)
		buf_puts(&wide, ",[[]],{\"a\":{}}");
	buf_puts(&wide, "]");
	accepts_span(buf_view(&wide));
}

static void test_repeated_names_are_refused(void **state)
{
	(void)state;
	refuses("{\"a\":1,\"a\":2}", 7, "duplicate");
	refuses("{\"a\":1,\"\\u0061\":2}", 7, "duplicate");
	refuses("{\"\\u0061\":1,\"b\":2,\"a\":2}", 18, "duplicate");
	refuses("{\"\":1,\"\":2}", 6, "duplicate");
	refuses("{\"/\":1,\"\\/\":2}", 7, "duplicate");
	refuses("{\"\\n\":1,\"\\u000a\":2}", 8, "duplicate");
	refuses("{\"\\u000A\":1,\"\\u000a\":2}", 12, "duplicate");
	refuses("{\"\\u0000\":1,\"\\u0000\":2}", 12, "duplicate");
	refuses("{\"\xc3\xa9\":1,\"\\u00e9\":2}", 8, "duplicate");
	refuses("{\"\xe2\x82\xac\":1,\"\\u20AC\":2}", 9, "duplicate");
	refuses("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", 10, "duplicate");
	refuses("[{\"x\":{\"a\":1,\"a\":2}}]", 13, "duplicate");
	refuses("{\"a\":{\"b\":1},\"a\":2}", 13, "duplicate");
	accepts("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}");
	accepts("[{\"a\":1},{\"a\":1}]");
	accepts("{\"\\u0000\":1,\"\\u0000\\u0000\":2,\"\":3}");
	accepts("{\"\\\\u0061\":1,\"a\":2,\"\\\\\":3}");
}

/* An object of N names, of which the last is ANOTHER. */
static void put_names(struct buf *out, size_t n, const char *another)
{
	for (size_t i = 0; i + 1 < n; i++)
		buf_printf(out, "%s\"name %zu\":{\"name 1\":%zu}", i ? "," : "{", i, i);
	buf_printf(out, ",\"%s\":0}", another);
}

static void test_repeated_names_among_many(void **state)
{
	(void)state;
	static const size_t counts[] = {8, 15, 16, 17, 18, 63, 64, 65, 66, 130, 1000, 100000};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		AUTO_BUF plain = BUF_INIT, escaped = BUF_INIT, fine = BUF_INIT;
		put_names(&fine, counts[i], "n\\u0061me");
		accepts_span(buf_view(&fine));
		put_names(&plain, counts[i], "name 5");
		refuses_span(buf_view(&plain), plain.len - strlen("\"name 5\":0}"), "duplicate");
		put_names(&escaped, counts[i], "n\\u0061me 0");
		refuses_span(buf_view(&escaped), escaped.len - strlen("\"n\\u0061me 0\":0}"), "duplicate");
	}
}

/* 2 MiB of names in one object, and one repeated at the end: linear, or this takes minutes. */
static void test_many_short_names_take_linear_time(void **state)
{
	(void)state;
	AUTO_BUF text = BUF_INIT;
	for (unsigned i = 0; i < 200000; i++)
		buf_printf(&text, "%s\"%x\":0", i ? "," : "{", i);
	buf_puts(&text, "}");
	accepts_span(buf_view(&text));
	text.len--;
	buf_puts(&text, ",\"0\":0}");
	refuses_span(buf_view(&text), text.len - 6, "duplicate");
}

static void test_long_strings(void **state)
{
	(void)state;
	for (size_t n = 65530; n < 65546; n++) {
		AUTO_BUF text = BUF_INIT, back = BUF_INIT;
		struct span view;
		buf_putc(&text, '"');
		memset(buf_room(&text, n), 'x', n);
		text.len += n;
		refuses_span(buf_view(&text), n + 1, "no end");
		buf_putc(&text, '"');
		accepts_span(buf_view(&text));
		assert_true(scan_plain(buf_view(&text), &view));
		assert_int_equal(view.n, n);
		assert_int_equal(scan_str(buf_view(&text), &back), 0);
		assert_true(span_eq(buf_view(&back), view));
	}
}

static void test_the_value_comes_without_the_space_around(void **state)
{
	(void)state;
	struct span value;
	struct scan_error err;
	assert_int_equal(scan_check(SPAN(" \n [1, 2]\t "), &value, &err), 0);
	assert_true(span_is(value, "[1, 2]"));
	assert_int_equal(scan_check(SPAN("7"), NULL, &err), 0);
}

/* --- views ------------------------------------------------------------------------------------------------------- */

static void test_types(void **state)
{
	(void)state;
	assert_int_equal(scan_type(SPAN("null")), SCAN_NULL);
	assert_int_equal(scan_type(SPAN("false")), SCAN_FALSE);
	assert_int_equal(scan_type(SPAN("true")), SCAN_TRUE);
	assert_int_equal(scan_type(SPAN("-1")), SCAN_NUMBER);
	assert_int_equal(scan_type(SPAN(" 9")), SCAN_NUMBER);
	assert_int_equal(scan_type(SPAN("\"\"")), SCAN_STRING);
	assert_int_equal(scan_type(SPAN("[]")), SCAN_ARRAY);
	assert_int_equal(scan_type(SPAN("\n{}")), SCAN_OBJECT);
	assert_int_equal(scan_type(SPAN("")), SCAN_NONE);
	assert_int_equal(scan_type((struct span){NULL, 0}), SCAN_NONE);
}

/* What an iteration over TEXT yields: "key=value;" or "=value;". */
static void iterates(const char *text, const char *want)
{
	accepts(text);
	AUTO_BUF got = BUF_INIT;
	struct span key, value;
	size_t n = 0;
	struct scan_iter it = scan_iter(span_of(text));
	for (; scan_next(&it, &key, &value); n++)
		buf_printf(&got, "%.*s=%.*s;", (int)key.n, key.p, (int)value.n, value.p);
	assert_false(scan_next(&it, &key, &value));
	assert_string_equal(buf_str(&got), want);
	assert_int_equal(scan_count(span_of(text)), n);
}

static void test_iterating(void **state)
{
	(void)state;
	iterates("[]", "");
	iterates(" { } ", "");
	iterates("1", "");
	iterates("\"[1,2]\"", "");
	iterates("[1,-2.5e3,null,true,false]", "=1;=-2.5e3;=null;=true;=false;");
	iterates(" [ 1 , \"a\" , [ 2 ] , { \"b\" : 3 } ] ", "=1;=\"a\";=[ 2 ];={ \"b\" : 3 };");
	iterates("[\"a\",\"b\"]", "=\"a\";=\"b\";");
	iterates("{\"a\":1,\"b\":\"x\",\"c\":[1,{\"d\":2}]}", "a=1;b=\"x\";c=[1,{\"d\":2}];");
	iterates("{ \"a\" : \"1\" , \"\" : { } }", "a=\"1\";={ };");
	iterates("{\"a\\\"b\":\"\\\\\",\"]\":\"}\",\"[\":[\"]\",\"{\\\"\"]}",
		 "a\\\"b=\"\\\\\";]=\"}\";[=[\"]\",\"{\\\"\"];");
	iterates("[[[]],[[],[]],{}]", "=[[]];=[[],[]];={};");
}

/* Two walks see the same. */
static void same_members(struct scan_iter a, struct scan_iter b)
{
	struct span key_a, value_a, key_b, value_b;
	while (scan_next(&a, &key_a, &value_a)) {
		assert_true(scan_next(&b, &key_b, &value_b));
		assert_ptr_equal(value_a.p, value_b.p);
		assert_int_equal(value_a.n, value_b.n);
		assert_true(span_eq(key_a, key_b));
	}
	assert_false(scan_next(&b, &key_b, &value_b));
}

static void tape_tells(const struct scan_tape *tape, struct span value)
{
	struct span key, child;
	same_members(scan_iter_on(tape, value), scan_iter(value));
	for (struct scan_iter it = scan_iter(value); scan_next(&it, &key, &child);)
		tape_tells(tape, child);
}

/* Of every value of TEXT the tape tells what the text says. Returns how many members it has. */
static size_t tapes(struct span text)
{
	struct scan_tape tape;
	struct scan_error err;
	struct span value;
	assert_int_equal(scan_check_tape(text, &tape, &value, &err), 0);
	tape_tells(&tape, value);
	tape_tells(NULL, value);
	return tape.object.p ? tape.n : 0;
}

static void test_a_tape_tells_what_the_text_says(void **state)
{
	(void)state;
	struct scan_tape tape;
	struct scan_error err;
	AUTO_BUF many = BUF_INIT;
	assert_int_equal(tapes(SPAN("{}")), 0);
	assert_int_equal(tapes(SPAN(" 1 ")), 0);
	assert_int_equal(tapes(SPAN("[{\"a\":{\"b\":1}}]")), 0);
	assert_int_equal(tapes(SPAN(" {\"a\" : {\"b\":{\"c\":1}, \"d\" :[{\"e\":1}]} ,\"f\":{ } }")), 4);
	assert_int_equal(tapes(SPAN("{\"id\":1,\"method\":\"m\",\"params\":{\"name\":\"n\",\"\\u0061\":[]},\"z\":2}")),
			 6);
	for (size_t n = 1; n < SCAN_TAPE_MAX + 3; n++) {
		buf_clear(&many, 1 << 20);
		for (size_t i = 1; i < n; i++)
			buf_printf(&many, "%s\"k%zu\":%zu", i > 1 ? "," : "{\"in\":{", i, i);
		buf_puts(&many, n > 1 ? "},\"after\":{\"a\":1}}" : "{\"a\":1}");
		size_t all = n > 1 ? n + 2 : 1;
		assert_int_equal(tapes(buf_view(&many)), all <= SCAN_TAPE_MAX ? all : 0);
	}
	assert_int_equal(scan_check_tape(SPAN("{\"a\":1}x"), &tape, NULL, &err), -1);
	assert_null(tape.object.p);
}

static void gets(const char *text, const char *name, const char *want)
{
	accepts(text);
	struct span got = scan_get(span_of(text), name);
	if (want)
		assert_true(span_is(got, want));
	else
		assert_null(got.p);
}

static void test_getting_members(void **state)
{
	(void)state;
	const char *text = "{\"a\":1,\"A\":2,\"ab\":3,\"\":4,\"n\":{\"m\":5},\"\xc3\xa9\":6,\"nil\":null}";
	gets(text, "a", "1");
	gets(text, "A", "2");
	gets(text, "ab", "3");
	gets(text, "", "4");
	gets(text, "n", "{\"m\":5}");
	gets(text, "m", NULL);
	gets(text, "\xc3\xa9", "6");
	gets(text, "nil", "null");
	gets(text, "abc", NULL);
	gets("[\"a\",1]", "a", NULL);
	gets("\"a\"", "a", NULL);
	gets("{\"\\u0061\\n\":1,\"\\ud83d\\ude00\":2,\"\\u00e9\\u20ac\":3,\"x\\u0000y\":4}", "a\n", "1");
	gets("{\"\\ud83d\\ude00\":2}", "\xf0\x9f\x98\x80", "2");
	gets("{\"\\u00e9\\u20ac\":3}", "\xc3\xa9\xe2\x82\xac", "3");
	gets("{\"x\\u0000y\":4}", "x", NULL);
	gets("{\"a\\\\b\":1}", "a\\\\b", NULL);
	gets("{\"a\\\\b\":1}", "a\\b", "1");
	gets("{\"\\\\u0061\":1}", "a", NULL);
	gets("{\"\\u0061bc\":1}", "ab", NULL);
	gets("{\"\\u0061b\":1}", "abc", NULL);
	assert_null(scan_get((struct span){NULL, 0}, "a").p);
}

static void test_unescaping(void **state)
{
	(void)state;
	AUTO_BUF out = BUF_INIT;
	struct span text;
	buf_puts(&out, "<");
	assert_int_equal(
		scan_str(SPAN("\"\\\"\\\\\\/\\b\\f\\n\\r\\t|\\u0041\\u00E9\\u20ac\\ud83d\\ude00\\uffff\""), &out), 0);
	assert_string_equal(buf_str(&out), "<\"\\/\b\f\n\r\t|A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf");
	buf_clear(&out, SIZE_MAX);
	assert_int_equal(scan_str(SPAN(" \"a\\u0000b\" "), &out), 0);
	assert_true(span_eq(buf_view(&out), (struct span){"a\0b", 3}));
	buf_clear(&out, SIZE_MAX);
	assert_int_equal(scan_str(SPAN("\"\""), &out), 0);
	scan_unescape(SPAN(""), &out);
	assert_int_equal(out.len, 0);
	scan_unescape(SPAN("\\u0061\\udbff\\udfff"), &out);
	assert_string_equal(buf_str(&out), "a\xf4\x8f\xbf\xbf");
	assert_int_equal(scan_str(SPAN("1"), &out), -1);
	assert_int_equal(scan_str(SPAN("[\"a\"]"), &out), -1);
	assert_int_equal(scan_str((struct span){NULL, 0}, &out), -1);

	assert_true(scan_plain(SPAN(" \"plain\" "), &text));
	assert_true(span_is(text, "plain"));
	assert_true(scan_plain(SPAN("\"\""), &text));
	assert_int_equal(text.n, 0);
	assert_false(scan_plain(SPAN("\"a\\n\""), &text));
	assert_false(scan_plain(SPAN("null"), &text));
}

/* --- numbers ----------------------------------------------------------------------------------------------------- */

static void test_integers_are_exact(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t want;
	} good[] = {
		{"0", 0},
		{"-0", 0},
		{"-0.0e5", 0},
		{"0e99999999999999999999", 0},
		{"7", 7},
		{"-7", -7},
		{"9007199254740993", 9007199254740993},
		{"-9007199254740993", -9007199254740993},
		{"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
		{"1e3", 1000},
		{"1E+3", 1000},
		{"1.0", 1},
		{"1.50e1", 15},
		{"10e-1", 1},
		{"-1200e-2", -12},
		{"1.00000000000000000000000000000000000000", 1},
		{"10000000000000000000000000000e-28", 1},
		{"0.0000000000000000000000000000000000001e37", 1},
		{"922337203685477580.7e1", INT64_MAX},
		{"9223372036854775807000e-3", INT64_MAX},
		{" 5 ", 5},
	};
	static const char *const bad[] = {
		"9223372036854775808",
		"-9223372036854775809",
		"1.5",
		"-0.1",
		"1e-1",
		"15e-1",
		"1e19",
		"1e99999999999999999999",
		"1e-99999999999999999999",
		"99999999999999999999",
		"123456789012345678901234567890",
		"1.00000000000000000000000000000000000001",
		"0.00000000000000000000000000001",
		"\"1\"",
		"null",
		"true",
		"[1]",
		"18446744073709551617",
		"184467440737095516160",
		"184467440737095516150",
	};
	int64_t n;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		n = 42;
		accepts(good[i].text);
		assert_int_equal(scan_i64(span_of(good[i].text), &n), 0);
		assert_int_equal(n, good[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		n = 42;
		accepts(bad[i]);
		assert_int_equal(scan_i64(span_of(bad[i]), &n), -1);
		assert_int_equal(n, 42);
	}
	assert_int_equal(scan_i64((struct span){NULL, 0}, &n), -1);
}

static void test_unsigned_integers_are_exact(void **state)
{
	(void)state;
	uint64_t n = 0;
	assert_int_equal(scan_u64(SPAN("18446744073709551615"), &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(scan_u64(SPAN("1844674407370955161.5e1"), &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(scan_u64(SPAN("-0"), &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(scan_u64(SPAN("18446744073709551616"), &n), -1);
	assert_int_equal(scan_u64(SPAN("18446744073709551616000000e-6"), &n), -1);
	assert_int_equal(scan_u64(SPAN("-1"), &n), -1);
	assert_int_equal(scan_u64(SPAN("0.5"), &n), -1);
	assert_int_equal(scan_u64(SPAN("\"5\""), &n), -1);
}

static void test_doubles(void **state)
{
	(void)state;
	double d = 0;
	assert_int_equal(scan_double(SPAN("-1.5e3"), &d), 0);
	assert_true(d == -1500);
	/* A view that ends in the midst of digits. */
	assert_int_equal(scan_double((struct span){"12345", 2}, &d), 0);
	assert_true(d == 12);
	assert_int_equal(scan_double(SPAN("1e999"), &d), -1);
	assert_int_equal(scan_double(SPAN("-1e999"), &d), -1);
	assert_int_equal(scan_double(SPAN("\"1\""), &d), -1);
	assert_true(d == 12);
}

static void test_seconds(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		nsec_t want;
	} good[] = {
		{"0", 0},
		{"-0", 0},
		{"0.0", 0},
		{"1", NSEC_PER_SEC},
		{"0.1", 100000000},
		{"2.5", 2500000000},
		{"1e-9", 1},
		{"1e-10", 1},
		{"1e-400", 1},
		{"0.0000000000001", 1},
		{"1.0000000001", 1000000001},
		{"1e3", 1000 * NSEC_PER_SEC},
		{"0.3", 300000000},
		{"6311520000", 6311520000 * NSEC_PER_SEC},
		{"6311520000.0000000001", NSEC_NEVER},
		{"6311520001", NSEC_NEVER},
		{"1e12", NSEC_NEVER},
		{"1e999", NSEC_NEVER},
		{"99999999999999999999999", NSEC_NEVER},
		{"0.10000000000000000000000000000000000", 100000000},
		{"0.10000000000000000000000000000000001", 100000001},
	};
	nsec_t t = -1;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(scan_seconds(span_of(good[i].text), &t), 0);
		assert_int_equal(t, good[i].want);
	}
	assert_int_equal(scan_seconds(SPAN("-1"), &t), -1);
	assert_int_equal(scan_seconds(SPAN("-1e-400"), &t), -1);
	assert_int_equal(scan_seconds(SPAN("\"1\""), &t), -1);
	assert_int_equal(scan_seconds(SPAN("null"), &t), -1);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void writes(void (*put)(struct buf *, struct span), struct span bytes, const char *want)
{
	AUTO_BUF out = BUF_INIT;
	put(&out, bytes);
	assert_string_equal(buf_str(&out), want);
	accepts_span(buf_view(&out));
}

static void test_writing_strings(void **state)
{
	(void)state;
	writes(scan_put_str, SPAN(""), "\"\"");
	writes(scan_put_str, (struct span){NULL, 0}, "\"\"");
	writes(scan_put_str, SPAN("plain text, longer than a word /"), "\"plain text, longer than a word /\"");
	writes(scan_put_str, SPAN("\"\\\b\f\n\r\t\x1f\x7f"), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u001f\x7f\"");
	writes(scan_put_str, (struct span){"a\0b", 3}, "\"a\\u0000b\"");
	writes(scan_put_str, SPAN("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	writes(scan_put_str, SPAN("a\xff|"), "\"a\xef\xbf\xbd|\"");
	writes(scan_put_str, SPAN("\xc3"), "\"\xef\xbf\xbd\"");
	writes(scan_put_str, SPAN("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_writing_bytes(void **state)
{
	(void)state;
	writes(scan_put_bytes, SPAN(""), "\"\"");
	writes(scan_put_bytes, SPAN("text\n\xc3\xa9"), "\"text\\n\xc3\xa9\"");
	writes(scan_put_bytes, (struct span){"\0", 1}, "{\"b64\":\"AA==\"}");
	writes(scan_put_bytes, SPAN("\xff"), "{\"b64\":\"/w==\"}");
	writes(scan_put_bytes, SPAN("\xff\xfe"), "{\"b64\":\"//4=\"}");
	writes(scan_put_bytes, SPAN("\xff\xfe\xfd"), "{\"b64\":\"//79\"}");
	writes(scan_put_bytes, (struct span){"text\0text", 9}, "{\"b64\":\"dGV4dAB0ZXh0\"}");
}

static void reads_bytes(const char *text, int failed, struct span want)
{
	AUTO_BUF out = BUF_INIT;
	buf_puts(&out, "<");
	assert_int_equal(scan_bytes(span_of(text), &out), failed);
	assert_int_equal(out.len, want.n + 1);
	assert_memory_equal(out.p + 1, want.p, want.n);
	assert_int_equal(out.p[out.len], '\0');
}

static void test_reading_bytes(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"1",
		"null",
		"[]",
		"[\"b64\"]",
		"{}",
		"{\"B64\":\"AA==\"}",
		"{\"b64\":1}",
		"{\"b64\":\"AA==\",\"x\":1}",
		"{\"b64\":\"AA\"}",
		"{\"b64\":\"A===\"}",
		"{\"b64\":\"====\"}",
		"{\"b64\":\"AA=A\"}",
		"{\"b64\":\"AA==AA==\"}",
		"{\"b64\":\"AB==\"}",
		"{\"b64\":\"AAB=\"}",
		"{\"b64\":\"AA-_\"}",
		"{\"b64\":\"A A=\"}",
		"{\"b64\":\"\\u0000AA=\"}",
	};
	reads_bytes("\"text\"", 0, SPAN("text"));
	reads_bytes("\"\"", 0, SPAN(""));
	reads_bytes("{\"b64\":\"\"}", 0, SPAN(""));
	reads_bytes(" { \"b64\" : \"AA==\" } ", 0, (struct span){"\0", 1});
	reads_bytes("{\"b64\":\"\\/\\u002f79\"}", 0, SPAN("\xff\xfe\xfd"));
	reads_bytes("{\"b64\":\"//4=\"}", 0, SPAN("\xff\xfe"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		reads_bytes(bad[i], -1, SPAN(""));
}

static uint64_t seed = 88172645463325252;
static unsigned below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 20) % n);
}

static void test_random_bytes_come_back(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		char bytes[48];
		struct span in = {bytes, below(sizeof(bytes))};
		for (size_t k = 0; k < in.n; k++)
			bytes[k] = (char)(below(4) ? below(128) : below(256));
		AUTO_BUF text = BUF_INIT, back = BUF_INIT;
		scan_put_bytes(&text, in);
		accepts_span(buf_view(&text));
		assert_int_equal(scan_bytes(buf_view(&text), &back), 0);
		assert_true(span_eq(buf_view(&back), in));
	}
}

/* --- against a slow model: the grammar of RFC 8259, said directly, with names as lists of code points ------------- */

struct model {
	const unsigned char *p, *end;
};
struct name {
	uint32_t c[64];
	size_t n;
};

static int peek(const struct model *m) { return m->p < m->end ? *m->p : -1; }
static bool eat(struct model *m, int c)
{
	if (peek(m) != c)
		return false;
	m->p++;
	return true;
}
static void eat_space(struct model *m)
{
	while (eat(m, ' ') || eat(m, '\t') || eat(m, '\n') || eat(m, '\r'))
		;
}
static size_t eat_digits(struct model *m)
{
	size_t n = 0;
	for (; peek(m) >= '0' && peek(m) <= '9'; n++)
		m->p++;
	return n;
}
static bool eat_word(struct model *m, const char *word)
{
	for (; *word; word++)
		if (!eat(m, *word))
			return false;
	return true;
}

static bool model_number(struct model *m)
{
	eat(m, '-');
	if (!eat(m, '0') && !eat_digits(m))
		return false;
	if (eat(m, '.') && !eat_digits(m))
		return false;
	if (eat(m, 'e') || eat(m, 'E')) {
		if (!eat(m, '+'))
			eat(m, '-');
		return eat_digits(m);
	}
	return true;
}

static long model_hex4(struct model *m)
{
	char digits[5] = "";
	if (m->end - m->p < 4)
		return -1;
	memcpy(digits, m->p, 4);
	if (strspn(digits, "0123456789abcdefABCDEF") != 4)
		return -1;
	m->p += 4;
	return strtol(digits, NULL, 16);
}

static long model_escape(struct model *m)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = peek(m);
	m->p++;
	if (c > 0 && strchr(from, c))
		return to[strchr(from, c) - from];
	long unit = c == 'u' ? model_hex4(m) : -1;
	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	if (unit > 0xdbff || !eat(m, '\\') || !eat(m, 'u'))
		return -1;
	long low = model_hex4(m);
	return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + (unit - 0xd800) * 0x400 + low - 0xdc00 : -1;
}

/* One character by its bits; what does not come out the same when written anew is no UTF-8. */
static long model_utf8(struct model *m)
{
	static const long least[] = {0, 0x80, 0x800, 0x10000};
	int lead = *m->p++;
	int more = lead < 0x80 ? 0 : lead >= 0xf0 && lead < 0xf8 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : -1;
	if (more < 0 || lead >= 0xf8)
		return -1;
	long c = more ? lead & (0x3f >> more) : lead;
	for (int i = 0; i < more; i++) {
		if (peek(m) < 0x80 || peek(m) > 0xbf)
			return -1;
		c = c * 64 + (*m->p++ & 0x3f);
	}
	return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? -1 : c;
}

static bool model_string(struct model *m, struct name *name)
{
	if (!eat(m, '"'))
		return false;
	for (name->n = 0; !eat(m, '"'); name->n++) {
		if (peek(m) < 0x20)
			return false;
		long c = eat(m, '\\') ? model_escape(m) : model_utf8(m);
		if (c < 0 || name->n == ARRAY_LEN(name->c))
			return false;
		name->c[name->n] = (uint32_t)c;
	}
	return true;
}

static bool model_value(struct model *m, int depth);

static bool model_array(struct model *m, int depth)
{
	eat_space(m);
	if (eat(m, ']'))
		return true;
	do
		if (!model_value(m, depth))
			return false;
	while (eat(m, ','));
	return eat(m, ']');
}

static bool model_object(struct model *m, int depth)
{
	struct name names[32];
	size_t n = 0;
	eat_space(m);
	if (eat(m, '}'))
		return true;
	do {
		eat_space(m);
		assert_true(n < ARRAY_LEN(names));
		if (!model_string(m, &names[n]))
			return false;
		for (size_t i = 0; i < n; i++)
			if (names[i].n == names[n].n && !memcmp(names[i].c, names[n].c, 4 * names[n].n))
				return false;
		n++;
		eat_space(m);
		if (!eat(m, ':') || !model_value(m, depth))
			return false;
	} while (eat(m, ','));
	return eat(m, '}');
}

static bool model_value(struct model *m, int depth)
{
	struct name text;
	bool ok;
	eat_space(m);
	if (eat(m, '['))
		ok = depth < SCAN_DEPTH && model_array(m, depth + 1);
	else if (eat(m, '{'))
		ok = depth < SCAN_DEPTH && model_object(m, depth + 1);
	else if (peek(m) == '"')
		ok = model_string(m, &text);
	else if (peek(m) == 'n' || peek(m) == 't' || peek(m) == 'f')
		ok = eat_word(m, peek(m) == 'n' ? "null" : peek(m) == 't' ? "true" : "false");
	else
		ok = model_number(m);
	eat_space(m);
	return ok;
}

static bool model_accepts(struct span text)
{
	struct model m = {(const unsigned char *)text.p, (const unsigned char *)text.p + text.n};
	return model_value(&m, 0) && m.p == m.end;
}

static const char *pick(const char *const *of, size_t n) { return of[below((unsigned)n)]; }
#define PICK(...) pick((const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void random_string(struct buf *out)
{
	buf_putc(out, '"');
	for (unsigned n = below(3); n; n--)
		buf_puts(out, PICK("a", "b", "\\u0061", "\\n", "\\u000A", "\xc3\xa9", "\\u00e9", "\\ud83d\\ude00",
				   "\xf0\x9f\x98\x80", "\\/", "/", "\\\\", "\\u0000", "abcdefgh"));
	buf_putc(out, '"');
}

static void random_space(struct buf *out)
{
	if (below(8) == 0)
		buf_puts(out, PICK(" ", "\t", "\r\n"));
}

static void random_value(struct buf *out, int depth)
{
	unsigned kind = below(depth < 5 ? 6 : 4), n = below(20) ? below(5) : below(24);
	random_space(out);
	if (kind == 0)
		buf_puts(out, PICK("null", "true", "false"));
	else if (kind == 1)
		buf_puts(out, PICK("0", "-0", "12", "-1.5", "1e3", "0.1E-2", "123456789", "2e+1"));
	else if (kind < 4)
		random_string(out);
	if (kind >= 4)
		buf_putc(out, "[{"[kind - 4]);
	for (unsigned i = 0; kind >= 4 && i < n; i++) {
		if (i)
			buf_putc(out, ',');
		if (kind == 5) {
			random_space(out);
			random_string(out);
			random_space(out);
			buf_putc(out, ':');
		}
		random_value(out, depth + 1);
	}
	if (kind >= 4)
		buf_putc(out, "]}"[kind - 4]);
	random_space(out);
}

static void random_damage(struct buf *text)
{
	static const char bytes[] = "\"\\[]{},:019.-+eEnu \n\x01\x80\xc3\xed\xf4";
	size_t at = below((unsigned)text->len);
	switch (below(3)) {
	case 0:
		text->p[at] = bytes[below(sizeof(bytes))];
		break;
	case 1:
		memmove(text->p + at, text->p + at + 1, text->len - at);
		text->len--;
		break;
	default:
		text->len = at + 1;
	}
}

/* The sum of all that the views show of VALUE: reading it is the test (under ASan), and its size is known. */
static size_t walk(struct span value)
{
	AUTO_BUF text = BUF_INIT, again = BUF_INIT, back = BUF_INIT;
	size_t n = 1;
	struct span key, child;
	if (scan_str(value, &text) == 0) {
		scan_put_str(&again, buf_view(&text));
		assert_int_equal(scan_str(buf_view(&again), &back), 0);
		assert_true(span_eq(buf_view(&text), buf_view(&back)));
	}
	struct scan_iter it = scan_iter(value);
	while (scan_next(&it, &key, &child)) {
		AUTO_BUF name = BUF_INIT;
		scan_unescape(key, &name);
		if (scan_type(value) == SCAN_OBJECT && strlen(buf_str(&name)) == name.len)
			assert_ptr_equal(scan_get(value, buf_str(&name)).p, child.p);
		accepts_span(child);
		n += walk(child);
	}
	return n;
}

static void test_random_texts_against_the_model(void **state)
{
	(void)state;
	int accepted = 0, refused = 0;
	for (int i = 0; i < 60000; i++) {
		AUTO_BUF text = BUF_INIT;
		struct scan_error err;
		random_value(&text, 0);
		for (unsigned n = below(3); n && text.len; n--)
			random_damage(&text);
		/* A copy of its own size, so that ASan sees a step too far. */
		AUTO_FREE char *copy = malloc(text.len + 1);
		memcpy(copy, text.p, text.len);
		bool valid = check((struct span){copy, text.len}, &err) == 0;
		if (valid != model_accepts(buf_view(&text)))
			fail_msg("%s: %.*s", valid ? "accepted" : err.what, (int)text.len, text.p);
		valid ? accepted++ : refused++;
		if (valid)
			assert_true(walk(buf_view(&text)) >= 1 && tapes(buf_view(&text)) <= SCAN_TAPE_MAX);
		else
			assert_true(err.at <= text.len);
	}
	assert_true(accepted > 10000 && refused > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_texts),
		cmocka_unit_test(test_invalid_texts),
		cmocka_unit_test(test_utf8_is_strict),
		cmocka_unit_test(test_every_special_byte_is_seen_at_every_place),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_repeated_names_are_refused),
		cmocka_unit_test(test_repeated_names_among_many),
		cmocka_unit_test(test_many_short_names_take_linear_time),
		cmocka_unit_test(test_long_strings),
		cmocka_unit_test(test_the_value_comes_without_the_space_around),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_iterating),
		cmocka_unit_test(test_a_tape_tells_what_the_text_says),
		cmocka_unit_test(test_getting_members),
		cmocka_unit_test(test_unescaping),
		cmocka_unit_test(test_integers_are_exact),
		cmocka_unit_test(test_unsigned_integers_are_exact),
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_writing_strings),
		cmocka_unit_test(test_writing_bytes),
		cmocka_unit_test(test_reading_bytes),
		cmocka_unit_test(test_random_bytes_come_back),
		cmocka_unit_test(test_random_texts_against_the_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
