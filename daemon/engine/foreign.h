/* SPDX-License-Identifier: MIT */
/* Parents that are not ours (a shell): watched by pidfd, so that their daemonic children end with them. */
#ifndef MPD_FOREIGN_H
#define MPD_FOREIGN_H

#include "daemon/engine/core/core.h"

/* Watches the foreign parent of P, which is daemonic. One that has ended already is told at once. */
void foreign_watch(const struct proc *);
/* After a replay: watches those of all living processes again. */
void foreign_synced(void);

#endif
