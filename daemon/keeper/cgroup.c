/* SPDX-License-Identifier: MIT */
/*
 * Trees as cgroups (v2): BASE/mpctl.PID/sSLOT. A directory a slot, made at its first use and used again, for making
 * one costs more than a clone.
 *
 * 1. A directory in which something was left behind is used again only when it is empty.
 * 2. Whatever fails here, the slot is scanned for instead (tree.c). MPD_CGROUP=off has that for all.
 * 3. A pid that was read from a directory is signalled by a pidfd, after a look whether that process is in there.
 */
#include "daemon/keeper/keeper.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { PID_MAX = 1 << 22, PASSES = 8, DEPTH_MAX = 16, REMOVE_TRIES = 50 };

static int base = -1;
static char ours[32];      /* mpctl.PID */
static uint8_t *signalled; /* a bit a pid */
static bool no_kill;       /* Linux < 5.14: no cgroup.kill */

/* --- where we may --------------------------------------------------------------------------------------------- */

/* The first line of a file of /proc that IS_IT, cut into pieces in TEXT; NULL: none. */
static char *find_line(const char *file, char *text, size_t size, char *(*is_it)(char *line))
{
	AUTO_FD fd = open(file, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	char *found = NULL, *rest = text, *line;
	ssize_t n;
	while (fd >= 0 && len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	while (!found && (line = strsep(&rest, "\n")))
		found = is_it(line);
	return found;
}

/* proc(5), mountinfo: ID PARENT DEVICE ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS. Mounts of a part are passed by. */
static char *is_mount(char *line)
{
	char *fields[5];
	if (!strstr(line, " - cgroup2 "))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!(fields[i] = strsep(&line, " ")))
			return NULL;
	return strcmp(fields[3], "/") ? NULL : fields[4];
}

static char *is_v2(char *line) { return strncmp(line, "0::/", 4) ? NULL : line + 3; }

static bool is_delegated(const char *path)
{
	static const char *const names[] = {"user.delegate", "trusted.delegate"};
	char value[2];
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (getxattr(path, names[i], value, sizeof(value)) == 1 && value[0] == '1')
			return true;
	return keeper.uid == 0 && access("/run/systemd/system", F_OK) < 0;
}

/* Where our directory shall be made; NULL: nowhere. */
static const char *find_base(const char *configured)
{
	static char mounts[32768], own[PATH_MAX], path[PATH_MAX];
	const char *off = getenv("MPD_CGROUP"), *mount, *below;
	if (off && !strcmp(off, "off"))
		return NULL;
	mount = find_line("/proc/self/mountinfo", mounts, sizeof(mounts), is_mount);
	below = configured ? configured : find_line("/proc/self/cgroup", own, sizeof(own), is_v2);
	if (!mount || !below)
		return NULL;
	if (configured && !strncmp(configured, mount, strlen(mount)))
		return configured;
	if ((size_t)snprintf(path, sizeof(path), "%s%s", mount, below) >= sizeof(path))
		return NULL;
	return configured || is_delegated(path) ? path : NULL;
}

struct removal {
	int dir, depth;
};

static void remove_entry(const char *name, void *arg);

/* Removes a directory and those in it; a cgroup's files go with it. */
static void remove_tree(int parent, const char *name, int depth)
{
	AUTO_FD dir = -1;
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOTDIR || depth > DEPTH_MAX)
		return;
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0)
		proc_list(dir, remove_entry, &(struct removal){dir, depth + 1});
	unlinkat(parent, name, AT_REMOVEDIR);
}

static void remove_entry(const char *name, void *arg)
{
	const struct removal *r = arg;
	remove_tree(r->dir, name, r->depth);
}

/* What keepers left that were killed. Only what is empty can be removed, so a mistake about a pid harms nobody. */
static void remove_stale(const char *name, void *arg)
{
	pid_t pid = strncmp(name, "mpctl.", 6) ? 0 : proc_number(name + 6);
	(void)arg;
	if (pid > 0 && (pid == keeper.pid || (kill(pid, 0) < 0 && errno == ESRCH)))
		remove_tree(base, name, 0);
}

