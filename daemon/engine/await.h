/* SPDX-License-Identifier: MIT */
/* Requests that wait for processes and job instances, and are answered with how these are then. */
#ifndef MPD_AWAIT_H
#define MPD_AWAIT_H

#include "daemon/engine/rpc.h"
#include "daemon/engine/targets.h"

enum await_for {
	AWAIT_JOIN,    /* ended for good; the answer is that of process.join, and they count as joined */
	AWAIT_TREE,    /* the same, and all their descendants that are processes of ours */
	AWAIT_RUN,     /* the run at hand is over, whatever its job does next */
	AWAIT_ENDED,   /* ended for good */
	AWAIT_SETTLED, /* running, or not going to for now */
	AWAIT_NOTHING, /* answered at once */
};

/* Answers when what is waited for has come to all of T (ANY: to one of them), or at DEADLINE. Takes T. 0, or a fault.
 */
int await_targets(struct req *, struct targets *t, enum await_for, bool any, nsec_t deadline, struct fault *);
/* Stops them all, then waits until they have ended or answers at once. */
int stop_targets(struct req *, struct targets *, bool wait, bool timed, nsec_t timeout, struct fault *);
/* now + TIMEOUT where there is one. */
nsec_t await_deadline(bool given, nsec_t timeout);

#endif
