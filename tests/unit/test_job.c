/* SPDX-License-Identifier: MIT */
/* Jobs: the whole table against one written down a second time, the policies, the delays, and an engine that dies. */
#include "tests/unit/world.h"

static struct inst *inst(void) { return &core.jobs[0].insts[0]; }

static void begin(struct jobtab_job def)
{
	const struct world_job job = {"web", def};
	world_begin(&job, 1);
}

static void event(enum inst_event e)
{
	core.now = world.now;
	inst_event(inst(), e);
	world_turn();
}

/* The run ends. */
static void end(int code, int status)
{
	world_exit(world_slot(inst()->proc->i.id), code, status, false);
	world_settle();
}

static void assert_state(enum inst_state want)
{
	if (inst()->i.state != want)
		print_error("%s, not %s\n", inst_state_name(inst()->i.state), inst_state_name(want));
	assert_int_equal(inst()->i.state, want);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

#define ___ -1 /* nothing happens */
#define STP INST_STOPPED
#define STA INST_STARTING
#define YNG INST_YOUNG
#define RUN INST_RUNNING
#define SPG INST_STOPPING
#define RES INST_RESTARTING
#define BAK INST_BACKOFF
#define EXI INST_EXITED
#define FAI INST_FAILED
static const int want[INST_STATES][INST_EVENTS] = {
	/*  start stop restart started done bad again limit timer */
	[STP] = {STA, ___, STA, ___, ___, ___, ___, ___, ___}, [STA] = {___, SPG, RES, YNG, EXI, EXI, BAK, FAI, ___},
	[YNG] = {___, SPG, RES, ___, EXI, EXI, BAK, FAI, RUN}, [RUN] = {___, SPG, RES, ___, EXI, EXI, BAK, FAI, ___},
	[SPG] = {RES, SPG, RES, ___, STP, STP, STP, STP, ___}, [RES] = {___, SPG, ___, ___, STA, STA, STA, STA, ___},
	[BAK] = {STA, STP, STA, ___, ___, ___, ___, ___, STA}, [EXI] = {STA, STP, STA, ___, ___, ___, ___, ___, ___},
	[FAI] = {STA, STP, STA, ___, ___, ___, ___, ___, ___},
};

static bool is_end(int e) { return e >= INST_EV_DONE && e <= INST_EV_LIMIT; }
static bool has_run(int s) { return s == STA || s == YNG || s == RUN || s == SPG || s == RES; }

/* An instance in that state, as it is when that event can come: with a run that lives, or that is over. */
static void bring_to(int state, int e)
{
	begin((struct jobtab_job){.restart = RESTART_NO});
	event(INST_EV_START);
	if (state != STA || is_end(e))
		world_settle();
	if (!has_run(state) || is_end(e))
		end(CLD_EXITED, 0);
	inst()->i.state = (uint8_t)state;
	inst()->i.tries = 5;
	inst()->i.delay = 3 * SEC;
	if (state == YNG || state == BAK)
		inst()->i.deadline = world.now + SEC;
}

static void cell(int state, int e)
{
	bring_to(state, e);
	struct proc *run = inst()->proc;
	const struct inst_image before = inst()->i;
	unsigned spawns = world.spawns;
	inst_event(inst(), (enum inst_event)e);
	int to = want[state][e] < 0 ? state : want[state][e];
	assert_state((enum inst_state)to);
	if (want[state][e] < 0)
		assert_memory_equal(&before, &inst()->i, sizeof(before));
	/* A run begins on the way into `starting`, and only there. */
	assert_int_equal(world.spawns - spawns, to == STA && state != STA);
	assert_int_equal(inst()->proc != run, to == STA && state != STA);
	/* Who asks for an end gets it. */
	if (to == SPG && e == INST_EV_STOP)
		assert_true(run->i.state == PROC_STOPPING || run->i.stop_pending);
	/* What was counted starts anew by hand only, and when it is healthy. */
	bool anew = e == INST_EV_START || e == INST_EV_RESTART || to == RUN;
	if (to != state && (to == STA || to == RUN) && state != RES)
		assert_int_equal(inst()->i.tries, anew ? 0 : 5);
	/* A deadline runs in `young` and `backoff`. */
	if (want[state][e] >= 0 && to != RUN)
		assert_int_equal(inst()->i.deadline != NSEC_NEVER && timer_is_set(&inst()->timer),
				 to == YNG || to == BAK);
	world_turn();
	world_end();
}

static void every_cell(void **state)
{
	(void)state;
	for (int s = 0; s < INST_STATES; s++)
		for (int e = 0; e < INST_EVENTS; e++)
			if (!(s == BAK && e == INST_EV_TIMER)) /* its timer has fired and is no more: below */
				cell(s, e);
}

/* --- policies ----------------------------------------------------------------------------------------------------- */

static const struct {
	enum job_restart policy;
	int code, status;
	enum inst_state to;
} policies[] = {
	{RESTART_NO, CLD_EXITED, 0, EXI},
	{RESTART_NO, CLD_EXITED, 1, EXI},
	{RESTART_NO, CLD_KILLED, SIGSEGV, EXI},
	{RESTART_ON_FAILURE, CLD_EXITED, 0, EXI},
	{RESTART_ON_FAILURE, CLD_EXITED, 3, EXI},
	{RESTART_ON_FAILURE, CLD_EXITED, 255, EXI},
	{RESTART_ON_FAILURE, CLD_EXITED, 1, BAK},
	{RESTART_ON_FAILURE, CLD_EXITED, 254, BAK},
	{RESTART_ON_FAILURE, CLD_KILLED, SIGHUP, EXI},
	{RESTART_ON_FAILURE, CLD_KILLED, SIGKILL, BAK},
	{RESTART_ON_FAILURE, CLD_DUMPED, SIGSEGV, BAK},
	{RESTART_UNEXPECTED, CLD_EXITED, 3, EXI},
	{RESTART_UNEXPECTED, CLD_EXITED, 2, BAK},
	{RESTART_UNEXPECTED, CLD_KILLED, SIGHUP, EXI},
	{RESTART_UNEXPECTED, CLD_KILLED, 64, BAK},
	{RESTART_ALWAYS, CLD_EXITED, 0, BAK},
	{RESTART_ALWAYS, CLD_EXITED, 3, BAK},
	{RESTART_ALWAYS, CLD_KILLED, SIGHUP, BAK},
};

static void success_and_policy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		struct jobtab_job def = {.restart = (uint8_t)policies[i].policy, .success_signals = 1ull << SIGHUP};
		def.success[0] = 1 << 3;
		def.success[31] = 1 << 7;
		begin(def);
		event(INST_EV_START);
		world_settle();
		end(policies[i].code, policies[i].status);
		assert_state(policies[i].to);
		world_end();
	}
}

