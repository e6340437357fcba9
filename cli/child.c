/* SPDX-License-Identifier: MIT */
/* Commands that mpctl runs: child.h. */
#include "cli/child.h"
#include "cli/render.h"
#include "cli/wait.h"
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

int child_exec(char *const *argv)
{
	execvp(argv[0], argv);
	int error = errno;
	say("%s: %s", argv[0], error == ENOENT ? "not found" : strerror(error));
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

/* A file in memory: the command may read it as it likes, or not at all, and nobody has to feed it. */
static int input_file(struct span input)
{
	int fd = memfd_create("item", MFD_CLOEXEC);
	if (fd < 0 || write_all(fd, input) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		die(STATUS_FAILED, "no memory for the command's input: %s", strerror(errno));
	return fd;
}

static void __attribute__((noreturn)) begin(const struct child *child, int input, const sigset_t *mask, pid_t parent)
{
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		raise(SIGTERM);
	if (input >= 0)
		dup2(input, STDIN_FILENO);
	if (child->to_stderr)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	_exit(child_exec(child->argv));
}

/* What a terminal sends goes to the command by itself, which is in our process group. */
static int hand_on(int signals, int pidfd)
{
	struct signalfd_siginfo info;
	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_code != SI_KERNEL)
		sys_pidfd_signal(pidfd, (int)info.ssi_signo);
	return (int)info.ssi_signo;
}

static int status_of(pid_t pid)
{
	int code = 0;
	if (RETRY(waitpid(pid, &code, 0)) != pid)
		return STATUS_FAILED;
	return WIFSIGNALED(code) ? STATUS_SIGNAL + WTERMSIG(code) : WEXITSTATUS(code);
}

int child_run(const struct child *child, int *ret_signo)
{
	sigset_t old;
	AUTO_FD signals = wait_signals(&old);
	AUTO_FD input = child->input ? input_file(*child->input) : -1;
	pid_t self = getpid(), pid;
	out_flush();
	pid = fork();
	if (pid == 0)
		begin(child, input, &old, self);
	AUTO_FD pidfd = pid < 0 ? -1 : sys_pidfd_open(pid, 0);
	if (pidfd < 0)
		die(STATUS_FAILED, "%s: cannot be run: %s", child->argv[0], strerror(errno));
	struct pollfd fds[] = {{pidfd, POLLIN, 0}, {signals, POLLIN, 0}};
	*ret_signo = 0;
	for (; !fds[0].revents; poll(fds, ARRAY_LEN(fds), -1)) {
		int signo = fds[1].revents ? hand_on(signals, pidfd) : 0;
		*ret_signo = signo ? signo : *ret_signo;
	}
	int status = status_of(pid);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return status;
}
