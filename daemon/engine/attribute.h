/* SPDX-License-Identifier: MIT */
/*
 * Whose a client is: which process of ours it is part of. With cgroups the kernel says it; else the chain of parents,
 * or the session. The environment (MPD_PROCESS) may cause a refusal, never grant a right.
 */
#ifndef MPD_ATTRIBUTE_H
#define MPD_ATTRIBUTE_H

#include "common/buf.h"
#include "daemon/engine/conn.h"

struct proc;

/* The process the peer is part of, or NULL. */
struct proc *attribute_pid(pid_t);
/* One that was just started may speak before the keeper's word of it is here. The process whose STARTED decides whose
 * the peer is then; NULL: attribute_pid() knows already, or it is nobody's. */
struct proc *attribute_pending(pid_t);
/* The same as attribute_pid() for the wire. */
bool proc_of_peer(const struct peer *, uint64_t *ret_id, struct span *ret_name);
/* The process whose id the peer's environment claims; for refusals only. */
struct proc *attribute_claim(pid_t);
/* Calls EACH with the pids of the process's tree: all of its cgroup, or the main process and its descendants. */
void attribute_tree(const struct proc *, void (*each)(pid_t, void *arg), void *arg);
/* Field 22 of /proc/PID/stat, its start in clock ticks since boot; -1 when there is no such process. */
int64_t pid_start(pid_t);
/* A new pidfd of the process's main process; -1 with errno, ESRCH where it runs no more. */
int attribute_pidfd(const struct proc *);

#endif
