/* SPDX-License-Identifier: MIT */
/*
 * objworld.h with clients: processes with a connection each, that ask for things, read their answers or not, and die.
 * What must hold whatever they do is checked here: an ask ends exactly once, and nobody is served past another.
 */
#ifndef TESTS_UNIT_CLIENTS_H
#define TESTS_UNIT_CLIENTS_H

#include "common/list.h"
#include "tests/unit/objworld.h"
#include <signal.h>

#define SEC NSEC_PER_SEC
#define CLIENTS 8
#define ASKS 4096

struct client {
	struct channel channel;
	pid_t pid; /* 0: there is none */
	bool deaf; /* it reads nothing more */
};

enum ask_state { ASK_NONE, ASK_WAITS, ASK_GRANTED, ASK_FAILED, ASK_DROPPED };

struct ask {
	struct client *client;
	struct want *parked;
	enum ask_state state;
	bool fresh; /* it ended since all_stale() */
	int code;   /* of its fault */
	char told[512];
	_Alignas(16) char got[1024]; /* the want as it was answered */
};

static struct client clients[CLIENTS];
static struct ask asks[ASKS]; /* in order */
static size_t nasks;
static struct fault fault;
static uint64_t dice = 1;

MAYBE uint32_t roll(uint32_t n)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(dice >> 33) % n;
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

static struct ask *ask_end(struct want *w, enum ask_state state)
{
	struct ask *a = w->call;
	assert_int_equal(a->state, ASK_WAITS);
	a->state = state;
	a->fresh = true;
	a->parked = NULL;
	channel_answered(&a->client->channel);
	return a;
}

static void ask_fail(struct want *w, const struct fault *f)
{
	struct ask *a = ask_end(w, ASK_FAILED);
	a->code = f->code;
	snprintf(a->told, sizeof(a->told), "%.*s", (int)sizeof(a->told) - 1, f->data);
}

static void ask_grant(struct want *w)
{
	struct ask *a = ask_end(w, ASK_GRANTED);
	assert_true(w->ops->size <= sizeof(a->got));
	memcpy(a->got, w, w->ops->size);
}

/* The process's thread of that tag, which outlives an engine. */
MAYBE struct thread *thread_of(struct client *c, const char *tag)
{
	struct owner *o;
	assert_int_equal(owner_find(&c->channel, c->pid, &o, &fault), 0);
	return owner_thread(o, span_of(tag));
}

/* As call_run() does; W has its ops, and what its kind needs. */
MAYBE struct ask *ask(struct client *c, struct thread *t, struct obj *o, struct want *w, nsec_t timeout)
{
	assert_true(nasks < ASKS);
	struct ask *a = &asks[nasks++];
	struct want *parked = NULL;
	*a = (struct ask){.client = c, .state = ASK_WAITS};
	w->call = a;
	w->answer = ask_grant;
	w->obj = o;
	w->thread = t;
	w->channel = &c->channel;
	w->timeout = timeout;
	enum step step = want_run(w, &parked, &fault);
	if (step == STEP_DONE)
		ask_grant(w);
	if (step == STEP_FAIL)
		ask_fail(w, &fault);
	a->parked = step == STEP_WAIT ? parked : NULL;
	if (step != STEP_WAIT && w->ops->done)
		w->ops->done(w);
	thread_unused(t);
	return a;
}

/* What was granted, as its kind's want. */
#define GOT(a, type) ((const type *)(const void *)(a)->got)

static void ask_drop(struct ask *a)
{
	struct want *w = a->parked;
	a->state = ASK_DROPPED;
	a->parked = NULL;
	assert_true(want_cancel(w, true));
}

/* Asked to end by its client. */
MAYBE void ask_cancel(struct ask *a)
{
	struct want *w = a->parked;
	if (want_cancel(w, false)) {
		a->state = ASK_DROPPED;
		a->parked = NULL;
	}
}

MAYBE void all_stale(void)
{
	for (size_t i = 0; i < nasks; i++)
		asks[i].fresh = false;
}

/* Of an object that all wait for in one line: nobody was granted anything past another. */
MAYBE void check_order(const struct obj *o)
{
	bool waits = false;
	for (size_t i = 0; i < nasks; i++) {
		if (asks[i].state == ASK_WAITS && asks[i].parked->obj == o)
			waits = true;
		else if (asks[i].state == ASK_GRANTED && asks[i].fresh)
			assert_false(waits);
	}
}

/* --- clients ---------------------------------------------------------------------------------------------------- */