static void a_failed_start(void **state)
{
	(void)state;
	for (int policy = RESTART_NO; policy <= RESTART_UNEXPECTED; policy++) {
		begin((struct jobtab_job){.restart = (uint8_t)policy, .restart_limit = 1});
		world.fail = ENOENT;
		event(INST_EV_START);
		world_settle();
		assert_state(policy == RESTART_NO ? FAI : BAK);
		world_pass(2 * SEC);
		assert_state(FAI); /* the limit of one */
		assert_true(inst_ended(inst()) && inst_settled(inst()));
		assert_int_equal(proc_exitcode(inst()->proc), 127);
		world.fail = 0;
		event(INST_EV_START);
		world_settle();
		assert_state(YNG);
		world_end();
	}
}

/* --- delays ------------------------------------------------------------------------------------------------------- */

static void delay_is(nsec_t want_delay)
{
	assert_state(BAK);
	assert_int_equal(inst()->i.delay, want_delay);
	nsec_t rest = inst()->i.deadline - core.now;
	assert_true(rest >= want_delay && rest <= want_delay + want_delay / 10);
	assert_int_equal(timers_next(&core.timers), inst()->i.deadline);
}

static void delays_double_up_to_the_cap(void **state)
{
	(void)state;
	static const nsec_t delays[] = {SEC, 2 * SEC, 4 * SEC, 8 * SEC, 16 * SEC, 30 * SEC, 30 * SEC, 30 * SEC};
	begin((struct jobtab_job){.restart = RESTART_ALWAYS});
	event(INST_EV_START);
	world_settle();
	nsec_t jitters = 0;
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		assert_state(YNG);
		assert_int_equal(inst()->i.restarts, i);
		end(CLD_EXITED, 0);
		delay_is(delays[i]);
		jitters += inst()->i.deadline - core.now - delays[i];
		world_pass(inst()->i.deadline - world.now - 1);
		assert_state(BAK);
		world_pass(1);
	}
	assert_true(jitters > 0);
	/* Healthy: counted anew. */
	world_pass(SEC - 1);
	assert_state(YNG);
	world_pass(1);
	assert_state(RUN);
	end(CLD_EXITED, 0);
	delay_is(SEC);
	assert_int_equal(inst()->i.tries, 1);
	assert_int_equal(inst()->i.restarts, ARRAY_LEN(delays));
	world_end();
}

