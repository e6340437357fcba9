/* SPDX-License-Identifier: MIT */
/*
 * Supervision. Invariants:
 * 1. inst_event() is the only writer of an instance's state; rule[state][event] has an answer in every cell.
 * 2. An instance has at most one process that is not over: a start happens only from states in which there is none.
 * 3. What is owed to the instance across an engine's death (deadline, delay, counters) lies in its image.
 */
#include "daemon/engine/core/job.h"
#include "common/scan.h"
#include "daemon/engine/core/core.h"
#include <stdio.h>
#include <sys/wait.h>

static const char *tab_str(const struct jobtab *tab, uint32_t at) { return at ? (const char *)tab + at : ""; }

int job_init(struct job *job, const struct jobtab *tab, uint32_t index)
{
	job->tab = tab;
	job->def = (const struct jobtab_job *)((const char *)tab + tab->jobs) + index;
	job->name = tab_str(tab, job->def->name);
	job->index = index;
	job->insts = calloc(MAX(job->def->instances, 1), sizeof(*job->insts));
	if (!job->insts)
		return -1;
	for (; job->ninsts < job->def->instances; job->ninsts++) {
		struct inst *t = &job->insts[job->ninsts];
		char *name;
		int n = job->def->instances == 1 ? asprintf(&name, "%s", job->name)
						 : asprintf(&name, "%s.%u", job->name, job->ninsts + 1);
		if (n < 0)
			return -1;
		t->name = (struct span){name, (size_t)n};
		t->job = job;
		t->i.instance = job->ninsts + 1;
		t->i.deadline = NSEC_NEVER;
		subject_init(&t->subject);
		subject_init(&t->output);
		list_init(&t->dirty);
	}
	return 0;
}

void job_done(struct job *job)
{
	for (uint32_t n = 0; n < job->ninsts; n++) {
		timer_clear(&core.timers, &job->insts[n].timer);
		subject_done(&job->insts[n].subject);
		subject_done(&job->insts[n].output);
		free((char *)job->insts[n].name.p);
	}
	free(job->insts);
}

struct job *job_find(struct span name)
{
	for (size_t i = 0; i < core.njobs; i++)
		if (span_is(name, core.jobs[i].name))
			return &core.jobs[i];
	return NULL;
}

struct inst *inst_find(struct span name)
{
	for (size_t i = 0; i < core.njobs; i++) {
		struct job *job = &core.jobs[i];
		size_t n = strlen(job->name);
		if (name.n < n || memcmp(name.p, job->name, n) != 0)
			continue;
		for (uint32_t k = 0; k < job->ninsts; k++)
			if (span_eq(name, job->insts[k].name))
				return &job->insts[k];
	}
	return NULL;
}

const struct plan *inst_plan(const struct inst *t)
{
	const char *tab = (const char *)t->job->tab;
	const uint32_t *plans = (const uint32_t *)(tab + t->job->def->plans);
	return (const struct plan *)(tab + plans[t->i.instance - 1]);
}

void inst_dirty(struct inst *t)
{
	if (!list_linked(&t->dirty))
		list_push(&core.dirty_insts, &t->dirty);
}

/* --- starting a run --------------------------------------------------------------------------------------------- */

static void plan_argv(const struct plan *plan, struct buf *out)
{
	const char *base = (const char *)plan;
	const uint32_t *argv = (const uint32_t *)(base + plan->argv);
	buf_putc(out, '[');
	for (uint32_t n = 0; n < plan->argc; n++) {
		if (n)
			buf_putc(out, ',');
		scan_put_bytes(out, span_of(base + argv[n]));
	}
	buf_putc(out, ']');
}

/* A file of the plan's; or, captured, the job's log: STATE/log/web.log and STATE/log/web.err.log where it names none.
 */
