/* SPDX-License-Identifier: MIT */
/* The JSON of a mutex, for the objects that have one. */
#ifndef MPD_CMD_LOCK_H
#define MPD_CMD_LOCK_H

#include "daemon/engine/core/lock.h"
#include "daemon/engine/objects.h"

/* Members of an acquire's answer: "token":T, and what else is to be told. */
void mutex_put_granted(struct buf *, const struct mutex_want *);
/* Acquires O's mutex M for the request. */
int mutex_call_acquire(struct req *, struct obj *, struct mutex *, const struct call_who *, struct fault *);
int mutex_call_release(struct req *, struct mutex *, const struct call_who *, struct mutex_release *, struct fault *);

#endif
