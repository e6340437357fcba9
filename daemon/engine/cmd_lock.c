/* SPDX-License-Identifier: MIT */
/* lock.*, rlock.* and the lock of a value: the JSON of a mutex. */
#include "daemon/engine/cmd_lock.h"
#include "daemon/engine/core/lock.h"

/* --- answers, for all that have a mutex --------------------------------------------------------------------------- */

void mutex_put_granted(struct buf *b, const struct mutex_want *mw)
{
	buf_puts(b, "\"token\":");
	buf_u64(b, mw->token);
	if (mw->mutex->i.reentrant) {
		buf_puts(b, ",\"depth\":");
		buf_u64(b, mw->depth);
	}
	if (mw->death.at) {
		buf_puts(b, ",\"abandoned\":");
		death_put(b, &mw->death);
	}
	if (mw->inconsistent)
		buf_puts(b, ",\"inconsistent\":true");
}

static void answer_acquire(struct want *w)
{
	struct buf *b = reply_begin(call_req(w));
	buf_putc(b, '{');
	mutex_put_granted(b, (struct mutex_want *)w);
	buf_putc(b, '}');
	reply_end(call_req(w));
}

int mutex_call_acquire(struct req *r, struct obj *o, struct mutex *m, const struct call_who *who, struct fault *f)
{
	struct mutex_want w = {.want = {.ops = &mutex_acquire_ops, .obj = o}, .mutex = m, .count = 1};
	int code = call_thread(r, who, &w.want.thread, f);
	return code ? code : call_run(r, &w.want, who, answer_acquire, f);
}

int mutex_call_release(struct req *r, struct mutex *m, const struct call_who *who, struct mutex_release *release,
		       struct fault *f)
{
	struct thread *t;
	uint32_t depth = 0;
	int code = call_thread(r, who, &t, f);
	if (code)
		return code;
	release->thread = t;
	code = mutex_release(m, release, &depth, f);
	thread_unused(t);
	if (code)
		return code;
	struct buf *b = reply_begin(r);
	if (m->i.reentrant)
		buf_printf(b, "{\"depth\":%u}", depth);
	else
		buf_puts(b, "{}");
	reply_end(r);
	return 0;
}

/* --- lock and rlock ----------------------------------------------------------------------------------------------- */

static int acquire(struct req *r, enum obj_kind kind, struct span name, bool may_make, const struct call_who *who,
		   struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	int code = obj_get(&asker, name, kind, may_make, &o, NULL, f);
	return code ? code : mutex_call_acquire(r, o, obj_mutex(o), who, f);
}

int cmd_lock_acquire(struct req *r, const void *args, struct fault *f)
{
	const struct args_lock_acquire *a = args;
	return acquire(r, KIND_LOCK, a->name, !a->no_create, &CALL_WHO(a, lock_acquire), f);
}

int cmd_rlock_acquire(struct req *r, const void *args, struct fault *f)
{
	const struct args_rlock_acquire *a = args;
	return acquire(r, KIND_RLOCK, a->name, !a->no_create, &CALL_WHO(a, rlock_acquire), f);
}

static int release(struct req *r, enum obj_kind kind, struct span name, struct mutex_release *how,
		   const struct call_who *who, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	int code = obj_find(&asker, name, kind, how->force ? RIGHT_CONTROL : RIGHT_USE, &o, f);
	return code ? code : mutex_call_release(r, obj_mutex(o), who, how, f);
}

int cmd_lock_release(struct req *r, const void *args, struct fault *f)
{
	const struct args_lock_release *a = args;
	struct mutex_release how = {
		.has_token = GIVEN(a, lock_release, token), .token = (uint64_t)a->token, .force = a->force};
	return release(r, KIND_LOCK, a->name, &how, &CALL_OWNER(a), f);
}

int cmd_rlock_release(struct req *r, const void *args, struct fault *f)
{
	const struct args_rlock_release *a = args;
	struct mutex_release how = {
		.has_token = GIVEN(a, rlock_release, token), .token = (uint64_t)a->token, .force = a->force};
	return release(r, KIND_RLOCK, a->name, &how, &CALL_OWNER(a), f);
}

static int locked(struct req *r, enum obj_kind kind, struct span name, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	int code = obj_find(&asker, name, kind, RIGHT_LOOK, &o, f);
	return code ? code : reply_bool(r, "locked", obj_mutex(o)->hold != NULL);
}

int cmd_lock_locked(struct req *r, const void *args, struct fault *f)
{
	return locked(r, KIND_LOCK, ((const struct args_lock_locked *)args)->name, f);
}

int cmd_rlock_locked(struct req *r, const void *args, struct fault *f)
{
	return locked(r, KIND_RLOCK, ((const struct args_rlock_locked *)args)->name, f);
}

static int repair(struct req *r, enum obj_kind kind, struct span name, const struct call_who *who, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	struct thread *t;
	int code = obj_find(&asker, name, kind, RIGHT_USE, &o, f);
	if (!code)
		code = call_thread(r, who, &t, f);
	if (code)
		return code;
	code = mutex_repair(obj_mutex(o), t, f);
	thread_unused(t);
	return code ? code : reply_empty(r);
}

int cmd_lock_repair(struct req *r, const void *args, struct fault *f)
{
	const struct args_lock_repair *a = args;
	return repair(r, KIND_LOCK, a->name, &CALL_OWNER(a), f);
}

int cmd_rlock_repair(struct req *r, const void *args, struct fault *f)
{
	const struct args_rlock_repair *a = args;
	return repair(r, KIND_RLOCK, a->name, &CALL_OWNER(a), f);
}

/* --- creation ----------------------------------------------------------------------------------------------------- */

static int shape(struct obj *o, bool created, const struct mutex_image *wanted, struct fault *f)
{
	struct mutex_image *i = &obj_mutex(o)->i;
	if (!created && (i->strict != wanted->strict || i->any_owner != wanted->any_owner || i->keep != wanted->keep))
		return shape_mismatch(o, "robust, any_owner or owner_death", f);
	i->strict = wanted->strict;
	i->any_owner = wanted->any_owner;
	i->keep = wanted->keep;
	return 0;
}

int lock_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_lock_create *a = args;
	struct mutex_image wanted = {.strict = a->robust == 1, .any_owner = a->any_owner, .keep = a->owner_death == 1};
	struct obj *o;
	int code = create_obj(who, a->name, KIND_LOCK, &CREATE_ARGS(a, lock_create), &o, ret_created, f);
	return code ? code : shape(o, *ret_created, &wanted, f);
}

int rlock_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_rlock_create *a = args;
	struct mutex_image wanted = {.strict = a->robust == 1, .keep = a->owner_death == 1};
	struct obj *o;
	int code = create_obj(who, a->name, KIND_RLOCK, &CREATE_ARGS(a, rlock_create), &o, ret_created, f);
	return code ? code : shape(o, *ret_created, &wanted, f);
}

int cmd_lock_create(struct req *r, const void *args, struct fault *f) { return create_by(lock_make, r, args, f); }
int cmd_rlock_create(struct req *r, const void *args, struct fault *f) { return create_by(rlock_make, r, args, f); }
