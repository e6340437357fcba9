/* SPDX-License-Identifier: MIT */
/* common/jsonval: what values are when they are compared, against exact arithmetic; and trees that are told in two
 * ways. */
#include "common/jsonval.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}
static uint64_t below(uint64_t n) { return random64() % n; }

static struct span checked(const struct buf *b)
{
	struct scan_error error;
	struct span value;
	assert_false(b->failed);
	if (scan_check(buf_view(b), &value, &error))
		fail_msg("%s at %zu: %.200s", error.what, error.at, buf_str(b));
	return value;
}

static int sign(int n) { return (n > 0) - (n < 0); }

/* --- tables ------------------------------------------------------------------------------------------------------- */

static void test_equal(void **unused)
{
	(void)unused;
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{"null", "null", true},
		{"null", "false", false},
		{"true", "1", false},
		{"false", "0", false},
		{"1", "1.0", true},
		{"1", " 1 ", true},
		{"100", "1e2", true},
		{"-0", "0", true},
		{"-0.0", "0", true},
		{"0.1", "0.10000000000000000001", true},
		{"9007199254740993", "9007199254740992", false},
		{"9007199254740993", "9007199254740993.0", false}, /* that is ...992 */
		{"9007199254740992", "9007199254740993.0", true},
		{"123456789012345678901234567890", "123456789012345678901234567891", false},
		{"1", "\"1\"", false},
		{"\"\\u0041\\n\"", "\"A\\u000a\"", true},
		{"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", true},
		{"\"e\\u0301\"", "\"\xc3\xa9\"", false},
		{"\"a\\u0000b\"", "\"a\\u0000c\"", false},
		{"\"\"", "\"\\u0000\"", false},
		{"[]", "{}", false},
		{"[1,[2]]", " [ 1.0 , [ 2e0 ] ] ", true},
		{"[1,2]", "[2,1]", false},
		{"[1]", "[1,1]", false},
		{"[1,1]", "[1]", false},
		{"{\"a\":1,\"b\":[true]}", "{ \"b\" : [true] , \"\\u0061\":1.0 }", true},
		{"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
		{"{\"a\":1,\"b\":2}", "{\"a\":1}", false},
		{"{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", false},
		{"{\"a\":1}", "{\"b\":1}", false},
		{"{}", "{ }", true},
		{"1e400", "2e400", true}, /* both infinite */
		{"1e400", "1", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span a = span_of(rows[i].a), b = span_of(rows[i].b);
		if (jsonval_equal(a, b) != rows[i].equal || jsonval_equal(b, a) != rows[i].equal)
			fail_msg("%s and %s are%s equal", rows[i].a, rows[i].b, rows[i].equal ? "" : " not");
	}
}

static void test_order(void **unused)
{
	(void)unused;
	static const char *const numbers[] = {"-1e400",
					      "-100000000000000000000000000000000000000000",
					      "-1e40",
					      "-2",
					      "-1.5",
					      "-1",
					      "-5e-324",
					      "0",
					      "5e-324",
					      "0.5",
					      "1",
					      "9007199254740991",
					      "9007199254740992.0",
					      "9007199254740993",
					      "18446744073709551615",
					      "1e20",
					      "100000000000000000001",
					      "1e400"};
	static const char *const strings[] = {
		"\"\"",        "\"\\u0000\"",       "\"A\"", "\"AA\"", "\"a\"", "\"\xc3\xa4\"", "\"\xe2\x82\xac\"",
		"\"\\uffff\"", "\"\\ud83d\\ude00\""};
	static const struct {
		const char *const *v;
		size_t n;
	} sorts[] = {{numbers, ARRAY_LEN(numbers)}, {strings, ARRAY_LEN(strings)}};
	int order;
	for (size_t s = 0; s < ARRAY_LEN(sorts); s++)
		for (size_t i = 0; i < sorts[s].n; i++)
			for (size_t j = 0; j < sorts[s].n; j++) {
				assert_int_equal(jsonval_order(span_of(sorts[s].v[i]), span_of(sorts[s].v[j]), &order),
						 0);
				if (sign(order) != (i > j) - (i < j))
					fail_msg("%s and %s: %d", sorts[s].v[i], sorts[s].v[j], order);
			}
	assert_int_equal(jsonval_order(SPAN("1"), SPAN("\"1\""), &order), -1);
	assert_int_equal(jsonval_order(SPAN("true"), SPAN("true"), &order), -1);
	assert_int_equal(jsonval_order(SPAN("[1]"), SPAN("[1]"), &order), -1);
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static __int128 random_whole(void)
{
	__int128 n = (__int128)((unsigned __int128)random64() << 64 | random64());
	return n >> below(127);
}

static int order_of(__int128 a, __int128 b) { return (a > b) - (a < b); }

static void test_whole(void **unused)
{
	(void)unused;
	for (int i = 0; i < 100000; i++) {
		AUTO_BUF a = BUF_INIT, b = BUF_INIT;
		__int128 x = random_whole(), y = below(3) ? random_whole() : x + (int)below(3) - 1, back;
		int order;
		jsonval_put_whole(&a, x);
		jsonval_put_whole(&b, y);
		assert_true(jsonval_is_whole(checked(&a)));
		assert_int_equal(jsonval_whole(checked(&a), &back), 0);
		assert_true(back == x);
		assert_int_equal(jsonval_order(checked(&a), checked(&b), &order), 0);
		assert_int_equal(sign(order), order_of(x, y));
		assert_int_equal(jsonval_equal(checked(&a), checked(&b)), x == y);
	}
}

/* What does not fit is there modulo 2^128. */
static void test_whole_beyond(void **unused)
{
	(void)unused;
	static const char *const edges[] = {
		"170141183460469231731687303715884105727",  "170141183460469231731687303715884105728",
		"-170141183460469231731687303715884105728", "-170141183460469231731687303715884105729",
		"340282366920938463463374607431768211455",  "340282366920938463463374607431768211457"};
	static const int beyond[] = {0, 1, 0, 1, 1, 1};
	__int128 n;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		assert_int_equal(jsonval_whole(span_of(edges[i]), &n), beyond[i]);
	assert_true(n == 1);
	for (int i = 0; i < 10000; i++) {
		AUTO_BUF text = BUF_INIT;
		unsigned __int128 expected = (unsigned __int128)(random_whole() | 1); /* no leading zero */
		jsonval_put_whole(&text, (__int128)expected);
		for (int zeros = 0; zeros < 20; zeros++) {
			buf_putc(&text, '7');
			expected = expected * 10 + (text.p[0] == '-' ? -7 : 7);
		}
		assert_true(jsonval_whole(checked(&text), &n) >= 0);
		assert_true((unsigned __int128)n == expected);
	}
	static const char *const none[] = {"1.0", "1e2", "\"1\"", "true", "null", "[]"};
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(jsonval_whole(span_of(none[i]), &n), -1);
}

static double random_double(void)
{
	union {
		uint64_t u;
		double d;
	} bits;
	do
		bits.u = random64() >> (below(4) ? 0 : below(64));
	while (!isfinite(bits.d));
	return below(2) ? bits.d : (double)(int64_t)random64() / (double)(1 << below(20));
}

static void test_double(void **unused)
{
	(void)unused;
	static const struct {
		double d;
		const char *text;
	} rows[] = {{0, "0.0"},      {-0.0, "-0.0"},      {5, "5.0"},         {0.1, "0.1"},
		    {1e22, "1e+22"}, {-2.5, "-2.5"},      {5e-324, "5e-324"}, {0.1f, "0.10000000149011612"},
		    {1e15, "1e+15"}, {123456, "123456.0"}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_BUF text = BUF_INIT;
		jsonval_put_double(&text, rows[i].d);
		assert_string_equal(buf_str(&text), rows[i].text);
	}
	for (int i = 0; i < 100000; i++) {
		AUTO_BUF text = BUF_INIT;
		double d = random_double(), back;
		jsonval_put_double(&text, d);
		assert_int_equal(jsonval_double(checked(&text), &back), 0);
		assert_memory_equal(&back, &d, sizeof(d));
		assert_false(jsonval_is_whole(checked(&text)));
	}
}

/* A whole number beside a double: no rounding decides. */
static void test_mixed(void **unused)
{
	(void)unused;
	for (int i = 0; i < 100000; i++) {
		AUTO_BUF a = BUF_INIT, b = BUF_INIT;
		double d = ldexp((double)(int64_t)random64(), (int)below(120) - 64);
		__int128 x = (__int128)d + (int)below(3) - 1;
		int order, expected = order_of(x, (__int128)d);
		if (expected == 0)
			expected = ((double)(__int128)d > d) - ((double)(__int128)d < d);
		jsonval_put_whole(&a, x);
		jsonval_put_double(&b, d);
		assert_int_equal(jsonval_order(checked(&a), checked(&b), &order), 0);
		if (sign(order) != expected)
			fail_msg("%s and %s: %d", buf_str(&a), buf_str(&b), order);
		assert_int_equal(jsonval_order(checked(&b), checked(&a), &order), 0);
		assert_int_equal(sign(order), -expected);
	}
}

/* --- trees -------------------------------------------------------------------------------------------------------- */

enum node_type { NODE_WORD, NODE_NUMBER, NODE_TEXT, NODE_ARRAY, NODE_OBJECT };
struct node {
	enum node_type type;
	int n; /* the word, the number, the letter, how many children */
	struct node *children;
};

static void grow(struct node *node, int depth)
{
	node->type = (enum node_type)below(depth > 0 ? 5 : 3);
	node->n = (int)below(4);
	node->children = NULL;
	if (node->type < NODE_ARRAY)
		return;
	node->children = calloc((size_t)node->n + 1, sizeof(*node->children));
	assert_non_null(node->children);
	for (int i = 0; i < node->n; i++)
		grow(&node->children[i], depth - 1);
}

static void fell(struct node *node)
{
	for (int i = 0; node->children && i < node->n; i++)
		fell(&node->children[i]);
	free(node->children);
}

static void put_space(struct buf *b)
{
	while (below(3) == 0)
		buf_putc(b, " \n\t\r"[below(4)]);
}

static void put_letter(struct buf *b, int n)
{
	static const char *const ways[][3] = {{"a", "\\u0061", "a"},
					      {"\\n", "\\u000a", "\\u000A"},
					      {"\xe2\x82\xac", "\\u20ac", "\\u20AC"},
					      {"\xf0\x9f\x98\x80", "\\ud83d\\ude00", "\\uD83D\\uDE00"}};
	buf_printf(b, "\"%s\"", ways[n][below(3)]);
}

static void put_node(struct buf *, const struct node *);

static void put_children(struct buf *b, const struct node *node)
{
	int first = node->type == NODE_OBJECT && node->n ? (int)below((uint64_t)node->n) : 0;
	buf_putc(b, node->type == NODE_OBJECT ? '{' : '[');
	for (int i = 0; i < node->n; i++) {
		int child = (first + i) % node->n; /* members in any order */
		if (i)
			buf_putc(b, ',');
		put_space(b);
		if (node->type == NODE_OBJECT) {
			put_letter(b, child);
			put_space(b);
			buf_putc(b, ':');
		}
		put_node(b, &node->children[child]);
		put_space(b);
	}
	put_space(b);
	buf_putc(b, node->type == NODE_OBJECT ? '}' : ']');
}

/* In one of many ways. */
static void put_node(struct buf *b, const struct node *node)
{
	static const char *const words[] = {"null", "true", "false", "\"\""};
	static const char *const numbers[][3] = {
		{"0", "0.0", "-0"}, {"1", "1.00", "10e-1"}, {"-3e2", "-300", "-3.0e+2"}, {"0.5", "5e-1", "0.50"}};
	put_space(b);
	if (node->type == NODE_WORD)
		buf_puts(b, words[node->n]);
	else if (node->type == NODE_NUMBER)
		buf_puts(b, numbers[node->n][below(3)]);
	else if (node->type == NODE_TEXT)
		put_letter(b, node->n);
	else
		put_children(b, node);
	put_space(b);
}

static struct node *some_leaf(struct node *node)
{
	while (node->type >= NODE_ARRAY && node->n)
		node = &node->children[below((uint64_t)node->n)];
	return node;
}

static void test_trees(void **unused)
{
	(void)unused;
	for (int i = 0; i < 20000; i++) {
		AUTO_BUF a = BUF_INIT, b = BUF_INIT, c = BUF_INIT;
		struct node root;
		grow(&root, 4);
		put_node(&a, &root);
		put_node(&b, &root);
		struct node *leaf = some_leaf(&root);
		if (leaf->type < NODE_ARRAY)
			leaf->n = (leaf->n + 1) % 4;
		else
			leaf->type = NODE_NUMBER; /* in the place of nothing in brackets */
		put_node(&c, &root);
		if (!jsonval_equal(checked(&a), checked(&b)))
			fail_msg("%s is not %s", buf_str(&a), buf_str(&b));
		if (jsonval_equal(checked(&a), checked(&c)))
			fail_msg("%s is %s", buf_str(&a), buf_str(&c));
		fell(&root);
	}
}

/* --- sorting ------------------------------------------------------------------------------------------------------ */

static void check_sorted(const struct span *v, size_t n, bool reverse)
{
	size_t places[64];
	bool seen[64] = {false}, mixed;
	assert_int_equal(jsonval_sort(v, n, reverse, places, &mixed), 0);
	for (size_t i = 0; i < n; i++) {
		int order = 0;
		assert_true(places[i] < n && !seen[places[i]]);
		seen[places[i]] = true;
		if (i == 0)
			continue;
		assert_int_equal(jsonval_order(v[places[i - 1]], v[places[i]], &order), 0);
		assert_true(reverse ? order >= 0 : order <= 0);
		assert_true(order || places[i - 1] < places[i]);
	}
}

static void test_sort(void **unused)
{
	(void)unused;
	static const char *const numbers[] = {"1",    "1.0", "10e-1", "0.5", "-7", "123456789012345678901234567890",
					      "1e30", "2"};
	static const char *const strings[] = {"\"\"",  "\"a\"",  "\"\\u0061\"", "\"\\u20ac\"",
					      "\"b\"", "\"aa\"", "\"\\n\"",     "\"B\""};
	for (int round = 0; round < 2000; round++) {
		struct span v[64];
		size_t n = below(64);
		for (size_t i = 0; i < n; i++)
			v[i] = span_of((round % 2 ? numbers : strings)[below(8)]);
		check_sorted(v, n, false);
		check_sorted(v, n, true);
	}
	const struct span bad[][2] = {
		{SPAN("1"), SPAN("\"1\"")}, {SPAN("true"), SPAN("false")}, {SPAN("[1]"), SPAN("[2]")}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		size_t places[2];
		bool mixed = false;
		assert_int_equal(jsonval_sort(bad[i], 2, false, places, &mixed), -1);
		assert_true(mixed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),        cmocka_unit_test(test_order),  cmocka_unit_test(test_whole),
		cmocka_unit_test(test_whole_beyond), cmocka_unit_test(test_double), cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_trees),        cmocka_unit_test(test_sort),
	};
	return cmocka_run_group_tests_name("jsonval", tests, NULL, NULL);
}
