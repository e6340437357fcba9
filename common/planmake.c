/* SPDX-License-Identifier: MIT */
/* The maker of plans. Layout: header, limits, argv and envp offsets, groups, strings, the room at the end. */
#include "common/planmake.h"

static void pad8(struct buf *b)
{
	static const char zeros[8];
	buf_put(b, zeros, (8 - b->len % 8) % 8);
}

static uint32_t put_string(struct buf *b, size_t base, struct span s)
{
	uint32_t at = (uint32_t)(b->len - base);
	buf_span(b, s);
	buf_putc(b, '\0');
	return at;
}

/* N strings behind one another; their offsets go to the array at AT, which was reserved. */
static void put_strings(struct buf *b, size_t base, uint32_t at, const struct span *v, size_t n)
{
	for (size_t i = 0; i < n && !b->failed; i++) {
		uint32_t offset = put_string(b, base, v[i]);
		if (!b->failed)
			memcpy(b->p + base + at + i * sizeof(offset), &offset, sizeof(offset));
	}
}

static uint32_t reserve(struct buf *b, size_t base, size_t n)
{
	uint32_t at = (uint32_t)(b->len - base);
	char *to = buf_room(b, n);
	if (to) {
		memset(to, 0, n);
		b->len += n;
	}
	return at;
}

/* N bytes; 0 when there are none. */
static uint32_t put_array(struct buf *b, size_t base, const void *p, size_t n)
{
	uint32_t at = (uint32_t)(b->len - base);
	buf_put(b, p, n);
	return n ? at : 0;
}

static size_t text_size(const struct span *v, size_t n)
{
	size_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += v[i].n + 1;
	return sum;
}

static bool spec_fits(const struct plan_spec *s)
{
	return s->argc >= 1 && s->argc <= PLAN_ARGS_MAX && s->envc <= PLAN_ARGS_MAX &&
	       text_size(s->argv, s->argc) + text_size(s->env, s->envc) + s->cwd.n < PLAN_MAX / 2;
}

int plan_make(const struct plan_spec *s, struct buf *out, size_t *ret_offset)
{
	if (!spec_fits(s))
		return -1;
	pad8(out);
	size_t base = out->len;
	struct plan h = {.magic = PLAN_MAGIC,
			 .flags = s->flags,
			 .argc = (uint32_t)s->argc,
			 .envc = (uint32_t)s->envc,
			 .umask = s->umask,
			 .nice = s->nice,
			 .uid = s->uid,
			 .gid = s->gid,
			 .ngroups = s->ngroups,
			 .nlimits = s->nlimits};
	reserve(out, base, sizeof(h));
	pad8(out);
	h.limits = put_array(out, base, s->limits, s->nlimits * sizeof(*s->limits));
	h.argv = reserve(out, base, s->argc * sizeof(uint32_t));
	h.envp = reserve(out, base, s->envc * sizeof(uint32_t));
	h.groups = put_array(out, base, s->groups, s->ngroups * sizeof(uint32_t));
	put_strings(out, base, h.argv, s->argv, s->argc);
	put_strings(out, base, h.envp, s->env, s->envc);
	h.cwd = s->cwd.n ? put_string(out, base, s->cwd) : 0;
	for (int i = 0; i < 3; i++) {
		h.stdio[i] = (uint8_t)s->stdio[i];
		h.path[i] = s->stdio[i] == PLAN_FILE ? put_string(out, base, s->path[i]) : 0;
	}
	pad8(out);
	h.room = reserve(out, base, (PLAN_ROOM(s->argc, s->envc) + 7) & ~(size_t)7);
	h.size = (uint32_t)(out->len - base);
	if (out->failed || h.size > PLAN_MAX)
		return -1;
	memcpy(out->p + base, &h, sizeof(h));
	*ret_offset = base;
	return 0;
}
