/* SPDX-License-Identifier: MIT */
/* process.*, but start and logs: one thin handler a command. */
#include "daemon/engine/attribute.h"
#include "daemon/engine/await.h"
#include "daemon/engine/commands.h"
#include "daemon/engine/diary.h"
#include <signal.h>

/* Waiting for oneself, or for one whose end waits for oneself, would never end. */
static int check_deadlock(struct req *req, const struct targets *ts, struct fault *fault)
{
	const struct proc *self = conn_process(req->conn);
	for (int depth = 0; self && depth < 64; depth++) {
		for (size_t i = 0; i < ts->n; i++)
			if (ts->v[i].proc == self && !proc_over(self)) {
				fault_set(fault, FAULT_DEADLOCK,
					  "%s: the caller is part of it: the join could never end",
					  self->text[TEXT_NAME].p);
				return fault_data(fault, "\"cycle\":[\"%s\"]", self->text[TEXT_NAME].p);
			}
		self = self->i.parent == PARENT_PROC ? proc_by_id(self->i.parent_id) : NULL;
	}
	return 0;
}

int cmd_process_join(struct req *req, const void *args, struct fault *fault)
{
	const struct args_process_join *a = args;
	struct targets ts;
	int code = targets_find(&req->conn->peer, &a->targets, false, TARGET_ANY, &ts, fault);
	if (code)
		return code;
	if ((code = check_deadlock(req, &ts, fault))) {
		targets_done(&ts);
		return code;
	}
	return await_targets(req, &ts, a->tree ? AWAIT_TREE : AWAIT_JOIN, a->any,
			     await_deadline(GIVEN(a, process_join, timeout), a->timeout), fault);
}

int cmd_process_terminate(struct req *req, const void *args, struct fault *fault)
{
	const struct args_process_terminate *a = args;
	struct targets ts;
	int code = targets_find(&req->conn->peer, &a->targets, a->all, TARGET_ANY, &ts, fault);
	if (code)
		return code;
	bool alone = GIVEN(a, process_terminate, tree) && !a->tree;
	diary_asked(req, &ts);
	for (size_t i = 0; !req->again && i < ts.n; i++) {
		struct proc *p = ts.v[i].proc;
		if (p && proc_signal(p, SIGTERM, alone ? SCOPE_PROCESS : SCOPE_TREE) < 0)
			proc_stop(p, SIGTERM, -1, WHY_NONE); /* still starting */
	}
	return await_targets(req, &ts, a->wait ? AWAIT_RUN : AWAIT_NOTHING, false,
			     await_deadline(GIVEN(a, process_terminate, timeout), a->timeout), fault);
}

int cmd_process_kill(struct req *req, const void *args, struct fault *fault)
{
	const struct args_process_kill *a = args;
	struct targets ts;
	int code = targets_find(&req->conn->peer, &a->targets, a->all, TARGET_ANY, &ts, fault);
	if (code)
		return code;
	bool alone = GIVEN(a, process_kill, tree) && !a->tree;
	diary_asked(req, &ts);
	for (size_t i = 0; i < ts.n; i++) {
		struct proc *p = ts.v[i].proc;
		if (p && (!alone || proc_signal(p, SIGKILL, SCOPE_PROCESS) < 0))
			proc_kill(p, WHY_KILL);
	}
	bool wait = !GIVEN(a, process_kill, wait) || a->wait;
	return await_targets(req, &ts, wait ? AWAIT_RUN : AWAIT_NOTHING, false,
			     await_deadline(GIVEN(a, process_kill, timeout), a->timeout), fault);
}

int stop_targets(struct req *req, struct targets *ts, bool wait, bool timed, nsec_t timeout, struct fault *fault)
{
	diary_asked(req, ts);
	for (size_t i = 0; i < ts->n; i++) {
		if (ts->v[i].inst)
			inst_stop(ts->v[i].inst, timed ? timeout : -1);
		else
			proc_stop(ts->v[i].proc, 0, timed ? timeout : -1, WHY_STOP);
	}
	return await_targets(req, ts, wait ? AWAIT_ENDED : AWAIT_NOTHING, false, NSEC_NEVER, fault);
}

