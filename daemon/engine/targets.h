/* SPDX-License-Identifier: MIT */
/* From names to what they mean: docs/protocol.md, "Targets". */
#ifndef MPD_TARGETS_H
#define MPD_TARGETS_H

#include "common/api.h"
#include "daemon/engine/conn.h"
#include "daemon/engine/render.h"

struct targets {
	struct target *v;
	size_t n, cap;
};

enum target_kind {
	TARGET_ANY,
	TARGET_JOBS, /* a process that is no job's is WRONG_KIND */
};

/* What the peer means by NAMES, or by `all`: all jobs and the living processes. Without memory or for a name that
 * means nothing: a fault, and nothing in *RET. */
int targets_find(const struct peer *, const struct spans *names, bool all, enum target_kind, struct targets *ret,
		 struct fault *);
void targets_done(struct targets *);
/* All that the peer may see, jobs first, then processes in the order of their creation. */
int targets_list(const struct peer *, struct targets *ret, struct fault *);

/* May the peer see and control what runs as UID? */
static inline bool peer_may(const struct peer *peer, uid_t uid) { return peer->admin || peer->uid == uid; }
/* The process the connection's peer is part of, or NULL. */
struct proc *conn_process(struct conn *);
struct span target_name(const struct target *);
/* Ended for good, as joiners see it. */
bool target_ended(const struct target *);
/* The subject that changes with it. */
struct subject *target_subject(const struct target *);

#endif
