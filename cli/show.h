/* SPDX-License-Identifier: MIT */
/* What a verb of an object prints, and its exit status: the value alone, a line each of several, nothing but 0 or 1 of
 * a test. */
#ifndef MPCTL_SHOW_H
#define MPCTL_SHOW_H

#include "cli/args.h"
#include "cli/client.h"

/* Shows the result of an answered call; returns the exit status. */
int show_answer(const struct args *, const struct call *);

#endif