int cmd_process_stop(struct req *req, const void *args, struct fault *fault)
{
	const struct args_process_stop *a = args;
	struct targets ts;
	int code = targets_find(&req->conn->peer, &a->targets, a->all, TARGET_ANY, &ts, fault);
	if (code)
		return code;
	return stop_targets(req, &ts, !GIVEN(a, process_stop, wait) || a->wait, GIVEN(a, process_stop, timeout),
			    a->timeout, fault);
}

int cmd_process_signal(struct req *req, const void *args, struct fault *fault)
{
	const struct args_process_signal *a = args;
	struct targets ts;
	int code = targets_find(&req->conn->peer, &a->targets, a->all, TARGET_ANY, &ts, fault);
	if (code)
		return code;
	diary_asked(req, &ts);
	for (size_t i = 0; i < ts.n; i++)
		if (ts.v[i].proc)
			proc_signal(ts.v[i].proc, a->signal, a->tree ? SCOPE_TREE : SCOPE_PROCESS);
	return await_targets(req, &ts, AWAIT_NOTHING, false, NSEC_NEVER, fault);
}

static int reply_targets(struct req *req, struct targets *ts, enum render_detail detail)
{
	struct buf *b = reply_begin(req);
	buf_putc(b, '{');
	render_targets(b, ts->v, ts->n, detail);
	buf_putc(b, '}');
	reply_end(req);
	targets_done(ts);
	return 0;
}

