/* SPDX-License-Identifier: MIT */
/*
 * Values, arrays, dicts and lists: what was acknowledged is there after any death and any compaction, a change that is
 * refused changes nothing, and no journal, however damaged, does harm. (What the verbs mean is compared with Python's
 * own objects in tests/e2e/test_data.py.)
 */
#include "daemon/engine/core/array.h"
#include "daemon/engine/core/dict.h"
#include "daemon/engine/core/sequence.h"
#include "daemon/engine/core/value.h"
#include "tests/unit/objworld.h"

static uint64_t state;

static uint64_t below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static struct fault fault;

static struct value *the_value(const char *name) { return (struct value *)objworld_find(name); }
static struct array *the_array(void) { return (struct array *)objworld_find("array"); }
static struct dict *the_dict(const char *name) { return (struct dict *)objworld_find(name); }
static struct sequence *the_list(void) { return (struct sequence *)objworld_find("list"); }

/* --- all there is, as text ---------------------------------------------------------------------------------------- */

static void put_value(const struct obj *o, struct buf *out)
{
	const struct value *v = (const struct value *)o;
	buf_printf(out, "%c%d v%llu ", v->i.code ? v->i.code : '-', v->i.wrap, (unsigned long long)v->i.version);
	value_put(v, out);
}

static void put_array(const struct obj *o, struct buf *out)
{
	const struct array *a = (const struct array *)o;
	const struct slice all = {.step = 1, .n = a->i.n};
	buf_printf(out, "%c%d v%llu ", a->i.code, a->i.wrap, (unsigned long long)a->i.version);
	array_put(a, &all, out);
}

static void put_dict(const struct obj *o, struct buf *out)
{
	const struct dict *d = (const struct dict *)o;
	const struct dict_entry *e;
	size_t n = 0;
	buf_printf(out, "v%llu b%zu", (unsigned long long)d->version, d->bytes);
	LIST_EACH (e, &d->entries, by_dict) {
		buf_putc(out, ' ');
		scan_put_str(out, dict_key(e));
		buf_putc(out, '=');
		buf_span(out, dict_value(e));
		assert_ptr_equal(dict_get(d, dict_key(e)), e);
		n++;
	}
	assert_int_equal(n, d->map.count);
}

static void put_list(const struct obj *o, struct buf *out)
{
	const struct sequence *s = (const struct sequence *)o;
	buf_printf(out, "v%llu b%zu", (unsigned long long)s->version, s->has.bytes);
	for (size_t i = 0; i < s->has.n; i++) {
		buf_putc(out, ' ');
		buf_span(out, s->has.v[i]);
	}
}

static void put_all(struct buf *out)
{
	static void (*const puts[KIND_COUNT])(const struct obj *, struct buf *) = {
		[KIND_VALUE] = put_value, [KIND_ARRAY] = put_array,    [KIND_DICT] = put_dict,
		[KIND_LIST] = put_list,   [KIND_NAMESPACE] = put_dict,
	};
	const struct obj *o;
	buf_clear(out, SIZE_MAX);
	LIST_EACH (o, &core.all_objs, by_all) {
		buf_printf(out, "%s: ", obj_name(o, 1000));
		if (puts[o->class->kind])
			puts[o->class->kind](o, out);
		buf_putc(out, '\n');
	}
	assert_false(out->failed);
}

/* --- a random change ---------------------------------------------------------------------------------------------- */

static struct span some_json(void)
{
	static const char *const texts[] = {"0",
					    "1",
					    "-1",
					    "2.50",
					    "1e3",
					    "\"a\"",
					    "\"\\u00e4 \"",
					    "null",
					    "true",
					    "[ ]",
					    "{\"b\":1,\"a\":[2]}",
					    "123456789012345678901234567890",
					    "300",
					    "\"x\"",
					    "{}",
					    "-129",
					    "[1,2]",
					    "[3,4,5]",
					    "[\"z\"]",
					    "[null]"};
	return span_of(texts[below(ARRAY_LEN(texts))]);
}

static struct span some_key(void)
{
	static const char *const keys[] = {"", "a", "b", "c", "\xc3\xa4", "a key", "\"", "x\n"};
	return span_of(keys[below(ARRAY_LEN(keys))]);
}

