/* SPDX-License-Identifier: MIT */
/* Locks and rlocks: one holder, in the order of arrival; a death is told to who comes next, and to nobody twice. */
#include "daemon/engine/core/lock.h"
#include "tests/unit/clients.h"

static struct lock *mine(void) { return (struct lock *)objworld_find("l"); }

static void lock_new(enum obj_kind kind)
{
	objworld_make("l", kind);
	turn();
}

static struct ask *acquire(struct client *c, const char *tag, nsec_t timeout)
{
	struct mutex_want w = {.want.ops = &mutex_acquire_ops, .mutex = &mine()->mutex, .count = 1};
	return ask(c, thread_of(c, tag), &mine()->obj, &w.want, timeout);
}

static int release(struct client *c, const char *tag)
{
	uint32_t depth;
	struct thread *t = thread_of(c, tag);
	int code = mutex_release(&mine()->mutex, &(struct mutex_release){.thread = t}, &depth, &fault);
	thread_unused(t);
	return code;
}

static bool told(const struct ask *a) { return GOT(a, struct mutex_want)->death.at != 0; }

static void death_is_told_once(void **state)
{
	(void)state;
	lock_new(KIND_LOCK);
	acquire(&clients[0], "", NSEC_NEVER);
	turn();
	struct ask *a = acquire(&clients[1], "", NSEC_NEVER), *b = acquire(&clients[2], "", NSEC_NEVER);
	client_dies(&clients[0], true);
	turn();
	assert_true(told(a));
	assert_int_equal(GOT(a, struct mutex_want)->death.status, SIGKILL);
	release(&clients[1], "");
	turn();
	assert_int_equal(b->state, ASK_GRANTED);
	assert_false(told(b));
}

/* A never read that it had the lock, nor of the death before it: both are the next one's. */
static void unread_is_handed_on(void **state)
{
	(void)state;
	for (int process_first = 0; process_first < 2; process_first++) {
		lock_new(KIND_LOCK);
		acquire(&clients[0], "", NSEC_NEVER);
		turn();
		clients[1].deaf = true;
		pid_t dead = clients[0].pid;
		struct ask *a = acquire(&clients[1], "", NSEC_NEVER), *b = acquire(&clients[2], "", NSEC_NEVER);
		client_dies(&clients[0], true);
		turn();
		assert_true(told(a));
		client_dies(&clients[1], process_first);
		turn();
		assert_int_equal(b->state, ASK_GRANTED);
		assert_int_equal(GOT(b, struct mutex_want)->death.pid, dead);
		obj_delete(&mine()->obj, true, &fault);
		client_new(0);
		client_new(1);
		turn();
	}
}

/* Of three levels the last one was not read of. */
static void unread_level(void **state)
{
	(void)state;
	lock_new(KIND_RLOCK);
	acquire(&clients[0], "", NSEC_NEVER);
	acquire(&clients[0], "", NSEC_NEVER);
	turn();
	clients[0].deaf = true;
	assert_int_equal(GOT(acquire(&clients[0], "", NSEC_NEVER), struct mutex_want)->depth, 3);
	turn();
	client_hangs_up(&clients[0]);
	assert_int_equal(mine()->mutex.hold->count, 2);
	channel_init(&clients[0].channel, clients[0].pid, 1000);
	clients[0].deaf = false;
	turn();
}

static void kept(void **state)
{
	(void)state;
	lock_new(KIND_LOCK);
	mine()->mutex.i.keep = true;
	obj_dirty(&mine()->obj);
	acquire(&clients[0], "", NSEC_NEVER);
	turn();
	uint64_t token = mine()->mutex.hold->token;
	client_dies(&clients[0], true);
	for (int i = 0; i < 3; i++) {
		turn();
		assert_non_null(mine()->mutex.hold);
		assert_null(mine()->mutex.hold->thread);
		assert_int_equal(mine()->mutex.hold->token, token);
		objworld_compact();
		engine_dies();
	}
	uint32_t depth;
	struct mutex_release how = {.has_token = true, .token = token};
	assert_int_equal(mutex_release(&mine()->mutex, &how, &depth, &fault), 0);
	assert_int_equal(acquire(&clients[1], "", NSEC_NEVER)->state, ASK_GRANTED);
}

