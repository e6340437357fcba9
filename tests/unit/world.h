/* SPDX-License-Identifier: MIT */
/*
 * The core's world in a test: a journal that is a list of records, a keeper that holds slots as link.h says, and an
 * engine that can die between any two steps. Time is a number. Once for each test program, hence static.
 *
 * A turn of the engine is: world_take() what the keeper says, change something, world_turn(). The steps of the turn
 * are journaled, committed, and sent one by one; world_die() at any point forgets what was not committed or not sent.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "common/planmake.h"
#include "daemon/engine/core/core.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#define MAYBE __attribute__((unused)) static
#define SEC NSEC_PER_SEC
#define WORLD_SLOTS 256
#define WORLD_IDS 400000

/* --- the journal -------------------------------------------------------------------------------------------------- */

struct world_record {
	unsigned type;
	struct span body;
};

static struct {
	struct world_record *v;
	size_t n, cap, committed;
} book;

static void book_cut(size_t n)
{
	while (book.n > n)
		free((char *)book.v[--book.n].body.p);
}

static void book_add(enum journal_type type, const void *a, size_t na, const void *b, size_t nb)
{
	if (book.n == book.cap) {
		book.cap = book.cap ? book.cap * 2 : 256;
		book.v = realloc(book.v, book.cap * sizeof(*book.v));
		assert_non_null(book.v);
	}
	char *body = malloc(na + nb + 1);
	assert_non_null(body);
	if (na)
		memcpy(body, a, na);
	if (nb)
		memcpy(body + na, b, nb);
	book.v[book.n++] = (struct world_record){type, {body, na + nb}};
}

/* --- the keeper --------------------------------------------------------------------------------------------------- */

enum world_slot_state { WORLD_FREE, WORLD_FAILED, WORLD_RUNNING, WORLD_EXITED };

struct world_slot {
	enum world_slot_state state;
	struct link_msg end; /* FAILED or EXITED */
	uint64_t id;
	int32_t pid;
	nsec_t start;
	bool tree;    /* something besides the main process lives */
	bool killing; /* TREE_EMPTY is owed */
	uint64_t signals;
	char job[24]; /* whose run it is: one at a time */
	uint32_t instance;
};

struct world_msg {
	struct link_msg msg;
	bool once;
	bool job_run;
};

/* What the test may set, and what it may look at. */
static struct {
	struct world_slot slots[WORLD_SLOTS];
	uint64_t seen; /* the last number */
	int32_t next_pid;
	int fail;                   /* the errno of the next starts, at step exec */
	uint8_t spawned[WORLD_IDS]; /* by id: how often */
	struct link_msg *inbox;     /* to the engine */
	size_t ninbox, inbox_cap;
	struct world_msg *outbox; /* from it, of this turn */
	size_t noutbox, outbox_cap, sent;
	uint64_t last_seq;
	bool serving, damaged; /* damaged: records were taken out of the journal */
	unsigned engines;
	uint8_t over[WORLD_IDS];            /* by id: how often it was said to be over, in committed turns */
	uint64_t over_ids[2 * WORLD_SLOTS]; /* in this turn */
	size_t nover;
	unsigned spawns, releases, kills, drains, forgotten, events;
	const struct jobtab *tab;
	nsec_t keep, now;
} world;

static void world_say(const struct link_msg *m)
{
	if (world.ninbox == world.inbox_cap) {
		world.inbox_cap = world.inbox_cap ? world.inbox_cap * 2 : 64;
		world.inbox = realloc(world.inbox, world.inbox_cap * sizeof(*world.inbox));
		assert_non_null(world.inbox);
	}
	world.inbox[world.ninbox++] = *m;
}

static struct link_msg world_msg_of(const struct world_slot *s, enum link_type type)
{
	return (struct link_msg){.type = type, .id = s->id, .slot = (uint32_t)(s - world.slots)};
}

static void world_tell_started(const struct world_slot *s)
{
	struct link_msg m = world_msg_of(s, LINK_STARTED);
	m.started.pid = s->pid;
	m.started.uid = 1000;
	m.started.gid = 1000;
	m.started.start = s->start;
	world_say(&m);
}

MAYBE struct world_slot *world_slot(uint64_t id)
{
	for (size_t i = 0; i < WORLD_SLOTS; i++)
		if (world.slots[i].state != WORLD_FREE && world.slots[i].id == id)
			return &world.slots[i];
	return NULL;
}

