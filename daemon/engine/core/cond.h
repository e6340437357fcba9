/* SPDX-License-Identifier: MIT */
/*
 * Conditions: who holds their lock waits to be notified, and holds it again when it goes on.
 *
 * 1. A wait lets go of the lock and begins to wait in one step, and ends with the lock as often held as before: also
 *    when its time is over, or its client has cancelled it. Only who dies, and who waits for what is removed, goes
 *    without.
 * 2. Who waited first is notified first, and queues for the lock behind those who wait for it already.
 * 3. A notify is for one that goes on: of who ends before it has read of it, the next one has it.
 * 4. Who waits lies with its client, and not in the journal: after an engine's death a wait that is sent again ends as
 *    if notified. Its program looks whether it was meant, as everyone who waits for a condition has to. What is
 *    journaled is how often it had held the lock, where that was more than once.
 */
#ifndef MPD_COND_H
#define MPD_COND_H

#include "daemon/engine/core/lock.h"

struct cond {
	struct obj obj;
	struct mutex own; /* an rlock; of one that goes with another lock unused */
	uint64_t lock;    /* the object whose lock it goes with; 0: its own */
	struct mutex_user user;
	struct subject waiting; /* who was not notified yet */
	struct list depths;     /* of those who waited when the engine before this one died, until they are back */
};

/* Before want_run(): the mutex want's mutex, and `again`. */
struct cond_want {
	struct mutex_want lock;
	bool again; /* sent again after an engine's death */
	bool locking;
	/* granted: */
	bool notified;
};
extern const struct want_ops cond_wait_ops;

/* LOCK: the object whose lock it goes with; NULL: its own. */
void cond_shape(struct cond *, struct obj *lock);
/* Its lock. DELETED when that is no longer there. */
int cond_mutex(struct cond *, struct mutex **ret, struct fault *);
/* At most N of those who wait go on. *RET: how many. NOT_OWNER unless T holds the lock, DELETED. */
int cond_notify(struct cond *, const struct thread *, size_t n, size_t *ret, struct fault *);

#endif
