/* SPDX-License-Identifier: MIT */
/* Lines about jobs: diary.h. */
#include "daemon/engine/diary.h"
#include "common/log.h"
#include "common/units.h"

#define NAMED_MAX 8 /* of many instances */

/* Started says the pid; what follows says why it ended, and when it begins again. */
static const struct {
	bool told;
	enum log_level level;
	const char *what;
} states[INST_STATES] = {
	[INST_YOUNG] = {true, LOG_INFO, "started"},      [INST_BACKOFF] = {true, LOG_WARNING, "restarts"},
	[INST_EXITED] = {true, LOG_INFO, "has ended"},   [INST_FAILED] = {true, LOG_ERROR, "has failed"},
	[INST_STOPPED] = {true, LOG_INFO, "is stopped"},
};

static void put_reason(struct buf *b, const struct inst *t)
{
	AUTO_BUF reason = BUF_INIT;
	if (!t->proc || !proc_over(t->proc))
		return;
	proc_reason(t->proc, &reason);
	buf_printf(b, ": %s", reason.len ? buf_str(&reason) : "exit 0");
	if (t->proc->i.failed)
		buf_printf(b, " (%s)", (const char *)t->job->tab + t->job->def->where);
}

static void put_restart(struct buf *b, const struct inst *t)
{
	buf_puts(b, " in ");
	units_put_duration(b, MAX(t->i.deadline - core.now, 0));
	buf_printf(b, " (%u in a row)", t->i.tries);
}

void diary_state(const struct inst *t)
{
	AUTO_BUF line = BUF_INIT;
	if (!states[t->i.state].told || states[t->i.state].level > log_get_level())
		return;
	buf_printf(&line, "%s %s", t->name.p, states[t->i.state].what);
	if (t->i.state == INST_BACKOFF)
		put_restart(&line, t);
	if (t->i.state == INST_YOUNG)
		buf_printf(&line, ", pid %d", t->proc->i.pid);
	put_reason(&line, t);
	log_at(states[t->i.state].level, "%s", buf_str(&line));
}

void diary_asked(const struct req *req, const struct targets *ts)
{
	const struct peer *peer = &req->conn->peer;
	AUTO_BUF line = BUF_INIT;
	size_t jobs = 0;
	for (size_t i = 0; i < ts->n; i++) {
		if (!ts->v[i].inst)
			continue;
		if (jobs++ < NAMED_MAX)
			buf_printf(&line, " %s", ts->v[i].inst->name.p);
	}
	if (jobs > NAMED_MAX)
		buf_printf(&line, " and %zu more", jobs - NAMED_MAX);
	if (jobs && !req->again)
		log_info("%s by uid %u, pid %d:%s", req->cmd->name, peer->uid, peer->pid, buf_str(&line));
}
