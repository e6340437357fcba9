/* SPDX-License-Identifier: MIT */
/*
 * Dicts, and namespaces, which are the same: values by key.
 *
 * 1. Keys come in the order of their first set; one that was removed and set again is the last.
 * 2. Values are JSON, kept byte for byte; keys are text.
 * 3. The version grows with every key that is set or removed, and with every clear. Each of these is one record of the
 *    journal, as large as what has changed.
 */
#ifndef MPD_DICT_H
#define MPD_DICT_H

#include "common/map.h"
#include "daemon/engine/core/obj.h"

#define DICT_BYTES_MAX ((size_t)256 << 20) /* with what each key costs */

struct dict_entry {
	struct list by_dict;
	size_t nkey, nvalue;
	char bytes[]; /* the key, then the value */
};

struct dict {
	struct obj obj;
	uint64_t version;
	struct map map; /* struct dict_entry by key */
	struct list entries;
	size_t bytes;
};

static inline struct span dict_key(const struct dict_entry *e) { return (struct span){e->bytes, e->nkey}; }
static inline struct span dict_value(const struct dict_entry *e)
{
	return (struct span){e->bytes + e->nkey, e->nvalue};
}

/* NULL: it is not there. */
struct dict_entry *dict_get(const struct dict *, struct span key);
/* The entry of KEY; RANGE. */
int dict_find(const struct dict *, struct span key, struct dict_entry **ret, struct fault *);
/* TOO_LARGE; then nothing has changed. */
int dict_set(struct dict *, struct span key, struct span value, struct fault *);
/* Sets all members of the object ITEMS, or none. */
int dict_update(struct dict *, struct span items, struct fault *);
void dict_del(struct dict *, struct dict_entry *);
void dict_clear(struct dict *);
/* Adds to the whole number under KEY, 0 when it is not there. RANGE, PARAMS. */
int dict_incr(struct dict *, struct span key, int64_t delta, struct fault *);
/* The one that was set first last; RANGE when there is none. */
int dict_last(const struct dict *, struct dict_entry **ret, struct fault *);
/* CONFLICT unless it has this version. */
int dict_check(const struct dict *, uint64_t version, struct fault *);

#endif
