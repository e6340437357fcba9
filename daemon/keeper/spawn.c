/* SPDX-License-Identifier: MIT */
/*
 * LINK_SPAWN: from a plan to a running process, or to the step at which it failed.
 *
 * 1. A client's plan is believed only when it is sealed, and is then copied and checked once: nobody can change it
 *    between the check and the use. A job's plan was checked with the table.
 * 2. Who the client is, the kernel is asked: the engine's word does not count. So a plan that names a user is refused
 *    unless it is the loader's and its configuration belongs to root, or the client is root.
 * 3. Every message is answered by STARTED or FAILED, and no half-started process stays.
 */
#include "daemon/keeper/keeper.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { GROUPS_MAX = 65536, SMALL_PLAN = 32 * 1024, OVERFLOW_ID = 65534 };

/* One spawn on its way; the descriptors belong to the message. */
struct spawn {
	const struct link_msg *msg;
	int client, plan_fd, cwd, stdio[3];
	uint32_t uid, gid;
	struct child child;
	enum spawn_step step;
};

static struct plan *plan; /* room for the largest there may be */
static size_t plan_filled;
static gid_t *groups;

static const nsec_t refused_for = 30 * NSEC_PER_SEC;
static struct {
	struct slow_user {
		uid_t uid;
		nsec_t until; /* CLOCK_MONOTONIC */
	} users[16];
	size_t next;
} slow; /* users whose start hung, and until when they are refused another one */

