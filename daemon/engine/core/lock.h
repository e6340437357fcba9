/* SPDX-License-Identifier: MIT */
/*
 * Mutual exclusion: a mutex is what lock and rlock are, and what a condition, a value and an array have.
 *
 * 1. At most one hold at a time; hand-off in the order of arrival. A holder of a reentrant one re-enters before those
 *    who wait, and keeps its token.
 * 2. A holder's death is told to the next one; to the one after it, if that never read of its grant.
 * 3. A strict one is inconsistent after a death until it is repaired; released before, nobody acquires it again.
 */
#ifndef MPD_LOCK_H
#define MPD_LOCK_H

#include "daemon/engine/core/obj.h"

enum mutex_state { MUTEX_GOOD, MUTEX_INCONSISTENT, MUTEX_NOT_RECOVERABLE };

struct mutex_image {
	struct death death; /* of the last holder, while its successor may not know; at 0: none */
	uint8_t reentrant, strict;
	uint8_t any_owner; /* anybody may release it */
	uint8_t keep;      /* a holder's death leaves it held */
	uint8_t state;     /* enum mutex_state */
	uint8_t pad[7];
};

/* Something beside its object that waits for a mutex. */
struct mutex_user {
	struct list by_mutex;
	/* The mutex goes: it has to end those waits, with the fault. It is off the list already. */
	void (*removed)(struct mutex_user *, const struct fault *);
};

struct mutex {
	struct mutex_image i;
	struct obj *obj; /* whose its holds are */
	struct subject queue;
	struct hold *hold; /* NULL: it is free */
	struct list users; /* struct mutex_user.by_mutex */
};

struct lock { /* and rlock */
	struct obj obj;
	struct mutex mutex;
};

/* Acquires; other wants begin with it. Before want_run(): mutex, count (1, or what was held before a wait). */
struct mutex_want {
	struct want want;
	struct mutex *mutex;
	uint32_t count;
	/* granted: */
	uint32_t depth;
	uint64_t token;
	bool inconsistent;
	struct death death; /* at 0: the lock was not abandoned */
};

void mutex_init(struct mutex *, struct obj *, bool reentrant);
void mutex_done(struct mutex *);
enum step mutex_attempt(struct want *, struct fault *);
bool mutex_overtakes(const struct want *);
struct subject *mutex_subject(const struct want *);
void mutex_holders(const struct want *, struct holders *);
/* Does T hold it (of one that is not reentrant: does T's owner)? */
bool mutex_held_by(const struct mutex *, const struct thread *);

struct mutex_release {
	const struct thread *thread; /* who asks */
	bool has_token, force;
	uint64_t token;
};
/* Once. *RET_DEPTH: how often it is still held. NOT_HELD, NOT_OWNER, STALE_TOKEN. */
int mutex_release(struct mutex *, const struct mutex_release *, uint32_t *ret_depth, struct fault *);
/* Lets go of all of it, whoever asks: the holder waits for a condition. Returns how often it was held. */
uint32_t mutex_let_go(struct mutex *);
int mutex_repair(struct mutex *, const struct thread *, struct fault *);

/* For the classes of what has a mutex, and no other holds. */
void mutex_revoke(struct hold *, const struct death *);
void mutex_undo(struct hold *, bool certain);
void mutex_load_hold(struct hold *);
void mutex_drop_hold(struct hold *);
#define MUTEX_HOLDS                                                                                                    \
	.revoke = mutex_revoke, .undo = mutex_undo, .load_hold = mutex_load_hold, .drop_hold = mutex_drop_hold
int mutex_load(struct mutex *, struct span image);
void mutex_save(const struct mutex *, struct buf *);
/* "held":true,"depth":1,"state":"good" */
void mutex_describe(const struct mutex *, struct buf *);
/* "free", "held by pid 7 (seller), 3 wait" */
void mutex_summary(const struct mutex *, struct buf *);

extern const struct want_ops mutex_acquire_ops;
/* The mutex of a lock, an rlock, a condition, a value, an array; NULL: it has none. */
static inline struct mutex *obj_mutex(const struct obj *o) { return o->class->mutex ? o->class->mutex(o) : NULL; }

#endif
