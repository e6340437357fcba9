/* SPDX-License-Identifier: MIT */
/* Barriers: of those who came together all go on or none does, whoever dies or gives up in between. */
#include "daemon/engine/core/barrier.h"
#include "tests/unit/clients.h"

#define PARTIES 3

static struct barrier *barrier(void) { return (struct barrier *)objworld_find("b"); }

static void barrier_new(bool action)
{
	objworld_make("b", KIND_BARRIER);
	barrier_shape(barrier(), PARTIES, action, NSEC_NEVER);
	turn();
}

static struct ask *come(struct client *c, nsec_t timeout)
{
	struct barrier_want w = {.want.ops = &barrier_wait_ops};
	return ask(c, thread_of(c, ""), &barrier()->obj, &w.want, timeout);
}

static int act(struct client *c, uint64_t generation, bool ok)
{
	struct thread *t = thread_of(c, "");
	int code = barrier_action_done(barrier(), t, generation, ok, &fault);
	thread_unused(t);
	return code;
}

static void no_break_after_the_last(void **state)
{
	(void)state;
	barrier_new(false);
	struct ask *a = come(&clients[0], NSEC_NEVER), *b = come(&clients[1], SEC);
	come(&clients[2], NSEC_NEVER);
	client_dies(&clients[0], true); /* all have come: nobody has been told yet */
	core.now += 2 * SEC;
	timers_run(&core.timers, core.now);
	turn();
	assert_int_not_equal(a->state, ASK_WAITS);
	assert_int_equal(b->state, ASK_GRANTED);
	assert_int_equal(barrier()->i.broken.cause, CAUSE_NONE);
	assert_int_equal(barrier()->i.generation, 1);
}

static void broken_and_reset_in_one_turn(void **state)
{
	(void)state;
	barrier_new(false);
	struct ask *old = come(&clients[0], NSEC_NEVER);
	turn();
	client_dies(&clients[1], true);
	barrier_abort(barrier());
	barrier_reset(barrier());
	struct ask *a = come(&clients[2], NSEC_NEVER), *b = come(&clients[3], NSEC_NEVER);
	struct ask *c = come(&clients[4], NSEC_NEVER);
	turn();
	assert_int_equal(old->code, FAULT_BROKEN);
	assert_non_null(strstr(old->told, "\"cause\":\"abort\""));
	assert_int_equal(a->state, ASK_GRANTED);
	assert_int_equal(b->state, ASK_GRANTED);
	assert_int_equal(c->state, ASK_GRANTED);
}

static void nobody_read_that_it_should_act(void **state)
{
	(void)state;
	barrier_new(true);
	struct ask *a = come(&clients[0], NSEC_NEVER), *b = come(&clients[1], NSEC_NEVER);
	clients[2].deaf = true;
	assert_true(GOT(come(&clients[2], NSEC_NEVER), struct barrier_want)->run_action);
	turn();
	assert_int_equal(a->state, ASK_WAITS);
	client_dies(&clients[2], false);
	turn();
	assert_int_equal(a->code, FAULT_BROKEN);
	assert_int_equal(b->code, FAULT_BROKEN);
	assert_non_null(strstr(a->told, "\"cause\":\"death\""));
	assert_int_equal(barrier()->obj.nholds, 0);
}

static void engine_dies_in_an_action(void **state)
{
	(void)state;
	barrier_new(true);
	come(&clients[0], NSEC_NEVER);
	come(&clients[1], NSEC_NEVER);
	come(&clients[2], NSEC_NEVER);
	turn();
	assert_int_equal(barrier()->obj.nholds, 1);
	engine_dies();
	assert_int_equal(barrier()->i.broken.cause, CAUSE_ENGINE);
	assert_int_equal(barrier()->obj.nholds, 0);
	assert_int_equal(act(&clients[2], 0, true), FAULT_BROKEN);
	barrier_reset(barrier());
	assert_int_equal(act(&clients[2], 0, true), FAULT_STALE_TOKEN);
	turn();
	struct barrier_want again = {.want.ops = &barrier_wait_ops, .again = true};
	assert_int_equal(ask(&clients[0], thread_of(&clients[0], ""), &barrier()->obj, &again.want, NSEC_NEVER)->code,
			 FAULT_BROKEN);
	assert_int_equal(barrier()->i.drawn, 0);
}

