/* SPDX-License-Identifier: MIT */
/*
 * Before the loop: directories, locks, the loader's table, the socket. Errors are told on stderr and end the program.
 *
 * 1. A lock is held for as long as we live, and names us: one on the socket, one on the state directory. A socket that
 *    nobody listens to is replaced only by who holds the lock.
 * 2. The socket is never open to more than it will be: bound under umask 0177, and only then given to its group.
 * 3. The table is believed when it is sealed and everything the keeper follows in it was checked.
 */
#include "daemon/keeper/keeper.h"
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { EXIT_CONFIG = 6, SLOTS_MAX = 65536, OTHER_FDS = 64, SLOT_FDS = 4, BACKLOG = 4096 };

void boot_die(int status, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "mpd: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(status);
}

/* --- directories and locks ------------------------------------------------------------------------------------ */

/* PATH and what leads to it; MODE is for the last. */
static void make_directories(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	for (size_t i = 1; path[i - 1]; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (mkdir(part, path[i] ? 0755 : mode) < 0 && errno != EEXIST && access(part, F_OK) < 0)
			boot_die(EXIT_FAILURE, "cannot make the directory %s: %s", part, strerror(errno));
	}
}

static void make_parent(const char *file, mode_t mode)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s", file);
	make_directories(dirname(path), mode);
}

static void refuse_second(int fd, const char *what, const char *which)
{
	char pid[16] = "";
	if (pread(fd, pid, sizeof(pid) - 1, 0) < 0)
		pid[0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	boot_die(EXIT_FAILURE, "already running as pid %s (%s %s)", *pid ? pid : "?", what, which);
}

/* The descriptor stays open: it is the lock. */
static void lock_file(const char *file, const char *what, const char *which)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		boot_die(EXIT_FAILURE, "cannot open %s: %s", file, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			refuse_second(fd, what, which);
		boot_die(EXIT_FAILURE, "cannot lock %s: %s", file, strerror(errno));
	}
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)keeper.pid) < 0)
		boot_die(EXIT_FAILURE, "cannot write %s: %s", file, strerror(errno));
}

static void lock_all(void)
{
	char file[PATH_MAX + 16];
	snprintf(file, sizeof(file), "%s.lock", keeper.socket);
	lock_file(file, "socket", keeper.socket);
	snprintf(file, sizeof(file), "%s/mpd.lock", keeper.state_dir);
	lock_file(file, "state directory", keeper.state_dir);
}

/* --- the loader's table --------------------------------------------------------------------------------------- */

static void exec_loader(int table)
{
	char fd[12];
	/* clang-format off */
	char *argv[] = {
		"mpd-engine", "--load", "--out", fd, "--socket", (char *)keeper.socket,
		"--state", (char *)keeper.state_dir, "--generation", "1", keeper.config ? "--config" : NULL, (char *)keeper.config, NULL,
	};
	/* clang-format on */
	snprintf(fd, sizeof(fd), "%d", table);
	fcntl(table, F_SETFD, 0);
	execv(keeper.engine_path, argv);
	fprintf(stderr, "mpd: %s: %s\n", keeper.engine_path, strerror(errno));
	_exit(EXIT_FAILURE);
}

static void run_loader(int table)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0)
		exec_loader(table);
	if (pid < 0 || RETRY(waitpid(pid, &status, 0)) < 0)
		boot_die(EXIT_FAILURE, "cannot run the loader: %s", strerror(errno));
	if (WIFSIGNALED(status))
		boot_die(EXIT_FAILURE, "the loader died of signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		exit(WEXITSTATUS(status));
}

/* Whether N pieces of EACH bytes at OFFSET lie inside and are aligned. */
static bool inside(const struct jobtab *t, uint32_t offset, uint64_t n, size_t each, size_t align)
{
	return offset >= sizeof(*t) && offset <= t->size && offset % align == 0 && n <= (t->size - offset) / each;
}

static bool plan_good(const struct jobtab *t, uint32_t offset)
{
	const struct plan *p = (const struct plan *)((const char *)t + offset);
	return inside(t, offset, 1, sizeof(*p), 8) && p->size <= t->size - offset && plan_check(p, p->size) == 0;
}