/* A thousand draws: none over a tenth, and not all on one side. */
static void jitter(void **state)
{
	(void)state;
	unsigned low = 0;
	begin((struct jobtab_job){.restart = RESTART_ALWAYS, .restart_delay = 10 * SEC, .restart_delay_max = 10 * SEC});
	event(INST_EV_START);
	world_settle();
	for (int i = 0; i < 1000; i++) {
		end(CLD_EXITED, 0);
		delay_is(10 * SEC);
		low += inst()->i.deadline - core.now < 10 * SEC + SEC / 2;
		world_pass(11 * SEC);
		assert_state(YNG);
	}
	assert_in_range(low, 400, 600);
	world_end();
}

static void the_limit(void **state)
{
	(void)state;
	begin((struct jobtab_job){.restart = RESTART_ALWAYS, .restart_limit = 3, .start_seconds = 1000 * SEC});
	event(INST_EV_START);
	world_settle();
	for (int i = 0; i < 3; i++) {
		end(CLD_EXITED, 1);
		assert_state(BAK);
		world_pass(40 * SEC);
		assert_state(YNG);
	}
	end(CLD_EXITED, 1);
	assert_state(FAI);
	assert_int_equal(inst()->i.restarts, 3);
	event(INST_EV_START);
	world_settle();
	assert_state(YNG);
	assert_int_equal(inst()->i.tries, 0);
	world_end();
}