static bool some_slice(size_t len, struct slice *ret)
{
	AUTO_BUF text = BUF_INIT;
	if (below(2))
		buf_printf(&text, "%d", (int)below(9) - 4);
	else
		buf_printf(&text, "\"%d:%d:%d\"", (int)below(9) - 4, (int)below(9) - 4, (int)below(5) - 2);
	return slice_get(buf_view(&text), len, ret, &fault) == 0;
}

/* These return a code of fault.def: then nothing has changed. */
static int change_value(void)
{
	static const char *const names[] = {"value", "value.i", "value.B", "value.f", "value.u"};
	struct value *v = the_value(names[below(ARRAY_LEN(names))]);
	uint64_t version = v->i.version - below(2);
	switch (below(4)) {
	case 0:
		return value_add(v, some_json(), &fault);
	case 1:
		return value_cas(v, some_json(), NULL, some_json(), &fault);
	case 2:
		return value_cas(v, (struct span){NULL, 0}, &version, some_json(), &fault);
	default:
		return value_set(v, some_json(), &fault);
	}
}

static int change_array(void)
{
	struct array *a = the_array();
	struct slice s;
	if (below(8) == 0)
		return array_fill(a, some_json(), &fault);
	return some_slice(a->i.n, &s) ? array_set(a, &s, some_json(), &fault) : FAULT_RANGE;
}

static int change_dict(void)
{
	struct dict *d = the_dict(below(2) ? "dict" : "namespace");
	struct dict_entry *e;
	int code;
	switch (below(8)) {
	case 0:
		code = dict_find(d, some_key(), &e, &fault);
		break;
	case 1:
		code = dict_last(d, &e, &fault);
		break;
	case 2:
		return dict_incr(d, some_key(), (int64_t)below(7) - 3, &fault);
	case 3:
		return dict_update(d, below(2) ? SPAN("{\"b\":[],\"n\\u0065w\":{\"c\":1},\"a\":2}") : some_json(),
				   &fault);
	case 4:
		if (below(8) == 0)
			dict_clear(d);
		return 0;
	default:
		return dict_set(d, some_key(), some_json(), &fault);
	}
	if (!code)
		dict_del(d, e);
	return code;
}

static int list_put(struct sequence *s, struct span json)
{
	struct values fresh;
	int code = below(2) ? values_read_one(&fresh, json, &fault) : values_read(&fresh, json, &fault);
	if (!code)
		code = sequence_splice(s, below(s->has.n + 1), 0, &fresh, &fault);
	values_free(&fresh);
	return code;
}

static int change_list(void)
{
	struct sequence *s = the_list();
	struct slice slice;
	switch (below(9)) {
	case 0:
		sequence_reverse(s);
		return 0;
	case 1:
		return sequence_sort(s, below(2), &fault);
	case 2:
		return sequence_repeat(s, s->has.n > 20 ? (int64_t)below(2) : (int64_t)below(4), &fault);
	case 3:
	case 4:
		if (!some_slice(s->has.n, &slice))
			return FAULT_RANGE;
		sequence_del(s, &slice);
		return 0;
	case 5:
	case 6:
		return some_slice(s->has.n, &slice) ? sequence_set(s, &slice, some_json(), &fault) : FAULT_RANGE;
	default:
		return list_put(s, some_json());
	}
}

/* --- the world ---------------------------------------------------------------------------------------------------- */

static void make_value(const char *name, struct value_shape shape, struct span json)
{
	struct value *v = (struct value *)objworld_make(name, KIND_VALUE);
	assert_int_equal(value_begin(v, shape, json, &fault), 0);
}

static void make_array(const char *name, char code, struct span json)
{
	struct array *a = (struct array *)objworld_make(name, KIND_ARRAY);
	union cell *cells;
	size_t n;
	assert_int_equal(array_cells(ctype_of(code), json, false, &cells, &n, &fault), 0);
	assert_int_equal(array_begin(a, ctype_of(code), false, cells, n, &fault), 0);
	free(cells);
}

static void make_all(void)
{
	make_value("value", (struct value_shape){0, false}, SPAN("[1, 2]"));
	make_value("value.i", (struct value_shape){'i', false}, (struct span){NULL, 0});
	make_value("value.B", (struct value_shape){'B', true}, SPAN("250"));
	make_value("value.f", (struct value_shape){'f', false}, SPAN("0.1"));
	make_value("value.u", (struct value_shape){'u', false}, SPAN("\"\\u20ac\""));
	make_array("array", 'h', SPAN("[1, -2, 3, 0, 5]"));
	make_array("array.u", 'u', SPAN("[\"a\", \"\\u20ac\"]"));
	make_array("array.d", 'd', SPAN("[0.1, -1e300]"));
	objworld_make("dict", KIND_DICT);
	objworld_make("namespace", KIND_NAMESPACE);
	objworld_make("list", KIND_LIST);
	objworld_turn();
}

