/* SPDX-License-Identifier: MIT */
/*
 * Waiting for an object. After a second a person is told what for, and who holds it. A signal that would end mpctl
 * cancels the request first, so that a condition's lock is back, and what was granted meanwhile is known.
 */
#ifndef MPCTL_WAIT_H
#define MPCTL_WAIT_H

#include "cli/client.h"
#include <signal.h>

/* Blocks the signals that would end mpctl; returns a signalfd that has them. RET_OLD: the mask for a way back. */
int wait_signals(sigset_t *ret_old);
/* Waits for the answer. NAME: the object, for object.info. 0; or the signal that came, with the answer there all the
 * same: CANCELLED, or what was faster. */
int wait_answer(struct client *, struct call *, const char *name);
/* The same, and the result: an error ends the program with its status, a cancelled wait by the signal. */
struct span wait_result(struct client *, struct call *, const char *name);
/* Ends the program by the signal, as whoever started it expects. */
void wait_die(int signo) __attribute__((noreturn));

#endif