/* --- anything --------------------------------------------------------------------------------------------------- */

struct model {
	struct client *holder;
	char tag[4];
	uint32_t depth;
	uint64_t token;
};

static bool model_holds(const struct model *m, const struct client *c, const char *tag)
{
	return m->depth && m->holder == c && !strcmp(m->tag, tag);
}

/* What was granted since: at most one new holder, and its next levels. */
static void model_grants(struct model *m)
{
	for (size_t i = 0; i < nasks; i++) {
		if (!asks[i].fresh || asks[i].state != ASK_GRANTED)
			continue;
		const struct mutex_want *w = GOT(&asks[i], struct mutex_want);
		if (w->token != m->token) {
			assert_int_equal(m->depth, 0);
			assert_true(w->token > m->token);
			assert_int_equal(w->depth, 1);
			m->holder = asks[i].client;
			m->token = w->token;
		} else {
			assert_ptr_equal(m->holder, asks[i].client);
		}
		m->depth = w->depth;
	}
	all_stale();
}

static void step(struct model *m, struct client *c, const char *tag)
{
	switch (roll(8)) {
	case 0:
		if (m->holder == c)
			m->depth = 0;
		client_dies(c, roll(2));
		client_new((size_t)(c - clients));
		break;
	case 1:
	case 2:
	case 3:
		if (m->depth && roll(4))
			c = m->holder, tag = m->tag;
		if (release(c, tag) == 0) {
			assert_true(m->depth && m->holder == c);
			m->depth--;
		} else {
			assert_false(model_holds(m, c, tag));
		}
		break;
	case 4:
		pass(roll(2) * SEC);
		break;
	case 5:
		for (size_t i = 0; i < nasks; i++)
			if (asks[i].state == ASK_WAITS && roll(4) == 0)
				ask_cancel(&asks[i]);
		break;
	default:
		acquire(c, tag, roll(3) ? NSEC_NEVER : roll(3) * SEC);
	}
}

static void walk(enum obj_kind kind)
{
	struct model m = {.depth = 0};
	lock_new(kind);
	for (int i = 0; i < 20000; i++) {
		if (nasks + CLIENTS > ASKS) {
			engine_dies();
			nasks = 0;
		}
		const char *tag = roll(2) ? "a" : "b";
		step(&m, &clients[roll(CLIENTS)], tag);
		turn();
		bool had = m.depth;
		model_grants(&m);
		const struct hold *h = mine()->mutex.hold;
		assert_int_equal(h != NULL, m.depth > 0);
		assert_true(h || list_empty(&mine()->obj.wants));
		if (!had && h)
			snprintf(m.tag, sizeof(m.tag), "%.*s", (int)h->thread->ntag, h->thread->tag);
		if (h) {
			assert_int_equal(h->count, m.depth);
			assert_int_equal(h->token, m.token);
			assert_int_equal(h->thread->owner->i.pid, m.holder->pid);
		}
		if (roll(500) == 0) {
			objworld_compact();
			engine_dies();
		}
	}
}

static void walk_lock(void **state)
{
	(void)state;
	walk(KIND_LOCK);
}

static void walk_rlock(void **state)
{
	(void)state;
	walk(KIND_RLOCK);
}

static void any_image(void **state)
{
	(void)state;
	lock_new(KIND_RLOCK);
	load_anything();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(death_is_told_once), TEST(unread_is_handed_on), TEST(unread_level), TEST(kept),
		TEST(walk_lock),          TEST(walk_rlock),          TEST(any_image),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
