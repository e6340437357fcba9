/* SPDX-License-Identifier: MIT */
/*
 * Barriers: as many parties as were said go on together, generation after generation; or none of them does.
 *
 * 1. Who comes draws the next place. The last of a generation completes it, or runs the action first, which is a hold
 *    of its own; who comes meanwhile draws a place of the generation after.
 * 2. Whatever takes one party away (its time, its end, a failed action) breaks the barrier for all who have a place,
 *    and for all who come, until it is reset. Of a completed generation nobody is taken away any more.
 * 3. Registered parties are holds: their end breaks it whether they wait or not.
 * 4. Who waits lies with its client, and not in the journal, but how many is: an engine's death breaks what it left.
 */
#ifndef MPD_BARRIER_H
#define MPD_BARRIER_H

#include "common/shape.h"
#include "daemon/engine/core/obj.h"

enum barrier_cause { /* in the journal: never renumbered */
		     CAUSE_NONE,
		     CAUSE_TIMEOUT,
		     CAUSE_ABORT,
		     CAUSE_RESET,
		     CAUSE_DEATH,
		     CAUSE_ACTION,
		     CAUSE_CANCEL,
		     CAUSE_ENGINE,
		     CAUSE_COUNT
};

/* How it broke. */
struct barrier_break {
	struct death who; /* at 0: nobody, or not known */
	uint64_t cause;   /* enum barrier_cause; CAUSE_NONE: it has not */
};

struct barrier_image {
	struct barrier_break broken;
	nsec_t timeout;      /* of waits that say none; NSEC_NEVER: none */
	uint64_t generation; /* the one that is filled now, or whose action runs */
	uint64_t drawn;      /* places, from its first on */
	uint32_t parties;
	uint8_t action; /* the last one always runs one */
	uint8_t pad[3];
};

struct barrier {
	struct obj obj;
	struct barrier_image i;
	struct hold *action;  /* of who runs it now; NULL */
	struct subject queue; /* in the order of their places, but for ... */
	struct subject lasts; /* ... who will complete a generation after the one whose action runs */
};

/* Before want_run(): action, again. */
struct barrier_want {
	struct want want;
	bool action; /* it runs one if it is the last */
	bool again;  /* sent again after an engine's death */
	bool cancelling;
	uint64_t generation;
	uint32_t index;
	struct barrier_break broken;
	/* granted: */
	bool run_action;
};
extern const struct want_ops barrier_wait_ops;

void barrier_shape(struct barrier *, uint32_t parties, bool action, nsec_t timeout);
/* The action of that generation has run. BROKEN, NOT_HELD, NOT_OWNER, STALE_TOKEN. */
int barrier_action_done(struct barrier *, const struct thread *, uint64_t generation, bool ok, struct fault *);
void barrier_register(struct barrier *, struct thread *);
/* NOT_HELD when it is not. */
int barrier_unregister(struct barrier *, const struct thread *, struct fault *);
void barrier_reset(struct barrier *);
void barrier_abort(struct barrier *);
/* "parties":3,"n_waiting":1,... */
void barrier_describe(const struct obj *, struct buf *);

#endif
