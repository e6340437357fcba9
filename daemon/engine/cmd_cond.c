/* SPDX-License-Identifier: MIT */
/* condition.*: the JSON of conditions. */
#include "daemon/engine/cmd_lock.h"
#include "daemon/engine/core/cond.h"

static int find_lock(const struct asker *who, struct span name, struct obj **ret, struct fault *f)
{
	int code = obj_find(who, name, KIND_ANY, RIGHT_USE, ret, f);
	if (code || (*ret)->class == &lock_class || (*ret)->class == &rlock_class)
		return code;
	return fault_set(f, FAULT_WRONG_KIND, "lock: %.*s is a %s, not a lock or an rlock", (int)name.n, name.p,
			 (*ret)->class->name);
}

int condition_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_condition_create *a = args;
	struct obj *o, *lock = NULL;
	int code = a->lock.p ? find_lock(who, a->lock, &lock, f) : 0;
	if (!code)
		code = create_obj(who, a->name, KIND_CONDITION, &CREATE_ARGS(a, condition_create), &o, ret_created, f);
	if (code)
		return code;
	struct cond *c = (struct cond *)o;
	if (*ret_created)
		cond_shape(c, lock);
	return c->lock == (lock ? lock->id : 0) ? 0 : shape_mismatch(o, "lock", f);
}

int cmd_condition_create(struct req *r, const void *args, struct fault *f)
{
	return create_by(condition_make, r, args, f);
}

static int cond_get(const struct req *r, struct span name, bool may_make, struct cond **ret, struct mutex **ret_mutex,
		    struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	int code = obj_get(&asker, name, KIND_CONDITION, may_make, &o, NULL, f);
	if (code)
		return code;
	*ret = (struct cond *)o;
	return cond_mutex(*ret, ret_mutex, f);
}

int cmd_condition_acquire(struct req *r, const void *args, struct fault *f)
{
	const struct args_condition_acquire *a = args;
	struct cond *c;
	struct mutex *m;
	int code = cond_get(r, a->name, !a->no_create, &c, &m, f);
	return code ? code : mutex_call_acquire(r, m->obj, m, &CALL_WHO(a, condition_acquire), f);
}

int cmd_condition_release(struct req *r, const void *args, struct fault *f)
{
	const struct args_condition_release *a = args;
	struct mutex_release how = {.has_token = GIVEN(a, condition_release, token), .token = (uint64_t)a->token};
	struct cond *c;
	struct mutex *m;
	int code = cond_get(r, a->name, false, &c, &m, f);
	return code ? code : mutex_call_release(r, m, &CALL_OWNER(a), &how, f);
}

static void answer_wait(struct want *w)
{
	const struct cond_want *cw = (struct cond_want *)w;
	struct buf *b = reply_begin(call_req(w));
	buf_printf(b, "{\"notified\":%s,", cw->notified ? "true" : "false");
	mutex_put_granted(b, &cw->lock);
	buf_putc(b, '}');
	reply_end(call_req(w));
}

int cmd_condition_wait(struct req *r, const void *args, struct fault *f)
{
	const struct args_condition_wait *a = args;
	struct cond_want w = {.lock.want.ops = &cond_wait_ops, .again = r->again};
	struct cond *c;
	int code = cond_get(r, a->name, false, &c, &w.lock.mutex, f);
	if (!code)
		code = call_thread(r, &CALL_WHO(a, condition_wait), &w.lock.want.thread, f);
	if (code)
		return code;
	w.lock.want.obj = &c->obj;
	return call_run(r, &w.lock.want, &CALL_WHO(a, condition_wait), answer_wait, f);
}

static int notify(struct req *r, struct span name, size_t n, const struct call_who *who, struct fault *f)
{
	struct cond *c;
	struct mutex *m;
	struct thread *t;
	size_t woken;
	int code = cond_get(r, name, false, &c, &m, f);
	if (!code)
		code = call_thread(r, who, &t, f);
	if (code)
		return code;
	code = cond_notify(c, t, n, &woken, f);
	thread_unused(t);
	if (code)
		return code;
	buf_printf(reply_begin(r), "{\"notified\":%zu}", woken);
	reply_end(r);
	return 0;
}

int cmd_condition_notify(struct req *r, const void *args, struct fault *f)
{
	const struct args_condition_notify *a = args;
	int64_t n = GIVEN(a, condition_notify, n) ? a->n : 1;
	if (n < 0)
		return fault_set(f, FAULT_PARAMS, "n: must not be negative");
	return notify(r, a->name, (size_t)n, &CALL_OWNER(a), f);
}

int cmd_condition_notify_all(struct req *r, const void *args, struct fault *f)
{
	const struct args_condition_notify_all *a = args;
	return notify(r, a->name, SIZE_MAX, &CALL_OWNER(a), f);
}
