/* SPDX-License-Identifier: MIT */
/*
 * Making a child. It is born by clone3 with our memory and on a stack of its own, while we wait: nothing is copied,
 * however much we have mapped. Where clone3 is not to be had (valgrind, seccomp, an address sanitizer that
 * would not understand the stack) it is forked, and a pipe that closes at the exec is waited for instead.
 *
 * 1. All signals are blocked here; the child is born with all dispositions at their default and unblocks at its end.
 * 2. The child changes nothing of ours but its stack, errno, and clone_result, which is shared also when it is forked.
 * 3. We wait only so long (and so not by CLONE_VFORK): its user may have stopped it, or have it open something that
 *    hangs. Given up, it is killed, and never runs in our memory again, not even where it cannot die yet.
 */
#include "daemon/keeper/keeper.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__)
#define FORK_ONLY true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FORK_ONLY true
#endif
#endif
#ifndef FORK_ONLY
#define FORK_ONLY false
#endif

enum { STACK_SIZE = 64 * 1024, STACK_GUARD = 4096 * 16, WORDS = 512 };

static const nsec_t exec_within = 2 * NSEC_PER_SEC;
static const nsec_t dies_within = NSEC_PER_SEC / 10;

/* What is shared with a child. Each uses a word of its own to tell that it is through with our memory: what was given
 * up may tell it much later. */
struct shared {
	struct clone_result result;
	_Atomic uint32_t busy[WORDS];
};

struct clone_result *clone_result;
static struct shared *shared;
static unsigned word; /* moves on when a child is given up */
static char *stack;
static bool by_fork = FORK_ONLY;
static unsigned keep; /* in a forked child: what tells the parent of the exec; 0: none */

int clone_init(void)
{
	stack = mmap(NULL, STACK_GUARD + STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
		     -1, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED || shared == MAP_FAILED)
		return -1;
	clone_result = &shared->result;
	return mprotect(stack, STACK_GUARD, PROT_NONE);
}

/* clone3(2), and FN(ARG) in the child on the stack that ARGS names. The child has our registers but the stack pointer,
 * and its stack is empty: it must find FN and ARG in registers and can never return from here. That is why it is not
 * C, and why nothing between the system call and the call of FN may touch the stack. */
static long clone3_call(struct clone_args *args, void (*fn)(void *), void *arg)
{
#if defined(__x86_64__)
	long ret;
	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t" /* the end of the chain of frames */
			 "movq %[arg], %%rdi\n\t"
			 "callq *%[fn]\n\t" /* the kernel made rsp a multiple of 16, as the ABI wants it here */
			 "ud2\n"
			 "1:"
			 : "=a"(ret)
			 : "0"((long)SYS_clone3), "D"(args), "S"(sizeof(*args)), [fn] "r"(fn), [arg] "r"(arg)
			 : "rcx", "r11", "cc", "memory");
#elif defined(__aarch64__)
	register long ret __asm__("x0") = (long)args;
	register long size __asm__("x1") = (long)sizeof(*args);
	register long nr __asm__("x8") = SYS_clone3;
	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t" /* the end of the chain of frames */
			 "mov x30, xzr\n\t"
			 "mov x0, %[arg]\n\t"
			 "blr %[fn]\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(ret)
			 : "r"(size), "r"(nr), [fn] "r"(fn), [arg] "r"(arg)
			 : "cc", "memory");
#else
	long ret = -ENOSYS;
	(void)args, (void)fn, (void)arg;
#endif
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

/* The kernel clears the word at the child's exec or death (set_tid_address(2)). False: not within TIME. */
static bool wait_word(_Atomic uint32_t *busy, nsec_t time)
{
	const struct timespec t = {time / NSEC_PER_SEC, time % NSEC_PER_SEC};
	while (*busy)
		if (syscall(SYS_futex, busy, FUTEX_WAIT, 1, &t, NULL, 0) < 0 && errno == ETIMEDOUT)
			return *busy == 0;
	return true;
}