/* What cannot be added to the time is never. */
static void delays_without_end(void **state)
{
	(void)state;
	begin((struct jobtab_job){.restart = RESTART_ALWAYS,
				  .start_seconds = NSEC_NEVER,
				  .restart_delay = NSEC_NEVER,
				  .restart_delay_max = NSEC_NEVER,
				  .stop_timeout = NSEC_NEVER});
	event(INST_EV_START);
	world_settle();
	world_pass(1000000 * SEC);
	assert_state(YNG);
	event(INST_EV_STOP);
	world_pass(1000000 * SEC);
	assert_state(SPG); /* not killed */
	assert_int_equal(inst()->proc->i.state, PROC_STOPPING);
	event(INST_EV_START);
	end(CLD_EXITED, 0);
	assert_state(YNG);
	end(CLD_EXITED, 0);
	world_pass(1000000 * SEC);
	assert_state(BAK);
	world_end();
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

static void stop_signal_then_kill(void **state)
{
	(void)state;
	begin((struct jobtab_job){.restart = RESTART_ALWAYS, .stop_signal = SIGINT});
	event(INST_EV_START);
	world_settle();
	event(INST_EV_STOP);
	struct world_slot *s = world_slot(inst()->proc->i.id);
	assert_int_equal(s->signals, 1 << SIGINT);
	world_pass(10 * SEC - 1);
	assert_int_equal(s->state, WORLD_RUNNING);
	world_pass(1);
	assert_state(STP);
	assert_int_equal(inst()->proc->i.why, WHY_STOP_TIMEOUT);
	assert_int_equal(proc_exitcode(inst()->proc), -SIGKILL);
	world_end();
}

static void stop_while_starting(void **state)
{
	(void)state;
	begin((struct jobtab_job){.restart = RESTART_ALWAYS});
	event(INST_EV_START);
	inst_stop(inst(), 3 * SEC); /* before the keeper's word was read */
	world_settle();
	assert_state(SPG);
	assert_int_equal(world_slot(inst()->proc->i.id)->signals, 1 << SIGTERM);
	world_pass(3 * SEC - 1);
	assert_state(SPG);
	world_pass(1);
	assert_state(STP);
	world_end();
}

static void a_shorter_stop_counts(void **state)
{
	(void)state;
	begin((struct jobtab_job){.restart = RESTART_ALWAYS});
	event(INST_EV_START);
	world_settle();
	inst_stop(inst(), 100 * SEC);
	inst_stop(inst(), 2 * SEC);
	inst_stop(inst(), 50 * SEC);
	assert_int_equal(world_slot(inst()->proc->i.id)->signals, 0); /* not before the turn's end */
	world_pass(2 * SEC);
	assert_state(STP);
	world_end();
}

static void restart_starts_the_next_when_the_old_is_over(void **state)
{
	(void)state;
	begin((struct jobtab_job){.restart = RESTART_NO});
	event(INST_EV_START);
	world_settle();
	struct proc *old = inst()->proc;
	event(INST_EV_RESTART);
	world_settle();
	assert_state(RES);
	assert_ptr_equal(inst()->proc, old);
	end(CLD_KILLED, SIGTERM);
	assert_state(YNG);
	assert_ptr_not_equal(inst()->proc, old);
	assert_null(old->inst);
	assert_int_equal(inst()->i.restarts, 0); /* by hand is not by the policy */
	/* start on a stopping one: stop was answered by somebody else's start. */
	event(INST_EV_STOP);
	event(INST_EV_START);
	assert_state(RES);
	event(INST_EV_STOP);
	assert_state(SPG);
	end(CLD_EXITED, 0);
	assert_state(STP);
	world_end();
}

static enum step tree_attempt(struct waiter *w)
{
	(void)w;
	return inst_ended(inst()) && proc_tree_over(inst()->proc) ? STEP_DONE : STEP_WAIT;
}

static int tree_answers;

static void tree_done(struct waiter *w)
{
	(void)w;
	tree_answers++;
}

/* Who waits for the instance and its tree is woken by a descendant of any of its runs. */
static void the_tree_of_a_job(void **state)
{
	(void)state;
	static const struct wait_ops ops = {tree_attempt, tree_done, tree_done};
	struct waiter waiter;
	begin((struct jobtab_job){.restart = RESTART_ON_FAILURE});
	event(INST_EV_START);
	world_settle();
	struct subject *subject = &inst()->subject;
	assert_int_equal(waiter_park(&waiter, &ops, &subject, 1, NSEC_NEVER), 0);
	end(CLD_EXITED, 1);
	world_pass(2 * SEC);
	struct proc *child =
		world_run("child", (struct proc_image){.parent = PARENT_PROC, .parent_id = inst()->proc->i.id});
	end(CLD_EXITED, 0);
	assert_state(EXI);
	assert_int_equal(tree_answers, 0);
	world_exit(world_slot(child->i.id), CLD_EXITED, 0, false);
	world_settle();
	assert_int_equal(tree_answers, 1);
	world_end();
}

static void text_and_image_of_a_run(void **state)
{
	(void)state;
	begin((struct jobtab_job){.instances = 3, .kill_mode = KILL_GROUP, .stop_signal = SIGQUIT});
	struct inst *t = inst_find(SPAN("web.2"));
	assert_null(inst_find(SPAN("web")));
	assert_null(inst_find(SPAN("web.4")));
	assert_ptr_equal(job_find(SPAN("web")), core.jobs);
	inst_event(t, INST_EV_START);
	world_settle();
	const struct proc *p = t->proc;
	assert_true(span_is(p->text[TEXT_NAME], "web.2"));
	assert_true(span_is(p->text[TEXT_JOB], "web"));
	assert_true(span_is(p->text[TEXT_ARGV], "[\"/bin/job\",\"arg\"]"));
	assert_true(span_is(p->text[TEXT_OUT], "/log/web.2.log"));
	assert_true(span_is(p->text[TEXT_ERR], "/log/web.2.err.log"));
	assert_int_equal(p->instance, 2);
	assert_int_equal(p->i.kill_mode, KILL_GROUP);
	assert_int_equal(p->i.stop_signal, SIGQUIT);
	assert_int_equal(p->i.captured, 3);
	world_end();
}

/* --- an engine's death -------------------------------------------------------------------------------------------- */

static void autostart_once(void **state)
{
	(void)state;
	begin((struct jobtab_job){.autostart = 1, .restart = RESTART_NO});
	assert_state(YNG);
	assert_int_equal(world.spawns, 1);
	world_reborn();
	assert_state(YNG);
	end(CLD_EXITED, 0);
	assert_state(EXI);
	world_reborn();
	assert_state(EXI); /* as it was, not as if mpd had just begun */
	event(INST_EV_STOP);
	world_reborn();
	assert_state(STP);
	assert_int_equal(world.spawns, 1);
	world_end();
}

/* The first engine dies before it has settled: the second is the first. */
static void autostart_after_a_death_before_the_first_commit(void **state)
{
	(void)state;
	const struct world_job job = {"web", {.autostart = 1}};
	world_begin(&job, 1);
	world_die();
	book_cut(0);
	memset(world.slots, 0, sizeof(world.slots));
	memset(world.spawned, 0, sizeof(world.spawned));
	world_born();
	world_die();
	world_born();
	world_settle();
	assert_state(YNG);
	world_end();
}

/* A journal compacted before the keeper has told its table must not make a new job look like one that was stopped. */
static void compacted_before_synced(void **state)
{
	(void)state;
	begin((struct jobtab_job){0});
	world_die();
	book_cut(0);
	core_init(&world_ops, world.now);
	assert_int_equal(core_jobs(world.tab), 0);
	core_save_all();
	for (size_t i = 0; i < book.n; i++)
		assert_int_not_equal(book.v[i].type, JOURNAL_JOB);
	world_end();
}

static const enum inst_state lasting[] = {STP, STA, YNG, RUN, SPG, RES, BAK, EXI, FAI};

static void bring_alive_to(enum inst_state s)
{
	begin((struct jobtab_job){.restart = s == EXI ? RESTART_NO : RESTART_ALWAYS, .restart_limit = 1});
	if (s == STP)
		return;
	event(INST_EV_START);
	if (s == STA)
		return;
	world_settle();
	if (s == RUN)
		world_pass(SEC);
	if (s == BAK || s == EXI || s == FAI)
		end(CLD_EXITED, 1);
	if (s == FAI) {
		world_pass(inst()->i.deadline - world.now);
		end(CLD_EXITED, 1);
	}
	if (s == SPG || s == RES)
		event(s == SPG ? INST_EV_STOP : INST_EV_RESTART);
	world_settle();
}

/* Saved, loaded, the same; and what would have happened without the death happens. */
static void every_state_survives(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lasting); i++) {
		for (int compact = 0; compact < 2; compact++) {
			bring_alive_to(lasting[i]);
			assert_state(lasting[i]);
			if (compact)
				world_compact();
			const struct inst_image before = inst()->i;
			unsigned signals =
				before.proc && world_slot(before.proc) ? world_slot(before.proc)->signals : 0;
			world_die();
			world_born();
			world_settle();
			if (lasting[i] == STA) { /* the keeper's word came meanwhile */
				assert_state(YNG);
				world_end();
				continue;
			}
			assert_memory_equal(&before, &inst()->i, sizeof(before));
			assert_int_equal(timer_is_set(&inst()->timer), before.deadline != NSEC_NEVER);
			if (signals)
				assert_int_equal(world_slot(before.proc)->signals, signals);
			world_pass(10 * SEC); /* the stop's timeout, the back-off, start_seconds */
			static const enum inst_state then[INST_STATES] = {
				[STP] = STP, [YNG] = RUN, [RUN] = RUN, [SPG] = STP,
				[RES] = YNG, [BAK] = RUN, [EXI] = EXI, [FAI] = FAI};
			assert_state(then[lasting[i]]);
			world_end();
		}
	}
}

