/* SPDX-License-Identifier: MIT */
/* A process as the daemon describes it (docs/protocol.md): a view of each member, nothing copied. */
#ifndef MPCTL_PROC_H
#define MPCTL_PROC_H

#include "cli/cli.h"

#define PROC_MEMBERS(X)                                                                                                \
	X(name)                                                                                                        \
	X(job)                                                                                                         \
	X(instance)                                                                                                    \
	X(state)                                                                                                       \
	X(reason)                                                                                                      \
	X(id)                                                                                                          \
	X(pid) X(parent) X(daemon) X(context) X(uid) X(argv) X(cwd) X(created) X(started) X(ended) X(uptime)           \
		X(restarts) X(exitcode) X(alive) X(joined) X(leftover) X(children) X(stop_signal) X(stop_timeout)      \
			X(kill_mode) X(cpu) X(mem) X(rusage) X(tree) X(log)

struct proc {
	struct span json; /* the whole of it */
#define X(member) struct span member;
	PROC_MEMBERS(X)
#undef X
};

struct procs {
	struct proc *v;
	size_t n;
};

/* All of RESULT's "processes"; views of it. Free by procs_done(). */
struct procs procs_of(struct span result);
void procs_done(struct procs *);
/* One of them, from its object. */
void proc_read(struct proc *, struct span object);

bool proc_is(struct span value, const char *json); /* "true", "null", "\"running\"" */
bool proc_alive(const struct proc *);
/* Whether it is a job's instance. */
bool proc_of_job(const struct proc *);
/* Whether it will not change any more by itself: ended, stopped or failed. */
bool proc_over(const struct proc *);
/* What a shell would say of its end: n, or 128 + the signal; -1 when it has not ended or nobody knows. */
int proc_status(const struct proc *);
/* Seconds it ran, from its start to its end; 0 when not known. */
nsec_t proc_ran(const struct proc *);
/* How it is asked for alone, as JSON: a job's instance by its name, a process by its id, which is never used again. */
void proc_target(struct buf *, const struct proc *);
/* Prints each on a line of its own, as JSON. */
void procs_json(struct procs);

/* Calls CMD with A's members and waits. When that takes a second and a person looks on, says what it waits for: the
 * processes that WHOM (members of a process.list) names. */
struct span procs_wait(struct client *, enum api_id cmd, const struct buf *members, const struct buf *whom);
/* "web, web.2 and 3 more" of the processes that are not over. */
void procs_names(struct buf *, struct procs);

#endif
