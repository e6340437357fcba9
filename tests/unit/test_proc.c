/* SPDX-License-Identifier: MIT */
/* The life of a process: the whole table against one written down a second time, and an engine that dies anywhere. */
#include "tests/unit/world.h"

static int setup(void **state)
{
	(void)state;
	world_begin(NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_end();
	return 0;
}

static struct proc *find(const char *name) { return proc_by_name(span_of(name), 0); }
static struct world_slot *slot(const char *name) { return world_slot(find(name)->i.id); }

static void exits(const char *name, int code, int status, bool left)
{
	world_exit(slot(name), code, status, left);
	world_settle();
}

static void assert_reason(const struct proc *p, const char *want)
{
	AUTO_BUF b = BUF_INIT;
	proc_reason(p, &b);
	assert_string_equal(buf_str(&b), want);
}

static size_t used_slots(void)
{
	size_t n = 0;
	for (size_t i = 0; i < WORLD_SLOTS; i++)
		n += world.slots[i].state != WORLD_FREE;
	return n;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

enum told { STARTED, FAILED, EXIT, EXIT_LEFT, EMPTY, STOP, KILL, TIMER, TOLD };

#define ___ -1 /* nothing happens */
#define STA PROC_STARTING
#define RUN PROC_RUNNING
#define STP PROC_STOPPING
#define KIL PROC_KILLING
#define END PROC_ENDING
#define EXI PROC_EXITED
static const int want[PROC_STATES][TOLD] = {
	/*  started failed exit exit_left empty stop kill timer; kill_mode = tree */
	[STA] = {RUN, EXI, EXI, END, ___, ___, ___, ___}, [RUN] = {___, EXI, EXI, END, ___, STP, KIL, STP},
	[STP] = {___, EXI, EXI, END, ___, ___, KIL, KIL}, [KIL] = {___, EXI, END, END, ___, ___, ___, ___},
	[END] = {___, EXI, ___, ___, EXI, ___, ___, ___}, [EXI] = {___, ___, ___, ___, ___, ___, ___, ___},
};

static struct proc *bring_to(int state)
{
	struct proc *p = world_start("p", (struct proc_image){.limit = 100 * SEC});
	if (state == STA)
		return p;
	world_settle();
	assert_int_equal(p->i.state, PROC_RUNNING);
	if (state == STP)
		proc_stop(p, 0, -1, WHY_STOP);
	if (state == KIL)
		proc_kill(p, WHY_KILL);
	if (state >= END)
		world_exit(world_slot(p->i.id), CLD_EXITED, 3, state == END);
	world_take();
	assert_int_equal(p->i.state, state);
	return p;
}

static void tell(struct proc *p, enum told what)
{
	struct link_msg m = {.id = p->i.id, .slot = 1};
	switch (what) {
	case STARTED:
		m.started.pid = 4242;
		proc_on_started(p, &m);
		break;
	case FAILED:
		m.failed.error = EPERM;
		proc_on_failed(p, &m);
		break;
	case EXIT:
	case EXIT_LEFT:
		m.exited.code = CLD_EXITED;
		m.exited.status = 7;
		m.exited.leftover = what == EXIT_LEFT;
		proc_on_exited(p, &m);
		break;
	case EMPTY:
		proc_on_empty(p);
		break;
	case STOP:
		proc_stop(p, 0, -1, WHY_STOP);
		break;
	case KILL:
		proc_kill(p, WHY_KILL);
		break;
	default: /* the function of any process's timer is that of all */
		timer_clear(&core.timers, &p->timer);
		find("other")->timer.fire(&p->timer);
	}
}

static void cell(int state, int what)
{
	world_begin(NULL, 0);
	world_run("other", (struct proc_image){.limit = 1000 * SEC});
	struct proc *p = bring_to(state);
	unsigned kills = world.kills, releases = world.releases, drains = world.drains;
	size_t sent = world.noutbox;
	tell(p, (enum told)what);
	int to = want[state][what] < 0 ? state : want[state][what];
	assert_int_equal(p->i.state, to);
	/* Over: once drained, once released, no deadline, found by no pid. */
	bool over_now = to == EXI && state != EXI;
	bool again = state == EXI && (what == EXIT || what == EXIT_LEFT || what == FAILED);
	assert_int_equal(world.drains - drains, over_now);
	assert_int_equal(world.releases - releases, over_now || again);
	if (to == EXI)
		assert_false(timer_is_set(&p->timer));
	/* SIGKILL to the tree goes with `killing` and `ending`. */
	assert_int_equal(world.kills - kills,
			 (to == KIL && state != KIL) || (to == END && state != END && state != KIL));
	/* The stop signal goes once, on the way into `stopping`. */
	unsigned signals = 0;
	for (size_t i = sent; i < world.noutbox; i++)
		signals += world.outbox[i].msg.type == LINK_SIGNAL;
	assert_int_equal(signals, to == STP && state == RUN);
	if (to == STP)
		assert_true(timer_is_set(&p->timer));
	/* An exit that is known is not overwritten by what is told later. */
	if (state >= END)
		assert_int_equal(p->i.status, 3);
	assert_int_equal(p->i.stop_pending, state != STA   ? 0
					    : what == STOP ? PROC_EV_STOP
					    : what == KILL ? PROC_EV_KILL
							   : 0);
	world_end();
}

static void every_cell(void **state)
{
	(void)state;
	for (int s = 0; s < PROC_STATES; s++)
		for (int e = 0; e < TOLD; e++)
			cell(s, e);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void exit_codes_and_reasons(void **state)
{
	(void)state;
	static const struct {
		int code, status, exitcode;
		const char *reason;
	} ends[] = {
		{CLD_EXITED, 0, 0, ""},
		{CLD_EXITED, 7, 7, "exit 7"},
		{CLD_EXITED, 255, 255, "exit 255"},
		{CLD_KILLED, SIGKILL, -9, "signal 9 (KILL)"},
		{CLD_DUMPED, SIGSEGV, -11, "signal 11 (SEGV), core dumped"},
	};
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct proc *p = world_run("p", (struct proc_image){0});
		assert_string_equal(proc_state_name(p), "running");
		assert_reason(p, "");
		exits("p", ends[i].code, ends[i].status, false);
		assert_string_equal(proc_state_name(p), "exited");
		assert_int_equal(proc_exitcode(p), ends[i].exitcode);
		assert_reason(p, ends[i].reason);
	}
	world.fail = ENOENT;
	struct proc *p = world_run("p", (struct proc_image){0});
	assert_string_equal(proc_state_name(p), "failed");
	assert_int_equal(proc_exitcode(p), 127);
	assert_reason(p, "exit 127: /bin/prog: not found");
	world.fail = EACCES;
	p = world_run("p", (struct proc_image){0});
	assert_int_equal(proc_exitcode(p), 126);
	assert_reason(p, "exit 126: /bin/prog: Permission denied");
	assert_int_equal(used_slots(), 0);
}

static void stop_then_kill_as_much_as_was_stopped(void **state)
{
	(void)state;
	for (int mode = KILL_TREE; mode <= KILL_PROCESS; mode++) {
		struct proc *p = world_run("p", (struct proc_image){.kill_mode = (uint8_t)mode});
		proc_stop(p, SIGUSR1, 2 * SEC, WHY_STOP);
		world_settle();
		assert_int_equal(slot("p")->signals, 1 << SIGUSR1);
		assert_reason(p, "stopped");
		unsigned kills = world.kills;
		world_pass(2 * SEC);
		assert_int_equal(world.kills - kills, mode == KILL_TREE);
		if (mode != KILL_TREE) {
			assert_int_equal(slot("p")->signals, 1 << SIGUSR1 | 1 << SIGKILL);
			exits("p", CLD_KILLED, SIGKILL, false);
		}
		assert_true(proc_over(p));
		assert_reason(p, "signal 9 (KILL), killed: did not stop in time");
	}
}

static void the_limit_counts_from_the_start(void **state)
{
	(void)state;
	struct proc *p = world_start("p", (struct proc_image){.limit = 10 * SEC});
	world_turn(); /* it runs; the engine has not read that */
	world.now += 4 * SEC;
	world_settle();
	world_pass(6 * SEC - 1);
	assert_int_equal(p->i.state, PROC_RUNNING);
	world_pass(1);
	assert_int_equal(p->i.state, PROC_STOPPING);
	assert_int_equal(slot("p")->signals, 1 << SIGTERM);
	world_pass(10 * SEC);
	assert_true(proc_over(p));
	assert_int_equal(p->i.why, WHY_STOP_TIMEOUT);
	p = world_run("q", (struct proc_image){.limit = 10 * SEC});
	world_pass(10 * SEC);
	exits("q", CLD_KILLED, SIGTERM, false);
	assert_reason(p, "signal 15 (TERM), time limit");
}

static void times_without_end(void **state)
{
	(void)state;
	struct proc *p = world_run("p", (struct proc_image){.limit = NSEC_NEVER - 1, .stop_timeout = NSEC_NEVER});
	world_pass(1000000 * SEC);
	assert_int_equal(p->i.state, PROC_RUNNING);
	proc_stop(p, 0, -1, WHY_STOP);
	world_pass(1000000 * SEC);
	assert_int_equal(p->i.state, PROC_STOPPING);
	proc_stop(p, 0, SEC, WHY_STOP);
	world_pass(SEC);
	assert_true(proc_over(p));
}

static void stopped_or_killed_while_starting(void **state)
{
	(void)state;
	struct proc *p = world_start("p", (struct proc_image){0});
	proc_stop(p, SIGINT, 3 * SEC, WHY_STOP);
	assert_int_equal(proc_signal(p, SIGHUP, SCOPE_PROCESS), -1);
	world_settle();
	assert_int_equal(p->i.state, PROC_STOPPING);
	assert_int_equal(slot("p")->signals, 1 << SIGINT);
	world_pass(3 * SEC);
	assert_true(proc_over(p));
	p = world_start("q", (struct proc_image){0});
	proc_kill(p, WHY_KILL);
	proc_stop(p, 0, -1, WHY_STOP); /* does not make a stop of it again */
	world_settle();
	assert_true(proc_over(p));
	assert_reason(p, "signal 9 (KILL), killed");
	world.fail = ENOENT;
	p = world_start("r", (struct proc_image){0});
	proc_stop(p, 0, -1, WHY_STOP);
	world_settle();
	assert_string_equal(proc_state_name(p), "failed");
}

/* Whoever is over is left as he was. */
static void nothing_reaches_the_dead(void **state)
{
	(void)state;
	struct proc *p = world_run("p", (struct proc_image){0});
	exits("p", CLD_EXITED, 0, false);
	const struct proc_image before = p->i;
	proc_stop(p, 0, 0, WHY_STOP);
	proc_kill(p, WHY_KILL);
	proc_on_parent_gone(p);
	assert_int_equal(proc_signal(p, SIGTERM, SCOPE_TREE), -1);
	world_settle();
	assert_memory_equal(&before, &p->i, sizeof(before));
	assert_reason(p, "");
	/* Nor does a kill claim the end of one whose tree is being killed. */
	p = world_run("q", (struct proc_image){0});
	world_exit(slot("q"), CLD_EXITED, 5, true);
	world_take();
	assert_int_equal(p->i.state, PROC_ENDING);
	proc_kill(p, WHY_KILL);
	world_settle();
	assert_reason(p, "exit 5");
}

/* --- what is left of a tree --------------------------------------------------------------------------------------- */

static void leftovers(void **state)
{
	(void)state;
	struct proc *p = world_run("tree", (struct proc_image){.kill_mode = KILL_TREE});
	world_exit(slot("tree"), CLD_EXITED, 0, true);
	world_take();
	assert_false(proc_over(p)); /* not before its tree is */
	world_settle();
	assert_true(proc_over(p));
	assert_int_equal(p->i.leftover, 0);
	assert_int_equal(used_slots(), 0);
	p = world_run("group", (struct proc_image){.kill_mode = KILL_GROUP});
	exits("group", CLD_EXITED, 0, true);
	assert_true(proc_over(p));
	assert_int_equal(slot("group")->signals, 1 << SIGKILL);
	p = world_run("process", (struct proc_image){.kill_mode = KILL_PROCESS});
	exits("process", CLD_EXITED, 0, true);
	assert_true(proc_over(p));
	assert_int_equal(slot("process")->signals, 0);
	assert_reason(p, "leftover processes live");
	assert_int_equal(core.nleft, 2);
	/* It can still be killed, also after an engine's death. */
	world_reborn();
	assert_int_equal(core.nleft, 2);
	p = find("process");
	proc_kill(p, WHY_KILL);
	assert_int_equal(p->i.tree_killed, 1);
	world_commit(); /* not sent */
	world_reborn();
	p = find("process");
	assert_int_equal(p->i.leftover, 0);
	assert_int_equal(p->i.tree_killed, 0);
	assert_reason(p, "");
	assert_int_equal(core.nleft, 1);
	proc_forget(find("group"));
	world_settle();
	assert_int_equal(core.nleft, 0);
	assert_int_equal(used_slots(), 0);
}

static void leftovers_do_not_hold_all_slots(void **state)
{
	(void)state;
	char name[16];
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		world_run(name, (struct proc_image){.kill_mode = KILL_PROCESS});
		exits(name, CLD_EXITED, 0, true);
		assert_int_equal(used_slots(), MIN(i + 1, (int)CORE_LEFT_MAX));
	}
	proc_kill(find("p150"), WHY_KILL); /* too late: released; nobody waits for it */
	assert_int_equal(find("p150")->i.tree_killed, 0);
	world_reborn();
	assert_int_equal(core.nleft, CORE_LEFT_MAX);
}

/* --- parents and children ----------------------------------------------------------------------------------------- */

static struct proc *child(const char *name, const char *parent, bool daemonic)
{
	return world_run(
		name, (struct proc_image){.parent = PARENT_PROC, .parent_id = find(parent)->i.id, .daemon = daemonic});
}

static void daemonic_children_end_with_the_parent(void **state)
{
	(void)state;
	world_run("parent", (struct proc_image){0});
	child("daemon", "parent", true);
	child("plain", "parent", false);
	struct proc *starting = world_start(
		"starting", (struct proc_image){.parent = PARENT_PROC, .parent_id = find("parent")->i.id, .daemon = 1});
	exits("parent", CLD_EXITED, 0, false);
	assert_int_equal(slot("daemon")->signals, 1 << SIGTERM);
	assert_int_equal(slot("starting")->signals, 1 << SIGTERM);
	assert_int_equal(slot("plain")->signals, 0);
	assert_false(proc_tree_over(find("parent")));
	exits("daemon", CLD_KILLED, SIGTERM, false);
	assert_reason(find("daemon"), "signal 15 (TERM), parent ended");
	world_pass(10 * SEC);
	assert_true(proc_over(starting));
	assert_false(proc_tree_over(find("parent")));
	exits("plain", CLD_EXITED, 0, false);
	assert_true(proc_tree_over(find("parent")));
}

/* With daemonic_children = allow: what a daemonic process has started ends with it, and so on. */
static void children_of_daemonic_ones(void **state)
{
	(void)state;
	world_run("parent", (struct proc_image){0});
	child("daemon", "parent", true);
	child("allowed", "daemon", false);
	exits("daemon", CLD_EXITED, 0, false);
	assert_int_equal(slot("allowed")->signals, 1 << SIGTERM);
}

/* The keeper tells of the parent's end before it tells of the child: the signal would have nowhere to go. */
static void parent_ended_without_an_engine(void **state)
{
	(void)state;
	world_run("parent", (struct proc_image){0});
	child("daemon", "parent", true);
	assert_true(slot("parent") < slot("daemon"));
	world_die();
	struct world_slot *parent = &world.slots[0], *daemonic = &world.slots[1];
	world_exit(parent, CLD_EXITED, 0, false);
	world_born();
	world_settle();
	assert_int_equal(daemonic->signals, 1 << SIGTERM);
	assert_int_equal(find("daemon")->i.why, WHY_PARENT);
}

/* What is waited for as a tree: touched by the end of whatever belongs to it. */
static enum step tree_attempt(struct waiter *w);
static void tree_done(struct waiter *w);
static const struct wait_ops tree_ops = {tree_attempt, tree_done, tree_done};
static struct tree_waiter {
	struct waiter waiter;
	uint64_t id;
	int done;
} joiner;

static enum step tree_attempt(struct waiter *w)
{
	struct tree_waiter *t = CONTAINER_OF(w, struct tree_waiter, waiter);
	return proc_tree_over(proc_by_id(t->id)) ? STEP_DONE : STEP_WAIT;
}

static void tree_done(struct waiter *w) { CONTAINER_OF(w, struct tree_waiter, waiter)->done++; }

static void wait_tree(const char *name)
{
	struct subject *s = &find(name)->subject;
	joiner = (struct tree_waiter){.id = find(name)->i.id};
	assert_int_equal(waiter_park(&joiner.waiter, &tree_ops, &s, 1, NSEC_NEVER), 0);
}

static void a_tree_is_waited_for(void **state)
{
	(void)state;
	world_run("a", (struct proc_image){0});
	child("b", "a", false);
	child("c", "b", false);
	wait_tree("a");
	exits("a", CLD_EXITED, 0, false);
	exits("b", CLD_EXITED, 0, false);
	assert_int_equal(joiner.done, 0);
	/* The record between them goes; what is below it still counts, and still wakes. */
	proc_forget(find("b"));
	world_settle();
	assert_int_equal(find("c")->i.parent_id, find("a")->i.id);
	assert_int_equal(joiner.done, 0);
	exits("c", CLD_EXITED, 0, false);
	assert_int_equal(joiner.done, 1);
}

static void passed_on_children_survive_a_death(void **state)
{
	(void)state;
	world_run("a", (struct proc_image){0});
	child("b", "a", false);
	child("c", "b", false);
	exits("a", CLD_EXITED, 0, false);
	exits("b", CLD_EXITED, 0, false);
	proc_forget(find("b"));
	world_turn();
	for (int i = 0; i < 2; i++) {
		world_reborn();
		assert_int_equal(find("c")->i.parent_id, find("a")->i.id);
		assert_false(proc_tree_over(find("a")));
		world_compact();
	}
	proc_forget(find("a")); /* nobody is left to pass it on to */
	world_turn();
	world_reborn();
	exits("c", CLD_EXITED, 0, false);
	assert_true(proc_tree_over(find("c")));
}

static void a_foreign_parent_ends(void **state)
{
	(void)state;
	struct proc *p = world_run("p", (struct proc_image){.parent = PARENT_FOREIGN, .parent_pid = 77, .daemon = 1});
	struct proc *q = world_run("q", (struct proc_image){.parent = PARENT_FOREIGN, .parent_pid = 77});
	proc_on_parent_gone(p);
	proc_on_parent_gone(q);
	world_settle();
	assert_int_equal(p->i.state, PROC_STOPPING);
	assert_int_equal(q->i.state, PROC_RUNNING);
}

/* --- names, pids, requests ---------------------------------------------------------------------------------------- */

static void names(void **state)
{
	(void)state;
	struct proc *old = world_run("n", (struct proc_image){0});
	assert_true(proc_name_taken(SPAN("n"), 1000));
	assert_false(proc_name_taken(SPAN("n"), 1001));
	assert_false(proc_name_taken(SPAN("m"), 1000));
	exits("n", CLD_EXITED, 0, false);
	assert_false(proc_name_taken(SPAN("n"), 1000));
	struct proc *new = world_run("n", (struct proc_image){0});
	assert_ptr_equal(proc_by_name(SPAN("n"), 1000), new);
	assert_ptr_equal(proc_by_name(SPAN("n"), 0), new);
	assert_null(proc_by_name(SPAN("n"), 1001));
	uint64_t id = new->i.id;
	for (int i = 0; i < 2; i++) {
		world_reborn();
		assert_int_equal(find("n")->i.id, id);
		world_compact();
	}
	exits("n", CLD_EXITED, 0, false);
	proc_forget(find("n"));
	world_turn();
	old = find("n");
	assert_true(old->i.id < id);
	proc_forget(old);
	world_turn();
	assert_null(find("n"));
	assert_int_equal(core.names.count, 0);
	assert_null(proc_by_id(id));
}

/* The kernel gives a pid again while the first one's tree is still being killed. */
static void a_pid_given_again(void **state)
{
	(void)state;
	world_run("old", (struct proc_image){0});
	int pid = find("old")->i.pid;
	world_exit(slot("old"), CLD_EXITED, 0, true);
	world_take();
	assert_int_equal(find("old")->i.state, PROC_ENDING);
	world_commit();
	world.noutbox = world.sent = 0; /* the kill of the tree takes its time */
	world.next_pid = pid - 1;
	world_run("new", (struct proc_image){0});
	assert_int_equal(find("new")->i.pid, pid);
	assert_ptr_equal(proc_by_pid(pid), find("new"));
	world_die();
	world_born();
	assert_ptr_equal(proc_by_pid(pid), find("new"));
	world_settle();
	assert_true(proc_over(find("old")));
	assert_ptr_equal(proc_by_pid(pid), find("new"));
	exits("new", CLD_EXITED, 0, false);
	assert_null(proc_by_pid(pid));
}

static struct proc *start_for(struct span session)
{
	const struct span text[PROC_TEXTS] = {
		[TEXT_NAME] = SPAN("s"), [TEXT_ARGV] = SPAN("[]"), [TEXT_SESSION] = session};
	const struct proc_image image = {.uid = 1000, .stop_signal = SIGTERM, .limit = NSEC_NEVER};
	struct proc *p = proc_new(&image, text, 0);
	on_spawn(p);
	world_settle();
	return p;
}

static void requests(void **state)
{
	(void)state;
	struct proc *p = start_for(SPAN("0123456789abcdef7#0"));
	uint64_t id = p->i.id;
	world_reborn();
	assert_int_equal(proc_by_origin(1000, SPAN("0123456789abcdef7#0"))->i.id, id);
	assert_null(proc_by_origin(1001, SPAN("0123456789abcdef7#0")));
	assert_null(proc_by_origin(1000, SPAN("0123456789abcdef7#1")));
	assert_null(proc_by_origin(1000, SPAN("")));
	p = proc_by_id(id);
	struct proc *again = start_for(SPAN("0123456789abcdef7#0"));
	world_exit(world_slot(id), CLD_EXITED, 0, false);
	world_settle();
	proc_forget(p);
	world_turn();
	world_turn();
	assert_ptr_equal(proc_by_origin(1000, SPAN("0123456789abcdef7#0")), again);
}

/* --- how long records stay ---------------------------------------------------------------------------------------- */

static void begin_with_keep(nsec_t keep)
{
	world.keep = keep;
	world_reborn();
}

static void kept_for_a_time(void **state)
{
	(void)state;
	begin_with_keep(100 * SEC);
	world_run("a", (struct proc_image){0});
	world_run("b", (struct proc_image){0});
	exits("a", CLD_EXITED, 0, false);
	world_pass(60 * SEC);
	exits("b", CLD_EXITED, 0, false);
	world_pass(40 * SEC - 1);
	assert_non_null(find("a"));
	world_pass(1);
	assert_null(find("a"));
	assert_non_null(find("b"));
	world_reborn(); /* the age goes on */
	world_pass(60 * SEC);
	assert_null(find("b"));
	assert_int_equal(timers_next(&core.timers), NSEC_NEVER); /* nothing ticks */
}

/* Older than that, and waited for: stays, and nothing turns in circles. */
static void kept_while_waited_for(void **state)
{
	(void)state;
	begin_with_keep(100 * SEC);
	world_run("a", (struct proc_image){0});
	child("b", "a", false);
	wait_tree("a");
	exits("a", CLD_EXITED, 0, false);
	world_pass(1000 * SEC);
	assert_non_null(find("a"));
	exits("b", CLD_EXITED, 0, false);
	assert_int_equal(joiner.done, 1);
	world_run("c", (struct proc_image){0});
	exits("c", CLD_EXITED, 0, false);
	assert_null(find("a"));
}

static void joined_ones_are_few(void **state)
{
	(void)state;
	uint64_t first = core.next_id;
	for (unsigned i = 0; i < CORE_KNOWN_MAX + 50; i++) {
		struct proc *p = world_run("p", (struct proc_image){0});
		proc_join(p); /* not over: nothing */
		assert_int_equal(p->i.joined, 0);
		exits("p", CLD_EXITED, 0, false);
		proc_join(p);
		proc_join(p);
		world_turn();
	}
	assert_int_equal(core.nknown, CORE_KNOWN_MAX);
	assert_null(proc_by_id(first + 49));
	assert_non_null(proc_by_id(first + 50));
	world_reborn();
	assert_int_equal(core.nknown, CORE_KNOWN_MAX);
	assert_int_equal(core.nended, 0);
}

/* One that was joined, and is waited for by somebody else who waits for more, stays however many come after it. */
static void joined_ones_stay_while_waited_for(void **state)
{
	(void)state;
	world_run("a", (struct proc_image){0});
	child("b", "a", false);
	uint64_t a = find("a")->i.id;
	wait_tree("a");
	exits("a", CLD_EXITED, 0, false);
	proc_join(find("a"));
	for (unsigned i = 0; i < CORE_KNOWN_MAX + 5; i++) {
		struct proc *p = world_run("p", (struct proc_image){0});
		exits("p", CLD_EXITED, 0, false);
		proc_join(p);
		world_turn();
	}
	assert_non_null(proc_by_id(a));
	exits("b", CLD_EXITED, 0, false);
	assert_int_equal(joiner.done, 1);
	proc_join(find("b"));
	assert_null(proc_by_id(a));
}

static void not_joined_ones_are_bounded(void **state)
{
	(void)state;
	uint64_t first = core.next_id;
	for (unsigned i = 0; i < CORE_ENDED_MAX + 5; i++) {
		world_start("p", (struct proc_image){0});
		world_take();
		world_commit();
		while (world_send())
			;
		world_take();
		world_exit(world_slot(core.next_id - 1), CLD_EXITED, 0, false);
	}
	world_settle();
	assert_int_equal(core.nended, CORE_ENDED_MAX);
	assert_null(proc_by_id(first + 4));
	assert_non_null(proc_by_id(first + 5));
}

/* --- an engine's death -------------------------------------------------------------------------------------------- */

/* Forgotten and committed, the release not sent: it does not come back under another name. */
static void forgotten_and_not_released(void **state)
{
	(void)state;
	for (int compact = 0; compact < 2; compact++) {
		world.fail = ENOENT;
		struct proc *p = world_start("p", (struct proc_image){0});
		world_turn();
		world_take();
		assert_true(proc_over(p));
		proc_forget(p);
		if (compact)
			world_compact();
		else
			world_commit();
		world_reborn();
		assert_true(list_empty(&core.procs));
		assert_int_equal(used_slots(), 0);
		assert_int_equal(core.gone.count, 0);
	}
}

/* Forgotten in the turn in which its successor was started, before the instance's record says so. */
static void forgotten_before_its_instance_knows(void **state)
{
	(void)state;
	const struct world_job job = {"web", {.restart = RESTART_NO}};
	world_end();
	world_begin(&job, 1);
	struct inst *t = &core.jobs[0].insts[0];
	inst_event(t, INST_EV_START);
	world_settle();
	struct proc *old = t->proc;
	world_exit(world_slot(old->i.id), CLD_EXITED, 0, false);
	world_settle();
	uint64_t id = old->i.id;
	inst_event(t, INST_EV_START);
	proc_forget(old);
	world_settle();
	world_reborn();
	assert_null(proc_by_id(id));
	t = &core.jobs[0].insts[0];
	assert_int_equal(t->i.state, INST_YOUNG);
	assert_int_equal(t->proc->i.id, id + 1);
}

/* Records that were damaged: the keeper's word is taken, and what it does not know is lost, not running. */
static void lost_records(void **state)
{
	(void)state;
	world_run("a", (struct proc_image){0});
	world_run("b", (struct proc_image){0});
	child("d", "b", true);
	uint64_t a = find("a")->i.id;
	world_die();
	world.damaged = true;
	for (size_t i = 0; i < book.n; i++)
		if (book.v[i].type == JOURNAL_TEXT && !memcmp(book.v[i].body.p, &a, sizeof(a)))
			book.v[i].type = JOURNAL_META + 100;
	for (size_t i = 0, n = 0; i < book.n; i++) { /* they are taken out */
		book.v[n] = book.v[i];
		bool out = book.v[i].type > 100 ||
			   (book.v[i].type == JOURNAL_PROC && !memcmp(book.v[i].body.p, &a, sizeof(a)));
		if (out)
			free((char *)book.v[i].body.p);
		n += !out;
		if (i + 1 == book.n) {
			book.n = book.committed = n;
			break;
		}
	}
	world.slots[1].state = WORLD_FREE; /* b: and the keeper has nothing of it */
	world_born();
	world_settle();
	struct proc *p = proc_by_id(a);
	assert_string_equal(p->text[TEXT_NAME].p, "recovered-1");
	assert_int_equal(p->i.state, PROC_RUNNING);
	assert_int_equal(p->i.uid, 1000);
	p = find("b");
	assert_true(proc_over(p));
	assert_reason(p, "lost");
	assert_int_equal(proc_exitcode(p), 255);
	assert_int_equal(find("d")->i.why, WHY_PARENT);
	assert_int_equal(slot("d")->signals, 1 << SIGTERM);
	world_reborn();
	assert_int_equal(proc_by_id(a)->i.state, PROC_RUNNING);
}

static void records_that_cannot_be(void **state)
{
	(void)state;
	struct proc *p = world_run("p", (struct proc_image){0});
	const struct proc_image good = p->i;
	struct proc_image bad[16];
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[0].id = 99;
	bad[1].state = PROC_STATES;
	bad[2].parent = 3;
	bad[3].context = 2;
	bad[4].kill_mode = 3;
	bad[5].why = WHY_LOST + 1;
	bad[6].stop_pending = PROC_EVENTS;
	bad[7].joined = 2;
	bad[8].pid = -1;
	bad[9].parent = PARENT_PROC;
	bad[9].parent_id = good.id;
	bad[10].created = -1;
	bad[11].ended = -1;
	bad[12].deadline = -1;
	bad[13].stop_timeout = -1;
	bad[14].limit = -1;
	bad[15].id = 0;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(core_load(JOURNAL_PROC, (struct span){(char *)&bad[i], sizeof(good)}), -1);
	assert_int_equal(core_load(JOURNAL_PROC, (struct span){(char *)&good, sizeof(good) - 1}), -1);
	assert_int_equal(core_load(JOURNAL_PROC, (struct span){(char *)&good, sizeof(good)}), 0);
	uint64_t ids[] = {0, CORE_ID_MAX + 1, UINT64_MAX};
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		assert_int_equal(core_load(JOURNAL_FORGET, (struct span){(char *)&ids[i], 8}), -1);
	assert_int_equal(core_load(JOURNAL_META, (struct span){(char *)&ids[2], 8}), -1);
	assert_int_equal(core_load(JOURNAL_META, (struct span){(char *)&ids[2], 7}), -1);
	for (unsigned type = 0; type < 300; type += 99)
		assert_int_equal(core_load(type, SPAN("")), -1);
	/* The text of one that exists, of one that was forgotten, and cut anywhere. */
	const struct world_record *text = NULL;
	for (size_t i = 0; i < book.n; i++)
		if (book.v[i].type == JOURNAL_TEXT)
			text = &book.v[i];
	assert_int_equal(core_load(JOURNAL_TEXT, text->body), -1);
	for (size_t n = 0; n < text->body.n; n++)
		assert_int_equal(core_load(JOURNAL_TEXT, (struct span){text->body.p, n}), -1);
	assert_int_equal(core_load(JOURNAL_FORGET, (struct span){text->body.p, 8}), 0);
	assert_int_equal(core_load(JOURNAL_TEXT, text->body), -1);
}

/* --- a death at every point --------------------------------------------------------------------------------------- */

/* A story is told while the engine dies at the Nth point of it, and again some points later. A point is between any
 * two messages, before and after every commit. Whatever the point, the story ends the same. */
static int points, deaths[2];

static bool point(void)
{
	int at = points++;
	if (at != deaths[0] && at != deaths[1])
		return false;
	world_die();
	world_born();
	return true;
}

static void turn_of_points(void)
{
	core.now = world.now;
	point();
	do
		world_commit();
	while (point());
	while (world_send())
		while (point())
			world_commit();
}

static void settle_points(void)
{
	do {
		while (world.ninbox) {
			struct link_msg m = world.inbox[0];
			memmove(world.inbox, world.inbox + 1, --world.ninbox * sizeof(m));
			core.now = world.now;
			engine_on(&m);
			if (points % 3 == 0)
				turn_of_points();
			else
				point();
		}
		turn_of_points();
	} while (world.ninbox || world.noutbox);
	world_check();
}

static void pass_points(nsec_t time)
{
	world.now += time;
	for (int i = 0; i < 8; i++) {
		core.now = world.now;
		timers_run(&core.timers, core.now);
		settle_points();
	}
}

/* What a client asks for is asked for again until it is done: the connection broke. */
static void start_points(const char *name, struct proc_image image)
{
	while (!find(name)) {
		world_start(name, image);
		settle_points();
	}
}

static void until_stopping(const char *name, nsec_t timeout)
{
	while (find(name)->i.why == WHY_NONE) {
		proc_stop(find(name), 0, timeout, WHY_STOP);
		settle_points();
	}
}

static void until_killed(const char *name)
{
	while (find(name)->i.why == WHY_NONE) {
		proc_kill(find(name), WHY_KILL);
		settle_points();
	}
}

static void until_forgotten(const char *name)
{
	while (find(name)) {
		proc_forget(find(name));
		settle_points();
	}
}

static void exit_points(const char *name, int status, bool left)
{
	struct world_slot *s = slot(name);
	world_exit(s, CLD_EXITED, status, left);
	settle_points();
}

static void assert_end(const char *name, int code, int status, enum proc_why why)
{
	const struct proc *p = find(name);
	assert_non_null(p);
	assert_true(proc_over(p));
	assert_int_equal(p->i.code, code);
	assert_int_equal(p->i.status, status);
	assert_int_equal(p->i.why, why);
	assert_int_equal(p->i.tree_killed, 0);
}

static void story(void)
{
	const struct proc_image plain = {0};
	start_points("boot", plain);
	uint64_t id = find("boot")->i.id;
	start_points("child", (struct proc_image){.parent = PARENT_PROC, .parent_id = id, .daemon = 1});
	start_points("tree", plain);
	start_points("rest", (struct proc_image){.kill_mode = KILL_PROCESS});
	start_points("stubborn", plain);
	start_points("victim", plain);
	start_points("limited", (struct proc_image){.limit = 50 * SEC});
	start_points("gone", plain);
	exit_points("gone", 1, false);
	until_forgotten("gone");
	until_stopping("stubborn", 5 * SEC);
	until_killed("victim");
	exit_points("tree", 2, true);
	exit_points("rest", 3, true);
	exit_points("boot", 4, false);
	struct world_slot *s = slot("child");
	assert_true(s->signals & 1 << SIGTERM);
	exit_points("child", 5, false);
	pass_points(5 * SEC);
	pass_points(60 * SEC);
	pass_points(60 * SEC);
	assert_end("boot", CLD_EXITED, 4, WHY_NONE);
	assert_end("child", CLD_EXITED, 5, WHY_PARENT);
	assert_end("tree", CLD_EXITED, 2, WHY_NONE);
	assert_end("rest", CLD_EXITED, 3, WHY_NONE);
	assert_end("stubborn", CLD_KILLED, SIGKILL, WHY_STOP_TIMEOUT);
	assert_end("victim", CLD_KILLED, SIGKILL, WHY_KILL);
	assert_end("limited", CLD_KILLED, SIGKILL, WHY_STOP_TIMEOUT);
	assert_null(find("gone"));
	assert_int_equal(core.alive, 0);
	assert_int_equal(used_slots(), 1); /* what is left of "rest" */
	until_forgotten("rest");
	settle_points();
	assert_int_equal(used_slots(), 0);
}

static int story_with(int first, int second)
{
	world_begin(NULL, 0);
	points = 0;
	deaths[0] = first;
	deaths[1] = second;
	story();
	world_end();
	return points;
}

static void a_death_at_every_point(void **state)
{
	(void)state;
	int n = story_with(-1, -1);
	assert_true(n > 60);
	for (int first = 0; first < n; first++)
		story_with(first, -1);
	for (int first = 0; first < n; first++)
		for (int gap = 1; gap < 6; gap++)
			story_with(first, first + gap);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell),
		TEST(exit_codes_and_reasons),
		TEST(stop_then_kill_as_much_as_was_stopped),
		TEST(the_limit_counts_from_the_start),
		TEST(times_without_end),
		TEST(stopped_or_killed_while_starting),
		TEST(nothing_reaches_the_dead),
		TEST(leftovers),
		TEST(leftovers_do_not_hold_all_slots),
		TEST(daemonic_children_end_with_the_parent),
		TEST(children_of_daemonic_ones),
		TEST(parent_ended_without_an_engine),
		TEST(a_tree_is_waited_for),
		TEST(passed_on_children_survive_a_death),
		TEST(a_foreign_parent_ends),
		TEST(names),
		TEST(a_pid_given_again),
		TEST(requests),
		TEST(kept_for_a_time),
		TEST(kept_while_waited_for),
		TEST(joined_ones_are_few),
		TEST(joined_ones_stay_while_waited_for),
		TEST(not_joined_ones_are_bounded),
		TEST(forgotten_and_not_released),
		TEST(forgotten_before_its_instance_knows),
		TEST(lost_records),
		TEST(records_that_cannot_be),
		cmocka_unit_test(a_death_at_every_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
