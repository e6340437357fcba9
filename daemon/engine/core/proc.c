/* SPDX-License-Identifier: MIT */
/*
 * The life of a process. Invariants:
 * 1. proc_event() is the only writer of the state; rule[state][event] has an answer in every cell.
 * 2. Every change of the image marks it dirty; it is journaled before anything is told about it.
 * 3. The keeper holds an exit until RELEASE, and RELEASE is asked for only by what the journal then shows as exited:
 *    at once, or, where something of the tree lives on, when that is killed or the record is of no more use.
 * 4. A record is on `ended` or `known` exactly while it is over and is not the current run of an instance.
 * 5. A parent is older than its children. When its record goes, they become its parent's: who waits for a whole tree
 *    waits for them, too.
 */
#include "daemon/engine/core/proc.h"
#include "common/scan.h"
#include "common/units.h"
#include "daemon/engine/core/core.h"
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

/* --- lists and names ------------------------------------------------------------------------------------------- */

void proc_dirty(struct proc *p)
{
	if (!list_linked(&p->dirty))
		list_push(&core.dirty, &p->dirty);
}

static void keep_expired(struct timer *t)
{
	(void)t;
	procs_expire();
}

/* A timer that comes sooner looks again: it need not be moved for every process that is joined. */
static void keep_until(nsec_t at)
{
	if (at != NSEC_NEVER && (!timer_is_set(&core.keep_timer) || at < core.keep_timer.at))
		timer_set(&core.timers, &core.keep_timer, at, keep_expired);
}

/* Puts the record on the list of its kind, or on none. */
static void proc_file(struct proc *p)
{
	if (list_linked(&p->by_end)) {
		list_del(&p->by_end);
		*(p->i.joined ? &core.nknown : &core.nended) -= 1;
	}
	if (!proc_over(p) || p->inst)
		return;
	list_push(p->i.joined ? &core.known : &core.ended, &p->by_end);
	*(p->i.joined ? &core.nknown : &core.nended) += 1;
	keep_until(timer_after(core.now, core.keep));
}

/* A copy, followed by a NUL. */
static struct span text_copy(struct span text)
{
	char *copy = malloc(text.n + 1);
	must(copy);
	if (text.n)
		memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return (struct span){copy, text.n};
}

static void name_enter(struct proc *p)
{
	struct name *n = map_get_str(&core.names, p->text[TEXT_NAME]);
	if (!n) {
		n = calloc(1, sizeof(*n));
		must(n);
		n->key = text_copy(p->text[TEXT_NAME]);
		list_init(&n->procs);
		must(map_put_str(&core.names, n->key, n) == 0);
	}
	list_unshift(&n->procs, &p->by_name);
	p->name = n;
}

static void name_leave(struct proc *p)
{
	struct name *n = p->name;
	list_del(&p->by_name);
	if (!list_empty(&n->procs))
		return;
	map_del_str(&core.names, n->key);
	free((char *)n->key.p);
	free(n);
}

static struct proc *proc_make(uint64_t id, const struct span text[PROC_TEXTS], uint32_t instance)
{
	struct proc *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	for (int t = 0; t < PROC_TEXTS; t++)
		p->text[t] = text_copy(text[t]);
	p->instance = instance;
	p->i.id = id;
	p->i.state = PROC_STARTING;
	list_init(&p->by_end);
	list_init(&p->dirty);
	list_init(&p->brood);
	list_init(&p->by_brood);
	list_init(&p->by_name);
	subject_init(&p->subject);
	subject_init(&p->output);
	must(map_put(&core.ids, id, p) == 0);
	if (p->text[TEXT_SESSION].n)
		must(map_put_str(&core.origins, p->text[TEXT_SESSION], p) == 0);
	list_push(&core.procs, &p->by_all);
	name_enter(p);
	core.alive++;
	core_saw(id);
	return p;
}

static void proc_set_parent(struct proc *p)
{
	struct proc *parent = p->i.parent == PARENT_PROC ? proc_by_id(p->i.parent_id) : NULL;
	list_del(&p->by_brood);
	if (parent)
		list_push(&parent->brood, &p->by_brood);
}

