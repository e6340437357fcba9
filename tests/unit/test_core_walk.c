/* SPDX-License-Identifier: MIT */
/*
 * A random walk through the core: starts, exits, stops, kills, joins, timeouts, compactions, and an engine that dies
 * between any two steps, against a slow model that only knows what the keeper did and what clients asked for.
 *
 * Conserved: every process that was started is over exactly once, with the status that the keeper saw; every joiner
 * is answered exactly once, when it may be, or its connection died with an engine; no instance has two living runs; no
 * status goes that nobody forgot, fetched or outlived; nothing stays half-way when nothing happens any more.
 */
#include "tests/unit/world.h"

#define JOINERS 48
#define LIVING_MAX 60
#define KEEP (400 * SEC)

/* --- the model ---------------------------------------------------------------------------------------------------- */

/* What is known of an id without asking the core. */
struct fate {
	bool dead, failed;
	int code, status;
	nsec_t died;
	bool may_go;   /* forgotten, joined or superseded: its record need not be there */
	bool seen;     /* the core had it, after a commit */
	nsec_t end_by; /* it was stopped or killed: it is over then; 0: it was not */
};

static struct fate fates[WORLD_IDS];

static uint64_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 33) % below;
}

static bool chance(uint32_t one_in) { return rnd(one_in) == 0; }

/* --- joiners ------------------------------------------------------------------------------------------------------ */

enum joiner_kind { JOIN_ALL, JOIN_ANY, JOIN_TREE, JOIN_JOB };

static struct joiner {
	struct waiter waiter;
	bool parked;
	enum joiner_kind kind;
	uint64_t ids[3];
	size_t n;
	struct inst *inst;
	nsec_t until;
} joiners[JOINERS];

static unsigned joined, timed_out, cut_off, deaths;

static bool joiner_may_end(const struct joiner *j)
{
	size_t over = 0;
	if (j->kind == JOIN_JOB)
		return inst_ended(j->inst);
	for (size_t i = 0; i < j->n; i++) {
		const struct proc *p = proc_by_id(j->ids[i]);
		assert_non_null(p); /* it is waited for: its record stays */
		over += j->kind == JOIN_TREE ? proc_tree_over(p) : proc_over(p);
	}
	return j->kind == JOIN_ANY ? over > 0 : over == j->n;
}

static enum step joiner_attempt(struct waiter *w)
{
	const struct joiner *j = CONTAINER_OF(w, struct joiner, waiter);
	assert_true(j->parked);
	return joiner_may_end(j) ? STEP_DONE : STEP_WAIT;
}

static void joiner_answer(struct joiner *j)
{
	assert_true(j->parked); /* not twice */
	j->parked = false;
	for (size_t i = 0; i < j->n; i++) {
		struct proc *p = proc_by_id(j->ids[i]);
		if (!proc_over(p))
			continue;
		assert_true(fates[p->i.id].dead);
		fates[p->i.id].may_go = true;
		proc_join(p);
	}
}

static void joiner_done(struct waiter *w)
{
	struct joiner *j = CONTAINER_OF(w, struct joiner, waiter);
	joined++;
	joiner_answer(j);
}

static void joiner_expire(struct waiter *w)
{
	struct joiner *j = CONTAINER_OF(w, struct joiner, waiter);
	assert_true(j->until <= core.now);
	timed_out++;
	joiner_answer(j);
}

static const struct wait_ops joiner_ops = {joiner_attempt, joiner_done, joiner_expire};

static struct proc *any_proc(bool alive)
{
	for (int tries = 0; tries < 20; tries++) {
		uint64_t id = core.next_id - 1 - rnd((uint32_t)MIN(core.next_id - 1, alive ? 300 : 60));
		struct proc *p = proc_by_id(id);
		if (p && (!alive || !proc_over(p)))
			return p;
	}
	return NULL;
}

static struct inst *any_inst(void)
{
	struct job *job = &core.jobs[rnd((uint32_t)core.njobs)];
	return &job->insts[rnd(job->ninsts)];
}

