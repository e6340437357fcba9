/* SPDX-License-Identifier: MIT */
/*
 * process.start: from a client's words to a plan, a record and a message to the keeper; then the wait for the exec.
 *
 * 1. Everything that can be refused is refused before anything is made.
 * 2. In a session the record carries the request's id: a request that is sent again finds it and starts nothing.
 */
#include "common/planmake.h"
#include "common/units.h"
#include "daemon/engine/attribute.h"
#include "daemon/engine/await.h"
#include "daemon/engine/capture.h"
#include "daemon/engine/commands.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/foreign.h"
#include "daemon/engine/keeperlink.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define NAME_MAX_LEN 128
#define ARGV_SHOWN ((size_t)16 << 10) /* of the arguments, in a record: thousands of records are kept */
#define PROCESSES_MAX 10000
#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What is asked for, checked. */
struct start {
	struct req *req;
	const struct args_process_start *args;
	struct proc_image image;
	struct plan_spec plan;
	struct buf paths; /* what plan.path and the log paths point into */
	size_t path_at[3];
	uint32_t has; /* SPAWN_HAS_CWD ... _STDERR: descriptors of the request's, in order */
	struct buf argv_json, cwd_text;
	struct buf groups; /* what plan.groups points into */
	struct plan_limit limits[PLAN_LIMITS_MAX];
	char name[NAME_MAX_LEN + 16];
	unsigned count; /* how many are asked for */
	bool numbered;
};

/* --- what may be asked for ------------------------------------------------------------------------------------ */

static bool name_good(struct span name)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	return name.n >= 1 && name.n <= NAME_MAX_LEN && strspn(name.p, good) == name.n;
}

static int start_name(struct start *s, struct fault *fault)
{
	const struct args_process_start *a = s->args;
	s->numbered = GIVEN(a, process_start, processes);
	s->count = s->numbered ? (unsigned)MIN(MAX(a->processes, 0), PROCESSES_MAX + 1) : 1;
	if (s->count < 1 || s->count > PROCESSES_MAX)
		return fault_set(fault, FAULT_PARAMS, "parameter \"processes\": must be from 1 to %d", PROCESSES_MAX);
	if (!GIVEN(a, process_start, name)) {
		snprintf(s->name, sizeof(s->name), "Process-%llu", (unsigned long long)core.next_id);
		return 0;
	}
	if (!name_good(a->name))
		return fault_set(fault, FAULT_PARAMS,
				 "parameter \"name\": must be 1 to %d of the letters A-Z a-z 0-9 . _ -", NAME_MAX_LEN);
	snprintf(s->name, sizeof(s->name), "%s", a->name.p);
	return 0;
}

static void start_nth_name(const struct start *s, unsigned k, struct buf *out)
{
	buf_clear(out, 4096);
	buf_puts(out, s->name);
	if (s->numbered)
		buf_printf(out, ".%u", k + 1);
}

/* Those from FIRST on. */
static int start_names_free(const struct start *s, unsigned first, struct fault *fault)
{
	AUTO_BUF name = BUF_INIT;
	for (unsigned k = first; k < s->count; k++) {
		start_nth_name(s, k, &name);
		/* Who may not see the jobs does not learn their names: the name can be his as well. */
		bool jobs = s->req->conn->peer.admin;
		if (jobs && (job_find(buf_view(&name)) || inst_find(buf_view(&name))))
			return fault_set(fault, FAULT_EXISTS, "%s is the name of a job (start it: mpctl start %s)",
					 buf_str(&name), buf_str(&name));
		if (proc_name_taken(buf_view(&name), s->image.uid))
			return fault_set(fault, FAULT_ALREADY_STARTED,
					 "%s was started before and lives (stop it, or take another name)",
					 buf_str(&name));
	}
	return 0;
}

