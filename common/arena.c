/* SPDX-License-Identifier: MIT */
/*
 * The arena of arena.h: a list of chunks, each at least twice its elder up to CHUNK_MAX, of which only the newest is
 * handed out from. What is bigger than that gets a chunk of its own size.
 *
 * 1. A chunk never moves: what was handed out stays where it is until the reset.
 * 2. Between two requests at most CHUNK_KEEP bytes are held.
 */
#include "common/arena.h"

#define ALIGN ((size_t)16)
#define CHUNK_MIN ((size_t)4 << 10)
#define CHUNK_MAX ((size_t)1 << 20)
#define CHUNK_KEEP ((size_t)64 << 10)

struct arena_chunk {
	struct arena_chunk *older;
	size_t size, used;
	_Alignas(16) char data[];
};

static struct arena_chunk *chunk_new(struct arena_chunk *older, size_t n)
{
	size_t size = MAX(n, older ? MIN(older->size * 2, CHUNK_MAX) : CHUNK_MIN);
	struct arena_chunk *c = malloc(sizeof(*c) + size);
	if (c) {
		c->older = older;
		c->size = size;
		c->used = 0;
	}
	return c;
}

/* N bytes, not cleared. */
static void *take(struct arena *a, size_t n)
{
	if (n > SIZE_MAX / 4)
		return NULL;
	n = (MAX(n, 1) + ALIGN - 1) & ~(ALIGN - 1);
	struct arena_chunk *c = a->chunks;
	if (!c || n > c->size - c->used) {
		c = chunk_new(c, n);
		if (!c)
			return NULL;
		a->chunks = c;
	}
	void *p = c->data + c->used;
	c->used += n;
	a->used += n;
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p = take(a, n);
	return p ? memset(p, 0, n) : NULL;
}

struct span arena_copy(struct arena *a, struct span s)
{
	char *p = s.n < SIZE_MAX ? take(a, s.n + 1) : NULL;
	if (!p)
		return (struct span){NULL, 0};
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct span){p, s.n};
}

/* Frees from the newest on until C is the first. */
static void free_newer(struct arena *a, const struct arena_chunk *c)
{
	while (a->chunks != c) {
		struct arena_chunk *newest = a->chunks;
		a->chunks = newest->older;
		free(newest);
	}
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *oldest = a->chunks;
	while (oldest && oldest->older)
		oldest = oldest->older;
	free_newer(a, oldest && oldest->size <= CHUNK_KEEP ? oldest : NULL);
	if (a->chunks)
		a->chunks->used = 0;
	a->used = 0;
}

void arena_done(struct arena *a)
{
	free_newer(a, NULL);
	a->used = 0;
}
