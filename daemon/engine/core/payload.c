/* SPDX-License-Identifier: MIT */
/* Payloads: payload.h. */
#include "daemon/engine/core/payload.h"
#include "common/scan.h"

/* Small blocks are kept for the next ones: most of what goes through queues is short and does not stay. */
#define SMALL ((size_t)208)
#ifdef __SANITIZE_ADDRESS__
#define SPARE_MAX 0 /* which then sees what is used after its end */
#else
#define SPARE_MAX 1024
#endif

static struct spare {
	struct spare *next;
} * spares;
static size_t nspares;

void *block_get(size_t n)
{
	struct spare *block = n <= SMALL ? spares : NULL;
	if (!block)
		return malloc(n <= SMALL ? SMALL : n);
	spares = block->next;
	nspares--;
	return block;
}

void block_put(void *block, size_t n)
{
	struct spare *spare = block;
	if (n > SMALL || nspares == SPARE_MAX) {
		free(block);
		return;
	}
	spare->next = spares;
	spares = spare;
	nspares++;
}

struct payload *payload_new_behind(size_t before, struct span text, bool raw, void **ret_before)
{
	char *block = block_get(before + sizeof(struct payload) + text.n);
	struct payload *p = (struct payload *)(block + before);
	if (!block)
		return NULL;
	p->refs = 1;
	p->raw = raw;
	p->before = (uint32_t)before;
	p->n = text.n;
	if (text.n)
		memcpy(p->p, text.p, text.n);
	*ret_before = block;
	return p;
}

struct payload *payload_new(struct span text, bool raw)
{
	void *nothing;
	return payload_new_behind(0, text, raw, &nothing);
}

void payload_unref(void *payload)
{
	struct payload *p = payload;
	if (p && --p->refs == 0)
		block_put((char *)p - p->before, p->before + sizeof(*p) + p->n);
}

void payload_put_json(const struct payload *p, struct buf *out)
{
	if (p->raw)
		scan_put_b64(out, payload_span(p));
	else
		buf_span(out, payload_span(p));
}

bool payload_bytes(const struct payload *p, struct buf *room, struct span *ret)
{
	struct span text = payload_span(p);
	*ret = text;
	if (p->raw)
		return true;
	if (scan_type(text) != SCAN_OBJECT || scan_count(text) != 1 || scan_bytes(text, room))
		return false;
	*ret = buf_view(room);
	return true;
}
