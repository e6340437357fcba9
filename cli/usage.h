/* SPDX-License-Identifier: MIT */
/*
 * CPU time and memory of living processes, read from /proc by mpctl itself: a thousand of them would cost the daemon
 * ten milliseconds in which it serves nobody else.
 */
#ifndef MPCTL_USAGE_H
#define MPCTL_USAGE_H

#include "cli/proc.h"

struct usage {
	bool known;
	nsec_t cpu;
	uint64_t mem; /* bytes, resident */
};

/* Not known where the process has ended, or cannot be seen from here. */
struct usage usage_read(const struct proc *);

#endif
