/* SPDX-License-Identifier: MIT */
/* The heap of timers against an array that is searched from end to end. */
#include "common/sys.h"
#include "daemon/engine/core/timer.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N 200

static struct timers heap;
static struct timer timers[N];
static nsec_t model[N]; /* NSEC_NEVER: not set */
static int fired[N], nfired;
static nsec_t fired_last;

static uint32_t rnd(uint32_t below)
{
	static uint64_t x = 88172645463325252u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % below;
}

static void fire(struct timer *t)
{
	size_t i = (size_t)(t - timers);
	assert_false(timer_is_set(t)); /* cleared before it fires */
	assert_true(t->at >= fired_last);
	fired_last = t->at;
	fired[i]++;
	nfired++;
	model[i] = NSEC_NEVER;
}

static nsec_t model_next(void)
{
	nsec_t next = NSEC_NEVER;
	for (size_t i = 0; i < N; i++)
		next = MIN(next, model[i]);
	return next;
}

static void run_both(nsec_t now)
{
	int due = 0;
	for (size_t i = 0; i < N; i++)
		due += model[i] <= now;
	nfired = 0;
	fired_last = 0;
	timers_run(&heap, now);
	assert_int_equal(nfired, due);
	assert_true(model_next() > now);
}

static void walk(void **state)
{
	(void)state;
	nsec_t now = 0;
	for (size_t i = 0; i < N; i++)
		model[i] = NSEC_NEVER;
	for (int step = 0; step < 100000; step++) {
		size_t i = rnd(N);
		switch (rnd(8)) {
		case 0:
			timer_clear(&heap, &timers[i]);
			model[i] = NSEC_NEVER;
			break;
		case 1:
			now += rnd(50);
			run_both(now);
			break;
		default: /* few different times: many are equal */
			model[i] = now + 1 + rnd(100);
			timer_set(&heap, &timers[i], model[i], fire);
		}
		assert_int_equal(timers_next(&heap), model_next());
		assert_int_equal(timer_is_set(&timers[i]), model[i] != NSEC_NEVER);
	}
	run_both(NSEC_NEVER - 1);
	assert_int_equal(heap.n, 0);
	assert_int_equal(timers_next(&heap), NSEC_NEVER);
	timers_done(&heap);
}

static struct timer chain[3];
static int chained;

static void fire_next(struct timer *t)
{
	if (++chained < 10)
		timer_set(&heap, &chain[(t - chain + 1) % 3], t->at, fire_next);
	timer_clear(&heap, &chain[(t - chain + 2) % 3]);
}

/* One that fires may set others, itself, and clear others. */
static void from_within(void **state)
{
	(void)state;
	timer_set(&heap, &chain[0], 5, fire_next);
	timer_set(&heap, &chain[2], 5, fire_next);
	timers_run(&heap, 4);
	assert_int_equal(chained, 0);
	timers_run(&heap, 5);
	assert_int_equal(chained, 10);
	assert_int_equal(heap.n, 0);
	timers_done(&heap);
}

static void far_away(void **state)
{
	(void)state;
	assert_int_equal(timer_after(5, 7), 12);
	assert_int_equal(timer_after(5, NSEC_NEVER), NSEC_NEVER);
	assert_int_equal(timer_after(5, NSEC_NEVER - 5), NSEC_NEVER);
	assert_int_equal(timer_after(5, NSEC_NEVER - 6), NSEC_NEVER - 1);
	assert_int_equal(timer_after(0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walk),
		cmocka_unit_test(from_within),
		cmocka_unit_test(far_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
