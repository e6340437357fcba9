/* SPDX-License-Identifier: MIT */
/*
 * Lists, as clients call them: values by place.
 *
 * 1. Values are JSON, kept byte for byte, and compared by what they mean (jsonval.h).
 * 2. Every change is that values take the place of others, and grows the version. That is what the journal has of it:
 *    where, how many went, and what is there now.
 * 3. A change is whole or not at all.
 */
#ifndef MPD_SEQUENCE_H
#define MPD_SEQUENCE_H

#include "daemon/engine/core/obj.h"
#include "daemon/engine/core/slice.h"

#define SEQUENCE_BYTES_MAX ((size_t)64 << 20) /* with what each value costs: sorting them all takes a second */

/* Values on their way into a sequence: their bytes are owned. */
struct values {
	struct span *v;
	size_t n, bytes;
};

struct sequence {
	struct obj obj;
	uint64_t version;
	struct values has;
	size_t room; /* of has.v */
};

/* Copies the elements of the array JSON; JSON itself. The caller ends with values_free(). PARAMS. */
int values_read(struct values *, struct span json, struct fault *);
int values_read_one(struct values *, struct span json, struct fault *);
void values_free(struct values *);

/* FRESH takes the place of NDEL values from START on, and is empty after it. TOO_LARGE: nothing has changed. */
int sequence_splice(struct sequence *, size_t start, size_t ndel, struct values *fresh, struct fault *);
/* Puts JSON at an index, the elements of the array JSON in the place of a slice. RANGE, PARAMS, TOO_LARGE. */
int sequence_set(struct sequence *, const struct slice *, struct span json, struct fault *);
void sequence_del(struct sequence *, const struct slice *);
void sequence_reverse(struct sequence *);
/* Stable. PARAMS unless all are numbers, or all are strings. */
int sequence_sort(struct sequence *, bool reverse, struct fault *);
/* Is there N times; not at all with 0 and below. TOO_LARGE. */
int sequence_repeat(struct sequence *, int64_t n, struct fault *);

/* The first place in [FROM, TO) with a value that equals JSON; TO: there is none. */
size_t sequence_find(const struct sequence *, struct span json, size_t from, size_t to);
/* The same; RANGE when there is none. */
int sequence_index(const struct sequence *, struct span json, size_t from, size_t to, size_t *ret, struct fault *);
/* CONFLICT unless it has this version. */
int sequence_check(const struct sequence *, uint64_t version, struct fault *);

#endif