struct proc *proc_again(uint64_t id, const struct proc_image *image, const struct span text[PROC_TEXTS],
			uint32_t instance)
{
	struct proc *p = proc_make(id, text, instance);
	if (!p)
		return NULL;
	p->i = *image;
	p->i.id = id;
	p->i.state = PROC_STARTING;
	p->i.created = core.now;
	p->i.deadline = NSEC_NEVER;
	p->synced = true;
	proc_set_parent(p);
	proc_save(p, true);
	return p;
}

struct proc *proc_new(const struct proc_image *image, const struct span text[PROC_TEXTS], uint32_t instance)
{
	return proc_again(core.next_id, image, text, instance);
}

static void brood_pass_on(struct proc *p)
{
	struct list *n;
	while ((n = list_shift(&p->brood))) {
		struct proc *child = LIST_ENTRY(n, struct proc, by_brood);
		if (p->i.parent != PARENT_PROC)
			continue;
		child->i.parent_id = p->i.parent_id;
		proc_set_parent(child);
		proc_dirty(child);
	}
}

/* Out of everything but the memory, which goes after the save of the next turn. */
static void proc_detach(struct proc *p)
{
	brood_pass_on(p);
	list_del(&p->by_brood);
	list_del(&p->dirty);
	if (list_linked(&p->by_end)) {
		list_del(&p->by_end);
		*(p->i.joined ? &core.nknown : &core.nended) -= 1;
	}
	timer_clear(&core.timers, &p->timer);
	map_del(&core.ids, p->i.id);
	if (p->text[TEXT_SESSION].n && map_get_str(&core.origins, p->text[TEXT_SESSION]) == p)
		map_del_str(&core.origins, p->text[TEXT_SESSION]);
	name_leave(p);
	list_del(&p->by_all);
	list_push(&core.dropped[0], &p->by_all);
}

static void proc_release(struct proc *p)
{
	core.nleft -= p->left;
	p->left = p->slotted = false;
	core.ops->release(p);
}

/* Over: released, unless something is left that can be killed for as long as the keeper keeps it. Not so many that none
 * could be started. */
static void proc_let_go(struct proc *p)
{
	if (!p->i.leftover || core.nleft >= CORE_LEFT_MAX) {
		proc_release(p);
	} else if (!p->left) {
		p->left = true;
		core.nleft++;
	}
}

void proc_forget(struct proc *p)
{
	if (p->left)
		proc_release(p);
	proc_detach(p);
	core.ops->save(JOURNAL_FORGET, &p->i.id, sizeof(p->i.id), NULL, 0);
	core.ops->forgotten(p);
}

void proc_set_inst(struct proc *p, struct inst *t)
{
	p->inst = t;
	if (!t && !p->i.joined) { /* superseded: among the first to be forgotten */
		if (list_linked(&p->by_end)) {
			list_del(&p->by_end);
			core.nended--;
		}
		p->i.joined = 1;
		proc_dirty(p);
	}
	if (!t && p->left && !p->i.tree_killed)
		proc_release(p);
	proc_file(p);
}

static bool proc_waited(const struct proc *p) { return subject_waited(&p->subject) || subject_waited(&p->output); }

void procs_expire(void)
{
	struct proc *p, *tmp;
	if (!core.synced)
		return;
	LIST_EACH_SAFE (p, tmp, &core.known, by_end) {
		if (core.nknown <= CORE_KNOWN_MAX)
			break;
		if (!proc_waited(p))
			proc_forget(p);
	}
	LIST_EACH_SAFE (p, tmp, &core.ended, by_end) {
		nsec_t until = timer_after(p->i.ended, core.keep);
		if (core.nended <= CORE_ENDED_MAX && until > core.now) {
			keep_until(until);
			break;
		}
		if (!proc_waited(p))
			proc_forget(p);
	}
}

/* --- the table --------------------------------------------------------------------------------------------------- */

typedef enum proc_state proc_action(struct proc *);

static void proc_event(struct proc *, enum proc_event);

static void proc_timer(struct timer *t)
{
	struct proc *p = CONTAINER_OF(t, struct proc, timer);
	p->i.deadline = NSEC_NEVER;
	proc_event(p, PROC_EV_TIMER);
}