static void do_join(void)
{
	struct joiner *j = &joiners[rnd(JOINERS)];
	struct subject *subjects[3];
	if (j->parked)
		return;
	*j = (struct joiner){.kind = (enum joiner_kind)rnd(4),
			     .until = chance(2) ? NSEC_NEVER : world.now + rnd(60) * SEC};
	if (j->kind == JOIN_JOB) {
		j->inst = any_inst();
		subjects[0] = &j->inst->subject;
	}
	while (j->kind != JOIN_JOB && j->n < 1 + rnd(3)) {
		struct proc *p = any_proc(!chance(4));
		if (!p)
			return;
		subjects[j->n] = &p->subject;
		j->ids[j->n++] = p->i.id;
	}
	j->parked = true;
	assert_int_equal(waiter_park(&j->waiter, &joiner_ops, subjects, MAX(j->n, 1), j->until), 0);
}

static void do_cancel(void)
{
	struct joiner *j = &joiners[rnd(JOINERS)];
	if (!j->parked)
		return;
	waiter_drop(&j->waiter);
	j->parked = false;
	cut_off++;
}

/* No joiner stays that could go; none is late. */
static void check_joiners(void)
{
	for (size_t i = 0; i < JOINERS; i++)
		if (joiners[i].parked) {
			assert_false(joiner_may_end(&joiners[i]));
			assert_true(joiners[i].until > core.now);
		}
}

/* --- what happens ------------------------------------------------------------------------------------------------- */

static void do_start(void)
{
	struct proc_image image = {.kill_mode = (uint8_t)rnd(3), .stop_timeout = (1 + rnd(20)) * SEC};
	char name[16];
	if (core.alive > LIVING_MAX)
		return;
	struct proc *parent = chance(2) ? any_proc(true) : NULL;
	if (parent) {
		image.parent = PARENT_PROC;
		image.parent_id = parent->i.id;
		image.daemon = chance(2);
	}
	if (chance(8))
		image.limit = (1 + rnd(100)) * SEC;
	snprintf(name, sizeof(name), "p%u", rnd(50));
	world.fail = chance(10) ? ENOENT : 0;
	world_start(name, image);
}

static void promise_end(struct proc *p, nsec_t timeout)
{
	struct fate *f = &fates[p->i.id];
	nsec_t by = timer_after(world.now, timeout + SEC);
	f->end_by = f->end_by ? MIN(f->end_by, by) : by;
}

/* What was asked for in a turn that is lost was never answered: it is promised when it is committed. */
static uint64_t asked_id;
static nsec_t asked_timeout;

static void do_stop(void)
{
	struct proc *p = any_proc(true);
	if (!p)
		return;
	nsec_t timeout = chance(2) ? -1 : (nsec_t)rnd(30) * SEC;
	proc_stop(p, chance(2) ? SIGINT : 0, timeout, WHY_STOP);
	if (p->i.state == PROC_STOPPING) {
		asked_id = p->i.id;
		asked_timeout = timeout < 0 ? p->i.stop_timeout : timeout;
	}
}

static void do_kill(void)
{
	struct proc *p = any_proc(!chance(4));
	if (!p)
		return;
	proc_kill(p, WHY_KILL);
	if (!proc_over(p)) {
		asked_id = p->i.id;
		asked_timeout = 0;
	}
}

static void do_forget(void)
{
	struct proc *p = any_proc(false);
	if (!p || !proc_over(p) || p->inst || subject_waited(&p->subject) || p->i.tree_killed)
		return;
	fates[p->i.id].may_go = true; /* also when the turn is lost: it is not needed any more */
	proc_forget(p);
}

static void do_job(void)
{
	static const enum inst_event events[] = {INST_EV_START, INST_EV_START, INST_EV_RESTART};
	struct inst *t = any_inst();
	if (t->i.proc)
		fates[t->i.proc].may_go = true; /* superseded, or soon */
	if (chance(3))
		inst_stop(t, chance(2) ? -1 : (nsec_t)rnd(20) * SEC);
	else
		inst_event(t, events[rnd(ARRAY_LEN(events))]);
}

static void dies(struct world_slot *s, int code, int status, bool left)
{
	struct fate *f = &fates[s->id];
	assert_false(f->dead);
	world_exit(s, code, status, left);
}

/* Who got SIGKILL ends. */
static void obey(void)
{
	for (size_t i = 0; i < WORLD_SLOTS; i++)
		if (world.slots[i].state == WORLD_RUNNING && world.slots[i].signals & 1 << SIGKILL)
			dies(&world.slots[i], CLD_KILLED, SIGKILL, chance(2));
}