/* The pidfd of the target's main process into FDS, behind the N that are there, where it runs. */
static int target_pidfd(struct target *t, int fds[CONN_FDS_MAX], size_t *n, struct fault *fault)
{
	bool runs = t->proc && t->proc->i.pid && !t->proc->i.ended;
	t->pidfd = -1;
	if (runs && *n == CONN_FDS_MAX)
		return fault_set(fault, FAULT_PARAMS, "parameter \"pidfd\": of at most %d processes at once",
				 CONN_FDS_MAX);
	int fd = runs ? attribute_pidfd(t->proc) : -1;
	if (runs && fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		return fault_set(fault, FAULT_OVERLOADED, "mpd is out of descriptors; try again later");
	if (fd >= 0) {
		t->pidfd = (int)*n;
		fds[(*n)++] = fd;
	}
	return 0;
}

static int reply_pidfds(struct req *req, struct targets *ts, struct fault *fault)
{
	int fds[CONN_FDS_MAX], code = 0;
	size_t n = 0;
	for (size_t i = 0; !code && i < ts->n; i++)
		code = target_pidfd(&ts->v[i], fds, &n, fault);
	if (code) {
		while (n > 0)
			close(fds[--n]);
		targets_done(ts);
		return code;
	}
	struct buf *b = reply_begin(req);
	reply_fds(req, fds, n);
	buf_printf(b, "{\"fds\":%zu,", n);
	render_targets(b, ts->v, ts->n, RENDER_PIDFDS);
	buf_putc(b, '}');
	reply_end(req);
	targets_done(ts);
	return 0;
}

int cmd_process_status(struct req *req, const void *args, struct fault *fault)
{
	const struct args_process_status *a = args;
	struct targets ts;
	if (a->pidfd && req->batch)
		return fault_set(fault, FAULT_PARAMS, "parameter \"pidfd\": a batch carries no descriptors");
	int code = targets_find(&req->conn->peer, &a->targets, false, TARGET_ANY, &ts, fault);
	if (code)
		return code;
	return a->pidfd ? reply_pidfds(req, &ts, fault) : reply_targets(req, &ts, RENDER_ALL);
}

/* --- list ----------------------------------------------------------------------------------------------------- */

/* Whose children are meant: a process of ours (*RET_ID), or a foreign one (*RET_PID). */
static int parse_parent(struct req *req, struct span raw, uint64_t *ret_id, int64_t *ret_pid, struct fault *fault)
{
	*ret_id = 0;
	*ret_pid = 0;
	if (span_is(raw, "\"me\"")) {
		const struct proc *self = conn_process(req->conn);
		*ret_id = self ? self->i.id : 0;
		*ret_pid = self ? 0 : req->conn->peer.pid;
		return 0;
	}
	if (scan_u64(raw, ret_id) == 0 || scan_i64(scan_get(raw, "pid"), ret_pid) == 0)
		return 0;
	return fault_set(fault, FAULT_PARAMS, "parameter \"parent\": must be a process id, {\"pid\": N} or \"me\"");
}

static bool is_child(const struct proc *p, uint64_t id, int64_t pid)
{
	if (id)
		return p->i.parent == PARENT_PROC && p->i.parent_id == id;
	return p->i.parent == PARENT_FOREIGN && p->i.parent_pid == pid;
}

int cmd_process_list(struct req *req, const void *args, struct fault *fault)
{
	const struct args_process_list *a = args;
	struct targets ts;
	uint64_t id = 0;
	int64_t pid = 0;
	bool by_parent = GIVEN(a, process_list, parent);
	int code = by_parent ? parse_parent(req, a->parent, &id, &pid, fault) : 0;
	if (!code)
		code = a->targets.n ? targets_find(&req->conn->peer, &a->targets, false, TARGET_ANY, &ts, fault)
				    : targets_list(&req->conn->peer, &ts, fault);
	if (code)
		return code;
	size_t n = 0;
	for (size_t i = 0; i < ts.n; i++) {
		const struct proc *p = ts.v[i].proc;
		if ((!a->alive || (p && !proc_over(p))) && (!by_parent || (p && is_child(p, id, pid))))
			ts.v[n++] = ts.v[i];
	}
	ts.n = n;
	return reply_targets(req, &ts, a->usage ? RENDER_USAGE : RENDER_PLAIN);
}

int cmd_process_forget(struct req *req, const void *args, struct fault *fault)
{
	const struct args_process_forget *a = args;
	struct targets ts = {0};
	int code = targets_find(&req->conn->peer, &a->targets, false, TARGET_ANY, &ts, fault);
	for (size_t i = 0; !code && i < ts.n; i++) {
		const struct proc *p = ts.v[i].proc;
		if (ts.v[i].inst || p->inst)
			code = fault_set(fault, FAULT_WRONG_KIND, "%s is a job's: it goes with the job",
					 target_name(&ts.v[i]).p);
		else if (!proc_over(p) || subject_waited(&p->subject) || subject_waited(&p->output))
			code = fault_set(fault, FAULT_BUSY, "%s is alive, or waited for: join or kill it first",
					 p->text[TEXT_NAME].p);
	}
	for (size_t i = 0; !code && i < ts.n; i++)
		proc_forget(ts.v[i].proc);
	if (!code) {
		buf_printf(reply_begin(req), "{\"forgotten\":%zu}", ts.n);
		reply_end(req);
	}
	targets_done(&ts);
	return code;
}

int cmd_process_self(struct req *req, const void *args, struct fault *fault)
{
	(void)args;
	(void)fault;
	const struct proc *p = conn_process(req->conn);
	struct buf *b = reply_begin(req);
	if (!p) {
		buf_puts(b, "{\"process\":null,\"parent\":null,\"main\":false}");
		reply_end(req);
		return 0;
	}
	buf_printf(b, "{\"process\":{\"id\":%llu,\"name\":", (unsigned long long)p->i.id);
	scan_put_str(b, p->text[TEXT_NAME]);
	buf_puts(b, "},\"parent\":");
	render_parent(b, p);
	buf_printf(b, ",\"main\":%s}", p->i.pid == req->conn->peer.pid ? "true" : "false");
	reply_end(req);
	return 0;
}
