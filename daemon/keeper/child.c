/* SPDX-License-Identifier: MIT */
/*
 * From the clone to the exec: what a new process does about itself, in the order of SPAWN_STEPS.
 *
 * 1. It shares our memory: only system calls, no locks, nothing of ours changed. The set*id calls are raw, for those
 *    of libc would have all threads of the process they think they are in do the same.
 * 2. Nothing may block that need not: a FIFO without a reader is an error (O_NONBLOCK, cleared after), a terminal is
 * not acquired by being opened (O_NOCTTY).
 * 3. Files are opened as the user, and after the exec it has the descriptors 0, 1, 2 and no other.
 * 4. Nobody gets past a limit of its own through us: only what root's client or root's configuration asks for is set
 *    while we may raise it. RLIMIT_NOFILE is lowered last, when all files are open.
 */
#include "daemon/keeper/keeper.h"
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static const char *plan_text(const struct plan *p, uint32_t offset) { return offset ? (const char *)p + offset : NULL; }

static void child_session(const struct child *c)
{
	if (setsid() < 0)
		clone_fail(STEP_SESSION);
	if ((c->plan->flags & PLAN_CTTY) && ioctl(c->fds[0], TIOCSCTTY, 0) < 0)
		clone_fail(STEP_TERMINAL);
}

static void child_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		clone_fail(STEP_SIGNALS);
}

struct rlimit child_limit(const struct plan_limit *l)
{
	return (struct rlimit){.rlim_cur = l->soft == PLAN_UNLIMITED ? RLIM_INFINITY : (rlim_t)l->soft,
			       .rlim_max = l->hard == PLAN_UNLIMITED ? RLIM_INFINITY : (rlim_t)l->hard};
}

static void set_limit(int resource, const struct rlimit *limit)
{
	if (setrlimit((__rlimit_resource_t)resource, limit) < 0)
		clone_fail(STEP_LIMITS);
}

/* The place of RLIMIT_NOFILE is the end: here it is raised at most. */
static void raise_nofile(const struct rlimit *wanted)
{
	struct rlimit now;
	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		clone_fail(STEP_LIMITS);
	if (wanted->rlim_max <= now.rlim_max)
		return;
	now.rlim_max = wanted->rlim_max;
	set_limit(RLIMIT_NOFILE, &now);
}

static void child_limits(const struct child *c)
{
	for (uint32_t i = 0; i < c->plan->nlimits; i++) {
		const struct rlimit limit = child_limit(&c->limits[i]);
		if (c->limits[i].resource == RLIMIT_NOFILE)
			raise_nofile(&limit);
		else
			set_limit((int)c->limits[i].resource, &limit);
	}
}

static void child_identity(const struct identity *who)
{
	uid_t r, e, s;
	if (!who->change)
		return;
	if (syscall(SYS_setgroups, who->ngroups, who->groups) < 0)
		clone_fail(STEP_GROUPS);
	if (syscall(SYS_setresgid, who->gid, who->gid, who->gid) < 0)
		clone_fail(STEP_GID);
	if (syscall(SYS_setresuid, who->uid, who->uid, who->uid) < 0)
		clone_fail(STEP_UID);
	errno = EPERM;
	if (getresuid(&r, &e, &s) < 0 || r != who->uid || e != who->uid || s != who->uid)
		clone_fail(STEP_UID);
	if (who->uid != 0 && syscall(SYS_setresuid, -1, 0, -1) == 0) {
		errno = EPERM; /* a way back is no way */
		clone_fail(STEP_UID);
	}
}

static void child_place(const struct child *c)
{
	const char *path = plan_text(c->plan, c->plan->cwd);
	if (c->plan->umask >= 0)
		umask((mode_t)c->plan->umask);
	clone_at(STEP_CHDIR);
	if ((c->cwd >= 0 ? fchdir(c->cwd) : chdir(path ? path : "/")) < 0)
		clone_fail(STEP_CHDIR);
}

static int open_redirect(const struct child *c, int i)
{
	int flags = i == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND, fd;
	clone_at((enum spawn_step)(STEP_STDIN + i));
	fd = open(plan_text(c->plan, c->plan->path[i]), flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0666);
	if (fd < 0 || fcntl(fd, F_SETFL, flags & O_APPEND) < 0)
		clone_fail(STEP_STDIN + i);
	return fd;
}

/* All that is opened lies above 2 (the keeper keeps 0 to 2 open), so that no dup2() overwrites what is still needed. */
static void child_stdio(const struct child *c)
{
	int from[3];
	for (int i = 0; i < 3; i++)
		from[i] = c->plan->stdio[i] == PLAN_FILE ? open_redirect(c, i) : c->fds[i];
	for (int i = 0; i < 3; i++)
		if (from[i] != i && dup2(from[i], i) < 0)
			clone_fail(STEP_FDS);
	clone_close_from(3);
}

/* As execvp(3): a script without an interpreter line is the shell's. */
static void exec_file(const struct child *c, const char *file)
{
	execve(file, c->argv, c->envp);
	if (errno != ENOEXEC)
		return;
	c->argv[-1] = (char *)"/bin/sh";
	c->argv[0] = (char *)file;
	execve("/bin/sh", c->argv - 1, c->envp);
}

/* DIR/NAME of the first N bytes of DIR, which may be none: then it is the current one. */
static bool join_path(char *buf, size_t size, const char *dir, size_t n, const char *name)
{
	size_t len = strlen(name);
	if (n + len + 3 > size)
		return false;
	if (n == 0)
		buf[n++] = '.';
	else
		memcpy(buf, dir, n);
	buf[n++] = '/';
	memcpy(buf + n, name, len + 1);
	return true;
}

/* As execvp(3): what may not be executed is remembered and told only when nothing else is found. */
static void exec_search(const struct child *c)
{
	const char *dir = c->path, *name = c->argv[0];
	bool denied = false;
	char file[PATH_MAX];
	for (;;) {
		size_t n = strcspn(dir, ":");
		errno = ENAMETOOLONG;
		if (join_path(file, sizeof(file), dir, n, name))
			exec_file(c, file);
		if (errno == EACCES)
			denied = true;
		else if (errno != ENOENT && errno != ENOTDIR && errno != ENODEV && errno != ESTALE &&
			 errno != ENAMETOOLONG)
			return;
		if (dir[n] == '\0')
			break;
		dir += n + 1;
	}
	errno = denied ? EACCES : ENOENT;
}

void child_run(void *arg)
{
	const struct child *c = arg;
	child_session(c);
	child_signals();
	if (c->plan->nice && setpriority(PRIO_PROCESS, 0, c->plan->nice) < 0)
		clone_fail(STEP_NICE);
	if (c->privileged)
		child_limits(c);
	child_identity(&c->who);
	child_place(c);
	child_stdio(c);
	if (!c->privileged)
		child_limits(c);
	set_limit(RLIMIT_NOFILE, &c->nofile);
	clone_at(STEP_EXEC);
	if (c->path)
		exec_search(c);
	else
		exec_file(c, c->argv[0]);
	clone_fail(STEP_EXEC);
}
