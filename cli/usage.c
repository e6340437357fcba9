/* SPDX-License-Identifier: MIT */
/* /proc/PID/stat, for usage.h. A pid alone proves nothing (it is used again, or of another namespace): what is read
 * counts only when it began when the daemon says the process did. */
#include "cli/usage.h"
#include <fcntl.h>
#include <stdio.h>

enum stat_field { STAT_UTIME = 14, STAT_STIME = 15, STAT_START = 22, STAT_RSS = 24, STAT_FIELDS = 25 };
#define STAT_FIRST 3 /* the first after the command, which may hold anything */

static int open_proc(void)
{
	static int fd = -1;
	if (fd < 0)
		fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

static int stat_read(struct span pid, uint64_t field[STAT_FIELDS])
{
	char path[32], text[1024];
	snprintf(path, sizeof(path), "%.*s/stat", (int)pid.n, pid.p);
	AUTO_FD fd = openat(open_proc(), path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : RETRY(read(fd, text, sizeof(text) - 1));
	if (n <= 0)
		return -1;
	text[n] = '\0';
	char *at = strrchr(text, ')');
	for (int i = STAT_FIRST; i < STAT_FIELDS && at; i++) {
		at = strchr(at + 1, ' ');
		field[i] = at ? strtoull(at + 1, NULL, 10) : 0;
	}
	return at ? 0 : -1;
}

static bool is_same(const struct proc *p, nsec_t start)
{
	nsec_t told;
	return scan_seconds(p->started, &told) == 0 && llabs(told - start) < NSEC_PER_SEC;
}

struct usage usage_read(const struct proc *p)
{
	uint64_t field[STAT_FIELDS];
	nsec_t tick = NSEC_PER_SEC / sysconf(_SC_CLK_TCK);
	if (!proc_alive(p) || stat_read(p->pid, field) < 0 || !is_same(p, (nsec_t)field[STAT_START] * tick))
		return (struct usage){0};
	return (struct usage){true, (nsec_t)(field[STAT_UTIME] + field[STAT_STIME]) * tick,
			      field[STAT_RSS] * (uint64_t)sysconf(_SC_PAGESIZE)};
}