static void output_path(const struct inst *t, const struct plan *plan, int stream, struct buf *out)
{
	if (plan->stdio[stream + 1] == PLAN_FILE)
		buf_puts(out, (const char *)plan + plan->path[stream + 1]);
	if (plan->stdio[stream + 1] != PLAN_PIPE)
		return;
	uint32_t named = t->job->def->log_file[stream];
	if (named)
		buf_puts(out, tab_str(t->job->tab, named));
	else
		buf_printf(out, "%s/%.*s%s", core.log_dir, (int)t->name.n, t->name.p, stream ? ".err.log" : ".log");
}

static struct proc_image inst_run_image(const struct inst *t, const struct plan *plan)
{
	const struct jobtab_job *def = t->job->def;
	bool creds = plan->flags & PLAN_CREDS;
	return (struct proc_image){
		.parent = PARENT_MPD,
		.uid = creds ? plan->uid : core.uid,
		.gid = creds ? plan->gid : core.gid,
		.context = CONTEXT_SPAWN,
		.kill_mode = def->kill_mode,
		.captured = (uint8_t)((plan->stdio[1] == PLAN_PIPE) | (plan->stdio[2] == PLAN_PIPE) << 1),
		.stop_signal = def->stop_signal,
		.stop_timeout = def->stop_timeout,
		.limit = NSEC_NEVER,
		.restarts = t->i.restarts,
	};
}

/* The instance's current run from now on. */
static struct proc *inst_run(struct inst *t, uint64_t id)
{
	static struct buf argv, out, err;
	const struct plan *plan = inst_plan(t);
	buf_clear(&argv, 65536);
	buf_clear(&out, 4096);
	buf_clear(&err, 4096);
	plan_argv(plan, &argv);
	output_path(t, plan, 0, &out);
	output_path(t, plan, 1, &err);
	const struct proc_image image = inst_run_image(t, plan);
	const struct span text[PROC_TEXTS] = {
		[TEXT_NAME] = t->name,
		[TEXT_ARGV] = buf_view(&argv),
		[TEXT_CWD] = span_of(plan->cwd ? (const char *)plan + plan->cwd : "/"),
		[TEXT_JOB] = span_of(t->job->name),
		[TEXT_IN] = span_of(plan->stdio[0] == PLAN_FILE ? (const char *)plan + plan->path[0] : ""),
		[TEXT_OUT] = buf_view(&out),
		[TEXT_ERR] = buf_view(&err),
		[TEXT_SESSION] = SPAN(""),
	};
	struct proc *p = proc_again(id, &image, text, t->i.instance);
	if (!p)
		abort(); /* no memory for a small thing: the next engine replays */
	if (t->proc)
		proc_set_inst(t->proc, NULL);
	t->proc = p;
	t->i.proc = p->i.id;
	proc_set_inst(p, t);
	return p;
}

struct proc *inst_adopt(uint64_t id)
{
	for (size_t j = 0; j < core.njobs; j++)
		for (uint32_t n = 0; n < core.jobs[j].ninsts; n++) {
			struct inst *t = &core.jobs[j].insts[n];
			if (t->i.proc == id && !t->proc)
				return inst_run(t, id);
		}
	return NULL;
}

