/* SPDX-License-Identifier: MIT */
/* Names: who means what by them, and that what is found is what is there, however often it was looked for. */
#include "tests/unit/objworld.h"

static struct obj *find_as(struct asker who, const char *name)
{
	struct obj *o;
	struct fault f;
	return obj_find(&who, span_of(name), KIND_ANY, RIGHT_USE, &o, &f) ? NULL : o;
}

static void delete (struct obj *o)
{
	struct fault f;
	assert_int_equal(obj_delete(o, true, &f), 0);
}

static void one_name_after_the_other(void **state)
{
	(void)state;
	objworld_begin();
	for (int i = 0; i < 3; i++) {
		assert_null(objworld_find("x"));
		struct obj *o = objworld_make("x", i % 2 ? KIND_LOCK : KIND_EVENT);
		for (int look = 0; look < 3; look++)
			assert_ptr_equal(objworld_find("x"), o);
		delete (o);
		assert_null(objworld_find("x"));
		objworld_turn();
	}
	objworld_end();
}

/* The owner's own comes before the system's of the same name; nobody finds another's by it. */
static void the_same_name_of_others(void **state)
{
	(void)state;
	static const struct asker root = {.admin = true}, other = {.uid = 1001, .gid = 1001};
	struct make open = {.has_mode = true, .mode = 0777};
	struct obj *shared, *others;
	struct fault f;
	objworld_begin();
	assert_int_equal(obj_new(&root, span_of("/x"), KIND_LOCK, &open, &shared, &f), 0);
	assert_int_equal(obj_new(&other, span_of("x"), KIND_LOCK, NULL, &others, &f), 0);
	for (int look = 0; look < 2; look++) {
		assert_ptr_equal(objworld_find("x"), shared);
		assert_ptr_equal(find_as(other, "x"), others);
		assert_null(objworld_find("~1001/x"));
		assert_ptr_equal(find_as(root, "~1001/x"), others);
	}
	struct obj *own = objworld_make("x", KIND_LOCK);
	assert_ptr_equal(objworld_find("x"), own);
	assert_ptr_equal(objworld_find("/x"), shared);
	delete (own);
	assert_ptr_equal(objworld_find("x"), shared);
	shared->mode = 0700;
	assert_null(objworld_find("x"));
	objworld_end();
}

/* Made, removed, looked for, by an engine and the next: more names than are remembered, long ones and such that begin
 * or end alike. */
static void a_walk_over_names(void **state)
{
	(void)state;
	enum { N = 300 };
	static char names[N][80];
	struct obj *there[N] = {NULL};
	uint64_t x = 7;
	objworld_begin();
	for (int i = 0; i < N; i++)
		snprintf(names[i], sizeof(names[i]), i % 2 ? "%d.and.the.same.end" : "the.same.beginning.%d", i / 2);
	for (int step = 0; step < 50000; step++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		size_t i = (size_t)(x >> 33) % N;
		assert_ptr_equal(objworld_find(names[i]), there[i]);
		if (x >> 60 == 0 && there[i]) {
			delete (there[i]);
			there[i] = NULL;
		} else if (x >> 60 == 1 && !there[i]) {
			there[i] = objworld_make(names[i], KIND_LOCK);
		} else if (x >> 54 == 0x200) {
			objworld_compact();
			objworld_reborn();
			for (size_t k = 0; k < N; k++)
				if (there[k])
					assert_non_null(there[k] = objworld_find(names[k]));
		}
		objworld_turn();
	}
	objworld_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_name_after_the_other),
		cmocka_unit_test(the_same_name_of_others),
		cmocka_unit_test(a_walk_over_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
