/* SPDX-License-Identifier: MIT */
/* Waiters and subjects: each ends once, in the order of arrival, whatever ends beside it. */
#include "daemon/engine/core/wait.h"
#include "tests/unit/world.h"

#define N 64

struct test_waiter {
	struct waiter waiter;
	int need; /* of `level`, to be done */
	int attempts, done, expired;
	int order;
	void (*then)(struct test_waiter *);
};

static struct subject subjects[8];
static struct test_waiter waiters[N];
static int level, order;

static enum step attempt(struct waiter *w)
{
	struct test_waiter *t = CONTAINER_OF(w, struct test_waiter, waiter);
	assert_int_equal(t->done + t->expired, 0);
	t->attempts++;
	return level >= t->need ? STEP_DONE : STEP_WAIT;
}

static void ended(struct test_waiter *t)
{
	assert_int_equal(t->waiter.nlinks, 0);
	assert_false(timer_is_set(&t->waiter.timer));
	t->order = ++order;
	if (t->then)
		t->then(t);
}

static void done(struct waiter *w)
{
	struct test_waiter *t = CONTAINER_OF(w, struct test_waiter, waiter);
	t->done++;
	ended(t);
}

static void expire(struct waiter *w)
{
	struct test_waiter *t = CONTAINER_OF(w, struct test_waiter, waiter);
	t->expired++;
	ended(t);
}

static const struct wait_ops ops = {attempt, done, expire};

static void park(int i, int need, nsec_t deadline, int first, int n)
{
	struct subject *on[8] = {0};
	for (int k = 0; k < n; k++)
		on[k] = &subjects[first + k];
	waiters[i].need = need;
	assert_int_equal(waiter_park(&waiters[i].waiter, &ops, on, (size_t)n, deadline), 0);
}

static int setup(void **state)
{
	(void)state;
	world_begin(NULL, 0);
	memset(waiters, 0, sizeof(waiters));
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		subject_init(&subjects[i]);
	level = order = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		assert_false(subject_waited(&subjects[i]));
		subject_done(&subjects[i]);
	}
	assert_true(list_empty(&core.ready));
	world_end();
	return 0;
}

static void in_order_of_arrival(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		park(i, i % 2 ? 1 : 2, NSEC_NEVER, 0, 1);
	wait_pump(); /* the first attempt */
	for (int i = 0; i < 10; i++)
		assert_int_equal(waiters[i].attempts, 1);
	level = 1;
	wait_pump(); /* nothing was touched */
	assert_int_equal(order, 0);
	subject_touch(&subjects[0]);
	subject_touch(&subjects[0]);
	wait_pump();
	for (int i = 0; i < 10; i++) {
		assert_int_equal(waiters[i].attempts, 2);
		assert_int_equal(waiters[i].order, i % 2 ? i / 2 + 1 : 0);
	}
	level = 2;
	subject_touch(&subjects[0]);
	wait_pump();
	for (int i = 0; i < 10; i += 2)
		assert_int_equal(waiters[i].order, 5 + i / 2 + 1);
}

static void one_on_many(void **state)
{
	(void)state;
	park(0, 1, NSEC_NEVER, 0, 8);
	park(1, 1, NSEC_NEVER, 3, 2);
	park(2, 1, NSEC_NEVER, 3, 2);
	wait_pump();
	level = 1;
	subject_touch(&subjects[7]);
	wait_pump();
	assert_int_equal(waiters[0].done, 1);
	assert_int_equal(waiters[1].done, 0);
	subject_touch(&subjects[7]); /* waited on by nobody: not put on the ready list */
	assert_true(list_empty(&core.ready));
	for (int i = 0; i < 8; i++)
		subject_touch(&subjects[i]);
	wait_pump();
	assert_int_equal(waiters[0].done + waiters[1].done + waiters[2].done, 3);
}

/* The same subject twice is no harm. */
static void twice_on_one(void **state)
{
	(void)state;
	struct subject *on[] = {&subjects[0], &subjects[0]};
	waiters[0].need = 1;
	assert_int_equal(waiter_park(&waiters[0].waiter, &ops, on, 2, NSEC_NEVER), 0);
	park(1, 1, NSEC_NEVER, 0, 1);
	level = 1;
	wait_pump();
	assert_int_equal(waiters[0].done, 1);
	assert_int_equal(waiters[1].done, 1);
}

static void on_nothing(void **state)
{
	(void)state;
	park(0, 1, world.now + SEC, 0, 0);
	park(1, 1, NSEC_NEVER, 0, 0);
	world_pass(2 * SEC);
	assert_int_equal(waiters[0].expired, 1);
	waiter_drop(&waiters[1].waiter);
	waiter_drop(&waiters[1].waiter);
}

