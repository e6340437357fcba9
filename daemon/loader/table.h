/* SPDX-License-Identifier: MIT */
/* Jobs and objects to the job table of daemon/plan.h: one flat piece of memory. */
#ifndef MPD_TABLE_H
#define MPD_TABLE_H

#include "daemon/loader/job.h"
#include "daemon/loader/settings.h"

/* Reads all that CONF holds and, when there was no error in it, leaves the table in OUT. Look at conf->errors. */
void table_make(struct conf *, const struct job_host *, uint64_t generation, struct buf *out);

#endif
