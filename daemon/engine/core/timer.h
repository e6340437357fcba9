/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: a binary heap of timers that lie in what they belong to. Time is handed in; nothing here knows a clock.
 */
#ifndef MPD_TIMER_H
#define MPD_TIMER_H

#include "common/sys.h"

struct timer {
	nsec_t at;
	size_t pos; /* 1-based place in the heap; 0: not set */
	void (*fire)(struct timer *);
};

struct timers {
	struct timer **heap;
	size_t n, cap;
};

/* Sets or moves. Without memory for one more the engine ends: a deadline must not be lost, and the next engine replays.
 */
void timer_set(struct timers *, struct timer *, nsec_t at, void (*fire)(struct timer *));
void timer_clear(struct timers *, struct timer *);
static inline bool timer_is_set(const struct timer *t) { return t->pos != 0; }
/* DELAY after NOW (both >= 0); what lies beyond the end of time is NSEC_NEVER. */
static inline nsec_t timer_after(nsec_t now, nsec_t delay)
{
	return delay >= NSEC_NEVER - now ? NSEC_NEVER : now + delay;
}
nsec_t timers_next(const struct timers *); /* NSEC_NEVER: none */
/* Fires all that are due at NOW, earliest first; each is cleared before it fires. */
void timers_run(struct timers *, nsec_t now);
void timers_done(struct timers *);

#endif
