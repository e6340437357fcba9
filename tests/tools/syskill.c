/* SPDX-License-Identifier: MIT */
/*
 * syskill PID N: lets the process run and kills it at the entry of its N-th system call from now, which therefore does
 * not happen. So a test can end a program between every two of its system calls.
 *
 * Says "seized" when counting has begun, and then one of:
 *   "killed at call N: NR NAME"   exit 0
 *   "alive after N calls"         exit 1: stdin had a byte or its end; the process was let go unharmed
 *   "ended after N calls"         exit 2: it ended by itself
 *
 * A tracee is resumed from exactly one place, which decides by what it stopped for: signals are handed on, a stop by a
 * signal (SIGSTOP and the like) is listened to without waking it.
 */
#include "common/sys.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { KILLED = 0, ALIVE = 1, ENDED = 2, FAILED = 3 };

/* clang-format off */
/* Those an engine makes. */
static const struct {
	long nr;
	const char *name;
} names[] = {
#define CALL(call) {SYS_##call, #call}
	CALL(read), CALL(write), CALL(pread64), CALL(pwrite64), CALL(readv), CALL(writev), CALL(sendmsg),
	CALL(recvmsg), CALL(sendto), CALL(recvfrom), CALL(accept4), CALL(close), CALL(openat), CALL(fallocate),
	CALL(ftruncate), CALL(newfstatat), CALL(mkdirat), CALL(mmap), CALL(munmap), CALL(mremap), CALL(brk),
	CALL(epoll_ctl), CALL(epoll_pwait), CALL(fcntl), CALL(memfd_create), CALL(pidfd_open),
	CALL(pidfd_send_signal), CALL(getsockopt), CALL(timerfd_settime), CALL(splice), CALL(getrandom), CALL(lseek),
	CALL(getdents64), CALL(ioctl), CALL(eventfd2), CALL(fsync), CALL(readlinkat),
#ifdef SYS_epoll_wait /* not on newer machines */
	CALL(epoll_wait), CALL(open), CALL(mkdir), CALL(stat), CALL(poll), CALL(readlink),
#endif
#undef CALL
};
/* clang-format on */

static const char *call_name(long nr)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].nr == nr)
			return names[i].name;
	return "?";
}

static int fail(const char *what)
{
	perror(what);
	return FAILED;
}

/* The number of the call that a syscall-stop is the entry of, or -1 for an exit. */
static long entered(pid_t pid)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return -1;
	return (long)info.entry.nr;
}

static bool is_stop_signal(int sig) { return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU; }

/* Lets a stopped tracee go on to its next stop. */
static void resume(pid_t pid, int status)
{
	int sig = WSTOPSIG(status);
	if (status >> 16 == PTRACE_EVENT_STOP)
		ptrace(is_stop_signal(sig) ? PTRACE_LISTEN : PTRACE_SYSCALL, pid, 0, 0);
	else if (sig == (SIGTRAP | 0x80))
		ptrace(PTRACE_SYSCALL, pid, 0, 0);
	else
		ptrace(PTRACE_SYSCALL, pid, 0, (void *)(long)sig);
}

static int report_ended(long calls)
{
	printf("ended after %ld calls\n", calls);
	return ENDED;
}

/* Stops the tracee once more, to let it go: a detach needs a stop. */
static int let_go(pid_t pid, long calls)
{
	int status;
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	if (RETRY(waitpid(pid, &status, __WALL)) < 0 || !WIFSTOPPED(status))
		return report_ended(calls);
	bool deliver = status >> 16 == 0 && WSTOPSIG(status) != (SIGTRAP | 0x80);
	ptrace(PTRACE_DETACH, pid, 0, (void *)(long)(deliver ? WSTOPSIG(status) : 0));
	printf("alive after %ld calls\n", calls);
	return ALIVE;
}

static int kill_here(pid_t pid, long calls, long nr)
{
	kill(pid, SIGKILL);
	RETRY(waitpid(pid, NULL, __WALL));
	printf("killed at call %ld: %ld %s\n", calls, nr, call_name(nr));
	return KILLED;
}

/* Handles all stops there are now. -1: go on waiting; else the exit status. */
static int turn(pid_t pid, long target, long *calls)
{
	int status;
	while (RETRY(waitpid(pid, &status, __WALL | WNOHANG)) > 0) {
		if (!WIFSTOPPED(status))
			return report_ended(*calls);
		long nr = WSTOPSIG(status) == (SIGTRAP | 0x80) ? entered(pid) : -1;
		if (nr >= 0 && ++*calls == target)
			return kill_here(pid, *calls, nr);
		resume(pid, status);
	}
	return -1;
}

static int run(pid_t pid, long target, int sigchld)
{
	long calls = 0;
	for (;;) {
		int code = turn(pid, target, &calls);
		if (code >= 0)
			return code;
		struct pollfd fds[] = {{sigchld, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
		if (RETRY(poll(fds, 2, -1)) < 0)
			return fail("poll");
		struct signalfd_siginfo info;
		if (fds[0].revents && RETRY(read(sigchld, &info, sizeof(info))) < 0)
			return fail("read");
		if (fds[1].revents && !fds[0].revents)
			return let_go(pid, calls);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: syskill PID N\n");
		return FAILED;
	}
	pid_t pid = (pid_t)atol(argv[1]);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	AUTO_FD sigchld = signalfd(-1, &set, SFD_CLOEXEC);
	if (sigchld < 0)
		return fail("signalfd");
	if (ptrace(PTRACE_SEIZE, pid, 0, (void *)(long)PTRACE_O_TRACESYSGOOD) < 0)
		return fail("ptrace(SEIZE)");
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	/* The first stop has come before the test goes on: what it causes from here on is counted. */
	int status;
	if (RETRY(waitpid(pid, &status, __WALL)) < 0)
		return fail("waitpid");
	printf("seized\n");
	fflush(stdout);
	if (!WIFSTOPPED(status))
		return report_ended(0);
	resume(pid, status);
	return run(pid, atol(argv[2]), sigchld);
}
