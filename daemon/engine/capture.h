/* SPDX-License-Identifier: MIT */
/*
 * Captured output: from the pipes of processes into log files, complete across the death of an engine.
 *
 * Bytes go from a pipe into the scratch memfd by splice(2), which takes them out of the one and shows them in the
 * size of the other in one step that no kill can divide. A tag beside them says whose they are and how long the log
 * was before; the next engine finishes the write from there.
 */
#ifndef MPD_CAPTURE_H
#define MPD_CAPTURE_H

#include "daemon/engine/core/core.h"

/* Maps the scratch memfd and finishes what an engine before left in it. 0, or -1 with errno. */
int capture_init(int scratch_fd, const char *state_dir, bool first_engine);
/* The loop's turn, for the keeper's watchdog. */
void capture_tick(void);
/* The process's stdout (0) or stderr (1) can be read from FD, which is taken. */
void capture_add(struct proc *, int stream, int fd);
/* Takes what the pipes hold (to EAGAIN, not to EOF: a grandchild may keep them) and closes them. */
void capture_drain(const struct proc *);
/* Removes the logs of a process that is no job's. */
void capture_forget(const struct proc *);
/* The path where a client's process logs, by id and name. */
void capture_path(uint64_t id, struct span name, int stream, struct buf *out);

struct capture_stats {
	uint64_t bytes, dropped;
};
extern struct capture_stats capture_stats;

#endif
