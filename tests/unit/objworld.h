/* SPDX-License-Identifier: MIT */
/*
 * The objects' world in a test: a journal that is a list of records, and a shell that writes down how wants end. Time
 * is a number, `core.now`. Once for each test program, hence static. With OBJWORLD_ALONE it is without cmocka, for fuzz
 * targets: what is wrong aborts.
 */
#ifndef TESTS_OBJWORLD_H
#define TESTS_OBJWORLD_H

#include "daemon/engine/core/core.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#ifdef OBJWORLD_ALONE
#define fail_msg(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort())
#define assert_true(x) ((x) ? (void)0 : (void)fail_msg("%s:%d: not %s", __FILE__, __LINE__, #x))
#define assert_false(x) assert_true(!(x))
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))
#else
#include <cmocka.h>
#endif

#define MAYBE __attribute__((unused)) static

struct objworld_record {
	enum journal_type type;
	struct span body;
};

static struct {
	struct objworld_record *v;
	size_t n, room;
	uint64_t ceiling; /* of tokens, which outlives the journal */
	unsigned granted, failed;
	struct fault fault; /* of the want that failed last */
	/* A test's own; NULL: none. */
	int (*watch)(struct owner *);
	bool (*all_read)(struct channel *);
	bool (*deserted)(struct channel *);
	void (*on_failed)(struct want *, const struct fault *);
} objworld;

static const struct asker objworld_asker = {.uid = 1000, .gid = 1000};

static void objworld_save(enum journal_type type, const void *a, size_t na, const void *b, size_t nb)
{
	if (objworld.n == objworld.room) {
		objworld.room = 2 * objworld.room + 64;
		objworld.v = reallocarray(objworld.v, objworld.room, sizeof(*objworld.v));
		assert_non_null(objworld.v);
	}
	char *body = malloc(na + nb + 1);
	assert_non_null(body);
	if (na)
		memcpy(body, a, na);
	if (nb)
		memcpy(body + na, b, nb);
	objworld.v[objworld.n++] = (struct objworld_record){type, {body, na + nb}};
}

static void objworld_forget(void)
{
	while (objworld.n)
		free((char *)objworld.v[--objworld.n].body.p);
}

static int objworld_watch(struct owner *o, struct channel *ch)
{
	(void)ch;
	return objworld.watch ? objworld.watch(o) : 0;
}
static void objworld_unwatch(struct owner *o) { (void)o; }

static bool objworld_all_read(struct channel *ch) { return !objworld.all_read || objworld.all_read(ch); }

static bool objworld_deserted(struct channel *ch) { return !objworld.deserted || objworld.deserted(ch); }

static void objworld_death(const struct owner *o, struct death *ret)
{
	*ret = (struct death){.at = core.now, .pid = o->i.pid, .how = DEATH_SIGNAL, .status = 9};
}

static void objworld_failed(struct want *w, const struct fault *f)
{
	objworld.failed++;
	objworld.fault = *f;
	if (objworld.on_failed)
		objworld.on_failed(w, f);
}

static void objworld_tokens(uint64_t ceiling) { objworld.ceiling = ceiling; }

static void objworld_undone(struct channel *ch, uint64_t line) { (void)ch, (void)line; }

static const struct core_ops objworld_ops = {
	.save = objworld_save,
	.watch = objworld_watch,
	.unwatch = objworld_unwatch,
	.undone = objworld_undone,
	.all_read = objworld_all_read,
	.deserted = objworld_deserted,
	.death = objworld_death,
	.failed = objworld_failed,
	.tokens = objworld_tokens,
};

/* What the loop does after events. */
MAYBE void objworld_turn(void)
{
	wait_pump();
	core_save();
}

MAYBE void objworld_pass(nsec_t time)
{
	core.now += time;
	timers_run(&core.timers, core.now);
	objworld_turn();
}

/* An engine that replays RECORDS (which may be damaged: then some are refused). */
static void objworld_start(const struct objworld_record *records, size_t n, nsec_t now, bool damaged)
{
	core_init(&objworld_ops, now);
	core.next_token = core.token_ceiling = MAX(objworld.ceiling, 1);
	for (size_t i = 0; i < n; i++)
		if (core_load(records[i].type, records[i].body) && !damaged)
			fail_msg("record %zu of type %d is refused", i, (int)records[i].type);
	core_synced();
	objworld_turn();
}

MAYBE void objworld_begin(void) { objworld_start(NULL, 0, NSEC_PER_SEC, false); }

MAYBE void objworld_end(void)
{
	core_done();
	objworld_forget();
}

/* The engine dies between two turns, and another one replays. */
MAYBE void objworld_reborn(void)
{
	nsec_t now = core.now;
	core_done();
	objworld_start(objworld.v, objworld.n, now, false);
}

/* The journal is written anew. */
MAYBE void objworld_compact(void)
{
	objworld_turn();
	objworld_forget();
	core_save_all();
}

/* --- clients ------------------------------------------------------------------------------------------------------ */

/* The thread TAG of the connection CH, which channel_init() has begun. */
MAYBE struct thread *objworld_thread(struct channel *ch, const char *tag)
{
	struct owner *owner;
	struct fault f;
	assert_int_equal(owner_find(ch, 0, &owner, &f), 0);
	struct thread *t = owner_thread(owner, span_of(tag));
	assert_non_null(t);
	return t;
}

static void objworld_answer(struct want *w)
{
	(void)w;
	objworld.granted++;
}

/* As call_run() does: W has ops, obj, thread, and what its kind needs. */
MAYBE enum step objworld_run(struct want *w, struct channel *ch, nsec_t timeout, struct want **ret)
{
	w->channel = ch;
	w->answer = objworld_answer;
	w->timeout = timeout;
	enum step step = want_run(w, ret, &objworld.fault);
	if (step != STEP_WAIT && w->ops->done)
		w->ops->done(w);
	return step;
}

MAYBE struct obj *objworld_make(const char *name, enum obj_kind kind)
{
	struct obj *o;
	struct fault f;
	assert_int_equal(obj_new(&objworld_asker, span_of(name), kind, NULL, &o, &f), 0);
	return o;
}

MAYBE struct obj *objworld_find(const char *name)
{
	struct obj *o;
	struct fault f;
	return obj_find(&objworld_asker, span_of(name), KIND_ANY, RIGHT_USE, &o, &f) ? NULL : o;
}

#endif
