/* SPDX-License-Identifier: MIT */
/* Maps against an obvious model: an array that says for each key whether it is in, and with what. */
#include "common/map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define KEYS 512

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

static void an_empty_map_answers(void **state)
{
	(void)state;
	struct map m = MAP_INIT;
	size_t i = 0;
	assert_null(map_get(&m, 1));
	assert_null(map_del(&m, 1));
	assert_null(map_get_str(&m, SPAN("x")));
	assert_null(map_del_str(&m, SPAN("x")));
	assert_null(map_each(&m, &i));
	map_done(&m);
	map_done(&m);
}

/* Whether each key's value is in the map as often as the model says. */
static void assert_same(const struct map *m, void *const model[KEYS])
{
	size_t in_model = 0, in_map = 0, i = 0;
	for (size_t key = 0; key < KEYS; key++)
		in_model += model[key] != NULL;
	while (map_each(m, &i))
		in_map++;
	assert_int_equal(in_map, in_model);
	assert_int_equal(m->count, in_model);
}

static void ids_walk_with_the_model(void **state)
{
	(void)state;
	struct map m = MAP_INIT;
	void *model[KEYS] = {NULL};
	char values[KEYS];
	for (int step = 0; step < 200000; step++) {
		uint32_t key = random_below(KEYS);
		uint64_t id = (uint64_t)key << (key % 3 * 20); /* ids that differ in low, middle and high bits */
		switch (random_below(step / 20000 % 2 ? 5 : 3)) {
		case 0:
			model[key] = &values[random_below(KEYS)];
			assert_int_equal(map_put(&m, id, model[key]), 0);
			break;
		case 1:
			assert_ptr_equal(map_get(&m, id), model[key]);
			break;
		default:
			assert_ptr_equal(map_del(&m, id), model[key]);
			model[key] = NULL;
		}
		if (step % 4096 == 0)
			assert_same(&m, model);
	}
	assert_same(&m, model);
	map_done(&m);
}

static void strings_walk_with_the_model(void **state)
{
	(void)state;
	struct map m = MAP_INIT;
	void *model[KEYS] = {NULL};
	char names[KEYS][24];
	for (size_t key = 0; key < KEYS; key++)
		snprintf(names[key], sizeof(names[key]), "%.*s%zu", (int)(key % 12), "worker.name.x", key);
	for (int step = 0; step < 100000; step++) {
		uint32_t key = random_below(KEYS);
		struct span name = span_of(names[key]);
		switch (random_below(3)) {
		case 0:
			model[key] = names[random_below(KEYS)];
			assert_int_equal(map_put_str(&m, name, model[key]), 0);
			break;
		case 1:
			assert_ptr_equal(map_get_str(&m, name), model[key]);
			break;
		default:
			assert_ptr_equal(map_del_str(&m, name), model[key]);
			model[key] = NULL;
		}
	}
	assert_same(&m, model);
	map_done(&m);
}

static void bytes_are_compared_whole(void **state)
{
	(void)state;
	struct map m = MAP_INIT;
	int a, b, c;
	assert_int_equal(map_put_str(&m, (struct span){"x\0y", 3}, &a), 0);
	assert_int_equal(map_put_str(&m, (struct span){"x\0z", 3}, &b), 0);
	assert_int_equal(map_put_str(&m, SPAN(""), &c), 0);
	assert_ptr_equal(map_get_str(&m, (struct span){"x\0y", 3}), &a);
	assert_ptr_equal(map_get_str(&m, (struct span){"x\0z", 3}), &b);
	assert_ptr_equal(map_get_str(&m, SPAN("")), &c);
	assert_null(map_get_str(&m, SPAN("x")));
	map_done(&m);
}

/* The old value's owner frees the key's bytes with it: the map must know the new ones only. */
static void replacing_takes_the_new_key(void **state)
{
	(void)state;
	struct map m = MAP_INIT;
	int old, new;
	char *first = strdup("name"), *second = strdup("name");
	assert_int_equal(map_put_str(&m, span_of(first), &old), 0);
	assert_int_equal(map_put_str(&m, span_of(second), &new), 0);
	memset(first, 'x', 4);
	free(first);
	assert_ptr_equal(map_get_str(&m, SPAN("name")), &new);
	assert_int_equal(m.count, 1);
	map_done(&m);
	free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_answers),        cmocka_unit_test(ids_walk_with_the_model),
		cmocka_unit_test(strings_walk_with_the_model), cmocka_unit_test(bytes_are_compared_whole),
		cmocka_unit_test(replacing_takes_the_new_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