static int setup(void **unused)
{
	(void)unused;
	state = 88172645463325252;
	objworld_begin();
	make_all();
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	objworld_end();
	return 0;
}

static int (*const changes[])(void) = {change_value, change_array, change_dict, change_list};

static void same_as(const struct buf *before, const char *after_what, int step)
{
	AUTO_BUF now = BUF_INIT;
	put_all(&now);
	if (strcmp(buf_str(before), buf_str(&now)))
		fail_msg("step %d, after %s it was\n%s\nand is\n%s", step, after_what, buf_str(before), buf_str(&now));
}

static void survives_everything(void **unused)
{
	(void)unused;
	unsigned refused = 0;
	for (int step = 0; step < 20000; step++) {
		AUTO_BUF before = BUF_INIT;
		put_all(&before);
		if (changes[below(ARRAY_LEN(changes))]()) {
			refused++;
			same_as(&before, "a change that was refused", step);
		}
		objworld_turn();
		put_all(&before);
		if (below(50) == 0) {
			objworld_reborn();
			same_as(&before, "a death", step);
		}
		if (below(200) == 0) {
			objworld_compact();
			same_as(&before, "a compaction", step);
			objworld_reborn();
			same_as(&before, "a compaction and a death", step);
		}
	}
	assert_in_range(refused, 2000, 18000); /* both were tried */
}

/* A change is one record or few, as large as what has changed. */
static void records_are_small(void **unused)
{
	(void)unused;
	struct dict *d = the_dict("dict");
	struct sequence *s = the_list();
	char key[16];
	for (int i = 0; i < 1000; i++) {
		struct values fresh;
		snprintf(key, sizeof(key), "key %d", i);
		assert_int_equal(dict_set(d, span_of(key), SPAN("\"a value\""), &fault), 0);
		assert_int_equal(values_read_one(&fresh, SPAN("\"a value\""), &fault), 0);
		assert_int_equal(sequence_splice(s, s->has.n, 0, &fresh, &fault), 0);
		values_free(&fresh);
	}
	objworld_turn();
	size_t n = objworld.n;
	struct values fresh;
	assert_int_equal(dict_set(d, SPAN("key 7"), SPAN("8"), &fault), 0);
	dict_del(d, dict_get(d, SPAN("key 8")));
	assert_int_equal(values_read_one(&fresh, SPAN("9"), &fault), 0);
	assert_int_equal(sequence_splice(s, 500, 2, &fresh, &fault), 0);
	values_free(&fresh);
	assert_int_equal(dict_update(the_dict("namespace"), SPAN("{\"a\":1,\"b\":2}"), &fault), 0);
	objworld_turn();
	assert_int_equal(objworld.n, n + 5);
	for (size_t i = n; i < objworld.n; i++)
		assert_in_range(objworld.v[i].body.n, 8, 100);
}

/* One that is made and written to in the same turn is in the journal before what was written. */
static void made_and_written(void **unused)
{
	(void)unused;
	AUTO_BUF before = BUF_INIT;
	struct array *a = (struct array *)objworld_make("fresh.array", KIND_ARRAY);
	assert_int_equal(array_begin(a, ctype_of('d'), false, NULL, 3, &fault), 0);
	assert_int_equal(array_fill(a, SPAN("0.5"), &fault), 0);
	assert_int_equal(dict_set((struct dict *)objworld_make("fresh.dict", KIND_DICT), SPAN("k"), SPAN("1"), &fault),
			 0);
	objworld_turn();
	put_all(&before);
	objworld_reborn();
	same_as(&before, "a death", 0);
}