static void proc_arm(struct proc *p, nsec_t at)
{
	p->i.deadline = at;
	if (at == NSEC_NEVER)
		timer_clear(&core.timers, &p->timer);
	else
		timer_set(&core.timers, &p->timer, at, proc_timer);
}

static void touch_up(struct proc *p)
{
	for (int depth = 0; depth < 64 && p; depth++) {
		subject_touch(&p->subject);
		if (p->inst)
			subject_touch(&p->inst->subject);
		p = p->i.parent == PARENT_PROC ? proc_by_id(p->i.parent_id) : NULL;
	}
}

/* Daemonic children end with their parent, and so do all that a daemonic process was allowed to have. */
static bool ends_with(const struct proc *child, const struct proc *parent)
{
	return child->i.daemon || (parent && parent->i.daemon);
}

/* Its other children run on. What the keeper has not told of yet cannot be signalled: proc_synced() sees to it. */
static void brood_end(struct proc *p)
{
	struct proc *child;
	LIST_EACH (child, &p->brood, by_brood)
		if (ends_with(child, p) && child->synced && !proc_over(child))
			proc_stop(child, SIGTERM, -1, WHY_PARENT);
}

static enum proc_state proc_end(struct proc *p)
{
	proc_arm(p, NSEC_NEVER);
	core.ops->drain(p);
	proc_let_go(p);
	if (p->i.pid && map_get(&core.pids, (uint64_t)p->i.pid) == p)
		map_del(&core.pids, (uint64_t)p->i.pid);
	core.alive--;
	return PROC_EXITED;
}

static enum proc_state act_started(struct proc *p)
{
	if (p->i.limit != NSEC_NEVER)
		proc_arm(p, timer_after(p->i.started, p->i.limit));
	return PROC_RUNNING;
}

static enum proc_state act_exit(struct proc *p)
{
	if (p->i.tree_killed)
		return PROC_ENDING;
	if (p->i.leftover && p->i.kill_mode == KILL_TREE) {
		p->i.tree_killed = 1;
		core.ops->kill_tree(p);
		return PROC_ENDING;
	}
	if (p->i.leftover && p->i.kill_mode == KILL_GROUP)
		core.ops->signal(p, SIGKILL, SCOPE_GROUP);
	return proc_end(p);
}

static enum proc_state act_empty(struct proc *p)
{
	p->i.tree_killed = 0;
	p->i.leftover = 0;
	return proc_end(p);
}

static enum link_scope proc_scope(const struct proc *p)
{
	static const enum link_scope scope[] = {
		[KILL_TREE] = SCOPE_TREE, [KILL_GROUP] = SCOPE_GROUP, [KILL_PROCESS] = SCOPE_PROCESS};
	return scope[p->i.kill_mode];
}

static enum proc_state act_kill(struct proc *p)
{
	proc_arm(p, NSEC_NEVER);
	p->i.tree_killed = 1;
	core.ops->kill_tree(p);
	return PROC_KILLING;
}

/* The stop signal was not enough: as much is killed as was asked to stop. */
static enum proc_state act_stop_timeout(struct proc *p)
{
	p->i.why = WHY_STOP_TIMEOUT;
	if (p->i.kill_mode == KILL_TREE)
		return act_kill(p);
	core.ops->signal(p, SIGKILL, proc_scope(p));
	return PROC_KILLING;
}

static enum proc_state act_limit(struct proc *p)
{
	p->i.why = WHY_LIMIT;
	core.ops->signal(p, SIGTERM, proc_scope(p));
	proc_arm(p, timer_after(core.now, p->i.stop_timeout));
	return PROC_STOPPING;
}

/* A kill of a whole tree where so far only a part of it was killed. */
static enum proc_state act_kill_all(struct proc *p) { return p->i.tree_killed ? PROC_KILLING : act_kill(p); }

/* The signal itself is sent by proc_stop(), which knows which. */
static enum proc_state act_stopping(struct proc *p)
{
	(void)p;
	return PROC_STOPPING;
}

