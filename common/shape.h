/* SPDX-License-Identifier: MIT */
/*
 * What an object may look like, beyond the types of its KIND.create's parameters: how much of it there may be, and what
 * the parameters may not be together. The daemon asks before it makes an object, the loader before it believes a
 * section.
 */
#ifndef MPD_SHAPE_H
#define MPD_SHAPE_H

#include "common/api.h"

#define SEM_MAX INT32_MAX           /* permits */
#define BARRIER_PARTIES_MAX 1000000 /* of a barrier */
#define ARRAY_CELLS_MAX (32 << 20)  /* elements: 256 MiB */

/* ARGS are those of the command, decoded. A sentence, or NULL: nothing is wrong. */
const char *shape_wrong(enum api_id, const void *args);
/* Whether what an object begins with is of its type: for those who do not make it, and so would not see. 0, PARAMS,
 * RANGE. */
int shape_values(enum api_id, const void *args, struct fault *);

#endif
