/* SPDX-License-Identifier: MIT */
/* Processes and job instances as JSON: docs/protocol.md, "A process". */
#ifndef MPD_RENDER_H
#define MPD_RENDER_H

#include "daemon/engine/core/core.h"

/* What a name can mean: an instance of a job (with its current run, if any), or a process. */
struct target {
	struct inst *inst;
	struct proc *proc; /* NULL for an instance that has never run */
	int pidfd;         /* for RENDER_PIDFDS: which of the reply's descriptors; -1: none */
};

enum render_detail { RENDER_PLAIN, RENDER_USAGE, RENDER_ALL, RENDER_PIDFDS };

void render_target(struct buf *, const struct target *, enum render_detail);
/* An event's members, without braces. */
void render_event(struct buf *, const struct proc *, const struct inst *, const char *what);
/* Whose child it is: {"id": N}, {"pid": N} or null. */
void render_parent(struct buf *, const struct proc *);
/* Seconds with a fraction, or null. */
void render_time(struct buf *, nsec_t);
/* "now":...,"processes":[...] */
void render_targets(struct buf *, const struct target *, size_t n, enum render_detail);

#endif
