/* SPDX-License-Identifier: MIT */
/* Makes plans (daemon/plan.h): the engine one for a client's start, the loader one for each instance of a job. */
#ifndef MPD_PLANMAKE_H
#define MPD_PLANMAKE_H

#include "common/buf.h"
#include "daemon/plan.h"

struct plan_spec {
	const struct span *argv, *env; /* env: "K=V" */
	size_t argc, envc;
	struct span cwd, path[3]; /* empty: none */
	enum plan_stdio stdio[3];
	uint32_t flags;
	int32_t umask, nice;
	uint32_t uid, gid, ngroups;
	const uint32_t *groups;
	const struct plan_limit *limits;
	uint32_t nlimits;
};

/* Adds the plan at an offset in OUT that is a multiple of 8 and writes it to *RET_OFFSET. 0; -1 when it would pass the
 * limits of plan.h or memory is out. No string may hold a NUL. */
int plan_make(const struct plan_spec *, struct buf *out, size_t *ret_offset);

#endif