static void deadline_that_passed_meanwhile(void **state)
{
	(void)state;
	begin((struct jobtab_job){.restart = RESTART_ALWAYS});
	event(INST_EV_START);
	world_settle();
	end(CLD_EXITED, 1);
	assert_state(BAK);
	world_die();
	world.now += 100 * SEC;
	world_born();
	world_settle();
	assert_state(BAK);
	world_pass(0);
	assert_state(YNG);
	world_end();
}

/* The run ends while there is no engine, and another one is owed: once. */
static void ended_while_restarting_without_an_engine(void **state)
{
	(void)state;
	begin((struct jobtab_job){.restart = RESTART_ALWAYS});
	event(INST_EV_START);
	world_settle();
	event(INST_EV_RESTART);
	unsigned spawns = world.spawns;
	struct world_slot *s = world_slot(inst()->proc->i.id);
	world_die();
	world_exit(s, CLD_KILLED, SIGTERM, false);
	world_born();
	world_settle();
	assert_int_equal(world.spawns, spawns + 1);
	assert_state(YNG);
	world_end();
}

/* Committed, not sent: the next engine sends it. Committed and sent: it does not. */
static void spawn_not_sent(void **state)
{
	(void)state;
	begin((struct jobtab_job){.restart = RESTART_ALWAYS});
	for (int sent = 0; sent < 2; sent++) {
		uint64_t id = core.next_id;
		inst_event(inst(), INST_EV_START);
		world_commit();
		if (sent)
			world_send();
		world_die();
		world_born();
		world_settle();
		assert_state(YNG);
		assert_int_equal(inst()->proc->i.id, id);
		assert_int_equal(world.spawned[id], 1);
		event(INST_EV_STOP);
		end(CLD_EXITED, 0);
		assert_state(STP);
	}
	world_end();
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

/* Any one record of the journal is lost: nothing runs twice, nothing hangs, and what a stop has to stop is stopped. */
static void any_record_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lasting); i++) {
		for (size_t lost = 0;; lost++) {
			bring_alive_to(lasting[i]);
			world.damaged = true;
			if (lost >= book.n) {
				world_end();
				break;
			}
			free((char *)book.v[lost].body.p);
			memmove(&book.v[lost], &book.v[lost + 1], (--book.n - lost) * sizeof(*book.v));
			book.committed = book.n;
			core_done();
			core_init(&world_ops, world.now);
			core_jobs(world.tab);
			for (size_t k = 0; k < book.n; k++)
				if (book.v[k].type != JOURNAL_OUT)
					core_load(book.v[k].type, book.v[k].body);
			keeper_tell_all();
			world.serving = false;
			world.nover = world.noutbox = world.sent = 0;
			memset(world.over, 0, sizeof(world.over));
			world_take();
			core_synced();
			world.serving = true;
			world_settle();
			event(INST_EV_START);
			world_settle();
			inst_stop(inst(), SEC);
			world_pass(100 * SEC);
			assert_state(STP);
			struct proc *p;
			LIST_EACH (p, &core.procs, by_all)
				if (!proc_over(p))
					assert_int_equal(span_is(p->text[TEXT_JOB], "web"), 0);
			world_end();
		}
	}
}