static enum proc_state act_pend(struct proc *p)
{
	p->i.stop_pending = MAX(p->i.stop_pending, PROC_EV_STOP);
	return PROC_STARTING;
}

static enum proc_state act_pend_kill(struct proc *p)
{
	p->i.stop_pending = PROC_EV_KILL;
	return PROC_STARTING;
}

/* The keeper tells again what the journal knows. */
static enum proc_state act_release(struct proc *p)
{
	proc_let_go(p);
	return PROC_EXITED;
}

static enum proc_state act_kill_leftover(struct proc *p)
{
	if (p->left && !p->i.tree_killed) {
		p->i.tree_killed = 1;
		core.ops->kill_tree(p);
	}
	return PROC_EXITED;
}

static enum proc_state act_leftover_gone(struct proc *p)
{
	p->i.leftover = p->i.tree_killed = 0;
	if (p->left)
		proc_release(p);
	touch_up(p);
	return PROC_EXITED;
}

/* NULL: nothing happens. */
static proc_action *const rule[PROC_STATES][PROC_EVENTS] = {
	[PROC_STARTING] = {[PROC_EV_STARTED] = act_started,
			   [PROC_EV_FAILED] = proc_end,
			   [PROC_EV_EXIT] = act_exit,
			   [PROC_EV_EMPTY] = NULL,
			   [PROC_EV_STOP] = act_pend,
			   [PROC_EV_KILL] = act_pend_kill,
			   [PROC_EV_TIMER] = NULL},
	[PROC_RUNNING] = {[PROC_EV_STARTED] = NULL, /* told again */
			  [PROC_EV_FAILED] = proc_end,
			  [PROC_EV_EXIT] = act_exit,
			  [PROC_EV_EMPTY] = NULL,
			  [PROC_EV_STOP] = act_stopping,
			  [PROC_EV_KILL] = act_kill,
			  [PROC_EV_TIMER] = act_limit},
	[PROC_STOPPING] = {[PROC_EV_STARTED] = NULL,
			   [PROC_EV_FAILED] = proc_end,
			   [PROC_EV_EXIT] = act_exit,
			   [PROC_EV_EMPTY] = NULL,
			   [PROC_EV_STOP] = act_stopping,
			   [PROC_EV_KILL] = act_kill,
			   [PROC_EV_TIMER] = act_stop_timeout},
	[PROC_KILLING] = {[PROC_EV_STARTED] = NULL,
			  [PROC_EV_FAILED] = proc_end,
			  [PROC_EV_EXIT] = act_exit,
			  [PROC_EV_EMPTY] = NULL, /* the exit comes first, always */
			  [PROC_EV_STOP] = NULL,
			  [PROC_EV_KILL] = act_kill_all,
			  [PROC_EV_TIMER] = NULL},
	[PROC_ENDING] = {[PROC_EV_STARTED] = NULL,
			 [PROC_EV_FAILED] = proc_end,
			 [PROC_EV_EXIT] = NULL, /* told again */
			 [PROC_EV_EMPTY] = act_empty,
			 [PROC_EV_STOP] = NULL,
			 [PROC_EV_KILL] = NULL,
			 [PROC_EV_TIMER] = NULL},
	[PROC_EXITED] = {[PROC_EV_STARTED] = NULL,
			 [PROC_EV_FAILED] = act_release,
			 [PROC_EV_EXIT] = act_release,
			 [PROC_EV_EMPTY] = act_leftover_gone,
			 [PROC_EV_STOP] = NULL,
			 [PROC_EV_KILL] = act_kill_leftover,
			 [PROC_EV_TIMER] = NULL},
};

/* What follows from having reached a state. */
static void proc_entered(struct proc *p, enum proc_state from)
{
	if (from == PROC_STARTING && p->i.state == PROC_RUNNING) {
		core.ops->event(p, p->inst, "started");
		if (p->inst)
			inst_on_started(p->inst);
	}
	if (p->i.state != PROC_EXITED)
		return;
	proc_file(p);
	brood_end(p);
	subject_touch(&p->output);
	core.ops->event(p, p->inst, p->i.failed ? "failed" : "exited");
	if (p->inst)
		inst_on_over(p->inst);
	procs_expire();
}

