/* SPDX-License-Identifier: MIT */
/*
 * Hash maps that own no values: from 64-bit ids, and from byte strings (which the caller keeps alive as long as they
 * are in the map). Open addressing with linear probing; deletion leaves no tombstones. A failed growth is an error
 * answer, never an abort.
 */
#ifndef MPD_MAP_H
#define MPD_MAP_H

#include "common/buf.h"

struct map_slot {
	uint64_t hash;
	struct span key; /* by string: the caller's bytes; by id: {NULL, 0} and hash is the mixed id */
	uint64_t id;
	void *value; /* NULL: empty */
};
struct map {
	struct map_slot *slots;
	size_t mask, count; /* mask + 1 slots, or none at all */
};

#define MAP_INIT {NULL, 0, 0}

void map_done(struct map *);
/* Puts VALUE (not NULL) in place of what was there. 0, or -1 when memory is out (then nothing has changed). */
int map_put(struct map *, uint64_t id, void *value);
void *map_get(const struct map *, uint64_t id);
/* Takes it out and returns it, or NULL. */
void *map_del(struct map *, uint64_t id);
int map_put_str(struct map *, struct span key, void *value);
void *map_get_str(const struct map *, struct span key);
void *map_del_str(struct map *, struct span key);
/* All values, in no order: for (size_t i = 0; (v = map_each(m, &i));) with no change of the map meanwhile. */
void *map_each(const struct map *, size_t *i);

#endif
