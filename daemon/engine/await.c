/* SPDX-License-Identifier: MIT */
/* The waits of await.h: one waiter over the subjects of its targets. A join is known to the search for deadlocks, by a
 * shadow among what its process wants. */
#include "daemon/engine/await.h"
#include "daemon/engine/core/core.h"

struct await {
	struct waiter waiter;
	struct want shadow;
	struct req *req;
	struct targets targets;
	enum await_for what;
	bool any, done;
};

static bool has_come(enum await_for what, const struct target *t)
{
	switch (what) {
	case AWAIT_JOIN:
	case AWAIT_ENDED:
		return target_ended(t);
	case AWAIT_TREE:
		return target_ended(t) && (!t->proc || proc_tree_over(t->proc));
	case AWAIT_RUN:
		return proc_over(t->proc) && !t->proc->i.tree_killed;
	case AWAIT_SETTLED:
		return !t->inst || inst_settled(t->inst);
	case AWAIT_NOTHING:
		break;
	}
	return true;
}

static void refresh(struct targets *ts)
{
	for (size_t i = 0; i < ts->n; i++)
		if (ts->v[i].inst)
			ts->v[i].proc = ts->v[i].inst->proc;
}

static bool is_join(const struct await *a) { return a->what == AWAIT_JOIN || a->what == AWAIT_TREE; }

/* The ended ones first, in the order asked for: compacted in place; the names of the rest behind them. */
static void render_join(struct buf *b, struct await *a)
{
	AUTO_BUF pending = BUF_INIT;
	size_t ended = 0;
	for (size_t i = 0; i < a->targets.n; i++) {
		struct target *t = &a->targets.v[i];
		if (has_come(a->what, t)) {
			if (t->proc)
				proc_join(t->proc);
			a->targets.v[ended++] = *t;
			continue;
		}
		if (pending.len)
			buf_putc(&pending, ',');
		scan_put_str(&pending, target_name(t));
	}
	render_targets(b, a->targets.v, ended, RENDER_PLAIN);
	buf_puts(b, ",\"pending\":[");
	buf_span(b, buf_view(&pending));
	buf_putc(b, ']');
}

static void await_free(struct await *a)
{
	want_shadow_leave(&a->shadow);
	targets_done(&a->targets);
	free(a);
}

static void await_answer(struct await *a)
{
	struct buf *b = reply_begin(a->req);
	refresh(&a->targets);
	buf_printf(b, "{\"done\":%s,", a->done ? "true" : "false");
	if (is_join(a))
		render_join(b, a);
	else
		render_targets(b, a->targets.v, a->targets.n, RENDER_PLAIN);
	buf_putc(b, '}');
	reply_end(a->req);
	await_free(a);
}

static enum step await_attempt(struct waiter *w)
{
	struct await *a = CONTAINER_OF(w, struct await, waiter);
	size_t come = 0;
	refresh(&a->targets);
	for (size_t i = 0; i < a->targets.n; i++) {
		bool here = has_come(a->what, &a->targets.v[i]);
		come += here;
		if (!here && !a->any)
			return STEP_WAIT;
	}
	a->done = come > 0 || a->targets.n == 0;
	return a->done ? STEP_DONE : STEP_WAIT;
}

static void await_done(struct waiter *w) { await_answer(CONTAINER_OF(w, struct await, waiter)); }

static const struct wait_ops await_ops = {.attempt = await_attempt, .done = await_done, .expire = await_done};

static bool await_cancel(struct req *req, bool gone)
{
	(void)gone;
	struct await *a = req->wait;
	waiter_drop(&a->waiter);
	await_free(a);
	return true;
}

/* --- deadlocks -------------------------------------------------------------------------------------------------- */

/* Each owner that a process has could keep it from ending; who waits for any of many is not stuck with one. */
static void join_holders(const struct want *w, struct holders *ret)
{
	const struct await *a = CONTAINER_OF(w, struct await, shadow);
	ret->open = a->any && a->targets.n > 1;
	for (size_t i = 0; i < a->targets.n; i++) {
		const struct target *t = &a->targets.v[i];
		const struct proc *p = t->inst ? t->inst->proc : t->proc;
		struct owner *o = p && !has_come(a->what, t) ? owner_by_pid(p->i.pid) : NULL;
		for (; o; o = owner_next(o))
			holders_add(ret, LIST_FIRST(&o->threads, struct thread, by_owner));
	}
}

static const struct want_ops join_ops = {.size = sizeof(struct want), .what = "join", .holders = join_holders};

/* Whose wait it is: the process's at the other end where that owns something, else the connection's. NULL: of one who
 * owns nothing nobody waits. */
static struct thread *join_thread(const struct await *a)
{
	struct channel *ch = &a->req->conn->channel;
	struct owner *o = owner_by_pid(ch->self.pid);
	while (o && (o->i.kind != OWNER_PROCESS || o->dying))
		o = owner_next(o);
	if (!o && ch->owner && !ch->owner->dying)
		o = ch->owner;
	return o ? LIST_FIRST(&o->threads, struct thread, by_owner) : NULL;
}

static int await_shadow(struct await *a, nsec_t deadline, struct fault *f)
{
	struct thread *t = is_join(a) ? join_thread(a) : NULL;
	if (!t)
		return 0;
	a->shadow.ops = &join_ops;
	a->shadow.thread = t;
	a->shadow.timeout = deadline == NSEC_NEVER ? NSEC_NEVER : deadline - core.now;
	int code = deadlock_check(&a->shadow, f);
	if (!code)
		want_shadow(&a->shadow, t);
	return code;
}

/* --- parking ---------------------------------------------------------------------------------------------------- */

/* A run is what was there when it was asked for; what never ran has nothing to wait for. */
static void only_runs(struct targets *ts)
{
	size_t n = 0;
	for (size_t i = 0; i < ts->n; i++)
		if (ts->v[i].proc)
			ts->v[n++] = (struct target){.proc = ts->v[i].proc};
	ts->n = n;
}

static int await_park(struct await *a, nsec_t deadline)
{
	AUTO_FREE struct subject **subjects = calloc(a->targets.n + 1, sizeof(*subjects));
	if (!subjects)
		return -1;
	for (size_t i = 0; i < a->targets.n; i++)
		subjects[i] = target_subject(&a->targets.v[i]);
	return waiter_park(&a->waiter, &await_ops, subjects, a->targets.n, deadline);
}

int await_targets(struct req *req, struct targets *ts, enum await_for what, bool any, nsec_t deadline,
		  struct fault *fault)
{
	if (what == AWAIT_RUN)
		only_runs(ts);
	struct await *a = calloc(1, sizeof(*a));
	if (!a) {
		targets_done(ts);
		return fault_set(fault, FAULT_OVERLOADED, "out of memory");
	}
	*a = (struct await){.req = req, .targets = *ts, .what = what, .any = any};
	list_init(&a->shadow.by_thread);
	*ts = (struct targets){0};
	if (await_attempt(&a->waiter) == STEP_DONE || deadline <= core.now) {
		await_answer(a);
		return 0;
	}
	int code = await_shadow(a, deadline, fault);
	if (!code && await_park(a, deadline) < 0)
		code = fault_set(fault, FAULT_OVERLOADED, "out of memory");
	if (code) {
		await_free(a);
		return code;
	}
	req_park(req, await_cancel, a);
	return 0;
}

nsec_t await_deadline(bool given, nsec_t timeout)
{
	return !given || timeout >= NSEC_NEVER - core.now ? NSEC_NEVER : core.now + timeout;
}