/* Processes end on their own account. */
static void do_exits(void)
{
	struct world_slot *s = &world.slots[rnd(WORLD_SLOTS)];
	if (s->state == WORLD_RUNNING)
		dies(s, chance(3) ? CLD_KILLED : CLD_EXITED, (int)rnd(4), chance(4));
}

/* The model learns from the keeper, not from the core. */
static void learn(void)
{
	for (size_t i = 0; i < WORLD_SLOTS; i++) {
		const struct world_slot *s = &world.slots[i];
		if (s->state != WORLD_EXITED && s->state != WORLD_FAILED)
			continue;
		struct fate *f = &fates[s->id];
		if (f->dead)
			continue;
		f->dead = true;
		f->died = world.now;
		f->failed = s->state == WORLD_FAILED;
		f->code = s->end.exited.code;
		f->status = s->end.exited.status;
	}
}

/* --- deaths ------------------------------------------------------------------------------------------------------- */

static void die(void)
{
	for (size_t i = 0; i < JOINERS; i++)
		if (joiners[i].parked) {
			waiter_drop(&joiners[i].waiter);
			joiners[i].parked = false;
			cut_off++;
		}
	deaths++;
	learn();
	world_die();
	if (chance(3)) { /* the world goes on without it */
		do_exits();
		learn();
		world.now += rnd(20) * SEC;
	}
	world_born();
}

static void committed(void)
{
	world_commit();
	if (asked_id && proc_by_id(asked_id))
		promise_end(proc_by_id(asked_id), asked_timeout);
	asked_id = 0;
}

/* A turn with a death in it, or not. */
static void turn(uint32_t one_in)
{
	core.now = world.now;
	if (chance(one_in)) {
		asked_id = 0;
		die();
	}
	if (chance(150))
		world_compact();
	committed();
	if (chance(one_in)) {
		die();
		committed();
	}
	while (world_send()) {
		learn();
		if (chance(4 * one_in)) {
			die();
			committed();
		}
	}
}

static void take_some(uint32_t one_in)
{
	size_t n = rnd((uint32_t)world.ninbox + 1);
	core.now = world.now;
	for (size_t i = 0; i < n; i++)
		engine_on(&world.inbox[i]);
	memmove(world.inbox, world.inbox + n, (world.ninbox - n) * sizeof(*world.inbox));
	world.ninbox -= n;
	turn(one_in);
}

static void settle(uint32_t one_in)
{
	do {
		take_some(one_in);
		turn(one_in);
	} while (world.ninbox || world.noutbox);
}

static void pass(nsec_t time, uint32_t one_in)
{
	nsec_t until = world.now + time;
	for (nsec_t next; (next = timers_next(&core.timers)) <= until;) {
		world.now = MAX(world.now, next);
		core.now = world.now;
		timers_run(&core.timers, core.now);
		settle(one_in);
		obey();
		learn();
		settle(one_in);
	}
	world.now = MAX(world.now, until);
	settle(one_in);
}

/* --- what must hold ----------------------------------------------------------------------------------------------- */

static void check_fates(void)
{
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all) {
		struct fate *f = &fates[p->i.id];
		f->seen = true;
		if (p->inst == NULL && p->text[TEXT_JOB].n)
			f->may_go = true;
		if (!proc_over(p)) {
			assert_false(f->end_by && world.now > f->end_by);
			continue;
		}
		assert_true(f->dead);
		assert_int_equal(p->i.failed, f->failed);
		assert_int_not_equal(p->i.why, WHY_LOST);
		if (!f->failed) {
			assert_int_equal(p->i.code, f->code);
			assert_int_equal(p->i.status, f->status);
		}
	}
}

/* Whose end nobody fetched is there, unless it is old. */
static void check_records(uint64_t from)
{
	for (uint64_t id = from; id < core.next_id; id++)
		if (fates[id].seen && !fates[id].may_go && world.spawned[id] &&
		    !(fates[id].dead && world.now - fates[id].died >= core.keep))
			assert_non_null(proc_by_id(id));
}

static void check_daemonic(void)
{
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all) {
		if (proc_over(p) || !p->i.daemon || p->i.parent != PARENT_PROC)
			continue;
		const struct proc *parent = proc_by_id(p->i.parent_id);
		if (!parent || proc_over(parent))
			assert_true(p->i.state >= PROC_STOPPING);
	}
}

