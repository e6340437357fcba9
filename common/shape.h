/* SPDX-License-Identifier: MIT */
/*
 * What the parameters of a KIND.create may not be together, each being right by itself. The daemon asks before it makes
 * an object, the loader before it believes a section.
 */
#ifndef MPD_SHAPE_H
#define MPD_SHAPE_H

#include "common/api.h"

/* ARGS are those of the command, decoded. A sentence, or NULL: nothing is wrong. */
const char *shape_wrong(enum api_id, const void *args);
/* Whether what an object begins with is of its type: for those who do not make it, and so would not see. 0, PARAMS,
 * RANGE. */
int shape_values(enum api_id, const void *args, struct fault *);

#endif
