/* SPDX-License-Identifier: MIT */
/*
 * Trees: all that descends from a process. Where it has a cgroup that is the tree (cgroup.c). Else /proc is scanned:
 * the chain of parents leads to a main process of ours, or to an orphan, whose parent we have become; an orphan belongs
 * to whose session it is in, or to whom MPD_PROCESS names in its environment. What neither explains is a stray.
 *
 * 1. What is to be killed is first stopped, and looked for again until nothing new is found: something whose parent
 *    was killed too early could not be placed any more, and something that forks without end would get away.
 * 2. A scan is for all who asked for one in a turn, so that a thousand trees cost as much as one.
 * 3. Between the finding and the signal the start time is compared, through a pidfd: a number alone is nobody.
 */
#include "daemon/keeper/keeper.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

enum { SEEN_MAX = 1 << 17, PASSES = 64, CHAIN_MAX = 4096 };

/* Slots by index, or: */
#define OWNER_UNKNOWN UINT32_MAX
#define OWNER_STRAY (UINT32_MAX - 1)   /* ours, but nobody's tree */
#define OWNER_FOREIGN (UINT32_MAX - 2) /* no descendant of ours, or the engine */

struct seen {
	pid_t pid, ppid, pgrp, sid;
	uint64_t start;
	uint32_t owner;
};

struct scan {
	struct seen *all; /* ascending by pid, as /proc lists them */
	size_t n;
};

static struct scan now, before;
static int proc = -1;
static unsigned signals; /* how often a SLOT_SIGNAL was set since the last scan */
static bool wanted;      /* a scan for the slots that are KILLING */
static bool kill_all;    /* everything is to go, whoever's it is */
static uint32_t strays;  /* of the leftovers' scan */
static nsec_t looked;    /* when that last was for all pids */
static bool blind;       /* something could not be looked at, or reached */
static const nsec_t look_every = 2 * NSEC_PER_SEC;
static const nsec_t retry_in = NSEC_PER_SEC / 10;

int tree_init(void)
{
	size_t size = SEEN_MAX * sizeof(struct seen);
	char *p = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p == MAP_FAILED || proc < 0)
		return -1;
	now.all = (struct seen *)p;
	before.all = (struct seen *)(p + size);
	return 0;
}

bool tree_trouble(int error)
{
	if (error != EMFILE && error != ENFILE && error != ENOMEM)
		return false;
	keeper_due_in(DUE_TREES, retry_in);
	return true;
}

/* --- /proc ---------------------------------------------------------------------------------------------------- */

/* A process that lives: no zombie. proc(5), PID/stat. */
static bool read_stat(pid_t pid, struct seen *ret)
{
	char path[32], text[1024], state, *at;
	unsigned long long start;
	int ppid, pgrp, sid;
	snprintf(path, sizeof(path), "%d/stat", (int)pid);
	if (proc_read(proc, path, text, sizeof(text)) <= 0 || !(at = strrchr(text, ')'))) {
		blind |= tree_trouble(errno);
		return false;
	}
	if (sscanf(at + 1, " %c %d %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &state,
		   &ppid, &pgrp, &sid, &start) != 5)
		return false;
	*ret = (struct seen){pid, ppid, pgrp, sid, start, OWNER_UNKNOWN};
	return state != 'Z' && state != 'X';
}

/* The number that VAR= has in an environment of N bytes, which may begin in the middle; 0: it is not there. */
static unsigned long long env_number(const char *text, size_t n, const char *var)
{
	size_t len = strlen(var);
	const char *end = text + n;
	for (const char *at = text; at < end; at += strlen(at) + 1)
		if (!strncmp(at, var, len))
			return strtoull(at + len, NULL, 10);
	return 0;
}

/* Programs may have put other variables first, but hardly this much. */
static struct slot *slot_of_environment(pid_t pid)
{
	char path[32];
	static char text[128 * 1024];
	ssize_t n;
	snprintf(path, sizeof(path), "%d/environ", (int)pid);
	n = proc_read(proc, path, text, sizeof(text));
	if (n <= 0 || env_number(text, (size_t)n, "MPD_KEEPER=") != (unsigned long long)keeper.pid)
		return NULL;
	return slot_by_id(env_number(text, (size_t)n, "MPD_PROCESS="));
}

/* --- whose it is ---------------------------------------------------------------------------------------------- */

/* An EXITED slot's pid still names its session, unless there is a process of that pid again. */
static struct slot *slot_of_session(pid_t sid)
{
	struct slot *s = slot_by_pid(sid);
	return s && (s->state == SLOT_RUNNING || (kill(sid, 0) < 0 && errno == ESRCH)) ? s : NULL;
}

