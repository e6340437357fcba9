/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: any bytes as JSON. What scan_check() accepts can be walked, un-escaped, written again and read back; its
 * views agree with each other; and json_parse() accepts the same texts, save for what it says it refuses.
 */
#include "common/json.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
	do                                                                                                             \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			abort();                                                                                       \
		}                                                                                                      \
	while (0)

/* Out and in again: TEXT is what VALUE says, a string's. */
static void check_string(struct span value, const struct buf *text)
{
	AUTO_BUF written = BUF_INIT, again = BUF_INIT, bytes = BUF_INIT, back = BUF_INIT;
	struct scan_error err;
	struct span plain;
	scan_put_str(&written, buf_view(text));
	MUST(scan_check(buf_view(&written), NULL, &err) == 0);
	MUST(scan_str(buf_view(&written), &again) == 0);
	MUST(span_eq(buf_view(&again), buf_view(text)));
	scan_put_bytes(&bytes, buf_view(text));
	MUST(scan_check(buf_view(&bytes), NULL, &err) == 0);
	MUST(scan_bytes(buf_view(&bytes), &back) == 0);
	MUST(span_eq(buf_view(&back), buf_view(text)));
	if (scan_plain(value, &plain))
		MUST(span_eq(plain, buf_view(text)));
}

static void check_number(struct span value)
{
	int64_t i;
	uint64_t u;
	double d;
	nsec_t t;
	bool is_i = scan_i64(value, &i) == 0, is_u = scan_u64(value, &u) == 0;
	if (is_i && i >= 0)
		MUST(is_u && u == (uint64_t)i);
	if (is_u && u <= INT64_MAX)
		MUST(is_i && (uint64_t)i == u);
	if (is_i && scan_double(value, &d) == 0)
		MUST(d == (double)i);
	if (scan_seconds(value, &t) == 0)
		MUST(t >= 0 && (!is_i || (t == 0) == (i == 0)));
	else
		MUST(*value.p == '-');
}

static void walk(struct span value)
{
	struct scan_error err;
	struct span whole, key, child;
	AUTO_BUF text = BUF_INIT;
	MUST(scan_check(value, &whole, &err) == 0 && span_eq(whole, value));
	enum scan_type type = scan_type(value);
	MUST(type != SCAN_NONE);
	MUST((scan_str(value, &text) == 0) == (type == SCAN_STRING));
	if (type == SCAN_STRING)
		check_string(value, &text);
	if (type == SCAN_NUMBER)
		check_number(value);
	size_t n = 0;
	struct scan_iter it = scan_iter(value);
	for (; scan_next(&it, &key, &child); n++) {
		AUTO_BUF name = BUF_INIT;
		scan_unescape(key, &name);
		MUST(name.len <= key.n);
		if (type == SCAN_OBJECT && strlen(buf_str(&name)) == name.len)
			MUST(scan_get(value, buf_str(&name)).p == child.p);
		walk(child);
	}
	MUST(scan_count(value) == n);
}

/* The tree J says what VALUE says. */
static void compare(const struct json *j, struct span value)
{
	struct scan_iter it = scan_iter(value);
	struct span key, child;
	int64_t a = 0, b = 0;
	MUST(json_type(j) == scan_type(value));
	MUST(json_len(j) == scan_count(value));
	MUST(json_i64(j, &a) == scan_i64(value, &b) && a == b);
	if (json_type(j) == SCAN_STRING) {
		AUTO_BUF text = BUF_INIT;
		scan_str(value, &text);
		MUST(span_is(buf_view(&text), json_str(j)));
	}
	for (const struct json *c = json_first(j); c; c = json_next(c)) {
		MUST(scan_next(&it, &key, &child));
		if (json_type(j) == SCAN_OBJECT) {
			MUST(scan_get(value, json_key(c)).p == child.p);
			MUST(json_get(j, json_key(c)) == c);
		}
		compare(c, child);
	}
}

/* The tape and the text tell the same of VALUE, and of all that is in it. */
static void check_tape(const struct scan_tape *tape, struct span value)
{
	struct span key, child, key2, child2;
	struct scan_iter it = scan_iter(value), on = scan_iter_on(tape, value);
	while (scan_next(&it, &key, &child)) {
		MUST(scan_next(&on, &key2, &child2));
		MUST(span_eq(key, key2) && child.p == child2.p && child.n == child2.n);
		check_tape(tape, child);
	}
	MUST(!scan_next(&on, &key2, &child2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scan_tape tape;
	static struct json_arena *arena;
	struct span text = {(const char *)data, size}, value;
	struct scan_error err = {SIZE_MAX, NULL}, tree_err;
	if (!arena)
		arena = json_arena_new();
	const struct json *tree = json_parse(arena, text, &tree_err);
	if (scan_check(text, &value, &err)) {
		MUST(err.at <= size && err.what && !tree);
		MUST(err.at == tree_err.at && !strcmp(err.what, tree_err.what));
	} else {
		walk(value);
		MUST(scan_check_tape(text, &tape, NULL, &err) == 0);
		check_tape(&tape, value);
		MUST(tree || strstr(tree_err.what, "u0000") || strstr(tree_err.what, "too long"));
		if (tree)
			compare(tree, value);
	}
	AUTO_BUF written = BUF_INIT, back = BUF_INIT;
	scan_put_bytes(&written, text);
	MUST(scan_bytes(buf_view(&written), &back) == 0 && span_eq(buf_view(&back), text));
	json_arena_reset(arena);
	return 0;
}