int spawn_init(void)
{
	void *p = mmap(NULL, PLAN_MAX + GROUPS_MAX * sizeof(*groups), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	plan = p;
	groups = (gid_t *)((char *)p + PLAN_MAX);
	return clone_init();
}

static int fail(struct spawn *s, enum spawn_step step, int error)
{
	s->step = step;
	errno = error;
	return -1;
}

/* Gives the descriptors their names. */
static int take_fds(struct spawn *s, const int *fds, int nfds)
{
	int *place[] = {&s->client, &s->plan_fd, &s->cwd, &s->stdio[0], &s->stdio[1], &s->stdio[2]};
	int taken = 0;
	for (size_t i = 0; i < ARRAY_LEN(place); i++) {
		*place[i] = -1;
		if (!(s->msg->spawn.has & (1u << i)))
			continue;
		if (taken == nfds)
			return fail(s, STEP_LIMIT, EMFILE); /* the kernel found no room for it in our table */
		*place[i] = fds[taken++];
	}
	return 0;
}

static int plan_of_client(struct spawn *s)
{
	const int needed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(s->plan_fd, F_GET_SEALS);
	ssize_t n;
	if (seals < 0 || (seals & needed) != needed)
		return fail(s, STEP_PLAN, EPERM);
	n = pread(s->plan_fd, plan, PLAN_MAX, 0);
	if (n < 0)
		return fail(s, STEP_PLAN, errno);
	plan_filled = (size_t)n;
	if (plan_check(plan, (size_t)n) < 0)
		return fail(s, STEP_PLAN, EINVAL);
	return 0;
}

static int plan_of_job(struct spawn *s)
{
	const struct jobtab *t = keeper.table;
	const char *base = (const char *)t;
	const struct jobtab_job *job;
	const struct plan *p;
	if (s->msg->spawn.generation != t->generation)
		return fail(s, STEP_PLAN, ESTALE);
	if (s->msg->spawn.job >= t->njobs)
		return fail(s, STEP_PLAN, ENOENT);
	job = (const struct jobtab_job *)(base + t->jobs) + s->msg->spawn.job;
	if (s->msg->spawn.instance >= job->instances)
		return fail(s, STEP_PLAN, ENOENT);
	p = (const struct plan *)(base + ((const uint32_t *)(base + job->plans))[s->msg->spawn.instance]);
	memcpy(plan, p, p->size);
	plan_filled = p->size;
	return 0;
}

static int groups_of_client(struct spawn *s)
{
	socklen_t size = GROUPS_MAX * sizeof(*groups);
	if (getsockopt(s->client, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return fail(s, STEP_IDENTITY, errno);
	s->child.who.groups = groups;
	s->child.who.ngroups = size / sizeof(*groups);
	return 0;
}

/* While a start hangs nobody else is served: whose did must not have the next at once. */
static bool is_slow(uid_t uid)
{
	for (size_t i = 0; i < ARRAY_LEN(slow.users); i++)
		if (slow.users[i].uid == uid && slow.users[i].until > keeper_clock())
			return true;
	return false;
}

/* Who it becomes when the plan may say it. */
static int identity_of_plan(struct spawn *s)
{
	if (plan->uid == (uid_t)-1 || plan->gid == (gid_t)-1)
		return fail(s, STEP_IDENTITY, EINVAL);
	s->uid = plan->uid;
	s->gid = plan->gid;
	s->child.who = (struct identity){true, plan->uid, plan->gid, plan->ngroups,
					 (const gid_t *)((const char *)plan + plan->groups)};
	return 0;
}

/* A keeper of root's starts it as the client, with the client's groups, or as whom root's client names; another one is
 * nobody but itself. */
static int identity_of_client(struct spawn *s)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	if (getsockopt(s->client, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return fail(s, STEP_IDENTITY, errno);
	s->uid = peer.uid;
	s->gid = peer.gid;
	if ((plan->flags & PLAN_CREDS) && (keeper.uid != 0 || peer.uid != 0))
		return fail(s, STEP_IDENTITY, EPERM);
	if (keeper.uid != 0)
		return peer.uid == keeper.uid ? 0 : fail(s, STEP_IDENTITY, EPERM);
	if (peer.uid == (uid_t)-1 || peer.uid == OVERFLOW_ID || peer.gid == (gid_t)-1)
		return fail(s, STEP_IDENTITY, EPERM);
	if (is_slow(peer.uid))
		return fail(s, STEP_CLONE, EAGAIN);
	s->child.who = (struct identity){.change = true, .uid = peer.uid, .gid = peer.gid};
	if (peer.uid != 0 && plan->nice < 0)
		return fail(s, STEP_NICE, EPERM);
	s->child.privileged = peer.uid == 0;
	return plan->flags & PLAN_CREDS ? identity_of_plan(s) : groups_of_client(s);
}

static int identity_of_job(struct spawn *s)
{
	s->uid = keeper.uid;
	s->gid = getgid();
	if (!(plan->flags & PLAN_CREDS) || (keeper.uid != 0 && plan->uid == keeper.uid))
		return 0;
	if (keeper.uid != 0 || !keeper.table->trusted)
		return fail(s, STEP_IDENTITY, EPERM);
	s->child.privileged = true;
	return identity_of_plan(s);
}

static int load_plan(struct spawn *s)
{
	if (!(s->msg->spawn.has & SPAWN_HAS_PLAN))
		return plan_of_job(s) < 0 ? -1 : identity_of_job(s);
	if (!(s->msg->spawn.has & SPAWN_HAS_CLIENT))
		return fail(s, STEP_IDENTITY, EPERM);
	return plan_of_client(s) < 0 ? -1 : identity_of_client(s);
}

/* What is the keeper's business, or a lie about it. */
static bool env_is_dropped(const char *var)
{
	static const char *const prefixes[] = {"NOTIFY_SOCKET=", "LISTEN_",     "WATCHDOG_",
					       "MPD_PROCESS=",   "MPD_PARENT=", "MPD_KEEPER="};
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (!strncmp(var, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* Ours come first, where tree.c finds them soonest. MPD_KEEPER says whose ids they are. */
static char **put_our_env(const struct spawn *s, char **env, char *text)
{
	char *end = text + PLAN_EXTRA_TEXT;
	*env++ = text;
	text += snprintf(text, (size_t)(end - text), "MPD_PROCESS=%llu", (unsigned long long)s->msg->id) + 1;
	*env++ = text;
	text += snprintf(text, (size_t)(end - text), "MPD_KEEPER=%d", (int)keeper.pid) + 1;
	*env++ = text;
	snprintf(text, (size_t)(end - text), "MPD_PARENT=%llu", (unsigned long long)s->msg->spawn.parent);
	return env;
}

/* The room of the plan becomes: a place for the shell, argv, NULL, envp, NULL, the text of our variables. */
static void build_arrays(struct spawn *s)
{
	char *base = (char *)plan, **to = (char **)(base + plan->room);
	const uint32_t *argv = (const uint32_t *)(base + plan->argv), *envp = (const uint32_t *)(base + plan->envp);
	const char *path = "/usr/local/bin:/usr/bin:/bin";
	s->child.argv = ++to;
	for (uint32_t i = 0; i < plan->argc; i++)
		*to++ = base + argv[i];
	*to++ = NULL;
	s->child.envp = to;
	to = put_our_env(s, to, base + plan->room + PLAN_ROOM(plan->argc, plan->envc) - PLAN_EXTRA_TEXT);
	for (uint32_t i = 0; i < plan->envc; i++) {
		char *var = base + envp[i];
		if (env_is_dropped(var))
			continue;
		if (!strncmp(var, "PATH=", 5))
			path = var + 5;
		*to++ = var;
	}
	*to = NULL;
	s->child.path = strchr(s->child.argv[0], '/') ? NULL : path;
}

/* What we raised for ourselves is the child's to have only where it was asked for. */
static void take_limits(struct spawn *s)
{
	s->child.nofile = keeper.nofile;
	s->child.limits = (const struct plan_limit *)((const char *)plan + plan->limits);
	for (uint32_t i = 0; i < plan->nlimits; i++)
		if (s->child.limits[i].resource == RLIMIT_NOFILE)
			s->child.nofile = child_limit(&s->child.limits[i]);
}

static int make_pipe(struct spawn *s, struct slot *slot, int i)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(s, STEP_PIPE, errno);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	slot->pipe[i - 1] = ends[0];
	return ends[1];
}

/* Where descriptor I of the child comes from, or -1. PLAN_INHERIT is ours to give: to a job, or to our own user. */
static int stdio_source(struct spawn *s, struct slot *slot, int i)
{
	enum spawn_step step = (enum spawn_step)(STEP_STDIN + i);
	switch ((enum plan_stdio)plan->stdio[i]) {
	case PLAN_NULL:
	case PLAN_FILE: /* the child opens it */
		return keeper.null;
	case PLAN_PIPE:
		return make_pipe(s, slot, i);
	case PLAN_FD:
		return s->stdio[i] >= 0 ? s->stdio[i] : fail(s, step, EBADF);
	case PLAN_INHERIT:
		return s->uid == keeper.uid || s->client < 0 ? i : fail(s, step, EPERM);
	case PLAN_STDOUT:
		return STDOUT_FILENO; /* by then the child's */
	}
	return fail(s, step, EINVAL);
}

static int prepare_stdio(struct spawn *s, struct slot *slot)
{
	for (int i = 0; i < 3; i++) {
		s->child.fds[i] = stdio_source(s, slot, i);
		if (s->child.fds[i] < 0)
			return -1;
	}
	if ((plan->flags & PLAN_CTTY) && plan->stdio[0] != PLAN_FD)
		return fail(s, STEP_TERMINAL, ENOTTY);
	return 0;
}

/* The child has its own copies, or will never be. */
static void close_write_ends(const struct spawn *s, const struct slot *slot)
{
	for (int i = 1; i < 3; i++)
		if (slot->pipe[i - 1] >= 0 && s->child.fds[i] > 2)
			close(s->child.fds[i]);
}

/* Its directory is looked at before it is used again: it may be in there yet. */
static void hung(const struct spawn *s, struct slot *slot)
{
	log_warning("process %llu of uid %u was given up before its exec: it hangs", (unsigned long long)s->msg->id,
		    s->uid);
	if (slot->dir == DIR_EMPTY)
		slot->dir = DIR_USED;
	if (s->uid == keeper.uid)
		return;
	slow.users[slow.next] = (struct slow_user){s->uid, keeper_clock() + refused_for};
	slow.next = (slow.next + 1) % ARRAY_LEN(slow.users);
}

static int run(struct spawn *s, struct slot *slot)
{
	AUTO_FD dir = cgroup_enter(slot);
	int pidfd = -1;
	pid_t pid;
	pid = clone_child(child_run, &s->child, dir, &pidfd);
	if (clone_result->given_up)
		hung(s, slot);
	if (pid < 0)
		return fail(s, (enum spawn_step)clone_result->step, errno);
	slot->flags |= clone_result->in_cgroup ? SLOT_CGROUP : 0;
	slot->start = sys_now(); /* not before the kernel's own word of it, which pidfds are held to */
	slot_running(slot, pid, pidfd);
	return 0;
}

static int attempt(struct spawn *s, struct slot *slot, const int *fds, int nfds)
{
	int rc;
	if (take_fds(s, fds, nfds) < 0 || load_plan(s) < 0)
		return -1;
	build_arrays(s);
	s->child.plan = plan;
	s->child.cwd = s->cwd;
	take_limits(s);
	rc = prepare_stdio(s, slot);
	if (rc == 0)
		rc = run(s, slot);
	close_write_ends(s, slot);
	return rc;
}

static void failed(const struct link_msg *msg, struct slot *slot, enum spawn_step step, int error)
{
	for (int i = 0; slot && i < 2; i++)
		if (slot->pipe[i] >= 0)
			close(fd_take(&slot->pipe[i]));
	if (!slot)
		slot = slot_new(msg->id, true);
	if (!slot) {
		link_failed(msg->id, step, error);
		return;
	}
	slot->code = step;
	slot->status = error;
	link_tell(slot, TELL_STATE);
}

/* A plan leaves its pages behind; those of an unusually large one go back. */
static void give_back(void)
{
	if (plan_filled > SMALL_PLAN)
		madvise(plan, PLAN_MAX, MADV_DONTNEED);
	plan_filled = 0;
}

void spawn_process(const struct link_msg *msg, const int *fds, int nfds)
{
	struct spawn s = {.msg = msg};
	struct slot *slot = keeper.phase < PHASE_TERMINATING ? slot_new(msg->id, false) : NULL;
	if (!slot) {
		failed(msg, NULL, STEP_LIMIT, keeper.phase < PHASE_TERMINATING ? EAGAIN : ESHUTDOWN);
		return;
	}
	if (attempt(&s, slot, fds, nfds) < 0) {
		int error = errno;
		failed(msg, slot, s.step, error);
	} else {
		slot->uid = s.uid;
		slot->gid = s.gid;
		link_tell(slot, TELL_STARTED);
	}
	give_back();
}