static enum inst_state act_spawn(struct inst *t)
{
	core.ops->spawn(inst_run(t, core.next_id));
	return INST_STARTING;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

typedef enum inst_state inst_action(struct inst *);

static void inst_timer(struct timer *timer)
{
	struct inst *t = CONTAINER_OF(timer, struct inst, timer);
	t->i.deadline = NSEC_NEVER;
	inst_event(t, INST_EV_TIMER);
}

static void inst_arm(struct inst *t, nsec_t at)
{
	t->i.deadline = at;
	if (at == NSEC_NEVER)
		timer_clear(&core.timers, &t->timer);
	else
		timer_set(&core.timers, &t->timer, at, inst_timer);
}

static void inst_calm(struct inst *t)
{
	t->i.tries = 0;
	t->i.delay = 0;
}

/* By hand: counted anew. */
static enum inst_state act_start(struct inst *t)
{
	inst_arm(t, NSEC_NEVER);
	inst_calm(t);
	return act_spawn(t);
}

static enum inst_state act_young(struct inst *t)
{
	inst_arm(t, timer_after(core.now, t->job->def->start_seconds));
	return INST_YOUNG;
}

static enum inst_state act_healthy(struct inst *t)
{
	inst_calm(t);
	return INST_RUNNING;
}

static enum inst_state act_backoff(struct inst *t)
{
	const struct jobtab_job *def = t->job->def;
	nsec_t delay = t->i.delay ? MIN(t->i.delay, NSEC_NEVER / 4) * 2 : def->restart_delay;
	t->i.delay = MIN(delay, MAX(def->restart_delay_max, def->restart_delay));
	t->i.tries++;
	nsec_t jitter = (nsec_t)(core_random() % (uint64_t)(t->i.delay / 10 + 1));
	inst_arm(t, timer_after(core.now, timer_after(t->i.delay, jitter)));
	return INST_BACKOFF;
}

static enum inst_state act_again(struct inst *t)
{
	t->i.restarts++;
	return act_spawn(t);
}

/* A restart that was due is only brought forward: it counts as one, also when the request is sent twice. */
static enum inst_state act_hurry(struct inst *t)
{
	inst_arm(t, NSEC_NEVER);
	inst_calm(t);
	return act_again(t);
}

static enum inst_state act_stop(struct inst *t)
{
	inst_arm(t, NSEC_NEVER);
	return INST_STOPPING;
}

static enum inst_state act_restart(struct inst *t)
{
	inst_arm(t, NSEC_NEVER);
	inst_calm(t);
	return INST_RESTARTING;
}

static enum inst_state act_stopped(struct inst *t)
{
	inst_arm(t, NSEC_NEVER);
	return INST_STOPPED;
}

static enum inst_state act_exited(struct inst *t)
{
	inst_arm(t, NSEC_NEVER);
	return INST_EXITED;
}

static enum inst_state act_failed(struct inst *t)
{
	inst_arm(t, NSEC_NEVER);
	return INST_FAILED;
}

/* Ended badly, and nothing is to be done: a start that failed is a failure, an exit an exit. */
static enum inst_state act_bad(struct inst *t) { return t->proc && t->proc->i.failed ? act_failed(t) : act_exited(t); }

#define IGNORE NULL
/* The same four ends of a run, whatever the policy said, for what was to be stopped anyway. */
#define ENDS(act) [INST_EV_DONE] = act, [INST_EV_BAD] = act, [INST_EV_AGAIN] = act, [INST_EV_LIMIT] = act
#define ENDS_BY_POLICY                                                                                                 \
	[INST_EV_DONE] = act_exited, [INST_EV_BAD] = act_bad, [INST_EV_AGAIN] = act_backoff,                           \
	[INST_EV_LIMIT] = act_failed

static inst_action *const rule[INST_STATES][INST_EVENTS] = {
	[INST_STOPPED] = {[INST_EV_START] = act_start,
			  [INST_EV_STOP] = IGNORE,
			  [INST_EV_RESTART] = act_start,
			  [INST_EV_STARTED] = IGNORE,
			  ENDS(IGNORE),
			  [INST_EV_TIMER] = IGNORE},
	[INST_STARTING] = {[INST_EV_START] = IGNORE,
			   [INST_EV_STOP] = act_stop,
			   [INST_EV_RESTART] = act_restart,
			   [INST_EV_STARTED] = act_young,
			   ENDS_BY_POLICY,
			   [INST_EV_TIMER] = IGNORE},
	[INST_YOUNG] = {[INST_EV_START] = IGNORE,
			[INST_EV_STOP] = act_stop,
			[INST_EV_RESTART] = act_restart,
			[INST_EV_STARTED] = IGNORE,
			ENDS_BY_POLICY,
			[INST_EV_TIMER] = act_healthy},
	[INST_RUNNING] = {[INST_EV_START] = IGNORE,
			  [INST_EV_STOP] = act_stop,
			  [INST_EV_RESTART] = act_restart,
			  [INST_EV_STARTED] = IGNORE,
			  ENDS_BY_POLICY,
			  [INST_EV_TIMER] = IGNORE},
	[INST_STOPPING] = {[INST_EV_START] = act_restart,
			   [INST_EV_STOP] = act_stop,
			   [INST_EV_RESTART] = act_restart,
			   [INST_EV_STARTED] = IGNORE,
			   ENDS(act_stopped),
			   [INST_EV_TIMER] = IGNORE},
	[INST_RESTARTING] = {[INST_EV_START] = IGNORE,
			     [INST_EV_STOP] = act_stop,
			     [INST_EV_RESTART] = IGNORE,
			     [INST_EV_STARTED] = IGNORE,
			     ENDS(act_spawn),
			     [INST_EV_TIMER] = IGNORE},
	[INST_BACKOFF] = {[INST_EV_START] = act_hurry,
			  [INST_EV_STOP] = act_stopped,
			  [INST_EV_RESTART] = act_hurry,
			  [INST_EV_STARTED] = IGNORE,
			  ENDS(IGNORE),
			  [INST_EV_TIMER] = act_again},
	[INST_EXITED] = {[INST_EV_START] = act_start,
			 [INST_EV_STOP] = act_stopped,
			 [INST_EV_RESTART] = act_start,
			 [INST_EV_STARTED] = IGNORE,
			 ENDS(IGNORE),
			 [INST_EV_TIMER] = IGNORE},
	[INST_FAILED] = {[INST_EV_START] = act_start,
			 [INST_EV_STOP] = act_stopped,
			 [INST_EV_RESTART] = act_start,
			 [INST_EV_STARTED] = IGNORE,
			 ENDS(IGNORE),
			 [INST_EV_TIMER] = IGNORE},
};

static bool inst_stops(const struct inst *t) { return t->i.state == INST_STOPPING || t->i.state == INST_RESTARTING; }

static void inst_move(struct inst *t, enum inst_event event)
{
	inst_action *act = rule[t->i.state][event];
	if (!act)
		return;
	enum inst_state from = t->i.state;
	t->i.state = act(t);
	inst_dirty(t);
	subject_touch(&t->subject);
	if (t->proc)
		subject_touch(&t->proc->subject);
	if (t->i.state != from)
		core.ops->event(NULL, t, inst_state_name(from));
}

static void inst_event_timed(struct inst *t, enum inst_event event, nsec_t timeout)
{
	inst_move(t, event);
	if ((event == INST_EV_STOP || event == INST_EV_RESTART) && inst_stops(t))
		proc_stop(t->proc, 0, timeout, WHY_STOP);
}

void inst_event(struct inst *t, enum inst_event event) { inst_event_timed(t, event, -1); }
void inst_stop(struct inst *t, nsec_t timeout) { inst_event_timed(t, INST_EV_STOP, timeout); }
void inst_on_started(struct inst *t) { inst_event(t, INST_EV_STARTED); }

static bool run_succeeded(const struct jobtab_job *def, const struct proc *p)
{
	if (p->i.failed || p->i.why == WHY_LOST)
		return false;
	if (p->i.code != CLD_EXITED)
		return (unsigned)p->i.status < 64 && def->success_signals >> p->i.status & 1;
	unsigned status = (unsigned)p->i.status & 255;
	return def->success[status / 8] >> (status % 8) & 1;
}

static enum inst_event policy_event(const struct inst *t)
{
	const struct jobtab_job *def = t->job->def;
	bool good = t->proc && run_succeeded(def, t->proc);
	bool again = def->restart == RESTART_ALWAYS || (def->restart != RESTART_NO && !good);
	if (!again)
		return good ? INST_EV_DONE : INST_EV_BAD;
	return def->restart_limit && t->i.tries >= def->restart_limit ? INST_EV_LIMIT : INST_EV_AGAIN;
}

void inst_on_over(struct inst *t) { inst_event(t, policy_event(t)); }

bool inst_ended(const struct inst *t)
{
	return t->i.state == INST_STOPPED || t->i.state == INST_EXITED || t->i.state == INST_FAILED;
}

bool inst_settled(const struct inst *t) { return inst_ended(t) || inst_up(t) || t->i.state == INST_BACKOFF; }

const char *inst_state_name(enum inst_state state)
{
	static const char *const names[INST_STATES] = {
		[INST_STOPPED] = "stopped", [INST_STARTING] = "starting", [INST_YOUNG] = "running",
		[INST_RUNNING] = "running", [INST_STOPPING] = "stopping", [INST_RESTARTING] = "stopping",
		[INST_BACKOFF] = "backoff", [INST_EXITED] = "exited",     [INST_FAILED] = "failed",
	};
	return names[state];
}

/* --- journal ------------------------------------------------------------------------------------------------------ */

void inst_save(struct inst *t)
{
	list_del(&t->dirty);
	core.ops->save(JOURNAL_JOB, &t->i, sizeof(t->i), t->name.p, t->name.n);
}

static bool inst_owns(const struct inst *t, const struct proc *p)
{
	return span_is(p->text[TEXT_JOB], t->job->name) && p->instance == t->i.instance;
}

int inst_load(struct span body)
{
	struct inst_image i;
	if (body.n < sizeof(i))
		return -1;
	memcpy(&i, body.p, sizeof(i));
	struct inst *t = inst_find((struct span){body.p + sizeof(i), body.n - sizeof(i)});
	if (!t || i.state >= INST_STATES || i.instance != t->i.instance || i.delay < 0)
		return -1;
	struct proc *p = i.proc ? proc_by_id(i.proc) : NULL;
	if ((i.proc && core_saw(i.proc) < 0) || (p && !inst_owns(t, p)))
		return -1;
	if (t->proc && t->proc != p)
		proc_set_inst(t->proc, NULL);
	t->i = i;
	t->known = true;
	t->proc = p;
	if (p)
		proc_set_inst(p, t);
	return 0;
}

/* States in which there is a process that is not over. */
static bool inst_has_run(const struct inst *t) { return t->i.state == INST_STARTING || inst_up(t) || inst_stops(t); }

/* A run that lives though the instance's record does not know it was damaged: it is the current one, for there must
 * not be two. */
static void inst_claim(struct inst *t)
{
	static const enum inst_state states[PROC_STATES] = {[PROC_STARTING] = INST_STARTING,
							    [PROC_RUNNING] = INST_RUNNING,
							    [PROC_STOPPING] = INST_STOPPING,
							    [PROC_KILLING] = INST_STOPPING,
							    [PROC_ENDING] = INST_STOPPING};
	struct proc *p = proc_by_name(t->name, 0);
	if (!p || p == t->proc || proc_over(p) || !inst_owns(t, p))
		return;
	if (t->proc)
		proc_set_inst(t->proc, NULL);
	t->proc = p;
	t->i.proc = p->i.id;
	t->i.state = states[p->i.state];
	t->i.deadline = NSEC_NEVER;
	t->known = true;
	proc_set_inst(p, t);
	inst_dirty(t);
}

/* Also where a damaged record has left instance and run at odds: nothing may wait for what has been. */
static void inst_settle(struct inst *t)
{
	enum proc_state run = t->proc ? t->proc->i.state : PROC_EXITED;
	if (inst_has_run(t) && run == PROC_EXITED) {
		inst_on_over(t);
		return;
	}
	if (t->i.deadline != NSEC_NEVER)
		inst_arm(t, t->i.deadline);
	if (t->i.state == INST_STARTING && run != PROC_STARTING)
		inst_on_started(t);
	else if (inst_stops(t) && run < PROC_STOPPING)
		proc_stop(t->proc, 0, -1, WHY_STOP);
}

void inst_synced(struct inst *t)
{
	bool known = t->known;
	inst_claim(t);
	t->known = true;
	if (known || t->proc) {
		inst_settle(t);
		return;
	}
	inst_dirty(t);
	if (t->job->def->autostart)
		inst_event(t, INST_EV_START);
}