/* When nobody does anything, nothing stays half-way. */
static void check_rest(void)
{
	struct proc *p;
	world.fail = 0;
	pass(200 * SEC, UINT32_MAX);
	LIST_EACH (p, &core.procs, by_all)
		assert_true(p->i.state == PROC_RUNNING || p->i.state == PROC_EXITED);
	for (size_t j = 0; j < core.njobs; j++)
		for (uint32_t n = 0; n < core.jobs[j].ninsts; n++) {
			const struct inst *t = &core.jobs[j].insts[n];
			assert_true(inst_ended(t) || t->i.state == INST_RUNNING);
		}
}

static void step(void)
{
	static void (*const acts[])(void) = {do_start, do_start, do_exits,  do_exits, do_join,  do_join,
					     do_stop,  do_kill,  do_forget, do_job,   do_cancel};
	const uint32_t one_in = 200; /* a turn */
	core.now = world.now;
	acts[rnd(ARRAY_LEN(acts))]();
	learn();
	if (chance(2))
		turn(one_in);
	if (chance(2))
		take_some(one_in);
	if (chance(4))
		pass((nsec_t)rnd(5) * SEC, one_in);
}

/* Everything is stopped: all end, all are released, all joiners have their answer. */
static void finish(void)
{
	settle(UINT32_MAX);
	for (size_t j = 0; j < core.njobs; j++)
		for (uint32_t n = 0; n < core.jobs[j].ninsts; n++)
			inst_stop(&core.jobs[j].insts[n], SEC);
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all)
		proc_stop(p, 0, SEC, WHY_STOP);
	pass(300 * SEC, UINT32_MAX);
	assert_int_equal(core.alive, 0);
	for (size_t i = 0; i < JOINERS; i++)
		assert_false(joiners[i].parked);
	LIST_EACH (p, &core.procs, by_all)
		proc_kill(p, WHY_KILL); /* what is left of them */
	settle(UINT32_MAX);
	assert_int_equal(core.nleft, 0);
	for (size_t i = 0; i < WORLD_SLOTS; i++)
		assert_int_equal(world.slots[i].state, WORLD_FREE);
	for (uint64_t id = 1; id < core.next_id; id++) {
		assert_int_equal(world.over[id], world.spawned[id]);
		assert_int_equal(fates[id].dead, world.spawned[id]);
	}
}

static const struct world_job jobs[] = {
	{"one", {.autostart = 1, .restart = RESTART_ALWAYS, .restart_delay_max = 4 * SEC}},
	{"web", {.instances = 3, .autostart = 1, .restart = RESTART_ON_FAILURE, .restart_limit = 5}},
	{"rest", {.instances = 2, .restart = RESTART_UNEXPECTED, .kill_mode = KILL_PROCESS, .stop_timeout = 3 * SEC}},
};

static void walk_with(uint64_t seed, unsigned steps)
{
	rnd_state = seed * 0x9e3779b97f4a7c15u + 1;
	memset(fates, 0, sizeof(fates));
	memset(joiners, 0, sizeof(joiners));
	joined = timed_out = cut_off = deaths = 0;
	world_begin(jobs, ARRAY_LEN(jobs));
	world.keep = core.keep = seed % 2 ? KEEP : NSEC_NEVER;
	for (unsigned i = 0; i < steps && core.next_id + 1000 < WORLD_IDS; i++) {
		step();
		if (i % 32 == 0) {
			pass(0, UINT32_MAX); /* an engine was away: what was due meanwhile is done */
			obey();
			learn();
			settle(UINT32_MAX);
			world_check();
			check_joiners();
			check_fates();
			check_daemonic();
		}
		if (i % 512 == 0)
			check_records(core.next_id > 2000 ? core.next_id - 2000 : 1);
		if (i % 4096 == 0)
			check_rest();
	}
	finish();
	assert_true(joined > 0 && cut_off > 0 && (steps < 1000 || (timed_out > 0 && deaths > 10)));
	print_message("seed %llu: %llu processes, %u joins, %u timed out, %u cut off, %u engines died\n",
		      (unsigned long long)seed, (unsigned long long)core.next_id - 1, joined, timed_out, cut_off,
		      deaths);
	world_end();
}

static void walk(void **state)
{
	(void)state;
	unsigned steps = getenv("MPD_SOAK") ? 250000 : 25000;
	for (uint64_t seed = 1; seed <= 4; seed++)
		walk_with(seed, steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(walk)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
