/* SPDX-License-Identifier: MIT */
/*
 * What the daemon's own log says of jobs: who has asked for what, and where that went. An operator who was not there
 * finds in it when a job failed, why, and whether somebody stopped it. Of processes that belong to no job it is silent:
 * there may be thousands a second, and their starters know.
 */
#ifndef MPD_DIARY_H
#define MPD_DIARY_H

#include "daemon/engine/rpc.h"
#include "daemon/engine/targets.h"

/* The instance has come to another state. */
void diary_state(const struct inst *);
/* The request is about to be done to TARGETS; the jobs' instances among them are named, the first few of many. */
void diary_asked(const struct req *, const struct targets *);

#endif