void cgroup_init(const char *configured)
{
	const char *path = find_base(configured);
	if (!path)
		return;
	if (configured)
		mkdir(path, 0755);
	signalled = mmap(NULL, PID_MAX / 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	base = signalled == MAP_FAILED ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(ours, sizeof(ours), "mpctl.%d", (int)keeper.pid);
	if (base < 0)
		return;
	proc_list(base, remove_stale, NULL);
	if (mkdirat(base, ours, 0755) < 0 && errno != EEXIST)
		log_info("no cgroup can be made in %s: %s", path, strerror(errno));
	else
		keeper.cgroup = openat(base, ours, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void cgroup_done(void)
{
	const struct timespec moment = {.tv_nsec = NSEC_PER_MS};
	if (keeper.cgroup < 0)
		return;
	for (int i = 0; i < REMOVE_TRIES && faccessat(base, ours, F_OK, 0) == 0; i++) {
		if (i > 0)
			nanosleep(&moment, NULL); /* the kernel may be a moment behind what was reaped */
		remove_tree(base, ours, 0);
	}
}

/* --- a slot's ------------------------------------------------------------------------------------------------- */

static int slot_open(const struct slot *s, const char *file, int flags)
{
	char path[48];
	snprintf(path, sizeof(path), "s%u/%s", slot_index(s), file);
	return openat(keeper.cgroup, path, flags | O_CLOEXEC);
}

static int slot_write(const struct slot *s, const char *file, const char *text)
{
	AUTO_FD fd = slot_open(s, file, O_WRONLY);
	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static bool make_directory(struct slot *s)
{
	char name[16];
	snprintf(name, sizeof(name), "s%u", slot_index(s));
	if (mkdirat(keeper.cgroup, name, 0755) < 0 && errno != EEXIST)
		return false;
	s->dir = DIR_EMPTY;
	return true;
}

/* Linux from 6.14 on remembers the kill of a cgroup and, comparing it with the cloner's own, kills what is cloned into
 * it later: a directory that was killed makes room for a new one. */
static bool replace_directory(struct slot *s)
{
	char name[16];
	snprintf(name, sizeof(name), "s%u", slot_index(s));
	return unlinkat(keeper.cgroup, name, AT_REMOVEDIR) == 0 && make_directory(s);
}

int cgroup_enter(struct slot *s)
{
	if (keeper.cgroup < 0 || (s->dir == DIR_NONE && !make_directory(s)) ||
	    (s->dir == DIR_SPENT && !replace_directory(s)))
		return -1;
	if (s->dir == DIR_USED && cgroup_populated(s))
		return -1;
	s->dir = DIR_EMPTY;
	return slot_open(s, "", O_PATH | O_DIRECTORY);
}

/* Read from the descriptor that is watched where there is one: the next event is then one after this look. */
bool cgroup_populated(const struct slot *s)
{
	char text[128];
	AUTO_FD own = s->events < 0 ? slot_open(s, "cgroup.events", O_RDONLY) : -1;
	ssize_t n = pread(s->events < 0 ? own : s->events, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return errno != ENOENT;
	text[n] = '\0';
	return strstr(text, "populated 1") != NULL;
}

/* --- signals -------------------------------------------------------------------------------------------------- */

/* Whether PID, whose pidfd we have, is in the slot's directory: the last of the lines of /proc/PID/cgroup (v2). */
static bool is_member(const struct slot *s, pid_t pid)
{
	char path[32], text[8192], end[64];
	ssize_t n;
	int len = snprintf(end, sizeof(end), "/%s/s%u\n", ours, slot_index(s));
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	n = proc_read(AT_FDCWD, path, text, sizeof(text));
	return n >= len && !strcmp(text + n - len, end);
}

static void signal_member(const struct slot *s, pid_t pid, int signo, enum link_scope scope)
{
	AUTO_FD fd = -1;
	if (s->state == SLOT_RUNNING && pid == s->pid) {
		kill(pid, signo); /* our child, and not reaped: nobody else has its pid */
		return;
	}
	fd = sys_pidfd_open(pid, 0);
	if (fd >= 0 && is_member(s, pid) && (scope != SCOPE_GROUP || getpgid(pid) == s->pid))
		sys_pidfd_signal(fd, signo);
}

static bool signal_once(const struct slot *s, pid_t pid, int signo, enum link_scope scope)
{
	if (pid <= 0 || pid >= PID_MAX || signalled[pid / 8] & (1u << pid % 8))
		return false;
	signalled[pid / 8] |= (uint8_t)(1u << pid % 8);
	signal_member(s, pid, signo, scope);
	return true;
}

/* Whether there was any that was not signalled yet. */
static bool signal_pass(const struct slot *s, int signo, enum link_scope scope)
{
	AUTO_FD fd = slot_open(s, "cgroup.procs", O_RDONLY);
	char text[4096];
	bool found = false;
	pid_t pid = 0;
	ssize_t n;
	while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] != '\n') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			found |= signal_once(s, pid, signo, scope);
			pid = 0;
		}
	return found;
}

void cgroup_signal(struct slot *s, int signo, enum link_scope scope)
{
	for (int i = 0; i < PASSES && signal_pass(s, signo, scope); i++)
		;
	madvise(signalled, PID_MAX / 8, MADV_DONTNEED);
}

/* --- the end -------------------------------------------------------------------------------------------------- */

/* Without cgroup.kill: what is frozen cannot fork, and dies of SIGKILL all the same. */
static void kill_directory(struct slot *s)
{
	s->dir = DIR_SPENT;
	if (!no_kill && slot_write(s, "cgroup.kill", "1") == 0)
		return;
	no_kill |= !tree_trouble(errno);
	slot_write(s, "cgroup.freeze", "1");
	cgroup_signal(s, SIGKILL, SCOPE_TREE);
}

void cgroup_kill(struct slot *s)
{
	kill_directory(s);
	cgroup_event(s);
}

static void watch_directory(struct slot *s)
{
	s->events = slot_open(s, "cgroup.events", O_RDONLY);
	if (s->events < 0 || keeper_watch(s->events, EPOLLPRI, EVENT_CGROUP, slot_index(s)) < 0)
		tree_trouble(errno);
}

/* While the main process runs there is nothing to wait for: its reaping leads here as well. */
void cgroup_event(struct slot *s)
{
	if (!(s->flags & SLOT_KILLING) || s->state != SLOT_EXITED)
		return;
	if (s->events < 0)
		watch_directory(s);
	if (cgroup_populated(s)) {
		if (no_kill)
			kill_directory(s);
		return;
	}
	if (s->events >= 0)
		close(fd_take(&s->events));
	if (no_kill)
		slot_write(s, "cgroup.freeze", "0");
	reap_empty(s);
}

void cgroup_kill_all(void)
{
	AUTO_FD fd = keeper.cgroup < 0 ? -1 : openat(keeper.cgroup, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	if (keeper.cgroup >= 0 && fd < 0)
		tree_trouble(errno);
	if (fd >= 0 && write(fd, "1", 1) < 0)
		log_warning("cgroup.kill: %s", strerror(errno));
}
