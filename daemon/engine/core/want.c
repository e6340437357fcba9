/* SPDX-License-Identifier: MIT */
/* Wants, from their arrival to their end: want.h. */
#include "daemon/engine/core/core.h"
#include "daemon/engine/core/obj.h"
#include <assert.h>

static struct fault failure; /* of the last attempt that failed: told before the next one */

/* --- how many, of whom -------------------------------------------------------------------------------------------- */

static bool is_admin(uid_t uid) { return uid == 0 || uid == core.uid; }

static int quota_enter(const struct want *w, struct fault *f)
{
	uid_t uid = w->thread->owner->i.uid;
	uintptr_t n = (uintptr_t)map_get(&core.wants_of, uid);
	if (n >= WANTS_PER_UID && !is_admin(uid)) {
		fault_set(f, FAULT_QUOTA, "uid %u has %d waiting requests, which is the most", uid, WANTS_PER_UID);
		return fault_data(f, "\"limit\":\"waiters\",\"used\":%zu,\"max\":%d", (size_t)n, WANTS_PER_UID);
	}
	return map_put(&core.wants_of, uid, (void *)(n + 1)) ? fault_set(f, FAULT_OVERLOADED, "out of memory") : 0;
}

static void quota_leave(const struct want *w)
{
	uid_t uid = w->thread->owner->i.uid;
	uintptr_t n = (uintptr_t)map_get(&core.wants_of, uid);
	if (n > 1)
		map_put(&core.wants_of, uid, (void *)(n - 1));
	else
		map_del(&core.wants_of, uid);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

/* Off all lists; its memory and what it has are still there. */
static void want_leave(struct want *w)
{
	waiter_drop(&w->waiter);
	list_del(&w->by_thread);
	list_del(&w->by_obj);
	w->obj->nwants--;
	quota_leave(w);
}

/* The same of one that takes nothing: what was not enough for it may do for those behind it. */
static void want_give_up(struct want *w)
{
	struct subject *s = w->ops->subject(w);
	want_leave(w);
	if (s->fifo)
		subject_touch(s);
}

static void want_free(struct want *w)
{
	struct obj *o = w->obj;
	struct thread *t = w->thread;
	if (w->ops->done)
		w->ops->done(w);
	free(w);
	obj_used(o);
	thread_unused(t);
}

static void want_ended(struct want *w, enum step step, const struct fault *f)
{
	struct fault cancelled;
	if (w->cancelled) {
		fault_set(&cancelled, FAULT_CANCELLED, "%s.%s was cancelled", w->obj->class->name, w->ops->what);
		core.ops->failed(w, &cancelled);
	} else if (step == STEP_FAIL) {
		core.ops->failed(w, f);
	} else {
		w->answer(w);
	}
	want_free(w);
}

void want_shadow(struct want *w, struct thread *t)
{
	w->thread = t;
	w->since = core.now;
	list_init(&w->by_thread);
	list_push(&t->wants, &w->by_thread);
	core.njoins++;
}

void want_shadow_leave(struct want *w)
{
	if (!list_linked(&w->by_thread))
		return;
	list_del(&w->by_thread);
	core.njoins--;
	thread_unused(w->thread);
}

void want_fail(struct want *w, const struct fault *f)
{
	if (!w->obj) {
		want_shadow_leave(w);
		return;
	}
	want_give_up(w);
	if (w->ops->abandon)
		w->ops->abandon(w);
	want_ended(w, STEP_FAIL, f);
}

bool want_cancel(struct want *w, bool gone)
{
	if (!gone && w->cancelled)
		return false;
	if (!gone && w->ops->cancel && w->ops->cancel(w) == STEP_WAIT) {
		w->cancelled = true;
		return false;
	}
	want_give_up(w);
	if (w->ops->abandon)
		w->ops->abandon(w);
	want_free(w);
	return true;
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static enum step waiter_attempt(struct waiter *waiter)
{
	struct want *w = CONTAINER_OF(waiter, struct want, waiter);
	w->step = fence_still(&w->fence, &failure) ? STEP_FAIL : w->ops->attempt(w, &failure);
	return w->step;
}

static void waiter_ended(struct waiter *waiter)
{
	struct want *w = CONTAINER_OF(waiter, struct want, waiter);
	want_leave(w);
	want_ended(w, w->step, &failure);
}

/* Who waits before others that are not granted either, or holds what is wanted: for the fault's data. */
static void time_over(const struct want *w, struct fault *f)
{
	AUTO_BUF owner = BUF_INIT, held = BUF_INIT;
	const struct hold *h = LIST_FIRST(&w->obj->holds, struct hold, by_obj);
	size_t depth = w->obj->nwants - (w->timeout != 0 && w->obj->nwants > 0);
	double waited = (double)(core.now - w->since) / (double)NSEC_PER_SEC;
	if (h && h->thread && !h->inside) {
		buf_puts(&owner, ",\"owner\":");
		who_put(&owner, h->thread);
		buf_puts(&held, ", held by ");
		who_say(&held, h->thread);
		if (w->obj->nholds > 1)
			buf_printf(&held, " and %zu more", w->obj->nholds - 1);
	}
	deadlock_put(w, &owner);
	if (w->timeout == 0)
		fault_set(f, FAULT_WOULD_BLOCK, "%s.%s %s: it would have to wait%s", w->obj->class->name, w->ops->what,
			  obj_said(w->obj), buf_str(&held));
	else
		fault_set(f, FAULT_TIMEOUT, "%s.%s %s: not within %.3g s%s", w->obj->class->name, w->ops->what,
			  obj_said(w->obj), waited, buf_str(&held));
	fault_data(f, "\"waited\":%.3f,\"depth\":%zu%s", waited, depth, buf_str(&owner));
}

static enum step want_expire(struct want *w, struct fault *f)
{
	if (w->ops->expire)
		return w->ops->expire(w, f);
	time_over(w, f);
	return STEP_FAIL;
}

/* Its deadline has come: the waiter is off its subjects. One that moved to another one waits on there. */
static void waiter_expired(struct waiter *waiter)
{
	struct want *w = CONTAINER_OF(waiter, struct want, waiter);
	w->step = want_expire(w, &failure);
	if (w->step == STEP_WAIT) {
		waiter_move(&w->waiter, w->ops->subject(w));
		return;
	}
	want_give_up(w);
	want_ended(w, w->step, &failure);
}

static const struct wait_ops waiting = {.attempt = waiter_attempt, .done = waiter_ended, .expire = waiter_expired};

void want_move(struct want *w) { waiter_move(&w->waiter, w->ops->subject(w)); }

void want_timeless(struct want *w) { timer_clear(&core.timers, &w->waiter.timer); }

static void want_link(struct want *w)
{
	list_init(&w->by_thread);
	list_init(&w->by_obj);
	list_push(&w->thread->wants, &w->by_thread);
	list_push(&w->obj->wants, &w->by_obj);
	w->obj->nwants++;
}

static enum step want_park(const struct want *stack, struct want **ret, struct fault *f)
{
	if (quota_enter(stack, f))
		return STEP_FAIL;
	struct want *w = malloc(stack->ops->size);
	struct subject *s = stack->ops->subject(stack);
	if (!w) {
		quota_leave(stack);
		fault_set(f, FAULT_OVERLOADED, "out of memory");
		return STEP_FAIL;
	}
	memcpy(w, stack, stack->ops->size);
	want_link(w);
	timer_clear(&core.timers, &w->obj->idle);
	waiter_park(&w->waiter, &waiting, &s, 1, w->timeout ? timer_after(core.now, w->timeout) : NSEC_NEVER);
	*ret = w;
	return STEP_WAIT;
}

static enum step want_try(struct want *w, struct fault *f)
{
	if (subject_waited(w->ops->subject(w)) && !(w->ops->overtakes && w->ops->overtakes(w)))
		return STEP_WAIT;
	return w->ops->attempt(w, f);
}

enum step want_run(struct want *w, struct want **ret, struct fault *f)
{
	enum step step = STEP_WAIT;
	w->since = core.now;
	if (w->ops->enter)
		step = w->ops->enter(w, f);
	if (step != STEP_WAIT)
		return step;
	step = want_try(w, f);
	if (step == STEP_WAIT && w->timeout == 0 && (step = want_expire(w, f)) == STEP_WAIT)
		step = want_try(w, f); /* its time is over, and it still has to wait: for its lock */
	if (step != STEP_WAIT)
		return step;
	step = deadlock_check(w, f) ? STEP_FAIL : want_park(w, ret, f);
	if (step == STEP_FAIL && w->ops->abandon)
		w->ops->abandon(w);
	return step;
}
