/* SPDX-License-Identifier: MIT */
/* Semaphores: no permit is lost or made, whoever takes, returns, dies, or never reads. */
#include "daemon/engine/core/sem.h"
#include "tests/unit/clients.h"

static struct sem *sem_new(uint32_t initial, bool bounded, bool unowned)
{
	struct sem *s = (struct sem *)objworld_make("s", KIND_SEMAPHORE);
	sem_shape(s, initial, bounded, unowned);
	turn();
	return s;
}

static struct sem *sem(void) { return (struct sem *)objworld_find("s"); }

static struct ask *acquire(struct client *c, const char *tag, uint32_t n, nsec_t timeout)
{
	struct sem_want w = {.want.ops = &sem_acquire_ops, .n = n};
	return ask(c, thread_of(c, tag), &sem()->obj, &w.want, timeout);
}

static int release(struct client *c, const char *tag, uint32_t n)
{
	struct thread *t = thread_of(c, tag);
	int code = sem_release(sem(), &(struct sem_release){.thread = t, .n = n}, &fault);
	thread_unused(t);
	return code;
}

static int64_t held(void)
{
	const struct hold *h;
	int64_t n = 0;
	LIST_EACH (h, &sem()->obj.holds, by_obj) {
		assert_non_null(h->thread);
		n += h->count;
	}
	return n;
}

static void newest_first(void **state)
{
	(void)state;
	sem_new(6, false, false);
	acquire(&clients[0], "a", 3, NSEC_NEVER);
	acquire(&clients[0], "a", 2, NSEC_NEVER);
	acquire(&clients[0], "b", 1, NSEC_NEVER);
	turn();
	assert_int_equal(release(&clients[0], "a", 3), 0);
	assert_int_equal(sem_value(sem()), 3);
	assert_int_equal(LIST_FIRST(&sem()->obj.holds, struct hold, by_obj)->count, 2);
	assert_int_equal(release(&clients[0], "b", 3), 0); /* its own, then its owner's */
	assert_int_equal(sem()->obj.nholds, 0);
	assert_int_equal(release(&clients[0], "b", 1), FAULT_NOT_HELD);
	turn();
}

static void unread_is_undone(void **state)
{
	(void)state;
	for (int unowned = 0; unowned < 2; unowned++) {
		struct sem *s = sem_new(1, true, unowned);
		clients[0].deaf = true;
		acquire(&clients[0], "", 1, NSEC_NEVER);
		turn();
		struct ask *next = acquire(&clients[1], "", 1, NSEC_NEVER);
		turn();
		assert_int_equal(next->state, ASK_WAITS);
		client_dies(&clients[0], unowned);
		turn();
		assert_int_equal(next->state, ASK_GRANTED);
		assert_int_equal(sem_value(s), 0);
		obj_delete(&s->obj, true, &fault);
		client_new(0);
		turn();
	}
}

static void read_and_unowned_is_gone(void **state)
{
	(void)state;
	sem_new(2, false, true);
	acquire(&clients[0], "", 1, NSEC_NEVER);
	turn();
	client_dies(&clients[0], true);
	turn();
	assert_int_equal(sem_value(sem()), 1);
}

/* There was too little for the first one, and enough for the one behind it. */
static void who_gives_up_lets_others_by(void **state)
{
	(void)state;
	sem_new(3, false, false);
	acquire(&clients[0], "", 2, NSEC_NEVER);
	for (int how = 0; how < 3; how++) {
		struct ask *first = acquire(&clients[1], "", 2, how ? NSEC_NEVER : SEC);
		struct ask *second = acquire(&clients[2], "", 1, NSEC_NEVER);
		turn();
		assert_int_equal(second->state, ASK_WAITS);
		if (how == 0)
			pass(SEC);
		else if (how == 1)
			ask_cancel(first);
		else
			client_dies(&clients[1], true);
		turn();
		assert_int_not_equal(first->state, ASK_WAITS);
		assert_int_equal(second->state, ASK_GRANTED);
		assert_int_equal(release(&clients[2], "", 1), 0);
		turn();
	}
}

/* Its grant is undone after the semaphore itself has gone. */
static void loan_of_a_removed_one(void **state)
{
	(void)state;
	struct sem *s = sem_new(1, false, true);
	clients[0].deaf = true;
	acquire(&clients[0], "", 1, NSEC_NEVER);
	turn();
	obj_delete(&s->obj, true, &fault);
	turn();
	client_dies(&clients[0], false);
	turn();
}