static void world_tree_progress(struct world_slot *s)
{
	if (!s->killing || s->state != WORLD_EXITED)
		return;
	struct link_msg m = world_msg_of(s, LINK_TREE_EMPTY);
	s->tree = s->killing = false;
	world_say(&m);
}

/* The main process of the slot ends; LEFT: something of its tree lives on. */
MAYBE void world_exit(struct world_slot *s, int code, int status, bool left)
{
	assert_int_equal(s->state, WORLD_RUNNING);
	s->state = WORLD_EXITED;
	s->tree = left && !s->killing;
	s->end = world_msg_of(s, LINK_EXITED);
	s->end.exited.pid = s->pid;
	s->end.exited.code = code;
	s->end.exited.status = status;
	s->end.exited.leftover = s->tree;
	s->end.exited.start = s->start;
	s->end.exited.end = world.now;
	world_say(&s->end);
	world_tree_progress(s);
}

static void keeper_spawn(const struct world_msg *o)
{
	struct world_slot *s = NULL;
	assert_in_range(o->msg.id, 1, WORLD_IDS - 1);
	assert_int_equal(++world.spawned[o->msg.id], 1);
	for (size_t i = 0; i < WORLD_SLOTS && !s; i++)
		if (world.slots[i].state == WORLD_FREE)
			s = &world.slots[i];
	assert_non_null(s);
	*s = (struct world_slot){.id = o->msg.id, .pid = ++world.next_pid, .start = world.now};
	if (world.fail) {
		s->state = WORLD_FAILED;
		s->end = world_msg_of(s, LINK_FAILED);
		s->end.failed.step = STEP_EXEC;
		s->end.failed.error = world.fail;
		world_say(&s->end);
		return;
	}
	s->state = WORLD_RUNNING;
	if (o->job_run) {
		memcpy(s->job,
		       ((const struct jobtab_job *)((const char *)world.tab + world.tab->jobs) + o->msg.spawn.job)
				       ->name +
			       (const char *)world.tab,
		       sizeof(s->job) - 1);
		s->instance = o->msg.spawn.instance;
		for (size_t i = 0; i < WORLD_SLOTS; i++) { /* never a second copy of a running job */
			const struct world_slot *x = &world.slots[i];
			assert_false(x != s && x->state == WORLD_RUNNING && !strcmp(x->job, s->job) &&
				     x->instance == s->instance);
		}
	}
	world_tell_started(s);
}

static void keeper_do(const struct world_msg *o)
{
	const struct link_msg *m = &o->msg;
	struct world_slot *s = m->slot < WORLD_SLOTS ? &world.slots[m->slot] : NULL;
	if (s && (s->state == WORLD_FREE || s->id != m->id))
		s = NULL;
	world.seen = MAX(world.seen, m->seq);
	switch (m->type) {
	case LINK_SPAWN:
		keeper_spawn(o);
		break;
	case LINK_SIGNAL:
		if (s)
			s->signals |= 1ull << m->signal.signo;
		break;
	case LINK_KILL_TREE:
		if (!s || s->state == WORLD_FAILED)
			break;
		s->killing = true;
		if (s->state == WORLD_RUNNING)
			world_exit(s, CLD_KILLED, SIGKILL, false);
		else
			world_tree_progress(s);
		break;
	case LINK_RELEASE:
		if (s && s->state != WORLD_RUNNING)
			s->state = WORLD_FREE;
		break;
	default:
		fail();
	}
}

/* --- the engine --------------------------------------------------------------------------------------------------- */

static void engine_send(struct link_msg m, bool once, bool job_run)
{
	if (world.noutbox == world.outbox_cap) {
		world.outbox_cap = world.outbox_cap ? world.outbox_cap * 2 : 64;
		world.outbox = realloc(world.outbox, world.outbox_cap * sizeof(*world.outbox));
		assert_non_null(world.outbox);
	}
	m.seq = ++world.last_seq;
	if (once)
		book_add(JOURNAL_OUT, &m, sizeof(m), NULL, 0);
	world.outbox[world.noutbox++] = (struct world_msg){m, once, job_run};
}

static struct link_msg engine_msg(const struct proc *p, enum link_type type)
{
	return (struct link_msg){.type = type, .id = p->i.id, .slot = p->slot};
}