static uint32_t owner_of_orphan(const struct seen *e)
{
	struct slot *s = slot_of_session(e->sid);
	if (!s)
		s = slot_of_environment(e->pid);
	return s && s->state != SLOT_FAILED ? slot_index(s) : OWNER_STRAY;
}

static struct seen *seen_find(const struct scan *in, pid_t pid)
{
	size_t from = 0, to = in->n;
	while (from < to) {
		size_t middle = (from + to) / 2;
		if (in->all[middle].pid == pid)
			return &in->all[middle];
		if (in->all[middle].pid < pid)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

static uint32_t owner_of(struct seen *e)
{
	for (int depth = 0; e && depth < CHAIN_MAX; depth++) {
		if (e->owner != OWNER_UNKNOWN)
			return e->owner;
		if (e->ppid == keeper.pid)
			return owner_of_orphan(e);
		e = seen_find(&now, e->ppid);
	}
	return OWNER_FOREIGN;
}

/* --- scans ---------------------------------------------------------------------------------------------------- */

struct pids {
	pid_t from;
	void (*each)(pid_t);
};

static void pid_entry(const char *name, void *arg)
{
	const struct pids *pids = arg;
	pid_t pid = proc_number(name);
	if (pid > 0 && pid >= pids->from)
		pids->each(pid);
}

/* Calls EACH with all pids from FROM on, ascending. */
static void each_pid(pid_t from, void (*each)(pid_t)) { proc_list(proc, pid_entry, &(struct pids){from, each}); }

static bool is_known(pid_t pid) { return pid == keeper.pid || pid == engine.pid || slot_main(pid); }

static void scan_add(pid_t pid)
{
	struct seen *e = &now.all[now.n];
	struct slot *s = slot_main(pid);
	if (now.n == SEEN_MAX)
		return;
	if (s)
		*e = (struct seen){pid, keeper.pid, pid, pid, 0, slot_index(s)};
	else if (pid == keeper.pid || pid == engine.pid)
		*e = (struct seen){pid, 0, 0, 0, 0, OWNER_FOREIGN};
	else if (!read_stat(pid, e))
		return;
	now.n++;
}

static void scan_proc(void)
{
	now.n = 0;
	each_pid(1, scan_add);
	for (size_t i = 0; i < now.n; i++)
		now.all[i].owner = owner_of(&now.all[i]);
}

/* A RUNNING slot's pid is a child of ours that was not reaped: nobody else has it, nor its group. */
static void strike(const struct seen *e, int signo)
{
	struct seen again;
	AUTO_FD fd = -1;
	if (slot_main(e->pid)) {
		kill(e->pid, signo);
		return;
	}
	fd = sys_pidfd_open(e->pid, 0);
	blind |= fd < 0 && tree_trouble(errno);
	if (fd >= 0 && read_stat(e->pid, &again) && again.start == e->start)
		sys_pidfd_signal(fd, signo);
}

static struct slot *owner_slot(const struct seen *e) { return e->owner < OWNER_FOREIGN ? slot_at(e->owner) : NULL; }

static bool is_doomed(const struct seen *e)
{
	const struct slot *s = owner_slot(e);
	if (kill_all)
		return e->owner != OWNER_FOREIGN;
	return s && (s->flags & (SLOT_KILLING | SLOT_CGROUP)) == SLOT_KILLING;
}

static bool was_seen(const struct seen *e)
{
	const struct seen *old = seen_find(&before, e->pid);
	return old && old->start == e->start && old->owner == e->owner;
}

/* Stops what is new among the doomed. Whether there was anything new. */
static bool freeze_pass(void)
{
	struct scan swap = before;
	bool found = false;
	before = now;
	now = swap;
	scan_proc();
	for (size_t i = 0; i < now.n; i++) {
		const struct seen *e = &now.all[i];
		if (!is_doomed(e) || was_seen(e))
			continue;
		strike(e, SIGSTOP);
		found = true;
	}
	return found;
}

static void kill_found(void)
{
	for (size_t i = 0; i < now.n; i++) {
		const struct seen *e = &now.all[i];
		if (!is_doomed(e))
			continue;
		strike(e, SIGKILL);
		if (owner_slot(e))
			owner_slot(e)->flags |= SLOT_ALIVE;
	}
}

static void tell_through(void)
{
	for (struct slot *s = slot_next(NULL); s; s = slot_next(s)) {
		bool through = s->state == SLOT_EXITED && !(s->flags & SLOT_ALIVE) && !blind;
		s->flags &= (uint16_t)~SLOT_ALIVE;
		if (through && (s->flags & (SLOT_KILLING | SLOT_CGROUP)) == SLOT_KILLING)
			reap_empty(s);
	}
}

static void scan_kill(void)
{
	now.n = 0;
	blind = false;
	for (int pass = 0; pass < PASSES && freeze_pass(); pass++)
		;
	kill_found();
	tell_through();
}

static void scan_signal(void)
{
	scan_proc();
	for (size_t i = 0; i < now.n; i++) {
		struct slot *s = owner_slot(&now.all[i]);
		if (s && (s->flags & SLOT_SIGNAL) && (!(s->flags & SLOT_GROUP) || now.all[i].pgrp == s->pid))
			strike(&now.all[i], s->signo);
	}
	for (struct slot *s = slot_next(NULL); s; s = slot_next(s))
		s->flags &= (uint16_t) ~(SLOT_SIGNAL | SLOT_GROUP);
}

/* The pages go back: a scan of ten thousand processes would else be the most of what we use. */
static void scan_done(void) { madvise(MIN(now.all, before.all), 2 * SEEN_MAX * sizeof(struct seen), MADV_DONTNEED); }

/* --- verbs ---------------------------------------------------------------------------------------------------- */

static void scan_later(struct slot *s, int signo, enum link_scope scope)
{
	unsigned flags = scope == SCOPE_GROUP ? SLOT_SIGNAL | SLOT_GROUP : SLOT_SIGNAL;
	if ((s->flags & SLOT_SIGNAL) && (s->signo != signo || (s->flags & SLOT_GROUP) != (flags & SLOT_GROUP)))
		tree_turn();
	s->flags |= (uint16_t)flags;
	s->signo = (uint8_t)signo;
	signals++;
}

void tree_signal(struct slot *s, int signo, enum link_scope scope)
{
	bool lives = s->state == SLOT_RUNNING;
	if (s->state == SLOT_FAILED)
		return;
	if (scope == SCOPE_PROCESS && lives)
		kill(s->pid, signo);
	else if (scope == SCOPE_GROUP && lives)
		kill(-s->pid, signo);
	else if (scope != SCOPE_PROCESS && (s->flags & SLOT_CGROUP))
		cgroup_signal(s, signo, scope);
	else if (scope != SCOPE_PROCESS)
		scan_later(s, signo, scope);
}

void tree_kill(struct slot *s)
{
	s->flags |= SLOT_KILLING;
	if (s->flags & SLOT_CGROUP)
		cgroup_kill(s);
	else
		wanted = true;
}

void tree_kill_all(void)
{
	cgroup_kill_all();
	kill_all = wanted = true;
}

void tree_progress(void)
{
	for (struct slot *s = slot_next(NULL); s && !wanted; s = slot_next(s))
		wanted = (s->flags & (SLOT_KILLING | SLOT_CGROUP)) == SLOT_KILLING;
	wanted |= kill_all;
}

void tree_again(void)
{
	for (struct slot *s = slot_next(NULL); s; s = slot_next(s))
		if ((s->flags & (SLOT_KILLING | SLOT_CGROUP)) == (SLOT_KILLING | SLOT_CGROUP))
			cgroup_kill(s);
	if (kill_all)
		cgroup_kill_all();
	tree_progress();
}

void tree_turn(void)
{
	if (signals == 0 && !wanted)
		return;
	if (signals > 0)
		scan_signal();
	if (wanted)
		scan_kill();
	signals = 0;
	wanted = false;
	scan_done();
}

/* --- leftovers and strays ------------------------------------------------------------------------------------- */

static void leftover_add(pid_t pid)
{
	struct seen e;
	struct slot *s;
	if (is_known(pid) || !read_stat(pid, &e) || e.ppid != keeper.pid)
		return;
	e.owner = owner_of_orphan(&e);
	s = owner_slot(&e);
	if (s && s->state == SLOT_EXITED)
		s->leftover = 1;
	strays += e.owner == OWNER_STRAY;
}

/* Whether pids from FROM on were given out since, and no smaller ones: the last one given out is above it. */
static bool is_ahead(pid_t from)
{
	char text[128], *last;
	if (proc_read(proc, "loadavg", text, sizeof(text)) <= 0 || !(last = strrchr(text, ' ')))
		return false;
	return atoi(last + 1) >= from;
}

void tree_leftovers(pid_t from)
{
	if (from > 0 && (!is_ahead(from) || keeper_clock() - looked >= look_every))
		from = 0;
	if (from == 0)
		looked = keeper_clock();
	strays = 0;
	each_pid(from, leftover_add);
	if (strays > 0 && from > 0) {
		tree_leftovers(0); /* how many there are is known only when all are counted */
		return;
	}
	if (from > 0 || strays == keeper.strays)
		return;
	keeper.strays = strays;
	link_tell_news(NEWS_STRAYS);
}
