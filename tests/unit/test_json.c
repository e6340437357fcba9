/* SPDX-License-Identifier: MIT */
/* common/json: cJSON's traps stay closed; what a tree says is what the text says. */
#include "common/json.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct json_arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = json_arena_new();
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	json_arena_free(arena);
	json_arena_free(NULL);
	return 0;
}

static const struct json *parse(const char *text)
{
	struct scan_error err = {0, ""};
	const struct json *j = json_parse(arena, span_of(text), &err);
	if (!j)
		fail_msg("refused at %zu, %s: %s", err.at, err.what, text);
	return j;
}

static void refuses_span(struct span text, size_t at, const char *what)
{
	struct scan_error err = {0, ""};
	assert_null(json_parse(arena, text, &err));
	if (err.at != at || !strstr(err.what, what))
		fail_msg("%.60s: at %zu, %s; expected %zu, %s", text.p, err.at, err.what, at, what);
}
static void refuses(const char *text, size_t at, const char *what) { refuses_span(span_of(text), at, what); }

static void test_a_tree(void **state)
{
	(void)state;
	const struct json *j = parse(" {\"argv\": [\"sleep\", \"60\"], \"env\": {\"A\": \"\\u0061\\n\"}, \"n\": -7, "
				     "\"t\": true, \"f\": false, \"z\": null, \"e\": []} ");
	const struct json *argv = json_get(j, "argv");
	assert_int_equal(json_type(j), SCAN_OBJECT);
	assert_int_equal(json_len(j), 7);
	assert_null(json_key(j));
	assert_int_equal(json_type(argv), SCAN_ARRAY);
	assert_int_equal(json_len(argv), 2);
	assert_ptr_equal(argv, json_first(j));
	assert_string_equal(json_key(argv), "argv");
	assert_string_equal(json_str(json_first(argv)), "sleep");
	assert_string_equal(json_str(json_next(json_first(argv))), "60");
	assert_null(json_next(json_next(json_first(argv))));
	assert_null(json_key(json_first(argv)));
	assert_string_equal(json_key(json_next(argv)), "env");
	assert_string_equal(json_str(json_get(json_get(j, "env"), "A")), "a\n");
	assert_int_equal(json_type(json_get(j, "n")), SCAN_NUMBER);
	assert_int_equal(json_type(json_get(j, "t")), SCAN_TRUE);
	assert_int_equal(json_type(json_get(j, "f")), SCAN_FALSE);
	assert_int_equal(json_type(json_get(j, "z")), SCAN_NULL);
	assert_int_equal(json_len(json_get(j, "e")), 0);
	assert_null(json_first(json_get(j, "e")));
}

static void test_nothing_is_answered_for_nothing(void **state)
{
	(void)state;
	int64_t n;
	assert_int_equal(json_type(NULL), SCAN_NONE);
	assert_int_equal(json_len(NULL), 0);
	assert_null(json_first(NULL));
	assert_null(json_next(NULL));
	assert_null(json_key(NULL));
	assert_null(json_get(NULL, "a"));
	assert_null(json_str(NULL));
	assert_int_equal(json_i64(NULL, &n), -1);
	assert_null(json_get(parse("[\"a\"]"), "a"));
	assert_null(json_str(parse("1")));
	assert_int_equal(json_len(parse("\"abc\"")), 0);
}

