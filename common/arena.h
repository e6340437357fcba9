/* SPDX-License-Identifier: MIT */
/* Memory that lives as long as one request: bump-allocated, given back at once. Everything in it is 16-aligned. */
#ifndef MPD_ARENA_H
#define MPD_ARENA_H

#include "common/buf.h"

#define ARENA_INIT {NULL, 0}

struct arena_chunk;
struct arena {
	struct arena_chunk *chunks; /* newest first; the oldest is kept over a reset, unless it is large */
	size_t used;                /* bytes handed out since the reset */
};

/* N bytes, zeroed, valid until the reset; NULL when memory is out. */
void *arena_alloc(struct arena *, size_t n);
/* A copy of the bytes, with a NUL behind them. {NULL, 0} when memory is out. */
struct span arena_copy(struct arena *, struct span);
void arena_reset(struct arena *);
void arena_done(struct arena *);

#endif