static int start_room(unsigned more, struct fault *fault)
{
	if (core.alive + more <= engine.slots)
		return 0;
	fault_set(
		fault, FAULT_QUOTA,
		"%zu processes are alive and %u more are too many: the limit is %u (it follows from RLIMIT_NOFILE and "
		"max_processes)",
		core.alive, more, engine.slots);
	return fault_data(fault, "\"limit\":\"processes\",\"used\":%zu,\"max\":%u", core.alive, engine.slots);
}

/* --- parents -------------------------------------------------------------------------------------------------- */

static int parent_is_pid(struct start *s, pid_t pid, struct fault *fault)
{
	struct conn *c = s->req->conn;
	const struct proc *p = attribute_pid(pid);
	if (p && p != conn_process(c) && !peer_may(&c->peer, p->i.uid))
		return fault_set(fault, FAULT_DENIED, "parent: the process %d is not yours", pid);
	if (p) {
		s->image.parent = PARENT_PROC;
		s->image.parent_id = p->i.id;
		return 0;
	}
	int64_t start = pid > 0 ? pid_start(pid) : -1;
	char path[32];
	snprintf(path, sizeof(path), "/proc/%d", pid);
	struct stat st;
	if (start < 0 || stat(path, &st) < 0)
		return fault_set(fault, FAULT_NOT_FOUND, "parent: no process has the pid %d", pid);
	if (!peer_may(&c->peer, st.st_uid))
		return fault_set(fault, FAULT_DENIED, "parent: the process %d is not yours", pid);
	s->image.parent = PARENT_FOREIGN;
	s->image.parent_pid = pid;
	s->image.parent_start = start;
	return 0;
}

static int parent_named(struct start *s, struct span raw, struct fault *fault)
{
	uint64_t id;
	int64_t pid;
	if (span_is(raw, "\"mpd\""))
		return 0;
	if (scan_i64(scan_get(raw, "pid"), &pid) == 0)
		return parent_is_pid(s, (pid_t)MIN(MAX(pid, 0), INT32_MAX), fault);
	if (scan_u64(raw, &id) < 0)
		return fault_set(fault, FAULT_PARAMS,
				 "parameter \"parent\": must be a process id, {\"pid\": N} or \"mpd\"");
	const struct proc *p = proc_by_id(id);
	if (!p || proc_over(p) || !peer_may(&s->req->conn->peer, p->i.uid))
		return fault_set(fault, FAULT_NOT_FOUND, "parent: no living process has the id %llu",
				 (unsigned long long)id);
	s->image.parent = PARENT_PROC;
	s->image.parent_id = id;
	return 0;
}

static int refuse_daemonic(const struct proc *p, struct fault *fault)
{
	if (!p || !p->i.daemon || core.daemonic_children_allowed || proc_over(p))
		return 0;
	return fault_set(fault, FAULT_DAEMONIC, "%s: daemonic processes are not allowed to have children",
			 p->text[TEXT_NAME].p);
}

static int start_parent(struct start *s, struct fault *fault)
{
	const struct args_process_start *a = s->args;
	struct conn *c = s->req->conn;
	const struct proc *self = conn_process(c);
	int code = refuse_daemonic(self ? self : attribute_claim(c->peer.pid), fault);
	if (code)
		return code;
	if (GIVEN(a, process_start, parent)) {
		code = parent_named(s, a->parent, fault);
	} else if (self && !proc_over(self)) {
		s->image.parent = PARENT_PROC;
		s->image.parent_id = self->i.id;
	} else if (a->daemon) {
		code = parent_is_pid(s, c->peer.pid, fault);
	}
	if (!code && s->image.parent == PARENT_PROC)
		code = refuse_daemonic(proc_by_id(s->image.parent_id), fault);
	if (!code && a->daemon && s->image.parent == PARENT_MPD)
		code = fault_set(fault, FAULT_PARAMS, "parameter \"daemon\": a child of mpd itself cannot be daemonic");
	return code;
}

/* --- as whom, within what limits --------------------------------------------------------------------------------- */

