/* SPDX-License-Identifier: MIT */
/* Places in arrays and lists: an index, or Python's "START:STOP:STEP". */
#ifndef MPD_SLICE_H
#define MPD_SLICE_H

#include "common/buf.h"
#include "common/fault.h"

/* The places start, start + step, ...: n of them, all within the length. */
struct slice {
	int64_t start, step;
	size_t n;
	bool is_index; /* one place, and not a slice of one */
};

/* What JSON ({NULL, 0}, null: all) means where there are LEN. RANGE: there is no such place. PARAMS. */
int slice_get(struct span json, size_t len, struct slice *ret, struct fault *);
/* The same of an index. */
int slice_index(int64_t i, size_t len, size_t *ret, struct fault *);
/* As the bounds of a slice: negative ones from the end, those beyond an end at that end. */
size_t slice_bound(int64_t i, size_t len);
static inline size_t slice_at(const struct slice *s, size_t i) { return (size_t)(s->start + (int64_t)i * s->step); }

#endif
