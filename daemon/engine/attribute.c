/* SPDX-License-Identifier: MIT */
/* Attribution by /proc, for attribute.h. */
#include "daemon/engine/attribute.h"
#include "daemon/engine/core/core.h"
#include "daemon/engine/engine.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#define PARENTS_MAX 64

/* Reads /proc/PID/NAME, NUL-terminated; its length, or -1. */
static ssize_t proc_read(pid_t pid, const char *name, char *to, size_t room)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = RETRY(read(fd, to, room - 1));
	if (n >= 0)
		to[n] = '\0';
	return n;
}

/* The fields after the command, which may hold anything, spaces and brackets as well: "S ppid pgrp session ...". */
static int pid_stat(pid_t pid, int *ret_ppid, int *ret_session, int64_t *ret_start)
{
	char stat[1024];
	if (proc_read(pid, "stat", stat, sizeof(stat)) < 0)
		return -1;
	const char *rest = strrchr(stat, ')');
	long long start;
	if (!rest || sscanf(rest + 1, " %*c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld",
			    ret_ppid, ret_session, &start) != 3)
		return -1;
	*ret_start = start;
	return 0;
}

int64_t pid_start(pid_t pid)
{
	int ppid, session;
	int64_t start;
	return pid_stat(pid, &ppid, &session, &start) < 0 ? -1 : start;
}

/* Its pid may be another's by now: between the keeper's reaping it and our hearing of that. But then it is no child of
 * the keeper's, or one that began after the keeper told of ours. */
int attribute_pidfd(const struct proc *p)
{
	int ppid, session;
	int64_t start;
	AUTO_FD fd = sys_pidfd_open(p->i.pid, 0);
	if (fd < 0 || pid_stat(p->i.pid, &ppid, &session, &start) < 0)
		return -1;
	if (ppid == engine.keeper_pid && start <= p->i.started / (NSEC_PER_SEC / sysconf(_SC_CLK_TCK)))
		return fd_take(&fd);
	errno = ESRCH;
	return -1;
}

/* The slot whose cgroup the process is in, ".../mpctl.<keeper's pid>/s<slot>"; -1: none of ours. */
static int64_t cgroup_slot(pid_t pid)
{
	char text[4096], ours[64];
	if (proc_read(pid, "cgroup", text, sizeof(text)) < 0)
		return -1;
	snprintf(ours, sizeof(ours), "/mpctl.%d/s", engine.keeper_pid);
	const char *line = strstr(text, "0::");
	const char *at = line ? strstr(line, ours) : NULL;
	unsigned slot;
	return at && sscanf(at + strlen(ours), "%u", &slot) == 1 ? (int64_t)slot : -1;
}

static struct proc *by_cgroup(pid_t pid)
{
	int64_t slot = cgroup_slot(pid);
	if (slot < 0)
		return NULL;
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all)
		if (p->slotted && p->slot == slot && !proc_over(p))
			return p;
	return NULL;
}

/* A forked and orphaned descendant has lost its chain of parents: then the session tells, which begins with the main
 * process. */
static struct proc *by_parents(pid_t pid)
{
	struct proc *p = NULL;
	for (int depth = 0; depth < PARENTS_MAX && pid > 1; depth++) {
		int ppid, session;
		int64_t start;
		if ((p = proc_by_pid(pid)) || pid_stat(pid, &ppid, &session, &start) < 0)
			break;
		if ((p = proc_by_pid(session)))
			break;
		if (ppid == engine.keeper_pid)
			break;
		pid = ppid;
	}
	return p;
}

struct proc *attribute_pid(pid_t pid)
{
	struct proc *p = engine.cgroups ? by_cgroup(pid) : NULL;
	return p ? p : by_parents(pid);
}

static bool descends_from_keeper(pid_t pid)
{
	int ppid = pid, session;
	int64_t start;
	for (int depth = 0; depth < PARENTS_MAX && ppid > 1 && ppid != engine.keeper_pid; depth++)
		if (pid_stat(ppid, &ppid, &session, &start) < 0)
			return false;
	return ppid == engine.keeper_pid;
}

/* The keeper tells of starts in their order: when the newest is told, all are. */
struct proc *attribute_pending(pid_t pid)
{
	struct proc *newest = proc_by_id(core.next_id - 1);
	if (!newest || newest->i.state != PROC_STARTING || attribute_pid(pid))
		return NULL;
	bool inside = engine.cgroups ? cgroup_slot(pid) >= 0 : descends_from_keeper(pid);
	return inside ? newest : NULL;
}