/* A uid or gid: -1 would be "as it is". */
static int user_number(struct span raw, uint32_t *ret)
{
	uint64_t n;
	if (scan_u64(raw, &n) < 0 || n >= UINT32_MAX)
		return -1;
	*ret = (uint32_t)n;
	return 0;
}

static int user_groups(struct start *s, struct span raw)
{
	struct span key, value;
	if (!raw.p)
		return 0;
	if (scan_type(raw) != SCAN_ARRAY || scan_count(raw) > NGROUPS_MAX)
		return -1;
	for (struct scan_iter it = scan_iter(raw); scan_next(&it, &key, &value);) {
		uint32_t gid;
		if (user_number(value, &gid) < 0)
			return -1;
		buf_put(&s->groups, &gid, sizeof(gid));
	}
	s->plan.ngroups = (uint32_t)(s->groups.len / sizeof(gid_t));
	s->plan.groups = (const uint32_t *)(const void *)s->groups.p;
	return s->groups.failed ? -1 : 0;
}

/* Numbers only: who asks NSS may wait for ever. The keeper does not take our word for the client being root. */
static int start_user(struct start *s, struct fault *fault)
{
	struct span raw = s->args->user;
	if (!GIVEN(s->args, process_start, user))
		return 0;
	if (s->req->conn->peer.uid != 0 || engine.uid != 0)
		return fault_set(fault, FAULT_DENIED, "user: only root may start processes as another user");
	struct span groups = scan_get(raw, "groups");
	if (user_number(scan_get(raw, "uid"), &s->plan.uid) < 0 ||
	    user_number(scan_get(raw, "gid"), &s->plan.gid) < 0 || user_groups(s, groups) < 0 ||
	    scan_count(raw) != 2u + (groups.p != NULL))
		return fault_set(fault, FAULT_PARAMS,
				 "parameter \"user\": must be {\"uid\": N, \"gid\": N, \"groups\": [N...]}, "
				 "in numbers");
	s->plan.flags |= PLAN_CREDS;
	s->image.uid = s->plan.uid;
	s->image.gid = s->plan.gid;
	return 0;
}

static const char *const limit_names[RLIM_NLIMITS] = {
	[RLIMIT_NOFILE] = "nofile", [RLIMIT_CORE] = "core",   [RLIMIT_AS] = "as",
	[RLIMIT_CPU] = "cpu",       [RLIMIT_FSIZE] = "fsize", [RLIMIT_NPROC] = "nproc",
	[RLIMIT_STACK] = "stack",   [RLIMIT_DATA] = "data",   [RLIMIT_MEMLOCK] = "memlock",
};

static int limit_unknown(struct span name, struct fault *fault)
{
	const char *known[RLIM_NLIMITS], *near;
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(limit_names); i++)
		if (limit_names[i])
			known[n++] = limit_names[i];
	near = fault_nearest(name, known, n);
	return fault_set(fault, FAULT_PARAMS, "parameter \"limits\": unknown limit \"%.*s\"%s%s%s",
			 (int)MIN(name.n, 64), name.p, near ? " (did you mean \"" : "", near ? near : "",
			 near ? "\"?)" : "");
}

static int limit_number(struct span raw, uint64_t *ret)
{
	if (!span_is(raw, "\"unlimited\""))
		return scan_u64(raw, ret);
	*ret = PLAN_UNLIMITED;
	return 0;
}

/* N for both, or [soft, hard]. */
static int limit_value(struct span raw, struct plan_limit *l)
{
	struct span key, soft = raw, hard = raw;
	if (scan_type(raw) == SCAN_ARRAY) {
		struct scan_iter it = scan_iter(raw);
		if (scan_count(raw) != 2 || !scan_next(&it, &key, &soft) || !scan_next(&it, &key, &hard))
			return -1;
	}
	return limit_number(soft, &l->soft) < 0 || limit_number(hard, &l->hard) < 0 || l->soft > l->hard ? -1 : 0;
}

