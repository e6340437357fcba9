/* SPDX-License-Identifier: MIT */
/*
 * plan_check(): what stands between a client's bytes and the keeper, which follows a plan's offsets blindly afterwards
 * and lets the child write into the plan's room, in the keeper's own memory.
 *
 * 1. Only [p, p + size) is read; the work grows with the size and the number of strings, never with their product.
 * 2. What a plan that passes may not do: name an offset outside of itself, or a string without an end, or have
 *    anything the keeper reads lie in the room, or be placed so that its numbers are not aligned.
 * 3. Nothing allocates. Whether the paths, ids and limits make sense is for the kernel to say, in the child.
 */
#include "daemon/plan.h"
#include <sys/resource.h>

#define GROUPS_MAX 65536u /* NGROUPS_MAX */

/* A plan under check. Strings that begin before the room end before it, at `last_low` at the latest; those behind it
 * end at `last_high` at the latest. */
struct check {
	const char *p;
	struct plan h;
	size_t room_end;
	size_t last_low, last_high; /* offset of the last NUL on either side; 0: there is none */
};

static bool in_range(int64_t v, int64_t min, int64_t max) { return v >= min && v <= max; }

static bool header_good(const struct plan *h, size_t size)
{
	return h->magic == PLAN_MAGIC && in_range(h->size, sizeof(*h), (int64_t)MIN(size, PLAN_MAX)) &&
	       !(h->flags & ~(uint32_t)(PLAN_CTTY | PLAN_CREDS | PLAN_SHELL)) && in_range(h->argc, 1, PLAN_ARGS_MAX) &&
	       h->envc <= PLAN_ARGS_MAX && h->ngroups <= GROUPS_MAX && h->nlimits <= PLAN_LIMITS_MAX &&
	       in_range(h->umask, -1, 0777) && in_range(h->nice, -20, 19);
}

/* Whether N pieces of EACH bytes at OFFSET, a multiple of ALIGN, lie behind the header and inside. */
static bool fits(const struct plan *h, uint32_t offset, size_t n, size_t each, size_t align)
{
	return offset >= sizeof(*h) && offset <= h->size && offset % align == 0 && n <= (h->size - offset) / each;
}

static bool room_good(struct check *c)
{
	size_t room = PLAN_ROOM(c->h.argc, c->h.envc);
	c->room_end = c->h.room + room;
	return fits(&c->h, c->h.room, room, 1, 8);
}

/* An array that is read after the room was written. */
static bool array_good(const struct check *c, uint32_t offset, size_t n, size_t each, size_t align)
{
	if (n == 0)
		return true;
	return fits(&c->h, offset, n, each, align) && (offset + n * each <= c->h.room || offset >= c->room_end);
}

static bool numbers_good(const struct check *c, uint32_t offset, size_t n)
{
	return array_good(c, offset, n, sizeof(uint32_t), sizeof(uint32_t));
}

static size_t last_nul(const struct check *c, size_t from, size_t to)
{
	const char *nul = memrchr(c->p + from, '\0', to - from);
	return nul ? (size_t)(nul - c->p) : 0;
}

static bool string_good(const struct check *c, uint32_t offset)
{
	if (offset < sizeof(c->h))
		return false;
	return offset < c->h.room ? offset <= c->last_low : offset >= c->room_end && offset <= c->last_high;
}

static bool strings_good(const struct check *c, uint32_t offset, size_t n)
{
	if (!numbers_good(c, offset, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		uint32_t string;
		memcpy(&string, c->p + offset + i * sizeof(string), sizeof(string));
		if (!string_good(c, string))
			return false;
	}
	return true;
}

static bool limits_good(const struct check *c)
{
	struct plan_limit limit;
	if (!array_good(c, c->h.limits, c->h.nlimits, sizeof(limit), 8))
		return false;
	for (size_t i = 0; i < c->h.nlimits; i++) {
		memcpy(&limit, c->p + c->h.limits + i * sizeof(limit), sizeof(limit));
		if (limit.resource >= RLIM_NLIMITS)
			return false;
	}
	return true;
}

/* What each of stdin, stdout and stderr may be: bit n: enum plan_stdio n. */
static const unsigned stdio_allowed[3] = {
	1u << PLAN_NULL | 1u << PLAN_FD | 1u << PLAN_FILE | 1u << PLAN_INHERIT,
	1u << PLAN_NULL | 1u << PLAN_PIPE | 1u << PLAN_FD | 1u << PLAN_FILE | 1u << PLAN_INHERIT,
	1u << PLAN_NULL | 1u << PLAN_PIPE | 1u << PLAN_FD | 1u << PLAN_FILE | 1u << PLAN_INHERIT | 1u << PLAN_STDOUT,
};

static bool stdio_good(const struct check *c, size_t i)
{
	unsigned kind = c->h.stdio[i];
	if (kind > PLAN_STDOUT || !(stdio_allowed[i] & 1u << kind))
		return false;
	return c->h.path[i] ? string_good(c, c->h.path[i]) : kind != PLAN_FILE;
}

int plan_check(const void *p, size_t size)
{
	struct check c = {.p = p};
	if (size < sizeof(c.h) || (uintptr_t)p % 8)
		return -1;
	memcpy(&c.h, p, sizeof(c.h));
	if (!header_good(&c.h, size) || !room_good(&c))
		return -1;
	c.last_low = last_nul(&c, 0, c.h.room);
	c.last_high = last_nul(&c, c.room_end, c.h.size);
	bool good = strings_good(&c, c.h.argv, c.h.argc) && strings_good(&c, c.h.envp, c.h.envc) &&
		    numbers_good(&c, c.h.groups, c.h.ngroups) && limits_good(&c) &&
		    (!c.h.cwd || string_good(&c, c.h.cwd)) && stdio_good(&c, 0) && stdio_good(&c, 1) &&
		    stdio_good(&c, 2);
	return good ? 0 : -1;
}