static void deadlines(void **state)
{
	(void)state;
	park(0, 1, world.now + 2 * SEC, 0, 2);
	park(1, 1, world.now + SEC, 0, 2);
	park(2, 1, world.now + 3 * SEC, 0, 2);
	world_pass(2 * SEC);
	assert_int_equal(waiters[1].order, 1);
	assert_int_equal(waiters[0].order, 2);
	assert_int_equal(waiters[2].order, 0);
	level = 1;
	subject_touch(&subjects[1]);
	wait_pump();
	assert_int_equal(waiters[2].done, 1);
	world_pass(10 * SEC);
	assert_int_equal(waiters[2].expired, 0);
	assert_int_equal(timers_next(&core.timers), NSEC_NEVER);
}

static void drop_all_others(struct test_waiter *t)
{
	for (int i = 0; i < N; i++)
		if (&waiters[i] != t)
			waiter_drop(&waiters[i].waiter);
}

/* Whoever ends may take others with it, also those whose turn would have come. */
static void others_dropped_from_within(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		park(i, i == 4 ? 1 : 2, NSEC_NEVER, i % 3, 3);
	level = 1;
	waiters[4].then = drop_all_others;
	wait_pump();
	assert_int_equal(waiters[4].done, 1);
	level = 2;
	for (int i = 0; i < 8; i++)
		subject_touch(&subjects[i]);
	wait_pump();
	assert_int_equal(order, 1);
}

static void raise_level(struct test_waiter *t)
{
	(void)t;
	level++;
	for (int i = 0; i < 8; i++)
		subject_touch(&subjects[i]);
}

/* A chain in which each frees the next, the last first in the list: a fixpoint, in one pump. */
static void to_a_fixpoint(void **state)
{
	(void)state;
	for (int i = 0; i < N; i++) {
		park(i, N - i, NSEC_NEVER, i % 8, 1);
		waiters[i].then = raise_level;
	}
	level = 1;
	wait_pump();
	assert_int_equal(order, N);
	for (int i = 0; i < N; i++)
		assert_int_equal(waiters[i].order, N - i);
}

static struct subject *watched;
static int still_waited;

static void look(struct test_waiter *t)
{
	(void)t;
	still_waited = subject_waited(watched);
}

/* While one is answered, those behind it count as waiting: what they look at must not be forgotten. */
static void waited_while_served(void **state)
{
	(void)state;
	watched = &subjects[0];
	park(0, 1, NSEC_NEVER, 0, 1);
	park(1, 1, NSEC_NEVER, 0, 1);
	waiters[0].then = look;
	level = 1;
	wait_pump();
	assert_true(still_waited);
	waiters[1].done = 0;
	park(1, 1, NSEC_NEVER, 0, 1);
	waiters[1].then = look;
	wait_pump();
	assert_false(still_waited);
}

/* Anything at random: each ends exactly once, whoever may end does, whoever may not does not. */
static void walk(void **state)
{
	(void)state;
	uint64_t x = 1;
	int parked[N] = {0};
	nsec_t until[N];
	for (int step = 0; step < 20000; step++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		uint32_t r = (uint32_t)(x >> 33);
		int i = (int)(r % N);
		switch (r >> 8 & 3) {
		case 0:
			if (parked[i])
				break;
			waiters[i] = (struct test_waiter){0};
			until[i] = r >> 12 & 1 ? NSEC_NEVER : world.now + (r >> 16 & 15);
			park(i, level + (int)(r >> 20 & 3), until[i], (int)(r >> 24 & 3), 1 + (int)(r >> 26 & 3));
			parked[i] = 1;
			break;
		case 1:
			if ((r >> 12 & 7) == 0) {
				waiter_drop(&waiters[i].waiter);
				parked[i] = 0;
			}
			break;
		case 2:
			level++;
			for (int k = 0; k < 8; k++)
				subject_touch(&subjects[k]);
			break;
		default:
			world.now += r >> 12 & 3;
			core.now = world.now;
			timers_run(&core.timers, core.now);
		}
		wait_pump();
		for (int k = 0; k < N; k++) {
			if (!parked[k])
				continue;
			int ends = waiters[k].done + waiters[k].expired;
			assert_true(ends <= 1);
			assert_int_equal(ends,
					 level >= waiters[k].need || (until[k] <= core.now && waiters[k].expired));
			parked[k] = !ends;
		}
	}
	drop_all_others(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_order_of_arrival), TEST(one_on_many),         TEST(twice_on_one),
		TEST(on_nothing),          TEST(deadlines),           TEST(others_dropped_from_within),
		TEST(to_a_fixpoint),       TEST(waited_while_served), TEST(walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
