/* SPDX-License-Identifier: MIT */
/*
 * The table of slots: one a process, from its spawn until the engine has recorded its end.
 *
 * 1. It is mapped once, without memory behind it; free slots are taken last in, first out, so that few pages are used.
 * 2. An EXITED slot can still be found by its pid, which names the session its descendants may be in. Where the number
 *    has come round, the youngest slot is found.
 * 3. Some slots are spares: they hold failures only, so that a refusal for want of slots has a place to stay in too.
 */
#include "daemon/keeper/keeper.h"
#include <sys/mman.h>

enum { SPARES = 256, BUCKETS = 16384 };

static struct {
	struct slot *all;
	uint32_t size, high;  /* high: those from here on were never used */
	uint32_t used, limit; /* limit: above it only failures */
	uint32_t free;
} table = {.free = SLOT_NONE};

static uint32_t *buckets; /* slot + 1, by pid: consecutive pids share a page */

static void *map_reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

int slot_init(uint32_t n)
{
	table.limit = n;
	table.size = n + SPARES;
	table.all = map_reserve(table.size * sizeof(*table.all));
	buckets = map_reserve(BUCKETS * sizeof(*buckets));
	return table.all && buckets ? 0 : -1;
}

struct slot *slot_at(uint32_t i) { return &table.all[i]; }
uint32_t slot_index(const struct slot *s) { return (uint32_t)(s - table.all); }

static struct slot *slot_take(void)
{
	struct slot *s;
	if (table.free == SLOT_NONE)
		return table.high < table.size ? &table.all[table.high++] : NULL;
	s = &table.all[table.free];
	table.free = s->next;
	return s;
}

struct slot *slot_new(uint64_t id, bool failed)
{
	struct slot *s;
	if (table.used >= table.limit && !failed)
		return NULL;
	s = slot_take();
	if (!s)
		return NULL;
	table.used++;
	*s = (struct slot){
		.id = id,
		.state = SLOT_FAILED,
		.flags = s->flags & SLOT_QUEUED, /* it may still be on the queue for what it was before */
		.next_told = s->next_told,
		.dir = s->dir,
		.pidfd = -1,
		.events = -1,
		.pipe = {-1, -1},
	};
	return s;
}

static uint32_t *bucket_of(pid_t pid) { return &buckets[(uint32_t)pid % BUCKETS]; }

static void slot_unhash(struct slot *s)
{
	uint32_t *at = bucket_of(s->pid), want = slot_index(s) + 1;
	while (*at && *at != want)
		at = &table.all[*at - 1].next_hash;
	if (*at)
		*at = s->next_hash;
}

static void close_all(int32_t *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void slot_free(struct slot *s)
{
	if (s->state != SLOT_FAILED)
		slot_unhash(s);
	close_all(s->pipe, 2);
	close_all(&s->events, 1);
	close_all(&s->pidfd, 1);
	s->state = SLOT_FREE;
	s->flags &= SLOT_QUEUED;
	s->next = table.free;
	table.free = slot_index(s);
	table.used--;
}

void slot_running(struct slot *s, pid_t pid, int pidfd)
{
	uint32_t *at = bucket_of(pid);
	s->state = SLOT_RUNNING;
	s->pid = pid;
	s->pidfd = pidfd;
	s->next_hash = *at;
	*at = slot_index(s) + 1;
	keeper.running++;
}

struct slot *slot_by_pid(pid_t pid)
{
	for (uint32_t i = *bucket_of(pid); i; i = table.all[i - 1].next_hash)
		if (table.all[i - 1].pid == pid)
			return &table.all[i - 1];
	return NULL;
}

struct slot *slot_main(pid_t pid)
{
	struct slot *s = slot_by_pid(pid);
	return s && s->state == SLOT_RUNNING ? s : NULL;
}

struct slot *slot_by_id(uint64_t id)
{
	for (struct slot *s = slot_next(NULL); s; s = slot_next(s))
		if (s->id == id)
			return s;
	return NULL;
}

struct slot *slot_find(uint32_t slot, uint64_t id)
{
	struct slot *s = slot < table.high ? &table.all[slot] : NULL;
	return s && s->state != SLOT_FREE && s->id == id ? s : NULL;
}

struct slot *slot_next(const struct slot *after)
{
	for (uint32_t i = after ? slot_index(after) + 1 : 0; i < table.high; i++)
		if (table.all[i].state != SLOT_FREE)
			return &table.all[i];
	return NULL;
}
