/* SPDX-License-Identifier: MIT */
/*
 * A command that mpctl runs and waits for while it holds something: an item, a condition's lock, a barrier. mpctl stays
 * until the command's end whatever signal comes, so that it can settle what it holds; it ends the command when it is
 * killed itself.
 */
#ifndef MPCTL_CHILD_H
#define MPCTL_CHILD_H

#include "common/buf.h"

struct child {
	char *const *argv;        /* ended by NULL */
	const struct span *input; /* on its stdin, as a file; NULL: mpctl's own */
	bool to_stderr;           /* its stdout as well: mpctl's own is for data */
};

/* Runs it to its end. Returns its status as a shell has it; 126 or 127, said on stderr, where it cannot be executed.
 * *RET_SIGNO: the signal that came to mpctl meanwhile and was handed on; 0: none. */
int child_run(const struct child *, int *ret_signo);
/* Replaces mpctl by the command. What returns is the status for that it cannot be done; said on stderr. */
int child_exec(char *const *argv);

#endif
