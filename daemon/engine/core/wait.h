/* SPDX-License-Identifier: MIT */
/*
 * Waiting: a subject is something that can change (a process, a job instance, output), a waiter is a parked request
 * that looks at one or more subjects. What changes is touched; the pump then lets the waiters of touched subjects
 * attempt, in the order in which they came, to a fixpoint, before the loop sleeps. So nobody is answered from within
 * somebody else's change: there is no recursion and one order. Where a subject is first come, first served, only its
 * first waiter attempts, and the next one when that has ended.
 *
 * 1. A waiter ends exactly once: by its attempt (done), its deadline (expire) or from outside (waiter_drop).
 * 2. Ending takes it off all its subjects first, in O(subjects).
 */
#ifndef MPD_WAIT_H
#define MPD_WAIT_H

#include "common/list.h"
#include "daemon/engine/core/timer.h"

struct subject {
	struct list waiters; /* struct wait_link.by_subject, in order of arrival */
	struct list ready;   /* on the core's ready list while touched */
	bool fifo;           /* who cannot end keeps those behind it from attempting */
};

enum step { STEP_WAIT, STEP_DONE, STEP_FAIL /* a want's: it ends with a fault */ };

struct waiter;
struct wait_ops {
	enum step (*attempt)(struct waiter *); /* may it end now? Waits on a fifo subject may take what they end with */
	void (*done)(struct waiter *);         /* answers and frees; the waiter is on no subject any more */
	void (*expire)(struct waiter *);       /* the same for its deadline */
};

struct wait_link {
	struct waiter *waiter;
	struct list by_subject;
	uint64_t round; /* in which its waiter attempted last */
};

struct waiter {
	const struct wait_ops *ops;
	struct timer timer;
	struct wait_link *links; /* one a subject; owned, or `one` */
	size_t nlinks;
	struct wait_link one;
};

void subject_init(struct subject *);
/* Takes it off the ready list. It must have no waiters. */
void subject_done(struct subject *);
static inline bool subject_waited(const struct subject *s) { return !list_empty(&s->waiters); }
/* It has changed: its waiters attempt at the next pump. */
void subject_touch(struct subject *);

/* Parks W on N subjects until its attempt succeeds or DEADLINE (NSEC_NEVER) comes. The first attempt is made by the
 * next pump. 0, or -1 when memory is out (then nothing is parked). */
int waiter_park(struct waiter *, const struct wait_ops *, struct subject *const *, size_t n, nsec_t deadline);
/* Ends it without an answer; freeing it is the caller's. */
void waiter_drop(struct waiter *);
/* Lets all waiters of touched subjects attempt, until nothing is touched. */
void wait_pump(void);
/* Leaves all its subjects for another one, as the last; its deadline stays. */
void waiter_move(struct waiter *, struct subject *);

#endif