static void on_spawn(const struct proc *p)
{
	struct link_msg m = {.type = LINK_SPAWN, .id = p->i.id, .slot = UINT32_MAX};
	if (p->inst) {
		m.spawn.job = p->inst->job->index;
		m.spawn.instance = p->inst->i.instance;
	}
	world.spawns++;
	engine_send(m, false, p->inst != NULL);
}

static void on_signal(const struct proc *p, int signo, enum link_scope scope)
{
	struct link_msg m = engine_msg(p, LINK_SIGNAL);
	assert_true(p->slotted); /* else it would go nowhere */
	m.signal.signo = signo;
	m.signal.scope = scope;
	engine_send(m, true, false);
}

static void on_kill_tree(const struct proc *p)
{
	world.kills++;
	engine_send(engine_msg(p, LINK_KILL_TREE), false, false);
}

static void on_release(const struct proc *p)
{
	world.releases++;
	engine_send(engine_msg(p, LINK_RELEASE), false, false);
}

static void on_drain(const struct proc *p)
{
	(void)p;
	world.drains++;
}

static void on_forgotten(const struct proc *p)
{
	assert_true(proc_over(p));
	world.forgotten++;
}

static void on_event(const struct proc *p, const struct inst *t, const char *what)
{
	(void)t;
	world.events++;
	if (!p || (strcmp(what, "exited") && strcmp(what, "failed")))
		return;
	assert_true(world.nover < ARRAY_LEN(world.over_ids));
	world.over_ids[world.nover++] = p->i.id;
}

static const struct core_ops world_ops = {
	.spawn = on_spawn,
	.signal = on_signal,
	.kill_tree = on_kill_tree,
	.release = on_release,
	.drain = on_drain,
	.forgotten = on_forgotten,
	.event = on_event,
	.save = book_add,
};

static void engine_load_out(struct span body, struct world_msg *to, size_t *n)
{
	assert_int_equal(body.n, sizeof(struct link_msg));
	memcpy(&to[*n].msg, body.p, sizeof(struct link_msg));
	to[*n].once = true;
	world.last_seq = MAX(world.last_seq, to[*n].msg.seq);
	++*n;
}

static struct proc *engine_proc_of(const struct link_msg *m)
{
	struct proc *p = proc_by_id(m->id);
	if (p || m->type == LINK_TREE_EMPTY)
		return p;
	p = proc_adopt(m);
	assert_true(!p || world.damaged); /* a whole journal knows them all */
	return p;
}

static void engine_on(const struct link_msg *m)
{
	struct proc *p = engine_proc_of(m);
	if (!p)
		return;
	if (m->type == LINK_STARTED)
		proc_on_started(p, m);
	else if (m->type == LINK_FAILED)
		proc_on_failed(p, m);
	else if (m->type == LINK_EXITED)
		proc_on_exited(p, m);
	else
		proc_on_empty(p);
}

/* What the core promises of itself at any time between two events. */
MAYBE void world_check(void)
{
	size_t alive = 0, ended = 0, known = 0;
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all) {
		alive += !proc_over(p);
		assert_ptr_equal(proc_by_id(p->i.id), p);
		assert_true(p->i.id < core.next_id);
		assert_int_equal(list_linked(&p->by_end), proc_over(p) && !p->inst);
		if (p->inst)
			assert_ptr_equal(p->inst->proc, p);
		if (proc_over(p))
			assert_false(timer_is_set(&p->timer));
		if (!proc_over(p) && p->slotted && p->i.state < PROC_ENDING && p->i.pid)
			assert_ptr_equal(proc_by_pid(p->i.pid), p);
	}
	LIST_EACH (p, &core.ended, by_end)
		ended += !p->i.joined;
	LIST_EACH (p, &core.known, by_end)
		known += p->i.joined;
	assert_int_equal(core.alive, alive);
	assert_int_equal(core.nended, ended);
	assert_int_equal(core.nknown, known);
	for (size_t j = 0; j < core.njobs; j++)
		for (uint32_t n = 0; n < core.jobs[j].ninsts; n++) {
			const struct inst *t = &core.jobs[j].insts[n];
			if (t->proc)
				assert_ptr_equal(t->proc->inst, t);
			if (inst_ended(t) || t->i.state == INST_BACKOFF)
				assert_true(!t->proc || proc_over(t->proc));
			else
				assert_false(world.serving && proc_over(t->proc));
		}
}