static int limit_add(struct start *s, struct span name, struct span raw, struct fault *fault)
{
	struct plan_limit *l = &s->limits[s->plan.nlimits];
	uint32_t resource = 0;
	while (resource < RLIM_NLIMITS && !(limit_names[resource] && span_is(name, limit_names[resource])))
		resource++;
	if (resource == RLIM_NLIMITS)
		return limit_unknown(name, fault);
	if (limit_value(raw, l) < 0)
		return fault_set(fault, FAULT_PARAMS,
				 "parameter \"limits\": \"%s\" must be N or [SOFT, HARD], each a number or "
				 "\"unlimited\", the soft one not above the hard one",
				 limit_names[resource]);
	l->resource = resource;
	s->plan.nlimits++;
	return 0;
}

static int start_limits(struct start *s, struct fault *fault)
{
	struct span raw = s->args->limits, name, value;
	int code = 0;
	if (!GIVEN(s->args, process_start, limits))
		return 0;
	if (scan_type(raw) != SCAN_OBJECT)
		return fault_set(fault, FAULT_PARAMS, "parameter \"limits\": must be an object");
	for (struct scan_iter it = scan_iter(raw); !code && scan_next(&it, &name, &value);)
		code = limit_add(s, name, value, fault);
	s->plan.limits = s->limits;
	return code;
}

/* --- where its input and output go ---------------------------------------------------------------------------- */

static int stdio_file(struct start *s, int fd, struct span raw, struct fault *fault)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	struct span file = scan_get(raw, "file");
	s->path_at[fd] = s->paths.len;
	if (!file.p || scan_bytes(file, &s->paths) < 0 || s->paths.len == s->path_at[fd] ||
	    s->paths.p[s->path_at[fd]] != '/')
		return fault_set(fault, FAULT_PARAMS,
				 "parameter \"%s\": must be one of %s or {\"file\": \"/an/absolute/path\"}", names[fd],
				 fd == 0 ? "\"null\", \"fd\"" : "\"log\", \"null\", \"fd\"");
	buf_putc(&s->paths, '\0');
	s->plan.stdio[fd] = PLAN_FILE;
	return 0;
}

static int start_stdio(struct start *s, int fd, bool given, struct span raw, struct fault *fault)
{
	static const struct {
		const char *word;
		enum plan_stdio kind;
		int from; /* the first descriptor that may say so */
	} words[] = {{"\"null\"", PLAN_NULL, 0},
		     {"\"fd\"", PLAN_FD, 0},
		     {"\"log\"", PLAN_PIPE, 1},
		     {"\"stdout\"", PLAN_STDOUT, 2}};
	s->plan.stdio[fd] = fd == 0 ? PLAN_NULL : PLAN_PIPE;
	for (size_t i = 0; given && i < ARRAY_LEN(words); i++) {
		if (fd < words[i].from || !span_is(raw, words[i].word))
			continue;
		s->plan.stdio[fd] = words[i].kind;
		s->has |= words[i].kind == PLAN_FD ? SPAWN_HAS_STDIN << fd : 0;
		return 0;
	}
	return given ? stdio_file(s, fd, raw, fault) : 0;
}

static int start_files(struct start *s, struct fault *fault)
{
	const struct args_process_start *a = s->args;
	s->has = a->cwd_fd ? SPAWN_HAS_CWD : 0;
	int code = start_stdio(s, 0, GIVEN(a, process_start, stdin), a->stdin, fault);
	code = code ? code : start_stdio(s, 1, GIVEN(a, process_start, stdout), a->stdout, fault);
	code = code ? code : start_stdio(s, 2, GIVEN(a, process_start, stderr), a->stderr, fault);
	if (code)
		return code;
	for (int i = 0; i < 3; i++)
		if (s->plan.stdio[i] == PLAN_FILE)
			s->plan.path[i] = span_of(s->paths.p + s->path_at[i]);
	size_t wanted = (size_t)__builtin_popcount(s->has);
	if (s->req->nfds != wanted)
		return fault_set(fault, FAULT_PARAMS, "%zu descriptors are needed and %zu came (\"fds\": n)", wanted,
				 s->req->nfds);
	if (wanted && s->count > 1)
		return fault_set(fault, FAULT_PARAMS, "descriptors can be given to one process only");
	s->image.captured = (uint8_t)((s->plan.stdio[1] == PLAN_PIPE) | (s->plan.stdio[2] == PLAN_PIPE) << 1);
	return 0;
}