/* Our child, and not reaped: nobody else has its pid. */
static void give_up(pid_t pid)
{
	kill(pid, SIGKILL);
	clone_result->given_up = true;
}

static pid_t clone_shared(void (*fn)(void *), void *arg, int cgroup, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_CHILD_CLEARTID | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.child_tid = (uint64_t)(uintptr_t)&shared->busy[word],
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = STACK_GUARD + STACK_SIZE,
	};
	long pid;
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	clone_result->in_cgroup = cgroup >= 0;
	shared->busy[word] = 1;
	pid = clone3_call(&args, fn, arg);
	if (pid < 0)
		return -1;
	*ret_pidfd = pidfd;
	if (wait_word(&shared->busy[word], exec_within))
		return (pid_t)pid;
	give_up((pid_t)pid);
	if (!wait_word(&shared->busy[word], dies_within))
		word = (word + 1) % WORDS;
	return (pid_t)pid;
}

static void enter_cgroup(int dir)
{
	int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	clone_result->in_cgroup = fd >= 0 && write(fd, "0", 1) == 1;
	if (fd >= 0)
		close(fd);
}

/* The pipe's other end closes at the child's exec or death. */
static bool wait_pipe(int fd, nsec_t time)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	return RETRY(poll(&poll_fd, 1, (int)(time / NSEC_PER_MS))) != 0;
}

static pid_t clone_fork(void (*fn)(void *), void *arg, int cgroup, int *ret_pidfd)
{
	int ends[2];
	pid_t pid;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	clone_result->in_cgroup = false;
	pid = fork();
	if (pid == 0) {
		keep = (unsigned)fcntl(ends[1], F_DUPFD_CLOEXEC, 64); /* out of the way of what FN moves */
		if (cgroup >= 0)
			enter_cgroup(cgroup);
		fn(arg);
	}
	close(ends[1]);
	if (pid > 0) {
		if (!wait_pipe(ends[0], exec_within)) {
			give_up(pid);
			wait_pipe(ends[0], dies_within);
		}
		*ret_pidfd = sys_pidfd_open(pid, 0); /* nobody else reaps it: it is the one, dead or alive */
	}
	close(ends[0]);
	return pid;
}

static pid_t clone_any(void (*fn)(void *), void *arg, int cgroup, int *ret_pidfd)
{
	pid_t pid = -1;
	if (!by_fork) {
		pid = clone_shared(fn, arg, cgroup, ret_pidfd);
		if (pid < 0 && cgroup >= 0 && errno != EAGAIN && errno != ENOMEM)
			pid = clone_shared(fn, arg, -1, ret_pidfd);
		by_fork = pid < 0 && (errno == ENOSYS || errno == EPERM);
	}
	return by_fork ? clone_fork(fn, arg, cgroup, ret_pidfd) : pid;
}

pid_t clone_child(void (*fn)(void *), void *arg, int cgroup, int *ret_pidfd)
{
	pid_t pid;
	*clone_result = (struct clone_result){.step = STEP_CLONE};
	pid = clone_any(fn, arg, cgroup, ret_pidfd);
	if (pid < 0)
		clone_result->error = errno;
	else if (clone_result->given_up)
		clone_result->error = ETIME;
	if (!clone_result->error)
		return pid;
	if (pid > 0) { /* what cannot die yet is reaped with the orphans */
		RETRY(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | (clone_result->given_up ? WNOHANG : 0)));
		if (*ret_pidfd >= 0)
			close(fd_take(ret_pidfd));
	}
	errno = clone_result->error;
	return -1;
}

void clone_close_from(unsigned first)
{
	if (keep > first)
		sys_close_range(first, keep - 1, 0);
	sys_close_range(MAX(keep + 1, first), ~0u, 0);
}

void clone_at(enum spawn_step step) { clone_result->step = step; }

void clone_fail(enum spawn_step step)
{
	clone_result->error = errno;
	clone_at(step);
	_exit(127);
}
