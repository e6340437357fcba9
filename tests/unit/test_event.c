/* SPDX-License-Identifier: MIT */
/* Events: all who waited go on, and an ephemeral one is set while one of its setters lives. */
#include "daemon/engine/core/event.h"
#include "tests/unit/clients.h"

static struct event *event(void) { return (struct event *)objworld_find("e"); }

static void event_new(bool ephemeral)
{
	objworld_make("e", KIND_EVENT);
	event()->i.ephemeral = ephemeral;
	turn();
}

static struct ask *await(struct client *c, nsec_t timeout)
{
	struct event_want w = {.want.ops = &event_wait_ops};
	return ask(c, thread_of(c, ""), &event()->obj, &w.want, timeout);
}

static bool saw(const struct ask *a)
{
	assert_int_equal(a->state, ASK_GRANTED);
	return GOT(a, struct event_want)->set;
}

static void a_moment_is_enough(void **state)
{
	(void)state;
	event_new(false);
	struct ask *a = await(&clients[0], NSEC_NEVER), *b = await(&clients[1], SEC);
	turn();
	event_set(event(), NULL);
	struct ask *at_once = await(&clients[2], 0);
	event_clear(event());
	struct ask *late = await(&clients[3], 0), *next = await(&clients[4], SEC);
	turn();
	assert_true(saw(a) && saw(b) && saw(at_once));
	assert_false(saw(late));
	assert_int_equal(next->state, ASK_WAITS);
	pass(SEC);
	assert_false(saw(next));
}

static void set_while_one_lives(void **state)
{
	(void)state;
	event_new(true);
	event_set(event(), thread_of(&clients[0], "a"));
	event_set(event(), thread_of(&clients[0], "b"));
	event_set(event(), thread_of(&clients[1], ""));
	event_set(event(), thread_of(&clients[1], ""));
	assert_int_equal(event()->obj.nholds, 3);
	turn();
	client_dies(&clients[0], true);
	turn();
	objworld_compact();
	engine_dies();
	assert_true(event()->i.set);
	client_dies(&clients[1], false);
	turn();
	assert_false(event()->i.set);
	engine_dies();
	assert_false(event()->i.set);
	event_set(event(), thread_of(&clients[2], ""));
	event_clear(event());
	assert_int_equal(event()->obj.nholds, 0);
	turn();
}

/* Who asks uses it, though nothing is held and nobody waits. */
static void idle_is_not_asked_for(void **state)
{
	(void)state;
	struct obj *o;
	event_new(false);
	event()->obj.ttl_idle = 2 * SEC;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(obj_find(&objworld_asker, SPAN("e"), KIND_EVENT, RIGHT_LOOK, &o, &fault), 0);
		pass(SEC);
	}
	assert_non_null(objworld_find("e")); /* which only looks whether it is there */
	pass(SEC);
	assert_null(objworld_find("e"));
}

static void any_image(void **state)
{
	(void)state;
	event_new(true);
	load_anything();
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_moment_is_enough), TEST(set_while_one_lives),
					   TEST(idle_is_not_asked_for), TEST(any_image)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