/* What is more than one record takes goes into several, which are one change. */
static void large_changes(void **unused)
{
	(void)unused;
	struct sequence *s = the_list();
	AUTO_BUF values = BUF_INIT, before = BUF_INIT;
	buf_putc(&values, '[');
	for (int i = 0; i < 40; i++)
		buf_printf(&values, "%s\"%01000000d\"", i ? "," : "", i);
	buf_putc(&values, ']');
	const struct slice middle = {.start = 10, .step = 1, .n = 20}, odd = {.start = 1, .step = 2, .n = 25};
	assert_int_equal(sequence_set(s, &(struct slice){.step = 1}, buf_view(&values), &fault), 0);
	assert_int_equal(sequence_set(s, &middle, buf_view(&values), &fault), 0);
	assert_int_equal(s->has.n, 60);
	sequence_del(s, &odd);
	sequence_reverse(s);
	assert_int_equal(s->has.n, 35);
	assert_int_equal(s->version, 4);
	objworld_turn();
	put_all(&before);
	objworld_reborn();
	same_as(&before, "a death", 0);
	objworld_compact();
	objworld_reborn();
	same_as(&before, "a compaction and a death", 0);
}

/* --- bounds ------------------------------------------------------------------------------------------------------- */

static void no_larger_than_allowed(void **unused)
{
	(void)unused;
	struct sequence *s = the_list();
	struct dict *d = the_dict("dict");
	AUTO_BUF big = BUF_INIT;
	struct values fresh;
	assert_int_equal(sequence_repeat(s, INT64_MAX, &fault), 0); /* of nothing */
	buf_putc(&big, '"');
	memset(buf_room(&big, 1 << 20), 'x', 1 << 20);
	big.len += 1 << 20;
	buf_putc(&big, '"');
	assert_int_equal(values_read_one(&fresh, buf_view(&big), &fault), 0);
	assert_int_equal(sequence_splice(s, 0, 0, &fresh, &fault), 0);
	assert_int_equal(sequence_repeat(s, 300, &fault), FAULT_TOO_LARGE);
	assert_int_equal(sequence_repeat(s, INT64_MAX, &fault), FAULT_TOO_LARGE);
	assert_int_equal(s->has.n, 1);
	core.ops = &(const struct core_ops){.save = NULL};
	core.replayed = false; /* 256 MiB of a journal are not the question */
	char key[16];
	int code = 0, i = 0;
	for (; i < 300 && !code; i++) {
		snprintf(key, sizeof(key), "%d", i);
		code = dict_set(d, span_of(key), buf_view(&big), &fault);
	}
	assert_int_equal(code, FAULT_TOO_LARGE);
	assert_in_range(i, 250, 256);
	assert_in_range(d->bytes, DICT_BYTES_MAX - (2 << 20), DICT_BYTES_MAX);
	assert_int_equal(dict_set(d, SPAN("0"), buf_view(&big), &fault), 0); /* in the place of as much */
	core.ops = &objworld_ops;
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static void waits_for_what_it_becomes(void **unused)
{
	(void)unused;
	static const char *const sets[] = {"1", "\"7\"", "7.0", "null", "[7]", "-3"};
	static const struct {
		enum value_op op;
		const char *x;
		int at; /* the set that ends it */
	} rows[] = {{VALUE_EQ, "7", 2},     {VALUE_EQ, "[7.0]", 4}, {VALUE_GT, "1", 2}, {VALUE_LT, "0", 5},
		    {VALUE_GE, "\"6\"", 1}, {VALUE_NE, "[1,2]", 0}, {VALUE_LE, "1", 0}, {VALUE_EQ, "8", -1}};
	struct channel ch;
	struct want *parked[ARRAY_LEN(rows)];
	unsigned expected = 0;
	channel_init(&ch, 7, 1000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value_want w = {.want = {.ops = &value_wait_ops,
						.obj = objworld_find("value"),
						.thread = objworld_thread(&ch, "")}};
		if (rows[i].at == 0)
			value_set(the_value("value"), SPAN("[1, 2]"), &fault);
		assert_int_equal(value_want_x(&w, rows[i].op, span_of(rows[i].x), &fault), 0);
		assert_int_equal(objworld_run(&w.want, &ch, 10 * NSEC_PER_SEC, &parked[i]), STEP_WAIT);
	}
	objworld.granted = objworld.failed = 0;
	for (int s = 0; s < (int)ARRAY_LEN(sets); s++) {
		assert_int_equal(value_set(the_value("value"), span_of(sets[s]), &fault), 0);
		objworld_turn();
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			expected += rows[i].at == s;
		assert_int_equal(objworld.granted, expected);
	}
	objworld_pass(11 * NSEC_PER_SEC);
	assert_int_equal(objworld.failed, 1);
	assert_int_equal(objworld.fault.code, FAULT_TIMEOUT);
	struct value_want none = {0};
	assert_int_equal(value_want_x(&none, VALUE_LT, SPAN("[]"), &fault), FAULT_PARAMS);
	channel_gone(&ch, true, false);
}

/* --- a damaged journal -------------------------------------------------------------------------------------------- */

static void damage(struct objworld_record *r, size_t n)
{
	for (uint64_t flips = below(4); flips < 5; flips++) {
		struct objworld_record *one = &r[below(n)];
		char *p = (char *)one->body.p;
		if (one->body.n == 0)
			continue;
		size_t at = below(4) ? below(one->body.n) : below(MIN(one->body.n, 60));
		if (below(8) == 0)
			one->body.n = at;
		else
			p[at] = (char)(below(2) ? below(256) : (unsigned)p[at] ^ (1u << below(8)));
	}
}

/* What is there is JSON. */
static void check_json(void)
{
	const struct obj *o;
	struct scan_error error;
	LIST_EACH (o, &core.all_objs, by_all) {
		AUTO_BUF text = BUF_INIT;
		const struct array *a = o->class->kind == KIND_ARRAY ? (const struct array *)o : NULL;
		if (a)
			array_put(a, &(struct slice){.step = 1, .n = MIN(a->i.n, 100)}, &text);
		else if (o->class->kind == KIND_VALUE)
			value_put((const struct value *)o, &text);
		else
			buf_puts(&text, "null");
		if (scan_check(buf_view(&text), NULL, &error))
			fail_msg("%s is %.200s", obj_name(o, 1000), buf_str(&text));
	}
}

/* A cell that its type cannot hold is not taken from a journal. */
static void impossible_cells(void **unused)
{
	(void)unused;
	static const struct {
		const char *array, *good;
		union cell bad;
	} rows[] = {{"array.d", "1.5", {.u = 0x7ff8000000000000}},
		    {"array.d", "1.5", {.u = 0xfff0000000000000}},
		    {"array.u", "\"b\"", {.u = 0xd800}},
		    {"array.u", "\"b\"", {.u = 0x110000}},
		    {"array", "7", {.i = 40000}},
		    {"array", "7", {.i = -32769}}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct array *a = (struct array *)objworld_find(rows[i].array);
		const struct slice first = {.step = 1, .n = 1, .is_index = true};
		assert_int_equal(array_set(a, &first, span_of(rows[i].good), &fault), 0);
		const struct objworld_record *last = &objworld.v[objworld.n - 1];
		assert_int_equal(core_load(last->type, last->body), 0);
		memcpy((char *)last->body.p + last->body.n - sizeof(union cell), &rows[i].bad, sizeof(union cell));
		assert_int_equal(core_load(last->type, last->body), -1);
		objworld_forget();
	}
}

static void no_journal_does_harm(void **unused)
{
	(void)unused;
	for (int i = 0; i < 60; i++) {
		changes[below(ARRAY_LEN(changes))]();
		objworld_turn();
	}
	size_t n = objworld.n;
	struct objworld_record *good = objworld.v, *bad = calloc(n, sizeof(*bad));
	assert_non_null(bad);
	objworld.v = NULL;
	objworld.n = objworld.room = 0;
	for (int round = 0; round < 3000; round++) {
		for (size_t i = 0; i < n; i++) {
			bad[i] = (struct objworld_record){good[i].type, {malloc(good[i].body.n + 1), good[i].body.n}};
			memcpy((char *)bad[i].body.p, good[i].body.p, good[i].body.n);
		}
		damage(bad, n);
		core_done();
		objworld_start(bad, n, NSEC_PER_SEC, true);
		check_json();
		for (size_t i = 0; i < n; i++)
			free((char *)bad[i].body.p);
		objworld_forget();
	}
	free(bad);
	for (size_t i = 0; i < n; i++)
		free((char *)good[i].body.p);
	free(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(survives_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(records_are_small, setup, teardown),
		cmocka_unit_test_setup_teardown(made_and_written, setup, teardown),
		cmocka_unit_test_setup_teardown(large_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(no_larger_than_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_what_it_becomes, setup, teardown),
		cmocka_unit_test_setup_teardown(impossible_cells, setup, teardown),
		cmocka_unit_test_setup_teardown(no_journal_does_harm, setup, teardown),
	};
	return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