/* What the deaf have got and not read of, when permits are a number. */
static int64_t unread(const struct client *c)
{
	int64_t n = 0;
	for (size_t i = 0; i < nasks; i++)
		if (asks[i].client == c && asks[i].state == ASK_GRANTED)
			n += GOT(&asks[i], struct sem_want)->n;
	return n;
}

static int64_t granted(void)
{
	int64_t n = 0;
	for (size_t i = 0; i < nasks; i++)
		if (asks[i].state == ASK_GRANTED && asks[i].fresh)
			n += GOT(&asks[i], struct sem_want)->n;
	return n;
}

static void kill_one(struct client *c, bool unowned, int64_t *number)
{
	if (!c->deaf)
		turn(); /* it reads what it was sent */
	*number -= granted();
	all_stale();
	if (c->deaf && unowned)
		*number += unread(c);
	size_t i = (size_t)(c - clients);
	client_dies(c, roll(2));
	for (size_t k = 0; k < nasks; k++)
		if (asks[k].client == c)
			asks[k].state = ASK_NONE;
	client_new(i);
}

static void step(struct client *c, const char *tag, bool unowned, int64_t *number)
{
	uint32_t n = 1 + roll(3);
	switch (roll(10)) {
	case 0:
		c->deaf = unread(c) == 0; /* from a moment on at which it has read all */
		break;
	case 1:
		kill_one(c, unowned, number);
		break;
	case 2:
	case 3:
	case 4:
		if (release(c, tag, n) == 0)
			*number += n;
		break;
	case 5:
		pass(roll(3) * SEC);
		break;
	default:
		acquire(c, tag, n, roll(3) ? NSEC_NEVER : roll(3) * SEC);
	}
}

static void check(int64_t number, bool unowned)
{
	const struct want *head = LIST_FIRST(&sem()->obj.wants, struct want, by_obj);
	if (unowned)
		assert_int_equal(sem_value(sem()), number);
	else
		assert_int_equal(sem_value(sem()) + held(), 5);
	assert_true(!head || sem_value(sem()) < ((const struct sem_want *)head)->n);
}

static void walk(bool unowned)
{
	int64_t number = 5;
	sem_new(5, false, unowned);
	for (int i = 0; i < 20000; i++) {
		if (nasks + CLIENTS > ASKS) {
			for (size_t k = 0; k < CLIENTS; k++)
				kill_one(&clients[k], unowned, &number);
			nasks = 0;
		}
		step(&clients[roll(CLIENTS)], roll(2) ? "" : "t", unowned, &number);
		if (roll(3))
			turn();
		else
			wait_pump();
		check_order(&sem()->obj);
		number -= granted();
		check(number, unowned);
		all_stale();
		if (roll(200) == 0) {
			objworld_compact();
			engine_dies();
			number -= granted();
			all_stale();
			check(number, unowned);
		}
	}
}

static void walk_owned(void **state)
{
	(void)state;
	walk(false);
}

static void walk_unowned(void **state)
{
	(void)state;
	walk(true);
}

/* Granted in this turn over two connections: of neither is anything to be asked yet. */
static void not_yet_written(void **state)
{
	(void)state;
	struct sem *s = sem_new(5, false, false);
	struct thread *t = thread_of(&clients[0], "");
	struct sem_want w = {.want.ops = &sem_acquire_ops, .n = 1};
	for (int i = 0; i < 4; i++)
		ask(&clients[i % 2], t, &s->obj, &w.want, NSEC_NEVER);
	assert_int_equal(obj_delete(&s->obj, false, &fault), FAULT_BUSY);
	assert_int_equal(sem_value(s), 1);
	process_ends(clients[0].pid);
	turn();
	assert_int_equal(sem_value(s), 5);
}

static void any_image(void **state)
{
	(void)state;
	sem_new(3, true, true);
	load_anything();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(newest_first),
		TEST(unread_is_undone),
		TEST(read_and_unowned_is_gone),
		TEST(who_gives_up_lets_others_by),
		TEST(loan_of_a_removed_one),
		TEST(not_yet_written),
		TEST(walk_owned),
		TEST(walk_unowned),
		TEST(any_image),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
