/* SPDX-License-Identifier: MIT */
/* Conditions: the lock is let go and held again as it was, and a notify is for one that goes on. */
#include "daemon/engine/core/cond.h"
#include "tests/unit/clients.h"

static struct cond *cond(void) { return (struct cond *)objworld_find("c"); }

static struct mutex *mutex(void)
{
	struct mutex *m;
	assert_int_equal(cond_mutex(cond(), &m, &fault), 0);
	return m;
}

static void cond_new(bool own)
{
	objworld_make("c", KIND_CONDITION);
	if (!own)
		cond_shape(cond(), objworld_make("l", KIND_LOCK));
	turn();
}

static struct ask *lock(struct client *c)
{
	struct mutex_want w = {.want.ops = &mutex_acquire_ops, .mutex = mutex(), .count = 1};
	return ask(c, thread_of(c, ""), mutex()->obj, &w.want, NSEC_NEVER);
}

static uint32_t unlock(struct client *c)
{
	uint32_t depth;
	struct thread *t = thread_of(c, "");
	assert_int_equal(mutex_release(mutex(), &(struct mutex_release){.thread = t}, &depth, &fault), 0);
	thread_unused(t);
	return depth;
}

static struct ask *await(struct client *c, nsec_t timeout)
{
	struct cond_want w = {.lock.want.ops = &cond_wait_ops, .lock.mutex = mutex()};
	return ask(c, thread_of(c, ""), &cond()->obj, &w.lock.want, timeout);
}

static size_t notify(struct client *c, size_t n)
{
	size_t woken;
	assert_int_equal(cond_notify(cond(), thread_of(c, ""), n, &woken, &fault), 0);
	return woken;
}

/* Locks and waits. */
static struct ask *locked_wait(struct client *c, nsec_t timeout)
{
	assert_int_equal(lock(c)->state, ASK_GRANTED);
	struct ask *a = await(c, timeout);
	turn();
	return a;
}

static void depth_comes_back(void **state)
{
	(void)state;
	cond_new(true);
	for (int i = 0; i < 3; i++)
		lock(&clients[0]);
	struct ask *a = await(&clients[0], NSEC_NEVER);
	turn();
	assert_null(mutex()->hold);
	lock(&clients[1]);
	assert_int_equal(notify(&clients[1], 1), 1);
	turn();
	assert_int_equal(a->state, ASK_WAITS);
	unlock(&clients[1]);
	turn();
	assert_int_equal(a->state, ASK_GRANTED);
	assert_int_equal(GOT(a, struct cond_want)->lock.depth, 3);
	assert_int_equal(mutex()->hold->count, 3);
	for (uint32_t depth = 3; depth > 0; depth--)
		assert_int_equal(unlock(&clients[0]), depth - 1);
}

/* Its notify came first: that it then waited for the lock longer than it wanted to is no timeout. */
static void notified_in_time(void **state)
{
	(void)state;
	cond_new(false);
	struct ask *a = locked_wait(&clients[0], 2 * SEC), *b = locked_wait(&clients[1], 2 * SEC);
	lock(&clients[2]);
	notify(&clients[2], 1);
	pass(10 * SEC);
	assert_int_equal(a->state, ASK_WAITS);
	assert_int_equal(b->state, ASK_WAITS);
	unlock(&clients[2]);
	turn();
	assert_true(GOT(a, struct cond_want)->notified);
	assert_int_equal(b->state, ASK_WAITS);
	unlock(&clients[0]);
	turn();
	assert_false(GOT(b, struct cond_want)->notified);
}

/* A: notified, and gone before it has read of it, in each of the ways. B has the notify then, and the lock. */
static void notify_passes_on(void **state)
{
	(void)state;
	for (int how = 0; how < 5; how++) {
		cond_new(how % 2);
		struct ask *a = locked_wait(&clients[0], NSEC_NEVER), *b = locked_wait(&clients[1], NSEC_NEVER);
		lock(&clients[2]);
		turn();
		notify(&clients[2], 1);
		clients[0].deaf = how < 2;
		if (how < 2) { /* granted, and never read */
			unlock(&clients[2]);
			turn();
			assert_int_equal(a->state, ASK_GRANTED);
			client_dies(&clients[0], how);
		} else if (how < 4) { /* while it waits for the lock */
			client_dies(&clients[0], how % 2);
			unlock(&clients[2]);
		} else {
			ask_cancel(a);
			unlock(&clients[2]);
			turn();
			assert_int_equal(a->code, FAULT_CANCELLED);
			unlock(&clients[0]);
		}
		turn();
		assert_int_equal(b->state, ASK_GRANTED);
		assert_true(GOT(b, struct cond_want)->notified);
		assert_int_equal(GOT(b, struct cond_want)->lock.death.at, 0); /* nobody had it who knew */
		unlock(&clients[1]);
		if (!clients[0].pid)
			client_new(0);
		assert_int_equal(obj_delete(&cond()->obj, false, &fault), 0);
		if (objworld_find("l"))
			assert_int_equal(obj_delete(objworld_find("l"), false, &fault), 0);
		turn();
	}
}

/* Who read of its notify has had it. */
static void notify_that_was_read(void **state)
{
	(void)state;
	cond_new(true);
	locked_wait(&clients[0], NSEC_NEVER);
	struct ask *b = locked_wait(&clients[1], NSEC_NEVER);
	lock(&clients[2]);
	notify(&clients[2], 1);
	unlock(&clients[2]);
	turn();
	client_dies(&clients[0], true);
	turn();
	assert_int_equal(b->state, ASK_WAITS);
}