/* Takes all that the keeper has said. */
MAYBE void world_take(void)
{
	core.now = world.now;
	for (size_t i = 0; i < world.ninbox; i++)
		engine_on(&world.inbox[i]);
	world.ninbox = 0;
}

MAYBE void world_commit(void)
{
	wait_pump();
	core_save();
	book.committed = book.n;
	for (size_t i = 0; i < world.nover; i++)
		assert_int_equal(++world.over[world.over_ids[i]], 1);
	world.nover = 0;
}

/* Sends the next message of the turn, if there is one. */
MAYBE bool world_send(void)
{
	if (world.sent == world.noutbox) {
		world.sent = world.noutbox = 0;
		return false;
	}
	keeper_do(&world.outbox[world.sent++]);
	return true;
}

MAYBE void world_turn(void)
{
	core.now = world.now;
	world_commit();
	while (world_send())
		;
	world_check();
}

/* Until nobody has anything to say. */
MAYBE void world_settle(void)
{
	do {
		world_take();
		world_turn();
	} while (world.ninbox);
}

/* Time passes: everything due on the way fires, in order. */
MAYBE void world_pass(nsec_t time)
{
	nsec_t until = world.now + time;
	for (nsec_t next; (next = timers_next(&core.timers)) <= until;) {
		world.now = MAX(world.now, next);
		core.now = world.now;
		timers_run(&core.timers, core.now);
		world_settle();
	}
	world.now = until;
	world_settle();
}

/* The keeper tells a new engine all it has. */
static void keeper_tell_all(void)
{
	world.ninbox = 0;
	for (size_t i = 0; i < WORLD_SLOTS; i++) {
		const struct world_slot *s = &world.slots[i];
		if (s->state == WORLD_RUNNING || s->state == WORLD_EXITED)
			world_tell_started(s);
		if (s->state == WORLD_FAILED || s->state == WORLD_EXITED)
			world_say(&s->end);
	}
}

/* The engine is gone; what was not committed was never there, what was not sent never will be. */
MAYBE void world_die(void)
{
	book_cut(book.committed);
	world.sent = world.noutbox = world.nover = 0;
	core_done();
}

/* A new engine: replays, is told the table, and settles, all in one turn. */
MAYBE void world_born(void)
{
	struct world_msg *out = calloc(book.n + 1, sizeof(*out));
	size_t nout = 0, replay = book.n;
	assert_non_null(out);
	world.serving = false;
	world.engines++;
	world.last_seq = 0;
	core_init(&world_ops, world.now);
	core.random ^= world.engines;
	core.log_dir = "/log";
	assert_int_equal(core_jobs(world.tab), 0);
	core.keep = world.keep;
	for (size_t i = 0; i < replay; i++)
		if (book.v[i].type == JOURNAL_OUT)
			engine_load_out(book.v[i].body, out, &nout);
		else
			assert_int_equal(core_load(book.v[i].type, book.v[i].body), 0);
	keeper_tell_all();
	world.last_seq = MAX(world.last_seq, world.seen);
	for (size_t i = 0; i < nout; i++)
		if (out[i].msg.seq > world.seen) {
			engine_send((struct link_msg){0}, false, false);
			world.outbox[world.noutbox - 1] = out[i];
		}
	free(out);
	world_take();
	core_synced();
	world.serving = true;
}

MAYBE void world_reborn(void)
{
	world_die();
	world_born();
	world_settle();
}

/* As engine_commit() does when the journal is bloated: everything anew, and thereby committed. */
MAYBE void world_compact(void)
{
	wait_pump();
	core_save();
	book_cut(0);
	core_save_all();
	for (size_t i = world.sent; i < world.noutbox; i++)
		if (world.outbox[i].once)
			book_add(JOURNAL_OUT, &world.outbox[i].msg, sizeof(struct link_msg), NULL, 0);
	book.committed = book.n;
}

/* --- a job table -------------------------------------------------------------------------------------------------- */

struct world_job {
	const char *name;
	struct jobtab_job def; /* but for offsets; 0: the defaults of config.md */
};

static struct buf table_buf;

static uint32_t table_str(const char *s)
{
	size_t at = table_buf.len;
	buf_put(&table_buf, s, strlen(s) + 1);
	while (table_buf.len % 8)
		buf_putc(&table_buf, '\0');
	return (uint32_t)at;
}

