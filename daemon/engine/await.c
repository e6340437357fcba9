/* SPDX-License-Identifier: MIT */
/* The waits of await.h: one waiter over the subjects of its targets. */
#include "daemon/engine/await.h"

struct await {
	struct waiter waiter;
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
	*ts = (struct targets){0};
	if (await_attempt(&a->waiter) == STEP_DONE || deadline <= core.now) {
		await_answer(a);
		return 0;
	}
	if (await_park(a, deadline) < 0) {
		await_free(a);
		return fault_set(fault, FAULT_OVERLOADED, "out of memory");
	}
	req_park(req, await_cancel, a);
	return 0;
}

nsec_t await_deadline(bool given, nsec_t timeout)
{
	return !given || timeout >= NSEC_NEVER - core.now ? NSEC_NEVER : core.now + timeout;
}
