/* SPDX-License-Identifier: MIT */
/* What a start inherits from its caller: launch.h. */
#include "cli/launch.h"
#include "cli/render.h"
#include "cli/user.h"
#include "common/units.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* What the daemon sets anew for each process. */
static const char *const not_inherited[] = {"MPD_PROCESS=", "MPD_PARENT=", "MPD_NAME="};

static bool is_inherited(const char *variable)
{
	for (size_t i = 0; i < ARRAY_LEN(not_inherited); i++)
		if (!strncmp(variable, not_inherited[i], strlen(not_inherited[i])))
			return false;
	const char *equals = strchr(variable, '=');
	return equals && equals != variable;
}

static bool is_overridden(const struct args *a, const char *variable)
{
	size_t n = (size_t)(strchr(variable, '=') - variable);
	for (size_t i = 0; i < a->nenv; i++)
		if (!strncmp(a->env[i], variable, n) && (a->env[i][n] == '=' || a->env[i][n] == '\0'))
			return true;
	return false;
}

static void put_variable(struct buf *b, struct span variable)
{
	if (b->p[b->len - 1] != '[')
		buf_putc(b, ',');
	scan_put_bytes(b, variable);
}

/* -e K=V, or -e K for the value it has here. */
static void put_given(struct buf *b, const char *given)
{
	AUTO_BUF variable = BUF_INIT;
	const char *value = strchr(given, '=') ? NULL : getenv(given);
	if (!strchr(given, '=') && !value)
		return;
	buf_puts(&variable, given);
	if (value)
		buf_printf(&variable, "=%s", value);
	put_variable(b, buf_view(&variable));
}

static void put_environment(struct buf *b, const struct args *a, bool inherit)
{
	member_raw(b, "env", "[");
	for (char **e = environ; inherit && *e; e++)
		if (is_inherited(*e) && !is_overridden(a, *e))
			put_variable(b, span_of(*e));
	for (size_t i = 0; i < a->nenv; i++)
		put_given(b, a->env[i]);
	buf_putc(b, ']');
}

/* Beside the descriptor the path is for display only, and may be missing. */
static int put_path(struct buf *b, int fd)
{
	char link[40], path[4096];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path));
	if (n <= 0 || n == (ssize_t)sizeof(path) || path[0] != '/')
		return -1;
	member(b, "cwd");
	scan_put_bytes(b, (struct span){path, (size_t)n});
	return 0;
}

/* The daemon gives descriptors to one process only: SEVERAL find the directory by its path. */
static void put_directory(struct launch *l, const char *dir, bool several)
{
	l->cwd = open(dir ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->cwd < 0 || (put_path(&l->members, l->cwd) < 0 && several))
		die(STATUS_NOT_EXECUTABLE, "cannot enter %s: %s", dir ? dir : "the working directory", strerror(errno));
	if (several)
		return;
	l->fds[l->nfds++] = l->cwd;
	member_raw(&l->members, "cwd_fd", "true");
}

static void put_umask(struct buf *b)
{
	mode_t mask = umask(0);
	umask(mask);
	member_int(b, "umask", mask);
}

static void put_parent(struct buf *b, const struct args *a, pid_t parent)
{
	const char *given = a->own[FLAG_PARENT];
	if (!given && (parent == 0 || getenv("MPD_PROCESS")))
		return;
	member(b, "parent");
	buf_printf(b, "{\"pid\":%lld}", given ? strtoll(given, NULL, 10) : (long long)parent);
}

static void put_user(struct buf *b, const struct args *a)
{
	const char *given = a->own[FLAG_USER], *what;
	if (!given)
		return;
	member(b, "user");
	if (user_put(b, given, &what) < 0)
		args_wrong(a, "--user \"%s\": %s", given, what);
}

/* "unlimited", or a number, which may be a size. */
static bool put_limit(struct buf *b, struct span value)
{
	uint64_t n;
	if (span_is(value, "unlimited")) {
		buf_puts(b, "\"unlimited\"");
		return true;
	}
	if (units_size(value, &n) < 0)
		return false;
	buf_printf(b, "%llu", (unsigned long long)n);
	return true;
}

/* N, or SOFT:HARD. */
static bool put_limit_pair(struct buf *b, const char *given)
{
	const char *hard = strchr(given, ':');
	struct span soft = {given, hard ? (size_t)(hard - given) : strlen(given)};
	buf_putc(b, '[');
	bool good = put_limit(b, soft);
	buf_putc(b, ',');
	good = good && put_limit(b, hard ? span_of(hard + 1) : soft);
	buf_putc(b, ']');
	return good;
}

/* Their flags are named for them: --limit-nofile. */
static void put_limits(struct buf *b, const struct args *a)
{
	char name[ARGS_NAME_MAX];
	bool any = false;
	for (size_t i = FLAG_LIMIT_AS; i <= FLAG_LIMIT_STACK; i++) {
		if (!a->own[i])
			continue;
		if (!any)
			member_raw(b, "limits", "{");
		buf_printf(b, "%s\"%s\":", any ? "," : "", args_own[i].name + strlen("limit_"));
		if (!put_limit_pair(b, a->own[i]))
			args_wrong(a, "--%s \"%s\": must be N, SOFT:HARD or unlimited", args_name(&args_own[i], name),
				   a->own[i]);
		any = true;
	}
	if (any)
		buf_putc(b, '}');
}

static size_t count_words(char *const *words)
{
	size_t n = 0;
	while (words[n])
		n++;
	return n;
}

void launch_init(struct launch *l, struct args *a, pid_t parent)
{
	const char *context = a->param[NTH_process_start_context];
	bool fork = !context || !strcmp(context, "fork");
	size_t n = a->command ? count_words(a->command) : 0;
	if (n == 0)
		args_wrong(a, "which command? put it behind --");
	*l = (struct launch){.members = a->members, .cwd = -1};
	a->members = (struct buf)BUF_INIT;
	member_words(&l->members, "argv", a->command, n);
	if (!context)
		member_raw(&l->members, "context", "\"fork\"");
	if (fork || a->nenv)
		put_environment(&l->members, a, fork);
	if (fork || a->own[FLAG_DIR])
		put_directory(l, a->own[FLAG_DIR], a->param[NTH_process_start_processes]);
	if (fork)
		put_umask(&l->members);
	put_parent(&l->members, a, parent);
	put_user(&l->members, a);
	put_limits(&l->members, a);
}

void launch_done(struct launch *l)
{
	buf_done(&l->members);
	if (l->cwd >= 0)
		close(l->cwd);
	l->cwd = -1;
}

void launch_stdio(struct launch *l, const char *name, int fd)
{
	member_raw(&l->members, name, "\"fd\"");
	l->fds[l->nfds++] = fd;
}

struct call *launch_send(struct client *c, const struct launch *l)
{
	return client_send(c, CMD_process_start, &l->members, l->fds, l->nfds);
}