static uint32_t table_plans(uint32_t instances)
{
	static const struct span argv[] = {{"/bin/job", 8}, {"arg", 3}};
	static const struct plan_spec spec = {
		.argv = argv, .argc = 2, .stdio = {PLAN_NULL, PLAN_PIPE, PLAN_PIPE}, .umask = -1};
	uint32_t offsets[32];
	for (uint32_t i = 0; i < instances; i++) {
		size_t at;
		assert_int_equal(plan_make(&spec, &table_buf, &at), 0);
		offsets[i] = (uint32_t)at;
	}
	size_t at = table_buf.len;
	buf_put(&table_buf, offsets, instances * sizeof(*offsets));
	while (table_buf.len % 8)
		buf_putc(&table_buf, '\0');
	return (uint32_t)at;
}

static struct jobtab_job table_defaults(struct jobtab_job d)
{
	d.instances = MAX(d.instances, 1);
	d.stop_signal = d.stop_signal ? d.stop_signal : SIGTERM;
	d.start_seconds = d.start_seconds ? d.start_seconds : SEC;
	d.restart_delay = d.restart_delay ? d.restart_delay : SEC;
	d.restart_delay_max = d.restart_delay_max ? d.restart_delay_max : 30 * SEC;
	d.stop_timeout = d.stop_timeout ? d.stop_timeout : 10 * SEC;
	d.success[0] |= 1;
	return d;
}

MAYBE const struct jobtab *world_table(const struct world_job *jobs, uint32_t n)
{
	struct jobtab head = {.magic = JOBTAB_MAGIC, .njobs = n, .generation = 1, .keep = NSEC_NEVER};
	struct jobtab_job defs[8];
	assert_true(n <= ARRAY_LEN(defs));
	buf_clear(&table_buf, 1 << 20);
	buf_put(&table_buf, &head, sizeof(head));
	while (table_buf.len % 8)
		buf_putc(&table_buf, '\0');
	for (uint32_t i = 0; i < n; i++) {
		defs[i] = table_defaults(jobs[i].def);
		defs[i].name = table_str(jobs[i].name);
		defs[i].plans = table_plans(defs[i].instances);
	}
	head.jobs = (uint32_t)table_buf.len;
	buf_put(&table_buf, defs, n * sizeof(*defs));
	head.size = (uint32_t)table_buf.len;
	memcpy(table_buf.p, &head, sizeof(head));
	return (const struct jobtab *)(void *)table_buf.p;
}

/* --- beginnings and ends ------------------------------------------------------------------------------------------ */

MAYBE void world_begin(const struct world_job *jobs, uint32_t n)
{
	book_cut(0);
	book.committed = 0;
	free(world.inbox);
	free(world.outbox);
	memset(&world, 0, sizeof(world));
	world.now = 1000 * SEC;
	world.next_pid = 100;
	world.keep = NSEC_NEVER;
	world.tab = world_table(jobs, n);
	world_born();
	world_settle();
}

MAYBE void world_end(void)
{
	core_done();
	book_cut(0);
	free(book.v);
	memset(&book, 0, sizeof(book));
	free(world.inbox);
	free(world.outbox);
	memset(&world, 0, sizeof(world));
	buf_done(&table_buf);
}

/* A client's start, as cmd_start.c makes it; not yet committed. */
MAYBE struct proc *world_start(const char *name, struct proc_image image)
{
	const struct span text[PROC_TEXTS] = {[TEXT_NAME] = span_of(name), [TEXT_ARGV] = SPAN("[\"/bin/prog\"]"),
					      [TEXT_CWD] = SPAN("/"),      [TEXT_JOB] = SPAN(""),
					      [TEXT_OUT] = SPAN(""),       [TEXT_ERR] = SPAN(""),
					      [TEXT_SESSION] = SPAN("")};
	image.stop_signal = image.stop_signal ? image.stop_signal : SIGTERM;
	image.stop_timeout = image.stop_timeout ? image.stop_timeout : 10 * SEC;
	image.limit = image.limit ? image.limit : NSEC_NEVER;
	struct proc *p = proc_new(&image, text, 0);
	assert_non_null(p);
	on_spawn(p);
	return p;
}

/* The same, and it runs. */
MAYBE struct proc *world_run(const char *name, struct proc_image image)
{
	struct proc *p = world_start(name, image);
	world_settle();
	return p;
}

#endif