static void proc_event(struct proc *p, enum proc_event event)
{
	proc_action *act = rule[p->i.state][event];
	if (!act)
		return;
	enum proc_state from = p->i.state, to = act(p);
	proc_dirty(p);
	if (to == from)
		return;
	p->i.state = to;
	touch_up(p);
	proc_entered(p, from);
}

/* --- events from outside ------------------------------------------------------------------------------------------ */

/* The kernel may have given the number again: it is the youngest's. */
static void pid_enter(struct proc *p)
{
	const struct proc *other = map_get(&core.pids, (uint64_t)p->i.pid);
	if (!other || other->i.id < p->i.id)
		must(map_put(&core.pids, (uint64_t)p->i.pid, p) == 0);
}

/* Asked to stop while it was starting: now it can be. */
static void proc_stop_pending(struct proc *p)
{
	enum proc_event pending = p->i.stop_pending;
	p->i.stop_pending = 0;
	if (pending == PROC_EV_KILL)
		proc_kill(p, p->i.why);
	else if (pending == PROC_EV_STOP)
		proc_stop(p, 0, -1, p->i.why);
}

void proc_on_started(struct proc *p, const struct link_msg *m)
{
	p->slot = m->slot;
	p->slotted = p->synced = true;
	if (proc_over(p))
		return;
	p->i.pid = m->started.pid;
	p->i.started = m->started.start;
	p->i.uid = m->started.uid;
	p->i.gid = m->started.gid;
	pid_enter(p);
	proc_dirty(p);
	proc_event(p, PROC_EV_STARTED);
	proc_stop_pending(p);
}

void proc_on_failed(struct proc *p, const struct link_msg *m)
{
	p->slot = m->slot;
	p->slotted = p->synced = true;
	if (!proc_over(p)) {
		p->i.failed = 1;
		p->i.leftover = 0;
		p->i.step = m->failed.step;
		p->i.error = m->failed.error;
		p->i.ended = core.now;
	}
	proc_event(p, PROC_EV_FAILED);
}

void proc_on_exited(struct proc *p, const struct link_msg *m)
{
	p->slot = m->slot;
	p->slotted = p->synced = true;
	if (p->i.state < PROC_ENDING) {
		p->i.pid = m->exited.pid;
		p->i.code = m->exited.code;
		p->i.status = m->exited.status;
		p->i.started = m->exited.start;
		p->i.ended = m->exited.end;
		p->i.user = m->exited.user;
		p->i.system = m->exited.system;
		p->i.maxrss = m->exited.maxrss;
		p->i.leftover = m->exited.leftover != 0;
	}
	proc_event(p, PROC_EV_EXIT);
}

void proc_on_empty(struct proc *p) { proc_event(p, PROC_EV_EMPTY); }

void proc_on_parent_gone(struct proc *p)
{
	if (p->i.daemon)
		proc_stop(p, SIGTERM, -1, WHY_PARENT);
}

/* The FORGET was journaled, its RELEASE did not go out. */
static void release_again(const struct link_msg *m)
{
	const struct proc gone = {.i.id = m->id, .slot = m->slot};
	if (m->type != LINK_STARTED)
		core.ops->release(&gone);
}

struct proc *proc_adopt(const struct link_msg *m)
{
	if (map_get(&core.gone, m->id)) {
		release_again(m);
		return NULL;
	}
	struct proc *p = inst_adopt(m->id);
	if (p)
		return p;
	char name[32];
	int n = snprintf(name, sizeof(name), "recovered-%llu", (unsigned long long)m->id);
	const struct span text[PROC_TEXTS] = {[TEXT_NAME] = {name, (size_t)n}, [TEXT_ARGV] = SPAN("[]")};
	const struct proc_image image = {
		.kill_mode = KILL_TREE, .stop_signal = SIGTERM, .stop_timeout = 10 * NSEC_PER_SEC, .limit = NSEC_NEVER};
	return proc_again(m->id, &image, text, 0);
}

