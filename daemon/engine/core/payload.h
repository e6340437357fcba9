/* SPDX-License-Identifier: MIT */
/*
 * What goes through queues and pipes: JSON text, or bytes that came as a raw frame. It is kept as it came, byte for
 * byte, and counted, because a reply may refer to it until it is written.
 */
#ifndef MPD_PAYLOAD_H
#define MPD_PAYLOAD_H

#include "common/buf.h"

struct payload {
	unsigned refs;
	bool raw;        /* bytes, not JSON */
	uint32_t before; /* bytes of the same allocation that lie before it */
	size_t n;
	char p[];
};

/* Blocks of the size of most items: those that are given back are kept for the next ones. Not cleared; NULL without
 * memory. PUT is told the size that GET was. */
void *block_get(size_t n);
void block_put(void *block, size_t n);

/* A copy of TEXT, with one reference; NULL without memory. */
struct payload *payload_new(struct span text, bool raw);
/* The same behind BEFORE bytes (a multiple of 16, at RET_BEFORE, not cleared), which live as long as it does. */
struct payload *payload_new_behind(size_t before, struct span text, bool raw, void **ret_before);
static inline struct payload *payload_ref(struct payload *p)
{
	p->refs++;
	return p;
}
/* Gives a reference back; NULL is fine. */
void payload_unref(void *payload);
static inline struct span payload_span(const struct payload *p) { return (struct span){p->p, p->n}; }
/* As JSON: bytes become {"b64": ...}. */
void payload_put_json(const struct payload *, struct buf *);
/* As bytes: true, and those of a raw frame or of {"b64": ...} (decoded into ROOM, where that is needed); false, and the
 * JSON text. */
bool payload_bytes(const struct payload *, struct buf *room, struct span *ret);

#endif
