/* SPDX-License-Identifier: MIT */
/*
 * What the kernel offers and Debian 12's headers do not name yet, the units of time, and the cleanup attributes.
 * Nothing here allocates or keeps state.
 */
#ifndef MPD_SYS_H
#define MPD_SYS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Time and lengths of time, in nanoseconds. A point in time counts in CLOCK_BOOTTIME: it goes on while the machine
 * sleeps, and never jumps (clock_gettime(2)). */
typedef int64_t nsec_t;
#define NSEC_PER_SEC ((nsec_t)1000000000)
#define NSEC_PER_MS ((nsec_t)1000000)
#define NSEC_NEVER INT64_MAX

static inline nsec_t sys_clock(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}
static inline nsec_t sys_now(void) { return sys_clock(CLOCK_BOOTTIME); }

/* A system call again for as long as a signal interrupts it. */
#define RETRY(call)                                                                                                    \
	({                                                                                                             \
		long retry_;                                                                                           \
		do                                                                                                     \
			retry_ = (long)(call);                                                                         \
		while (retry_ < 0 && errno == EINTR);                                                                  \
		retry_;                                                                                                \
	})

static inline void cleanup_fd_(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
}
static inline void cleanup_free_(void *p) { free(*(void **)p); }
#define AUTO_FD __attribute__((cleanup(cleanup_fd_))) int
#define AUTO_FREE __attribute__((cleanup(cleanup_free_)))

/* Takes the descriptor out of *FD, which no longer owns it. */
static inline int fd_take(int *fd)
{
	int got = *fd;
	*fd = -1;
	return got;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Missing from the headers of glibc 2.36 and Linux 6.1. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL /* Linux 5.5 */
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL /* Linux 5.7 */
#endif

static inline int sys_pidfd_open(pid_t pid, unsigned flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }
static inline int sys_pidfd_signal(int fd, int sig) { return (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0); }
static inline int sys_close_range(unsigned from, unsigned to, unsigned flags)
{
	return (int)syscall(SYS_close_range, from, to, flags);
}

#endif