static void records_that_cannot_be(void **state)
{
	(void)state;
	begin((struct jobtab_job){0});
	char body[sizeof(struct inst_image) + 8];
	struct inst_image good = inst()->i;
	memcpy(body, &good, sizeof(good));
	memcpy(body + sizeof(good), "web", 3);
	assert_int_equal(core_load(JOURNAL_JOB, (struct span){body, sizeof(good) + 3}), 0);
	assert_int_equal(core_load(JOURNAL_JOB, (struct span){body, sizeof(good) + 2}), -1);
	assert_int_equal(core_load(JOURNAL_JOB, (struct span){body, sizeof(good) - 1}), -1);
	struct inst_image bad[3] = {good, good, good};
	bad[0].state = INST_STATES;
	bad[1].instance = 2;
	bad[2].delay = -1;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memcpy(body, &bad[i], sizeof(good));
		assert_int_equal(core_load(JOURNAL_JOB, (struct span){body, sizeof(good) + 3}), -1);
	}
	/* Another's process is not its run. */
	struct proc *p = world_run("other", (struct proc_image){0});
	good.proc = p->i.id;
	memcpy(body, &good, sizeof(good));
	assert_int_equal(core_load(JOURNAL_JOB, (struct span){body, sizeof(good) + 3}), -1);
	assert_null(p->inst);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell),
		cmocka_unit_test(success_and_policy),
		cmocka_unit_test(a_failed_start),
		cmocka_unit_test(delays_double_up_to_the_cap),
		cmocka_unit_test(jitter),
		cmocka_unit_test(the_limit),
		cmocka_unit_test(delays_without_end),
		cmocka_unit_test(stop_signal_then_kill),
		cmocka_unit_test(stop_while_starting),
		cmocka_unit_test(a_shorter_stop_counts),
		cmocka_unit_test(restart_starts_the_next_when_the_old_is_over),
		cmocka_unit_test(the_tree_of_a_job),
		cmocka_unit_test(text_and_image_of_a_run),
		cmocka_unit_test(autostart_once),
		cmocka_unit_test(autostart_after_a_death_before_the_first_commit),
		cmocka_unit_test(compacted_before_synced),
		cmocka_unit_test(every_state_survives),
		cmocka_unit_test(deadline_that_passed_meanwhile),
		cmocka_unit_test(ended_while_restarting_without_an_engine),
		cmocka_unit_test(spawn_not_sent),
		cmocka_unit_test(any_record_lost),
		cmocka_unit_test(records_that_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