/* --- environment -------------------------------------------------------------------------------------------------- */

struct env {
	struct span *v;
	size_t n, given; /* the client's come first */
};

static bool env_has(const struct env *env, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < env->given; i++)
		if (env->v[i].n > n && env->v[i].p[n] == '=' && !memcmp(env->v[i].p, name, n))
			return true;
	return false;
}

/* NAME=VALUE unless the client said otherwise; TEXT owns it. */
static void env_default(struct env *env, struct buf *text, const char *name, const char *value)
{
	if (!value || !*value || env_has(env, name))
		return;
	size_t at = text->len;
	buf_printf(text, "%s=%s", name, value);
	buf_putc(text, '\0');
	env->v[env->n++] =
		(struct span){(const char *)at, text->len - at - 1}; /* the place; a pointer when all is in */
}

#define ENV_DEFAULTS 8

static int start_env(struct start *s, struct env *env, struct buf *text)
{
	const struct {
		const char *name, *value;
	} ours[] = {{"HOME", engine.home}, {"USER", engine.user}, {"LOGNAME", engine.user}, {"SHELL", engine.shell}};
	const struct args_process_start *a = s->args;
	env->v = calloc(a->env.n + ENV_DEFAULTS, sizeof(*env->v));
	if (!env->v)
		return -1;
	for (size_t i = 0; i < a->env.n; i++)
		env->v[env->n++] = a->env.v[i];
	env->given = env->n;
	env_default(env, text, "MPCTL_SOCKET", engine.socket);
	if (s->image.context == CONTEXT_SPAWN) {
		env_default(env, text, "PATH", PATH_DEFAULT);
		for (size_t i = 0; i < ARRAY_LEN(ours) && s->image.uid == engine.uid; i++)
			env_default(env, text, ours[i].name, ours[i].value);
	}
	for (size_t i = env->given; i < env->n; i++)
		env->v[i].p = text->p + (size_t)env->v[i].p;
	return text->failed ? -1 : 0;
}

/* --- the whole request -------------------------------------------------------------------------------------------- */

static int start_check(struct start *s, struct fault *fault)
{
	const struct args_process_start *a = s->args;
	const struct peer *peer = &s->req->conn->peer;
	s->image = (struct proc_image){
		.uid = peer->uid,
		.gid = peer->gid,
		.daemon = a->daemon,
		.context = GIVEN(a, process_start, context) ? (uint8_t)a->context : CONTEXT_SPAWN,
		.kill_mode = GIVEN(a, process_start, kill_mode) ? (uint8_t)a->kill_mode : KILL_TREE,
		.stop_signal = GIVEN(a, process_start, stop_signal) ? a->stop_signal : SIGTERM,
		.stop_timeout = GIVEN(a, process_start, stop_timeout) ? a->stop_timeout : 10 * NSEC_PER_SEC,
		.limit = GIVEN(a, process_start, limit) ? a->limit : NSEC_NEVER,
	};
	s->plan = (struct plan_spec){.umask = -1, .flags = a->ctty ? PLAN_CTTY : 0};
	if (GIVEN(a, process_start, umask)) {
		if (a->umask < 0 || a->umask > 0777)
			return fault_set(fault, FAULT_PARAMS, "parameter \"umask\": must be from 0 to 511 (0777)");
		s->plan.umask = (int32_t)a->umask;
	}
	if (a->cwd.n >= PATH_MAX)
		return fault_set(fault, FAULT_PARAMS, "parameter \"cwd\": must be shorter than %d bytes", PATH_MAX);
	int code = start_name(s, fault);
	code = code ? code : start_user(s, fault);
	code = code ? code : start_limits(s, fault);
	code = code ? code : start_files(s, fault);
	code = code ? code : start_parent(s, fault);
	return code;
}

