/* SPDX-License-Identifier: MIT */
/*
 * What process.start gets from the caller beside its flags: command, environment, working directory, umask, parent,
 * user, limits.
 * The working directory of one process travels as a descriptor, so that no other place of that name can be meant.
 */
#ifndef MPCTL_LAUNCH_H
#define MPCTL_LAUNCH_H

#include "cli/args.h"
#include "cli/client.h"

struct launch {
	struct buf members; /* of process.start */
	int fds[CLIENT_FDS_MAX];
	size_t nfds;
	int cwd; /* owned; fds[0] when there is one */
};

/* Takes A's members. PARENT: the foreign process whose child it is, unless mpctl itself is inside a process of mpd's,
 * which the daemon finds out by itself; 0: the daemon decides. */
void launch_init(struct launch *, struct args *a, pid_t parent);
void launch_done(struct launch *);
/* Sends FD along, for the member NAME ("stdin"). */
void launch_stdio(struct launch *, const char *name, int fd);
struct call *launch_send(struct client *, const struct launch *);

#endif