bool proc_of_peer(const struct peer *peer, uint64_t *ret_id, struct span *ret_name)
{
	struct proc *p = attribute_pid(peer->pid);
	if (!p)
		return false;
	*ret_id = p->i.id;
	*ret_name = p->text[TEXT_NAME];
	return true;
}

/* The value of KEY, which ends in '=', among N bytes of "K=V" strings; 0: it is not there. */
static uint64_t claimed(const char *text, ssize_t n, const char *key)
{
	size_t len = strlen(key);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(text + at) + 1)
		if (!strncmp(text + at, key, len))
			return strtoull(text + at + len, NULL, 10);
	return 0;
}

struct proc *attribute_claim(pid_t pid)
{
	static char text[256 << 10];
	ssize_t n = proc_read(pid, "environ", text, sizeof(text));
	bool ours =
		claimed(text, n, "MPD_KEEPER=") == (uint64_t)engine.keeper_pid; /* not of an mpd within, or around */
	return ours ? proc_by_id(claimed(text, n, "MPD_PROCESS=")) : NULL;
}

/* --- the tree of a process, for display ----------------------------------------------------------------------- */

#define TREE_MAX 4096

static FILE *cgroup_procs(pid_t pid)
{
	static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char text[4096], path[4200];
	char *line = proc_read(pid, "cgroup", text, sizeof(text)) < 0 ? NULL : strstr(text, "0::");
	FILE *f = NULL;
	if (!line)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; !f && i < ARRAY_LEN(mounts); i++) {
		snprintf(path, sizeof(path), "%s%s/cgroup.procs", mounts[i], line + 3);
		f = fopen(path, "re");
	}
	return f;
}

static size_t read_pids(FILE *f, pid_t *pids, size_t n, size_t max)
{
	if (!f)
		return n;
	while (n < max && fscanf(f, "%d", &pids[n]) == 1)
		n++;
	fclose(f);
	return n;
}

struct relation {
	pid_t parent, pid;
};

/* Who is whose child (/proc/PID/task/PID/children is not in every kernel). One look serves all the trees that are asked
 * for at a time: a look for each would take the loop seconds where there are a thousand. */
static struct {
	struct relation *v; /* by parent */
	size_t n, room;
	nsec_t taken;
} family;

static int relation_order(const void *a, const void *b)
{
	const struct relation *x = a, *y = b;
	int by_parent = (x->parent > y->parent) - (x->parent < y->parent);
	return by_parent ? by_parent : (x->pid > y->pid) - (x->pid < y->pid);
}

static bool family_room(void)
{
	if (family.n < family.room)
		return true;
	size_t room = family.room ? 2 * family.room : 1024;
	struct relation *v = realloc(family.v, room * sizeof(*v));
	if (!v)
		return false;
	family.v = v;
	family.room = room;
	return true;
}

static void family_look(void)
{
	if (family.taken == core.now)
		return;
	family.taken = core.now;
	family.n = 0;
	DIR *dir = opendir("/proc");
	for (struct dirent *e; dir && (e = readdir(dir)) && family_room();) {
		pid_t pid = (pid_t)atoi(e->d_name);
		int ppid, session;
		int64_t start;
		if (pid > 0 && pid_stat(pid, &ppid, &session, &start) == 0)
			family.v[family.n++] = (struct relation){ppid, pid};
	}
	if (dir)
		closedir(dir);
	if (family.n)
		qsort(family.v, family.n, sizeof(*family.v), relation_order);
}

/* Where the children of PID begin in the family. */
static size_t first_child(pid_t pid)
{
	size_t from = 0, to = family.n;
	while (from < to) {
		size_t middle = (from + to) / 2;
		if (family.v[middle].parent < pid)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static size_t descendants(pid_t *pids, size_t n)
{
	family_look();
	for (size_t i = 0; i < n; i++)
		for (size_t k = first_child(pids[i]); k < family.n && family.v[k].parent == pids[i] && n < TREE_MAX;
		     k++)
			pids[n++] = family.v[k].pid;
	return n;
}

void attribute_tree(const struct proc *p, void (*each)(pid_t, void *arg), void *arg)
{
	static pid_t pids[TREE_MAX];
	size_t n = 0;
	if (proc_over(p) || !p->i.pid)
		return;
	if (engine.cgroups && p->slotted && cgroup_slot(p->i.pid) == p->slot) {
		n = read_pids(cgroup_procs(p->i.pid), pids, 0, TREE_MAX);
	} else {
		pids[n++] = p->i.pid;
		n = descendants(pids, n);
	}
	for (size_t i = 0; i < n; i++)
		each(pids[i], arg);
}