static void removals(void **state)
{
	(void)state;
	for (int doomed = 0; doomed < 2; doomed++) {
		cond_new(false);
		struct ask *a = locked_wait(&clients[0], NSEC_NEVER), *b = locked_wait(&clients[1], NSEC_NEVER);
		lock(&clients[2]);
		notify(&clients[2], 1); /* A waits for the lock, B to be notified */
		assert_int_equal(obj_delete(objworld_find(doomed ? "l" : "c"), true, &fault), 0);
		turn();
		assert_int_equal(a->code, FAULT_DELETED);
		assert_int_equal(b->code, FAULT_DELETED);
		assert_int_equal(obj_delete(objworld_find(doomed ? "c" : "l"), true, &fault), 0);
		turn();
	}
}

/* What was let go to wait is had again when there is no room to wait. */
static void no_room_to_wait(void **state)
{
	(void)state;
	cond_new(true);
	lock(&clients[0]);
	lock(&clients[0]);
	map_put(&core.wants_of, 1000, (void *)(uintptr_t)WANTS_PER_UID);
	assert_int_equal(await(&clients[0], NSEC_NEVER)->code, FAULT_QUOTA);
	map_del(&core.wants_of, 1000);
	turn();
	assert_int_equal(unlock(&clients[0]), 1);
	assert_int_equal(unlock(&clients[0]), 0);
}

static void sent_again(void **state)
{
	(void)state;
	cond_new(false);
	locked_wait(&clients[0], NSEC_NEVER);
	lock(&clients[1]);
	turn();
	engine_dies();
	struct cond_want w = {.lock.want.ops = &cond_wait_ops, .lock.mutex = mutex(), .again = true};
	struct ask *a = ask(&clients[0], thread_of(&clients[0], ""), &cond()->obj, &w.lock.want, SEC);
	pass(2 * SEC); /* its timeout has run already */
	assert_int_equal(a->state, ASK_WAITS);
	unlock(&clients[1]);
	turn();
	assert_true(GOT(a, struct cond_want)->notified);
	unlock(&clients[0]);
}

/* Through a compaction, and two deaths; and it is forgotten when the wait has ended. */
static void depth_outlives_the_engine(void **state)
{
	(void)state;
	cond_new(true);
	for (int i = 0; i < 3; i++)
		lock(&clients[0]);
	await(&clients[0], NSEC_NEVER);
	turn();
	engine_dies();
	objworld_compact();
	engine_dies();
	for (int round = 0; round < 2; round++) {
		uint32_t depth = round ? 1 : 3;
		struct cond_want w = {.lock.want.ops = &cond_wait_ops, .lock.mutex = mutex(), .again = true};
		ask(&clients[1], thread_of(&clients[1], ""), &cond()->obj, &w.lock.want, NSEC_NEVER);
		assert_int_equal(unlock(&clients[1]), 0); /* another one's was not more than one */
		ask(&clients[0], thread_of(&clients[0], ""), &cond()->obj, &w.lock.want, NSEC_NEVER);
		assert_int_equal(mutex()->hold->count, depth);
		for (uint32_t left = depth; left > 0; left--)
			unlock(&clients[0]);
		turn();
		engine_dies();
	}
}

/* Who waits for the condition itself: no notify is lost while anybody waits, and each wakes one at most. */
static size_t unnotified(void)
{
	size_t n = 0;
	for (size_t i = 0; i < nasks; i++)
		if (asks[i].state == ASK_WAITS && asks[i].parked->ops == &cond_wait_ops)
			n += !((const struct cond_want *)asks[i].parked)->locking;
	return n;
}

static bool busy(const struct client *c)
{
	for (size_t i = 0; i < nasks; i++)
		if (asks[i].client == c && asks[i].state == ASK_WAITS)
			return true;
	return false;
}

static bool holds(struct client *c)
{
	struct thread *t = thread_of(c, "");
	bool is = mutex_held_by(mutex(), t);
	thread_unused(t);
	return is;
}

static void step(struct client *c)
{
	size_t waited = unnotified(), n = roll(3);
	if (busy(c)) {
		for (size_t i = 0; i < nasks; i++)
			if (asks[i].client == c && asks[i].state == ASK_WAITS && roll(8) == 0)
				ask_cancel(&asks[i]);
	} else if (!holds(c)) {
		lock(c);
	} else if (roll(4) == 0) {
		assert_int_equal(notify(c, n), MIN(n, waited));
		assert_int_equal(unnotified(), waited - MIN(n, waited));
	} else if (roll(3) == 0) {
		unlock(c);
	} else {
		await(c, roll(3) ? NSEC_NEVER : roll(3) * SEC);
	}
}

static void walk(bool own)
{
	cond_new(own);
	for (int i = 0; i < 20000; i++) {
		struct client *c = &clients[roll(CLIENTS)];
		if (nasks + CLIENTS > ASKS) {
			engine_dies();
			nasks = 0;
		}
		if (roll(30) == 0) {
			client_dies(c, roll(2));
			client_new((size_t)(c - clients));
		} else {
			step(c);
		}
		if (roll(3) == 0)
			pass(SEC);
		else if (roll(2))
			turn();
		else
			wait_pump();
		assert_true(mutex()->hold || !subject_waited(&mutex()->queue));
		all_stale();
		if (roll(500) == 0) {
			objworld_compact();
			engine_dies();
		}
	}
}

static void walk_own(void **state)
{
	(void)state;
	walk(true);
}

static void walk_lock(void **state)
{
	(void)state;
	walk(false);
}

static void any_image(void **state)
{
	(void)state;
	cond_new(true);
	load_anything();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(depth_comes_back), TEST(notified_in_time), TEST(notify_passes_on), TEST(notify_that_was_read),
		TEST(removals),         TEST(no_room_to_wait),  TEST(sent_again),       TEST(depth_outlives_the_engine),
		TEST(walk_own),         TEST(walk_lock),        TEST(any_image),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
