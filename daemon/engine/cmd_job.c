/* SPDX-License-Identifier: MIT */
/* job.*: the same verbs as process.*, for jobs only, and what only jobs have. */
#include "daemon/engine/await.h"
#include "daemon/engine/commands.h"
#include "daemon/engine/diary.h"

static bool wanted(bool given, bool wait) { return !given || wait; }

static int event_all(struct req *req, struct targets *ts, enum inst_event event, bool wait, nsec_t deadline,
		     struct fault *fault)
{
	diary_asked(req, ts);
	for (size_t i = 0; !req->again && i < ts->n; i++)
		inst_event(ts->v[i].inst, event);
	return await_targets(req, ts, wait ? AWAIT_SETTLED : AWAIT_NOTHING, false, deadline, fault);
}

int cmd_job_start(struct req *req, const void *args, struct fault *fault)
{
	const struct args_job_start *a = args;
	struct targets ts;
	int code = targets_find(&req->conn->peer, &a->targets, a->all, TARGET_JOBS, &ts, fault);
	if (code)
		return code;
	return event_all(req, &ts, INST_EV_START, wanted(GIVEN(a, job_start, wait), a->wait),
			 await_deadline(GIVEN(a, job_start, timeout), a->timeout), fault);
}

int cmd_job_restart(struct req *req, const void *args, struct fault *fault)
{
	const struct args_job_restart *a = args;
	struct targets ts;
	int code = targets_find(&req->conn->peer, &a->targets, a->all, TARGET_JOBS, &ts, fault);
	if (code)
		return code;
	return event_all(req, &ts, INST_EV_RESTART, wanted(GIVEN(a, job_restart, wait), a->wait),
			 await_deadline(GIVEN(a, job_restart, timeout), a->timeout), fault);
}

int cmd_job_stop(struct req *req, const void *args, struct fault *fault)
{
	const struct args_job_stop *a = args;
	struct targets ts;
	int code = targets_find(&req->conn->peer, &a->targets, a->all, TARGET_JOBS, &ts, fault);
	if (code)
		return code;
	return stop_targets(req, &ts, wanted(GIVEN(a, job_stop, wait), a->wait), GIVEN(a, job_stop, timeout),
			    a->timeout, fault);
}

int cmd_job_status(struct req *req, const void *args, struct fault *fault)
{
	const struct args_job_status *a = args;
	struct targets ts;
	int code = targets_find(&req->conn->peer, &a->targets, false, TARGET_JOBS, &ts, fault);
	return code ? code : await_targets(req, &ts, AWAIT_NOTHING, false, NSEC_NEVER, fault);
}

static void render_job(struct buf *b, const struct job *job)
{
	static const char *const policies[] = {[RESTART_NO] = "no",
					       [RESTART_ON_FAILURE] = "on-failure",
					       [RESTART_ALWAYS] = "always",
					       [RESTART_UNEXPECTED] = "unexpected"};
	const char *tab = (const char *)job->tab;
	unsigned running = 0;
	for (uint32_t n = 0; n < job->ninsts; n++)
		running += inst_up(&job->insts[n]);
	buf_puts(b, "{\"name\":");
	scan_put_str(b, span_of(job->name));
	buf_puts(b, ",\"where\":");
	scan_put_bytes(b, span_of(tab + job->def->where));
	buf_printf(b,
		   ",\"instances\":%u,\"running\":%u,\"autostart\":%s,\"restart\":\"%s\",\"description\":", job->ninsts,
		   running, job->def->autostart ? "true" : "false", policies[job->def->restart]);
	scan_put_bytes(b, span_of(job->def->description ? tab + job->def->description : ""));
	buf_putc(b, '}');
}

int cmd_job_list(struct req *req, const void *args, struct fault *fault)
{
	(void)args;
	(void)fault;
	struct buf *b = reply_begin(req);
	const char *sep = "";
	buf_puts(b, "{\"jobs\":[");
	for (size_t j = 0; req->conn->peer.admin && j < core.njobs; j++, sep = ",") {
		buf_puts(b, sep);
		render_job(b, &core.jobs[j]);
	}
	buf_puts(b, "]}");
	reply_end(req);
	return 0;
}
