/* SPDX-License-Identifier: MIT */
/*
 * What the commands of all objects share: who asks, for whom, and how a want's answer finds its request.
 */
#ifndef MPD_OBJECTS_H
#define MPD_OBJECTS_H

#include "daemon/engine/commands.h"
#include "daemon/engine/core/core.h"

struct asker asker_of(const struct conn *);

/* The parameters `owner`, `tag` and `timeout`, which many commands have. */
struct call_who {
	struct span owner, tag;
	nsec_t timeout;
};
#define CALL_WHO(args, sym)                                                                                            \
	((struct call_who){(args)->owner, (args)->tag, GIVEN(args, sym, timeout) ? (args)->timeout : NSEC_NEVER})
#define CALL_OWNER(args) ((struct call_who){(args)->owner, (args)->tag, NSEC_NEVER})

/* The thread that is meant. LOST, PARAMS, DENIED. The caller ends with thread_unused() or call_run(). */
int call_thread(const struct req *, const struct call_who *, struct thread **ret, struct fault *);
/* Runs W (ops, obj, thread, and what its kind needs are set) for REQ: answered by ANSWER now or later, or failed.
 * ANSWER writes the result of the want's request, w->call: reply_begin() ... reply_end(). */
int call_run(struct req *, struct want *, const struct call_who *, void (*answer)(struct want *), struct fault *);
static inline struct req *call_req(const struct want *w) { return w->call; }

/* {} */
int reply_empty(struct req *);
int reply_bool(struct req *, const char *name, bool);
int reply_created(struct req *, bool created);
/* RESULT, which may be long; TOO_LARGE when it is longer than a line may be. */
int reply_text(struct req *, const struct buf *result, struct fault *);

/* What every create can say, from its arguments. PARAMS for a mode that is none. */
struct create_args {
	bool exist_ok, has_mode, has_group, has_ttl;
	struct span mode;
	int64_t group;
	nsec_t ttl_idle;
};
#define CREATE_ARGS(a, sym)                                                                                            \
	((struct create_args){(a)->exist_ok, GIVEN(a, sym, mode), GIVEN(a, sym, group), GIVEN(a, sym, ttl_idle),       \
			      (a)->mode, (a)->group, (a)->ttl_idle})
/* Finds or makes what a create names: *RET_CREATED, and the caller shapes it; else it compares the shapes. */
int create_obj(const struct asker *, struct span name, enum obj_kind, const struct create_args *, struct obj **ret,
	       bool *ret_created, struct fault *);
int shape_mismatch(const struct obj *, const char *what, struct fault *);

/* KIND.create without a request: ARGS is the command's struct. What the configuration's objects are made by as well. */
typedef int maker(const struct asker *, const void *args, bool *ret_created, struct fault *);
maker lock_make, rlock_make, semaphore_make, event_make, condition_make, barrier_make, queue_make, pipe_make,
	value_make, array_make, dict_make, list_make, namespace_make;
/* A create as a command. */
int create_by(maker *, struct req *, const void *args, struct fault *);

#endif