static bool job_good(const struct jobtab *t, const struct jobtab_job *job)
{
	const uint32_t *plans = (const uint32_t *)((const char *)t + job->plans);
	if (!inside(t, job->plans, job->instances, sizeof(*plans), sizeof(*plans)))
		return false;
	for (uint32_t i = 0; i < job->instances; i++)
		if (!plan_good(t, plans[i]))
			return false;
	return true;
}

static bool table_good(const struct jobtab *t, size_t size)
{
	const struct jobtab_job *jobs = (const struct jobtab_job *)((const char *)t + t->jobs);
	if (t->magic != JOBTAB_MAGIC || t->size != size)
		return false;
	if (t->njobs > 0 && !inside(t, t->jobs, t->njobs, sizeof(*jobs), 8))
		return false;
	if (t->cgroup &&
	    (!inside(t, t->cgroup, 1, 1, 1) || !memchr((const char *)t + t->cgroup, '\0', size - t->cgroup)))
		return false;
	for (uint32_t i = 0; i < t->njobs; i++)
		if (!job_good(t, &jobs[i]))
			return false;
	return true;
}

static void load_table(void)
{
	const int needed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int fd = memfd_create("mpd-jobs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;
	void *p;
	if (fd < 0)
		boot_die(EXIT_FAILURE, "memfd_create: %s", strerror(errno));
	run_loader(fd);
	if ((fcntl(fd, F_GET_SEALS) & needed) != needed || fstat(fd, &st) < 0 ||
	    st.st_size < (off_t)sizeof(struct jobtab))
		boot_die(EXIT_FAILURE, "the loader left no table");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || !table_good(p, (size_t)st.st_size))
		boot_die(EXIT_FAILURE, "the loader's table is not valid");
	keeper.table = p;
	keeper.table_fd = fd;
}

/* --- socket and limits ---------------------------------------------------------------------------------------- */

static void remove_stale(const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return;
	if (!S_ISSOCK(st.st_mode))
		boot_die(EXIT_FAILURE, "%s is there already, and is no socket", path);
	if (unlink(path) < 0)
		boot_die(EXIT_FAILURE, "cannot remove the stale socket %s: %s", path, strerror(errno));
}

static void listen_there(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), bound;
	mode_t mask;
	strcpy(address.sun_path, keeper.socket); /* its length was checked */
	remove_stale(keeper.socket);
	mask = umask(0177);
	bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (bound < 0 || listen(fd, BACKLOG) < 0)
		boot_die(EXIT_FAILURE, "cannot listen at %s: %s", keeper.socket, strerror(errno));
	keeper.listener = fd;
}

static void give_to_group(void)
{
	if (keeper.uid != 0 || keeper.table->socket_gid == UINT32_MAX)
		return;
	if (chown(keeper.socket, 0, keeper.table->socket_gid) < 0 || chmod(keeper.socket, 0660) < 0)
		boot_die(EXIT_FAILURE, "cannot give %s to its group: %s", keeper.socket, strerror(errno));
}

static void raise_limits(void)
{
	struct rlimit all;
	uint64_t n;
	getrlimit(RLIMIT_NOFILE, &keeper.nofile);
	all = keeper.nofile;
	all.rlim_cur = all.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &all) < 0)
		all = keeper.nofile;
	n = all.rlim_cur < OTHER_FDS + SLOT_FDS ? 1 : (all.rlim_cur - OTHER_FDS) / SLOT_FDS;
	if (keeper.table->max_processes)
		n = MIN(n, keeper.table->max_processes);
	keeper.slots = (uint32_t)MIN(n, SLOTS_MAX);
}

void boot(void)
{
	if (strlen(keeper.socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		boot_die(EXIT_FAILURE, "the path of the socket is too long (%zu bytes; 107 is the most): %s",
			 strlen(keeper.socket), keeper.socket);
	make_parent(keeper.socket, keeper.uid == 0 ? 0755 : 0700);
	make_directories(keeper.state_dir, 0700);
	lock_all();
	load_table();
	listen_there();
	give_to_group();
	raise_limits();
	cgroup_init(keeper.table->cgroup ? (const char *)keeper.table + keeper.table->cgroup : NULL);
}

void boot_undo(void) { unlink(keeper.socket); }
