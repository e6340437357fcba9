/* SPDX-License-Identifier: MIT */
/* Reading /proc and directories without allocating, as everything here has to. */
#include "daemon/keeper/keeper.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

pid_t proc_number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);
	return *text >= '1' && *text <= '9' && *end == '\0' && n <= INT_MAX ? (pid_t)n : 0;
}

ssize_t proc_read(int dir, const char *path, char *buf, size_t size)
{
	AUTO_FD fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : RETRY(read(fd, buf, size - 1));
	buf[MAX(n, 0)] = '\0';
	return n;
}

void proc_list(int dir, void (*each)(const char *name, void *arg), void *arg)
{
	_Alignas(struct dirent64) char entries[4096];
	ssize_t n;
	lseek(dir, 0, SEEK_SET);
	while ((n = getdents64(dir, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
			at += entry->d_reclen;
			if (entry->d_name[0] != '.')
				each(entry->d_name, arg);
		}
}
