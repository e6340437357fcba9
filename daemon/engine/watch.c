/* SPDX-License-Identifier: MIT */
/*
 * The watches of watch.h.
 *
 * 1. A pid is believed only while a pidfd says whose it is: the peer's own (SO_PEERPIDFD, Linux 6.5), or one that was
 *    opened by number and whose start time is then remembered and compared.
 * 2. How a process ended is read from what is left of it: its line in /proc while it is a zombie, the pidfd's
 *    information when it was reaped (PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15).
 */
#include "daemon/engine/watch.h"
#include "common/log.h"
#include "daemon/engine/attribute.h"
#include "daemon/engine/conn.h"
#include "daemon/engine/engine.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct watch {
	struct loop_hup io;
	struct owner *owner;
	int fd;
};

/* linux/pidfd.h of Linux 6.15, which Debian 12 does not have: as much of it as is needed. */
struct pidfd_info_v2 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
#define OUR_PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_info_v2)
#define OUR_PIDFD_INFO_EXIT ((uint64_t)1 << 3)

static bool has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

static void on_ended(struct loop_hup *io)
{
	struct watch *w = CONTAINER_OF(io, struct watch, io);
	engine_now();
	owner_die(w->owner);
}

static int peer_pidfd(const struct channel *ch)
{
	const struct conn *c = CONTAINER_OF(ch, struct conn, channel);
	int fd = -1;
	socklen_t n = sizeof(fd);
	if (getsockopt(conn_fd(c), SOL_SOCKET, SO_PEERPIDFD, &fd, &n) == 0)
		return fd;
	if (errno != ENOPROTOOPT)
		return -1;
	return sys_pidfd_open(c->peer.pid, 0);
}

static int open_pidfd(struct owner *o, struct channel *ch)
{
	AUTO_FD fd = ch && ch->self.pid == o->i.pid ? peer_pidfd(ch) : sys_pidfd_open(o->i.pid, 0);
	int64_t start = pid_start(o->i.pid);
	if (fd < 0 || start < 0 || has_ended(fd) || (o->i.start && o->i.start != start))
		return -1;
	o->i.start = start;
	return fd_take(&fd);
}

int watch_owner(struct owner *o, struct channel *ch)
{
	AUTO_FD fd = o->i.pid > 0 ? open_pidfd(o, ch) : -1;
	struct watch *w = fd >= 0 ? malloc(sizeof(*w)) : NULL;
	if (!w)
		return -1;
	w->owner = o;
	w->fd = fd;
	if (loop_input_start(&w->io, fd, on_ended)) {
		free(w);
		return -1;
	}
	fd_take(&fd);
	o->watch = w;
	return 0;
}

void unwatch_owner(struct owner *o)
{
	struct watch *w = o->watch;
	if (!w)
		return;
	loop_hup_stop(&w->io);
	close(w->fd);
	free(w);
	o->watch = NULL;
}

/* --- how it ended ------------------------------------------------------------------------------------------------- */

static void death_by(int wait_status, struct death *ret)
{
	ret->how = WIFSIGNALED(wait_status) ? DEATH_SIGNAL : DEATH_EXIT;
	ret->status = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* proc(5): the state is field 3 and the exit status field 52, the last one. */
static bool death_of_zombie(pid_t pid, struct death *ret)
{
	char path[32], line[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;
	if (n <= 0)
		return false;
	line[n] = '\0';
	const char *state = strrchr(line, ')'), *last = strrchr(line, ' ');
	if (!state || !last || (state[2] != 'Z' && state[2] != 'X'))
		return false;
	death_by(atoi(last), ret);
	return true;
}

void watch_death(const struct owner *o, struct death *ret)
{
	const struct watch *w = o->watch;
	struct pidfd_info_v2 info = {.mask = OUR_PIDFD_INFO_EXIT};
	if (!w || !has_ended(w->fd) || death_of_zombie(o->i.pid, ret))
		return;
	if (ioctl(w->fd, OUR_PIDFD_GET_INFO, &info) == 0 && (info.mask & OUR_PIDFD_INFO_EXIT))
		death_by(info.exit_code, ret);
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

static char *tokens_path;

int tokens_read(const char *dir, uint64_t *ret)
{
	char text[32];
	unsigned long long number;
	if (asprintf(&tokens_path, "%s/tokens", dir) < 0)
		return -1;
	AUTO_FD fd = open(tokens_path, O_RDONLY | O_CLOEXEC);
	*ret = 1;
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -1;
	text[n] = '\0';
	if (sscanf(text, "%llu", &number) == 1)
		*ret = number;
	return 0;
}

/* The new file is there as a whole, or the old one still is. */
static int write_whole(const char *path, const char *text)
{
	char beside[4200];
	snprintf(beside, sizeof(beside), "%s.new", path);
	AUTO_FD fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = strlen(text);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n || fdatasync(fd) < 0)
		return -1;
	return rename(beside, path);
}

/* A number that might be given twice after the next boot is worse than a daemon that says so. */
void tokens_reserve(uint64_t ceiling)
{
	char text[32];
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)ceiling);
	if (write_whole(tokens_path, text) < 0)
		log_error("%s: cannot set tokens aside, so they may repeat after a restart of mpd: %m", tokens_path);
}