static void test_names_have_their_case(void **state)
{
	(void)state;
	const struct json *j = parse("{\"Name\":1,\"name\":2,\"\\u006e\\u0061me2\":3}");
	int64_t n;
	assert_int_equal(json_i64(json_get(j, "name"), &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(json_i64(json_get(j, "Name"), &n), 0);
	assert_int_equal(n, 1);
	assert_non_null(json_get(j, "name2"));
	assert_null(json_get(j, "NAME"));
	assert_null(json_get(j, ""));
}

static void test_numbers_are_exact(void **state)
{
	(void)state;
	static const int64_t want[] = {9007199254740993, INT64_MIN, INT64_MAX, 0, 1000, 1, 12};
	const struct json *j = parse("[9007199254740993, -9223372036854775808, 9223372036854775807, -0, 1e3, 1.0, "
				     "0.0000000012e+10]");
	int64_t n;
	size_t i = 0;
	for (j = json_first(j); j; j = json_next(j)) {
		assert_int_equal(json_i64(j, &n), 0);
		assert_int_equal(n, want[i++]);
		assert_null(json_str(j));
	}
	assert_int_equal(i, ARRAY_LEN(want));
	for (j = json_first(parse("[1.5, 9223372036854775808, 1e999, \"1\", true, [1]]")); j; j = json_next(j))
		assert_int_equal(json_i64(j, &n), -1);
}

static void test_each_number_finds_its_text(void **state)
{
	(void)state;
	const struct json *j =
		parse("{\"1\":\"2\",\"a\":{\"-3\\\"4\":[5,{\"\\\\\":6}],\"e\":true},\"b\":7,\"c\":[[],[8]]}");
	int64_t n = 0;
	const struct json *five = json_first(json_get(json_get(j, "a"), "-3\"4"));
	assert_int_equal(json_i64(five, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(json_i64(json_get(json_next(five), "\\"), &n), 0);
	assert_int_equal(n, 6);
	assert_int_equal(json_i64(json_get(j, "b"), &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(json_i64(json_first(json_next(json_first(json_get(j, "c")))), &n), 0);
	assert_int_equal(n, 8);
	assert_int_equal(json_i64(parse("42"), &n), 0);
	assert_int_equal(n, 42);
}

static void test_what_cjson_would_accept(void **state)
{
	(void)state;
	refuses("{} x", 3, "text after");
	refuses("1 2", 2, "text after");
	refuses("\"\xff\"", 1, "UTF-8");
	refuses("\"\xed\xa0\x80\"", 1, "UTF-8");
	refuses("{\"a\":1,\"a\":2}", 7, "duplicate");
	refuses("{\"a\":1,\"\\u0061\":2}", 7, "duplicate");
	refuses("\"a\nb\"", 2, "control");
	refuses("01", 1, "text after");
	refuses("\xef\xbb\xbf{}", 0, "no value");
	refuses("", 0, "missing");
	refuses_span((struct span){NULL, 0}, 0, "missing");
	refuses_span((struct span){"1\0", 2}, 1, "text after");
}

static void test_what_a_c_string_would_cut(void **state)
{
	(void)state;
	refuses("\"a\\u0000b\"", 2, "u0000");
	refuses("{\"a\\u0000\":1}", 3, "u0000");
	refuses("[1,{\"k\":[\"\\n\\\\\\u0000\"]}]", 14, "u0000");
	assert_string_equal(json_str(parse("\"\\\\u0000\"")), "\\u0000");
	assert_string_equal(json_str(parse("\"\\\\\\u0001\"")), "\\\x01");
}

static void test_long_numbers_are_refused(void **state)
{
	(void)state;
	char text[80] = "[1, ";
	memset(text + 4, '1', 63);
	strcpy(text + 67, "]");
	assert_non_null(parse(text));
	strcpy(text + 67, "1]");
	refuses(text, 4, "too long");
	memset(text, ' ', 4);
	text[68] = '\0';
	refuses(text, 4, "too long");
	text[0] = '"';
	strcpy(text + 68, "\"");
	assert_int_equal(strlen(json_str(parse(text))), 67);
}

static void test_depth(void **state)
{
	(void)state;
	char text[100001];
	memset(text, '[', 50000);
	memset(text + 50000, ']', 50000);
	text[100000] = '\0';
	refuses(text, SCAN_DEPTH, "deeply");
	refuses_span((struct span){text + 50000 - 33, 66}, SCAN_DEPTH, "deeply");
	struct scan_error err;
	assert_non_null(json_parse(arena, (struct span){text + 50000 - 32, 64}, &err));
}

static void test_long_strings(void **state)
{
	(void)state;
	AUTO_BUF text = BUF_INIT;
	buf_puts(&text, "[\"");
	memset(buf_room(&text, 65536), 'x', 65536);
	text.len += 65536;
	buf_puts(&text, "\\u00e9\"]");
	const char *s = json_str(json_first(parse(text.p)));
	assert_int_equal(strlen(s), 65538);
	assert_string_equal(s + 65535, "x\xc3\xa9");
}

static void test_trees_outlive_their_text_until_the_reset(void **state)
{
	(void)state;
	char text[] = "{\"name\":\"value\",\"n\":123}";
	int64_t n = 0;
	for (int round = 0; round < 3; round++) {
		const struct json *first = parse(text), *second = parse("[7]");
		memset(text, 'x', sizeof(text) - 1);
		assert_string_equal(json_str(json_get(first, "name")), "value");
		assert_int_equal(json_i64(json_get(first, "n"), &n), 0);
		assert_int_equal(n, 123);
		assert_int_equal(json_i64(json_first(second), &n), 0);
		assert_int_equal(n, 7);
		json_arena_reset(arena);
		strcpy(text, "{\"name\":\"value\",\"n\":123}");
	}
}

static void test_a_tree_has_its_limit(void **state)
{
	(void)state;
	AUTO_BUF text = BUF_INIT;
	size_t n = 4 << 20; /* of 64 bytes each */
	char *p = buf_room(&text, 2 * n);
	for (size_t i = 0; i < n; i++)
		memcpy(p + 2 * i, ",0", 2);
	p[0] = '[';
	text.len = 2 * n;
	buf_putc(&text, ']');
	refuses_span(buf_view(&text), 0, "out of memory");
	json_arena_reset(arena);
	assert_non_null(parse("[1]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_answered_for_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_have_their_case, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_are_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_number_finds_its_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cjson_would_accept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_a_c_string_would_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_numbers_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trees_outlive_their_text_until_the_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_tree_has_its_limit, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
