/* SPDX-License-Identifier: MIT */
/*
 * The heap of timers. Invariant: heap[t->pos - 1] == t for every timer that is set, and no timer is earlier than its
 * parent at (pos / 2).
 */
#include "daemon/engine/core/timer.h"

static void timers_place(struct timers *h, struct timer *t, size_t pos)
{
	h->heap[pos - 1] = t;
	t->pos = pos;
}

static void timers_up(struct timers *h, struct timer *t)
{
	size_t pos = t->pos;
	for (; pos > 1 && h->heap[pos / 2 - 1]->at > t->at; pos /= 2)
		timers_place(h, h->heap[pos / 2 - 1], pos);
	timers_place(h, t, pos);
}

static void timers_down(struct timers *h, struct timer *t)
{
	size_t pos = t->pos;
	for (size_t child; (child = pos * 2) <= h->n; pos = child) {
		if (child < h->n && h->heap[child]->at < h->heap[child - 1]->at)
			child++;
		if (h->heap[child - 1]->at >= t->at)
			break;
		timers_place(h, h->heap[child - 1], pos);
	}
	timers_place(h, t, pos);
}

static void timers_grow(struct timers *h)
{
	if (h->n < h->cap)
		return;
	size_t cap = h->cap ? h->cap * 2 : 64;
	struct timer **heap = realloc(h->heap, cap * sizeof(*heap));
	if (!heap)
		abort();
	h->heap = heap;
	h->cap = cap;
}

void timer_set(struct timers *h, struct timer *t, nsec_t at, void (*fire)(struct timer *))
{
	t->fire = fire;
	if (t->pos) {
		t->at = at;
		timers_up(h, t);
		timers_down(h, t);
		return;
	}
	timers_grow(h);
	t->at = at;
	h->n++;
	timers_place(h, t, h->n);
	timers_up(h, t);
}

void timer_clear(struct timers *h, struct timer *t)
{
	if (!t->pos)
		return;
	size_t pos = t->pos;
	struct timer *last = h->heap[--h->n];
	t->pos = 0;
	if (last == t)
		return;
	timers_place(h, last, pos);
	timers_up(h, last);
	timers_down(h, last);
}

nsec_t timers_next(const struct timers *h) { return h->n ? h->heap[0]->at : NSEC_NEVER; }

void timers_run(struct timers *h, nsec_t now)
{
	while (h->n && h->heap[0]->at <= now) {
		struct timer *t = h->heap[0];
		timer_clear(h, t);
		t->fire(t);
	}
}

void timers_done(struct timers *h)
{
	free(h->heap);
	*h = (struct timers){0};
}
