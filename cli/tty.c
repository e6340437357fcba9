/* SPDX-License-Identifier: MIT */
/* The relay between two terminals: tty.h. The master is non-blocking: a process that does not read cannot stop its
 * own output. */
#include "cli/tty.h"
#include "cli/render.h"
#include <fcntl.h>
#include <sys/ioctl.h>

static struct tty *restored_at_exit;

static void at_exit(void)
{
	if (restored_at_exit)
		tty_restore(restored_at_exit);
}

bool tty_wanted(void) { return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp(); }

static void copy_size(const struct tty *t)
{
	struct winsize size;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(t->master, TIOCSWINSZ, &size);
}

void tty_open(struct tty *t)
{
	*t = (struct tty){.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), .slave = -1};
	if (t->master >= 0 && unlockpt(t->master) == 0)
		t->slave = ioctl(t->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->slave < 0 || tcgetattr(STDIN_FILENO, &t->outer) < 0)
		die(STATUS_FAILED, "no terminal for the process: %s", strerror(errno));
	tcsetattr(t->slave, TCSANOW, &t->outer);
	copy_size(t);
	restored_at_exit = t;
	atexit(at_exit);
}

void tty_close(struct tty *t)
{
	tty_restore(t);
	restored_at_exit = NULL;
	if (t->master >= 0)
		close(t->master);
	if (t->slave >= 0)
		close(t->slave);
	t->master = t->slave = -1;
}

void tty_raw(struct tty *t)
{
	struct termios raw = t->outer;
	cfmakeraw(&raw);
	t->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
	copy_size(t);
}

void tty_restore(struct tty *t)
{
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->outer);
	t->raw = false;
}

void tty_show(struct tty *t)
{
	char text[16384];
	ssize_t n;
	if (t->master < 0)
		return;
	while ((n = RETRY(read(t->master, text, sizeof(text)))) > 0)
		write_all(STDOUT_FILENO, (struct span){text, (size_t)n});
	if (n == 0 || errno != EAGAIN) {
		close(t->master);
		t->master = -1;
	}
}

/* The key that makes the inner terminal send SIGTSTP; -1 when there is none now. */
static int suspend_key(const struct tty *t)
{
	struct termios inner;
	if (tcgetattr(t->master, &inner) < 0 || !(inner.c_lflag & ISIG) || inner.c_cc[VSUSP] == _POSIX_VDISABLE)
		return -1;
	return inner.c_cc[VSUSP];
}

bool tty_type(struct tty *t, pid_t leader)
{
	ssize_t n = RETRY(read(STDIN_FILENO, t->typed, sizeof(t->typed)));
	t->deaf = n <= 0;
	if (t->deaf)
		return false;
	t->at = 0;
	t->len = (size_t)n;
	int key = suspend_key(t);
	const char *found = key < 0 ? NULL : memchr(t->typed, key, t->len);
	if (!found || tcgetpgrp(t->master) != leader)
		return false;
	t->len = (size_t)(found - t->typed);
	return true;
}

void tty_feed(struct tty *t)
{
	ssize_t n = t->at < t->len ? RETRY(write(t->master, t->typed + t->at, t->len - t->at)) : 0;
	if (n > 0)
		t->at += (size_t)n;
	else if (n < 0 && errno != EAGAIN)
		t->at = t->len;
}