static bool has_read(struct channel *ch) { return !CONTAINER_OF(ch, struct client, channel)->deaf; }

MAYBE struct client *client_new(size_t i)
{
	static pid_t next = 5000;
	clients[i] = (struct client){.pid = next++};
	channel_init(&clients[i].channel, clients[i].pid, 1000);
	return &clients[i];
}

MAYBE void client_hangs_up(struct client *c)
{
	for (size_t i = 0; i < nasks; i++)
		if (asks[i].client == c && asks[i].state == ASK_WAITS)
			ask_drop(&asks[i]);
	channel_gone(&c->channel, !c->deaf, false);
}

static void process_ends(pid_t pid)
{
	struct owner *next;
	for (struct owner *o = owner_by_pid(pid); o; o = next) {
		next = owner_next(o);
		owner_die(o);
	}
}

/* The kernel tells of both ends in either order. */
MAYBE void client_dies(struct client *c, bool process_first)
{
	pid_t pid = c->pid;
	if (process_first)
		process_ends(pid);
	client_hangs_up(c);
	if (!process_first)
		process_ends(pid);
	c->pid = 0;
}

/* --- turns ------------------------------------------------------------------------------------------------------ */

/* When it is over, all but the deaf have read their answers. */
MAYBE void turn(void)
{
	objworld_turn();
	for (size_t i = 0; i < CLIENTS; i++) {
		if (!clients[i].pid)
			continue;
		channel_wrote(&clients[i].channel);
		if (!clients[i].deaf)
			channel_read(&clients[i].channel);
	}
	objworld_turn();
}

MAYBE void pass(nsec_t time)
{
	core.now += time;
	timers_run(&core.timers, core.now);
	turn();
}

/* All have read their answers; who was asked to wait is forgotten with the engine: nothing of that is journaled. */
static void clients_forget(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i].deaf = false;
	turn();
	size_t n = objworld.n;
	for (size_t i = 0; i < nasks; i++)
		if (asks[i].state == ASK_WAITS)
			ask_drop(&asks[i]);
	while (objworld.n > n)
		free((char *)objworld.v[--objworld.n].body.p);
}

static void clients_meet(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].pid)
			channel_init(&clients[i].channel, clients[i].pid, 1000);
	turn();
}

/* Between two turns. */
MAYBE void engine_dies(void)
{
	clients_forget();
	objworld_reborn();
	clients_meet();
}

static void load_bent(struct span body, size_t head, size_t *taken)
{
	AUTO_BUF told = BUF_INIT;
	struct obj *o;
	char *bent = malloc(body.n);
	assert_non_null(bent);
	memcpy(bent, body.p, body.n);
	for (uint32_t k = roll(4); k > 0 && body.n > head; k--)
		bent[head + roll((uint32_t)(body.n - head))] = (char)roll(256);
	core_init(&objworld_ops, SEC);
	*taken += core_load(JOURNAL_OBJECT, (struct span){bent, roll(8) ? body.n : roll((uint32_t)body.n)}) == 0;
	core_synced();
	LIST_EACH (o, &core.all_objs, by_all)
		obj_put_info(&told, o, 0);
	wait_pump();
	core_done();
	free(bent);
}

/* Whatever the journal says the last object made is: it is taken back, or refused. */
MAYBE void load_anything(void)
{
	struct obj_image image;
	size_t taken = 0, last = 0;
	turn();
	for (size_t i = 0; i < objworld.n; i++)
		if (objworld.v[i].type == JOURNAL_OBJECT)
			last = i;
	struct span body = objworld.v[last].body;
	memcpy(&image, body.p, sizeof(image));
	clients_forget();
	core_done();
	size_t n = objworld.n;
	for (int i = 0; i < 5000; i++)
		load_bent(body, sizeof(image) + image.nkey, &taken);
	assert_true(taken > 0);
	assert_int_equal(objworld.n, n);
	objworld_start(objworld.v, objworld.n, SEC, false);
	clients_meet();
}

MAYBE int clients_begin(void **state)
{
	(void)state;
	objworld.all_read = has_read;
	objworld.on_failed = ask_fail;
	objworld_begin();
	nasks = 0;
	for (size_t i = 0; i < CLIENTS; i++)
		client_new(i);
	return 0;
}

MAYBE int clients_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].pid)
			client_dies(&clients[i], true);
	turn();
	assert_true(list_empty(&core.owners));
	objworld_end();
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, clients_begin, clients_end)

#endif