/* For proc_stop_pending(), when it has started. */
static void stop_later(struct proc *p, int signo, nsec_t timeout)
{
	if (signo)
		p->i.stop_signal = signo;
	if (timeout >= 0)
		p->i.stop_timeout = timeout;
}

void proc_stop(struct proc *p, int signo, nsec_t timeout, enum proc_why why)
{
	if (p->i.state > PROC_STOPPING)
		return;
	if (p->i.why == WHY_NONE)
		p->i.why = (uint8_t)why;
	nsec_t at = timer_after(core.now, timeout < 0 ? p->i.stop_timeout : timeout);
	if (p->i.state == PROC_STARTING)
		stop_later(p, signo, timeout);
	else if (p->i.state == PROC_RUNNING)
		core.ops->signal(p, signo ? signo : p->i.stop_signal, proc_scope(p));
	if (p->i.state == PROC_RUNNING || (p->i.state == PROC_STOPPING && at < p->i.deadline))
		proc_arm(p, at);
	proc_event(p, PROC_EV_STOP);
}

void proc_kill(struct proc *p, enum proc_why why)
{
	if (p->i.why == WHY_NONE && p->i.state < PROC_ENDING)
		p->i.why = (uint8_t)why;
	proc_event(p, PROC_EV_KILL);
}

int proc_signal(struct proc *p, int signo, enum link_scope scope)
{
	if (p->i.state == PROC_STARTING || p->i.state >= PROC_ENDING)
		return -1;
	core.ops->signal(p, signo, scope);
	return 0;
}

