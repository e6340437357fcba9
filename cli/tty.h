/* SPDX-License-Identifier: MIT */
/*
 * A terminal of a process's own (a pty), shown on the one mpctl has: the process gets the slave, mpctl relays bytes
 * and the window's size. While it does, the outer terminal is raw; it is as before on every way out of the program.
 */
#ifndef MPCTL_TTY_H
#define MPCTL_TTY_H

#include "cli/cli.h"
#include <termios.h>

struct tty {
	int master, slave; /* -1: there is none */
	struct termios outer;
	bool raw;
	bool deaf;        /* stdin has ended */
	char typed[4096]; /* read from the outer terminal, not yet taken by the inner one */
	size_t at, len;
};

/* Whether stdin and stdout are terminals, and we are in the foreground there. */
bool tty_wanted(void);
/* Makes one that is like the outer. The program ends when it cannot be had. */
void tty_open(struct tty *);
void tty_close(struct tty *);
/* The outer terminal raw, with its size copied to the inner; and as it was. */
void tty_raw(struct tty *);
void tty_restore(struct tty *);
/* Output to stdout, until there is no more now. At the end of the terminal the master is not polled any more. */
void tty_show(struct tty *);
/* Reads what was typed; only while tty_wants(). True: the suspend key was among it, and means LEADER, the process that
 * has no shell of its own to stop it; what was typed before the key is kept, the rest dropped. */
bool tty_type(struct tty *, pid_t leader);
/* Hands on as much of what was typed as the inner terminal takes. */
void tty_feed(struct tty *);
static inline bool tty_wants(const struct tty *t) { return t->master >= 0 && !t->deaf && t->at == t->len; }

#endif
