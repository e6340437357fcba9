/* SPDX-License-Identifier: MIT */
/*
 * Reaping: whatever dies among our children, and the orphans we have adopted, is waited for here and nowhere else.
 *
 * 1. An exit is recorded in its slot first and told after; the record stays until RELEASE.
 * 2. What a process leaves behind is looked for once per batch, when its main process is gone: in a cgroup by
 *    `populated`, else by one scan for all.
 */
#include "daemon/keeper/keeper.h"
#include <limits.h>
#include <sys/wait.h>

enum { BATCH = 64 };

/* In so short a life the kernel's counter of pids has not come round to numbers below one's own twice. */
static const nsec_t young = NSEC_PER_SEC;

struct batch {
	struct slot *exited[BATCH];
	size_t n;
	siginfo_t engine; /* si_pid 0: it lives */
	pid_t from;       /* descendants of those that are scanned for have pids from here on */
	bool scan;        /* there are such */
	bool orphans;     /* something that nobody's slot knows has gone */
	nsec_t now;
};

static nsec_t nsec_of(const struct timeval *t) { return (nsec_t)t->tv_sec * NSEC_PER_SEC + t->tv_usec * 1000; }

static void record(struct slot *s, const siginfo_t *info, const struct rusage *usage, nsec_t now)
{
	s->state = SLOT_EXITED;
	s->code = info->si_code;
	s->status = info->si_status;
	s->end = now;
	s->user = nsec_of(&usage->ru_utime);
	s->system = nsec_of(&usage->ru_stime);
	s->maxrss = (int64_t)usage->ru_maxrss * 1024;
	if (s->pidfd >= 0)
		close(fd_take(&s->pidfd));
	keeper.running--;
}

static void reaped(struct batch *b, const siginfo_t *info, const struct rusage *usage)
{
	struct slot *s = slot_main(info->si_pid);
	if (!s) {
		b->orphans = true;
		return;
	}
	record(s, info, usage, b->now);
	b->exited[b->n++] = s;
	if (s->flags & SLOT_CGROUP)
		return;
	b->from = s->end - s->start > young ? 0 : MIN(b->from, s->pid);
	b->scan = true;
}

/* Fills the batch. Whether there may be more. */
static bool reap_some(struct batch *b)
{
	*b = (struct batch){.now = sys_now(), .from = INT_MAX};
	while (b->n < BATCH) {
		siginfo_t info = {0};
		struct rusage usage;
		keeper.childless =
			syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG, &usage) < 0 && errno == ECHILD;
		if (info.si_pid == 0)
			return false;
		if (info.si_pid == engine.pid)
			b->engine = info;
		else
			reaped(b, &info, &usage);
	}
	return true;
}

void reap_empty(struct slot *s)
{
	s->flags &= (uint16_t)~SLOT_KILLING;
	s->leftover = 0;
	if (s->dir == DIR_USED)
		s->dir = DIR_EMPTY;
	link_tell(s, TELL_EMPTY);
}

static void exited(struct slot *s)
{
	if (s->flags & SLOT_CGROUP)
		s->leftover = cgroup_populated(s);
	if (s->leftover && (s->flags & SLOT_CGROUP) && s->dir != DIR_SPENT)
		s->dir = DIR_USED;
	link_tell(s, TELL_STATE);
	if ((s->flags & (SLOT_CGROUP | SLOT_KILLING)) == (SLOT_CGROUP | SLOT_KILLING))
		cgroup_event(s);
}

void reap_all(void)
{
	struct batch b;
	bool more;
	do {
		more = reap_some(&b);
		if (b.scan || (b.orphans && keeper.strays > 0))
			tree_leftovers(b.orphans ? 0 : b.from);
		for (size_t i = 0; i < b.n; i++)
			exited(b.exited[i]);
		if (b.scan || b.orphans)
			tree_progress();
		if (b.engine.si_pid)
			engine_died(b.engine.si_code, b.engine.si_status);
	} while (more);
}