void proc_join(struct proc *p)
{
	if (p->i.joined || !proc_over(p))
		return;
	if (list_linked(&p->by_end)) {
		list_del(&p->by_end);
		core.nended--;
	}
	p->i.joined = 1;
	proc_file(p);
	proc_dirty(p);
	procs_expire();
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

static bool tree_over(const struct proc *p, int depth)
{
	if (!proc_over(p) || depth > 64)
		return proc_over(p);
	struct proc *child;
	LIST_EACH (child, &p->brood, by_brood)
		if (!tree_over(child, depth + 1))
			return false;
	return true;
}

bool proc_tree_over(const struct proc *p) { return tree_over(p, 0); }

int proc_exitcode(const struct proc *p)
{
	if (p->i.failed)
		return p->i.step == STEP_EXEC && p->i.error == ENOENT ? 127 : 126;
	if (p->i.why == WHY_LOST && p->i.code == 0)
		return 255;
	return p->i.code == CLD_EXITED ? p->i.status : -p->i.status;
}

const char *proc_state_name(const struct proc *p)
{
	static const char *const names[PROC_STATES] = {
		[PROC_STARTING] = "starting", [PROC_RUNNING] = "running", [PROC_STOPPING] = "stopping",
		[PROC_KILLING] = "stopping",  [PROC_ENDING] = "stopping", [PROC_EXITED] = "exited",
	};
	return p->i.failed && proc_over(p) ? "failed" : names[p->i.state];
}

const char *spawn_step_name(int step)
{
	static const char *const names[] = {
#define X(symbol, name) [STEP_##symbol] = name,
		SPAWN_STEPS(X)
#undef X
	};
	return step >= 0 && (size_t)step < ARRAY_LEN(names) ? names[step] : "start";
}

static void first_of_argv(const struct proc *p, struct buf *out)
{
	struct scan_iter it = scan_iter(p->text[TEXT_ARGV]);
	struct span key, value;
	if (scan_next(&it, &key, &value))
		scan_bytes(value, out);
}

struct span proc_fail_subject(const struct proc *p)
{
	static const enum proc_text texts[] = {
		[STEP_CHDIR] = TEXT_CWD, [STEP_STDIN] = TEXT_IN, [STEP_STDOUT] = TEXT_OUT, [STEP_STDERR] = TEXT_ERR};
	static struct buf out;
	buf_clear(&out, 4096);
	if (p->i.step == STEP_EXEC)
		first_of_argv(p, &out);
	else if (p->i.step >= 0 && (size_t)p->i.step < ARRAY_LEN(texts) && texts[p->i.step] != TEXT_NAME)
		buf_span(&out, p->text[texts[p->i.step]]);
	if (out.len == 0)
		buf_puts(&out, spawn_step_name(p->i.step));
	return (struct span){buf_str(&out), out.len};
}

static void reason_of_end(const struct proc *p, struct buf *b)
{
	if (p->i.code == CLD_EXITED) {
		if (p->i.status)
			buf_printf(b, "exit %d", p->i.status);
		return;
	}
	buf_printf(b, "signal %d (%s)%s", p->i.status, units_signal_name(p->i.status),
		   p->i.code == CLD_DUMPED ? ", core dumped" : "");
}

void proc_reason(const struct proc *p, struct buf *b)
{
	static const char *const whys[] = {
		[WHY_NONE] = "",
		[WHY_STOP] = "stopped",
		[WHY_STOP_TIMEOUT] = "killed: did not stop in time",
		[WHY_LIMIT] = "time limit",
		[WHY_PARENT] = "parent ended",
		[WHY_KILL] = "killed",
		[WHY_LOST] = "lost",
	};
	if (p->i.failed) {
		struct span subject = proc_fail_subject(p);
		const char *what = p->i.error == ENOENT ? "not found" : strerror(p->i.error);
		buf_printf(b, "exit %d: %.*s: %s", proc_exitcode(p), (int)subject.n, subject.p, what);
		return;
	}
	size_t before = b->len;
	if (proc_over(p) && p->i.code)
		reason_of_end(p, b);
	if (p->i.why != WHY_NONE)
		buf_printf(b, "%s%s", b->len > before ? ", " : "", whys[p->i.why]);
	if (p->i.leftover && proc_over(p))
		buf_printf(b, "%sleftover processes live", b->len > before ? ", " : "");
}

struct proc *proc_by_id(uint64_t id) { return map_get(&core.ids, id); }
struct proc *proc_by_pid(pid_t pid) { return map_get(&core.pids, (uint64_t)pid); }

struct proc *proc_by_name(struct span name, uid_t uid)
{
	struct name *n = map_get_str(&core.names, name);
	struct proc *p;
	if (n)
		LIST_EACH (p, &n->procs, by_name)
			if (uid == 0 || p->i.uid == uid)
				return p;
	return NULL;
}

bool proc_name_taken(struct span name, uid_t uid)
{
	struct name *n = map_get_str(&core.names, name);
	struct proc *p;
	if (n)
		LIST_EACH (p, &n->procs, by_name)
			if (!proc_over(p) && p->i.uid == uid)
				return true;
	return false;
}

struct proc *proc_by_origin(uid_t uid, struct span origin)
{
	struct proc *p = origin.n ? map_get_str(&core.origins, origin) : NULL;
	return p && p->i.uid == uid ? p : NULL;
}

/* --- journal ------------------------------------------------------------------------------------------------------ */

static void put_text(struct buf *b, const struct proc *p)
{
	buf_put(b, &p->i.id, sizeof(p->i.id));
	buf_put(b, &p->instance, sizeof(p->instance));
	for (int t = 0; t < PROC_TEXTS; t++) {
		uint32_t n = (uint32_t)p->text[t].n;
		buf_put(b, &n, sizeof(n));
		buf_span(b, p->text[t]);
	}
}

void proc_save(struct proc *p, bool with_text)
{
	static struct buf text;
	if (with_text) {
		buf_clear(&text, 65536);
		put_text(&text, p);
		must(!text.failed);
		core.ops->save(JOURNAL_TEXT, text.p, text.len, NULL, 0);
	}
	list_del(&p->dirty);
	core.ops->save(JOURNAL_PROC, &p->i, sizeof(p->i), NULL, 0);
}

static bool take(struct span *from, void *to, size_t n)
{
	if (from->n < n)
		return false;
	memcpy(to, from->p, n);
	from->p += n;
	from->n -= n;
	return true;
}

int proc_load_text(struct span body)
{
	uint64_t id;
	uint32_t instance, n;
	struct span text[PROC_TEXTS];
	if (!take(&body, &id, sizeof(id)) || !take(&body, &instance, sizeof(instance)))
		return -1;
	for (int t = 0; t < PROC_TEXTS; t++) {
		if (!take(&body, &n, sizeof(n)) || n > body.n)
			return -1;
		text[t] = (struct span){body.p, n};
		body.p += n;
		body.n -= n;
	}
	if (core_saw(id) < 0 || text[TEXT_NAME].n == 0 || body.n || proc_by_id(id) || map_get(&core.gone, id) ||
	    scan_check(text[TEXT_ARGV], NULL, &(struct scan_error){0}))
		return -1;
	return proc_make(id, text, instance) ? 0 : -1;
}

/* Also what a CRC does not tell: that nothing here can lead to an overflow or a circle. */
static bool image_valid(const struct proc_image *i)
{
	return i->state < PROC_STATES && i->parent <= PARENT_FOREIGN && i->context <= CONTEXT_FORK &&
	       i->kill_mode <= KILL_PROCESS && i->why <= WHY_LOST && i->stop_pending < PROC_EVENTS && i->joined <= 1 &&
	       i->pid >= 0 && (i->parent != PARENT_PROC || i->parent_id < i->id) && i->created >= 0 &&
	       i->started >= 0 && i->ended >= 0 && i->deadline >= 0 && i->stop_timeout >= 0 && i->limit >= 0;
}

int proc_load_image(struct span body)
{
	struct proc_image i;
	if (body.n != sizeof(i))
		return -1;
	memcpy(&i, body.p, sizeof(i));
	struct proc *p = core_saw(i.id) == 0 ? proc_by_id(i.id) : NULL;
	if (!p || !image_valid(&i) || (proc_over(p) && i.state != PROC_EXITED))
		return -1;
	bool was_over = proc_over(p);
	if (list_linked(&p->by_end)) {
		list_del(&p->by_end);
		*(p->i.joined ? &core.nknown : &core.nended) -= 1;
	}
	p->i = i;
	proc_set_parent(p);
	if (proc_over(p) && !was_over)
		core.alive--;
	proc_file(p);
	return 0;
}

int proc_load_forget(struct span body)
{
	uint64_t id;
	if (body.n != sizeof(id))
		return -1;
	memcpy(&id, body.p, sizeof(id));
	if (core_saw(id) < 0)
		return -1;
	must(map_put(&core.gone, id, &core) == 0);
	struct proc *p = proc_by_id(id);
	if (!p)
		return 0;
	if (p->inst) /* its next run follows in this turn */
		p->inst->proc = NULL;
	p->inst = NULL;
	if (!proc_over(p)) {
		core.alive--;
		p->i.state = PROC_EXITED;
	}
	proc_detach(p);
	return 0;
}

/* Its parent has ended, and it should. */
static bool outlives_parent(const struct proc *p)
{
	const struct proc *parent = p->i.parent == PARENT_PROC ? proc_by_id(p->i.parent_id) : NULL;
	return p->i.parent == PARENT_PROC && (!parent || proc_over(parent)) && ends_with(p, parent);
}

/* What a dead engine left half-done. What the keeper does not know was never sent, or was released. */
void proc_synced(struct proc *p)
{
	if (proc_over(p)) {
		if (p->left && p->i.tree_killed)
			core.ops->kill_tree(p);
		else
			p->i.tree_killed = 0; /* nobody would answer */
		return;
	}
	if (p->synced) {
		if (p->i.tree_killed)
			core.ops->kill_tree(p);
		if (p->i.deadline != NSEC_NEVER)
			proc_arm(p, p->i.deadline);
		if (p->i.state < PROC_STOPPING && outlives_parent(p))
			proc_stop(p, SIGTERM, -1, WHY_PARENT);
		return;
	}
	if (p->i.state == PROC_STARTING && p->inst) {
		p->synced = true;
		core.ops->spawn(p);
		return;
	}
	bool never_sent = p->i.state == PROC_STARTING;
	p->i.why = WHY_LOST;
	p->i.ended = core.now;
	p->i.state = PROC_EXITED;
	core.alive--;
	proc_dirty(p);
	if (never_sent) {
		proc_forget(p);
		return;
	}
	proc_file(p);
	brood_end(p);
	if (p->inst)
		inst_on_over(p->inst);
}