static void removed_while_all_wait(void **state)
{
	(void)state;
	barrier_new(true);
	struct ask *a = come(&clients[0], NSEC_NEVER), *b = come(&clients[1], NSEC_NEVER);
	come(&clients[2], NSEC_NEVER);
	struct ask *early = come(&clients[3], NSEC_NEVER);
	turn();
	assert_int_equal(obj_delete(&barrier()->obj, false, &fault), FAULT_BUSY);
	assert_int_equal(obj_delete(&barrier()->obj, true, &fault), 0);
	turn();
	assert_int_equal(a->code, FAULT_DELETED);
	assert_int_equal(b->code, FAULT_DELETED);
	assert_int_equal(early->code, FAULT_DELETED);
}

/* Who waits is of the generation at hand or of one after it; the last of all has been let in. */
static void check(void)
{
	const struct barrier *b = barrier();
	size_t waits = 0;
	for (size_t i = 0; i < nasks; i++) {
		if (asks[i].state == ASK_WAITS) {
			assert_true(((const struct barrier_want *)asks[i].parked)->generation >= b->i.generation);
			waits++;
		}
		if (asks[i].fresh && asks[i].state == ASK_GRANTED)
			assert_true(GOT(&asks[i], struct barrier_want)->generation <= b->i.generation);
	}
	assert_true(!b->i.broken.cause || b->i.drawn == 0);
	assert_true(b->action || b->i.drawn < PARTIES);
	assert_int_equal(waits, b->i.drawn - (b->action != NULL));
}

/* Each index once a generation, and nobody of a broken one. */
static void check_generations(size_t from)
{
	for (size_t i = from; i < nasks; i++)
		for (size_t k = from; k < i; k++) {
			if (asks[i].state != ASK_GRANTED || asks[k].state != ASK_GRANTED)
				continue;
			const struct barrier_want *a = GOT(&asks[i], struct barrier_want);
			const struct barrier_want *b = GOT(&asks[k], struct barrier_want);
			assert_true(a->generation != b->generation || a->index != b->index);
		}
}

static void step(struct client *c, bool action)
{
	switch (roll(16)) {
	case 0:
		client_dies(c, roll(2));
		client_new((size_t)(c - clients));
		break;
	case 1:
		barrier_reset(barrier());
		break;
	case 2:
		for (size_t i = 0; i < nasks; i++)
			if (asks[i].state == ASK_WAITS && roll(4) == 0)
				ask_cancel(&asks[i]);
		break;
	case 3:
		pass(roll(2) * SEC);
		break;
	case 4:
		if (roll(4) == 0)
			barrier_abort(barrier());
		break;
	case 5:
	case 6:
	case 7:
		if (action)
			act(&clients[roll(CLIENTS)], barrier()->i.generation, roll(4));
		break;
	default:
		come(c, roll(3) ? NSEC_NEVER : roll(4) * SEC);
	}
}

static void walk(bool action)
{
	barrier_new(action);
	for (int i = 0; i < 20000; i++) {
		if (nasks + CLIENTS > ASKS) {
			check_generations(0);
			engine_dies();
			nasks = 0;
		}
		step(&clients[roll(CLIENTS)], action);
		if (roll(2))
			turn();
		else
			wait_pump();
		check();
		all_stale();
		if (roll(500) == 0) {
			bool waited = barrier()->i.drawn > 0;
			objworld_compact();
			engine_dies();
			assert_true(!waited || barrier()->i.broken.cause);
		}
	}
}

static void walk_plain(void **state)
{
	(void)state;
	walk(false);
}

static void walk_action(void **state)
{
	(void)state;
	walk(true);
}

static void any_image(void **state)
{
	(void)state;
	barrier_new(true);
	barrier_abort(barrier());
	load_anything();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_break_after_the_last),
		TEST(broken_and_reset_in_one_turn),
		TEST(nobody_read_that_it_should_act),
		TEST(engine_dies_in_an_action),
		TEST(removed_while_all_wait),
		TEST(walk_plain),
		TEST(walk_action),
		TEST(any_image),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
