/* SPDX-License-Identifier: MIT */
/*
 * Arrays: so many cells of one C type, for ever.
 *
 * 1. A write is whole or not at all. What it has changed is in the journal, and no more.
 * 2. The version is how often it was written to.
 * 3. Its lock is an rlock of its own. Nobody has to hold it to read or to write.
 */
#ifndef MPD_ARRAY_H
#define MPD_ARRAY_H

#include "common/ctype.h"
#include "common/shape.h"
#include "daemon/engine/core/lock.h"
#include "daemon/engine/core/slice.h"

struct array_image { /* followed by the mutex' image */
	uint64_t version, n;
	char code;
	uint8_t wrap;
	uint8_t pad[6];
};

struct array {
	struct obj obj;
	struct mutex mutex;
	struct array_image i;
	const struct ctype *type; /* NULL: it has no shape yet */
	union cell *cells;
};

/* JSON, one or an array of them, as cells (*RET is the caller's to free). PARAMS, RANGE. */
int array_cells(const struct ctype *, struct span json, bool wrap, union cell **ret, size_t *ret_n, struct fault *);

/* Gives a new one N cells: CELLS, or all 0 (NULL). TOO_LARGE: then it is to be deleted. */
int array_begin(struct array *, const struct ctype *, bool wrap, const union cell *cells, size_t n, struct fault *);
/* Sets what S says: one to JSON, or many to an array of as many. RANGE, PARAMS. */
int array_set(struct array *, const struct slice *, struct span json, struct fault *);
int array_fill(struct array *, struct span json, struct fault *);
/* A value, or an array of them. */
void array_put(const struct array *, const struct slice *, struct buf *);

#endif