static void start_texts(struct start *s)
{
	const struct args_process_start *a = s->args;
	size_t left = ARGV_SHOWN;
	buf_putc(&s->argv_json, '[');
	for (size_t i = 0; i < a->argv.n; i++) {
		if (i)
			buf_putc(&s->argv_json, ',');
		if (a->argv.v[i].n >= left) {
			buf_puts(&s->argv_json, "\"...\"");
			break;
		}
		scan_put_bytes(&s->argv_json, a->argv.v[i]);
		left -= a->argv.v[i].n + 1;
	}
	buf_putc(&s->argv_json, ']');
	buf_span(&s->cwd_text, a->cwd.n ? a->cwd : SPAN("/"));
}

/* The plan as a sealed memfd, which the keeper maps. -1 with errno. */
static int start_plan(struct start *s)
{
	static struct buf plan;
	AUTO_BUF text = BUF_INIT;
	struct env env = {0};
	size_t at;
	buf_clear(&plan, 256 << 10);
	int bad = start_env(s, &env, &text);
	s->plan.argv = s->args->argv.v;
	s->plan.argc = s->args->argv.n;
	s->plan.env = env.v;
	s->plan.envc = env.n;
	s->plan.cwd = s->args->cwd_fd ? (struct span){NULL, 0} : s->args->cwd;
	bad = bad ? bad : plan_make(&s->plan, &plan, &at);
	free(env.v);
	errno = bad ? E2BIG : 0;
	AUTO_FD fd = bad ? -1 : memfd_create("mpd-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || RETRY(write(fd, plan.p, plan.len)) != (ssize_t)plan.len ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -1;
	return fd_take(&fd);
}

/* (session, request) of the k-th, or nothing. */
static void start_origin(const struct start *s, unsigned k, struct buf *out)
{
	const struct conn *c = s->req->conn;
	buf_clear(out, 4096);
	if (!c->has_session || s->req->id.n == 0)
		return;
	buf_put(out, c->session, sizeof(c->session));
	buf_span(out, s->req->id);
	buf_printf(out, "#%u", k);
}

static struct proc *start_record(struct start *s, unsigned k, struct span origin)
{
	AUTO_BUF name = BUF_INIT, out = BUF_INIT, err = BUF_INIT;
	start_nth_name(s, k, &name);
	if (s->image.captured & 1)
		capture_path(core.next_id, buf_view(&name), 0, &out);
	if (s->image.captured & 2)
		capture_path(core.next_id, buf_view(&name), 1, &err);
	const struct span text[PROC_TEXTS] = {
		[TEXT_NAME] = buf_view(&name),
		[TEXT_ARGV] = buf_view(&s->argv_json),
		[TEXT_CWD] = buf_view(&s->cwd_text),
		[TEXT_JOB] = SPAN(""),
		[TEXT_IN] = s->plan.path[0],
		[TEXT_OUT] = s->image.captured & 1 ? buf_view(&out) : s->plan.path[1],
		[TEXT_ERR] = s->image.captured & 2 ? buf_view(&err) : s->plan.path[2],
		[TEXT_SESSION] = origin,
	};
	return proc_new(&s->image, text, s->numbered ? k + 1 : 0);
}

/* Takes the descriptors. */
static void start_send(struct start *s, const struct proc *p, int client, int plan)
{
	struct link_msg msg = {.type = LINK_SPAWN, .id = p->i.id};
	int fds[LINK_FDS_MAX] = {client, plan};
	size_t n = 2;
	msg.spawn.has = SPAWN_HAS_CLIENT | SPAWN_HAS_PLAN | s->has;
	msg.spawn.parent = p->i.parent == PARENT_PROC ? p->i.parent_id : 0;
	for (size_t i = 0; i < s->req->nfds; i++)
		fds[n++] = fd_take(&s->req->fds[i]);
	link_send(&msg, fds, n);
}

/* --- the wait for the exec ---------------------------------------------------------------------------------------- */

struct starting {
	struct waiter waiter;
	struct req *req;
	struct targets targets;
	bool numbered;
};

static void starting_free(struct starting *w)
{
	targets_done(&w->targets);
	free(w);
}

static enum step starting_attempt(struct waiter *waiter)
{
	struct starting *w = CONTAINER_OF(waiter, struct starting, waiter);
	for (size_t i = 0; i < w->targets.n; i++)
		if (w->targets.v[i].proc->i.state == PROC_STARTING)
			return STEP_WAIT;
	return STEP_DONE;
}

static void put_started(struct buf *b, const struct proc *p)
{
	buf_printf(b, "{\"id\":%llu,\"pid\":%d,\"name\":", (unsigned long long)p->i.id, p->i.pid);
	scan_put_str(b, p->text[TEXT_NAME]);
	buf_putc(b, '}');
}

static void reply_started(struct starting *w)
{
	struct buf *b = reply_begin(w->req);
	if (w->numbered)
		buf_puts(b, "{\"processes\":[");
	for (size_t i = 0; i < w->targets.n; i++) {
		if (i)
			buf_putc(b, ',');
		put_started(b, w->targets.v[i].proc);
	}
	if (w->numbered)
		buf_puts(b, "]}");
	reply_end(w->req);
}

/* What the errno alone does not tell. */
static const char *step_hint(int step)
{
	static const char *const hints[] = {
		[STEP_LIMIT] = " (too many processes)",
		[STEP_IDENTITY] = " (this daemon cannot start processes for your user)",
		[STEP_LIMITS] = " (a hard limit cannot be raised)",
	};
	return step >= 0 && (size_t)step < ARRAY_LEN(hints) && hints[step] ? hints[step] : "";
}

static void start_fault(const struct proc *p, struct fault *fault)
{
	struct span subject = proc_fail_subject(p);
	AUTO_BUF json = BUF_INIT;
	scan_put_str(&json, subject);
	fault_set(fault, FAULT_SPAWN, "%.*s: %s%s", (int)MIN(subject.n, 300), subject.p,
		  p->i.error == ENOENT ? "not found" : strerror(p->i.error), step_hint(p->i.step));
	fault_data(fault, "\"step\":\"%s\",\"subject\":%s,\"errno\":%d", spawn_step_name(p->i.step), buf_str(&json),
		   p->i.error);
}

/* No half-started process stays: what could be started of several is ended. */
static void reply_failed(struct starting *w, const struct proc *failed)
{
	struct fault fault = {0};
	start_fault(failed, &fault);
	req_fail(w->req, &fault);
	for (size_t i = 0; i < w->targets.n; i++) {
		struct proc *p = w->targets.v[i].proc;
		if (!proc_over(p))
			proc_kill(p, WHY_KILL);
		else if (p->i.failed && !subject_waited(&p->subject))
			proc_forget(p);
	}
}

static void starting_done(struct waiter *waiter)
{
	struct starting *w = CONTAINER_OF(waiter, struct starting, waiter);
	const struct proc *failed = NULL;
	for (size_t i = 0; i < w->targets.n && !failed; i++)
		if (w->targets.v[i].proc->i.failed)
			failed = w->targets.v[i].proc;
	if (failed)
		reply_failed(w, failed);
	else
		reply_started(w);
	starting_free(w);
}

static const struct wait_ops starting_ops = {
	.attempt = starting_attempt, .done = starting_done, .expire = starting_done};

static bool starting_cancel(struct req *req, bool gone)
{
	(void)gone;
	struct starting *w = req->wait;
	waiter_drop(&w->waiter);
	starting_free(w);
	return true;
}

/* Takes the targets. */
static int start_wait(struct req *req, struct targets *ts, bool numbered, struct fault *fault)
{
	struct starting *w = calloc(1, sizeof(*w));
	struct subject **subjects = calloc(ts->n + 1, sizeof(*subjects));
	for (size_t i = 0; subjects && i < ts->n; i++)
		subjects[i] = &ts->v[i].proc->subject;
	if (w)
		*w = (struct starting){.req = req, .targets = *ts, .numbered = numbered};
	int bad = !w || !subjects || waiter_park(&w->waiter, &starting_ops, subjects, ts->n, NSEC_NEVER) < 0;
	free(subjects);
	if (bad) {
		free(w);
		targets_done(ts);
		return fault_set(fault, FAULT_OVERLOADED, "out of memory");
	}
	req_park(req, starting_cancel, w);
	return 0;
}

/* --- the handler -------------------------------------------------------------------------------------------------- */

/* The k-th of them; LAST: it may have the plan itself. */
static int start_one(struct start *s, unsigned k, int *plan, bool last, struct target *ret, struct fault *fault)
{
	AUTO_BUF origin = BUF_INIT;
	AUTO_FD client = fcntl(conn_fd(s->req->conn), F_DUPFD_CLOEXEC, 3);
	AUTO_FD own = last ? fd_take(plan) : fcntl(*plan, F_DUPFD_CLOEXEC, 3);
	if (client < 0 || own < 0)
		return fault_set(fault, FAULT_OVERLOADED, "cannot start: %s", strerror(errno));
	start_origin(s, k, &origin);
	struct proc *p = start_record(s, k, buf_view(&origin));
	if (!p)
		return fault_set(fault, FAULT_OVERLOADED, "cannot start: out of memory");
	start_send(s, p, fd_take(&client), fd_take(&own));
	if (p->i.daemon && p->i.parent == PARENT_FOREIGN)
		foreign_watch(p);
	*ret = (struct target){.proc = p};
	return 0;
}

/* Those that this very request started before an engine died. */
static size_t start_known(struct start *s, struct targets *ts)
{
	AUTO_BUF origin = BUF_INIT;
	for (unsigned k = 0; k < s->count; k++) {
		start_origin(s, k, &origin);
		struct proc *p = proc_by_origin(s->image.uid, buf_view(&origin));
		if (!p)
			return k;
		ts->v[ts->n++] = (struct target){.proc = p};
	}
	return s->count;
}

static int start_rest(struct start *s, struct targets *ts, struct fault *fault)
{
	int code = start_room(s->count - (unsigned)ts->n, fault);
	code = code ? code : start_names_free(s, (unsigned)ts->n, fault);
	if (code)
		return code;
	start_texts(s);
	AUTO_FD plan = start_plan(s);
	if (plan < 0)
		return fault_set(fault, FAULT_TOO_LARGE, "arguments and environment: %s", strerror(errno));
	for (unsigned k = (unsigned)ts->n; k < s->count && !code; k++) {
		code = start_one(s, k, &plan, k + 1 == s->count, &ts->v[ts->n], fault);
		ts->n += code == 0;
	}
	for (size_t i = 0; code && i < ts->n; i++)
		proc_kill(ts->v[i].proc, WHY_KILL); /* all or none */
	return code;
}

static void start_done(struct start *s)
{
	buf_done(&s->paths);
	buf_done(&s->argv_json);
	buf_done(&s->cwd_text);
	buf_done(&s->groups);
}

int cmd_process_start(struct req *req, const void *args, struct fault *fault)
{
	struct start s = {.req = req, .args = args};
	struct targets ts = {0};
	int code = start_check(&s, fault);
	if (!code && !(ts.v = calloc(s.count, sizeof(*ts.v))))
		code = fault_set(fault, FAULT_OVERLOADED, "out of memory");
	if (!code && start_known(&s, &ts) < s.count)
		code = start_rest(&s, &ts, fault);
	if (!code)
		code = start_wait(req, &ts, s.numbered, fault);
	else
		targets_done(&ts);
	start_done(&s);
	return code;
}
