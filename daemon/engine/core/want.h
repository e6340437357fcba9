/* SPDX-License-Identifier: MIT */
/*
 * A want: a request of an owner's thread for something an object gives, now or later. What kind of thing is a table of
 * rules (want_ops); queueing, deadlines, order, deaths and deadlocks are here, once for all.
 *
 * 1. A want ends exactly once: granted or failed (the shell is told), or abandoned (it is not).
 * 2. Hand-off is strictly first come, first served: who comes attempts only if nobody waits before it, but for verbs
 *    that must overtake (an rlock's holder).
 * 3. One that waits is on its subject's list, its thread's wants and its object's.
 */
#ifndef MPD_WANT_H
#define MPD_WANT_H

#include "daemon/engine/core/owner.h"
#include "daemon/engine/core/wait.h"

struct obj;
struct want;

/* Those who could make a wait end. */
struct holders {
	struct thread **v;
	size_t n, room;
	size_t most; /* so many are enough; 0: all of them */
	bool open;   /* others could, too */
	bool more;   /* than those that were enough */
};
/* False: it is enough. */
bool holders_add(struct holders *, struct thread *);

struct want_ops {
	size_t size;      /* of the struct that begins with the want */
	const char *what; /* the method's verb, "acquire" */
	/* Once, on arrival. NULL: nothing to do. STEP_WAIT: go on and attempt. */
	enum step (*enter)(struct want *, struct fault *);
	/* May it attempt although others wait? NULL: no. */
	bool (*overtakes)(const struct want *);
	/* May it be granted? STEP_DONE: it was, the object has changed. STEP_FAIL: with the fault. */
	enum step (*attempt)(struct want *, struct fault *);
	/* Its time is over (at once with timeout 0, before it ever waited). NULL: TIMEOUT, WOULD_BLOCK. STEP_WAIT: it
	 * waits on, where `subject` now says, without a deadline. */
	enum step (*expire)(struct want *, struct fault *);
	/* It goes before it was granted: cancelled, or its owner or object is gone. NULL: nothing to do. */
	void (*abandon)(struct want *);
	/* At every end, the last word: frees what it has. Of one that want_run() has ended at once its caller calls it.
	 * NULL: it has nothing. */
	void (*done)(struct want *);
	/* Asked to end by its client, which still listens. STEP_WAIT: it ends by itself, later, with CANCELLED.
	 * NULL: abandoned at once. */
	enum step (*cancel)(struct want *);
	/* Where it waits. */
	struct subject *(*subject)(const struct want *);
	/* Who could make it end; for deadlocks. NULL: anybody. */
	void (*holders)(const struct want *, struct holders *);
};

/* A write is for who holds this lock with this token only. */
struct fence {
	uint64_t lock, token; /* the lock's id, 0: no fence */
};

struct want {
	struct waiter waiter;
	const struct want_ops *ops;
	struct obj *obj; /* NULL: a shadow */
	struct thread *thread;
	struct channel *channel;
	struct list by_thread, by_obj;
	void *call;                    /* the shell's */
	void (*answer)(struct want *); /* the shell's: it was granted */
	struct hold *hold;             /* what it was granted, where that is a hold */
	struct fence fence;            /* looked at again when it has waited */
	nsec_t since;
	nsec_t timeout;  /* as asked for; NSEC_NEVER: none */
	enum step step;  /* how its last attempt ended */
	bool cancelled;  /* its client has asked for its end */
	bool unanswered; /* nobody listens for its answer: nothing to be unsure about */
};

/* Runs a want that lies with the caller: STEP_DONE: granted; STEP_FAIL: with the fault; STEP_WAIT: a copy of it (*RET)
 * waits and will end by core_ops.granted or .failed. The caller has set ops, obj, thread, channel, timeout, and what
 * the kind of want needs. */
enum step want_run(struct want *, struct want **ret, struct fault *);
/* Its client has asked for its end, or (GONE) will never hear of it. True: it has ended, without another word. */
bool want_cancel(struct want *, bool gone);
/* Ends it with the fault. */
void want_fail(struct want *, const struct fault *);
/* It waits from now on where ops->subject() says, as the last there. */
void want_move(struct want *);
/* It has no deadline any more. */
void want_timeless(struct want *);

/* A wait that is none for an object, for a process's end: it is run elsewhere, and counts for deadlocks. It has ops
 * (what, holders) and a timeout, lies with the caller, and is T's until it leaves; with the death of T's owner it
 * leaves by itself. */
void want_shadow(struct want *, struct thread *t);
void want_shadow_leave(struct want *);

/* --- deadlock.c --- */

/* Would it wait for ever, because all who could end its wait wait for it, and for ever? Then DEADLOCK with the cycle.
 * Called before W waits. */
int deadlock_check(const struct want *, struct fault *);
/* ,"cycle":[...] if it waited, or would have, in a ring. */
void deadlock_put(const struct want *, struct buf *);
/* {"waits":[...],"deadlocks":[...]}, of those UID may see (0: all). */
void graph_put(struct buf *, uid_t uid);

#endif
